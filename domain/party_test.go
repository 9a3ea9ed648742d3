package domain_test

import (
	"testing"

	"cms.gov/ab2d/domain"
)

// What HPMS keeps staff do not change until they say that they keep it.
func TestWhatHPMSKeepsIsNotEdited(t *testing.T) {
	listed := domain.Contract{Number: "S0001", Name: "Plan", Sponsor: "a", Listed: true}
	for what, part := range map[string]struct {
		facts domain.Facts
		want  domain.Code
	}{
		"as it is":                 {domain.Facts{Name: "Plan", Type: domain.NormalContract, Sponsor: "a", Updates: domain.Automatic}, ""},
		"another name":             {domain.Facts{Name: "Other", Type: domain.NormalContract, Sponsor: "a", Updates: domain.Automatic}, domain.BusinessRule},
		"another sponsor":          {domain.Facts{Name: "Plan", Type: domain.NormalContract, Sponsor: "b", Updates: domain.Automatic}, domain.BusinessRule},
		"kept by staff":            {domain.Facts{Name: "Other", Type: domain.NormalContract, Sponsor: "b", Updates: domain.Manual}, ""},
		"real people kept by none": {domain.Facts{Name: "Plan", Type: domain.NormalContract, Sponsor: "a", Updates: domain.NoUpdates}, domain.BusinessRule},
		"no name":                  {domain.Facts{Name: " ", Type: domain.NormalContract, Sponsor: "a", Updates: domain.Manual}, domain.Invalid},
		"an odd type":              {domain.Facts{Name: "Plan", Type: "odd", Sponsor: "a", Updates: domain.Manual}, domain.Invalid},
	} {
		c := listed
		if err := c.Edit(part.facts); (err == nil) != (part.want == "") || err != nil && domain.CodeOf(err) != part.want {
			t.Errorf("%s: %v", what, err)
		}
	}
	s := domain.Sponsor{ID: "hpms-1", Name: "Org"}
	if err := s.Edit("Other", "", domain.Automatic); domain.CodeOf(err) != domain.BusinessRule {
		t.Errorf("a name that HPMS keeps: %v", err)
	}
	if err := s.Edit("Other", "", domain.Manual); err != nil || s.Name != "Other" {
		t.Errorf("%+v, %v", s, err)
	}
	c, v := listed, listed.Version()
	if c.Enrolled, c.Ends = 7, 2026_12_31; c.Version() != v {
		t.Error("what staff do not keep makes another version")
	}
	if c.Name = "Other"; c.Version() == v {
		t.Error("another name is the same version")
	}
}

// A sponsor is merged once, into one that is itself.
func TestSponsorsAreMergedInNoCircle(t *testing.T) {
	a, b, off := domain.Sponsor{ID: "a"}, domain.Sponsor{ID: "b"}, domain.Sponsor{ID: "off", Inactive: true}
	if err := a.MergeInto(a); domain.CodeOf(err) != domain.Invalid {
		t.Errorf("into itself: %v", err)
	}
	if err := a.MergeInto(off); domain.CodeOf(err) != domain.BusinessRule {
		t.Errorf("into one that is not active: %v", err)
	}
	if err := a.MergeInto(b); err != nil || a.Merged != "b" || a.Usable() == nil {
		t.Errorf("%+v, %v", a, err)
	}
	if err := b.MergeInto(a); domain.CodeOf(err) != domain.BusinessRule {
		t.Errorf("back: %v", err)
	}
	if err := a.MergeInto(b); domain.CodeOf(err) != domain.BusinessRule {
		t.Errorf("again: %v", err)
	}
	if err := a.Activate(); domain.CodeOf(err) != domain.BusinessRule {
		t.Errorf("activating it: %v", err)
	}
}

// What is open stays so after a correction that leaves it open, and is closed by
// one that does not.
func TestACorrectionMayBeIncompleteItself(t *testing.T) {
	attest := domain.AttestationEvent{ID: "1", Contract: "S0001", Kind: domain.Attest, Effective: 2024_01_01}
	date := domain.AttestationEvent{ID: "2", Contract: "S0001", Kind: domain.Correct, Corrects: "1", CorrectedKind: domain.Attest, Effective: 2024_02_01}
	whole := domain.AttestationEvent{ID: "3", Contract: "S0001", Kind: domain.Correct, Corrects: "1", CorrectedKind: domain.Attest, Effective: 2024_02_01, Attestor: domain.Attestor{Name: "A. Name", Office: "CEO"}}
	if open := domain.Incomplete([]domain.AttestationEvent{attest, date}); len(open) != 1 || open[0].ID != "1" || open[0].Effective != 2024_02_01 {
		t.Errorf("after a correction of the date alone open are %+v", open)
	}
	if open := domain.Incomplete([]domain.AttestationEvent{attest, date, whole}); len(open) != 0 {
		t.Errorf("after one with the attestor open are %+v", open)
	}
}

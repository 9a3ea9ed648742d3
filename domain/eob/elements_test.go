package eob

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"cms.gov/ab2d/domain"
)

const narrowClaim = `{"resourceType":"ExplanationOfBenefit","id":"c1","meta":{"lastUpdated":"2024-01-02T03:04:05Z","security":[{"code":"X"}]},` +
	`"contained":[{"resourceType":"Practitioner","id":"p"},{"resourceType":"Organization","id":"o","name":"O"}],` +
	`"extension":[{"url":"https://bluebutton.cms.gov/resources/variables/nch_near_line_rec_ident_cd","valueCoding":{"code":"O"}}],` +
	`"status":"active","type":{"coding":[{"system":"https://bluebutton.cms.gov/resources/codesystem/eob-type","code":"CARRIER","display":"d"}]},` +
	`"use":"claim","patient":{"reference":"Patient/1"},"billablePeriod":{"start":"2024-01-01","end":"2024-01-31"},"created":"2024-01-02",` +
	`"provider":{"reference":"#o"},"careTeam":[{"sequence":1,"provider":{"reference":"#p"}}],"item":[{"sequence":1}],"payment":{"amount":{"value":1}}}`

// Of each version: what was asked for, what must be there, and contained what
// that refers to. What the claim is decided by is known all the same.
func TestNarrowedClaims(t *testing.T) {
	tag := func(v domain.FHIRVersion) string {
		return `"meta":{"lastUpdated":"2024-01-02T03:04:05Z",` + subsetTag(v) + `}`
	}
	kind := `"type":{"coding":[{"system":"https://bluebutton.cms.gov/resources/codesystem/eob-type","code":"CARRIER","display":"d"}]}`
	head := `{"resourceType":"ExplanationOfBenefit","id":"c1",`
	for _, c := range []struct {
		v        domain.FHIRVersion
		elements []string
		want     string
	}{
		{domain.R4, []string{"item"}, head + tag(domain.R4) + `,"status":"active",` + kind + `,"use":"claim","patient":{"reference":"Patient/1"},"created":"2024-01-02",` +
			`"provider":{"reference":"#o"},"item":[{"sequence":1}],"contained":[{"resourceType":"Organization","id":"o","name":"O"}]}`},
		{domain.STU3, []string{"item", "id", "item"}, head + tag(domain.STU3) + `,"status":"active","patient":{"reference":"Patient/1"},"item":[{"sequence":1}]}`},
		{domain.STU3, nil, head + tag(domain.STU3) + `,"status":"active","patient":{"reference":"Patient/1"}}`},
		{domain.STU3, []string{"careTeam", "billablePeriod", "extension"}, head + tag(domain.STU3) + `,"status":"active","patient":{"reference":"Patient/1"},` +
			`"billablePeriod":{"start":"2024-01-01","end":"2024-01-31"},"careTeam":[{"sequence":1,"provider":{"reference":"#p"}}],` +
			`"contained":[{"resourceType":"Practitioner","id":"p"}],"extension":[` + string(someMBIs) + `]}`},
	} {
		var mbis []byte
		if slices.Contains(c.elements, "extension") {
			mbis = someMBIs
		}
		got, f, err := NewTrimmer(c.v, Only(c.elements)).Trim(nil, []byte(narrowClaim), mbis)
		if err != nil || string(got) != c.want {
			t.Errorf("%s %v: %v\n%s, want\n%s", c.v, c.elements, err, got, c.want)
		}
		if f.Type != Carrier || f.Period.Start != 2024_01_01 || f.Period.End != 2024_01_31 || string(f.Patient) != "1" || f.LastUpdated.IsZero() {
			t.Errorf("%s %v: decided by %+v", c.v, c.elements, f)
		}
	}
}

// A label and a listed code restrict a claim whose elements nobody asked for.
func TestANarrowedClaimIsRestrictedAllTheSame(t *testing.T) {
	for _, v := range []domain.FHIRVersion{domain.STU3, domain.R4} {
		for _, members := range []string{`"meta":{"security":[{"code":"42CFRPart2"}]}`,
			`"diagnosis":[{"diagnosisCodeableConcept":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"F1010"}]}}]`} {
			if _, f, err := bothWaysTo(t, shape{version: v, narrowed: true}, []byte(claimWith(members)), nil); err != nil || !f.Restricted {
				t.Errorf("%s %s: %+v, %v", v, members, f, err)
			}
		}
	}
}

// However a claim is narrowed, it stays a valid resource if it was one.
func TestNarrowedClaimsAreValidFHIR(t *testing.T) {
	for _, v := range []domain.FHIRVersion{domain.STU3, domain.R4} {
		validate := newValidator(t, v)
		for _, s := range samplesOf(t, v) {
			if validate.check(t, decoded(t, trim(t, v, s.compact))) != nil {
				continue // to begin with
			}
			for _, elements := range [][]string{nil, {"item"}, {"careTeam", "diagnosis"}, {"supportingInfo", "facility"}} {
				out, _, err := NewTrimmer(v, Only(elements)).Trim(nil, s.compact, nil)
				if err != nil {
					t.Fatal(err)
				}
				got := decoded(t, out)
				if err := validate.check(t, got); err != nil {
					t.Errorf("%s %v: %v", s.name, elements, err)
				}
				for _, name := range mandatory[shape{version: v}] {
					if decoded(t, s.compact)[name] != nil && got[name] == nil {
						t.Errorf("%s %v: %s is mandatory and has gone", s.name, elements, name)
					}
				}
			}
		}
	}
}

// Every name that can be chosen brings something, and none more than the allow list.
func TestElements(t *testing.T) {
	for _, v := range []domain.FHIRVersion{domain.STU3, domain.R4} {
		all := Elements(domain.ExplanationOfBenefit, v)
		for _, name := range []string{"id", "item", "billablePeriod", "extension", "status", "diagnosis"} {
			if !slices.Contains(all, name) {
				t.Errorf("%s: no %s in %v", v, name, all)
			}
		}
		if slices.ContainsFunc(all, func(name string) bool {
			return name == "payment" || name == "total" || strings.ContainsAny(name, ".[]")
		}) {
			t.Errorf("%s: %v", v, all)
		}
		for _, s := range samplesOf(t, v) {
			whole, _, _ := bothWays(t, v, s.compact, someMBIs)
			out, _, err := bothWaysTo(t, shape{version: v}.narrow(all), s.compact, someMBIs)
			if err != nil || string(out) != string(whole) {
				t.Errorf("%s with all elements is not whole: %v", s.name, err)
			}
		}
	}
}

func TestNarrowedRecords(t *testing.T) {
	raw := []byte(`{"resourceType":"Coverage","id":"x","meta":{"lastUpdated":"2024-01-02T03:04:05Z"},"status":"active","subscriberId":"1S00E00AA00",` +
		`"beneficiary":{"reference":"Patient/1"},"payor":[{"display":"CMS"}],"class":[{"type":{"coding":[{"code":"plan"}]},"value":"Part A"}]}`)
	only := domain.Elements{domain.Coverage: {"subscriberId"}, domain.Patient: {}}
	for v, want := range map[domain.FHIRVersion]string{
		domain.R4:   "beneficiary id meta payor resourceType status subscriberId",
		domain.STU3: "beneficiary id meta resourceType status subscriberId",
	} {
		out, r, err := TrimRecord(v, only, nil, raw)
		if got := strings.Join(names(t, out), " "); err != nil || got != want {
			t.Errorf("%s: %s, want %s, %v", v, got, want, err)
		}
		if string(r.Owner) != "1" || r.LastUpdated.IsZero() || v == domain.R4 && !r.PartAB {
			t.Errorf("%s: decided by %+v", v, r)
		}
		out, _, err = TrimRecord(v, only, nil, []byte(`{"resourceType":"Patient","id":"1","gender":"female","birthDate":"1940-01-01"}`))
		if got := strings.Join(names(t, out), " "); err != nil || got != "id meta resourceType" {
			t.Errorf("%s: %s, %v", v, got, err)
		}
	}
}

func names(t *testing.T, resource []byte) (all []string) {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(resource, &members); err != nil {
		t.Fatal(err)
	}
	for name := range members {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

package eob

import (
	"slices"
	"strings"
	"time"

	"cms.gov/ab2d/domain"
)

// Record is what a Patient or a Coverage is decided by: what an export may have
// of an enrollee beside claims. The byte slices are as those of Facts.
type Record struct {
	Type        domain.ResourceType
	ID          []byte
	Owner       []byte    // whose it is: the Patient's own id, or that of the Coverage's beneficiary
	LastUpdated time.Time // zero when there is none
	PartAB      bool      // coverage by Medicare's Part A or Part B, and by nothing else
}

// RecordRules returns the allow list of Patient or Coverage in a FHIR version, as
// Rules does that of claims. The tables are rules/patient_r4.txt and so on.
func RecordRules(t domain.ResourceType, v domain.FHIRVersion) []Rule {
	name := strings.ToLower(string(t)) + "_" + strings.ToLower(string(v))
	text, err := ruleFiles.ReadFile("rules/" + name + ".txt")
	if err != nil {
		panic("eob: there is no table for " + string(t) + " in FHIR version " + string(v))
	}
	rules, err := parseRules(string(text))
	if err != nil {
		panic("eob: the embedded table " + name + " is wrong: " + err.Error())
	}
	return rules
}

// TrimRecord appends to dst what the allow list lets leave of a Patient or a
// Coverage, as Trim does with a claim, and returns what it is decided by. It has no
// more than the elements that it is narrowed to, and what it must have. There
// are few of them beside claims, so the strict way is the only one. What cannot
// be read, or is of neither type, is an *UnreadableError.
func TrimRecord(v domain.FHIRVersion, elements domain.Elements, dst, raw []byte) (out []byte, r Record, err error) {
	defer func() {
		if e := recover(); e != nil {
			wrong, ok := e.(*UnreadableError)
			if !ok {
				panic(e)
			}
			out, r, err = dst, Record{}, wrong
		}
	}()
	s := &strict{raw: raw, used: map[string]bool{}}
	members := s.whole()
	text, at := s.textAt(members, "resourceType")
	kind := domain.ResourceType(text)
	if kind != domain.Patient && kind != domain.Coverage {
		unreadable(at, "its resourceType is neither Patient nor Coverage")
	}
	to := shape{kind: kind, version: v}
	if names, narrowed := elements.Of(kind); narrowed {
		to = to.narrow(names)
	}
	s.rules = compiledFor(to)
	r = s.record(kind, members)
	return append(dst, s.write(members)...), r, nil
}

func (s *strict) record(kind domain.ResourceType, members []member) Record {
	r := Record{Type: kind}
	at := 0
	if r.ID, at = s.textAt(members, "id"); len(r.ID) == 0 {
		unreadable(at, "it has no id")
	}
	r.LastUpdated = s.lastUpdated(s.inside(members, "meta"))
	if kind == domain.Patient {
		r.Owner = r.ID
		return r
	}
	if reference, _ := s.textAt(s.inside(members, "beneficiary"), "reference"); reference != nil {
		r.Owner = patientID(reference)
	}
	plans := s.plans(members)
	r.PartAB = len(plans) > 0 && !slices.ContainsFunc(plans, func(plan string) bool { return plan != "Part A" && plan != "Part B" })
	return r
}

// plans returns the plans that a Coverage names: BFD has them in
// grouping.subPlan (STU3), and in the class of type plan (R4).
func (s *strict) plans(members []member) (all []string) {
	if plan, _ := s.textAt(s.inside(members, "grouping"), "subPlan"); plan != nil {
		all = append(all, string(plan))
	}
	for _, class := range s.each(members, "class") {
		for _, coding := range s.each(s.inside(class, "type"), "coding") {
			if code, _ := s.textAt(coding, "code"); string(code) != "plan" {
				continue
			}
			value, _ := s.textAt(class, "value")
			all = append(all, string(value))
		}
	}
	return all
}

// DecideRecord returns what becomes of a Patient or a Coverage. They have no
// days of service: whoever is a member is entitled to what is about the person,
// and whoever is entitled to more than at Since to all of it.
func (s Selection) DecideRecord(r Record) Verdict {
	switch {
	case string(r.Owner) != string(s.Patient):
		return OthersClaim
	case r.Type == domain.Coverage && !r.PartAB:
		return NotShared
	case r.LastUpdated.After(s.Through):
		return TooNew
	case s.Since.IsZero() || r.LastUpdated.After(s.Since) || s.Now.ReachesBack(s.Before, s.Since):
		if slices.ContainsFunc(s.Earlier, func(e Selection) bool { return e.DecideRecord(r) == Keep }) {
			return Elsewhere
		}
		return Keep
	case r.LastUpdated.IsZero():
		return UpdateUnknown
	}
	return NotUpdated
}

package fiberapi

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/domain/eob"
)

// explained fails a refusal that does not say what was wrong and what to do.
func explained(t *testing.T, err error) {
	t.Helper()
	if told, ok := err.(*domain.Error); !ok || told.Code != domain.Invalid || told.Message == "" || told.Next == "" {
		t.Fatalf("the refusal does not explain itself: %#v", err)
	}
}

// A Parameters body is read or refused, and each of its parameters has a name and
// a value or a reason why it has none.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{"resourceType":"Parameters","parameter":[{"name":"_since","valueInstant":"2024-02-13T13:00:00Z"},{"name":"patient","valueReference":{"reference":"Patient/-1"}}]}`,
		`{"resourceType":"Parameters","parameter":[{"name":"a","valueBoolean":true},{"name":"b","valuePositiveInt":7},{"name":"c","valuePeriod":{}},{"name":"d"}]}`,
		`{"resourceType":"Parameters","parameter":[null]}`, `{"resourceType":"Patient"}`, `null`, `[]`, `{"resourceType":"Parameters"`,
		`{"resourceType":"Parameters","parameter":[{"name":"_typeFilter","valueString":"ExplanationOfBenefit?status=active"},{"name":"_type","valueCode":null}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		all, err := parseBody(body)
		if err != nil {
			explained(t, err)
			return
		}
		for _, g := range all {
			if g.name == "" || len(g.values) == 0 {
				t.Errorf("%+v", g)
			}
			if g.fault != nil {
				explained(t, g.fault)
			}
		}
	})
}

// What is told to be kept to is read back as the same preferences.
func FuzzPrefer(f *testing.F) {
	for _, seed := range []string{"respond-async", "respond-async, handling=lenient", `handling="strict";x=1, separate-export-status`, "handling=lenient, handling=strict", ",;=,", "RESPOND-ASYNC;wait=10"} {
		f.Add(seed, "")
		f.Add("", seed)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		p := parsePrefer([]string{first, second})
		again := parsePrefer([]string{p.applied()})
		p.async = p.async || p.separate // goes without saying
		if p.lenient && p.strict || again != p {
			t.Errorf("%q, %q is %+v, told as %q, which is %+v", first, second, p, p.applied(), again)
		}
	})
}

// Whoever is named is an id that can stand in a reference again, and the one that
// was written.
func FuzzPatientReference(f *testing.F) {
	for _, seed := range []string{"Patient/-1", "Patient/1S00E00AA01", "https://ab2d.test/api/v2/fhir/Patient/1", "Patient/", "Group/1", "Patient/1/_history/2", "xPatient/1", "Patient/1\n", "Patient/1,Patient/2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, reference string) {
		var a, again asked
		if err := readPatients(&a, "patient", []string{reference}); err != nil {
			explained(t, err)
			return
		}
		if len(a.patients) != 1 || !strings.HasSuffix(reference, "Patient/"+a.patients[0]) || strings.ContainsFunc(a.patients[0], func(r rune) bool { return r <= ' ' || r > '~' || r == '/' }) {
			t.Fatalf("%q names %q", reference, a.patients)
		}
		if err := readPatients(&again, "patient", []string{"Patient/" + a.patients[0]}); err != nil || !slices.Equal(again.patients, a.patients) {
			t.Errorf("%q names %q, and that names %q, %v", reference, a.patients, again.patients, err)
		}
	})
}

// A filter that is understood is told as one that means the same, alone and among
// others, before what is approximate in it is fixed and after; and it can be kept.
func FuzzTypeFilter(f *testing.F) {
	for _, seed := range []string{
		"ExplanationOfBenefit?service-date=ge2024-01-15&service-date=lt2025", "ExplanationOfBenefit?type=carrier,DME,ExplanationOfBenefit?status=active",
		"ExplanationOfBenefit%3Fservice-date%3Dap2024-02%26type%3DSNF", "ExplanationOfBenefit?service-date=ap9999", "ExplanationOfBenefit?service-date=ap0001-01-01,ne2024-02",
		"ExplanationOfBenefit?status=http://hl7.org/fhir/explanationofbenefit-status|draft", "Patient?gender=female", "ExplanationOfBenefit?", ",?", "ExplanationOfBenefit?type=SNF&type=DME",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		var a asked
		if err := readTypeFilter(&a, "_typeFilter", []string{value}); err != nil {
			explained(t, err)
			return
		}
		fixed := a.terms.Filters.AsOf(2026_03_02)
		if again := fixed.AsOf(2031_01_01); !reflect.DeepEqual(again, fixed) {
			t.Errorf("%q is %+v on one day and %+v on another", value, fixed, again)
		}
		for _, all := range []domain.Filters{a.terms.Filters, fixed} {
			told, _ := appliedTo(domain.Terms{Filters: all})
			for _, way := range [][]string{told.TypeFilters, {strings.Join(told.TypeFilters, ",")}} {
				var back asked
				if err := readTypeFilter(&back, "_typeFilter", way); err != nil || !reflect.DeepEqual(back.terms.Filters, all) {
					t.Errorf("%q is %+v, told as %q, which is %+v, %v", value, all, way, back.terms.Filters, err)
				}
			}
		}
		keptAs(t, domain.Terms{Filters: fixed})
	})
}

// Elements that are understood are ones that may leave, and are told as ones that
// mean the same; a lenient client is told of all others.
func FuzzElements(f *testing.F) {
	for _, seed := range []string{"item", "ExplanationOfBenefit.item,id", "Patient.gender, period", "", "payment", "item.sequence", "Coverage.", ".id", "extension,,meta"} {
		f.Add(seed, true, true)
		f.Add(seed, false, false)
	}
	f.Fuzz(func(t *testing.T, value string, r4, records bool) {
		v, all := domain.STU3, []given{{name: "_elements", values: []string{value}}}
		if r4 {
			v = domain.R4
		}
		if records {
			all = append(all, given{name: "_type", values: []string{"ExplanationOfBenefit,Patient,Coverage"}})
		}
		a, err := readParameters(all, false, v, domain.Patient, domain.Coverage)
		if err != nil {
			explained(t, err)
			if a, err = readParameters(all, true, v, domain.Patient, domain.Coverage); err != nil || len(a.terms.Ignored) == 0 {
				t.Fatalf("%q is refused to lenient clients too, or not told: %v", value, err)
			}
			a.terms.Ignored = nil
		}
		for kind, names := range a.terms.Elements {
			for _, name := range names {
				if !slices.Contains(eob.Elements(kind, v), name) {
					t.Errorf("%q asks for %s of %s", value, name, kind)
				}
			}
		}
		told, narrowed := appliedTo(domain.Terms{Elements: a.terms.Elements})
		if !narrowed {
			return
		}
		back, err := readParameters(append(all[1:], given{name: "_elements", values: told.Elements}), false, v, domain.Patient, domain.Coverage)
		for kind, names := range a.terms.Elements { // id stays anyway, and stands for nothing but that
			if len(names) == 0 {
				a.terms.Elements[kind] = []string{"id"}
			}
		}
		if err != nil || !reflect.DeepEqual(back.terms, a.terms) {
			t.Errorf("%q is %+v, told as %q, which is %+v, %v", value, a.terms, told.Elements, back.terms, err)
		}
		keptAs(t, a.terms)
	})
}

// keptAs checks that terms are read back from where they are kept as they were.
func keptAs(t *testing.T, terms domain.Terms) {
	t.Helper()
	kept, err := json.Marshal(terms)
	if err != nil {
		t.Fatal(err)
	}
	var back domain.Terms
	if err := json.Unmarshal(kept, &back); err != nil || !reflect.DeepEqual(back, terms) {
		t.Errorf("%+v is kept as %s, which is %+v, %v", terms, kept, back, err)
	}
}

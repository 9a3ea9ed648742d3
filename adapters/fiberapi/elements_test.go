package fiberapi_test

import (
	"reflect"
	"strings"
	"testing"

	"cms.gov/ab2d/application/export"
	"cms.gov/ab2d/domain"
)

func TestElements(t *testing.T) {
	const claims, patient, coverage = domain.ExplanationOfBenefit, domain.Patient, domain.Coverage
	for query, want := range map[string]domain.Elements{
		"_elements=item": {claims: {"item"}},
		"_elements=item,id&_elements=ExplanationOfBenefit.type,item": {claims: {"id", "item", "type"}},
		"_elements=extension":                                                                      {claims: {"extension"}},
		"_type=Patient&_elements=gender":                                                           {patient: {"gender"}},
		"_type=Patient,ExplanationOfBenefit&_elements=Patient.gender":                              {patient: {"gender"}},
		"_type=Patient,ExplanationOfBenefit,Coverage&_elements=identifier,period":                  {claims: {"identifier"}, patient: {"identifier"}, coverage: {"period"}},
		"_elements=ExplanationOfBenefit.item,Patient.birthDate&_type=Patient,ExplanationOfBenefit": {claims: {"item"}, patient: {"birthDate"}},
	} {
		w := newWorld(t, withTypes)
		var got *export.Start
		w.start = func(cmd export.Start) (domain.JobID, error) { got = &cmd; return job, nil }
		if r := w.do("GET", "/api/v2/fhir/Patient/$export?"+query); r.StatusCode != 202 || !reflect.DeepEqual(got.Terms.Elements, want) {
			t.Errorf("%s: %d %s, started %+v", query, r.StatusCode, r.body, got)
		}
	}
	r, got := newWorld(t).posted("/api/v1/fhir/$export", "application/json", parameters(`{"name":"_elements","valueString":"item, status"}`))
	if r.StatusCode != 202 || !reflect.DeepEqual(got.Terms.Elements, domain.Elements{claims: {"item", "status"}}) {
		t.Errorf("%d %s, started %+v", r.StatusCode, r.body, got)
	}
}

func TestElementsThatThereAreNot(t *testing.T) {
	for query, words := range map[string]string{
		"_elements=":                                     `The _elements has "", which is no root element`,
		"_elements=payment":                              `"payment", which is no root element`, // of claims, and does not leave
		"_elements=item,foo":                             `"foo"`,
		"_elements=item.sequence":                        `"item.sequence"`,
		"_elements=Patient.gender":                       `"Patient.gender"`, // not asked for
		"_elements=Observation.value":                    `"Observation.value"`,
		"_elements=Item":                                 `"Item"`,
		"_elements=" + strings.Repeat("id,", 100) + "id": "has more than 100 names",
	} {
		r := newWorld(t).do("GET", "/api/v2/fhir/Patient/$export?"+query)
		if said, next := r.refused(t, 400, "invalid"); !strings.Contains(said, words) || next == "" {
			t.Errorf("%s: said %q, %q", query, said, next)
		}
	}
	// In STU3 other elements leave.
	newWorld(t).do("GET", "/api/v1/fhir/$export?_elements=supportingInfo").refused(t, 400, "invalid")

	// Of a lenient client's, what there is.
	w := newWorld(t)
	for query, want := range map[string]domain.Elements{"item,foo,payment": {domain.ExplanationOfBenefit: {"item"}}, "foo,payment": nil} {
		var got *export.Start
		w.start = func(cmd export.Start) (domain.JobID, error) { got = &cmd; return job, nil }
		r := w.do("GET", "/api/v2/fhir/$export?_elements="+query, "Prefer", "handling=lenient")
		if r.StatusCode != 202 || !reflect.DeepEqual(got.Terms.Elements, want) || len(got.Terms.Ignored) != 2 || !strings.Contains(string(r.body), "payment") {
			t.Errorf("%s: %d %s, started %+v", query, r.StatusCode, r.body, got)
		}
	}
}

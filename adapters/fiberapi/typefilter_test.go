package fiberapi_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"cms.gov/ab2d/adapters/fiberapi"
	"cms.gov/ab2d/application/export"
	"cms.gov/ab2d/domain"
)

func withTypes(cfg *fiberapi.Config) {
	cfg.Types = []domain.ResourceType{domain.Patient, domain.Coverage}
}

func queries(all domain.Filters) (out []string) {
	for _, f := range all {
		out = append(out, f.Query())
	}
	return out
}

func TestTypeFilters(t *testing.T) {
	const eob = "ExplanationOfBenefit?"
	for _, tt := range []struct {
		values []string
		want   []string
	}{
		{[]string{eob + "service-date=ge2024-01-15"}, []string{eob + "service-date=ge2024-01-15"}},
		{[]string{eob + "service-date=2024"}, []string{eob + "service-date=eq2024"}},
		{[]string{eob + "service-date=ap2024-02"}, []string{eob + "service-date=ap2024-02"}},
		{[]string{eob + "service-date=ge2024-01-01&service-date=lt2025"}, []string{eob + "service-date=ge2024-01-01&service-date=lt2025"}},
		// Several filters, several values, and commas that do not part filters.
		{[]string{eob + "type=carrier,DME," + eob + "status=active"}, []string{eob + "type=CARRIER,DME", eob + "status=active"}},
		{[]string{eob + "type=SNF", eob + "type=HHA"}, []string{eob + "type=SNF", eob + "type=HHA"}},
		{[]string{eob + "service-date=2023,sa2024&status=cancelled"},
			[]string{eob + "service-date=eq2023&status=cancelled", eob + "service-date=sa2024&status=cancelled"}},
		// Conditions given again, and codes with their systems.
		{[]string{eob + "type=CARRIER,DME&type=DME,SNF"}, []string{eob + "type=DME"}},
		{[]string{eob + "type=https%3A%2F%2Fbluebutton.cms.gov%2Fresources%2Fcodesystem%2Feob-type%7CHOSPICE"}, []string{eob + "type=HOSPICE"}},
		{[]string{eob + "status=http://hl7.org/fhir/explanationofbenefit-status|draft"}, []string{eob + "status=draft"}},
		// Escaped once more, in part or as a whole.
		{[]string{"ExplanationOfBenefit%3Fservice-date%3Dge2024-01-01%26type%3DCARRIER%2CDME,ExplanationOfBenefit%3Fstatus%3Dactive"},
			[]string{eob + "service-date=ge2024-01-01&type=CARRIER,DME", eob + "status=active"}},
		{[]string{eob + "type=CARRIER%2CDME"}, []string{eob + "type=CARRIER,DME"}},
	} {
		query, body := url.Values{}, []string(nil)
		for _, v := range tt.values {
			query.Add("_typeFilter", v)
			body = append(body, fmt.Sprintf(`{"name":"_typeFilter","valueString":%q}`, v))
		}
		w := newWorld(t)
		var got *export.Start
		w.start = func(cmd export.Start) (domain.JobID, error) { got = &cmd; return job, nil }
		if r := w.do("GET", "/api/v2/fhir/Patient/$export?"+query.Encode()); r.StatusCode != 202 || !slices.Equal(queries(got.Terms.Filters), tt.want) {
			t.Errorf("%v: %d %s, started %+v", tt.values, r.StatusCode, r.body, got)
		}
		r, got := w.posted("/api/v1/fhir/$export", "application/fhir+json", parameters(body...))
		if r.StatusCode != 202 || !slices.Equal(queries(got.Terms.Filters), tt.want) {
			t.Errorf("%v in a body: %d %s, started %+v", tt.values, r.StatusCode, r.body, got)
		}
	}
}

func TestTypeFiltersThatAreRefused(t *testing.T) {
	many := strings.Repeat("2024,", domain.FilterLimit) + "2024"
	for value, words := range map[string]string{
		"":                      "has no conditions",
		"ExplanationOfBenefit":  "has no conditions",
		"ExplanationOfBenefit?": "has no conditions",
		"Patient?gender=female": `is of the type "Patient", which cannot be filtered`,
		"ExplanationOfBenefit?_lastUpdated=gt2024":                                                   "cannot have the condition _lastUpdated",
		"ExplanationOfBenefit?patient=1":                                                             "cannot have the condition patient",
		"ExplanationOfBenefit?_sort=created":                                                         `cannot have the condition "_sort"`,
		"ExplanationOfBenefit?service-date:missing=true":                                             `cannot have the condition "service-date:missing"`,
		"ExplanationOfBenefit?service-date=ge2024-01-01T00:00:00Z":                                   "is not a day, a month or a year",
		"ExplanationOfBenefit?service-date=2024-02-30":                                               "is not a day, a month or a year",
		"ExplanationOfBenefit?service-date=":                                                         "is not a day, a month or a year",
		"ExplanationOfBenefit?service-date=GE2024":                                                   "is not a day, a month or a year",
		"ExplanationOfBenefit?type=PDE":                                                              `has the type "PDE", which is none`,
		"ExplanationOfBenefit?type=http://example.org|CARRIER":                                       "which is none",
		"ExplanationOfBenefit?type=|CARRIER":                                                         "which is none",
		"ExplanationOfBenefit?status=Active":                                                         `has the status "Active", which is none`,
		"ExplanationOfBenefit?status=active&status=draft":                                            "two values of status at once",
		"ExplanationOfBenefit?status=active&":                                                        `the condition ""`,
		"ExplanationOfBenefit?status=active,Coverage?status=active":                                  `is of the type "Coverage"`,
		"ExplanationOfBenefit?status=%zz":                                                            "not followed by two hexadecimal digits",
		"ExplanationOfBenefit?" + strings.Repeat("service-date=2024&", 20) + "status=draft":          "has 21 conditions, and may have 20",
		"ExplanationOfBenefit?service-date=" + many:                                                  "too many values",
		strings.Repeat("ExplanationOfBenefit?status=active,", 101) + "ExplanationOfBenefit?type=SNF": "has more than 100 filters",
	} {
		r, got := newWorld(t).posted("/api/v2/fhir/Patient/$export", "application/json", parameters(fmt.Sprintf(`{"name":"_typeFilter","valueString":%q}`, value)))
		if said, next := r.refused(t, 400, "invalid"); !strings.Contains(said, words) || next == "" || got != nil {
			t.Errorf("%.80s: said %q, want %q; started %v", value, said, words, got)
		}
	}
	// What it comes to when the & was not escaped.
	r := newWorld(t).do("GET", "/api/v2/fhir/Patient/$export?_typeFilter=ExplanationOfBenefit?service-date=ge2024&status=active")
	if said, next := r.refused(t, 400, "invalid"); !strings.Contains(said, "it is a condition of a _typeFilter") || !strings.Contains(next, "%26") {
		t.Errorf("said %q, %q", said, next)
	}
	offered := newWorld(t, withTypes)
	r = offered.do("GET", "/api/v2/fhir/Patient/$export?_type=Patient&_typeFilter=ExplanationOfBenefit%3Fstatus%3Dactive")
	if said, _ := r.refused(t, 400, "invalid"); !strings.Contains(said, "_type does not ask for it") {
		t.Errorf("said %q", said)
	}
	// A lenient client gets all claims, and is told.
	w := newWorld(t, withTypes)
	for query, words := range map[string]string{"_typeFilter=Patient%3Fgender%3Dfemale": "cannot be filtered", "_type=Patient&_typeFilter=ExplanationOfBenefit%3Fstatus%3Dactive": "does not ask for it"} {
		var got *export.Start
		w.start = func(cmd export.Start) (domain.JobID, error) { got = &cmd; return job, nil }
		r := w.do("GET", "/api/v2/fhir/Patient/$export?"+query, "Prefer", "handling=lenient")
		if r.StatusCode != 202 || len(got.Terms.Filters) > 0 || len(got.Terms.Ignored) != 1 || !strings.Contains(string(r.body), words) {
			t.Errorf("%s: %d %s, started %+v", query, r.StatusCode, r.body, got)
		}
	}
}

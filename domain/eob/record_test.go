package eob_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/domain/eob"
)

const patientR4 = `{"resourceType":"Patient","id":"-1","meta":{"lastUpdated":"2026-01-02T03:04:05.000+00:00","profile":["p"]},
 "text":{"status":"generated","div":"<div>Ada Example</div>"},"name":[{"family":"Example","given":["Ada"]}],
 "identifier":[{"type":{"coding":[{"extension":[{"url":"https://bluebutton.cms.gov/resources/codesystem/identifier-currency","valueCoding":{"code":"current"}},
  {"url":"https://elsewhere.example","valueCoding":{"code":"secret"}}],"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MC"}]},
  "system":"http://hl7.org/fhir/sid/us-mbi","value":"1S00A00AA00"}],
 "gender":"female","birthDate":"1940-01-01","address":[{"postalCode":"12345"}],"telecom":[{"value":"555"}],
 "extension":[{"url":"race","valueCode":"x"}],"deceasedBoolean":false}`

func TestOfAPatientLeavesWhatIsListed(t *testing.T) {
	out, r, err := eob.TrimRecord(domain.R4, nil, []byte("before"), []byte(patientR4))
	if err != nil {
		t.Fatal(err)
	}
	want := `before{"resourceType":"Patient","id":"-1","meta":{"lastUpdated":"2026-01-02T03:04:05.000+00:00",` +
		`"tag":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED","display":"subsetted"}]},` +
		`"identifier":[{"type":{"coding":[{"extension":[{"url":"https://bluebutton.cms.gov/resources/codesystem/identifier-currency","valueCoding":{"code":"current"}}],` +
		`"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MC"}]},"system":"http://hl7.org/fhir/sid/us-mbi","value":"1S00A00AA00"}],` +
		`"gender":"female","birthDate":"1940-01-01","deceasedBoolean":false}`
	if string(out) != want {
		t.Errorf("\n%s, want\n%s", out, want)
	}
	if string(r.ID) != "-1" || string(r.Owner) != "-1" || !r.LastUpdated.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("%+v", r)
	}
}

func TestOnlyCoverageByPartsAAndBLeaves(t *testing.T) {
	s := eob.Selection{Patient: "-1", Through: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)}
	class := func(kind, value string) string {
		return fmt.Sprintf(`{"type":{"coding":[{"code":%q}]},"value":%q}`, kind, value)
	}
	for _, c := range []struct {
		version domain.FHIRVersion
		members string
		want    eob.Verdict
	}{
		{domain.R4, `"class":[` + class("group", "Medicare") + "," + class("plan", "Part A") + `]`, eob.Keep},
		{domain.R4, `"class":[` + class("plan", "Part B") + `]`, eob.Keep},
		{domain.R4, `"class":[` + class("plan", "Part D") + `]`, eob.NotShared},
		{domain.R4, `"class":[` + class("plan", "Part A") + "," + class("plan", "Part D") + `]`, eob.NotShared},
		{domain.R4, `"class":[` + class("group", "Part A") + `]`, eob.NotShared},
		{domain.R4, `"status":"active"`, eob.NotShared},
		{domain.STU3, `"grouping":{"subGroup":"Medicare","subPlan":"Part B"}`, eob.Keep},
		{domain.STU3, `"grouping":{"subGroup":"Medicare","subPlan":"Part C"}`, eob.NotShared},
	} {
		raw := `{"resourceType":"Coverage","id":"x","beneficiary":{"reference":"Patient/-1"},` + c.members + `}`
		out, r, err := eob.TrimRecord(c.version, nil, nil, []byte(raw))
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if got := s.DecideRecord(r); got != c.want {
			t.Errorf("%s: %s, want %s", raw, got, c.want)
		}
		if !json.Valid(out) {
			t.Errorf("no JSON: %s", out)
		}
	}
}

func TestWhichRecordsAnExportHas(t *testing.T) {
	day := func(d int) time.Time { return time.Date(2026, 1, d, 0, 0, 0, 0, time.UTC) }
	enrolled := domain.Entitlement{Months: domain.MonthSet("").With(domain.NewMonth(2025, 1), domain.NewMonth(2025, 12)), From: 2020_01_01}
	all := eob.Selection{Patient: "-1", Now: enrolled, Through: day(20)}
	since := all
	since.Before, since.Since = enrolled, day(10)
	fresh := since
	fresh.Before = domain.Entitlement{}
	second := all
	second.Earlier = []eob.Selection{all}
	laterContract := fresh // new to this contract, and had before by the other, which will not send it again
	laterContract.Earlier = []eob.Selection{since}
	record := func(owner string, updated time.Time) eob.Record {
		return eob.Record{Type: domain.Patient, ID: []byte(owner), Owner: []byte(owner), LastUpdated: updated}
	}
	for name, c := range map[string]struct {
		s    eob.Selection
		r    eob.Record
		want eob.Verdict
	}{
		"everything":                               {all, record("-1", day(1)), eob.Keep},
		"nobody knows when it was updated":         {all, record("-1", time.Time{}), eob.Keep},
		"another person":                           {all, record("-2", day(1)), eob.OthersClaim},
		"after the transaction time":               {all, record("-1", day(21)), eob.TooNew},
		"not since":                                {since, record("-1", day(10)), eob.NotUpdated},
		"since":                                    {since, record("-1", day(11)), eob.Keep},
		"since, and nobody knows":                  {since, record("-1", time.Time{}), eob.UpdateUnknown},
		"new to the contract since":                {fresh, record("-1", day(1)), eob.Keep},
		"comes with an earlier contract":           {second, record("-1", day(1)), eob.Elsewhere},
		"does not come with the earlier after all": {laterContract, record("-1", day(1)), eob.Keep},
	} {
		if got := c.s.DecideRecord(c.r); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestARecordThatCannotBeReadStaysBehind(t *testing.T) {
	for _, raw := range []string{``, `[]`, `{"resourceType":"Patient"}`, `{"resourceType":"ExplanationOfBenefit","id":"1"}`, `{"id":"1"}`,
		`{"resourceType":"Patient","id":"1","meta":{"lastUpdated":"yesterday"}}`, `{"resourceType":"Patient","id":"1"} {}`,
		`{"resourceType":"Patient","id":"1","gender":"female","gender":"male"}`, `{"resourceType":"Patient","id":"1","gender":{}}`,
		`{"resourceType":"Patient","id":"1","gender":"` + "\xff" + `"}`, `{"resourceType":"Patient","id":"1","x":[}]}`} {
		out, _, err := eob.TrimRecord(domain.R4, nil, []byte("before"), []byte(raw))
		if _, ok := err.(*eob.UnreadableError); !ok || string(out) != "before" {
			t.Errorf("%s: %v, %s", raw, err, out)
		}
	}
}

func TestEachRuleOfARecordHasAReason(t *testing.T) {
	for _, kind := range []domain.ResourceType{domain.Patient, domain.Coverage} {
		for _, v := range []domain.FHIRVersion{domain.STU3, domain.R4} {
			rules := eob.RecordRules(kind, v)
			if len(rules) < 8 {
				t.Errorf("%s in %s has %d rules", kind, v, len(rules))
			}
			for _, r := range rules {
				if r.Why == "" || strings.HasPrefix(r.Path, "name") || strings.HasPrefix(r.Path, "text") {
					t.Errorf("%s in %s: %+v", kind, v, r)
				}
			}
		}
	}
}

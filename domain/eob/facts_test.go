package eob

import (
	"testing"
	"time"

	"cms.gov/ab2d/domain"
)

func TestFactsOfSamples(t *testing.T) {
	types := map[string]ClaimType{
		"carrier": Carrier, "dme": DME, "hha": HHA, "hospice": Hospice,
		"inpatient": Inpatient, "outpatient": Outpatient, "snf": SNF, "pde": PartD,
	}
	for _, s := range samples(t) {
		_, f, err := bothWays(t, s.version, s.compact, nil)
		if err != nil {
			t.Fatal(err)
		}
		claim := decoded(t, s.compact)
		reference := claim["patient"].(map[string]any)["reference"]
		if want := types[lastPart(s.name)]; f.Type != want {
			t.Errorf("%s: type %s", s.name, f.Type)
		}
		if string(f.ID) != claim["id"] || "Patient/"+string(f.Patient) != reference {
			t.Errorf("%s: id %s, patient %s", s.name, f.ID, f.Patient)
		}
		var want time.Time
		if meta, ok := claim["meta"].(map[string]any); ok {
			want, _ = time.Parse(time.RFC3339Nano, meta["lastUpdated"].(string))
		}
		if !f.LastUpdated.Equal(want) {
			t.Errorf("%s: last updated %s", s.name, f.LastUpdated)
		}
		wantPeriod := domain.Period{}
		if period, ok := claim["billablePeriod"].(map[string]any); ok {
			wantPeriod.Start, _ = domain.ParseDate(period["start"].(string))
			wantPeriod.End, _ = domain.ParseDate(period["end"].(string))
		}
		if f.Period != wantPeriod || f.Restricted {
			t.Errorf("%s: period %v, restricted %v", s.name, f.Period, f.Restricted)
		}
	}
}

func lastPart(name string) string {
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '/' {
			return name[i+1:]
		}
	}
	return name
}

func factsOf(t *testing.T, members string) (Facts, error) {
	_, f, err := bothWays(t, domain.R4, []byte(claimWith(members)), nil)
	return f, err
}

func TestTypes(t *testing.T) {
	const system = `"system":"https://bluebutton.cms.gov/resources/codesystem/eob-type"`
	for codings, want := range map[string]ClaimType{
		`{` + system + `,"code":"HHA"}`:                                                       HHA,
		`{"code":"SNF",` + system + `}`:                                                       SNF,
		`{"code":"SNF"},{` + system + `}`:                                                     UnknownType,
		`{"system":"x","code":"SNF"},{` + system + `,"code":"DME"}`:                           DME,
		`{` + system + `,"code":"DME"},{` + system + `,"code":"DME"}`:                         DME,
		`{` + system + `,"code":"dme"}`:                                                       UnknownType,
		`{` + system + `,"code":"NEW"},null`:                                                  UnknownType,
		`{` + system + `,"code":"P\u0044E"}`:                                                  PartD,
		`{"system":null,"code":"PDE"}`:                                                        UnknownType,
		`{"system":"https://bluebutton.cms.gov/resources\/codesystem/eob-type","code":"PDE"}`: PartD,
	} {
		if f, err := factsOf(t, `"type":{"coding":[`+codings+`]}`); err != nil || f.Type != want {
			t.Errorf("%s: %s, %v", codings, f.Type, err)
		}
	}
	for _, codings := range []string{
		`{` + system + `,"code":"HHA"},{` + system + `,"code":"PDE"}`,
		`{` + system + `,"code":"NEW"},{` + system + `,"code":"HHA"}`,
		`{` + system + `,"code":7}`,
	} {
		if f, err := factsOf(t, `"type":{"coding":[`+codings+`]}`); err == nil {
			t.Errorf("%s: is readable as %s", codings, f.Type)
		}
	}
}

// The vectors of section 12 of the facts about AB2D rest on this: a day is the
// day as written, whatever its offset.
func TestPeriods(t *testing.T) {
	for period, want := range map[string]domain.Period{
		`{"start":"2020-03-01","end":"2020-03-12"}`:                              {Start: 20200301, End: 20200312},
		`{"start":"2020-03-01T00:00:00-05:00","end":"2020-03-31T23:59:59.999Z"}`: {Start: 20200301, End: 20200331},
		`{"start":"2020-02-29"}`:                                                 {},
		`{"end":"2020-02-29"}`:                                                   {},
		`{}`:                                                                     {},
		`null`:                                                                   {},
		`{"start":null,"end":"2020-02-29"}`:                                      {},
		`{"start":"2020-0\u0033-01","end":"2020-03-12"}`:                         {Start: 20200301, End: 20200312},
	} {
		if f, err := factsOf(t, `"billablePeriod":`+period); err != nil || f.Period != want {
			t.Errorf("%s: %v, %v", period, f.Period, err)
		}
	}
	for _, day := range []string{"2020", "2020-03", "2020-3-01", "2020-02-30", "2021-02-29", "2020-13-01", "20200301", "", " 2020-03-01",
		"2020-03-01x", "2020-03-01T", "2020-03-01T10:00", "2020-03-01T25:00:00Z", "2020-03-01T10:00:00", "2020-03-01T10:00:00+0500"} {
		if f, err := factsOf(t, `"billablePeriod":{"start":"`+day+`","end":"2022-01-01"}`); err == nil {
			t.Errorf("%q is read as %v", day, f.Period)
		}
	}
	if _, err := factsOf(t, `"billablePeriod":{"start":20200301}`); err == nil {
		t.Error("a number is read as a day")
	}
}

func TestInstants(t *testing.T) {
	for text, want := range map[string]string{
		"2023-04-11T08:15:30.000+00:00":     "2023-04-11T08:15:30Z",
		"2021-08-17T13:47:58.887-04:00":     "2021-08-17T17:47:58.887Z",
		"2021-12-31T23:30:00+14:00":         "2021-12-31T09:30:00Z",
		"2021-12-31T23:59:59Z":              "2021-12-31T23:59:59Z",
		"2021-12-31T23:59:59.123456789123Z": "2021-12-31T23:59:59.123456789Z",
		"2016-12-31T23:59:60Z":              "2017-01-01T00:00:00Z",
	} {
		f, err := factsOf(t, `"meta":{"lastUpdated":"`+text+`"}`)
		if got := f.LastUpdated.Format(time.RFC3339Nano); err != nil || got != want || f.LastUpdated.Location() != time.UTC {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "2023-04-11", "2023-04-11T08:15:30", "2023-04-11 08:15:30Z", "2023-04-11T24:00:00Z", "2023-04-11T08:60:00Z",
		"2023-04-11T08:15:61Z", "2023-04-11T08:15:30.Z", "2023-04-11T08:15:30.5", "2023-04-11T08:15:30z", "2023-04-11T08:15:30+00",
		"2023-04-11T08:15:30+15:00", "2023-04-11T08:15:30+00:60", "2023-02-30T08:15:30Z", "2023-04-11T08:15:3xZ", "2023-04-11T08:15:30ZZ"} {
		if f, err := factsOf(t, `"meta":{"lastUpdated":"`+text+`"}`); err == nil {
			t.Errorf("%q is read as %s", text, f.LastUpdated)
		}
	}
	if f, err := factsOf(t, `"meta":{}`); err != nil || !f.LastUpdated.IsZero() {
		t.Errorf("none: %s, %v", f.LastUpdated, err)
	}
}

func TestPatients(t *testing.T) {
	for reference, want := range map[string]string{
		"Patient/-100": "-100", "https://fhir.example.org/v2/fhir/Patient/5": "5", "Patient/5/_history/2": "5",
		"Practitioner/5": "", "xPatient/5": "", "5": "", "": "", "Patient/": "", `Patient\/5`: "5",
	} {
		if f, err := factsOf(t, `"patient":{"reference":"`+reference+`"}`); err != nil || string(f.Patient) != want {
			t.Errorf("%q: %q, %v", reference, f.Patient, err)
		}
	}
}

func TestRestricted(t *testing.T) {
	for codes, want := range map[string]bool{
		`{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"42CFRPart2"}`: true,
		`{"code":"42cfrpart2CA"}`: true, `{"code":"N"},{"code":"SUD"}`: true, `{"code":"ETH"}`: true, `{"code":"\u0045TH"}`: true,
		`{"code":"N"},{"code":"R"}`: false, `{"display":"42CFRPart2"}`: false, ``: false, `null,{}`: false,
	} {
		out, f, err := bothWays(t, domain.R4, []byte(claimWith(`"meta":{"security":[`+codes+`]}`)), nil)
		if err != nil || f.Restricted != want {
			t.Errorf("%s: %v, %v", codes, f.Restricted, err)
		}
		if string(out) != claimWith(r4Tag) {
			t.Errorf("%s: labels have left: %s", codes, out)
		}
	}
}

func TestWhatIsNoClaim(t *testing.T) {
	for _, raw := range []string{
		`{"id":"1"}`, `{"resourceType":"ExplanationOfBenefit"}`, `{"resourceType":"ExplanationOfBenefit","id":""}`,
		`{"resourceType":"ExplanationOfBenefit","id":null}`, `{"resourceType":"ExplanationOfBenefit","id":5}`,
		`{"resourceType":"Patient","id":"1"}`, `{"resourceType":null,"id":"1"}`,
	} {
		if _, _, err := bothWays(t, domain.R4, []byte(raw), nil); err == nil {
			t.Errorf("%s is readable", raw)
		}
	}
	if _, _, err := bothWays(t, domain.R4, []byte(`{"id":"1","status":"active","resourceType":"ExplanationOfBenefit"}`), nil); err != nil {
		t.Errorf("in another order: %v", err)
	}
	if _, f, err := bothWays(t, domain.R4, []byte(`{"resourceType":"Explanation\u004ffBenefit","id":"\u0031"}`), nil); err != nil || string(f.ID) != "1" {
		t.Errorf("with escapes: %q, %v", f.ID, err)
	}
}

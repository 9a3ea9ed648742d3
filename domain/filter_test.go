package domain

import (
	"encoding/json"
	"reflect"
	"testing"
)

func period(start, end Date) Period { return Period{Start: start, End: end} }

// What a prefix matches at the edges of a month: claims that end before it, reach
// into it, lie in it, reach out of it, span it, and begin after it.
func TestDateTests(t *testing.T) {
	claims := map[string]Period{
		"before": period(2024_01_30, 2024_01_31), "into": period(2024_01_31, 2024_02_01), "first": period(2024_02_01, 2024_02_01), "within": period(2024_02_10, 2024_02_20),
		"last": period(2024_02_29, 2024_02_29), "out": period(2024_02_29, 2024_03_01), "around": period(2024_01_01, 2024_12_31), "after": period(2024_03_01, 2024_03_02),
	}
	for prefix, want := range map[Prefix][]string{
		Equal:        {"first", "within", "last"},
		NotEqual:     {"before", "into", "out", "around", "after"},
		Greater:      {"out", "around", "after"},
		GreaterEqual: {"into", "first", "within", "last", "out", "around", "after"},
		Less:         {"before", "into", "around"},
		LessEqual:    {"before", "into", "first", "within", "last", "out", "around"},
		StartsAfter:  {"after"},
		EndsBefore:   {"before"},
	} {
		met := map[string]bool{}
		for _, name := range want {
			met[name] = true
		}
		test := DateTest{prefix, 2024_02_01, 2024_02_29}
		for name, p := range claims {
			if got := test.Holds(p); got != met[name] {
				t.Errorf("%s of a claim %s: %t", test, name, got)
			}
		}
		if test.Holds(Period{}) {
			t.Errorf("%s of a claim without days", test)
		}
	}
}

// A tenth of the time between the day and today on either side, and the same on
// any day after it was fixed.
func TestApproximatelyIsFixed(t *testing.T) {
	asked := Filters{{Served: []DateTest{{Around, 2024_01_01, 2024_01_31}, {Less, 2025_01_01, 2025_01_01}}, Types: []string{"SNF"}}}
	const today Date = 2024_04_10 // 100 days after the first, 70 after the last
	fixed := asked.AsOf(today)
	if again := fixed.AsOf(2030_01_01); !reflect.DeepEqual(again, fixed) {
		t.Errorf("%v became %v", fixed, again)
	}
	for p, want := range map[Period]bool{period(2023_12_01, 2023_12_22): true, period(2023_12_01, 2023_12_21): false,
		period(2024_02_07, 2024_02_09): true, period(2024_02_08, 2024_02_09): false, period(2023_01_01, 2025_01_01): true} {
		if got := fixed.Meets(p, "SNF", ""); got != want {
			t.Errorf("%v meets %s: %t", p, fixed[0].Query(), got)
		}
	}
	if q := fixed[0].Query(); q != "ExplanationOfBenefit?service-date=ge2023-12-22&service-date=le2024-02-07&service-date=lt2025-01-01&type=SNF" {
		t.Errorf("asks for %s", q)
	}
	if asked[0].Served[0].Prefix != Around {
		t.Error("what was asked for has changed")
	}
}

func TestAllConditionsOfOneOfTheFilters(t *testing.T) {
	all := Filters{
		{Served: []DateTest{{GreaterEqual, 2024_01_01, 2024_12_31}, {Less, 2025_01_01, 2025_01_31}}, Types: []string{"CARRIER", "DME"}, Statuses: []string{"active"}},
		{Statuses: []string{"cancelled"}},
	}
	day := period(2024_05_05, 2024_05_05)
	for _, c := range []struct {
		p            Period
		kind, status string
		want         bool
	}{
		{day, "CARRIER", "active", true}, {day, "DME", "active", true}, {day, "SNF", "active", false}, {day, "CARRIER", "draft", false},
		{period(2023_05_05, 2023_05_05), "CARRIER", "active", false}, {period(2025_05_05, 2025_05_05), "CARRIER", "active", false},
		{period(2023_05_05, 2023_05_05), "SNF", "cancelled", true}, {day, "CARRIER", "", false},
	} {
		if got := all.Meets(c.p, c.kind, c.status); got != c.want {
			t.Errorf("%+v: %t", c, got)
		}
	}
	if !(Filters)(nil).Meets(Period{}, "", "") {
		t.Error("without filters something stays behind")
	}
	if !all.ReadStatus() || (Filters{{Types: []string{"SNF"}}}).ReadStatus() {
		t.Error("it is wrong about who reads the status")
	}
	if q := all[0].Query(); q != "ExplanationOfBenefit?service-date=ge2024&service-date=lt2025-01&type=CARRIER,DME&status=active" {
		t.Errorf("asks for %s", q)
	}
}

// Jobs outlive programs: what their terms look like must not change unnoticed.
func TestStoredTerms(t *testing.T) {
	terms := Terms{Filters: Filters{{Served: []DateTest{{Equal, 2024_01_01, 2024_01_31}}, Types: []string{"SNF"}, Statuses: []string{"active"}}},
		Elements: Elements{ExplanationOfBenefit: {"id", "item"}, Patient: {}}}
	const want = `{"filters":[{"served":[{"prefix":"eq","from":"2024-01-01","to":"2024-01-31"}],"types":["SNF"],"statuses":["active"]}],"elements":{"ExplanationOfBenefit":["id","item"],"Patient":[]}}`
	got, err := json.Marshal(terms)
	if err != nil || string(got) != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	var back Terms
	if err := json.Unmarshal(got, &back); err != nil || !reflect.DeepEqual(back, terms) {
		t.Errorf("%+v came back as %+v, %v", terms, back, err)
	}
	if terms.Complete() || !terms.Shapes() || terms.IsZero() {
		t.Error("a filtered export passes for a whole one")
	}
	terms.Filters = nil
	if terms.Complete() || !terms.Shapes() {
		t.Error("a narrowed export passes for a whole one")
	}
}

//go:build !race

// One goroutine does all of this alone: the race detector would find nothing in
// it and take ten times as long. make test runs it in an ordinary build.

package synthetic_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cms.gov/ab2d/adapters/synthetic"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

func personOf(t *testing.T, e synthetic.Enrollee) synthetic.Person {
	t.Helper()
	p, known := population.Person(e.Patient)
	if !known || p.Patient != e.Patient {
		t.Fatalf("%s is nobody", e.Patient)
	}
	return p
}

// TestPeople: ages and sexes as CMS counts them (Medicare Beneficiaries at a
// Glance 2020: under 65 14%, 65-74 49%, 75-84 26%, 85 and over 11%; 54% women),
// deaths of the order of Medicare's four to five in a hundred a year, and 1%
// merged, as the notes on BFD's data say.
func TestPeople(t *testing.T) {
	var n, women, died, years, merged float64
	ages, states := [4]float64{}, map[string]float64{}
	for e := range population.Enrollees("S0030") {
		p := personOf(t, e)
		n++
		months := e.Months.Within(synthetic.EarliestServed.Month(), synthetic.LastDay.Month()).Months()
		years += float64(len(months)) / 12
		age := months[0].First().DaysSince(p.Born) * 4 / 1461
		switch {
		case age < 20 || age > 112:
			t.Fatalf("%s is %d years old", p.Patient, age)
		case age < 65:
			ages[0]++
		case age < 75:
			ages[1]++
		case age < 85:
			ages[2]++
		default:
			ages[3]++
		}
		if p.Female {
			women++
		}
		if states[p.State]++; len(p.State) != 2 || len(p.ZIP) != 5 || len(p.County) != 3 || len(p.StateCode) != 2 {
			t.Fatalf("%s lives at %s %s %s %s", p.Patient, p.State, p.StateCode, p.County, p.ZIP)
		}
		if p.Former != "" {
			merged++
			if _, _, known := population.Find(p.Former); known || len(e.Identifiers.Historic) == 0 {
				t.Fatalf("%s was merged from %s and has %v", p.Patient, p.Former, e.Identifiers)
			}
		}
		if !p.Died.IsZero() {
			died++
			if last := months[len(months)-1]; last != p.Died.Month() && !switcher(e.Patient) {
				t.Fatalf("%s died on %v and was enrolled until %v", p.Patient, p.Died, last)
			}
		}
	}
	for i, b := range [4][2]float64{{.11, .18}, {.42, .56}, {.2, .3}, {.07, .14}} {
		band(t, fmt.Sprintf("age band %d", i), ages[i]/n, b[0], b[1])
	}
	band(t, "women", women/n, .51, .58)
	band(t, "deaths a year", died/years, .03, .06)
	band(t, "merged", merged/n, .007, .013)
	band(t, "in California", states["CA"]/n, .08, .12)
	if len(states) != 50 && len(states) != 51 {
		t.Errorf("people live in %d states", len(states))
	}
}

// switcher tells by the id whether a person is in two contracts.
func switcher(id domain.PatientID) bool {
	var place int
	fmt.Sscanf(string(id[9:]), "%d", &place)
	return place%33 == 5
}

// TestSwitches: some people are in two contracts, one after the other or with a
// month in both, and each contract has its months and its full number of people.
func TestSwitches(t *testing.T) {
	homes, people, guests, overlaps, apart := map[domain.PatientID]domain.ContractNumber{}, 0., 0., 0, 0
	for _, c := range population.Contracts() {
		for e := range population.Enrollees(c.Number) {
			people++
			_, home, known := population.Find(e.Patient)
			in, listed := population.FindIn(c.Number, e.Patient)
			if !known || !listed || !same(in, e) {
				t.Fatalf("%s in %s is not found as listed", e.Patient, c.Number)
			}
			if home == c.Number {
				homes[e.Patient] = home
				continue
			}
			guests++
			at, _ := population.FindIn(home, e.Patient)
			common := e.Months.Count() + at.Months.Count() - union(e.Months, at.Months)
			switch {
			case !slices.Equal(at.Identifiers.Historic, e.Identifiers.Historic) || at.Identifiers.Current != e.Identifiers.Current:
				t.Fatalf("%s is two people", e.Patient)
			case common == 1:
				overlaps++
			case common == 0:
				apart++
			}
			if within := e.Months.Within(synthetic.EarliestServed.Month(), synthetic.LastDay.Month()); within.IsEmpty() {
				t.Fatalf("%s has no month in %s", e.Patient, c.Number)
			}
		}
	}
	band(t, "enrollments that are a person's second", guests/people, .02, .04)
	if overlaps == 0 || apart < overlaps {
		t.Errorf("%d people are in two contracts in one month, %d never", overlaps, apart)
	}
	if _, listed := population.FindIn("S0000", "-10000030000001"); listed {
		t.Error("somebody is found where he is not listed")
	}
}

func union(a, b domain.MonthSet) (n int) {
	return len(slices.Compact(slices.Sorted(slices.Values(append(a.Months(), b.Months()...)))))
}

// prevalences: the share of beneficiaries with a diagnosis on their claims,
// wide about CMS's Chronic Conditions charts of 2018, which count people with
// claims over a year (hypertension 57%, diabetes 27%, and so on). No code matches
// two patterns.
var prevalences = map[string]struct {
	code      string
	low, high float64
}{
	"hypertension": {"^I1[0-3]", .40, .75}, "hyperlipidemia": {"^E78", .32, .65}, "diabetes": {"^E11", .18, .36}, "ischemic heart disease": {"^I25|^I21", .18, .36},
	"heart failure": {"^I50", .08, .24}, "kidney disease": {"^N18[1-5]", .15, .36}, "COPD": {"^J44|^J43", .08, .20}, "arthritis": {"^M17|^M199|^M069|^M16", .22, .46},
	"depression": {"^F32|^F33|^F41", .11, .27}, "dementia": {"^G30|^F03|^G318", .05, .16}, "cancer": {"^C61|^C50|^C34|^C18", .05, .16}, "ESRD": {"^N186", .002, .03},
	"atrial fibrillation": {"^I48", .05, .16}, "stroke": {"^I63|^I69", .02, .10},
}

// TestConditions: who has what, and that it stays: whoever has diabetes on the
// claims of one year has it on those of the next, as long as he sees doctors.
func TestConditions(t *testing.T) {
	people, has := 0., map[string]float64{}
	years, again := 0., 0.
	patterns, names := map[string]*regexp.Regexp{}, map[string]string{}
	for name, p := range prevalences {
		patterns[name] = regexp.MustCompile(p.code)
	}
	for _, e := range sample(1200) {
		if e.Months.Count() < 12 {
			continue
		}
		found, diabetes, claims := map[string]bool{}, map[int]bool{}, map[int]int{}
		forEach(t, synthetic.NewClaims(population, clock), ports.ClaimsQuery{Version: domain.STU3, Patient: e.Patient}, func(raw []byte) {
			year := startOf(t, raw).Year()
			claims[year]++
			for _, after := range strings.Split(string(raw), `/sid/icd-10","code":"`)[1:] {
				code, _, _ := strings.Cut(after, `"`)
				if _, known := names[code]; !known {
					names[code] = ""
					for name, p := range patterns {
						if p.MatchString(code) {
							names[code] = name
						}
					}
				}
				found[names[code]] = true
				diabetes[year] = diabetes[year] || names[code] == "diabetes"
			}
		})
		people++
		for name := range found {
			has[name]++ // those of no name in prevalences too
		}
		for year := range claims {
			if diabetes[year] && claims[year+1] >= 10 {
				years++
				if diabetes[year+1] {
					again++
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(prevalences)) {
		band(t, "people with "+name, has[name]/people, prevalences[name].low, prevalences[name].high)
	}
	band(t, "diabetes that is there the next year", again/years, .9, 1)
}

// TestRatesAndLines: claims a beneficiary-year by type about the rates in
// section 3 of the notes (DE-SynPUF and the sizes of BFD's tables: carrier 15-17,
// outpatient 3, DME 1.1, inpatient 0.2, HHA 0.11, SNF 0.08, hospice 0.05) less
// a tenth, since the sandbox is to stay below 8.3 GB; and lines a claim about
// the same section's, where carrier and outpatient have fewer because CPT lines
// are left out.
func TestRatesAndLines(t *testing.T) {
	claims, lines, months := map[string]float64{}, map[string]float64{}, 0.
	for _, e := range sample(1500) {
		served := e.Months.Within(synthetic.EarliestServed.Month(), synthetic.LastDay.Month())
		months += float64(served.Count())
		forEach(t, synthetic.NewClaims(population, clock), ports.ClaimsQuery{Version: domain.STU3, Patient: e.Patient}, func(raw []byte) {
			kind, _, _ := strings.Cut(idOf(t, raw), "-")
			if served.Has(startOf(t, raw).Month()) {
				claims[kind]++
				lines[kind] += float64(strings.Count(string(raw), `"adjudication":[`))
			}
		})
	}
	for kind, want := range map[string][4]float64{
		"carrier": {12, 18, 1.4, 3}, "outpatient": {2.2, 3.6, 3, 7}, "dme": {.6, 1.4, 1.2, 2}, "inpatient": {.13, .26, 12, 20},
		"hha": {.06, .17, 15, 25}, "snf": {.045, .12, 8, 12}, "hospice": {.03, .1, 10, 20},
	} {
		band(t, kind+" a year", claims[kind]/months*12, want[0], want[1])
		band(t, kind+" lines a claim", lines[kind]/claims[kind], want[2], want[3])
	}
}

// startOf finds the first day of a claim's period without reading all of it.
func startOf(t *testing.T, raw []byte) domain.Date {
	t.Helper()
	_, rest, _ := strings.Cut(string(raw), `"billablePeriod":`)
	_, rest, _ = strings.Cut(rest, `"start":"`)
	day, err := domain.ParseDate(rest[:min(len(rest), 10)])
	if err != nil {
		t.Fatal(err)
	}
	return day
}

// TestStays: what follows a stay in a hospital. Public figures: 15-16% of
// discharges are followed by another stay within 30 days (CMS, all-cause
// readmissions), a fifth go on to a nursing facility (MedPAC), half of those who
// die are under a hospice then (MedPAC).
func TestStays(t *testing.T) {
	var stays, days, again, nursing, deaths, comforted, dialysis, renal, newYear, hundred float64
	for _, e := range sample(6000) {
		p := personOf(t, e)
		var admitted, nursed []domain.Period
		hospice, months := false, map[domain.Month]bool{}
		claims := []claim{}
		if e.Months.Count() > 2 {
			claims = staysOf(t, e.Patient)
		}
		for _, c := range claims {
			period := domain.Period{Start: c.Period.Start, End: c.Period.End}
			switch c.kind() {
			case "inpatient":
				admitted = append(admitted, period)
			case "snf":
				nursed = append(nursed, period)
				if period.End.DaysSince(period.Start) == 99 {
					hundred++
				}
			case "hospice":
				hospice = true
			case "outpatient":
				months[period.Start.Month()] = true
			}
			if period.Start.Year() != period.End.Year() {
				newYear++
			}
			if !p.Died.IsZero() && period.End > p.Died {
				t.Fatalf("%s of %s ends on %v, after his death on %v", c.ID, p.Patient, period.End, p.Died)
			}
		}
		if !p.Died.IsZero() && len(claims) > 0 {
			if deaths++; hospice {
				comforted++
			}
		}
		if len(months) > 0 {
			renal++
			dialysis += float64(len(months))
		}
		for i, s := range admitted {
			if s.End == p.Died || i > 0 && s == admitted[i-1] {
				continue
			}
			stays++
			days += float64(s.End.DaysSince(s.Start))
			if slices.ContainsFunc(admitted, func(o domain.Period) bool { return o.Start > s.End && o.Start.DaysSince(s.End) <= 30 }) {
				again++
			}
			if slices.ContainsFunc(nursed, func(o domain.Period) bool { return o.Start == s.End }) {
				nursing++
			}
		}
	}
	band(t, "days in a stay", days/stays, 3.5, 6.5)
	band(t, "stays with another within 30 days", again/stays, .11, .22)
	band(t, "stays followed by a nursing facility", nursing/stays, .12, .28)
	band(t, "deaths under a hospice", comforted/deaths, .3, .75)
	band(t, "months of dialysis for those who have it", dialysis/renal, 6, 60)
	if newYear == 0 || hundred == 0 {
		t.Errorf("%g stays run over New Year and %g nursing stays have 100 days in one claim", newYear, hundred)
	}
}

// staysOf reads only a person's stays and dialysis, which is what is looked at.
func staysOf(t *testing.T, id domain.PatientID) (all []claim) {
	forEach(t, synthetic.NewClaims(population, clock), ports.ClaimsQuery{Version: domain.STU3, Patient: id}, func(raw []byte) {
		switch kind, _, _ := strings.Cut(idOf(t, raw), "-"); kind {
		case "outpatient":
			if !strings.Contains(string(raw), `"0821"`) {
				return
			}
		case "inpatient", "snf", "hospice":
		default:
			return
		}
		all = append(all, parse(t, raw))
	})
	return all
}

// TestDoctors: a person sees the same few, all of his state, and a provider has
// one specialty in all claims of everybody.
func TestDoctors(t *testing.T) {
	member := regexp.MustCompile(`us-npi","value":"([0-9]{10})"\}\},"responsible":true,"role":\{[^}]*\}\]\},"qualification":\{"coding":\[\{"system":"[^"]*prvdr_spclty","code":"([^"]*)"`)
	number := regexp.MustCompile(`variables/prvdr_num","value":"([0-9]{2})`)
	specialty, visits, most := map[string]string{}, 0., 0.
	for _, e := range sample(400) {
		p, seen, n := personOf(t, e), map[string]float64{}, 0.
		forEach(t, synthetic.NewClaims(population, clock), ports.ClaimsQuery{Version: domain.STU3, Patient: e.Patient}, func(raw []byte) {
			for _, m := range member.FindAllSubmatch(raw, -1) {
				npi, code := string(m[1]), string(m[2])
				if was := specialty[npi]; was != "" && was != code {
					t.Fatalf("%s is of the specialties %s and %s", npi, was, code)
				}
				specialty[npi] = code
				seen[npi]++
				n++
			}
			if m := number.FindSubmatch(raw); m != nil && string(m[1]) != p.StateCode {
				t.Fatalf("%s of %s goes to a facility of state %s", p.Patient, p.State, m[1])
			}
		})
		if counts := slices.Sorted(maps.Values(seen)); n >= 20 {
			visits += n
			for _, c := range counts[max(len(counts)-8, 0):] {
				most += c
			}
		}
	}
	band(t, "visits to a person's eight most seen doctors", most/visits, .6, 1)
	if len(specialty) < 500 {
		t.Errorf("only %d doctors work here", len(specialty))
	}
}

// TestAwkwardClaims: what is there on purpose, for filters and clients to be
// tried with.
func TestAwkwardClaims(t *testing.T) {
	var huge, exact, onStart, beforeStart, unicode, packageOnly int
	for _, e := range sample(2000) {
		first := e.Months.Months()[0].First()
		forEach(t, synthetic.NewClaims(population, clock), ports.ClaimsQuery{Version: domain.STU3, Patient: e.Patient}, func(raw []byte) {
			text := string(raw)
			if strings.Count(text, `"adjudication":[`) == 300 {
				huge++
			}
			if strings.Contains(text, `T04:00:00.000+00:00"`) {
				exact++
			}
			if strings.Contains(text, "Río Bravo") || strings.Contains(text, "Æthelwold") {
				unicode++
			}
			if strings.Contains(text, `{"sequence":1,"packageCode"`) {
				packageOnly++
			}
			if strings.HasPrefix(text, `{"resourceType":"ExplanationOfBenefit","id":"carrier`) {
				if strings.Contains(text, `"start":"`+first.String()+`","end":"`+first.String()) {
					onStart++
				}
				if before := first.AddDays(-1).String(); strings.Contains(text, `"start":"`+before+`","end":"`+before) {
					beforeStart++
				}
			}
		})
	}
	t.Logf("%d claims of 300 lines, %d at the instant of a batch, %d on the first day of an enrollment, %d on the day before, %d with other letters, %d with a DRG as a diagnosis", huge, exact, onStart, beforeStart, unicode, packageOnly)
	if huge == 0 || exact == 0 || onStart == 0 || beforeStart == 0 || unicode == 0 || packageOnly == 0 {
		t.Error("something of it is missing")
	}
}

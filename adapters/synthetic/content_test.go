//go:build !race

// One goroutine does all of this alone: the race detector would find nothing in
// it and take ten times as long. make test runs it in an ordinary build.

package synthetic_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/synthetic"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// What the tests look at in a claim of either version.
type (
	claim struct {
		ID         string
		Meta       struct{ LastUpdated time.Time }
		Contained  []struct{ ID string }
		Identifier []struct{ System, Value string }
		Status     string
		Type       concept
		Patient    struct{ Reference string }
		Period     struct{ Start, End domain.Date } `json:"billablePeriod"`
		Created    time.Time
		CareTeam   []entry
		Info       []entry `json:"supportingInfo"`
		InfoSTU3   []entry `json:"information"`
		Diagnosis  []struct {
			entry
			Concept concept `json:"diagnosisCodeableConcept"`
		}
		Procedure []struct {
			entry
			Date time.Time
		}
		Item []struct {
			entry
			Team          []int `json:"careTeamSequence"`
			TeamSTU3      []int `json:"careTeamLinkId"`
			Diagnosis     []int `json:"diagnosisSequence"`
			DiagnosisSTU3 []int `json:"diagnosisLinkId"`
			Info          []int `json:"informationSequence"`
			Date          domain.Date
			Period        struct{ Start, End domain.Date } `json:"servicedPeriod"`
		}
		raw string
	}
	entry   struct{ Sequence int }
	concept struct {
		Coding []struct{ System, Code string }
	}
)

func (c concept) code(system string) string {
	for _, coding := range c.Coding {
		if coding.System == system {
			return coding.Code
		}
	}
	return ""
}

func (c claim) identifier(suffix string) string {
	for _, i := range c.Identifier {
		if strings.HasSuffix(i.System, suffix) {
			return i.Value
		}
	}
	return ""
}

func (c claim) kind() string { return strings.ToLower(c.Type.code(eobType)) }

const eobType = "https://bluebutton.cms.gov/resources/codesystem/eob-type"

func claimsOf(t *testing.T, q ports.ClaimsQuery) (all []claim) {
	t.Helper()
	forEach(t, synthetic.NewClaims(population, clock), q, func(raw []byte) {
		all = append(all, parse(t, raw))
	})
	return all
}

func parse(t *testing.T, raw []byte) claim {
	t.Helper()
	c := claim{raw: string(raw)}
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return c
}

// eachClaim goes through the claims of people, in both versions.
func eachClaim(t *testing.T, people []synthetic.Enrollee, do func(t *testing.T, e synthetic.Enrollee, v domain.FHIRVersion, c claim)) {
	for _, v := range []domain.FHIRVersion{domain.R4, domain.STU3} {
		t.Run(string(v), func(t *testing.T) {
			for _, e := range people {
				for _, c := range claimsOf(t, ports.ClaimsQuery{Version: v, Patient: e.Patient}) {
					do(t, e, v, c)
				}
			}
		})
	}
}

func TestVersionsAgree(t *testing.T) {
	facts := func(c claim) string {
		codes := []string{}
		for _, d := range c.Diagnosis {
			if code := d.Concept.code("http://hl7.org/fhir/sid/icd-10"); code != "" {
				codes = append(codes, code)
			}
		}
		return fmt.Sprint(c.ID, c.Period, c.kind(), c.Patient.Reference, c.Status, c.Meta.LastUpdated.UnixMilli(), codes, len(c.Item), len(c.Procedure), c.identifier("claim-group"))
	}
	for _, e := range sample(60) {
		r4 := claimsOf(t, ports.ClaimsQuery{Version: domain.R4, Patient: e.Patient})
		stu3 := claimsOf(t, ports.ClaimsQuery{Version: domain.STU3, Patient: e.Patient})
		if len(r4) != len(stu3) {
			t.Fatalf("%s has %d claims in R4 and %d in STU3", e.Patient, len(r4), len(stu3))
		}
		for i := range r4 {
			if a, b := facts(r4[i]), facts(stu3[i]); a != b {
				t.Fatalf("R4 says %s\nSTU3 says %s", a, b)
			}
		}
	}
}

func TestSequencesAndReferencesHold(t *testing.T) {
	eachClaim(t, sample(60), func(t *testing.T, _ synthetic.Enrollee, v domain.FHIRVersion, c claim) {
		team, diagnoses, info := sequences(t, c, c.CareTeam), []int{}, sequences(t, c, append(c.Info, c.InfoSTU3...))
		for _, d := range c.Diagnosis {
			diagnoses = append(diagnoses, d.Sequence)
		}
		unique(t, c, diagnoses)
		for i, item := range c.Item {
			if item.Sequence != i+1 {
				t.Fatalf("%s: line %d is numbered %d", c.ID, i+1, item.Sequence)
			}
			links(t, c, append(item.Team, item.TeamSTU3...), team)
			links(t, c, append(item.Diagnosis, item.DiagnosisSTU3...), diagnoses)
			links(t, c, item.Info, info)
		}
		for _, reference := range localReference.FindAllStringSubmatch(c.raw, -1) {
			if !slices.ContainsFunc(c.Contained, func(r struct{ ID string }) bool { return r.ID == reference[1] }) {
				t.Fatalf("%s refers to %s, which it does not contain", c.ID, reference[1])
			}
		}
		for _, r := range c.Contained {
			if !strings.Contains(c.raw, `"reference":"#`+r.ID+`"`) {
				t.Fatalf("%s contains %s for nothing", c.ID, r.ID)
			}
		}
		if v == domain.R4 && !c.Meta.LastUpdated.IsZero() && !c.Created.Equal(c.Meta.LastUpdated.Truncate(time.Second)) {
			t.Fatalf("%s was created at %v", c.ID, c.Created)
		}
	})
}

var localReference = regexp.MustCompile(`"reference":"#([^"]*)"`)

func sequences(t *testing.T, c claim, entries []entry) (all []int) {
	for _, e := range entries {
		all = append(all, e.Sequence)
	}
	unique(t, c, all)
	return all
}

func unique(t *testing.T, c claim, sequences []int) {
	t.Helper()
	for i, s := range sequences {
		if s < 1 || slices.Contains(sequences[:i], s) {
			t.Fatalf("%s has the sequences %v", c.ID, sequences)
		}
	}
}

func links(t *testing.T, c claim, from, to []int) {
	t.Helper()
	for _, s := range from {
		if !slices.Contains(to, s) {
			t.Fatalf("%s links to %d of %v", c.ID, s, to)
		}
	}
	unique(t, c, from)
}

func TestIdentityAndDates(t *testing.T) {
	seen := map[domain.FHIRVersion]map[string]bool{domain.R4: {}, domain.STU3: {}}
	types := map[string]bool{}
	eachClaim(t, sample(60), func(t *testing.T, e synthetic.Enrollee, v domain.FHIRVersion, c claim) {
		number := c.identifier("clm_id") + c.identifier("pde_id")
		if c.ID != c.kind()+"-"+number || number[0] != '-' || len(number) > 15 || c.identifier("claim-group")[0] != '-' {
			t.Fatalf("a %s has the id %s, the number %s and the group %s", c.kind(), c.ID, number, c.identifier("claim-group"))
		}
		if seen[v][number] {
			t.Fatalf("%s comes twice", c.ID)
		}
		seen[v][number], types[c.kind()] = true, true
		if c.Patient.Reference != "Patient/"+string(e.Patient) {
			t.Fatalf("%s is of %s", c.ID, c.Patient.Reference)
		}
		if c.Period.Start > c.Period.End || c.Period.Start < 2019_01_01 || c.Period.End > synthetic.LastDay {
			t.Fatalf("%s runs from %v to %v", c.ID, c.Period.Start, c.Period.End)
		}
		for _, item := range c.Item {
			for _, day := range []domain.Date{item.Date, item.Period.Start, item.Period.End} {
				if !day.IsZero() && (day < c.Period.Start || day > c.Period.End) {
					t.Fatalf("%s has a line of %v", c.ID, day)
				}
			}
		}
		for _, p := range c.Procedure {
			if day := domain.DateOf(p.Date); day < c.Period.Start || day > c.Period.End {
				t.Fatalf("%s has a procedure on %v", c.ID, day)
			}
		}
	})
	if len(types) != 8 {
		t.Errorf("only these types came: %v", types)
	}
}

func TestHistory(t *testing.T) {
	claims, cancelled, replaced, twice, second, untimed := 0., 0., 0., 0., 0., 0.
	for _, e := range sample(160) {
		groups := map[string][]claim{}
		for _, c := range claimsOf(t, ports.ClaimsQuery{Version: domain.STU3, Patient: e.Patient}) {
			checkBatch(t, c)
			groups[c.identifier("claim-group")] = append(groups[c.identifier("claim-group")], c)
		}
		for group, versions := range groups {
			claims++
			last := versions[len(versions)-1]
			if last.Meta.LastUpdated.IsZero() {
				untimed++
			}
			if batch(last) == synthetic.SecondBatch {
				second++
			}
			switch {
			case len(versions) == 1 && last.Status == "cancelled":
				cancelled++
			case len(versions) == 2 || len(versions) == 3:
				replaced++
				if len(versions) == 3 {
					twice++
				}
				old := versions[len(versions)-2]
				if old.Status != "cancelled" || last.Status != "active" || !old.Meta.LastUpdated.Equal(last.Meta.LastUpdated) || old.Period != last.Period {
					t.Fatalf("group %s has %s %s and %s %s", group, old.ID, old.Status, last.ID, last.Status)
				}
				if first := versions[0]; first.Status != "cancelled" || len(versions) == 3 && !first.Meta.LastUpdated.Before(last.Meta.LastUpdated) {
					t.Fatalf("group %s begins with %s %s", group, first.ID, first.Status)
				}
			case len(versions) > 3 || last.Status != "active":
				t.Fatalf("group %s has %d versions, the last one %s", group, len(versions), last.Status)
			}
		}
	}
	band(t, "claims cancelled for good", cancelled/claims, 0.007, 0.014)
	band(t, "claims with a second version", replaced/claims, 0.045, 0.08)
	band(t, "claims with a third version", twice/claims, 0.0002, 0.01)
	band(t, "claims of the second batch", second/claims, 0.04, 0.06)
	band(t, "claims without a time of update", untimed/claims, 0.0002, 0.004)
}

// What the source has no time of, it had before the times that matter.
var lastUntimed = domain.Date(2020_06_30)

func batch(c claim) domain.Date { return domain.DateOf(c.Meta.LastUpdated.UTC()) }

// checkBatch: loads are on Saturdays, two weeks or more after the service, and
// nothing comes after the last one but the second batch.
func checkBatch(t *testing.T, c claim) {
	t.Helper()
	if c.Meta.LastUpdated.IsZero() {
		if c.Period.End >= lastUntimed {
			t.Fatalf("%s of %v has no time of update", c.ID, c.Period.End)
		}
		return
	}
	day := batch(c)
	lag := day.DaysSince(c.Period.End)
	switch {
	case c.Meta.LastUpdated.UTC().Weekday() != time.Saturday, lag < 14:
		t.Fatalf("%s of %v was loaded on %v", c.ID, c.Period.End, c.Meta.LastUpdated)
	case day > synthetic.LastBatch && day != synthetic.SecondBatch:
		t.Fatalf("%s was loaded on %v, after the last batch", c.ID, day)
	case day != synthetic.SecondBatch && lag > 360:
		t.Fatalf("%s of %v was loaded only on %v", c.ID, c.Period.End, day)
	}
}

// TestSince: what is worth trying with _since is exactly the second batch.
func TestSince(t *testing.T) {
	since := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	all, some := 0., 0.
	for _, e := range sample(100) {
		all += float64(len(read(t, synthetic.NewClaims(population, clock), ports.ClaimsQuery{Version: domain.R4, Patient: e.Patient})))
		for _, c := range claimsOf(t, ports.ClaimsQuery{Version: domain.R4, Patient: e.Patient, UpdatedFrom: since}) {
			if some++; batch(c) != synthetic.SecondBatch {
				t.Fatalf("%s was updated at %v", c.ID, c.Meta.LastUpdated)
			}
		}
	}
	band(t, "share of claims since September 2026", some/all, 0.035, 0.08)
}

// TestEdges: months and enrollments are crossed, by all that it takes to try
// the rule of what is kept.
func TestEdges(t *testing.T) {
	var acrossMonths, spanning, inside, outside, half int
	for _, e := range sample(250) {
		for _, c := range claimsOf(t, ports.ClaimsQuery{Version: domain.STU3, Patient: e.Patient}) {
			start, end := e.Months.Has(c.Period.Start.Month()), e.Months.Has(c.Period.End.Month())
			if c.Period.Start.Month() != c.Period.End.Month() {
				acrossMonths++
			}
			switch {
			case start && end:
				inside++
			case start != end:
				half++
			case e.Months.Touches(c.Period.Start.Month(), c.Period.End.Month()):
				spanning++
			default:
				outside++
			}
		}
	}
	t.Logf("%d across months, %d in enrolled months, %d half, %d around them, %d outside", acrossMonths, inside, half, spanning, outside)
	for name, n := range map[string]int{"across months": acrossMonths, "around an enrollment": spanning, "half enrolled": half, "not enrolled": outside} {
		if n == 0 {
			t.Errorf("no claim is %s", name)
		}
	}
}

var (
	npiValue  = regexp.MustCompile(`"(?:https?://[^"]*npi[^"]*|npi)"[^{}]*\}?\]?\}?,?"value":"([0-9]+)"`)
	hcpcsCode = regexp.MustCompile(`codesystem/hcpcs"(?:,"version":"[0-9]")?,"code":"([^"]*)"`)
	unwanted  = regexp.MustCompile(`Admit thru|[Ss]till patient|Discharged to|\$|null|NaN`)
)

func TestProvidersAndCodes(t *testing.T) {
	npis := 0
	eachClaim(t, sample(8), func(t *testing.T, _ synthetic.Enrollee, _ domain.FHIRVersion, c claim) {
		for _, m := range npiValue.FindAllStringSubmatch(c.raw, -1) {
			if npis++; len(m[1]) != 10 || m[1][0] != '9' || !luhn("80840"+m[1]) {
				t.Fatalf("%s has the NPI %s", c.ID, m[1])
			}
		}
		// A procedure code of five digits would be CPT.
		for _, m := range hcpcsCode.FindAllStringSubmatch(c.raw, -1) {
			if len(m[1]) == 5 && m[1][0] < 'A' {
				t.Fatalf("%s has the CPT code %s", c.ID, m[1])
			}
		}
		if bad := unwanted.FindString(c.raw); bad != "" {
			t.Fatalf("%s says %q", c.ID, bad)
		}
	})
	if npis == 0 {
		t.Error("no NPI was found")
	}
}

func luhn(digits string) bool {
	sum := 0
	for i, c := range digits {
		d := int(c - '0')
		if (len(digits)-i)%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// TestReadingDoesNotAllocate: all that a read takes from the heap is the
// reader, however many claims there are.
func TestReadingDoesNotAllocate(t *testing.T) {
	source := synthetic.NewClaims(population, clock)
	for _, version := range []domain.FHIRVersion{domain.R4, domain.STU3} {
		claims := 0
		allocations := testing.AllocsPerRun(20, func() {
			claims = 0
			for _, e := range readers {
				forEach(t, source, ports.ClaimsQuery{Version: version, Patient: e.Patient}, func([]byte) { claims++ })
			}
		})
		if claims < 500 || allocations > float64(3*len(readers)) {
			t.Errorf("%s: %g allocations for %d claims of %d people", version, allocations, claims, len(readers))
		}
	}
}

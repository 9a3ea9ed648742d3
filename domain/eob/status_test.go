package eob

import (
	"testing"
	"time"

	"cms.gov/ab2d/domain"
)

// The status is read where an export asks for it, and only there.
func TestTheStatusIsReadWhereItIsAskedFor(t *testing.T) {
	for member, want := range map[string]Status{
		`"status":"active"`: Active, `"status":"cancelled"`: Cancelled, `"status":"draft"`: Draft, `"status":"entered-in-error"`: EnteredInError,
		`"status":"Active"`: NoStatus, `"status":"acti\u0076e"`: Active, `"status":null`: NoStatus, `"zz":1`: NoStatus,
	} {
		raw := []byte(claimWith(member))
		for _, v := range []domain.FHIRVersion{domain.STU3, domain.R4} {
			out, f, err := bothWaysTo(t, shape{version: v, byStatus: true}, raw, nil)
			if err != nil || f.Status != want {
				t.Errorf("%s: %s, %v", raw, f.Status, err)
			}
			plain, f, err := bothWays(t, v, raw, nil)
			if err != nil || f.Status != NoStatus || string(plain) != string(out) {
				t.Errorf("%s without being asked for: %s, %v, %s", raw, f.Status, err, plain)
			}
		}
	}
	odd := []byte(claimWith(`"status":7`))
	if _, _, err := bothWaysTo(t, shape{version: domain.R4, byStatus: true}, odd, nil); err == nil {
		t.Error("a status that is no text is decided by")
	}
	if _, _, err := bothWays(t, domain.R4, odd, nil); err != nil {
		t.Errorf("a status that nobody asks for makes a claim unreadable: %v", err)
	}
}

func TestAFilterDecides(t *testing.T) {
	s := Selection{Patient: "1", Now: domain.Entitlement{Months: domain.NewMonthSet(domain.NewMonth(2024, time.May)), From: 2020_01_01}, Through: time.Now(),
		Filters: domain.Filters{{Types: []string{"SNF"}, Statuses: []string{"active"}}}}
	fact := Facts{ID: []byte("c"), Type: SNF, Status: Active, Patient: []byte("1"), Period: domain.Period{Start: 2024_05_05, End: 2024_05_05}}
	if got := s.Decide(fact); got != Keep {
		t.Errorf("what was asked for is %s", got)
	}
	fact.Status = Cancelled
	if got := s.Decide(fact); got != NotAskedFor {
		t.Errorf("what was not asked for is %s", got)
	}
	fact.Restricted = true
	if got := s.Decide(fact); got != Restricted {
		t.Errorf("a filter came before the law: %s", got)
	}
}

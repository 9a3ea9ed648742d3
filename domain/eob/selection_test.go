package eob_test

import (
	"testing"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/domain/eob"
)

// Enrolled in February and March 2020 and attested on 10 March: the vectors
// with which AB2D's own behaviour was looked at, and the edges it gets wrong.
func TestDecideByCivilDate(t *testing.T) {
	months := func(ms ...time.Month) (s domain.MonthSet) {
		for _, m := range ms {
			s = s.With(domain.NewMonth(2020, m), domain.NewMonth(2020, m))
		}
		return s
	}
	febMar := domain.Entitlement{Months: months(2, 3), From: 2020_03_10}
	for _, tc := range []struct {
		name  string
		now   domain.Entitlement
		start domain.Date
		end   domain.Date
		want  eob.Verdict
	}{
		{"the day of attestation", febMar, 2020_03_10, 2020_03_10, eob.Keep},
		{"the day before", febMar, 2020_03_09, 2020_03_09, eob.NotCovered},
		{"ends after attestation", febMar, 2020_03_01, 2020_03_12, eob.Keep},
		{"runs out of the enrollment", febMar, 2020_03_31, 2020_04_05, eob.Keep},
		{"spans the whole enrollment", febMar, 2020_01_15, 2020_04_10, eob.Keep},
		{"first day after the enrollment", febMar, 2020_04_01, 2020_04_01, eob.NotCovered},
		{"first day of the enrollment", domain.Entitlement{Months: months(5), From: 2020_03_10}, 2020_05_01, 2020_05_01, eob.Keep},
		{"last day of the enrollment", domain.Entitlement{Months: months(5), From: 2020_03_10}, 2020_05_31, 2020_05_31, eob.Keep},
		{"touches the enrollment only before the data start", domain.Entitlement{Months: months(3), From: 2020_04_10}, 2020_03_20, 2020_04_20, eob.NotCovered},
		{"no start", febMar, 0, 2020_03_12, eob.NotCovered},
		{"no end", febMar, 2020_03_12, 0, eob.NotCovered},
		{"ends before it starts", febMar, 2020_03_20, 2020_03_12, eob.NotCovered},
	} {
		s := eob.Selection{Patient: "1", Now: tc.now, Through: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
		f := eob.Facts{Type: eob.Carrier, Patient: []byte("1"), Period: domain.Period{Start: tc.start, End: tc.end}, LastUpdated: time.Date(2020, 6, 1, 0, 0, 0, 0, time.UTC)}
		if got := s.Decide(f); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestDecide(t *testing.T) {
	since, through := time.Date(2020, 6, 1, 12, 0, 0, 0, time.UTC), time.Date(2020, 7, 1, 12, 0, 0, 0, time.UTC)
	covered := domain.Entitlement{Months: domain.NewMonthSet(domain.NewMonth(2020, 3)), From: 2020_01_01}
	claim := eob.Facts{Type: eob.Outpatient, Patient: []byte("1"), Period: domain.Period{Start: 2020_03_02, End: 2020_03_02}, LastUpdated: since.Add(time.Second)}
	full := eob.Selection{Patient: "1", Now: covered, Through: through}
	incremental := eob.Selection{Patient: "1", Now: covered, Before: covered, Since: since, Through: through}
	joined := eob.Selection{Patient: "1", Now: covered, Since: since, Through: through}
	second := full
	second.Earlier = []eob.Selection{full}
	with := func(change func(*eob.Facts)) eob.Facts {
		f := claim
		change(&f)
		return f
	}
	updated := func(t time.Time) eob.Facts { return with(func(f *eob.Facts) { f.LastUpdated = t }) }
	for _, tc := range []struct {
		name string
		s    eob.Selection
		f    eob.Facts
		want eob.Verdict
	}{
		{"plain", full, claim, eob.Keep},
		{"Part D", full, with(func(f *eob.Facts) { f.Type = eob.PartD }), eob.NotShared},
		{"unknown type", full, with(func(f *eob.Facts) { f.Type = eob.UnknownType }), eob.NotShared},
		{"42 CFR Part 2", full, with(func(f *eob.Facts) { f.Restricted = true }), eob.Restricted},
		{"somebody else's", full, with(func(f *eob.Facts) { f.Patient = []byte("12") }), eob.OthersClaim},
		{"updated just after _since", incremental, claim, eob.Keep},
		{"updated at _since", incremental, updated(since), eob.NotUpdated},
		{"updated at the transaction time", incremental, updated(through), eob.Keep},
		{"updated just after it", full, updated(through.Add(1)), eob.TooNew},
		{"old, of someone new since then", joined, updated(since.Add(-time.Hour)), eob.Keep},
		{"without a time, everything asked for", full, updated(time.Time{}), eob.Keep},
		{"without a time, with _since", incremental, updated(time.Time{}), eob.UpdateUnknown},
		{"entitled to by an earlier contract too", second, claim, eob.Elsewhere},
	} {
		if got := tc.s.Decide(tc.f); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

package domain_test

import (
	"testing"
	"time"

	"cms.gov/ab2d/domain"
	"pgregory.net/rapid"
)

func TestParseDate(t *testing.T) {
	for in, want := range map[string]domain.Date{
		"2020-03-01":                2020_03_01,
		"2020-02-29":                2020_02_29,
		"2020-03-01T23:30:00-05:00": 2020_03_01, // the day that was written, whatever day it is elsewhere
		"2020-03-01T00:00:00Z":      2020_03_01,
	} {
		if got, err := domain.ParseDate(in); err != nil || got != want {
			t.Errorf("ParseDate(%q) = %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "2020", "2020-03", "2021-02-29", "2020-13-01", "2020-00-10", "2020-04-31", "2020/03/01", "2020-03-01 10:00", "0000-01-01", "2020-3-1"} {
		if got, err := domain.ParseDate(in); err == nil {
			t.Errorf("ParseDate(%q) = %v, want an error", in, got)
		}
	}
}

func TestDateArithmeticAgreesWithTheCalendar(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Date(rapid.IntRange(1990, 2060).Draw(t, "year"), 1, 1, 12, 0, 0, 0, time.UTC).AddDate(0, 0, rapid.IntRange(0, 365).Draw(t, "day"))
		n := rapid.IntRange(-1000, 1000).Draw(t, "n")
		d := domain.DateOf(at)
		if got, want := d.AddDays(n), domain.DateOf(at.AddDate(0, 0, n)); got != want {
			t.Fatalf("%v + %d days = %v, want %v", d, n, got, want)
		}
		if back := d.AddDays(n).DaysSince(d); back != n {
			t.Fatalf("%v + %d days is %d days later", d, n, back)
		}
		if m := d.Month(); d < m.First() || d > m.Last() || m.Last().AddDays(1) != (m+1).First() {
			t.Fatalf("%v does not lie in its month %v (%v to %v)", d, m, m.First(), m.Last())
		}
	})
}

func TestTodayIsTheDayInTheEast(t *testing.T) {
	// 03:30 UTC is half past ten of the evening before in Baltimore.
	if got := domain.Today(time.Date(2026, 3, 1, 3, 30, 0, 0, time.UTC)); got != 2026_02_28 {
		t.Errorf("Today = %v, want 2026-02-28", got)
	}
}

func TestMonthSet(t *testing.T) {
	march := domain.NewMonth(2020, time.March)
	s := domain.NewMonthSet(march, march+1, march+14)
	if got := s.Months(); len(got) != 3 || got[0] != march || got[2] != march+14 {
		t.Errorf("Months = %v", got)
	}
	if s != (domain.MonthSet("")).With(march+14, march+14).With(march, march+1) {
		t.Error("the same months in another order are another set")
	}
	if got := s.Minus(domain.NewMonthSet(march + 14)); got != domain.NewMonthSet(march, march+1) {
		t.Errorf("Minus = %v", got.Months())
	}
	if got := s.Within(march+1, march+13); got != domain.NewMonthSet(march+1) {
		t.Errorf("Within = %v", got.Months())
	}
	if s.Touches(march+2, march+13) || !s.Touches(march+2, march+14) {
		t.Error("Touches does not see the gap as it is")
	}
}

// A claim is covered when some day of it is on or after the start and in an
// enrolled month. That sentence, day by day, is the oracle.
func TestCoversAgreesWithLookingAtEveryDay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := domain.Date(2019_11_01)
		day := func(name string, most int) domain.Date {
			return base.AddDays(rapid.IntRange(0, most).Draw(t, name))
		}
		var months domain.MonthSet
		for _, m := range rapid.SliceOfN(rapid.IntRange(0, 20), 0, 8).Draw(t, "months") {
			months = months.With(base.Month()+domain.Month(m), base.Month()+domain.Month(m))
		}
		e := domain.Entitlement{Months: months, From: day("from", 500)}
		p := domain.Period{Start: day("start", 700)}
		p.End = p.Start.AddDays(rapid.IntRange(0, 200).Draw(t, "length"))
		want := false
		for d := p.Start; d <= p.End; d = d.AddDays(1) {
			want = want || d >= e.From && months.Has(d.Month())
		}
		if got := e.Covers(p); got != want {
			t.Fatalf("from %v, months %v, claim %v to %v: covered %v, want %v", e.From, months.Months(), p.Start, p.End, got, want)
		}
	})
}

// Whoever is asked without the bound of _since gets what the bound would have
// hidden; whoever is asked with it has nothing hidden.
func TestReachesBackWheneverAnOldClaimIsNewlyCovered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := domain.Date(2020_01_01)
		set := func(name string) (s domain.MonthSet) {
			for _, m := range rapid.SliceOfN(rapid.IntRange(0, 12), 0, 6).Draw(t, name) {
				s = s.With(base.Month()+domain.Month(m), base.Month()+domain.Month(m))
			}
			return s
		}
		before := domain.Entitlement{Months: set("before"), From: base.AddDays(rapid.IntRange(0, 90).Draw(t, "from before"))}
		now := domain.Entitlement{Months: set("now"), From: base.AddDays(rapid.IntRange(0, 90).Draw(t, "from now"))}
		p := domain.Period{Start: base.AddDays(rapid.IntRange(0, 365).Draw(t, "start"))}
		p.End = p.Start.AddDays(rapid.IntRange(0, 60).Draw(t, "length"))
		since := time.Date(2020, 1, 1, 17, 0, 0, 0, time.UTC).AddDate(0, 0, rapid.IntRange(0, 500).Draw(t, "since"))
		old := p.End <= domain.Today(since) // else it cannot have been updated by then
		if old && now.Covers(p) && !before.Covers(p) && !now.ReachesBack(before, since) {
			t.Fatalf("claim %v newly covered, but its history is not asked for", p)
		}
	})
}

func TestThePassingOfMonthsAsksNobodysHistoryAgain(t *testing.T) {
	months := domain.NewMonthSet(domain.NewMonth(2026, 1), domain.NewMonth(2026, 2))
	before := domain.Entitlement{Months: months, From: 2020_01_01}
	now := domain.Entitlement{Months: months.With(domain.NewMonth(2026, 3), domain.NewMonth(2026, 3)), From: 2020_01_01}
	if now.ReachesBack(before, time.Date(2026, 2, 20, 12, 0, 0, 0, time.UTC)) {
		t.Error("a month that had not begun at _since asks for the full history")
	}
	if !now.ReachesBack(before, time.Date(2026, 3, 20, 12, 0, 0, 0, time.UTC)) {
		t.Error("a month enrolled after the fact does not ask for it")
	}
}

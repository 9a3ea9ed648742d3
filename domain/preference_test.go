package domain_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
	"pgregory.net/rapid"
)

func stated(shares bool, on domain.Date, recorded int) domain.Preference {
	return domain.Preference{MBI: "1S00E00AA01", Shares: shares, Effective: on, Recorded: time.Date(2026, 1, 1, recorded, 0, 0, 0, time.UTC)}
}

func TestSharesOn(t *testing.T) {
	out, in := stated(false, 2026_02_01, 1), stated(true, 2026_03_01, 2)
	for _, tc := range []struct {
		name   string
		stated []domain.Preference
		on     domain.Date
		want   bool
	}{
		{"nothing said", nil, 2026_02_01, true},
		{"the day before", []domain.Preference{out}, 2026_01_31, true},
		{"the day itself", []domain.Preference{out}, 2026_02_01, false},
		{"until it is taken back", []domain.Preference{out, in}, 2026_02_28, false},
		{"from then on", []domain.Preference{out, in}, 2026_03_01, true},
		{"changed on the same day", []domain.Preference{out, stated(true, 2026_02_01, 2)}, 2026_02_01, true},
		{"both at once", []domain.Preference{stated(true, 2026_02_01, 1), out}, 2026_02_01, false},
	} {
		if got := domain.SharesOn(tc.stated, tc.on); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestSharingDoesNotDependOnTheOrderOfStatements(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []domain.Preference
		for range rapid.IntRange(0, 6).Draw(t, "statements") {
			all = append(all, stated(rapid.Bool().Draw(t, "shares"), domain.Date(2026_01_01).AddDays(rapid.IntRange(0, 20).Draw(t, "day")), rapid.IntRange(0, 3).Draw(t, "hour")))
		}
		on := domain.Date(2026_01_01).AddDays(rapid.IntRange(0, 25).Draw(t, "on"))
		want := domain.SharesOn(all, on)
		rand.New(rand.NewPCG(1, 1)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		if domain.SharesOn(all, on) != want {
			t.Fatal("another order, another answer")
		}
	})
}

// Whoever was left out at any moment since then may have been withheld.
func TestMayHaveBeenWithheld(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		begin := time.Date(2026, 1, 10, 17, 0, 0, 0, time.UTC)
		var all []domain.Preference
		for range rapid.IntRange(0, 4).Draw(t, "statements") {
			p := stated(rapid.Bool().Draw(t, "shares"), domain.Date(2026_01_01).AddDays(rapid.IntRange(0, 30).Draw(t, "day")), 0)
			p.Recorded = begin.AddDate(0, 0, rapid.IntRange(-9, 15).Draw(t, "recorded"))
			all = append(all, p)
		}
		since := begin.AddDate(0, 0, rapid.IntRange(0, 10).Draw(t, "since"))
		ran := since.AddDate(0, 0, rapid.IntRange(0, 5).Draw(t, "ran"))
		var known []domain.Preference
		for _, p := range all {
			if !p.Recorded.After(ran) {
				known = append(known, p)
			}
		}
		if !domain.SharesOn(known, domain.Today(ran)) && !domain.MayHaveBeenWithheld(all, since) {
			t.Fatalf("an export as of %s that ran at %s left the person out, and the next would not make up for it", since, ran)
		}
	})
}

package bfd

import (
	"testing"
	"time"
)

// steady is an export long enough for the beginning not to count.
func steady(capacity int, refuse, sigma float64) Simulation {
	return Simulation{People: 50_000, Workers: 1, Connections: 400, Partitions: 4, Members: 500, Lookahead: 400, Latency: 500 * time.Millisecond,
		Sigma: sigma, Capacity: capacity, Refuse: refuse, Seed: 7}
}

// best is the shortest time that any fixed number of calls at once gives.
func best(s Simulation) (took time.Duration, calls int) {
	s.Fixed = true
	most := 400
	if s.Capacity > 0 {
		most = s.Capacity * 5 / 4 // beyond it only gets worse
	}
	for n := max(most/2, 4); n <= most; n += max(most/12, 1) {
		s.Connections = n
		if r := s.Run(); took == 0 || r.Took < took {
			took, calls = r.Took, n
		}
	}
	return took, calls
}

// Without being told, the pace comes close to the best number of calls at once,
// and next to nothing is refused.
func TestThePaceComesNearTheBest(t *testing.T) {
	for name, s := range map[string]Simulation{
		"slower above its capacity":                 steady(80, 2, 0),
		"the same, with latencies that vary":        steady(80, 2, 0.4),
		"little capacity":                           steady(12, 2, 0.3),
		"much":                                      steady(300, 2, 0.3),
		"refuses before it gets slower":             steady(80, 1, 0),
		"refuses before it gets slower, and varies": steady(80, 1, 0.4),
		"any number":                                steady(0, 0, 0.4),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, calls := best(s)
			got := s.Run()
			share := float64(want) / float64(got.Took)
			t.Logf("%.0f%% of the best, which is %d calls at once; %.1f at once, %.2f%% refused", 100*share, calls, got.AtOnce, 100*float64(got.Refused)/float64(got.Calls))
			if share < 0.9 {
				t.Errorf("it gives %.0f%% of the best fixed number", 100*share)
			}
			if float64(got.Refused) > 0.01*float64(got.Calls) {
				t.Errorf("%d of %d calls were refused", got.Refused, got.Calls)
			}
		})
	}
}

package domain

import "time"

// Rate is how often something may be done: Burst times at once, and in the long
// run once in each Per. The zero rate does not bound.
type Rate struct {
	Burst int
	Per   time.Duration
}

// Bounds reports whether the rate bounds anything.
func (r Rate) Bounds() bool { return r.Burst > 0 && r.Per > 0 }

// Take takes n under the rate (one, when it only looks) from something that was
// used so much that it is as new at fresh. It returns from when on it is as new
// after that; or, where there are not as many, how long to wait for them.
func (r Rate) Take(now, fresh time.Time, n int) (after time.Time, wait time.Duration) {
	if fresh.Before(now) {
		fresh = now
	}
	after = fresh.Add(time.Duration(n) * r.Per)
	least := fresh.Add(time.Duration(max(n, 1)) * r.Per)
	return after, max(0, least.Sub(now)-time.Duration(r.Burst)*r.Per)
}

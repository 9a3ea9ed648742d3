package synthetic

import "cms.gov/ab2d/domain"

// span is a run of months, both ends included, counted from January 2018.
type span struct{ first, last int }

// plan is when a person is enrolled: up to three runs of months in order.
type plan struct {
	spans [3]span
	n     int
}

var (
	firstEnrolled = monthNumber(2019_07_01)
	firstServed   = monthNumber(EarliestServed)
	lastEnrolled  = monthNumber(LastDay)
)

// plan draws a person's enrollment. Seen from 2020 on it lasts 30 months on
// average: some were there before, more come in January than in other months,
// some stay for a single month, most who left never come back, and one in
// eight has a gap.
func (p *Population) plan(who person) plan {
	r := derive(p.seed^uint64(who), kindEnrollment, 0)
	first := enrollmentStart(&r)
	last := min(first+enrollmentLength(&r)-1, lastEnrolled)
	if last < firstServed {
		last = firstServed // had left before anything was served: stays into January 2020
	}
	return withGaps(&r, span{first, last})
}

func enrollmentStart(r *rng) int {
	switch {
	case r.permille(220):
		return r.between(firstEnrolled, firstServed)
	case r.permille(420):
		return firstServed + 12*r.below(7) // open enrollment takes effect in January
	default:
		return r.between(firstServed, lastEnrolled)
	}
}

func enrollmentLength(r *rng) int {
	switch {
	case r.permille(30):
		return 1
	case r.permille(200):
		return r.between(2, 18)
	default:
		return r.between(14, 122)
	}
}

// withGaps cuts gaps of 1 to 14 months out of a long enough enrollment.
func withGaps(r *rng, all span) plan {
	pl := plan{spans: [3]span{all}, n: 1}
	for pl.n < len(pl.spans) && r.permille(130) {
		s := &pl.spans[pl.n-1]
		if s.last-s.first < 6 || s.last <= firstServed+6 {
			break
		}
		from := r.between(max(s.first+1, firstServed+1), s.last-2)
		to := min(from+r.below(14), s.last-1)
		pl.spans[pl.n] = span{to + 1, s.last}
		s.last = from - 1
		pl.n++
	}
	return pl
}

func (pl plan) months() domain.MonthSet {
	var set domain.MonthSet
	for i := pl.n - 1; i >= 0; i-- { // from the back, so that the set grows once
		set = set.With(monthOf(pl.spans[i].first), monthOf(pl.spans[i].last))
	}
	return set
}

// until is the plan without what comes after a month, from without what comes
// before it.
func (pl plan) until(month int) plan { return pl.within(span{0, month}) }

func (pl plan) from(month int) plan { return pl.within(span{month, lastEnrolled}) }

func (pl plan) within(limits span) (some plan) {
	for _, s := range pl.spans[:pl.n] {
		if s = (span{max(s.first, limits.first), min(s.last, limits.last)}); s.first <= s.last {
			some.spans[some.n] = s
			some.n++
		}
	}
	return some
}

// served is how many months the plan has from 2020 on, and nth is one of them.
func (pl plan) served() (n int) {
	for _, s := range pl.spans[:pl.n] {
		n += max(s.last-max(s.first, firstServed)+1, 0)
	}
	return n
}

func (pl plan) nth(n int) int {
	for _, s := range pl.spans[:pl.n] {
		first := max(s.first, firstServed)
		if length := max(s.last-first+1, 0); n >= length {
			n -= length
		} else {
			return first + n
		}
	}
	panic("synthetic: there is no such month")
}

func (pl plan) has(month int) bool {
	for _, s := range pl.spans[:pl.n] {
		if month >= s.first && month <= s.last {
			return true
		}
	}
	return false
}

// bridge is a day soon after a run of one or two months that begins after the
// given month, and 0 where there is none: a stay from the one to the other
// begins before the enrollment, ends after it and lies in it all the same.
func (pl plan) bridge(r *rng, month int) int {
	for _, s := range pl.spans[:pl.n] {
		if s.first == month+1 && s.last <= s.first+1 && s.last < lastEnrolled && !pl.has(s.last+1) {
			return monthStart(s.last+1) + r.below(9)
		}
	}
	return 0
}

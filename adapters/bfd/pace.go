package bfd

import (
	"math"
	"slices"
	"time"
)

// pace finds how many calls at once give the most: as many as the server
// answers without taking longer for each.
//
// It looks at calls in windows. A window whose median latency is that of an
// idle server raises the limit: twofold until the first sign of load, a little
// afterwards, very little near where a sign came last, and more the longer none
// comes. A window that is slower lowers it in proportion. A refusal lowers it at once to
// what was at work without it. How far a median of so many calls may be off by chance counts
// in the server's favour.
//
// What an idle server's latency is, is learned from the first windows, and looked
// up now and then by asking less for one window, since otherwise our own load
// would pass for the server's nature in time.
//
// The latency is the time to the first byte, so that neither long answers nor
// our own slowness count. It is not safe for concurrent use.
type pace struct {
	limit    float64
	least    float64
	most     float64
	fixed    bool          // the limit stays as it is
	doubling bool          // no sign of load has come yet
	ceiling  float64       // where the last sign came; 0 for nowhere
	quiet    int           // windows since then
	base     time.Duration // the latency of an idle server
	learned  float64       // calls that it is learned from, before the first sign
	settling bool          // the limit has just come down
	looking  bool          // this window is for the base
	resume   float64       // the limit after it
	windows  int           // since the base was looked up

	// The window at hand.
	latencies []time.Duration
	refused   int
	failed    int
	busiest   int // most calls at once
}

const (
	leastLimit = 4
	firstLimit = 8

	window      = 48 // calls of a window at least, and
	perLimit    = 2  // so many times the limit
	lookUpEvery = 60 // windows
	lookUpShare = 0.6

	tolerance = 0.05                 // of the base's latency, beyond which there is load,
	chance    = 1.8                  // standard errors more, since a median may be off,
	noise     = 8 * time.Millisecond // and so much more: less is not worth asking less for
	learn     = 0.3                  // how far a new look moves the base

	step      = 0.03  // of the limit, a window
	smallStep = 0.006 // near the ceiling, for
	nearFor   = 10    // windows
	largeStep = 0.1   // after
	quietFor  = 25    // windows without a sign
	decrease  = 0.7   // at most, in a window
	manyBad   = 0.1   // of a window's calls, beyond which it is a sign whatever the latency
)

func newPace(most int) pace {
	return pace{least: min(leastLimit, float64(most)), limit: min(firstLimit, float64(most)), most: float64(most), doubling: true}
}

// outcome is what became of a call.
type outcome uint8

const (
	answered outcome = iota
	refused          // 429 or 503: too much for the server
	failed           // it may not be well
	neither          // it says nothing of the server
)

// took tells of a call that is over. inUse is how many there were at once.
func (p *pace) took(o outcome, latency time.Duration, inUse int) {
	switch o {
	case answered:
		p.latencies = append(p.latencies, latency)
	case refused:
		p.refused++
		if !p.fixed { // at once: a refusal is quick, and so would be the next
			p.sign()
			p.looking = false
			p.limit = p.within(min(p.limit, float64(inUse)) - 1)
		}
	case failed:
		p.failed++
	case neither:
		return
	}
	p.busiest = max(p.busiest, inUse)
	if n := len(p.latencies) + p.refused + p.failed; float64(n) < max(window, perLimit*p.limit) {
		return
	}
	if !p.fixed {
		p.decide()
	}
	p.latencies, p.refused, p.failed, p.busiest = p.latencies[:0], 0, 0, 0
}

// decide takes a window into account.
func (p *pace) decide() {
	n := len(p.latencies) + p.refused + p.failed
	if bad := float64(p.refused+p.failed) / float64(n); bad > manyBad {
		p.sign()
		p.looking = false
		p.limit = p.within(p.limit * max(decrease, 1-bad))
		return
	}
	if len(p.latencies) == 0 || p.settling { // calls of before the last decrease are among these
		p.settling = false
		return
	}
	median, spread := middle(p.latencies)
	switch n := float64(len(p.latencies)); {
	case p.doubling: // all windows before the first sign count
		p.learned += n
		if bound := p.bound(spread); p.base == 0 || median <= bound {
			p.base += time.Duration(n / p.learned * float64(median-p.base))
		}
	case p.looking || p.limit <= 1.5*p.least:
		p.base += time.Duration(learn * float64(median-p.base))
	}
	if p.looking {
		p.looking, p.windows, p.limit = false, 0, p.within(p.resume)
		return
	}
	p.windows++
	p.quiet++
	bound := p.bound(spread)
	switch {
	case median > bound:
		less := max(decrease, float64(bound)/float64(median))
		if p.doubling { // half of it was not too much
			less = max(0.5, float64(bound)/float64(median))
		}
		p.sign()
		p.limit, p.settling = p.within(p.limit*less), true
	case float64(p.busiest) < 0.8*p.limit: // nobody asks for more
	case p.doubling:
		p.limit = p.within(2 * p.limit)
	case p.quiet > quietFor:
		p.limit = p.within(p.limit * (1 + largeStep))
	case p.quiet < nearFor && p.limit > 0.95*p.ceiling:
		p.limit = p.within(p.limit * (1 + smallStep))
	default:
		p.limit = p.within(p.limit + max(1, step*p.limit))
	}
	if p.windows >= lookUpEvery && p.limit > 1.5*p.least && !p.doubling {
		p.looking, p.resume = true, p.limit
		p.limit = p.within(lookUpShare * p.limit)
	}
}

// bound is the median latency beyond which there is load.
func (p *pace) bound(spread float64) time.Duration {
	return time.Duration(float64(p.base)*(1+tolerance+chance*spread)) + noise
}

// middle returns the median of latencies, which it sorts, and by what share of
// itself it may be off: its standard error, from the quartiles as if they were
// log-normal.
func middle(l []time.Duration) (median time.Duration, share float64) {
	slices.Sort(l)
	n := len(l)
	low, high := max(l[n/4], 1), max(l[n*3/4], 1)
	return l[n/2], 1.2533 * math.Log(float64(high)/float64(low)) / 1.349 / math.Sqrt(float64(n))
}

// sign notes that the server showed load at the limit at hand.
func (p *pace) sign() { p.doubling, p.ceiling, p.quiet = false, p.limit, 0 }

func (p *pace) within(limit float64) float64 { return min(max(limit, p.least), p.most) }

// bound sets the most. A limit above it comes down at once.
func (p *pace) atMost(most int) {
	p.most = float64(max(most, 1))
	p.least = min(leastLimit, p.most)
	p.limit = p.within(p.limit)
	if p.fixed {
		p.limit = p.most
	}
}

// again starts after an outage from half of what there was, and doubles up to it.
func (p *pace) again() {
	if p.fixed {
		return
	}
	if p.looking {
		p.limit = p.resume
	}
	p.limit, p.doubling, p.looking = p.within(p.limit/2), true, false
	p.latencies, p.refused, p.failed, p.busiest = p.latencies[:0], 0, 0, 0
}

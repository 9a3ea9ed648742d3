package domain

import (
	"math"
	"slices"
	"time"
)

// CallOutcome is what became of a call to a claims source.
type CallOutcome uint8

// The outcomes of calls.
const (
	CallAnswered CallOutcome = iota
	CallRefused              // the source had enough to do
	CallFailed
)

// SourceFigures are what came of the calls to a claims source in a stretch of time.
type SourceFigures struct {
	Source    string
	Begins    time.Time
	Width     time.Duration
	Answered  int64
	Refused   int64
	Failed    int64
	Latencies Latencies // of those answered
}

// The stretches of time that figures are kept for: short ones for what is now,
// long ones for what was.
const (
	ShortStretch = 5 * time.Minute
	LongStretch  = time.Hour
)

// KeepShort is how long the figures of short stretches are kept.
const KeepShort = 48 * time.Hour

// The bounds beyond which somebody has to look at a source.
const (
	SourceErrorShare = 0.05 // of its calls
	sourceFewCalls   = 20   // fewer say nothing
)

// Calls returns how many calls there were.
func (f SourceFigures) Calls() int64 { return f.Answered + f.Refused + f.Failed }

// ErrorShare returns how many of the calls were not answered, from 0 to 1.
func (f SourceFigures) ErrorShare() float64 {
	if f.Calls() == 0 {
		return 0
	}
	return float64(f.Refused+f.Failed) / float64(f.Calls())
}

// Troubled reports whether too many calls were not answered.
func (f SourceFigures) Troubled() bool {
	return f.Calls() >= sourceFewCalls && f.ErrorShare() > SourceErrorShare
}

// Count adds a call.
func (f *SourceFigures) Count(o CallOutcome, took time.Duration) {
	switch o {
	case CallAnswered:
		f.Answered++
		f.Latencies = f.Latencies.with(took)
	case CallRefused:
		f.Refused++
	case CallFailed:
		f.Failed++
	}
}

// Plus returns the sum of both, with the source and the stretch of f.
func (f SourceFigures) Plus(o SourceFigures) SourceFigures {
	f.Answered, f.Refused, f.Failed = f.Answered+o.Answered, f.Refused+o.Refused, f.Failed+o.Failed
	f.Latencies = f.Latencies.plus(o.Latencies)
	return f
}

// Latencies count calls by how long they took. The first is of those up to a
// millisecond, and each further one of those up to a quarter longer: so sums of
// them can be kept, and what they tell is right to a quarter.
type Latencies []int64

const (
	firstStep = time.Millisecond
	nextStep  = 1.25
	steps     = 64 // up to more than 20 minutes
)

func stepOf(d time.Duration) int {
	if d <= firstStep {
		return 0
	}
	return min(steps-1, int(math.Ceil(math.Log(float64(d)/float64(firstStep))/math.Log(nextStep)-1e-9)))
}

func (l Latencies) with(d time.Duration) Latencies {
	i := stepOf(d)
	for len(l) <= i {
		l = append(l, 0)
	}
	l[i]++
	return l
}

func (l Latencies) plus(o Latencies) Latencies {
	if len(l) < len(o) {
		l, o = o, l
	}
	l = slices.Clone(l)
	for i, n := range o {
		l[i] += n
	}
	return l
}

// Within returns the time within which the share q of the calls was answered; a
// quarter too long at most. It is zero without any.
func (l Latencies) Within(q float64) time.Duration {
	var all, so int64
	for _, n := range l {
		all += n
	}
	for i, n := range l {
		if so += n; n > 0 && float64(so) >= q*float64(all) {
			return time.Duration(float64(firstStep) * math.Pow(nextStep, float64(i))).Round(100 * time.Microsecond)
		}
	}
	return 0
}

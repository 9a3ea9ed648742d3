package faultyclaims

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Faults says what goes wrong and how often. A rate is a share from 0 to 1: of
// the reads for most kinds, of the enrollees for Lose, and of the questions how
// far the source is complete for Back. The zero Faults is a source without any.
type Faults struct {
	Seed uint64 // which reads and which enrollees are hit

	Refuse float64 // the read is refused as unavailable; so is the question how far the source is complete
	Break  float64 // the answer breaks off with an error, at latest in place of its end: a page that is short or does not come
	Stall  float64 // the answer hangs in the middle until its context ends, or for StallFor, and then breaks off
	Wrong  float64 // one claim of the answer is another person's, and the enrollee's own is not there
	Stale  float64 // the answer stands as of an earlier time than was vouched for, up to Behind before
	Lose   float64 // every read for these enrollees is refused
	Back   float64 // the source says it is complete up to a time before what it said, up to Behind

	Delay    time.Duration // the longest wait before a read begins
	StallFor time.Duration // how long a stalled answer hangs at most
	Behind   time.Duration // how far the source is behind at most when it is

	Until time.Time // from when on nothing goes wrong any more but for who is lost; zero for never
}

// Default times of Parse.
const (
	defaultStall  = 10 * time.Minute
	defaultBehind = time.Hour
)

// Parse reads Faults from key=value pairs with commas between them, as
//
//	seed=7,refuse=0.02,break=0.02,stale=0.01,delay=5ms,stall=0.001,wrong=0.01,lose=0.002
//
// The keys are the names of the fields in lower case, and stall-for. Rates are
// numbers from 0 to 1, times are as 5ms or 2m, until is as 2026-03-02T15:04:05Z.
// What is not named does not happen; stall-for is 10m and behind 1h when not named.
func Parse(spec string) (Faults, error) {
	f := Faults{StallFor: defaultStall, Behind: defaultBehind}
	set := f.setters()
	seen := map[string]bool{}
	for _, pair := range strings.Split(spec, ",") {
		key, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		switch {
		case !ok:
			return Faults{}, fmt.Errorf("%q is not key=value, as refuse=0.02", pair)
		case set[key] == nil:
			return Faults{}, fmt.Errorf("%q is no kind of fault; there are %s", key, strings.Join(names(set), ", "))
		case seen[key]:
			return Faults{}, fmt.Errorf("%s is given twice", key)
		}
		seen[key] = true
		if err := set[key](value); err != nil {
			return Faults{}, fmt.Errorf("%s is %q; it must be %w", key, value, err)
		}
	}
	return f, nil
}

func names(set map[string]func(string) error) (all []string) {
	for name := range set {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// setters returns what each key sets. Their errors say what a value must be.
func (f *Faults) setters() map[string]func(string) error {
	rate := func(to *float64) func(string) error {
		return func(value string) (err error) {
			if *to, err = strconv.ParseFloat(value, 64); err != nil || !(*to >= 0 && *to <= 1) {
				return fmt.Errorf("a share from 0 to 1")
			}
			return nil
		}
	}
	length := func(to *time.Duration) func(string) error {
		return func(value string) (err error) {
			if *to, err = time.ParseDuration(value); err != nil || *to < 0 {
				return fmt.Errorf("a length of time, as 5ms")
			}
			return nil
		}
	}
	return map[string]func(string) error{
		"refuse": rate(&f.Refuse), "break": rate(&f.Break), "stall": rate(&f.Stall), "wrong": rate(&f.Wrong),
		"stale": rate(&f.Stale), "lose": rate(&f.Lose), "back": rate(&f.Back),
		"delay": length(&f.Delay), "stall-for": length(&f.StallFor), "behind": length(&f.Behind),
		"seed": func(value string) (err error) {
			if f.Seed, err = strconv.ParseUint(value, 10, 64); err != nil {
				return fmt.Errorf("a whole number")
			}
			return nil
		},
		"until": func(value string) (err error) {
			if f.Until, err = time.Parse(time.RFC3339Nano, value); err != nil {
				return fmt.Errorf("a time, as 2026-03-02T15:04:05Z")
			}
			return nil
		},
	}
}

// kind tells the decisions about one read apart.
type kind uint8

const (
	refuse kind = iota
	breakOff
	stall
	wrong
	stale
	lose
	back
	delay
	place // of a break, a stall or a wrong claim within its answer
	away  // how far behind
)

// draw returns a number from 0 to 1 that depends on the seed, the kind, whom the
// question is about and how often it was asked before, and on nothing else.
func (f Faults) draw(k kind, about string, asked uint64) float64 {
	// FNV-1a, and then the finalizer of splitmix64, which spreads what differs
	// in the last byte alone.
	const prime = 1099511628211
	h := f.Seed*prime ^ 14695981039346656037
	for i := range len(about) {
		h = (h ^ uint64(about[i])) * prime
	}
	h = (h ^ asked) * prime
	h = (h ^ uint64(k)) * prime
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	h ^= h >> 31
	return float64(h>>11) / (1 << 53)
}

// behind is how far behind a source is that is hit.
func (f Faults) behind(about string, asked uint64) time.Duration {
	return max(time.Duration(f.draw(away, about, asked)*float64(cmp.Or(f.Behind, defaultBehind))), time.Second)
}

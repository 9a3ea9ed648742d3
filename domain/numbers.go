package domain

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// Run is some numbers in a row, the last included.
type Run struct{ First, Last int64 }

// Numbers is a set of positive whole numbers as runs: ascending, and with a gap
// between one and the next. Its text is compact, as 1-100,103.
type Numbers []Run

// NumbersOf returns the set of some numbers in ascending order.
func NumbersOf(ascending []int64) Numbers {
	var n Numbers
	for _, x := range ascending {
		n = n.With(Run{x, x})
	}
	return n
}

// ParseNumbers reads what String wrote. Anything that String would not write is
// refused.
func ParseNumbers(s string) (Numbers, error) {
	var n Numbers
	for part := range strings.SplitSeq(s, ",") {
		if s == "" {
			return nil, nil
		}
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		a, errA := strconv.ParseInt(first, 10, 64)
		b, errB := strconv.ParseInt(last, 10, 64)
		if errA != nil || errB != nil {
			return nil, fmt.Errorf("%q is not a run of numbers", part)
		}
		n = append(n, Run{a, b})
	}
	for i, r := range n {
		if r.First < 1 || r.Last < r.First || i > 0 && r.First <= n[i-1].Last+1 {
			return nil, fmt.Errorf("%q is not a set of numbers", s)
		}
	}
	if n.String() != s {
		return nil, fmt.Errorf("%q is not how a set of numbers is written", s)
	}
	return n, nil
}

// String returns the compact text.
func (n Numbers) String() string {
	var b strings.Builder
	for i, r := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(r.First, 10))
		if r.Last > r.First {
			b.WriteByte('-')
			b.WriteString(strconv.FormatInt(r.Last, 10))
		}
	}
	return b.String()
}

// Count returns how many there are.
func (n Numbers) Count() (count int64) {
	for _, r := range n {
		count += r.Last - r.First + 1
	}
	return count
}

// Has reports whether x is one of them.
func (n Numbers) Has(x int64) bool {
	_, found := slices.BinarySearchFunc(n, x, func(r Run, x int64) int {
		if r.First <= x && x <= r.Last {
			return 0
		}
		return cmp.Compare(r.First, x)
	})
	return found
}

// All yields them in ascending order.
func (n Numbers) All() iter.Seq[int64] {
	return func(yield func(int64) bool) {
		for _, r := range n {
			for x := r.First; x <= r.Last; x++ {
				if !yield(x) {
					return
				}
			}
		}
	}
}

// With returns the set with a run added, which may overlap what is there. Adding
// behind the end is cheap. The set it is called on is used up.
func (n Numbers) With(r Run) Numbers {
	// The first run that r touches or lies before, and the first that lies beyond it.
	from, _ := slices.BinarySearchFunc(n, r.First, func(have Run, first int64) int { return cmp.Compare(have.Last+1, first) })
	to := from
	for to < len(n) && n[to].First <= r.Last+1 {
		r.First, r.Last = min(r.First, n[to].First), max(r.Last, n[to].Last)
		to++
	}
	return slices.Replace(n, from, to, r)
}

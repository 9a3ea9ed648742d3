package domain

import (
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// Month is a calendar month, counted from January of year 0. Months compare
// and subtract with the ordinary operators.
type Month int32

// NewMonth returns the month of a year.
func NewMonth(year int, month time.Month) Month { return Month(year*12 + int(month) - 1) }

// First returns the first day of the month.
func (m Month) First() Date { return NewDate(int(m/12), time.Month(m%12+1), 1) }

// Last returns the last day of the month.
func (m Month) Last() Date { return (m + 1).First().AddDays(-1) }

// String returns YYYY-MM.
func (m Month) String() string { return fmt.Sprintf("%04d-%02d", m/12, m%12+1) }

// firstMonth is bit 0 of a MonthSet. No claim is served from before 2020
// (the earliest date served), and Part D itself began in 2006.
var firstMonth = NewMonth(2006, time.January)

// MonthSet is a set of calendar months from January 2006 on, one bit a month:
// what an enrollee's enrollment in a contract is. The zero value is empty. A
// set is never changed in place; With returns a new one.
type MonthSet string // little-endian bitset; a string so that sets compare and are immutable

// NewMonthSet returns the set of the given months. Months before 2006 are left
// out: there was no Part D to be enrolled in.
func NewMonthSet(months ...Month) MonthSet {
	var s MonthSet
	for _, m := range months {
		s = s.With(m, m)
	}
	return s
}

// With returns the set with every month from first to last added.
func (s MonthSet) With(first, last Month) MonthSet {
	first = max(first, firstMonth)
	if last < first {
		return s
	}
	b := []byte(s)
	for need := int(last-firstMonth)/8 + 1; len(b) < need; {
		b = append(b, 0)
	}
	for m := first; m <= last; m++ {
		i := int(m - firstMonth)
		b[i/8] |= 1 << (i % 8)
	}
	return MonthSet(b)
}

// Has reports whether m is in the set.
func (s MonthSet) Has(m Month) bool {
	i := int(m - firstMonth)
	return i >= 0 && i/8 < len(s) && s[i/8]&(1<<(i%8)) != 0
}

// Touches reports whether any month from first to last is in the set.
func (s MonthSet) Touches(first, last Month) bool {
	for m := max(first, firstMonth); m <= last && int(m-firstMonth) < len(s)*8; m++ {
		if s.Has(m) {
			return true
		}
	}
	return false
}

// Minus returns the months of s that are not in other.
func (s MonthSet) Minus(other MonthSet) MonthSet {
	b := []byte(s)
	for i := range min(len(b), len(other)) {
		b[i] &^= other[i]
	}
	return trimmed(b)
}

// Within returns the months of s from first to last.
func (s MonthSet) Within(first, last Month) MonthSet {
	b := make([]byte, len(s))
	for m := max(first, firstMonth); m <= last && int(m-firstMonth) < len(s)*8; m++ {
		if i := int(m - firstMonth); s.Has(m) {
			b[i/8] |= 1 << (i % 8)
		}
	}
	return trimmed(b)
}

func trimmed(b []byte) MonthSet {
	return MonthSet(strings.TrimRight(string(b), "\x00"))
}

// Count returns how many months are in the set.
func (s MonthSet) Count() int {
	n := 0
	for i := range len(s) {
		n += bits.OnesCount8(s[i])
	}
	return n
}

// IsEmpty reports whether the set has no month.
func (s MonthSet) IsEmpty() bool { return s.Count() == 0 }

// Months returns the months of the set in order.
func (s MonthSet) Months() []Month {
	var months []Month
	for i := range len(s) * 8 {
		if m := firstMonth + Month(i); s.Has(m) {
			months = append(months, m)
		}
	}
	return months
}

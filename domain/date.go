package domain

import (
	"fmt"
	"time"
)

// Date is a civil date: a day on the calendar, not an instant. Dates of
// service are civil dates, so 2020-03-01 is in March in every time zone.
// The zero Date means "no date". Dates compare with the ordinary operators.
type Date int32 // year*10000 + month*100 + day

// NewDate returns the civil date of year, month and day, normalising like
// time.Date: 31 April is 1 May.
func NewDate(year int, month time.Month, day int) Date {
	return DateOf(time.Date(year, month, day, 0, 0, 0, 0, time.UTC))
}

// DateOf returns the civil date that t's own location shows.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date(y*10000 + int(m)*100 + d)
}

// ParseDate reads YYYY-MM-DD. A FHIR dateTime is accepted too and its written
// date is taken as it stands, whatever its offset: the day of service is the
// day that the provider wrote. A date of a month or a year alone is refused.
func ParseDate[T string | []byte](s T) (Date, error) {
	if len(s) < 10 || s[4] != '-' || s[7] != '-' || (len(s) > 10 && s[10] != 'T') {
		return 0, fmt.Errorf("%q is not a date in the form YYYY-MM-DD", string(s))
	}
	var n [8]int32
	for i, at := range [8]int{0, 1, 2, 3, 5, 6, 8, 9} {
		c := s[at]
		if c < '0' || c > '9' {
			return 0, fmt.Errorf("%q is not a date in the form YYYY-MM-DD", string(s))
		}
		n[i] = int32(c - '0')
	}
	year := n[0]*1000 + n[1]*100 + n[2]*10 + n[3]
	month, day := n[4]*10+n[5], n[6]*10+n[7]
	if year == 0 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, fmt.Errorf("%q is not a day of the calendar", string(s))
	}
	return Date(year*10000 + month*100 + day), nil
}

func daysIn(year, month int32) int32 {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// IsZero reports whether d is no date at all.
func (d Date) IsZero() bool { return d == 0 }

// Year, Month and Day give the parts of the date.
func (d Date) Year() int { return int(d / 10000) }

// Month returns the calendar month that d lies in.
func (d Date) Month() Month { return NewMonth(d.Year(), time.Month(d/100%100)) }

// Day returns the day of the month, from 1.
func (d Date) Day() int { return int(d % 100) }

// AddDays returns the date n days later.
func (d Date) AddDays(n int) Date { return DateOf(d.midnight().AddDate(0, 0, n)) }

// AddYears returns the date n years later; 29 February goes to 1 March in a
// year that has none, so that a period of years never ends early.
func (d Date) AddYears(n int) Date { return DateOf(d.midnight().AddDate(n, 0, 0)) }

// DaysSince returns how many days d lies after other.
func (d Date) DaysSince(other Date) int {
	return int(d.midnight().Sub(other.midnight()).Hours() / 24)
}

// midnight is for the arithmetic of the calendar alone; no rule compares it.
func (d Date) midnight() time.Time {
	return time.Date(d.Year(), time.Month(d/100%100), d.Day(), 0, 0, 0, 0, time.UTC)
}

// String returns YYYY-MM-DD, or the empty string for no date.
func (d Date) String() string {
	if d == 0 {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year(), int(d/100%100), d.Day())
}

// MarshalText writes the date as String does.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *Date) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = 0
		return nil
	}
	parsed, err := ParseDate(text)
	*d = parsed
	return err
}

// Period is a span of civil dates, both ends included.
type Period struct{ Start, End Date }

// IsZero reports whether the period has no dates.
func (p Period) IsZero() bool { return p == Period{} }

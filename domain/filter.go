package domain

import (
	"slices"
	"strings"
)

// Filter is a search that claims must meet to be in an export: all of its
// conditions (_typeFilter of the Bulk Data guide). It is kept with the job, so it
// holds days of the calendar and nothing that depends on when it is read.
type Filter struct {
	Served   []DateTest `json:"served,omitempty"`   // each holds for billablePeriod
	Types    []string   `json:"types,omitempty"`    // the claim's is one of them, as the source codes them; none for any
	Statuses []string   `json:"statuses,omitempty"` // the claim's is one of them; none for any
}

// Filters are those of an export. A claim must meet one of them; where there are
// none every claim does.
type Filters []Filter

// Meets reports whether a claim does, by its billable period, type and status.
func (all Filters) Meets(served Period, kind, status string) bool {
	return len(all) == 0 || slices.ContainsFunc(all, func(f Filter) bool { return f.meets(served, kind, status) })
}

func (f Filter) meets(served Period, kind, status string) bool {
	return (len(f.Types) == 0 || slices.Contains(f.Types, kind)) && (len(f.Statuses) == 0 || slices.Contains(f.Statuses, status)) &&
		!slices.ContainsFunc(f.Served, func(t DateTest) bool { return !t.Holds(served) })
}

// ReadStatus reports whether one of the filters asks for the status of a claim.
func (all Filters) ReadStatus() bool {
	return slices.ContainsFunc(all, func(f Filter) bool { return len(f.Statuses) > 0 })
}

// Query writes the filter as the _typeFilter that asks for it.
func (f Filter) Query() string {
	var all []string
	for _, t := range f.Served {
		all = append(all, "service-date="+t.String())
	}
	if len(f.Types) > 0 {
		all = append(all, "type="+strings.Join(f.Types, ","))
	}
	if len(f.Statuses) > 0 {
		all = append(all, "status="+strings.Join(f.Statuses, ","))
	}
	return string(ExplanationOfBenefit) + "?" + strings.Join(all, "&")
}

// FilterLimit is how many filters an export may have. A service-date with several
// values counts as that many.
const FilterLimit = 100

// AsOf returns the filters with what approximately means fixed, by the day that
// they are asked for on. From then on they say the same whenever they are read.
func (all Filters) AsOf(today Date) Filters {
	out := slices.Clone(all)
	for i, f := range out {
		var served []DateTest
		for _, t := range f.Served {
			served = append(served, t.asOf(today)...)
		}
		out[i].Served = served
	}
	return out
}

// Prefix says how a day of service is compared, by FHIR's search prefixes.
type Prefix string

// The prefixes.
const (
	Equal        Prefix = "eq"
	NotEqual     Prefix = "ne"
	Greater      Prefix = "gt"
	Less         Prefix = "lt"
	GreaterEqual Prefix = "ge"
	LessEqual    Prefix = "le"
	StartsAfter  Prefix = "sa"
	EndsBefore   Prefix = "eb"
	Around       Prefix = "ap"
)

// Prefixes are all of them.
var Prefixes = []Prefix{Equal, NotEqual, Greater, Less, GreaterEqual, LessEqual, StartsAfter, EndsBefore, Around}

// DateTest compares a period with a value: one day, or all days of a month or a year.
type DateTest struct {
	Prefix Prefix `json:"prefix"`
	From   Date   `json:"from"` // the value's first day
	To     Date   `json:"to"`   // and its last
}

// Holds reports whether a period passes the test, as FHIR compares periods:
//
//	eq  it lies within the value; ne where it does not
//	gt  a part of it is after the value; ge also where it only reaches into it
//	lt  a part of it is before the value; le also where it only reaches into it
//	sa  all of it is after the value
//	eb  all of it is before the value
//
// A period whose days are not known passes none, and none passes ap, which AsOf
// replaces.
func (t DateTest) Holds(p Period) bool {
	if p.IsZero() {
		return false
	}
	within := t.From <= p.Start && p.End <= t.To
	switch t.Prefix {
	case Equal:
		return within
	case NotEqual:
		return !within
	case Greater:
		return p.End > t.To
	case GreaterEqual:
		return p.End >= t.From
	case Less:
		return p.Start < t.From
	case LessEqual:
		return p.Start <= t.To
	case StartsAfter:
		return p.Start > t.To
	case EndsBefore:
		return p.End < t.From
	}
	return false
}

// String writes the test as a search has it: a prefix and a day, a month or a year.
func (t DateTest) String() string {
	first := t.From.String()
	switch {
	case t.From == t.From.Month().First() && t.To == t.From.Month().Last():
		first = first[:len("2006-01")]
	case t.From.Year() == t.To.Year() && t.From < t.To:
		first = first[:len("2006")]
	}
	return string(t.Prefix) + first
}

// asOf returns what approximately comes to on a day: a period that overlaps the
// value made wider by a tenth of the time between it and that day, which is what
// FHIR recommends. Two tests say so without it.
func (t DateTest) asOf(today Date) []DateTest {
	if t.Prefix != Around {
		return []DateTest{t}
	}
	tenth := func(d Date) int { return max(today.DaysSince(d), d.DaysSince(today)) / 10 }
	from, to := t.From.AddDays(-tenth(t.From)), t.To.AddDays(tenth(t.To))
	from, to = max(from, 1_01_01), min(to, 9999_12_31) // the days that can be written
	return []DateTest{{GreaterEqual, from, from}, {LessEqual, to, to}}
}

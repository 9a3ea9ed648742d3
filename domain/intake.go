package domain

import (
	"slices"
	"time"
)

// Intake is how far the enrollment of a contract has been taken in from its
// source, which tells it month by month.
type Intake struct {
	Contract ContractNumber
	Months   []MonthIntake // what is in force, in order
	Pass     *Pass         // what is being gathered, or waits for a person; nil for nothing
}

// MonthIntake is one month as it was last taken in.
type MonthIntake struct {
	Month  Month
	At     time.Time // when it was asked for
	People int
}

// Pass is one go through some months of a contract's enrollment. Its people are
// gathered beside the enrollment in force and take its place all at once.
type Pass struct {
	ID     string
	Began  time.Time
	Months []PassMonth
	Hold   string // the hold that it waits for; empty for none
}

// PassMonth is how far a pass has come with a month.
type PassMonth struct {
	Month  Month
	Next   string // where to go on
	Done   bool
	People int
}

// IsWhole reports whether all months of the pass have been gathered.
func (p *Pass) IsWhole() bool {
	return !slices.ContainsFunc(p.Months, func(m PassMonth) bool { return !m.Done })
}

// Set returns the months of the pass.
func (p *Pass) Set() (set MonthSet) {
	for _, m := range p.Months {
		set = set.With(m.Month, m.Month)
	}
	return set
}

// DueMonths returns the months from first to last that have never been taken
// in or not for too long: recent ones change often, older ones seldom.
func (in Intake) DueMonths(first, last Month, now time.Time, p IntakePace) []Month {
	var due []Month
	for m := first; m <= last; m++ {
		every := p.Older
		if m > last-Month(p.RecentMonths) {
			every = p.Recent
		}
		i := slices.IndexFunc(in.Months, func(known MonthIntake) bool { return known.Month == m })
		if i < 0 || !now.Before(in.Months[i].At.Add(every)) {
			due = append(due, m)
		}
	}
	return due
}

// IntakePace says how often months are taken in again.
type IntakePace struct {
	RecentMonths int           // how many months count as recent, the present one included
	Recent       time.Duration // between two times for these
	Older        time.Duration // and for the others
}

// Taken returns the intake after its pass came into force: its months are as of
// the pass's begin, and nothing is being gathered any more.
func (in Intake) Taken() Intake {
	out := Intake{Contract: in.Contract, Months: slices.Clone(in.Months)}
	for _, m := range in.Pass.Months {
		taken := MonthIntake{m.Month, in.Pass.Began, m.People}
		i, known := slices.BinarySearchFunc(out.Months, m.Month, func(k MonthIntake, m Month) int { return int(k.Month - m) })
		if known {
			out.Months[i] = taken
		} else {
			out.Months = slices.Insert(out.Months, i, taken)
		}
	}
	return out
}

// Dropped returns the intake after its pass was rejected: its months were asked
// for then, and what is in force is as it was.
func (in Intake) Dropped() Intake {
	out := in.Taken()
	for i, m := range out.Months {
		if in.Pass.Set().Has(m.Month) {
			out.Months[i].People = in.People(m.Month)
		}
	}
	return out
}

// People returns how many people a month had when it was last taken in.
func (in Intake) People(m Month) int {
	i := slices.IndexFunc(in.Months, func(known MonthIntake) bool { return known.Month == m })
	if i < 0 {
		return 0
	}
	return in.Months[i].People
}

// Merge returns an enrollee after a pass over some months: of these months the
// person has those in which the pass met it, of the others those from before.
// Either side may be the zero Enrollee, when it has nothing of that person. MBIs
// are what the source says now; one that it no longer says is historic.
func Merge(before, gathered Enrollee, pass MonthSet) Enrollee {
	months := before.Months.Minus(pass)
	for _, m := range gathered.Months.Months() {
		months = months.With(m, m)
	}
	if gathered.Patient == "" {
		return Enrollee{Patient: before.Patient, Months: months, IDs: before.IDs}
	}
	ids := Identifiers{Current: gathered.IDs.Current}
	for _, id := range slices.Concat(gathered.IDs.Historic, before.IDs.Historic, []MBI{before.IDs.Current}) {
		if id != "" && id != ids.Current && !slices.Contains(ids.Historic, id) {
			ids.Historic = append(ids.Historic, id)
		}
	}
	return Enrollee{Patient: gathered.Patient, Months: months, IDs: ids}
}

package domain

import "time"

// EarliestServed is the first day of service that sponsors may receive claims
// for (AB2D serves claims from 2020 on). It is the default of a setting.
const EarliestServed = Date(2020_01_01)

// EnrollmentVersion names one consistent state of a contract's enrollment.
// Versions of a contract grow; zero is "none yet".
type EnrollmentVersion int64

// Enrollee is a beneficiary as a member of one contract.
type Enrollee struct {
	Patient PatientID
	Months  MonthSet
	IDs     Identifiers
}

// Entitlement is what entitles a contract to one person's claims: the months
// the person was enrolled in it, and the day its data starts.
type Entitlement struct {
	Months MonthSet
	From   Date
}

// Covers reports whether a claim of the billable period may leave: the part of
// the period that lies on or after the data start touches an enrolled month.
// A period without dates, or that ends before it starts, is never covered.
func (e Entitlement) Covers(p Period) bool {
	if e.From.IsZero() || p.Start.IsZero() || p.End.IsZero() || p.End < p.Start || p.End < e.From {
		return false
	}
	return e.Months.Touches(max(p.Start, e.From).Month(), p.End.Month())
}

// IsMember reports whether the enrollee belongs to an export as of the given
// day: some enrolled month lies between the data start and that day.
func (e Entitlement) IsMember(asOf Date) bool {
	return !e.From.IsZero() && e.Months.Touches(e.From.Month(), asOf.Month())
}

// ReachesBack reports whether e covers anything that before did not and that
// may have been last updated at or before since: then a person's claims have
// to be asked for in full. Months that begin after since cannot hold such a
// claim, so the plain passing of months asks nobody's full history again.
func (e Entitlement) ReachesBack(before Entitlement, since time.Time) bool {
	if e.From.IsZero() {
		return false
	}
	last := Today(since).Month()
	if before.From.IsZero() || e.From < before.From {
		before = Entitlement{From: e.From}
	}
	return !e.Months.Minus(before.Months).Within(e.From.Month(), last).IsEmpty()
}

// Today returns the civil date that the programme's day is at t: CMS works in
// Eastern time, so an attestation that ends on a day ends there.
func Today(t time.Time) Date { return DateOf(t.In(eastern)) }

var eastern = mustLoad("America/New_York")

func mustLoad(name string) *time.Location {
	l, err := time.LoadLocation(name)
	if err != nil {
		panic(err) // the zone data is linked into the program, see tzdata.go
	}
	return l
}

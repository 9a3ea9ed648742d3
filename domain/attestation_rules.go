package domain

import (
	"fmt"
	"slices"
	"strings"
)

// Where an attestation event comes from.
const (
	FromHPMS  = "hpms"
	FromStaff = "staff"
)

// Offices are those whose holder may attest for a sponsor (the attestation page
// of the AB2D production access guide).
var Offices = []string{"CEO", "CFO", "COO"}

// Begins reports whether an event of the kind makes an attestor active.
func (k AttestationKind) Begins() bool { return k == Attest || k == AddAttestor || k == Reattest }

// Ends reports whether it ends one or all of them.
func (k AttestationKind) Ends() bool { return k == Lapse || k == Remove || k == EndUnknown }

// DaysLeft returns how many more days, the given one included, a re-attestation
// keeps the data start: 0 when it is too late, or while attestation is active.
func (s Standing) DaysLeft(on Date) int {
	if s.Active || s.Grace.IsZero() {
		return 0
	}
	return max(s.Grace.DaysSince(on)+1, 0)
}

// Opens reports whether what a job exports of a contract may leave: attestation
// is active, and data does not start later than what the job was planned with,
// as it may after a correction.
func (s Standing) Opens(j *ExportJob, n ContractNumber) bool {
	plan, planned := j.Plan(n)
	return s.Active && (!planned || plan.From >= s.DataStart)
}

// CheckAttestation returns what speaks against adding an event to a contract's
// history: an invalid error for what is missing or cannot be, a business_rule
// error for what the history does not allow. HPMS gives dates only, so what it
// sends needs no attestor; what staff record does.
func CheckAttestation(events []AttestationEvent, e AttestationEvent, today Date) error {
	switch {
	case e.Kind == Correct:
		return checkCorrection(events, e, today)
	case !e.Kind.Begins() && !e.Kind.Ends():
		return Errorf(Invalid, "%q is no kind of attestation event.", e.Kind)
	}
	if err := checkFacts(e.Kind, e, today); err != nil {
		return err
	}
	s := StandingOn(events, e.Effective)
	began := slices.ContainsFunc(effective(events), func(e AttestationEvent) bool { return e.Kind.Begins() })
	switch {
	case e.Kind == Attest && began:
		return Errorf(BusinessRule, "Contract %s was attested before.", e.Contract).
			WithNext("Add an attestor, re-attest, or correct the event that is wrong.")
	case e.Kind != Attest && s.DataStart.IsZero():
		return Errorf(BusinessRule, "Contract %s was not attested on %s.", e.Contract, e.Effective).
			WithNext("Record the first attestation, or give the right date.")
	case (e.Kind == AddAttestor || e.Kind.Ends()) && !s.Active:
		return Errorf(BusinessRule, "No attestation of contract %s was active on %s.", e.Contract, e.Effective).
			WithNext("Re-attest, or give the right date.")
	case e.Kind == Reattest && s.Active:
		return Errorf(BusinessRule, "An attestation of contract %s was active on %s.", e.Contract, e.Effective).
			WithNext("Add an attestor, or record first how the attestation ended.")
	case e.Kind == AddAttestor && slices.Contains(s.Attestors, e.Attestor):
		return Errorf(BusinessRule, "%s is an active attestor of contract %s already.", e.Attestor.Name, e.Contract)
	case e.Kind.Ends() && e.Attestor != Attestor{} && !slices.Contains(s.Attestors, e.Attestor):
		return Errorf(BusinessRule, "%s (%s) was no active attestor of contract %s on %s.", e.Attestor.Name, e.Attestor.Office, e.Contract, e.Effective).
			WithNext("Name one of those who were, or none to end all.")
	case e.Kind.Begins() && !StandingOn(append(slices.Clone(events), e), e.Effective).Active:
		// On one day who attests comes before who leaves, so that it would have no effect.
		return Errorf(BusinessRule, "The attestation of contract %s also ends on %s, by an event that is recorded already.", e.Contract, e.Effective).
			WithNext("Correct that event if it is wrong, or record a re-attestation.")
	}
	return nil
}

// checkFacts checks what an event of the kind says by itself.
func checkFacts(kind AttestationKind, e AttestationEvent, today Date) error {
	staff := e.Source != FromHPMS
	named := e.Attestor != Attestor{}
	switch {
	case e.Effective < firstMonth.First():
		return Errorf(Invalid, "The effective date is missing or before %s, when Part D began.", firstMonth.First())
	case e.Effective > today:
		return Errorf(Invalid, "The effective date, %s, is still to come.", e.Effective).WithNext("Record it on that day or later.")
	case staff && kind == EndUnknown:
		return Errorf(Invalid, "How the attestation ended is missing.").WithNext("Say whether it is a lapse or a removal.")
	case staff && kind.Begins() && !named:
		return Errorf(Invalid, "The attestor is missing.").WithNext("Give the name and the office of who attested.")
	case named && (strings.TrimSpace(e.Attestor.Name) == "" || !slices.Contains(Offices, e.Attestor.Office)):
		return Errorf(Invalid, "An attestor has a name and is one of %s.", strings.Join(Offices, ", "))
	}
	return nil
}

func checkCorrection(events []AttestationEvent, e AttestationEvent, today Date) error {
	i := slices.IndexFunc(events, func(old AttestationEvent) bool { return old.ID == e.Corrects && old.Kind != Correct })
	switch {
	case i < 0:
		return Errorf(Invalid, "Contract %s has no event %q that could be corrected.", e.Contract, e.Corrects).
			WithNext("Name an event of its history, not a correction: correct that event again.")
	case e.CorrectedKind == "":
		return nil // it is struck out
	case !e.CorrectedKind.Begins() && !e.CorrectedKind.Ends():
		return Errorf(Invalid, "%q is no kind of attestation event.", e.CorrectedKind)
	case e.CorrectedKind.Begins() != events[i].Kind.Begins():
		return Errorf(BusinessRule, "An event that ends an attestation cannot be corrected into one that begins it, nor the other way round.").
			WithNext("Strike it out and record what happened.")
	}
	return checkFacts(e.CorrectedKind, e, today)
}

// Describe returns in plain words how the standing of a contract changes from
// one to the other, as of a day.
func Describe(before, after Standing, on Date) string {
	switch {
	case after.Active && !before.Active && before.DataStart.IsZero():
		return fmt.Sprintf("Data starts on %s.", after.DataStart)
	case after.Active && !before.Active && after.DataStart == before.DataStart:
		return fmt.Sprintf("Data goes on from %s as before, the months of the gap included.", after.DataStart)
	case after.Active && !before.Active:
		return fmt.Sprintf("Data starts anew on %s: it was too late to keep %s.", after.DataStart, before.DataStart)
	case !after.Active && before.Active && after.DataStart.IsZero():
		return "Nothing leaves any more: the contract counts as never attested."
	case !after.Active && before.Active && after.DaysLeft(on) == 0:
		return fmt.Sprintf("Nothing leaves any more. It is too late to re-attest and keep %s as the data start.", after.DataStart)
	case !after.Active && before.Active:
		return fmt.Sprintf("Nothing leaves any more. A re-attestation by %s keeps %s as the data start: %d days are left.", after.Grace, after.DataStart, after.DaysLeft(on))
	case after.DataStart != before.DataStart:
		return fmt.Sprintf("Data starts on %s instead of %s.", orNever(after.DataStart), orNever(before.DataStart))
	case after.Grace != before.Grace:
		return fmt.Sprintf("A re-attestation by %s instead of %s keeps the data start: %d days are left.", after.Grace, before.Grace, after.DaysLeft(on))
	case !slices.Equal(after.Attestors, before.Attestors):
		return "The attestors change; what may leave does not."
	}
	return "What may leave stays as it is."
}

func orNever(d Date) string {
	if d.IsZero() {
		return "no day"
	}
	return d.String()
}

package export

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// resolve puts the enrollees whom the request names into its terms, by their
// ids. It fails with invalid when one of them is no member of any contract asked
// for, and says which; in the same words whether there is such a person or not.
// A client that does not hold the contracts is told nothing here: it is refused
// for that.
func (u *UseCase) resolve(ctx context.Context, cmd *Start) error {
	if len(cmd.Patients) == 0 {
		return nil
	}
	if len(cmd.Patients) > domain.PatientLimit {
		return domain.Errorf(domain.Invalid, "The parameter patient names %d enrollees, and may name %d.", len(cmd.Patients), domain.PatientLimit).
			WithNext("Ask for them in several exports, or for everybody.")
	}
	wanted := cmd.wanted()
	if len(wanted) == 0 || !cmd.Client.Holds(wanted) {
		return nil
	}
	people := map[string][]domain.PatientID{}
	for _, name := range cmd.Patients {
		people[name] = nil
	}
	for _, n := range wanted {
		if err := u.find(ctx, n, people); err != nil {
			return err
		}
	}
	var unknown []string
	for _, name := range cmd.Patients {
		if len(people[name]) == 0 && !slices.Contains(unknown, name) {
			unknown = append(unknown, name)
		}
		cmd.Terms.Patients = append(cmd.Terms.Patients, people[name]...)
	}
	if len(unknown) > 0 {
		return notEnrolled(unknown)
	}
	slices.Sort(cmd.Terms.Patients)
	cmd.Terms.Patients = slices.Compact(cmd.Terms.Patients)
	return nil
}

// find adds the members of a contract whom the names mean. Ids are looked up;
// only for MBIs the enrollment is read through.
func (u *UseCase) find(ctx context.Context, n domain.ContractNumber, people map[string][]domain.PatientID) error {
	now := u.Clock.Now()
	var standing domain.Standing
	if err := u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		events, err := tx.Attestations.Of(ctx, n)
		standing = domain.StandingOn(events, domain.Today(now))
		return err
	}); err != nil || !standing.Active {
		return err
	}
	version, err := u.Coverage.VersionAt(ctx, n, now)
	if err != nil || version == 0 {
		return err
	}
	isMember := func(e domain.Enrollee) bool {
		return domain.Entitlement{Months: e.Months, From: standing.From(u.Settings.EarliestServed)}.IsMember(domain.Today(now))
	}
	byMBI := false
	for name := range people {
		byMBI = byMBI || domain.LooksLikeMBI(name)
		id := domain.PatientID(name)
		for e, err := range u.Coverage.Members(ctx, n, version, domain.KeyRange{From: id, To: id}) {
			if err != nil {
				return err
			}
			if isMember(e) {
				people[name] = append(people[name], e.Patient)
			}
		}
	}
	if !byMBI {
		return nil
	}
	for e, err := range u.Coverage.Members(ctx, n, version, domain.KeyRange{}) {
		if err != nil {
			return err
		}
		for _, mbi := range e.IDs.All() {
			if _, asked := people[string(mbi)]; asked && isMember(e) {
				people[string(mbi)] = append(people[string(mbi)], e.Patient)
			}
		}
	}
	return nil
}

// named is how many of the unknown a refusal names.
const named = 20

func notEnrolled(unknown []string) error {
	more := ""
	if len(unknown) > named {
		more = fmt.Sprintf(" and %d more", len(unknown)-named)
	}
	return domain.Errorf(domain.Invalid, "Not enrolled in the contracts of this export: Patient/%s%s.", strings.Join(unknown[:min(named, len(unknown))], ", Patient/"), more).
		WithNext("Leave them out, or write them as the sponsor knows them: the id in the patient of a claim, or the MBI.")
}

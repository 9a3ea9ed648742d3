// Package attestation is the one door through which the attestation history of
// contracts changes: for staff, and for what HPMS says. Every change is an event
// that is added, with who did it and why, and a record in the audit trail.
package attestation

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// UseCase records attestation events.
type UseCase struct {
	Store ports.UnitOfWork
	Clock ports.Clock
}

// Change is what somebody wants to add to a contract's history: that it was
// attested, that an attestor came, lapsed or was removed, that it was
// re-attested, or that an event was wrong.
type Change struct {
	Contract  domain.ContractNumber
	Kind      domain.AttestationKind
	Attestor  domain.Attestor // for an ending: who left; the zero Attestor for all
	Effective domain.Date
	Reason    string

	// For domain.Correct: the id of the event that was wrong, and what it should
	// have said: CorrectedKind with Effective and Attestor, or no kind to strike
	// the event out.
	Corrects      string
	CorrectedKind domain.AttestationKind

	// DataStart is HPMS's own date, where the rules would give another. Staff
	// leave it out: what they correct keeps the one it has.
	DataStart domain.Date

	// Seen is the Latest of the preview that the change was decided on. When the
	// history has moved on since, Record refuses with a conflict. Empty is not
	// checked.
	Seen string

	// Told is what the audit trail tells of who does it, as domain.Staff.Details.
	Told map[string]string `json:"-"`
}

// Preview is what a change does to what may leave.
type Preview struct {
	Event         domain.AttestationEvent // as it would be recorded, without its id
	Today         domain.Date
	Before, After domain.Standing
	Says          string              // in plain words
	Stops         []domain.JobID      // running exports that would fail
	Closes        []domain.OutputFile // files that could no longer be fetched; they stay for their time
	Opens         []domain.OutputFile // files that could be fetched again
	Latest        string              // the newest event of the history; see Change.Seen
	Contract      domain.Contract
}

// KeepsDataStart reports whether data starts on the same day after the change.
func (p Preview) KeepsDataStart() bool { return p.Before.DataStart == p.After.DataStart }

// DaysLeft returns how many days, today included, a re-attestation keeps the
// data start: after an ending by what is recorded here, before a re-attestation
// by what was.
func (p Preview) DaysLeft() int {
	if !p.After.Active {
		return p.After.DaysLeft(p.Today)
	}
	return p.Before.DaysLeft(p.Today)
}

// Preview returns what a change would do, and changes nothing. It fails as
// Record does.
func (u *UseCase) Preview(ctx context.Context, actor domain.Actor, c Change) (p Preview, err error) {
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		p, err = u.look(ctx, tx, actor, c)
		return err
	})
	return p, err
}

// Record adds the event and returns what it did. Running exports that may no
// longer go on stop within about a second. It fails with not_found for a
// contract that is not there, invalid for what is missing or cannot be,
// business_rule for what the history does not allow, and conflict when the
// history has moved on since Change.Seen. Refusals are in the audit trail too.
func (u *UseCase) Record(ctx context.Context, actor domain.Actor, c Change) (p Preview, err error) {
	err = u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		p, err = u.RecordIn(ctx, tx, actor, c)
		return err
	})
	if code := domain.CodeOf(err); code != "" && code != domain.Internal && code != domain.Unavailable {
		told := domain.AuditRecord{At: u.Clock.Now(), Actor: actor, Action: action(c.Kind), Target: string(c.Contract), Outcome: string(code), Detail: detail(c)}
		if auditErr := u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error { return tx.Audit.Record(ctx, told) }); auditErr != nil {
			return Preview{}, auditErr
		}
	}
	return p, err
}

// RecordIn is Record as part of a larger unit of work. A refusal leaves nothing
// behind, and the unit can go on.
func (u *UseCase) RecordIn(ctx context.Context, tx ports.Tx, actor domain.Actor, c Change) (Preview, error) {
	p, err := u.look(ctx, tx, actor, c)
	if err != nil {
		return Preview{}, err
	}
	p.Event.ID = domain.NewEventID()
	if err := tx.Attestations.Append(ctx, p.Event); err != nil {
		return Preview{}, err
	}
	told := domain.AuditRecord{At: p.Event.Recorded, Actor: actor, Action: action(c.Kind), Target: string(c.Contract), Outcome: "done", Detail: detail(c)}
	told.Detail["event"], told.Detail["effect"] = p.Event.ID, p.Says
	return p, tx.Audit.Record(ctx, told)
}

func action(kind domain.AttestationKind) string { return "attestation." + string(kind) }

func detail(c Change) map[string]string {
	d := maps.Clone(c.Told)
	if d == nil {
		d = map[string]string{}
	}
	d["reason"] = c.Reason
	for key, value := range map[string]string{"effective": c.Effective.String(), "attestor": c.Attestor.Name, "office": c.Attestor.Office,
		"corrects": c.Corrects, "corrected kind": string(c.CorrectedKind)} {
		if value != "" {
			d[key] = value
		}
	}
	return d
}

// look works a change out on the state of the unit of work.
func (u *UseCase) look(ctx context.Context, tx ports.Tx, actor domain.Actor, c Change) (Preview, error) {
	now := u.Clock.Now()
	p := Preview{Today: domain.Today(now)}
	var err error
	if p.Contract, err = tx.Contracts.Get(ctx, c.Contract); err != nil {
		return Preview{}, err
	}
	// Active holds off whoever else changes or exports the contract.
	running, err := tx.Jobs.Active(ctx, []domain.ContractNumber{c.Contract})
	if err != nil {
		return Preview{}, err
	}
	events, err := tx.Attestations.Of(ctx, c.Contract)
	if err != nil {
		return Preview{}, err
	}
	if len(events) > 0 {
		p.Latest = events[len(events)-1].ID
	}
	if c.Seen != "" && c.Seen != p.Latest {
		return Preview{}, domain.Errorf(domain.Conflict, "The attestation of contract %s was changed meanwhile.", c.Contract).
			WithNext("Look at it again.")
	}
	if old, ok := domain.AsCorrected(events, c.Corrects); ok && c.DataStart.IsZero() {
		c.DataStart = old.DataStart
	}
	p.Event = c.event(actor, now)
	if strings.TrimSpace(c.Reason) == "" {
		return Preview{}, domain.Errorf(domain.Invalid, "The reason is missing.").WithNext("Say why, in a few words: it stays in the history.")
	}
	if err := domain.CheckAttestation(events, p.Event, p.Today); err != nil {
		return Preview{}, err
	}
	p.Before = domain.StandingOn(events, p.Today)
	p.After = domain.StandingOn(append(slices.Clip(events), p.Event), p.Today)
	p.Says = domain.Describe(p.Before, p.After, p.Today)
	for _, j := range running {
		if p.Before.Opens(j, c.Contract) && !p.After.Opens(j, c.Contract) {
			p.Stops = append(p.Stops, j.ID())
		}
	}
	return p, p.files(ctx, tx, c.Contract, now)
}

// event is the change as an event. Who is no member of staff speaks for HPMS.
func (c Change) event(actor domain.Actor, now time.Time) domain.AttestationEvent {
	source := domain.FromStaff
	if actor.Kind == "system" {
		source = domain.FromHPMS
	}
	return domain.AttestationEvent{ID: "\xff", Contract: c.Contract, Kind: c.Kind, Attestor: c.Attestor, Effective: c.Effective, DataStart: c.DataStart, Recorded: now,
		Source: source, Actor: actor, Reason: c.Reason, Corrects: c.Corrects, CorrectedKind: c.CorrectedKind}
}

// fetchable bounds how many exports of a contract are looked at for files that
// can still be fetched. They live for a day.
const fetchable = 10_000

func (p *Preview) files(ctx context.Context, tx ports.Tx, n domain.ContractNumber, now time.Time) error {
	jobs, err := tx.JobList.Find(ctx, ports.JobQuery{States: []domain.JobState{domain.Successful}, Contract: n, Newest: true, Limit: fetchable})
	if err != nil {
		return err
	}
	for _, j := range jobs {
		before, after := p.Before.Opens(j, n), p.After.Opens(j, n)
		if before == after || j.ExpiredAt(now) {
			continue
		}
		files, err := tx.Files.OfJob(ctx, j.ID())
		if err != nil {
			return err
		}
		for _, f := range files {
			switch {
			case f.Contract != n:
			case before:
				p.Closes = append(p.Closes, f)
			default:
				p.Opens = append(p.Opens, f)
			}
		}
	}
	return nil
}

// History is a contract's attestation as it stands.
type History struct {
	Contract domain.Contract
	Events   []domain.AttestationEvent // in the order recorded
	Today    domain.Date
	Standing domain.Standing
}

// Look returns a contract's history, or not_found.
func (u *UseCase) Look(ctx context.Context, n domain.ContractNumber) (h History, err error) {
	h.Today = domain.Today(u.Clock.Now())
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		if h.Contract, err = tx.Contracts.Get(ctx, n); err != nil {
			return err
		}
		h.Events, err = tx.Attestations.Of(ctx, n)
		return err
	})
	h.Standing = domain.StandingOn(h.Events, h.Today)
	return h, err
}

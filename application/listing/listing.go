// Package listing takes in what HPMS says of organizations, contracts and
// attestation. HPMS gives dates only, so what it brings are events that staff
// complete; and what it takes from many at once waits for a person.
package listing

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"cms.gov/ab2d/application/attestation"
	"cms.gov/ab2d/application/errands"
	"cms.gov/ab2d/application/holds"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Settings are how HPMS is followed.
type Settings struct {
	Every time.Duration // between two times
	Guard domain.Guard  // over the contracts whose attestation would end at once
}

// UseCase follows HPMS.
type UseCase struct {
	Store       ports.UnitOfWork
	Listing     ports.Listing
	Attestation *attestation.UseCase
	Clock       ports.Clock
	Log         *slog.Logger
	Settings    Settings
}

// Outcome is what came of asking HPMS once.
type Outcome struct {
	Listed  int                     // contracts in HPMS
	Added   []domain.ContractNumber // contracts that are new here
	Changed []domain.ContractNumber // contracts whose facts, as the name, changed
	Events  []domain.AttestationEvent
	Unclear []domain.ContractNumber // contracts about which HPMS did not say enough, or what does not fit
	Held    domain.Hold             // what waits for a person instead; then nothing else was taken over
}

// Errand is what asking HPMS is known by.
const Errand = "hpms"

const (
	errand   = Errand
	atMost   = 10 * time.Minute // for asking once
	tryAgain = 5 * time.Minute  // after HPMS could not be asked
)

// hpms is who acts when nobody asked.
var hpms = domain.System("hpms")

// Tick asks HPMS when it is time and no other process does.
func (u *UseCase) Tick(ctx context.Context) error {
	_, err := u.refresh(ctx, hpms, false)
	if domain.CodeOf(err) == domain.Conflict {
		return nil
	}
	return err
}

// Refresh asks HPMS now. It fails with a conflict while another process does, and
// with unavailable when HPMS gives no answer or one that cannot be true; then
// nothing has changed.
func (u *UseCase) Refresh(ctx context.Context, actor domain.Actor) (Outcome, error) {
	return u.refresh(ctx, actor, true)
}

func (u *UseCase) refresh(ctx context.Context, actor domain.Actor, insist bool) (out Outcome, err error) {
	var token string
	begun := u.Clock.Now()
	if err := u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		token, err = tx.Errands.Take(ctx, errand, insist, atMost)
		return err
	}); domain.CodeOf(err) == domain.Conflict && insist {
		return out, domain.Errorf(domain.Conflict, "HPMS is being asked by another process.").WithNext("Wait for that to end.").Because(err)
	} else if err != nil {
		return out, err
	}
	ctx, cancel := context.WithTimeout(ctx, atMost) // after that the errand may be another's
	defer cancel()
	listed, err := u.Listing.Contracts(ctx)
	if err == nil && len(listed) == 0 {
		err = domain.Errorf(domain.Unavailable, "HPMS lists no contract at all, which cannot be true; nothing was changed.")
	}
	rest := u.Settings.Every
	if err == nil {
		err = u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
			out = Outcome{Listed: len(listed)}
			return (&pass{UseCase: u, tx: tx, actor: actor, now: u.Clock.Now(), out: &out}).take(ctx, listed)
		})
	}
	if err != nil {
		rest, out = min(rest, tryAgain), Outcome{}
	}
	// However it ended, the errand is given back and what happened is told.
	told := domain.AuditRecord{At: u.Clock.Now(), Actor: actor, Action: "hpms.refresh", Outcome: domain.DoneRun, Detail: out.detail()}
	if err != nil {
		told.Outcome, told.Detail = string(domain.CodeOf(err)), map[string]string{"error": err.Error()}
	} else if out.Held.ID != "" {
		told.Outcome = domain.HeldRun
	}
	if tellErr := u.Store.Do(context.WithoutCancel(ctx), func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Errands.End(ctx, errand, token, rest); err != nil {
			return err
		}
		run := domain.ErrandRun{EndedAt: told.At, Took: told.At.Sub(begun), Outcome: told.Outcome, Detail: told.Detail}
		if err := errands.Note(ctx, tx, errand, run); err != nil {
			return err
		}
		return tx.Audit.Record(ctx, told)
	}); err == nil {
		err = tellErr
	}
	u.log(ctx, out, err)
	return out, err
}

func (u *UseCase) log(ctx context.Context, out Outcome, err error) {
	switch {
	case err != nil:
		u.Log.WarnContext(ctx, "HPMS could not be followed; nothing has changed", "error", err)
	case out.Held.ID != "":
		u.Log.WarnContext(ctx, "what HPMS says waits for a person", "hold", out.Held.ID, "reason", out.Held.Reason)
	case len(out.Events)+len(out.Added)+len(out.Changed) > 0:
		u.Log.InfoContext(ctx, "HPMS followed", "contracts", out.Listed, "added", len(out.Added), "changed", len(out.Changed), "events", len(out.Events))
	}
	if len(out.Unclear) > 0 {
		u.Log.WarnContext(ctx, "HPMS does not say enough of some contracts; they stay as they are", "contracts", list(out.Unclear))
	}
}

func (o Outcome) detail() map[string]string {
	d := map[string]string{"contracts": fmt.Sprint(o.Listed), "events": fmt.Sprint(len(o.Events))}
	for key, some := range map[string][]domain.ContractNumber{"added": o.Added, "changed": o.Changed, "unclear": o.Unclear, "would end": o.Held.Ends} {
		if len(some) > 0 {
			d[key] = list(some)
		}
	}
	if o.Held.ID != "" {
		d["hold"] = o.Held.ID
	}
	return d
}

// list names a few, and how many there are more.
func list(numbers []domain.ContractNumber) string {
	const few = 50
	var b strings.Builder
	for i, n := range numbers[:min(few, len(numbers))] {
		if i > 0 {
			b.WriteString(" ")
		}
		b.WriteString(string(n))
	}
	if more := len(numbers) - few; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}

// Waiting returns what HPMS brought and waits for a person.
func (u *UseCase) Waiting(ctx context.Context) (waiting []domain.Hold, err error) {
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		waiting, err = tx.Holds.Find(ctx, domain.HeldListing, domain.HoldWaiting)
		return err
	})
	return waiting, err
}

// Release lets what is held come into force: HPMS is asked again, and the endings
// that were held are believed. Should it fail after the decision, the next time
// HPMS is asked does it. It fails with not_found for nothing held under the id,
// and with a conflict when that was decided or superseded.
func (u *UseCase) Release(ctx context.Context, actor domain.Actor, id, note string) (Outcome, error) {
	if err := u.Decide(ctx, actor, id, domain.HoldReleased, note, nil); err != nil {
		return Outcome{}, err
	}
	return u.Refresh(ctx, actor)
}

// Reject keeps the attestations that would have ended, until HPMS lists them as
// attested and then not again. It fails as Release does.
func (u *UseCase) Reject(ctx context.Context, actor domain.Actor, id, note string) error {
	return u.Decide(ctx, actor, id, domain.HoldRejected, note, nil)
}

// Decide releases or rejects what is held, and leaves it to the next time HPMS is
// asked, which it brings about at once, to act on that. What is told goes into
// the audit trail. It fails as Release does.
func (u *UseCase) Decide(ctx context.Context, actor domain.Actor, id string, state domain.HoldState, note string, told map[string]string) error {
	return holds.Decide(ctx, u.Store, holds.Decision{At: u.Clock.Now(), Actor: actor, ID: id, Kind: domain.HeldListing, State: state, Note: note, Told: told,
		Wakes: func(domain.Hold) string { return errand },
		Records: func(h domain.Hold) domain.AuditRecord {
			return domain.AuditRecord{Action: "hpms." + string(state), Target: id, Detail: map[string]string{"reason": note, "would end": list(h.Ends)}}
		}})
}

// SetUpdates says whether a contract follows HPMS or is left to staff. What is
// told goes into the audit trail.
func (u *UseCase) SetUpdates(ctx context.Context, actor domain.Actor, n domain.ContractNumber, updates domain.Updates, reason string, told map[string]string) error {
	if strings.TrimSpace(reason) == "" {
		return domain.Errorf(domain.Invalid, "The reason is missing.").WithNext("Say why, in a few words.")
	}
	return u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		var before domain.Updates
		if err := tx.Contracts.Update(ctx, n, func(c *domain.Contract) error {
			f := c.Facts()
			before, f.Updates = f.Updates, updates
			return c.Edit(f)
		}); err != nil {
			return err
		}
		if err := Wake(ctx, tx); err != nil {
			return err
		}
		return tx.Audit.Record(ctx, domain.AuditRecord{At: u.Clock.Now(), Actor: actor, Action: "contract.updates", Target: string(n), Outcome: "done",
			Detail: map[string]string{"before": string(before), "after": string(updates), "reason": reason}}.Telling(told))
	})
}

// Wake has HPMS asked at once, since what staff changed may let it have a say.
func Wake(ctx context.Context, tx ports.Tx) error { return tx.Errands.Wake(ctx, errand) }

// wanted is an event that would bring a contract in line with HPMS.
type wanted struct {
	event domain.AttestationEvent
	ends  bool // nobody would be active any more
}

// sortedKeys returns contracts in order.
func sortedKeys[V any](m map[domain.ContractNumber]V) []domain.ContractNumber {
	keys := make([]domain.ContractNumber, 0, len(m))
	for n := range m {
		keys = append(keys, n)
	}
	slices.Sort(keys)
	return keys
}

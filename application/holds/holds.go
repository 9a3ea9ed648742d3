// Package holds is what people decide about changes that were held for them. What
// becomes of a change afterwards is the business of the package that held it.
package holds

import (
	"context"
	"strings"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Decision is one of them.
type Decision struct {
	At    time.Time
	Actor domain.Actor
	ID    string
	Kind  domain.HoldKind // of what is held
	State domain.HoldState
	Note  string            // why, which must be given
	Told  map[string]string // what the audit trail tells of who decides beside the id

	Wakes   func(domain.Hold) string // the errand that goes on with it
	Records func(domain.Hold) domain.AuditRecord
}

// Decide records a decision, wakes the errand that goes on with it, and tells the
// audit trail. It fails with invalid for a decision without a reason, with
// not_found for nothing of the kind held under the id, and with a conflict when
// that was decided or superseded.
func Decide(ctx context.Context, store ports.UnitOfWork, d Decision) error {
	if strings.TrimSpace(d.Note) == "" {
		return domain.Errorf(domain.Invalid, "The reason is missing.").WithNext("Say why, in a few words.")
	}
	return store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		h, err := tx.Holds.Get(ctx, d.ID)
		if err != nil {
			return err
		}
		if h.Kind != d.Kind {
			return domain.Errorf(domain.NotFound, "there is nothing of that kind held as %s", d.ID)
		}
		if err := h.Decide(d.State, d.At, d.Actor, d.Note); err != nil {
			return err
		}
		if err := tx.Holds.Put(ctx, h); err != nil {
			return err
		}
		if err := tx.Errands.Wake(ctx, d.Wakes(h)); err != nil {
			return err
		}
		r := d.Records(h)
		r.At, r.Actor, r.Outcome = d.At, d.Actor, "done"
		return tx.Audit.Record(ctx, r.Telling(d.Told))
	})
}

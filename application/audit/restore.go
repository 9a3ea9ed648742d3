package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// restoredAction is the action of the record by which somebody says that seals
// were lost because the database was restored from a backup. Its target is the
// hash of the last one that was lost.
const restoredAction = "audit.restored"

// Lost is some seals in a row that were exported and that the database does not
// have: it is older than they are, or they were removed.
type Lost struct {
	Seals domain.Run
	Hash  string    // of the last of them
	At    time.Time // when that was made
}

// hear takes note of what a record that stands says of the trail itself.
func (v *verification) hear(line []byte) {
	if !bytes.Contains(line, []byte(`"action":"`+restoredAction+`"`)) {
		return
	}
	var r struct{ Action, Target string }
	if json.Unmarshal(line, &r) == nil && r.Action == restoredAction {
		v.restored[r.Target] = true
	}
}

// lost tells of the heads that the database does not have. Those that the trail
// itself says were lost are worth a note and no more.
func (v *Verifier) lost(ctx context.Context, report *Report, unknown []head, restored map[string]bool) error {
	slices.SortFunc(unknown, func(a, b head) int { return int(b.number - a.number) }) // the latest first
	left := map[head]bool{}
	for _, h := range unknown {
		left[h] = true
	}
	for _, tip := range unknown {
		if !left[tip] {
			continue // it was found from a later one
		}
		lost := Lost{Seals: domain.Run{First: tip.number, Last: tip.number}, Hash: tip.hash}
		for h := tip; left[h]; {
			delete(left, h)
			seal, err := v.readHead(ctx, h)
			if err != nil {
				return err
			}
			if seal.Number == 0 {
				report.problem(HeadUnreadable, h.number, nil, "the file %s is no head that a known key signed", headKey(h.number, h.hash))
				if h == tip {
					lost.Seals = domain.Run{}
				}
				break
			}
			if h == tip {
				lost.At = seal.At
			}
			lost.Seals.First = h.number
			h = head{seal.Number - 1, seal.Previous}
		}
		which := domain.Numbers{lost.Seals}
		switch {
		case lost.Seals.First == 0:
		case restored[tip.hash]:
			report.Notes = append(report.Notes, fmt.Sprintf("%s lost when the database was restored from a backup, as the trail says", seals(which, "was", "were")))
		default:
			report.Lost = append(report.Lost, lost)
			report.problem(DatabaseLags, lost.Seals.First, nil,
				"%s exported, the last of them made at %s, and the database does not have %s: it was set back, or seals were removed from it or replaced",
				seals(which, "was", "were"), lost.At.Format(time.RFC3339), them(which))
		}
	}
	return nil
}

// readHead returns an exported head, and the zero seal where the file is none
// that a known key signed.
func (v *Verifier) readHead(ctx context.Context, h head) (domain.Seal, error) {
	f, err := v.Files.Open(ctx, headKey(h.number, h.hash))
	if err != nil {
		return domain.Seal{}, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return domain.Seal{}, err
	}
	seal, err := domain.ParseSeal(content)
	if err != nil || seal.Number != h.number || seal.Hash != h.hash || seal.HashOf() != h.hash || !v.Keys.Signed(seal) {
		return domain.Seal{}, nil
	}
	return seal, nil
}

// Restorer records that seals were lost because the database was restored from
// a backup, so that whoever verifies knows. The trail goes on from what is there.
type Restorer struct {
	Store ports.UnitOfWork
	Clock ports.Clock
}

// Record adds a record for each row of seals that was lost. Once these records
// are sealed they stand for ever, with who made them and why.
func (u *Restorer) Record(ctx context.Context, actor domain.Actor, lost []Lost, why string) error {
	return u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		for _, l := range lost {
			if err := tx.Audit.Record(ctx, domain.AuditRecord{At: u.Clock.Now(), Actor: actor, Action: restoredAction, Target: l.Hash, Outcome: "done",
				Detail: map[string]string{"seals": domain.Numbers{l.Seals}.String(), "last of them at": l.At.UTC().Format(time.RFC3339), "reason": why}}); err != nil {
				return err
			}
		}
		return nil
	})
}

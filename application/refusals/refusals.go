// Package refusals puts what clients were refused into the audit trail, without
// letting them flood it: the first refusal of a kind is kept at once, those
// like it that follow are counted and kept together a minute later.
package refusals

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"
	"unicode"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

const (
	window   = time.Minute // over which refusals that are alike are counted
	perActor = 20          // kinds of refusals of one actor in a window; the others count as one kind
	overall  = 2000        // kinds of refusals in a window; the others count as one kind an action
	atOnce   = 100         // records that one unit of work keeps
)

// Recorder records refusals. It is safe for concurrent use.
type Recorder struct {
	Store ports.UnitOfWork
	Clock ports.Clock

	mu     sync.Mutex     `wire:"-"`
	seen   map[kind]*told `wire:"-"`
	actors map[actor]int  `wire:"-"` // how many kinds each has in seen
}

// kind is what makes refusals alike.
type kind struct {
	actor   actor
	action  string
	target  string
	outcome string
}

type actor struct{ kind, id, from string }

// told is what was and what is still to be told of a kind.
type told struct {
	record domain.AuditRecord // the first
	last   time.Time
	more   int // that no record tells of yet
}

// Refused records that a request was refused with err, which r tells of but for
// the outcome and the reason. Faults of ours and what passes by itself are no
// refusals. A record that cannot be kept now is kept later.
func (u *Recorder) Refused(ctx context.Context, r domain.AuditRecord, err error) {
	e := (*domain.Error)(nil)
	if !errors.As(err, &e) || e.Code == domain.Internal || e.Code == domain.Unavailable {
		return
	}
	r.At, r.Outcome = u.Clock.Now(), string(e.Code)
	r.Detail = maps.Clone(r.Detail)
	if r.Detail == nil {
		r.Detail = map[string]string{}
	}
	r.Detail["reason"] = e.Message
	r.Target = storable(r.Target)
	for name, value := range r.Detail {
		r.Detail[name] = storable(value)
	}
	first := u.count(r)
	if first == nil {
		return
	}
	if u.keep(ctx, []domain.AuditRecord{first.record}) != nil {
		u.mu.Lock()
		first.more++
		u.mu.Unlock()
	}
}

// storable returns s without what a database may not take: clients write parts of
// it, and one record that is never taken would keep back all others.
func storable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

// count notes a refusal, and returns it when it is the first of its kind.
func (u *Recorder) count(r domain.AuditRecord) *told {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.seen == nil {
		u.seen, u.actors = map[kind]*told{}, map[actor]int{}
	}
	k := kind{actor{r.Actor.Kind, r.Actor.ID, r.Actor.From}, r.Action, r.Target, r.Outcome}
	if u.seen[k] == nil && u.actors[k.actor] >= perActor {
		k.target, r.Target = "", ""
	}
	if u.seen[k] == nil && len(u.seen) >= overall {
		k.actor, k.target = actor{kind: r.Actor.Kind}, ""
		r.Actor, r.Target = domain.Actor{Kind: r.Actor.Kind}, ""
	}
	if t := u.seen[k]; t != nil {
		t.last = r.At
		t.more++
		return nil
	}
	t := &told{record: r, last: r.At}
	u.seen[k] = t
	u.actors[k.actor]++
	return t
}

// Flush keeps what was counted of kinds whose minute is over, or of all of them.
func (u *Recorder) Flush(ctx context.Context, everything bool) error {
	for {
		due := u.due(everything)
		if len(due) == 0 {
			return nil
		}
		var records []domain.AuditRecord
		for _, t := range due {
			r := t.record
			r.At, r.Detail = t.last, maps.Clone(r.Detail)
			r.Detail["times"], r.Detail["since"] = fmt.Sprint(t.more), t.record.At.UTC().Format(time.RFC3339)
			records = append(records, r)
		}
		if err := u.keep(ctx, records); err != nil {
			u.again(due)
			return err
		}
	}
}

// due takes kinds out that have something to tell, and forgets those that have not.
func (u *Recorder) due(everything bool) (due []*told) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := u.Clock.Now()
	for k, t := range u.seen {
		if len(due) == atOnce || !everything && now.Before(t.record.At.Add(window)) {
			continue
		}
		if t.more > 0 {
			due = append(due, t)
		}
		delete(u.seen, k)
		if u.actors[k.actor]--; u.actors[k.actor] == 0 {
			delete(u.actors, k.actor)
		}
	}
	return due
}

// again puts back what could not be kept.
func (u *Recorder) again(due []*told) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, t := range due {
		r := t.record
		k := kind{actor{r.Actor.Kind, r.Actor.ID, r.Actor.From}, r.Action, r.Target, r.Outcome}
		if have := u.seen[k]; have != nil {
			have.more += t.more
			have.record.At = t.record.At
			continue
		}
		u.seen[k] = t
		u.actors[k.actor]++
	}
}

func (u *Recorder) keep(ctx context.Context, records []domain.AuditRecord) error {
	return u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		for _, r := range records {
			if err := tx.Audit.Record(ctx, r); err != nil {
				return err
			}
		}
		return nil
	})
}

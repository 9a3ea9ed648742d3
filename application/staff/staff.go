// Package staff signs the people of CMS in and out of the console, and refuses
// what their roles do not let them do.
package staff

import (
	"context"
	"maps"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// UseCase keeps the sessions of the console.
type UseCase struct {
	Store  ports.UnitOfWork
	Clock  ports.Clock
	Limits domain.SessionLimits
}

// touched is how far a session may have been seen without that being written
// down: a page with ten requests writes once.
const touched = 20 * time.Second

// arriving is how long somebody may take from the notice to being signed in.
const arriving = 30 * time.Minute

// Agree begins a session for somebody who has acknowledged the notice and is
// about to sign in, and returns the key that the browser is to hold. Notes are
// kept with it until then.
func (u *UseCase) Agree(ctx context.Context, notes map[string]string) (key string, s domain.Session, err error) {
	now := u.Clock.Now()
	key = domain.NewKey()
	s = domain.Session{ID: domain.SessionID(key), FormToken: domain.NewKey(), CreatedAt: now, SeenAt: now, EndsAt: now.Add(arriving), AgreedAt: now, Notes: notes}
	return key, s, u.put(ctx, s)
}

// Note keeps something with the session. An empty value forgets it.
func (u *UseCase) Note(ctx context.Context, s domain.Session, notes map[string]string) (domain.Session, error) {
	s.Notes = maps.Clone(s.Notes)
	if s.Notes == nil {
		s.Notes = map[string]string{}
	}
	for name, value := range notes {
		if s.Notes[name] = value; value == "" {
			delete(s.Notes, name)
		}
	}
	return s, u.put(ctx, s)
}

func (u *UseCase) put(ctx context.Context, s domain.Session) error {
	return u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error { return tx.Sessions.Put(ctx, s) })
}

// SignIn turns a session whose holder acknowledged the notice into one of the
// person, under a new key: who held the old one before gains nothing. Sessions
// that are over are forgotten on the way. It fails with unauthenticated when the
// notice was not acknowledged.
func (u *UseCase) SignIn(ctx context.Context, before domain.Session, a domain.Arrival) (key string, s domain.Session, err error) {
	now, who := u.Clock.Now(), a.Who
	if before.AgreedAt.IsZero() || before.SignedIn() || !now.Before(before.EndsAt) {
		return "", s, domain.Errorf(domain.Unauthenticated, "The notice was not acknowledged.").WithNext("Begin again with the notice.")
	}
	key = domain.NewKey()
	s = domain.Session{ID: domain.SessionID(key), Staff: who, FormToken: domain.NewKey(), CreatedAt: now, SeenAt: now, EndsAt: now.Add(u.Limits.Life),
		AgreedAt: before.AgreedAt, Provider: a.Session, Notes: before.Notes}
	s.Proved(a.ProvedAt)
	if a.Token != "" {
		s.Notes[TokenNote] = a.Token
	}
	err = u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		if _, err := tx.Sessions.Remove(ctx, ports.SessionMatch{ID: before.ID}); err != nil {
			return err
		}
		if _, err := tx.Sessions.Remove(ctx, ports.SessionMatch{EndedBefore: now}); err != nil {
			return err
		}
		if err := tx.Sessions.Put(ctx, s); err != nil {
			return err
		}
		return tx.Audit.Record(ctx, who.Told(now, "console.sign_in", who.ID, "done"))
	})
	return key, s, err
}

// TokenNote is the note of what tells the identity provider of whom a sign-out is.
const TokenNote = "provider token"

// FreshFor is how long somebody who proved who they are may be shown a secret.
const FreshFor = 5 * time.Minute

// Fresh reports whether the person proved who they are a moment ago.
func (u *UseCase) Fresh(s domain.Session) bool { return s.ProvedWithin(FreshFor, u.Clock.Now()) }

// Prove notes that somebody who is signed in has proved anew who they are. It
// fails with forbidden when it was somebody else, and tells that too.
func (u *UseCase) Prove(ctx context.Context, s domain.Session, who domain.Staff, a domain.Arrival) (domain.Session, error) {
	outcome := "done"
	if a.Who.ID != s.Staff.ID {
		outcome = string(domain.Forbidden)
	} else {
		s.Proved(a.ProvedAt)
	}
	err := u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Sessions.Put(ctx, s); err != nil {
			return err
		}
		return tx.Audit.Record(ctx, who.Told(u.Clock.Now(), "console.prove", who.ID, outcome))
	})
	if err == nil && outcome != "done" {
		err = domain.Errorf(domain.Forbidden, "The identity provider says that you are somebody else than who is signed in here.").WithNext("Sign out, and sign in as the one you are.")
	}
	return s, err
}

// Resume returns the session that a key opens. It fails with unauthenticated,
// saying why, when there is none or its time is over; then the session is
// returned too where there still is one. A passive look does not keep a session
// from becoming idle.
func (u *UseCase) Resume(ctx context.Context, key string, passive bool) (s domain.Session, err error) {
	now := u.Clock.Now()
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		s, err = tx.Sessions.Get(ctx, domain.SessionID(key))
		return err
	})
	if domain.CodeOf(err) == domain.NotFound {
		return s, domain.Errorf(domain.Unauthenticated, "You are not signed in.").WithNext("Sign in.")
	} else if err != nil {
		return s, err
	}
	limits := u.Limits
	if !s.SignedIn() {
		limits.Idle = arriving
	}
	if err := s.Check(now, limits); err != nil {
		return s, err
	}
	if passive || now.Before(s.SeenAt.Add(touched)) {
		return s, nil
	}
	s.SeenAt = now
	return s, u.put(ctx, s)
}

// SignOut ends the session.
func (u *UseCase) SignOut(ctx context.Context, s domain.Session, who domain.Staff) error {
	return u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		n, err := tx.Sessions.Remove(ctx, ports.SessionMatch{ID: s.ID})
		if err != nil || n == 0 {
			return err
		}
		return tx.Audit.Record(ctx, who.Told(u.Clock.Now(), "console.sign_out", who.ID, "done"))
	})
}

// EndAll ends the sessions that the identity provider says are over: those of
// a session of its own, or all of a person. At least one of the two is given.
func (u *UseCase) EndAll(ctx context.Context, provider, person string) error {
	return u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		n, err := tx.Sessions.Remove(ctx, ports.SessionMatch{Provider: provider, Staff: person})
		if err != nil || n == 0 {
			return err
		}
		return tx.Audit.Record(ctx, domain.AuditRecord{At: u.Clock.Now(), Actor: domain.System("identity provider"), Action: "console.sign_out", Target: person, Outcome: "done"})
	})
}

// Present returns the sessions that are in use, those seen last first. It fails
// with forbidden.
func (u *UseCase) Present(ctx context.Context, who domain.Staff) (present []domain.Session, err error) {
	now := u.Clock.Now()
	if err := Permit(ctx, u.Store, now, who, domain.MayManageSettings, "console.sessions", ""); err != nil {
		return nil, err
	}
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		all, err := tx.Sessions.List(ctx, now)
		for _, s := range all {
			if s.Check(now, u.Limits) == nil {
				present = append(present, s)
			}
		}
		return err
	})
	return present, err
}

// Permit returns nil when the person may do something. Else it writes the try
// down in the audit trail and returns forbidden, naming the roles that may.
func Permit(ctx context.Context, store ports.UnitOfWork, at time.Time, who domain.Staff, p domain.Permission, action, target string) error {
	if who.May(p) {
		return nil
	}
	if err := store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		return tx.Audit.Record(ctx, who.Told(at, action, target, string(domain.Forbidden), "needs", string(p)))
	}); err != nil {
		return err
	}
	roles := ""
	for i, r := range p.Holders() {
		if i > 0 {
			roles += " or "
		}
		roles += r.Title()
	}
	return domain.Errorf(domain.Forbidden, "Your role does not let you do this.").WithNext("It needs the role " + roles + ". Ask an admin for it.")
}

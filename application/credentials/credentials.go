// Package credentials lets clients in at the token endpoint: by a secret, or by
// an assertion that they signed. Whoever tries too often is made to wait, and
// whoever fails is told of.
package credentials

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/netip"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Settings are the bounds of the token endpoint.
type Settings struct {
	Client  domain.Rate // tokens of a client
	Address domain.Rate // requests of an address
	Failing domain.Rate // failed attempts of an address as one client; and ten times as many as any

	// Public are credentials that everybody knows: those of the sandbox.
	Public []Public
}

// Public is a credential that everybody knows.
type Public struct {
	ID     string
	Secret string
	Client domain.ClientID // whom it lets in; ID if empty
}

// UseCase lets clients in.
type UseCase struct {
	Store      ports.UnitOfWork
	Clock      ports.Clock
	Assertions ports.Assertions
	Limits     ports.Limits
	SecretKey  domain.SecretKey
	Settings   Settings
}

// Assertion is a signed assertion whose signature was verified.
type Assertion struct {
	Client  domain.ClientID
	ID      string // its jti
	Expires time.Time
	From    netip.Addr
}

// Arrive tells that a request came from an address. It fails with throttled when
// too many did.
func (u *UseCase) Arrive(ctx context.Context, from netip.Addr) error {
	return u.take(ctx, "token/address/"+from.String(), 1, u.Settings.Address, "There were too many requests for tokens from this address.")
}

// Secret lets in the client that a secret is of. It fails with unauthenticated,
// in the same words whatever was wrong, with forbidden for an address that the
// client may not call from, and with throttled.
func (u *UseCase) Secret(ctx context.Context, id, secret string, from netip.Addr) (domain.Client, error) {
	id = written(id)
	if err := u.patience(ctx, id, from); err != nil {
		return domain.Client{}, err
	}
	c, right, err := u.right(ctx, id, secret)
	if err != nil {
		return domain.Client{}, err
	}
	if !right {
		return domain.Client{}, u.Refuse(ctx, id, from, "secret")
	}
	return u.in(ctx, c, from)
}

// Right reports whether Secret would find a secret right. It tells nobody of it
// and bounds nothing, so that whoever asks goes on to Secret.
func (u *UseCase) Right(ctx context.Context, id, secret string) bool {
	_, right, err := u.right(ctx, written(id), secret)
	return err == nil && right
}

func (u *UseCase) right(ctx context.Context, id, secret string) (domain.Client, bool, error) {
	hash, right, alias := u.SecretKey.Hash(secret), 0, domain.ClientID(id)
	for _, p := range u.Settings.Public {
		if p.ID != id {
			continue
		}
		if right |= subtle.ConstantTimeCompare(u.SecretKey.Hash(p.Secret), hash); p.Client != "" {
			alias = p.Client
		}
	}
	c, known, err := u.known(ctx, alias)
	return c, err == nil && known && c.Enabled && (right == 1 || c.HasSecret(hash, u.Clock.Now())), err
}

// Client returns the enabled client of that id, whose keys an assertion is to be
// verified with. It fails with unauthenticated and with throttled.
func (u *UseCase) Client(ctx context.Context, id domain.ClientID, from netip.Addr) (domain.Client, error) {
	id = domain.ClientID(written(string(id)))
	if err := u.patience(ctx, string(id), from); err != nil {
		return domain.Client{}, err
	}
	c, known, err := u.known(ctx, id)
	if err == nil && (!known || !c.Enabled) {
		err = u.Refuse(ctx, string(id), from, "client")
	}
	return c, err
}

// Asserted lets in the client that signed an assertion. It fails with
// unauthenticated for one that was used before, with forbidden for an address
// that the client may not call from, and with throttled.
func (u *UseCase) Asserted(ctx context.Context, a Assertion) (domain.Client, error) {
	c, known, err := u.known(ctx, a.Client)
	if err != nil {
		return domain.Client{}, err
	}
	if !known || !c.Enabled {
		return domain.Client{}, u.Refuse(ctx, string(a.Client), a.From, "client")
	}
	err = u.Assertions.Use(ctx, a.Client, a.ID, a.Expires)
	if domain.CodeOf(err) == domain.Conflict {
		_ = u.Refuse(ctx, string(a.Client), a.From, "replay") // its words would be less exact
		return domain.Client{}, domain.Errorf(domain.Unauthenticated, "The assertion was used before.").WithNext("Sign a new one, with a jti of its own, for each request.")
	}
	if err != nil {
		return domain.Client{}, err
	}
	return u.in(ctx, c, a.From)
}

// Refuse tells that an attempt to be a client failed, and returns the refusal:
// in the same words for a client that is not there.
func (u *UseCase) Refuse(ctx context.Context, id string, from netip.Addr, why string) error {
	id = written(id)
	for _, key := range failing(id, from) {
		if _, err := u.Limits.Take(ctx, key.name, 1, key.rate(u.Settings.Failing)); err != nil {
			return err
		}
	}
	err := u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		if _, err := tx.Clients.Get(ctx, domain.ClientID(id)); err == nil {
			if err := tx.Activity.Failed(ctx, domain.ClientID(id), u.Clock.Now()); err != nil {
				return err
			}
		} else if domain.CodeOf(err) != domain.NotFound {
			return err
		}
		return u.record(ctx, tx, id, from, string(domain.Unauthenticated), why)
	})
	if err != nil {
		return err
	}
	return domain.Errorf(domain.Unauthenticated, "The client is not known, is disabled, or did not prove that it is this client.").
		WithNext("Check the client id and the secret or the signing key. If they are right, ask the help desk whether the client is enabled.")
}

// in lets a client in that proved who it is.
func (u *UseCase) in(ctx context.Context, c domain.Client, from netip.Addr) (domain.Client, error) {
	if !c.MayCallFrom(from) {
		if err := u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
			return u.record(ctx, tx, string(c.ID), from, string(domain.Forbidden), "address")
		}); err != nil {
			return domain.Client{}, err
		}
		return domain.Client{}, domain.Errorf(domain.Forbidden, "This client may not call from the address %s.", from).
			WithNext("Call from an address that is registered for the client, or ask the help desk to register this one.")
	}
	if err := u.take(ctx, "token/client/"+string(c.ID), 1, u.Settings.Client, "There were too many requests for tokens of this client."); err != nil {
		return domain.Client{}, err
	}
	return c, u.used(ctx, c.ID, from)
}

// often is how exact the time of last use is kept, so that a token does not cost
// a write each time.
const often = time.Minute

func (u *UseCase) used(ctx context.Context, id domain.ClientID, from netip.Addr) error {
	now, told := u.Clock.Now(), false
	err := u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		known, err := tx.Activity.Of(ctx, []domain.ClientID{id})
		a := known[id]
		told = a.Failures == 0 && a.LastFrom == from && now.Sub(a.LastUsed) < often
		return err
	})
	if err != nil || told {
		return err
	}
	return u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error { return tx.Activity.Used(ctx, id, now, from) })
}

func (u *UseCase) known(ctx context.Context, id domain.ClientID) (c domain.Client, known bool, err error) {
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) (err error) {
		c, err = tx.Clients.Get(ctx, id)
		return err
	})
	if domain.CodeOf(err) == domain.NotFound {
		return domain.Client{}, false, nil
	}
	return c, err == nil, err
}

// written is an id as it can be looked up and written down: what strangers send
// may be anything, and nothing that has to be changed here is anybody's id.
func written(id string) string {
	const plenty = 64
	b := []byte(id[:min(len(id), plenty+1)])
	for i, c := range b {
		if c <= ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}

// failed is something that attempts fail at, with how many more it bears than
// the one thing that a rate is for.
type failed struct {
	name  string
	times int
}

func (f failed) rate(r domain.Rate) domain.Rate {
	return domain.Rate{Burst: r.Burst * f.times, Per: r.Per / time.Duration(f.times)}
}

// failing is by address, so that nobody locks a client out from elsewhere.
func failing(id string, from netip.Addr) []failed {
	sum := sha256.Sum256([]byte(id)) // ids that strangers make up have any length
	return []failed{{"failed/" + from.String() + "/" + hex.EncodeToString(sum[:8]), 1}, {"failed/" + from.String(), 10}}
}

// patience fails with throttled for whoever failed too often.
func (u *UseCase) patience(ctx context.Context, id string, from netip.Addr) error {
	for _, key := range failing(id, from) {
		if err := u.take(ctx, key.name, 0, key.rate(u.Settings.Failing), "There were too many failed attempts from this address."); err != nil {
			return err
		}
	}
	return nil
}

func (u *UseCase) take(ctx context.Context, key string, n int, r domain.Rate, why string) error {
	wait, err := u.Limits.Take(ctx, key, n, r)
	if err != nil || wait == 0 {
		return err
	}
	e := domain.Errorf(domain.Throttled, "%s", why).WithNext("Wait as long as Retry-After says. A token can be used for many requests until it expires.")
	e.RetryAfter = wait
	return e
}

func (u *UseCase) record(ctx context.Context, tx ports.Tx, id string, from netip.Addr, outcome, why string) error {
	return tx.Audit.Record(ctx, domain.AuditRecord{At: u.Clock.Now(), Actor: domain.Actor{Kind: "client", ID: id, From: from.String()},
		Action: "client.authenticate", Target: id, Outcome: outcome, Detail: map[string]string{"why": why}})
}

// Package clients keeps the sponsors' API clients: who they are, what they prove
// themselves with, and from where they may call. Whatever is done tells who did
// it and why.
package clients

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Settings are the rules of clients that a site may set.
type Settings struct {
	Networks   int           // address blocks that a client may have; 0 is 8
	SecretLife time.Duration // of a secret of ours; 0 is for ever
	PlainKeys  bool          // addresses of keys may be http, on this machine only: for trying out
}

// defaultNetworks is how many AB2D registers.
const defaultNetworks = 8

// LongestOverlap is how long a secret may count on after it was rotated.
const LongestOverlap = 30 * 24 * time.Hour

// UseCase keeps clients.
type UseCase struct {
	Store     ports.UnitOfWork
	Clock     ports.Clock
	KeySets   ports.KeySets
	SecretKey domain.SecretKey
	Settings  Settings
}

// By says who does something, and why.
type By struct {
	Actor  domain.Actor
	Roles  []domain.Role // of staff
	Reason string
	Told   map[string]string `json:"-"` // what the audit trail tells of who does it, as domain.Staff.Details
}

// New is a client to be.
type New struct {
	By
	ID        domain.ClientID // what another issuer calls it; empty for a random one
	Sponsor   domain.SponsorID
	Name      string
	Contracts []domain.ContractNumber
	Networks  []netip.Prefix
	Keys      domain.ClientKeys
	Secret    bool // make a secret
}

// Created is a client with its secret, which is shown this once and is kept
// nowhere. It is empty where none was asked for.
type Created struct {
	Client domain.Client
	Secret string
}

// Create registers an enabled client. It fails with forbidden, with invalid for
// what a client cannot be, and with a conflict when there is one of that id.
func (u *UseCase) Create(ctx context.Context, cmd New) (made Created, err error) {
	err = u.recorded(ctx, cmd.By, Create, cmd.ID, func(ctx context.Context, tx ports.Tx) (domain.ClientID, map[string]string, error) {
		var detail map[string]string
		made, detail, err = u.create(ctx, tx, cmd)
		return made.Client.ID, detail, err
	})
	if err != nil {
		return Created{}, err
	}
	return made, nil
}

// CreateIn is Create as part of a larger unit of work. A refusal leaves nothing
// behind.
func (u *UseCase) CreateIn(ctx context.Context, tx ports.Tx, cmd New) (Created, error) {
	err := may(cmd.By, Create)
	if err == nil {
		err = reasonable(cmd.Reason)
	}
	if err != nil {
		return Created{}, err
	}
	made, detail, err := u.create(ctx, tx, cmd)
	if err != nil {
		return Created{}, err
	}
	return made, u.record(ctx, tx, cmd.By, Create, made.Client.ID, "done", detail)
}

// Check fails as Create would for what the client cannot be, and changes nothing.
func (u *UseCase) Check(ctx context.Context, cmd New) error {
	return u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		c, _ := u.toBe(cmd)
		if err := u.check(ctx, tx, &c); err != nil {
			return err
		}
		return usable(ctx, tx, c.Sponsor)
	})
}

// usable refuses a client of a sponsor that takes part no more.
func usable(ctx context.Context, tx ports.Tx, id domain.SponsorID) error {
	s, err := tx.Sponsors.Get(ctx, id)
	if err != nil {
		return err
	}
	return s.Usable()
}

// toBe is the client that a command asks for.
func (u *UseCase) toBe(cmd New) (c domain.Client, secret string) {
	c = domain.Client{ID: cmd.ID, Sponsor: cmd.Sponsor, Name: strings.TrimSpace(cmd.Name), Contracts: cmd.Contracts, Networks: cmd.Networks,
		Keys: cmd.Keys, Enabled: true, CreatedAt: u.Clock.Now()}
	if c.ID == "" {
		c.ID = domain.NewClientID()
	}
	if cmd.Secret {
		secret = domain.NewSecret()
		c.Rotate(u.secret(secret, c.CreatedAt), 0)
	}
	return c, secret
}

func (u *UseCase) create(ctx context.Context, tx ports.Tx, cmd New) (Created, map[string]string, error) {
	c, secret := u.toBe(cmd)
	if err := u.check(ctx, tx, &c); err != nil {
		return Created{}, nil, err
	}
	if err := usable(ctx, tx, c.Sponsor); err != nil {
		return Created{}, nil, err
	}
	switch _, err := tx.Clients.Get(ctx, c.ID); domain.CodeOf(err) {
	case domain.NotFound:
	case "":
		return Created{}, nil, domain.Errorf(domain.Conflict, "There is a client %s already.", c.ID).WithNext("Change that one, or give another id.")
	default:
		return Created{}, nil, err
	}
	return Created{c, secret}, map[string]string{"sponsor": string(c.Sponsor), "client name": c.Name, "contracts": numbers(c.Contracts), "networks": blocks(c.Networks),
		"keys": keys(c.Keys), "secret": secretIDs(c.Secrets)}, tx.Clients.Put(ctx, c)
}

// Rotate gives the client a new secret, which is shown this once. The one
// before counts for the overlap longer; with none it is over at once.
func (u *UseCase) Rotate(ctx context.Context, by By, id domain.ClientID, overlap time.Duration) (Created, error) {
	if overlap < 0 || overlap > LongestOverlap {
		return Created{}, domain.Errorf(domain.Invalid, "Two secrets can overlap for up to %d days.", int(LongestOverlap.Hours()/24)).
			WithNext("Give a shorter overlap.")
	}
	secret := domain.NewSecret()
	c, err := u.change(ctx, by, Rotate, id, func(_ context.Context, _ ports.Tx, c *domain.Client) (map[string]string, error) {
		before := secretIDs(c.LiveSecrets(u.Clock.Now()))
		c.Rotate(u.secret(secret, u.Clock.Now()), overlap)
		return map[string]string{"before": before, "after": secretIDs(c.Secrets), "overlap": overlap.String()}, nil
	})
	if err != nil {
		return Created{}, err
	}
	return Created{c, secret}, nil
}

// RevokeSecret ends one secret at once. It fails with not_found when the client
// has none of that id.
func (u *UseCase) RevokeSecret(ctx context.Context, by By, id domain.ClientID, secret string) error {
	_, err := u.change(ctx, by, Revoke, id, func(_ context.Context, _ ports.Tx, c *domain.Client) (map[string]string, error) {
		if !c.Revoke(secret) {
			return nil, domain.Errorf(domain.NotFound, "The client has no such secret.").WithNext("It may be over already: look at the client again.")
		}
		return map[string]string{"secret": secret}, nil
	})
	return err
}

// SetEnabled lets the client use the API, or no longer: from then on it gets no
// token, and those it has are refused.
func (u *UseCase) SetEnabled(ctx context.Context, by By, id domain.ClientID, enabled bool) error {
	action := Enable
	if !enabled {
		action = Disable
	}
	_, err := u.change(ctx, by, action, id, func(ctx context.Context, tx ports.Tx, c *domain.Client) (map[string]string, error) {
		if enabled {
			if err := usable(ctx, tx, c.Sponsor); err != nil {
				return nil, err
			}
		}
		before := fmt.Sprint(c.Enabled)
		c.Enabled = enabled
		return map[string]string{"before": before, "after": fmt.Sprint(enabled)}, nil
	})
	return err
}

// SetNetworks says from which addresses the client may call; none is from any.
func (u *UseCase) SetNetworks(ctx context.Context, by By, id domain.ClientID, networks []netip.Prefix) error {
	_, err := u.change(ctx, by, Networks, id, func(ctx context.Context, tx ports.Tx, c *domain.Client) (map[string]string, error) {
		before := blocks(c.Networks)
		c.Networks = networks
		err := u.check(ctx, tx, c)
		return map[string]string{"before": before, "after": blocks(c.Networks)}, err
	})
	return err
}

// SetKeys says where the client's public keys are; the zero value is nowhere.
func (u *UseCase) SetKeys(ctx context.Context, by By, id domain.ClientID, k domain.ClientKeys) error {
	_, err := u.change(ctx, by, Keys, id, func(ctx context.Context, tx ports.Tx, c *domain.Client) (map[string]string, error) {
		before := keys(c.Keys)
		c.Keys = k
		err := u.check(ctx, tx, c)
		return map[string]string{"before": before, "after": keys(c.Keys)}, err
	})
	return err
}

// SetContracts says for which contracts of its sponsor the client is.
func (u *UseCase) SetContracts(ctx context.Context, by By, id domain.ClientID, contracts []domain.ContractNumber) error {
	_, err := u.change(ctx, by, Contracts, id, func(ctx context.Context, tx ports.Tx, c *domain.Client) (map[string]string, error) {
		before := numbers(c.Contracts)
		c.Contracts = contracts
		err := u.check(ctx, tx, c)
		return map[string]string{"before": before, "after": numbers(c.Contracts)}, err
	})
	return err
}

// Known is a client with what is known of its use.
type Known struct {
	domain.Client
	Activity domain.ClientActivity
}

// List returns all clients by id.
func (u *UseCase) List(ctx context.Context) (known []Known, err error) {
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		all, err := tx.Clients.List(ctx)
		if err != nil {
			return err
		}
		known, err = withActivity(ctx, tx, all)
		return err
	})
	return known, err
}

// Get returns a client, or not_found.
func (u *UseCase) Get(ctx context.Context, id domain.ClientID) (known Known, err error) {
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		c, err := tx.Clients.Get(ctx, id)
		if err != nil {
			return err
		}
		one, err := withActivity(ctx, tx, []domain.Client{c})
		if err == nil {
			known = one[0]
		}
		return err
	})
	return known, err
}

func withActivity(ctx context.Context, tx ports.Tx, all []domain.Client) ([]Known, error) {
	ids := make([]domain.ClientID, len(all))
	for i, c := range all {
		ids[i] = c.ID
	}
	activity, err := tx.Activity.Of(ctx, ids)
	if err != nil {
		return nil, err
	}
	known := make([]Known, len(all))
	for i, c := range all {
		known[i] = Known{c, activity[c.ID]}
	}
	return known, nil
}

func (u *UseCase) secret(secret string, now time.Time) domain.ClientSecret {
	s := domain.ClientSecret{ID: domain.NewSecretID(), Hash: u.SecretKey.Hash(secret), CreatedAt: now}
	if u.Settings.SecretLife > 0 {
		s.ExpiresAt = now.Add(u.Settings.SecretLife)
	}
	return s
}

// change changes one client and returns it as it then is. do returns what the
// audit trail is to tell.
func (u *UseCase) change(ctx context.Context, by By, action string, id domain.ClientID,
	do func(context.Context, ports.Tx, *domain.Client) (map[string]string, error)) (changed domain.Client, err error) {
	err = u.recorded(ctx, by, action, id, func(ctx context.Context, tx ports.Tx) (_ domain.ClientID, detail map[string]string, err error) {
		err = tx.Clients.Update(ctx, id, func(c *domain.Client) error {
			detail, err = do(ctx, tx, c)
			changed = *c
			return err
		})
		return id, detail, err
	})
	return changed, err
}

// recorded does something as one fact with its record. What is refused is told
// beside it.
func (u *UseCase) recorded(ctx context.Context, by By, action string, id domain.ClientID, do func(context.Context, ports.Tx) (domain.ClientID, map[string]string, error)) error {
	err := may(by, action)
	if err == nil {
		err = reasonable(by.Reason)
	}
	if err == nil {
		err = u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
			id, detail, err := do(ctx, tx)
			if err != nil {
				return err
			}
			return u.record(ctx, tx, by, action, id, "done", detail)
		})
	}
	if code := domain.CodeOf(err); err != nil && code != domain.Internal && code != domain.Unavailable {
		if auditErr := u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
			return u.record(ctx, tx, by, action, id, string(code), nil)
		}); auditErr != nil {
			return auditErr
		}
	}
	return err
}

func (u *UseCase) record(ctx context.Context, tx ports.Tx, by By, action string, id domain.ClientID, outcome string, detail map[string]string) error {
	r := domain.AuditRecord{At: u.Clock.Now(), Actor: by.Actor, Action: action, Target: string(id), Outcome: outcome, Detail: map[string]string{"reason": by.Reason[:min(len(by.Reason), longest)]}}
	return tx.Audit.Record(ctx, r.Telling(detail).Telling(by.Told))
}

var clientID = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,64}$`)

// check refuses what a client cannot be, and brings lists into order.
func (u *UseCase) check(ctx context.Context, tx ports.Tx, c *domain.Client) error {
	invalid := func(next, format string, args ...any) error {
		return domain.Errorf(domain.Invalid, format, args...).WithNext(next)
	}
	if !clientID.MatchString(string(c.ID)) {
		return invalid("Use up to 64 letters, digits and the marks . _ ~ -.", "This is no id of a client.")
	}
	if c.Name == "" || len(c.Name) > 200 {
		return invalid("Give a name of up to 200 characters.", "The client has no name, or too long a one.")
	}
	if err := u.checkContracts(ctx, tx, c, invalid); err != nil {
		return err
	}
	if err := u.checkNetworks(c, invalid); err != nil {
		return err
	}
	return u.checkKeys(c, invalid)
}

type refusal func(next, format string, args ...any) error

func (u *UseCase) checkContracts(ctx context.Context, tx ports.Tx, c *domain.Client, invalid refusal) error {
	if _, err := tx.Sponsors.Get(ctx, c.Sponsor); domain.CodeOf(err) == domain.NotFound {
		return invalid("Choose a sponsor that is registered.", "There is no sponsor %s.", c.Sponsor)
	} else if err != nil {
		return err
	}
	if len(c.Contracts) == 0 {
		return invalid("Choose one or more contracts of the sponsor.", "The client is for no contract.")
	}
	c.Contracts = slices.Compact(slices.Sorted(slices.Values(c.Contracts)))
	for _, n := range c.Contracts {
		held, err := tx.Contracts.Get(ctx, n)
		if domain.CodeOf(err) == domain.NotFound || err == nil && held.Sponsor != c.Sponsor {
			return invalid("Choose contracts of the sponsor.", "The sponsor %s has no contract %s.", c.Sponsor, n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func numbers(all []domain.ContractNumber) string { return joined(all) }

func secretIDs(all []domain.ClientSecret) string {
	var ids []string
	for _, s := range all {
		ids = append(ids, s.ID)
	}
	return joined(ids)
}

func joined[S ~string](all []S) string {
	texts := make([]string, len(all))
	for i, s := range all {
		texts[i] = string(s)
	}
	return strings.Join(texts, " ")
}

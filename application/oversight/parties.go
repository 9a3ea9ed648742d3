package oversight

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"cms.gov/ab2d/application/listing"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// The actions on sponsors and contracts, as they stand in the audit trail.
const (
	AddSponsor        = "sponsor.add"
	EditSponsor       = "sponsor.edit"
	MergeSponsor      = "sponsor.merge"
	DeactivateSponsor = "sponsor.deactivate"
	ActivateSponsor   = "sponsor.activate"
	AddContract       = "contract.add"
	EditContract      = "contract.edit"
)

// keep changes what staff keep of a sponsor or a contract, as one fact with its
// record. change returns what was before and what is after.
func (u *UseCase) keep(ctx context.Context, who domain.Staff, action, target string, why domain.Reason,
	change func(ctx context.Context, tx ports.Tx) (before, after string, err error)) error {
	if err := u.permit(ctx, who, domain.MayManageContracts, action, target); err != nil {
		return err
	}
	err := why.Check()
	if err == nil {
		err = u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
			before, after, err := change(ctx, tx)
			if err != nil {
				return err
			}
			return tx.Audit.Record(ctx, who.Told(u.Clock.Now(), action, target, "done", "reason", why.Text, "ticket", why.Ticket, "before", before, "after", after))
		})
	}
	return u.refused(ctx, err, who, action, target, why)
}

// stale refuses a change of what is not any more as whoever asks for it saw it.
func stale(seen, now string) error {
	if seen == now {
		return nil
	}
	return domain.Errorf(domain.Conflict, "It was changed since you opened the form.").WithNext("Look at what it is now, and send the form again if yours is right.")
}

// LastChange tells who last changed a sponsor or a contract, and when, for who
// may keep them: nobody, where the trail does not reach back.
func (u *UseCase) LastChange(ctx context.Context, who domain.Staff, target string) (name string, at time.Time, err error) {
	if err := u.permit(ctx, who, domain.MayManageContracts, "history.see", target); err != nil {
		return "", at, err
	}
	for _, kind := range []string{"sponsor.", "contract.", "hpms.contract."} {
		found, err := u.Audit.Search(ctx, ports.AuditQuery{Target: target, Action: kind, Outcome: "done", Limit: 1})
		if err != nil {
			return "", at, err
		}
		for _, e := range found {
			if e.Target == target && e.At.After(at) {
				if name, at = e.Detail["name"], e.At; name == "" || e.Actor.Kind != "staff" {
					name = map[bool]string{true: "HPMS", false: e.Actor.ID}[strings.HasPrefix(kind, "hpms.")]
				}
			}
		}
	}
	return name, at, nil
}

func sponsorSays(s domain.Sponsor) string {
	said := fmt.Sprintf("name %q, parent organization %q", s.Name, s.Parent)
	if s.ID.IsListed() {
		said += map[bool]string{true: ", follows HPMS", false: ", kept by staff"}[s.Updates.Follow()]
	}
	return said
}

// AddSponsor registers a sponsor that HPMS does not know, and returns its id. It
// fails with forbidden and with invalid.
func (u *UseCase) AddSponsor(ctx context.Context, who domain.Staff, name, parent string, why domain.Reason) (domain.SponsorID, error) {
	s := domain.Sponsor{ID: domain.NewSponsorID()}
	return s.ID, u.keep(ctx, who, AddSponsor, string(s.ID), why, func(ctx context.Context, tx ports.Tx) (string, string, error) {
		if err := s.Edit(name, parent, domain.Manual); err != nil {
			return "", "", err
		}
		return "", sponsorSays(s), tx.Sponsors.Put(ctx, s)
	})
}

// EditSponsor changes a sponsor's name and who keeps it. It fails with forbidden,
// invalid, not_found, with a business_rule for what HPMS would overwrite, and
// with a conflict when it is not of the version any more that was seen.
func (u *UseCase) EditSponsor(ctx context.Context, who domain.Staff, id domain.SponsorID, seen, name, parent string, updates domain.Updates, why domain.Reason) error {
	return u.keep(ctx, who, EditSponsor, string(id), why, func(ctx context.Context, tx ports.Tx) (before, after string, err error) {
		err = tx.Sponsors.Update(ctx, id, func(s *domain.Sponsor) error {
			if err := stale(seen, s.Version()); err != nil {
				return err
			}
			before = sponsorSays(*s)
			err := s.Edit(name, parent, updates)
			after = sponsorSays(*s)
			return err
		})
		if err == nil {
			err = listing.Wake(ctx, tx)
		}
		return before, after, err
	})
}

// Merged is what a merger of two sponsors moves.
type Merged struct {
	Contracts []domain.ContractNumber
	Clients   []domain.ClientID
	Jobs      int
}

// holdings is what a sponsor has.
func holdings(ctx context.Context, tx ports.Tx, id domain.SponsorID) (m Merged, err error) {
	contracts, err := tx.Contracts.List(ctx)
	if err != nil {
		return m, err
	}
	for _, c := range contracts {
		if c.Sponsor == id {
			m.Contracts = append(m.Contracts, c.Number)
		}
	}
	clients, err := tx.Clients.List(ctx)
	if err != nil {
		return m, err
	}
	for _, c := range clients {
		if c.Sponsor == id {
			m.Clients = append(m.Clients, c.ID)
		}
	}
	m.Jobs, err = tx.JobList.Count(ctx, ports.JobQuery{Sponsor: id})
	return m, err
}

// Holdings returns what a merger would move from a sponsor to another, to who
// may keep them.
func (u *UseCase) Holdings(ctx context.Context, who domain.Staff, id domain.SponsorID) (m Merged, err error) {
	if err := u.permit(ctx, who, domain.MayManageContracts, MergeSponsor, string(id)); err != nil {
		return m, err
	}
	return m, u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		m, err = holdings(ctx, tx, id)
		return err
	})
}

// MergeSponsor gives everything of a sponsor, which turned out to be another, to
// that other: its contracts with their attestations, its API clients, which go on
// as they are, and its jobs with their files. Nothing of them is lost, and what
// HPMS says of the one is from then on said of the other. It fails as EditSponsor does.
func (u *UseCase) MergeSponsor(ctx context.Context, who domain.Staff, id domain.SponsorID, seen string, into domain.SponsorID, why domain.Reason) error {
	return u.keep(ctx, who, MergeSponsor, string(id), why, func(ctx context.Context, tx ports.Tx) (before, after string, err error) {
		other := domain.Sponsor{}
		lock := func(s *domain.Sponsor) error { other = *s; return nil } // so that it is not merged itself meanwhile
		if err := tx.Sponsors.Update(ctx, into, lock); domain.CodeOf(err) == domain.NotFound {
			return "", "", domain.Errorf(domain.Invalid, "There is no sponsor %.60q to merge it into.", into).WithNext("Choose one of the list.")
		} else if err != nil {
			return "", "", err
		}
		if err := tx.Sponsors.Update(ctx, id, func(s *domain.Sponsor) error {
			if err := stale(seen, s.Version()); err != nil {
				return err
			}
			return s.MergeInto(other)
		}); err != nil {
			return "", "", err
		}
		m, err := holdings(ctx, tx, id)
		if err != nil {
			return "", "", err
		}
		for _, n := range m.Contracts { // first: a kick-off that is under way is done, or sees the merger
			if err := tx.Contracts.Update(ctx, n, func(c *domain.Contract) error { c.Sponsor = into; return nil }); err != nil {
				return "", "", err
			}
		}
		for _, c := range m.Clients {
			if err := tx.Clients.Update(ctx, c, func(c *domain.Client) error { c.Sponsor = into; return nil }); err != nil {
				return "", "", err
			}
		}
		if m.Jobs, err = tx.JobList.Reassign(ctx, id, into); err != nil {
			return "", "", err
		}
		after = fmt.Sprintf("merged into %s (%s): contracts %v, clients %v, %d jobs", into, other.Name, m.Contracts, m.Clients, m.Jobs)
		return "a sponsor of its own", after, tx.Audit.Record(ctx, who.Told(u.Clock.Now(), MergeSponsor, string(into), "done", "reason", why.Text, "ticket", why.Ticket, "takes over", string(id), "after", after))
	})
}

// DeactivateSponsor ends a sponsor's part in the programme: it gets no clients and
// no contracts any more. It fails as EditSponsor does, and with a business_rule
// while an attestation of it is active or a client enabled.
func (u *UseCase) DeactivateSponsor(ctx context.Context, who domain.Staff, id domain.SponsorID, seen string, why domain.Reason) error {
	return u.keep(ctx, who, DeactivateSponsor, string(id), why, func(ctx context.Context, tx ports.Tx) (string, string, error) {
		m, err := holdings(ctx, tx, id)
		if err != nil {
			return "", "", err
		}
		var attested []domain.ContractNumber
		for _, n := range m.Contracts {
			events, err := tx.Attestations.Of(ctx, n)
			if err != nil {
				return "", "", err
			}
			if domain.StandingOn(events, domain.Today(u.Clock.Now())).Active {
				attested = append(attested, n)
			}
		}
		var enabled []domain.ClientID
		for _, c := range m.Clients {
			if err := tx.Clients.Update(ctx, c, func(c *domain.Client) error { // so that none is enabled meanwhile
				if c.Enabled {
					enabled = append(enabled, c.ID)
				}
				return nil
			}); err != nil {
				return "", "", err
			}
		}
		return "active", "not active", tx.Sponsors.Update(ctx, id, func(s *domain.Sponsor) error {
			if err := stale(seen, s.Version()); err != nil {
				return err
			}
			return s.Deactivate(attested, enabled)
		})
	})
}

// ActivateSponsor takes that back. It fails as EditSponsor does.
func (u *UseCase) ActivateSponsor(ctx context.Context, who domain.Staff, id domain.SponsorID, seen string, why domain.Reason) error {
	return u.keep(ctx, who, ActivateSponsor, string(id), why, func(ctx context.Context, tx ports.Tx) (string, string, error) {
		return "not active", "active", tx.Sponsors.Update(ctx, id, func(s *domain.Sponsor) error {
			if err := stale(seen, s.Version()); err != nil {
				return err
			}
			return s.Activate()
		})
	})
}

func contractSays(c domain.Contract) string {
	f := c.Facts()
	return fmt.Sprintf("name %q, type %s, sponsor %s, updates %s", f.Name, f.Type, f.Sponsor, f.Updates)
}

// AddContract registers a contract. It fails with forbidden, invalid, with a
// conflict when there is one of that number, and with a business_rule for a
// sponsor that is to be given nothing.
func (u *UseCase) AddContract(ctx context.Context, who domain.Staff, number string, f domain.Facts, why domain.Reason) (domain.ContractNumber, error) {
	n, err := domain.ParseContractNumber(strings.ToUpper(strings.TrimSpace(number)))
	if err != nil {
		if err := u.permit(ctx, who, domain.MayManageContracts, AddContract, ""); err != nil {
			return "", err
		}
		return "", domain.Errorf(domain.Invalid, "%.20q is no number of a contract.", number).WithNext("It is a letter and four digits, as S1234; those of tests begin with Z.")
	}
	return n, u.keep(ctx, who, AddContract, string(n), why, func(ctx context.Context, tx ports.Tx) (string, string, error) {
		if held, err := tx.Contracts.Get(ctx, n); err == nil {
			return "", "", domain.Errorf(domain.Conflict, "There is a contract %s already, %q.", n, held.Name).WithNext("Open it and change that one, or give another number.")
		} else if domain.CodeOf(err) != domain.NotFound {
			return "", "", err
		}
		if err := usable(ctx, tx, f.Sponsor); err != nil {
			return "", "", err
		}
		c := domain.Contract{Number: n}
		if err := c.Edit(f); err != nil {
			return "", "", err
		}
		if err := tx.Contracts.Put(ctx, c); err != nil {
			return "", "", err
		}
		return "", contractSays(c), listing.Wake(ctx, tx)
	})
}

// usable refuses a sponsor that is to be given nothing.
func usable(ctx context.Context, tx ports.Tx, id domain.SponsorID) error {
	s, err := tx.Sponsors.Get(ctx, id)
	if domain.CodeOf(err) == domain.NotFound {
		return domain.Errorf(domain.Invalid, "There is no sponsor %.60q.", id).WithNext("Choose one of the list.")
	} else if err != nil {
		return err
	}
	return s.Usable()
}

// EditContract changes what staff keep of a contract. It fails as EditSponsor
// does, and with a business_rule for another sponsor while a client is registered
// for it: whose that is would be in doubt. Exports stay with the sponsor that
// asked for them.
func (u *UseCase) EditContract(ctx context.Context, who domain.Staff, n domain.ContractNumber, seen string, f domain.Facts, why domain.Reason) error {
	return u.keep(ctx, who, EditContract, string(n), why, func(ctx context.Context, tx ports.Tx) (before, after string, err error) {
		err = tx.Contracts.Update(ctx, n, func(c *domain.Contract) error {
			if err := stale(seen, c.Version()); err != nil {
				return err
			}
			if f.Sponsor != c.Sponsor {
				if err := usable(ctx, tx, f.Sponsor); err != nil {
					return err
				}
				clients, err := tx.Clients.List(ctx)
				if err != nil {
					return err
				}
				if i := slices.IndexFunc(clients, func(k domain.Client) bool { return slices.Contains(k.Contracts, n) }); i >= 0 {
					return domain.Errorf(domain.BusinessRule, "The API client %s of %s is registered for this contract.", clients[i].ID, clients[i].Sponsor).
						WithNext("Merge the two sponsors if they are one. Otherwise have the contract taken from the client first.")
				}
			}
			before = contractSays(*c)
			err := c.Edit(f)
			after = contractSays(*c)
			return err
		})
		if err == nil {
			err = listing.Wake(ctx, tx) // HPMS may have a say in it again
		}
		return before, after, err
	})
}

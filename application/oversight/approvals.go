package oversight

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"cms.gov/ab2d/application/attestation"
	"cms.gov/ab2d/application/clients"
	"cms.gov/ab2d/application/parties"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// The actions on requests for approval, as they stand in the audit trail.
const (
	AskApproval  = "approval.ask"
	GiveApproval = "approval.give"
	DenyApproval = "approval.deny"
)

// pairs reports whether an action needs two people here.
func (u *UseCase) pairs(a domain.PairedAction) bool { return slices.Contains(u.TwoPerson, a) }

// pairedChange returns for which action a change of an attestation needs two
// people; none where one may do it alone.
func (u *UseCase) pairedChange(c attestation.Change, p attestation.Preview) domain.PairedAction {
	switch {
	case u.pairs(domain.PairRevoke) && p.Before.Active && !p.After.Active:
		return domain.PairRevoke
	case u.pairs(domain.PairRevoke) && c.Kind.Ends():
		return domain.PairRevoke
	case u.pairs(domain.PairBackdate) && !c.Effective.IsZero() && c.Effective < p.Today:
		return domain.PairBackdate
	}
	return ""
}

// ask keeps a request for approval.
func (u *UseCase) ask(ctx context.Context, who domain.Staff, a domain.Approval, request any) (domain.Approval, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return a, err
	}
	now := u.Clock.Now()
	a.ID, a.By, a.AskedAt, a.EndsAt, a.State = domain.NewApprovalID(), who, now, now.Add(domain.ApprovalLife), domain.ApprovalWaiting
	a.Request = map[string]string{"body": string(body)}
	return a, u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Approvals.Put(ctx, a); err != nil {
			return err
		}
		return tx.Audit.Record(ctx, who.Told(now, AskApproval, a.Target, "done", "approval", a.ID, "for", a.Does, "reason", a.Reason.Text, "ticket", a.Reason.Ticket, "says", a.Says))
	})
}

// Approvals returns the requests that wait, and the latest that were decided or
// have expired, each the latest first, for any role.
func (u *UseCase) Approvals(ctx context.Context, who domain.Staff) (waiting, decided []domain.Approval, err error) {
	if err := u.permit(ctx, who, domain.MaySee, "approvals.list", ""); err != nil {
		return nil, nil, err
	}
	now := u.Clock.Now()
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		all, err := tx.Approvals.Find(ctx, "", 200)
		waiting, decided = nil, nil
		for _, a := range all {
			if a = a.At(now); a.State == domain.ApprovalWaiting {
				waiting = append(waiting, a)
			} else {
				decided = append(decided, a)
			}
		}
		return err
	})
	return waiting, decided, err
}

// Approval returns a request, or not_found, for any role.
func (u *UseCase) Approval(ctx context.Context, who domain.Staff, id string) (a domain.Approval, err error) {
	if err := u.permit(ctx, who, domain.MaySee, "approval.see", id); err != nil {
		return a, err
	}
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		a, err = tx.Approvals.Get(ctx, id)
		return err
	})
	if domain.CodeOf(err) == domain.NotFound {
		err = domain.Errorf(domain.NotFound, "There is no request %.40q.", id).WithNext("The list of approvals shows all there are.")
	}
	return a.At(u.Clock.Now()), err
}

// Approve does what somebody else asked for, as one fact with the approval. It
// fails with forbidden without the permission that doing it needs, with a
// business_rule for who asked, with a conflict when the request was decided or
// expired, and as what is done fails; then the request still waits. The key of a
// link comes with it that shows the secret of a client once, if one was made.
func (u *UseCase) Approve(ctx context.Context, who domain.Staff, id string, why domain.Reason) (a domain.Approval, l Link, err error) {
	return u.decide(ctx, who, id, domain.ApprovalGiven, GiveApproval, why)
}

// Link is a one-time link with the key that opens it, which is kept nowhere.
type Link struct {
	Key string
	domain.OneTimeLink
}

// Deny ends a request, which the one who asked may do too. It fails as Approve does.
func (u *UseCase) Deny(ctx context.Context, who domain.Staff, id string, why domain.Reason) (domain.Approval, error) {
	a, _, err := u.decide(ctx, who, id, domain.ApprovalDenied, DenyApproval, why)
	return a, err
}

func (u *UseCase) decide(ctx context.Context, who domain.Staff, id string, state domain.ApprovalState, action string, why domain.Reason) (a domain.Approval, l Link, err error) {
	if a, err = u.Approval(ctx, who, id); err != nil {
		return a, l, err
	}
	if err := u.permit(ctx, who, a.Needs, action, a.Target); err != nil {
		return a, l, err
	}
	now := u.Clock.Now()
	if err = why.Check(); err == nil {
		err = u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
			held, err := tx.Approvals.Get(ctx, id)
			if err != nil {
				return err
			}
			if err := held.Decide(state, who, now, why.Text); err != nil {
				return err
			}
			if state == domain.ApprovalGiven {
				if held.Result, l, err = u.carryOut(ctx, tx, held); err != nil {
					return err
				}
			}
			if err := tx.Approvals.Put(ctx, held); err != nil {
				return err
			}
			a = held
			return tx.Audit.Record(ctx, who.Told(now, action, a.Target, "done", "approval", id, "for", a.Does, "asked by", a.By.Name+" ("+a.By.ID+")", "reason", why.Text, "ticket", why.Ticket, "result", a.Result))
		})
	}
	if err != nil {
		return a, Link{}, u.refused(ctx, err, who, action, a.Target, why)
	}
	return a, l, nil
}

// carryOut does what was asked for, in the name of who asked, and tells who
// approved it.
func (u *UseCase) carryOut(ctx context.Context, tx ports.Tx, a domain.Approval) (says string, l Link, err error) {
	told := a.By.Details("approval", a.ID, "approved by", a.DecidedBy.Name+" ("+a.DecidedBy.ID+")")
	switch a.Action {
	case domain.PairRevoke, domain.PairBackdate:
		var c attestation.Change
		if err := json.Unmarshal([]byte(a.Request["body"]), &c); err != nil {
			return "", l, err
		}
		c.Told = told
		p, err := u.Attestation.RecordIn(ctx, tx, a.By.Actor(), c)
		return p.Says, l, err
	case domain.PairClient:
		var cmd clients.New
		if err := json.Unmarshal([]byte(a.Request["body"]), &cmd); err != nil {
			return "", l, err
		}
		cmd.Told = told
		owner, err := parties.Owner(ctx, tx, cmd.Sponsor) // it may have been merged since
		if err != nil {
			return "", l, err
		}
		cmd.Sponsor = owner.ID
		if err := u.ready(ctx, tx, cmd.Contracts, len(cmd.Networks) > 0); err != nil { // as it may have been when it was asked for
			return "", l, err
		}
		made, err := u.Clients.CreateIn(ctx, tx, cmd)
		if err != nil || made.Secret == "" {
			return fmt.Sprintf("The client %s is there, without a secret: rotate it to have one shown.", made.Client.ID), l, err
		}
		l, err = u.link(ctx, tx, a.DecidedBy, made.Client.ID, made.Secret, "approval", a.ID)
		return fmt.Sprintf("The client %s is there. %s got a link that shows its secret once.", made.Client.ID, a.DecidedBy.Name), l, err
	}
	return "", l, domain.Errorf(domain.Internal, "nobody knows how to do %s", a.Action)
}

// CreateClient registers a client, or asks for it where that needs two people:
// then there is an id of a request and nothing else. It fails as
// clients.UseCase.Create does, and with a business_rule while the contracts are
// not ready for credentials.
func (u *UseCase) CreateClient(ctx context.Context, who domain.Staff, cmd clients.New, why domain.Reason) (made clients.Created, asked string, err error) {
	if err := u.permit(ctx, who, domain.MayManageClients, clients.Create, ""); err != nil {
		return made, "", err
	}
	if err := why.Check(); err != nil {
		return made, "", err
	}
	cmd.By = By(who, why)
	if err := u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		return u.ready(ctx, tx, cmd.Contracts, len(cmd.Networks) > 0)
	}); err != nil {
		return made, "", u.refused(ctx, err, who, clients.Create, fmt.Sprint(cmd.Contracts), why)
	}
	if !u.pairs(domain.PairClient) {
		made, err = u.Clients.Create(ctx, cmd)
		return made, "", err
	}
	if err := u.Clients.Check(ctx, cmd); err != nil {
		return made, "", err
	}
	cmd.Told = nil
	a, err := u.ask(ctx, who, domain.Approval{Action: domain.PairClient, Does: clients.Create, Target: string(cmd.Sponsor), Needs: domain.MayManageClients, Reason: why,
		Says: fmt.Sprintf("Create the API client %q of %s for %v.", cmd.Name, cmd.Sponsor, cmd.Contracts)}, cmd)
	return made, a.ID, err
}

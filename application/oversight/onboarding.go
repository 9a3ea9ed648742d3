package oversight

import (
	"context"
	"net/mail"
	"slices"
	"strings"
	"time"

	"cms.gov/ab2d/application/clients"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// The actions on the way of a contract to production access, as they stand in
// the audit trail.
const (
	NameSpecialist = "onboarding.specialist"
	VerifySandbox  = "onboarding.sandbox"
	Override       = "onboarding.override"
	SendLink       = "client.link"
	OpenLink       = "client.link.open"
)

// onboard changes how far a contract is on its way, as one fact with its record.
func (u *UseCase) onboard(ctx context.Context, who domain.Staff, action string, n domain.ContractNumber, why domain.Reason,
	change func(ctx context.Context, tx ports.Tx, o *domain.Onboarding) (before, after string, err error)) error {
	if err := u.permit(ctx, who, domain.MayManageContracts, action, string(n)); err != nil {
		return err
	}
	err := why.Check()
	if err == nil {
		err = u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
			if _, err := tx.Contracts.Get(ctx, n); err != nil {
				return err
			}
			o, err := tx.Onboardings.Get(ctx, n)
			if err != nil {
				return err
			}
			before, after, err := change(ctx, tx, &o)
			if err != nil {
				return err
			}
			if err := tx.Onboardings.Put(ctx, o); err != nil {
				return err
			}
			return tx.Audit.Record(ctx, who.Told(u.Clock.Now(), action, string(n), "done", "reason", why.Text, "ticket", why.Ticket, "before", before, "after", after))
		})
	}
	return u.refused(ctx, err, who, action, string(n), why)
}

// NameSpecialist says who the contract's data operations specialist is. It fails
// with forbidden, invalid and not_found.
func (u *UseCase) NameSpecialist(ctx context.Context, who domain.Staff, n domain.ContractNumber, s domain.Specialist, why domain.Reason) error {
	return u.onboard(ctx, who, NameSpecialist, n, why, func(_ context.Context, _ ports.Tx, o *domain.Onboarding) (string, string, error) {
		s.Name, s.Email = strings.TrimSpace(s.Name), strings.TrimSpace(s.Email)
		if at, err := mail.ParseAddress(s.Email); s.Name == "" || len(s.Name) > 200 || err != nil || at.Address != s.Email {
			return "", "", domain.Errorf(domain.Invalid, "The specialist needs a name and an e-mail address.").WithNext("Give both, as they stand in the sponsor's letter.")
		}
		before := o.Specialist
		o.Specialist = s
		return strings.TrimSpace(before.Name + " " + before.Email), s.Name + " " + s.Email, nil
	})
}

// VerifySandbox says that the sponsor finished an export in the sandbox by
// itself, by the id of the job. A job that is known here is looked at. In
// production, whose sandbox is another installation, staff have looked there, and
// vouch for it: here is checked only that it is the id of a job, which was not
// given for another contract.
func (u *UseCase) VerifySandbox(ctx context.Context, who domain.Staff, n domain.ContractNumber, id string, why domain.Reason) error {
	return u.onboard(ctx, who, VerifySandbox, n, why, func(ctx context.Context, tx ports.Tx, o *domain.Onboarding) (string, string, error) {
		job, err := domain.ParseJobID(strings.TrimSpace(id))
		if err != nil {
			return "", "", domain.Errorf(domain.Invalid, "%.40q is no id of a job.", id).WithNext("The sponsor finds it in the address of the job's status.")
		}
		held, err := tx.Jobs.Get(ctx, job)
		switch {
		case domain.CodeOf(err) == domain.NotFound && u.SandboxElsewhere:
			if err := given(ctx, tx, n, job); err != nil {
				return "", "", err
			}
		case domain.CodeOf(err) == domain.NotFound:
			return "", "", domain.Errorf(domain.BusinessRule, "There is no job %s here.", job).WithNext("Ask the sponsor for the id again, or search for its beginning.")
		case err != nil:
			return "", "", err
		case !held.Succeeded() || !slices.Contains(held.State().Contracts, n):
			return "", "", domain.Errorf(domain.BusinessRule, "The job %s is not a complete export of contract %s.", job, n).WithNext("Ask the sponsor for one that is.")
		}
		before := string(o.Sandbox.Job)
		o.Sandbox = domain.SandboxExport{Job: job, At: u.Clock.Now(), By: who.Name, Elsewhere: err != nil}
		return before, string(job), nil
	})
}

// given refuses a job that cannot be looked at when it was given for another
// contract before: one export shows what one sponsor can do.
func given(ctx context.Context, tx ports.Tx, n domain.ContractNumber, job domain.JobID) error {
	all, err := tx.Onboardings.List(ctx)
	for _, o := range all {
		if o.Contract != n && o.Sandbox.Job == job {
			return domain.Errorf(domain.BusinessRule, "The job %s was given for contract %s already, by %s.", job, o.Contract, o.Sandbox.By).WithNext("Ask the sponsor for the id of an export of this contract.")
		}
	}
	return err
}

// Override lets credentials be issued for a contract before its steps are done.
func (u *UseCase) Override(ctx context.Context, who domain.Staff, n domain.ContractNumber, why domain.Reason) error {
	return u.onboard(ctx, who, Override, n, why, func(_ context.Context, _ ports.Tx, o *domain.Onboarding) (string, string, error) {
		o.Override = domain.Override{Reason: why.Text, At: u.Clock.Now(), By: who.Name}
		return "", "credentials may be issued before the steps are done", nil
	})
}

// stepWords say what is missing.
var stepWords = map[domain.Step]string{domain.StepAttested: "no attestor is active", domain.StepSpecialist: "no data operations specialist is named",
	domain.StepSandbox: "no sandbox export is verified", domain.StepAddresses: "no addresses are approved"}

// ready refuses credentials for contracts whose steps to production access are
// not done, unless that was overridden.
func (u *UseCase) ready(ctx context.Context, tx ports.Tx, contracts []domain.ContractNumber, addresses bool) error {
	if !u.Onboard {
		return nil
	}
	for _, n := range contracts {
		o, err := tx.Onboardings.Get(ctx, n)
		if err != nil {
			return err
		}
		events, err := tx.Attestations.Of(ctx, n)
		if err != nil {
			return err
		}
		missing := o.Missing(domain.StandingOn(events, domain.Today(u.Clock.Now())).Active, addresses)
		if len(missing) == 0 || !o.Override.At.IsZero() {
			continue
		}
		var words []string
		for _, s := range missing {
			words = append(words, stepWords[s])
		}
		return domain.Errorf(domain.BusinessRule, "Contract %s is not ready for credentials: %s.", n, strings.Join(words, ", ")).
			WithNext("Do these steps first, on the contract's page, or override them there with a reason.")
	}
	return nil
}

// gate refuses credentials for a client that is there already as ready does for a
// new one. Replacing a secret that counts is none: one that leaked must not wait.
func (u *UseCase) gate(ctx context.Context, who domain.Staff, action string, id domain.ClientID, why domain.Reason, replaces bool) error {
	if err := u.permit(ctx, who, domain.MayManageClients, action, string(id)); err != nil {
		return err
	}
	if err := why.Check(); err != nil {
		return err
	}
	err := u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		c, err := tx.Clients.Get(ctx, id)
		if err != nil || replaces && len(c.LiveSecrets(u.Clock.Now())) > 0 {
			return err
		}
		return u.ready(ctx, tx, c.Contracts, len(c.Networks) > 0)
	})
	return u.refused(ctx, err, who, action, string(id), why)
}

// EnableClient lets a client use the API again. It fails as
// clients.UseCase.SetEnabled does, and with a business_rule while its contracts
// are not ready for credentials.
func (u *UseCase) EnableClient(ctx context.Context, who domain.Staff, id domain.ClientID, why domain.Reason) error {
	if err := u.gate(ctx, who, clients.Enable, id, why, false); err != nil {
		return err
	}
	return u.Clients.SetEnabled(ctx, By(who, why), id, true)
}

// RotateClient gives a client a new secret. It fails as clients.UseCase.Rotate
// does, and for a client without a secret that counts as EnableClient does.
func (u *UseCase) RotateClient(ctx context.Context, who domain.Staff, id domain.ClientID, overlap time.Duration, why domain.Reason) (clients.Created, error) {
	if err := u.gate(ctx, who, clients.Rotate, id, why, true); err != nil {
		return clients.Created{}, err
	}
	return u.Clients.Rotate(ctx, By(who, why), id, overlap)
}

// SendLink gives a client a new secret and returns the key of a link that shows
// it once, to whoever opens it first. It fails as RotateClient does.
func (u *UseCase) SendLink(ctx context.Context, who domain.Staff, id domain.ClientID, overlap time.Duration, why domain.Reason) (l Link, err error) {
	made, err := u.RotateClient(ctx, who, id, overlap, why)
	if err != nil {
		return l, err
	}
	return l, u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		l, err = u.link(ctx, tx, who, id, made.Secret, "reason", why.Text, "ticket", why.Ticket)
		return err
	})
}

// link keeps a secret behind a new link, and tells so.
func (u *UseCase) link(ctx context.Context, tx ports.Tx, who domain.Staff, id domain.ClientID, secret string, details ...string) (l Link, err error) {
	now := u.Clock.Now()
	l.Key, l.OneTimeLink = domain.SealLink(id, secret, now.Add(domain.LinkLife))
	if err := tx.OneTimeLinks.Put(ctx, l.OneTimeLink, now); err != nil {
		return Link{}, err
	}
	return l, tx.Audit.Record(ctx, who.Told(now, SendLink, string(id), "done", append(details, "until", l.EndsAt.Format(time.RFC3339))...))
}

// OpenLink returns what a link is for, once. It needs nobody to be signed in:
// whoever has the key is whom it was sent to. It fails with not_found for a link
// that was opened before, has ended, or never was.
func (u *UseCase) OpenLink(ctx context.Context, key, from string) (client domain.ClientID, secret string, err error) {
	now := u.Clock.Now()
	err = u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		link, err := tx.OneTimeLinks.Take(ctx, domain.LinkID(key), now)
		if err != nil {
			return err
		}
		if secret, err = link.Open(key); err != nil {
			return err
		}
		client = link.Client
		return tx.Audit.Record(ctx, domain.AuditRecord{At: now, Actor: domain.Actor{Kind: "client", ID: string(client), From: from}, Action: OpenLink, Target: string(client), Outcome: "done"})
	})
	if domain.CodeOf(err) == domain.NotFound {
		err = domain.Errorf(domain.NotFound, "This link was opened already, or its three days are over.").WithNext("Ask the AB2D team for another. If it was not you who opened it, say so at once: the secret must be ended.")
	}
	return client, secret, err
}

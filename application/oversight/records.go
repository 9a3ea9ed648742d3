package oversight

import (
	"context"
	"strings"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Records searches the audit trail, for auditors and admins.
func (u *UseCase) Records(ctx context.Context, who domain.Staff, q ports.AuditQuery) ([]ports.AuditEntry, error) {
	if err := u.permit(ctx, who, domain.MayReadAudit, "audit.read", q.Target); err != nil {
		return nil, err
	}
	return u.Audit.Search(ctx, q)
}

// Sealed returns the latest seal of the audit trail, the zero seal for none, to
// who may read the trail.
func (u *UseCase) Sealed(ctx context.Context, who domain.Staff) (s domain.Seal, err error) {
	if err := u.permit(ctx, who, domain.MayReadAudit, "audit.read", ""); err != nil {
		return s, err
	}
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		s, err = tx.Seals.Last(ctx)
		return err
	})
	return s, err
}

// Exported tells in the audit trail that records of it are taken away, and which:
// those of a filter as the address of the page has it.
func (u *UseCase) Exported(ctx context.Context, who domain.Staff, what, filter string) error {
	return u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		return tx.Audit.Record(ctx, who.Told(u.Clock.Now(), "audit.export", what, "done", "filter", filter))
	})
}

// History returns what is recorded of one thing, for any role.
func (u *UseCase) History(ctx context.Context, who domain.Staff, target string) ([]ports.AuditEntry, error) {
	if err := u.permit(ctx, who, domain.MaySee, "history.see", target); err != nil {
		return nil, err
	}
	return u.Audit.Search(ctx, ports.AuditQuery{Target: target, Limit: 200})
}

// Hit is something that a search found.
type Hit struct {
	Kind string // job, contract, sponsor or client
	ID   string
	Name string
}

// hits is how many of a kind a search returns.
const hits = 20

// Find looks for jobs by the beginning of their id, and for contracts, sponsors
// and clients by id or a part of the name, whatever the case. It is for any role.
func (u *UseCase) Find(ctx context.Context, who domain.Staff, text string) (found []Hit, err error) {
	text = strings.ToLower(strings.TrimSpace(text))
	if err := u.permit(ctx, who, domain.MaySee, "search", ""); err != nil || text == "" {
		return nil, err
	}
	like := func(s string) bool { return strings.Contains(strings.ToLower(s), text) }
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		if len(text) >= 4 && strings.Trim(text, "0123456789abcdef-") == "" {
			jobs, err := tx.JobList.Find(ctx, ports.JobQuery{IDPrefix: text, Newest: true, Limit: hits})
			if err != nil {
				return err
			}
			for _, j := range jobs {
				found = append(found, Hit{"job", string(j.ID()), string(j.State().State)})
			}
		}
		contracts, err := tx.Contracts.List(ctx)
		if err != nil {
			return err
		}
		for _, c := range contracts {
			if like(string(c.Number)) || like(c.Name) {
				found = append(found, Hit{"contract", string(c.Number), c.Name})
			}
		}
		sponsors, err := tx.Sponsors.List(ctx)
		if err != nil {
			return err
		}
		for _, s := range sponsors {
			if like(string(s.ID)) || like(s.Name) || like(s.Parent) {
				found = append(found, Hit{"sponsor", string(s.ID), s.Name})
			}
		}
		clients, err := tx.Clients.List(ctx)
		for _, c := range clients {
			if like(string(c.ID)) || like(c.Name) {
				found = append(found, Hit{"client", string(c.ID), c.Name})
			}
		}
		return err
	})
	return found, err
}

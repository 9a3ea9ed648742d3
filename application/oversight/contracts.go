package oversight

import (
	"context"
	"slices"
	"time"

	"cms.gov/ab2d/application/attestation"
	"cms.gov/ab2d/application/clients"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// ContractRow is a contract as a list shows it.
type ContractRow struct {
	domain.Contract
	Of         domain.Sponsor
	Standing   domain.Standing
	Today      domain.Date
	Clients    int // enabled ones
	LastExport time.Time
}

// Contracts lists all contracts by number, for any role.
func (u *UseCase) Contracts(ctx context.Context, who domain.Staff) (rows []ContractRow, err error) {
	if err := u.permit(ctx, who, domain.MaySee, "contracts.list", ""); err != nil {
		return nil, err
	}
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		rows, err = u.contracts(ctx, tx)
		return err
	})
	return rows, err
}

func (u *UseCase) contracts(ctx context.Context, tx ports.Tx) ([]ContractRow, error) {
	all, err := tx.Contracts.List(ctx)
	if err != nil {
		return nil, err
	}
	sponsors, err := tx.Sponsors.List(ctx)
	if err != nil {
		return nil, err
	}
	clients, err := tx.Clients.List(ctx)
	if err != nil {
		return nil, err
	}
	named, held, today := map[domain.SponsorID]domain.Sponsor{}, map[domain.ContractNumber]int{}, domain.Today(u.Clock.Now())
	for _, s := range sponsors {
		named[s.ID] = s
	}
	for _, c := range clients {
		for _, n := range c.Contracts {
			if c.Enabled {
				held[n]++
			}
		}
	}
	events, err := tx.Attestations.All(ctx)
	if err != nil {
		return nil, err
	}
	last, err := tx.JobFigures.LastExports(ctx)
	if err != nil {
		return nil, err
	}
	rows := make([]ContractRow, len(all))
	for i, c := range all {
		rows[i] = ContractRow{Contract: c, Of: named[c.Sponsor], Standing: domain.StandingOn(events[c.Number], today), Today: today, Clients: held[c.Number], LastExport: last[c.Number]}
	}
	return rows, nil
}

// SponsorRow is a sponsor as a list shows it.
type SponsorRow struct {
	domain.Sponsor
	Contracts  []ContractRow
	Attested   int
	LastExport time.Time
}

// Sponsors lists all sponsors by id with their contracts, for any role.
func (u *UseCase) Sponsors(ctx context.Context, who domain.Staff) (rows []SponsorRow, err error) {
	if err := u.permit(ctx, who, domain.MaySee, "sponsors.list", ""); err != nil {
		return nil, err
	}
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		sponsors, err := tx.Sponsors.List(ctx)
		if err != nil {
			return err
		}
		contracts, err := u.contracts(ctx, tx)
		if err != nil {
			return err
		}
		rows = make([]SponsorRow, len(sponsors))
		for i, s := range sponsors {
			rows[i].Sponsor = s
			for _, c := range contracts {
				if c.Sponsor != s.ID {
					continue
				}
				rows[i].Contracts = append(rows[i].Contracts, c)
				if c.Standing.Active {
					rows[i].Attested++
				}
				if c.LastExport.After(rows[i].LastExport) {
					rows[i].LastExport = c.LastExport
				}
			}
		}
		return nil
	})
	return rows, err
}

// Contract is everything about one contract.
type Contract struct {
	ContractRow
	Events  []domain.AttestationEvent // in the order recorded
	Periods []domain.Stretch
	Clients []domain.Client // that hold it
	Jobs    []JobRow        // the newest
	History []ports.AuditEntry
	Onboard domain.Onboarding
}

// Contract returns a contract, for any role. It fails with not_found.
func (u *UseCase) Contract(ctx context.Context, who domain.Staff, n domain.ContractNumber) (c Contract, err error) {
	if err := u.permit(ctx, who, domain.MaySee, "contract.see", string(n)); err != nil {
		return c, err
	}
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		held, err := tx.Contracts.Get(ctx, n)
		if domain.CodeOf(err) == domain.NotFound {
			return domain.Errorf(domain.NotFound, "There is no contract %.20s.", n).WithNext("The list of contracts shows all there are.")
		} else if err != nil {
			return err
		}
		c.Contract, c.Today = held, domain.Today(u.Clock.Now())
		if c.Of, err = tx.Sponsors.Get(ctx, held.Sponsor); err != nil {
			return err
		}
		if c.Events, err = tx.Attestations.Of(ctx, n); err != nil {
			return err
		}
		if c.Onboard, err = tx.Onboardings.Get(ctx, n); err != nil {
			return err
		}
		c.Standing, c.Periods = domain.StandingOn(c.Events, c.Today), domain.Stretches(c.Events, c.Today)
		clients, err := tx.Clients.List(ctx)
		if err != nil {
			return err
		}
		c.Clients = slices.DeleteFunc(clients, func(x domain.Client) bool { return !slices.Contains(x.Contracts, n) })
		jobs, err := tx.JobList.Find(ctx, ports.JobQuery{Contract: n, Newest: true, Limit: 20})
		if err != nil {
			return err
		}
		c.Jobs, err = u.rows(ctx, tx, jobs)
		return err
	})
	if err != nil {
		return c, err
	}
	for _, j := range c.Jobs {
		if !j.ExpiresAt.IsZero() && j.CompletedAt.After(c.LastExport) {
			c.LastExport = j.CompletedAt
		}
	}
	c.History, err = u.Audit.Search(ctx, ports.AuditQuery{Target: string(n), Limit: 200})
	return c, err
}

// MonthCount is how many people were enrolled in a month.
type MonthCount struct {
	Month domain.Month
	Count int
}

// counted bounds how many enrollees are read to count months.
const counted = 1_000_000

// Enrollment counts a contract's enrollees in each of the last months, in the
// enrollment in force, for any role.
func (u *UseCase) Enrollment(ctx context.Context, who domain.Staff, n domain.ContractNumber, months int) ([]MonthCount, error) {
	if err := u.permit(ctx, who, domain.MaySee, "contract.see", string(n)); err != nil {
		return nil, err
	}
	now := u.Clock.Now()
	v, err := u.Coverage.VersionAt(ctx, n, now)
	if err != nil || v == 0 {
		return nil, err
	}
	last := domain.Today(now).Month()
	counts, first, read := make([]int, months), last-domain.Month(months)+1, 0
	for e, err := range u.Coverage.Members(ctx, n, v, domain.KeyRange{}) {
		if err != nil {
			return nil, err
		}
		for i := range counts {
			if e.Months.Has(first + domain.Month(i)) {
				counts[i]++
			}
		}
		if read++; read >= counted {
			break
		}
	}
	out := make([]MonthCount, months)
	for i, n := range counts {
		out[i] = MonthCount{first + domain.Month(i), n}
	}
	return out, nil
}

// PreviewAttestation returns what a change of a contract's attestation would
// do; see attestation.UseCase.Preview. It fails with forbidden too.
func (u *UseCase) PreviewAttestation(ctx context.Context, who domain.Staff, c attestation.Change, why domain.Reason) (attestation.Preview, error) {
	if err := u.permit(ctx, who, domain.MayManageContracts, "attestation."+string(c.Kind), string(c.Contract)); err != nil {
		return attestation.Preview{}, err
	}
	if err := why.Check(); err != nil {
		return attestation.Preview{}, err
	}
	c.Reason = withTicket(why)
	return u.Attestation.Preview(ctx, who.Actor(), c)
}

// RecordAttestation changes a contract's attestation; see
// attestation.UseCase.Record. Where that needs two people it asks for it, and
// returns the id of the request. It fails with forbidden too.
func (u *UseCase) RecordAttestation(ctx context.Context, who domain.Staff, c attestation.Change, why domain.Reason) (p attestation.Preview, asked string, err error) {
	if p, err = u.PreviewAttestation(ctx, who, c, why); domain.CodeOf(err) == domain.Forbidden || domain.CodeOf(err) == domain.Invalid {
		return p, "", err
	}
	c.Reason, c.Told = withTicket(why), who.Details()
	paired := u.pairedChange(c, p)
	if err != nil || paired == "" {
		p, err = u.Attestation.Record(ctx, who.Actor(), c) // it tells refusals too
		return p, "", err
	}
	c.Told = nil
	a, err := u.ask(ctx, who, domain.Approval{Action: paired, Does: "attestation." + string(c.Kind), Target: string(c.Contract), Needs: domain.MayManageContracts, Reason: why, Says: p.Says}, c)
	return p, a.ID, err
}

// By is who does something to a client, and why.
func By(who domain.Staff, why domain.Reason) clients.By {
	return clients.By{Actor: who.Actor(), Roles: who.Roles, Reason: withTicket(why), Told: who.Details()}
}

func withTicket(why domain.Reason) string {
	if why.Ticket == "" {
		return why.Text
	}
	return why.Text + " (" + why.Ticket + ")"
}

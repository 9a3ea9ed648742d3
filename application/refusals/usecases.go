package refusals

import (
	"context"
	"net/netip"

	"cms.gov/ab2d/application/access"
	"cms.gov/ab2d/application/cancel"
	"cms.gov/ab2d/application/contracts"
	"cms.gov/ab2d/application/download"
	"cms.gov/ab2d/application/export"
	"cms.gov/ab2d/application/status"
	"cms.gov/ab2d/domain"
)

// The use cases that clients reach, each of which tells what it refuses.
type (
	// Access authenticates callers.
	Access struct {
		*access.UseCase
		Refusals *Recorder
	}
	// Contracts tells clients of their contracts.
	Contracts struct {
		*contracts.UseCase
		Refusals *Recorder
	}
	// Export starts exports.
	Export struct {
		*export.UseCase
		Refusals *Recorder
	}
	// Status answers status requests.
	Status struct {
		*status.UseCase
		Refusals *Recorder
	}
	// Download hands out files.
	Download struct {
		*download.UseCase
		Refusals *Recorder
	}
	// Cancel ends exports.
	Cancel struct {
		*cancel.UseCase
		Refusals *Recorder
	}
)

func client(c domain.Client, from netip.Addr) domain.Actor {
	a := domain.Actor{Kind: "client", ID: string(c.ID)}
	if from.IsValid() {
		a.From = from.String()
	}
	return a
}

// Authenticate is access.UseCase.Authenticate.
func (u Access) Authenticate(ctx context.Context, token string, from netip.Addr) (domain.Client, domain.Scopes, error) {
	c, scopes, err := u.UseCase.Authenticate(ctx, token, from)
	if err != nil {
		u.Refusals.Refused(ctx, domain.AuditRecord{Actor: client(c, from), Action: "api.access", Target: string(c.ID)}, err)
		return domain.Client{}, nil, err
	}
	return c, scopes, nil
}

// Get is contracts.UseCase.Get.
func (u Contracts) Get(ctx context.Context, c domain.Client, n domain.ContractNumber) (contracts.Held, error) {
	held, err := u.UseCase.Get(ctx, c, n)
	if err != nil {
		u.Refusals.Refused(ctx, domain.AuditRecord{Actor: client(c, netip.Addr{}), Action: "contract.read", Target: string(n)}, err)
	}
	return held, err
}

// Start is export.UseCase.Start.
func (u Export) Start(ctx context.Context, cmd export.Start) (domain.JobID, error) {
	id, err := u.UseCase.Start(ctx, cmd)
	if err != nil {
		u.Refusals.Refused(ctx, domain.AuditRecord{Actor: client(cmd.Client, cmd.From), Action: "export.start", Target: string(cmd.Contract),
			Detail: map[string]string{"request": cmd.Request, "version": string(cmd.Version)}}, err)
	}
	return id, err
}

// Poll is status.UseCase.Poll. That a client asks too soon is no attempt at
// anything, so it is not told.
func (u Status) Poll(ctx context.Context, c domain.Client, id domain.JobID) (status.Result, error) {
	r, err := u.UseCase.Poll(ctx, c, id)
	if err != nil && domain.CodeOf(err) != domain.Throttled {
		u.Refusals.Refused(ctx, domain.AuditRecord{Actor: client(c, netip.Addr{}), Action: "export.status", Target: string(id)}, err)
	}
	return r, err
}

// Find is download.UseCase.Find.
func (u Download) Find(ctx context.Context, ask download.Ask) (domain.OutputFile, error) {
	f, err := u.UseCase.Find(ctx, ask)
	if err != nil {
		u.Refusals.Refused(ctx, domain.AuditRecord{Actor: client(ask.Client, ask.From), Action: "file.download", Target: string(ask.Job) + "/" + ask.Name}, err)
	}
	return f, err
}

// Cancel is cancel.UseCase.Cancel.
func (u Cancel) Cancel(ctx context.Context, c domain.Client, from netip.Addr, id domain.JobID) error {
	err := u.UseCase.Cancel(ctx, c, from, id)
	if err != nil {
		u.Refusals.Refused(ctx, domain.AuditRecord{Actor: client(c, from), Action: "export.cancel", Target: string(id)}, err)
	}
	return err
}

// Package cancel ends exports that their sponsor no longer wants.
package cancel

import (
	"context"
	"net/netip"

	"cms.gov/ab2d/application/retention"
	"cms.gov/ab2d/application/status"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// UseCase cancels running jobs and deletes finished ones.
type UseCase struct {
	Store ports.UnitOfWork
	Files ports.Files
	Clock ports.Clock
}

// Cancel ends the job. Its place among the contract's running jobs is free and
// its files are out of reach when it returns; workers that are at it stop
// within about a second. It fails with not_found for a job that is unknown or
// not the client's, and deleted for one that is cancelled already.
func (u *UseCase) Cancel(ctx context.Context, client domain.Client, from netip.Addr, id domain.JobID) error {
	err := u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		if _, err := status.Job(ctx, tx, client, id); err != nil {
			return err
		}
		now := u.Clock.Now()
		if err := tx.Jobs.Update(ctx, id, func(j *domain.ExportJob) error { return j.Cancel(now) }); err != nil {
			return err
		}
		return tx.Audit.Record(ctx, domain.AuditRecord{At: now, Action: "export.cancel", Target: string(id), Outcome: "done",
			Actor: domain.Actor{Kind: "client", ID: string(client.ID), From: from.String()}})
	})
	if err != nil {
		return err
	}
	// The sponsor may want the data gone for a reason, so it does not wait for
	// the sweeper. What a worker still writes now, the sweeper takes.
	sweep := retention.UseCase{Store: u.Store, Files: u.Files, Clock: u.Clock}
	return sweep.Clear(ctx, id)
}

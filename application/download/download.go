// Package download lets a client fetch the files of an export.
package download

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"cms.gov/ab2d/application/status"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// UseCase hands out files.
type UseCase struct {
	Store   ports.UnitOfWork
	Files   ports.Files
	Packing ports.Packing
	Clock   ports.Clock
	Limits  domain.DownloadLimits
}

// Ask asks for a file.
type Ask struct {
	Client domain.Client
	From   netip.Addr
	Job    domain.JobID
	Name   string // the public name; never used as a path
	Form   domain.Form
	Start  int64 // the first byte wanted, 0 for a fresh start
}

// Find returns the file if the client may be sent it now. It fails with
// not_found for a job or file that is unknown or not the client's, deleted or
// expired when it is gone or was fetched as often as it may be, and
// business_rule while its contract has no active attestation.
func (u *UseCase) Find(ctx context.Context, ask Ask) (domain.OutputFile, error) {
	var file domain.OutputFile
	now := u.Clock.Now()
	err := u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		job, err := status.Job(ctx, tx, ask.Client, ask.Job)
		if err != nil {
			return err
		}
		if err := job.CheckReadable(now); err != nil {
			return err
		}
		file, err = tx.Files.Get(ctx, ask.Job, ask.Name)
		if domain.CodeOf(err) == domain.NotFound {
			return domain.Errorf(domain.NotFound, "The job has no file of that name.").
				WithNext("Use the addresses in the manifest that the status request returns.")
		} else if err != nil {
			return err
		}
		events, err := tx.Attestations.Of(ctx, file.Contract)
		if err != nil {
			return err
		}
		if standing := domain.StandingOn(events, domain.Today(now)); standing.Active && !standing.Opens(job, file.Contract) {
			return domain.Errorf(domain.BusinessRule, "The data of contract %s starts on %s, and the file may hold earlier claims.", file.Contract, standing.DataStart).
				WithNext("Start a new export.")
		} else if !standing.Active {
			return domain.Errorf(domain.BusinessRule, "No attestation is active for contract %s, so its files may not be sent.", file.Contract).
				WithNext("Have an attestor of the sponsor attest in HPMS. The files stay until they expire.")
		}
		accounts, err := tx.Downloads.OfFile(ctx, ask.Job, ask.Name)
		if err != nil {
			return err
		}
		return u.Limits.Allow(accounts, ask.Client.ID, ask.Form, ask.Start, now)
	})
	return file, err
}

// Open returns the bytes of a file that Find returned, in the form asked for
// and from the start asked for. The caller closes them.
func (u *UseCase) Open(ctx context.Context, file domain.OutputFile, form domain.Form, start int64) (io.ReadCloser, error) {
	stored, err := u.Files.Open(ctx, file.Key)
	if domain.CodeOf(err) == domain.NotFound {
		// The row says it is there, so the sweeper was faster than this request.
		return nil, domain.Errorf(domain.Expired, "The file has expired and was deleted.").WithNext("Start a new export.").Because(err)
	} else if err != nil {
		return nil, err
	}
	if form == domain.GzipForm {
		if _, err := stored.Seek(start, io.SeekStart); err != nil {
			return nil, errors.Join(err, stored.Close())
		}
		return stored, nil
	}
	plain, err := u.Packing.Unpack(stored, file.Index, start)
	if err != nil {
		return nil, errors.Join(err, stored.Close())
	}
	return &both{plain, stored}, nil
}

// both closes the inflated form and the stored one behind it.
type both struct {
	io.ReadCloser
	under io.Closer
}

func (b *both) Close() error { return errors.Join(b.ReadCloser.Close(), b.under.Close()) }

// Sent records what was sent of a file, whether or not that was all that was
// asked for, in the account and in the audit trail.
func (u *UseCase) Sent(ctx context.Context, ask Ask, file domain.OutputFile, sent domain.ByteRange) error {
	now, size := u.Clock.Now(), Size(file, ask.Form)
	return u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		key := domain.DownloadKey{Job: ask.Job, File: ask.Name, Client: ask.Client.ID, Form: ask.Form}
		var fetches int
		if err := tx.Downloads.Update(ctx, key, func(d *domain.Download) {
			d.Record(now, sent, size)
			fetches = d.Fetches
		}); err != nil {
			return err
		}
		return tx.Audit.Record(ctx, domain.AuditRecord{
			At: now, Action: "file.download", Target: string(ask.Job) + "/" + ask.Name, Outcome: "done",
			Actor: domain.Actor{Kind: "client", ID: string(ask.Client.ID), From: ask.From.String()},
			Detail: map[string]string{"form": string(ask.Form), "from": fmt.Sprint(sent.Start), "to": fmt.Sprint(sent.End),
				"size": fmt.Sprint(size), "fetches": fmt.Sprint(fetches)},
		})
	})
}

// Ended returns those of the contracts that have no active attestation any more:
// of these nothing may be sent, not even the rest of what is being sent.
func (u *UseCase) Ended(ctx context.Context, contracts []domain.ContractNumber) (ended []domain.ContractNumber, err error) {
	today := domain.Today(u.Clock.Now())
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		ended = nil
		for _, n := range contracts {
			events, err := tx.Attestations.Of(ctx, n)
			if err != nil {
				return err
			}
			if !domain.StandingOn(events, today).Active {
				ended = append(ended, n)
			}
		}
		return nil
	})
	return ended, err
}

// Size returns how many bytes a file has in a form.
func Size(f domain.OutputFile, form domain.Form) int64 {
	if form == domain.GzipForm {
		return f.Stored.Bytes
	}
	return f.Plain.Bytes
}

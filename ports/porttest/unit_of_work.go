package porttest

import (
	"context"
	"errors"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// UnitOfWork runs the conformance suite of ports.UnitOfWork.
func UnitOfWork(t *testing.T, create func(t *testing.T) Store) {
	storeParts(t, create, map[string]func(storeTest){
		"what succeeds is kept, all of it":         unitKeeps,
		"what fails leaves no trace":               unitUndoes,
		"a panic leaves no trace":                  unitPanics,
		"an ended context leaves no trace":         unitCancelled,
		"the transaction is dead afterwards":       unitDead,
		"the error comes back as it is":            unitError,
		"a conflict does not spoil the rest":       unitAfterConflict,
		"View refuses every change":                viewRefuses,
		"View sees one state":                      viewOneState,
		"View does not wait for a unit of work":    viewBeside,
		"units of work beside each other are kept": unitConcurrent,
	})
}

// aLittleOfEverything makes one change through each port of Tx.
func aLittleOfEverything() map[string]func(context.Context, ports.Tx) error {
	return map[string]func(context.Context, ports.Tx) error{
		"Sponsors": func(ctx context.Context, tx ports.Tx) error {
			return tx.Sponsors.Put(ctx, domain.Sponsor{ID: "new", Name: "New"})
		},
		"Contracts": func(ctx context.Context, tx ports.Tx) error {
			return tx.Contracts.Put(ctx, domain.Contract{Number: "S0009", Sponsor: "sponsor"})
		},
		"Clients": func(ctx context.Context, tx ports.Tx) error {
			return tx.Clients.Put(ctx, domain.Client{ID: "new", Sponsor: "sponsor"})
		},
		"Jobs.Add": func(ctx context.Context, tx ports.Tx) error { return tx.Jobs.Add(ctx, newJob(9, "S0001")) },
		"Jobs.Update": func(ctx context.Context, tx ports.Tx) error {
			return tx.Jobs.Update(ctx, jobID(1), func(j *domain.ExportJob) error { return j.Cancel(instantAt(5)) })
		},
		"Partitions.Add": func(ctx context.Context, tx ports.Tx) error {
			return tx.Partitions.Add(ctx, []domain.Partition{{ID: domain.PartitionID{Job: jobID(1), Seq: 2}, Contract: "S0001", Members: 5}})
		},
		"Partitions.Reclaim": func(ctx context.Context, tx ports.Tx) error {
			_, err := tx.Partitions.Reclaim(ctx, time.Hour, true, 10)
			return err
		},
		"Leases": func(ctx context.Context, tx ports.Tx) error {
			_, err := tx.Leases.Acquire(ctx, domain.PartitionID{Job: jobID(1), Seq: 1}, time.Minute)
			return err
		},
		"Files": func(ctx context.Context, tx ports.Tx) error {
			return tx.Files.Add(ctx, []domain.OutputFile{{Job: jobID(1), Name: "f", Contract: "S0001", StoredFile: domain.StoredFile{Kind: domain.DataFile}}})
		},
		"Downloads": func(ctx context.Context, tx ports.Tx) error {
			return tx.Downloads.Update(ctx, domain.DownloadKey{Job: jobID(1), File: "f", Client: "client", Form: domain.GzipForm},
				func(d *domain.Download) { d.Fetches++ })
		},
		"Polls": func(ctx context.Context, tx ports.Tx) error {
			return tx.Polls.Put(ctx, jobID(1), "client", ports.Poll{At: instantAt(0), RetryAfter: time.Second})
		},
		"Attestations": func(ctx context.Context, tx ports.Tx) error {
			return tx.Attestations.Append(ctx, domain.AttestationEvent{ID: "e", Contract: "S0001", Kind: domain.Attest, Recorded: instantAt(0)})
		},
		"Audit": func(ctx context.Context, tx ports.Tx) error {
			return tx.Audit.Record(ctx, domain.AuditRecord{At: instantAt(0), Action: "test", Target: "t"})
		},
		"Queue": func(ctx context.Context, tx ports.Tx) error { return tx.Queue.Schedule(ctx, ports.Task{Job: jobID(1)}) },
	}
}

// everything makes all those changes in one unit of work, in a fixed order
// where one needs another.
func everything(ctx context.Context, tx ports.Tx) error {
	for _, change := range aLittleOfEverything() {
		if err := change(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

// traces returns how many of the changes above can be seen.
func (s storeTest) traces() int {
	s.Helper()
	n := 0
	count := func(there bool, err error) {
		if err != nil && domain.CodeOf(err) != domain.NotFound {
			s.Fatal(err)
		}
		if there {
			n++
		}
	}
	s.view(func(ctx context.Context, tx ports.Tx) error {
		sponsor, err := tx.Sponsors.Get(ctx, "new")
		count(sponsor.ID != "", err)
		contract, err := tx.Contracts.Get(ctx, "S0009")
		count(contract.Number != "", err)
		client, err := tx.Clients.Get(ctx, "new")
		count(client.ID != "", err)
		added, err := tx.Jobs.Get(ctx, jobID(9))
		count(added != nil, err)
		moved, err := tx.Jobs.Get(ctx, jobID(1))
		count(moved != nil && moved.State().State == domain.Cancelled, err)
		parts, err := tx.Partitions.OfJob(ctx, jobID(1))
		count(len(parts) > 1, err)
		count(len(parts) > 0 && parts[0].Attempt > 0, err)
		files, err := tx.Files.OfJob(ctx, jobID(1))
		count(len(files) > 0, err)
		downloads, err := tx.Downloads.OfFile(ctx, jobID(1), "f")
		count(len(downloads) > 0, err)
		_, polled, err := tx.Polls.Last(ctx, jobID(1), "client")
		count(polled, err)
		events, err := tx.Attestations.Of(ctx, "S0001")
		count(len(events) > 0, err)
		return nil
	})
	records, err := s.store.Find(s.Context(), "test", "", 10)
	count(len(records) > 0, err)
	count(len(s.store.Scheduled(s.T)) > 0, nil)
	return n
}

// allTraces is what traces says when everything was kept. Reclaim leaves none.
const allTraces = 13

func unitKeeps(s storeTest) {
	s.parties()
	s.partitions(1, 1)
	s.do(everything)
	if n := s.traces(); n != allTraces {
		s.Errorf("%d of %d changes are there", n, allTraces)
	}
}

func unitUndoes(s storeTest) {
	s.parties()
	s.partitions(1, 1)
	err := s.try(func(ctx context.Context, tx ports.Tx) error {
		if err := everything(ctx, tx); err != nil {
			return err
		}
		return errUndo
	})
	if !errors.Is(err, errUndo) {
		s.Fatalf("the error is %v, want that of the function", err)
	}
	if n := s.traces(); n != 0 {
		s.Errorf("%d of %d changes are there", n, allTraces)
	}
}

func unitPanics(s storeTest) {
	s.parties()
	s.partitions(1, 1)
	func() {
		defer func() {
			if recover() == nil {
				s.Error("the panic was swallowed")
			}
		}()
		_ = s.try(func(ctx context.Context, tx ports.Tx) error {
			if err := everything(ctx, tx); err != nil {
				return err
			}
			panic("in the middle")
		})
	}()
	if n := s.traces(); n != 0 {
		s.Errorf("%d of %d changes are there", n, allTraces)
	}
	s.do(everything) // and the store goes on
}

func unitCancelled(s storeTest) {
	s.parties()
	s.partitions(1, 1)
	ctx, cancel := context.WithCancel(s.Context())
	err := s.store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		if err := everything(ctx, tx); err != nil {
			return err
		}
		cancel()
		return nil
	})
	if err == nil {
		s.Error("a unit of work whose context ended succeeded")
	}
	if n := s.traces(); n != 0 {
		s.Errorf("%d of %d changes are there", n, allTraces)
	}
}

func unitDead(s storeTest) {
	s.parties()
	s.partitions(1, 1)
	var kept ports.Tx
	s.do(func(_ context.Context, tx ports.Tx) error {
		kept = tx
		return nil
	})
	for name, change := range aLittleOfEverything() {
		if err := change(s.Context(), kept); err == nil {
			s.Errorf("%s works after the unit of work", name)
		}
	}
}

func unitError(s storeTest) {
	want := domain.Errorf(domain.Throttled, "too many")
	for _, run := range []func(context.Context, func(context.Context, ports.Tx) error) error{s.store.Do, s.store.View} {
		err := run(s.Context(), func(context.Context, ports.Tx) error { return want })
		if !errors.Is(err, want) {
			s.Errorf("the error is %v, want that of the function", err)
		}
	}
}

func unitAfterConflict(s storeTest) {
	s.parties()
	s.do(func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Jobs.Add(ctx, newJob(1, "S0001")); err != nil {
			return err
		}
		s.refused(tx.Jobs.Add(ctx, newJob(1, "S0001")), domain.Conflict)
		return tx.Jobs.Add(ctx, newJob(2, "S0001"))
	})
	s.view(func(ctx context.Context, tx ports.Tx) error {
		found, err := tx.JobList.Find(ctx, ports.JobQuery{})
		if len(found) != 2 {
			s.Errorf("there are %d jobs, want 2", len(found))
		}
		return err
	})
}

func viewRefuses(s storeTest) {
	s.parties()
	s.partitions(1, 1)
	for name, change := range aLittleOfEverything() {
		if err := s.store.View(s.Context(), change); err == nil {
			s.Errorf("%s works in a View", name)
		}
	}
	if n := s.traces(); n != 0 {
		s.Errorf("%d of %d changes are there", n, allTraces)
	}
}

func viewOneState(s storeTest) {
	s.parties()
	s.view(func(ctx context.Context, tx ports.Tx) error {
		before, err := tx.JobList.Find(ctx, ports.JobQuery{})
		if err != nil {
			return err
		}
		s.job(1) // by another unit of work, which ends
		after, err := tx.JobList.Find(ctx, ports.JobQuery{})
		if len(after) != len(before) {
			s.Errorf("there were %d jobs and now there are %d", len(before), len(after))
		}
		return err
	})
}

func viewBeside(s storeTest) {
	s.parties()
	s.do(func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Jobs.Add(ctx, newJob(1, "S0001")); err != nil {
			return err
		}
		// Reading goes on while others write, and does not see what is not kept yet.
		read := make(chan error, 1)
		go func() {
			read <- s.store.View(s.Context(), func(ctx context.Context, tx ports.Tx) error {
				found, err := tx.JobList.Find(ctx, ports.JobQuery{})
				if len(found) != 0 {
					s.Error("a View sees what another unit of work has not finished")
				}
				return err
			})
		}()
		select {
		case err := <-read:
			return err
		case <-time.After(10 * time.Second):
			return errors.New("a View waits for a unit of work")
		}
	})
}

func unitConcurrent(s storeTest) {
	s.parties()
	s.job(0)
	const n = 16
	for _, err := range atOnce(n, func(i int) error {
		return s.try(func(ctx context.Context, tx ports.Tx) error {
			if err := tx.Jobs.Add(ctx, newJob(i+1, "S0001")); err != nil {
				return err
			}
			return tx.Queue.Schedule(ctx, ports.Task{Job: jobID(i + 1)})
		})
	}) {
		if err != nil {
			s.Error(err)
		}
	}
	if got := len(s.store.Scheduled(s.T)); got != n {
		s.Errorf("%d tasks are scheduled, want %d", got, n)
	}
}

package porttest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Store is a store to be tested: the four ports that reach it from outside, and
// what the suite has to know besides. All ports of Tx are tested through it.
type Store struct {
	ports.UnitOfWork
	ports.Coverage
	ports.Secrets
	ports.AuditLog

	// Scheduled returns the tasks that ended units of work have scheduled, in
	// order. Nothing may take them up meanwhile.
	Scheduled func(t *testing.T) []ports.Task
}

// Stores runs the suites of all ports of a store. create returns an empty one;
// each part of a suite asks for one of its own. An adapter of only some of the
// ports runs their suites by themselves, with the rest of Store from the memory
// adapter.
func Stores(t *testing.T, create func(t *testing.T) Store) {
	t.Run("UnitOfWork", func(t *testing.T) { UnitOfWork(t, create) })
	t.Run("Jobs", func(t *testing.T) { Jobs(t, create) })
	t.Run("IdempotencyKeys", func(t *testing.T) { IdempotencyKeys(t, create) })
	t.Run("Partitions", func(t *testing.T) { Partitions(t, create) })
	t.Run("Leases", func(t *testing.T) { Leases(t, create) })
	t.Run("Turns", func(t *testing.T) { Turns(t, create) })
	t.Run("OutputFiles", func(t *testing.T) { OutputFiles(t, create) })
	t.Run("Downloads", func(t *testing.T) { Downloads(t, create) })
	t.Run("Polls", func(t *testing.T) { Polls(t, create) })
	t.Run("Registry", func(t *testing.T) { Registry(t, create) })
	t.Run("Attestations", func(t *testing.T) { Attestations(t, create) })
	t.Run("Preferences", func(t *testing.T) { Preferences(t, create) })
	t.Run("Holds", func(t *testing.T) { Holds(t, create) })
	t.Run("Errands", func(t *testing.T) { Errands(t, create) })
	t.Run("Intakes", func(t *testing.T) { Intakes(t, create) })
	t.Run("Coverage", func(t *testing.T) { Coverage(t, create) })
	t.Run("Secrets", func(t *testing.T) { Secrets(t, create) })
	t.Run("Sessions", func(t *testing.T) { Sessions(t, create) })
	t.Run("Switches", func(t *testing.T) { Switches(t, create) })
	t.Run("Approvals", func(t *testing.T) { Approvals(t, create) })
	t.Run("JobFigures", func(t *testing.T) { JobFigures(t, create) })
	t.Run("Processes", func(t *testing.T) { Processes(t, create) })
	t.Run("SourceFigures", func(t *testing.T) { SourceFigures(t, create) })
	t.Run("ErrandBook", func(t *testing.T) { ErrandBook(t, create) })
	t.Run("Audit", func(t *testing.T) { Audit(t, create) })
	t.Run("AuditTrail", func(t *testing.T) { AuditTrail(t, create) })
}

// storeParts runs the parts of a suite, each on a store of its own.
func storeParts(t *testing.T, create func(t *testing.T) Store, parts map[string]func(storeTest)) {
	for name, part := range parts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			part(storeTest{t, create(t)})
		})
	}
}

// storeTest has the steps that the parts are told in.
type storeTest struct {
	*testing.T
	store Store
}

// do runs a unit of work that has to succeed.
func (s storeTest) do(fn func(ctx context.Context, tx ports.Tx) error) {
	s.Helper()
	if err := s.store.Do(s.Context(), fn); err != nil {
		s.Fatalf("the unit of work failed: %v", err)
	}
}

// try runs a unit of work and returns its error.
func (s storeTest) try(fn func(ctx context.Context, tx ports.Tx) error) error {
	return s.store.Do(s.Context(), fn)
}

// view reads in a unit of work that has to succeed.
func (s storeTest) view(fn func(ctx context.Context, tx ports.Tx) error) {
	s.Helper()
	if err := s.store.View(s.Context(), fn); err != nil {
		s.Fatalf("reading failed: %v", err)
	}
}

// refused checks that an error has a code.
func (s storeTest) refused(err error, want domain.Code) {
	s.Helper()
	if domain.CodeOf(err) != want {
		s.Errorf("the error is %v, want one of code %s", err, want)
	}
}

// eventually waits for a condition that the store's own clock brings about.
func (s storeTest) eventually(what string, holds func() bool) {
	s.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			s.Fatalf("waited too long until %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// atOnce runs something n times at the same time and returns the errors.
func atOnce(n int, do func(i int) error) []error {
	errs := make([]error, n)
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			errs[i] = do(i)
		})
	}
	done.Wait()
	return errs
}

var errUndo = errors.New("undo")

// instantAt is a point in time that every store can keep: in UTC and to the
// microsecond.
func instantAt(minutes int) time.Time {
	return time.Date(2026, 3, 1, 12, 0, 0, 123_456_000, time.UTC).Add(time.Duration(minutes) * time.Minute)
}

func jobID(n int) domain.JobID {
	return domain.JobID(fmt.Sprintf("%08d-0000-4000-8000-000000000000", n))
}

// parties keeps a sponsor, two contracts and a client.
func (s storeTest) parties() {
	s.Helper()
	s.do(func(ctx context.Context, tx ports.Tx) error {
		return errors.Join(
			tx.Sponsors.Put(ctx, domain.Sponsor{ID: "sponsor", Name: "A Sponsor"}),
			tx.Contracts.Put(ctx, domain.Contract{Number: "S0001", Name: "One", Sponsor: "sponsor"}),
			tx.Contracts.Put(ctx, domain.Contract{Number: "S0002", Name: "Two", Sponsor: "sponsor"}),
			tx.Clients.Put(ctx, domain.Client{ID: "client", Sponsor: "sponsor", Name: "A Client", Enabled: true,
				Contracts: []domain.ContractNumber{"S0001", "S0002"}, CreatedAt: instantAt(0)}),
		)
	})
}

// newJob is a submitted job, created n minutes after the first.
func newJob(n int, contracts ...domain.ContractNumber) *domain.ExportJob {
	return domain.NewExportJob(domain.ExportJobState{ID: jobID(n), Sponsor: "sponsor", Client: "client", Contracts: contracts,
		Version: domain.R4, Request: "https://example.com/api/v2/fhir/Patient/$export", Weight: n, CreatedAt: instantAt(n)})
}

// job keeps a submitted job for contract S0001 and returns its id.
func (s storeTest) job(n int) domain.JobID {
	s.Helper()
	s.do(func(ctx context.Context, tx ports.Tx) error { return tx.Jobs.Add(ctx, newJob(n, "S0001")) })
	return jobID(n)
}

// move changes a job.
func (s storeTest) move(id domain.JobID, change func(*domain.ExportJob) error) {
	s.Helper()
	s.do(func(ctx context.Context, tx ports.Tx) error { return tx.Jobs.Update(ctx, id, change) })
}

// partitions keeps a job with n open partitions of ten members each.
func (s storeTest) partitions(job, n int) []domain.PartitionID {
	s.Helper()
	id := s.job(job)
	parts := make([]domain.Partition, n)
	ids := make([]domain.PartitionID, n)
	for i := range parts {
		ids[i] = domain.PartitionID{Job: id, Seq: i + 1}
		parts[i] = domain.Partition{ID: ids[i], Contract: "S0001", Members: 10,
			Keys: domain.KeyRange{From: domain.PatientID(fmt.Sprintf("-%03d0", i)), To: domain.PatientID(fmt.Sprintf("-%03d9", i))}}
	}
	s.do(func(ctx context.Context, tx ports.Tx) error { return tx.Partitions.Add(ctx, parts) })
	return ids
}

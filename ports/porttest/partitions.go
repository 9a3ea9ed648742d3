package porttest

import (
	"context"
	"reflect"
	"slices"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Partitions runs the conformance suite of ports.Partitions.
func Partitions(t *testing.T, create func(t *testing.T) Store) {
	storeParts(t, create, map[string]func(storeTest){
		"After goes on behind a partition":                 partitionsAfter,
		"partitions come back whole and in order":          partitionsWhole,
		"partitions are added open":                        partitionsOpen,
		"a partition that is there is a conflict":          partitionsConflict,
		"a partition of no job is refused":                 partitionsNoJob,
		"many partitions are added at once":                partitionsMany,
		"Progress counts members and open partitions":      partitionsProgress,
		"Progress of no job is nothing":                    partitionsProgressNone,
		"Reclaim takes what waited too long":               reclaimWaiting,
		"Reclaim takes what lost its lease":                reclaimExpired,
		"Reclaim lets be who works and what is done":       reclaimLetsBe,
		"Reclaim of everything ends leases":                reclaimEverything,
		"Reclaim of everything is not bounded":             reclaimEverythingUnbounded,
		"Reclaim keeps to its bound and goes on after it":  reclaimBound,
		"Reclaim passes over jobs that nobody wants":       reclaimUnwanted,
		"racing Reclaims give each partition to one alone": reclaimRacing,
	})
}

// Leases runs the conformance suite of ports.Leases.
func Leases(t *testing.T, create func(t *testing.T) Store) {
	storeParts(t, create, map[string]func(storeTest){
		"Acquire gives an open partition":                leasesAcquire,
		"Acquire of none is not_found":                   leasesNotFound,
		"Acquire of one that is held is a conflict":      leasesHeld,
		"Acquire of one that is done is a conflict":      leasesDone,
		"of racing Acquires exactly one wins":            leasesRacing,
		"of racing Acquires after a lease one wins":      leasesRacingAfter,
		"a lease runs out by the store's clock":          leasesRunOut,
		"Renew keeps a lease in force and tells how far": leasesRenew,
		"Renew of a lease that is over is a conflict":    leasesRenewOver,
		"Publish binds the result":                       leasesPublish,
		"a late Publish binds nothing":                   leasesPublishLate,
		"a Publish after another's binds nothing":        leasesPublishTaken,
		"a Publish twice is a conflict":                  leasesPublishTwice,
		"of racing Publishes exactly one binds":          leasesPublishRacing,
		"a forged token binds nothing":                   leasesForged,
		"Release gives the partition back at once":       leasesRelease,
		"Release of a lease that is over disturbs none":  leasesReleaseOver,
		"a lease taken in a failed unit of work is none": leasesUndone,
	})
}

const (
	long  = time.Hour
	short = 60 * time.Millisecond
)

func (s storeTest) ofJob(n int) (parts []domain.Partition) {
	s.Helper()
	s.view(func(ctx context.Context, tx ports.Tx) (err error) {
		parts, err = tx.Partitions.OfJob(ctx, jobID(n))
		return err
	})
	return parts
}

func (s storeTest) tryAcquire(id domain.PartitionID, length time.Duration) (l domain.Lease, err error) {
	err = s.try(func(ctx context.Context, tx ports.Tx) error {
		l, err = tx.Leases.Acquire(ctx, id, length)
		return err
	})
	return l, err
}

func (s storeTest) acquire(id domain.PartitionID, length time.Duration) domain.Lease {
	s.Helper()
	l, err := s.tryAcquire(id, length)
	if err != nil {
		s.Fatalf("Acquire of %s: %v", id, err)
	}
	return l
}

func (s storeTest) renew(l domain.Lease, processed int, length time.Duration) error {
	return s.try(func(ctx context.Context, tx ports.Tx) error { return tx.Leases.Renew(ctx, l, processed, length) })
}

func (s storeTest) publish(l domain.Lease, r domain.PartitionResult) error {
	return s.try(func(ctx context.Context, tx ports.Tx) error { return tx.Leases.Publish(ctx, l, r) })
}

func (s storeTest) release(l domain.Lease) error {
	return s.try(func(ctx context.Context, tx ports.Tx) error { return tx.Leases.Release(ctx, l, 0) })
}

func (s storeTest) reclaim(patience time.Duration, everything bool, limit int) (ids []domain.PartitionID) {
	s.Helper()
	s.do(func(ctx context.Context, tx ports.Tx) (err error) {
		ids, err = tx.Partitions.Reclaim(ctx, patience, everything, limit)
		return err
	})
	return ids
}

func (s storeTest) progress(n int) (p domain.Progress, open int) {
	s.Helper()
	s.view(func(ctx context.Context, tx ports.Tx) (err error) {
		p, open, err = tx.Partitions.Progress(ctx, jobID(n))
		return err
	})
	return p, open
}

// expired takes a partition with a short lease and returns the lease when it
// has run out and nobody has taken the partition since: it waits until
// a lease begun later, on the partition after, has run out.
func (s storeTest) expired(id, after domain.PartitionID) domain.Lease {
	s.Helper()
	l := s.acquire(id, short)
	s.acquire(after, short)
	s.eventually("a short lease ran out", func() bool {
		_, err := s.tryAcquire(after, long)
		return err == nil
	})
	return l
}

func fullResult() domain.PartitionResult {
	return domain.PartitionResult{
		Files: []domain.StoredFile{{
			Kind: domain.DataFile, Key: "jobs/a/1-2.gz", Lines: 123,
			Plain:  domain.Content{Bytes: 1 << 40, SHA256: "aa"},
			Stored: domain.Content{Bytes: 1 << 33, SHA256: "bb"},
			Index:  []byte{0, 1, 0xff},

			Continues: true,
		}, {Kind: domain.ErrorFile, Key: "jobs/a/1-2-e.gz", Lines: 1}},
		Columns:  domain.Columns{Exported: 5, NoClaims: 2, OptedOut: 1, Failed: 2, FullHistory: 3},
		Lost:     []domain.PatientID{"-1"},
		Excluded: map[string]int{"samhsa": 4},
		Claims:   123,
	}
}

func partitionsAfter(s storeTest) {
	s.parties()
	s.partitions(1, 5)
	s.partitions(2, 1)
	for _, tt := range []struct {
		after, limit int
		want         []int
	}{{0, 100, []int{1, 2, 3, 4, 5}}, {0, 2, []int{1, 2}}, {2, 2, []int{3, 4}}, {4, 2, []int{5}}, {5, 2, nil}} {
		s.view(func(ctx context.Context, tx ports.Tx) error {
			parts, err := tx.Partitions.After(ctx, jobID(1), tt.after, tt.limit)
			var got []int
			for _, p := range parts {
				got = append(got, p.ID.Seq)
			}
			if !slices.Equal(got, tt.want) {
				s.Errorf("%d after %d: %v, want %v", tt.limit, tt.after, got, tt.want)
			}
			return err
		})
	}
}

func partitionsWhole(s storeTest) {
	s.parties()
	s.job(1)
	want := []domain.Partition{
		{ID: domain.PartitionID{Job: jobID(1), Seq: 1}, Contract: "S0001", Keys: domain.KeyRange{From: "", To: "-Z"}, Members: 3, State: domain.PartitionOpen},
		{ID: domain.PartitionID{Job: jobID(1), Seq: 2}, Contract: "S0001", Keys: domain.KeyRange{From: "-a", To: ""}, Members: 0, State: domain.PartitionOpen},
		{ID: domain.PartitionID{Job: jobID(1), Seq: 10}, Contract: "S0002", State: domain.PartitionOpen},
	}
	s.do(func(ctx context.Context, tx ports.Tx) error {
		return tx.Partitions.Add(ctx, []domain.Partition{want[2], want[0], want[1]})
	})
	if got := s.ofJob(1); !reflect.DeepEqual(got, want) {
		s.Errorf("the partitions are\n%+v\nwant\n%+v", got, want)
	}
	l := s.acquire(want[0].ID, long)
	if err := s.publish(l, fullResult()); err != nil {
		s.Fatal(err)
	}
	want[0].State, want[0].Attempt, want[0].Processed, want[0].Result = domain.PartitionDone, 1, 3, fullResult()
	if got := s.ofJob(1); !reflect.DeepEqual(got, want) {
		s.Errorf("the partitions are\n%+v\nwant\n%+v", got, want)
	}
	if got := s.ofJob(2); len(got) != 0 {
		s.Errorf("a job without partitions has %d", len(got))
	}
}

func partitionsOpen(s storeTest) {
	s.parties()
	s.job(1)
	p := domain.Partition{ID: domain.PartitionID{Job: jobID(1), Seq: 1}, Contract: "S0001", Members: 1,
		State: domain.PartitionDone, Attempt: 7, Processed: 1, Result: fullResult()}
	s.do(func(ctx context.Context, tx ports.Tx) error { return tx.Partitions.Add(ctx, []domain.Partition{p}) })
	if got := s.ofJob(1)[0]; got.State != domain.PartitionOpen || got.Attempt != 0 || got.Processed != 0 || len(got.Result.Files) != 0 {
		s.Errorf("the partition was added as %+v", got)
	}
}

func partitionsConflict(s storeTest) {
	s.parties()
	ids := s.partitions(1, 2)
	more := []domain.Partition{{ID: domain.PartitionID{Job: jobID(1), Seq: 3}, Contract: "S0001"}, {ID: ids[1], Contract: "S0001"}}
	s.do(func(ctx context.Context, tx ports.Tx) error {
		s.refused(tx.Partitions.Add(ctx, more), domain.Conflict)
		return nil
	})
	if got := s.ofJob(1); len(got) != 2 {
		s.Errorf("there are %d partitions, want none of those that conflict and those beside", len(got))
	}
}

func partitionsNoJob(s storeTest) {
	err := s.try(func(ctx context.Context, tx ports.Tx) error {
		return tx.Partitions.Add(ctx, []domain.Partition{{ID: domain.PartitionID{Job: jobID(1), Seq: 1}, Contract: "S0001"}})
	})
	if err == nil {
		s.Error("a partition of no job was added")
	}
}

func partitionsMany(s storeTest) {
	s.parties()
	s.partitions(1, 1234)
	if got := s.ofJob(1); len(got) != 1234 || got[1233].ID.Seq != 1234 {
		s.Errorf("there are %d partitions, want 1234", len(got))
	}
	s.do(func(ctx context.Context, tx ports.Tx) error { return tx.Partitions.Add(ctx, nil) })
}

func partitionsProgress(s storeTest) {
	s.parties()
	ids := s.partitions(1, 3)
	s.partitions(2, 1)
	if p, open := s.progress(1); p != (domain.Progress{Members: 30}) || open != 3 {
		s.Errorf("at first it is %+v with %d open", p, open)
	}
	l := s.acquire(ids[0], long)
	if err := s.renew(l, 4, long); err != nil {
		s.Fatal(err)
	}
	if err := s.publish(s.acquire(ids[1], long), domain.PartitionResult{}); err != nil {
		s.Fatal(err)
	}
	if p, open := s.progress(1); p != (domain.Progress{Processed: 14, Members: 30}) || open != 2 {
		s.Errorf("with one done and one begun it is %+v with %d open", p, open)
	}
}

func partitionsProgressNone(s storeTest) {
	if p, open := s.progress(1); p != (domain.Progress{}) || open != 0 {
		s.Errorf("it is %+v with %d open", p, open)
	}
}

func reclaimWaiting(s storeTest) {
	s.parties()
	ids := s.partitions(1, 2)
	if got := s.reclaim(long, false, 10); len(got) != 0 {
		s.Errorf("%v are taken before patience is over", got)
	}
	var got []domain.PartitionID
	s.eventually("both waited too long", func() bool {
		got = s.reclaim(short, false, 10)
		return len(got) > 0
	})
	if !slices.Equal(got, ids[:1]) {
		s.Errorf("%v are taken, want the first of its job, %v", got, ids[:1])
	}
	if got := s.reclaim(long, false, 10); len(got) != 0 {
		s.Errorf("%v are taken again, though they are queued now or wait behind one that is", got)
	}
	s.acquire(ids[0], long)
	if got := s.reclaim(short, false, 10); !slices.Equal(got, ids[1:]) {
		s.Errorf("%v are taken, want %v: none waits before it any more", got, ids[1:])
	}
}

func reclaimExpired(s storeTest) {
	s.parties()
	ids := s.partitions(1, 2)
	l := s.expired(ids[0], ids[1])
	if got := s.reclaim(long, false, 10); !slices.Equal(got, ids[:1]) {
		s.Errorf("%v are taken, want %v", got, ids[:1])
	}
	s.refused(s.renew(l, 1, long), domain.Conflict)
	if got := s.reclaim(long, false, 10); len(got) != 0 {
		s.Errorf("%v are taken again, though they are queued now", got)
	}
	if l := s.acquire(ids[0], long); l.Attempt != 2 {
		s.Errorf("the next attempt is the %dth", l.Attempt)
	}
}

func reclaimLetsBe(s storeTest) {
	s.parties()
	ids := s.partitions(1, 3)
	working := s.acquire(ids[0], long)
	if err := s.publish(s.acquire(ids[1], long), domain.PartitionResult{}); err != nil {
		s.Fatal(err)
	}
	s.eventually("the third waited too long", func() bool {
		got := s.reclaim(0, false, 10)
		if len(got) > 0 && !slices.Equal(got, ids[2:]) {
			s.Fatalf("%v are taken, want %v", got, ids[2:])
		}
		return len(got) > 0
	})
	if err := s.publish(working, domain.PartitionResult{}); err != nil {
		s.Errorf("the worker was disturbed: %v", err)
	}
}

func reclaimEverything(s storeTest) {
	s.parties()
	ids := s.partitions(1, 3)
	l := s.acquire(ids[0], long)
	if err := s.publish(s.acquire(ids[1], long), domain.PartitionResult{}); err != nil {
		s.Fatal(err)
	}
	got := s.reclaim(long, true, 10)
	slices.SortFunc(got, func(a, b domain.PartitionID) int { return a.Seq - b.Seq })
	if want := []domain.PartitionID{ids[0], ids[2]}; !slices.Equal(got, want) {
		s.Errorf("%v are taken, want %v", got, want)
	}
	s.refused(s.publish(l, fullResult()), domain.Conflict)
	s.acquire(ids[0], long)
	if got := s.reclaim(long, false, 10); len(got) != 0 {
		s.Errorf("%v are taken again, though they are queued now or held", got)
	}
}

func reclaimEverythingUnbounded(s storeTest) {
	s.parties()
	s.partitions(1, 700)
	if got := s.reclaim(long, true, 5); len(got) != 700 {
		s.Errorf("%d partitions are taken, want all 700", len(got))
	}
}

func reclaimBound(s storeTest) {
	s.parties()
	ids := s.partitions(1, 5)
	for _, id := range ids {
		s.acquire(id, short)
	}
	var got []domain.PartitionID
	s.eventually("all are taken in twos once their leases are over", func() bool {
		some := s.reclaim(long, false, 2)
		if len(some) > 2 {
			s.Fatalf("%d partitions are taken, want 2 at most", len(some))
		}
		got = append(got, some...)
		return len(got) >= 5
	})
	slices.SortFunc(got, func(a, b domain.PartitionID) int { return a.Seq - b.Seq })
	if !slices.Equal(got, ids) {
		s.Errorf("%v are taken, want each of %v once", got, ids)
	}
}

func reclaimUnwanted(s storeTest) {
	s.parties()
	s.partitions(1, 1)
	ids := s.partitions(2, 1)
	s.move(jobID(1), func(j *domain.ExportJob) error { return j.Cancel(instantAt(5)) })
	if got := s.reclaim(long, true, 10); !slices.Equal(got, ids) {
		s.Errorf("%v are taken, want %v: the other's job is cancelled", got, ids)
	}
}

func reclaimRacing(s storeTest) {
	s.parties()
	for _, id := range s.partitions(1, 20) {
		s.acquire(id, short)
	}
	seen := map[domain.PartitionID]bool{}
	s.eventually("all leases are over and taken", func() bool {
		taken := make([][]domain.PartitionID, 6)
		for _, err := range atOnce(len(taken), func(i int) error {
			return s.try(func(ctx context.Context, tx ports.Tx) (err error) {
				taken[i], err = tx.Partitions.Reclaim(ctx, long, false, 7)
				return err
			})
		}) {
			if err != nil {
				s.Fatal(err)
			}
		}
		for _, ids := range taken {
			for _, id := range ids {
				if seen[id] {
					s.Errorf("%s was taken twice", id)
				}
				seen[id] = true
			}
		}
		return len(seen) == 20
	})
}

func leasesAcquire(s storeTest) {
	s.parties()
	ids := s.partitions(1, 2)
	l := s.acquire(ids[0], long)
	if p := l.Partition; l.Token == "" || l.Attempt != 1 || p.ID != ids[0] || p.Members != 10 || p.Keys.From != "-0000" || p.Attempt != 1 {
		s.Errorf("the lease is %+v", l)
	}
	if other := s.acquire(ids[1], long); other.Token == l.Token {
		s.Error("two leases have one token")
	}
}

func leasesNotFound(s storeTest) {
	s.parties()
	s.partitions(1, 1)
	for _, id := range []domain.PartitionID{{Job: jobID(1), Seq: 2}, {Job: jobID(2), Seq: 1}} {
		_, err := s.tryAcquire(id, long)
		s.refused(err, domain.NotFound)
	}
}

func leasesHeld(s storeTest) {
	s.parties()
	ids := s.partitions(1, 1)
	l := s.acquire(ids[0], long)
	_, err := s.tryAcquire(ids[0], long)
	s.refused(err, domain.Conflict)
	if err := s.renew(l, 1, long); err != nil {
		s.Errorf("the holder was disturbed: %v", err)
	}
}

func leasesDone(s storeTest) {
	s.parties()
	ids := s.partitions(1, 1)
	if err := s.publish(s.acquire(ids[0], long), fullResult()); err != nil {
		s.Fatal(err)
	}
	_, err := s.tryAcquire(ids[0], long)
	s.refused(err, domain.Conflict)
}

// race has n workers try to take a partition at once and returns the leases.
func (s storeTest) race(id domain.PartitionID, n int) (won []domain.Lease) {
	s.Helper()
	leases := make([]domain.Lease, n)
	for i, err := range atOnce(n, func(i int) (err error) {
		leases[i], err = s.tryAcquire(id, long)
		return err
	}) {
		if err == nil {
			won = append(won, leases[i])
		} else {
			s.refused(err, domain.Conflict)
		}
	}
	return won
}

func leasesRacing(s storeTest) {
	s.parties()
	for _, id := range s.partitions(1, 4) {
		if won := s.race(id, 8); len(won) != 1 {
			s.Errorf("%d of 8 workers have %s", len(won), id)
		}
	}
}

func leasesRacingAfter(s storeTest) {
	s.parties()
	ids := s.partitions(1, 2)
	s.expired(ids[0], ids[1])
	won := s.race(ids[0], 8)
	if len(won) != 1 || won[0].Attempt != 2 {
		s.Errorf("%d of 8 workers have the partition after its lease ran out", len(won))
	}
}

func leasesRunOut(s storeTest) {
	s.parties()
	ids := s.partitions(1, 2)
	first := s.expired(ids[0], ids[1])
	second := s.acquire(ids[0], long)
	if second.Attempt != 2 || second.Token == first.Token {
		s.Errorf("the second lease is %+v after %+v", second, first)
	}
	if got := s.ofJob(1)[0].Processed; got != 0 {
		s.Errorf("the new attempt has processed %d members already", got)
	}
}

func leasesRenew(s storeTest) {
	s.parties()
	ids := s.partitions(1, 2)
	l := s.acquire(ids[0], time.Second)
	s.acquire(ids[1], time.Second)
	// Renewed for long, it outlasts the one that was not.
	if err := s.renew(l, 7, long); err != nil {
		s.Fatal(err)
	}
	if got := s.ofJob(1)[0].Processed; got != 7 {
		s.Errorf("%d members are processed, want 7", got)
	}
	s.eventually("the other lease ran out", func() bool {
		_, err := s.tryAcquire(ids[1], long)
		return err == nil
	})
	_, err := s.tryAcquire(ids[0], long)
	s.refused(err, domain.Conflict)
	if err := s.renew(l, 8, long); err != nil {
		s.Errorf("a renewed lease is over: %v", err)
	}
}

func leasesRenewOver(s storeTest) {
	s.parties()
	ids := s.partitions(1, 2)
	l := s.expired(ids[0], ids[1])
	s.refused(s.renew(l, 5, long), domain.Conflict)
	s.acquire(ids[0], long)
	s.refused(s.renew(l, 5, long), domain.Conflict)
	if got := s.ofJob(1)[0].Processed; got != 0 {
		s.Errorf("%d members are processed by an attempt that is over", got)
	}
}

func leasesPublish(s storeTest) {
	s.parties()
	ids := s.partitions(1, 1)
	if err := s.publish(s.acquire(ids[0], long), fullResult()); err != nil {
		s.Fatal(err)
	}
	if p := s.ofJob(1)[0]; p.State != domain.PartitionDone || !reflect.DeepEqual(p.Result, fullResult()) {
		s.Errorf("the partition is %+v", p)
	}
}

// unbound checks that a partition is open and has no result.
func (s storeTest) unbound() {
	s.Helper()
	if p := s.ofJob(1)[0]; p.State != domain.PartitionOpen || len(p.Result.Files) != 0 || p.Result.Claims != 0 {
		s.Errorf("a result was bound: %+v", p)
	}
}

func leasesPublishLate(s storeTest) {
	s.parties()
	ids := s.partitions(1, 2)
	l := s.expired(ids[0], ids[1])
	s.refused(s.publish(l, fullResult()), domain.Conflict)
	s.unbound()
}

func leasesPublishTaken(s storeTest) {
	s.parties()
	ids := s.partitions(1, 2)
	first := s.expired(ids[0], ids[1])
	second := s.acquire(ids[0], long)
	s.refused(s.publish(first, fullResult()), domain.Conflict)
	s.unbound()
	other := fullResult()
	other.Files[0].Key = "by the second"
	if err := s.publish(second, other); err != nil {
		s.Fatal(err)
	}
	s.refused(s.publish(first, fullResult()), domain.Conflict)
	if got := s.ofJob(1)[0].Result.Files[0].Key; got != "by the second" {
		s.Errorf("the file bound is %q", got)
	}
}

func leasesPublishTwice(s storeTest) {
	s.parties()
	ids := s.partitions(1, 1)
	l := s.acquire(ids[0], long)
	if err := s.publish(l, fullResult()); err != nil {
		s.Fatal(err)
	}
	s.refused(s.publish(l, domain.PartitionResult{}), domain.Conflict)
	if got := s.ofJob(1)[0].Result; !reflect.DeepEqual(got, fullResult()) {
		s.Errorf("the result is now %+v", got)
	}
}

func leasesPublishRacing(s storeTest) {
	s.parties()
	l := s.acquire(s.partitions(1, 1)[0], long)
	bound := 0
	for _, err := range atOnce(8, func(i int) error { return s.publish(l, domain.PartitionResult{Claims: i + 1}) }) {
		if err == nil {
			bound++
		} else {
			s.refused(err, domain.Conflict)
		}
	}
	if bound != 1 {
		s.Errorf("%d of 8 results were bound", bound)
	}
}

func leasesForged(s storeTest) {
	s.parties()
	ids := s.partitions(1, 2)
	l := s.acquire(ids[0], long)
	for _, token := range []string{"", "x", s.acquire(ids[1], long).Token} {
		forged := l
		forged.Token = token
		s.refused(s.publish(forged, fullResult()), domain.Conflict)
		s.refused(s.renew(forged, 1, long), domain.Conflict)
		if err := s.release(forged); err != nil {
			s.Errorf("Release with another token: %v", err)
		}
	}
	s.unbound()
	if err := s.renew(l, 1, long); err != nil {
		s.Errorf("the holder was disturbed: %v", err)
	}
}

func leasesRelease(s storeTest) {
	s.parties()
	ids := s.partitions(1, 1)
	l := s.acquire(ids[0], long)
	if err := s.release(l); err != nil {
		s.Fatal(err)
	}
	s.refused(s.publish(l, fullResult()), domain.Conflict)
	if got := s.reclaim(long, false, 10); len(got) != 0 {
		s.Errorf("%v are taken, though they wait since now only", got)
	}
	if again := s.acquire(ids[0], long); again.Attempt != 2 {
		s.Errorf("the next attempt is the %dth", again.Attempt)
	}
}

func leasesReleaseOver(s storeTest) {
	s.parties()
	ids := s.partitions(1, 2)
	first := s.expired(ids[0], ids[1])
	if err := s.release(first); err != nil {
		s.Errorf("Release of a lease that ran out: %v", err)
	}
	second := s.acquire(ids[0], long)
	if err := s.release(first); err != nil {
		s.Errorf("Release of a lease that another has: %v", err)
	}
	if err := s.publish(second, fullResult()); err != nil {
		s.Errorf("the holder was disturbed: %v", err)
	}
	if err := s.release(second); err != nil {
		s.Errorf("Release of a partition that is done: %v", err)
	}
	if got := s.ofJob(1)[0].State; got != domain.PartitionDone {
		s.Errorf("the partition is %s", got)
	}
}

func leasesUndone(s storeTest) {
	s.parties()
	ids := s.partitions(1, 1)
	_ = s.try(func(ctx context.Context, tx ports.Tx) error {
		if _, err := tx.Leases.Acquire(ctx, ids[0], long); err != nil {
			s.Error(err)
		}
		return errUndo
	})
	if l := s.acquire(ids[0], long); l.Attempt != 1 {
		s.Errorf("the attempt is the %dth", l.Attempt)
	}
}

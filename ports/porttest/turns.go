package porttest

import (
	"context"
	"slices"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Turns runs the part of the conformance suite of ports.Partitions that is
// about whose turn it is.
func Turns(t *testing.T, create func(t *testing.T) Store) {
	storeParts(t, create, map[string]func(storeTest){
		"Shares tells of jobs that could do with more workers": turnsShares,
		"Shares leaves out who waits for nothing":              turnsSharesOver,
		"Next gives partitions in order":                       turnsNext,
		"Next passes over what rests":                          turnsRest,
		"Next goes back to what lost its lease":                turnsExpired,
		"racing workers get different partitions":              turnsRacing,
		"Backlog counts what waits":                            turnsBacklog,
	})
}

func (s storeTest) shares() (shares []domain.Share) {
	s.Helper()
	s.view(func(ctx context.Context, tx ports.Tx) (err error) {
		shares, err = tx.Partitions.Shares(ctx)
		return err
	})
	slices.SortFunc(shares, func(a, b domain.Share) int { return a.Since.Compare(b.Since) })
	return shares
}

// takeNext takes the next partition of a job as a worker does.
func (s storeTest) takeNext(id domain.JobID, length time.Duration) (l domain.Lease, err error) {
	err = s.try(func(ctx context.Context, tx ports.Tx) error {
		next, err := tx.Partitions.Next(ctx, id)
		if err != nil {
			return err
		}
		l, err = tx.Leases.Acquire(ctx, next, length)
		return err
	})
	return l, err
}

func (s storeTest) wantNext(want domain.PartitionID) domain.Lease {
	s.Helper()
	l, err := s.takeNext(want.Job, long)
	if err != nil || l.Partition.ID != want {
		s.Fatalf("next is %s, %v; want %s", l.Partition.ID, err, want)
	}
	return l
}

func (s storeTest) wantNone(id domain.JobID) {
	s.Helper()
	_, err := s.takeNext(id, long)
	s.refused(err, domain.NotFound)
}

// begun keeps a job in progress with n partitions.
func (s storeTest) begun(job, n int) []domain.PartitionID {
	s.Helper()
	ids := s.partitions(job, n)
	s.move(jobID(job), func(j *domain.ExportJob) error { return j.Begin(instantAt(1), instantAt(1), nil) })
	return ids
}

func turnsShares(s storeTest) {
	s.parties()
	first, second := s.begun(1, 3), s.begun(2, 2)
	s.partitions(3, 1) // not begun
	s.acquire(first[0], long)
	s.acquire(first[1], long)
	if err := s.publish(s.acquire(second[0], long), domain.PartitionResult{}); err != nil {
		s.Fatal(err)
	}
	one, two := s.getJob(jobID(1)), s.getJob(jobID(2))
	want := []domain.Share{{Job: one.ID, Weight: one.Weight, Held: 2, Since: one.CreatedAt}, {Job: two.ID, Weight: two.Weight, Since: two.CreatedAt}}
	slices.SortFunc(want, func(a, b domain.Share) int { return a.Since.Compare(b.Since) })
	if got := s.shares(); !slices.Equal(got, want) || one.Weight == 0 {
		s.Errorf("the shares are\n%+v, want\n%+v", got, want)
	}
}

func turnsSharesOver(s storeTest) {
	s.parties()
	all, lapsed, cancelled := s.begun(1, 1), s.begun(2, 2), s.begun(3, 1)
	s.acquire(all[0], long)
	s.expired(lapsed[0], lapsed[1])
	s.acquire(cancelled[0], short)
	s.move(jobID(3), func(j *domain.ExportJob) error { return j.Cancel(instantAt(5)) })
	if got := s.shares(); len(got) != 1 || got[0].Job != jobID(2) || got[0].Held != 1 {
		s.Errorf("the shares are %+v, want the job with a lease that ran out and one in force", got)
	}
}

func turnsNext(s storeTest) {
	s.parties()
	ids := s.begun(1, 4)
	s.acquire(ids[2], long)
	first := s.wantNext(ids[0])
	s.wantNext(ids[1])
	if err := s.publish(first, domain.PartitionResult{}); err != nil {
		s.Fatal(err)
	}
	s.wantNext(ids[3])
	s.wantNone(jobID(1))
	s.wantNone(jobID(2))
}

func turnsRest(s storeTest) {
	s.parties()
	ids := s.begun(1, 2)
	for _, rest := range []time.Duration{long, short} {
		l := s.acquire(ids[0], long)
		if err := s.try(func(ctx context.Context, tx ports.Tx) error { return tx.Leases.Release(ctx, l, rest) }); err != nil {
			s.Fatal(err)
		}
	}
	second := s.wantNext(ids[1])
	s.eventually("the first has rested", func() bool {
		l, err := s.takeNext(jobID(1), long)
		return err == nil && l.Partition.ID == ids[0]
	})
	if err := s.release(second); err != nil {
		s.Fatal(err)
	}
	s.wantNext(ids[1])
}

func turnsExpired(s storeTest) {
	s.parties()
	ids := s.begun(1, 3)
	s.expired(ids[0], ids[1])
	if l := s.wantNext(ids[0]); l.Attempt != 2 {
		s.Errorf("the attempt is the %dth", l.Attempt)
	}
	s.wantNext(ids[2])
}

func turnsRacing(s storeTest) {
	s.parties()
	s.begun(1, 12)
	leases := make([]domain.Lease, 16)
	seen := map[domain.PartitionID]bool{}
	none := 0
	for i, err := range atOnce(len(leases), func(i int) (err error) {
		leases[i], err = s.takeNext(jobID(1), long)
		return err
	}) {
		id := leases[i].Partition.ID
		switch {
		case domain.CodeOf(err) == domain.NotFound:
			none++
		case err != nil:
			s.Fatal(err)
		case seen[id]:
			s.Errorf("%s was given twice", id)
		}
		seen[id] = true
	}
	if none != 4 {
		s.Errorf("%d of 16 workers got none of 12 partitions, want 4", none)
	}
}

func turnsBacklog(s storeTest) {
	backlog := func() (b domain.Backlog) {
		s.view(func(ctx context.Context, tx ports.Tx) (err error) {
			b, err = tx.Partitions.Backlog(ctx)
			return err
		})
		return b
	}
	if got := backlog(); got != (domain.Backlog{}) {
		s.Errorf("in the beginning it is %+v", got)
	}
	s.parties()
	ids := s.begun(1, 5)
	s.job(2)
	s.partitions(3, 1)
	s.move(jobID(3), func(j *domain.ExportJob) error { return j.Cancel(instantAt(5)) })
	s.acquire(ids[0], long)
	if err := s.publish(s.acquire(ids[1], long), domain.PartitionResult{}); err != nil {
		s.Fatal(err)
	}
	if got := backlog(); got.Jobs != 2 || got.Waiting != 3 || got.Held != 1 {
		s.Errorf("it is %+v, want 2 jobs, 3 partitions waiting and 1 held", got)
	}
	before := backlog().Oldest
	s.eventually("the oldest grows older", func() bool { return backlog().Oldest > before })
}

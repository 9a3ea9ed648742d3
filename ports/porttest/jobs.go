package porttest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Jobs runs the conformance suite of ports.Jobs and ports.JobList.
func Jobs(t *testing.T, create func(t *testing.T) Store) {
	storeParts(t, create, map[string]func(storeTest){
		"a job comes back whole":                       jobsWhole,
		"a job that is there is a conflict":            jobsConflict,
		"no job is not_found":                          jobsNotFound,
		"a change that fails is not kept":              jobsChangeFails,
		"racing updates all count":                     jobsRacingUpdates,
		"Active is the running jobs of the contracts":  jobsActive,
		"Active holds off a racing kick-off":           jobsActiveHolds,
		"kick-offs of several contracts do not tangle": jobsActiveTangle,
		"kick-offs of other contracts need not wait":   jobsActiveOthers,
		"Find narrows, orders and bounds":              jobsFind,
		"Find without a bound gives a hundred":         jobsFindDefault,
		"a race to add one job has exactly one winner": jobsRacingAdd,
	})
}

// fullJob is a job with something in every field, in UTC to the microsecond.
func fullJob() domain.ExportJobState {
	return domain.ExportJobState{
		ID: jobID(7), Sponsor: "sponsor", Client: "client",
		Contracts: []domain.ContractNumber{"S0002", "S0001"},
		Skipped:   []domain.SkippedContract{{Contract: "S0003", Reason: "not attested"}},
		Version:   domain.STU3,
		Request:   "https://example.com/api/v1/fhir/Patient/$export?_since=2026-01-01T00:00:00Z&x=%20ä",
		Window:    domain.Window{Since: instantAt(-1000), Until: instantAt(-500)},
		Weight:    3,
		Trace:     "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",

		State:           domain.InProgress,
		CreatedAt:       instantAt(0),
		StartedAt:       instantAt(1),
		CompletedAt:     instantAt(2),
		ExpiresAt:       instantAt(3),
		TransactionTime: instantAt(-1),
		Plans: []domain.ContractPlan{
			{Contract: "S0002", Enrollment: 3, Before: 2, Enrolled: 100, From: 2020_01_01, FromBefore: 2021_02_03},
			{Contract: "S0001", Enrollment: 1},
		},
		Accounts: []domain.Account{{Contract: "S0002", Columns: domain.Columns{Exported: 1, NoClaims: 2, OptedOut: 3, Failed: 4, FullHistory: 5}}},
		Failure:  domain.Failure{Code: domain.Unavailable, Reason: "the source is away", ID: "abc"},
	}
}

func (s storeTest) getJob(id domain.JobID) (state domain.ExportJobState) {
	s.Helper()
	s.view(func(ctx context.Context, tx ports.Tx) error {
		j, err := tx.Jobs.Get(ctx, id)
		if err == nil {
			state = j.State()
		}
		return err
	})
	return state
}

func jobsWhole(s storeTest) {
	s.parties()
	for n, want := range []domain.ExportJobState{fullJob(), newJob(1, "S0001").State()} {
		s.do(func(ctx context.Context, tx ports.Tx) error { return tx.Jobs.Add(ctx, domain.RestoreExportJob(want)) })
		if got := s.getJob(want.ID); !reflect.DeepEqual(got, want) {
			s.Errorf("job %d comes back as\n%+v\nwant\n%+v", n, got, want)
		}
	}
	// And through Update: what is taken away is gone.
	s.move(jobID(7), func(j *domain.ExportJob) error {
		*j = *domain.RestoreExportJob(domain.ExportJobState{ID: jobID(7), Sponsor: "sponsor", Client: "client",
			Contracts: []domain.ContractNumber{"S0002", "S0001"}, Version: domain.R4, State: domain.Submitted, CreatedAt: instantAt(0)})
		return nil
	})
	want := domain.ExportJobState{ID: jobID(7), Sponsor: "sponsor", Client: "client",
		Contracts: []domain.ContractNumber{"S0002", "S0001"}, Version: domain.R4, State: domain.Submitted, CreatedAt: instantAt(0)}
	if got := s.getJob(jobID(7)); !reflect.DeepEqual(got, want) {
		s.Errorf("the changed job comes back as\n%+v\nwant\n%+v", got, want)
	}
}

func jobsConflict(s storeTest) {
	s.parties()
	s.job(1)
	s.refused(s.try(func(ctx context.Context, tx ports.Tx) error { return tx.Jobs.Add(ctx, newJob(1, "S0002")) }), domain.Conflict)
	if got := s.getJob(jobID(1)).Contracts; !slices.Equal(got, []domain.ContractNumber{"S0001"}) {
		s.Errorf("the job now has the contracts %v", got)
	}
}

func jobsNotFound(s storeTest) {
	s.refused(s.store.View(s.Context(), func(ctx context.Context, tx ports.Tx) error {
		_, err := tx.Jobs.Get(ctx, jobID(1))
		return err
	}), domain.NotFound)
	s.refused(s.try(func(ctx context.Context, tx ports.Tx) error {
		return tx.Jobs.Update(ctx, jobID(1), func(*domain.ExportJob) error {
			s.Error("there is a job to change")
			return nil
		})
	}), domain.NotFound)
}

func jobsChangeFails(s storeTest) {
	s.parties()
	s.job(1)
	s.do(func(ctx context.Context, tx ports.Tx) error {
		err := tx.Jobs.Update(ctx, jobID(1), func(j *domain.ExportJob) error {
			return errors.Join(j.Cancel(instantAt(1)), errUndo)
		})
		if !errors.Is(err, errUndo) {
			s.Errorf("the error is %v, want that of the change", err)
		}
		return nil // the unit of work goes on without it
	})
	if got := s.getJob(jobID(1)).State; got != domain.Submitted {
		s.Errorf("the job is %s, want it unchanged", got)
	}
}

func jobsRacingUpdates(s storeTest) {
	s.parties()
	s.job(1)
	const n = 12
	for _, err := range atOnce(n, func(int) error {
		return s.try(func(ctx context.Context, tx ports.Tx) error {
			return tx.Jobs.Update(ctx, jobID(1), func(j *domain.ExportJob) error {
				state := j.State()
				state.Request += "+"
				*j = *domain.RestoreExportJob(state)
				return nil
			})
		})
	}) {
		if err != nil {
			s.Error(err)
		}
	}
	want := newJob(1).State().Request
	if got := s.getJob(jobID(1)).Request; len(got) != len(want)+n {
		s.Errorf("%d of %d updates are there", len(got)-len(want), n)
	}
}

func jobsRacingAdd(s storeTest) {
	s.parties()
	won := 0
	for _, err := range atOnce(8, func(int) error {
		return s.try(func(ctx context.Context, tx ports.Tx) error { return tx.Jobs.Add(ctx, newJob(1, "S0001")) })
	}) {
		if err == nil {
			won++
		} else {
			s.refused(err, domain.Conflict)
		}
	}
	if won != 1 {
		s.Errorf("%d of 8 added the job", won)
	}
}

func ids(jobs []*domain.ExportJob) []domain.JobID {
	out := make([]domain.JobID, len(jobs))
	for i, j := range jobs {
		out[i] = j.ID()
	}
	return out
}

func (s storeTest) active(want []domain.JobID, contracts ...domain.ContractNumber) {
	s.Helper()
	s.do(func(ctx context.Context, tx ports.Tx) error {
		got, err := tx.Jobs.Active(ctx, contracts)
		if !slices.Equal(ids(got), want) {
			s.Errorf("active for %v are %v, want %v", contracts, ids(got), want)
		}
		return err
	})
}

func jobsActive(s storeTest) {
	s.parties()
	s.do(func(ctx context.Context, tx ports.Tx) error {
		return errors.Join(
			tx.Jobs.Add(ctx, newJob(3, "S0001")),
			tx.Jobs.Add(ctx, newJob(2, "S0001", "S0002")),
			tx.Jobs.Add(ctx, newJob(1, "S0002")),
			tx.Jobs.Add(ctx, newJob(4, "S0001")),
			tx.Jobs.Add(ctx, newJob(5, "S0001")),
		)
	})
	s.move(jobID(3), func(j *domain.ExportJob) error { return j.Begin(instantAt(9), instantAt(8), nil) })
	s.move(jobID(4), func(j *domain.ExportJob) error { return j.Cancel(instantAt(9)) })
	s.move(jobID(5), func(j *domain.ExportJob) error { return j.Fail(instantAt(9), domain.Failure{}) })
	s.active([]domain.JobID{jobID(2), jobID(3)}, "S0001")
	s.active([]domain.JobID{jobID(1), jobID(2)}, "S0002")
	s.active([]domain.JobID{jobID(1), jobID(2), jobID(3)}, "S0002", "S0001")
	s.active([]domain.JobID{}, "S0003")
}

// kickOff adds a job when fewer than limit are active, as the application does.
func (s storeTest) kickOff(n, limit int, contracts ...domain.ContractNumber) error {
	return s.try(func(ctx context.Context, tx ports.Tx) error {
		running, err := tx.Jobs.Active(ctx, contracts)
		if err != nil {
			return err
		}
		if len(running) >= limit {
			return domain.Errorf(domain.Throttled, "too many")
		}
		return tx.Jobs.Add(ctx, newJob(n, contracts...))
	})
}

func jobsActiveHolds(s storeTest) {
	s.parties()
	const limit = 3
	accepted := 0
	for _, err := range atOnce(12, func(i int) error { return s.kickOff(i, limit, "S0001") }) {
		if err == nil {
			accepted++
		} else {
			s.refused(err, domain.Throttled)
		}
	}
	if accepted != limit {
		s.Errorf("%d jobs were accepted, want %d", accepted, limit)
	}
}

func jobsActiveTangle(s storeTest) {
	s.parties()
	for _, err := range atOnce(12, func(i int) error {
		if i%2 == 0 {
			return s.kickOff(i, 100, "S0001", "S0002")
		}
		return s.kickOff(i, 100, "S0002", "S0001")
	}) {
		if err != nil {
			s.Error(err)
		}
	}
}

// A store with one writer lets others wait all the same; what must not happen
// is that they wait for ever or fail.
func jobsActiveOthers(s storeTest) {
	s.parties()
	for _, err := range atOnce(8, func(i int) error {
		return s.kickOff(i, 4, []domain.ContractNumber{"S0001", "S0002"}[i%2])
	}) {
		if err != nil {
			s.Error(err)
		}
	}
}

func jobsFind(s storeTest) {
	s.parties()
	for n := range 6 {
		s.job(n)
	}
	s.do(func(ctx context.Context, tx ports.Tx) error {
		other := newJob(6).State()
		other.Sponsor = "other"
		return tx.Jobs.Add(ctx, domain.NewExportJob(other))
	})
	succeed := func(n int, expires time.Duration) {
		s.move(jobID(n), func(j *domain.ExportJob) error {
			return errors.Join(j.Begin(instantAt(10), instantAt(9), nil), j.Succeed(instantAt(20), expires, nil))
		})
	}
	succeed(1, time.Hour)
	succeed(3, 2*time.Hour)
	s.move(jobID(4), func(j *domain.ExportJob) error { return j.Cancel(instantAt(10)) })
	for what, part := range map[string]struct {
		q    ports.JobQuery
		want []int
	}{
		"everything":    {ports.JobQuery{}, []int{0, 1, 2, 3, 4, 5, 6}},
		"one state":     {ports.JobQuery{States: []domain.JobState{domain.Successful}}, []int{1, 3}},
		"two states":    {ports.JobQuery{States: []domain.JobState{domain.Successful, domain.Cancelled}}, []int{1, 3, 4}},
		"sponsor":       {ports.JobQuery{Sponsor: "other"}, []int{6}},
		"the newest":    {ports.JobQuery{Newest: true, Limit: 2}, []int{6, 5}},
		"no R4":         {ports.JobQuery{Version: "R3"}, nil},
		"createdBefore": {ports.JobQuery{CreatedBefore: instantAt(2)}, []int{0, 1}},
		"expiresBefore": {ports.JobQuery{ExpiresBefore: instantAt(20 + 120)}, []int{1}},
		"limit":         {ports.JobQuery{Limit: 2}, []int{0, 1}},
		"all at once":   {ports.JobQuery{States: []domain.JobState{domain.Submitted}, Sponsor: "sponsor", CreatedBefore: instantAt(5), Limit: 5}, []int{0, 2}},
	} {
		s.view(func(ctx context.Context, tx ports.Tx) error {
			got, err := tx.JobList.Find(ctx, part.q)
			want := make([]domain.JobID, len(part.want))
			for i, n := range part.want {
				want[i] = jobID(n)
			}
			if !slices.Equal(ids(got), want) {
				s.Errorf("%s: found %v, want %v", what, ids(got), want)
			}
			return err
		})
	}
}

func jobsFindDefault(s storeTest) {
	s.parties()
	s.do(func(ctx context.Context, tx ports.Tx) error {
		for n := range 101 {
			if err := tx.Jobs.Add(ctx, newJob(n, "S0001")); err != nil {
				return err
			}
		}
		return nil
	})
	s.view(func(ctx context.Context, tx ports.Tx) error {
		got, err := tx.JobList.Find(ctx, ports.JobQuery{})
		if len(got) != 100 {
			s.Errorf("found %d jobs, want 100", len(got))
		}
		return err
	})
}

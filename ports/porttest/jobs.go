package porttest

import (
	"context"
	"errors"
	"fmt"
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
		"a job comes back whole":                        jobsWhole,
		"a job that is there is a conflict":             jobsConflict,
		"no job is not_found":                           jobsNotFound,
		"a change that fails is not kept":               jobsChangeFails,
		"racing updates all count":                      jobsRacingUpdates,
		"Active is the running jobs of the contracts":   jobsActive,
		"Active holds off a racing kick-off":            jobsActiveHolds,
		"kick-offs of several contracts do not tangle":  jobsActiveTangle,
		"kick-offs of other contracts need not wait":    jobsActiveOthers,
		"Find narrows, orders and bounds":               jobsFind,
		"Find goes on behind a place":                   jobsFindBehind,
		"Reassign gives a sponsor's jobs away":          jobsReassign,
		"Find without a bound gives a hundred":          jobsFindDefault,
		"a race to add one job has exactly one winner":  jobsRacingAdd,
		"Prune takes ended jobs and all that is theirs": jobsPrune,
		"Prune takes the oldest first, and no more":     jobsPruneLimit,
		"a pruning that is undone removed nothing":      jobsPruneUndone,
		"racing prunings share the jobs":                jobsPruneRacing,
	})
}

func jobsReassign(s storeTest) {
	s.parties()
	s.do(func(ctx context.Context, tx ports.Tx) error {
		for n := 1; n <= 3; n++ {
			j := newJob(n, "S0001").State()
			if n == 3 {
				j.Sponsor = "third"
			}
			if err := tx.Jobs.Add(ctx, domain.NewExportJob(j)); err != nil {
				return err
			}
		}
		return nil
	})
	s.do(func(ctx context.Context, tx ports.Tx) error {
		if n, err := tx.JobList.Reassign(ctx, "sponsor", "other"); n != 2 || err != nil {
			s.Errorf("%d jobs were given away, %v", n, err)
		}
		n, err := tx.JobList.Reassign(ctx, "nobody", "other")
		if n != 0 {
			s.Errorf("%d jobs of nobody were given away", n)
		}
		return err
	})
	s.view(func(ctx context.Context, tx ports.Tx) error {
		for sponsor, want := range map[domain.SponsorID]int{"sponsor": 0, "other": 2, "third": 1} {
			if n, err := tx.JobList.Count(ctx, ports.JobQuery{Sponsor: sponsor}); n != want || err != nil {
				s.Errorf("%s has %d jobs, %v", sponsor, n, err)
			}
		}
		return nil
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
		Terms: domain.Terms{SeparateStatus: true, Ignored: []domain.Ignored{{Code: domain.Invalid, Text: "a \"b\"", Next: "c"}},
			Filters:   domain.Filters{{Served: []domain.DateTest{{Prefix: domain.Less, From: 2024_01_01, To: 2024_01_31}}, Types: []string{"SNF"}, Statuses: []string{"active"}}},
			Elements:  domain.Elements{domain.ExplanationOfBenefit: {"id", "item"}, domain.Patient: {}},
			ByPatient: true, MinFileBytes: 1, MaxFileBytes: 1 << 40},
		Weight: 3,
		Trace:  "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",

		State:           domain.InProgress,
		CreatedAt:       instantAt(0),
		StartedAt:       instantAt(1),
		CompletedAt:     instantAt(2),
		ExpiresAt:       instantAt(3),
		TransactionTime: instantAt(-1),
		Plans: []domain.ContractPlan{
			{Contract: "S0002", Enrollment: 3, EnrolledAsOf: instantAt(-30), Before: 2, Enrolled: 100, From: 2020_01_01, FromBefore: 2021_02_03},
			{Contract: "S0001", Enrollment: 1},
		},
		Accounts: []domain.Account{{Contract: "S0002", Columns: domain.Columns{Exported: 1, NoClaims: 2, OptedOut: 3, Failed: 4, NoCurrentMBI: 6, FullHistory: 5}, EnrolledAsOf: instantAt(-30), Lost: []domain.PatientID{"-1", "-2"}}},
		Partials: domain.Partials{Allowed: true, Pages: []domain.ManifestPage{{Through: 2, Files: 3, At: instantAt(2)}}},
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
		other.Sponsor, other.Contracts = "other", []domain.ContractNumber{"S0001", "S0002"}
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
		"contract":      {ports.JobQuery{Contract: "S0002"}, []int{6}},
		"a contract":    {ports.JobQuery{Contract: "S0001", Limit: 2, Newest: true}, []int{6, 5}},
		"the newest":    {ports.JobQuery{Newest: true, Limit: 2}, []int{6, 5}},
		"no R4":         {ports.JobQuery{Version: "R3"}, nil},
		"createdBefore": {ports.JobQuery{CreatedBefore: instantAt(2)}, []int{0, 1}},
		"expiresBefore": {ports.JobQuery{ExpiresBefore: instantAt(20 + 120)}, []int{1}},
		"client":        {ports.JobQuery{Client: "nobody"}, nil},
		"createdFrom":   {ports.JobQuery{CreatedFrom: instantAt(5)}, []int{5, 6}},
		"id begins":     {ports.JobQuery{IDPrefix: string(jobID(3))[:8]}, []int{3}},
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
	s.view(func(ctx context.Context, tx ports.Tx) error {
		n, err := tx.JobList.Count(ctx, ports.JobQuery{Sponsor: "sponsor", Limit: 2})
		if n != 6 {
			s.Errorf("%d jobs of the sponsor counted, want 6", n)
		}
		return err
	})
}

// Two of the jobs were created at one instant.
func jobsFindBehind(s storeTest) {
	s.parties()
	for n := range 5 {
		j := newJob(n, "S0001").State()
		if n == 2 {
			j.CreatedAt = instantAt(1)
		}
		s.do(func(ctx context.Context, tx ports.Tx) error { return tx.Jobs.Add(ctx, domain.NewExportJob(j)) })
	}
	s.move(jobID(3), func(j *domain.ExportJob) error { return j.Cancel(instantAt(9)) })
	for _, newest := range []bool{false, true} {
		var walked []domain.JobID
		q := ports.JobQuery{Newest: newest, Limit: 1, States: []domain.JobState{domain.Submitted}}
		for range 10 {
			var found []*domain.ExportJob
			s.view(func(ctx context.Context, tx ports.Tx) (err error) {
				found, err = tx.JobList.Find(ctx, q)
				return err
			})
			if len(found) == 0 {
				break
			}
			walked = append(walked, found[0].ID())
			q.Behind = ports.JobPlace{CreatedAt: found[0].State().CreatedAt, ID: found[0].ID()}
		}
		want := []domain.JobID{jobID(0), jobID(1), jobID(2), jobID(4)}
		if newest {
			slices.Reverse(want)
		}
		s.sameJobs(fmt.Sprintf("one by one, the newest first: %t", newest), walked, want...)
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

// endings are the ways a job can stand, each with how it gets there at a minute.
var endings = map[domain.JobState]func(j *domain.ExportJob, minute int) error{
	domain.Submitted:  func(*domain.ExportJob, int) error { return nil },
	domain.InProgress: begun,
	domain.Failed:     func(j *domain.ExportJob, m int) error { return j.Fail(instantAt(m), domain.Failure{}) },
	domain.Cancelled:  func(j *domain.ExportJob, m int) error { return j.Cancel(instantAt(m)) },
	domain.Successful: func(j *domain.ExportJob, m int) error {
		return errors.Join(begun(j, m), j.Succeed(instantAt(m), time.Minute, nil))
	},
	domain.Lapsed: func(j *domain.ExportJob, m int) error {
		return errors.Join(begun(j, m), j.Succeed(instantAt(m), time.Minute, nil), j.Expire(instantAt(m+1)))
	},
}

func begun(j *domain.ExportJob, minute int) error {
	return j.Begin(instantAt(minute), instantAt(minute-1), nil)
}

// ended keeps a job that came to its state at a minute, with one of everything
// that a job can have.
func (s storeTest) ended(n int, state domain.JobState, minute int) {
	s.Helper()
	s.partitions(n, 2)
	s.move(jobID(n), func(j *domain.ExportJob) error { return endings[state](j, minute) })
	s.do(func(ctx context.Context, tx ports.Tx) error {
		return errors.Join(
			tx.Files.Add(ctx, []domain.OutputFile{outputFile(n, "f")}),
			tx.Downloads.Update(ctx, domain.DownloadKey{Job: jobID(n), File: "f", Client: "client"}, func(d *domain.Download) { d.Fetches++ }),
			tx.Polls.Put(ctx, jobID(n), "client", ports.Poll{At: instantAt(minute)}),
			tx.Audit.Record(ctx, domain.AuditRecord{At: instantAt(minute), Action: "test", Target: string(jobID(n))}),
		)
	})
}

// left counts what is there of a job: itself, and each kind of thing that it has.
func (s storeTest) left(n int) (count int) {
	s.Helper()
	s.view(func(ctx context.Context, tx ports.Tx) error {
		_, err := tx.Jobs.Get(ctx, jobID(n))
		if err == nil {
			count++
		} else if domain.CodeOf(err) != domain.NotFound {
			return err
		}
		parts, err1 := tx.Partitions.OfJob(ctx, jobID(n))
		files, err2 := tx.Files.OfJob(ctx, jobID(n))
		accounts, err3 := tx.Downloads.OfFile(ctx, jobID(n), "f")
		_, polled, err4 := tx.Polls.Last(ctx, jobID(n), "client")
		count += min(len(parts), 1) + len(files) + len(accounts)
		if polled {
			count++
		}
		return errors.Join(err1, err2, err3, err4)
	})
	return count
}

func (s storeTest) prune(minute, limit int) (ids []domain.JobID) {
	s.Helper()
	s.do(func(ctx context.Context, tx ports.Tx) (err error) {
		ids, err = tx.JobList.Prune(ctx, instantAt(minute), limit)
		return err
	})
	return ids
}

func jobsPrune(s storeTest) {
	s.parties()
	states := []domain.JobState{domain.Submitted, domain.InProgress, domain.Failed, domain.Cancelled, domain.Successful, domain.Lapsed}
	for i, state := range states {
		s.ended(i, state, 20)
		s.ended(10+i, state, 30)
	}
	s.sameJobs("at the very minute", s.prune(20, 100))
	s.sameJobs("a minute later", s.prune(21, 100), jobID(2), jobID(3), jobID(5))
	s.sameJobs("once more", s.prune(21, 100))
	for i, state := range states {
		over := state != domain.Submitted && state != domain.InProgress && state != domain.Successful
		if got := s.left(i); over && got != 0 || !over && got != 5 {
			s.Errorf("of 5 things of a %s job %d are left", state, got)
		}
		if got := s.left(10 + i); got != 5 {
			s.Errorf("of 5 things of a later job, %s, %d are left", state, got)
		}
		if records, err := s.store.Find(s.Context(), "test", string(jobID(i)), 10); err != nil || len(records) != 1 {
			s.Errorf("the audit trail of a %s job has %d records, %v", state, len(records), err)
		}
	}
	s.active([]domain.JobID{jobID(0), jobID(1), jobID(10), jobID(11)}, "S0001")
}

func (s storeTest) sameJobs(when string, got []domain.JobID, want ...domain.JobID) {
	s.Helper()
	if !slices.Equal(got, want) && len(got)+len(want) > 0 {
		s.Errorf("%s: %v, want %v", when, got, want)
	}
}

func jobsPruneLimit(s storeTest) {
	s.parties()
	for n := range 5 {
		s.ended(4-n, domain.Cancelled, 10)
	}
	s.sameJobs("first", s.prune(99, 2), jobID(0), jobID(1))
	s.sameJobs("then", s.prune(99, 2), jobID(2), jobID(3))
	s.sameJobs("last", s.prune(99, 2), jobID(4))
	s.sameJobs("none", s.prune(99, 2))
}

func jobsPruneUndone(s storeTest) {
	s.parties()
	s.ended(1, domain.Failed, 10)
	if err := s.try(func(ctx context.Context, tx ports.Tx) error {
		ids, err := tx.JobList.Prune(ctx, instantAt(99), 10)
		s.sameJobs("in the unit of work", ids, jobID(1))
		return errors.Join(err, errUndo)
	}); !errors.Is(err, errUndo) {
		s.Fatal(err)
	}
	if got := s.left(1); got != 5 {
		s.Errorf("%d of 5 things are left", got)
	}
}

func jobsPruneRacing(s storeTest) {
	s.parties()
	const n = 12
	for i := range n {
		s.ended(i, domain.Failed, 20)
	}
	got := make([][]domain.JobID, 4)
	for _, err := range atOnce(len(got), func(i int) error {
		return s.try(func(ctx context.Context, tx ports.Tx) (err error) {
			got[i], err = tx.JobList.Prune(ctx, instantAt(99), n/len(got))
			return err
		})
	}) {
		if err != nil {
			s.Error(err)
		}
	}
	all := slices.Concat(append(got, s.prune(99, n))...) // and what they left for later
	slices.Sort(all)
	want := make([]domain.JobID, n)
	for i := range want {
		want[i] = jobID(i)
	}
	s.sameJobs("together", all, want...)
}

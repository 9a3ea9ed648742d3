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

// Sessions runs the conformance suite of ports.Sessions.
func Sessions(t *testing.T, create func(t *testing.T) Store) {
	storeParts(t, create, map[string]func(storeTest){
		"a session is kept, replaced and removed": sessionKept,
		"sessions are removed by what they match": sessionsRemoved,
		"those signed in are listed":              sessionsListed,
	})
}

// Switches runs the conformance suite of ports.Switches.
func Switches(t *testing.T, create func(t *testing.T) Store) {
	storeParts(t, create, map[string]func(storeTest){"a switch is set, and set again": switchSet})
}

// JobFigures runs the conformance suite of ports.JobFigures.
func JobFigures(t *testing.T, create func(t *testing.T) Store) {
	storeParts(t, create, map[string]func(storeTest){
		"partitions and files are counted": figuresCounted,
		"ended jobs are found by when":     figuresEnded,
		"the last export of contracts":     figuresLast,
	})
}

func session(id, staff, provider string, minute int) domain.Session {
	return domain.Session{ID: id, Staff: domain.Staff{ID: staff, Name: "Name of " + staff, Roles: []domain.Role{domain.Operator, domain.Auditor}, From: "192.0.2.1", Request: "r"},
		FormToken: "t-" + id, CreatedAt: instantAt(0), SeenAt: instantAt(minute), EndsAt: instantAt(60 + minute), AgreedAt: instantAt(1), Provider: provider,
		Notes: map[string]string{"back": "/console/jobs"}}
}

func (s storeTest) sessions(all ...domain.Session) {
	s.Helper()
	s.do(func(ctx context.Context, tx ports.Tx) error {
		for _, v := range all {
			if err := tx.Sessions.Put(ctx, v); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s storeTest) session(id string) (v domain.Session, err error) {
	s.view(func(ctx context.Context, tx ports.Tx) error {
		v, err = tx.Sessions.Get(ctx, id)
		return nil
	})
	return v, err
}

func sessionKept(s storeTest) {
	v := session("a", "dana", "p1", 0)
	s.sessions(v)
	if got, err := s.session("a"); err != nil || !reflect.DeepEqual(got, v) {
		s.Errorf("got %+v, %v; want %+v", got, err, v)
	}
	v.SeenAt, v.AgreedAt, v.Notes = instantAt(7), time.Time{}, nil
	s.sessions(v)
	got, err := s.session("a")
	if len(got.Notes) == 0 {
		got.Notes = nil
	}
	if err != nil || !reflect.DeepEqual(got, v) {
		s.Errorf("replaced: got %+v, %v; want %+v", got, err, v)
	}
	s.do(func(ctx context.Context, tx ports.Tx) error {
		_, err := tx.Sessions.Remove(ctx, ports.SessionMatch{ID: "a"})
		return err
	})
	_, err = s.session("a")
	s.refused(err, domain.NotFound)
}

func sessionsRemoved(s storeTest) {
	s.sessions(session("a", "dana", "p1", 0), session("b", "dana", "p2", 10), session("c", "kim", "p2", 20), session("d", "", "", 30))
	for _, part := range []struct {
		match ports.SessionMatch
		want  int
	}{
		{ports.SessionMatch{}, 0},
		{ports.SessionMatch{Staff: "kim", Provider: "p1"}, 0},
		{ports.SessionMatch{Staff: "dana", Provider: "p2"}, 1},
		{ports.SessionMatch{Provider: "p2"}, 1},
		{ports.SessionMatch{EndedBefore: instantAt(60)}, 0},
		{ports.SessionMatch{EndedBefore: instantAt(61)}, 1},
		{ports.SessionMatch{ID: "d"}, 1},
	} {
		var n int
		s.do(func(ctx context.Context, tx ports.Tx) (err error) {
			n, err = tx.Sessions.Remove(ctx, part.match)
			return err
		})
		if n != part.want {
			s.Errorf("%+v removed %d sessions, want %d", part.match, n, part.want)
		}
	}
}

func sessionsListed(s storeTest) {
	s.sessions(session("a", "dana", "p1", 0), session("b", "dana", "p2", 10), session("c", "kim", "p2", 20), session("d", "", "", 30))
	var ids []string
	s.view(func(ctx context.Context, tx ports.Tx) error {
		list, err := tx.Sessions.List(ctx, instantAt(60))
		for _, v := range list {
			ids = append(ids, v.ID)
		}
		return err
	})
	if !slices.Equal(ids, []string{"c", "b"}) {
		s.Errorf("listed %v", ids)
	}
}

func switchSet(s storeTest) {
	get := func() (v domain.Switch) {
		s.view(func(ctx context.Context, tx ports.Tx) (err error) {
			v, err = tx.Switches.Get(ctx, "maintenance")
			return err
		})
		return v
	}
	if v := get(); v != (domain.Switch{Name: "maintenance"}) {
		s.Errorf("never set: %+v", v)
	}
	for _, v := range []domain.Switch{{Name: "maintenance", Value: "moving", ChangedAt: instantAt(1), ChangedBy: "dana"}, {Name: "maintenance", ChangedAt: instantAt(2), ChangedBy: "kim"}} {
		s.do(func(ctx context.Context, tx ports.Tx) error { return tx.Switches.Put(ctx, v) })
		if got := get(); got != v {
			s.Errorf("set to %+v, found %+v", v, got)
		}
	}
}

func figuresCounted(s storeTest) {
	s.parties()
	parts := s.partitions(1, 3)
	other := s.job(2)
	s.do(func(ctx context.Context, tx ports.Tx) error {
		done, err := tx.Leases.Acquire(ctx, parts[0], time.Minute)
		if err != nil {
			return err
		}
		running, err := tx.Leases.Acquire(ctx, parts[1], time.Minute)
		if err != nil {
			return err
		}
		file := func(name string, kind domain.FileKind, lines int, plain, stored int64) domain.OutputFile {
			return domain.OutputFile{Job: parts[0].Job, Name: name, Contract: "S0001", StoredFile: domain.StoredFile{Kind: kind, Key: name, Lines: lines,
				Plain: domain.Content{Bytes: plain}, Stored: domain.Content{Bytes: stored}}}
		}
		return errors.Join(tx.Leases.Publish(ctx, done, domain.PartitionResult{}), tx.Leases.Renew(ctx, running, 4, time.Minute),
			tx.Files.Add(ctx, []domain.OutputFile{file("a", domain.DataFile, 5, 100, 10), file("b", domain.DataFile, 6, 200, 20), file("c", domain.ErrorFile, 1, 7, 3)}))
	})
	var got map[domain.JobID]domain.JobFigures
	s.view(func(ctx context.Context, tx ports.Tx) (err error) {
		got, err = tx.JobFigures.Of(ctx, []domain.JobID{parts[0].Job, other, jobID(9)})
		return err
	})
	want := map[domain.JobID]domain.JobFigures{other: {}, parts[0].Job: {Progress: domain.Progress{Processed: 14, Members: 30}, Partitions: 3, Open: 2, Attempts: 2,
		Files: 2, ErrorFiles: 1, PlainBytes: 307, StoredBytes: 33, Lines: 11}}
	if !reflect.DeepEqual(got, want) {
		s.Errorf("counted\n%+v\nwant\n%+v", got, want)
	}
}

func figuresEnded(s storeTest) {
	s.parties()
	for n := 1; n <= 3; n++ {
		id := s.job(n)
		if n == 3 {
			continue // still runs
		}
		s.move(id, func(j *domain.ExportJob) error {
			if err := j.Begin(instantAt(n+1), instantAt(n), nil); err != nil {
				return err
			}
			if n == 2 {
				return j.Fail(instantAt(20-n), domain.Failure{Code: domain.Internal})
			}
			if err := j.Succeed(instantAt(20-n), time.Hour, nil); err != nil {
				return err
			}
			return j.Cancel(instantAt(25)) // deleted, once it was fetched
		})
	}
	s.do(func(ctx context.Context, tx ports.Tx) error {
		return tx.Files.Add(ctx, []domain.OutputFile{{Job: jobID(1), Name: "a", Contract: "S0001", StoredFile: domain.StoredFile{Kind: domain.DataFile, Key: "a", Plain: domain.Content{Bytes: 9}}}})
	})
	ended := func(from, to int) (list []domain.EndedJob) {
		s.view(func(ctx context.Context, tx ports.Tx) (err error) {
			list, err = tx.JobFigures.Ended(ctx, instantAt(from), instantAt(to))
			return err
		})
		return list
	}
	first := domain.EndedJob{ID: jobID(2), State: domain.Failed, CreatedAt: instantAt(2), StartedAt: instantAt(3), CompletedAt: instantAt(18)}
	last := domain.EndedJob{ID: jobID(1), State: domain.Cancelled, CreatedAt: instantAt(1), StartedAt: instantAt(2), CompletedAt: instantAt(19), Succeeded: true, PlainBytes: 9}
	if got := ended(18, 20); !reflect.DeepEqual(got, []domain.EndedJob{first, last}) {
		s.Errorf("ended %+v", got)
	}
	if got := ended(18, 19); !reflect.DeepEqual(got, []domain.EndedJob{first}) {
		s.Errorf("up to but without the end: %+v", got)
	}
}

// figuresLast has one contract whose last export is long ago, with more jobs of
// another since than anybody looks through.
func figuresLast(s storeTest) {
	s.parties()
	n := 0
	end := func(contract domain.ContractNumber, minute int, end func(*domain.ExportJob, time.Time) error) {
		n++
		id := domain.JobID(fmt.Sprintf("%08d-0000-4000-8000-000000000000", n))
		s.do(func(ctx context.Context, tx ports.Tx) error {
			j := domain.NewExportJob(domain.ExportJobState{ID: id, Sponsor: "sponsor", Client: "client", Contracts: []domain.ContractNumber{contract}, Version: domain.R4, CreatedAt: instantAt(minute)})
			if err := errors.Join(j.Begin(instantAt(minute), instantAt(minute), nil), end(j, instantAt(minute+1))); err != nil {
				return err
			}
			return tx.Jobs.Add(ctx, j)
		})
	}
	complete := func(j *domain.ExportJob, at time.Time) error { return j.Succeed(at, time.Hour, nil) }
	end("S0001", 10, complete)
	end("S0001", 20, func(j *domain.ExportJob, at time.Time) error {
		return errors.Join(complete(j, at), j.Expire(at.Add(2*time.Hour)))
	})
	last := func(want map[domain.ContractNumber]time.Time) {
		s.Helper()
		s.view(func(ctx context.Context, tx ports.Tx) error {
			got, err := tx.JobFigures.LastExports(ctx)
			if !reflect.DeepEqual(got, want) {
				s.Errorf("the last exports are %v, want %v", got, want)
			}
			return err
		})
	}
	last(map[domain.ContractNumber]time.Time{"S0001": instantAt(21)})
	for i := range 600 {
		end("S0002", 100+i, func(j *domain.ExportJob, at time.Time) error {
			return j.Fail(at, domain.Failure{Code: domain.Internal})
		})
	}
	last(map[domain.ContractNumber]time.Time{"S0001": instantAt(21)})
	end("S0002", 50, complete)
	last(map[domain.ContractNumber]time.Time{"S0001": instantAt(21), "S0002": instantAt(51)})
}

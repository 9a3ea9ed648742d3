package porttest

import (
	"context"
	"reflect"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Processes runs the conformance suite of ports.Processes.
func Processes(t *testing.T, create func(t *testing.T) Store) {
	storeParts(t, create, map[string]func(storeTest){
		"they tell of themselves until they leave": processesTold,
		"those that fell silent are forgotten":     processesForgotten,
	})
}

// SourceFigures runs the conformance suite of ports.SourceFigures.
func SourceFigures(t *testing.T, create func(t *testing.T) Store) {
	storeParts(t, create, map[string]func(storeTest){
		"figures are added up by stretch":   figuresAdded,
		"who add at once lose nothing":      figuresRacing,
		"old ones go, of their width alone": figuresPruned,
	})
}

// ErrandBook runs the conformance suite of ports.ErrandBook.
func ErrandBook(t *testing.T, create func(t *testing.T) Store) {
	storeParts(t, create, map[string]func(storeTest){"how errands stand and what came of them": errandsNoted})
}

func (s storeTest) tell(p domain.Process) {
	s.Helper()
	s.do(func(ctx context.Context, tx ports.Tx) error { return tx.Processes.Tell(ctx, p) })
}

func (s storeTest) told() (all []domain.Process) {
	s.Helper()
	s.view(func(ctx context.Context, tx ports.Tx) (err error) {
		all, err = tx.Processes.List(ctx)
		return err
	})
	return all
}

func processesTold(s storeTest) {
	a := domain.Process{ID: "a", Host: "b.example", PID: 7, Version: "1.0", Roles: []string{"worker", "api"}, StartedAt: instantAt(0),
		State: domain.ProcessState{Partitions: 1, Places: 2, Memory: 1 << 30, Disk: &domain.Disk{Free: 5, Total: 10, Since: instantAt(3)}, Source: &domain.SourceState{Limit: 8, InUse: 2, Waiting: 1, Away: instantAt(1), Outages: 3}}}
	b := domain.Process{ID: "b", Host: "a.example", PID: 8, Version: "1.0", StartedAt: instantAt(1)}
	c := domain.Process{ID: "c", Host: "b.example", PID: 9, Version: "1.0", StartedAt: instantAt(-1)}
	for _, p := range []domain.Process{a, b, c} {
		s.tell(p)
	}
	a.State = domain.ProcessState{Places: 2}
	s.tell(a)
	all := s.told()
	for i, p := range all {
		if p.Silent < 0 || p.Silent > time.Minute {
			s.Errorf("%s was silent for %s", p.ID, p.Silent)
		}
		if all[i].Silent = 0; len(p.Roles) == 0 {
			all[i].Roles = nil
		}
	}
	if want := []domain.Process{b, c, a}; !reflect.DeepEqual(all, want) {
		s.Errorf("told\n%+v\nwant\n%+v", all, want)
	}
	for range 2 {
		s.do(func(ctx context.Context, tx ports.Tx) error { return tx.Processes.Leave(ctx, "c") })
	}
	if all := s.told(); len(all) != 2 || all[0].ID != "b" || all[1].ID != "a" {
		s.Errorf("after one left: %+v", all)
	}
}

func processesForgotten(s storeTest) {
	s.tell(domain.Process{ID: "a", StartedAt: instantAt(0)})
	forget := func(silent time.Duration) (n int) {
		s.do(func(ctx context.Context, tx ports.Tx) (err error) {
			n, err = tx.Processes.Forget(ctx, silent)
			return err
		})
		return n
	}
	if n := forget(time.Hour); n != 0 || len(s.told()) != 1 {
		s.Errorf("%d that told just now were forgotten", n)
	}
	s.eventually("it was silent", func() bool { return s.told()[0].Silent >= 5*time.Millisecond })
	if n := forget(5 * time.Millisecond); n != 1 || len(s.told()) != 0 {
		s.Errorf("%d were forgotten", n)
	}
}

// figuresOf are figures of a source with so many calls of each outcome.
func figuresOf(source string, width time.Duration, minute, answered, refused, failed int) domain.SourceFigures {
	f := domain.SourceFigures{Source: source, Width: width, Begins: instantAt(minute)}
	for range answered {
		f.Count(domain.CallAnswered, time.Duration(answered)*time.Millisecond)
	}
	f.Refused, f.Failed = int64(refused), int64(failed)
	return f
}

func (s storeTest) figures(width time.Duration, from, to int) (found []domain.SourceFigures) {
	s.Helper()
	s.view(func(ctx context.Context, tx ports.Tx) (err error) {
		found, err = tx.SourceFigures.Find(ctx, width, instantAt(from), instantAt(to))
		return err
	})
	return found
}

func (s storeTest) add(all ...domain.SourceFigures) {
	s.Helper()
	s.do(func(ctx context.Context, tx ports.Tx) error {
		for _, f := range all {
			if err := tx.SourceFigures.Add(ctx, f); err != nil {
				return err
			}
		}
		return nil
	})
}

func figuresAdded(s storeTest) {
	const width = domain.ShortStretch
	s.add(figuresOf("bfd", width, 0, 3, 1, 0), figuresOf("bfd", width, 5, 1, 0, 0), figuresOf("ndjson", width, 0, 0, 0, 2), figuresOf("bfd", domain.LongStretch, 0, 9, 0, 0))
	s.add(figuresOf("bfd", width, 0, 20, 0, 4))
	sum := figuresOf("bfd", width, 0, 20, 0, 4).Plus(figuresOf("bfd", width, 0, 3, 1, 0))
	found := s.figures(width, 0, 6)
	for i, f := range found {
		if len(f.Latencies) == 0 {
			found[i].Latencies = nil
		}
	}
	if want := []domain.SourceFigures{sum, figuresOf("ndjson", width, 0, 0, 0, 2), figuresOf("bfd", width, 5, 1, 0, 0)}; !reflect.DeepEqual(found, want) {
		s.Errorf("found\n%+v\nwant\n%+v", found, want)
	}
	if sum.Calls() != 28 || sum.Latencies.Within(.5) < 20*time.Millisecond || sum.Latencies.Within(.1) > 4*time.Millisecond {
		s.Errorf("the sum is wrong: %+v", sum)
	}
	if found := s.figures(width, 0, 5); len(found) != 2 {
		s.Errorf("up to but without the end: %+v", found)
	}
	if found := s.figures(domain.LongStretch, 0, 60); len(found) != 1 || found[0].Answered != 9 {
		s.Errorf("of long stretches: %+v", found)
	}
}

func figuresRacing(s storeTest) {
	const many = 8
	for _, err := range atOnce(many, func(int) error {
		return s.try(func(ctx context.Context, tx ports.Tx) error {
			return tx.SourceFigures.Add(ctx, figuresOf("bfd", domain.ShortStretch, 0, 2, 1, 1))
		})
	}) {
		if err != nil {
			s.Error(err)
		}
	}
	found := s.figures(domain.ShortStretch, 0, 1)
	if len(found) != 1 || found[0].Answered != 2*many || found[0].Refused != many || found[0].Failed != many {
		s.Errorf("found %+v", found)
	}
}

func figuresPruned(s storeTest) {
	s.add(figuresOf("bfd", domain.ShortStretch, 0, 1, 0, 0), figuresOf("bfd", domain.ShortStretch, 5, 1, 0, 0), figuresOf("bfd", domain.LongStretch, 0, 1, 0, 0))
	n := 0
	s.do(func(ctx context.Context, tx ports.Tx) (err error) {
		n, err = tx.SourceFigures.Prune(ctx, domain.ShortStretch, instantAt(5))
		return err
	})
	if short := s.figures(domain.ShortStretch, 0, 60); n != 1 || len(short) != 1 || !short[0].Begins.Equal(instantAt(5)) || len(s.figures(domain.LongStretch, 0, 60)) != 1 {
		s.Errorf("%d went, and %+v is left", n, short)
	}
}

func errandsNoted(s storeTest) {
	get := func() (e domain.Errand) {
		s.Helper()
		s.view(func(ctx context.Context, tx ports.Tx) (err error) {
			e, err = tx.ErrandBook.Get(ctx, "e")
			return err
		})
		return e
	}
	if e := get(); !reflect.DeepEqual(e, domain.Errand{Name: "e"}) {
		s.Errorf("one that nobody ever took: %+v", e)
	}
	run := domain.ErrandRun{EndedAt: instantAt(1), Took: time.Second, Outcome: "done", Detail: map[string]string{"files": "3"}, Done: instantAt(1)}
	token := s.taken("e", time.Hour)
	if e := get(); !e.Busy || e.Rest != 0 {
		s.Errorf("while somebody is at it: %+v", e)
	}
	s.do(func(ctx context.Context, tx ports.Tx) error { return tx.ErrandBook.Note(ctx, "e", run) })
	s.end("e", token, time.Hour)
	if e := get(); e.Busy || e.Rest < 59*time.Minute || e.Rest > time.Hour || !reflect.DeepEqual(e.Last, run) {
		s.Errorf("afterwards: %+v", e)
	}
	s.do(func(ctx context.Context, tx ports.Tx) error { return tx.Errands.Wake(ctx, "e") })
	if e := get(); e.Rest != 0 || !reflect.DeepEqual(e.Last, run) {
		s.Errorf("woken: %+v", e)
	}
	s.do(func(ctx context.Context, tx ports.Tx) error { return tx.ErrandBook.Note(ctx, "another", run) })
	if got := get().Last.Outcome; got != "done" {
		s.Error("another's note changed it")
	}
}

package presence_test

import (
	"context"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/application/presence"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

func list(t *testing.T, s *memory.Store) (all []domain.Process) {
	t.Helper()
	if err := s.View(t.Context(), func(ctx context.Context, tx ports.Tx) (err error) {
		all, err = tx.Processes.List(ctx)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// blocked writes partitions until it is let go on.
type blocked struct{ begun, on chan struct{} }

func (blocked) Plan(context.Context, domain.JobID) error { return nil }
func (b blocked) Write(context.Context, domain.PartitionID) error {
	b.begun <- struct{}{}
	<-b.on
	return nil
}

// A process tells what it does, since when its disk is full, and that it leaves;
// one that was killed is forgotten by the others in a day.
func TestAProcessTellsOfItself(t *testing.T) {
	clock := memory.NewClock(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC))
	store := memory.NewStoreAt(clock.Now)
	work := blocked{make(chan struct{}), make(chan struct{})}
	tasks, free := presence.Counted(work), int64(50)
	u := &presence.UseCase{Store: store, Clock: clock, Tasks: tasks, Self: domain.Process{ID: "a", Host: "h", StartedAt: clock.Now()},
		Look: func() domain.ProcessState {
			return domain.ProcessState{Places: 2, Disk: &domain.Disk{Free: free, Total: 100}}
		}}
	killed := &presence.UseCase{Store: store, Clock: clock, Self: domain.Process{ID: "k", Host: "k"}, Look: func() domain.ProcessState { return domain.ProcessState{} }}
	beat := func() domain.ProcessState {
		t.Helper()
		if err := u.Beat(t.Context()); err != nil {
			t.Fatal(err)
		}
		return list(t, store)[0].State
	}
	if err := killed.Beat(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := beat(); s.Partitions != 0 || !s.Disk.Since.IsZero() {
		t.Errorf("at rest it tells %+v", s)
	}
	done := make(chan error)
	go func() { done <- tasks.Write(t.Context(), domain.PartitionID{}) }()
	<-work.begun
	free = 19
	since := clock.Now()
	for range 2 {
		if s := beat(); s.Partitions != 1 || !s.Disk.Since.Equal(since) {
			t.Errorf("at work with a full disk it tells %+v, %+v", s, s.Disk)
		}
		clock.Advance(time.Minute)
	}
	free = 30
	close(work.on)
	<-done
	if s := beat(); s.Partitions != 0 || !s.Disk.Since.IsZero() {
		t.Errorf("afterwards it tells %+v, %+v", s, s.Disk)
	}
	if all := list(t, store); len(all) != 2 || all[1].Silent != 2*time.Minute {
		t.Errorf("there are %+v", all)
	}
	alone := &presence.UseCase{Store: store, Clock: clock, Alone: true, Self: domain.Process{ID: "a2", Host: "h"}, Look: killed.Look}
	clock.Advance(24 * time.Hour)
	beat()
	if all := list(t, store); len(all) != 1 || all[0].ID != "a" || all[0].Silent != 0 {
		t.Errorf("a day later there are %+v", all)
	}
	for range 2 {
		if err := alone.Beat(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if all := list(t, store); len(all) != 1 || all[0].ID != "a2" {
		t.Errorf("the only process there is finds %+v", all)
	}
	u = alone
	if err := u.Leave(t.Context()); err != nil || len(list(t, store)) != 0 {
		t.Errorf("it left: %v, %+v", err, list(t, store))
	}
}

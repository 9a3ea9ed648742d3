package riverjobs_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/entstore"
	"cms.gov/ab2d/adapters/entstore/pgtest/server"
	"cms.gov/ab2d/adapters/riverjobs"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

type handler chan string

func (h handler) Plan(ctx context.Context, id domain.JobID) error {
	h <- string(id)
	return nil
}
func (h handler) Write(ctx context.Context, id domain.PartitionID) error {
	h <- id.String()
	return nil
}

func smoke(t *testing.T, url string) {
	ctx := t.Context()
	q, err := riverjobs.Queue(url)
	if err != nil {
		t.Fatal(err)
	}
	s, err := entstore.Open(ctx, url, q)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	h := make(handler, 1000)
	w, err := riverjobs.NewWorker(url, s.DB(), h, riverjobs.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(ctx); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		start := time.Now()
		err = s.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
			return tx.Queue.Schedule(ctx, ports.Task{Job: "a"}, ports.Task{Job: "b", Partition: 2})
		})
		t.Log(err, time.Since(start))
		t.Log(<-h, <-h, time.Since(start))
	}
	start := time.Now()
	err = w.Stop(ctx)
	t.Log(err, time.Since(start))
	t.Log(s.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		return tx.Queue.Schedule(ctx, ports.Task{Job: "a"}, ports.Task{Job: "b", Partition: 2})
	}))
}

func TestSmoke(t *testing.T) { smoke(t, "sqlite:"+filepath.Join(t.TempDir(), "a.db")) }
func TestSmokePG(t *testing.T) {
	s, err := server.Start()
	if err != nil {
		t.Fatal(err)
	}
	u, err := s.Create(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	smoke(t, u)
}

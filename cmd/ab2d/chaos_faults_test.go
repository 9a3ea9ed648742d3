package main

import (
	"context"
	"crypto/rand"
	mrand "math/rand/v2"
	"sync"
	"syscall"
	"time"

	postgres "cms.gov/ab2d/adapters/entstore/pgtest/server"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// fault is something that goes wrong for a while.
type fault struct {
	name   string
	weight int           // how often beside others
	least  time.Duration // it lasts from this
	most   time.Duration // up to this
	begin  func(r *mrand.Rand)
	end    func()
}

// rage has faults begin and end until ctx is over, two or three at a time, each
// one once at a time. When it returns all have ended.
func (s *storm) rage(ctx context.Context) {
	r := mrand.New(mrand.NewPCG(s.seed, 0))
	faults := append(s.faults(), s.store.faults()...)
	all := 0
	for _, f := range faults {
		all += f.weight
	}
	var mu sync.Mutex
	running := map[string]bool{}
	var ending sync.WaitGroup
	defer ending.Wait()
	for {
		f, n := faults[0], r.IntN(all)
		for _, f = range faults {
			if n -= f.weight; n < 0 {
				break
			}
		}
		lasts := f.least + time.Duration(r.Int64N(int64(f.most-f.least)+1))
		pause := time.Duration(r.Int64N(int64(700 * time.Millisecond)))
		mu.Lock()
		busy := running[f.name]
		running[f.name] = true
		mu.Unlock()
		if !busy {
			s.count("fault: " + f.name)
			f.begin(r)
			ending.Go(func() {
				select {
				case <-time.After(lasts):
				case <-ctx.Done():
				}
				f.end()
				mu.Lock()
				defer mu.Unlock()
				running[f.name] = false
			})
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// publishes is in what a worker sends to the database when it publishes a
// partition, and in nothing else: how the result's counts begin.
const publishes = `"Columns":{"Exported"`

// faults are those that have nothing to do with the store of files.
func (s *storm) faults() []fault {
	nothing := func() {}
	var hung, halted *kept
	var ended domain.AttestationEvent
	var letGo func() bool
	return []fault{
		{"an API is killed", 2, 0, 0, func(r *mrand.Rand) { s.apis[r.IntN(len(s.apis))].signal(syscall.SIGKILL) }, nothing},
		{"a worker is killed", 3, 0, 0, func(r *mrand.Rand) { s.workers[r.IntN(len(s.workers))].signal(syscall.SIGKILL) }, nothing},
		{"an API hangs", 2, 0, 2 * time.Second, func(r *mrand.Rand) {
			halted = s.apis[r.IntN(len(s.apis))]
			halted.signal(syscall.SIGSTOP)
		}, func() { halted.signal(syscall.SIGCONT) }},
		{"a worker hangs", 5, 2500 * time.Millisecond, 5 * time.Second, func(r *mrand.Rand) { // for longer than a lease
			hung = s.workers[r.IntN(len(s.workers))]
			hung.signal(syscall.SIGSTOP)
		}, func() { hung.signal(syscall.SIGCONT) }},
		{"the database restarts", 2, 0, time.Second, func(r *mrand.Rand) {
			s.postgres.Stop([]postgres.Mode{postgres.Fast, postgres.Immediate, postgres.Killed}[r.IntN(3)])
		}, func() {
			if err := s.postgres.Start(); err != nil {
				s.Error(err)
			}
		}},
		{"workers are cut off from the database", 1, 0, 4 * time.Second, func(*mrand.Rand) {
			for _, l := range s.toWorkers {
				l.set(refuses)
				l.cut()
			}
		}, func() { s.passAll() }},
		// One alone, for longer than a lease: the other takes over, and then what the
		// one had said arrives after all.
		{"a worker hears nothing from the database", 4, 2500 * time.Millisecond, 5 * time.Second, func(r *mrand.Rand) {
			s.toWorkers[r.IntN(len(s.toWorkers))].set(silent)
		}, func() { s.passAll() }},
		// What a worker says when it publishes arrives when the lease is long over, while
		// the worker waits for the answer: all that it can do is bind nothing.
		{"a publication is late", 4, 2500 * time.Millisecond, 4 * time.Second, func(r *mrand.Rand) {
			letGo = s.toWorkers[r.IntN(len(s.toWorkers))].holdBack(publishes)
		}, func() {
			if letGo() {
				s.count("saw: a publication held back beyond its lease")
			}
		}},
		{"APIs are cut off from the database", 1, 0, time.Second, func(*mrand.Rand) { s.toAPI.set(refuses); s.toAPI.cut() }, func() { s.toAPI.set(passes) }},
		{"clients are cut off", 1, 0, 0, func(*mrand.Rand) { s.door.cut() }, nothing},
		{"an attestation ends", 1, 0, time.Second, func(r *mrand.Rand) {
			ended = domain.AttestationEvent{ID: "end-" + rand.Text(), Contract: []domain.ContractNumber{"S0000", "S0001"}[r.IntN(2)], Kind: domain.Remove,
				Effective: domain.Today(time.Now()), Recorded: time.Now(), Source: "staff", Actor: domain.System("chaos"), Reason: "chaos"}
			s.attest(ended)
		}, func() {
			s.attest(domain.AttestationEvent{ID: "back-" + rand.Text(), Contract: ended.Contract, Kind: domain.Correct, Corrects: ended.ID, Effective: ended.Effective,
				Recorded: time.Now(), Source: "staff", Actor: domain.System("chaos"), Reason: "chaos"})
		}},
	}
}

// passAll ends what troubles the workers' links to the database. Where two
// faults meet the one that ends first ends both.
func (s *storm) passAll() {
	for _, l := range s.toWorkers {
		l.set(passes)
	}
}

// attest records an event, as soon as the database is there.
func (s *storm) attest(e domain.AttestationEvent) {
	for deadline := time.Now().Add(within); ; time.Sleep(50 * time.Millisecond) {
		err := s.db.Do(context.Background(), func(ctx context.Context, tx ports.Tx) error { return tx.Attestations.Append(ctx, e) })
		if err == nil || domain.CodeOf(err) == domain.Conflict {
			return
		}
		if time.Now().After(deadline) {
			s.Errorf("recording an event: %v", err)
			return
		}
	}
}

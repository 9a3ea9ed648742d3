package refusals_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/application/refusals"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

type world struct {
	*testing.T
	*refusals.Recorder
	store *memory.Store
	clock *memory.Clock
}

func newWorld(t *testing.T) *world {
	clock := memory.NewClock(site.Start)
	store := memory.NewStoreAt(clock.Now)
	return &world{t, &refusals.Recorder{Store: store, Clock: clock}, store, clock}
}

func (w *world) refused(client, target string, code domain.Code) {
	w.Refused(w.Context(), domain.AuditRecord{Actor: domain.Actor{Kind: "client", ID: client, From: "192.0.2.1"}, Action: "file.download", Target: target},
		domain.Errorf(code, "No."))
}

// told returns the records as target, outcome and how often, the first first.
func (w *world) told() (all []string) {
	w.Helper()
	found, err := w.store.Find(w.Context(), "", "", 10_000)
	if err != nil {
		w.Fatal(err)
	}
	for _, r := range slices.Backward(found) {
		if r.Detail["reason"] != "No." {
			w.Errorf("%+v gives no reason", r)
		}
		all = append(all, fmt.Sprint(r.Actor.ID, " ", r.Target, " ", r.Outcome, " ", r.Detail["times"]))
	}
	return all
}

func (w *world) want(want ...string) {
	w.Helper()
	if got := w.told(); !slices.Equal(got, want) {
		w.Errorf("the trail tells\n%q, want\n%q", got, want)
	}
}

func (w *world) flush(everything bool) {
	w.Helper()
	if err := w.Flush(w.Context(), everything); err != nil {
		w.Fatal(err)
	}
}

func TestRefusalsThatAreAlikeAreCounted(t *testing.T) {
	w := newWorld(t)
	for range 100 {
		w.refused("a", "f", domain.Expired)
	}
	w.refused("a", "f", domain.Forbidden)
	w.refused("b", "f", domain.Expired)
	first := []string{"a f expired ", "a f forbidden ", "b f expired "}
	w.want(first...)
	w.clock.Advance(30 * time.Second)
	w.flush(false)
	w.want(first...)
	w.clock.Advance(31 * time.Second)
	w.flush(false)
	w.flush(false)
	w.want(append(first, "a f expired 99")...)
	w.refused("a", "f", domain.Expired) // a new minute
	w.refused("a", "f", domain.Expired)
	w.flush(true) // as when the process ends
	w.want(append(first, "a f expired 99", "a f expired ", "a f expired 1")...)
}

func TestFaultsAreNoRefusals(t *testing.T) {
	w := newWorld(t)
	w.refused("a", "f", domain.Unavailable)
	w.refused("a", "f", domain.Internal)
	w.Refused(t.Context(), domain.AuditRecord{}, errors.New("broken"))
	w.flush(true)
	w.want()
}

// Who tries one thing after another does not fill the trail, and neither do many
// who do.
func TestTheTrailIsNotFlooded(t *testing.T) {
	w := newWorld(t)
	for n := range 1000 {
		w.refused("a", fmt.Sprint(n), domain.NotFound)
	}
	w.flush(true)
	if told := w.told(); len(told) != 22 || told[21] != "a  not_found 979" {
		t.Errorf("%d records tell of one client's thousand tries, the last %q", len(told), told[len(told)-1])
	}
	w = newWorld(t)
	for n := range 10_000 {
		w.refused(fmt.Sprint(n), "f", domain.NotFound)
	}
	w.flush(true)
	if told := w.told(); len(told) != 2002 || told[2001] != "  not_found 7999" {
		t.Errorf("%d records tell of ten thousand clients, the last %q", len(told), told[len(told)-1])
	}
}

// Postgres takes neither a zero byte nor what is no UTF-8.
func TestWhatClientsWriteCanBeKept(t *testing.T) {
	w := newWorld(t)
	w.refused("a", "S\x00\xff\n00", domain.Forbidden)
	w.want("a S00 forbidden ")
}

// away is a store that cannot be reached.
type away struct {
	ports.UnitOfWork
	is bool
}

func (s *away) Do(ctx context.Context, fn func(ctx context.Context, tx ports.Tx) error) error {
	if s.is {
		return errors.New("away")
	}
	return s.UnitOfWork.Do(ctx, fn)
}

func TestARefusalIsKeptOnceTheStoreIsBack(t *testing.T) {
	w := newWorld(t)
	store := &away{w.store, true}
	w.Store = store
	w.refused("a", "f", domain.Expired)
	if err := w.Flush(t.Context(), true); err == nil {
		t.Error("it was kept although the store is away")
	}
	w.refused("a", "f", domain.Expired)
	store.is = false
	w.flush(true)
	w.want("a f expired 2")
}

func TestRefusalsAtOnce(t *testing.T) {
	w := newWorld(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for n := range 200 {
				w.refused("a", fmt.Sprint(n%3), domain.Expired)
				if n%50 == 0 {
					if err := w.Flush(t.Context(), true); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	w.flush(true)
	total := 0
	found, err := w.store.Find(t.Context(), "", "", 10_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range found {
		n := 1
		if times := r.Detail["times"]; times != "" {
			if _, err := fmt.Sscan(times, &n); err != nil {
				t.Fatal(err)
			}
		}
		total += n
	}
	if total != 1600 {
		t.Errorf("the trail tells of %d refusals, want 1600", total)
	}
}

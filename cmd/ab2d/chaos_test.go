package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/entstore"
	postgres "cms.gov/ab2d/adapters/entstore/pgtest/server"
	"cms.gov/ab2d/adapters/sandboxauth"
)

// The chaos suite: real processes, with a real Postgres and a real store, while
// everything that can die or hang does so at moments drawn from a seed. Then all
// is quiet, and what was promised must hold. These variables lengthen it.
const (
	chaosTime = "AB2D_TEST_CHAOS_TIME" // how long the storms over all stores last together, as 10m; 36s
	chaosSeed = "AB2D_TEST_CHAOS_SEED" // a number, or random; 1
)

// sweep is how often files that are over are looked for.
const sweep = 500 * time.Millisecond

// lost is the share of enrollees whose claims cannot be had, in the undisturbed
// run too.
const lost = "lose=0.004"

// requests are what sponsors ask for, by contract.
var requests = map[string][]string{
	"S0000": {"/api/v2/fhir/Group/S0000/$export", "/api/v1/fhir/Patient/$export"},
	"S0001": {"/api/v2/fhir/Group/S0001/$export"},
}

func TestChaos(t *testing.T) {
	length, seed := 36*time.Second, uint64(1)
	var err error
	if given := os.Getenv(chaosTime); given != "" {
		if length, err = time.ParseDuration(given); err != nil {
			t.Fatalf("%s: %v", chaosTime, err)
		}
	}
	if given := os.Getenv(chaosSeed); given == "random" {
		seed = rand.Uint64N(1_000_000)
	} else if given != "" {
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatalf("%s: %v", chaosSeed, err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("run it again with: %s=%s %s=%d go test ./cmd/ab2d -run '^TestChaos$' -count=1 -v -timeout 0", chaosTime, length, chaosSeed, seed)
		}
	})
	for _, over := range chaosStores {
		t.Run(over.name, func(t *testing.T) {
			// Of all processes, of the undisturbed one too, so that it cuts the same files.
			settings := []string{"--partition-members", fmt.Sprint(over.members), "--downloads", "0", "--export-rate", "0", "--export-address-rate", "0", "--token-rate", "0"}
			want := undisturbed(t, seed, settings)
			(&storm{T: t, seed: seed, length: length / time.Duration(len(chaosStores)), settings: settings, want: want, store: over.open(t)}).run()
		})
	}
}

// undisturbed exports each request once on one process with its embedded
// database, and returns what came of them.
func undisturbed(t *testing.T, seed uint64, settings []string) map[string]outcome {
	t.Helper()
	ctx := patience(t)
	dir := t.TempDir()
	s := start(t, dir, "127.0.0.1:0", append([]string{"--claims-faults", fmt.Sprintf("seed=%d,%s", seed, lost), "--fetch-backoff", "1ms", "--log", "error"}, settings...)...)
	for contract, paths := range requests {
		if err := s.signIn(ctx, sponsorOf(t, contract)); err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if _, err := s.export(ctx, path); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.kill()
	db, err := entstore.Open(ctx, "sqlite:"+filepath.Join(dir, "ab2d.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	files := newFileChaos(t, dir)
	want := map[string]outcome{}
	for _, o := range outcomes(t, db) {
		if o.problem() != "" {
			t.Fatalf("undisturbed, %s: %s", o.path, o.problem())
		}
		if _, again := o.claims(t, files.files()); again != "" {
			t.Errorf("undisturbed, %s has claim %s twice", o.path, again)
		}
		want[o.path] = o
	}
	return want
}

// storm is one run over one store.
type storm struct {
	*testing.T
	seed     uint64
	length   time.Duration
	settings []string
	want     map[string]outcome // undisturbed, by path
	store    chaosStore

	postgres      *postgres.Owned
	toAPI         *link   // to the database
	toWorkers     []*link // from each worker to the database
	door          *link   // to the APIs
	apis, workers []*kept
	db            *entstore.Store // past all links

	mu         sync.Mutex
	counted    map[string]int
	accepted   map[string]string // path by job
	unanswered int               // kick-offs that may or may not have happened
}

// count counts something that happened.
func (s *storm) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counted[what]++
}

func (s *storm) run() {
	s.counted, s.accepted = map[string]int{}, map[string]string{}
	s.build()
	ctx, over := context.WithTimeout(s.Context(), s.length)
	defer over()
	begin := time.Now()
	var load sync.WaitGroup
	n := uint64(0)
	for _, contract := range slices.Sorted(maps.Keys(requests)) {
		for range 3 {
			n++
			mine := rand.New(rand.NewPCG(s.seed, n))
			load.Go(func() { s.sponsor(ctx, contract, requests[contract], mine) })
		}
	}
	s.rage(ctx)
	load.Wait()
	s.Logf("seed %d: a storm of %s. Faults: %s", s.seed, time.Since(begin).Round(time.Second), s.told("fault: "))
	s.Logf("what sponsors saw: %s", s.told("saw: "))
	for _, k := range slices.Concat(s.apis, s.workers) {
		if k.byItself > 0 {
			s.Logf("%s ended by itself %d times", k.name, k.byItself)
		}
	}
	s.settle()
	s.check()
	s.exportsAgain()
}

// told lists what was counted under a prefix.
func (s *storm) told(prefix string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for what, n := range s.counted {
		if name, ok := strings.CutPrefix(what, prefix); ok {
			all = append(all, fmt.Sprintf("%s %d", name, n))
		}
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// build starts the cluster: a Postgres, two APIs behind one door, two workers.
func (s *storm) build() {
	t := s.T
	var err error
	if s.postgres, err = postgres.Own(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.postgres.Close)
	direct, err := url.Parse(s.postgres.URL())
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(direct.Query().Get("host"), ".s.PGSQL.5432")
	s.toAPI = newLink(t, socket)
	database := func(l *link) []string {
		return []string{"--database-url", "postgres://ab2d@" + l.address() + "/postgres?sslmode=disable"}
	}
	addresses := []string{freeAddress(t), freeAddress(t)}
	s.door = newLink(t, addresses...)
	logs := t.TempDir()
	common := slices.Concat(s.settings, s.store.settings(), []string{"--lease", "2s", "--reconcile", "200ms", "--patience", "2s", "--sweep", sweep.String(), "--drain", "2s"})
	for i, a := range addresses {
		k := keep(t, fmt.Sprintf("api%d", i+1), logs, slices.Concat(common, database(s.toAPI), []string{"--roles", "api", "--listen", a, "--public-url", "http://" + s.door.address()})...)
		k.up(t) // the first fills the database
		s.apis = append(s.apis, k)
	}
	faults := fmt.Sprintf("seed=%d,%s,refuse=0.01,break=0.01,stale=0.005,wrong=0.005,stall=0.0005,stall-for=10s,delay=1ms,back=0.1,behind=1m,until=%s", s.seed, lost,
		time.Now().Add(s.length+time.Second).UTC().Format(time.RFC3339Nano))
	for i := range 2 {
		s.toWorkers = append(s.toWorkers, newLink(t, socket))
		s.workers = append(s.workers, keep(t, fmt.Sprintf("worker%d", i+1), logs, slices.Concat(common, database(s.toWorkers[i]),
			[]string{"--roles", "worker", "--workers", "2", "--claims-faults", faults, "--fetch-timeout", "2s", "--fetch-backoff", "20ms"})...))
	}
	for _, k := range s.workers {
		k.up(t)
	}
	if s.db, err = entstore.Open(t.Context(), s.postgres.URL(), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.db.Close() })
}

// settle waits until every job has ended, and then for one sweep.
func (s *storm) settle() {
	quiet := time.Now()
	until(s.T, "every job to end", func() bool {
		active := 0
		for _, o := range outcomes(s.T, s.db) {
			if o.State.Active() {
				active++
			}
		}
		if active > 0 {
			time.Sleep(100 * time.Millisecond)
		}
		return active == 0
	})
	s.Logf("every job had ended %s after the storm", time.Since(quiet).Round(100*time.Millisecond))
}

// exportsAgain has the processes that came through do each request once more.
func (s *storm) exportsAgain() {
	ctx := patience(s.T)
	for contract, paths := range requests {
		w := s.walker()
		if err := w.signIn(ctx, sponsorOf(s.T, contract)); err != nil {
			s.Errorf("after the storm: %v", err)
			continue
		}
		for _, path := range paths {
			m, err := w.export(ctx, path)
			if err == nil {
				_, err = w.fetchAll(ctx, m)
			}
			if err != nil {
				s.Errorf("after the storm, %s: %v", path, err)
			}
		}
	}
	for _, o := range outcomes(s.T, s.db) {
		if _, during := s.accepted[string(o.ID)]; !during && o.State.Active() {
			s.Errorf("after the storm, %s: job %s is still %s", o.path, o.ID, o.State)
		}
	}
}

// walker returns a sponsor's client. It uses each connection once: on one that
// it used before Go's own would ask again by itself, and start two exports.
func (s *storm) walker() *walker {
	base := "http://" + s.door.address()
	return &walker{base: base, tokenURL: base + sandboxauth.TokenPath, say: func(string, ...any) {},
		http: http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
}

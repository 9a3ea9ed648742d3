//go:build linux

package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"slices"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // to look at partitions past the processes

	"cms.gov/ab2d/adapters/sandboxauth"
)

// benchCluster exports by turns in one process with its embedded database and
// in a cluster of one API process and two workers over Postgres and S3, on the
// same cores.
func benchCluster(ctx context.Context) error {
	fmt.Println("\nThe same exports in one process (SQLite, files) and in a cluster (Postgres with fsync, S3 server, one API, two workers of one partition")
	fmt.Println("each), by turns; until the status says complete. CPU and memory of our own processes only.")
	fmt.Printf("%-9s %5s %12s %12s %7s %12s %16s %16s\n", "contract", "runs", "process s", "cluster s", "ratio", "NDJSON MB/s", "worker RSS MB", "worker CPU s/GB")
	for _, n := range []string{"S0001", "S0030"} {
		s, err := sponsorFor(n)
		if err != nil {
			return err
		}
		repeat := 5
		if s.Members > 2000 {
			repeat = 3
		}
		if err := benchBoth(ctx, s, repeat); err != nil {
			return err
		}
	}
	return nil
}

func benchBoth(ctx context.Context, s sandboxauth.GuideSponsor, repeat int) error {
	var alone, together, rss, cpu []float64
	gb := 0.0
	for range repeat {
		r, err := benchRun(ctx, s)
		if err != nil {
			return err
		}
		alone, gb = append(alone, r.export.Seconds()), float64(r.sum.plain)/1e9
		took, peak, used, err := clusterRun(ctx, s)
		if err != nil {
			return err
		}
		together, rss, cpu = append(together, took.Seconds()), append(rss, peak), append(cpu, used.Seconds()/gb)
	}
	fmt.Printf("%-9s %5d %12.2f %12.2f %7.2f %12.0f %16.1f %16.2f\n", s.Contract, repeat, median(alone), median(together), median(alone)/median(together),
		gb*1e3/median(together), slices.Max(rss), median(cpu))
	return nil
}

// clusterRun exports once on a cluster of its own, and returns how long that
// took, the most memory that a worker held, in MB, and the processor time of all workers.
func clusterRun(ctx context.Context, s sandboxauth.GuideSponsor) (took time.Duration, peakMB float64, used time.Duration, err error) {
	k, err := newCluster(ctx, clusterPlan{listen: "127.0.0.1:0", apis: 1, workers: 2, settings: []string{"--workers", "1"}})
	if err != nil {
		return 0, 0, 0, err
	}
	defer k.close()
	w, err := k.sponsor(ctx, s)
	if err != nil {
		return 0, 0, 0, err
	}
	before := time.Duration(0) // starting is not exporting
	for _, id := range k.workerIDs() {
		before += cpuOf(id)
	}
	begin := time.Now()
	if _, err := w.export(ctx, fmt.Sprintf("/api/v2/fhir/Group/%s/$export", s.Contract)); err != nil {
		return 0, 0, 0, err
	}
	took = time.Since(begin)
	for _, id := range k.workerIDs() {
		used += cpuOf(id)
		peakMB = max(peakMB, float64(peakRSS(id))/1024)
	}
	return took, peakMB, used - before, nil
}

// sponsor signs a sponsor in.
func (k *cluster) sponsor(ctx context.Context, s sandboxauth.GuideSponsor) (*walker, error) {
	w := &walker{base: k.base, tokenURL: k.base + sandboxauth.TokenPath, say: func(string, ...any) {}}
	return w, w.signIn(ctx, s)
}

// benchStatus asks a cluster that is exporting for the status of jobs, 200
// times a second, one request in fifty a kick-off with its cancellation.
func benchStatus(ctx context.Context) error {
	const rate, length = 200, 20 * time.Second
	k, err := newCluster(ctx, clusterPlan{listen: "127.0.0.1:0", apis: 2, workers: 1, settings: []string{"--workers", "1", "--jobs-per-contract", "100000", "--export-rate", "0", "--export-address-rate", "0"}})
	if err != nil {
		return err
	}
	defer k.close()
	large, err := sponsorFor("S0030")
	if err != nil {
		return err
	}
	small, err := sponsorFor("S0000")
	if err != nil {
		return err
	}
	exporter, err := k.sponsor(ctx, large)
	if err != nil {
		return err
	}
	if _, err := exporter.start(ctx, "/api/v2/fhir/Group/S0030/$export"); err != nil {
		return err
	}
	asker, err := k.sponsor(ctx, small)
	if err != nil {
		return err
	}
	// Each asker polls jobs of its own as a real one does: never too soon. Jobs
	// that are complete answer with their manifest as often as one likes.
	done, err := asker.start(ctx, "/api/v2/fhir/Group/S0000/$export")
	if err != nil {
		return err
	}
	if _, err := asker.follow(ctx, done); err != nil {
		return err
	}
	results := make(chan []sample, rate*int(length/time.Second))
	ticker := time.NewTicker(time.Second / rate)
	defer ticker.Stop()
	sent := 0
	for end := time.Now().Add(length); time.Now().Before(end); sent++ {
		<-ticker.C
		if sent%50 == 0 {
			go func() { results <- asker.startAndCancel(ctx, k.base+"/api/v2/fhir/Group/S0000/$export") }()
		} else {
			go func() {
				s, _ := asker.timed(ctx, "status", http.MethodGet, done, http.StatusOK)
				results <- []sample{s}
			}()
		}
	}
	took := map[string][]float64{}
	failed := 0
	for range sent {
		for _, r := range <-results {
			if r.err != nil {
				failed++
				err = r.err
				continue
			}
			for _, row := range []string{r.name, "all"} {
				took[row] = append(took[row], r.took.Seconds()*1e3)
			}
		}
	}
	fmt.Printf("\n%d requests a second for %s through the address in front of two API processes, beside an export of S0030: milliseconds of those that succeeded.\n", rate, length)
	fmt.Printf("%-10s %8s %8s %8s %8s\n", "request", "number", "median", "p99", "most")
	for _, name := range []string{"status", "kick-off", "cancel", "all"} {
		slices.Sort(took[name])
		if n := len(took[name]); n > 0 {
			fmt.Printf("%-10s %8d %8.2f %8.2f %8.2f\n", name, n, took[name][n/2], took[name][n*99/100], took[name][n-1])
		}
	}
	if failed > 0 {
		fmt.Printf("%d requests failed, such as: %v\n", failed, err)
	}
	return nil
}

// sample is one timed request.
type sample struct {
	name string
	took time.Duration
	err  error
}

// startAndCancel starts an export and cancels it.
func (w *walker) startAndCancel(ctx context.Context, address string) []sample {
	start, job := w.timed(ctx, "kick-off", http.MethodGet, address, http.StatusAccepted)
	if start.err != nil {
		return []sample{start}
	}
	cancel, _ := w.timed(ctx, "cancel", http.MethodDelete, job, http.StatusAccepted)
	return []sample{start, cancel}
}

// timed makes one request, and returns also where its answer points to.
func (w *walker) timed(ctx context.Context, name, method, address string, want int) (s sample, location string) {
	begin := time.Now()
	res, err := w.ask(ctx, method, address, nil)
	if err == nil && res.StatusCode != want {
		err = refused(res)
	} else if err == nil {
		location = res.Header.Get("Content-Location")
		err = res.Body.Close()
	}
	return sample{name, time.Since(begin), err}, location
}

// lease of the workers that benchRecovery kills.
const lease = 5 * time.Second

// benchRecovery kills workers in the middle of a partition and measures until
// another attempt holds it.
func benchRecovery(ctx context.Context) error {
	const times = 20
	k, err := newCluster(ctx, clusterPlan{listen: "127.0.0.1:0", apis: 1, workers: 2,
		settings: []string{"--workers", "1", "--lease", lease.String(), "--reconcile", "1s"}})
	if err != nil {
		return err
	}
	defer k.close()
	s, err := sponsorFor("S0030")
	if err != nil {
		return err
	}
	w, err := k.sponsor(ctx, s)
	if err != nil {
		return err
	}
	db, err := sql.Open("pgx", k.databaseURL)
	if err != nil {
		return err
	}
	defer db.Close()
	var took []float64
	for len(took) < times {
		var running int
		if err := db.QueryRowContext(ctx, "SELECT count(*) FROM export_jobs WHERE state IN ('submitted', 'in_progress')").Scan(&running); err != nil {
			return err
		}
		if running < 2 { // so that there is always work for both workers
			if _, err := w.start(ctx, "/api/v2/fhir/Group/S0030/$export"); err != nil {
				return err
			}
		}
		recovered, ok, err := k.killOne(ctx, db)
		if err != nil {
			return err
		}
		if ok {
			took = append(took, recovered.Seconds())
		}
	}
	slices.Sort(took)
	fmt.Printf("\nFrom SIGKILL of a worker until its partition is being written again, %d times, with a lease of %s and a look for lost work every second:\n", times, lease)
	fmt.Printf("median %.2f s, most %.2f s\n", took[len(took)/2], took[len(took)-1])
	return nil
}

// killOne kills a worker when both hold a partition, starts another in its
// place, and returns how long it took until there was a new attempt at one of
// them; false when the worker had just published it.
func (k *cluster) killOne(ctx context.Context, db *sql.DB) (time.Duration, bool, error) {
	var held map[string]int
	for deadline := time.Now().Add(2 * lease); len(held) < 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return 0, false, nil // no work for both: an export has just ended
		}
		var err error
		if held, err = attempts(ctx, db, "lease_token IS NOT NULL"); err != nil {
			return 0, false, err
		}
	}
	victim := k.workers[0]
	begin := time.Now()
	if err := victim.Process.Kill(); err != nil {
		return 0, false, err
	}
	_ = victim.Wait() // that it was killed is no news
	k.workers = k.workers[1:]
	if _, err := k.startWorker(); err != nil {
		return 0, false, err
	}
	for {
		now, err := attempts(ctx, db, "state = 'open'")
		if err != nil {
			return 0, false, err
		}
		left := false
		for id, attempt := range held {
			if now[id] > attempt {
				return time.Since(begin), true, nil
			}
			left = left || now[id] == attempt
		}
		if !left {
			return 0, false, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// attempts returns the attempts of partitions by job and number.
func attempts(ctx context.Context, db *sql.DB, which string) (map[string]int, error) {
	rows, err := db.QueryContext(ctx, "SELECT job_id || '/' || seq, attempt FROM partitions WHERE "+which)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string]int{}
	for rows.Next() {
		var id string
		var attempt int
		if err := rows.Scan(&id, &attempt); err != nil {
			return nil, err
		}
		all[id] = attempt
	}
	return all, rows.Err()
}

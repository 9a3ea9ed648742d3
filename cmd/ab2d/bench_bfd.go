//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"cms.gov/ab2d/adapters/bfdmock"
	"cms.gov/ab2d/adapters/sandboxauth"
	"cms.gov/ab2d/adapters/synthetic"
)

// What CMS's BCDA did of the same work on one machine, where the goals come from:
// 4,000 to 4,400 claims a second, at 39 CPU seconds a GB of raw JSON.
const (
	bcdaClaims = 4_200
	bcdaValid  = 358 // MB of claims a second that json.Valid did there
)

// validating is how many MB of claims json.Valid does in a second of a processor
// here. Seconds of one machine are not those of another: with it a measurement is
// compared with what was measured elsewhere.
func validating(claims [][]byte) float64 {
	var before, after syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	n := 0
	for n < 200<<20 {
		for _, claim := range claims {
			if !json.Valid(claim) {
				panic("a claim of our own is no JSON")
			}
			n += len(claim)
		}
	}
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	return float64(n) / 1e6 / time.Duration(after.Utime.Nano()-before.Utime.Nano()).Seconds()
}

// startStandIn starts a stand-in for BFD as a process of its own, and returns
// its address and how much JSON its answers have, once it is ready.
func startStandIn(ctx context.Context, flags ...string) (cmd *exec.Cmd, address string, gb float64, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", 0, err
	}
	cmd = exec.CommandContext(ctx, self, append([]string{"mock", "bfd", "--listen", "127.0.0.1:0"}, flags...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", 0, err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", 0, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, text, ok := strings.Cut(lines.Text(), "are ready: "); ok {
			_, _ = fmt.Sscan(text, &gb) // zero tells itself
		}
		if _, text, ok := strings.Cut(lines.Text(), "is ready on "); ok {
			address, _, _ = strings.Cut(text, ". ")
			go func() {
				for lines.Scan() { // the rest is for people, but the pipe must not fill
				}
			}()
			return cmd, address, gb, nil
		}
	}
	return nil, "", 0, errors.Join(errors.New("the stand-in ended before it was ready"), cmd.Wait())
}

// benchBFD exports 30,000 people with 20 claims each from a stand-in that
// answers at once, over mutual TLS.
func benchBFD(ctx context.Context) error {
	fmt.Println("\nAn export over BFD's protocol: 30,000 people, 20 claims of 7.8 KB of raw JSON each, gzip, mutual TLS, the stand-in answering at once on the same")
	fmt.Printf("processors. CPU and memory of the export's process; the stand-in's CPU apart. Valid is what json.Valid does here, MB a second, and the CPU beside it\n")
	fmt.Printf("what it would be on the machine of BCDA's figures, which does %d.\n", bcdaValid)
	fmt.Printf("%4s %9s %8s %9s %9s %9s %10s %11s %13s %9s %10s\n", "run", "claims", "raw GB", "export s", "claims/s", "x BCDA", "CPU s/GB", "peak MB", "stand-in s", "Valid", "CPU there")
	kinds, err := encodedTemplates(ctx, synthetic.New(synthetic.DefaultSeed))
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "ab2d-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	certs := filepath.Join(dir, "tls")
	upstream, address, gb, err := startStandIn(ctx, "--encoded", "20", "--tls-dir", certs)
	if err != nil {
		return err
	}
	defer end(upstream)
	s, err := sponsorFor(encodedContract)
	if err != nil {
		return err
	}
	for run := range 3 {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		server, base, err := startServer(ctx, self, filepath.Join(dir, fmt.Sprint(run)), "--bfd-url", address, "--enrollment", "synthetic",
			"--bfd-ca", filepath.Join(certs, bfdmock.CAFile), "--bfd-cert", filepath.Join(certs, bfdmock.ClientFile))
		if err != nil {
			return err
		}
		w := &walker{base: base, tokenURL: base + sandboxauth.TokenPath, say: func(string, ...any) {}}
		if err := w.signIn(ctx, s); err != nil {
			return err
		}
		used, theirs, begin := cpuOf(server.Process.Pid), cpuOf(upstream.Process.Pid), time.Now()
		m, err := w.export(ctx, "/api/v2/fhir/Group/"+encodedContract+"/$export")
		took := time.Since(begin)
		if err != nil {
			return err
		}
		used, theirs = cpuOf(server.Process.Pid)-used, cpuOf(upstream.Process.Pid)-theirs
		peak := peakRSS(server.Process.Pid)
		end(server)
		claims := 0
		for _, f := range m.Output {
			claims += f.Count
		}
		valid := validating(kinds)
		fmt.Printf("%4d %9d %8.2f %9.1f %9.0f %9.1f %10.2f %11.0f %13.1f %9.0f %10.2f\n", run+1, claims, gb, took.Seconds(), float64(claims)/took.Seconds(),
			float64(claims)/took.Seconds()/bcdaClaims, used.Seconds()/gb, float64(peak)/1024, theirs.Seconds(), valid, used.Seconds()/gb*valid/bcdaValid)
	}
	return nil
}

// Of benchBFDLatency.
const (
	hiddenCapacity = 60
	rampFor        = 15 * time.Second
	measureFor     = 20 * time.Second
	outageAt       = 40 * time.Second
	outageFor      = 15 * time.Second
)

// benchBFDLatency asks a stand-in with a latency and a capacity that it does not
// tell, with fixed numbers of calls at once and by finding out, and through an outage.
func benchBFDLatency(ctx context.Context) error {
	fmt.Printf("\nPeople a second from a stand-in for BFD with a latency of 500 ms (log-normal, sigma 0.3), slower above %d calls at once and refusing above %d,\n", hiddenCapacity, 2*hiddenCapacity)
	fmt.Printf("over %s after %s.\n", measureFor, rampFor)
	fmt.Printf("%-24s %9s %9s %9s\n", "calls at once", "people/s", "of best", "refused %")
	flags := []string{"--encoded", "2", "--latency", "500ms~0.3", "--capacity", fmt.Sprint(hiddenCapacity)}
	best := 0.0
	for _, n := range []int{30, 50, 60, 70, 90} {
		rate, refused, err := benchRate(ctx, flags, "--bfd-fixed", fmt.Sprint(n), "--lookahead", "200")
		if err != nil {
			return err
		}
		best = max(best, rate)
		fmt.Printf("%-24d %9.1f %9s %9.2f\n", n, rate, "", 100*refused)
	}
	for range 2 {
		rate, refused, err := benchRate(ctx, flags, "--bfd-connections", "200")
		if err != nil {
			return err
		}
		fmt.Printf("%-24s %9.1f %8.0f%% %9.2f\n", "as it finds out", rate, 100*rate/best, 100*refused)
	}
	return benchOutage(ctx, append(flags, "--outage", fmt.Sprintf("%s+%s", outageAt, outageFor)))
}

// bench against a running stand-in.
type standInRun struct {
	address string
	close   func()
}

func exportFrom(ctx context.Context, flags []string, settings ...string) (r standInRun, err error) {
	dir, err := os.MkdirTemp("", "ab2d-bench-*")
	if err != nil {
		return r, err
	}
	upstream, address, _, err := startStandIn(ctx, flags...)
	if err != nil {
		return r, errors.Join(err, os.RemoveAll(dir))
	}
	r.address, r.close = address, func() { end(upstream); _ = os.RemoveAll(dir) }
	s, err := sponsorFor(encodedContract)
	if err != nil {
		return r, err
	}
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	server, base, err := startServer(ctx, self, dir, append([]string{"--bfd-url", address, "--enrollment", "synthetic"}, settings...)...)
	if err != nil {
		r.close()
		return r, err
	}
	stop := r.close
	r.close = func() { end(server); stop() }
	w := &walker{base: base, tokenURL: base + sandboxauth.TokenPath, say: func(string, ...any) {}}
	if err = w.signIn(ctx, s); err == nil {
		_, err = w.start(ctx, "/api/v2/fhir/Group/"+encodedContract+"/$export")
	}
	if err != nil {
		r.close()
	}
	return r, err
}

func (r *standInRun) stats(ctx context.Context) (s bfdmock.Stats, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.address+"/mock/stats", nil)
	if err != nil {
		return s, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return s, err
	}
	defer res.Body.Close()
	return s, json.NewDecoder(res.Body).Decode(&s)
}

// benchRate returns how many people a second an export asks for when it is under
// way, and what share of all calls was refused.
func benchRate(ctx context.Context, flags []string, settings ...string) (rate, refused float64, err error) {
	r, err := exportFrom(ctx, flags, settings...)
	if err != nil {
		return 0, 0, err
	}
	defer r.close()
	time.Sleep(rampFor)
	before, err := r.stats(ctx)
	if err != nil {
		return 0, 0, err
	}
	time.Sleep(measureFor)
	after, err := r.stats(ctx)
	if err != nil {
		return 0, 0, err
	}
	return float64(after.Answered-before.Answered) / measureFor.Seconds(), float64(after.Refused) / float64(after.Asked), nil
}

// benchOutage tells how long after an outage an export is at full speed again.
func benchOutage(ctx context.Context, flags []string) error {
	r, err := exportFrom(ctx, flags, "--bfd-connections", "200")
	if err != nil {
		return err
	}
	defer r.close()
	var before, last bfdmock.Stats
	var full float64
	var down, up time.Time
	const look = 2 * time.Second
	for begin := time.Now(); time.Since(begin) < outageAt+outageFor+time.Minute; {
		if last, err = r.stats(ctx); err != nil {
			return err
		}
		time.Sleep(look)
		s, err := r.stats(ctx)
		if err != nil {
			return err
		}
		rate := float64(s.Answered-last.Answered) / look.Seconds()
		switch {
		case s.Unanswered > 0 && down.IsZero():
			down = time.Now()
		case s.Unanswered == 0:
			if before.Asked == 0 && time.Since(begin) > rampFor {
				before = s
				up = time.Now()
			} else if before.Asked > 0 {
				full = float64(s.Answered-before.Answered) / time.Since(up).Seconds()
			}
		case rate >= 0.9*full && time.Since(down) > outageFor:
			fmt.Printf("\nAn outage of %s: %.0f people/s before it; 90%% of that again %.0f s after its end; %d calls were made in vain.\n", outageFor, full,
				(time.Since(down) - outageFor).Seconds(), s.Unanswered)
			return nil
		}
	}
	fmt.Println("\nIt was not at full speed again within a minute after the outage.")
	return nil
}

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"cms.gov/ab2d/adapters/config"
	"cms.gov/ab2d/adapters/sandboxauth"
)

// part is one thing that bench measures.
type part struct {
	name string
	run  func(ctx context.Context) error
}

// parts are the parts of bench in the order in which they run.
var parts = []part{
	{"exports", func(ctx context.Context) error { return benchExports(ctx, []string{"S0000", "S0001", "S0030"}) }},
	{"cluster", benchCluster},
	{"downloads", benchDownloads},
	{"status", benchStatus},
	{"recovery", benchRecovery},
	{"bfd", benchBFD},
	{"bfd-latency", benchBFDLatency},
}

// bench measures, and prints one table a part: all parts, or those named.
// Contract numbers in place of names measure exports of these contracts.
func bench(ctx context.Context, _ *config.Config, named []string) error {
	var contracts []string
	for _, n := range named {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.name == n }) {
			contracts = append(contracts, n)
		}
	}
	if len(contracts) > 0 {
		return benchExports(ctx, contracts)
	}
	for _, p := range parts {
		if len(named) > 0 && !slices.Contains(named, p.name) {
			continue
		}
		if err := p.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// benchExports measures whole exports, each contract in a process of its own.
func benchExports(ctx context.Context, contracts []string) error {
	fmt.Println("Exports in R4 from kick-off to the last byte of the last download, sandbox, embedded database.")
	fmt.Printf("%-9s %5s %9s %10s %9s %9s %9s %10s %11s\n", "contract", "runs", "claims", "NDJSON MB", "wire MB", "export s", "total s", "CPU s/GB", "peak RSS MB")
	for _, n := range contracts {
		s, err := sponsorFor(n)
		if err != nil {
			return err
		}
		if err := benchContract(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// measured is one export.
type measured struct {
	sum           fetched
	export, total time.Duration
	cpu           time.Duration // of the server process, over its whole life
	rssKB         int64         // the most it ever held
}

func benchContract(ctx context.Context, s sandboxauth.GuideSponsor) error {
	repeat := 5
	if s.Members > 2000 {
		repeat = 1 // long enough to even out by itself
	}
	var runs []measured
	for range repeat {
		r, err := benchRun(ctx, s)
		if err != nil {
			return err
		}
		runs = append(runs, r)
	}
	slices.SortFunc(runs, func(a, b measured) int { return int(a.total - b.total) })
	r := runs[len(runs)/2]
	gb := float64(r.sum.plain) / 1e9
	fmt.Printf("%-9s %5d %9d %10.1f %9.1f %9.2f %9.2f %10.2f %11.1f\n", s.Contract, repeat, r.sum.lines, gb*1e3, float64(r.sum.wire)/1e6,
		r.export.Seconds(), r.total.Seconds(), r.cpu.Seconds()/gb, float64(r.rssKB)/1024)
	return nil
}

func benchRun(ctx context.Context, s sandboxauth.GuideSponsor) (r measured, err error) {
	dir, err := os.MkdirTemp("", "ab2d-bench-*")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	server, base, err := startServer(ctx, self, dir)
	if err != nil {
		return r, err
	}
	defer func() {
		err = errors.Join(err, server.Process.Signal(syscall.SIGTERM), server.Wait())
		if usage, ok := server.ProcessState.SysUsage().(*syscall.Rusage); ok {
			r.cpu, r.rssKB = server.ProcessState.UserTime()+server.ProcessState.SystemTime(), usage.Maxrss
		}
	}()
	w := &walker{base: base, tokenURL: base + sandboxauth.TokenPath, say: func(string, ...any) {}}
	if err := w.signIn(ctx, s); err != nil {
		return r, err
	}
	begin := time.Now()
	m, err := w.export(ctx, fmt.Sprintf("/api/v2/fhir/Group/%s/$export", s.Contract))
	if err != nil {
		return r, err
	}
	r.export = time.Since(begin)
	r.sum, err = w.fetchAll(ctx, m)
	r.total = time.Since(begin)
	return r, err
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	ab2d "cms.gov/ab2d"
	"cms.gov/ab2d/adapters/config"
	"cms.gov/ab2d/adapters/sandboxauth"
)

// demo runs a sandbox of its own on a free port with data that is thrown away,
// and goes through a whole export in it.
func demo(ctx context.Context, _ *config.Config, _ []string) error {
	dir, err := os.MkdirTemp("", "ab2d-demo-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c, _, err := config.Load([]string{"--data-dir", dir, "--listen", "127.0.0.1:0", "--log", "warn"}, nil)
	if err != nil {
		return err
	}
	p, done, err := ab2d.Initialize(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	ctx, stop := context.WithCancel(ctx)
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- p.Run(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-ended:
		stop()
		return err
	}
	err = tour(ctx, "http://"+p.Listener.Addr().String())
	stop()
	err = errors.Join(err, <-ended)
	if err == nil {
		fmt.Println("stop       the sandbox has stopped cleanly")
	}
	return err
}

func tour(ctx context.Context, base string) error {
	s := sandboxauth.Guide[0]
	w := &walker{base: base, tokenURL: base + sandboxauth.TokenPath, say: func(format string, args ...any) { fmt.Printf(format+"\n", args...) }}
	w.say("start      a sandbox on %s", base)
	if err := w.signIn(ctx, s); err != nil {
		return err
	}
	begin := time.Now()
	m, err := w.export(ctx, fmt.Sprintf("/api/v2/fhir/Group/%s/$export", s.Contract))
	if err != nil {
		return err
	}
	w.say("complete   %d file(s), as of %s", len(m.Output), m.TransactionTime.Format(time.RFC3339))
	sum, err := w.fetchAll(ctx, m)
	if err != nil {
		return err
	}
	w.say("download   %d claims of the %d enrollees of %s: %.1f MB of NDJSON, %.1f MB on the wire", sum.lines, s.Members, s.Contract,
		float64(sum.plain)/1e6, float64(sum.wire)/1e6)
	w.say("check      line counts and sha256 agree with the manifest; %.2f s from kick-off to last byte", time.Since(begin).Seconds())
	return nil
}

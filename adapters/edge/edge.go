// Package edge is what stands between a server and strangers: TLS with
// certificates that are read anew when their files change.
package edge

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// Listen returns the listener with TLS in front (1.2 or later), with the
// certificate of two PEM files, which are read anew within a few seconds after
// they change. Until ctx ends; what cannot be read then leaves the certificate
// before in force.
func Listen(ctx context.Context, plain net.Listener, certFile, keyFile string, log *slog.Logger) (net.Listener, error) {
	r := &reloader{cert: certFile, key: keyFile}
	if err := r.read(); err != nil {
		return nil, err
	}
	go r.follow(ctx, log)
	return tls.NewListener(plain, &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return r.current.Load(), nil }}), nil
}

type reloader struct {
	cert, key string
	current   atomic.Pointer[tls.Certificate]
	changed   [2]time.Time
}

// look is how often the files are looked at.
var look = 2 * time.Second

func (r *reloader) read() error {
	at := r.stamp() // before reading: what changes meanwhile is read again
	pair, err := tls.LoadX509KeyPair(r.cert, r.key)
	if err != nil {
		return err
	}
	r.current.Store(&pair)
	r.changed = at
	return nil
}

func (r *reloader) stamp() (at [2]time.Time) {
	for i, name := range []string{r.cert, r.key} {
		if info, err := os.Stat(name); err == nil {
			at[i] = info.ModTime()
		}
	}
	return at
}

func (r *reloader) follow(ctx context.Context, log *slog.Logger) {
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	told := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if r.stamp() == r.changed {
			continue
		}
		if err := r.read(); err == nil {
			told = false
			log.InfoContext(ctx, "the TLS certificate was read anew", "file", r.cert)
		} else if !told {
			told = true // the two files do not change at once; it is tried again
			log.WarnContext(ctx, "the TLS certificate cannot be read anew; the one before stays in force", "error", err)
		}
	}
}

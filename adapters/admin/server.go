package admin

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"time"
)

// retryAfter is when to ask a process again that is not ready, in seconds.
const retryAfter = "5"

// alive is the answer of a process that lives.
var alive = map[string]string{"status": "ok"}

// NewServer returns the server of the admin address: /health, /ready with
// reasons, /version, /metrics for Prometheus, and profiles under /debug/pprof/.
// It asks nobody who they are, so the address must be out of strangers' reach.
func NewServer(ready *Readiness, build Build, metrics http.Handler, log *slog.Logger) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, alive) })
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		state := ready.State()
		if !state.Ready {
			w.Header().Set("Retry-After", retryAfter)
			answer(w, http.StatusServiceUnavailable, state)
			return
		}
		answer(w, http.StatusOK, state)
	})
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, build) })
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	// Not the command line: a database's address on it may hold a password.
	mux.HandleFunc("/debug/pprof/cmdline", http.NotFound)
	return &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // nobody is left to tell when it fails
}

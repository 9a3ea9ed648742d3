// Package fiberapi is the FHIR API that sponsors call: the Bulk Data requests
// under /api/v1/fhir (STU3) and /api/v2/fhir (R4), over Fiber.
//
// A handler reads the request into domain types, calls one use case and renders
// the answer. What a refusal looks like is decided in one table, in outcome.go.
package fiberapi

import (
	"cmp"
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"cms.gov/ab2d/domain"
)

// Config says how the API presents itself and what it bears.
type Config struct {
	PublicURL string    // what absolute addresses begin with, as https://sandbox.ab2d.cms.gov
	TokenURL  string    // where clients get their tokens; told in metadata and in refusals
	TokenAuth TokenAuth // how they prove who they are there
	Version   string    // of this software

	// TrustedProxies are the addresses whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix

	Deadline    time.Duration // for the answer to one request, without a file's transfer; 30 s if zero
	ReadTimeout time.Duration // for a request to come in; 15 s if zero
	IdleTimeout time.Duration // of a connection between requests; 2 min if zero
	Stall       time.Duration // how long a client may take for a mebibyte of a file; 2 min if zero
	Watch       time.Duration // how often it is looked whether files that are being sent still may be; 1 s if zero

	Requests  int // answered at once; more are told to come back; 0 does not bound
	Transfers int // files sent at once; the same

	// Links gives an address at which a file can be fetched without a token, to
	// be told in manifests instead of ours; nil for ours.
	Links func(ctx context.Context, f domain.OutputFile) (string, error)

	// Trace names the trace that a request is part of, for the job it starts;
	// nil for none.
	Trace func(ctx context.Context) string

	Types []domain.ResourceType // that may be exported beside claims

	Log *slog.Logger // slog.Default() if nil

	// Around goes around every request on the app, as tracing does; nil for none.
	Around fiber.Handler

	// Elsewhere renders errors of requests outside the FHIR API on the same
	// app, such as the console's; nil for an OperationOutcome there too.
	Elsewhere fiber.ErrorHandler
}

// UseCases are what the API offers.
type UseCases struct {
	Access    authenticator
	Pace      pacer // nil for no bound
	Contracts holder
	Export    starter
	Jobs      lister
	Status    poller
	Download  downloader
	Cancel    canceller
}

// The prefix of the API, and of each version of it.
const prefix = "/api/"

var versions = map[domain.FHIRVersion]string{
	domain.STU3: prefix + "v1/fhir",
	domain.R4:   prefix + "v2/fhir",
}

const (
	headerLimit = 16 << 10 // a token is about 1 KiB
	bodyLimit   = 1 << 20
)

type api struct {
	Config
	UseCases
	finishing          gate
	answering, sending room
	watching           watch
	accounts           sync.WaitGroup // of transfers that are over, being written
}

// New returns an app that serves the FHIR API. Other routes may be added to it.
func New(cfg Config, use UseCases) *fiber.App {
	cfg.PublicURL = strings.TrimRight(cfg.PublicURL, "/")
	cfg.Deadline = cmp.Or(cfg.Deadline, 30*time.Second)
	cfg.ReadTimeout = cmp.Or(cfg.ReadTimeout, 15*time.Second)
	cfg.IdleTimeout = cmp.Or(cfg.IdleTimeout, 2*time.Minute)
	cfg.Stall = cmp.Or(cfg.Stall, 2*time.Minute)
	cfg.Watch = cmp.Or(cfg.Watch, time.Second)
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	a := &api{Config: cfg, UseCases: use, answering: newRoom(cfg.Requests), sending: newRoom(cfg.Transfers)}

	a.watching = watch{every: cfg.Watch, ended: func(ctx context.Context, contracts []domain.ContractNumber) ([]domain.ContractNumber, error) {
		return use.Download.Ended(ctx, contracts)
	}}

	app := fiber.New(fiber.Config{
		ErrorHandler: a.handleError,
		// Strings of a request are reused memory unless they are copied: without
		// this, one sponsor's contract number could turn into another's.
		Immutable:      true,
		UnescapePath:   true, // %24export is $export
		CaseSensitive:  true,
		BodyLimit:      bodyLimit, // holds only while StreamRequestBody is off
		ReadTimeout:    cfg.ReadTimeout,
		IdleTimeout:    cfg.IdleTimeout,
		WriteTimeout:   0, // it would cut long downloads; a transfer minds its own pace
		ReadBufferSize: headerLimit,
		// Clients choke on a text/plain that announces nothing.
		DisableDefaultContentType: true,
		DisableStartupMessage:     true,
	})
	app.Hooks().OnShutdown(func() error { a.accounts.Wait(); return nil }) // the store is still open
	server := app.Server()
	server.CloseOnShutdown = true // an idle connection would hold up the shutdown
	server.Handler = a.knownMethods(app, server.Handler)

	if cfg.Around != nil {
		app.Use(cfg.Around)
	}
	app.Use(a.edge)
	if cfg.TokenURL != "" {
		readable(app, smartPath, a.smartConfiguration())
	}
	for version, path := range versions {
		a.route(app.Group(path, a.admit, a.deadline), version)
	}
	return app
}

// route registers the requests of one version. Get would register HEAD too,
// and a HEAD must not start an export.
func (a *api) route(r fiber.Router, v domain.FHIRVersion) {
	get := func(path string, h fiber.Handler) { r.Add(fiber.MethodGet, path, h) }

	for _, o := range operations {
		start := a.authenticated(claims, a.paced(a.kickOff(v)))
		get(o.path, start)
		r.Add(fiber.MethodPost, o.path, start)
	}
	readable(r, "/Group", a.authenticated("Group", a.groups(v)))
	readable(r, "/Group/:contract", a.authenticated("Group", a.group(v)))
	readable(r, "/Job", a.authenticated(claims, a.jobs))
	get("/Job/:id/$status", a.authenticated(claims, a.status))
	r.Add(fiber.MethodDelete, "/Job/:id/$status", a.authenticated(claims, a.cancel))
	readable(r, "/Job/:id/file/:name", a.authenticated(claims, a.download))
	readable(r, "/metadata", a.metadata(v))
	readable(r, "/OperationDefinition/:id", a.operationDefinition(v))
	if a.TokenURL != "" {
		readable(r, smartPath, a.smartConfiguration())
	}
}

// readable registers what may be asked for its headers alone too.
func readable(r fiber.Router, path string, h fiber.Handler) {
	r.Add(fiber.MethodGet, path, h)
	r.Add(fiber.MethodHead, path, h)
}

// knownMethods answers methods that HTTP does not have, which Fiber would
// refuse in plain text.
func (a *api) knownMethods(app *fiber.App, next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(fctx *fasthttp.RequestCtx) {
		if slices.Contains(fiber.DefaultMethods, string(fctx.Method())) {
			next(fctx)
			return
		}
		c := app.AcquireCtx(fctx)
		defer app.ReleaseCtx(c)
		_ = a.handleError(c, fiber.ErrNotImplemented)
	}
}

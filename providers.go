package ab2d

import (
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/adapters/admin"
	"cms.gov/ab2d/adapters/bfd"
	"cms.gov/ab2d/adapters/config"
	"cms.gov/ab2d/adapters/console"
	"cms.gov/ab2d/adapters/edge"
	"cms.gov/ab2d/adapters/entstore"
	"cms.gov/ab2d/adapters/faultyclaims"
	"cms.gov/ab2d/adapters/fiberapi"
	"cms.gov/ab2d/adapters/filestore"
	"cms.gov/ab2d/adapters/guide"
	"cms.gov/ab2d/adapters/host"
	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/adapters/ndjson"
	"cms.gov/ab2d/adapters/okta"
	"cms.gov/ab2d/adapters/openapi"
	"cms.gov/ab2d/adapters/riverjobs"
	"cms.gov/ab2d/adapters/s3store"
	"cms.gov/ab2d/adapters/sandbox"
	"cms.gov/ab2d/adapters/sandboxauth"
	"cms.gov/ab2d/adapters/scratch"
	"cms.gov/ab2d/adapters/smartauth"
	"cms.gov/ab2d/adapters/synthetic"
	"cms.gov/ab2d/adapters/telemetry"
	"cms.gov/ab2d/application/access"
	"cms.gov/ab2d/application/cancel"
	"cms.gov/ab2d/application/clients"
	"cms.gov/ab2d/application/contracts"
	"cms.gov/ab2d/application/credentials"
	"cms.gov/ab2d/application/download"
	"cms.gov/ab2d/application/export"
	"cms.gov/ab2d/application/jobs"
	"cms.gov/ab2d/application/maintenance"
	"cms.gov/ab2d/application/presence"
	"cms.gov/ab2d/application/produce"
	"cms.gov/ab2d/application/refusals"
	"cms.gov/ab2d/application/sources"
	"cms.gov/ab2d/application/status"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
	"cms.gov/ab2d/web/start"
)

type publicURL string

func provideLog(cfg *config.Config) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Log)); err != nil {
		return nil, err
	}
	options := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "json" {
		return slog.New(telemetry.Logs(slog.NewJSONHandler(os.Stderr, options))), nil
	}
	return slog.New(telemetry.Logs(slog.NewTextHandler(os.Stderr, options))), nil
}

// dataLock is proof that the data directory is this process's alone.
type dataLock struct{}

func provideDataLock(cfg *config.Config) (dataLock, func(), error) {
	if !cfg.Embedded() {
		return dataLock{}, func() {}, nil
	}
	unlock, err := host.LockDir(cfg.DataDir)
	return dataLock{}, unlock, err
}

// provideListener listens before anything is told an address, so that a port
// chosen by the system is known. The lock comes first: of two processes on one
// data directory the second is told about that, not about its port.
// A process that answers nobody listens nowhere.
func provideListener(ctx context.Context, cfg *config.Config, log *slog.Logger, _ dataLock) (net.Listener, func(), error) {
	if !cfg.Answers() {
		return nil, func() {}, nil
	}
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, nil, fmt.Errorf("%w; give another address with --listen", err)
	}
	if cfg.TLSCert == "" {
		return l, func() { _ = l.Close() }, nil // closed already when the server has run
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	secure, err := edge.Listen(ctx, l, cfg.TLSCert, cfg.TLSKey, log)
	if err != nil {
		stop()
		_ = l.Close() // nothing came of it
		return nil, nil, fmt.Errorf("tls-cert: %w", err)
	}
	return secure, func() { stop(); _ = l.Close() }, nil
}

func providePublicURL(cfg *config.Config, l net.Listener) publicURL {
	scheme := "http://"
	if cfg.TLSCert != "" {
		scheme = "https://"
	}
	switch {
	case cfg.PublicURL != "":
		return publicURL(cfg.PublicURL)
	case l == nil:
		return publicURL(scheme + cfg.Listen)
	}
	return publicURL(scheme + l.Addr().String())
}

func openStore(ctx context.Context, cfg *config.Config, queue entstore.QueueFactory) (*entstore.Store, func(), error) {
	if path, ok := strings.CutPrefix(cfg.DatabaseURL, "sqlite:"); ok {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, nil, err
		}
	}
	store, err := entstore.Open(ctx, cfg.DatabaseURL, queue, entstore.Conns(cfg.DatabaseConns))
	if err != nil {
		return nil, nil, err
	}
	return store, func() { _ = store.Close() }, nil // nothing is left to lose: every transaction is committed or never was
}

// provideStore opens the database. A sandbox brings the schema up to date by
// itself; production only checks it, since migrating is a step of its own there,
// by a role that may do more.
func provideStore(ctx context.Context, cfg *config.Config, queue entstore.QueueFactory, _ dataLock) (*entstore.Store, func(), error) {
	store, done, err := openStore(ctx, cfg, queue)
	if err != nil {
		return nil, nil, err
	}
	if cfg.Mode == config.Sandbox {
		err = store.Migrate(ctx)
	} else if err = store.Check(ctx); err == nil {
		err = store.CheckServing(ctx)
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return store, done, nil
}

// fileStore is the store of files itself. Its port is the same, measured.
type fileStore interface {
	ports.Files
	Check(ctx context.Context) error
}

func provideFileStore(ctx context.Context, cfg *config.Config, _ dataLock) (fileStore, func(), error) {
	if cfg.Storage == config.S3Storage {
		files, err := s3store.New(ctx, s3store.Settings{Endpoint: cfg.S3Endpoint, Bucket: cfg.S3Bucket, Prefix: cfg.S3Prefix, Region: cfg.S3Region,
			PathStyle: cfg.S3PathStyle, Encryption: cfg.S3Encryption, KMSKey: cfg.S3KMSKey, PartSize: cfg.S3PartSize})
		if err != nil {
			return nil, nil, err
		}
		return files, func() { _ = files.Close() }, nil // only connections that nobody uses
	}
	files, err := filestore.New(cfg.FilesDir())
	if err != nil {
		return nil, nil, err
	}
	return files, func() { _ = files.Close() }, nil // it only reads the directory
}

func provideFiles(store fileStore, _ *telemetry.Telemetry) ports.Files {
	return telemetry.Files(store)
}

func provideScratch(cfg *config.Config, _ dataLock) (ports.Scratch, error) {
	return scratch.New(filepath.Join(cfg.DataDir, "scratch"))
}

func providePopulation() *synthetic.Population { return synthetic.New(synthetic.DefaultSeed) }

// provideFolder opens the folder that claims come from, after indexing it if it
// changed. It is nil when claims come from elsewhere.
func provideFolder(ctx context.Context, cfg *config.Config, log *slog.Logger, _ dataLock) (*ndjson.Source, func(), error) {
	if cfg.Claims != config.NDJSON {
		return nil, func() {}, nil
	}
	folder, err := ndjson.Open(ctx, ndjson.Settings{Dir: cfg.ClaimsDir, IndexDir: cfg.ClaimsIndexDir(), Margin: cfg.Margin, Log: log})
	if err != nil {
		return nil, nil, err
	}
	return folder, func() { _ = folder.Close() }, nil // it only reads
}

// provideBFD returns the source of CMS's server, and nil when claims come from elsewhere.
func provideBFD(cfg *config.Config, calls *sources.Recorder, log *slog.Logger) (*bfd.Source, error) {
	if cfg.Claims != config.BFD {
		return nil, nil
	}
	return bfd.New(bfd.Settings{URL: cfg.BFDURL, PageClaims: cfg.BFDPage, Connections: cfg.BFDConnections, Fixed: cfg.BFDFixed, Timeout: cfg.BFDTimeout, Renew: cfg.BFDRenew,
		Probe: domain.PatientID(cfg.BFDProbe), Log: log, Took: calls.Took,
		Credentials: bfd.Credentials{CA: cfg.BFDCA, Cert: cfg.BFDCert, Key: cfg.BFDKey, Keystore: cfg.BFDKeystore, KeystorePassword: cfg.BFDKeystorePassword}})
}

func provideClaims(cfg *config.Config, folder *ndjson.Source, upstream *bfd.Source, p *synthetic.Population, clock ports.Clock, calls *sources.Recorder, _ *telemetry.Telemetry) (ports.Claims, error) {
	var source ports.Claims
	switch {
	case upstream != nil:
		source = upstream
	case folder != nil:
		source = folder
	default:
		source = synthetic.NewClaims(p, clock.Now)
	}
	if cfg.ClaimsFaults != "" {
		faults, err := faultyclaims.Parse(cfg.ClaimsFaults)
		if err != nil {
			return nil, fmt.Errorf("claims-faults: %w", err)
		}
		source = faultyclaims.New(source, faults, clock.Now)
	}
	if upstream == nil { // which tells of each call itself
		source = sources.Claims{Claims: source, Recorder: calls}
	}
	return telemetry.Claims(source), nil
}

// providePeople returns where what is about people beside claims comes from, and
// nothing where only claims leave.
func providePeople(cfg *config.Config, folder *ndjson.Source, upstream *bfd.Source, p *synthetic.Population, clock ports.Clock) ports.People {
	switch {
	case len(cfg.Types) == 0:
		return nil
	case folder != nil:
		return folder
	case upstream != nil:
		return upstream
	}
	return synthetic.NewClaims(p, clock.Now)
}

// auth is who issues tokens: what verifies them, and what is told of it.
type auth struct {
	tokens ports.Tokens
	url    string // where clients get tokens

	elsewhere string // the same, when that is not the sandbox's own address
	how       fiberapi.TokenAuth
	mount     func(fiber.Router) // of an issuer of our own
}

func provideAuth(ctx context.Context, cfg *config.Config, base publicURL, proxies proxies, secrets ports.Secrets, clients *credentials.UseCase, clock ports.Clock, log *slog.Logger) (*auth, func(), error) {
	if cfg.Auth == config.OktaAuth {
		tokens := okta.New(okta.Settings{Issuer: cfg.OktaIssuer, Audience: cfg.OktaAudience, Scope: cfg.OktaScope, ClientClaim: cfg.OktaClientClaim, Log: log}, clock)
		url := okta.TokenURL(cfg.OktaIssuer)
		return &auth{tokens: tokens, url: url, elsewhere: url, mount: func(fiber.Router) {},
			how: fiberapi.TokenAuth{Methods: []string{"client_secret_basic"}, Scopes: []string{cfg.OktaScope}}}, inBackground(ctx, tokens.Keep), nil
	}
	from := func(c *fiber.Ctx) netip.Addr { return fiberapi.Address(c, proxies) }
	var issuer *smartauth.Issuer
	var err error
	elsewhere := ""
	if cfg.Auth == config.SandboxAuth {
		issuer, err = sandboxauth.New(ctx, string(base), from, secrets, clients, clock)
	} else {
		issuer, err = smartauth.New(ctx, smartauth.Settings{PublicURL: string(base), KeyLife: cfg.SigningKeyLife, From: from}, secrets, clients, clock)
	}
	if err != nil {
		return nil, nil, err
	}
	if cfg.Auth != config.SandboxAuth {
		elsewhere = issuer.TokenURL()
	}
	return &auth{tokens: issuer, url: issuer.TokenURL(), elsewhere: elsewhere, mount: issuer.Mount,
		how: fiberapi.TokenAuth{Methods: smartauth.Methods, Algorithms: smartauth.Algorithms, Scopes: domain.KnownScopes()}}, inBackground(ctx, func(ctx context.Context) { issuer.Keep(ctx, log) }), nil
}

// provideSecretKey gives the key that clients' secrets are hashed with.
func provideSecretKey(ctx context.Context, cfg *config.Config, secrets ports.Secrets) (domain.SecretKey, error) {
	if cfg.ClientSecretKey != "" {
		return domain.SecretKey(cfg.ClientSecretKey), nil
	}
	return secrets.Ensure(ctx, "client-secret-key", func() ([]byte, error) {
		key := make([]byte, 32)
		_, err := rand.Read(key)
		return key, err
	})
}

// provideLimits counts in the database, which all processes share. Where that is
// this process's alone, its memory does, and costs nothing.
func provideLimits(cfg *config.Config, store *entstore.Store) ports.Limits {
	if cfg.Embedded() {
		return &memory.Bounds{}
	}
	return store
}

func provideCredentialSettings(cfg *config.Config) credentials.Settings {
	s := credentials.Settings{Client: cfg.TokenRate.Rate, Address: cfg.TokenAddressRate.Rate, Failing: cfg.FailedRate.Rate}
	if cfg.Auth == config.SandboxAuth {
		s.Public = sandboxauth.GuideCredentials()
	}
	return s
}

func providePace(cfg *config.Config, limits ports.Limits) *access.Pace {
	return &access.Pace{Limits: limits, Client: cfg.ExportRate.Rate, Address: cfg.ExportAddrRate.Rate}
}

// proxies are the addresses whose X-Forwarded-For is believed.
type proxies []netip.Prefix

func provideProxies(cfg *config.Config) (proxies, error) {
	trusted, err := clients.ParseNetworks(cfg.TrustProxy)
	if err != nil {
		return nil, fmt.Errorf("trust-proxy: %w", err)
	}
	return trusted, nil
}

// inBackground runs something until the returned function is called, which waits
// for its end.
func inBackground(ctx context.Context, run func(context.Context)) func() {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() { defer close(done); run(ctx) }()
	return func() { stop(); <-done }
}

func provideTokens(a *auth) ports.Tokens { return a.tokens }

func provideExportSettings(cfg *config.Config) export.Settings {
	return export.Settings{JobsPerContract: cfg.JobsPerContract, EarliestServed: cfg.EarliestServed, Maintenance: cfg.Maintenance, Weights: cfg.Weights}
}

func provideDownloadLimits(cfg *config.Config) domain.DownloadLimits {
	return domain.DownloadLimits{Fetches: cfg.Downloads, ResumeGrace: cfg.ResumeGrace}
}

func provideProduceSettings(cfg *config.Config) produce.Settings {
	s := produce.Settings{
		JobWorkers: cfg.JobWorkers, PartitionMembers: cfg.PartitionMembers, RollBytes: cfg.RollBytes, Lookahead: cfg.Lookahead, AheadBytes: cfg.AheadBytes, StageBytes: cfg.StageBytes,
		Lease: cfg.Lease, Margin: cfg.Margin, Patience: cfg.Patience, SourceWait: cfg.SourceWait, FileLife: cfg.FileLife, EarliestServed: cfg.EarliestServed, LabelsOnly: !cfg.RestrictedCodes,
		FetchTries: cfg.FetchTries, FetchBackoff: cfg.FetchBackoff, FetchTimeout: cfg.FetchTimeout, RetryBudget: cfg.RetryBudget, FailedShare: cfg.FailedShare, PartitionTries: cfg.PartitionTries,
	}
	if cfg.Enrollment == config.BFD {
		s.EnrollmentWait = cfg.EnrollmentWait
	}
	if cfg.Claims == config.BFD {
		s.FetchTimeout = 0 // each call has a deadline, and waiting for BFD's turn is nobody's fault
	}
	return s
}

// seeded is proof that the sandbox's sponsors and enrollees are there.
type seeded struct{}

// provideSeeded enrolls people before the seeder runs, which leaves enrollment
// that it finds alone.
func provideSeeded(ctx context.Context, cfg *config.Config, s *sandbox.Seeder, folder *ndjson.Source, log *slog.Logger) (seeded, error) {
	if cfg.Mode != config.Sandbox {
		return seeded{}, nil
	}
	if cfg.Enrollment == config.BFD {
		return seeded{}, s.Parties(ctx)
	}
	if err := enrollSandbox(ctx, cfg, s, folder, log); err != nil {
		return seeded{}, err
	}
	return seeded{}, s.Seed(ctx)
}

// enrollSandbox makes the enrollment in force that of the folder, or again that
// of the synthetic people where a folder's was in force before. Where nothing
// changed there is no new version.
func enrollSandbox(ctx context.Context, cfg *config.Config, s *sandbox.Seeder, folder *ndjson.Source, log *slog.Logger) error {
	held, err := contractsHeld(ctx, s.Store)
	if err != nil {
		return err
	}
	if folder == nil {
		if _, err := os.Stat(cfg.ClaimsIndexDir()); err != nil {
			return nil // no folder was ever served from here: the seeder does it all
		}
		return enrollFrom(ctx, s, held, s.Clock.Now(), func(n domain.ContractNumber) iter.Seq2[domain.Enrollee, error] {
			return syntheticEnrollees(s.Population, n)
		})
	}
	named := folder.Contracts()
	if len(named) == 0 {
		log.WarnContext(ctx, "the folder of claims enrolls nobody; it needs Coverage resources or a contracts.csv", "folder", cfg.ClaimsDir)
	}
	for _, c := range named {
		if !slices.Contains(held, c.Number) {
			log.WarnContext(ctx, "a contract of the folder of claims is nobody's here", "contract", c.Number, "enrollees", c.Enrollees)
		}
	}
	return enrollFrom(ctx, s, held, folder.AsOf(), folder.Enrollments)
}

// contractsHeld returns the contracts of the sandbox's sponsors, and of others
// that were added since.
func contractsHeld(ctx context.Context, store ports.UnitOfWork) (held []domain.ContractNumber, err error) {
	for _, row := range sandboxauth.Guide {
		held = append(held, row.Contract)
	}
	err = store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		all, err := tx.Contracts.List(ctx)
		for _, c := range all {
			held = append(held, c.Number)
		}
		return err
	})
	slices.Sort(held)
	return slices.Compact(held), err
}

// attested is the day on which the sandbox's sponsors attested. What is
// enrolled first counts as known since, as the synthetic people are.
var attested = time.Date(2019, time.November, 1, 0, 0, 0, 0, time.UTC)

// enrollFrom records changes as known at asOf: a folder's own time, since its
// exports are of that time. Where something was recorded later, or that time is
// still to come, it is the present.
func enrollFrom(ctx context.Context, s *sandbox.Seeder, contracts []domain.ContractNumber, asOf time.Time, enrollees func(domain.ContractNumber) iter.Seq2[domain.Enrollee, error]) error {
	for _, n := range contracts {
		recorded := s.Clock.Now()
		last, err := s.Coverage.VersionAt(ctx, n, recorded)
		if err != nil {
			return err
		}
		then, err := s.Coverage.VersionAt(ctx, n, asOf)
		if err != nil {
			return err
		}
		if last == 0 {
			recorded = attested
		} else if last == then && asOf.Before(recorded) {
			recorded = asOf
		}
		if _, err := s.Coverage.Load(ctx, n, ports.At(recorded), enrollees(n)); err != nil {
			return fmt.Errorf("enroll %s: %w", n, err)
		}
	}
	return nil
}

func syntheticEnrollees(p *synthetic.Population, n domain.ContractNumber) iter.Seq2[domain.Enrollee, error] {
	return func(yield func(domain.Enrollee, error) bool) {
		for e := range p.Enrollees(n) {
			if !yield(domain.Enrollee{Patient: e.Patient, Months: e.Months, IDs: e.Identifiers}, nil) {
				return
			}
		}
	}
}

func provideUseCases(access *access.UseCase, pace *access.Pace, contracts *contracts.UseCase, export *export.UseCase, jobs *jobs.UseCase, status *status.UseCase, download *download.UseCase, cancel *cancel.UseCase,
	told *refusals.Recorder, _ *telemetry.Telemetry) fiberapi.UseCases {
	return fiberapi.UseCases{
		Access:    refusals.Access{UseCase: access, Refusals: told},
		Pace:      pace,
		Contracts: refusals.Contracts{UseCase: contracts, Refusals: told},
		Export:    refusals.Export{UseCase: export, Refusals: told},
		Jobs:      jobs,
		Status:    refusals.Status{UseCase: status, Refusals: told},
		Download:  telemetry.NewDownloads(refusals.Download{UseCase: download, Refusals: told}),
		Cancel:    refusals.Cancel{UseCase: cancel, Refusals: told},
	}
}

// provideTelemetry comes before whatever tells what it does.
func provideTelemetry(ctx context.Context, cfg *config.Config, log *slog.Logger) (*telemetry.Telemetry, func(), error) {
	t, err := telemetry.Start(ctx, telemetry.Settings{Version: Version(), Prometheus: cfg.AdminListen != "", Log: log})
	if err != nil {
		return nil, nil, err
	}
	return t, func() {
		// The last of it gets a moment, whatever ended the process.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := t.Stop(ctx); err != nil {
			log.Warn("sending the last spans and metrics", "error", err)
		}
	}, nil
}

// provideLinks returns what gives manifests addresses of the store's own, where
// that is asked for.
func provideLinks(cfg *config.Config, store fileStore) links {
	s3, ok := store.(*s3store.Store)
	if !ok || cfg.Presigned == 0 {
		return nil
	}
	return func(ctx context.Context, f domain.OutputFile) (string, error) {
		return s3.Link(ctx, f.Key, f.Name, fiberapi.NDJSON, cfg.Presigned)
	}
}

type links func(ctx context.Context, f domain.OutputFile) (string, error)

func provideAPI(ctx context.Context, cfg *config.Config, parts consoleParts, base publicURL, use fiberapi.UseCases, links links, auth *auth, proxies proxies, log *slog.Logger, _ seeded, _ *telemetry.Telemetry) (*fiber.App, error) {
	switch {
	case !cfg.Answers():
		return nil, nil
	case !cfg.HasRole(config.API):
		app := console.NewApp(telemetry.Requests())
		return app, mountConsole(ctx, app, cfg, base, proxies, parts)
	}
	app := fiberapi.New(fiberapi.Config{PublicURL: string(base), TokenURL: auth.url, TokenAuth: auth.how, Version: Version(), TrustedProxies: proxies, Log: log,
		Requests: cfg.Requests, Transfers: cfg.Transfers, Links: links, Types: cfg.Types,
		Around: telemetry.Requests(), Trace: telemetry.Traceparent}, use)
	auth.mount(app)
	description, err := openapi.NewDocument(auth.elsewhere)
	if err != nil {
		return nil, err
	}
	description.Mount(app)
	if err := description.MountSwagger(app, sampleClient(cfg)); err != nil {
		return nil, err
	}
	if err := description.MountReference(app, string(base), sampleClient(cfg)); err != nil {
		return nil, err
	}
	pages, err := guide.New(map[bool]string{true: string(base)}[cfg.Mode == config.Sandbox])
	if err != nil {
		return nil, err
	}
	pages.Mount(app)
	if cfg.HasRole(config.Console) && cfg.Mode == config.Sandbox {
		console.MountStart(app, startPage(string(base), auth.url))
	}
	if cfg.HasRole(config.Console) {
		if err := mountConsole(ctx, app, cfg, base, proxies, parts); err != nil {
			return nil, err
		}
	}
	return app, nil
}

// sampleClient is whom the pages about the API are filled in with: nobody,
// unless everything is made up anyway.
func sampleClient(cfg *config.Config) *openapi.Client {
	if cfg.Mode != config.Sandbox {
		return nil
	}
	s := sandboxauth.Guide[0]
	return &openapi.Client{Name: s.Name, Contract: string(s.Contract), ID: string(s.Client), Secret: s.Secret}
}

func startPage(base, tokens string) start.Page {
	page := start.Page{Base: base, TokenURL: tokens, Version: Version()}
	for _, s := range sandboxauth.Guide {
		page.Sponsors = append(page.Sponsors, start.Sponsor{Name: s.Name, Contract: string(s.Contract), Enrollees: fmt.Sprint(s.Members),
			ClientID: string(s.Client), Secret: s.Secret})
	}
	return page
}

func provideQueueFactory(cfg *config.Config) (entstore.QueueFactory, error) {
	factory, err := riverjobs.Queue(cfg.DatabaseURL)
	return factory, err
}

// provideWorker returns no worker for a process that does no jobs. A job waits
// for nobody, so a stopping worker gets half the drain to end its partitions,
// and what it cannot end is given back.
func provideWorker(cfg *config.Config, store *entstore.Store, jobs *produce.UseCase, upstream *bfd.Source, present *presence.UseCase, log *slog.Logger, _ *telemetry.Telemetry) (host.Worker, error) {
	if !cfg.HasRole(config.Worker) {
		return nil, nil
	}
	if err := telemetry.Backlog(store, log); err != nil {
		return nil, err
	}
	tasks := telemetry.NewTasks(jobs)
	if upstream != nil {
		if err := telemetry.Upstream(func() telemetry.UpstreamState {
			now := upstream.Stats()
			return telemetry.UpstreamState{Limit: now.Limit, InUse: now.InUse, Waiting: now.Waiting, Away: now.Away}
		}); err != nil {
			return nil, err
		}
		if cfg.BFDTotal > 0 {
			tasks = telemetry.NewTasks(&sharedCalls{UseCase: jobs, store: store, source: upstream, total: cfg.BFDTotal, log: log})
		}
	}
	present.Tasks = presence.Counted(tasks)
	return riverjobs.NewWorker(cfg.DatabaseURL, store.DB(), present.Tasks,
		riverjobs.Settings{Partitions: cfg.Workers, Plans: cfg.Plans, StopWithin: cfg.Drain / 2, Logger: log})
}

func provideProcess(cfg *config.Config, l net.Listener, app *fiber.App, worker host.Worker, jobs *produce.UseCase, sweeper host.Sweeper, sealer host.Sealer,
	refused *refusals.Recorder, rounds []host.Round, store *entstore.Store, files fileStore, claims ports.Claims, told *telemetry.Telemetry, log *slog.Logger) (*host.Process, func(), error) {
	p := &host.Process{Listener: l, App: app, Worker: worker, Reconciler: jobs, Sweeper: sweeper, Sealer: sealer, Rounds: rounds, Log: log,
		Settings: host.Settings{Alone: cfg.Embedded(), Reconcile: cfg.Reconcile, Sweep: min(cfg.Sweep, lookEvery), Seal: cfg.AuditSeal, Drain: cfg.Drain}}
	checks := []admin.Check{{Name: "process", Check: p.Check}, {Name: "database", Check: store.Check}, {Name: "file store", Check: files.Check}}
	if worker != nil {
		checks = append(checks, admin.Check{Name: "claims source", Check: func(ctx context.Context) error {
			_, err := claims.CompleteThrough(ctx)
			return err
		}})
	}
	ready := admin.NewReadiness(log, checks...)
	if app != nil {
		p.Refusals = refused
		admin.MountPublic(app, ready, func(ctx context.Context) (bool, error) {
			mode, err := (&maintenance.UseCase{Store: store, Fixed: cfg.Maintenance}).Now(ctx)
			return mode.Why() != "", err
		})
	}
	if cfg.AdminListen == "" {
		return p, func() {}, nil
	}
	if err := telemetry.Pool(store.DB()); err != nil {
		return nil, nil, err
	}
	own, err := net.Listen("tcp", cfg.AdminListen)
	if err != nil {
		return nil, nil, fmt.Errorf("%w; give another address with --admin-listen", err)
	}
	p.AdminListener, p.Admin = own, admin.NewServer(ready, admin.BuildOf(Version()), told.Metrics, log)
	return p, func() { _ = own.Close() }, nil // closed already when the server has run
}

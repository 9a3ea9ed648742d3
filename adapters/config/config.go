// Package config reads the settings of a process: from flags, then AB2D_*
// environment variables, then a YAML file, then the defaults, which are those of
// the sandbox and of the 2019 developer guide. A key that does not exist is an
// error wherever it stands.
package config

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"cms.gov/ab2d/domain"
)

// Modes of a process.
const (
	Sandbox    = "sandbox"
	Production = "production"
)

// Roles of a process.
const (
	API     = "api"
	Worker  = "worker"
	Console = "console"
)

// Where claims come from.
const (
	Synthetic = "synthetic"
	NDJSON    = "ndjson"
	BFD       = "bfd"
)

// Where finished files are kept.
const (
	FileStorage = "file"
	S3Storage   = "s3"
)

// Config is the settings of a process. Load fills and checks it.
type Config struct {
	Mode         string
	Listen       string
	PublicURL    string
	DataDir      string
	DatabaseURL  string
	Roles        string
	Storage      string
	Claims       string
	ClaimsDir    string
	ClaimsFaults string
	BFDSettings
	AuthSettings
	Maintenance string
	TrustProxy  string
	Log         string
	LogFormat   string

	S3Endpoint   string
	S3Bucket     string
	S3Prefix     string
	S3Region     string
	S3PathStyle  string
	S3Encryption string
	S3KMSKey     string
	S3PartSize   int64

	HPMSSettings
	EnrollmentSettings
	ConsoleSettings

	AdminListen  string
	AdminExposed bool

	JobsPerContract int
	Downloads       int
	Requests        int
	Transfers       int
	Presigned       time.Duration
	ResumeGrace     time.Duration
	FileLife        time.Duration
	EarliestServed  domain.Date
	RestrictedCodes bool
	Types           Types // beside claims

	Weights          Weights
	Workers          int
	Plans            int
	JobWorkers       int
	PartitionMembers int
	RollBytes        int64
	Lookahead        int
	AheadBytes       int
	StageBytes       int
	Lease            time.Duration
	Patience         time.Duration
	SourceWait       time.Duration
	Margin           time.Duration
	FetchTries       int
	FetchBackoff     time.Duration
	FetchTimeout     time.Duration
	RetryBudget      int
	FailedShare      float64
	PartitionTries   int
	Reconcile        time.Duration
	Sweep            time.Duration
	KeepJobs         time.Duration
	DatabaseConns    int
	ServingRole      string
	AuditSeal        time.Duration
	AuditKeep        time.Duration
	AuditKey         string
	AuditPublicKeys  string
	Drain            time.Duration

	settings []setting
}

// flags declares every setting: its name, where it goes, its default and what
// it means. A name some-thing is the flag --some-thing, the variable
// AB2D_SOME_THING and the key some_thing of the file.
func (c *Config) flags() *flag.FlagSet {
	fs := flag.NewFlagSet("ab2d", flag.ContinueOnError)
	fs.StringVar(&c.Mode, "mode", Sandbox, "sandbox or production; production refuses sandbox tokens and claims")
	fs.StringVar(&c.Listen, "listen", "127.0.0.1:8080", "address of the HTTP server")
	fs.StringVar(&c.PublicURL, "public-url", "", "base of the absolute URLs handed out (default from the listener)")
	fs.StringVar(&c.DataDir, "data-dir", "./var", "embedded database and files")
	fs.StringVar(&c.DatabaseURL, "database-url", "", "sqlite:PATH or postgres://... (default SQLite in the data directory)")
	fs.StringVar(&c.Roles, "roles", "", "any of api,worker,console in this process (default all)")
	c.hpmsFlags(fs)
	c.enrollmentFlags(fs)
	fs.StringVar(&c.Storage, "storage", FileStorage, "where finished files are kept: file, in the data directory, or s3")
	fs.StringVar(&c.S3Endpoint, "s3-endpoint", "", "URL of the store of storage=s3; its keys are those of the AWS tools, as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the machine's role")
	fs.StringVar(&c.S3Bucket, "s3-bucket", "", "bucket in it, which must be there")
	fs.StringVar(&c.S3Prefix, "s3-prefix", "", "beginning of all keys in it")
	fs.StringVar(&c.S3Region, "s3-region", "us-east-1", "region of the bucket")
	fs.StringVar(&c.S3PathStyle, "s3-path-style", "auto", "where the bucket's name stands in addresses: path, virtual, or auto, by what the store is known for")
	fs.StringVar(&c.S3Encryption, "s3-encryption", "none", "encryption that is asked of the store: none, s3 for its own keys, or kms")
	fs.StringVar(&c.S3KMSKey, "s3-kms-key", "", "the key of s3-encryption=kms")
	fs.Int64Var(&c.S3PartSize, "s3-part-size", 8<<20, "bytes of a part of an upload; each file being written holds two in memory")
	fs.StringVar(&c.Claims, "claims", Synthetic, "where claims come from: synthetic, ndjson, a folder of FHIR resources, or bfd, CMS's server (default bfd when bfd-url is set)")
	fs.StringVar(&c.ClaimsDir, "claims-dir", "", "the folder of claims=ndjson: Patient, Coverage and ExplanationOfBenefit in *.ndjson or *.ndjson.gz")
	c.bfdFlags(fs)
	fs.StringVar(&c.ClaimsFaults, "claims-faults", "", "in a sandbox, what goes wrong with the source of claims, as seed=7,refuse=0.02,break=0.02,stall=0.001,wrong=0.01,stale=0.01,lose=0.002,delay=5ms")
	c.authFlags(fs)
	fs.StringVar(&c.Maintenance, "maintenance", "", "when set, no export starts and this says why")
	fs.StringVar(&c.TrustProxy, "trust-proxy", "", "addresses or CIDR blocks, by comma, whose X-Forwarded-For is believed")
	fs.StringVar(&c.Log, "log", "info", "debug, info, warn or error")
	fs.StringVar(&c.LogFormat, "log-format", "", "text or json (default text in the sandbox, json in production)")
	c.consoleFlags(fs)
	fs.StringVar(&c.AdminListen, "admin-listen", "", "address of metrics, health, readiness with reasons and profiles, for any role; empty for none")
	fs.BoolVar(&c.AdminExposed, "admin-exposed", false, "admin-listen need not be loopback; in production only, for who keeps strangers away from it by other means")

	fs.IntVar(&c.JobsPerContract, "jobs-per-contract", 3, "exports that a contract may have running")
	fs.IntVar(&c.Downloads, "downloads", 1, "times a file may be fetched; 0 for as often as one likes")
	fs.IntVar(&c.Requests, "requests", 500, "requests answered at once by this process; more are told to come back; 0 for no bound")
	fs.IntVar(&c.Transfers, "transfers", 500, "files sent at once by this process; the same")
	fs.DurationVar(&c.Presigned, "presigned", 0, "when set, manifests have addresses of the S3 store that need no token, for so long; only with storage=s3 and downloads=0, and the end of attestation does not close them before")
	fs.DurationVar(&c.ResumeGrace, "resume-grace", 15*time.Minute, "how long a client may still continue a file it fetched")
	fs.DurationVar(&c.FileLife, "file-life", 24*time.Hour, "how long files can be fetched")
	fs.TextVar(&c.EarliestServed, "earliest-served", domain.EarliestServed, "first day of service that is shared")

	fs.Var(&c.Types, "types", "what may be exported: ExplanationOfBenefit, and with it Patient and Coverage, as ExplanationOfBenefit,Patient,Coverage; the rule that sponsors receive data under speaks of claims")
	fs.BoolVar(&c.RestrictedCodes, "restricted-codes", true, "leave out claims with codes of 42 CFR Part 2 (SAMHSA), not only those labelled so")

	fs.IntVar(&c.Workers, "workers", runtime.GOMAXPROCS(0), "partitions written at once in this process")
	fs.IntVar(&c.Plans, "plans", 2, "exports planned at once in this process")
	fs.IntVar(&c.JobWorkers, "job-workers", 0, "partitions of one export written at once by all processes; 0 for no bound")
	fs.Var(&c.Weights, "weights", "share of the workers that contracts get where it is not 1, as S0001=3,S0002=2")
	fs.IntVar(&c.PartitionMembers, "partition-members", 500, "enrollees in a partition")
	fs.Int64Var(&c.RollBytes, "roll-bytes", 200<<20, "plain bytes after which a file is closed and the next begun")
	fs.IntVar(&c.Lookahead, "lookahead", 3, "enrollees fetched ahead in each partition (default bfd-connections with claims=bfd)")
	fs.IntVar(&c.AheadBytes, "ahead-bytes", 16<<20, "bytes of each partition's enrollees that are fetched ahead, beyond which only the one whose turn it is is begun; 0 for no bound")
	fs.IntVar(&c.StageBytes, "stage-bytes", 2<<20, "bytes of one enrollee that are kept in memory; more waits on disk")
	fs.DurationVar(&c.Lease, "lease", 30*time.Second, "how long a silent worker keeps its partition")
	fs.DurationVar(&c.Patience, "patience", 30*time.Second, "how long the next task of an export may wait before it is queued again")
	fs.DurationVar(&c.SourceWait, "source-wait", 10*time.Minute, "how long an export waits for claims that are complete up to its _since")
	fs.DurationVar(&c.Margin, "margin", time.Second, "how far the transaction time stays behind, for clocks that differ")
	fs.IntVar(&c.FetchTries, "fetch-tries", 6, "times an enrollee's claims are asked for before that enrollee is failed")
	fs.DurationVar(&c.FetchBackoff, "fetch-backoff", 200*time.Millisecond, "first wait between those; it doubles")
	fs.DurationVar(&c.FetchTimeout, "fetch-timeout", 2*time.Minute, "how long asking once may take before it counts as failed; with claims=bfd bfd-timeout takes its place")
	fs.IntVar(&c.RetryBudget, "retry-budget", 30, "times that an attempt at a partition asks again before it leaves the source alone for a while; every ten enrollees that come give one back; 0 for no bound")
	fs.Float64Var(&c.FailedShare, "failed-share", 0.01, "share of enrollees that may fail before the export does")
	fs.IntVar(&c.PartitionTries, "partition-tries", 8, "attempts at a partition before a fault of ours fails the export")
	fs.DurationVar(&c.Reconcile, "reconcile", 5*time.Second, "how often work that was lost is looked for")
	fs.DurationVar(&c.Sweep, "sweep", time.Minute, "how often files that are over are looked for")
	fs.DurationVar(&c.KeepJobs, "keep-jobs", 8760*time.Hour, "how long what is known of an export that ended is kept, over which sinceLastExport looks back; 0 is for ever")
	fs.IntVar(&c.DatabaseConns, "database-conns", 20, "connections of this process to Postgres, where the URL has no pool_max_conns")
	fs.StringVar(&c.ServingRole, "serving-role", "", "role of Postgres that ab2d migrate lets serve, with no right to change or remove audit records")
	fs.DurationVar(&c.AuditSeal, "audit-seal", 5*time.Second, "how often audit records are sealed")
	fs.DurationVar(&c.AuditKeep, "audit-keep", 0, "how long sealed audit records stay in the database before they go into archives in the store of files; 0 is for ever")
	fs.StringVar(&c.AuditKey, "audit-key", "", "the private Ed25519 key in PEM that signs the audit trail; a sandbox makes one for itself")
	fs.StringVar(&c.AuditPublicKeys, "audit-public-keys", "", "a file with the public keys in PEM that the audit trail was signed with before, or that verify is to go by")
	fs.DurationVar(&c.Drain, "drain", 20*time.Second, "how long a stopping process lets requests end")
	return fs
}

// HasRole reports whether this process has the role.
func (c *Config) HasRole(role string) bool { return slices.Contains(strings.Split(c.Roles, ","), role) }

// Answers reports whether this process answers requests.
func (c *Config) Answers() bool { return c.HasRole(API) || c.HasRole(Console) }

// Embedded reports whether the database is the embedded one, which belongs to
// one process at a time.
func (c *Config) Embedded() bool { return strings.HasPrefix(c.DatabaseURL, "sqlite:") }

// FilesDir is where the file storage keeps its files.
func (c *Config) FilesDir() string { return filepath.Join(c.DataDir, "files") }

// ClaimsIndexDir is where the index of a folder of claims is kept.
func (c *Config) ClaimsIndexDir() string { return filepath.Join(c.DataDir, "claims-index") }

// check completes what follows from other settings and refuses what cannot be.
func (c *Config) check() error {
	var errs []error
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	oneOf := func(name, value string, allowed ...string) {
		if !slices.Contains(allowed, value) {
			refuse("%s is %q; it can be %s", name, value, strings.Join(allowed, " or "))
		}
	}
	oneOf("mode", c.Mode, Sandbox, Production)
	oneOf("storage", c.Storage, FileStorage, S3Storage)
	c.checkS3(refuse)
	c.checkBFD(refuse)
	oneOf("claims", c.Claims, Synthetic, NDJSON, BFD)
	c.checkHPMS(refuse)
	c.checkEnrollment(refuse)
	if (c.Claims == NDJSON) != (c.ClaimsDir != "") {
		refuse("claims is %q and claims-dir is %q; ndjson needs a folder, and nothing else takes one", c.Claims, c.ClaimsDir)
	}
	oneOf("log", c.Log, "debug", "info", "warn", "error")
	if c.LogFormat == "" {
		c.setDefault("log-format", map[string]string{Sandbox: "text", Production: "json"}[c.Mode])
	} else {
		oneOf("log-format", c.LogFormat, "text", "json")
	}
	c.checkAdmin(refuse)
	if c.Roles == "" {
		c.setDefault("roles", strings.Join([]string{API, Worker, Console}, ","))
	}
	for _, r := range strings.Split(c.Roles, ",") {
		oneOf("roles", r, API, Worker, Console)
	}
	c.checkAuth(refuse)
	if c.DatabaseURL == "" {
		c.setDefault("database-url", "sqlite:"+filepath.Join(c.DataDir, "ab2d.db"))
	}
	if u, err := url.Parse(c.DatabaseURL); err != nil || !slices.Contains([]string{"sqlite", "postgres", "postgresql"}, u.Scheme) {
		refuse("database-url must be sqlite:PATH or postgres://...") // its value may hold a password
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		refuse("listen is %q; it must be an address and a port, as 127.0.0.1:8080", c.Listen)
	}
	if c.Mode == Sandbox && !loopback(host) {
		refuse("listen is %q; the sandbox's credentials are public, so it listens on loopback only", c.Listen)
	}
	if u, err := url.Parse(c.PublicURL); c.PublicURL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		refuse("public-url is %q; it must be an http or https address", c.PublicURL)
	}
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	c.checkConsole(refuse)
	if c.Mode == Production {
		if c.Auth == "sandbox" {
			refuse("auth is sandbox, whose credentials are public; production refuses it")
		}
		if c.Claims == Synthetic {
			refuse("claims is synthetic; production refuses made-up claims")
		}
		if c.ClaimsFaults != "" {
			refuse("claims-faults makes the source of claims fail; production refuses it")
		}
	}
	for name, n := range map[string]int64{"jobs-per-contract": int64(c.JobsPerContract), "workers": int64(c.Workers), "plans": int64(c.Plans),
		"partition-members": int64(c.PartitionMembers), "roll-bytes": c.RollBytes, "lookahead": int64(c.Lookahead), "stage-bytes": int64(c.StageBytes),
		"lease": int64(c.Lease), "patience": int64(c.Patience), "fetch-tries": int64(c.FetchTries), "fetch-timeout": int64(c.FetchTimeout), "partition-tries": int64(c.PartitionTries),
		"reconcile": int64(c.Reconcile), "sweep": int64(c.Sweep), "audit-seal": int64(c.AuditSeal), "file-life": int64(c.FileLife), "database-conns": int64(c.DatabaseConns), "client-networks": int64(c.ClientNetworks)} {
		if n <= 0 {
			refuse("%s must be more than zero", name)
		}
	}
	for name, n := range map[string]int64{"downloads": int64(c.Downloads), "requests": int64(c.Requests), "transfers": int64(c.Transfers),
		"job-workers": int64(c.JobWorkers), "retry-budget": int64(c.RetryBudget), "ahead-bytes": int64(c.AheadBytes), "audit-keep": int64(c.AuditKeep), "presigned": int64(c.Presigned)} {
		if n < 0 {
			refuse("%s must not be less than zero", name)
		}
	}
	if c.Presigned > 0 && (c.Storage != "s3" || c.Downloads != 0) {
		refuse("presigned needs storage=s3 and downloads=0: who fetches by such an address, and how often, is not known here")
	}
	if c.KeepJobs < 0 || c.KeepJobs > 0 && c.KeepJobs < c.FileLife {
		refuse("keep-jobs is %s; it must be 0 or at least file-life, %s", c.KeepJobs, c.FileLife)
	}
	if c.FailedShare < 0 || c.FailedShare > 1 {
		refuse("failed-share is %g; it is a share from 0 to 1", c.FailedShare)
	}
	return errors.Join(errs...)
}

// checkS3 refuses settings of a store that cannot be.
func (c *Config) checkS3(refuse func(format string, args ...any)) {
	if !slices.Contains([]string{"auto", "path", "virtual"}, c.S3PathStyle) {
		refuse("s3-path-style is %q; it can be auto or path or virtual", c.S3PathStyle)
	}
	if !slices.Contains([]string{"none", "s3", "kms"}, c.S3Encryption) {
		refuse("s3-encryption is %q; it can be none or s3 or kms", c.S3Encryption)
	}
	if (c.S3Encryption == "kms") != (c.S3KMSKey != "") {
		refuse("s3-encryption is %q and s3-kms-key is %q; kms needs a key, and nothing else takes one", c.S3Encryption, c.S3KMSKey)
	}
	if c.S3PartSize < 5<<20 || c.S3PartSize > 1<<30 {
		refuse("s3-part-size is %d; it must be from %d to %d", c.S3PartSize, 5<<20, 1<<30)
	}
	switch u, err := url.Parse(c.S3Endpoint); {
	case c.Storage != S3Storage:
		if c.S3Endpoint != "" || c.S3Bucket != "" {
			refuse("s3-endpoint and s3-bucket are for storage=s3, and storage is %q", c.Storage)
		}
	case c.S3Endpoint == "" || c.S3Bucket == "":
		refuse("storage=s3 needs s3-endpoint and s3-bucket")
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		refuse("s3-endpoint must be an http or https address")
	case u.User != nil:
		refuse("s3-endpoint holds a name or password; keys are given as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
}

// checkAdmin refuses an admin address that strangers could reach, since nobody
// is asked there who they are.
func (c *Config) checkAdmin(refuse func(format string, args ...any)) {
	host, _, err := net.SplitHostPort(c.AdminListen)
	switch {
	case c.AdminListen == "":
	case err != nil:
		refuse("admin-listen is %q; it must be an address and a port, as 127.0.0.1:9090", c.AdminListen)
	case !loopback(host) && (c.Mode != Production || !c.AdminExposed):
		refuse("admin-listen is %q; it must be on loopback, unless admin-exposed says otherwise in production", c.AdminListen)
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

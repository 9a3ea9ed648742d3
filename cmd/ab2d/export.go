package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"cms.gov/ab2d/adapters/exportclient"
	"cms.gov/ab2d/adapters/sandboxauth"
)

// exportHelp is what "ab2d export --help" says before its flags.
const exportHelp = `Usage: ab2d export --contract S0000 --out DIR [flags]

Fetches an export from a Bulk Data server into a folder of its own: starts it, waits for it, downloads its files, checks them against the
manifest (sha256, length, number of lines) and puts each in its place only when it is whole. If it is stopped, killed or cut off, the same
command goes on where it was. One folder is one export.

Who asks is said by flags, then the variables AB2D_CLIENT_ID, AB2D_CLIENT_SECRET (or AB2D_CLIENT_SECRET_FILE) and AB2D_TOKEN, then a
profile in ~/.config/ab2d/profiles.yaml, which only you may be able to read:

    default:
      url: https://sandbox.ab2d.cms.gov/api/v2/fhir
      token_url: https://test.idp.idm.cms.gov/oauth2/aus2r7y3gdaFMKBol297/v1/token
      client_id: 0oa...
      client_secret: ...          # or client_secret_file, or key and key_id for private_key_jwt

Exit codes: 0 all is here; 3 all that there is is here, but the server could not have the claims of some enrollees (--retry-failed asks for
them again); 2 what was asked for cannot be; 4 refused: credentials, rights or attestation; 5 the export failed, was cancelled or has
expired at the server; 6 the server or the network was away for too long, 130 stopped: run it again to go on; 7 a file is not what the
manifest says; 1 anything else.

`

// several is a flag that may be given several times.
type several []string

func (s *several) String() string     { return strings.Join(*s, ",") }
func (s *several) Set(v string) error { *s = append(*s, v); return nil }

// access are the flags by which a server is reached, of all commands that are its
// client.
type access struct {
	url, profile, profiles, clientID, secretFile, key, keyID, tokenFile, tokenURL, scope, ca string
	allowHosts                                                                               several
	allowHTTP                                                                                bool
}

// sandboxURL is where "ab2d serve" listens by itself.
const sandboxURL = "http://127.0.0.1:8080/api/v2/fhir"

func (r *access) flags(fs *flag.FlagSet) {
	fs.StringVar(&r.url, "url", "", "base of the server's FHIR API; /api/v2/fhir is added to an address without a path (default "+sandboxURL+", the sandbox on this machine)")
	fs.StringVar(&r.profile, "profile", "", "which profile of the file to use (default \"default\", if there is one)")
	fs.StringVar(&r.profiles, "profiles", "", "the file with profiles (default "+exportclient.DefaultProfiles()+")")
	fs.StringVar(&r.clientID, "client-id", "", "the client, with a secret or a key")
	fs.StringVar(&r.secretFile, "client-secret-file", "", "a file with the client's secret")
	fs.StringVar(&r.key, "key", "", "a file with the client's private key for private_key_jwt: JWK, JWK set or PEM; RSA or P-384")
	fs.StringVar(&r.keyID, "key-id", "", "the id of the key, where the file does not say it")
	fs.StringVar(&r.tokenFile, "token-file", "", "a file with a token that you have already; it cannot be renewed")
	fs.StringVar(&r.tokenURL, "token-url", "", "where tokens are to be had; as the server says if not given")
	fs.StringVar(&r.scope, "scope", "", "the scope to ask for; what fits the server if not given")
	fs.StringVar(&r.ca, "ca", "", "a PEM file of certificate authorities to trust, beside the system's")
	fs.Var(&r.allowHosts, "allow-host", "another host that may be sent the token, where the manifest wants it there; may be repeated")
	fs.BoolVar(&r.allowHTTP, "allow-http", false, "send credentials without TLS to another machine too")
}

// settings reads everything that says how to reach the server. contract, if it
// is one of the developer guide's, lets the sandbox on this machine be tried
// without any credential.
func (r *access) settings(environ func(string) string, contract string) (s exportclient.Settings, notes []string, err error) {
	path := r.profiles
	if path == "" {
		path = exportclient.DefaultProfiles()
	}
	p, err := exportclient.ReadProfile(path, or(r.profile, "default"), r.profile != "" || r.profiles != "")
	if err != nil {
		return s, nil, err
	}
	s.Base = withPath(or(r.url, or(p.URL, sandboxURL)))
	s.AllowHosts, s.AllowHTTP = append(p.AllowHosts, r.allowHosts...), r.allowHTTP
	s.Auth.ClientID = or(r.clientID, or(environ("AB2D_CLIENT_ID"), p.ClientID))
	s.Auth.TokenURL, s.Auth.Scope = or(r.tokenURL, p.TokenURL), or(r.scope, p.Scope)
	if p.URL != "" && withPath(p.URL) != s.Base && r.tokenURL == "" {
		s.Auth.TokenURL = "" // that of another server
	}
	var errs []error
	secret := func(file, value string) string {
		if file == "" {
			return value
		}
		text, err := exportclient.ReadSecret(file)
		errs = append(errs, err)
		return text
	}
	switch { // what is said nearest counts
	case r.secretFile != "":
		s.Auth.Secret = secret(r.secretFile, "")
	case r.key != "":
	case environ("AB2D_CLIENT_SECRET") != "" || environ("AB2D_CLIENT_SECRET_FILE") != "":
		s.Auth.Secret = secret(environ("AB2D_CLIENT_SECRET_FILE"), environ("AB2D_CLIENT_SECRET"))
	case p.ClientSecret != "" || p.ClientSecretFile != "":
		s.Auth.Secret = secret(p.ClientSecretFile, p.ClientSecret)
	}
	if key := or(r.key, p.Key); key != "" && s.Auth.Secret == "" {
		_, err := exportclient.ReadSecret(key) // for whoever may read it
		errs = append(errs, err)
		if err == nil {
			s.Auth.Key, err = readKey(key, or(r.keyID, p.KeyID))
			errs = append(errs, err)
		}
	}
	s.Auth.Token = secret(r.tokenFile, environ("AB2D_TOKEN"))
	if err := errors.Join(errs...); err != nil {
		return s, nil, err
	}
	switch {
	case s.Auth.ClientID == "" && (s.Auth.Secret != "" || s.Auth.Key != nil):
		return s, nil, usageFault("there is a secret or a key, and no client it belongs to; give --client-id")
	case s.Auth.ClientID != "" && s.Auth.Secret == "" && s.Auth.Key == nil:
		return s, nil, usageFault("client " + s.Auth.ClientID + " has no secret; give AB2D_CLIENT_SECRET, --client-secret-file, --key or a profile")
	case s.Auth.ClientID == "" && s.Auth.Token == "" && onLoopback(s.Base):
		for _, g := range sandboxauth.Guide {
			if string(g.Contract) == contract {
				s.Auth.ClientID, s.Auth.Secret = string(g.Client), g.Secret
				notes = append(notes, "no credential is given, so the sandbox's public one of "+g.Name+" is used")
			}
		}
	}
	if ca := or(r.ca, p.CA); ca != "" {
		pool, err := authorities(ca)
		if err != nil {
			return s, nil, err
		}
		s.Transport = exportclient.Transport(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12})
	}
	return s, notes, nil
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// withPath completes an address that names a server of ours and not its API.
func withPath(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" && strings.Trim(u.Path, "/") == "" {
		return strings.TrimRight(address, "/") + "/api/v2/fhir"
	}
	return address
}

func onLoopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

func usageFault(text string) error {
	return &exportclient.Fault{Why: exportclient.Usage, Text: text, Next: "ab2d export --help lists everything."}
}

// exporting is what the command was told to do.
type exporting struct {
	access
	contract, group, job, out, since, until, elements, organizeBy, patientsFile, format string
	types, filters, patients, parameters                                                several
	minFile, maxFile                                                                    int64
	patientLevel, systemLevel, sinceLast, post, lenient                                 bool
	anew, cancel, retryFailed, remove, keepNDJSON, asJSON, quiet                        bool
	parallel                                                                            int
	patience                                                                            time.Duration
}

func (e *exporting) flags() *flag.FlagSet {
	fs := flag.NewFlagSet("export", flag.ContinueOnError)
	fs.StringVar(&e.out, "out", "", "the folder of the export; made if it is not there, readable by you alone")
	fs.StringVar(&e.contract, "contract", "", "the contract to export, as S0000")
	fs.StringVar(&e.group, "group", "", "the same, by the name that other servers have for it: the id of a Group")
	fs.BoolVar(&e.patientLevel, "patient-level", false, "export all contracts of the client (Patient/$export)")
	fs.BoolVar(&e.systemLevel, "system-level", false, "export the whole server ($export)")
	fs.StringVar(&e.job, "job", "", "fetch an export that was started elsewhere, by the address of its status")
	fs.StringVar(&e.since, "since", "", "claims updated after that instant, as 2026-09-01T00:00:00Z")
	fs.StringVar(&e.until, "until", "", "and not after that one")
	fs.BoolVar(&e.sinceLast, "since-last-export", false, "what came after your last export that was fetched whole; for this server alone")
	fs.Var(&e.types, "type", "a resource type; may be repeated")
	fs.Var(&e.filters, "type-filter", "a filter, as 'ExplanationOfBenefit?service-date=ge2024-01-01'; may be repeated")
	fs.StringVar(&e.elements, "elements", "", "root elements to be had, by comma")
	fs.StringVar(&e.organizeBy, "organize-by", "", "Patient: the claims of one person after those of another")
	fs.Int64Var(&e.minFile, "min-file-size", 0, "bytes that a file should have at least, before compression")
	fs.Int64Var(&e.maxFile, "max-file-size", 0, "and at most")
	fs.Var(&e.patients, "patient", "an enrollee to be restricted to, by id; may be repeated, and makes the kick-off a POST")
	fs.StringVar(&e.patientsFile, "patients", "", "a file with such ids, one a line")
	fs.Var(&e.parameters, "param", "NAME=VALUE, any other parameter of the kick-off; may be repeated")
	fs.BoolVar(&e.post, "post", false, "kick off by POST, with the parameters in the body")
	fs.BoolVar(&e.lenient, "lenient", false, "have the server pass over parameters that it does not know (Prefer: handling=lenient)")
	fs.StringVar(&e.format, "format", "ndjson", "ndjson, as the server has it; or parquet, claims and lines as flat tables (docs/parquet.md)")
	fs.BoolVar(&e.keepNDJSON, "keep-ndjson", false, "with --format parquet, keep the NDJSON files too")
	fs.BoolVar(&e.anew, "new", false, "give up the unfinished export in the folder, here and at the server, and begin a new one")
	fs.BoolVar(&e.cancel, "cancel", false, "only give it up")
	fs.BoolVar(&e.retryFailed, "retry-failed", false, "ask again for the enrollees that a complete export in the folder lacks; what comes is in retry-1 and so on within it")
	fs.BoolVar(&e.remove, "delete-when-done", false, "tell the server to delete the files once all are here")
	fs.IntVar(&e.parallel, "parallel", 4, "files fetched at once")
	fs.DurationVar(&e.patience, "patience", 2*time.Hour, "how long the server or the network may be away at a time")
	fs.BoolVar(&e.asJSON, "json", false, "print what happens as JSON, one event a line")
	fs.BoolVar(&e.quiet, "quiet", false, "print the end alone")
	e.access.flags(fs)
	return fs
}

// export fetches an export from a server.
func export(ctx context.Context, args []string) error {
	// A second Ctrl-C does not wait for the first to be heard.
	defer context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt, syscall.SIGTERM) })()
	return exportTo(ctx, os.Stdout, os.Stderr, os.Getenv, args)
}

func exportTo(ctx context.Context, out io.Writer, progress *os.File, environ func(string) string, args []string) error {
	e := &exporting{}
	fs := e.flags()
	fs.SetOutput(progress)
	fs.Usage = func() { fmt.Fprint(progress, exportHelp); fs.PrintDefaults() }
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return &exportclient.Fault{Why: exportclient.Usage, Text: "the command line cannot be understood"} // flag has said why
	}
	if fs.NArg() > 0 {
		return usageFault(fmt.Sprintf("%q is not a flag", fs.Arg(0)))
	}
	err := e.do(ctx, out, progress, environ)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = &exportclient.Fault{Why: exportclient.Interrupted, Text: "stopped", Next: "Run the same command again to go on."}
	}
	if errors.Is(err, syscall.ENOSPC) {
		err = &exportclient.Fault{Why: 1, Text: "the disk is full", Cause: err, Next: "Make room, and run the same command again to go on."}
	}
	if e.asJSON {
		printFailure(out, err)
	}
	return err
}

func (e *exporting) do(ctx context.Context, out io.Writer, progress *os.File, environ func(string) string) error {
	if e.out == "" {
		return usageFault("say where to with --out")
	}
	s, notes, err := e.settings(environ, or(e.contract, e.group))
	if err != nil {
		return err
	}
	place, err := e.place()
	if err != nil {
		return err
	}
	v := e.view(out, progress)
	defer v.close()
	s.Report, s.Parallel, s.Patience, s.Place = v.report, e.parallel, e.patience, place
	c, err := exportclient.New(s)
	if err != nil {
		return err
	}
	if e.cancel {
		if err := c.Cancel(ctx, e.out); err != nil {
			return err
		}
		v.note("the export was given up, here and at the server")
		return nil
	}
	for _, n := range notes {
		v.note(n)
	}
	if e.retryFailed {
		return e.again(ctx, c, v)
	}
	order, err := e.order(s.Base)
	if err != nil {
		return err
	}
	result, err := c.Export(ctx, order, e.out, exportclient.Options{New: e.anew, Delete: e.remove})
	v.close()
	if err != nil {
		return err
	}
	v.summary(e.out, result)
	return incomplete(e.out, result)
}

// incomplete tells by the exit code that the export lacks somebody.
func incomplete(dir string, r exportclient.Result) error {
	if !r.Missing() {
		return nil
	}
	next := "The error files in " + dir + " say whom and why."
	if len(r.Retries) > 0 {
		next += " To ask again for just those: ab2d export --retry-failed --out " + dir
	}
	return &exportclient.Fault{Why: exportclient.Incomplete, Text: "the export is here, but the server could not have everybody's claims", Next: next}
}

// order is what to ask for.
func (e *exporting) order(base string) (exportclient.Order, error) {
	var places []string
	for _, level := range []struct {
		asked bool
		place string
	}{{e.contract != "", "Group/" + url.PathEscape(e.contract)}, {e.group != "", "Group/" + url.PathEscape(e.group)}, {e.patientLevel, "Patient"}, {e.systemLevel, ""}, {e.job != "", ""}} {
		if level.asked {
			places = append(places, level.place)
		}
	}
	if len(places) == 0 {
		// What an earlier run began can be gone on with by its folder alone.
		if held, _, ok, err := exportclient.Held(e.out); err != nil || ok && !e.anew {
			return held, err
		}
		return exportclient.Order{}, usageFault("say what to export: --contract, --patient-level, --system-level, or --job")
	}
	if len(places) > 1 {
		return exportclient.Order{}, usageFault("--contract, --group, --patient-level, --system-level and --job exclude each other")
	}
	if e.job != "" {
		return exportclient.Order{Base: base, Job: e.job}, nil
	}
	parameters, err := e.kickOff()
	if err != nil {
		return exportclient.Order{}, err
	}
	return exportclient.NewOrder(base, places[0], parameters, e.post, e.lenient)
}

// kickOff lists the parameters of the kick-off.
func (e *exporting) kickOff() (all []exportclient.Parameter, err error) {
	add := func(name string, values ...string) {
		for _, v := range values {
			if v != "" {
				all = append(all, exportclient.Parameter{Name: name, Value: v})
			}
		}
	}
	for name, v := range map[string]string{"since": e.since, "until": e.until} {
		if _, err := time.Parse(time.RFC3339, v); v != "" && err != nil {
			return nil, usageFault("--" + name + " is " + v + "; write an instant, as 2026-09-01T00:00:00Z")
		}
	}
	add("_since", e.since)
	add("_until", e.until)
	if e.sinceLast {
		add("sinceLastExport", "true")
	}
	add("_type", e.types...)
	add("_typeFilter", e.filters...)
	for one := range strings.SplitSeq(e.elements, ",") {
		add("_elements", strings.TrimSpace(one))
	}
	add("organizeOutputBy", e.organizeBy)
	for _, size := range []struct {
		name  string
		bytes int64
	}{{"_minimumFileSize", e.minFile}, {"_maximumFileSize", e.maxFile}} {
		if size.bytes != 0 {
			add(size.name, fmt.Sprint(size.bytes))
		}
	}
	add("patient", e.patients...)
	if e.patientsFile != "" {
		text, err := os.ReadFile(e.patientsFile)
		if err != nil {
			return nil, err
		}
		add("patient", strings.Fields(string(text))...)
	}
	for _, p := range e.parameters {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return nil, usageFault("--param is " + p + "; write NAME=VALUE")
		}
		add(name, value)
	}
	return all, nil
}

// again asks for those whom complete exports lack, with the requests that the
// server has ready, until there is none left that it has not been asked for.
func (e *exporting) again(ctx context.Context, c *exportclient.Client, v view) error {
	order, done, ok, err := exportclient.Held(e.out)
	if err != nil {
		return err
	}
	if !ok || !done {
		return usageFault(e.out + " holds no complete export; run the export first")
	}
	asked := 0
	var last exportclient.Result
	var walk func(dir string, order exportclient.Order) error
	walk = func(dir string, order exportclient.Order) error {
		fresh := false
		if _, done, ok, err := exportclient.Held(dir); err != nil {
			return err
		} else if !ok || !done {
			fresh = true
			v.note("asking again, into " + dir)
		}
		result, err := c.Export(ctx, order, dir, exportclient.Options{Delete: e.remove})
		if err != nil {
			return err
		}
		if fresh {
			asked++
			v.summary(dir, result)
		}
		last = result
		if fresh {
			return nil // what it lacks itself is for the next time
		}
		for i, r := range result.Retries {
			if err := walk(filepath.Join(dir, fmt.Sprintf("retry-%d", i+1)), r); err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk(e.out, order); err != nil {
		return err
	}
	v.close()
	if asked == 0 && !last.Missing() {
		v.note("nobody is missing who could be asked for again")
	} else if asked == 0 {
		return &exportclient.Fault{Why: exportclient.Incomplete, Text: "the server has no request ready for those who are missing",
			Next: "Ask again with a new export of the same --since, into another folder."}
	}
	return incomplete(e.out, last)
}

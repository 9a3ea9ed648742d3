package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	ab2d "cms.gov/ab2d"
	"cms.gov/ab2d/adapters/admin"
	"cms.gov/ab2d/adapters/config"
	"cms.gov/ab2d/adapters/entstore"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// supportJobs is how many of the latest exports a bundle tells of.
const supportJobs = 200

// supportBundle writes what the help desk needs to know of an installation into an
// archive: no secrets, no tokens, no claims and nobody who is enrolled. What
// cannot be had is named in it instead.
func supportBundle(ctx context.Context, c *config.Config, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: ab2d support-bundle FILE.tar.gz [SETTINGS]")
	}
	parts := map[string]func() ([]byte, error){
		"build.json": func() ([]byte, error) { return indented(supportBuild()) },
		"settings.txt": func() ([]byte, error) {
			var b bytes.Buffer
			err := c.Show(&b)
			return b.Bytes(), err
		},
	}
	store, done, err := ab2d.InitializeMigrator(ctx, c)
	if err == nil {
		defer done()
		parts["migrations.json"] = func() ([]byte, error) {
			states, err := store.Status(ctx)
			if err != nil {
				return nil, err
			}
			return indented(states)
		}
		parts["exports.json"] = func() ([]byte, error) { return supportExports(ctx, store) }
	} else {
		parts["exports.json"] = func() ([]byte, error) { return nil, err }
	}
	for name, path := range map[string]string{"process/ready.json": "/ready", "process/build.json": "/version", "process/metrics.txt": "/metrics", "process/goroutines.txt": "/debug/pprof/goroutine?debug=2"} {
		parts[name] = func() ([]byte, error) { return fromAdmin(ctx, c.AdminListen, path) }
	}
	out, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	missing, err := writeBundle(out, parts, redactor(c.Secrets()))
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	fmt.Printf("%s is written. Look at it before you send it.\n", args[0])
	for _, m := range missing {
		fmt.Println("Not in it:", m)
	}
	return nil
}

// writeBundle writes the parts, redacted, and returns what could not be had.
func writeBundle(w io.Writer, parts map[string]func() ([]byte, error), redact func(string) string) (missing []string, err error) {
	zip := gzip.NewWriter(w)
	archive := tar.NewWriter(zip)
	add := func(name, content string) {
		content = redact(content)
		err = errors.Join(err, archive.WriteHeader(&tar.Header{Name: "ab2d-support/" + name, Mode: 0o600, Size: int64(len(content)), ModTime: time.Now(), Format: tar.FormatPAX}))
		_, e := io.WriteString(archive, content)
		err = errors.Join(err, e)
	}
	for name, get := range parts {
		content, e := get()
		if e != nil {
			missing = append(missing, redact(name+": "+e.Error()))
			continue
		}
		add(name, string(content))
	}
	add("missing.txt", strings.Join(missing, "\n")+"\n")
	return missing, errors.Join(err, archive.Close(), zip.Close())
}

func indented(v any) ([]byte, error) { return json.MarshalIndent(v, "", "  ") }

func supportBuild() any {
	var modules []string
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			modules = append(modules, m.Path+" "+m.Version)
		}
	}
	return map[string]any{"build": admin.BuildOf(ab2d.Version()), "cpus": runtime.NumCPU(), "gomaxprocs": runtime.GOMAXPROCS(0), "written": time.Now().UTC(), "modules": modules}
}

// supportExport is what is told of an export: neither its address, which may name
// much, nor whom it could not have.
type supportExport struct {
	ID                                                    domain.JobID
	Sponsor                                               domain.SponsorID
	Version                                               domain.FHIRVersion
	Contracts                                             []domain.ContractNumber
	State                                                 domain.JobState
	Created, Started, Completed, Expires, TransactionTime time.Time
	Failure                                               domain.Failure
	Enrollees                                             map[domain.ContractNumber]domain.Columns
}

func supportExports(ctx context.Context, store *entstore.Store) ([]byte, error) {
	var exports []supportExport
	err := store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		jobs, err := tx.JobList.Find(ctx, ports.JobQuery{Newest: true, Limit: supportJobs})
		exports = nil
		for _, j := range jobs {
			s := j.State()
			e := supportExport{s.ID, s.Sponsor, s.Version, s.Contracts, j.StateAt(time.Now()), s.CreatedAt, s.StartedAt, s.CompletedAt, s.ExpiresAt, s.TransactionTime,
				s.Failure, map[domain.ContractNumber]domain.Columns{}}
			for _, a := range s.Accounts {
				e.Enrollees[a.Contract] = a.Columns
			}
			exports = append(exports, e)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return indented(exports)
}

func fromAdmin(ctx context.Context, address, path string) ([]byte, error) {
	if address == "" {
		return nil, errors.New("admin-listen is not set, so the running process cannot be asked")
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return io.ReadAll(io.LimitReader(res.Body, 64<<20)) // not ready is an answer too
}

// The forms of what is never to leave, wherever it turns up.
var unsafeForms = regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----` +
	`|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*` + // tokens
	`|(?i:\b(?:bearer|basic) +)[A-Za-z0-9._~+/=-]{8,}` +
	`|\b[1-9][A-Z][A-Z0-9][0-9A-Z][A-Z][A-Z0-9][0-9A-Z][A-Z]{2}[0-9]{2}\b`) // MBIs

var userinfo = regexp.MustCompile(`://[^/\s"'@]+@`)

// redactor returns what takes secrets out of a text: those that are known, and
// what has the form of one.
func redactor(secrets []string) func(string) string {
	pairs := make([]string, 0, 2*len(secrets))
	for _, s := range secrets {
		if len(s) >= 4 { // a shorter one would tear holes into everything, and guards nothing
			pairs = append(pairs, s, "(removed)")
		}
	}
	known := strings.NewReplacer(pairs...)
	return func(text string) string {
		return unsafeForms.ReplaceAllString(userinfo.ReplaceAllString(known.Replace(text), "://(removed)@"), "(removed)")
	}
}

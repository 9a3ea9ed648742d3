// Package server runs a Postgres for as long as a program lasts, for tests and
// for making migrations.
package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the client
)

// Variable names the environment variable with the URL of a server to use
// instead of one of our own. Its user must be allowed to create databases.
const Variable = "AB2D_TEST_POSTGRES"

// Server is a running Postgres.
type Server struct {
	admin *url.URL
	keep  io.Closer // while it is open the server runs
	gone  chan struct{}
}

// Start returns the server that the environment names, or else starts the one
// whose programs this machine has, in a folder of its own without a port, as an
// ordinary user and without syncing to disk. It goes away with this program,
// however that ends. Where there is none it is installed with apt-get when that
// is allowed; else the error says what is missing.
func Start() (*Server, error) {
	if given := os.Getenv(Variable); given != "" {
		admin, err := url.Parse(given)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", Variable, err)
		}
		return &Server{admin: admin}, nil
	}
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	return launch(bin)
}

// programs returns the folder with initdb and postgres.
func programs() (string, error) {
	if bin, ok := installed(); ok {
		return bin, nil
	}
	var said []byte
	if os.Getuid() == 0 {
		install := exec.Command("apt-get", "install", "-y", "--no-install-recommends", "postgresql")
		install.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		said, _ = install.CombinedOutput()
		if bin, ok := installed(); ok {
			return bin, nil
		}
	}
	return "", fmt.Errorf("these tests need Postgres: set %s to the postgres:// URL of a server whose user may create databases, "+
		"or install the server's programs (initdb and postgres, Debian package postgresql) on PATH or in /usr/lib/postgresql\n%s", Variable, said)
}

func installed() (string, bool) {
	candidates, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if initdb, err := exec.LookPath("initdb"); err == nil {
		candidates = append(candidates, filepath.Dir(initdb))
	}
	for i := len(candidates) - 1; i >= 0; i-- {
		if executable(filepath.Join(candidates[i], "initdb")) && executable(filepath.Join(candidates[i], "postgres")) {
			return candidates[i], true
		}
	}
	return "", false
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&0o111 != 0
}

// keeper starts the server and waits for its standard input to end, which
// it does when the program that started it is no more. Then it stops the server and
// removes the folder.
const keeper = `
dir=$1 bin=$2
cd "$dir" || exit 1
"$bin/initdb" -D data -U ab2d --auth=trust --locale=C --encoding=UTF8 --no-sync >log 2>&1 || { cat log >&2; exit 1; }
"$bin/postgres" -D data -k "$dir" -c listen_addresses= -c fsync=off -c synchronous_commit=off \
	-c full_page_writes=off -c max_connections=300 >>log 2>&1 </dev/null &
pid=$!
cat >/dev/null
kill -INT $pid 2>/dev/null
wait $pid
rm -rf "$dir"
`

// folder makes a new folder for a server and says whom to run it as.
func folder() (string, *syscall.Credential, error) {
	credential, err := ordinary()
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "pg")
	if err == nil && len(dir) > 80 { // a socket's path has 107 characters at most
		os.Remove(dir)
		dir, err = os.MkdirTemp("/tmp", "pg")
	}
	if err == nil && credential != nil {
		err = os.Chown(dir, int(credential.Uid), int(credential.Gid))
	}
	return dir, credential, err
}

func launch(bin string) (*Server, error) {
	dir, credential, err := folder()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/bin/sh", "-c", keeper, "sh", dir, bin)
	cmd.Dir = dir
	// In a group of its own, so that an interrupt from the keyboard does not
	// reach the keeper before its work is done.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential, Setpgid: true}
	said := &bytes.Buffer{}
	cmd.Stderr = said
	keep, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start Postgres: %w", err)
	}
	s := &Server{keep: keep, gone: make(chan struct{}),
		admin: &url.URL{Scheme: "postgres", Path: "/postgres", RawQuery: url.Values{"host": {dir}, "user": {"ab2d"}}.Encode()}}
	go func() {
		cmd.Wait() //nolint:errcheck // what it said is what matters
		close(s.gone)
	}()
	if err := s.ready(); err != nil {
		s.Stop()
		return nil, fmt.Errorf("start Postgres in %s: %w\n%s", bin, err, said)
	}
	return s, nil
}

// ordinary returns whom to run the server as when we are root, which Postgres
// refuses to run as.
func ordinary() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("the Postgres server does not run as root, and there is no user postgres or nobody to run it as")
}

const startsWithin = 60 * time.Second

func (s *Server) ready() error {
	db, err := sql.Open("pgx", s.admin.String())
	if err != nil {
		return err
	}
	defer db.Close()
	deadline := time.After(startsWithin)
	for {
		err := db.Ping()
		if err == nil {
			return nil
		}
		select {
		case <-s.gone:
			return errors.New("it ended")
		case <-deadline:
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Ours reports whether Start started the server. What is made on another's has
// to be removed again.
func (s *Server) Ours() bool { return s.keep != nil }

// Create makes a new database and returns its URL: a copy of the one that
// the template's URL names, which nobody may be using, or an empty one without.
func (s *Server) Create(ctx context.Context, template string) (string, error) {
	db, err := sql.Open("pgx", s.admin.String())
	if err != nil {
		return "", err
	}
	defer db.Close()
	name := "ab2d_" + strings.ToLower(rand.Text())
	statement := "CREATE DATABASE " + name + " TEMPLATE template0"
	if template != "" {
		u, err := url.Parse(template)
		if err != nil {
			return "", err
		}
		statement = "CREATE DATABASE " + name + " TEMPLATE " + strings.TrimPrefix(u.Path, "/")
	}
	if _, err := db.ExecContext(ctx, statement); err != nil {
		return "", fmt.Errorf("create a database: %w", err)
	}
	created := *s.admin
	created.Path = "/" + name
	return created.String(), nil
}

// Drop removes a database that Create made, whoever still uses it.
func (s *Server) Drop(ctx context.Context, created string) error {
	u, err := url.Parse(created)
	if err != nil {
		return err
	}
	db, err := sql.Open("pgx", s.admin.String())
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, "DROP DATABASE IF EXISTS "+strings.TrimPrefix(u.Path, "/")+" WITH (FORCE)")
	return err
}

// Stop stops a server that Start started and waits until it is gone.
func (s *Server) Stop() {
	if !s.Ours() {
		return
	}
	s.keep.Close()
	<-s.gone
}

// Package server runs an S3 server, versitygw over a folder, for tests and for a
// cluster on one machine.
package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Region is what the server says it is in.
const Region = "us-east-1"

// Settings are where a server is. What is empty is chosen.
type Settings struct {
	Dir           string // keeps the objects; without one it is a temporary folder, which goes with the server
	Address       string // on loopback; without one its port is free
	VirtualDomain string // when set, buckets are also names under it, as bucket.localhost
	AccessKey     string
	SecretKey     string
	ReadOnly      bool // refuses whatever would change something
}

// Server is an S3 server of our own. It is used by one goroutine.
type Server struct {
	settings  Settings
	temporary bool // the folder

	keeper *exec.Cmd
	keep   io.Closer // while it is open the server runs
	pid    int
}

// Start starts a server, building its program first where it was not yet. It
// ends with Stop or Kill, or with this program, however that ends.
func Start(settings Settings) (*Server, error) {
	s := &Server{settings: settings, temporary: settings.Dir == ""}
	if s.temporary {
		dir, err := os.MkdirTemp("", "s3")
		if err != nil {
			return nil, err
		}
		s.settings.Dir = dir
	}
	if settings.AccessKey == "" {
		s.settings.AccessKey, s.settings.SecretKey = rand.Text(), rand.Text()
	}
	if settings.Address == "" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		s.settings.Address = l.Addr().String()
		l.Close()
	}
	if err := s.Start(); err != nil {
		s.Remove()
		return nil, err
	}
	return s, nil
}

// keeper starts the server, says its number, and waits for its standard input to
// end, which it does when the program that started it is no more.
const keeper = `
log=$1 remove=$2
shift 2
"$@" >>"$log" 2>&1 </dev/null &
pid=$!
echo $pid
cat >/dev/null
kill -KILL $pid 2>/dev/null
wait $pid 2>/dev/null
[ -z "$remove" ] || rm -rf "$remove"
`

// Start starts a server again that was stopped or killed, on the same folder,
// address and keys, and returns when it answers.
func (s *Server) Start() error {
	if s.keeper != nil {
		return errors.New("the S3 server runs already")
	}
	program, err := program()
	if err != nil {
		return err
	}
	data, log, remove := filepath.Join(s.settings.Dir, "data"), filepath.Join(s.settings.Dir, "log"), ""
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	if s.temporary {
		remove = s.settings.Dir
	}
	args := []string{"-c", keeper, "sh", log, remove, program, "--quiet", "--port", s.settings.Address, "--region", Region}
	if s.settings.VirtualDomain != "" {
		args = append(args, "--virtual-domain", s.settings.VirtualDomain)
	}
	if s.settings.ReadOnly {
		args = append(args, "--readonly")
	}
	cmd := exec.Command("/bin/sh", append(args, "posix", data)...)
	cmd.Dir = s.settings.Dir
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+s.settings.AccessKey, "ROOT_SECRET_KEY="+s.settings.SecretKey)
	// In a group of its own, so that an interrupt from the keyboard does not
	// reach the keeper before its work is done.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the S3 server: %w", err)
	}
	s.keeper, s.keep = cmd, in
	if _, err = fmt.Fscanln(out, &s.pid); err == nil {
		err = s.ready()
	}
	if err != nil {
		said, _ := os.ReadFile(log)
		s.Kill()
		return fmt.Errorf("start the S3 server: %w\n%s", err, said)
	}
	return nil
}

const startsWithin = 30 * time.Second

// ready waits until the server answers to its keys, which no other that has the
// port would.
func (s *Server) ready() error {
	client, err := s.client()
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(startsWithin); ; time.Sleep(20 * time.Millisecond) {
		_, err := client.ListBuckets(context.Background())
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

func (s *Server) client() (*minio.Client, error) {
	return minio.New(s.settings.Address, &minio.Options{Region: Region, MaxRetries: 1,
		Creds: credentials.NewStaticV4(s.settings.AccessKey, s.settings.SecretKey, "")})
}

// CreateBucket makes a bucket. One that is there is an error.
func (s *Server) CreateBucket(ctx context.Context, name string) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	return client.MakeBucket(ctx, name, minio.MakeBucketOptions{})
}

// Endpoint returns the server's URL, which stays the same.
func (s *Server) Endpoint() string { return "http://" + s.settings.Address }

// Address returns the server's address and port.
func (s *Server) Address() string { return s.settings.Address }

// Environ returns the keys as the variables that programs read them from.
func (s *Server) Environ() []string {
	return []string{"AWS_ACCESS_KEY_ID=" + s.settings.AccessKey, "AWS_SECRET_ACCESS_KEY=" + s.settings.SecretKey}
}

// Data returns the folder of the buckets; an object is a file in it.
func (s *Server) Data() string { return filepath.Join(s.settings.Dir, "data") }

// Pid returns the number of the running process, to send it signals.
func (s *Server) Pid() int { return s.pid }

// Kill ends the server at once, as when the machine loses its processes. What it
// keeps stays, for Start. One that does not run stays so.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Stop ends the server when the requests it has are answered, which gets a few
// seconds. What it keeps stays, for Start.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

func (s *Server) end(how syscall.Signal) {
	if s.keeper == nil {
		return
	}
	syscall.Kill(s.pid, how) //nolint:errcheck // it may be gone by now
	for deadline := time.Now().Add(5 * time.Second); listens(s.settings.Address) && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	syscall.Kill(s.keeper.Process.Pid, syscall.SIGKILL) //nolint:errcheck // so that it removes nothing
	syscall.Kill(s.pid, syscall.SIGKILL)                //nolint:errcheck // the same
	s.keep.Close()
	s.keeper.Wait() //nolint:errcheck // there is nothing more to do about it
	s.keeper = nil
}

func listens(address string) bool {
	conn, err := net.Dial("tcp", address)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

// Remove kills the server and removes its folder if that is a temporary one.
func (s *Server) Remove() {
	s.Kill()
	if s.temporary {
		os.RemoveAll(s.settings.Dir)
	}
}

// program returns the server's program, built by the script beside the modfile
// that says which version.
func program() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		script := filepath.Join(dir, ".ci", "versitygw")
		if _, err := os.Stat(script); err == nil {
			said := &bytes.Buffer{}
			cmd := exec.Command(script)
			cmd.Stderr = said
			out, err := cmd.Output()
			if err != nil {
				return "", fmt.Errorf("build the S3 server: %w\n%s", err, said)
			}
			return strings.TrimSpace(string(out)), nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("the S3 server is built in the repository, and this is run outside of it")
		}
		dir = up
	}
}

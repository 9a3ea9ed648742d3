//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"cms.gov/ab2d/adapters/sandboxauth"
)

// benchDownloads fetches the stored files of one export again and again, from
// us and from nginx with gzip_static on the same files, by turns.
func benchDownloads(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "ab2d-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // nginx's workers are somebody else
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	s, err := sponsorFor("S0010")
	if err != nil {
		return err
	}
	process, base, err := startServer(ctx, self, dir, "--downloads", "0", "--roll-bytes", "800000000")
	if err != nil {
		return err
	}
	defer end(process)
	w := &walker{base: base, tokenURL: base + sandboxauth.TokenPath, say: func(string, ...any) {}}
	if err := w.signIn(ctx, s); err != nil {
		return err
	}
	m, err := w.export(ctx, "/api/v2/fhir/Group/S0010/$export")
	if err != nil {
		return err
	}
	var ours, theirs []string
	for i, o := range m.Output {
		ours = append(ours, o.URL)
		theirs = append(theirs, fmt.Sprintf("/%d.ndjson", i))
	}
	address, stop, err := startNginx(ctx, dir)
	if err != nil {
		return err
	}
	defer stop()
	for i := range theirs {
		theirs[i] = "http://" + address + theirs[i]
	}
	fmt.Printf("\nDownloads of %d stored files of S0010 as they are (gzip), %s, the client on the same cores.\n", len(ours), about(ctx, w, ours))
	fmt.Printf("%-9s %12s %12s %8s %14s %14s\n", "at once", "ab2d MB/s", "nginx MB/s", "ratio", "CPU s/GB", "peak RSS MB")
	for _, at := range []int{1, 4, 100} {
		var us, them []float64
		before, moved := cpuOf(process.Process.Pid), int64(0)
		for range 7 {
			rate, n, err := fetchMany(ctx, w.token, ours, at)
			if err != nil {
				return err
			}
			us, moved = append(us, rate), moved+n
			if rate, _, err = fetchMany(ctx, "", theirs, at); err != nil {
				return fmt.Errorf("nginx: %w", err)
			}
			them = append(them, rate)
		}
		used := cpuOf(process.Process.Pid) - before
		fmt.Printf("%-9d %12.0f %12.0f %8.2f %14.2f %14.1f\n", at, median(us), median(them), median(us)/median(them),
			used.Seconds()/(float64(moved)/1e9), float64(peakRSS(process.Process.Pid))/1024)
	}
	return nil
}

// about tells how much there is to fetch, and fetches it once before anything is measured.
func about(ctx context.Context, w *walker, addresses []string) string {
	_, n, err := fetchMany(ctx, w.token, addresses, 1)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// fetchMany fetches addresses round and round, at the same time as often as
// told, at least 400 MB and each reader one file, and throws the bytes away. It
// returns MB/s and how many bytes it was.
func fetchMany(ctx context.Context, token string, addresses []string, at int) (rate float64, total int64, err error) {
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: at, ReadBufferSize: 256 << 10}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var mu sync.Mutex
	var all sync.WaitGroup
	var errs []error
	next := 0
	begin := time.Now()
	for range at {
		all.Go(func() {
			buf := make([]byte, 1<<20)
			for once := true; ; once = false {
				mu.Lock()
				enough := !once && total >= 400e6
				address := addresses[next%len(addresses)]
				next++
				mu.Unlock()
				if enough || ctx.Err() != nil {
					return
				}
				n, err := fetchRaw(ctx, client, token, address, buf)
				mu.Lock()
				total += n
				if err != nil {
					errs = append(errs, err)
					total = 400e6
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return float64(total) / 1e6 / time.Since(begin).Seconds(), total, errors.Join(errs...)
}

func fetchRaw(ctx context.Context, client *http.Client, token, address string, buf []byte) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Accept-Encoding", "gzip")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Encoding") != "gzip" {
		return 0, refused(res)
	}
	defer res.Body.Close()
	return io.CopyBuffer(writerOnly{io.Discard}, res.Body, buf)
}

type writerOnly struct{ io.Writer }

// startNginx serves the stored files of a data directory by gzip_static: each
// under a number, in the order of their keys.
func startNginx(ctx context.Context, dir string) (address string, stop func(), err error) {
	if _, err := exec.LookPath("nginx"); err != nil {
		return "", nil, errors.New("nginx, which downloads are compared with, is not there: install Debian's package nginx-light")
	}
	if address, err = freeLoopback(); err != nil {
		return "", nil, err
	}
	root := filepath.Join(dir, "nginx")
	if err := os.Mkdir(root, 0o755); err != nil {
		return "", nil, err
	}
	stored, err := filepath.Glob(filepath.Join(dir, "files", "jobs", "*", "*", "*.ndjson.gz"))
	if err != nil {
		return "", nil, err
	}
	slices.Sort(stored)
	for i, path := range stored {
		// Beside the name without .gz, which need not exist for gzip_static always.
		if err := copyFile(filepath.Join(root, fmt.Sprintf("%d.ndjson.gz", i)), path); err != nil {
			return "", nil, err
		}
	}
	conf := filepath.Join(dir, "nginx.conf")
	err = os.WriteFile(conf, []byte(fmt.Sprintf(`daemon off; worker_processes 2; pid %[1]s/nginx.pid; error_log stderr error;
events { worker_connections 512; }
http { access_log off; sendfile on; tcp_nopush on; default_type application/fhir+ndjson; client_body_temp_path %[1]s/t1; proxy_temp_path %[1]s/t2;
fastcgi_temp_path %[1]s/t3; uwsgi_temp_path %[1]s/t4; scgi_temp_path %[1]s/t5;
server { listen %[2]s; root %[3]s; gzip_static always; } }
`, dir, address, root)), 0o644)
	if err != nil {
		return "", nil, err
	}
	nginx := exec.CommandContext(ctx, "nginx", "-c", conf, "-e", "stderr")
	nginx.Stderr = os.Stderr
	nginx.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := nginx.Start(); err != nil {
		return "", nil, err
	}
	stop = func() { end(nginx) }
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		res, err := http.Get("http://" + address + "/none")
		if err == nil {
			res.Body.Close()
			return address, stop, nil
		}
		if time.Now().After(deadline) {
			stop()
			return "", nil, fmt.Errorf("nginx does not answer: %w", err)
		}
	}
}

func copyFile(to, from string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o644)
}

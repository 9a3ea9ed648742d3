//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cms.gov/ab2d/adapters/config"
	pgserver "cms.gov/ab2d/adapters/entstore/pgtest/server"
	s3server "cms.gov/ab2d/adapters/s3store/s3test/server"
	"cms.gov/ab2d/adapters/sandboxauth"
)

// runCluster runs the sandbox as a cluster on this machine until it is told to
// stop: a Postgres, an S3 server, two processes that answer and three that work,
// behind one address. Everything in it is thrown away at the end.
func runCluster(ctx context.Context, c *config.Config, _ []string) error {
	fmt.Println("Starting Postgres, an S3 server, two API processes and three workers ...")
	k, err := newCluster(ctx, clusterPlan{listen: c.Listen, apis: 2, workers: 3})
	if err != nil {
		return err
	}
	defer k.close()
	s := sandboxauth.Guide[0]
	fmt.Printf(`
The cluster is ready. Everything in it is made up and gone once it stops. Stop it with Ctrl-C.

  FHIR R4      %[1]s/api/v2/fhir   (shared by %[2]s)
  Tokens       %[1]s%[3]s
  Postgres     psql '%[4]s'
  S3           %[5]s
  Workers      process ids %[6]v: kill one and see its partition taken over

  Sponsor %[7]s, contract %[8]s: client id %[9]s, password %[10]s
`, k.base, strings.Join(k.apiAddresses, " and "), sandboxauth.TokenPath, k.databaseURL, k.s3.Endpoint()+"/"+clusterBucket, k.workerIDs(), s.Name, s.Contract, s.Client, s.Secret)
	<-ctx.Done()
	return nil
}

// clusterBucket is the cluster's in its S3 server.
const clusterBucket = "ab2d"

// clusterPlan says what a cluster is made of.
type clusterPlan struct {
	listen        string // of the address in front
	apis, workers int
	settings      []string // of all processes
}

// cluster is a running one.
type cluster struct {
	base         string // the address in front of the API processes
	databaseURL  string
	apiAddresses []string
	apis         []*exec.Cmd
	workers      []*exec.Cmd
	s3           *s3server.Server

	plan    clusterPlan
	ctx     context.Context
	dir     string
	program string
	undo    []func()
}

func newCluster(ctx context.Context, plan clusterPlan) (k *cluster, err error) {
	k = &cluster{plan: plan, ctx: ctx}
	defer func() {
		if err != nil {
			k.close()
		}
	}()
	if k.program, err = os.Executable(); err != nil {
		return k, err
	}
	if k.dir, err = os.MkdirTemp("", "ab2d-cluster-*"); err != nil {
		return k, err
	}
	k.undo = append(k.undo, func() { os.RemoveAll(k.dir) })
	// As a real one: what is committed is on disk.
	pg, err := pgserver.Own("fsync=on", "full_page_writes=on", "synchronous_commit=on")
	if err != nil {
		return k, err
	}
	k.undo = append(k.undo, pg.Close)
	k.databaseURL = pg.URL()
	if k.s3, err = s3server.Start(s3server.Settings{Dir: filepath.Join(k.dir, "s3")}); err != nil {
		return k, err
	}
	k.undo = append(k.undo, k.s3.Remove)
	if err := k.s3.CreateBucket(ctx, clusterBucket); err != nil {
		return k, err
	}
	for _, variable := range k.s3.Environ() { // the processes inherit them
		name, value, _ := strings.Cut(variable, "=")
		if err := os.Setenv(name, value); err != nil {
			return k, err
		}
	}
	front, err := net.Listen("tcp", plan.listen)
	if err != nil {
		return k, fmt.Errorf("%w; give another address with --listen", err)
	}
	k.base = "http://" + front.Addr().String()
	for range plan.apis {
		// One after another: the first makes the tables and the people.
		address, err := k.startAPI()
		if err != nil {
			return k, errors.Join(err, front.Close())
		}
		k.apiAddresses = append(k.apiAddresses, address)
	}
	balancer := &http.Server{Handler: balance(k.apiAddresses), ReadHeaderTimeout: 15 * time.Second}
	go balancer.Serve(front) //nolint:errcheck // it ends with the cluster
	k.undo = append(k.undo, func() { balancer.Close() })
	for range plan.workers {
		if _, err := k.startWorker(); err != nil {
			return k, err
		}
	}
	return k, nil
}

func (k *cluster) settings(own ...string) []string {
	all := []string{"--database-url", k.databaseURL, "--public-url", k.base, "--trust-proxy", "127.0.0.1",
		"--storage", "s3", "--s3-endpoint", k.s3.Endpoint(), "--s3-bucket", clusterBucket}
	return append(append(all, k.plan.settings...), own...)
}

func (k *cluster) startAPI() (address string, err error) {
	if address, err = freeLoopback(); err != nil {
		return "", err
	}
	dir := filepath.Join(k.dir, fmt.Sprint("api", len(k.apis)+1))
	cmd, _, err := startServer(k.ctx, k.program, dir, k.settings("--roles", "api", "--listen", address)...)
	if err != nil {
		return "", err
	}
	k.apis = append(k.apis, cmd)
	k.undo = append(k.undo, func() { end(cmd) })
	return address, nil
}

func (k *cluster) startWorker() (*exec.Cmd, error) {
	dir := filepath.Join(k.dir, fmt.Sprint("worker", len(k.workers)+1))
	// Nobody waits for a worker's next claim, but for the answers of an API process
	// on the same cores.
	cmd, _, err := startCommand(k.ctx, []string{"nice", "-n", "10", k.program}, dir, k.settings("--roles", "worker")...)
	if err != nil {
		return nil, err
	}
	k.workers = append(k.workers, cmd)
	k.undo = append(k.undo, func() { end(cmd) })
	return cmd, nil
}

func (k *cluster) workerIDs() (ids []int) {
	for _, w := range k.workers {
		ids = append(ids, w.Process.Pid)
	}
	return ids
}

// stop stops all processes of ours, which tell then what they used.
func (k *cluster) stop() {
	var all sync.WaitGroup
	for _, cmd := range append(k.apis, k.workers...) {
		all.Go(func() { end(cmd) })
	}
	all.Wait()
}

// close ends everything, the latest first.
func (k *cluster) close() {
	k.stop()
	for i := len(k.undo) - 1; i >= 0; i-- {
		k.undo[i]()
	}
	k.undo = nil
}

// balance shares requests out among the addresses and passes over one that
// cannot be reached, as whatever stands before a real cluster does.
func balance(addresses []string) http.Handler {
	var turn atomic.Uint64
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true // what the client asked for is for the client to get
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: addresses[0]})
			r.SetXForwarded()
		},
		Transport: roundTripper(func(r *http.Request) (res *http.Response, err error) {
			first := turn.Add(1)
			for i := range addresses {
				try := r.Clone(r.Context())
				try.URL.Host = addresses[(first+uint64(i))%uint64(len(addresses))]
				res, err = transport.RoundTrip(try)
				if refused := (*net.OpError)(nil); err == nil || !errors.As(err, &refused) || refused.Op != "dial" {
					break
				}
			}
			return res, err
		}),
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

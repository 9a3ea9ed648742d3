package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"iter"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"cms.gov/ab2d/adapters/bfdmock"
	"cms.gov/ab2d/adapters/ndjson"
	"cms.gov/ab2d/adapters/synthetic"
	"cms.gov/ab2d/domain"
)

// bfdOrder is how the stand-in is to be.
type bfdOrder struct {
	listen  string
	people  string // a folder of NDJSON; empty for the synthetic people
	tlsDir  string
	mutual  bool
	faults  bfdmock.Faults
	encoded int // claims of each person, all ready; 0 for the people's own
}

func parseBFD(args []string) (o bfdOrder, err error) {
	fs := flag.NewFlagSet("ab2d mock bfd", flag.ContinueOnError)
	f := &o.faults
	fs.StringVar(&o.listen, "listen", "127.0.0.1:8090", "address")
	fs.StringVar(&o.people, "people", "", "a folder of Patient, Coverage and ExplanationOfBenefit NDJSON to answer from, as ab2d synth writes it; otherwise the synthetic people of the sandbox")
	fs.StringVar(&o.tlsDir, "tls-dir", "", "serve TLS with certificates made in this folder, where those of a client are too: ca.pem, client.pem, client.p12")
	fs.BoolVar(&o.mutual, "mutual", true, "with tls-dir, want a client's certificate")
	fs.Uint64Var(&f.Seed, "seed", 1, "what goes wrong follows from it")
	fs.Func("latency", "time to the first byte: 500ms, 100ms..900ms, or 500ms~0.4, log-normal with that median and sigma", func(s string) (err error) {
		f.Latency, err = bfdmock.ParseLatency(s)
		return err
	})
	fs.IntVar(&f.Capacity, "capacity", 0, "requests at once above which all become slower, by the square; 0 for no bound")
	fs.Float64Var(&f.RefuseAbove, "refuse-above", 2, "times the capacity above which requests get 429; 0 for never")
	rates := map[string]struct {
		to   *float64
		what string
	}{
		"error":     {&f.Error, "requests that are answered with 500, 502 or 504"},
		"throttle":  {&f.Throttle, "requests that are answered with 429 or 503"},
		"slow":      {&f.Slow, "bodies that come in pieces"},
		"stall":     {&f.Stall, "bodies that stop in the middle"},
		"cut":       {&f.Cut, "connections that are closed in the middle of a body"},
		"malformed": {&f.Malformed, "bodies that are no whole Bundle"},
		"wrong":     {&f.Wrong, "answers with a claim of another person"},
		"total":     {&f.Total, "answers whose total is not the number of claims"},
		"stale":     {&f.Stale, "answers of a replica that lags"},
		"poison":    {&f.Poison, "people about whom every request fails"},
	}
	for name, r := range rates {
		fs.Func(name, "share of "+r.what+", from 0 to 1", func(s string) error {
			if _, err := fmt.Sscan(s, r.to); err != nil || !(*r.to >= 0 && *r.to <= 1) {
				return errors.New("it must be a share from 0 to 1")
			}
			return nil
		})
	}
	fs.DurationVar(&f.RetryAfter, "retry-after", 0, "what refusals say, in whole seconds; nothing when 0")
	fs.DurationVar(&f.SlowFor, "slow-for", 5*time.Second, "how long a slow body takes")
	fs.DurationVar(&f.StallFor, "stall-for", 10*time.Minute, "how long a stalled body hangs at most")
	fs.DurationVar(&f.Behind, "behind", time.Hour, "how far a replica lags at most")
	fs.BoolVar(&f.EmptyLast, "empty-last", false, "a full last page links to one more, which is empty")
	fs.Func("outage", "times when connections are closed without an answer, as 20s+5s,60s+10s", func(s string) (err error) {
		f.Outages, err = bfdmock.ParseOutages(s)
		return err
	})
	fs.IntVar(&o.encoded, "encoded", 0, "for benchmarks: everybody of S0030 has so many claims of 7.8 KB in R4, and the answers are made before the first request")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("%q is no flag; ab2d mock bfd -h lists them", fs.Arg(0))
	}
	host, _, err := net.SplitHostPort(o.listen)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return o, fmt.Errorf("listen is %q; a stand-in listens on loopback only, as 127.0.0.1:8090", o.listen)
	}
	return o, nil
}

func mockBFD(ctx context.Context, args []string) error {
	o, err := parseBFD(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	world, done, err := o.world(ctx)
	if err != nil {
		return err
	}
	defer done()
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("%w; give another address with --listen", err)
	}
	scheme, settings := "http", "" // how ab2d serve is pointed at it
	if o.tlsDir != "" {
		if l, err = o.withTLS(l); err != nil {
			return err
		}
		scheme = "https"
		settings = " AB2D_BFD_CA=" + filepath.Join(o.tlsDir, bfdmock.CAFile)
		if o.mutual {
			settings += " AB2D_BFD_CERT=" + filepath.Join(o.tlsDir, bfdmock.ClientFile)
		}
	}
	server := &http.Server{Handler: bfdmock.New(world, o.faults, time.Now), ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: log.New(os.Stderr, "ab2d mock bfd: ", 0)}
	go func() {
		<-ctx.Done()
		_ = server.Close() // whoever is being answered is cut off, as by any outage
	}()
	address := scheme + "://" + l.Addr().String()
	fmt.Printf("A stand-in for BFD is ready on %s. Everybody in it is made up. Stop it with Ctrl-C.\n\nNext, in another terminal:\n\n", address)
	fmt.Printf("  AB2D_BFD_URL=%s%s make run\n", address, settings)
	fmt.Printf("  curl '%s/v2/fhir/ExplanationOfBenefit?patient=-10000000000000&type=carrier&_count=2'\n", address)
	fmt.Printf("  curl -H 'IncludeIdentifiers: mbi' -G '%s/v2/fhir/Patient' --data-urlencode '_has:Coverage.extension=https://bluebutton.cms.gov/resources/variables/ptdcntrct03|S0000' \\\n"+
		"    --data-urlencode '_has:Coverage.rfrncyr=https://bluebutton.cms.gov/resources/variables/rfrnc_yr|2024' -d _count=3\n\n", address)
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (o *bfdOrder) withTLS(l net.Listener) (net.Listener, error) {
	if _, err := os.Stat(filepath.Join(o.tlsDir, bfdmock.ServerFile)); errors.Is(err, os.ErrNotExist) {
		if err := bfdmock.Certificates(o.tlsDir, 30*24*time.Hour); err != nil {
			return nil, err
		}
	}
	c, err := bfdmock.ServerTLS(o.tlsDir, o.mutual)
	if err != nil {
		return nil, err
	}
	return tls.NewListener(l, c), nil
}

// world is the people to answer from.
func (o *bfdOrder) world(ctx context.Context) (w bfdmock.World, done func(), err error) {
	p, done := synthetic.New(synthetic.DefaultSeed), func() {}
	claims := synthetic.NewClaims(p, time.Now)
	w = bfdmock.World{Claims: claims, People: claims, Enrollees: func(n domain.ContractNumber) iter.Seq2[domain.Enrollee, error] { return syntheticEnrollees(p, n) },
		Patient: func(b []byte, v domain.FHIRVersion, e domain.Enrollee) []byte {
			return p.AppendPatient(b, v, synthetic.Enrollee{Patient: e.Patient, Months: e.Months, Identifiers: e.IDs})
		}}
	if o.encoded > 0 {
		e, err := encode(ctx, p, o.encoded)
		if err != nil {
			return w, nil, err
		}
		w.Encoded = e.answer
		fmt.Printf("%d answers are ready: %.2f GB of JSON.\n", len(e.at), float64(e.plain)/1e9)
		done = func() { _ = e.file.Close() }
	}
	if o.people != "" {
		index, err := os.MkdirTemp("", "ab2d-mock-*")
		if err != nil {
			return w, nil, err
		}
		folder, err := ndjson.Open(ctx, ndjson.Settings{Dir: o.people, IndexDir: index})
		if err != nil {
			return w, nil, errors.Join(err, os.RemoveAll(index))
		}
		w.Claims, w.People, w.Enrollees = folder, folder, folder.Enrollments
		done = func() { _ = folder.Close(); _ = os.RemoveAll(index) } // both only for reading
	}
	return w, done, nil
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

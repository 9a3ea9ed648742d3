package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"time"

	"cms.gov/ab2d/adapters/bfdmock"
	"cms.gov/ab2d/adapters/hpmsmock"
	"cms.gov/ab2d/adapters/sandboxauth"
	"cms.gov/ab2d/adapters/synthetic"
)

// hpmsOrder is how the stand-in is to be.
type hpmsOrder struct {
	listen string
	list   string // a JSON file, read at each request; empty for the sandbox's contracts
	print  bool
	life   time.Duration
	faults hpmsmock.Faults
}

func parseHPMS(args []string) (o hpmsOrder, err error) {
	fs := flag.NewFlagSet("ab2d mock hpms", flag.ContinueOnError)
	f := &o.faults
	fs.StringVar(&o.listen, "listen", "127.0.0.1:8091", "address")
	fs.StringVar(&o.list, "list", "", "a JSON file of contracts to answer from, which may change at any time; otherwise the contracts of the sandbox")
	fs.BoolVar(&o.print, "print", false, "only write the sandbox's contracts as such a file")
	fs.DurationVar(&o.life, "token-life", time.Hour, "how long a sign-in is good for")
	fs.Uint64Var(&f.Seed, "seed", 1, "what goes wrong follows from it")
	fs.Func("latency", "time to the first byte: 500ms, 100ms..900ms, or 500ms~0.4, log-normal with that median and sigma", func(s string) error {
		l, err := bfdmock.ParseLatency(s)
		f.Latency = func(r *rand.Rand) time.Duration {
			if l.Sigma > 0 {
				return time.Duration(float64(l.From) * math.Exp(l.Sigma*r.NormFloat64()))
			}
			return l.From + time.Duration(r.Float64()*float64(max(l.To-l.From, 0)))
		}
		return err
	})
	for name, r := range map[string]struct {
		to   *float64
		what string
	}{
		"error":     {&f.Error, "requests that are answered with 500, 502 or 503"},
		"throttle":  {&f.Throttle, "requests that are answered with 429"},
		"empty":     {&f.Empty, "answers that are an empty list"},
		"nothing":   {&f.Nothing, "answers without a body"},
		"malformed": {&f.Malformed, "answers that are no whole JSON"},
		"cut":       {&f.Cut, "connections that are closed in the middle of an answer"},
		"short":     {&f.Short, "lists of organizations that end in the middle"},
		"silent":    {&f.Silent, "contracts about whose standing nothing is said"},
	} {
		fs.Func(name, "share of "+r.what+", from 0 to 1", func(s string) error {
			if _, err := fmt.Sscan(s, r.to); err != nil || !(*r.to >= 0 && *r.to <= 1) {
				return errors.New("it must be a share from 0 to 1")
			}
			return nil
		})
	}
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("%q is no flag; ab2d mock hpms -h lists them", fs.Arg(0))
	}
	host, _, err := net.SplitHostPort(o.listen)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return o, fmt.Errorf("listen is %q; a stand-in listens on loopback only, as 127.0.0.1:8091", o.listen)
	}
	return o, nil
}

func mockHPMS(ctx context.Context, args []string) error {
	o, err := parseHPMS(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if o.print {
		out := json.NewEncoder(os.Stdout)
		out.SetIndent("", "  ")
		return out.Encode(sandboxContracts())
	}
	list := func() ([]hpmsmock.Contract, error) { return sandboxContracts(), nil }
	if o.list != "" {
		list = func() ([]hpmsmock.Contract, error) { return hpmsmock.ReadFile(o.list) }
	}
	if _, err := list(); err != nil {
		return fmt.Errorf("%w; ab2d mock hpms --print shows what such a file looks like", err)
	}
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("%w; give another address with --listen", err)
	}
	server := &http.Server{Handler: hpmsmock.New(list, hpmsmock.KeyID, func() string { return hpmsmock.Secret }, o.life, o.faults),
		ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(os.Stderr, "ab2d mock hpms: ", 0)}
	go func() {
		<-ctx.Done()
		_ = server.Close() // whoever is being answered is cut off, as by any outage
	}()
	fmt.Printf("A stand-in for HPMS is ready on http://%s. Stop it with Ctrl-C.\n\nNext, in another terminal:\n\n  AB2D_HPMS_URL=http://%[1]s make run\n\n", l.Addr())
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// sandboxContracts is HPMS as the sandbox has it.
func sandboxContracts() (list []hpmsmock.Contract) {
	day := synthetic.AttestationDate.String() + " 00:00:00"
	for i, s := range sandboxauth.Guide {
		list = append(list, hpmsmock.Contract{ContractID: string(s.Contract), ContractName: s.Name + " Part D plan", OrgMarketingName: s.Name, ParentOrgID: 900 + i,
			ParentOrgName: s.Name + " Holding", Attested: true, AttestationDate: day, TotalEnrollment: s.Members, MedicareEligible: s.Members})
	}
	return list
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"cms.gov/ab2d/web/console/stories"
)

// storybook shows every page of the console in its states, on this machine only.
func storybook(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("storybook", flag.ContinueOnError)
	listen := fs.String("listen", "127.0.0.1:8090", "a loopback address")
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if at, err := netip.ParseAddrPort(*listen); err != nil || !at.Addr().IsLoopback() {
		return fmt.Errorf("-listen %q is no loopback address with a port, as 127.0.0.1:8090", *listen)
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "The console's pages in all states: http://%s/\n", l.Addr())
	s := &http.Server{Handler: stories.Handler(), ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { s.Close() })
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

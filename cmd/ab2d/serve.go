package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	ab2d "cms.gov/ab2d"
	"cms.gov/ab2d/adapters/config"
	"cms.gov/ab2d/adapters/sandboxauth"
)

// gcPercent keeps the heap closer to what is live than Go's own 100 does. What
// is live is some 20 MB, so it costs little: with 50 the peak of a process was
// 100 MB instead of 120 while 10,000 enrollees were exported, and the same to
// within a tenth for 1,000 and for 30,000, for 5 to 10% more CPU. GOGC overrides it.
const gcPercent = 50

// serve runs a process until it is told to stop.
func serve(ctx context.Context, c *config.Config, _ []string) error {
	p, done, err := ab2d.Initialize(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent) // only now: filling a new sandbox is better done at Go's own
	}
	return p.Run(ctx, func() {
		if p.Listener == nil {
			fmt.Printf("AB2D %s is ready as %s; it writes %d partitions at once.\n", ab2d.Version(), c.Roles, c.Workers)
			return
		}
		banner(os.Stdout, c, "http://"+p.Listener.Addr().String())
	})
}

// banner says where everything is and what to type next.
func banner(w io.Writer, c *config.Config, listening string) {
	base := c.PublicURL
	if base == "" {
		base = listening
	}
	if c.Mode != config.Sandbox {
		fmt.Fprintf(w, "AB2D %s is ready on %s\n", ab2d.Version(), listening)
		return
	}
	if !c.HasRole(config.API) {
		fmt.Fprintf(w, "AB2D sandbox %s is ready. Everything in it is made up. Stop it with Ctrl-C.\n\n  Console alone  %s/console/\n\n", ab2d.Version(), base)
		return
	}
	s := sandboxauth.Guide[0]
	page := ""
	if c.HasRole(config.Console) {
		page = "\n  Start page   " + base + "/\n  Console      " + base + "/console/"
	}
	fmt.Fprintf(w, `AB2D sandbox %s is ready. Everything in it is made up. Stop it with Ctrl-C.
%[9]s
  FHIR STU3    %[2]s/api/v1/fhir
  FHIR R4      %[2]s/api/v2/fhir
  Tokens       %[2]s%s
  Data         %s

  Sponsor %s, contract %s: client id %s, password %s

Next, in another terminal:

  TOKEN=$(curl -s -u %[7]s:%[8]s -d 'grant_type=client_credentials&scope=clientCreds' \
    %[2]s%[3]s | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
  curl -i -H "Authorization: Bearer $TOKEN" '%[2]s/api/v2/fhir/Group/%[6]s/$export'

`, ab2d.Version(), base, sandboxauth.TokenPath, c.DataDir, s.Name, s.Contract, s.Client, s.Secret, page)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"text/tabwriter"
	"time"

	ab2d "cms.gov/ab2d"
	"cms.gov/ab2d/adapters/config"
	"cms.gov/ab2d/application/listing"
	"cms.gov/ab2d/domain"
)

const hpmsUsage = `usage: ab2d hpms WHAT [SETTINGS]

  refresh                    ask HPMS now
  waiting                    show what HPMS brought and waits for a person
  release ID "REASON"        believe it
  reject ID "REASON"         do not: those attestations go on
  manual CONTRACT "REASON"   leave the contract's attestation to staff
  automatic CONTRACT "REASON"  have it follow HPMS again`

// hpmsCommand does by hand what workers do by themselves, and what waits for a person.
func hpmsCommand(ctx context.Context, c *config.Config, args []string) error {
	use, done, err := ab2d.InitializeListing(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	switch {
	case len(args) == 1 && args[0] == "refresh":
		return told(use.Refresh(ctx, operator()))
	case len(args) == 1 && args[0] == "waiting":
		waiting, err := use.Waiting(ctx)
		if err != nil {
			return err
		}
		return showHolds(os.Stdout, waiting)
	case len(args) == 3 && args[0] == "release":
		return told(use.Release(ctx, operator(), args[1], args[2]))
	case len(args) == 3 && args[0] == "reject":
		return use.Reject(ctx, operator(), args[1], args[2])
	case len(args) == 3 && (args[0] == string(domain.Manual) || args[0] == string(domain.Automatic)):
		n, err := domain.ParseContractNumber(args[1])
		if err != nil {
			return err
		}
		return use.SetUpdates(ctx, operator(), n, domain.Updates(args[0]), args[2], nil)
	}
	return errors.New(hpmsUsage)
}

// operator is who types a command, as the machine knows them.
func operator() domain.Actor {
	who := "unknown"
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	return domain.Actor{Kind: "staff", ID: who, From: "command"}
}

func told(o listing.Outcome, err error) error {
	if err != nil {
		return err
	}
	fmt.Printf("HPMS lists %d contracts: %d are new, %d changed, %d attestation events recorded.\n", o.Listed, len(o.Added), len(o.Changed), len(o.Events))
	for _, e := range o.Events {
		fmt.Printf("  %s  %s  %s  %s\n", e.Contract, e.Kind, e.Effective, e.Reason)
	}
	if len(o.Unclear) > 0 {
		fmt.Printf("HPMS does not say enough, or what does not fit, of: %v. They stay as they are.\n", o.Unclear)
	}
	if o.Held.ID != "" {
		fmt.Printf("Nothing was taken over. %s\nRelease or reject it: ab2d hpms release %s \"why\"\n", o.Held.Reason, o.Held.ID)
	}
	return nil
}

func showHolds(w io.Writer, holds []domain.Hold) error {
	if len(holds) == 0 {
		fmt.Fprintln(w, "Nothing waits.")
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tSINCE\tCONTRACTS\tREASON")
	for _, h := range holds {
		about := string(h.Contract)
		if h.Kind == domain.HeldListing {
			about = strings.Trim(fmt.Sprint(h.Ends), "[]")
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", h.ID, h.At.Format(time.RFC3339), about, h.Reason)
	}
	return t.Flush()
}

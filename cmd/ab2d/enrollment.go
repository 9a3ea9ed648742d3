package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	ab2d "cms.gov/ab2d"
	"cms.gov/ab2d/adapters/config"
	"cms.gov/ab2d/application/enrollment"
	"cms.gov/ab2d/domain"
)

const enrollmentUsage = `usage: ab2d enrollment WHAT [SETTINGS]

  status                   how far the enrollment of each contract has been taken in
  refresh CONTRACT [all]   have workers take its recent months in again now, or all of them
  waiting                  show what waits for a person
  release ID "REASON"      let it come into force
  reject ID "REASON"       drop it: what is in force stays`

// enrollmentCommand tells of enrollment and decides on what waits. Workers do the
// rest, within seconds.
func enrollmentCommand(ctx context.Context, c *config.Config, args []string) error {
	use, done, err := ab2d.InitializeEnrollment(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	switch {
	case len(args) == 1 && args[0] == "status":
		states, err := use.List(ctx)
		if err != nil {
			return err
		}
		return showEnrollment(states)
	case len(args) > 1 && args[0] == "refresh" && (len(args) == 2 || len(args) == 3 && args[2] == "all"):
		n, err := domain.ParseContractNumber(args[1])
		if err != nil {
			return err
		}
		return use.Ask(ctx, operator(), n, len(args) == 3)
	case len(args) == 1 && args[0] == "waiting":
		waiting, err := use.Waiting(ctx)
		if err != nil {
			return err
		}
		return showHolds(os.Stdout, waiting)
	case len(args) == 3 && args[0] == "release":
		return use.Release(ctx, operator(), args[1], args[2])
	case len(args) == 3 && args[0] == "reject":
		return use.Reject(ctx, operator(), args[1], args[2])
	}
	return errors.New(enrollmentUsage)
}

func showEnrollment(states []enrollment.State) error {
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CONTRACT\tVERSION\tAS OF\tMONTHS\tLATEST\tPEOPLE\tNOW")
	for _, s := range states {
		asOf, latest, people, now := "never", "", "", "up to date"
		if s.Version > 0 {
			asOf = s.AsOf.Format(time.RFC3339)
		}
		if n := len(s.Months); n > 0 {
			latest, people = s.Months[n-1].Month.String(), fmt.Sprint(s.Months[n-1].People)
		}
		switch p := s.Pass; {
		case p != nil && p.Hold != "":
			now = "waits for a person: " + p.Hold
		case p != nil:
			gathered := 0
			for _, m := range p.Months {
				if m.Done {
					gathered++
				}
			}
			now = fmt.Sprintf("gathering, %d of %d months", gathered, len(p.Months))
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%d\t%s\t%s\t%s\n", s.Contract, s.Version, asOf, len(s.Months), latest, people, now)
	}
	return t.Flush()
}

package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	ab2d "cms.gov/ab2d"
	"cms.gov/ab2d/adapters/config"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/domain/eob"
)

func showConfig(_ context.Context, c *config.Config, _ []string) error { return c.Show(os.Stdout) }

func showVersion(context.Context, *config.Config, []string) error {
	fmt.Println("ab2d", ab2d.Version())
	return nil
}

func showRules(_ context.Context, _ *config.Config, args []string) error {
	versions := []domain.FHIRVersion{domain.STU3, domain.R4}
	if len(args) > 0 {
		v, err := domain.ParseFHIRVersion(args[0])
		if err != nil {
			return err
		}
		versions = []domain.FHIRVersion{v}
	}
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, v := range versions {
		fmt.Fprintf(t, "%s\tONLY WHEN\tWHY\n", v)
		for _, r := range eob.Rules(v) {
			fmt.Fprintf(t, "%s\t%s\t%s\n", r.Path, r.Condition, r.Why)
		}
	}
	return t.Flush()
}

func migrate(ctx context.Context, c *config.Config, args []string) error {
	m, done, err := ab2d.InitializeMigrator(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	if len(args) == 0 {
		if err := m.Migrate(ctx); err != nil {
			return err
		}
		if c.ServingRole != "" {
			if err := m.Grant(ctx, c.ServingRole); err != nil {
				return err
			}
			fmt.Printf("The role %s may serve.\n", c.ServingRole)
		}
	}
	states, err := m.Status(ctx)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "MIGRATION\tAPPLIED")
	for _, s := range states {
		when := "not yet"
		if s.Applied {
			when = "applied"
		}
		if !s.AppliedAt.IsZero() {
			when = s.AppliedAt.Format(time.RFC3339)
		}
		fmt.Fprintf(t, "%s\t%s\n", s.Name, when)
	}
	return t.Flush()
}

package ab2d

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/adapters/config"
	"cms.gov/ab2d/adapters/console"
	"cms.gov/ab2d/adapters/entstore"
	"cms.gov/ab2d/adapters/fiberapi"
	"cms.gov/ab2d/adapters/jwks"
	"cms.gov/ab2d/adapters/oidcsignin"
	"cms.gov/ab2d/adapters/riverjobs"
	"cms.gov/ab2d/application/attestation"
	"cms.gov/ab2d/application/clients"
	"cms.gov/ab2d/application/enrollment"
	"cms.gov/ab2d/application/export"
	"cms.gov/ab2d/application/listing"
	"cms.gov/ab2d/application/maintenance"
	"cms.gov/ab2d/application/oversight"
	"cms.gov/ab2d/application/retention"
	"cms.gov/ab2d/application/staff"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// consoleParts are what the staff's console stands on.
type consoleParts struct {
	Store      *entstore.Store
	Coverage   ports.Coverage
	Files      ports.Files
	Packing    ports.Packing
	Clock      ports.Clock
	Secrets    domain.SecretKey
	Export     *export.UseCase
	Sweep      *retention.UseCase
	Stored     fileStore
	Claims     ports.Claims
	Listing    *listing.UseCase
	Enrollment *enrollment.UseCase
	Log        *slog.Logger
}

// mountConsole serves the console on the app.
func mountConsole(ctx context.Context, app *fiber.App, cfg *config.Config, base publicURL, proxies []netip.Prefix, p consoleParts) error {
	changes := &attestation.UseCase{Store: p.Store, Clock: p.Clock}
	var settings []console.Setting
	for _, s := range cfg.Settings() {
		settings = append(settings, console.Setting{Name: s.Name, Value: s.Value, From: s.Origin, Means: s.Usage})
	}
	known := &clients.UseCase{Store: p.Store, Clock: p.Clock, KeySets: jwks.Checker{}, SecretKey: p.Secrets, Settings: clients.Settings{PlainKeys: cfg.Mode == config.Sandbox}}
	var provider console.SignIn
	if cfg.ConsoleOIDCIssuer != "" {
		provider = oidcsignin.New(oidcsignin.Settings{Issuer: cfg.ConsoleOIDCIssuer, ClientID: cfg.ConsoleOIDCClientID, ClientSecret: cfg.ConsoleOIDCClientSecret,
			Scopes: strings.Fields(cfg.ConsoleOIDCScopes), RolesClaim: cfg.ConsoleOIDCRolesClaim, Roles: cfg.ConsoleOIDCRoles.GroupRoles, PublicURL: string(base)})
	}
	var notice []string
	if cfg.ConsoleNotice != "" {
		notice = strings.Split(strings.ReplaceAll(cfg.ConsoleNotice, `\n`, "\n"), "\n")
	}
	queue, err := riverjobs.Pages(ctx, cfg.DatabaseURL, p.Store.DB(), console.QueuePath, p.Log)
	if err != nil {
		return err
	}
	return console.Mount(app, console.Config{
		Queue: queue, Log: p.Log,
		Provider: provider, Notice: notice,
		Sandbox: cfg.Mode == config.Sandbox, Version: Version(), PublicURL: string(base), Settings: settings,
		Checks: func(ctx context.Context) []console.Check {
			ctx, stop := context.WithTimeout(ctx, checkWithin)
			defer stop()
			_, source := p.Claims.CompleteThrough(ctx)
			return []console.Check{{Name: "database", Err: p.Store.Check(ctx), Do: "See that the database runs and that this process reaches it."},
				{Name: "file store", Err: p.Stored.Check(ctx), Do: "See that the folder or the bucket is there and may be written to."},
				{Name: "claims source", Err: source, Do: "See that the source answers this process and takes its certificate."}, migrations(ctx, p.Store)}
		},
		Watch:   watched(cfg),
		Address: func(c *fiber.Ctx) netip.Addr { return fiberapi.Address(c, proxies) }, Over: ctx.Done(),
	}, console.UseCases{
		Clock: p.Clock,
		Staff: &staff.UseCase{Store: p.Store, Clock: p.Clock, Limits: domain.SessionLimits{Idle: cfg.ConsoleIdle, Life: cfg.ConsoleLife}},
		Oversight: &oversight.UseCase{Store: p.Store, Coverage: p.Coverage, Audit: p.Store, Files: p.Files, Packing: p.Packing, Clock: p.Clock, Export: p.Export,
			Sweep: p.Sweep, Attestation: changes, Clients: known, Listing: p.Listing, Intake: p.Enrollment,
			TwoPerson: cfg.TwoPerson, Onboard: cfg.Mode == config.Production || cfg.Onboarding, SandboxElsewhere: cfg.Mode == config.Production},
		Attestation: changes,
		Clients:     known,
		Maintenance: &maintenance.UseCase{Store: p.Store, Clock: p.Clock, Fixed: cfg.Maintenance},
	})
}

// checkWithin is how long a page waits for what it checks.
const checkWithin = 3 * time.Second

// watched says what is to be expected of what goes on in the background.
func watched(cfg *config.Config) console.Watch {
	w := console.Watch{Sweep: cfg.Sweep, Files: whereFiles(cfg), Source: cfg.Claims}
	if cfg.Claims == config.BFD {
		w.Source = "BFD at " + cfg.BFDURL
	}
	if cfg.HPMSURL != "" {
		w.Listing = cfg.HPMSEvery
	}
	return w
}

// migrations says how far the schema of the database is.
func migrations(ctx context.Context, store *entstore.Store) console.Check {
	c := console.Check{Name: "migrations", Do: "Run ab2d migrate as the role that owns the tables."}
	states, err := store.Status(ctx)
	if c.Err = err; err != nil {
		return c
	}
	for _, s := range states {
		if !s.Applied && c.Err == nil {
			c.Err = fmt.Errorf("%s is missing: run ab2d migrate", s.Name)
		}
	}
	c.Says = fmt.Sprintf("all %d steps are applied", len(states))
	return c
}

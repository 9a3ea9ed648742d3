// Command ab2d shares Medicare claims with Part D plan sponsors over a FHIR
// Bulk Data API. Without any configuration "ab2d serve" is a sandbox of made-up
// people.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"cms.gov/ab2d/adapters/config"
)

// command is one thing the program does.
type command struct {
	name, summary string
	run           func(ctx context.Context, c *config.Config, args []string) error
}

var commands = []command{
	{"serve", "run the API, the workers and the pages, as the roles say", serve},
	{"export", "fetch an export from this or any other Bulk Data server, whatever happens meanwhile: export --contract S0000 --out DIR, and export --help", nil},
	{"doctor", "find out why an export does not go, and what to do; with --server, what a server's settings lack: doctor --help", nil},
	{"demo", "a whole export in the sandbox: start, token, export, download, check, stop", demo},
	{"migrate", "bring the database's schema up to date; with --status only show it", migrate},
	{"audit", "guard the audit trail: audit verify, list, seal, archive, key, or restored", auditTrail},
	{"preferences", "take in a file of what beneficiaries said about sharing: preferences FILE CONFIRMATION", importPreferences},
	{"hpms", "follow HPMS now: hpms refresh; what waits: hpms waiting, release, reject; who keeps a contract: hpms manual, automatic", hpmsCommand},
	{"enrollment", "how enrollment stands: enrollment status; take it in again: refresh; what waits: waiting, release, reject", enrollmentCommand},
	{"config", "show every setting, its value and where that came from", showConfig},
	{"support-bundle", "gather what the help desk needs, without secrets and people: support-bundle FILE.tar.gz", supportBundle},
	{"rules", "show what of a claim may leave: rules STU3, or rules R4", showRules},
	{"synth", "write synthetic people and claims as NDJSON: synth R4 DIR [gzip] [split=500MB] S0000 S0001", synth},
	{"cluster", "run the sandbox as a cluster on this machine, from within the repository: Postgres, S3 server, APIs, workers", runCluster},
	{"simulate", "say how long exports of millions of people take, by workers and calls at once", simulate},
	{"storybook", "show every page and state of the console from fixtures, with a flag of its own: storybook -listen 127.0.0.1:8090", nil},
	{"mock", "stand in for a service upstream, with flags of its own: mock bfd, and mock bfd -h", nil},
	{"conformance", "check any Bulk Data server against the guides, with flags of its own: conformance URL, and conformance --help", nil},
	{"bench", "measure: exports, cluster, downloads, status, recovery, bfd, bfd-latency, or contracts", bench},
	{"completion", "let a shell complete commands and flags: completion bash, zsh or fish", nil},
	{"version", "say which build this is", showVersion},
}

// settingless are the commands with flags of their own, since they are about
// other servers than this one.
var settingless = map[string]func(ctx context.Context, args []string) error{"mock": mock, "conformance": checkConformance, "export": export, "doctor": doctor, "completion": completion, "storybook": storybook}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Environ()); err != nil {
		fmt.Fprintln(os.Stderr, "ab2d:", strings.ReplaceAll(err.Error(), "\n", "\nab2d: "))
		code := 1
		if e := (interface{ ExitCode() int })(nil); errors.As(err, &e) {
			code = e.ExitCode()
		}
		os.Exit(code)
	}
}

func run(ctx context.Context, args, environ []string) error {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		usage(os.Stdout)
		return nil
	}
	for _, cmd := range commands {
		if cmd.name != args[0] {
			continue
		}
		if cmd.run == nil {
			return settingless[cmd.name](ctx, args[1:])
		}
		// What a command takes beside the settings comes right after its name.
		own, rest := args[1:], []string(nil)
		for i, a := range own {
			if strings.HasPrefix(a, "-") && a != "--status" && a != "--json" {
				own, rest = own[:i], own[i:]
				break
			}
		}
		c, extra, err := config.Load(rest, environ)
		if errors.Is(err, flag.ErrHelp) {
			usage(os.Stdout)
			return nil
		} else if err != nil {
			return err
		}
		return cmd.run(ctx, c, append(own, extra...))
	}
	return fmt.Errorf("there is no command %q; ab2d help lists them", args[0])
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "AB2D shares Medicare claims with Part D plan sponsors.\n\nUsage: ab2d COMMAND [SETTINGS]")
	fmt.Fprintln(w)
	for _, cmd := range commands {
		fmt.Fprintf(w, "  %-14s %s\n", cmd.name, cmd.summary)
	}
	fmt.Fprintln(w, "\nSettings, which AB2D_... variables and a YAML file (--config) can give too:")
	config.Usage(w)
}

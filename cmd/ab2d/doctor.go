package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	ab2d "cms.gov/ab2d"
	"cms.gov/ab2d/adapters/config"
	"cms.gov/ab2d/adapters/exportclient"
	"cms.gov/ab2d/adapters/reach"
)

const doctorHelp = `Usage: ab2d doctor [--contract S0000] [flags of ab2d export that say which server and who asks]
       ab2d doctor --server [settings]

Finds out why an export does not go: the name of the server, the connection, TLS and the end of its certificates, the clock, whether this address
is let in, the credentials, a token, the contract. It says what to do about each, and changes nothing at the server.

With --server it looks at a server's own settings instead: the data directory and its room, the database, its migrations and its clock, the store of
files, keys and certificates, and what the server needs over the network. It can run beside the server, as the same user and with the same settings.

The exit code is 0 when nothing fails, else 1.

`

// errUnwell ends the command without another word: the list says it all.
var errUnwell = errors.New("something is wrong; the lines with FAIL say what, and what to do")

// doctor finds out what is wrong, for a client or for a server.
func doctor(ctx context.Context, args []string) error {
	return doctorTo(ctx, os.Stdout, os.Stderr, os.Environ(), args)
}

func doctorTo(ctx context.Context, out, help io.Writer, environ, args []string) error {
	asJSON := false
	if i := slices.IndexFunc(args, func(a string) bool { return a == "--server" || a == "-server" }); i >= 0 {
		args = slices.Delete(slices.Clone(args), i, i+1)
		if j := slices.Index(args, "--json"); j >= 0 {
			args, asJSON = slices.Delete(args, j, j+1), true
		}
		c, extra, err := config.Load(args, environ)
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(help, doctorHelp)
			return nil
		} else if err != nil {
			return err
		} else if len(extra) > 0 {
			return usageFault(fmt.Sprintf("%q is not a setting", extra[0]))
		}
		return printFindings(out, ab2d.Doctor(ctx, c), asJSON)
	}
	s, contract := access{}, ""
	fs := doctorFlags(&s, &contract, &asJSON)
	fs.SetOutput(help)
	fs.Usage = func() { fmt.Fprint(help, doctorHelp); fs.PrintDefaults() }
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return &exportclient.Fault{Why: exportclient.Usage, Text: "the command line cannot be understood"} // flag has said why
	}
	settings, notes, err := s.settings(lookUp(environ), contract)
	if err != nil {
		text, fix, _ := strings.Cut(err.Error(), "\n")
		return printFindings(out, []reach.Finding{{What: "settings", State: reach.Fail, Text: text, Fix: fix}}, asJSON)
	}
	c, err := exportclient.New(settings)
	if err != nil {
		return err
	}
	found := []reach.Finding{{What: "settings", State: reach.OK, Text: settings.Base}}
	for _, n := range notes {
		found = append(found, reach.Finding{What: "credentials", State: reach.OK, Text: n})
	}
	return printFindings(out, append(found, c.Diagnose(ctx, contract)...), asJSON)
}

func doctorFlags(s *access, contract *string, asJSON *bool) *flag.FlagSet {
	fs := flag.NewFlagSet("doctor", flag.ContinueOnError)
	fs.StringVar(contract, "contract", "", "the contract, or the id of the Group, that should be exported")
	fs.BoolVar(asJSON, "json", false, "print what was found as JSON")
	s.flags(fs)
	return fs
}

// lookUp looks for a variable in an environment.
func lookUp(environ []string) func(string) string {
	return func(name string) string {
		for _, entry := range environ {
			if key, value, _ := strings.Cut(entry, "="); key == name {
				return value
			}
		}
		return ""
	}
}

// printFindings prints what was found, with what to do, and fails if anything
// does.
func printFindings(out io.Writer, found []reach.Finding, asJSON bool) error {
	width, fails := 0, false
	for _, f := range found {
		width, fails = max(width, len(f.What)), fails || f.State == reach.Fail
	}
	if asJSON {
		printJSON(out, map[string]any{"ok": !fails, "findings": found})
	} else {
		for _, f := range found {
			fmt.Fprintf(out, "%-4s  %-*s  %s\n", f.State, width, f.What, f.Text)
			if f.Fix != "" {
				fmt.Fprintf(out, "      %-*s  -> %s\n", width, "", f.Fix)
			}
		}
	}
	if fails {
		return errUnwell
	}
	return nil
}

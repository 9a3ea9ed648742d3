package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"cms.gov/ab2d/adapters/clientkey"
	"cms.gov/ab2d/adapters/conformance"
)

// errNotConformant ends the command without another word: the table says it all.
var errNotConformant = errors.New("the server does not do all that it SHALL")

// checkConformance checks any Bulk Data server.
func checkConformance(ctx context.Context, args []string) error {
	return conformanceTo(ctx, os.Stdout, os.Stderr, os.Getenv, args)
}

func conformanceTo(ctx context.Context, out, progress io.Writer, environ func(string) string, args []string) error {
	s := conformance.Settings{Accept: map[string]string{}}
	var keyFile, keyID, secretFile, tokenFile, authorities string
	var asJSON bool
	fs := flag.NewFlagSet("conformance", flag.ContinueOnError)
	fs.SetOutput(progress)
	fs.Usage = func() {
		fmt.Fprint(progress, "Usage: ab2d conformance URL [settings]\n\n"+
			"Checks a Bulk Data server against the requirements of the FHIR guides. URL is the base of its FHIR API. It starts some twenty exports and\n"+
			"deletes all but one at once; that one is followed to its end, and its files are fetched. The exit code is 0 when nothing that a server SHALL do fails.\n\n")
		fs.PrintDefaults()
	}
	fs.StringVar(&s.Group, "group", "", "the id of the group to export, as S0000; all patients if not given")
	fs.StringVar(&s.Auth.TokenURL, "token-url", "", "where tokens are to be had; as the server says if not given")
	fs.StringVar(&s.Auth.ClientID, "client-id", "", "the client, with a secret or a key")
	fs.StringVar(&secretFile, "client-secret-file", "", "a file with the client's secret; or the variable AB2D_CLIENT_SECRET")
	fs.StringVar(&keyFile, "key", "", "a file with the client's private key for private_key_jwt: JWK, JWK set or PEM; RSA or P-384")
	fs.StringVar(&keyID, "key-id", "", "the id of the key, where the file does not say it")
	fs.StringVar(&tokenFile, "token-file", "", "a file with a token that you have already; or the variable AB2D_TOKEN")
	fs.StringVar(&s.Auth.Scope, "scope", "", "the scope to ask for; system/*.read if not given and there is a key")
	fs.DurationVar(&s.Wait, "wait", 10*time.Minute, "how long the one export may take")
	fs.StringVar(&authorities, "ca", "", "a PEM file of certificate authorities to trust, beside the system's")
	fs.BoolVar(&asJSON, "json", false, "print the report as JSON")
	fs.Func("accept", "ID=REASON: a failure that is known, which then does not count; may be repeated", func(v string) error {
		id, reason, ok := strings.Cut(v, "=")
		if !ok || strings.TrimSpace(reason) == "" {
			return errors.New("write ID=REASON")
		}
		s.Accept[id] = reason
		return nil
	})
	// The address may stand before the settings, as in the other commands.
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		s.Base, args = args[0], args[1:]
	}
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if rest := fs.Args(); s.Base == "" && len(rest) == 1 {
		s.Base = rest[0]
	} else if s.Base == "" || len(rest) > 0 {
		return errors.New("name one server: ab2d conformance URL [settings]; --help lists the settings")
	}
	var err1, err2, err3, err4 error
	s.Auth.Secret, err1 = fileOr(secretFile, environ("AB2D_CLIENT_SECRET"))
	s.Auth.Token, err2 = fileOr(tokenFile, environ("AB2D_TOKEN"))
	s.Auth.Key, err3 = readKey(keyFile, keyID)
	s.Transport, err4 = trusting(authorities)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	s.Say = func(format string, args ...any) { fmt.Fprintf(progress, format+"\n", args...) }
	report, err := conformance.Run(ctx, s)
	if report.Findings != nil {
		if asJSON {
			enc := json.NewEncoder(out)
			enc.SetIndent("", "  ")
			enc.SetEscapeHTML(false)
			err = errors.Join(err, enc.Encode(report))
		} else {
			err = errors.Join(err, printReport(out, report))
		}
	}
	if shall, _ := report.Failures(); err == nil && shall > 0 {
		return errNotConformant
	}
	return err
}

func fileOr(name, otherwise string) (string, error) {
	if name == "" {
		return otherwise, nil
	}
	b, err := os.ReadFile(name)
	return strings.TrimSpace(string(b)), err
}

func readKey(name, id string) (*clientkey.Key, error) {
	if name == "" {
		return nil, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	key, err := clientkey.Parse(text)
	if err == nil && id != "" {
		key.ID = id
	}
	return key, err
}

// trusting returns a transport that trusts more authorities than the system's,
// and nil where there are no more.
func trusting(name string) (http.RoundTripper, error) {
	if name == "" {
		return nil, nil
	}
	pool, err := authorities(name)
	if err != nil {
		return nil, err
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true
	t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return t, nil
}

// authorities are those of the system and those of a PEM file.
func authorities(name string) (*x509.CertPool, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, err
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no certificate", name)
	}
	return pool, nil
}

func printReport(w io.Writer, r conformance.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RESULT\tID\tSTRENGTH\tVERSIONS\tSOURCE\tREQUIREMENT")
	counts := map[conformance.Result]int{}
	for _, f := range r.Findings {
		counts[f.Result]++
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", f.Result, f.ID, f.Strength, f.Versions, f.Source, f.Text)
		if f.Detail != "" {
			fmt.Fprintf(t, "\t\t\t\t\t  %s\n", f.Detail)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	shall, other := r.Failures()
	_, err := fmt.Fprintf(w, "\n%s: %d pass, %d fail (%d SHALL, %d others), %d accepted, %d not applicable; %d requests\n", r.Server,
		counts[conformance.Pass], shall+other, shall, other, counts[conformance.Accepted], counts[conformance.NotApplicable], r.Requests)
	return err
}

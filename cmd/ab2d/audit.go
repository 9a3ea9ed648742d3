package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"time"

	ab2d "cms.gov/ab2d"
	"cms.gov/ab2d/adapters/config"
	"cms.gov/ab2d/adapters/sealkey"
	"cms.gov/ab2d/application/audit"
	"cms.gov/ab2d/domain"
)

// audits are what "ab2d audit" does, by the word that follows.
var audits = []struct {
	name, summary string
	run           func(ctx context.Context, a *ab2d.Audit, args []string) error
}{
	{"verify", "say whether every record is what it was; with --json for machines", verifyAudit},
	{"list", "show the latest records: list action=export. outcome=refused actor= target= from= to= limit=", listAudit},
	{"seal", "seal what waits, and export the heads of the seals, at once", sealAudit},
	{"archive", "move records older than audit-keep into archives in the store of files", archiveAudit},
	{"key", "show the public key that seals verify with", showAuditKey},
	{"restored", "record that the database was restored from a backup, and so lost seals: restored WHY", recordRestore},
}

func auditTrail(ctx context.Context, c *config.Config, args []string) error {
	for _, do := range audits {
		if len(args) == 0 || args[0] != do.name {
			continue
		}
		a, done, err := ab2d.InitializeAudit(ctx, c)
		if err != nil {
			return err
		}
		defer done()
		return do.run(ctx, a, args[1:])
	}
	said := "ab2d audit does one of these:"
	for _, do := range audits {
		said += fmt.Sprintf("\n  %-9s %s", do.name, do.summary)
	}
	return errors.New(said)
}

// brokenTrail is a trail that does not hold. Its exit code is not that of one
// that could not be looked at.
type brokenTrail struct{ problems int }

func (e brokenTrail) Error() string {
	return fmt.Sprintf("the audit trail does not hold: %s", plural(int64(e.problems), "problem"))
}

// ExitCode tells it from other errors.
func (brokenTrail) ExitCode() int { return 2 }

func verifyAudit(ctx context.Context, a *ab2d.Audit, args []string) error {
	asJSON := len(args) == 1 && args[0] == "--json"
	if len(args) > 0 && !asJSON {
		return fmt.Errorf("audit verify takes nothing but --json, not %q", args)
	}
	if len(a.Verifier.Keys) == 0 {
		return errors.New("there is no key to verify with: name the file with the public keys in AB2D_AUDIT_PUBLIC_KEYS")
	}
	r, err := a.Verifier.Verify(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		err = writeReport(os.Stdout, r)
	} else {
		tellReport(os.Stdout, r)
	}
	if err == nil && !r.Holds() {
		err = brokenTrail{len(r.Problems) + r.More}
	}
	return err
}

// reportForm is a report as JSON.
type reportForm struct {
	Holds    bool          `json:"holds"`
	Records  int64         `json:"records"`
	Waiting  int64         `json:"waiting"`
	Archived int64         `json:"archived"`
	Seals    int64         `json:"seals"`
	Heads    int64         `json:"heads"`
	LastSeal string        `json:"lastSeal,omitempty"`
	LastHash string        `json:"lastHash,omitempty"`
	Problems []problemForm `json:"problems"`
	More     int           `json:"more,omitempty"`
	Notes    []string      `json:"notes"`
}

type problemForm struct {
	Kind    string `json:"kind"`
	Seal    int64  `json:"seal,omitempty"`
	Records string `json:"records,omitempty"`
	Text    string `json:"text"`
}

func writeReport(w io.Writer, r *audit.Report) error {
	f := reportForm{Holds: r.Holds(), Records: r.Records, Waiting: r.Waiting, Archived: r.Archived, Seals: r.Seals, Heads: r.Heads,
		LastHash: r.Last.Hash, Problems: []problemForm{}, More: r.More, Notes: append([]string{}, r.Notes...)}
	if r.Seals > 0 {
		f.LastSeal = r.Last.At.Format(time.RFC3339Nano)
	}
	for _, p := range r.Problems {
		f.Problems = append(f.Problems, problemForm{string(p.Kind), p.Seal, p.Records, p.Text})
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(f)
}

func tellReport(w io.Writer, r *audit.Report) {
	for _, p := range r.Problems {
		fmt.Fprintf(w, "PROBLEM  %s\n", p.Text)
	}
	if r.More > 0 {
		fmt.Fprintf(w, "PROBLEM  and %d more\n", r.More)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(w, "note     %s\n", n)
	}
	for _, l := range r.Lost {
		fmt.Fprintf(w, "note     if the database was restored from a backup and so lost seals %s, record that: ab2d audit restored WHY\n", domain.Numbers{l.Seals})
	}
	fmt.Fprintf(w, "%s in the database, of which %d wait to be sealed; %s in archives; %s, %s exported\n",
		plural(r.Records, "record"), r.Waiting, plural(r.Archived, "record"), plural(r.Seals, "seal"), plural(r.Heads, "head"))
	if r.Seals > 0 {
		fmt.Fprintf(w, "last seal %d of %s, hash %s\n", r.Last.Number, r.Last.At.Format(time.RFC3339), r.Last.Hash)
	}
	if r.Holds() {
		fmt.Fprintln(w, "the audit trail holds")
	}
}

func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func sealAudit(ctx context.Context, a *ab2d.Audit, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("audit seal takes nothing, not %q", args)
	}
	if a.Signer == nil {
		return errors.New("there is no key to sign with: name its file in AB2D_AUDIT_KEY_FILE")
	}
	if err := a.Sealer.Seal(ctx); err != nil {
		return err
	}
	fmt.Println("all records are sealed and the heads are exported")
	return nil
}

func archiveAudit(ctx context.Context, a *ab2d.Audit, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("audit archive takes nothing, not %q", args)
	}
	if a.Archiver.Settings.Keep == 0 {
		return errors.New("audit-keep is 0, so records stay in the database for ever; say how long with AB2D_AUDIT_KEEP, as 8760h")
	}
	made, err := a.Archiver.Archive(ctx)
	for _, m := range made {
		fmt.Printf("%s of seals %d to %d went into %s\n", plural(m.Records, "record"), m.First, m.Last, m.Key)
	}
	if err == nil && len(made) == 0 {
		fmt.Println("no record is old enough")
	}
	return err
}

func showAuditKey(_ context.Context, a *ab2d.Audit, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("audit key takes nothing, not %q", args)
	}
	if a.Signer == nil {
		return errors.New("there is no key to sign with: name its file in AB2D_AUDIT_KEY_FILE")
	}
	text, err := sealkey.FormatPublic(a.Signer.PublicKey())
	if err != nil {
		return err
	}
	fmt.Printf("Key %s\n%s", domain.SealKeyID(a.Signer.PublicKey()), text)
	return nil
}

func recordRestore(ctx context.Context, a *ab2d.Audit, args []string) error {
	why := strings.Join(args, " ")
	if why == "" {
		return errors.New("audit restored needs the reason, as: restored disk of db1 broke, backup of 2026-11-24")
	}
	if a.Signer == nil {
		return errors.New("there is no key to sign with: name its file in AB2D_AUDIT_KEY_FILE")
	}
	r, err := a.Verifier.Verify(ctx)
	if err != nil {
		return err
	}
	if len(r.Lost) == 0 {
		return errors.New("the database has every seal that was exported; there is nothing to record")
	}
	who := domain.System("operator")
	if u, err := user.Current(); err == nil {
		who = domain.Actor{Kind: "staff", ID: u.Username}
	}
	if err := a.Restorer.Record(ctx, who, r.Lost, why); err != nil {
		return err
	}
	if err := a.Sealer.Seal(ctx); err != nil {
		return err
	}
	for _, l := range r.Lost {
		fmt.Printf("recorded that seals %s are lost\n", domain.Numbers{l.Seals})
	}
	return nil
}

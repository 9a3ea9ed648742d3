package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	ab2d "cms.gov/ab2d"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// auditFilter says which records are listed. An empty field does not narrow.
type auditFilter struct {
	actor   string
	action  string // exactly, or what it begins with where it ends in a dot
	target  string // exactly, or what belongs to it: a job's id finds its files
	outcome string // exactly; refused is all but done and repeated
	from    time.Time
	to      time.Time
	limit   int // of the latest that match; 0 is all
	json    bool
}

func parseAuditFilter(args []string) (f auditFilter, err error) {
	f.limit = 100
	for _, a := range args {
		name, value, _ := strings.Cut(a, "=")
		switch name {
		case "actor":
			f.actor = value
		case "action":
			f.action = value
		case "target":
			f.target = value
		case "outcome":
			f.outcome = value
		case "from":
			f.from, err = parseMoment(value)
		case "to":
			f.to, err = parseMoment(value)
		case "limit":
			if f.limit, err = strconv.Atoi(value); err == nil && f.limit < 0 {
				err = fmt.Errorf("it must not be less than zero")
			}
		case "--json":
			f.json = true
		default:
			err = fmt.Errorf("audit list takes actor=, action=, target=, outcome=, from=, to=, limit= and --json")
		}
		if err != nil {
			return f, fmt.Errorf("%s: %w", a, err)
		}
	}
	return f, nil
}

// parseMoment reads an instant, or a day as its beginning in UTC.
func parseMoment(s string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	return time.Parse(time.RFC3339, s)
}

func (f auditFilter) wants(r domain.AuditRecord) bool {
	action := f.action == "" || r.Action == f.action || strings.HasSuffix(f.action, ".") && strings.HasPrefix(r.Action, f.action)
	target := f.target == "" || r.Target == f.target || strings.HasPrefix(r.Target, f.target+"/")
	outcome := f.outcome == "" || r.Outcome == f.outcome || f.outcome == "refused" && r.Outcome != "done" && r.Outcome != "repeated"
	return action && target && outcome && (f.actor == "" || r.Actor.ID == f.actor) && !r.At.Before(f.from) && (f.to.IsZero() || r.At.Before(f.to))
}

func listAudit(ctx context.Context, a *ab2d.Audit, args []string) error {
	f, err := parseAuditFilter(args)
	if err != nil {
		return err
	}
	show, end := auditLines(os.Stdout, f.json)
	var latest []ports.AuditEntry // at most twice as many as are wanted
	err = eachRecord(ctx, a.Log, func(e ports.AuditEntry) error {
		if !f.wants(e.AuditRecord) {
			return nil
		}
		if f.limit == 0 {
			return show(e)
		}
		if len(latest) == 2*f.limit {
			latest = append(latest[:0], latest[f.limit:]...)
		}
		latest = append(latest, e)
		return nil
	})
	if err != nil {
		return err
	}
	for _, e := range latest[max(0, len(latest)-f.limit):] {
		if err := show(e); err != nil {
			return err
		}
	}
	return end()
}

// auditLines returns what writes one record, and what ends the list. As JSON a
// record is the line that is hashed and that archives have.
func auditLines(w io.Writer, asJSON bool) (show func(ports.AuditEntry) error, end func() error) {
	if asJSON {
		return func(e ports.AuditEntry) error {
			_, err := fmt.Fprintf(w, "%s\n", e.Canonical(e.Number))
			return err
		}, func() error { return nil }
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NUMBER\tAT\tACTOR\tFROM\tACTION\tTARGET\tOUTCOME\tDETAIL")
	return func(e ports.AuditEntry) error {
		var detail []string
		for name, value := range e.Detail {
			detail = append(detail, name+"="+value)
		}
		slices.Sort(detail)
		_, err := fmt.Fprintf(t, "%d\t%s\t%s %s\t%s\t%s\t%s\t%s\t%s\n", e.Number, e.At.Format(time.RFC3339), e.Actor.Kind, e.Actor.ID, e.Actor.From,
			e.Action, e.Target, e.Outcome, strings.Join(detail, " "))
		return err
	}, t.Flush
}

// eachRecord goes through the records of the database in order, a page at a time.
func eachRecord(ctx context.Context, store ports.UnitOfWork, each func(ports.AuditEntry) error) error {
	const page = 1000
	for after, more := int64(0), true; more; {
		var entries []ports.AuditEntry
		err := store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
			numbers, err := tx.AuditTrail.Numbers(ctx, after, page)
			if more = len(numbers) == page; err != nil || len(numbers) == 0 {
				return err
			}
			entries, err = tx.AuditTrail.Records(ctx, domain.NumbersOf(numbers))
			after = numbers[len(numbers)-1]
			return err
		})
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := each(e); err != nil {
				return err
			}
		}
	}
	return nil
}

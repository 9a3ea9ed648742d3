package console

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
	web "cms.gov/ab2d/web/console"
)

const auditPath = root + "/audit"

func (c *console) auditPages(g fiber.Router) {
	g.Get("/audit", c.guarded(domain.MayReadAudit, c.audit))
	g.Get("/audit.csv", c.guarded(domain.MayReadAudit, c.auditExport("csv")))
	g.Get("/audit.ndjson", c.guarded(domain.MayReadAudit, c.auditExport("ndjson")))
}

// entryOf is a record as pages show it.
func entryOf(e ports.AuditEntry) web.Entry {
	v := web.Entry{At: e.At, Who: cmp.Or(e.Detail["name"], e.Actor.ID), Role: strings.ReplaceAll(cmp.Or(e.Detail["role"], e.Actor.Kind), "_", " "), From: e.Actor.From, Action: e.Action, Target: e.Target,
		Outcome: web.Badge{Text: e.Outcome, Tone: "bad"}, Reason: e.Detail["reason"]}
	if e.Outcome == "done" || e.Outcome == "repeated" {
		v.Outcome.Tone = "ok"
	}
	id, _, _ := strings.Cut(e.Target, "/")
	if _, err := domain.ParseJobID(id); err == nil {
		v.URL = jobsPath + "/" + id
	} else if _, err := domain.ParseContractNumber(id); err == nil {
		v.URL = contractsPath + "/" + id
	} else if strings.HasPrefix(e.Action, "client.") {
		v.URL = clientsPath + "/" + e.Target
	}
	for _, name := range slices.Sorted(maps.Keys(e.Detail)) {
		switch name {
		case "name", "role", "reason":
		case "before":
			v.Before = cmp.Or(e.Detail[name], "nothing")
		case "after":
			v.After = cmp.Or(e.Detail[name], "nothing")
		default:
			v.Details = append(v.Details, web.Fact{Name: name, Text: e.Detail[name]})
		}
	}
	return v
}

func (a *ask) auditQuery() (q ports.AuditQuery, chips []web.Link, err error) {
	q = ports.AuditQuery{Actor: strings.TrimSpace(a.Query("actor")), Action: strings.TrimSpace(a.Query("action")), Target: strings.TrimSpace(a.Query("target")), Outcome: a.Query("outcome")}
	for _, day := range []struct {
		name string
		to   *time.Time
		add  int
	}{{"from", &q.From, 0}, {"to", &q.To, 1}} {
		s := a.Query(day.name)
		if s == "" {
			continue
		}
		d, err := time.Parse(time.DateOnly, s)
		if err != nil {
			return q, nil, domain.Errorf(domain.Invalid, "%.40q is no date.", s).WithNext("Give it as 2026-01-31.")
		}
		*day.to = d.AddDate(0, 0, day.add)
	}
	if s := a.Query("before"); s != "" {
		if q.Before, err = strconv.ParseInt(s, 10, 64); err != nil {
			return q, nil, domain.Errorf(domain.Invalid, "The address names no place in the log.").WithNext("Go back to the first page.")
		}
	}
	for _, name := range []string{"actor", "action", "target", "outcome", "from", "to"} {
		if s := a.Query(name); s != "" {
			chips = append(chips, web.Link{Text: name + ": " + s, URL: a.with(auditPath, name, "", "before", "")})
		}
	}
	return q, chips, nil
}

const recordsPage = 50

func (c *console) audit(a *ask) error {
	q, chips, err := a.auditQuery()
	if err != nil {
		return err
	}
	q.Limit = recordsPage + 1
	entries, err := a.Oversight.Records(a.ctx(), a.who, q)
	if err != nil {
		return err
	}
	v := web.List{Title: "Audit log", Chips: chips, Empty: "No records match.", Reset: web.Link{Text: "Clear the filters", URL: auditPath},
		Actions: []web.Link{{Text: "Download CSV", URL: a.with(root+"/audit.csv", "before", "")}, {Text: "Download NDJSON", URL: a.with(root+"/audit.ndjson", "before", "")}},
		Filters: []web.Field{
			{Name: "actor", Label: "Who (id)", Kind: "text", Value: a.Query("actor")},
			{Name: "action", Label: "What", Kind: "text", Value: a.Query("action")},
			{Name: "target", Label: "On what", Kind: "text", Value: a.Query("target")},
			{Name: "outcome", Label: "Outcome", Kind: "select", Options: choose([]web.Option{{Text: "Any"}, {Value: "done", Text: "Done"}, {Value: "refused", Text: "Refused"}}, a.Query("outcome"))},
			{Name: "from", Label: "From", Kind: "date", Value: a.Query("from")},
			{Name: "to", Label: "To", Kind: "date", Value: a.Query("to")},
		}}
	sealed, err := a.Oversight.Sealed(a.ctx(), a.who)
	if err != nil {
		return err
	}
	v.Lead = "Records are only ever added. None of these is sealed yet."
	if len(sealed.Records) > 0 {
		v.Lead = fmt.Sprintf("Records are only ever added. Seal %s of %s vouches for records up to %s; ab2d audit verify finds what was changed or taken away since.",
			web.Count(sealed.Number), web.When(sealed.At), web.Count(sealed.Records[len(sealed.Records)-1].Last))
	}
	if len(entries) > recordsPage {
		entries = entries[:recordsPage]
		v.Next = a.with(auditPath, "before", fmt.Sprint(entries[recordsPage-1].Number))
	}
	if a.Query("before") != "" {
		v.First = a.with(auditPath, "before", "")
	}
	for _, e := range entries {
		x := entryOf(e)
		x.WhoURL = a.with(auditPath, "actor", e.Actor.ID, "before", "")
		v.Entries = append(v.Entries, x)
	}
	v.Says = plural(len(v.Entries), "record") + " shown, the latest first. An action that ends in a dot finds all that begin so."
	return a.page(web.ListPage(a.shell("Audit log", auditPath), v, auditPath))
}

// auditChunk is how many records are read at once.
const auditChunk = 1000

// auditExport sends all records that match, the latest first.
func (c *console) auditExport(form string) func(*ask) error {
	return func(a *ask) error {
		q, _, err := a.auditQuery()
		if err != nil {
			return err
		}
		if err := a.Oversight.Exported(a.ctx(), a.who, "audit."+form, string(a.Ctx.Request().URI().QueryString())); err != nil {
			return err
		}
		who := a.who
		each := func(ctx context.Context, put func(ports.AuditEntry) error) error {
			for q.Limit = auditChunk; ; {
				entries, err := c.Oversight.Records(ctx, who, q)
				if err != nil {
					return err
				}
				for _, e := range entries {
					if err := put(e); err != nil {
						return err
					}
				}
				if len(entries) < auditChunk {
					return nil
				}
				q.Before = entries[len(entries)-1].Number
			}
		}
		if form == "ndjson" {
			return a.stream("audit.ndjson", "application/x-ndjson", func(ctx context.Context, w io.Writer) error {
				enc := json.NewEncoder(w)
				return each(ctx, func(e ports.AuditEntry) error {
					return enc.Encode(map[string]any{"number": e.Number, "at": web.UTC(e.At), "actor": e.Actor, "action": e.Action, "target": e.Target, "outcome": e.Outcome, "detail": e.Detail})
				})
			})
		}
		head := []string{"number", "at (UTC)", "actor kind", "actor", "name", "role", "from", "action", "target", "outcome", "reason", "before", "after", "detail"}
		return a.sheet("audit", head, func(ctx context.Context, put func(...string) error) error {
			return each(ctx, func(e ports.AuditEntry) error {
				detail, err := json.Marshal(e.Detail)
				if err != nil {
					return err
				}
				return put(fmt.Sprint(e.Number), web.UTC(e.At), e.Actor.Kind, e.Actor.ID, e.Detail["name"], e.Detail["role"], e.Actor.From, e.Action, e.Target, e.Outcome,
					e.Detail["reason"], e.Detail["before"], e.Detail["after"], string(detail))
			})
		})
	}
}

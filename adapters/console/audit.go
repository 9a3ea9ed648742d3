package console

import (
	"cmp"
	"encoding/json"
	"fmt"
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
	v := web.Entry{At: e.At, Who: cmp.Or(e.Detail["name"], e.Actor.ID), Role: cmp.Or(e.Detail["role"], e.Actor.Kind), From: e.Actor.From, Action: e.Action, Target: e.Target,
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
		if name != "name" && name != "role" && name != "reason" {
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
	if len(entries) > recordsPage {
		entries = entries[:recordsPage]
		v.Next = a.with(auditPath, "before", fmt.Sprint(entries[recordsPage-1].Number))
	}
	if a.Query("before") != "" {
		v.First = a.with(auditPath, "before", "")
	}
	for _, e := range entries {
		v.Entries = append(v.Entries, entryOf(e))
	}
	v.Says = plural(len(v.Entries), "record") + " shown, the latest first. An action that ends in a dot finds all that begin so."
	return a.page(web.ListPage(a.shell("Audit log", auditPath), v, auditPath))
}

// auditMost is how many records a file holds.
const auditMost = 50_000

func (c *console) auditExport(form string) func(*ask) error {
	return func(a *ask) error {
		q, _, err := a.auditQuery()
		if err != nil {
			return err
		}
		q.Limit = auditMost
		entries, err := a.Oversight.Records(a.ctx(), a.who, q)
		if err != nil {
			return err
		}
		if err := a.Oversight.Exported(a.ctx(), a.who, "audit."+form, fmt.Sprint(len(entries))); err != nil {
			return err
		}
		if form == "ndjson" {
			a.Set(fiber.HeaderContentType, "application/x-ndjson")
			a.Set(fiber.HeaderContentDisposition, `attachment; filename="audit.ndjson"`)
			enc := json.NewEncoder(a.Response().BodyWriter())
			for _, e := range entries {
				if err := enc.Encode(map[string]any{"number": e.Number, "at": web.UTC(e.At), "actor": e.Actor, "action": e.Action, "target": e.Target, "outcome": e.Outcome, "detail": e.Detail}); err != nil {
					return err
				}
			}
			return nil
		}
		rows := [][]string{{"number", "at (UTC)", "actor kind", "actor", "name", "role", "from", "action", "target", "outcome", "reason", "detail"}}
		for _, e := range entries {
			detail, err := json.Marshal(e.Detail)
			if err != nil {
				return err
			}
			rows = append(rows, []string{fmt.Sprint(e.Number), web.UTC(e.At), e.Actor.Kind, e.Actor.ID, e.Detail["name"], e.Detail["role"], e.Actor.From, e.Action, e.Target, e.Outcome, e.Detail["reason"], string(detail)})
		}
		return a.table("audit", rows)
	}
}

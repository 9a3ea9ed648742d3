package console

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/application/oversight"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
	web "cms.gov/ab2d/web/console"
)

func (c *console) dashboardPages(g fiber.Router) {
	g.Get("/", c.signedIn(c.dashboard))
	g.Get("/search", c.signedIn(c.search))
}

func pulseTiles(p oversight.Pulse) []web.Tile {
	var done, failed int
	var bytes int64
	for _, j := range p.Ended {
		bytes += j.Exported()
		switch {
		case j.Succeeded:
			done++
		case j.State == domain.Failed:
			failed++
		}
	}
	waiting := "Waiting"
	if p.Queued > 0 {
		waiting = "Waiting (oldest work " + web.Span(p.Oldest) + ")"
	}
	span := spanWords(p.Span)
	return []web.Tile{
		{Value: web.Count(p.Running), Label: "Running", URL: jobsPath + "?state=in_progress"},
		{Value: web.Count(p.Queued), Label: waiting, URL: jobsPath + "?state=submitted"},
		{Value: web.Count(done), Label: "Completed in " + span},
		{Value: web.Count(failed), Label: "Failed in " + span, URL: jobsPath + "?state=failed"},
		{Value: web.Bytes(bytes), Label: "Exported in " + span},
	}
}

func spanWords(d time.Duration) string {
	if d <= 24*time.Hour {
		return "24 h"
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// buckets cuts a span into hours, or days where it is long, in Eastern time.
type buckets struct {
	start time.Time
	width time.Duration
	n     int
}

func bucketsOf(p oversight.Pulse) buckets { return bucketsAt(p.At, p.Span) }

func bucketsAt(at time.Time, span time.Duration) buckets {
	width := time.Hour
	if span > 48*time.Hour {
		width = 24 * time.Hour
	}
	n := int(span / width)
	end := at.Truncate(time.Hour).Add(time.Hour)
	return buckets{end.Add(-time.Duration(n) * width), width, n}
}

func (b buckets) of(t time.Time) (int, bool) {
	if t.Before(b.start) {
		return 0, false
	}
	i := int(t.Sub(b.start) / b.width)
	return i, i < b.n
}

func (b buckets) label(i int) string {
	at := web.When(b.start.Add(time.Duration(i) * b.width)) // 2006-01-02 15:04 ET
	if b.width == time.Hour {
		return at[11:13] + ":00"
	}
	return at[5:10]
}

func (b buckets) word() string {
	if b.width == time.Hour {
		return "hour"
	}
	return "day"
}

func jobsPlot(p oversight.Pulse) web.Plot {
	b := bucketsOf(p)
	good, bad := make([]int, b.n), make([]int, b.n)
	failed, best := 0, 0
	for _, j := range p.Ended {
		i, in := b.of(j.CompletedAt)
		if !in {
			continue
		}
		switch {
		case j.Succeeded:
			if good[i]++; good[i] > good[best] {
				best = i
			}
		case j.State == domain.Failed:
			bad[i]++
			failed++
		}
	}
	plot := web.Plot{ID: "jobs-plot", Title: fmt.Sprintf("Jobs finished each %s, last %s (Eastern)", b.word(), spanWords(p.Span)), Parts: []string{"Completed", "Failed"}}
	for i := range b.n {
		plot.Max = max(plot.Max, float64(good[i]+bad[i]))
		plot.Bars = append(plot.Bars, web.Bar{Label: b.label(i), Values: []float64{float64(good[i]), float64(bad[i])}, Texts: []string{web.Count(good[i]), web.Count(bad[i])}})
	}
	plot.Top = web.Count(int(plot.Max))
	switch {
	case plot.Max == 0:
		plot.Says = "No job finished."
	case good[best] > 0:
		plot.Says = fmt.Sprintf("The busiest %s was %s, %d completed. %s failed.", b.word(), b.label(best), good[best], plural(failed, "job"))
	default:
		plot.Says = plural(failed, "job") + " failed."
	}
	return plot
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return web.Count(n) + " " + what + "s"
}

// percentiles plots the half and the nineteen of twenty of something by time.
func percentiles(p oversight.Pulse, id, title, what string, of func(domain.EndedJob) (time.Duration, bool)) web.Plot {
	b := bucketsOf(p)
	values := make([][]time.Duration, b.n)
	var all []time.Duration
	for _, j := range p.Ended {
		if i, in := b.of(j.CompletedAt); in {
			if d, ok := of(j); ok {
				values[i] = append(values[i], d)
				all = append(all, d)
			}
		}
	}
	plot := web.Plot{ID: id, Title: title, Parts: []string{"Half took at most", "95 of 100 took at most"}}
	slices.Sort(all)
	for i, v := range values {
		slices.Sort(v)
		half, most := quantile(v, .5), quantile(v, .95)
		plot.Max = max(plot.Max, most.Seconds())
		bar := web.Bar{Label: b.label(i), Values: []float64{half.Seconds(), (most - half).Seconds()}, Texts: []string{"–", "–"}}
		if len(v) > 0 {
			bar.Texts = []string{web.Brief(half), web.Brief(most)}
		}
		plot.Bars = append(plot.Bars, bar)
	}
	plot.Top = web.Brief(time.Duration(plot.Max * float64(time.Second)))
	plot.Says = "Nothing to measure in this time."
	if len(all) > 0 {
		plot.Says = fmt.Sprintf("Half of the %s at most %s, 95 of 100 at most %s.", what, web.Brief(quantile(all, .5)), web.Brief(quantile(all, .95)))
	}
	return plot
}

// quantile is a value of a sorted list that a share of it does not exceed.
func quantile(v []time.Duration, q float64) time.Duration {
	if len(v) == 0 {
		return 0
	}
	return v[min(len(v)-1, int(q*float64(len(v))))]
}

func bytesPlot(p oversight.Pulse) web.Plot {
	b := bucketsOf(p)
	sums, total := make([]int64, b.n), int64(0)
	for _, j := range p.Ended {
		if i, in := b.of(j.CompletedAt); in {
			sums[i] += j.Exported()
			total += j.Exported()
		}
	}
	plot := web.Plot{ID: "bytes-plot", Title: "Exported each " + b.word(), Parts: []string{"Bytes"}, Says: "In all " + web.Bytes(total) + " of NDJSON."}
	for i, n := range sums {
		plot.Max = max(plot.Max, float64(n))
		plot.Bars = append(plot.Bars, web.Bar{Label: b.label(i), Values: []float64{float64(n)}, Texts: []string{web.Bytes(n)}})
	}
	plot.Top = web.Bytes(int64(plot.Max))
	return plot
}

var ranges = []struct {
	key, text string
	span      time.Duration
}{{"", "24 hours", 24 * time.Hour}, {"7d", "7 days", 7 * 24 * time.Hour}, {"30d", "30 days", 30 * 24 * time.Hour}}

func (c *console) dashboard(a *ask) error {
	v, span := web.Dashboard{}, 24*time.Hour
	for _, r := range ranges {
		here := r.key == a.Query("range")
		if here {
			span = r.span
		}
		v.Ranges = append(v.Ranges, web.Link{Text: r.text, URL: a.with(root+"/", "range", r.key), Current: here})
	}
	pulse, err := a.Oversight.Pulse(a.ctx(), a.who, span)
	if err != nil {
		return err
	}
	contracts, err := a.Oversight.Contracts(a.ctx(), a.who)
	if err != nil {
		return err
	}
	known, err := a.Clients.List(a.ctx())
	if err != nil {
		return err
	}
	calls, err := a.Oversight.SourceCalls(a.ctx(), a.who, span)
	if err != nil {
		return err
	}
	active := 0
	for _, n := range contracts {
		if n.Standing.Active {
			active++
		}
	}
	v.Tiles = append(pulseTiles(pulse), web.Tile{Value: fmt.Sprintf("%d of %d", active, len(contracts)), Label: "Contracts attested", URL: root + "/contracts"})
	v.Plots = []web.Plot{jobsPlot(pulse), bytesPlot(pulse),
		percentiles(pulse, "duration-plot", "How long exports took", "exports took", func(j domain.EndedJob) (time.Duration, bool) {
			return j.CompletedAt.Sub(j.CreatedAt), j.Succeeded
		}),
		waitPlot(pulse), latencyPlot(bucketsOf(pulse), calls), troublePlot(bucketsOf(pulse), calls)}
	v.Alerts = attentionJobs(pulse.Within(24 * time.Hour))
	system, err := a.Oversight.System(a.ctx(), a.who)
	if err != nil {
		return err
	}
	for _, c := range a.conditions(system) {
		if c.tone != "" {
			v.Alerts = append(v.Alerts, web.Alert{Says: c.says, More: c.do, URL: cmp.Or(c.url, systemPath), Tone: c.tone})
		}
	}
	v.Alerts = append(v.Alerts, attentionContracts(contracts)...)
	for _, more := range []func() ([]web.Alert, error){a.attentionApprovals, a.attentionHeld} {
		alerts, err := more()
		if err != nil {
			return err
		}
		v.Alerts = append(v.Alerts, alerts...)
	}
	for _, k := range known {
		for _, s := range k.LiveSecrets(a.now()) {
			if !s.ExpiresAt.IsZero() && s.ExpiresAt.Before(a.now().AddDate(0, 0, 14)) {
				v.Alerts = append(v.Alerts, web.Alert{Says: "A secret of " + k.Name + " ends", More: "in " + web.Span(s.ExpiresAt.Sub(a.now())) + ".", URL: root + "/clients/" + string(k.ID), Tone: "warn"})
			}
		}
	}
	if a.who.May(domain.MayReadAudit) {
		entries, err := a.Oversight.Records(a.ctx(), a.who, ports.AuditQuery{Limit: 8})
		if err != nil {
			return err
		}
		for _, e := range entries {
			v.Recent = append(v.Recent, entryOf(e))
		}
	}
	return a.page(web.DashboardPage(a.shell("Dashboard", root+"/"), v))
}

func attentionJobs(day oversight.Pulse) (alerts []web.Alert) {
	failed := 0
	for _, j := range day.Ended {
		if j.State == domain.Failed {
			failed++
		}
	}
	if failed > 0 {
		alerts = append(alerts, web.Alert{Says: plural(failed, "job") + " failed in the last 24 hours.", More: "Each says why.", URL: jobsPath + "?state=failed&submitted=24h", Tone: "bad"})
	}
	return alerts
}

func attentionContracts(contracts []oversight.ContractRow) (alerts []web.Alert) {
	for _, n := range contracts {
		if left := n.Standing.DaysLeft(n.Today); left > 0 && left <= 30 {
			alerts = append(alerts, web.Alert{Says: "Contract " + string(n.Number) + " has " + plural(left, "day") + " left to re-attest", More: "and keep " + n.Standing.DataStart.String() + " as its data start.",
				URL: root + "/contracts/" + string(n.Number) + "?tab=attestation", Tone: "warn"})
		}
	}
	return alerts
}

func (c *console) search(a *ask) error {
	text := strings.TrimSpace(a.Query("q"))
	found, err := a.Oversight.Find(a.ctx(), a.who, text)
	if err != nil {
		return err
	}
	page := func(h oversight.Hit) string { return root + "/" + h.Kind + "s/" + url.PathEscape(h.ID) }
	exact := slices.IndexFunc(found, func(h oversight.Hit) bool { return strings.EqualFold(h.ID, text) })
	switch {
	case len(found) == 1:
		return a.Redirect(page(found[0]), fiber.StatusSeeOther)
	case exact >= 0 && found[exact].Kind != "sponsor":
		return a.Redirect(page(found[exact]), fiber.StatusSeeOther)
	}
	v := web.List{Title: "Search", Lead: "For “" + text + "”.", Says: plural(len(found), "hit"), Empty: "Nothing is called that. Jobs are found by the first characters of their id, all else by id or name.",
		Table: web.Table{Caption: "What was found", Columns: []string{"What", "Id", "Name"}}}
	for _, h := range found {
		v.Table.Rows = append(v.Table.Rows, []web.Cell{{Text: h.Kind}, {Text: h.ID, URL: page(h)}, {Text: h.Name}})
	}
	s := a.shell("Search", "")
	s.Search = text
	return a.page(web.ListPage(s, v, root+"/search"))
}

package console

import (
	"bufio"
	"bytes"
	"context"
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

const (
	jobsPath = root + "/jobs"
	perPage  = 25
)

func (c *console) jobPages(g fiber.Router) {
	g.Get("/jobs", c.signedIn(c.jobs))
	g.Get("/jobs.csv", c.signedIn(c.jobsCSV))
	g.Get("/jobs/live", c.signedIn(c.live))
	g.Get("/jobs/start", c.guarded(domain.MayRunJobs, c.startForm))
	g.Post("/jobs/start", c.guarded(domain.MayRunJobs, c.start))
	g.Get("/jobs/:id", c.signedIn(c.job))
	for _, action := range []string{"cancel", "retry", "extend", "expire"} {
		g.Get("/jobs/:id/"+action, c.guarded(domain.MayRunJobs, c.jobForm(action)))
		g.Post("/jobs/:id/"+action, c.guarded(domain.MayRunJobs, c.jobAct(action)))
	}
}

var jobStates = []domain.JobState{domain.Submitted, domain.InProgress, domain.Successful, domain.Failed, domain.Cancelled, domain.Lapsed}

func stateBadge(s domain.JobState, expired bool) web.Badge {
	if expired {
		s = domain.Lapsed
	}
	tone := map[domain.JobState]string{domain.InProgress: "run", domain.Successful: "ok", domain.Failed: "bad"}[s]
	text := strings.ReplaceAll(string(s), "_", " ")
	return web.Badge{Text: strings.ToUpper(text[:1]) + text[1:], Tone: tone}
}

func period(w domain.Window) string {
	day := func(t time.Time) string { return t.UTC().Format(time.DateOnly) }
	switch {
	case !w.Since.IsZero() && !w.Until.IsZero():
		return day(w.Since) + " to " + day(w.Until)
	case !w.Since.IsZero():
		return "since " + day(w.Since)
	case !w.Until.IsZero():
		return "until " + day(w.Until)
	}
	return "all"
}

func rowOf(r oversight.JobRow, now time.Time) web.JobRow {
	row := web.JobRow{ID: string(r.ID), Sponsor: r.Of.Name, SponsorID: string(r.Sponsor), State: stateBadge(r.State, r.Expired),
		Percent: r.Figures.Percent(), Period: period(r.Window), Submitted: r.CreatedAt, Duration: web.Span(r.Duration(now)),
		Files: web.Count(r.Figures.Files), Bytes: web.Bytes(r.Figures.PlainBytes)}
	for _, n := range r.Contracts {
		row.Contracts = append(row.Contracts, string(n))
	}
	if r.State == domain.Successful || r.State == domain.Lapsed {
		row.Percent = 100
	}
	if left, ok := r.Left(now); ok {
		row.Left = web.Span(left)
	}
	return row
}

// jobQuery reads the filters from the address.
func (a *ask) jobQuery() (q ports.JobQuery, chips []web.Link, err error) {
	chip := func(name, says string) {
		chips = append(chips, web.Link{Text: says, URL: a.with(jobsPath, name, "", "after", "")})
	}
	if s := a.Query("state"); s != "" {
		if !slices.Contains(jobStates, domain.JobState(s)) {
			return q, nil, domain.Errorf(domain.Invalid, "There is no state %q of a job.", s).WithNext("Choose one of the list.")
		}
		q.States = []domain.JobState{domain.JobState(s)}
		chip("state", "State: "+stateBadge(domain.JobState(s), false).Text)
	}
	if n := strings.ToUpper(strings.TrimSpace(a.Query("contract"))); n != "" {
		q.Contract = domain.ContractNumber(n)
		chip("contract", "Contract: "+n)
	}
	if s := a.Query("sponsor"); s != "" {
		q.Sponsor = domain.SponsorID(s)
		chip("sponsor", "Sponsor: "+s)
	}
	if s := a.Query("client"); s != "" {
		q.Client = domain.ClientID(s)
		chip("client", "Client: "+s)
	}
	if v := a.Query("fhir"); v == string(domain.STU3) || v == string(domain.R4) {
		q.Version = domain.FHIRVersion(v)
		chip("fhir", "FHIR: "+v)
	}
	if span, ok := submittedSpans[a.Query("submitted")]; ok {
		q.CreatedFrom = a.now().Add(-span)
		chip("submitted", "Submitted: last "+a.Query("submitted"))
	}
	if at, id, ok := strings.Cut(a.Query("after"), "_"); ok {
		if q.Behind.CreatedAt, err = time.Parse(time.RFC3339Nano, at); err != nil {
			return q, nil, domain.Errorf(domain.Invalid, "The address names no place in the list.").WithNext("Go back to the first page.")
		}
		q.Behind.ID = domain.JobID(id)
	}
	return q, chips, nil
}

var submittedSpans = map[string]time.Duration{"24h": 24 * time.Hour, "7d": 7 * 24 * time.Hour, "30d": 30 * 24 * time.Hour}

func (a *ask) jobFilters() []web.Field {
	states := []web.Option{{Text: "All"}}
	for _, s := range jobStates {
		states = append(states, web.Option{Value: string(s), Text: stateBadge(s, false).Text})
	}
	return []web.Field{
		{Name: "state", Label: "State", Kind: "select", Options: choose(states, a.Query("state"))},
		{Name: "contract", Label: "Contract", Kind: "text", Value: a.Query("contract")},
		{Name: "submitted", Label: "Submitted", Kind: "select", Options: choose([]web.Option{{Text: "Any time"}, {Value: "24h", Text: "Last 24 hours"}, {Value: "7d", Text: "Last 7 days"}, {Value: "30d", Text: "Last 30 days"}}, a.Query("submitted"))},
		{Name: "fhir", Label: "FHIR version", Kind: "select", Options: choose([]web.Option{{Text: "All"}, {Value: string(domain.STU3), Text: "STU3"}, {Value: string(domain.R4), Text: "R4"}}, a.Query("fhir"))},
	}
}

func (c *console) jobs(a *ask) error {
	q, chips, err := a.jobQuery()
	if err != nil {
		return err
	}
	q.Limit = perPage
	page, err := a.Oversight.Jobs(a.ctx(), a.who, q)
	if err != nil {
		return err
	}
	pulse, err := a.Oversight.Pulse(a.ctx(), a.who, 24*time.Hour)
	if err != nil {
		return err
	}
	v := web.Jobs{Tiles: pulseTiles(pulse), Plot: jobsPlot(pulse), Filters: a.jobFilters(), Chips: chips, CSV: a.with(root+"/jobs.csv", "after", ""),
		May: a.who.May(domain.MayRunJobs), Says: fmt.Sprintf("%s of %s jobs shown", web.Count(len(page.Rows)), web.Count(page.Total))}
	stream := url.Values{}
	for _, r := range page.Rows {
		v.Rows = append(v.Rows, rowOf(r, a.now()))
		stream.Add("id", string(r.ID))
	}
	if len(v.Rows) > 0 {
		v.Live = root + "/jobs/live?" + stream.Encode()
	}
	if page.More {
		v.Next = a.with(jobsPath, "after", page.Next.CreatedAt.Format(time.RFC3339Nano)+"_"+string(page.Next.ID))
	}
	if a.Query("after") != "" {
		v.First = a.with(jobsPath, "after", "")
	}
	return a.page(web.JobsPage(a.shell("Jobs", jobsPath), v))
}

func (c *console) jobsCSV(a *ask) error {
	q, _, err := a.jobQuery()
	if err != nil {
		return err
	}
	head := []string{"job", "contracts", "sponsor", "client", "fhir", "state", "percent", "since", "until", "submitted (UTC)", "completed (UTC)", "seconds", "files", "lines", "bytes"}
	instant := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return web.UTC(t)
	}
	who, now := a.who, a.now()
	return a.sheet("jobs", head, func(ctx context.Context, put func(...string) error) error {
		for q.Limit = 500; ; {
			page, err := c.Oversight.Jobs(ctx, who, q)
			if err != nil {
				return err
			}
			for _, r := range page.Rows {
				w := rowOf(r, now)
				if err := put(w.ID, strings.Join(w.Contracts, " "), w.Sponsor, string(r.Client), string(r.Version), w.State.Text, fmt.Sprint(w.Percent),
					instant(r.Window.Since), instant(r.Window.Until), instant(r.CreatedAt), instant(r.CompletedAt), fmt.Sprintf("%.0f", r.Duration(now).Seconds()),
					fmt.Sprint(r.Figures.Files), fmt.Sprint(r.Figures.Lines), fmt.Sprint(r.Figures.PlainBytes)); err != nil {
					return err
				}
			}
			if !page.More {
				return nil
			}
			q.Behind = page.Next
		}
	})
}

// streamsEach is how many streams a session may have open.
const streamsEach = 3

// beats are how often a stream looks for changes, tells that it lives, and
// asks whether the session still does.
const (
	lookEvery  = time.Second
	pingEvery  = 15 * time.Second
	checkEvery = time.Minute
)

// live streams the changes of the rows of a list, or of one job's page. Rows
// never move: what changes is put in place. It does not count as activity.
func (c *console) live(a *ask) error {
	var ids []domain.JobID
	for _, v := range a.Context().QueryArgs().PeekMulti("id") {
		if id, err := domain.ParseJobID(string(v)); err == nil && len(ids) < perPage {
			ids = append(ids, id)
		}
	}
	single := a.Query("page") == "job"
	key := a.Cookies(c.cookieName())
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.streams[a.session.ID] >= streamsEach {
		return domain.Errorf(domain.Throttled, "This session has as many live pages open as it may.").WithNext("Close one of them.")
	}
	c.streams[a.session.ID]++
	a.Set(fiber.HeaderContentType, "text/event-stream")
	a.Set("X-Accel-Buffering", "no")
	s := &stream{console: c, who: a.who, session: a.session.ID, key: key, ids: ids, single: single, last: map[domain.JobID]string{}, states: map[domain.JobID]domain.JobState{}}
	a.Context().SetBodyStreamWriter(s.run)
	return nil
}

type stream struct {
	*console
	who     domain.Staff
	session string
	key     string
	ids     []domain.JobID
	single  bool
	last    map[domain.JobID]string
	states  map[domain.JobID]domain.JobState
}

func (s *stream) run(w *bufio.Writer) {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.streams[s.session]--; s.streams[s.session] <= 0 {
			delete(s.streams, s.session)
		}
	}()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	look, ping, check := time.NewTicker(lookEvery), time.NewTicker(pingEvery), time.NewTicker(checkEvery)
	defer look.Stop()
	defer ping.Stop()
	defer check.Stop()
	for {
		var message string
		select {
		case <-s.Over:
			return
		case <-check.C:
			if _, err := s.Staff.Resume(ctx, s.key, true); domain.CodeOf(err) == domain.Unauthenticated {
				fmt.Fprint(w, "event: signed-out\ndata: x\n\n")
				_ = w.Flush() // whoever left does not hear it
				return
			}
			continue
		case <-ping.C:
			message = ": ping\n\n" // a peer that left shows only when something is sent
		case <-look.C:
			html, over, err := s.changes(ctx)
			if err != nil {
				s.Log.WarnContext(ctx, "live updates", "error", err)
				return
			}
			if html == "" && !over {
				continue
			}
			if html != "" {
				message = "data: " + strings.Join(strings.Split(html, "\n"), "\ndata: ") + "\n\n"
			}
			if over {
				message += "event: over\ndata: x\n\n"
			}
		}
		if _, err := w.WriteString(message); err != nil || w.Flush() != nil {
			return
		}
		if strings.HasSuffix(message, "event: over\ndata: x\n\n") {
			return
		}
	}
}

// changes renders what has changed since the last look, and reports whether
// nothing can change any more.
func (s *stream) changes(ctx context.Context) (html string, over bool, err error) {
	rows, err := s.Oversight.JobsOf(ctx, s.who, s.ids)
	if err != nil {
		return "", false, err
	}
	now, over := s.Clock.Now(), true
	var changed []web.JobRow
	var says []string
	var single oversight.JobRow
	for _, r := range rows {
		row := rowOf(r, now)
		over = over && !r.State.Active()
		if was, known := s.states[r.ID]; known && was != r.State {
			says = append(says, fmt.Sprintf("Job %s is %s.", row.Short(), strings.ToLower(row.State.Text)))
		}
		s.states[r.ID] = r.State
		if state := fmt.Sprint(row); s.last[r.ID] != state {
			// At first those that may have changed since the page was made.
			if s.last[r.ID] != "" || r.State.Active() || now.Sub(r.CompletedAt) < time.Minute {
				changed = append(changed, row)
			}
			s.last[r.ID], single = state, r
		}
	}
	var b bytes.Buffer
	switch {
	case len(changed) == 0:
		return "", over, nil
	case s.single:
		err = web.JobStateChange(jobState(single, now)).Render(ctx, &b)
	default:
		err = web.JobChanges(changed, strings.Join(says, " ")).Render(ctx, &b)
	}
	return b.String(), over, err
}

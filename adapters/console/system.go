package console

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"

	"cms.gov/ab2d/application/oversight"
	"cms.gov/ab2d/domain"
	web "cms.gov/ab2d/web/console"
)

func (c *console) systemPages(g fiber.Router) {
	g.Get("/system", c.signedIn(c.system))
	g.Get("/settings", c.signedIn(c.settings))
	g.Get("/settings.csv", c.signedIn(func(a *ask) error { return a.table("settings", plain(a.settingsTable())) }))
	if c.Queue != nil {
		g.Use("/river", c.guarded(domain.MayManageSettings, c.river))
	}
	for path, act := range systemActs {
		g.Get("/system/"+path, c.guarded(act.needs, func(a *ask) error { return a.systemForm(path, act) }))
		g.Post("/system/"+path, c.guarded(act.needs, func(a *ask) error { return a.doSystem(path, act) }))
	}
	g.Get("/system/maintenance", c.guarded(domain.MayManageSettings, c.maintenanceForm))
	g.Post("/system/maintenance", c.guarded(domain.MayManageSettings, c.setMaintenance))
}

// river shows River's own pages. They get the context of the request as it is
// elsewhere: fasthttp's own is used for other requests afterwards, while who
// waited for its end may still be at it.
func (c *console) river(a *ask) error {
	return adaptor.HTTPHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.Queue.ServeHTTP(w, r.WithContext(a.ctx()))
	}))(a.Ctx)
}

func (a *ask) checks() []Check {
	if a.Checks == nil {
		return nil
	}
	return a.Checks(a.ctx())
}

// The tabs of the page, by their names in its address.
var systemTabs = []struct{ key, text string }{{"", "Health"}, {"workers", "Workers"}, {"queue", "Queue"}, {"storage", "Storage"}, {"source", "Claims source"}, {"hpms", "HPMS"}}

func (c *console) system(a *ask) error {
	tab := a.Query("tab")
	if !slices.ContainsFunc(systemTabs, func(t struct{ key, text string }) bool { return t.key == tab }) {
		return nothingHere()
	}
	s, err := a.Oversight.System(a.ctx(), a.who)
	if err != nil {
		return err
	}
	v := web.Detail{Title: "System health"}
	for _, t := range systemTabs {
		url := systemPath
		if t.key != "" {
			url += "?tab=" + t.key
		}
		v.Tabs = append(v.Tabs, web.Link{Text: t.text, URL: url, Current: t.key == tab})
	}
	show := map[string]func(oversight.System, *web.Detail) error{"": a.healthTab, "workers": a.workersTab, "queue": a.queueTab, "storage": a.storageTab, "source": a.sourceTab, "hpms": a.hpmsTab}
	if err := show[tab](s, &v); err != nil {
		return err
	}
	return a.page(web.DetailPage(a.shell("System health", systemPath), v))
}

func (a *ask) healthTab(s oversight.System, v *web.Detail) error {
	v.Tone, v.Says = "ok", "Everything is well."
	v.Facts = []web.Fact{a.modeFact(), {Name: "Version", Text: a.Version, Code: true}, {Name: "Files are in", Text: a.Watch.Files}, {Name: "Claims come from", Text: a.Watch.Source}}
	checks := web.Section{Title: "Checks", Table: web.Table{Caption: "Checks", Columns: []string{"What", "State", "Value", "Bound", "Since", "What to do"}}}
	wrong := 0
	for _, c := range a.conditions(s) {
		badge, do := web.Badge{Text: "Well", Tone: "ok"}, "–"
		if c.tone != "" {
			badge, do = web.Badge{Text: map[string]string{"bad": "Not well", "warn": "Look"}[c.tone], Tone: c.tone}, c.do
			if wrong++; wrong == 1 || c.tone == "bad" && v.Tone != "bad" {
				v.Tone, v.Says = c.tone, c.says
			}
		}
		checks.Table.Rows = append(checks.Table.Rows, []web.Cell{{Text: c.what, URL: c.url}, {Badge: &badge}, {Text: c.value}, {Text: cmp.Or(c.bound, "–")}, sinceCell(c.since), {Text: do}})
	}
	if wrong > 1 {
		v.Says += " " + strings.ToUpper(plural(wrong-1, "other")[:1]) + plural(wrong-1, "other")[1:] + " below."
	}
	upkeep, err := a.upkeep(s)
	if err != nil {
		return err
	}
	v.Parts = []web.Section{checks, upkeep}
	if !a.who.May(domain.MayManageSettings) {
		return nil
	}
	v.Actions = []web.Link{{Text: "Maintenance mode", URL: maintenancePath}}
	if a.Config.Queue != nil {
		v.Actions = append(v.Actions, web.Link{Text: "River's queue pages, to look only", URL: QueuePath + "/"})
	}
	people, err := a.people()
	v.Parts = append(v.Parts, people)
	return err
}

// people is a table of who is signed in.
func (a *ask) people() (web.Section, error) {
	people := web.Section{Title: "People signed in", Empty: "Nobody is.", Table: web.Table{Caption: "People signed in", Columns: []string{"Who", "Role", "From", "Since", "Seen"}}}
	present, err := a.Staff.Present(a.ctx(), a.who)
	for _, s := range present {
		var roles []string
		for _, r := range s.Staff.Roles {
			roles = append(roles, r.Title())
		}
		people.Table.Rows = append(people.Table.Rows, []web.Cell{{Text: s.Staff.Name}, {Text: strings.Join(roles, ", ")}, {Text: s.Staff.From}, {At: s.CreatedAt}, {At: s.SeenAt}})
	}
	return people, err
}

func (a *ask) workersTab(s oversight.System, v *web.Detail) error {
	working, lost := s.Workers()
	held, places := 0, 0
	for _, p := range working {
		held, places = held+p.State.Partitions, places+p.State.Places
	}
	v.Facts = []web.Fact{{Name: "Workers", Text: web.Count(len(working))}, {Name: "Partitions being written", Text: fmt.Sprintf("%d of %d at once", held, places)}, {Name: "Fell silent in the last hour", Text: web.Count(len(lost))}}
	t := web.Table{Caption: "Processes by host", Columns: []string{"Host", "Process", "State", "Version", "Roles", "Started", "Last heard of", "Partitions", "Memory"}, Numbers: []int{7, 8}}
	for _, p := range s.Processes {
		badge := web.Badge{Text: "Running", Tone: "ok"}
		if p.Silent > domain.SilentAfter {
			badge = web.Badge{Text: "Silent", Tone: "bad"}
		}
		partitions := "–"
		if p.State.Places > 0 {
			partitions = fmt.Sprintf("%d of %d", p.State.Partitions, p.State.Places)
		}
		t.Rows = append(t.Rows, []web.Cell{{Text: p.Host}, {Text: fmt.Sprint(p.PID), Code: true}, {Badge: &badge}, {Text: p.Version}, {Text: strings.Join(p.Roles, ", ")}, {At: p.StartedAt}, {Text: web.Span(p.Silent) + " ago"},
			{Text: partitions}, {Text: web.Bytes(p.State.Memory)}})
	}
	v.Parts = []web.Section{{Title: "Processes", Empty: "No process tells of itself yet. Each does so every 15 seconds once it runs.", Table: t}}
	return nil
}

func (a *ask) queueTab(s oversight.System, v *web.Detail) error {
	v.Says, v.Tone = "Workers take up what waits.", "ok"
	if a.who.May(domain.MayRunJobs) {
		v.Actions = []web.Link{{Text: "Pause the queue", URL: systemPath + "/pause"}}
	}
	if s.Pause.Value != "" {
		v.Says, v.Tone = fmt.Sprintf("The queue is paused, by %s since %s: %s", s.Pause.ChangedBy, web.When(s.Pause.ChangedAt), s.Pause.Value), "warn"
		if a.who.May(domain.MayRunJobs) {
			v.Actions = []web.Link{{Text: "Let the queue go on", URL: systemPath + "/resume"}}
		}
	}
	v.Facts = []web.Fact{{Name: "Jobs running or waiting", Text: web.Count(s.Backlog.Jobs), URL: jobsPath}, {Name: "Partitions that wait", Text: web.Count(s.Backlog.Waiting)},
		{Name: "Partitions that workers are at", Text: web.Count(s.Backlog.Held)}, {Name: "Oldest wait", Text: web.Span(s.Backlog.Oldest)}}
	pulse, err := a.Oversight.Pulse(a.ctx(), a.who, 24*time.Hour)
	v.Plots = []web.Plot{waitPlot(pulse)}
	return err
}

func (a *ask) storageTab(s oversight.System, v *web.Detail) error {
	if a.who.May(domain.MayRunJobs) {
		v.Actions = []web.Link{{Text: "Sweep now", URL: systemPath + "/sweep"}}
	}
	v.Facts = append([]web.Fact{{Name: "Files are in", Text: a.Watch.Files}}, errandFacts(s, s.Sweep, "sweep")...)
	disks := web.Section{Title: "Disks", Empty: "Files are not on a disk of ours, or no process has told of one yet.", Table: web.Table{Caption: "Disks of the store of files", Columns: []string{"Host", "State", "Used", "Free", "Size", "Too full since"}, Numbers: []int{2, 3, 4}}}
	for _, p := range disksOf(s) {
		badge := web.Badge{Text: "Well", Tone: "ok"}
		if p.State.Disk.Full() {
			badge = web.Badge{Text: "Too full", Tone: "bad"}
		}
		disks.Table.Rows = append(disks.Table.Rows, []web.Cell{{Text: p.Host}, {Badge: &badge}, {Text: share(p.State.Disk.Used())}, {Text: web.Bytes(p.State.Disk.Free)}, {Text: web.Bytes(p.State.Disk.Total)}, sinceCell(p.State.Disk.Since)})
	}
	ages := web.Section{Title: "Bytes held by age", Empty: "The store was not swept yet.", Table: web.Table{Caption: "Bytes held by age, as of the last sweep", Columns: []string{"Written", "Files", "Bytes"}, Numbers: []int{1, 2}}}
	if swept := s.Sweep.Last.Swept; swept != nil {
		v.Facts = append(v.Facts, web.Fact{Name: "Held", Text: fmt.Sprintf("%s, %s", plural(swept.Files, "file"), web.Bytes(swept.Bytes))},
			web.Fact{Name: "Deleted by the last sweep", Text: fmt.Sprintf("%s whose time was over, %s", plural(swept.Deleted, "file"), web.Bytes(swept.Freed))},
			web.Fact{Name: "Orphans of the last sweep", Text: plural(swept.Orphans, "file") + " that nothing referred to"})
		from := "now"
		for _, g := range swept.Ages {
			written := "more than " + from + " ago"
			if g.Within > 0 {
				to := length(g.Within)
				if written = from + " to " + to + " ago"; from == "now" {
					written = "in the last " + to
				}
				from = to
			}
			ages.Table.Rows = append(ages.Table.Rows, []web.Cell{{Text: written}, {Text: web.Count(g.Files)}, {Text: web.Bytes(g.Bytes)}})
		}
	}
	v.Parts = []web.Section{disks, ages}
	return nil
}

// errandFacts tell how an errand stands.
func errandFacts(s oversight.System, e domain.Errand, what string) []web.Fact {
	next := web.Fact{Name: "Next " + what, At: s.At.Add(e.Rest)}
	switch {
	case e.Busy:
		next = web.Fact{Name: "Next " + what, Text: "one is going on now"}
	case e.Rest <= 0:
		next = web.Fact{Name: "Next " + what, Text: "as soon as a worker looks"}
	}
	if e.Last.EndedAt.IsZero() {
		return []web.Fact{{Name: "Last " + what, Text: "never"}, next}
	}
	badge := web.Badge{Text: "Done", Tone: "ok"}
	if e.Last.Outcome == domain.HeldRun {
		badge = web.Badge{Text: "Held for a person", Tone: "warn"}
	} else if !e.Last.Well() {
		badge = web.Badge{Text: "Failed", Tone: "bad"}
	}
	return []web.Fact{{Name: "Last " + what, At: e.Last.EndedAt}, {Name: "Its outcome", Badge: &badge}, {Name: "It took", Text: web.Span(e.Last.Took)}, next}
}

// disksOf returns a process of each host that tells of a disk, the one heard of last.
func disksOf(s oversight.System) (of []domain.Process) {
	for _, p := range s.Processes {
		if p.State.Disk == nil || p.Silent > domain.SilentAfter {
			continue
		}
		if n := len(of); n > 0 && of[n-1].Host == p.Host { // they come by host
			if p.Silent < of[n-1].Silent {
				of[n-1] = p
			}
			continue
		}
		of = append(of, p)
	}
	return of
}

// sinceCell is since when something is not well, if it is.
func sinceCell(t time.Time) web.Cell {
	if t.IsZero() {
		return web.Cell{Text: "–"}
	}
	return web.Cell{At: t}
}

// length is a length of time that somebody chose, without the zeros behind it.
func length(d time.Duration) string {
	return strings.TrimSuffix(strings.TrimSuffix(web.Span(d), " 0 s"), " 0 min")
}

func share(f float64) string {
	if f > 0 && f < .001 {
		return "under 0.1%"
	}
	return fmt.Sprintf("%.1f%%", 100*f)
}

func (a *ask) sourceTab(s oversight.System, v *web.Detail) error {
	sum := s.SourceNow()
	v.Facts = []web.Fact{{Name: "Claims come from", Text: a.Watch.Source}, {Name: "Calls in the last 15 minutes", Text: web.Count(sum.Calls())}, {Name: "Not answered", Text: share(sum.ErrorShare())}}
	if sum.Answered > 0 {
		v.Facts = append(v.Facts, web.Fact{Name: "Half were answered within", Text: web.Brief(sum.Latencies.Within(.5))}, web.Fact{Name: "95 of 100 within", Text: web.Brief(sum.Latencies.Within(.95))})
	}
	t := web.Table{Caption: "Calls by process", Columns: []string{"Host", "Process", "Circuit breaker", "Away since", "At once now", "At once at most", "Waiting", "Times away"}, Numbers: []int{4, 5, 6, 7}}
	for _, p := range s.Processes {
		if c := p.State.Source; c != nil && p.Silent <= domain.SilentAfter {
			badge := web.Badge{Text: "Closed: calls go through", Tone: "ok"}
			if !c.Away.IsZero() {
				badge = web.Badge{Text: "Open: the source is away", Tone: "bad"}
			}
			t.Rows = append(t.Rows, []web.Cell{{Text: p.Host}, {Text: fmt.Sprint(p.PID), Code: true}, {Badge: &badge}, sinceCell(c.Away), {Text: web.Count(c.InUse)}, {Text: web.Count(c.Limit)}, {Text: web.Count(c.Waiting)}, {Text: web.Count(c.Outages)}})
		}
	}
	v.Parts = []web.Section{{Title: "Concurrency now", Empty: "Nothing bounds the calls to this source: it is on this machine, or no worker runs.", Table: t}}
	calls, err := a.Oversight.SourceCalls(a.ctx(), a.who, 24*time.Hour)
	b := bucketsAt(s.At, 24*time.Hour)
	v.Plots = []web.Plot{latencyPlot(b, calls), troublePlot(b, calls)}
	return err
}

func (a *ask) hpmsTab(s oversight.System, v *web.Detail) error {
	if a.Watch.Listing == 0 {
		v.Says, v.Tone = "HPMS is not followed: sponsors, contracts and attestations are kept by hand. The setting hpms-url changes that.", "warn"
		return nil
	}
	if a.who.May(domain.MayManageContracts) {
		v.Actions = []web.Link{{Text: "Ask HPMS now", URL: systemPath + "/hpms"}}
	}
	last := s.HPMS.Last
	v.Facts = append(errandFacts(s, s.HPMS, "time asked"), web.Fact{Name: "Last answered well", At: last.Done, Text: map[bool]string{true: "never"}[last.Done.IsZero()]})
	t := web.Table{Caption: "What the last answer changed", Columns: []string{"What", "How many, or which"}}
	for _, d := range []struct{ key, text string }{{"error", "What went wrong"}, {"contracts", "Contracts listed"}, {"added", "Contracts that are new"}, {"changed", "Contracts whose facts changed"}, {"events", "Attestation events"}, {"unclear", "Contracts of which HPMS says too little"}, {"would end", "Attestations that would end, held"}} {
		if text := last.Detail[d.key]; text != "" {
			t.Rows = append(t.Rows, []web.Cell{{Text: d.text}, {Text: text}})
		}
	}
	if last.Detail["hold"] != "" {
		t.Rows = append(t.Rows, []web.Cell{{Text: "Held"}, {Text: "See what would change", URL: heldPath + "/" + last.Detail["hold"]}})
	}
	v.Parts = []web.Section{{Title: "What it changed", Empty: "HPMS was not asked yet.", Table: t}}
	return nil
}

// upkeep is a table of what goes on in the background.
func (a *ask) upkeep(s oversight.System) (web.Section, error) {
	k, err := a.Oversight.Upkeep(a.ctx(), a.who)
	enrollment := fmt.Sprintf("%s taken in, %d being gathered now", plural(k.Intakes, "contract"), k.Gathered)
	if k.Intakes == 0 {
		enrollment = "no contract is taken in from a source"
	}
	return web.Section{Title: "In the background", Table: web.Table{Caption: "Work in the background", Columns: []string{"What", "How it stands", "Last"}, Rows: [][]web.Cell{
		{{Text: "Enrollment from its source"}, {Text: enrollment}, instant(k.TakenIn)},
		{{Text: "Changes from upstream held", URL: heldPath}, {Text: plural(k.Held, "change") + " waiting for a person"}, {Text: "–"}},
		{{Text: "Sweeping of the store of files", URL: systemPath + "?tab=storage"}, {Text: map[bool]string{true: "going on now", false: "the last sweep"}[s.Sweep.Busy]}, instant(s.Sweep.Last.EndedAt)},
		{{Text: "Sealing of the audit trail"}, {Text: map[bool]string{true: "nothing is sealed yet", false: "the latest seal"}[k.Sealed.IsZero()]}, instant(k.Sealed)},
	}}}, err
}

func (c *console) settings(a *ask) error {
	return a.page(web.ListPage(a.shell("Settings", root+"/settings"), web.List{Title: "Settings", Says: plural(len(a.Settings)+1, "setting"), Table: a.settingsTable(),
		Lead:    "What this process runs with, and where each value came from: a flag, a variable, the file, or the default. They are changed there; maintenance is changed here.",
		Actions: []web.Link{{Text: "Download CSV", URL: root + "/settings.csv"}}}, root+"/settings"))
}

func (a *ask) settingsTable() web.Table {
	mode, from := web.Badge{Text: "off"}, "default"
	if a.mode.Value != "" {
		mode = web.Badge{Text: "on", Tone: "warn"}
	}
	if !a.mode.ChangedAt.IsZero() {
		from = "set here by " + a.mode.ChangedBy + ", " + web.When(a.mode.ChangedAt)
	}
	first := []web.Cell{{Text: "maintenance mode", URL: maintenancePath}, {Badge: &mode, Note: a.mode.Value}, {Text: from}, {Text: "While everything runs: no export starts, and sponsors are told why."}}
	if !a.who.May(domain.MayManageSettings) {
		first[0].URL = ""
	}
	t := web.Table{Caption: "Settings", Columns: []string{"Setting", "Value", "From", "Meaning"}, Rows: [][]web.Cell{first}}
	for _, s := range a.Settings {
		t.Rows = append(t.Rows, []web.Cell{{Text: s.Name, Code: true}, {Text: s.Value}, {Text: s.From}, {Text: s.Means}})
	}
	return t
}

const systemPath = root + "/system"

// systemAct is something that staff have done to the system, with a reason.
type systemAct struct {
	needs              domain.Permission
	title, says, warns string
	submit, tab        string
	do                 func(a *ask) error
}

var systemActs = map[string]systemAct{
	"sweep": {needs: domain.MayRunJobs, title: "Sweep the store of files now", submit: "Sweep now", tab: "storage", says: "A worker deletes files whose time is over and files that nothing refers to, as it does by itself again and again. Nothing else is touched.",
		do: func(a *ask) error { return a.Oversight.WakeSweep(a.ctx(), a.who, a.why()) }},
	"hpms": {needs: domain.MayManageContracts, title: "Ask HPMS now", submit: "Ask HPMS", tab: "hpms", says: "A worker asks HPMS for its list as it does by itself again and again. What would end too many attestations at once waits for a person.",
		do: func(a *ask) error { return a.Oversight.WakeHPMS(a.ctx(), a.who, a.why()) }},
	"pause": {needs: domain.MayRunJobs, title: "Pause the queue", submit: "Pause it", tab: "queue", says: "Exports are still accepted, and wait.", warns: "No worker begins anything until somebody lets the queue go on. What workers are at goes on to its end.",
		do: func(a *ask) error { return a.Oversight.Pause(a.ctx(), a.who, true, a.why()) }},
	"resume": {needs: domain.MayRunJobs, title: "Let the queue go on", submit: "Let it go on", tab: "queue", says: "Workers take up again what waits.",
		do: func(a *ask) error { return a.Oversight.Pause(a.ctx(), a.who, false, a.why()) }},
}

func (a *ask) systemPage(path string, act systemAct) (web.Shell, web.Form) {
	back := systemPath + "?tab=" + act.tab
	f := web.Form{Action: systemPath + "/" + path, Back: back, Submit: act.submit, Says: []string{act.says}, Fields: reasonFields()}
	if act.warns != "" {
		f.Warns, f.Stop = []string{act.warns}, true
	}
	return a.shell(act.title, systemPath, web.Link{Text: "System health", URL: back}), f
}

func (a *ask) systemForm(path string, act systemAct) error {
	s, form := a.systemPage(path, act)
	a.fill(&form)
	return a.page(web.FormPage(s, act.title, form))
}

func (a *ask) doSystem(path string, act systemAct) error {
	if err := act.do(a); err != nil {
		s, form := a.systemPage(path, act)
		return a.refused(s, act.title, form, err)
	}
	return a.Redirect(systemPath+"?tab="+act.tab+"&done="+path, fiber.StatusSeeOther)
}

const maintenancePath = root + "/system/maintenance"

func (a *ask) modeFact() web.Fact {
	f := web.Fact{Name: "Maintenance", Text: "off"}
	switch {
	case a.mode.Fixed != "":
		f.Text = "on since the process started: " + a.mode.Fixed
	case a.mode.Value != "":
		f.Text = fmt.Sprintf("on, by %s since %s", a.mode.ChangedBy, web.When(a.mode.ChangedAt))
	}
	return f
}

func (a *ask) maintenancePage() (s web.Shell, title string, f web.Form) {
	title = "Maintenance mode"
	f = web.Form{Action: maintenancePath, Back: root + "/system", Submit: "Change it",
		Says:   []string{"With a message no export starts: the API answers 503 with the message, and GET /status says that there is maintenance. Status, downloads and running exports go on.", "Without one exports start again."},
		Fields: append([]web.Field{{Name: "message", Label: "Message for sponsors", Kind: "text", Optional: true, Value: a.mode.Value, Hint: "A sentence that says what is being done and until when. Empty it to end the maintenance."}}, reasonFields()...)}
	if a.mode.Fixed != "" {
		f.Warns = []string{"The process was started with maintenance on (AB2D_MAINTENANCE or --maintenance): it lasts until it is started without."}
	}
	return a.shell(title, root+"/system", web.Link{Text: "System health", URL: root + "/system"}), title, f
}

func (c *console) maintenanceForm(a *ask) error {
	s, title, form := a.maintenancePage()
	a.fill(&form)
	return a.page(web.FormPage(s, title, form))
}

func (c *console) setMaintenance(a *ask) error {
	if err := c.Maintenance.Set(a.ctx(), a.who, a.FormValue("message"), a.why()); err != nil {
		s, title, form := a.maintenancePage()
		return a.refused(s, title, form, err)
	}
	return a.Redirect(root+"/system?done=maintenance", fiber.StatusSeeOther)
}

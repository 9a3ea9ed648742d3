package console

import (
	"fmt"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"

	"cms.gov/ab2d/domain"
	web "cms.gov/ab2d/web/console"
)

func (c *console) systemPages(g fiber.Router) {
	g.Get("/system", c.signedIn(c.system))
	g.Get("/settings", c.signedIn(c.settings))
	g.Get("/settings.csv", c.signedIn(func(a *ask) error { return a.table("settings", plain(a.settingsTable())) }))
	if c.Queue != nil {
		queue := adaptor.HTTPHandler(c.Queue)
		g.Use("/river", c.guarded(domain.MayManageSettings, func(a *ask) error { return queue(a.Ctx) }))
	}
	g.Get("/system/maintenance", c.guarded(domain.MayManageSettings, c.maintenanceForm))
	g.Post("/system/maintenance", c.guarded(domain.MayManageSettings, c.setMaintenance))
}

func (a *ask) checks() []Check {
	if a.Checks == nil {
		return nil
	}
	return a.Checks(a.ctx())
}

func (c *console) system(a *ask) error {
	pulse, err := a.Oversight.Pulse(a.ctx(), a.who, 24*time.Hour)
	if err != nil {
		return err
	}
	v := web.Detail{Title: "System health", Tone: "ok", Says: "Everything answers.", Facts: []web.Fact{
		a.modeFact(),
		{Name: "Version", Text: a.Version, Code: true},
		{Name: "Jobs running or waiting", Text: web.Count(pulse.Jobs)},
		{Name: "Partitions that wait", Text: web.Count(pulse.Waiting)},
		{Name: "Partitions that workers are at", Text: web.Count(pulse.Held)},
		{Name: "Oldest wait", Text: web.Span(pulse.Oldest)},
	}}
	checks := web.Section{Title: "Checks", Empty: "This process has none.", Table: web.Table{Caption: "Checks", Columns: []string{"What", "State", "More"}}}
	for _, check := range a.checks() {
		badge, why := web.Badge{Text: "Well", Tone: "ok"}, check.Says
		if check.Err != nil {
			badge, why = web.Badge{Text: "Not well", Tone: "bad"}, check.Err.Error()
			v.Tone, v.Says = "bad", "The "+check.Name+" is not well."
		}
		checks.Table.Rows = append(checks.Table.Rows, []web.Cell{{Text: check.Name}, {Badge: &badge}, {Text: why}})
	}
	upkeep, err := a.upkeep()
	if err != nil {
		return err
	}
	v.Parts = []web.Section{checks, upkeep}
	if a.who.May(domain.MayManageSettings) {
		v.Actions = []web.Link{{Text: "Maintenance mode", URL: maintenancePath}}
		if c.Queue != nil {
			v.Actions = append(v.Actions, web.Link{Text: "River's queue pages, to look only", URL: QueuePath + "/"})
		}
		present, err := a.Staff.Present(a.ctx(), a.who)
		if err != nil {
			return err
		}
		people := web.Section{Title: "People signed in", Empty: "Nobody is.", Table: web.Table{Caption: "People signed in", Columns: []string{"Who", "Role", "From", "Since", "Seen"}}}
		for _, s := range present {
			roles := ""
			for i, r := range s.Staff.Roles {
				if i > 0 {
					roles += ", "
				}
				roles += r.Title()
			}
			people.Table.Rows = append(people.Table.Rows, []web.Cell{{Text: s.Staff.Name}, {Text: roles}, {Text: s.Staff.From}, {At: s.CreatedAt}, {At: s.SeenAt}})
		}
		v.Parts = append(v.Parts, people)
	}
	return a.page(web.DetailPage(a.shell("System health", root+"/system"), v))
}

// upkeep is a table of what goes on in the background.
func (a *ask) upkeep() (web.Section, error) {
	k, err := a.Oversight.Upkeep(a.ctx(), a.who)
	enrollment := fmt.Sprintf("%s taken in, %d being gathered now", plural(k.Intakes, "contract"), k.Gathered)
	if k.Intakes == 0 {
		enrollment = "no contract is taken in from a source"
	}
	return web.Section{Title: "In the background", Table: web.Table{Caption: "Work in the background", Columns: []string{"What", "How it stands", "Last"}, Rows: [][]web.Cell{
		{{Text: "Enrollment from its source"}, {Text: enrollment}, instant(k.TakenIn)},
		{{Text: "Changes from upstream held", URL: heldPath}, {Text: plural(k.Held, "change") + " waiting for a person"}, {Text: "–"}},
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

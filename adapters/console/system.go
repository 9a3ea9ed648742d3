package console

import (
	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/domain"
	web "cms.gov/ab2d/web/console"

	"time"
)

func (c *console) systemPages(g fiber.Router) {
	g.Get("/system", c.signedIn(c.system))
	g.Get("/settings", c.signedIn(c.settings))
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
		{Name: "Version", Text: a.Version, Code: true},
		{Name: "Jobs running or waiting", Text: web.Count(pulse.Jobs)},
		{Name: "Partitions that wait", Text: web.Count(pulse.Waiting)},
		{Name: "Partitions that workers are at", Text: web.Count(pulse.Held)},
		{Name: "Oldest wait", Text: web.Span(pulse.Oldest)},
	}}
	checks := web.Section{Title: "Checks", Empty: "This process has none.", Table: web.Table{Caption: "Checks", Columns: []string{"What", "State", "Why"}}}
	for _, check := range a.checks() {
		badge, why := web.Badge{Text: "Well", Tone: "ok"}, ""
		if check.Err != nil {
			badge, why = web.Badge{Text: "Not well", Tone: "bad"}, check.Err.Error()
			v.Tone, v.Says = "bad", "The "+check.Name+" is not well."
		}
		checks.Table.Rows = append(checks.Table.Rows, []web.Cell{{Text: check.Name}, {Badge: &badge}, {Text: why}})
	}
	v.Parts = []web.Section{checks}
	if a.who.May(domain.MayManageSettings) {
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

func (c *console) settings(a *ask) error {
	v := web.List{Title: "Settings", Lead: "What this process runs with, and where each value came from: a flag, a variable, the file, or the default. They are changed there.",
		Says: plural(len(a.Settings), "setting"), Table: web.Table{Caption: "Settings", Columns: []string{"Setting", "Value", "From", "Meaning"}}, Empty: "There are none."}
	for _, s := range a.Settings {
		v.Table.Rows = append(v.Table.Rows, []web.Cell{{Text: s.Name, Code: true}, {Text: s.Value}, {Text: s.From}, {Text: s.Means}})
	}
	return a.page(web.ListPage(a.shell("Settings", root+"/settings"), v, root+"/settings"))
}

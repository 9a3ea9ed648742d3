package console

import (
	"cmp"
	"fmt"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/application/oversight"
	"cms.gov/ab2d/domain"
	web "cms.gov/ab2d/web/console"
)

const heldPath = root + "/held"

func (c *console) heldPages(g fiber.Router) {
	g.Get("/held", c.signedIn(c.held))
	g.Get("/held.csv", c.signedIn(c.heldCSV))
	g.Get("/held/:id", c.signedIn(c.hold))
	for _, action := range []string{"release", "reject"} {
		g.Get("/held/:id/"+action, c.guarded(domain.MayManageContracts, c.holdForm(action)))
		g.Post("/held/:id/"+action, c.guarded(domain.MayManageContracts, c.holdAct(action)))
	}
}

var holdBadges = map[domain.HoldState]web.Badge{domain.HoldWaiting: {Text: "Waiting", Tone: "run"}, domain.HoldReleased: {Text: "Released", Tone: "ok"},
	domain.HoldRejected: {Text: "Rejected", Tone: "bad"}, domain.HoldSuperseded: {Text: "Superseded"}}

var holdKinds = map[domain.HoldKind]string{domain.HeldListing: "HPMS: attestations that would end", domain.HeldEnrollment: "Enrollment: people who would be gone"}

func holdRows(all []domain.Hold) (rows [][]web.Cell) {
	for _, h := range all {
		badge := holdBadges[h.State]
		rows = append(rows, []web.Cell{{Text: holdKinds[h.Kind], URL: heldPath + "/" + h.ID}, {Text: cmp.Or(string(h.Contract), "–")}, {At: h.At}, {Text: web.Count(h.Before)}, {Text: web.Count(h.Dropped)}, {Badge: &badge}})
	}
	return rows
}

var holdColumns = []string{"What", "Contract", "Since", "Before", "Would be gone", "State"}

func (c *console) heldCSV(a *ask) error {
	waiting, decided, err := a.Oversight.Held(a.ctx(), a.who)
	if err != nil {
		return err
	}
	return a.table("held", plain(web.Table{Columns: holdColumns, Rows: holdRows(append(waiting, decided...))}))
}

func (c *console) held(a *ask) error {
	waiting, decided, err := a.Oversight.Held(a.ctx(), a.who)
	if err != nil {
		return err
	}
	open, err := a.Oversight.Incomplete(a.ctx(), a.who)
	if err != nil {
		return err
	}
	incomplete := web.Section{Title: "To be completed", Empty: "Everything that HPMS left open is completed.", Table: web.Table{Caption: "Events of which HPMS does not say everything", Columns: []string{"Contract", "What is missing", "Effective", "Recorded", ""}}}
	for _, e := range open {
		missing, action := "who attested is not known", "Name the attestor"
		if e.Kind == domain.EndUnknown {
			missing, action = "not classified: a lapse or a removal? Until then the shorter grace counts, ten days", "Classify it"
		}
		row := []web.Cell{{Text: string(e.Contract), URL: contractsPath + "/" + string(e.Contract) + "?tab=attestation"}, {Text: missing}, {Text: e.Effective.String()}, {At: e.Recorded}, {}}
		if a.who.May(domain.MayManageContracts) {
			row[4] = web.Cell{Text: action, URL: contractsPath + "/" + string(e.Contract) + "/attestation?kind=correct&event=" + e.ID}
		}
		incomplete.Table.Rows = append(incomplete.Table.Rows, row)
	}
	return a.page(web.DetailPage(a.shell("Held changes", heldPath), web.Detail{Title: "Held changes", Actions: []web.Link{{Text: "Download CSV", URL: root + "/held.csv"}},
		Says: "What HPMS or the enrollment source brought and would take too much away is held: what was in force stays in force until somebody decides.",
		Parts: []web.Section{
			{Title: "Waiting for a decision", Empty: "Nothing is waiting.", Table: web.Table{Caption: "Changes that wait", Columns: holdColumns, Numbers: []int{3, 4}, Rows: holdRows(waiting)}},
			incomplete,
			{Title: "Decided", Empty: "Nothing was decided yet.", Table: web.Table{Caption: "Changes that were decided", Columns: holdColumns, Numbers: []int{3, 4}, Rows: holdRows(decided)}},
		}}))
}

func (c *console) hold(a *ask) error {
	h, err := a.Oversight.Hold(a.ctx(), a.who, a.Params("id"))
	if err != nil {
		return err
	}
	badge := holdBadges[h.State]
	what := "people enrolled"
	if h.Kind == domain.HeldListing {
		what = "contracts attested"
	}
	v := web.Detail{Title: holdKinds[h.Kind], Badge: &badge, Says: h.Reason, Facts: []web.Fact{{Name: "Since", At: h.At}, {Name: "Before", Text: web.Count(h.Before) + " " + what}, {Name: "Would be gone", Text: web.Count(h.Dropped) + " of them"}}}
	if h.Contract != "" {
		v.Facts = append(v.Facts, web.Fact{Name: "Contract", Text: string(h.Contract), URL: contractsPath + "/" + string(h.Contract) + "?tab=coverage"})
	}
	if h.State == domain.HoldWaiting {
		if a.who.May(domain.MayManageContracts) {
			v.Actions = []web.Link{{Text: "Release", URL: heldPath + "/" + h.ID + "/release"}, {Text: "Reject", URL: heldPath + "/" + h.ID + "/reject"}}
		}
	} else {
		v.Facts = append(v.Facts, web.Fact{Name: "Decided by", Text: h.By.ID}, web.Fact{Name: "Decided", At: h.Decided}, web.Fact{Name: "Because", Text: h.Note})
	}
	if len(h.Ending) > 0 {
		ends := web.Section{Title: "Whose attestation would end", Table: web.Table{Caption: "Contracts", Columns: []string{"Contract", "Name", "Attested now", "Claims from", "Then"}}}
		for _, e := range h.Ending {
			now, then := web.Badge{Text: "Attested", Tone: "ok"}, "ended, how is not known: ten days to re-attest"
			if !e.Active {
				now, then = web.Badge{Text: "Not attested", Tone: "warn"}, "as now"
			}
			from := "–"
			if !e.DataStart.IsZero() {
				from = e.DataStart.String()
			}
			ends.Table.Rows = append(ends.Table.Rows, []web.Cell{{Text: string(e.Number), URL: contractsPath + "/" + string(e.Number)}, {Text: e.Name}, {Badge: &now}, {Text: from}, {Text: then}})
		}
		v.Parts = append(v.Parts, ends)
	}
	if len(h.Months) > 0 {
		months := web.Section{Title: "In force and held, by month", Table: web.Table{Caption: "People enrolled by month", Columns: []string{"Month", "In force", "Held", "Difference"}, Numbers: []int{1, 2, 3}}}
		for _, m := range h.Months {
			months.Table.Rows = append(months.Table.Rows, []web.Cell{{Text: m.Month.First().String()[:7]}, {Text: web.Count(m.Before)}, {Text: web.Count(m.After)}, {Text: difference(m.Before, m.After)}})
		}
		v.Parts = append(v.Parts, months)
	}
	return a.page(web.DetailPage(a.shell(v.Title, heldPath, web.Link{Text: "Held changes", URL: heldPath}), v))
}

// difference is a change of a number, with its sign and its share.
func difference(before, after int) string {
	switch d := after - before; {
	case d == 0:
		return "none"
	case before == 0:
		return "+" + web.Count(d)
	case d < 0:
		return fmt.Sprintf("−%s (%d%%)", web.Count(-d), -d*100/before)
	default:
		return fmt.Sprintf("+%s (%d%%)", web.Count(d), d*100/before)
	}
}

func (a *ask) holdPage(action string) (h oversight.HeldChange, s web.Shell, title string, f web.Form, err error) {
	h, err = a.Oversight.Hold(a.ctx(), a.who, a.Params("id"))
	here := heldPath + "/" + h.ID
	f = web.Form{Action: here + "/" + action, Back: here, Says: []string{h.Reason}, Fields: reasonFields()}
	if action == "release" {
		title, f.Submit, f.Stop = "Release the held change", "Release it: take the change over", true
		f.Warns = []string{fmt.Sprintf("%s would be gone: %s of %s.", map[bool]string{true: "Attested contracts", false: "Enrolled people"}[h.Kind == domain.HeldListing], web.Count(h.Dropped), web.Count(h.Before)), "Running exports of contracts whose attestation ends stop, and their files cannot be fetched meanwhile.",
			"A release cannot be taken back as a whole. " + undoing(h.Kind)}
	} else {
		title, f.Submit = "Reject the held change", "Keep what is in force"
	}
	return h, a.shell(title, heldPath, web.Link{Text: "Held changes", URL: heldPath}), title, f, err
}

// undoing says what is left to do for who released a change by mistake.
func undoing(k domain.HoldKind) string {
	if k == domain.HeldListing {
		return "If it was wrong, have staff keep each contract and correct its ending, on its page: that brings the files back, but no export that was stopped."
	}
	return "If it was wrong, it takes the source to say otherwise: the next enrollment it brings is taken over as a whole, and exports from then on go by it."
}

func (c *console) holdForm(action string) func(*ask) error {
	return func(a *ask) error {
		_, s, title, form, err := a.holdPage(action)
		if err != nil {
			return err
		}
		a.fill(&form)
		return a.page(web.FormPage(s, title, form))
	}
}

func (c *console) holdAct(action string) func(*ask) error {
	return func(a *ask) error {
		h, s, title, form, err := a.holdPage(action)
		if err != nil {
			return err
		}
		if err = a.Oversight.DecideHold(a.ctx(), a.who, h.ID, action == "release", a.why()); err == nil {
			return a.Redirect(heldPath+"/"+h.ID+"?done=decided", fiber.StatusSeeOther)
		}
		return a.refused(s, title, form, err)
	}
}

// attentionHeld says what waits for a decision or to be completed.
func (a *ask) attentionHeld() (alerts []web.Alert, err error) {
	waiting, _, err := a.Oversight.Held(a.ctx(), a.who)
	if err != nil {
		return nil, err
	}
	if len(waiting) > 0 {
		alerts = append(alerts, web.Alert{Says: plural(len(waiting), "change") + " from upstream held.", More: "What was in force stays so until somebody decides.", URL: heldPath, Tone: "warn"})
	}
	open, err := a.Oversight.Incomplete(a.ctx(), a.who)
	unclassified := 0
	for _, e := range open {
		if e.Kind == domain.EndUnknown {
			unclassified++
		}
	}
	if unclassified > 0 {
		alerts = append(alerts, web.Alert{Says: plural(unclassified, "ending") + " of attestation not classified.", More: "The shorter grace counts until staff say which it was.", URL: heldPath, Tone: "warn"})
	}
	return alerts, err
}

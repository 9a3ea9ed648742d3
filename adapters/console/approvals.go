package console

import (
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/application/oversight"
	"cms.gov/ab2d/domain"
	web "cms.gov/ab2d/web/console"
)

const approvalsPath = root + "/approvals"

func (c *console) approvalPages(g fiber.Router) {
	g.Get("/approvals", c.signedIn(c.approvals))
	g.Get("/approvals.csv", c.signedIn(c.approvalsCSV))
	g.Get("/approvals/:id", c.signedIn(c.approval))
	for _, action := range []string{"approve", "deny"} {
		g.Get("/approvals/:id/"+action, c.signedIn(c.approvalForm(action)))
		g.Post("/approvals/:id/"+action, c.signedIn(c.approvalAct(action)))
	}
}

var approvalBadges = map[domain.ApprovalState]web.Badge{domain.ApprovalWaiting: {Text: "Waiting", Tone: "run"}, domain.ApprovalGiven: {Text: "Approved", Tone: "ok"},
	domain.ApprovalDenied: {Text: "Denied", Tone: "bad"}, domain.ApprovalExpired: {Text: "Expired", Tone: "warn"}}

func approvalRows(all []domain.Approval) (rows [][]web.Cell) {
	for _, p := range all {
		badge := approvalBadges[p.State]
		decider := web.Cell{Text: "–"}
		if p.DecidedBy.ID != "" {
			decider = web.Cell{Text: p.DecidedBy.Name, Note: p.Note}
		}
		rows = append(rows, []web.Cell{{Text: p.Target, URL: approvalsPath + "/" + p.ID}, {Text: p.Says}, {Text: p.By.Name, Note: p.Reason.Text}, {At: p.AskedAt}, {Badge: &badge}, decider})
	}
	return rows
}

var approvalColumns = []string{"On", "What is asked for", "Asked by", "Asked", "State", "Decided by"}

func (c *console) approvalsCSV(a *ask) error {
	waiting, decided, err := a.Oversight.Approvals(a.ctx(), a.who)
	if err != nil {
		return err
	}
	return a.table("approvals", plain(web.Table{Columns: approvalColumns, Rows: approvalRows(append(waiting, decided...))}))
}

func (c *console) approvals(a *ask) error {
	waiting, decided, err := a.Oversight.Approvals(a.ctx(), a.who)
	if err != nil {
		return err
	}
	return a.page(web.DetailPage(a.shell("Approvals", approvalsPath), web.Detail{Title: "Approvals", Actions: []web.Link{{Text: "Download CSV", URL: root + "/approvals.csv"}},
		Says: "What one person asks for here, another approves. Nobody approves what they asked for themselves, and a request expires after 72 hours.",
		Parts: []web.Section{
			{Title: "Waiting", Empty: "Nothing is waiting.", Table: web.Table{Caption: "Requests that wait", Columns: approvalColumns, Rows: approvalRows(waiting)}},
			{Title: "Decided", Empty: "Nothing was decided yet.", Table: web.Table{Caption: "Requests that were decided or expired", Columns: approvalColumns, Rows: approvalRows(decided)}},
		}}))
}

func (c *console) approval(a *ask) error {
	p, err := a.Oversight.Approval(a.ctx(), a.who, a.Params("id"))
	if err != nil {
		return err
	}
	badge := approvalBadges[p.State]
	v := web.Detail{Title: "Request on " + p.Target, Badge: &badge, Says: p.Says, Facts: []web.Fact{
		{Name: "What", Text: p.Does, Code: true}, {Name: "Asked by", Text: p.By.Name}, {Name: "Asked", At: p.AskedAt}, {Name: "Reason", Text: p.Reason.Text}}}
	if n, err := domain.ParseContractNumber(p.Target); err == nil {
		v.Facts = append(v.Facts, web.Fact{Name: "Contract", Text: string(n), URL: contractsPath + "/" + string(n) + "?tab=attestation"})
	}
	if p.Reason.Ticket != "" {
		v.Facts = append(v.Facts, web.Fact{Name: "Ticket", Text: p.Reason.Ticket})
	}
	switch p.State {
	case domain.ApprovalWaiting:
		v.Facts = append(v.Facts, web.Fact{Name: "Expires", At: p.EndsAt})
		if a.who.May(p.Needs) {
			if a.who.ID != p.By.ID {
				v.Actions = append(v.Actions, web.Link{Text: "Approve", URL: approvalsPath + "/" + p.ID + "/approve"})
			}
			v.Actions = append(v.Actions, web.Link{Text: "Deny", URL: approvalsPath + "/" + p.ID + "/deny"})
		}
	case domain.ApprovalGiven, domain.ApprovalDenied:
		v.Facts = append(v.Facts, web.Fact{Name: "Decided by", Text: p.DecidedBy.Name}, web.Fact{Name: "Decided", At: p.DecidedAt}, web.Fact{Name: "Because", Text: p.Note})
		if p.Result != "" {
			v.Facts = append(v.Facts, web.Fact{Name: "What came of it", Text: p.Result})
		}
	}
	return a.page(web.DetailPage(a.shell(v.Title, approvalsPath, web.Link{Text: "Approvals", URL: approvalsPath}), v))
}

func (a *ask) approvalPage(action string) (p domain.Approval, s web.Shell, title string, f web.Form, err error) {
	p, err = a.Oversight.Approval(a.ctx(), a.who, a.Params("id"))
	here := approvalsPath + "/" + p.ID
	f = web.Form{Action: here + "/" + action, Back: here, Says: []string{p.By.Name + " asks: " + p.Says, "Reason given: " + p.Reason.Text}, Fields: reasonFields()}
	title, f.Submit = "Approve the request on "+p.Target, "Approve it and have it done"
	if p.Action == domain.PairClient {
		f.Says = append(f.Says, "A link is made then that shows the client's secret once. You get it, to send it to the sponsor's data operations specialist.")
	}
	if action == "deny" {
		title, f.Submit, f.Stop = "Deny the request on "+p.Target, "Deny it", true
	}
	return p, a.shell(title, approvalsPath, web.Link{Text: "Approvals", URL: approvalsPath}), title, f, err
}

func (c *console) approvalForm(action string) func(*ask) error {
	return func(a *ask) error {
		p, s, title, form, err := a.approvalPage(action)
		if err != nil {
			return err
		}
		if err := a.permit(p.Needs); err != nil {
			return err
		}
		a.fill(&form)
		return a.page(web.FormPage(s, title, form))
	}
}

func (c *console) approvalAct(action string) func(*ask) error {
	return func(a *ask) error {
		p, s, title, form, err := a.approvalPage(action)
		if err != nil {
			return err
		}
		var link oversight.Link
		if action == "approve" {
			if p, link, err = a.Oversight.Approve(a.ctx(), a.who, p.ID, a.why()); err == nil && link.Key != "" {
				return a.linked("The client is created", link.Client, link)
			}
		} else {
			_, err = a.Oversight.Deny(a.ctx(), a.who, p.ID, a.why())
		}
		if err == nil {
			return a.Redirect(approvalsPath+"/"+a.Params("id")+"?done=decided", fiber.StatusSeeOther)
		}
		return a.refused(s, title, form, err)
	}
}

// attentionApprovals are the requests that this person can decide.
func (a *ask) attentionApprovals() (alerts []web.Alert, err error) {
	waiting, _, err := a.Oversight.Approvals(a.ctx(), a.who)
	for _, p := range waiting {
		if a.who.May(p.Needs) && a.who.ID != p.By.ID {
			alerts = append(alerts, web.Alert{Says: p.By.Name + " asks for approval: " + strings.TrimSuffix(p.Says, ".") + ".", More: "It expires in " + web.Span(p.EndsAt.Sub(a.now()).Truncate(time.Minute)) + ".", URL: approvalsPath + "/" + p.ID, Tone: "warn"})
		}
	}
	return alerts, err
}

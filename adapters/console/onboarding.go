package console

import (
	"fmt"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/application/oversight"
	"cms.gov/ab2d/domain"
	web "cms.gov/ab2d/web/console"
)

// oncePath is where one-time links lead to.
const oncePath = root + "/once"

func (c *console) onboardingPages(g fiber.Router) {
	for _, action := range []string{"specialist", "sandbox", "override"} {
		g.Get("/contracts/:id/"+action, c.guarded(domain.MayManageContracts, c.onboardForm(action)))
		g.Post("/contracts/:id/"+action, c.guarded(domain.MayManageContracts, c.onboardAct(action)))
	}
	deliver, delivered := c.fresh(c.deliverForm), c.fresh(c.deliver)
	g.Get("/clients/:id/deliver", c.guarded(domain.MayManageClients, deliver))
	g.Post("/clients/:id/deliver", c.guarded(domain.MayManageClients, delivered))
	g.Get("/once", unreferred, func(f *fiber.Ctx) error { return send(f, web.OncePage(oncePath)) })
	g.Post("/once", unreferred, c.openLink)
}

// steps are the steps to production access, with where each is done.
func (a *ask) steps(c oversight.Contract) []web.Step {
	here := contractsPath + "/" + string(c.Number)
	var enabled, addressed int
	for _, k := range c.Clients {
		if k.Enabled {
			enabled++
			if len(k.Networks) > 0 {
				addressed++
			}
		}
	}
	o := c.Onboard
	link := func(done bool, p domain.Permission, text, url string) web.Link {
		if done || !a.who.May(p) {
			return web.Link{}
		}
		return web.Link{Text: text, URL: url}
	}
	specialist, sandbox := "Who receives the credentials.", "An export that the sponsor finished in the sandbox, by its job id."
	if o.Specialist.Name != "" {
		specialist = o.Specialist.Name + ", " + o.Specialist.Email
	}
	if o.Sandbox.Job != "" {
		sandbox = fmt.Sprintf("Job %s, verified by %s on %s", string(o.Sandbox.Job)[:8], o.Sandbox.By, web.When(o.Sandbox.At))
		if o.Sandbox.Elsewhere {
			sandbox += ", who looked it up in the sandbox: it cannot be seen from here"
		}
	}
	steps := []web.Step{
		{Says: "Attested", Done: c.Standing.Active, More: "An attestor (CEO, CFO or COO) has to be active.", Link: link(c.Standing.Active, domain.MayManageContracts, "Attest", here+"?tab=attestation")},
		{Says: "Data operations specialist named", Done: o.Specialist.Name != "", More: specialist, Link: link(false, domain.MayManageContracts, map[bool]string{false: "Name them", true: "Change"}[o.Specialist.Name != ""], here+"/specialist")},
		{Says: "Sandbox export verified", Done: o.Sandbox.Job != "", More: sandbox, Link: link(o.Sandbox.Job != "", domain.MayManageContracts, "Verify it", here+"/sandbox")},
		{Says: "Addresses approved", Done: addressed > 0, More: "A client that may call from registered addresses only.", Link: link(addressed > 0, domain.MayManageClients, "Approve them", clientsPath)},
		{Says: "Credentials issued", Done: enabled > 0, More: plural(enabled, "enabled API client"), Link: link(enabled > 0, domain.MayManageClients, "Create a client", clientsPath+"/new")},
		{Says: "First export", Done: !c.LastExport.IsZero(), More: "A complete export of this contract."},
	}
	if !o.Override.At.IsZero() {
		steps[4].More += fmt.Sprintf("; issued before the steps are done, by %s: %s", o.Override.By, o.Override.Reason)
	} else if a.Oversight.Onboard && enabled == 0 && len(o.Missing(c.Standing.Active, true)) > 0 {
		steps[4].More = "Refused until the steps before are done."
		steps[4].Link = link(false, domain.MayManageContracts, "Override", here+"/override")
	}
	return steps
}

func (a *ask) onboardPage(action string) (n domain.ContractNumber, s web.Shell, title string, f web.Form, err error) {
	if n, err = a.contractNumber(); err != nil {
		return n, s, "", f, err
	}
	held, err := a.Oversight.Contract(a.ctx(), a.who, n)
	here := contractsPath + "/" + string(n)
	f = web.Form{Action: here + "/" + action, Back: here, Fields: reasonFields(), Submit: "Record it"}
	o := held.Onboard
	switch action {
	case "specialist":
		title = "Data operations specialist of " + string(n)
		f.Fields = append([]web.Field{{Name: "name", Label: "Name", Kind: "text", Value: o.Specialist.Name}, {Name: "email", Label: "E-mail", Kind: "email", Value: o.Specialist.Email}}, f.Fields...)
	case "sandbox":
		title = "Verify the sandbox export of " + string(n)
		f.Says = []string{"The sponsor sends the id of a job that it finished in the sandbox by itself."}
		if a.Oversight.SandboxElsewhere {
			f.Says = append(f.Says, "The sandbox is another installation: look the job up there before you record it. Here is checked only that this is the id of a job and was not given for another contract; that the job is complete, and the sponsor's own, you vouch for by name.")
		}
		f.Fields = append([]web.Field{{Name: "job", Label: "Job id", Kind: "text", Value: string(o.Sandbox.Job)}}, f.Fields...)
	case "override":
		title, f.Submit, f.Stop = "Issue credentials of "+string(n)+" before the steps are done", "Override", true
		f.Warns = []string{"Credentials may then be issued although steps before are not done. No claims leave without an active attestation all the same."}
	}
	return n, a.contractShell(title, n), title, f, err
}

func (c *console) onboardForm(action string) func(*ask) error {
	return func(a *ask) error {
		_, s, title, form, err := a.onboardPage(action)
		if err != nil {
			return err
		}
		a.fill(&form)
		return a.page(web.FormPage(s, title, form))
	}
}

func (c *console) onboardAct(action string) func(*ask) error {
	return func(a *ask) error {
		n, s, title, form, err := a.onboardPage(action)
		if err != nil {
			return err
		}
		switch action {
		case "specialist":
			err = a.Oversight.NameSpecialist(a.ctx(), a.who, n, domain.Specialist{Name: a.FormValue("name"), Email: a.FormValue("email")}, a.why())
		case "sandbox":
			err = a.Oversight.VerifySandbox(a.ctx(), a.who, n, a.FormValue("job"), a.why())
		case "override":
			err = a.Oversight.Override(a.ctx(), a.who, n, a.why())
		}
		if err == nil {
			return a.Redirect(contractsPath+"/"+string(n)+"?done=changed", fiber.StatusSeeOther)
		}
		return a.refused(s, title, form, err)
	}
}

// one-time links

func (a *ask) deliverPage() (id domain.ClientID, s web.Shell, title string, f web.Form, err error) {
	k, err := a.client()
	if err != nil {
		return "", s, "", f, err
	}
	here := clientsPath + "/" + string(k.ID)
	title = "Send a secret of " + k.Name
	_, rotate := a.clientPage("rotate", k)
	return k.ID, a.clientShell(title, k.ID), title, web.Form{Action: here + "/deliver", Back: here, Fields: rotate.Fields, Submit: "Rotate it and make the link",
		Says: []string{"The secret is rotated, and the new one is behind a link that shows it once, within three days. Nobody here sees it.", "Send the link to the data operations specialist by a way that nobody else reads."}}, nil
}

func (c *console) deliverForm(a *ask) error {
	_, s, title, form, err := a.deliverPage()
	if err != nil {
		return err
	}
	a.fill(&form)
	return a.page(web.FormPage(s, title, form))
}

func (c *console) deliver(a *ask) error {
	id, s, title, form, err := a.deliverPage()
	if err != nil {
		return err
	}
	overlap, ok := overlaps[a.FormValue("overlap")]
	if !ok {
		overlap = -1 // refused by the rule itself
	}
	link, err := a.Oversight.SendLink(a.ctx(), a.who, id, overlap, a.why())
	if err != nil {
		return a.refused(s, title, form, err)
	}
	return a.linked("The link is made", id, link)
}

// linked shows a one-time link. Its key stands behind the #, which no browser
// sends: so it is in no log, whoever keeps it, and in no Referer.
func (a *ask) linked(title string, id domain.ClientID, l oversight.Link) error {
	return a.page(web.LinkPage(a.clientShell(title, id), title, string(id), a.PublicURL+oncePath+"#"+l.Key, "It can be opened once, until "+web.When(l.EndsAt)+"."))
}

// overlaps are how long an old secret may count on.
var overlaps = map[string]time.Duration{"0": 0, "24": 24 * time.Hour, "72": 72 * time.Hour}

// unreferred keeps the address of a page from all that it leads to.
func unreferred(f *fiber.Ctx) error {
	f.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	return f.Next()
}

func (c *console) openLink(f *fiber.Ctx) error {
	key := string(f.Context().PostArgs().Peek("key"))    // of the body alone: what an address says is logged
	if _, after, whole := strings.Cut(key, "#"); whole { // somebody pasted the link
		key = after
	}
	client, secret, err := c.Oversight.OpenLink(f.UserContext(), strings.TrimSpace(key), c.Address(f).String())
	if err != nil {
		e, _ := c.explained(f, err)
		f.Status(statuses[e.Code])
		return send(f, web.LinkOver(e.Message, e.Next))
	}
	return send(f, web.OpenedPage(string(client), secret))
}

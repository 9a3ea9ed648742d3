package console

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/application/oversight"
	"cms.gov/ab2d/domain"
	web "cms.gov/ab2d/web/console"
)

func (c *console) partyPages(g fiber.Router) {
	may := domain.MayManageContracts
	for path, action := range map[string]string{"/sponsors/new": "add", "/sponsors/:id/edit": "edit", "/sponsors/:id/merge": "merge", "/sponsors/:id/deactivate": "deactivate", "/sponsors/:id/activate": "activate"} {
		g.Get(path, c.guarded(may, c.kept(action, (*ask).sponsorForm, nil)))
		g.Post(path, c.guarded(may, c.kept(action, (*ask).sponsorForm, (*ask).keepSponsor)))
	}
	for path, action := range map[string]string{"/contracts/new": "add", "/contracts/:id/edit": "edit"} {
		g.Get(path, c.guarded(may, c.kept(action, (*ask).contractForm, nil)))
		g.Post(path, c.guarded(may, c.kept(action, (*ask).contractForm, (*ask).keepContract)))
	}
}

// party is a form about a sponsor or a contract.
type party struct {
	title, target, version string
	shell                  web.Shell
	form                   web.Form
}

// kept shows a form about a sponsor or a contract, or does what it asks for and
// goes to the page that do returns.
func (c *console) kept(action string, form func(*ask, string) (party, error), do func(*ask, string, string) (string, error)) func(*ask) error {
	return func(a *ask) error {
		p, err := form(a, action)
		if err != nil {
			return err
		}
		version := p.version
		if do == nil {
			a.fill(&p.form)
		} else {
			there, err := do(a, action, p.target)
			if err == nil {
				return a.Redirect(there+"?done=changed", fiber.StatusSeeOther)
			}
			if domain.CodeOf(err) != domain.Conflict {
				version = a.FormValue("version") // what was seen is still the same
			} else if p.target != "" && a.FormValue("version") != p.version {
				err = a.faster(&p, err)
			}
			p.form.Hidden = append(p.form.Hidden, web.Option{Value: "version", Text: version})
			return a.refused(p.shell, p.title, p.form, err)
		}
		p.form.Hidden = append(p.form.Hidden, web.Option{Value: "version", Text: version})
		return a.page(web.FormPage(p.shell, p.title, p.form))
	}
}

// faster tells in a form who changed meanwhile what it is about, and how. It
// returns the refusal in these words.
func (a *ask) faster(p *party, refusal error) error {
	name, at, err := a.Oversight.LastChange(a.ctx(), a.who, p.target)
	if err != nil {
		return err
	}
	for _, f := range p.form.Fields {
		now, typed := f.Value, strings.TrimSpace(a.FormValue(f.Name))
		for _, o := range f.Options {
			if o.Chosen {
				now = o.Value
			}
		}
		if f.Name != "reason" && f.Name != "ticket" && now != typed {
			p.form.Says = append(p.form.Says, fmt.Sprintf("%s is now “%s”; yours is “%s”.", f.Label, now, typed))
		}
	}
	if name == "" {
		return refusal
	}
	return domain.Errorf(domain.Conflict, "It was changed by %s %s ago, since you opened the form.", name, web.Span(a.now().Sub(at).Truncate(time.Second))).
		WithNext("What you typed is still here. Send it again if it is right.")
}

var keepers = []web.Option{{Value: string(domain.Automatic), Text: "automatic: from HPMS"}, {Value: string(domain.Manual), Text: "manual: by staff"}, {Value: string(domain.NoUpdates), Text: "none: a contract of tests"}}

func (a *ask) sponsorForm(action string) (p party, err error) {
	rows, err := a.Oversight.Sponsors(a.ctx(), a.who)
	if err != nil {
		return p, err
	}
	var s oversight.SponsorRow
	crumbs := []web.Link{{Text: "Sponsors", URL: sponsorsPath}}
	p.form = web.Form{Action: a.Path(), Back: sponsorsPath, Fields: reasonFields()}
	if action != "add" {
		if s, err = sponsorOf(rows, domain.SponsorID(a.Params("id"))); err != nil {
			return p, err
		}
		p.target, p.version, p.form.Back = string(s.ID), s.Version(), sponsorsPath+"/"+string(s.ID)
		crumbs = append(crumbs, web.Link{Text: s.Name, URL: p.form.Back})
	}
	facts := []web.Field{{Name: "name", Label: "Name", Kind: "text", Value: s.Name}, {Name: "parent", Label: "Parent organization", Kind: "text", Optional: true, Value: s.Parent}}
	switch action {
	case "add":
		p.title, p.form.Submit = "Add a sponsor", "Add it"
		p.form.Says = []string{"Sponsors come from HPMS by themselves. Add one by hand for a site without HPMS, or for tests."}
		p.form.Fields = append(facts, p.form.Fields...)
	case "edit":
		p.title, p.form.Submit = "Edit "+s.Name, "Save"
		if s.ID.IsListed() {
			facts = append(facts, web.Field{Name: "updates", Label: "Its name is kept", Kind: "select", Hint: "What staff keep HPMS does not overwrite.", Options: choose(slices.Clone(keepers[:2]), string(cmp.Or(s.Updates, domain.Automatic)))})
		}
		p.form.Fields = append(facts, p.form.Fields...)
	case "merge":
		err = a.mergeForm(&p, s, rows)
	case "deactivate":
		p.title, p.form.Submit, p.form.Stop = "Deactivate "+s.Name, "Deactivate it", true
		p.form.Warns = []string{"It gets no contracts and no API clients any more, and none of its clients can be enabled. Its exports and its history stay. It can be activated again."}
		if s.Attested > 0 {
			p.form.Warns = append(p.form.Warns, "That is refused now: "+plural(s.Attested, "contract")+" of it attested. Record first how the attestation ended.")
		}
	case "activate":
		p.title, p.form.Submit = "Activate "+s.Name, "Activate it"
		p.form.Says = []string{"It may have contracts and API clients again. Clients that were disabled stay so."}
	}
	p.shell = a.shell(p.title, sponsorsPath, crumbs...)
	return p, err
}

func (a *ask) mergeForm(p *party, s oversight.SponsorRow, rows []oversight.SponsorRow) error {
	m, err := a.Oversight.Holdings(a.ctx(), a.who, s.ID)
	p.title, p.form.Submit, p.form.Stop = "Merge "+s.Name+" into another sponsor", "Merge them", true
	p.form.Says = []string{fmt.Sprintf("For one sponsor that is here twice. The other takes over %s, %s and %s, with all their files, attestations and history. API clients go on with the secrets they have.",
		plural(len(m.Contracts), "contract"), plural(len(m.Clients), "API client"), plural(m.Jobs, "job"))}
	p.form.Warns = []string{"This cannot be undone: afterwards nobody can tell which of the other's contracts and jobs were of this one, except in the audit log.", "Nobody is told of it: its people sign in and export as before."}
	if s.ID.IsListed() {
		p.form.Warns[1] = "What HPMS says of “" + s.Name + "” from then on counts for the other."
	}
	options := []web.Option{{Value: "", Text: "Choose one"}}
	for _, r := range rows {
		if r.ID != s.ID && r.Usable() == nil {
			options = append(options, web.Option{Value: string(r.ID), Text: r.Name + " (" + string(r.ID) + ")"})
		}
	}
	p.form.Fields = append([]web.Field{{Name: "into", Label: "The sponsor that stays", Kind: "select", Options: options}}, p.form.Fields...)
	return err
}

func sponsorOf(rows []oversight.SponsorRow, id domain.SponsorID) (s oversight.SponsorRow, err error) {
	i := slices.IndexFunc(rows, func(r oversight.SponsorRow) bool { return r.ID == id })
	if i < 0 {
		return s, domain.Errorf(domain.NotFound, "There is no sponsor %.60q.", id).WithNext("The list of sponsors shows all there are.")
	}
	return rows[i], nil
}

func (a *ask) keepSponsor(action, target string) (there string, err error) {
	id, seen := domain.SponsorID(target), a.FormValue("version")
	switch action {
	case "add":
		id, err = a.Oversight.AddSponsor(a.ctx(), a.who, a.FormValue("name"), a.FormValue("parent"), a.why())
	case "edit":
		err = a.Oversight.EditSponsor(a.ctx(), a.who, id, seen, a.FormValue("name"), a.FormValue("parent"), domain.Updates(a.FormValue("updates")), a.why())
	case "merge":
		into := domain.SponsorID(a.FormValue("into"))
		return sponsorsPath + "/" + string(into), a.Oversight.MergeSponsor(a.ctx(), a.who, id, seen, into, a.why())
	case "deactivate":
		err = a.Oversight.DeactivateSponsor(a.ctx(), a.who, id, seen, a.why())
	case "activate":
		err = a.Oversight.ActivateSponsor(a.ctx(), a.who, id, seen, a.why())
	}
	return sponsorsPath + "/" + string(id), err
}

var contractTypes = []web.Option{{Value: string(domain.NormalContract), Text: "normal: real enrollees"}, {Value: string(domain.TestContract), Text: "classic test: people who are made up"}, {Value: string(domain.SyntheaContract), Text: "Synthea: people whom Synthea made up"}}

func (a *ask) contractForm(action string) (p party, err error) {
	rows, err := a.Oversight.Sponsors(a.ctx(), a.who)
	if err != nil {
		return p, err
	}
	held := domain.Contract{Updates: domain.Manual, Sponsor: domain.SponsorID(a.Query("sponsor"))}
	crumbs := []web.Link{{Text: "Contracts", URL: contractsPath}}
	p.title, p.form = "Add a contract", web.Form{Action: a.Path(), Back: contractsPath, Submit: "Add it", Says: []string{"Contracts come from HPMS by themselves. Add one by hand for a site without HPMS, or for tests."}}
	if action == "edit" {
		n, err := a.contractNumber()
		if err != nil {
			return p, err
		}
		c, err := a.Oversight.Contract(a.ctx(), a.who, n)
		if err != nil {
			return p, err
		}
		held, p.target, p.version = c.Contract, string(n), c.Version()
		p.title, p.form.Submit, p.form.Back, p.form.Says = "Edit contract "+string(n), "Save", contractsPath+"/"+string(n), nil
		crumbs = append(crumbs, web.Link{Text: string(n), URL: p.form.Back})
	} else {
		p.form.Fields = []web.Field{{Name: "number", Label: "Number", Kind: "text", Hint: "A letter and four digits, as S1234; those of tests begin with Z."}}
	}
	sponsors := []web.Option{{Value: "", Text: "Choose one"}}
	for _, r := range rows {
		if r.Usable() == nil || r.ID == held.Sponsor {
			sponsors = append(sponsors, web.Option{Value: string(r.ID), Text: r.Name + " (" + string(r.ID) + ")"})
		}
	}
	f := held.Facts()
	p.form.Fields = append(append(p.form.Fields, web.Field{Name: "name", Label: "Name", Kind: "text", Value: f.Name},
		web.Field{Name: "type", Label: "Type", Kind: "select", Options: choose(slices.Clone(contractTypes), string(f.Type))},
		web.Field{Name: "sponsor", Label: "Sponsor", Kind: "select", Options: choose(sponsors, string(f.Sponsor))},
		web.Field{Name: "updates", Label: "Facts and attestation are kept", Kind: "select", Hint: "What HPMS says is taken over of automatic contracts only.", Options: choose(slices.Clone(keepers), string(f.Updates))}), reasonFields()...)
	p.shell = a.shell(p.title, contractsPath, crumbs...)
	return p, nil
}

func (a *ask) keepContract(action, target string) (there string, err error) {
	f := domain.Facts{Name: a.FormValue("name"), Type: domain.ContractType(a.FormValue("type")), Sponsor: domain.SponsorID(a.FormValue("sponsor")), Updates: domain.Updates(a.FormValue("updates"))}
	n := domain.ContractNumber(target)
	if action == "add" {
		n, err = a.Oversight.AddContract(a.ctx(), a.who, a.FormValue("number"), f, a.why())
	} else {
		err = a.Oversight.EditContract(a.ctx(), a.who, n, a.FormValue("version"), f, a.why())
	}
	return contractsPath + "/" + string(n), err
}

func sponsorBadge(s domain.Sponsor) web.Badge {
	switch {
	case s.Merged != "":
		return web.Badge{Text: "Merged", Tone: "warn"}
	case s.Inactive:
		return web.Badge{Text: "Not active"}
	}
	return web.Badge{Text: "Active", Tone: "ok"}
}

// sponsorActions are what may be done to a sponsor as it stands.
func (a *ask) sponsorActions(s domain.Sponsor) []web.Link {
	here := sponsorsPath + "/" + string(s.ID)
	switch {
	case !a.who.May(domain.MayManageContracts) || s.Merged != "":
		return nil
	case s.Inactive:
		return []web.Link{{Text: "Edit", URL: here + "/edit"}, {Text: "Merge", URL: here + "/merge"}, {Text: "Activate", URL: here + "/activate"}}
	}
	return []web.Link{{Text: "Edit", URL: here + "/edit"}, {Text: "Add a contract", URL: contractsPath + "/new?sponsor=" + string(s.ID)}, {Text: "Merge", URL: here + "/merge"}, {Text: "Deactivate", URL: here + "/deactivate"}}
}

// keptBy says who keeps a contract.
func keptBy(u domain.Updates) string {
	switch u {
	case domain.Manual:
		return "by staff"
	case domain.NoUpdates:
		return "by nobody: a contract of tests"
	}
	return "by HPMS"
}

func typeWords(t domain.ContractType) string {
	switch t {
	case domain.TestContract:
		return "Classic test"
	case domain.SyntheaContract:
		return "Synthea test"
	}
	return "Normal"
}

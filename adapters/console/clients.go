package console

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/application/clients"
	"cms.gov/ab2d/domain"
	web "cms.gov/ab2d/web/console"
)

const clientsPath = root + "/clients"

func (c *console) clientPages(g fiber.Router) {
	g.Get("/clients", c.signedIn(c.clients))
	g.Get("/clients.csv", c.signedIn(c.clientsCSV))
	g.Get("/clients/new", c.guarded(domain.MayManageClients, c.fresh(c.newClientForm)))
	g.Post("/clients/new", c.guarded(domain.MayManageClients, c.fresh(c.newClient)))
	g.Get("/clients/:id", c.signedIn(c.client))
	for _, action := range []string{"rotate", "enable", "disable", "networks", "keys", "revoke"} {
		form, act := c.clientForm(action), c.clientAct(action)
		if action == "rotate" || action == "revoke" {
			form, act = c.fresh(form), c.fresh(act)
		}
		g.Get("/clients/:id/"+action, c.guarded(domain.MayManageClients, form))
		g.Post("/clients/:id/"+action, c.guarded(domain.MayManageClients, act))
	}
}

func clientTable() web.Table {
	return web.Table{Caption: "API clients", Columns: []string{"Client", "Id", "Contracts", "State", "Proves itself by", "Addresses", "Last used", "Failures since"}, Numbers: []int{7}}
}

func clientBadge(k clients.Known) web.Badge {
	if k.Enabled {
		return web.Badge{Text: "Enabled", Tone: "ok"}
	}
	return web.Badge{Text: "Disabled"}
}

func proof(k clients.Known, now time.Time) string {
	switch live := len(k.LiveSecrets(now)); {
	case live > 1:
		return fmt.Sprintf("%d secrets, one on its way out", live)
	case live == 1:
		return "a secret"
	case k.Keys != domain.ClientKeys{}:
		return "signed assertions"
	}
	return "the token issuer's own secret"
}

func clientCells(k clients.Known, now time.Time) []web.Cell {
	badge := clientBadge(k)
	addresses := "any"
	if len(k.Networks) > 0 {
		addresses = plural(len(k.Networks), "block")
	}
	return []web.Cell{{Text: k.Name, URL: clientsPath + "/" + string(k.ID)}, {Text: string(k.ID), Code: true}, {Text: numbers(k.Contracts)}, {Badge: &badge}, {Text: proof(k, now)}, {Text: addresses},
		instant(k.Activity.LastUsed), {Text: web.Count(k.Activity.Failures)}}
}

func numbers(all []domain.ContractNumber) string {
	texts := make([]string, len(all))
	for i, n := range all {
		texts[i] = string(n)
	}
	return strings.Join(texts, ", ")
}

func (c *console) clients(a *ask) error {
	known, err := a.Clients.List(a.ctx())
	if err != nil {
		return err
	}
	v := web.List{Title: "API clients", Says: plural(len(known), "client"), Empty: "There are no clients.", Table: clientTable(), Actions: []web.Link{{Text: "Download CSV", URL: root + "/clients.csv"}}}
	if a.who.May(domain.MayManageClients) {
		v.Actions = append([]web.Link{{Text: "Create a client", URL: clientsPath + "/new"}}, v.Actions...)
	}
	for _, k := range known {
		v.Table.Rows = append(v.Table.Rows, clientCells(k, a.now()))
	}
	return a.page(web.ListPage(a.shell("API clients", clientsPath), v, clientsPath))
}

func (c *console) clientsCSV(a *ask) error {
	known, err := a.Clients.List(a.ctx())
	if err != nil {
		return err
	}
	out := [][]string{{"client", "name", "sponsor", "contracts", "enabled", "addresses", "created (UTC)", "last used (UTC)", "failures since"}}
	for _, k := range known {
		used := ""
		if !k.Activity.LastUsed.IsZero() {
			used = web.UTC(k.Activity.LastUsed)
		}
		out = append(out, []string{string(k.ID), k.Name, string(k.Sponsor), numbers(k.Contracts), fmt.Sprint(k.Enabled), blocks(k.Networks, " "), web.UTC(k.CreatedAt), used, fmt.Sprint(k.Activity.Failures)})
	}
	return a.table("clients", out)
}

func blocks(all []netip.Prefix, between string) string {
	texts := make([]string, len(all))
	for i, n := range all {
		texts[i] = n.String()
	}
	return strings.Join(texts, between)
}

// held returns the client of the address, or not_found.
func (a *ask) client() (clients.Known, error) {
	k, err := a.Clients.Get(a.ctx(), domain.ClientID(a.Params("id")))
	if domain.CodeOf(err) == domain.NotFound {
		return k, domain.Errorf(domain.NotFound, "There is no client %.80q.", a.Params("id")).WithNext("The list of clients shows all there are.")
	}
	return k, err
}

func (c *console) client(a *ask) error {
	k, err := a.client()
	if err != nil {
		return err
	}
	here, badge := clientsPath+"/"+string(k.ID), clientBadge(k)
	v := web.Detail{Title: k.Name, Badge: &badge, Facts: []web.Fact{
		{Name: "Client id", Text: string(k.ID), Code: true},
		{Name: "Sponsor", Text: string(k.Sponsor), URL: sponsorsPath + "/" + string(k.Sponsor)},
		{Name: "Contracts", Text: numbers(k.Contracts)},
		{Name: "Created", At: k.CreatedAt},
		{Name: "May call from", Text: cmp.Or(blocks(k.Networks, ", "), "any address")},
		{Name: "Keys", Text: cmp.Or(k.Keys.URL, map[bool]string{true: "a set kept here", false: "none"}[k.Keys.Set != ""])},
		{Name: "Last used", Text: "never"},
		{Name: "Failed attempts since", Text: web.Count(k.Activity.Failures)},
		{Name: "Jobs", Text: "Show its jobs", URL: jobsPath + "?client=" + string(k.ID)},
	}}
	if !k.Activity.LastUsed.IsZero() {
		v.Facts[6] = web.Fact{Name: "Last used", At: k.Activity.LastUsed, Text: "from " + k.Activity.LastFrom.String()}
	}
	may := a.who.May(domain.MayManageClients)
	if may {
		v.Actions = []web.Link{{Text: "Rotate the secret", URL: here + "/rotate"}, {Text: "Send a secret", URL: here + "/deliver"}, {Text: "Change the addresses", URL: here + "/networks"}, {Text: "Change the keys", URL: here + "/keys"}}
		if k.Enabled {
			v.Actions = append(v.Actions, web.Link{Text: "Disable", URL: here + "/disable"})
		} else {
			v.Actions = append(v.Actions, web.Link{Text: "Enable", URL: here + "/enable"})
		}
	}
	secrets := web.Section{Title: "Secrets", Empty: "It has no secret of ours.", Table: web.Table{Caption: "Secrets", Columns: []string{"Secret", "Created", "Counts until", "Age", ""}}}
	for _, s := range k.LiveSecrets(a.now()) {
		until := web.Cell{Text: "for ever"}
		if !s.ExpiresAt.IsZero() {
			until = web.Cell{At: s.ExpiresAt}
		}
		end := web.Cell{}
		if may {
			end = web.Cell{Text: "End it now", URL: here + "/revoke?secret=" + s.ID}
		}
		secrets.Table.Rows = append(secrets.Table.Rows, []web.Cell{{Text: s.ID, Code: true}, {At: s.CreatedAt}, until, {Text: web.Span(a.now().Sub(s.CreatedAt))}, end})
	}
	v.Parts, v.Shown = []web.Section{secrets}, true
	history, err := a.Oversight.History(a.ctx(), a.who, string(k.ID))
	if err != nil {
		return err
	}
	for _, e := range history {
		v.History = append(v.History, entryOf(e))
	}
	return a.page(web.DetailPage(a.shell(k.Name, clientsPath, web.Link{Text: "API clients", URL: clientsPath}), v))
}

func (a *ask) newClientPage() (title string, f web.Form, err error) {
	rows, err := a.Oversight.Contracts(a.ctx(), a.who)
	if err != nil {
		return "", f, err
	}
	var contracts []web.Option
	for _, r := range rows {
		contracts = append(contracts, web.Option{Value: string(r.Number), Text: string(r.Number) + ", " + r.Of.Name + " (" + strings.ToLower(standingBadge(r.Standing, r.Today).Text) + ")"})
	}
	return "Create an API client", web.Form{Action: clientsPath + "/new", Back: clientsPath, Submit: "Create it and show the secret", Says: []string{"Its secret is shown once, on the next page."},
		Fields: append([]web.Field{
			{Name: "name", Label: "Name", Kind: "text", Hint: "What people call it, as the sponsor's name and the system."},
			{Name: "contracts", Label: "Contracts", Kind: "checks", Hint: "All of one sponsor.", Options: contracts},
			{Name: "networks", Label: "May call from", Kind: "area", Optional: true, Hint: "Addresses or blocks, one a line, as 192.0.2.0/24. Empty for any address."},
		}, reasonFields()...)}, nil
}

func (c *console) newClientForm(a *ask) error {
	title, form, err := a.newClientPage()
	if err != nil {
		return err
	}
	a.fill(&form)
	return a.page(web.FormPage(a.clientShell(title, ""), title, form))
}

func (a *ask) clientShell(title string, id domain.ClientID) web.Shell {
	crumbs := []web.Link{{Text: "API clients", URL: clientsPath}}
	if id != "" {
		crumbs = append(crumbs, web.Link{Text: string(id), URL: clientsPath + "/" + string(id)})
	}
	return a.shell(title, clientsPath, crumbs...)
}

func (a *ask) networks() (all []netip.Prefix, err error) {
	for _, s := range strings.Fields(strings.ReplaceAll(a.FormValue("networks"), ",", " ")) {
		if addr, err := netip.ParseAddr(s); err == nil {
			all = append(all, netip.PrefixFrom(addr, addr.BitLen()))
		} else if block, err := netip.ParsePrefix(s); err == nil {
			all = append(all, block.Masked())
		} else {
			return nil, domain.Errorf(domain.Invalid, "%.40q is no address and no block.", s).WithNext("Give it as 192.0.2.7 or 192.0.2.0/24.")
		}
	}
	return all, nil
}

func (c *console) newClient(a *ask) error {
	var made clients.Created
	var asked string
	err := func() error {
		if err := a.why().Check(); err != nil {
			return err
		}
		networks, err := a.networks()
		if err != nil {
			return err
		}
		cmd := clients.New{Name: a.FormValue("name"), Networks: networks, Secret: true}
		rows, err := a.Oversight.Contracts(a.ctx(), a.who)
		if err != nil {
			return err
		}
		for _, v := range a.Context().PostArgs().PeekMulti("contracts") {
			n := domain.ContractNumber(v)
			cmd.Contracts = append(cmd.Contracts, n)
			for _, r := range rows {
				if r.Number == n {
					cmd.Sponsor = r.Sponsor
				}
			}
		}
		if len(cmd.Contracts) == 0 {
			return domain.Errorf(domain.Invalid, "The client is for no contract.").WithNext("Choose one or more.")
		}
		made, asked, err = a.Oversight.CreateClient(a.ctx(), a.who, cmd, a.why())
		return err
	}()
	if err == nil && asked != "" {
		return a.Redirect(approvalsPath+"/"+asked+"?done=asked", fiber.StatusSeeOther)
	} else if err == nil {
		return a.page(web.SecretPage(a.clientShell("The client is created", made.Client.ID), "The client is created", string(made.Client.ID), made.Secret, ""))
	}
	title, form, formErr := a.newClientPage()
	if formErr != nil {
		return formErr
	}
	return a.refused(a.clientShell(title, ""), title, form, err)
}

func (a *ask) clientPage(action string, k clients.Known) (title string, f web.Form) {
	here := clientsPath + "/" + string(k.ID)
	f = web.Form{Action: here + "/" + action, Back: here, Fields: reasonFields()}
	switch action {
	case "rotate":
		title, f.Submit = "Rotate the secret of "+k.Name, "Rotate it and show the new one"
		f.Fields = append([]web.Field{{Name: "overlap", Label: "The old secret counts on for", Kind: "select", Hint: "Time for the sponsor to change over.", Options: []web.Option{{Value: "0", Text: "no longer: it ends now"}, {Value: "24", Text: "24 hours", Chosen: true}, {Value: "72", Text: "72 hours"}}}}, f.Fields...)
	case "disable":
		title, f.Submit, f.Stop = "Disable "+k.Name, "Disable it", true
		f.Warns = []string{"It gets no token any more, and those it has are refused. Its running jobs go on."}
	case "enable":
		title, f.Submit = "Enable "+k.Name, "Enable it"
	case "networks":
		title, f.Submit = "Addresses of "+k.Name, "Change them"
		f.Fields = append([]web.Field{{Name: "networks", Label: "May call from", Kind: "area", Optional: true, Value: blocks(k.Networks, "\n"), Hint: "Addresses or blocks, one a line, as 192.0.2.0/24. Empty for any address."}}, f.Fields...)
	case "keys":
		title, f.Submit = "Keys of "+k.Name, "Change them"
		f.Fields = append([]web.Field{{Name: "jwks", Label: "Address of its JWK Set", Kind: "url", Optional: true, Value: k.Keys.URL, Hint: "Where the client keeps its public keys. Empty for none, or when the set is given below."},
			{Name: "set", Label: "JWK Set", Kind: "area", Optional: true, Value: k.Keys.Set}}, f.Fields...)
	case "revoke":
		title, f.Submit, f.Stop = "End a secret of "+k.Name, "End it now", true
		f.Warns = []string{"Whoever still uses the secret " + cmp.Or(a.FormValue("secret"), a.Query("secret")) + " gets no token any more."}
		f.Hidden = []web.Option{{Value: "secret", Text: cmp.Or(a.FormValue("secret"), a.Query("secret"))}}
	}
	return title, f
}

func (c *console) clientForm(action string) func(*ask) error {
	return func(a *ask) error {
		k, err := a.client()
		if err != nil {
			return err
		}
		title, form := a.clientPage(action, k)
		a.fill(&form)
		return a.page(web.FormPage(a.clientShell(title, k.ID), title, form))
	}
}

func (c *console) clientAct(action string) func(*ask) error {
	return func(a *ask) error {
		k, err := a.client()
		if err != nil {
			return err
		}
		title, form := a.clientPage(action, k)
		if err = a.why().Check(); err == nil {
			switch action {
			case "rotate":
				overlap, ok := overlaps[a.FormValue("overlap")]
				if !ok {
					overlap = -1 // refused by the rule itself
				}
				made, failed := a.Oversight.RotateClient(a.ctx(), a.who, k.ID, overlap, a.why())
				if failed == nil {
					until := "The old one ends now."
					if overlap > 0 {
						until = fmt.Sprintf("The old one counts for %d more hours.", int(overlap.Hours()))
					}
					return a.page(web.SecretPage(a.clientShell("The secret is rotated", k.ID), "The secret is rotated", string(k.ID), made.Secret, until))
				}
				err = failed
			case "enable":
				err = a.Oversight.EnableClient(a.ctx(), a.who, k.ID, a.why())
			case "disable":
				err = a.Clients.SetEnabled(a.ctx(), a.by(), k.ID, false)
			case "networks":
				var networks []netip.Prefix
				if networks, err = a.networks(); err == nil {
					err = a.Clients.SetNetworks(a.ctx(), a.by(), k.ID, networks)
				}
			case "keys":
				err = a.Clients.SetKeys(a.ctx(), a.by(), k.ID, domain.ClientKeys{URL: strings.TrimSpace(a.FormValue("jwks")), Set: strings.TrimSpace(a.FormValue("set"))})
			case "revoke":
				err = a.Clients.RevokeSecret(a.ctx(), a.by(), k.ID, a.FormValue("secret"))
			}
		}
		if err == nil {
			return a.Redirect(clientsPath+"/"+string(k.ID)+"?done=changed", fiber.StatusSeeOther)
		}
		return a.refused(a.clientShell(title, k.ID), title, form, err)
	}
}

package console

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/application/attestation"
	"cms.gov/ab2d/application/oversight"
	"cms.gov/ab2d/domain"
	web "cms.gov/ab2d/web/console"
)

const (
	contractsPath = root + "/contracts"
	sponsorsPath  = root + "/sponsors"
)

func (c *console) contractPages(g fiber.Router) {
	g.Get("/sponsors", c.signedIn(c.sponsors))
	g.Get("/sponsors.csv", c.signedIn(c.sponsorsCSV))
	g.Get("/sponsors/:id", c.signedIn(c.sponsor))
	g.Get("/contracts", c.signedIn(c.contracts))
	g.Get("/contracts.csv", c.signedIn(c.contractsCSV))
	g.Get("/contracts/:id", c.signedIn(c.contract))
	g.Get("/contracts/:id/attestation", c.guarded(domain.MayManageContracts, c.attestForm))
	g.Post("/contracts/:id/attestation", c.guarded(domain.MayManageContracts, c.attest))
}

func standingBadge(s domain.Standing, today domain.Date) web.Badge {
	switch {
	case s.Active:
		return web.Badge{Text: "Attested", Tone: "ok"}
	case s.DataStart.IsZero():
		return web.Badge{Text: "Never attested"}
	case s.DaysLeft(today) > 0:
		return web.Badge{Text: "Grace, " + plural(s.DaysLeft(today), "day") + " left", Tone: "warn"}
	}
	return web.Badge{Text: "Lapsed", Tone: "bad"}
}

func standingKey(s domain.Standing, today domain.Date) string {
	switch {
	case s.Active:
		return "attested"
	case s.DataStart.IsZero():
		return "never"
	case s.DaysLeft(today) > 0:
		return "grace"
	}
	return "lapsed"
}

func (a *ask) contractRows() ([]oversight.ContractRow, error) {
	rows, err := a.Oversight.Contracts(a.ctx(), a.who)
	if want := a.Query("attestation"); want != "" {
		rows = slices.DeleteFunc(rows, func(r oversight.ContractRow) bool { return standingKey(r.Standing, r.Today) != want })
	}
	if want := a.Query("updates"); want != "" {
		rows = slices.DeleteFunc(rows, func(r oversight.ContractRow) bool { return string(r.Facts().Updates) != want })
	}
	return rows, err
}

func contractCells(r oversight.ContractRow) []web.Cell {
	badge := standingBadge(r.Standing, r.Today)
	start := "–"
	if !r.Standing.DataStart.IsZero() {
		start = r.Standing.DataStart.String()
	}
	return []web.Cell{{Text: string(r.Number), URL: contractsPath + "/" + string(r.Number)}, {Text: r.Name, Note: testNote(r.Type)}, {Text: r.Of.Name, URL: sponsorsPath + "/" + string(r.Sponsor)},
		{Badge: &badge}, {Text: start}, {Text: web.Count(r.Clients)}, instant(r.LastExport)}
}

// testNote marks contracts whose people are made up.
func testNote(t domain.ContractType) string {
	if t == "" || t == domain.NormalContract {
		return ""
	}
	return typeWords(t)
}

func instant(t time.Time) web.Cell {
	if t.IsZero() {
		return web.Cell{Text: "never"}
	}
	return web.Cell{At: t}
}

var contractColumns = []string{"Contract", "Name", "Sponsor", "Attestation", "Data starts", "Clients", "Last export"}

func (c *console) contracts(a *ask) error {
	rows, err := a.contractRows()
	if err != nil {
		return err
	}
	v := web.List{Title: "Contracts", Says: plural(len(rows), "contract"), Empty: "No contracts match.", Reset: web.Link{Text: "Show all", URL: contractsPath},
		Actions: append([]web.Link{{Text: "Download CSV", URL: a.with(root + "/contracts.csv")}}, a.addContract()...),
		Filters: []web.Field{{Name: "attestation", Label: "Attestation", Kind: "select", Options: choose([]web.Option{{Text: "Any"}, {Value: "attested", Text: "Attested"}, {Value: "grace", Text: "In grace"}, {Value: "lapsed", Text: "Lapsed"}, {Value: "never", Text: "Never attested"}}, a.Query("attestation"))},
			{Name: "updates", Label: "Kept", Kind: "select", Options: choose(append([]web.Option{{Text: "By anybody"}}, keepers...), a.Query("updates"))}},
		Table: web.Table{Caption: "Contracts by number", Columns: contractColumns, Numbers: []int{5}}}
	for _, r := range rows {
		v.Table.Rows = append(v.Table.Rows, contractCells(r))
	}
	return a.page(web.ListPage(a.shell("Contracts", contractsPath), v, contractsPath))
}

func (a *ask) addContract() []web.Link {
	if !a.who.May(domain.MayManageContracts) {
		return nil
	}
	return []web.Link{{Text: "Add a contract", URL: contractsPath + "/new"}}
}

func (c *console) contractsCSV(a *ask) error {
	rows, err := a.contractRows()
	if err != nil {
		return err
	}
	out := [][]string{{"contract", "name", "sponsor", "attestation", "data starts", "days left", "clients", "last export (UTC)", "type", "updates"}}
	for _, r := range rows {
		last := ""
		if !r.LastExport.IsZero() {
			last = web.UTC(r.LastExport)
		}
		out = append(out, []string{string(r.Number), r.Name, r.Of.Name, standingKey(r.Standing, r.Today), r.Standing.DataStart.String(), fmt.Sprint(r.Standing.DaysLeft(r.Today)), fmt.Sprint(r.Clients), last, string(r.Facts().Type), string(r.Facts().Updates)})
	}
	return a.table("contracts", out)
}

func (c *console) sponsors(a *ask) error {
	rows, err := a.Oversight.Sponsors(a.ctx(), a.who)
	if err != nil {
		return err
	}
	v := web.List{Title: "Sponsors", Says: plural(len(rows), "sponsor"), Empty: "There are no sponsors. They come with the import from HPMS, or are added by hand.", Actions: []web.Link{{Text: "Download CSV", URL: root + "/sponsors.csv"}},
		Table: web.Table{Caption: "Sponsors by id", Columns: []string{"Sponsor", "Parent organization", "State", "Contracts", "Attested", "Last export"}, Numbers: []int{3, 4}}}
	if a.who.May(domain.MayManageContracts) {
		v.Actions = append(v.Actions, web.Link{Text: "Add a sponsor", URL: sponsorsPath + "/new"})
	}
	for _, r := range rows {
		badge := sponsorBadge(r.Sponsor)
		v.Table.Rows = append(v.Table.Rows, []web.Cell{{Text: r.Name, URL: sponsorsPath + "/" + string(r.ID)}, {Text: cmp.Or(r.Parent, "–")}, {Badge: &badge}, {Text: web.Count(len(r.Contracts))}, {Text: web.Count(r.Attested)}, instant(r.LastExport)})
	}
	return a.page(web.ListPage(a.shell("Sponsors", sponsorsPath), v, sponsorsPath))
}

func (c *console) sponsorsCSV(a *ask) error {
	rows, err := a.Oversight.Sponsors(a.ctx(), a.who)
	if err != nil {
		return err
	}
	out := [][]string{{"sponsor", "name", "parent", "state", "merged into", "contracts", "attested"}}
	for _, r := range rows {
		out = append(out, []string{string(r.ID), r.Name, r.Parent, sponsorBadge(r.Sponsor).Text, string(r.Merged), fmt.Sprint(len(r.Contracts)), fmt.Sprint(r.Attested)})
	}
	return a.table("sponsors", out)
}

func (c *console) sponsor(a *ask) error {
	rows, err := a.Oversight.Sponsors(a.ctx(), a.who)
	if err != nil {
		return err
	}
	r, err := sponsorOf(rows, domain.SponsorID(a.Params("id")))
	if err != nil {
		return err
	}
	known, err := a.Clients.List(a.ctx())
	if err != nil {
		return err
	}
	badge := sponsorBadge(r.Sponsor)
	v := web.Detail{Title: r.Name, Badge: &badge, Actions: a.sponsorActions(r.Sponsor), Facts: []web.Fact{{Name: "Id", Text: string(r.ID), Code: true}, {Name: "Parent organization", Text: cmp.Or(r.Parent, "–")}, {Name: "Contracts", Text: fmt.Sprintf("%d, of which %d attested", len(r.Contracts), r.Attested)},
		{Name: "Jobs", Text: "Show its jobs", URL: jobsPath + "?sponsor=" + string(r.ID)}}}
	if r.ID.IsListed() {
		v.Facts = append(v.Facts, web.Fact{Name: "Name is kept", Text: keptBy(r.Updates)})
	}
	if r.Merged != "" {
		v.Says, v.Tone = "It was merged into another sponsor, which has all that was its.", "warn"
		v.Facts = append(v.Facts, web.Fact{Name: "Merged into", Text: string(r.Merged), URL: sponsorsPath + "/" + string(r.Merged)})
	}
	if v.History, v.Shown, err = a.changes(r.ID); err != nil {
		return err
	}
	contracts := web.Section{Title: "Contracts", Empty: "The sponsor has no contracts.", Table: web.Table{Caption: "Contracts", Columns: contractColumns, Numbers: []int{5}}}
	for _, n := range r.Contracts {
		contracts.Table.Rows = append(contracts.Table.Rows, contractCells(n))
	}
	held := web.Section{Title: "API clients", Empty: "The sponsor has no clients.", Table: clientTable()}
	for _, k := range known {
		if k.Sponsor == r.ID {
			held.Table.Rows = append(held.Table.Rows, clientCells(k, a.now()))
		}
	}
	v.Parts = []web.Section{contracts, held}
	return a.page(web.DetailPage(a.shell(r.Name, sponsorsPath, web.Link{Text: "Sponsors", URL: sponsorsPath}), v))
}

// changes are what was done to a sponsor itself.
func (a *ask) changes(id domain.SponsorID) (entries []web.Entry, shown bool, err error) {
	found, err := a.Oversight.History(a.ctx(), a.who, string(id))
	for _, e := range found {
		entries = append(entries, entryOf(e))
	}
	return entries, len(entries) > 0, err
}

func (a *ask) contractNumber() (domain.ContractNumber, error) {
	n, err := domain.ParseContractNumber(a.Params("id"))
	if err != nil {
		return "", domain.Errorf(domain.NotFound, "There is no contract %.20q.", a.Params("id")).WithNext("A contract's number is a letter and four digits.")
	}
	return n, nil
}

// sentence says what may leave and why.
func sentence(c oversight.Contract) (says, more, tone string) {
	s := c.Standing
	switch {
	case s.DataStart.IsZero():
		return "No claims are available, because the contract was never attested.", "Until it is, the API answers 403 with the code business-rule.", "warn"
	case s.Active:
		return fmt.Sprintf("Claims available from %s, because %s.", s.DataStart, why(c)), "", "ok"
	case s.DaysLeft(c.Today) > 0:
		return "No claims are available, because no attestor is active.", fmt.Sprintf("A re-attestation by %s keeps %s as the data start: %s left.", s.Grace, s.DataStart, plural(s.DaysLeft(c.Today), "day")), "warn"
	}
	return "No claims are available, because no attestor is active.", fmt.Sprintf("It was too late after %s to keep %s: a re-attestation starts data anew on its own day.", s.Grace, s.DataStart), "bad"
}

func why(c oversight.Contract) string {
	kept := 0
	for _, p := range c.Periods {
		if p.Kind == domain.GraceStretch {
			kept++
		}
		if p.Kind == domain.GapStretch {
			kept = 0
		}
	}
	if len(c.Periods) > 1 && kept == 0 {
		return "the contract was re-attested on that day, too late to keep an earlier one"
	}
	if kept > 0 {
		return "the contract was attested on that day and every re-attestation since came in time to keep it"
	}
	return "the contract was attested on that day and attestation has been active since"
}

var contractTabs = [][2]string{{"", "Overview"}, {"attestation", "Attestation"}, {"coverage", "Enrollment"}, {"jobs", "Jobs"}, {"clients", "API clients"}, {"history", "History"}}

func (c *console) contract(a *ask) error {
	n, err := a.contractNumber()
	if err != nil {
		return err
	}
	held, err := a.Oversight.Contract(a.ctx(), a.who, n)
	if err != nil {
		return err
	}
	here := contractsPath + "/" + string(n)
	v := web.Contract{Number: string(n), Badge: standingBadge(held.Standing, held.Today), Tab: a.Query("tab"), Start: -1}
	v.Says, v.More, v.Tone = sentence(held)
	for _, t := range contractTabs {
		v.Tabs = append(v.Tabs, web.Link{Text: t[1], URL: a.with(here, "tab", t[0]), Current: t[0] == v.Tab})
	}
	v.Facts = []web.Fact{{Name: "Name", Text: held.Name}, {Name: "Sponsor", Text: held.Of.Name, URL: sponsorsPath + "/" + string(held.Sponsor)}, {Name: "Parent organization", Text: cmp.Or(held.Of.Parent, "–")}, {Name: "Last export", Text: "never"},
		{Name: "Type", Text: typeWords(held.Type)}, {Name: "Kept up to date", Text: keptBy(held.Updates)}}
	if !held.LastExport.IsZero() {
		v.Facts[3] = web.Fact{Name: "Last export", At: held.LastExport}
	}
	if a.who.May(domain.MayManageContracts) {
		v.Actions = append(attestActions(held.Standing, here), web.Link{Text: "Edit", URL: here + "/edit"})
	}
	if a.who.May(domain.MayRunJobs) && held.Standing.Active {
		v.Actions = append(v.Actions, web.Link{Text: "Start an export", URL: jobsPath + "/start?contract=" + string(n)})
	}
	v.Steps = a.steps(held)
	picture(&v, held)
	v.Attestors = web.Table{Caption: "Active attestors", Columns: []string{"Active attestor", "Office"}}
	for _, at := range held.Standing.Attestors {
		v.Attestors.Rows = append(v.Attestors.Rows, []web.Cell{{Text: cmp.Or(at.Name, "not known (from HPMS)")}, {Text: cmp.Or(at.Office, "–")}})
	}
	switch v.Tab {
	case "attestation":
		v.Events = events(held, here, a.who.May(domain.MayManageContracts))
	case "coverage":
		months, err := a.Oversight.Enrollment(a.ctx(), a.who, n, 24)
		if err != nil {
			return err
		}
		v.Coverage = monthPlot(months, held.Enrolled)
	case "jobs":
		for _, j := range held.Jobs {
			v.Jobs = append(v.Jobs, rowOf(j, a.now()))
		}
	case "clients":
		known, err := a.Clients.List(a.ctx())
		if err != nil {
			return err
		}
		v.Clients = clientTable()
		for _, k := range known {
			if slices.Contains(k.Contracts, n) {
				v.Clients.Rows = append(v.Clients.Rows, clientCells(k, a.now()))
			}
		}
	case "history":
		for _, e := range held.History {
			v.History = append(v.History, entryOf(e))
		}
	case "":
	default:
		return nothingHere()
	}
	return a.page(web.ContractPage(a.shell("Contract "+string(n), contractsPath, web.Link{Text: "Contracts", URL: contractsPath}), v))
}

func attestActions(s domain.Standing, here string) (actions []web.Link) {
	add := func(text string, kind domain.AttestationKind) {
		actions = append(actions, web.Link{Text: text, URL: here + "/attestation?kind=" + string(kind)})
	}
	switch {
	case s.DataStart.IsZero():
		add("Attest", domain.Attest)
	case s.Active:
		add("Add an attestor", domain.AddAttestor)
		add("Record a lapse", domain.Lapse)
		add("Remove", domain.Remove)
	default:
		add("Re-attest", domain.Reattest)
	}
	return actions
}

// picture places the stretches from the first event to today.
func picture(v *web.Contract, c oversight.Contract) {
	if len(c.Periods) == 0 {
		return
	}
	first, last := c.Periods[0].From, c.Today
	span := float64(max(last.DaysSince(first)+1, 1))
	place := func(d domain.Date) float64 { return float64(d.DaysSince(first)) / span }
	for _, p := range c.Periods {
		s := web.Stretch{Kind: string(p.Kind), From: p.From.String(), Days: web.Count(p.Days()), X: place(p.From), Width: float64(p.Days()) / span}
		if !p.Lasts {
			s.To = p.To.String()
		}
		switch {
		case p.Kind == domain.ActiveStretch:
			s.Why = "An attestor was active"
		case p.Ending == domain.Lapse:
			s.Why = "The attestation lapsed: two years to re-attest"
		case p.Ending == domain.Remove:
			s.Why = "It was removed in HPMS: ten days to re-attest"
		default:
			s.Why = "It ended, how is not known: the shorter grace, ten days"
		}
		if p.Kind == domain.GapStretch {
			s.Why = "The grace was over"
		}
		v.Stretches = append(v.Stretches, s)
	}
	every := max(1, (last.Year()-first.Year())/8+1)
	for y := first.Year() + 1; y <= last.Year(); y += every {
		v.Years = append(v.Years, web.Tick{Label: fmt.Sprint(y), X: place(domain.NewDate(y, 1, 1))})
	}
	if v.Years == nil {
		v.Years = []web.Tick{{Label: first.String()}}
	}
	if d := c.Standing.DataStart; !d.IsZero() {
		v.Start = max(0, place(d))
	}
}

var kindWords = map[domain.AttestationKind]string{domain.Attest: "Attested", domain.AddAttestor: "Attestor added", domain.Lapse: "Lapsed", domain.Remove: "Removed in HPMS",
	domain.EndUnknown: "Ended, how is not known", domain.Reattest: "Re-attested", domain.Correct: "Correction"}

func events(c oversight.Contract, here string, may bool) (all []web.Event) {
	for _, e := range c.Events {
		who := e.Attestor.Name
		if e.Attestor.Office != "" {
			who += " (" + e.Attestor.Office + ")"
		}
		x := web.Event{ID: e.ID, Kind: kindWords[e.Kind], Attestor: cmp.Or(who, "–"), Effective: e.Effective.String(), Source: e.Source, Actor: e.Actor.ID, Reason: e.Reason, Recorded: e.Recorded}
		if e.Kind == domain.Correct {
			x.Corrects = "the event is struck out"
			if e.CorrectedKind != "" {
				x.Corrects = "it should have said: " + strings.ToLower(kindWords[e.CorrectedKind])
			}
		} else if may {
			x.Correct = here + "/attestation?kind=correct&event=" + e.ID
		}
		x.Struck = slices.ContainsFunc(c.Events, func(o domain.AttestationEvent) bool { return o.Kind == domain.Correct && o.Corrects == e.ID })
		all = append(all, x)
	}
	return all
}

// monthPlot shows how many people are enrolled by month. Months that differ from the
// one before by more than 2%, and HPMS's own count where it does, are said.
func monthPlot(months []oversight.MonthCount, hpms int) web.Plot {
	p := web.Plot{ID: "months", Title: "Enrollees by month, last two years", Parts: []string{"Enrolled"}, Says: "No enrollment is loaded."}
	var jumps []string
	for i, m := range months {
		p.Max = max(p.Max, float64(m.Count))
		text := web.Count(m.Count)
		if i > 0 && months[i-1].Count > 0 && domain.CountsDiffer(months[i-1].Count, m.Count) {
			change := difference(months[i-1].Count, m.Count)
			jumps = append(jumps, m.Month.String()+" "+change)
			text += ", " + change
		}
		p.Bars = append(p.Bars, web.Bar{Label: m.Month.String(), Values: []float64{float64(m.Count)}, Texts: []string{text}})
	}
	p.Top = web.Count(int(p.Max))
	if n := len(months); n > 0 {
		last := months[n-1]
		p.Says = fmt.Sprintf("%s people are enrolled in %s; the most were %s.", web.Count(last.Count), last.Month, p.Top)
		if len(jumps) > 0 {
			p.Says += " Changes of more than 2%: " + strings.Join(jumps, ", ") + "."
		}
		if hpms > 0 && domain.CountsDiffer(hpms, last.Count) {
			p.Says += fmt.Sprintf(" HPMS counts %s, which is more than 2%% apart: look why.", web.Count(hpms))
		} else if hpms > 0 {
			p.Says += fmt.Sprintf(" HPMS counts %s, within 2%%.", web.Count(hpms))
		}
	}
	return p
}

// attestation forms

var kindTitles = map[domain.AttestationKind]string{domain.Attest: "Attest", domain.AddAttestor: "Add an attestor", domain.Lapse: "Record a lapse", domain.Remove: "Remove",
	domain.Reattest: "Re-attest", domain.Correct: "Correct an event"}

// change reads what a form says of an attestation.
func (a *ask) change(n domain.ContractNumber) (attestation.Change, error) {
	ch := attestation.Change{Contract: n, Kind: domain.AttestationKind(cmp.Or(a.FormValue("kind"), a.Query("kind"))), Corrects: cmp.Or(a.FormValue("event"), a.Query("event")), Seen: a.FormValue("seen")}
	if _, ok := kindTitles[ch.Kind]; !ok {
		return ch, nothingHere()
	}
	if a.Method() != fiber.MethodPost {
		return ch, nil
	}
	ch.Attestor = domain.Attestor{Name: strings.TrimSpace(a.FormValue("attestor")), Office: a.FormValue("office")}
	if who := a.FormValue("who"); ch.Kind.Ends() {
		ch.Attestor = domain.Attestor{}
		if name, office, ok := strings.Cut(who, "|"); ok {
			ch.Attestor = domain.Attestor{Name: name, Office: office}
		}
	}
	if ch.Kind == domain.Correct {
		ch.CorrectedKind = domain.AttestationKind(a.FormValue("corrected"))
		if ch.Attestor.Name == "" {
			ch.Attestor = domain.Attestor{}
		}
	}
	if ch.Kind == domain.Correct && ch.CorrectedKind == "" {
		return ch, nil // struck out: a date says nothing
	}
	date, err := domain.ParseDate(a.FormValue("effective"))
	if err != nil {
		return ch, domain.Errorf(domain.Invalid, "The effective date is missing or none.").WithNext("Give it as 2026-01-31.")
	}
	ch.Effective = date
	return ch, nil
}

func (a *ask) attestationForm(held oversight.Contract, ch attestation.Change) (title string, f web.Form) {
	here := contractsPath + "/" + string(held.Number)
	f = web.Form{Action: here + "/attestation", Back: here + "?tab=attestation", Submit: "Record it", Preview: "Show what it does",
		Says:   []string{"Nothing is recorded yet: first you see what it does."},
		Hidden: []web.Option{{Value: "kind", Text: string(ch.Kind)}}}
	if ch.Corrects != "" {
		f.Hidden = append(f.Hidden, web.Option{Value: "event", Text: ch.Corrects})
	}
	name := web.Field{Name: "attestor", Label: "Attestor", Kind: "text", Hint: "The name of the officer who attested."}
	var offices []web.Option
	for _, o := range domain.Offices {
		offices = append(offices, web.Option{Value: o, Text: o})
	}
	office := web.Field{Name: "office", Label: "Office", Kind: "select", Options: offices}
	date := web.Field{Name: "effective", Label: "Effective on", Kind: "date", Value: held.Today.String(), Hint: "The day from which it counts, not the day on which it is recorded."}
	switch {
	case ch.Kind.Begins():
		f.Fields = []web.Field{name, office, date}
	case ch.Kind.Ends():
		who := []web.Option{{Value: "", Text: "All of them"}}
		for _, at := range held.Standing.Attestors {
			if at.Name != "" {
				who = append(who, web.Option{Value: at.Name + "|" + at.Office, Text: at.Name + " (" + at.Office + ")"})
			}
		}
		f.Fields = []web.Field{{Name: "who", Label: "Whose attestation ends", Kind: "select", Options: who}, date}
	default:
		kinds := []web.Option{{Value: "", Text: "Strike it out: it never happened"}}
		for _, e := range held.Events {
			if e.ID != ch.Corrects {
				continue
			}
			f.Says = append(f.Says, fmt.Sprintf("The event says: %s, effective %s. It stays in the history; the correction is added to it.", strings.ToLower(kindWords[e.Kind]), e.Effective))
			date.Value, name.Value, office.Options = e.Effective.String(), e.Attestor.Name, choose(offices, e.Attestor.Office)
			for _, k := range []domain.AttestationKind{domain.Attest, domain.AddAttestor, domain.Reattest, domain.Lapse, domain.Remove} {
				if k.Begins() == e.Kind.Begins() {
					kinds = append(kinds, web.Option{Value: string(k), Text: "It should have said: " + strings.ToLower(kindWords[k]), Chosen: k == e.Kind})
				}
			}
		}
		f.Fields = []web.Field{{Name: "corrected", Label: "Correction", Kind: "select", Options: kinds}, name, office, date}
		f.Fields[1].Optional = true
	}
	f.Fields = append(f.Fields, reasonFields()...)
	return kindTitles[ch.Kind] + ": contract " + string(held.Number), f
}

func (a *ask) contractShell(title string, n domain.ContractNumber) web.Shell {
	return a.shell(title, contractsPath, web.Link{Text: "Contracts", URL: contractsPath}, web.Link{Text: string(n), URL: contractsPath + "/" + string(n)})
}

func (c *console) attestForm(a *ask) error {
	n, err := a.contractNumber()
	if err != nil {
		return err
	}
	held, err := a.Oversight.Contract(a.ctx(), a.who, n)
	if err != nil {
		return err
	}
	ch, err := a.change(n)
	if err != nil {
		return err
	}
	title, form := a.attestationForm(held, ch)
	a.fill(&form)
	return a.page(web.FormPage(a.contractShell(title, n), title, form))
}

// attest shows what a change does, and records it when that was seen.
func (c *console) attest(a *ask) error {
	n, err := a.contractNumber()
	if err != nil {
		return err
	}
	held, err := a.Oversight.Contract(a.ctx(), a.who, n)
	if err != nil {
		return err
	}
	ch, err := a.change(n)
	title, form := a.attestationForm(held, ch)
	if domain.CodeOf(err) == domain.NotFound {
		return err
	}
	var p attestation.Preview
	if err == nil && a.FormValue("preview") != "" {
		ch.Seen = ""
		p, err = a.Oversight.PreviewAttestation(a.ctx(), a.who, ch, a.why())
	} else if err == nil {
		var asked string
		if _, asked, err = a.Oversight.RecordAttestation(a.ctx(), a.who, ch, a.why()); err == nil && asked != "" {
			return a.Redirect(approvalsPath+"/"+asked+"?done=asked", fiber.StatusSeeOther)
		} else if err == nil {
			return a.Redirect(contractsPath+"/"+string(n)+"?tab=attestation&done=recorded", fiber.StatusSeeOther)
		}
	}
	if err != nil {
		return a.refused(a.contractShell(title, n), title, form, err)
	}
	confirm := web.Form{Action: form.Action, Back: form.Back, Submit: "Record it", Stop: !p.After.Active, Hidden: form.Hidden}
	for _, f := range form.Fields {
		confirm.Hidden = append(confirm.Hidden, web.Option{Value: f.Name, Text: a.FormValue(f.Name)})
	}
	confirm.Hidden = append(confirm.Hidden, web.Option{Value: "seen", Text: p.Latest})
	return a.page(web.ConfirmPage(a.contractShell(title, n), title, effect(p), confirm))
}

func effect(p attestation.Preview) web.Effect {
	e := web.Effect{Says: p.Says, Tone: "ok"}
	if !p.After.Active {
		e.Tone = "warn"
	}
	if !p.Before.Active && p.After.Active && !p.Before.DataStart.IsZero() {
		if p.KeepsDataStart() {
			e.Lines = append(e.Lines, fmt.Sprintf("It keeps %s as the data start; %s left to do so.", p.After.DataStart, plural(p.DaysLeft(), "day")))
		} else {
			e.Lines = append(e.Lines, fmt.Sprintf("It resets the data start to %s.", p.After.DataStart))
			e.Tone = "warn"
		}
	}
	if len(p.Stops) > 0 {
		e.Lines = append(e.Lines, fmt.Sprintf("%s stop and fail with that reason.", plural(len(p.Stops), "running export")))
	}
	if len(p.Closes) > 0 {
		e.Lines = append(e.Lines, fmt.Sprintf("%s answer 403 from then on. They are not deleted before their time.", plural(len(p.Closes), "finished file")))
	}
	if len(p.Opens) > 0 {
		e.Lines = append(e.Lines, fmt.Sprintf("%s can be fetched again.", plural(len(p.Opens), "finished file")))
	}
	if len(e.Lines) == 0 {
		e.Lines = []string{"No running export and no finished file is touched."}
	}
	return e
}

package console

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"cms.gov/ab2d/application/oversight"
	"cms.gov/ab2d/domain"
	web "cms.gov/ab2d/web/console"
)

func (a *ask) jobID() (domain.JobID, error) {
	id, err := domain.ParseJobID(a.Params("id"))
	if err != nil {
		return "", domain.Errorf(domain.NotFound, "There is no job %.60q.", a.Params("id")).WithNext("Search for its first eight characters.")
	}
	return id, nil
}

// jobState is what of a job's page changes while it runs.
func jobState(r oversight.JobRow, now time.Time) web.Job {
	v := web.Job{Row: rowOf(r, now), Running: r.State.Active()}
	switch {
	case r.State == domain.Submitted:
		v.Says, v.Tone = "Waits to be planned, for "+web.Span(now.Sub(r.CreatedAt))+" so far.", ""
		v.Next = "The export is accepted and will begin by itself. Keep asking for its status as Retry-After says."
	case r.State == domain.InProgress:
		v.Says = fmt.Sprintf("%s of %s enrollees are done, in %d of %d partitions.", web.Count(r.Figures.Processed), web.Count(r.Figures.Members), r.Figures.Partitions-r.Figures.Open, r.Figures.Partitions)
		elapsed := now.Sub(r.StartedAt)
		if elapsed > 0 && r.Figures.Processed > 0 {
			v.Rate = web.Count(int(float64(r.Figures.Processed)/elapsed.Minutes())) + " enrollees a minute"
			if left, ok := r.Left(now); ok {
				v.Rate += ", about " + web.Span(left) + " left"
			}
		}
		v.Next = "The export runs. Its files can be fetched once all of it is done."
	case r.State == domain.Failed:
		v.Says, v.Tone = r.Failure.Reason, "bad"
		v.Next = "The export failed and has no files. The id to quote is " + cmp.Or(r.Failure.ID, "in the history") + ". A new export with the same _since gives everything."
	case r.State == domain.Cancelled:
		v.Says, v.Next = "Cancelled or deleted, by the sponsor or by staff; the history says by whom.", "The files are gone. A new export gives them again."
	case r.Expired:
		v.Says, v.Next = "The time of its files is over and they are deleted.", "A new export with the same _since gives the same claims again."
	default:
		v.Says, v.Tone = fmt.Sprintf("%s with %s can be fetched until %s.", plural(r.Figures.Files, "file"), plural(r.Figures.Lines, "claim"), web.When(r.ExpiresAt)), "ok"
	}
	return v
}

var jobTabs = [][2]string{{"", "Timeline"}, {"partitions", "Partitions"}, {"files", "Files and downloads"}, {"errors", "Errors"}, {"request", "Request"}, {"history", "History"}}

func (c *console) job(a *ask) error {
	id, err := a.jobID()
	if err != nil {
		return err
	}
	job, err := a.Oversight.Job(a.ctx(), a.who, id)
	if err != nil {
		return err
	}
	here := jobsPath + "/" + string(id)
	v := jobState(job.JobRow, a.now())
	v.Tab = a.Query("tab")
	for _, t := range jobTabs {
		v.Tabs = append(v.Tabs, web.Link{Text: t[1], URL: a.with(here, "tab", t[0]), Current: t[0] == v.Tab})
	}
	v.Facts = jobFacts(job)
	if job.State == domain.Successful && !job.Expired {
		v.Next = fetchedWords(job)
	}
	for n, active := range job.Attested {
		if !active && job.State == domain.Successful {
			v.Tone, v.Next = "warn", fmt.Sprintf("No attestation is active for %s, so its files answer 403 until it is again.", n)
		}
	}
	if job.State.Active() {
		v.Live = jobsPath + "/live?page=job&id=" + string(id)
	}
	if a.who.May(domain.MayRunJobs) {
		v.Actions = jobActions(job, here)
	}
	switch v.Tab {
	case "", "history":
		v.Story, v.Columns = story(job, a.now()), columns(job)
		for _, e := range job.History {
			v.History = append(v.History, entryOf(e))
		}
	case "partitions":
		v.Parts = parts(job)
	case "files":
		v.Files = files(job)
	case "errors":
		causes, all, err := a.Oversight.Causes(a.ctx(), a.who, job)
		if err != nil {
			return err
		}
		v.CausesAll, v.Excluded = all, excluded(job)
		for _, x := range causes {
			v.Causes = append(v.Causes, web.Cause{Code: x.Code, Text: x.Text, Count: web.Count(x.Count)})
		}
	case "request":
		v.Request, v.Asked = job.Request, asked(job)
		v.Curl = fmt.Sprintf("curl -i -H \"Authorization: Bearer $TOKEN\" '%s/api/%s/fhir/Job/%s/$status'", a.PublicURL, map[domain.FHIRVersion]string{domain.STU3: "v1"}[job.Version]+map[domain.FHIRVersion]string{domain.R4: "v2"}[job.Version], id)
	default:
		return nothingHere()
	}
	return a.page(web.JobPage(a.shell("Job "+v.Row.Short(), jobsPath, web.Link{Text: "Jobs", URL: jobsPath}), v))
}

// fetchedWords answers the most usual question: where is my file.
func fetchedWords(job oversight.Job) string {
	whole, data := 0, 0
	var last oversight.Transfer
	for _, f := range job.Files {
		if f.Kind == domain.DataFile {
			data++
			if f.Fetches > 0 {
				whole++
			}
		}
		for _, t := range f.Transfers {
			if t.At.After(last.At) {
				last = t
			}
		}
	}
	if last.At.IsZero() {
		return "The files are ready and nobody has fetched any of them yet."
	}
	return fmt.Sprintf("%d of %s fetched whole. The last download was on %s by %s from %s.", whole, plural(data, "file"), web.When(last.At), last.Client, last.From)
}

func jobFacts(job oversight.Job) []web.Fact {
	var contracts []string
	for _, n := range job.Contracts {
		contracts = append(contracts, string(n))
	}
	facts := []web.Fact{
		{Name: "Job id", Text: string(job.ID), Code: true},
		{Name: "Sponsor", Text: job.Of.Name, URL: root + "/sponsors/" + string(job.Sponsor)},
		{Name: "Contract", Text: strings.Join(contracts, ", "), URL: root + "/contracts/" + contracts[0]},
		{Name: "Client", Text: cmp.Or(job.By.Name, string(job.Client)), URL: root + "/clients/" + string(job.Client)},
		{Name: "FHIR version", Text: string(job.Version)},
		{Name: "Claims period", Text: period(job.Window)},
		{Name: "Submitted", At: job.CreatedAt},
	}
	if !job.ExpiresAt.IsZero() {
		facts = append(facts, web.Fact{Name: "Files until", At: job.ExpiresAt},
			web.Fact{Name: "Size", Text: web.Bytes(job.Figures.PlainBytes) + ", stored as " + web.Bytes(job.Figures.StoredBytes)})
	}
	if job.Failure.ID != "" {
		facts = append(facts, web.Fact{Name: "To quote", Text: job.Failure.ID, Code: true})
	}
	return facts
}

func jobActions(job oversight.Job, here string) (actions []web.Link) {
	add := func(text, action string) { actions = append(actions, web.Link{Text: text, URL: here + "/" + action}) }
	switch {
	case job.State.Active():
		add("Cancel", "cancel")
	case job.State == domain.Successful && !job.Expired:
		add("Extend the files", "extend")
		add("Expire now", "expire")
		add("Delete", "cancel")
	}
	if !job.State.Active() {
		add("Start it again", "retry")
	}
	return actions
}

// story is the life of a job in the order of time, with what is still to come.
func story(job oversight.Job, now time.Time) []web.Moment {
	m := []web.Moment{{Says: "Submitted by " + cmp.Or(job.By.Name, string(job.Client)), At: job.CreatedAt, Tone: "ok"}}
	if !job.StartedAt.IsZero() {
		m = append(m, web.Moment{Says: fmt.Sprintf("Planned: %s enrollees in %d partitions", web.Count(job.Figures.Members), job.Figures.Partitions), At: job.StartedAt, Tone: "ok",
			More: "after waiting for " + web.Span(job.StartedAt.Sub(job.CreatedAt))})
	}
	if again := job.Figures.Attempts - job.Figures.Partitions; job.Figures.Open == 0 && again > 0 {
		m = append(m, web.Moment{Says: fmt.Sprintf("%d partitions had to be begun again", again), More: "nothing is doubled by that", Tone: ""})
	}
	switch job.State {
	case domain.InProgress:
		m = append(m, web.Moment{Says: fmt.Sprintf("%d of %d partitions are written", job.Figures.Partitions-job.Figures.Open, job.Figures.Partitions), Tone: "run", More: "now"})
	case domain.Failed:
		m = append(m, web.Moment{Says: "Failed: " + job.Failure.Reason, At: job.CompletedAt, Tone: "bad"})
	case domain.Cancelled:
		m = append(m, web.Moment{Says: "Cancelled", At: job.CompletedAt})
	}
	if !job.ExpiresAt.IsZero() {
		m = append(m, web.Moment{Says: fmt.Sprintf("Complete: %s in %s, %s", plural(job.Figures.Lines, "claim"), plural(job.Figures.Files, "file"), web.Bytes(job.Figures.PlainBytes)), At: job.CompletedAt, Tone: "ok",
			More: "after " + web.Span(job.CompletedAt.Sub(job.StartedAt)) + " of work"})
	}
	for _, f := range job.Files {
		if !f.FetchedAt.IsZero() {
			m = append(m, web.Moment{Says: f.Name + " was fetched whole", At: f.FetchedAt, Tone: "ok", More: by(f)})
		}
	}
	for _, e := range job.History {
		if e.Actor.Kind == "staff" {
			m = append(m, web.Moment{Says: fmt.Sprintf("%s: %s (%s)", cmp.Or(e.Detail["name"], e.Actor.ID), e.Action, e.Outcome), At: e.At, More: e.Detail["reason"]})
		}
	}
	slices.SortStableFunc(m, func(a, b web.Moment) int {
		if a.At.IsZero() || b.At.IsZero() {
			return 0
		}
		return a.At.Compare(b.At)
	})
	switch {
	case job.Expired:
		m = append(m, web.Moment{Says: "The files expired", At: job.ExpiresAt})
	case job.State == domain.Successful:
		m = append(m, web.Moment{Says: "The files expire", At: job.ExpiresAt, Tone: "next", More: "in " + web.Span(job.ExpiresAt.Sub(now))})
	}
	return m
}

func by(f oversight.JobFile) string {
	for _, t := range f.Transfers {
		if t.Complete {
			return "by " + t.Client + " from " + t.From
		}
	}
	return ""
}

func columns(job oversight.Job) (all []web.Columns) {
	for _, a := range job.Accounts {
		plan := domain.ContractPlan{}
		for _, p := range job.Plans {
			if p.Contract == a.Contract {
				plan = p
			}
		}
		all = append(all, web.Columns{Contract: string(a.Contract), Enrolled: web.Count(plan.Enrolled), Exported: web.Count(a.Exported), NoClaims: web.Count(a.NoClaims),
			OptedOut: web.Count(a.OptedOut), Failed: web.Count(a.Failed), FullHistory: web.Count(a.FullHistory), AddUp: a.Enrollees() == plan.Enrolled})
	}
	return all
}

func parts(job oversight.Job) (all []web.Part) {
	for _, p := range job.Partitions {
		part := web.Part{Number: p.ID.Seq, Contract: string(p.Contract), Members: web.Count(p.Members), Processed: web.Count(p.Processed), Attempts: web.Count(p.Attempt),
			State: web.Badge{Text: "Waiting"}, Claims: "–", Files: "–", Bytes: "–"}
		switch {
		case p.State == domain.PartitionDone:
			var bytes int64
			for _, f := range p.Result.Files {
				bytes += f.Plain.Bytes
			}
			part.State, part.Processed = web.Badge{Text: "Done", Tone: "ok"}, web.Count(p.Members)
			part.Claims, part.Files, part.Bytes = web.Count(p.Result.Claims), web.Count(len(p.Result.Files)), web.Bytes(bytes)
		case p.Attempt > 0 && job.State.Active():
			part.State = web.Badge{Text: "Begun", Tone: "run"}
		case !job.State.Active():
			part.State = web.Badge{Text: "Left"}
		}
		all = append(all, part)
	}
	return all
}

// kindOf says what the lines of a file are.
func kindOf(job oversight.Job, f domain.OutputFile) string {
	if job.Terms.ByPatient && f.Kind == domain.DataFile {
		return "By Patient"
	}
	return f.ResourceType()
}

func files(job oversight.Job) (all []web.File) {
	for _, f := range job.Files {
		file := web.File{Name: f.Name, Kind: kindOf(job, f.OutputFile), Contract: string(f.Contract), Lines: web.Count(f.Lines), Plain: web.Bytes(f.Plain.Bytes), Stored: web.Bytes(f.Stored.Bytes),
			SHA256: f.Plain.SHA256, Fetched: web.Badge{Text: "Not fetched"}, FetchedAt: f.FetchedAt}
		switch {
		case f.Fetches > 0:
			file.Fetched = web.Badge{Text: "Fetched", Tone: "ok"}
		case len(f.Transfers) > 0:
			file.Fetched = web.Badge{Text: "Fetched in part", Tone: "warn"}
		}
		for _, t := range f.Transfers {
			x := web.Transfer{At: t.At, Client: t.Client, From: t.From, Form: t.Form, Bytes: web.Count(t.Bytes()), Complete: t.Complete}
			if t.Start > 0 || t.End < t.Size {
				x.Range = fmt.Sprintf("from %s of %s", web.Count(t.Start), web.Count(t.Size))
			}
			file.Transfers = append(file.Transfers, x)
		}
		all = append(all, file)
	}
	return all
}

func excluded(job oversight.Job) (all []web.Fact) {
	sums := map[string]int{}
	for _, p := range job.Partitions {
		for why, n := range p.Result.Excluded {
			sums[why] += n
		}
	}
	for _, why := range slices.Sorted(maps.Keys(sums)) {
		all = append(all, web.Fact{Name: strings.ReplaceAll(why, "_", " "), Text: web.Count(sums[why])})
	}
	return all
}

func asked(job oversight.Job) []web.Fact {
	facts := []web.Fact{{Name: "Client", Text: string(job.Client), Code: true}, {Name: "_since", At: job.Window.Since}, {Name: "_until", At: job.Window.Until},
		{Name: "transactionTime", At: job.TransactionTime}, {Name: "Weight", Text: fmt.Sprint(max(job.Weight, 1))}}
	for _, s := range job.Skipped {
		facts = append(facts, web.Fact{Name: "Left out", Text: s.Reason})
	}
	for _, e := range slices.Backward(job.History) { // the oldest first
		if e.Action == "export.start" || e.Action == oversight.StartJob || e.Action == oversight.RetryJob {
			facts = append(facts, web.Fact{Name: "From", Text: e.Actor.From})
			break
		}
	}
	return slices.DeleteFunc(facts, func(f web.Fact) bool { return f.Text == "" && f.At.IsZero() })
}

// jobForms says for each action on a job what its page tells.
func (c *console) formOf(action string, job oversight.Job, here string) (title string, f web.Form) {
	f = web.Form{Action: here + "/" + action, Back: here, Fields: reasonFields()}
	short := string(job.ID)[:8]
	switch action {
	case "cancel":
		title, f.Submit, f.Stop = "Cancel job "+short, "Cancel the job", true
		f.Says = []string{"The job belongs to " + job.Of.Name + "."}
		f.Warns = []string{"What was written so far is deleted. The sponsor's next status request answers 404."}
		if !job.State.Active() {
			title, f.Submit = "Delete job "+short, "Delete the job and its files"
			f.Warns = []string{fmt.Sprintf("Its %d files are deleted now and cannot be fetched any more.", len(job.Files))}
		}
	case "retry":
		title, f.Submit = "Start job "+short+" again", "Start it again"
		f.Says = []string{"A new job asks for the same: the same contracts, period and FHIR version, under the client " + string(job.Client) + ". The old one stays as it is.",
			"The sponsor finds the new job in its list of jobs; tell it the new id."}
	case "extend":
		title, f.Submit = "Extend the files of job "+short, "Extend"
		f.Says = []string{"The files can be fetched until " + web.When(job.ExpiresAt) + "."}
		f.Fields = append([]web.Field{{Name: "days", Label: "Keep them for", Kind: "select", Options: []web.Option{{Value: "1", Text: "1 day from now"}, {Value: "2", Text: "2 days from now", Chosen: true}, {Value: "7", Text: "7 days from now"}, {Value: "14", Text: "14 days from now"}}}}, f.Fields...)
	case "expire":
		title, f.Submit, f.Stop = "Expire the files of job "+short, "Expire them now", true
		f.Warns = []string{fmt.Sprintf("Its %d files are deleted now. The sponsor is answered 410.", len(job.Files))}
	}
	return title, f
}

func (c *console) jobForm(action string) func(*ask) error {
	return func(a *ask) error {
		id, err := a.jobID()
		if err != nil {
			return err
		}
		job, err := a.Oversight.Job(a.ctx(), a.who, id)
		if err != nil {
			return err
		}
		here := jobsPath + "/" + string(id)
		title, form := c.formOf(action, job, here)
		a.fill(&form)
		return a.page(web.FormPage(a.shell(title, jobsPath, web.Link{Text: "Jobs", URL: jobsPath}, web.Link{Text: string(id)[:8], URL: here}), title, form))
	}
}

func (c *console) jobAct(action string) func(*ask) error {
	return func(a *ask) error {
		id, err := a.jobID()
		if err != nil {
			return err
		}
		to, said := jobsPath+"/"+string(id), ""
		switch action {
		case "cancel":
			said, err = "cancelled", a.Oversight.Cancel(a.ctx(), a.who, id, a.why())
		case "expire":
			said, err = "expired", a.Oversight.Expire(a.ctx(), a.who, id, a.why())
		case "extend":
			days := map[string]int{"1": 1, "2": 2, "7": 7, "14": 14}[a.FormValue("days")]
			said, err = "extended", a.Oversight.Extend(a.ctx(), a.who, id, a.now().AddDate(0, 0, days), a.why())
		case "retry":
			var next domain.JobID
			next, err = a.Oversight.Retry(a.ctx(), a.who, id, a.why())
			said, to = "started", jobsPath+"/"+string(next)
		}
		if err == nil {
			return a.Redirect(to+"?done="+said, 303)
		}
		job, lookErr := a.Oversight.Job(a.ctx(), a.who, id)
		if lookErr != nil {
			return err
		}
		here := jobsPath + "/" + string(id)
		title, form := c.formOf(action, job, here)
		return a.refused(a.shell(title, jobsPath, web.Link{Text: "Jobs", URL: jobsPath}, web.Link{Text: string(id)[:8], URL: here}), title, form, err)
	}
}

func (a *ask) exportForm() (web.Form, error) {
	known, err := a.Clients.List(a.ctx())
	if err != nil {
		return web.Form{}, err
	}
	var options []web.Option
	for _, k := range known {
		var numbers []string
		for _, n := range k.Contracts {
			numbers = append(numbers, string(n))
		}
		if k.Enabled {
			options = append(options, web.Option{Value: string(k.ID), Text: k.Name + " (" + strings.Join(numbers, ", ") + ")", Chosen: string(k.ID) == a.Query("client")})
		}
	}
	return web.Form{Action: jobsPath + "/start", Back: jobsPath, Submit: "Start the export",
		Says: []string{"The export runs as if the client had asked for it: the same rules and limits hold, and the client fetches the files."},
		Fields: append([]web.Field{
			{Name: "client", Label: "Client", Kind: "select", Options: options},
			{Name: "contract", Label: "Contract", Kind: "text", Optional: true, Hint: "One contract of the client; empty for all of them.", Value: a.Query("contract")},
			{Name: "fhir", Label: "FHIR version", Kind: "select", Options: []web.Option{{Value: string(domain.R4), Text: "R4"}, {Value: string(domain.STU3), Text: "STU3"}}},
			{Name: "since", Label: "Claims updated since", Kind: "date", Optional: true, Hint: "Empty for all claims."},
		}, reasonFields()...)}, nil
}

func (c *console) startForm(a *ask) error {
	form, err := a.exportForm()
	if err != nil {
		return err
	}
	a.fill(&form)
	return a.page(web.FormPage(a.shell("Start an export", jobsPath, web.Link{Text: "Jobs", URL: jobsPath}), "Start an export", form))
}

func (c *console) start(a *ask) error {
	cmd := oversight.Start{Client: domain.ClientID(a.FormValue("client")), Version: domain.FHIRVersion(a.FormValue("fhir"))}
	err := func() error {
		if cmd.Version != domain.STU3 && cmd.Version != domain.R4 {
			return domain.Errorf(domain.Invalid, "There is no such FHIR version.")
		}
		what := "Patient"
		if n := strings.ToUpper(strings.TrimSpace(a.FormValue("contract"))); n != "" {
			number, err := domain.ParseContractNumber(n)
			if err != nil {
				return domain.Errorf(domain.Invalid, "%s.", err).WithNext("As S0001.")
			}
			cmd.Contracts, what = []domain.ContractNumber{number}, "Group/"+n
		}
		cmd.Request = fmt.Sprintf("%s/api/%s/fhir/%s/$export", a.PublicURL, map[domain.FHIRVersion]string{domain.STU3: "v1", domain.R4: "v2"}[cmd.Version], what)
		if s := a.FormValue("since"); s != "" {
			since, err := time.Parse(time.DateOnly, s)
			if err != nil {
				return domain.Errorf(domain.Invalid, "%q is no date.", s).WithNext("Give it as 2026-01-31.")
			}
			cmd.Window.Since = since
			cmd.Request += "?_since=" + since.Format(time.RFC3339)
		}
		id, err := a.Oversight.StartExport(a.ctx(), a.who, cmd, a.why())
		if err == nil {
			err = a.Redirect(jobsPath+"/"+string(id)+"?done=started", 303)
		}
		return err
	}()
	if err == nil {
		return nil
	}
	form, formErr := a.exportForm()
	if formErr != nil {
		return formErr
	}
	return a.refused(a.shell("Start an export", jobsPath, web.Link{Text: "Jobs", URL: jobsPath}), "Start an export", form, err)
}

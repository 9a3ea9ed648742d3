// Package stories shows every page of the console in its states, from fixtures:
// with much in it, with nothing, with what went wrong, and with texts as long as
// they get. It needs no database and no sign-in.
package stories

import (
	"fmt"
	"net/http"
	"time"

	"github.com/a-h/templ"

	web "cms.gov/ab2d/web/console"
)

// Story is a page in a state.
type Story struct {
	Name  string // in the address
	Group string
	Says  string
	Page  templ.Component
}

// All returns all stories in the order in which they are listed.
func All() []Story {
	s := []Story{}
	add := func(group, name, says string, page templ.Component) { s = append(s, Story{name, group, says, page}) }
	signingIn(add)
	lists(add)
	jobs(add)
	contracts(add)
	forms(add)
	refusals(add)
	return s
}

type adder func(group, name, says string, page templ.Component)

func signingIn(add adder) {
	notice := []string{"You are accessing a U.S. Government information system.", "Unauthorized or improper use of it is prohibited and may result in disciplinary action, and in civil and criminal penalties."}
	people := []web.Person{{ID: "viewer", Name: "Vera Nguyen", Role: "viewer", May: "Sees everything but the audit log."}, {ID: "admin", Name: "Kim Larsen", Role: "admin", May: "May do everything."}}
	add("Signing in", "notice", "The notice comes first", web.Notice(true, "", notice, ""))
	add("Signing in", "notice-over", "After a session that ran out", web.Notice(false, "Your session ended after 15 minutes without activity. What you had typed is kept.", notice, ""))
	add("Signing in", "picker", "Sample accounts of a sandbox", web.Picker(token, people))
	add("Signing in", "no-access", "Somebody without a role", web.Turned("No access yet", false, "Your account has no role in this console.", "Ask for one of the groups: AB2D Viewers, AB2D Operators."))
	add("Signing in", "provider-down", "The identity provider does not answer", web.Turned("Not available now", false, "The sign-in service does not answer.", "Try again in a few minutes."))
	add("One-time links", "once", "Before a link is opened", web.OncePage("#"))
	add("One-time links", "opened", "The secret behind it", web.OpenedPage("ab2dQ4X7JHD2M5RWT6ZK", "K7QX2M4VJ3WZ5T6RN8YB2C9DHFLGPS4AMUEX7Q2J"))
	add("One-time links", "link-over", "Opened before", web.LinkOver("This link was opened already, or its three days are over.", "Ask the AB2D team for another. If it was not you who opened it, say so at once: the secret must be ended."))
}

func lists(add adder) {
	dash := func(some bool) web.Dashboard {
		v := web.Dashboard{Ranges: []web.Link{{Text: "24 hours", URL: "#", Current: true}, {Text: "7 days", URL: "#"}, {Text: "30 days", URL: "#"}}, Tiles: tiles(some),
			Plots: plots(some)}
		if some {
			v.Alerts = []web.Alert{{Says: "2 jobs failed in the last 24 hours.", More: "Each says why.", URL: "#", Tone: "bad"}, {Says: "Mia Chen asks for approval: record a lapse of S0003.", More: "It expires in 2 days.", URL: "#", Tone: "warn"}}
			v.Recent = entries()
		}
		return v
	}
	add("Dashboard", "dashboard", "A working day", web.DashboardPage(shell("Dashboard", "Dashboard"), dash(true)))
	add("Dashboard", "dashboard-empty", "Nothing happened yet", web.DashboardPage(shell("Dashboard", "Dashboard"), dash(false)))
	told := shell("Jobs", "Jobs")
	told.Told, told.Done = "New disks until 18:00 Eastern.", "The export is started."
	v := web.Jobs{Tiles: tiles(true), Plot: plot("jobs", "Jobs finished each hour, last 24 h (Eastern)", true), Filters: jobFilters(), Chips: []web.Link{{Text: "state: failed", URL: "#"}}, Rows: rows(), Says: "6 of 2,431 jobs", Next: "#", CSV: "#", May: true}
	add("Jobs", "jobs", "Each state in the list", web.JobsPage(shell("Jobs", "Jobs"), v))
	add("Jobs", "jobs-maintenance", "During maintenance, after something was done", web.JobsPage(told, v))
	v.Rows = []web.JobRow{row(7, run, long)}
	v.Rows[0].Contracts = []string{"S0001", "S0002", "S0003", "S0004", "S0005", "S0006", "S0007", "S0008"}
	add("Jobs", "jobs-long", "A long name and many contracts", web.JobsPage(shell("Jobs", "Jobs"), v))
	v.Rows, v.Says, v.Next = nil, "0 jobs", ""
	add("Jobs", "jobs-empty", "Nothing matches", web.JobsPage(shell("Jobs", "Jobs"), v))
	add("Lists", "sponsors", "Sponsors", list("Sponsors", "", []string{"Sponsor", "Parent organization", "Contracts", "Attested"}, []web.Cell{{Text: "Lake Plans", URL: "#"}, {Text: "Lakes Holding"}, {Text: "2"}, {Text: "2"}}, []web.Cell{{Text: long, URL: "#"}, {Text: long}, {Text: "41"}, {Text: "40"}}))
	add("Lists", "sponsors-empty", "No sponsors", list("Sponsors", "There are no sponsors. They come with the import from HPMS.", []string{"Sponsor"}))
	add("Lists", "audit", "Records with what changed", web.ListPage(shell("Audit log", "Audit log"), web.List{Title: "Audit log", Lead: "Records are only ever added. Seal 1,204 vouches for records up to 98,112.", Filters: jobFilters(), Entries: entries(), Says: "3 records shown"}, "#"))
	add("Lists", "audit-empty", "No records match", web.ListPage(shell("Audit log", "Audit log"), web.List{Title: "Audit log", Empty: "No records match.", Reset: web.Link{Text: "Clear the filters", URL: "#"}, Filters: jobFilters()}, "#"))
	awaited := shell("Sponsors", "Sponsors")
	awaited.Loading = true
	add("Lists", "loading", "While the next page is awaited", web.ListPage(awaited, web.List{Title: "Sponsors", Says: "1 sponsor", Table: web.Table{Caption: "Sponsors", Columns: []string{"Sponsor", "Parent organization"}, Rows: [][]web.Cell{{{Text: "Lake Plans", URL: "#"}, {Text: "Lakes Holding"}}}}}, "#"))
	system(add)
}

// system adds the pages of the system's health: as it is on a bad day, and when
// it has just started.
func system(add adder) {
	page := func(current string, v web.Detail) templ.Component {
		v.Title = "System health"
		for _, t := range []string{"Health", "Workers", "Queue", "Storage", "Claims source", "HPMS"} {
			v.Tabs = append(v.Tabs, web.Link{Text: t, URL: "#" + t, Current: t == current})
		}
		return web.DetailPage(shell("System health", "System health"), v)
	}
	well, off := &web.Badge{Text: "Well", Tone: "ok"}, &web.Badge{Text: "Not well", Tone: "bad"}
	none := web.Cell{Text: "–"}
	checks := web.Section{Title: "Checks", Table: web.Table{Caption: "Checks", Columns: []string{"What", "State", "Value", "Bound", "Since", "What to do"}, Rows: [][]web.Cell{
		{{Text: "Database"}, {Badge: well}, {Text: "answers"}, none, none, none},
		{{Text: "Claims source"}, {Badge: off}, {Text: "dial tcp 192.0.2.1:443: connect: connection refused, after 3 tries in 12 s; the next try is in 30 s"}, none, none, {Text: "See that the source answers this process and takes its certificate."}},
		{{Text: "Disk of worker-1.example", URL: "#"}, {Badge: off}, {Text: "88.0% used, 12.9 GB free"}, {Text: "at most 80.0%"}, {At: day.Add(-3 * time.Hour)}, {Text: "Free room or add some. Exports wait when it is full; sweeping now or shortening file-life frees what is over."}},
		{{Text: "HPMS", URL: "#"}, {Badge: &web.Badge{Text: "Look", Tone: "warn"}}, {Text: "last 9 h 2 min ago"}, {Text: "every 1 h"}, {At: day.Add(-6 * time.Hour)}, {Text: "It says: HPMS answered 503"}}}}}
	facts := []web.Fact{{Name: "Maintenance", Text: "off"}, {Name: "Version", Text: "1.4.0", Code: true}, {Name: "Files are in", Text: "the bucket ab2d-prod-exports"}, {Name: "Claims come from", Text: "BFD at https://prod.bfd.example"}}
	add("System", "system", "A bad day", page("Health", web.Detail{Tone: "bad", Says: "The claims source is not well. 2 others below.", Facts: facts, Actions: []web.Link{{Text: "Maintenance mode", URL: "#"}}, Parts: []web.Section{checks, {Title: "People signed in", Empty: "Nobody is."}}}))
	checks.Table.Rows = checks.Table.Rows[:1]
	add("System", "system-well", "All is well", page("Health", web.Detail{Tone: "ok", Says: "Everything is well.", Facts: facts, Parts: []web.Section{checks}}))
	process := func(host, state, tone, partitions string) []web.Cell {
		return []web.Cell{{Text: host}, {Text: "17", Code: true}, {Badge: &web.Badge{Text: state, Tone: tone}}, {Text: "1.4.0"}, {Text: "worker"}, {At: day.Add(-30 * time.Hour)}, {Text: "9 s ago"}, {Text: partitions}, {Text: "412 MB"}}
	}
	add("System", "system-workers", "Workers by host", page("Workers", web.Detail{Facts: []web.Fact{{Name: "Workers", Text: "2"}, {Name: "Partitions being written", Text: "9 of 16 at once"}, {Name: "Fell silent in the last hour", Text: "1"}},
		Parts: []web.Section{{Title: "Processes", Table: web.Table{Caption: "Processes by host", Columns: []string{"Host", "Process", "State", "Version", "Roles", "Started", "Last heard of", "Partitions", "Memory"}, Numbers: []int{7, 8},
			Rows: [][]web.Cell{process("worker-1.example", "Running", "ok", "8 of 8"), process("worker-with-a-name-as-long-as-a-cluster-gives-7d9f8b6c5d-x2x9q.example", "Running", "ok", "1 of 8"), process("worker-3.example", "Silent", "bad", "8 of 8")}}}}}))
	add("System", "system-workers-empty", "No process has told of itself", page("Workers", web.Detail{Parts: []web.Section{{Title: "Processes", Empty: "No process tells of itself yet. Each does so every 15 seconds once it runs."}}}))
	add("System", "system-queue", "A queue that is paused", page("Queue", web.Detail{Tone: "warn", Says: "The queue is paused, by Dana Ortiz since 2026-03-02 10:00 ET: BFD asked us to stop until its index is rebuilt", Actions: []web.Link{{Text: "Let the queue go on", URL: "#"}},
		Facts: []web.Fact{{Name: "Partitions that wait", Text: "1,204"}, {Name: "Oldest wait", Text: "41 min 3 s"}}, Plots: []web.Plot{plot("wait", "How long exports waited to begin", true)}}))
	add("System", "system-storage", "Bytes held by age", page("Storage", web.Detail{Actions: []web.Link{{Text: "Sweep now", URL: "#"}}, Facts: []web.Fact{{Name: "Last sweep", At: day}, {Name: "Its outcome", Badge: &web.Badge{Text: "Done", Tone: "ok"}}, {Name: "Next sweep", At: day.Add(time.Minute)}, {Name: "Orphans of the last sweep", Text: "1 file that nothing referred to"}},
		Parts: []web.Section{{Title: "Disks", Empty: "Files are not on a disk of ours, or no process has told of one yet."}, {Title: "Bytes held by age", Table: web.Table{Caption: "Bytes held by age", Columns: []string{"Written", "Files", "Bytes"}, Numbers: []int{1, 2}, Rows: [][]web.Cell{{{Text: "in the last 1 h"}, {Text: "412"}, {Text: "61 GB"}}, {{Text: "more than 14 days ago"}, {Text: "0"}, {Text: "0 B"}}}}}}}))
	add("System", "system-source-empty", "A source that was not asked", page("Claims source", web.Detail{Plots: []web.Plot{plot("latency", "How long the claims source took to answer", false), plot("trouble", "Calls that the claims source did not answer", false)}, Parts: []web.Section{{Title: "Concurrency now", Empty: "Nothing bounds the calls to this source: it is on this machine, or no worker runs."}}}))
}

func jobs(add adder) {
	page := func(v web.Job) templ.Component {
		return web.JobPage(crumbs(shell("Job "+v.Row.Short(), "Jobs"), "Jobs"), v)
	}
	running := jobPage("", "10,412 of 28,411 enrollees are done.", "It is being worked on and will be complete in about 8 minutes.", run)
	running.Running, running.Rate = true, "about 2,100 enrollees a minute"
	add("A job", "job-running", "Running", page(running))
	done := jobPage("", "4 files with 201,884 claims can be fetched until 2026-03-05 10:00 ET.", "2 of 4 files fetched whole. The last download was on 2026-03-02 10:40 ET by Nightly from 192.0.2.7.", ok)
	done.Columns = []web.Columns{{Contract: "S0001", Enrolled: "28,411", Exported: "27,001", NoClaims: "1,377", OptedOut: "33", Failed: "0", AddUp: true, FullHistory: "0"}}
	add("A job", "job-done", "Complete", page(done))
	add("A job", "job-failed", "Failed", page(jobPage("", "The claims source did not answer for 12 of 28,411 enrollees.", "Nothing was lost: start it again once the source answers. Quote ABCD-EFGH.", bad)))
	parts := jobPage("partitions", done.Says, "", ok)
	parts.Parts = []web.Part{{Number: 1, Contract: "S0001", Members: "10,000", Processed: "10,000", Attempts: "1", Files: "2", State: ok, Claims: "71,002", Bytes: "640 MB"}, {Number: 2, Contract: "S0001", Members: "10,000", Processed: "4,120", Attempts: "3", Files: "0", State: run, Claims: "–", Bytes: "–"}}
	add("A job", "job-partitions", "Partitions and attempts", page(parts))
	files := jobPage("files", done.Says, done.Next, ok)
	sum := "7c89c419678a3afd7658c46d78f8aebd44a6160cdf630d8b555174674d9ed75c"
	files.Files = []web.File{{Name: "S0001_0001.ndjson", Kind: "ExplanationOfBenefit", Contract: "S0001", Lines: "71,002", Plain: "640 MB", Stored: "61 MB", SHA256: sum, Fetched: web.Badge{Text: "Fetched", Tone: "ok"}, FetchedAt: day,
		Transfers: []web.Transfer{{At: day, Client: "ab2dQ4X7", From: "192.0.2.7", Form: "gzip", Range: "from 0 of 61,204,118", Bytes: "61,204,118", Complete: true}, {At: day, Client: "ab2dQ4X7", From: "192.0.2.7", Form: "gzip", Range: "from 0 of 61,204,118", Bytes: "12,001"}}},
		{Name: "S0001_0002.ndjson", Kind: "ExplanationOfBenefit", Contract: "S0001", Lines: "68,113", Plain: "611 MB", Stored: "59 MB", SHA256: sum, Fetched: web.Badge{Text: "Not fetched"}}}
	add("A job", "job-files", "Files with their downloads", page(files))
	wrong := jobPage("errors", done.Says, "", bad)
	wrong.Causes, wrong.CausesAll = []web.Cause{{Code: "exception", Text: "The claims could not be had: " + long, Count: "11"}, {Code: "invalid", Text: "A claim could not be read.", Count: "1"}}, true
	add("A job", "job-errors", "Errors by cause", page(wrong))
	history := jobPage("history", done.Says, "", ok)
	history.History = entries()
	add("A job", "job-history", "History", page(history))
	add("A job", "job-history-empty", "No history", page(jobPage("history", done.Says, "", ok)))
}

func contracts(add adder) {
	page := func(v web.Contract) templ.Component {
		return web.ContractPage(crumbs(shell("Contract S0001", "Contracts"), "Contracts"), v)
	}
	active := contract(web.Badge{Text: "Attested", Tone: "ok"}, "Claims available from 2024-05-01, because the contract was re-attested on that day, too late to keep an earlier one.", "")
	add("A contract", "contract", "Attested, on the way to production", page(active))
	add("A contract", "contract-grace", "In grace", page(contract(warn, "No claims are available, because no attestor is active.", "A re-attestation by 2026-03-11 keeps 2020-01-01 as the data start: 9 days left.")))
	never := contract(web.Badge{Text: "Never attested", Tone: "warn"}, "No claims are available, because the contract was never attested.", "Until it is, the API answers 403 with the code business-rule.")
	never.Stretches, never.Years, never.Attestors.Rows, never.Start = nil, nil, nil, -1
	add("A contract", "contract-never", "Never attested", page(never))
	add("A contract", "contract-attestation", "The history of its attestation", page(tab(contract(ok, active.Says, ""), "attestation", 1)))
	held := tab(contract(ok, active.Says, ""), "coverage", 2)
	held.Coverage = plot("months", "Enrollees by month, last two years", true)
	add("A contract", "contract-enrollment", "Enrollment by month", page(held))
	empty := tab(contract(ok, active.Says, ""), "jobs", 3)
	add("A contract", "contract-jobs-empty", "No jobs yet", page(empty))
	add("Changes", "approval", "A request that waits", web.DetailPage(crumbs(shell("Request on S0003", "Approvals"), "Approvals"), web.Detail{Title: "Request on S0003", Badge: &web.Badge{Text: "Waiting", Tone: "run"}, Says: "No claims are available from 2026-03-02 on; 2 running exports stop.",
		Facts: []web.Fact{{Name: "What", Text: "attestation.lapse", Code: true}, {Name: "Asked by", Text: "Mia Chen"}, {Name: "Asked", At: day}, {Name: "Reason", Text: "Their CFO left the company"}, {Name: "Expires", At: day.AddDate(0, 0, 3)}}, Actions: []web.Link{{Text: "Approve", URL: "#"}, {Text: "Deny", URL: "#"}}}))
	add("Changes", "confirm", "What a change does", web.ConfirmPage(crumbs(shell("Record a lapse: contract S0003", "Contracts"), "Contracts"), "Record a lapse: contract S0003", web.Effect{Says: "no claims are available from 2026-03-02 on.", Tone: "warn", Lines: []string{"2 running exports stop and fail with that reason.", "3 finished files answer 403 from then on. They are not deleted before their time."}}, web.Form{Action: "#", Back: "#", Submit: "Record it", Stop: true}))
}

func forms(add adder) {
	page := func(title string, f web.Form) templ.Component {
		f.Action, f.Back = "#", "#"
		return web.FormPage(crumbs(shell(title, "Jobs"), "Jobs"), title, f)
	}
	add("Forms", "form", "Before it is sent", page("Cancel job 0d2f6c1a", web.Form{Warns: []string{"Its files are deleted; the sponsor has to start again."}, Fields: reason("", ""), Submit: "Cancel the job", Stop: true}))
	add("Forms", "form-wrong", "With what was wrong", page("Cancel job 0d2f6c1a", web.Form{Fields: reason("short", "It is too short: 10 characters at least."), Submit: "Cancel the job", Stop: true, Failed: "The reason is too short.", Next: "Say in a sentence why."}))
	add("Forms", "form-conflict", "When somebody was faster", page("Extend the files of job 0d2f6c1a", web.Form{Fields: reason("the sponsor called about it", ""), Submit: "Extend them", Failed: "The job's files are gone already.", Next: "Start the export again."}))
	sponsors := func(title string, f web.Form) templ.Component {
		f.Action, f.Back = "#", "#"
		return web.FormPage(crumbs(shell(title, "Sponsors"), "Sponsors"), title, f)
	}
	named := []web.Field{{Name: "name", Label: "Name", Kind: "text", Value: "Lake Plans Incorporated"}, {Name: "parent", Label: "Parent organization", Kind: "text", Optional: true}}
	add("Sponsors and contracts", "sponsor-add", "A sponsor by hand", sponsors("Add a sponsor", web.Form{Submit: "Add it", Says: []string{"Sponsors come from HPMS by themselves. Add one by hand for a site without HPMS, or for tests."}, Fields: append(named, reason("", "")...)}))
	add("Sponsors and contracts", "sponsor-stale", "When somebody was faster", sponsors("Edit Lake Plans", web.Form{Submit: "Save", Failed: "It was changed by Dana Whitaker 14 seconds ago, since you opened the form.", Next: "What you typed is still here. Send it again if it is right.",
		Says: []string{"Name is now “Lake Plans, Inc.”; yours is “Lake Plans Incorporated”."}, Fields: append(named, reason("the name in their letter", "")...)}))
	add("Sponsors and contracts", "sponsor-merge", "Two that are one", sponsors("Merge Lake Plans into another sponsor", web.Form{Submit: "Merge them", Stop: true, Says: []string{"For one sponsor that is here twice. The other takes over 2 contracts, 1 API client and 34 jobs, with all their files, attestations and history."},
		Warns: []string{"This cannot be undone."}, Fields: append([]web.Field{{Name: "into", Label: "The sponsor that stays", Kind: "select", Options: []web.Option{{Text: "Choose one"}, {Value: "a", Text: "Lake Plans, Inc. (hpms-P001)"}, {Value: "b", Text: long}}}}, reason("", "")...)}))
	add("Sponsors and contracts", "contract-edit", "What HPMS would overwrite", sponsors("Edit contract S0001", web.Form{Submit: "Save", Failed: "HPMS keeps this contract, and would overwrite its name and sponsor.", Next: "Choose that staff keep it, or change it in HPMS.",
		Fields: append([]web.Field{{Name: "name", Label: "Name", Kind: "text", Value: "Lake Plans Basic"}, {Name: "type", Label: "Type", Kind: "select", Options: []web.Option{{Text: "normal: real enrollees"}}}}, reason("the name in their letter", "")...)}))
	add("Sponsors and contracts", "sponsor-merged", "One that is another now", web.DetailPage(crumbs(shell("Lake Plans", "Sponsors"), "Sponsors"), web.Detail{Title: "Lake Plans", Badge: &web.Badge{Text: "Merged", Tone: "warn"}, Says: "It was merged into another sponsor, which has all that was its.", Tone: "warn",
		Facts: []web.Fact{{Name: "Id", Text: "sponsor-lake", Code: true}, {Name: "Merged into", Text: "hpms-P001", URL: "#"}}, Parts: []web.Section{{Title: "Contracts", Empty: "The sponsor has no contracts."}}}))
	add("Forms", "form-choices", "With choices", page("Create a client", web.Form{Submit: "Create it", Fields: append([]web.Field{{Name: "name", Label: "Name", Kind: "text"}, {Name: "contracts", Label: "Contracts", Kind: "checks", Options: []web.Option{{Value: "S0001", Text: "S0001 Lake Plans Basic", Chosen: true}, {Value: "S0002", Text: "S0002 " + long}}},
		{Name: "overlap", Label: "The old secret counts on for", Kind: "radios", Options: []web.Option{{Value: "0", Text: "not at all"}, {Value: "24", Text: "24 hours", Chosen: true}}}, {Name: "from", Label: "Effective on", Kind: "date", Value: "2026-03-02"}}, reason("", "")...)}))
	add("Forms", "secret", "A secret, this once", web.SecretPage(shell("The client is created", "API clients"), "The client is created", "ab2dQ4X7JHD2M5RWT6ZK", "K7QX2M4VJ3WZ5T6RN8YB2C9DHFLGPS4AMUEX7Q2J", "The old one counts for 24 more hours."))
	add("Forms", "link", "A one-time link", web.LinkPage(shell("The link is made", "API clients"), "The link is made", "ab2dQ4X7", "https://ab2d.example/console/once#5e8c1f0b2a7d4e93b6c8d1f2a3b4c5d6e7f80910a1b2c3d4e5f60718293a4b5c", "It can be opened once, until 2026-03-05 10:00 ET."))
}

func refusals(add adder) {
	page := func(title, says, next, quote string) templ.Component {
		return web.Refusal(shell(title, ""), says, next, quote)
	}
	add("Refusals", "forbidden", "Without the role", page("You may not do this", "This needs one of the roles operator, admin.", "Ask somebody who has it.", ""))
	add("Refusals", "not-found", "Nothing there", page("Not found", "There is nothing at this address.", "It may be mistyped, or what it was of is gone.", ""))
	add("Refusals", "internal", "Something of ours is broken", page("Something went wrong", "An internal error occurred.", "Try again. If it goes on, tell the help desk.", "ABCD-EFGH"))
}

// Handler serves the stories with a list of them, and nothing else.
func Handler() http.Handler {
	mux, all := http.NewServeMux(), All()
	for _, s := range all {
		mux.Handle("GET /"+s.Name, guarded(templ.Handler(s.Page)))
	}
	mux.Handle("GET "+web.Prefix, http.StripPrefix(web.Prefix, http.FileServerFS(web.Assets())))
	mux.Handle("GET /{$}", guarded(templ.Handler(contents(all))))
	return mux
}

// guarded has stories shown under the policy that the console's pages have.
func guarded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'")
		w.Header().Set("Cache-Control", "no-store")
		h.ServeHTTP(w, r)
	})
}

// contents lists the stories.
func contents(all []Story) templ.Component {
	v := web.Detail{Title: "Storybook", Says: fmt.Sprintf("%d pages and states of the console, from fixtures. Nothing here is real, and no form is sent.", len(all))}
	for _, s := range all {
		if n := len(v.Parts); n == 0 || v.Parts[n-1].Title != s.Group {
			v.Parts = append(v.Parts, web.Section{Title: s.Group, Table: web.Table{Caption: s.Group, Columns: []string{"State", "Address"}}})
		}
		t := &v.Parts[len(v.Parts)-1].Table
		t.Rows = append(t.Rows, []web.Cell{{Text: s.Says, URL: "/" + s.Name}, {Text: s.Name, Code: true}})
	}
	return web.DetailPage(shell("Storybook", ""), v)
}

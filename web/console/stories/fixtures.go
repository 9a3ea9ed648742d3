package stories

import (
	"fmt"
	"strings"
	"time"

	"github.com/a-h/templ"

	web "cms.gov/ab2d/web/console"
)

// day is when everything here happens.
var day = time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)

const (
	job   = "0d2f6c1a-9b7e-4a55-8d51-3f0c9be2a917"
	long  = "Consolidated Prescription Drug Plan Administrators of the Greater Upper Midwest, a Mutual Benefit Company (formerly Lakes and Prairies Senior Security Trust)"
	token = "0123456789abcdef"
)

var (
	ok   = web.Badge{Text: "Successful", Tone: "ok"}
	run  = web.Badge{Text: "In progress", Tone: "run"}
	bad  = web.Badge{Text: "Failed", Tone: "bad"}
	warn = web.Badge{Text: "Grace, 9 days left", Tone: "warn"}
)

func shell(title, section string) web.Shell {
	s := web.Shell{Title: title, Sandbox: true, Person: "Dana Ortiz", Roles: "operator", Token: token, Version: "storybook", Idle: 900, Warn: 780, End: 28800}
	for _, n := range []string{"Dashboard", "Jobs", "Sponsors", "Contracts", "API clients", "Approvals", "Held changes", "Audit log", "System health", "Settings"} {
		s.Nav = append(s.Nav, web.Link{Text: n, URL: "#" + strings.ReplaceAll(n, " ", "-"), Current: n == section})
	}
	return s
}

func crumbs(s web.Shell, of string) web.Shell {
	s.Crumbs = []web.Link{{Text: of, URL: "#"}}
	return s
}

func tiles(some bool) []web.Tile {
	if !some {
		return []web.Tile{{Value: "0", Label: "Running"}, {Value: "0", Label: "Waiting"}, {Value: "0", Label: "Completed in 24 h"}, {Value: "0", Label: "Failed in 24 h"}, {Value: "0 B", Label: "Exported in 24 h"}, {Value: "0 of 0", Label: "Contracts attested"}}
	}
	return []web.Tile{{Value: "3", Label: "Running", URL: "#"}, {Value: "12", Label: "Waiting (oldest work 2 min 10 s)", URL: "#"}, {Value: "148", Label: "Completed in 24 h"}, {Value: "2", Label: "Failed in 24 h", URL: "#"},
		{Value: "1.4 TB", Label: "Exported in 24 h"}, {Value: "61 of 64", Label: "Contracts attested", URL: "#"}}
}

func plot(id, title string, some bool) web.Plot {
	p := web.Plot{ID: id, Title: title, Parts: []string{"Completed", "Failed"}, Says: "Nothing finished in this time.", Top: "0"}
	for h := range 24 {
		b := web.Bar{Label: fmt.Sprintf("%02d:00", (h+11)%24), Values: []float64{0, 0}, Texts: []string{"0", "0"}}
		if some {
			done, failed := float64((h*7)%9), 0.0
			if h == 5 || h == 17 {
				failed = 1
			}
			b.Values, b.Texts = []float64{done, failed}, []string{fmt.Sprint(done), fmt.Sprint(failed)}
		}
		p.Bars = append(p.Bars, b)
	}
	if some {
		p.Says, p.Top, p.Max = "The busiest hour was 18:00, 8 completed. 2 jobs failed.", "9", 9
	}
	return p
}

// drawn is a plot of other things than jobs, by hours.
func drawn(id, title, says, top string, max float64, parts []string, at func(hour int) ([]float64, []string)) web.Plot {
	p := web.Plot{ID: id, Title: title, Parts: parts, Says: says, Top: top, Max: max}
	for h := range 24 {
		values, texts := at(h)
		p.Bars = append(p.Bars, web.Bar{Label: fmt.Sprintf("%02d:00", (h+11)%24), Values: values, Texts: texts})
	}
	return p
}

// plots are those of a working day's dashboard.
func plots(some bool) []web.Plot {
	jobs := plot("jobs", "Jobs finished each hour, last 24 h (Eastern)", some)
	if !some {
		return []web.Plot{jobs}
	}
	return []web.Plot{jobs,
		drawn("bytes", "Exported each hour", "In all 1.4 TB of NDJSON.", "120 GB", 120, []string{"NDJSON"}, func(h int) ([]float64, []string) {
			gb := float64((h * 7 % 9) * 15)
			return []float64{gb}, []string{fmt.Sprintf("%g GB", gb)}
		}),
		drawn("source", "How long the claims source took to answer", "Half of 81,300 calls were answered within 517 ms, 95 of 100 within 1.0 s.", "1.2 s", 1200, []string{"Half within", "95 of 100 within"},
			func(h int) ([]float64, []string) {
				half, most := 480+float64(h*13%60), 900+float64(h*29%280)
				return []float64{half, most - half}, []string{fmt.Sprintf("%g ms", half), fmt.Sprintf("%g ms", most)}
			}),
		drawn("unanswered", "Calls that the claims source did not answer", "Of 81,300 calls 71 failed and 24 were refused (0.1%).", "8", 8, []string{"Refused", "Failed"}, func(h int) ([]float64, []string) {
			refused, failed := float64(h%3), float64(h*5%7)
			return []float64{refused, failed}, []string{fmt.Sprint(refused), fmt.Sprint(failed)}
		}),
	}
}

func row(i int, state web.Badge, sponsor string) web.JobRow {
	r := web.JobRow{ID: fmt.Sprintf("%08x", 0x0d2f6c1a+i*7919) + job[8:], Contracts: []string{fmt.Sprintf("S%04d", i)}, Sponsor: sponsor, SponsorID: "1", State: state, Percent: 100, Period: "all",
		Submitted: day.Add(-time.Duration(i) * 17 * time.Minute), Duration: "12 min 4 s", Files: "4", Bytes: "1.9 GB"}
	if state == run {
		r.Percent, r.Left, r.Files, r.Bytes = 37, "about 8 min", "–", "–"
	}
	return r
}

func rows() []web.JobRow {
	return []web.JobRow{row(1, run, "Lake Plans"), row(2, ok, "Prairie Part D"), row(3, bad, "Harbor Rx"), row(4, web.Badge{Text: "Cancelled"}, "Lake Plans"), row(5, web.Badge{Text: "Submitted", Tone: "run"}, "Harbor Rx"),
		row(6, web.Badge{Text: "Expired"}, "Prairie Part D")}
}

func jobFilters() []web.Field {
	return []web.Field{{Name: "state", Label: "State", Kind: "select", Options: []web.Option{{Text: "Any"}, {Value: "failed", Text: "Failed", Chosen: true}}}, {Name: "contract", Label: "Contract", Kind: "text"},
		{Name: "from", Label: "From", Kind: "date"}, {Name: "to", Label: "To", Kind: "date"}}
}

func entries() []web.Entry {
	return []web.Entry{
		{At: day, Who: "Mia Chen", Role: "attestation manager", From: "192.0.2.10", Action: "attestation.lapse", Target: "S0003", URL: "#", Outcome: web.Badge{Text: "done", Tone: "ok"}, Reason: "Their CFO left the company (letter of February 27)", Details: []web.Fact{{Name: "effect", Text: "No claims are available from 2026-03-02 on."}, {Name: "ticket", Text: "INC-1044"}}},
		{At: day.Add(-time.Minute), Who: "Dana Ortiz", Role: "operator", From: "192.0.2.11", Action: "client.networks", Target: "ab2dQ4X7", URL: "#", Outcome: web.Badge{Text: "done", Tone: "ok"}, Reason: "New data centre", Before: "198.51.100.0/24", After: "198.51.100.0/24 203.0.113.8/29"},
		{At: day.Add(-time.Hour), Who: "Vera Nguyen", Role: "viewer", From: "192.0.2.12", Action: "job.cancel", Target: job, URL: "#", Outcome: web.Badge{Text: "forbidden", Tone: "bad"}},
	}
}

func reason(value, wrong string) []web.Field {
	return []web.Field{{Name: "reason", Label: "Reason", Kind: "area", Value: value, Wrong: wrong, Hint: "10 to 500 characters. It is kept in the audit log, so nothing that identifies a beneficiary."}, {Name: "ticket", Label: "Ticket", Kind: "text", Optional: true}}
}

func jobPage(tab, says, next string, state web.Badge) web.Job {
	v := web.Job{Row: row(0, state, "Lake Plans"), Tab: tab, Says: says, Next: next, Tone: state.Tone, Actions: []web.Link{{Text: "Cancel", URL: "#"}},
		Facts: []web.Fact{{Name: "Job id", Text: job, Code: true}, {Name: "Sponsor", Text: "Lake Plans", URL: "#"}, {Name: "Contract", Text: "S0001", URL: "#"}, {Name: "FHIR version", Text: "R4"}, {Name: "Claims period", Text: "all"}, {Name: "Submitted", At: day}}}
	for _, t := range [][2]string{{"", "Timeline"}, {"partitions", "Partitions"}, {"files", "Files and downloads"}, {"errors", "Errors"}, {"request", "Request"}, {"history", "History"}} {
		v.Tabs = append(v.Tabs, web.Link{Text: t[1], URL: "#" + t[0], Current: t[0] == tab})
	}
	v.Story = []web.Moment{{Says: "Submitted by the sponsor's client", More: "from 192.0.2.7", At: day, Tone: "ok"}, {Says: "Planned: 3 partitions of 28,411 enrollees", At: day.Add(4 * time.Second), Tone: "ok"}, {Says: "Writing", More: "1 of 3 partitions is done", Tone: "run"}, {Says: "Complete", Tone: "next"}}
	return v
}

func contract(s web.Badge, says, more string) web.Contract {
	v := web.Contract{Number: "S0001", Badge: s, Says: says, More: more, Tone: s.Tone, Start: .7,
		Facts:   []web.Fact{{Name: "Name", Text: "Lake Plans Basic"}, {Name: "Sponsor", Text: "Lake Plans", URL: "#"}, {Name: "Parent organization", Text: "Lakes Holding"}, {Name: "Last export", At: day}, {Name: "Kept up to date", Text: "by HPMS"}},
		Actions: []web.Link{{Text: "Re-attest", URL: "#"}},
		Steps: []web.Step{{Says: "Attested", Done: true, More: "An attestor (CEO, CFO or COO) has to be active."}, {Says: "Data operations specialist named", Done: true, More: "Ann Lee, ann@example.com", Link: web.Link{Text: "Change", URL: "#"}},
			{Says: "Sandbox export verified", More: "An export that the sponsor finished in the sandbox, by its job id.", Link: web.Link{Text: "Verify it", URL: "#"}}, {Says: "Addresses approved", More: "A client that may call from registered addresses only."},
			{Says: "Credentials issued", More: "Refused until the steps before are done.", Link: web.Link{Text: "Override", URL: "#"}}, {Says: "First export", More: "A complete export of this contract."}},
		Attestors: web.Table{Caption: "Active attestors", Columns: []string{"Active attestor", "Office"}, Rows: [][]web.Cell{{{Text: "Ada Park"}, {Text: "CFO"}}}},
		Stretches: []web.Stretch{{Kind: "active", From: "2020-01-01", To: "2022-12-31", Days: "1,096", Why: "An attestor was active", X: 0, Width: .48}, {Kind: "grace", From: "2023-01-01", To: "2023-01-11", Days: "11", Why: "It was removed in HPMS: ten days to re-attest", X: .48, Width: .02},
			{Kind: "gap", From: "2023-01-12", To: "2024-04-30", Days: "475", Why: "The grace was over", X: .5, Width: .2}, {Kind: "active", From: "2024-05-01", Days: "671", Why: "An attestor was active", X: .7, Width: .3}},
		Years: []web.Tick{{Label: "2021", X: .16}, {Label: "2023", X: .48}, {Label: "2025", X: .8}},
		Events: []web.Event{{ID: "1", Kind: "Attested", Attestor: "Ada Park (CFO)", Effective: "2020-01-01", Source: "hpms", Actor: "hpms", Recorded: day.AddDate(-6, 0, 0), Correct: "#"},
			{ID: "2", Kind: "Removed in HPMS", Attestor: "Ada Park (CFO)", Effective: "2023-01-01", Source: "staff", Actor: "mia", Reason: "By hand in HPMS", Recorded: day.AddDate(-3, 0, 0), Struck: true, Correct: "#"},
			{ID: "3", Kind: "Correction", Attestor: "–", Effective: "2023-01-01", Source: "staff", Actor: "mia", Reason: "It was a lapse", Corrects: "it should have said: lapsed", Recorded: day.AddDate(-3, 0, 1)}}}
	for _, t := range []string{"Overview", "Attestation", "Enrollment", "Jobs", "API clients", "History"} {
		v.Tabs = append(v.Tabs, web.Link{Text: t, URL: "#" + t})
	}
	v.Tabs[0].Current = true
	return v
}

func tab(v web.Contract, name string, at int) web.Contract {
	v.Tab, v.Tabs[0].Current, v.Tabs[at].Current = name, false, true
	return v
}

func list(title, empty string, columns []string, rows ...[]web.Cell) templ.Component {
	return web.ListPage(shell(title, title), web.List{Title: title, Says: fmt.Sprintf("%d shown", len(rows)), Empty: empty, Reset: web.Link{Text: "Show all", URL: "#"},
		Actions: []web.Link{{Text: "Download CSV", URL: "#"}}, Table: web.Table{Caption: title, Columns: columns, Rows: rows}}, "#")
}

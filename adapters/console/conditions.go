package console

import (
	"fmt"
	"time"

	"cms.gov/ab2d/application/oversight"
	"cms.gov/ab2d/domain"
	web "cms.gov/ab2d/web/console"
)

// condition is something that has to be well, as the page of the system shows it;
// what is not well is told first on the dashboard too.
type condition struct {
	what, value, bound string
	says, do           string    // while it is not well
	since              time.Time // when it began to be not well, where that is known
	tone               string    // empty while it is well, else warn or bad
	url                string
}

// conditions returns all that has to be well.
func (a *ask) conditions(s oversight.System) (all []condition) {
	for _, check := range a.checks() {
		c := condition{what: upperFirst(check.Name), value: check.Says, do: check.Do}
		if c.value == "" {
			c.value = "answers"
		}
		if check.Err != nil {
			c.tone, c.value, c.says = "bad", check.Err.Error(), "The "+check.Name+" is not well."
			if c.do == "" {
				c.do = "See the log of this process."
			}
		}
		all = append(all, c)
	}
	all = append(all, workersWell(s), queueWell(s))
	all = append(all, sourceWell(s)...)
	for _, p := range disksOf(s) {
		d := p.State.Disk
		c := condition{what: "Disk of " + p.Host, value: share(d.Used()) + " used, " + web.Bytes(d.Free) + " free", bound: "at most " + share(domain.DiskFull), url: systemPath + "?tab=storage"}
		if d.Full() {
			c.tone, c.says, c.since = "bad", "The disk of "+p.Host+" is "+share(d.Used())+" full.", d.Since
			c.do = "Free room or add some. Exports wait when it is full; sweeping now or shortening file-life frees what is over."
		}
		all = append(all, c)
	}
	all = append(all, errandWell(s, s.Sweep, a.Watch.Sweep, "Sweeping of files", "The store of files was not swept", "?tab=storage"))
	if a.Watch.Listing > 0 {
		all = append(all, errandWell(s, s.HPMS, a.Watch.Listing, "HPMS", "HPMS did not answer well", "?tab=hpms"))
	}
	return all
}

func upperFirst(s string) string { return fmt.Sprintf("%c%s", s[0]-'a'+'A', s[1:]) }

func workersWell(s oversight.System) condition {
	working, lost := s.Workers()
	c := condition{what: "Workers", value: plural(len(working), "worker") + " at work", bound: "at least 1", url: systemPath + "?tab=workers"}
	if len(lost) > 0 {
		c.value += fmt.Sprintf(", %d silent", len(lost))
		last := lost[0]
		c.tone, c.says = "warn", fmt.Sprintf("The worker %d on %s has been silent for %s.", last.PID, last.Host, web.Span(last.Silent))
		c.since, c.do = s.At.Add(-last.Silent), "It was killed, or cannot reach the database. Others take over its partitions; see why it ended."
	}
	if len(working) == 0 {
		c.tone, c.says, c.do = "bad", "No worker is at work.", "Start a process with the role worker. Exports wait until there is one."
	}
	return c
}

func queueWell(s oversight.System) condition {
	c := condition{what: "Queue", value: fmt.Sprintf("%s waiting, the oldest for %s", plural(s.Backlog.Waiting, "partition"), web.Span(s.Backlog.Oldest)), bound: "at most " + length(domain.WaitsLong), url: systemPath + "?tab=queue"}
	switch {
	case s.Pause.Value != "":
		c.tone, c.says, c.since, c.value = "warn", "The queue is paused.", s.Pause.ChangedAt, "paused by "+s.Pause.ChangedBy+": "+s.Pause.Value
		c.do = "Let it go on when the reason is over."
	case s.Backlog.Oldest > domain.WaitsLong:
		c.tone, c.says, c.since = "bad", "Work has waited for "+web.Span(s.Backlog.Oldest)+".", s.At.Add(domain.WaitsLong-s.Backlog.Oldest)
		c.do = "There are too few workers, or the claims source is slow: look at both."
	}
	return c
}

// sourceWell are whether calls to the claims source are answered, and whether
// they are let through at all.
func sourceWell(s oversight.System) []condition {
	sum := s.SourceNow()
	calls := condition{what: "Calls to the claims source", value: "none in the last 15 minutes", bound: "at most " + share(domain.SourceErrorShare) + " not answered", url: systemPath + "?tab=source"}
	if sum.Calls() > 0 {
		calls.value = fmt.Sprintf("%s not answered of %s in 15 minutes", share(sum.ErrorShare()), web.Count(sum.Calls()))
	}
	if sum.Troubled() {
		calls.tone, calls.since = "bad", s.TroubledSince()
		calls.says = fmt.Sprintf("%s of the calls to the claims source are not answered.", share(sum.ErrorShare()))
		calls.do = "Ask those who run the source. Exports try again by themselves and fail only when it lasts."
	}
	breaker := condition{what: "Circuit breaker", value: "calls go through", bound: "closed", url: systemPath + "?tab=source"}
	if in, since := s.Away(); in > 0 {
		breaker.tone, breaker.since, breaker.value = "bad", since, fmt.Sprintf("open in %d of %s", in, processes(len(s.Processes)))
		breaker.says, breaker.do = "The claims source is away.", "Exports wait for it, and go on by themselves once it is back."
	}
	return []condition{calls, breaker}
}

func processes(n int) string {
	return fmt.Sprintf("%d process", n) + map[bool]string{true: "es"}[n != 1]
}

// errandWell is whether something in the background is done in its turns.
func errandWell(s oversight.System, e domain.Errand, every time.Duration, what, says, tab string) condition {
	c := condition{what: what, value: "not done yet", bound: "every " + length(every), url: systemPath + tab}
	done := e.Last.Done
	if !done.IsZero() {
		c.value = "last " + web.Span(s.At.Sub(done)) + " ago"
	}
	if due := e.Due(every); !due.IsZero() && s.At.After(due) {
		c.tone, c.since, c.do = "warn", due, "See why: a worker has to run, and what it asks has to answer."
		if c.says = says + " for " + web.Span(s.At.Sub(done)) + "."; done.IsZero() {
			c.says, c.since = says+" ever.", time.Time{}
		}
		if why := e.Last.Detail["error"]; why != "" {
			c.do = "It says: " + why
		}
	}
	return c
}

// summed are the figures of a source in the buckets of a plot.
func summed(b buckets, calls []domain.SourceFigures) (each []domain.SourceFigures, all domain.SourceFigures) {
	each = make([]domain.SourceFigures, b.n)
	for _, f := range calls {
		if i, in := b.of(f.Begins); in {
			each[i], all = f.Plus(each[i]), f.Plus(all)
		}
	}
	return each, all
}

// latencyPlot shows within what time the claims source answered.
func latencyPlot(b buckets, calls []domain.SourceFigures) web.Plot {
	each, all := summed(b, calls)
	plot := web.Plot{ID: "latency-plot", Title: "How long the claims source took to answer", Parts: []string{"Half within", "95 of 100 within"}, Says: "The claims source was not asked in this time."}
	for i, f := range each {
		half, most := f.Latencies.Within(.5), f.Latencies.Within(.95)
		plot.Max = max(plot.Max, most.Seconds())
		bar := web.Bar{Label: b.label(i), Values: []float64{half.Seconds(), (most - half).Seconds()}, Texts: []string{"–", "–"}}
		if f.Answered > 0 {
			bar.Texts = []string{web.Brief(half), web.Brief(most)}
		}
		plot.Bars = append(plot.Bars, bar)
	}
	plot.Top = web.Brief(time.Duration(plot.Max * float64(time.Second)))
	if all.Answered > 0 {
		plot.Says = fmt.Sprintf("Half of %s were answered within %s, 95 of 100 within %s.", plural(int(all.Answered), "call"), web.Brief(all.Latencies.Within(.5)), web.Brief(all.Latencies.Within(.95)))
	}
	return plot
}

// troublePlot shows the calls to the claims source that were not answered.
func troublePlot(b buckets, calls []domain.SourceFigures) web.Plot {
	each, all := summed(b, calls)
	plot := web.Plot{ID: "trouble-plot", Title: "Calls that the claims source did not answer", Parts: []string{"Refused", "Failed"}, More: []string{"Of calls", "Share"}, Says: "The claims source was not asked in this time."}
	worst := 0
	for i, f := range each {
		if f.ErrorShare() > each[worst].ErrorShare() {
			worst = i
		}
		plot.Max = max(plot.Max, float64(f.Refused+f.Failed))
		plot.Bars = append(plot.Bars, web.Bar{Label: b.label(i), Values: []float64{float64(f.Refused), float64(f.Failed)},
			Texts: []string{web.Count(f.Refused), web.Count(f.Failed), web.Count(f.Calls()), share(f.ErrorShare())}})
	}
	plot.Top = web.Count(int(plot.Max))
	switch bad := all.Refused + all.Failed; {
	case all.Calls() == 0:
	case bad == 0:
		plot.Says = "All of " + plural(int(all.Calls()), "call") + " were answered."
	default:
		plot.Says = fmt.Sprintf("Of %s %d failed and %d were refused (%s). The worst %s was %s, with %s.", plural(int(all.Calls()), "call"), all.Failed, all.Refused, share(all.ErrorShare()), b.word(), b.label(worst), share(each[worst].ErrorShare()))
	}
	return plot
}

// waitPlot shows how long exports waited to begin.
func waitPlot(p oversight.Pulse) web.Plot {
	return percentiles(p, "wait-plot", "How long exports waited to begin", "exports waited", func(j domain.EndedJob) (time.Duration, bool) {
		return j.StartedAt.Sub(j.CreatedAt), !j.StartedAt.IsZero()
	})
}

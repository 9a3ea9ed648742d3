package console_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/console"
	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

func contains(t *testing.T, what, page string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(page, want) {
			t.Errorf("%s does not say %q", what, want)
		}
	}
}

// What is not well in any process is told first on the dashboard and in the list
// of checks, with its bound, since when, and what to do; what is well is not.
func TestWhatIsNotWellIsToldFirst(t *testing.T) {
	w := newWorld(t)
	v := w.signIn(t, "sandbox-viewer")
	told := []string{"The disk of worker-1.example is 88.0% full.", "The claims source is away.", "of the calls to the claims source are not answered.", "HPMS did not answer well for 9 h", "It says: HPMS answered 503"}
	contains(t, "the dashboard", v.get("/console/").body, append(told, "The claims source is not well.", "How long the claims source took to answer", "Calls that the claims source did not answer")...)
	contains(t, "the list of checks", v.get("/console/system").body, "at most 80.0%", "at most 5.0% not answered", "2026-03-02 09:00 ET", "Free room or add some.", "1 worker at work", "Ask those who run it.")
	for tab, wants := range map[string][]string{
		"workers": {"worker-1.example", "1 of 2", "432 MB", "api, console"}, "queue": {"Oldest wait", "How long exports waited to begin"},
		"storage": {"88.0%", "1 file that nothing referred to", "in the last 1 h", "12 files, 5.4 GB", "/var/lib/ab2d/files"},
		"source":  {"Open: the source is away", ">61<", ">64<", "Half were answered within"}, "hpms": {"HPMS answered 503", "Failed", "Last answered well"},
	} {
		contains(t, tab, v.get("/console/system?tab="+tab).body, wants...)
	}
	w.Do(func(ctx context.Context, tx ports.Tx) error { // all is well again
		if err := tx.Processes.Tell(ctx, domain.Process{ID: "1", Host: "worker-1.example", State: domain.ProcessState{Places: 2, Disk: &domain.Disk{Free: 21, Total: 100}, Source: &domain.SourceState{}}}); err != nil {
			return err
		}
		if _, err := tx.SourceFigures.Prune(ctx, domain.ShortStretch, site.Start.Add(time.Hour)); err != nil {
			return err
		}
		return tx.ErrandBook.Note(ctx, "hpms", domain.ErrandRun{EndedAt: w.Clock.Now(), Done: w.Clock.Now(), Outcome: domain.DoneRun})
	})
	page := v.get("/console/").body
	for _, not := range told {
		if strings.Contains(page, not) {
			t.Errorf("the dashboard still says %q", not)
		}
	}
	w.Clock.Advance(5 * time.Minute)
	contains(t, "after five minutes of silence the dashboard", v.get("/console/").body, "No worker is at work.")
	contains(t, "and the workers' tab", v.get("/console/system?tab=workers").body, "Silent")
}

// Without anything stored yet the pages say so, and nothing of HPMS is missed
// where it is not followed.
func TestASystemThatHasJustStarted(t *testing.T) {
	w := newWorld(t, func(c *console.Config) { c.Watch.Listing = 0 })
	w.Do(func(ctx context.Context, tx ports.Tx) error {
		for _, id := range []string{"1", "2"} {
			if err := tx.Processes.Leave(ctx, id); err != nil {
				return err
			}
		}
		for _, width := range []time.Duration{domain.ShortStretch, domain.LongStretch} {
			if _, err := tx.SourceFigures.Prune(ctx, width, site.Start.Add(time.Hour)); err != nil {
				return err
			}
		}
		return tx.ErrandBook.Note(ctx, "sweep", domain.ErrandRun{})
	})
	v := w.signIn(t, "sandbox-viewer")
	for tab, want := range map[string]string{"workers": "No process tells of itself yet", "storage": "The store was not swept yet", "source": "The claims source was not asked in this time.", "hpms": "HPMS is not followed"} {
		contains(t, tab, v.get("/console/system?tab="+tab).body, want)
	}
}

// What staff have done to the system happens, once, and is in the trail with the
// reason.
func TestStaffActOnTheSystem(t *testing.T) {
	w := newWorld(t)
	v := w.signIn(t, "sandbox-admin")
	send := func(act string) int {
		return v.post("/console/system/"+act, url.Values{"token": {v.token("/console/system/" + act)}, "reason": {"the source asked for it"}, "ticket": {"INC-9"}}).status
	}
	errand := func(name string) (e domain.Errand) {
		w.Do(func(ctx context.Context, tx ports.Tx) (err error) {
			e, err = tx.ErrandBook.Get(ctx, name)
			return err
		})
		return e
	}
	for act, name := range map[string]string{"sweep": "sweep", "hpms": "hpms"} {
		w.Do(func(ctx context.Context, tx ports.Tx) error {
			token, err := tx.Errands.Take(ctx, name, false, time.Minute)
			if err != nil {
				return err
			}
			return tx.Errands.End(ctx, name, token, time.Hour)
		})
		if errand(name).Rest == 0 {
			t.Fatalf("%s does not rest", name)
		}
		if status := send(act); status != 303 || errand(name).Rest != 0 {
			t.Errorf("%s is answered %d, and %s rests for %s", act, status, name, errand(name).Rest)
		}
	}
	for _, step := range []struct {
		act    string
		status int
	}{{"resume", 409}, {"pause", 303}, {"pause", 409}} {
		if status := send(step.act); status != step.status {
			t.Errorf("%s is answered %d, want %d", step.act, status, step.status)
		}
	}
	contains(t, "the dashboard", v.get("/console/").body, "The queue is paused.")
	contains(t, "the queue", v.get("/console/system?tab=queue").body, "The queue is paused, by", "the source asked for it", "Let the queue go on")
	if _, err := w.Produce.Take(t.Context()); domain.CodeOf(err) != domain.Unavailable {
		t.Errorf("a worker begins something: %v", err)
	}
	if status := send("resume"); status != 303 {
		t.Errorf("going on is answered %d", status)
	}
	if _, err := w.Produce.Take(t.Context()); err != nil {
		t.Errorf("afterwards a worker begins nothing: %v", err)
	}
	for action, want := range map[string]string{"files.sweep": "done", "hpms.wake": "done", "queue.resume": "done", "queue.pause": "conflict"} {
		found, err := w.Store.Search(t.Context(), ports.AuditQuery{Action: action})
		if err != nil || len(found) == 0 || found[0].Outcome != want || found[0].Detail["reason"] != "the source asked for it" || found[0].Detail["ticket"] != "INC-9" {
			t.Errorf("%s: the trail tells %+v, %v", action, found, err)
		}
	}
}

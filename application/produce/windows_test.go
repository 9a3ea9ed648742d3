package produce_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
	"pgregory.net/rapid"
)

// world is a small Medicare that changes between exports: claims arrive late,
// are changed and cancelled, the source lags behind, people join and leave, and
// months turn out to have been enrolled all along.
type world struct {
	*site.Site
	t      *rapid.T
	people map[string]domain.MonthSet
	claims map[string]version // by claim id, as the source has them now
	next   int

	delivered map[version]int // how often each version of a claim was delivered
	since     time.Time       // the transaction time of the export before
	before    map[string]domain.MonthSet
	out       map[string]bool // who asked that nothing be shared
	wavered   map[string]bool // who ever did
}

// version is one state of a claim.
type version struct {
	id, patient, day string
	updated          time.Time
}

func (v version) date() domain.Date {
	d, err := domain.ParseDate(v.day)
	if err != nil {
		panic(err)
	}
	return d
}

var firstDay = domain.Date(2025_01_01)

func (w *world) drawDay(name string) string {
	return firstDay.AddDays(rapid.IntRange(0, 400).Draw(w.t, name)).String()
}

func (w *world) drawPerson() string {
	return rapid.SampledFrom(slices.Sorted(maps.Keys(w.people))).Draw(w.t, "person")
}

func (w *world) drawClaim() (version, bool) {
	if len(w.claims) == 0 {
		return version{}, false
	}
	return w.claims[rapid.SampledFrom(slices.Sorted(maps.Keys(w.claims))).Draw(w.t, "claim")], true
}

// step lets time pass and something happen.
func (w *world) step() {
	w.Clock.Advance(time.Duration(rapid.IntRange(1, 72).Draw(w.t, "hours")) * time.Hour)
	now := w.Clock.Now()
	switch rapid.SampledFrom([]string{"claim", "claim", "change", "join", "leave", "month", "opt"}).Draw(w.t, "event") {
	case "claim":
		w.next++
		v := version{fmt.Sprintf("c%d", w.next), w.drawPerson(), w.drawDay("day"), now}
		w.claims[v.id] = v
	case "change": // a correction or a cancellation: the same claim with a new time
		if v, ok := w.drawClaim(); ok {
			v.updated = now
			w.claims[v.id] = v
		}
	case "join":
		p := fmt.Sprint(rapid.IntRange(1, 5).Draw(w.t, "joins"))
		w.enroll(p, w.people[p].With(domain.Today(now).Month(), domain.Today(now).Month()+6))
	case "leave": // no month is taken back, there are only no more of them
		p := w.drawPerson()
		w.enroll(p, w.people[p].Within(0, domain.Today(now).Month()))
	case "opt":
		p := w.drawPerson()
		w.out[p] = !w.out[p]
		w.wavered[p] = true
		refuse(w.Site, p, !w.out[p])
	case "month":
		p := w.drawPerson()
		m := firstDay.Month() + domain.Month(rapid.IntRange(0, 14).Draw(w.t, "month"))
		w.enroll(p, w.people[p].With(m, m))
	}
}

func (w *world) enroll(person string, months domain.MonthSet) {
	if months.IsEmpty() {
		return
	}
	w.people[person] = months
	w.load()
}

func (w *world) load() {
	var all []domain.Enrollee
	for _, id := range slices.Sorted(maps.Keys(w.people)) {
		all = append(all, domain.Enrollee{Patient: domain.PatientID(id), Months: w.people[id],
			IDs: domain.Identifiers{Historic: []domain.MBI{domain.MBI("1S00E00AA" + id)}}})
	}
	w.Enroll(site.First, w.Clock.Now(), all...)
}

// serve has the source answer as it does when it lags: it vouches for less than
// the present, and may have some of what it does not vouch for. It sends
// nothing beyond the bounds it is asked with.
func (w *world) serve(lag time.Duration) {
	complete := w.Clock.Now().Add(-lag)
	has := map[string][]version{}
	for _, v := range slices.SortedFunc(maps.Values(w.claims), func(a, b version) int { return cmp.Compare(a.id, b.id) }) {
		if !v.updated.After(complete) || rapid.Bool().Draw(w.t, "ahead") {
			has[v.patient] = append(has[v.patient], v)
		}
	}
	w.Produce.Claims = source{complete, has}
}

type source struct {
	complete time.Time
	has      map[string][]version
}

func (s source) CompleteThrough(context.Context) (time.Time, error) { return s.complete, nil }

func (s source) Read(ctx context.Context, q ports.ClaimsQuery) (ports.ClaimReader, error) {
	answers := memory.NewClaims(s.complete)
	var claims []string
	for _, v := range s.has[string(q.Patient)] {
		inside := !v.updated.Before(q.UpdatedFrom) && (q.UpdatedThrough.IsZero() || !v.updated.After(q.UpdatedThrough))
		if inside && v.date() >= q.ServedFrom {
			claims = append(claims, site.Claim(v.id, v.patient, v.day, v.updated))
		}
	}
	answers.Put(q.Patient, claims...)
	return answers.Read(ctx, q)
}

// export takes everything since the export before and notes what came.
func (w *world) export(test *testing.T) {
	w.Clock.Advance(time.Hour)
	lag := time.Duration(rapid.IntRange(0, 100).Draw(w.t, "lag")) * time.Hour
	w.serve(lag)
	id := w.KickOff(site.First, domain.Window{Since: w.since})
	err := w.Drain()
	if domain.CodeOf(err) == domain.Unavailable && w.Clock.Now().Add(-lag).Before(w.since) {
		w.serve(0) // it waits until the source has caught up with _since
		w.Clock.Advance(2 * w.Produce.Settings.Patience)
		if err = w.Produce.Reconcile(test.Context(), false); err == nil {
			err = w.Drain()
		}
	}
	if err != nil {
		w.t.Fatal(err)
	}
	job := w.Job(id)
	if job.State != domain.Successful || job.TransactionTime.Before(w.since) {
		w.t.Fatalf("the export is %s as of %s: %s", job.State, job.TransactionTime, job.Failure.Reason)
	}
	for _, id := range ids(test, w.Site, job.ID) {
		v := w.claims[id]
		if v.updated.After(job.TransactionTime) {
			w.t.Fatalf("%s of %s came with an export as of %s", id, v.updated, job.TransactionTime)
		}
		if w.out[v.patient] {
			w.t.Fatalf("%s of %s came, who asked that nothing be shared", id, v.patient)
		}
		if w.delivered[v]++; w.delivered[v] > 1 && !w.wavered[v.patient] && w.before[v.patient].Has(v.date().Month()) {
			w.t.Fatalf("%s came again although it did not change and %s is not new", id, v.patient)
		}
	}
	w.since, w.before = job.TransactionTime, maps.Clone(w.people)
}

// Exports that each begin where the one before ended deliver, together, every
// state of a claim that stood when an export looked and was to be shared. What
// comes twice is what changed, or the history of somebody who is new.
func TestNoClaimFallsBetweenTwoExports(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &world{Site: site.New(t), t: rt, people: map[string]domain.MonthSet{}, claims: map[string]version{}, delivered: map[version]int{},
			out: map[string]bool{}, wavered: map[string]bool{}}
		w.Produce.Settings.FailedShare = 0
		w.enroll("1", site.Months(202501, 202503))
		w.enroll("2", site.Months(202502, 202612))
		w.Clock.Advance(200 * time.Hour) // a source never lags behind the beginning
		for range rapid.IntRange(1, 4).Draw(rt, "exports") {
			for range rapid.IntRange(0, 6).Draw(rt, "steps") {
				w.step()
			}
			w.export(t)
		}
		// One more, once the source has caught up and nothing happens any more.
		w.Clock.Advance(200 * time.Hour)
		w.serve(0)
		job := w.Exported(site.First, domain.Window{Since: w.since})
		for _, id := range ids(t, w.Site, job.ID) {
			w.delivered[w.claims[id]]++
		}
		for _, v := range w.claims {
			if w.people[v.patient].Has(v.date().Month()) && !w.out[v.patient] && w.delivered[v] == 0 {
				rt.Fatalf("%s of %s, updated %s, was never delivered", v.id, v.patient, v.updated)
			}
		}
	})
}

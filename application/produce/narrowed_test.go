package produce_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/application/produce"
	"cms.gov/ab2d/domain"
)

// six enrolls six people in three partitions, with claims of three years, two
// types and two statuses each, the last one with none that is asked for below.
func six(t *testing.T) *site.Site {
	s := site.New(t)
	var people []domain.Enrollee
	for n := range 6 {
		id := fmt.Sprint(n + 1)
		people = append(people, site.Person(id))
		claim := func(name, day string, change ...string) string {
			return strings.NewReplacer(change...).Replace(site.Claim(name+id, id, day, updated))
		}
		all := []string{claim("old", "2023-05-05"), claim("new", "2025-05-05"), claim("gone", "2025-06-06", `"active"`, `"cancelled"`), claim("stay", "2025-07-07", "CARRIER", "SNF")}
		if n == 5 {
			all = all[:1]
		}
		s.Claims.Put(domain.PatientID(id), all...)
	}
	s.Enroll(site.First, site.Start.AddDate(-1, 0, 0), people...)
	return s
}

// around is everything that was served about a year before the site's clock, by
// carriers and active, and what was cancelled.
var around = domain.Terms{Filters: domain.Filters{
	{Served: []domain.DateTest{{Prefix: domain.Around, From: 2025_06_01, To: 2025_06_01}}, Types: []string{"CARRIER"}, Statuses: []string{"active"}},
	{Statuses: []string{"cancelled"}},
}}

func TestAFilteredExportHasWhatWasAskedForAndAccountsForEverybody(t *testing.T) {
	s := six(t)
	job := exportedBy(t, s, site.First, everything, around)
	want(t, ids(t, s, job.ID), "new1", "gone1", "new2", "gone2", "new3", "gone3", "new4", "gone4", "new5", "gone5")
	if got, want := job.Accounts[0].Columns, (domain.Columns{Exported: 5, NoClaims: 1}); got != want || job.State != domain.Successful {
		t.Errorf("%s, columns %+v, want %+v", job.State, got, want)
	}
	if q := job.Terms.Filters[0].Query(); strings.Contains(q, "ap") {
		t.Errorf("what ap means is not fixed: %s", q)
	}
	// The next export goes on from one that had everything, which this is not.
	if job.Terms.Complete() {
		t.Error("it passes for a whole one")
	}
}

// digests names the files of a job with what is in them.
func digests(t *testing.T, s *site.Site, id domain.JobID) (all []string) {
	t.Helper()
	for _, f := range filesOf(t, s, id) {
		all = append(all, f.Name+" "+f.Plain.SHA256+" "+f.Stored.SHA256)
	}
	return all
}

// Whenever the process dies and however long it takes until the next one goes
// on, the files are those of a run that nothing disturbed.
func checkInterrupted(t *testing.T, build func(*testing.T) *site.Site, terms domain.Terms) {
	t.Helper()
	undisturbed := build(t)
	whole := exportedBy(t, undisturbed, site.First, everything, terms)
	wanted := digests(t, undisturbed, whole.ID)
	if whole.State != domain.Successful || len(wanted) == 0 {
		t.Fatalf("%s: %s, %v", whole.State, whole.Failure.Reason, wanted)
	}
	const partitions = 3
	for boundary := range partitions + 1 {
		s := build(t)
		ask := s.Ask(site.First, everything)
		ask.Terms = terms
		id, err := s.Export.Start(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		restart := func() { // as another process, on another day
			s.Clock.Advance(40 * 24 * time.Hour)
			next := *s.Produce
			s.Produce = &next
			if err := s.Produce.Reconcile(t.Context(), true); err != nil {
				t.Fatal(err)
			}
		}
		if boundary%2 == 0 {
			restart() // before it was planned
		}
		if err := s.Produce.Plan(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		do := func(n int) {
			for range n {
				w := took(t, s.Produce)
				if _, err := s.Produce.Do(t.Context(), w); err != nil {
					t.Fatal(err)
				}
			}
		}
		do(boundary)
		if boundary < partitions {
			w := took(t, s.Produce)
			dead, kill := context.WithCancel(t.Context())
			kill()
			_, _ = s.Produce.Do(dead, w) // begun, and dies
		}
		restart()
		do(partitions - boundary)
		if got := digests(t, s, id); !slices.Equal(got, wanted) || s.Job(id).State != domain.Successful {
			t.Errorf("interrupted after %d partitions: %s\n%v, want\n%v", boundary, s.Job(id).State, got, wanted)
		}
	}
}

func took(t *testing.T, u *produce.UseCase) produce.Work {
	t.Helper()
	w, err := u.Take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestAFilteredExportThatIsInterruptedComesOutTheSame(t *testing.T) {
	checkInterrupted(t, six, around)
}

func TestANarrowedExportThatIsInterruptedComesOutTheSame(t *testing.T) {
	terms := around
	terms.Elements = domain.Elements{domain.ExplanationOfBenefit: {"billablePeriod"}}
	checkInterrupted(t, six, terms)
}

// Only what was asked for leaves, the MBIs among it: they are in extension.
func TestANarrowedExportHasWhatWasAskedFor(t *testing.T) {
	for element, want := range map[string]string{
		"billablePeriod": "billablePeriod created id insurance insurer meta outcome patient provider resourceType status type use",
		"extension":      "created extension id insurance insurer meta outcome patient provider resourceType status type use",
	} {
		s := withRecords(t)
		job := exportedBy(t, s, site.First, everything, domain.Terms{Types: domain.ResourceTypes,
			Elements: domain.Elements{domain.ExplanationOfBenefit: {element}, domain.Patient: {}}})
		if job.State != domain.Successful || job.Accounts[0].Exported != 4 {
			t.Fatalf("%s: %s, %+v", job.State, job.Failure.Reason, job.Accounts)
		}
		for kind, want := range map[domain.FileKind]string{domain.DataFile: want, domain.PatientFile: "id meta resourceType",
			domain.CoverageFile: "beneficiary class id meta resourceType"} {
			for _, line := range lines(t, s, job.ID, kind) {
				var r map[string]json.RawMessage
				if err := json.Unmarshal([]byte(line), &r); err != nil || !strings.Contains(string(r["meta"]), "SUBSETTED") {
					t.Fatalf("%v: %s", err, line)
				}
				if got := strings.Join(slices.Sorted(maps.Keys(r)), " "); got != want {
					t.Errorf("%s with %s: %s, want %s", kind, element, got, want)
				}
			}
		}
	}
}

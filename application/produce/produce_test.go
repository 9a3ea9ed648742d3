package produce_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/application/download"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// updated is when most claims here were last updated: before any export.
var updated = site.Start.AddDate(0, -1, 0)

// everything is the window of an export that asks for all there is.
var everything domain.Window

// lines returns the lines of a job's files of one kind, in the order of the files.
func lines(t *testing.T, s *site.Site, id domain.JobID, kind domain.FileKind) (all []string) {
	t.Helper()
	var files []domain.OutputFile
	if err := s.Store.View(t.Context(), func(ctx context.Context, tx ports.Tx) (err error) {
		files, err = tx.Files.OfJob(ctx, id)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Kind != kind {
			continue
		}
		r, err := s.Files.Open(t.Context(), f.Key)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := gzip.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(plain)
		if err != nil {
			t.Fatal(err)
		}
		if int64(len(content)) != f.Plain.Bytes || strings.Count(string(content), "\n") != f.Lines {
			t.Errorf("%s: %d bytes, %d lines; recorded as %d, %d", f.Name, len(content), strings.Count(string(content), "\n"), f.Plain.Bytes, f.Lines)
		}
		all = append(all, strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")...)
	}
	return all
}

// ids returns the ids of the claims that a job delivered, in order.
func ids(t *testing.T, s *site.Site, id domain.JobID) (all []string) {
	t.Helper()
	for _, line := range lines(t, s, id, domain.DataFile) {
		var claim struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal([]byte(line), &claim); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		all = append(all, claim.ID)
	}
	return all
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("delivered %v, want %v", got, want)
	}
}

var (
	errDown  = domain.Errorf(domain.Unavailable, "the source is down")
	fourOf   = []string{"1", "2", "3", "4"}
	readable = domain.Columns{Exported: 4}
)

// four enrolls four people with one claim each.
func four(t *testing.T) *site.Site {
	s := site.New(t)
	var people []domain.Enrollee
	for _, id := range fourOf {
		people = append(people, site.Person(id))
		s.Claims.Put(domain.PatientID(id), site.Claim("c"+id, id, "2025-05-05", updated))
	}
	s.Enroll(site.First, site.Start.AddDate(-1, 0, 0), people...)
	return s
}

func TestEveryEnrolleeEndsInOneColumn(t *testing.T) {
	s := four(t)
	people := []domain.Enrollee{site.Person("1"), site.Person("2"), site.Person("3"), site.Person("4"), site.Person("5"), site.Person("6"), site.Person("7"),
		{Patient: "8", Months: site.Months(201801, 201912)}} // left before the data starts: no member
	people[3].IDs.Historic = []domain.MBI{"1S00E00AB04"}
	s.Enroll(site.First, site.Start.AddDate(0, -6, 0), people...)
	s.Claims.Put("2")                                                                                                 // none at all
	s.Claims.Put("3", site.Claim("c3", "3", "2019-05-05", updated))                                                   // none to be shared
	s.Claims.Script("4", memory.Answer{Claims: []string{site.Claim("c4", "4", "2025-05-05", updated)}, Err: errDown}) // never whole
	s.Claims.Script("5")                                                                                              // not known to the source
	s.Claims.Put("6", `{"resourceType":`, site.Claim("c6", "6", "2025-05-05", updated))                               // one claim cannot be read
	s.Claims.Put("7", `not a claim`)                                                                                  // and here the only one

	job := s.Exported(site.First, everything)
	if job.State != domain.Successful {
		t.Fatalf("%s: %s", job.State, job.Failure.Reason)
	}
	if got, want := job.Accounts[0].Columns, (domain.Columns{Exported: 2, NoClaims: 2, Failed: 3}); got != want {
		t.Errorf("columns %+v, want %+v", got, want)
	}
	want(t, ids(t, s, job.ID), "c1", "c6")

	about := map[string]int{}
	for _, line := range lines(t, s, job.ID, domain.ErrorFile) {
		var o struct {
			ResourceType string
			Issue        []struct {
				Severity, Code string
				Extension      []struct {
					URL                   string
					ValueString, ValueURI string
					ValueBoolean          *bool
					ValueIdentifier       struct{ System, Value string }
				}
			}
		}
		if err := json.Unmarshal([]byte(line), &o); err != nil || o.ResourceType != "OperationOutcome" || o.Issue[0].Severity != "error" {
			t.Fatalf("%v in %s", err, line)
		}
		var patient, again, explained string
		var mbis []string
		for _, e := range o.Issue[0].Extension {
			switch e.URL {
			case "https://ab2d.cms.gov/patient":
				patient = e.ValueString
			case "https://ab2d.cms.gov/retryable":
				again = fmt.Sprint(*e.ValueBoolean)
			case "https://ab2d.cms.gov/mbi":
				mbis = append(mbis, e.ValueIdentifier.System+"|"+e.ValueIdentifier.Value)
			case "https://ab2d.cms.gov/documentation":
				explained = e.ValueURI
			}
		}
		if want := "/docs/troubleshooting#error-file-" + o.Issue[0].Code; explained != want {
			t.Errorf("it is explained at %q, want %q", explained, want)
		}
		known := []string{"http://hl7.org/fhir/sid/us-mbi|1S00E00AA" + patient}
		if patient == "4" {
			known = append(known, "http://hl7.org/fhir/sid/us-mbi|1S00E00AB04")
		}
		if !slices.Equal(mbis, known) {
			t.Errorf("patient %s is told as %q, want %q", patient, mbis, known)
		}
		about[patient+" "+o.Issue[0].Code+" "+again]++
	}
	if wanted := map[string]int{"4 transient true": 1, "5 not-found true": 1, "6 structure false": 1, "7 structure false": 1}; !maps.Equal(about, wanted) {
		t.Errorf("told %v, want %v", about, wanted)
	}
	// Those who can be asked for again, and nobody else.
	if lost := job.Accounts[0].Lost; !slices.Equal(lost, []domain.PatientID{"4", "5"}) {
		t.Errorf("lost are %v", lost)
	}
}

func TestTooManyFailedEnrolleesFailTheExport(t *testing.T) {
	s := four(t)
	s.Claims.Script("3", memory.Answer{Refused: errDown})
	s.Produce.Settings.FailedShare = 0.25 // one of four is just allowed
	if job := s.Exported(site.First, everything); job.State != domain.Successful {
		t.Errorf("%s: %s", job.State, job.Failure.Reason)
	}
	s.Produce.Settings.FailedShare = 0.24
	if job := s.Exported(site.First, everything); job.State != domain.Failed || !strings.Contains(job.Failure.Reason, "1 of 4") || job.Failure.ID == "" {
		t.Errorf("%s: %+v", job.State, job.Failure)
	}
}

func TestAnAnswerThatIsNotWholeIsAskedForAgain(t *testing.T) {
	s := four(t)
	claim := func(id string) string { return site.Claim(id, "2", "2025-05-05", updated) }
	whole := memory.Answer{Claims: []string{claim("a"), claim("b"), claim("c")}}
	s.Claims.Script("2",
		memory.Answer{Claims: []string{claim("a"), claim("b")}, Err: errDown},                // broke off
		memory.Answer{Claims: []string{claim("a")}, AsOf: site.Start.Add(-time.Hour)}, whole) // a replica that lags
	job := s.Exported(site.First, everything)
	want(t, ids(t, s, job.ID), "c1", "a", "b", "c", "c3", "c4")

	s.Claims.Script("2", memory.Answer{Claims: []string{claim("a")}, AsOf: site.Start.Add(-time.Hour)})
	if got := s.Exported(site.First, everything).Accounts[0]; got.Failed != 1 || got.Exported != 3 {
		t.Errorf("an answer that stays too old counts as %+v", got.Columns)
	}
}

func TestAQuestionThatTheSourceRefusesFailsTheExport(t *testing.T) {
	s := four(t)
	s.Claims.Script("3", memory.Answer{Refused: domain.Errorf(domain.Invalid, "these claims are in STU3 only")})
	job := s.Exported(site.First, everything)
	if job.State != domain.Failed || job.Failure.Code != domain.Invalid || !strings.Contains(job.Failure.Reason, "STU3 only") || len(s.Claims.Asked()) > 6 {
		t.Errorf("%s after %d questions: %+v", job.State, len(s.Claims.Asked()), job.Failure)
	}
}

func TestAnExportWaitsForASourceThatIsBehindSinceButNotForEver(t *testing.T) {
	s := four(t)
	s.Claims.SetComplete(site.Start.Add(-2 * time.Hour))
	id := s.KickOff(site.First, domain.Window{Since: site.Start.Add(-time.Hour)})
	plan, _ := s.Store.Queue.Take()
	if err := memory.Run(t.Context(), s.Produce, plan); domain.CodeOf(err) != domain.Unavailable || s.Job(id).State != domain.Submitted {
		t.Fatalf("%v, and the job is %s", err, s.Job(id).State)
	}
	s.Clock.Advance(s.Produce.Settings.SourceWait)
	if err := memory.Run(t.Context(), s.Produce, plan); err != nil {
		t.Fatal(err)
	}
	if job := s.Job(id); job.State != domain.Failed || !strings.Contains(job.Failure.Reason, "nothing after 2026-03-02T13:00:00Z") {
		t.Errorf("%s: %+v", job.State, job.Failure)
	}
}

func TestARestrictedClaimStaysBehindAndIsToldNowhere(t *testing.T) {
	s := four(t)
	coded := strings.Replace(site.Claim("coded", "1", "2025-05-05", updated), `"use":"claim"`,
		`"use":"claim","diagnosis":[{"sequence":1,"diagnosisCodeableConcept":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"F1010"}]}}]`, 1)
	labelled := strings.Replace(site.Claim("labelled", "2", "2025-05-05", updated), `"meta":{`,
		`"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"42CFRPart2"}],`, 1)
	s.Claims.Put("1", coded, site.Claim("c1", "1", "2025-05-05", updated))
	s.Claims.Put("2", labelled)
	job := s.Exported(site.First, everything)
	want(t, ids(t, s, job.ID), "c1", "c3", "c4")
	if got := job.Accounts[0].Columns; got != (domain.Columns{Exported: 3, NoClaims: 1}) || len(lines(t, s, job.ID, domain.ErrorFile)) > 0 {
		t.Errorf("columns %+v, and in the error file %v", got, lines(t, s, job.ID, domain.ErrorFile))
	}
	s.Produce.Settings.LabelsOnly = true
	want(t, ids(t, s, s.Exported(site.First, everything).ID), "coded", "c1", "c3", "c4")
}

func TestAClaimComesOnce(t *testing.T) {
	s := four(t)
	s.Claims.Put("1", site.Claim("c1", "1", "2025-05-05", updated), site.Claim("c1", "1", "2025-05-05", updated))
	want(t, ids(t, s, s.Exported(site.First, everything).ID), "c1", "c2", "c3", "c4")
}

func TestAClaimOfTwoContractsComesWithTheFirst(t *testing.T) {
	s := four(t)
	moved := site.Person("2")
	moved.Months = site.Months(202501, 202512)
	s.Enroll(site.First, site.Start.AddDate(0, -6, 0), moved)
	later := site.Person("2")
	later.Months = site.Months(202504, 202612)
	s.Enroll(site.Second, site.Start.AddDate(0, -6, 0), later)
	s.Claims.Put("2", site.Claim("before", "2", "2025-02-02", updated), site.Claim("both", "2", "2025-05-05", updated), site.Claim("after", "2", "2026-01-05", updated))
	job := s.Exported("", everything)
	want(t, ids(t, s, job.ID), "before", "both", "after")
	want(t, ids(t, s, s.Exported(site.Second, everything).ID), "both", "after") // asked for alone it has its own
}

func TestWindowsMeet(t *testing.T) {
	s := four(t)
	first := s.Exported(site.First, everything)
	want(t, ids(t, s, first.ID), "c1", "c2", "c3", "c4")

	// Afterwards a claim changes, one is new, somebody joins with an old claim,
	// and somebody is found to have been enrolled earlier than was known.
	s.Clock.Advance(24 * time.Hour)
	late := s.Clock.Now().Add(-time.Hour)
	s.Claims.Put("1", site.Claim("c1", "1", "2025-05-05", late))
	s.Claims.Put("2", site.Claim("c2", "2", "2025-05-05", updated), site.Claim("n2", "2", "2025-06-06", late))
	s.Claims.Put("5", site.Claim("c5", "5", "2025-05-05", updated))
	s.Enroll(site.First, s.Clock.Now().Add(-2*time.Hour), site.Person("1"), site.Person("2"), site.Person("3"), site.Person("4"), site.Person("5"))
	s.Clock.Advance(time.Hour)
	second := s.Exported(site.First, domain.Window{Since: first.TransactionTime})
	want(t, ids(t, s, second.ID), "c1", "n2", "c5")
	if got := second.Accounts[0].Columns; got != (domain.Columns{Exported: 3, NoClaims: 2, FullHistory: 1}) {
		t.Errorf("columns %+v", got)
	}
	// Nothing changed: nothing comes.
	s.Clock.Advance(time.Hour)
	third := s.Exported(site.First, domain.Window{Since: second.TransactionTime})
	want(t, ids(t, s, third.ID))
}

func TestNothingAfterTheTransactionTimeIsDelivered(t *testing.T) {
	s := four(t)
	s.Claims.SetComplete(site.Start.Add(-time.Hour))
	s.Claims.Put("1", site.Claim("at", "1", "2025-05-05", site.Start.Add(-time.Hour)), site.Claim("after", "1", "2025-05-05", site.Start.Add(-time.Hour+time.Millisecond)))
	first := s.Exported(site.First, everything)
	if !first.TransactionTime.Equal(site.Start.Add(-time.Hour)) {
		t.Errorf("as of %s, but the source vouches for an hour less than the kick-off", first.TransactionTime)
	}
	want(t, ids(t, s, first.ID), "at", "c2", "c3", "c4")
	s.Claims.SetComplete(site.Start.AddDate(1, 0, 0))
	want(t, ids(t, s, s.Exported(site.First, domain.Window{Since: first.TransactionTime}).ID), "after")
	until := domain.Window{Until: updated.Add(-time.Second)}
	want(t, ids(t, s, s.Exported(site.First, until).ID))
}

func TestStagingAndRollingChangeNoLine(t *testing.T) {
	s := four(t)
	var claims []string
	for _, id := range strings.Split("abcdefghij", "") {
		claims = append(claims, site.Claim(id, "2", "2025-05-05", updated))
	}
	s.Claims.Put("2", claims...)
	whole := s.Exported(site.First, everything)
	want, one := lines(t, s, whole.ID, domain.DataFile), len(claims[0])
	for name, change := range map[string]func(){
		"staged on disk": func() { s.Produce.Settings.StageBytes = one },
		"rolled":         func() { s.Produce.Settings.RollBytes = int64(3 * one) },
		"line by line":   func() { s.Produce.Settings.RollBytes = 1 },
	} {
		was := s.Produce.Settings
		change()
		job := s.Exported(site.First, everything)
		if got := lines(t, s, job.ID, domain.DataFile); !slices.Equal(got, want) {
			t.Errorf("%s: other lines", name)
		}
		for _, key := range keys(t, s, job.ID) {
			if f := stored(t, s, job.ID, key); f.Plain.Bytes > s.Produce.Settings.RollBytes && f.Lines > 1 {
				t.Errorf("%s: %s has %d bytes in %d lines", name, f.Name, f.Plain.Bytes, f.Lines)
			}
		}
		s.Produce.Settings = was
	}
	if s.Scratch.Opened() == 0 {
		t.Error("nothing was staged outside memory")
	}
}

// keys returns the keys of everything in the store that is a job's.
func keys(t *testing.T, s *site.Site, id domain.JobID) (all []string) {
	t.Helper()
	for f, err := range s.Files.List(t.Context(), domain.JobPrefix(id)) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f.Key)
	}
	slices.Sort(all)
	return all
}

func stored(t *testing.T, s *site.Site, id domain.JobID, key string) (found domain.OutputFile) {
	t.Helper()
	if err := s.Store.View(t.Context(), func(ctx context.Context, tx ports.Tx) error {
		files, err := tx.Files.OfJob(ctx, id)
		for _, f := range files {
			if f.Key == key {
				found = f
			}
		}
		return err
	}); err != nil || found.Key == "" {
		t.Fatalf("no row for %s: %v", key, err)
	}
	return found
}

func TestNothingLeavesOnceAttestationHasEnded(t *testing.T) {
	s := four(t)
	done := s.Exported(site.First, everything)
	running := s.KickOff(site.First, everything)
	plan, _ := s.Store.Queue.Take()
	if err := memory.Run(t.Context(), s.Produce, plan); err != nil {
		t.Fatal(err)
	}
	end := site.Event(site.First, domain.Remove, domain.Today(site.Start))
	s.Do(func(ctx context.Context, tx ports.Tx) error { return tx.Attestations.Append(ctx, end) })

	if err := s.Drain(); err != nil {
		t.Fatal(err)
	}
	if job := s.Job(running); job.State != domain.Failed || job.Failure.Code != domain.BusinessRule || len(keys(t, s, running)) > 0 {
		t.Errorf("the running export is %s (%+v), with files %v", job.State, job.Failure, keys(t, s, running))
	}
	if _, err := s.Export.Start(t.Context(), s.Ask(site.First, everything)); domain.CodeOf(err) != domain.BusinessRule {
		t.Errorf("a new export: %v", err)
	}
	if all := s.Exported("", everything); len(all.Contracts) != 1 || len(all.Skipped) != 1 || all.Skipped[0].Contract != site.First {
		t.Errorf("of all contracts %v were exported and %v skipped", all.Contracts, all.Skipped)
	}
	ask := fileOf(s, done.ID)
	if _, err := s.Download.Find(t.Context(), ask); domain.CodeOf(err) != domain.BusinessRule {
		t.Errorf("a finished file: %v", err)
	}
	s.Do(func(ctx context.Context, tx ports.Tx) error {
		return tx.Attestations.Append(ctx, domain.AttestationEvent{ID: "struck out", Contract: site.First, Kind: domain.Correct, Corrects: end.ID, Recorded: site.Start})
	})
	if _, err := s.Download.Find(t.Context(), ask); err != nil {
		t.Errorf("once the ending is struck out: %v", err)
	}
}

func TestWorkThatTheQueueLostIsQueuedAgain(t *testing.T) {
	s := four(t)
	id := s.KickOff(site.First, everything)
	s.Store.Queue.Lose()
	reconcile := func() {
		t.Helper()
		s.Clock.Advance(2 * time.Minute)
		if err := s.Produce.Reconcile(t.Context(), false); err != nil {
			t.Fatal(err)
		}
	}
	reconcile()
	plan, ok := s.Store.Queue.Take()
	if !ok || memory.Run(t.Context(), s.Produce, plan) != nil {
		t.Fatal("the job was not planned")
	}
	s.Store.Queue.Lose()
	if err := s.Produce.Reconcile(t.Context(), false); err != nil || len(s.Store.Queue.Waiting()) > 0 {
		t.Errorf("partitions that have only just been queued are queued again (%v)", err)
	}
	for range 2 { // the first that waits, and then the one behind it
		reconcile()
		if err := s.Drain(); err != nil {
			t.Fatal(err)
		}
	}
	if job := s.Job(id); job.State != domain.Successful || job.Accounts[0].Columns != readable {
		t.Errorf("%s, %+v", job.State, job.Accounts)
	}
}

// A large job is at work when a small one comes: the small one's partition is
// the next to be taken, and then they alternate.
func TestJobsShareWorkers(t *testing.T) {
	s := four(t)
	s.Produce.Settings.PartitionMembers = 1
	s.Enroll(site.Second, site.Start.AddDate(-1, 0, 0), site.Person("5"), site.Person("6"))
	planned := func(n domain.ContractNumber) domain.JobID {
		t.Helper()
		s.Clock.Advance(time.Second)
		id := s.KickOff(n, everything)
		if err := s.Produce.Plan(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		return id
	}
	var turns []domain.JobID
	take := func(n int) {
		t.Helper()
		for range n {
			w, err := s.Produce.Take(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			turns = append(turns, w.Job.ID)
		}
	}
	large := planned(site.First)
	take(2)
	small := planned(site.Second)
	take(2)
	s.Export.Settings.Weights = map[domain.ContractNumber]int{site.Second: 5}
	heavy := planned(site.Second)
	take(2)
	if want := []domain.JobID{large, large, small, small, heavy, heavy}; !slices.Equal(turns, want) {
		t.Errorf("turns of %v, want %v", turns, want)
	}
	s.Produce.Settings.JobWorkers = 2
	if w, err := s.Produce.Take(t.Context()); domain.CodeOf(err) != domain.Unavailable {
		t.Errorf("a third worker for a job that may have two: %v, %v", w.Lease.Partition.ID, err)
	}
	s.Produce.Settings.JobWorkers = 0
	take(2)
	if _, err := s.Produce.Take(t.Context()); domain.CodeOf(err) != domain.NotFound {
		t.Errorf("when nothing waits: %v", err)
	}
}

func TestAPartitionRestsAfterAFailure(t *testing.T) {
	s := four(t)
	id := s.KickOff(site.First, everything)
	if err := s.Produce.Plan(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	s.Files.SetFull(true)
	for range 2 {
		if err := s.Produce.Write(t.Context(), domain.PartitionID{}); domain.CodeOf(err) != domain.Unavailable {
			t.Fatal(err)
		}
	}
	s.Files.SetFull(false)
	if _, err := s.Produce.Take(t.Context()); domain.CodeOf(err) != domain.Unavailable {
		t.Errorf("taken up again at once: %v", err)
	}
	s.Clock.Advance(time.Minute)
	if w, err := s.Produce.Take(t.Context()); err != nil || w.Lease.Attempt != 2 {
		t.Errorf("after a rest: attempt %d, %v", w.Lease.Attempt, err)
	}
}

// A worker hangs in the middle of a partition until its lease is over and
// another has done it. What it then brings is bound to nothing and swept.
func TestALateWorkerBindsNothing(t *testing.T) {
	s := four(t)
	s.Produce.Settings.PartitionMembers = 4
	id := s.KickOff(site.First, everything)
	plan, _ := s.Store.Queue.Take()
	if err := memory.Run(t.Context(), s.Produce, plan); err != nil {
		t.Fatal(err)
	}
	task, _ := s.Store.Queue.Take()
	hangs, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	late := site.Claim("late", "2", "2025-05-05", updated)
	s.Claims.Script("2",
		memory.Answer{Claims: []string{late}, Delay: func() { once.Do(func() { close(hangs); <-goOn }) }},
		memory.Answer{Claims: []string{site.Claim("c2", "2", "2025-05-05", updated)}})
	ended := make(chan error)
	go func() { ended <- memory.Run(context.WithoutCancel(t.Context()), s.Produce, task) }()
	<-hangs

	s.Clock.Advance(s.Produce.Settings.Lease + time.Second)
	if err := s.Produce.Reconcile(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if err := s.Drain(); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("the late worker ended with %v", err)
	}
	if job := s.Job(id); job.State != domain.Successful {
		t.Fatalf("%s: %s", job.State, job.Failure.Reason)
	}
	want(t, ids(t, s, id), "c1", "c2", "c3", "c4")
	if err := s.Retention.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := keys(t, s, id); len(left) != 1 {
		t.Errorf("left in the store: %v", left)
	}
	want(t, ids(t, s, id), "c1", "c2", "c3", "c4")
}

func TestAnExportWaitsWhileTheStoreIsFull(t *testing.T) {
	s := four(t)
	id := s.KickOff(site.First, everything)
	s.Files.SetFull(true)
	if err := s.Drain(); domain.CodeOf(err) != domain.Unavailable {
		t.Fatalf("the worker ended with %v", err)
	}
	if job := s.Job(id); job.State != domain.InProgress {
		t.Fatalf("the export is %s", job.State)
	}
	s.Files.SetFull(false)
	s.Clock.Advance(2 * time.Minute)
	if err := s.Produce.Reconcile(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if err := s.Drain(); err != nil {
		t.Fatal(err)
	}
	want(t, ids(t, s, id), "c1", "c2", "c3", "c4")
}

func TestACancelledExportStopsAndLeavesNothing(t *testing.T) {
	s := four(t)
	id := s.KickOff(site.First, everything)
	for range 2 { // the plan and the first of two partitions
		task, _ := s.Store.Queue.Take()
		if err := memory.Run(t.Context(), s.Produce, task); err != nil {
			t.Fatal(err)
		}
	}
	if len(keys(t, s, id)) == 0 {
		t.Fatal("nothing was written yet")
	}
	asked := len(s.Claims.Asked())
	if err := s.Cancel.Cancel(t.Context(), s.Client, s.Ask("", everything).From, id); err != nil {
		t.Fatal(err)
	}
	if err := s.Drain(); err != nil {
		t.Fatal(err)
	}
	if left := keys(t, s, id); len(left) > 0 || len(s.Claims.Asked()) != asked {
		t.Errorf("left %v; %d more questions to the source", left, len(s.Claims.Asked())-asked)
	}
	if _, err := s.Status.Poll(t.Context(), s.Client, id); domain.CodeOf(err) != domain.Deleted {
		t.Errorf("its status: %v", err)
	}
}

// refuse records that a person does or does not want claims to be shared.
func refuse(s *site.Site, patient string, shares bool) {
	now := s.Clock.Now()
	s.Do(func(ctx context.Context, tx ports.Tx) error {
		return tx.Preferences.Record(ctx, []domain.Preference{{MBI: domain.MBI("1S00E00AA" + patient), Shares: shares, Effective: domain.Today(now), Recorded: now, Source: "test"}})
	})
}

func TestWhoeverOptsOutIsLeftOutAtOnce(t *testing.T) {
	s := four(t)
	done := s.Exported(site.First, everything)
	s.Clock.Advance(time.Hour)
	id := s.KickOff(site.First, everything)
	for range 2 { // the plan, and the partition of the first two
		task, _ := s.Store.Queue.Take()
		if err := memory.Run(t.Context(), s.Produce, task); err != nil {
			t.Fatal(err)
		}
	}
	refuse(s, "1", false) // too late for this export
	refuse(s, "3", false)
	asked := len(s.Claims.Asked())
	if err := s.Drain(); err != nil {
		t.Fatal(err)
	}
	want(t, ids(t, s, id), "c1", "c2", "c4")
	if got := s.Job(id).Accounts[0].Columns; got != (domain.Columns{Exported: 3, OptedOut: 1}) {
		t.Errorf("columns %+v", got)
	}
	if n := len(s.Claims.Asked()) - asked; n != 1 {
		t.Errorf("%d people were asked for, want only the one who shares", n)
	}
	want(t, ids(t, s, done.ID), "c1", "c2", "c3", "c4") // a finished file never changes

	// Shared again, what was withheld comes in full.
	s.Clock.Advance(24 * time.Hour)
	without := s.Exported(site.First, domain.Window{Since: s.Job(id).TransactionTime})
	want(t, ids(t, s, without.ID))
	s.Clock.Advance(24 * time.Hour)
	refuse(s, "3", true)
	again := s.Exported(site.First, domain.Window{Since: without.TransactionTime})
	want(t, ids(t, s, again.ID), "c3")
}

func TestWhoeverWasOutAtPlanningStaysOut(t *testing.T) {
	s := four(t)
	refuse(s, "3", false)
	s.Clock.Advance(time.Hour)
	id := s.KickOff(site.First, everything)
	task, _ := s.Store.Queue.Take()
	if err := memory.Run(t.Context(), s.Produce, task); err != nil {
		t.Fatal(err)
	}
	s.Clock.Advance(time.Hour)
	refuse(s, "3", true)
	if err := s.Drain(); err != nil {
		t.Fatal(err)
	}
	want(t, ids(t, s, id), "c1", "c2", "c4")
}

func TestAnExportWithoutMembersIsComplete(t *testing.T) {
	s := site.New(t)
	if job := s.Exported(site.First, everything); job.State != domain.Successful || len(keys(t, s, job.ID)) > 0 {
		t.Errorf("%s, files %v", job.State, keys(t, s, job.ID))
	}
}

func TestProgressIsTrueAtEveryMoment(t *testing.T) {
	s := four(t)
	id := s.KickOff(site.First, everything)
	percent := func() int {
		t.Helper()
		s.Clock.Advance(time.Minute)
		r, err := s.Status.Poll(t.Context(), s.Client, id)
		if err != nil {
			t.Fatal(err)
		}
		if !r.Running {
			return 100
		}
		return r.Percent
	}
	for _, want := range []int{0, 0, 50, 100} { // submitted, planned, one of two partitions, complete
		if got := percent(); got != want {
			t.Errorf("%d%%, want %d%%", got, want)
		}
		if task, ok := s.Store.Queue.Take(); ok {
			if err := memory.Run(t.Context(), s.Produce, task); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestExpiredFilesAreOutOfReachAndThenDeleted(t *testing.T) {
	s := four(t)
	job := s.Exported(site.First, everything)
	s.Clock.Advance(24 * time.Hour)
	if _, err := s.Download.Find(t.Context(), fileOf(s, job.ID)); domain.CodeOf(err) != domain.Expired {
		t.Errorf("a file past its time, not swept yet: %v", err)
	}
	s.Clock.Advance(time.Second)
	if err := s.Retention.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := keys(t, s, job.ID); len(left) > 0 || s.Job(job.ID).State != domain.Lapsed {
		t.Errorf("left %v, job %s", left, s.Job(job.ID).State)
	}
	told, err := s.Store.Find(t.Context(), "file.delete", string(job.ID), 10)
	if err != nil || len(told) != 1 || told[0].Detail["files"] != "2" {
		t.Errorf("the audit trail says %+v, %v", told, err)
	}
}

func fileOf(s *site.Site, id domain.JobID) (ask download.Ask) {
	return download.Ask{Client: s.Client, From: s.Ask("", everything).From, Job: id, Name: "S0001_0001.ndjson", Form: domain.GzipForm}
}

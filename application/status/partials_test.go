package status_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/application/download"
	"cms.gov/ab2d/application/produce"
	"cms.gov/ab2d/application/status"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// parted is a site with a planned export of so many partitions of two people, a
// file each, whose client wants to be told of files early.
func parted(t *testing.T, partitions int) (*site.Site, domain.JobID) {
	t.Helper()
	s := site.New(t)
	s.Produce.Settings.Lease = time.Hour
	var people []domain.Enrollee
	for i := range partitions * 2 {
		id := fmt.Sprint(i)
		people = append(people, site.Person(id))
		s.Claims.Put(domain.PatientID(id), site.Claim("c"+id, id, "2025-05-05", site.Start.AddDate(0, -1, 0)))
	}
	s.Enroll(site.First, site.Start.AddDate(-1, 0, 0), people...)
	ask := s.Ask(site.First, domain.Window{})
	ask.Partials = true
	id, err := s.Export.Start(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Produce.Plan(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	return s, id
}

func write(t *testing.T, s *site.Site, partitions int) {
	t.Helper()
	for range partitions {
		if err := s.Produce.Write(t.Context(), domain.PartitionID{}); err != nil {
			t.Fatal(err)
		}
	}
}

// poll asks for the status once it may.
func poll(t *testing.T, s *site.Site, id domain.JobID) status.Result {
	t.Helper()
	s.Clock.Advance(time.Minute)
	r, err := s.Status.Poll(t.Context(), s.Client, id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func page(t *testing.T, s *site.Site, id domain.JobID, n int) status.Result {
	t.Helper()
	r, err := s.Status.Page(t.Context(), s.Client, id, n)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func names(m *domain.Manifest) string {
	if m == nil {
		return "none"
	}
	var all []string
	for _, f := range slices.Concat(m.Output, m.Errors) {
		all = append(all, strings.TrimSuffix(strings.TrimPrefix(f.Name, "S0001_"), ".ndjson"))
	}
	return strings.Join(all, " ")
}

func find(s *site.Site, t *testing.T, id domain.JobID, name string) domain.Code {
	t.Helper()
	_, err := s.Download.Find(t.Context(), download.Ask{Client: s.Client, Job: id, Name: name, Form: domain.GzipForm})
	return domain.CodeOf(err)
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

func TestFilesAreToldAndFetchedWhileTheExportRuns(t *testing.T) {
	s, id := parted(t, 5)
	same(t, "before anything is done", poll(t, s, id).Manifest, (*domain.Manifest)(nil))
	write(t, s, 1)
	same(t, "done but not told", find(s, t, id, "S0001_0001.ndjson"), domain.NotFound)

	r := poll(t, s, id)
	first := *r.Manifest
	if !r.Running || names(&first) != "0001" || first.Page != 1 || first.More || first.Whole || first.Accounts != nil || first.TransactionTime.IsZero() {
		t.Errorf("the first page: %+v", r)
	}
	same(t, "told", find(s, t, id, "S0001_0001.ndjson"), domain.Code(""))
	same(t, "nothing new", *poll(t, s, id).Manifest, first)

	write(t, s, 2)
	same(t, "done but not told", find(s, t, id, "S0001_0002.ndjson"), domain.NotFound)
	first.More = true // which is all that may change
	same(t, "more is done", *poll(t, s, id).Manifest, first)
	second := page(t, s, id, 2)
	if !second.Running || second.RetryAfter <= 0 || names(second.Manifest) != "0002 0003" || second.Manifest.Page != 2 || second.Manifest.More {
		t.Errorf("the second page: %+v", second)
	}
	if _, err := s.Status.Page(t.Context(), s.Client, id, 3); domain.CodeOf(err) != domain.NotFound {
		t.Errorf("a page that is not there: %v", err)
	}
	s.Clock.Advance(30 * time.Hour) // the job runs for longer than files live
	same(t, "a day later", find(s, t, id, "S0001_0001.ndjson"), domain.Code(""))

	write(t, s, 2)
	r = poll(t, s, id)
	first.ExpiresAt = s.Job(id).ExpiresAt
	same(t, "complete", *r.Manifest, first)
	last := page(t, s, id, 3)
	if r.Running || last.Running || names(page(t, s, id, 2).Manifest) != "0002 0003" || !page(t, s, id, 2).Manifest.More ||
		names(last.Manifest) != "0004 0005" || last.Manifest.More || !last.Manifest.Whole || last.Manifest.Accounts[0].Exported != 10 {
		t.Errorf("complete: %+v, and the last page %+v", r, last)
	}
	same(t, "the files live on from the end of the job", s.Job(id).ExpiresAt, s.Job(id).CompletedAt.Add(24*time.Hour))

	// Their names and bytes are those of an export that told nothing early.
	plain := s.Exported(site.First, domain.Window{Until: s.Job(id).TransactionTime})
	same(t, "the same files", filesOf(t, s, id), filesOf(t, s, plain.ID))
}

// filesOf returns names and digests.
func filesOf(t *testing.T, s *site.Site, id domain.JobID) (all []string) {
	t.Helper()
	s.Do(func(ctx context.Context, tx ports.Tx) error {
		files, err := tx.Files.OfJob(ctx, id)
		for _, f := range files {
			all = append(all, f.Name+" "+f.Plain.SHA256)
		}
		return err
	})
	return all
}

// A partition that takes longer holds up those after it, so that names do not
// depend on who was quicker.
func TestFilesAreToldInTheirOrder(t *testing.T) {
	s, id := parted(t, 3)
	slow, err := s.Produce.Take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	write(t, s, 1)
	same(t, "the second is done before the first", poll(t, s, id).Manifest, (*domain.Manifest)(nil))
	if _, err := s.Produce.Do(t.Context(), slow); err != nil {
		t.Fatal(err)
	}
	m := poll(t, s, id).Manifest
	same(t, "both", names(m), "0001 0002")
	if ids := s.Job(id).Partials.Pages; len(ids) != 1 || ids[0].Through != 2 {
		t.Errorf("pages %+v", ids)
	}
}

func TestWhatWasToldIsWithdrawnWithTheExport(t *testing.T) {
	for name, ends := range map[string]struct {
		how  func(*site.Site, domain.JobID) error
		code domain.Code // of its status, empty for a failure
		file domain.Code
	}{
		"cancelled": {func(s *site.Site, id domain.JobID) error {
			return s.Cancel.Cancel(context.Background(), s.Client, s.Ask("", domain.Window{}).From, id)
		}, domain.Deleted, domain.Deleted},
		"failed": {func(s *site.Site, id domain.JobID) error {
			s.Do(func(ctx context.Context, tx ports.Tx) error {
				return tx.Jobs.Update(ctx, id, func(j *domain.ExportJob) error { return j.Fail(s.Clock.Now(), domain.Failure{Reason: "x"}) })
			})
			return nil
		}, "", domain.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			s, id := parted(t, 2)
			write(t, s, 1)
			poll(t, s, id)
			same(t, "told", find(s, t, id, "S0001_0001.ndjson"), domain.Code(""))
			if err := ends.how(s, id); err != nil {
				t.Fatal(err)
			}
			same(t, "the file", find(s, t, id, "S0001_0001.ndjson"), ends.file)
			for what, ask := range map[string]func() (status.Result, error){
				"status": func() (status.Result, error) { return s.Status.Poll(t.Context(), s.Client, id) },
				"page":   func() (status.Result, error) { return s.Status.Page(t.Context(), s.Client, id, 1) },
			} {
				r, err := ask()
				if domain.CodeOf(err) != ends.code || r.Manifest != nil || (r.Failure != nil) != (ends.code == "") {
					t.Errorf("%s: %+v, %v", what, r, err)
				}
			}
			if err := s.Retention.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			for f, err := range s.Files.List(t.Context(), domain.JobPrefix(id)) {
				t.Errorf("%s is still there, %v", f.Key, err)
			}
		})
	}
}

// However partitions end and whenever the client asks: what it was told it is told
// again and can fetch, each file is on one page, in order, and the pages lead on
// to each other until all is told; or all of it is withdrawn.
func TestPagesOnlyGrow(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			chance := rand.New(rand.NewPCG(seed, 0))
			partitions := 1 + chance.IntN(5)
			s, id := parted(t, partitions)
			var told []string // a page each
			look := func() (running bool) {
				r := poll(t, s, id)
				if m := r.Manifest; m != nil && m.Page == 0 && !r.Running && told == nil { // nothing was told early
					told = []string{names(m)}
					return false
				}
				for n := 1; r.Manifest != nil; n++ {
					m := page(t, s, id, n).Manifest
					if n > len(told) {
						told = append(told, names(m))
					}
					if names(m) != told[n-1] || m.Whole != (!r.Running && !m.More) {
						t.Fatalf("page %d: %+v, and it was told as %s", n, m, told[n-1])
					}
					for _, f := range m.Output {
						same(t, f.Name, find(s, t, id, f.Name), domain.Code(""))
					}
					if !m.More {
						same(t, "pages", n, len(told))
						break
					}
				}
				return r.Running
			}
			var taken []produce.Work
			cancels := seed%5 == 4
			for left := partitions; left > 0; {
				switch n := len(taken); {
				case chance.IntN(3) == 0:
					look()
				case n < left && (n == 0 || chance.IntN(2) == 0):
					work, err := s.Produce.Take(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					taken = append(taken, work)
				default:
					i := chance.IntN(n)
					if _, err := s.Produce.Do(t.Context(), taken[i]); err != nil {
						t.Fatal(err)
					}
					taken, left = slices.Delete(taken, i, i+1), left-1
				}
				if cancels && left == 1 && len(told) > 0 {
					if err := s.Cancel.Cancel(t.Context(), s.Client, s.Ask("", domain.Window{}).From, id); err != nil {
						t.Fatal(err)
					}
					for _, name := range strings.Fields(strings.Join(told, " ")) {
						same(t, name, find(s, t, id, "S0001_"+name+".ndjson"), domain.Deleted)
					}
					return
				}
			}
			if look() {
				t.Fatal("it goes on for ever")
			}
			var want []string
			for n := range partitions {
				want = append(want, fmt.Sprintf("%04d", n+1))
			}
			same(t, "all pages", strings.Fields(strings.Join(told, " ")), want)
		})
	}
}

func TestWithoutBeingAskedNothingIsToldEarly(t *testing.T) {
	s, early := parted(t, 2)
	if err := s.Cancel.Cancel(t.Context(), s.Client, s.Ask("", domain.Window{}).From, early); err != nil {
		t.Fatal(err)
	}
	id := s.KickOff(site.First, domain.Window{})
	if err := s.Produce.Plan(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	write(t, s, 1)
	same(t, "while it runs", poll(t, s, id).Manifest, (*domain.Manifest)(nil))
	write(t, s, 1)
	m := poll(t, s, id).Manifest
	if m.Page != 0 || m.More || len(m.Accounts) != 1 || names(m) != "0001 0002" {
		t.Errorf("in the end: %+v", m)
	}
}

// Who asks for pages but comes only in the end gets one manifest.
func TestAnExportThatIsCompleteAtOnceHasOneManifest(t *testing.T) {
	s, id := parted(t, 2)
	write(t, s, 2)
	m := poll(t, s, id).Manifest
	if m.Page != 0 || m.More || names(m) != "0001 0002" {
		t.Errorf("%+v", m)
	}
}

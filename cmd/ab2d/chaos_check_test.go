package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/entstore"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// outcome is what became of a job: its row, and its files.
type outcome struct {
	domain.ExportJobState
	path  string // of the request
	files []domain.OutputFile
}

// outcomes reads all jobs past the processes.
func outcomes(t *testing.T, db *entstore.Store) (all []outcome) {
	t.Helper()
	err := db.View(t.Context(), func(ctx context.Context, tx ports.Tx) error {
		all = nil
		jobs, err := tx.JobList.Find(ctx, ports.JobQuery{Limit: 100_000})
		if err != nil {
			return err
		}
		for _, j := range jobs {
			o, err := outcomeOf(ctx, tx, j)
			if err != nil {
				return err
			}
			all = append(all, o)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func outcomeOf(ctx context.Context, tx ports.Tx, j *domain.ExportJob) (o outcome, err error) {
	o.ExportJobState = j.State()
	request, err := url.Parse(o.Request)
	if err != nil {
		return o, err
	}
	o.path = request.Path
	o.files, err = tx.Files.OfJob(ctx, o.ID)
	return o, err
}

// problem says what is wrong with the end of a job, if anything is.
func (o outcome) problem() string {
	switch o.State {
	case domain.Successful:
		if len(o.Accounts) != len(o.Plans) || len(o.Plans) == 0 {
			return fmt.Sprintf("%d of %d contracts are accounted for", len(o.Accounts), len(o.Plans))
		}
		for i, a := range o.Accounts {
			if a.Enrollees() != o.Plans[i].Enrolled || a.Enrollees() == 0 {
				return fmt.Sprintf("the columns %+v are not the %d enrolled", a.Columns, o.Plans[i].Enrolled)
			}
		}
	case domain.Failed:
		if o.Failure.Reason == "" || o.Failure.Code == "" || o.Failure.ID == "" {
			return fmt.Sprintf("it failed without a reason: %+v", o.Failure)
		}
	case domain.Cancelled:
	default:
		return fmt.Sprintf("it is %s", o.State)
	}
	return ""
}

// claims counts the claims in the job's data files, and returns the id of one
// that is there twice. It checks each file against its row on the way.
func (o outcome) claims(t *testing.T, store ports.Files) (n int, twice string) {
	t.Helper()
	seen := map[string]bool{}
	for _, f := range o.files {
		stored, err := store.Open(t.Context(), f.Key)
		if err != nil {
			t.Errorf("%s of job %s: %v", f.Name, o.ID, err)
			continue
		}
		plain, err := gzip.NewReader(stored)
		if err != nil {
			t.Fatal(err)
		}
		hash, count := sha256.New(), 0
		lines := bufio.NewScanner(io.TeeReader(plain, hash))
		lines.Buffer(nil, 64<<20)
		for lines.Scan() {
			count++
			if f.Kind != domain.DataFile {
				continue
			}
			var claim struct{ ID string }
			if err := json.Unmarshal(lines.Bytes(), &claim); err != nil || claim.ID == "" {
				t.Fatalf("%s: a line is no claim: %v", f.Name, err)
			}
			if seen[claim.ID] {
				twice = claim.ID
			}
			seen[claim.ID] = true
		}
		if err := lines.Err(); err != nil || count != f.Lines || hex.EncodeToString(hash.Sum(nil)) != f.Plain.SHA256 {
			t.Errorf("%s of job %s holds %d lines, its row says %d; or other bytes; %v", f.Name, o.ID, count, f.Lines, err)
		}
		stored.Close()
	}
	return len(seen), twice
}

// same reports whether two jobs came to the same columns.
func (o outcome) same(want outcome) bool {
	return slices.EqualFunc(o.Accounts, want.Accounts, func(a, b domain.Account) bool { return a.Contract == b.Contract && a.Columns == b.Columns })
}

// check looks at everything once all is quiet.
func (s *storm) check() {
	s.Helper()
	all := outcomes(s.T, s.db)
	ends, wanted := map[string]int{}, map[string]bool{}
	unknown, compared, equal := 0, 0, 0
	known := map[string]bool{}
	for _, o := range all {
		known[string(o.ID)] = true
		if _, ok := s.accepted[string(o.ID)]; !ok {
			unknown++
		}
		end := string(o.State)
		if o.State == domain.Failed {
			end += " (" + o.Failure.Reason + ")"
		}
		ends[end]++
		if why := o.problem(); why != "" {
			s.Errorf("job %s of %s: %s", o.ID, o.path, why)
		}
		if o.State != domain.Successful {
			continue
		}
		s.checkBound(o)
		for _, f := range o.files {
			if wanted[f.Key] {
				s.Errorf("%s is the file of two rows", f.Key)
			}
			wanted[f.Key] = true
			s.checkStored(o, f)
		}
		compared++
		if want := s.want[o.path]; o.same(want) {
			equal++
			s.compare(o, want)
		} else if _, twice := o.claims(s.T, s.store.files()); twice != "" {
			s.Errorf("job %s has claim %s twice", o.ID, twice)
		}
	}
	for id, path := range s.accepted {
		if !known[id] {
			s.Errorf("the export %s of %s was accepted and is forgotten", id, path)
		}
	}
	if unknown > s.unanswered {
		s.Errorf("%d exports exist that nobody was told of, but only %d kick-offs had no answer", unknown, s.unanswered)
	}
	s.Logf("%d kick-offs: %d accepted, %d without an answer, of which %d exist", s.counted["kick-offs"], len(s.accepted), s.unanswered, unknown)
	for _, end := range slices.Sorted(maps.Keys(ends)) {
		s.Logf("%4d %s", ends[end], end)
	}
	s.Logf("%d successful exports with %d files: %d exports are as the undisturbed one, %d lack enrollees that it has; %d more were compared before they were deleted",
		compared, len(wanted), equal, compared-equal, s.counted["compared on the way"])
	s.checkSwept(wanted)
}

// checkBound finds each partition bound to what its last attempt wrote: whoever
// lost the lease to another binds nothing.
func (s *storm) checkBound(o outcome) {
	var parts []domain.Partition
	if err := s.db.View(s.Context(), func(ctx context.Context, tx ports.Tx) (err error) {
		parts, err = tx.Partitions.OfJob(ctx, o.ID)
		return err
	}); err != nil {
		s.Fatal(err)
	}
	if named := domain.NameFiles(parts); len(named) != len(o.files) {
		s.Errorf("job %s has %d files, its partitions %d", o.ID, len(o.files), len(named))
	} else {
		for i, f := range named {
			if f.Key != o.files[i].Key {
				s.Errorf("%s of job %s is %s; its partition is bound to %s", f.Name, o.ID, o.files[i].Key, f.Key)
			}
		}
	}
	for _, p := range parts {
		for _, f := range p.Result.Files {
			if last := domain.AttemptPrefix(p.ID, p.Attempt); !strings.HasPrefix(f.Key, last) {
				s.Errorf("partition %s is bound to %s, and its last attempt wrote under %s", p.ID, f.Key, last)
			}
		}
	}
}

// checkStored compares what is stored with its row.
func (s *storm) checkStored(o outcome, f domain.OutputFile) {
	stored, err := s.store.files().Open(s.Context(), f.Key)
	if err != nil {
		s.Errorf("%s of job %s has a row and no file: %v", f.Name, o.ID, err)
		return
	}
	defer stored.Close()
	hash := sha256.New()
	n, err := io.Copy(hash, stored)
	if err != nil || n != f.Stored.Bytes || hex.EncodeToString(hash.Sum(nil)) != f.Stored.SHA256 {
		s.Errorf("%s of job %s: %d bytes are stored, its row says %d; or others; %v", f.Name, o.ID, n, f.Stored.Bytes, err)
	}
}

// compare compares the files of a job with those of the undisturbed run.
func (s *storm) compare(o, want outcome) {
	if len(o.files) != len(want.files) {
		s.Errorf("job %s of %s has %d files, the undisturbed one %d", o.ID, o.path, len(o.files), len(want.files))
		return
	}
	for i, f := range o.files {
		w := want.files[i]
		if f.Name != w.Name || f.Kind != w.Kind || f.Lines != w.Lines || f.Plain != w.Plain || f.Stored != w.Stored {
			s.Errorf("job %s of %s: %s is %d lines, %+v, %+v; undisturbed %s, %d, %+v, %+v", o.ID, o.path, f.Name, f.Lines, f.Plain, f.Stored, w.Name, w.Lines, w.Plain, w.Stored)
		}
	}
}

// compareOnTheWay compares a job that is about to be deleted, if it has ended
// and the database is there.
func (s *storm) compareOnTheWay(status string) {
	var o outcome
	err := s.db.View(s.Context(), func(ctx context.Context, tx ports.Tx) error {
		j, err := tx.Jobs.Get(ctx, domain.JobID(jobOf(status)))
		if err == nil {
			o, err = outcomeOf(ctx, tx, j)
		}
		return err
	})
	if want := s.want[o.path]; err == nil && o.State == domain.Successful && o.same(want) {
		s.compare(o, want)
		s.count("compared on the way")
	}
}

// checkSwept waits for the sweep and then finds in the store what rows want and
// nothing else.
func (s *storm) checkSwept(wanted map[string]bool) {
	var extra []string
	for deadline := time.Now().Add(10*sweep + 5*time.Second); ; time.Sleep(sweep / 5) {
		extra = nil
		missing := maps.Clone(wanted)
		for f, err := range s.store.files().List(s.Context(), "jobs/") {
			if err != nil {
				s.Fatal(err)
			}
			if !wanted[f.Key] || !f.Committed {
				extra = append(extra, fmt.Sprintf("%s (committed: %t, modified %s)", f.Key, f.Committed, f.Modified.Format(time.TimeOnly)))
			}
			delete(missing, f.Key)
		}
		if len(missing) > 0 {
			s.Errorf("%d files have rows and are not listed: %v", len(missing), slices.Sorted(maps.Keys(missing)))
		}
		if len(extra) == 0 {
			return
		}
		if time.Now().After(deadline) {
			break
		}
	}
	s.Errorf("%d files are left that no row wants: %v", len(extra), extra[:min(5, len(extra))])
}

func decode(res *http.Response, into any) error { return json.NewDecoder(res.Body).Decode(into) }

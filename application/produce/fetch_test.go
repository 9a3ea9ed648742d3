package produce_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/domain"
)

func TestAnAnswerWithAClaimOfAnotherPersonIsAskedForAgain(t *testing.T) {
	s := four(t)
	claim := func(id, patient string) string { return site.Claim(id, patient, "2025-05-05", updated) }
	mixed := memory.Answer{Claims: []string{claim("a", "2"), claim("theirs", "3")}}
	s.Claims.Script("2", mixed, memory.Answer{Claims: []string{claim("a", "2"), claim("b", "2")}})
	job := s.Exported(site.First, everything)
	want(t, ids(t, s, job.ID), "c1", "a", "b", "c3", "c4")

	// Also one of a kind that would stay behind anyway, or that names nobody.
	for name, theirs := range map[string]string{
		"Part D":    strings.Replace(claim("theirs", "3"), "CARRIER", "PDE", 1),
		"nobody's":  strings.Replace(claim("theirs", "3"), "Patient/3", "#someone", 1),
		"as always": claim("theirs", "3"),
	} {
		s.Claims.Script("2", memory.Answer{Claims: []string{claim("a", "2"), theirs}})
		job := s.Exported(site.First, everything)
		if got := job.Accounts[0].Columns; got != (domain.Columns{Exported: 3, Failed: 1}) {
			t.Errorf("%s: columns %+v", name, got)
		}
		if told := lines(t, s, job.ID, domain.ErrorFile); len(told) != 1 || !strings.Contains(told[0], "a claim of another person") || strings.Contains(told[0], "theirs") {
			t.Errorf("%s: told %v", name, told)
		}
	}
}

func TestAnAnswerThatDoesNotComeInTimeIsAskedForAgain(t *testing.T) {
	s := four(t)
	s.Produce.Settings.FetchTimeout = 20 * time.Millisecond
	slow := memory.Answer{Claims: []string{site.Claim("c2", "2", "2025-05-05", updated)}, Delay: func() { time.Sleep(2 * s.Produce.Settings.FetchTimeout) }}
	quick := slow
	quick.Delay = nil
	s.Claims.Script("2", slow, quick)
	want(t, ids(t, s, s.Exported(site.First, everything).ID), "c1", "c2", "c3", "c4")

	s.Claims.Script("2", slow)
	job := s.Exported(site.First, everything)
	if told := lines(t, s, job.ID, domain.ErrorFile); job.Accounts[0].Failed != 1 || len(told) != 1 || !strings.Contains(told[0], "did not answer in time") {
		t.Errorf("%+v, told %v", job.Accounts[0], told)
	}
}

// many enrolls people with one claim each, all in one partition.
func many(t *testing.T, n int) *site.Site {
	s := site.New(t)
	s.Produce.Settings.PartitionMembers = n
	var people []domain.Enrollee
	for i := range n {
		id := fmt.Sprint(100 + i)
		people = append(people, site.Person(id))
		s.Claims.Put(domain.PatientID(id), site.Claim("c"+id, id, "2025-05-05", updated))
	}
	s.Enroll(site.First, site.Start.AddDate(-1, 0, 0), people...)
	return s
}

// A source that is away gets a few questions more, not all of them several
// times over, and nobody is failed for it until the last attempt.
func TestASourceInTroubleIsLeftAlone(t *testing.T) {
	s := many(t, 60)
	s.Produce.Settings.RetryBudget = 10
	away := func(is bool) {
		for i := range 60 {
			id := fmt.Sprint(100 + i)
			answer := memory.Answer{Claims: []string{site.Claim("c"+id, id, "2025-05-05", updated)}}
			if is {
				answer = memory.Answer{Refused: errDown}
			}
			s.Claims.Script(domain.PatientID(id), answer)
		}
	}
	away(true)
	id := s.KickOff(site.First, everything)
	if err := s.Produce.Plan(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	attempt := func(n int, want domain.Code) (asked int) {
		t.Helper()
		before := len(s.Claims.Asked())
		s.Clock.Advance(2 * time.Minute)
		w, err := s.Produce.Take(t.Context())
		if err != nil || w.Lease.Attempt != n {
			t.Fatalf("attempt %d, want %d: %v", w.Lease.Attempt, n, err)
		}
		if _, err = s.Produce.Do(t.Context(), w); domain.CodeOf(err) != want {
			t.Errorf("attempt %d ended with %v, want %q", n, err, want)
		}
		return len(s.Claims.Asked()) - before
	}
	for n := 1; n < s.Produce.Settings.PartitionTries; n++ {
		// Ten retries, the first try of those who made them, and of those at whom it ended.
		if asked := attempt(n, domain.Unavailable); asked > 25 {
			t.Errorf("attempt %d asked a source that is away %d times", n, asked)
		}
		if job := s.Job(id); job.State != domain.InProgress {
			t.Fatalf("after attempt %d the export is %s: %+v", n, job.State, job.Failure)
		}
	}
	if asked := attempt(s.Produce.Settings.PartitionTries, ""); asked != 180 {
		t.Errorf("the last attempt asked %d times, want 3 times each", asked)
	}
	if job := s.Job(id); job.State != domain.Successful || job.Accounts[0].Columns != (domain.Columns{Failed: 60}) {
		t.Errorf("%s, %+v", job.State, job.Accounts)
	}

	// When the source is back before that, nobody is lost.
	id = s.KickOff(site.First, everything)
	if err := s.Produce.Plan(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	attempt(1, domain.Unavailable)
	away(false)
	attempt(2, "")
	if job := s.Job(id); job.State != domain.Successful || job.Accounts[0].Columns != (domain.Columns{Exported: 60}) {
		t.Errorf("%s, %+v", job.State, job.Accounts)
	}
}

func TestAFewWhoCannotBeHadDoNotStopTheOthers(t *testing.T) {
	s := many(t, 60)
	s.Produce.Settings.RetryBudget = 6
	for _, id := range []domain.PatientID{"100", "121", "122", "143", "159"} { // ten retries between them
		s.Claims.Script(id, memory.Answer{Refused: errDown})
	}
	job := s.Exported(site.First, everything)
	if job.State != domain.Successful || job.Accounts[0].Columns != (domain.Columns{Exported: 55, Failed: 5}) || len(s.Claims.Asked()) != 55+3*5 {
		t.Errorf("%s, %+v after %d questions", job.State, job.Accounts, len(s.Claims.Asked()))
	}
}

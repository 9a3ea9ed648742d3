package produce_test

import (
	"slices"
	"strings"
	"testing"

	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/domain"
)

// asked is a kick-off that names enrollees.
func asked(t *testing.T, s *site.Site, n domain.ContractNumber, names ...string) (domain.JobID, error) {
	t.Helper()
	ask := s.Ask(n, everything)
	ask.Patients = names
	return s.Export.Start(t.Context(), ask)
}

func TestAnExportOfNamedEnrolleesIsOfThemAlone(t *testing.T) {
	s := four(t)
	s.Produce.Settings.PartitionMembers = 1
	const mbi = "1S00E00AA01"
	one, three := fourOf[0], fourOf[2]
	people := []domain.Enrollee{site.Person(fourOf[0]), site.Person(fourOf[1]), site.Person(fourOf[2]), site.Person(fourOf[3])}
	people[0].IDs.Historic = []domain.MBI{mbi}
	s.Enroll(site.First, site.Start.AddDate(0, -1, 0), people...)
	id, err := asked(t, s, site.First, three, mbi, three) // out of order, by MBI, twice
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Drain(); err != nil {
		t.Fatal(err)
	}
	job := s.Job(id)
	if got := ids(t, s, id); !slices.Equal(got, []string{"c" + one, "c" + three}) || job.State != domain.Successful {
		t.Errorf("%s with %v", job.State, got)
	}
	if a := job.Accounts; len(a) != 1 || a[0].Enrollees() != 2 || a[0].Exported != 2 {
		t.Errorf("accounted for %+v", a)
	}
}

func TestOneWhoIsNotEnrolledIsNamedAndNothingStarts(t *testing.T) {
	s := four(t)
	id, err := asked(t, s, "", fourOf[0], "nobody", "1S00E00AA99")
	if domain.CodeOf(err) != domain.Invalid {
		t.Fatalf("started %s: %v", id, err)
	}
	if m := err.Error(); !strings.HasSuffix(m, ": Patient/nobody, Patient/1S00E00AA99.") { // and not who is enrolled
		t.Errorf("said %s", m)
	}
	other := s.Ask("S9999", everything)
	other.Patients = []string{"nobody"}
	if _, err := s.Export.Start(t.Context(), other); domain.CodeOf(err) != domain.Forbidden {
		t.Errorf("of another's contract it tells %v", err)
	}
}

// Whoever all failed still gets the job, since each is told of by name; and the
// same share of everybody fails it.
func TestAnyShareOfNamedEnrolleesMayFail(t *testing.T) {
	s := four(t)
	s.Produce.Settings.FailedShare = 0.01
	s.Claims.Put(domain.PatientID(fourOf[1]), "{") // cannot be read
	id, err := asked(t, s, site.First, fourOf[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Drain(); err != nil {
		t.Fatal(err)
	}
	job := s.Job(id)
	if job.State != domain.Successful || job.Accounts[0].Enrollees() != 1 || len(lines(t, s, id, domain.ErrorFile)) == 0 {
		t.Errorf("%s: %+v %s", job.State, job.Accounts, job.Failure.Reason)
	}
}

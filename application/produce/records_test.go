package produce_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/domain"
)

func patientOf(id string, updated time.Time) string {
	return fmt.Sprintf(`{"resourceType":"Patient","id":%q,"meta":{"lastUpdated":%q},"gender":"female","name":[{"family":"Example"}]}`, id, updated.Format(time.RFC3339))
}

func coverageOf(id, part string, updated time.Time) string {
	return fmt.Sprintf(`{"resourceType":"Coverage","id":"%s-%s","meta":{"lastUpdated":%q},"beneficiary":{"reference":"Patient/%s"},`+
		`"class":[{"type":{"coding":[{"code":"plan"}]},"value":"Part %s"}]}`, part, id, updated.Format(time.RFC3339), id, part)
}

// withRecords is four people, each with a Patient and coverage by Parts A and D.
func withRecords(t *testing.T) *site.Site {
	s := four(t)
	for _, id := range fourOf {
		s.People.Put(domain.PatientID(id), patientOf(id, updated), coverageOf(id, "A", updated), coverageOf(id, "D", updated))
	}
	return s
}

var allTypes = domain.Terms{Types: domain.ResourceTypes}

// idsIn returns the ids of the resources in the files of a kind.
func idsIn(t *testing.T, s *site.Site, id domain.JobID, kind domain.FileKind) (all []string) {
	t.Helper()
	for _, line := range lines(t, s, id, kind) {
		var head struct{ ID string }
		if err := json.Unmarshal([]byte(line), &head); err != nil {
			t.Fatal(err)
		}
		all = append(all, head.ID)
	}
	return all
}

func TestPatientAndCoverageComeInFilesOfTheirOwn(t *testing.T) {
	s := withRecords(t)
	s.Produce.Settings.PartitionMembers = 2
	job := exportedBy(t, s, site.First, everything, allTypes)
	if job.State != domain.Successful || job.Accounts[0].Exported != 4 {
		t.Fatalf("%s: %s, %+v", job.State, job.Failure.Reason, job.Accounts)
	}
	want(t, ids(t, s, job.ID), "c1", "c2", "c3", "c4")
	want(t, idsIn(t, s, job.ID, domain.PatientFile), "1", "2", "3", "4")
	want(t, idsIn(t, s, job.ID, domain.CoverageFile), "A-1", "A-2", "A-3", "A-4")
	var names, types []string
	for _, f := range filesOf(t, s, job.ID) {
		names, types = append(names, f.Name), append(types, f.ResourceType())
	}
	if got := fmt.Sprint(names); got != "[S0001_0001.ndjson S0001_0002.ndjson S0001_0003.ndjson S0001_0004.ndjson S0001_0005.ndjson S0001_0006.ndjson]" {
		t.Errorf("the files are %s", got)
	}
	if got := fmt.Sprint(types); got != "[ExplanationOfBenefit Patient Coverage ExplanationOfBenefit Patient Coverage]" {
		t.Errorf("they hold %s", got)
	}
}

func TestClaimsAloneAskForNothingElse(t *testing.T) {
	s := withRecords(t)
	s.Produce.People = nil
	job := exportedBy(t, s, site.First, everything, domain.Terms{})
	if job.State != domain.Successful || len(lines(t, s, job.ID, domain.PatientFile)) > 0 {
		t.Errorf("%s: %s", job.State, job.Failure.Reason)
	}
}

func TestPatientsAloneAskForNoClaims(t *testing.T) {
	s := withRecords(t)
	s.People.Put("2") // not known
	job := exportedBy(t, s, site.First, everything, domain.Terms{Types: []domain.ResourceType{domain.Patient}})
	if len(s.Claims.Asked()) > 0 {
		t.Error("claims were asked for")
	}
	want(t, idsIn(t, s, job.ID, domain.PatientFile), "1", "3", "4")
	if got, want := job.Accounts[0].Columns, (domain.Columns{Exported: 3, NoClaims: 1}); got != want {
		t.Errorf("columns %+v, want %+v", got, want)
	}
}

func TestWhoseRecordsCannotBeHadHasFailed(t *testing.T) {
	s := withRecords(t)
	down := slices.Repeat([]error{domain.Errorf(domain.Unavailable, "away")}, 3)
	s.People.Fail("2", down...)     // never
	s.People.Fail("3", down[:1]...) // once
	s.People.Put("4", `{"resourceType":"Patient"`, patientOf("4", updated))
	job := exportedBy(t, s, site.First, everything, allTypes)
	if got, want := job.Accounts[0].Columns, (domain.Columns{Exported: 3, Failed: 1}); got != want {
		t.Errorf("columns %+v, want %+v", got, want)
	}
	want(t, ids(t, s, job.ID), "c1", "c3", "c4")
	want(t, idsIn(t, s, job.ID, domain.PatientFile), "1", "3", "4")
	if told := lines(t, s, job.ID, domain.ErrorFile); len(told) != 2 {
		t.Errorf("the error file says %s", told)
	}
}

func TestAnotherPersonsRecordIsNotBelieved(t *testing.T) {
	s := withRecords(t)
	s.People.Put("2", patientOf("3", updated))
	job := exportedBy(t, s, site.First, everything, allTypes)
	if got := job.Accounts[0].Failed; got != 1 {
		t.Errorf("%d failed: %+v", got, job.Accounts)
	}
	want(t, idsIn(t, s, job.ID, domain.PatientFile), "1", "3", "4")
}

func TestASourceThatNoLongerHasPeopleFailsTheExport(t *testing.T) {
	s := withRecords(t)
	s.Produce.People = nil
	if job := exportedBy(t, s, site.First, everything, allTypes); job.State != domain.Failed || job.Failure.Code != domain.Invalid {
		t.Errorf("%s: %+v", job.State, job.Failure)
	}
}

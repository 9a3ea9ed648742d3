package produce_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/domain"
)

// outline tells the lines of a job's data files in short: H for a header and P, C
// and E for the resources, each with an id, a file in brackets, and + where the
// last block of it goes on in the next.
func outline(t *testing.T, s *site.Site, id domain.JobID) string {
	t.Helper()
	all := lines(t, s, id, domain.DataFile)
	var b strings.Builder
	for _, f := range filesOf(t, s, id) {
		if f.Kind != domain.DataFile {
			continue
		}
		var told []string
		for _, line := range all[:f.Lines] {
			var r struct {
				ResourceType, ID string
				Parameter        []struct {
					Name           string
					ValueReference struct{ Reference string }
				}
			}
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			switch r.ResourceType {
			case "Parameters":
				if len(r.Parameter) != 1 || r.Parameter[0].Name != "header" {
					t.Fatalf("a header is %s", line)
				}
				told = append(told, "H"+strings.TrimPrefix(r.Parameter[0].ValueReference.Reference, "Patient/"))
			default:
				told = append(told, r.ResourceType[:1]+r.ID)
			}
		}
		all = all[f.Lines:]
		fmt.Fprintf(&b, "[%s]", strings.Join(told, " "))
		if f.Continues {
			b.WriteString("+")
		}
	}
	return b.String()
}

func TestFilesByPatient(t *testing.T) {
	s := withRecords(t)
	s.Produce.Settings.PartitionMembers = 4
	s.Claims.Put("2")
	s.People.Put("2")                                                         // nothing of this one, so no block
	s.People.Put("3", coverageOf("3", "A", updated), patientOf("3", updated)) // in another order
	s.Claims.Put("4", "{", site.Claim("c4", "4", "2025-05-05", updated))      // one cannot be read
	terms := allTypes
	terms.ByPatient = true
	job := exportedBy(t, s, site.First, everything, terms)
	if got, want := outline(t, s, job.ID), "[H1 P1 CA-1 Ec1 H3 P3 CA-3 Ec3 H4 P4 CA-4 Ec4]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if told := lines(t, s, job.ID, domain.ErrorFile); len(told) != 1 {
		t.Errorf("the error file says %s", told)
	}
	if got, want := job.Accounts[0].Columns, (domain.Columns{Exported: 3, NoClaims: 1}); got != want {
		t.Errorf("columns %+v, want %+v", got, want)
	}
	terms.Types = nil
	job = exportedBy(t, s, site.First, everything, terms)
	if got, want := outline(t, s, job.ID), "[H1 Ec1 H3 Ec3 H4 Ec4]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// manyClaims gives the four people 1, 2, 9 and 1 claims, in partitions of three
// and one; a file has room for four.
func manyClaims(t *testing.T) *site.Site {
	s := four(t)
	s.Produce.Settings.PartitionMembers = 3
	for n, count := range []int{1, 2, 9, 1} {
		var claims []string
		for i := range count {
			claims = append(claims, site.Claim(fmt.Sprintf("c%d%d", n+1, i), fourOf[n], "2025-05-05", updated))
		}
		s.Claims.Put(domain.PatientID(fourOf[n]), claims...)
	}
	one := exportedBy(t, s, site.First, everything, domain.Terms{})
	size := int64(len(lines(t, s, one.ID, domain.DataFile)[0]) + 1)
	s.Produce.Settings.RollBytes = 4*size + size/2
	return s
}

// A block goes to the next file where it does not fit into this one, and is
// parted only where it fits into none, with its header in each.
func TestABlockIsPartedOnlyWhereItFitsIntoNoFile(t *testing.T) {
	byPatient := domain.Terms{ByPatient: true}
	for stage, limit := range []int{1 << 20, 1} { // in memory, and on disk
		s := manyClaims(t)
		s.Produce.Settings.StageBytes = limit
		job := exportedBy(t, s, site.First, everything, byPatient)
		want := "[H1 Ec10 H2 Ec20 Ec21][H3 Ec30 Ec31 Ec32 Ec33]+[H3 Ec34 Ec35 Ec36 Ec37]+[H3 Ec38][H4 Ec40]"
		if got := outline(t, s, job.ID); got != want {
			t.Errorf("%d: %s, want %s", stage, got, want)
		}
		for _, f := range filesOf(t, s, job.ID) {
			if f.Plain.Bytes > s.Produce.Settings.RollBytes {
				t.Errorf("%s has %d bytes", f.Name, f.Plain.Bytes)
			}
		}
		// With a limit below one claim each has a file, and nothing is lost.
		s.Produce.Settings.RollBytes = 1
		job = exportedBy(t, s, site.First, everything, byPatient)
		if got := outline(t, s, job.ID); strings.Count(got, "]") != 13 || strings.Count(got, "+") != 9 {
			t.Errorf("%d: %s", stage, got)
		}
	}
}

func TestAnExportByPatientThatIsInterruptedComesOutTheSame(t *testing.T) {
	terms := around
	terms.ByPatient, terms.MaxFileBytes = true, 2000
	checkInterrupted(t, six, terms)
}

// The size of files is the site's unless something else was asked for.
func TestTheSizeOfFiles(t *testing.T) {
	for _, c := range []struct {
		terms domain.Terms
		files []int
	}{
		{domain.Terms{}, []int{4, 4, 4, 1}},
		{domain.Terms{MaxFileBytes: 1 << 20}, []int{4, 4, 4, 1}},
		{domain.Terms{MinFileBytes: 1 << 20}, []int{12, 1}},
		{domain.Terms{MinFileBytes: 1 << 20, MaxFileBytes: 1 << 21}, []int{12, 1}},
		{domain.Terms{MaxFileBytes: 1}, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
	} {
		s := manyClaims(t)
		var got []int
		for _, f := range filesOf(t, s, exportedBy(t, s, site.First, everything, c.terms).ID) {
			got = append(got, f.Lines)
		}
		if !slices.Equal(got, c.files) {
			t.Errorf("%+v: files of %v lines, want %v", c.terms, got, c.files)
		}
	}
}

package ndjson_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/ndjson"
	"cms.gov/ab2d/adapters/synthetic"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
	"cms.gov/ab2d/ports/porttest"
)

var both = []domain.FHIRVersion{domain.STU3, domain.R4}

func TestConformance(t *testing.T) {
	for name, tc := range map[string]struct {
		versions []domain.FHIRVersion
		suffix   string
	}{
		"STU3": {both[:1], ""}, "R4": {both[1:], ""}, "both": {both, ""}, "R4 gzip": {both[1:], ".gz"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, index := t.TempDir(), t.TempDir()
			for _, v := range tc.versions {
				populate(t, dir, v, tc.suffix)
			}
			porttest.Claims(t, func(t *testing.T) porttest.ClaimsSource {
				s, err := open(t, dir, index)
				if err != nil {
					t.Fatal(err)
				}
				source := porttest.ClaimsSource{Source: s, Versions: tc.versions, Stranger: "-20000000000000"}
				for _, e := range people() {
					if n := len(readAll(t, s, ports.ClaimsQuery{Version: tc.versions[0], Patient: e.Patient})); n >= 20 && n < 120 && len(source.Patients) < 3 {
						source.Patients = append(source.Patients, e.Patient)
					}
				}
				return source
			})
		})
	}
}

func TestRecordsConform(t *testing.T) {
	for _, tc := range []struct {
		version domain.FHIRVersion
		suffix  string
	}{{domain.STU3, ".gz"}, {domain.R4, ""}} {
		t.Run(string(tc.version)+tc.suffix, func(t *testing.T) {
			dir, index := t.TempDir(), t.TempDir()
			populate(t, dir, tc.version, tc.suffix)
			porttest.People(t, func(t *testing.T) porttest.PeopleSource {
				s, err := open(t, dir, index)
				if err != nil {
					t.Fatal(err)
				}
				all := people()
				return porttest.PeopleSource{Source: s, Claims: s, Versions: []domain.FHIRVersion{tc.version}, Contract: "S0000",
					Patients: []domain.PatientID{all[0].Patient, all[1].Patient, all[len(all)-1].Patient}, Stranger: "-20000000000000"}
			})
		})
	}
}

// What is about people beside claims comes out as it went in, the last of what
// comes twice; and where nobody can say of which version it is, not at all.
func TestRecordsComeAsTheyAreInTheFolder(t *testing.T) {
	dir := t.TempDir()
	populate(t, dir, domain.R4, "")
	first := people()[0]
	corrected := strings.Replace(string(population.AppendPatient(nil, domain.R4, first)), `"gender":`, `"active":true,"gender":`, 1)
	write(t, dir, "later/Patient.ndjson", corrected)
	s, err := open(t, dir, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	origin := synthetic.NewClaims(population, time.Now)
	for _, e := range people() {
		_, contract, _ := population.Find(e.Patient)
		q := ports.PeopleQuery{Version: domain.R4, Patient: e.Patient, Contract: contract, Types: []domain.ResourceType{domain.Patient, domain.Coverage}}
		want, err := origin.Records(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if e.Patient == first.Patient {
			want.Resources[0] = []byte(corrected)
		}
		got, err := s.Records(t.Context(), q)
		if err != nil || !slices.EqualFunc(got.Resources, want.Resources, bytes.Equal) {
			t.Errorf("%s: %v\n%s\nwant\n%s", e.Patient, err, got.Resources, want.Resources)
		}
	}
	if _, err := s.Records(t.Context(), ports.PeopleQuery{Version: domain.STU3, Patient: first.Patient, Types: domain.ResourceTypes}); domain.CodeOf(err) != domain.Invalid {
		t.Errorf("the other version: %v", err)
	}
	populate(t, dir, domain.STU3, "")
	both, err := open(t, dir, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := both.Records(t.Context(), ports.PeopleQuery{Version: domain.R4, Patient: first.Patient, Types: domain.ResourceTypes}); domain.CodeOf(err) != domain.Invalid {
		t.Errorf("a folder of both versions: %v", err)
	}
}

// What comes out is what went in: each person's claims byte for byte and in
// order, within every bound, and the same people enrolled in the same months.
func TestASyntheticPopulationGoesRoundByteForByte(t *testing.T) {
	origin := synthetic.NewClaims(population, time.Now)
	for _, suffix := range []string{"", ".gz"} {
		dir := t.TempDir()
		populate(t, dir, domain.STU3, suffix)
		populate(t, dir, domain.R4, suffix)
		s := opened(t, dir)
		total := 0
		for _, e := range people() {
			for _, q := range []ports.ClaimsQuery{{}, {UpdatedFrom: time.Date(2023, 5, 1, 0, 0, 0, 0, time.UTC), UpdatedThrough: time.Date(2024, 8, 9, 6, 0, 0, 0, time.UTC), ServedFrom: 2023_02_01}} {
				for _, q.Version = range both {
					q.Patient = e.Patient
					want := readAll(t, origin, q)
					if got := readAll(t, s, q); !slices.Equal(got, want) {
						t.Fatalf("%s%s: %d claims of %s, not the %d there are, or in another order", q.Version, suffix, len(got), e.Patient, len(want))
					}
					total += len(want)
				}
			}
		}
		if total == 0 {
			t.Error("nobody has a claim")
		}
		var contracts []ndjson.Contract
		for _, c := range population.Contracts() {
			contracts = append(contracts, ndjson.Contract(c))
			var want []domain.Enrollee
			for e := range population.Enrollees(c.Number) {
				want = append(want, domain.Enrollee{Patient: e.Patient, Months: e.Months, IDs: e.Identifiers})
			}
			if got := enrolled(t, s, c.Number); !reflect.DeepEqual(got, want) {
				t.Errorf("%s%s: %d enrolled who are not the %d there are", c.Number, suffix, len(got), len(want))
			}
		}
		if got := s.Contracts(); !slices.Equal(got, contracts) {
			t.Errorf("contracts %v, not %v", got, contracts)
		}
	}
}

func TestClaimsComeInTheOrderOfFilesAndLines(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "b/x.ndjson", claim("b1", "p", ""), "", claim("b2", "q", ""), "  "+claim("b3", "p", "")+"\t\r")
	write(t, dir, "a.ndjson.gz", claim("a1", "q", ""), claim("a2", "p", ""), `{"resourceType":"Practitioner","id":"7"}`)
	write(t, dir, "c.ndjson", claim("c1", "p", "")+strings.Repeat(" ", 3))
	write(t, dir, ".hidden.ndjson", claim("h1", "p", ""))
	write(t, dir, "notes.txt", "not NDJSON")
	got := strings.Join(readAll(t, opened(t, dir), ports.ClaimsQuery{Version: domain.R4, Patient: "p"}), " | ")
	want := []string{`"a2"`, `"b1"`, `"b3"`, `"c1"`}
	at := 0
	for _, id := range want {
		i := strings.Index(got[at:], id)
		if i < 0 {
			t.Fatalf("no %s in its place in %s", id, got)
		}
		at += i
	}
	if strings.Count(got, "ExplanationOfBenefit") != len(want) {
		t.Errorf("not %d claims: %s", len(want), got)
	}
}

func TestAVersionThatTheFolderDoesNotHoldIsRefused(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "x.ndjson", claim("1", "p", ""))
	_, err := opened(t, dir).Read(t.Context(), ports.ClaimsQuery{Version: domain.STU3, Patient: "p"})
	if domain.CodeOf(err) != domain.Invalid || !strings.Contains(err.Error(), "in R4; it has none in STU3") {
		t.Errorf("STU3 of a folder in R4: %v", err)
	}
}

func TestAFolderVouchesForItsNewestUpdate(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "x.ndjson", claim("1", "p", "2022-03-01T10:00:00.249100Z"), claim("2", "p", "2021-03-01T10:00:00Z"), claim("3", "q", ""))
	index := t.TempDir()
	s, err := open(t, dir, index)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.CompleteThrough(t.Context())
	newest := time.Date(2022, 3, 1, 10, 0, 0, 250e6, time.UTC) // in whole milliseconds
	if want := newest.Add(margin); err != nil || !got.Equal(want) {
		t.Errorf("complete through %s, %v; want %s", got, err, want)
	}
	// What an export takes off brings it back to the newest claim, which is inside.
	through, err := domain.TransactionTime(time.Now(), got, domain.Window{}, margin)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(readAll(t, s, ports.ClaimsQuery{Version: domain.R4, Patient: "p", UpdatedFrom: through.Add(-time.Millisecond), UpdatedThrough: through})); n != 1 {
		t.Errorf("%d claims at the time that is vouched for", n)
	}
	// Whatever changes, an export after it differs in time from one before it.
	for i, tc := range []struct{ name, line string }{{"y", patient("p")}, {"z", coverage("p", "2020", "01=S0001")}, {"y", claim("4", "p", "2020-01-01T00:00:00Z")}} {
		write(t, dir, tc.name+".ndjson", tc.line)
		changed, err := open(t, dir, index)
		if err != nil {
			t.Fatal(err)
		}
		if want := newest.Add(time.Duration(i+1) * time.Millisecond); !changed.AsOf().Equal(want) {
			t.Errorf("after change %d as of %s, not %s", i+1, changed.AsOf(), want)
		}
	}
	write(t, dir, "y.ndjson", claim("4", "p", "2022-05-01T00:00:00Z"))
	if changed, err := open(t, dir, index); err != nil || !changed.AsOf().Equal(time.Date(2022, 5, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("after a newer claim as of %s, %v", changed.AsOf(), err)
	}

	dir = t.TempDir()
	write(t, dir, "x.ndjson", claim("3", "q", ""))
	at := time.Date(2023, 4, 5, 6, 7, 8, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(dir, "x.ndjson"), at, at); err != nil {
		t.Fatal(err)
	}
	if got, _ := opened(t, dir).CompleteThrough(t.Context()); !got.Equal(at.Add(margin)) {
		t.Errorf("without any update, complete through %s, not the file's time", got)
	}
}

func TestClaimsWithoutTimesAlwaysCome(t *testing.T) {
	dir := t.TempDir()
	odd := `{"resourceType":"ExplanationOfBenefit","id":"2","use":"claim","meta":{"lastUpdated":"lately"},"patient":{"reference":"https://example.org/fhir/Patient/p/_history/3"},"billablePeriod":{"end":"2021"}}`
	write(t, dir, "x.ndjson", `{"resourceType":"ExplanationOfBenefit","id":"1","use":"claim","patient":{"reference":"Patient/p"}}`, odd)
	q := ports.ClaimsQuery{Version: domain.R4, Patient: "p", UpdatedFrom: time.Now(), UpdatedThrough: time.Now(), ServedFrom: 2030_01_01}
	if n := len(readAll(t, opened(t, dir), q)); n != 2 {
		t.Errorf("%d of 2 claims came", n)
	}
}

// A claim that cannot be read, but whose it is can be told, comes to that
// person's export, which tells of it.
func TestAMalformedClaimOfAKnownPersonComesAsItStands(t *testing.T) {
	dir := t.TempDir()
	broken := `{"resourceType":"ExplanationOfBenefit","id":"1","use":"claim","patient":{"reference":"Patient/p"},"item":[{"sequence":`
	write(t, dir, "x.ndjson", claim("0", "p", ""), broken, claim("2", "p", ""))
	got := readAll(t, opened(t, dir), ports.ClaimsQuery{Version: domain.R4, Patient: "p"})
	if len(got) != 3 || got[1] != broken {
		t.Errorf("came: %q", got)
	}
}

func TestWhatCannotBeTakenInIsNamedByFileAndLine(t *testing.T) {
	good := claim("1", "p", "")
	stu3 := strings.Replace(good, `"use":"claim",`, "", 1)
	for name, tc := range map[string]struct {
		file  string
		lines []string
		want  string
	}{
		"no JSON":                    {"x.ndjson", []string{good, "nonsense"}, "x.ndjson:2: not one JSON object on one line"},
		"pretty-printed":             {"x.ndjson", []string{"{", `"resourceType":"Patient"`, "}"}, "x.ndjson:1: not one JSON object on one line"},
		"no resource":                {"x.ndjson", []string{"", `{"id":"1"}`}, "x.ndjson:2: no resourceType"},
		"a claim cut off early":      {"x.ndjson", []string{good, good, `{"resourceType":"ExplanationOfBenefit","id":"1"`}, "x.ndjson:3: a claim that cannot be read, nor whose it is"},
		"a claim of nobody":          {"x.ndjson", []string{`{"resourceType":"ExplanationOfBenefit","id":"1"}`}, "x.ndjson:1: a claim whose patient.reference"},
		"a claim of a group":         {"x.ndjson", []string{strings.Replace(good, "Patient/", "Group/", 1)}, "x.ndjson:1: a claim whose patient.reference"},
		"an id that FHIR forbids":    {"x.ndjson", []string{strings.Replace(good, "Patient/p", "Patient/p q", 1)}, "x.ndjson:1: a claim whose patient.reference"},
		"a broken patient":           {"x.ndjson", []string{`{"resourceType":"Patient","id":"p","identifier":[}`}, "x.ndjson:1: not valid JSON"},
		"a patient without id":       {"x.ndjson", []string{`{"resourceType":"Patient"}`}, "x.ndjson:1: a Patient without an id"},
		"a patient of another shape": {"x.ndjson", []string{`{"resourceType":"Patient","id":"p","identifier":{}}`}, "x.ndjson:1: identifier is a JSON object"},
		"coverage of nobody":         {"x.ndjson", []string{`{"resourceType":"Coverage","id":"1"}`}, "x.ndjson:1: a Coverage whose beneficiary"},
		"coverage without a year":    {"x.ndjson", []string{coverage("p", "", "01=S0001")}, "x.ndjson:1: a Part D contract without rfrnc_yr"},
		"coverage in month 13":       {"x.ndjson", []string{coverage("p", "2020", "13=S0001")}, `x.ndjson:1: ptdcntrct"13" names no month`},
		"coverage in no year":        {"x.ndjson", []string{coverage("p", "soon", "01=S0001")}, "x.ndjson:1: rfrnc_yr is not a year"},
		"a line in gzip":             {"x.ndjson.gz", []string{good, good, "nonsense"}, "x.ndjson.gz:3: not one JSON object"},
		"two objects on a line":      {"x.ndjson", []string{`{"resourceType":"Organization"}{}`}, "x.ndjson:1: not one JSON object on one line: there is more"},
		"other claims in a version":  {"x.ndjson", []string{good, stu3, claim("2", "q", "")}, "x.ndjson:3: the person of this claim has other claims in STU3 than in R4"},
		"other ids in a version":     {"x.ndjson", []string{good, strings.Replace(stu3, `"id":"1"`, `"id":"2"`, 1)}, "x.ndjson:1: the person of this claim has other claims"},
		"a file of contracts":        {"contracts.csv", []string{"patient,contract"}, "contracts.csv:1: the first line is not contract,patient,from,to"},
		"a contract that is none":    {"contracts.csv", []string{"contract,patient,from,to", "S1,p,,"}, `contracts.csv:2: "S1" is not a contract number`},
		"a month that is none":       {"contracts.csv", []string{"contract,patient,from,to", "S0001,p,2020-13,"}, `contracts.csv:2: "2020-13" is not a month`},
		"months backwards":           {"contracts.csv", []string{"contract,patient,from,to", "S0001,p,2021-02,2021-01"}, "contracts.csv:2: 2021-01 is before 2021-02"},
		"a row of three":             {"contracts.csv", []string{"contract,patient,from,to", "S0001,p,2021-02"}, "contracts.csv:2: 3 columns"},
		"a quote that stays open":    {"contracts.csv", []string{"contract,patient,from,to", `S0001,"p`}, "contracts.csv:"},
	} {
		dir, index := t.TempDir(), t.TempDir()
		write(t, dir, tc.file, tc.lines...)
		_, err := open(t, dir, index)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
		if left, _ := filepath.Glob(filepath.Join(index, "*")); len(left) != 1 { // the lock
			t.Errorf("%s: left %v", name, left)
		}
	}
}

func TestAFolderThatCannotBeReadIsRefused(t *testing.T) {
	if _, err := open(t, t.TempDir(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "holds no *.ndjson") {
		t.Errorf("an empty folder: %v", err)
	}
	if _, err := open(t, filepath.Join(t.TempDir(), "nowhere"), t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	dir := t.TempDir()
	write(t, dir, "x.ndjson.gz", claim("1", "p", ""), claim("2", "p", ""))
	whole, err := os.ReadFile(filepath.Join(dir, "x.ndjson.gz"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x.ndjson.gz"), whole[:len(whole)-9], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, dir, t.TempDir()); err == nil || !strings.Contains(err.Error(), "x.ndjson.gz:") {
		t.Errorf("gzip that is cut off: %v", err)
	}
}

func TestEnrollment(t *testing.T) {
	jan := func(year int) domain.Month { return domain.NewMonth(year, time.January) }
	dir := t.TempDir()
	write(t, dir, "x.ndjson",
		coverage("p", "2021", "01=S0001", "02=S0001", "03=0", "04=S0002", "12=S0001"),
		patient("p", "historic H1", "current C1", "historic H2"),
		coverage("p", "2020", "12=S0001", "03/2019-3=S0001", "04=N", "05=*"),
		coverage("a", "2022", "01=S0001"), // of whom there is no Patient
		patient("z", "current Z1"),        // who is enrolled nowhere but below
		`{"resourceType":"Coverage","id":"part-a-p","beneficiary":{"reference":"Patient/p"}}`,
		claim("1", "p", "2023-06-05T00:00:00Z"))
	write(t, dir, "contracts.csv", "contract,patient,from,to", "# a remark", "S0001,z,2022-11,2023-01", "S0003,q,2023-05,", "S0001,p,2021-02,2021-03")
	s := opened(t, dir)
	for n, want := range map[domain.ContractNumber][]domain.Enrollee{
		"S0001": {
			{Patient: "a", Months: domain.NewMonthSet(jan(2022))},
			{Patient: "p", Months: domain.NewMonthSet(jan(2019)+2, jan(2020)+11, jan(2021), jan(2021)+1, jan(2021)+2, jan(2021)+11), IDs: domain.Identifiers{Current: "C1", Historic: []domain.MBI{"H1", "H2"}}},
			{Patient: "z", Months: domain.NewMonthSet(jan(2022)+10, jan(2022)+11, jan(2023)), IDs: domain.Identifiers{Current: "Z1"}},
		},
		"S0002": {{Patient: "p", Months: domain.NewMonthSet(jan(2021) + 3), IDs: domain.Identifiers{Current: "C1", Historic: []domain.MBI{"H1", "H2"}}}},
		"S0003": {{Patient: "q", Months: domain.NewMonthSet(jan(2023)+4, jan(2023)+5)}},
		"S0009": nil,
	} {
		if got := enrolled(t, s, n); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %d enrolled, not the %d there are, or otherwise: %v", n, len(got), len(want), got)
		}
	}
}

func TestIdentifiers(t *testing.T) {
	mbi := func(value, rest string) string {
		return `{"system":"http://hl7.org/fhir/sid/us-mbi","value":"` + value + `"` + rest + `}`
	}
	const marked = `,"type":{"coding":[{"extension":[{"url":"https://bluebutton.cms.gov/resources/codesystem/identifier-currency","valueCoding":{"code":"historic"}}],"code":"MC"}]}`
	person := func(updated string, identifiers ...string) string {
		return `{"resourceType":"Patient","id":"p","meta":{"lastUpdated":"` + updated + `"},"identifier":[` + strings.Join(identifiers, ",") + `]}`
	}
	for name, tc := range map[string]struct {
		patients []string
		want     domain.Identifiers
	}{
		"without a mark it is current":          {[]string{person("", mbi("A", ""))}, domain.Identifiers{Current: "A"}},
		"one whose time is over is historic":    {[]string{person("", mbi("A", `,"period":{"end":"2020-01-01"}`), mbi("B", ""))}, domain.Identifiers{Current: "B", Historic: []domain.MBI{"A"}}},
		"the mark of R4":                        {[]string{person("", mbi("A", marked), mbi("B", ""))}, domain.Identifiers{Current: "B", Historic: []domain.MBI{"A"}}},
		"the latest of several":                 {[]string{person("", mbi("A", `,"period":{"start":"2020-01-01"}`), mbi("B", `,"period":{"start":"2021-01-01"}`))}, domain.Identifiers{Current: "B", Historic: []domain.MBI{"A"}}},
		"other systems are no MBIs":             {[]string{person("", `{"system":"x","value":"A"}`)}, domain.Identifiers{}},
		"the Patient that was updated last":     {[]string{person("2022-01-01T00:00:00Z", mbi("A", "")), person("2021-01-01T00:00:00Z", mbi("B", ""))}, domain.Identifiers{Current: "A"}},
		"of two alike the one that comes later": {[]string{person("", mbi("A", "")), person("", mbi("B", ""))}, domain.Identifiers{Current: "B"}},
	} {
		dir := t.TempDir()
		write(t, dir, "x.ndjson", append(tc.patients, coverage("p", "2020", "01=S0001"))...)
		got := enrolled(t, opened(t, dir), "S0001")
		if len(got) != 1 || !reflect.DeepEqual(got[0].IDs, tc.want) {
			t.Errorf("%s: current %q, %d historic", name, string(got[0].IDs.Current), len(got[0].IDs.Historic))
		}
	}
}

func TestTheIndexIsUsedAgainUntilTheFolderChanges(t *testing.T) {
	dir, index := t.TempDir(), t.TempDir()
	write(t, dir, "x.ndjson", claim("1", "p", ""))
	var asOf time.Time
	count := func() (claims int, changed time.Time) {
		t.Helper()
		s, err := open(t, dir, index)
		if err != nil {
			t.Fatal(err)
		}
		if s.AsOf().Before(asOf) {
			t.Errorf("as of %s after %s", s.AsOf(), asOf)
		}
		asOf = s.AsOf()
		info, err := os.Stat(filepath.Join(index, "index"))
		if err != nil {
			t.Fatal(err)
		}
		return len(readAll(t, s, ports.ClaimsQuery{Version: domain.R4, Patient: "p"})), info.ModTime()
	}
	n, first := count()
	if again, same := count(); n != 1 || again != 1 || !same.Equal(first) {
		t.Errorf("%d, then %d claims; the index was made anew: %v", n, again, !same.Equal(first))
	}
	write(t, dir, "y.ndjson", claim("2", "p", ""))
	if n, _ := count(); n != 2 {
		t.Errorf("%d claims after a file was added", n)
	}
	write(t, dir, "y.ndjson", claim("2", "p", ""), claim("3", "p", ""))
	if n, _ := count(); n != 3 {
		t.Errorf("%d claims after a file grew", n)
	}
	write(t, dir, "y.ndjson", claim("2", "p", ""), claim("3", "q", "")) // as long as before
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "y.ndjson"), later, later); err != nil {
		t.Fatal(err)
	}
	if n, _ := count(); n != 2 {
		t.Errorf("%d claims after a file of the same size took its place", n)
	}
	if err := os.Remove(filepath.Join(dir, "y.ndjson")); err != nil {
		t.Fatal(err)
	}
	if n, _ := count(); n != 1 {
		t.Errorf("%d claims after a file was removed", n)
	}
}

// A process that is killed leaves at worst what it was writing, and whatever
// an index is cut to does not pass for one.
func TestWhatIsNotAWholeIndexIsMadeAnew(t *testing.T) {
	dir, index := t.TempDir(), t.TempDir()
	write(t, dir, "x.ndjson", claim("1", "p", ""), coverage("p", "2020", "01=S0001"))
	write(t, dir, "y.ndjson.gz", claim("2", "p", ""))
	if _, err := open(t, dir, index); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(index, "index")
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for cut := 0; cut < len(whole); cut += 13 {
		for path, content := range map[string][]byte{name: whole[:cut], name + ".building": whole[:cut], filepath.Join(index, "run-1"): nil} {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s, err := open(t, dir, index)
		if err != nil {
			t.Fatalf("an index cut to %d bytes: %v", cut, err)
		}
		if n := len(readAll(t, s, ports.ClaimsQuery{Version: domain.R4, Patient: "p"})); n != 2 || len(enrolled(t, s, "S0001")) != 1 {
			t.Fatalf("an index cut to %d bytes: %d claims", cut, n)
		}
		s.Close()
		if left, _ := filepath.Glob(filepath.Join(index, "*")); len(left) != 2 { // index and lock
			t.Fatalf("an index cut to %d bytes: left %v", cut, left)
		}
	}
}

// endsAfter is a context that ends after it was asked some times.
type endsAfter struct {
	context.Context
	left int
}

func (c *endsAfter) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestIndexingThatIsStoppedLeavesTheOldIndex(t *testing.T) {
	dir, index := t.TempDir(), t.TempDir()
	write(t, dir, "x.ndjson", claim("1", "p", ""))
	if _, err := open(t, dir, index); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(index, "index")
	before, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "y.ndjson", claim("2", "p", ""), claim("3", "q", ""), patient("p"), coverage("p", "2020", "01=S0001"))
	for asked := 0; ; asked++ {
		s, err := ndjson.Open(&endsAfter{t.Context(), asked}, ndjson.Settings{Dir: dir, IndexDir: index, RunBytes: 1})
		if err == nil {
			s.Close()
			if asked < 8 {
				t.Errorf("indexing asked %d times whether to go on", asked)
			}
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if now, err := os.ReadFile(name); err != nil || string(now) != string(before) {
			t.Fatalf("stopped after %d: the old index is not there as it was (%v)", asked, err)
		}
		if left, _ := filepath.Glob(filepath.Join(index, "*")); len(left) != 2 {
			t.Fatalf("stopped after %d: left %v", asked, left)
		}
	}
}

func TestAFolderThatChangesWhileItIsServedIsTold(t *testing.T) {
	dir := t.TempDir()
	long := strings.Repeat(" ", 400<<10) // more than is read at once
	write(t, dir, "x.ndjson", claim("1", "p", ""), claim("2", "p", "")+long, claim("3", "p", ""))
	s := opened(t, dir)
	q := ports.ClaimsQuery{Version: domain.R4, Patient: "p"}

	r, err := s.Read(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "x.ndjson", claim("4", "p", ""))
	for err == nil {
		_, err = r.Next()
	}
	if domain.CodeOf(err) != domain.Unavailable {
		t.Errorf("changed while it was read: %v", err)
	}
	if _, err := tryAll(s, q); domain.CodeOf(err) != domain.Unavailable || !strings.Contains(err.Error(), "x.ndjson changed since it was indexed") {
		t.Errorf("changed before it was read: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "x.ndjson")); err != nil {
		t.Fatal(err)
	}
	if _, err := tryAll(s, q); domain.CodeOf(err) != domain.Unavailable {
		t.Errorf("removed: %v", err)
	}
}

// Long lines and blocks meet at every place in packed files.
func TestPackedClaimsAreReadAtAnyPlace(t *testing.T) {
	dir := t.TempDir()
	var lines, want []string
	for i := range 60 {
		c := claim(fmt.Sprint(i), "p", "")
		c = c[:len(c)-1] + `,"x":"` + strings.Repeat(string(rune('a'+i%26)), i*i*29) + `"}`
		lines = append(lines, c)
		if i%3 > 0 {
			want = append(want, c)
		} else {
			lines[i] = strings.Replace(c, "Patient/p", "Patient/q", 1)
		}
	}
	write(t, dir, "x.ndjson.gz", lines...)
	if got := readAll(t, opened(t, dir), ports.ClaimsQuery{Version: domain.R4, Patient: "p"}); !slices.Equal(got, want) {
		t.Errorf("%d claims, not the %d there are", len(got), len(want))
	}
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/config"
	"cms.gov/ab2d/adapters/ndjson"
	"cms.gov/ab2d/adapters/synthetic"
	"cms.gov/ab2d/domain"
)

// smallest is a population that is written in no time.
var smallest = synthetic.New(synthetic.DefaultSeed, synthetic.WithContracts(synthetic.Contract{Number: "S0000", Enrollees: 6}, synthetic.Contract{Number: "S0001", Enrollees: 3}))

func writeSynth(ctx context.Context, t *testing.T, args ...string) ([]string, error) {
	t.Helper()
	order, err := parseSynth(args, smallest)
	if err != nil {
		return nil, err
	}
	out, err := os.Create(filepath.Join(t.TempDir(), "progress"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	return order.write(ctx, newProgress(out, order.people()))
}

func namesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	for _, path := range filesUnder(t, dir) {
		names = append(names, filepath.Base(path))
	}
	return names
}

func TestSynthSplitsAtWholeLines(t *testing.T) {
	whole, split := t.TempDir(), filepath.Join(t.TempDir(), "new", "folder")
	if _, err := writeSynth(t.Context(), t, "r4", whole, "S0001", "S0000"); err != nil {
		t.Fatal(err)
	}
	names, err := writeSynth(t.Context(), t, "R4", split, "split=500KB", "all")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	if !slices.Equal(names, namesIn(t, split)) || len(names) < 6 {
		t.Errorf("told of %v, wrote %v", names, namesIn(t, split))
	}
	if got := namesIn(t, whole); !slices.Equal(got, []string{"Coverage.ndjson", "ExplanationOfBenefit.ndjson", "Patient.ndjson"}) {
		t.Errorf("wrote %v", got)
	}
	var parts, all []string
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(split, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(name, "ExplanationOfBenefit-") {
			if len(b) > 500e3 || b[len(b)-1] != '\n' {
				t.Errorf("%s has %d bytes, and ends in %q", name, len(b), b[len(b)-1])
			}
			parts = append(parts, strings.Split(string(b), "\n")...)
		}
	}
	b, err := os.ReadFile(filepath.Join(whole, "ExplanationOfBenefit.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	all = strings.Split(string(b), "\n")
	slices.Sort(parts)
	slices.Sort(all)
	if !slices.Equal(slices.Compact(parts), slices.Compact(all)) {
		t.Errorf("%d lines in parts, %d in one file", len(parts), len(all))
	}
}

func TestSynthRefusesWhatItCannotDo(t *testing.T) {
	full := t.TempDir()
	if _, err := writeSynth(t.Context(), t, "STU3", full, "gzip", "S0001"); err != nil {
		t.Fatal(err)
	}
	before := namesIn(t, full)
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"R4"}, "a version of FHIR and a folder"},
		{[]string{"R5", full, "S0000"}, `"R5" is not a FHIR version`},
		{[]string{"R4", full}, "needs a contract, or all"},
		{[]string{"R4", full, "S0009"}, `"S0009" is no contract of the sandbox; it has S0000 S0001`},
		{[]string{"R4", full, "split=7", "S0000"}, `"7" is not a size`},
		{[]string{"R4", full, "S0000"}, "Coverage.ndjson.gz is there already"},
	} {
		if _, err := writeSynth(t.Context(), t, tc.args...); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v: %v, want %q", tc.args, err, tc.want)
		}
	}
	if got := namesIn(t, full); !slices.Equal(got, before) {
		t.Errorf("%v became %v", before, got)
	}
}

func TestAFolderOfClaimsIsNamedExactlyWhenItIsServed(t *testing.T) {
	for _, args := range [][]string{{"--claims", "ndjson"}, {"--claims-dir", "people"}} {
		if _, _, err := config.Load(args, nil); err == nil || !strings.Contains(err.Error(), "claims-dir is") {
			t.Errorf("%v: %v", args, err)
		}
	}
	if c, _, err := config.Load([]string{"--mode", "production", "--claims", "ndjson", "--claims-dir", "people"}, nil); err == nil || strings.Contains(err.Error(), "claims") {
		t.Errorf("production: %v, %v; only its tokens are refused", c, err)
	}
}

func TestSynthThatIsStoppedLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if _, err := writeSynth(ctx, t, "R4", dir, "S0000"); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	if got := namesIn(t, dir); len(got) > 0 {
		t.Errorf("left %v", got)
	}
}

func TestProgressIsLinesWhereThereIsNoTerminal(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := newProgress(w, 2000)
	p.every = 0
	p.add(1000, 2_500_000)
	p.terminal = true
	p.add(500, 3e9)
	p.end()
	w.Close()
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	line, bar, _ := strings.Cut(string(out), "\n")
	if !strings.HasPrefix(line, "50%  1,000 of 2,000 people  2.5 MB  ") || !strings.Contains(bar, "\r[======================        ] 75%  1,500 of 2,000 people  3.00 GB") || !strings.HasSuffix(bar, " \r") {
		t.Errorf("%q", out)
	}
}

// Whoever serves what synth wrote exports the same files as the sandbox does
// from the people it makes, in both versions. A folder that changed is taken in
// at the next start, and a contract in it that no sponsor holds is no trouble.
func TestAFolderThatSynthWroteExportsTheSameFiles(t *testing.T) {
	ctx := patience(t)
	folder := t.TempDir()
	for version, form := range map[string][]string{"R4": {"gzip", "split=20MB"}, "STU3": nil} {
		out, err := exec.CommandContext(ctx, program, slices.Concat([]string{"synth", version, filepath.Join(folder, version)}, form, []string{"S0000"})...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "100 people of S0000 in "+version) {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	dir := t.TempDir()
	served := []string{"--claims", "ndjson", "--claims-dir", folder}
	made, taken := start(t, t.TempDir(), "127.0.0.1:0"), start(t, dir, "127.0.0.1:0", served...)
	var asOf time.Time
	for _, version := range []string{"v1", "v2"} {
		kickOff := "/api/" + version + "/fhir/Group/S0000/$export"
		want, _ := made.exported(ctx, t, kickOff)
		got, at := taken.exported(ctx, t, kickOff)
		if asOf = at; !slices.Equal(got, want) || len(want) == 0 {
			t.Errorf("%s: other files: %v, not %v", version, got, want)
		}
	}
	taken.kill()

	rows := "contract,patient,from,to\nZ0007,-1,,\n"
	for e := range synthetic.New(synthetic.DefaultSeed).Enrollees("S0000") {
		rows += "S0001," + string(e.Patient) + ",2020-01,2026-06\n"
	}
	if err := os.WriteFile(filepath.Join(folder, "contracts.csv"), []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	again := start(t, dir, "127.0.0.1:0", served...)
	if err := again.signIn(ctx, sponsorOf(t, "S0001")); err != nil {
		t.Fatal(err)
	}
	// Nobody's claims are newer than asOf, but everybody in S0001 is.
	m, err := again.export(ctx, "/api/v2/fhir/Group/S0001/$export?_since="+asOf.Format(time.RFC3339Nano))
	if err != nil || len(m.Output) != 1 || !m.TransactionTime.After(asOf) {
		t.Errorf("after people were enrolled: %d files, as of %s after %s, %v", len(m.Output), m.TransactionTime, asOf, err)
	}
}

// exported returns the files of an export of S0000 and what it is as of.
func (s *server) exported(ctx context.Context, t *testing.T, kickOff string) ([]file, time.Time) {
	t.Helper()
	if err := s.signIn(ctx, sponsorOf(t, "S0000")); err != nil {
		t.Fatal(err)
	}
	m, err := s.export(ctx, kickOff)
	if err != nil {
		t.Fatal(err)
	}
	return s.files(ctx, t, m), m.TransactionTime
}

// Some people are in two contracts. Whoever loads both must find each resource
// once, and the person's months in both.
func TestAPersonInTwoContractsIsWrittenOnce(t *testing.T) {
	people := synthetic.New(synthetic.DefaultSeed, synthetic.WithContracts(synthetic.Contract{Number: "S0000", Enrollees: 40}, synthetic.Contract{Number: "S0001", Enrollees: 40}))
	both := 0
	for e := range people.Enrollees("S0000") {
		if _, ok := people.FindIn("S0001", e.Patient); ok {
			both++
		}
	}
	if both == 0 {
		t.Fatal("nobody is in both contracts")
	}
	dir := t.TempDir()
	order, err := parseSynth([]string{"R4", dir, "all"}, people)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := order.write(t.Context(), newProgress(os.NewFile(0, os.DevNull), order.people())); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, name := range namesIn(t, dir) {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(content)) {
			var r struct{ ResourceType, ID string }
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			if key := r.ResourceType + "/" + r.ID; seen[key] {
				t.Errorf("%s is there twice", key)
			} else {
				seen[key] = true
			}
		}
	}
	source, err := ndjson.Open(t.Context(), ndjson.Settings{Dir: dir, IndexDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	for _, n := range []domain.ContractNumber{"S0000", "S0001"} {
		want := map[domain.PatientID]domain.MonthSet{}
		for e := range people.Enrollees(n) {
			want[e.Patient] = e.Months
		}
		for e, err := range source.Enrollments(n) {
			if err != nil {
				t.Fatal(err)
			}
			if want[e.Patient] != e.Months {
				t.Errorf("%s in %s: months %v, want %v", e.Patient, n, e.Months.Months(), want[e.Patient].Months())
			}
			delete(want, e.Patient)
		}
		if len(want) > 0 {
			t.Errorf("%d people of %s are missing", len(want), n)
		}
	}
}

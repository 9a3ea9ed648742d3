package ndjson_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/ndjson"
	"cms.gov/ab2d/adapters/synthetic"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

const margin = time.Second

// population is small enough for every test to index again.
var population = synthetic.New(synthetic.DefaultSeed, synthetic.WithContracts(synthetic.Contract{Number: "S0000", Enrollees: 14}, synthetic.Contract{Number: "S0001", Enrollees: 5}))

func people() (all []synthetic.Enrollee) {
	for _, c := range population.Contracts() {
		all = slices.AppendSeq(all, population.Enrollees(c.Number))
	}
	return all
}

// write writes a file of lines, packed when its name says so.
func write(t testing.TB, dir, name string, lines ...string) {
	t.Helper()
	content := []byte(strings.Join(lines, "\n") + "\n")
	if strings.HasSuffix(name, ".gz") {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		content = b.Bytes()
	}
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// populate writes the whole population in one version, the claims of each
// person in a few runs over two files.
func populate(t testing.TB, dir string, v domain.FHIRVersion, suffix string) {
	t.Helper()
	var patients, coverage []string
	var claims [2][]string
	for _, e := range people() {
		_, contract, _ := population.Find(e.Patient)
		patients = append(patients, string(population.AppendPatient(nil, v, e)))
		for c := range synthetic.Coverage(v, e, contract) {
			coverage = append(coverage, string(c))
		}
		all := readAll(t, synthetic.NewClaims(population, time.Now), ports.ClaimsQuery{Version: v, Patient: e.Patient})
		half := len(all) / 2
		claims[0], claims[1] = append(claims[0], all[:half]...), append(claims[1], all[half:]...)
	}
	write(t, dir, string(v)+"/Patient.ndjson"+suffix, patients...)
	write(t, dir, string(v)+"/Coverage.ndjson"+suffix, coverage...)
	write(t, dir, string(v)+"/claims/a.ndjson"+suffix, claims[0]...)
	write(t, dir, string(v)+"/claims/b.ndjson"+suffix, claims[1]...)
}

func readAll(t testing.TB, source ports.Claims, q ports.ClaimsQuery) (all []string) {
	t.Helper()
	all, err := tryAll(source, q)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func tryAll(source ports.Claims, q ports.ClaimsQuery) (all []string, err error) {
	r, err := source.Read(context.Background(), q)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for {
		claim, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, string(claim))
	}
}

func open(t testing.TB, dir, index string) (*ndjson.Source, error) {
	t.Helper()
	s, err := ndjson.Open(context.Background(), ndjson.Settings{Dir: dir, IndexDir: index, Margin: margin, RunBytes: 4 << 10})
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return s, err
}

func opened(t testing.TB, dir string) *ndjson.Source {
	t.Helper()
	s, err := open(t, dir, filepath.Join(t.TempDir(), "index"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func enrolled(t testing.TB, s *ndjson.Source, n domain.ContractNumber) (all []domain.Enrollee) {
	t.Helper()
	for e, err := range s.Enrollments(n) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func patient(id string, mbis ...string) string {
	var identifiers []string
	for _, mbi := range mbis {
		currency, value, _ := strings.Cut(mbi, " ")
		identifiers = append(identifiers, fmt.Sprintf(`{"system":"http://hl7.org/fhir/sid/us-mbi","value":"%s","extension":[{"url":"https://bluebutton.cms.gov/resources/codesystem/identifier-currency","valueCoding":{"code":"%s"}}]}`, value, currency))
	}
	return fmt.Sprintf(`{"resourceType":"Patient","id":"%s","identifier":[%s]}`, id, strings.Join(identifiers, ","))
}

func coverage(id, year string, months ...string) string {
	var extensions []string
	for _, m := range months {
		at, contract, _ := strings.Cut(m, "=")
		extensions = append(extensions, fmt.Sprintf(`{"url":"https://bluebutton.cms.gov/resources/variables/ptdcntrct%s","valueCoding":{"code":"%s"}}`, at, contract))
	}
	if year != "" {
		extensions = append(extensions, fmt.Sprintf(`{"url":"https://bluebutton.cms.gov/resources/variables/rfrnc_yr","valueDate":"%s"}`, year))
	}
	return fmt.Sprintf(`{"resourceType":"Coverage","id":"part-d-%s","extension":[%s],"beneficiary":{"reference":"Patient/%s"}}`, id, strings.Join(extensions, ","), id)
}

func claim(id, patient, updated string) string {
	meta := ""
	if updated != "" {
		meta = `"meta":{"lastUpdated":"` + updated + `"},`
	}
	return fmt.Sprintf(`{"resourceType":"ExplanationOfBenefit","id":"%s",%s"use":"claim","patient":{"reference":"Patient/%s"},"billablePeriod":{"start":"2021-01-01","end":"2021-01-31"}}`, id, meta, patient)
}

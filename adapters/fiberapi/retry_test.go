package fiberapi

import (
	"encoding/json"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
)

// The manifest has the request ready that asks again for whoever is missing, as
// soon as that is a request which is understood.
func TestTheRequestForThoseWhoAreMissing(t *testing.T) {
	a := &api{Config: Config{PublicURL: "https://ab2d.test"}}
	since := time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)
	r := a.retryToJSON(domain.STU3, domain.Retry{Contract: "S0000", Patients: []domain.PatientID{"-1", "-2"}, Window: domain.Window{Since: since}})
	got, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"method":"POST","url":"https://ab2d.test/api/v1/fhir/Group/S0000/$export","body":{"parameter":[` +
		`{"name":"patient","valueReference":{"reference":"Patient/-1"}},{"name":"patient","valueReference":{"reference":"Patient/-2"}},` +
		`{"name":"_since","valueInstant":"2026-03-02T11:00:00Z"}],"resourceType":"Parameters"}}`; string(got) != want {
		t.Errorf("%s, want %s", got, want)
	}

	m, err := a.manifestToJSON(t.Context(), domain.Manifest{Version: domain.R4, Retries: []domain.Retry{{Contract: "S0001", Patients: []domain.PatientID{"-3"}}}})
	if err != nil {
		t.Fatal(err)
	}
	understood := understands(patientParameter)
	if _, told := m.Extension[domain.RetryExtension]; told != understood {
		t.Errorf("patient is understood: %t; the manifest has a request with it: %t", understood, told)
	}
}

// What is asked again is asked on the terms of the export that lacks it, and the
// request is one that this server reads back as the same terms.
func TestTheRequestForThoseWhoAreMissingKeepsTheTerms(t *testing.T) {
	a := &api{Config: Config{PublicURL: "https://ab2d.test"}}
	window := domain.Window{Since: time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC), Until: time.Date(2026, 3, 3, 11, 0, 0, 0, time.UTC)}
	terms := domain.Terms{
		Types:     []domain.ResourceType{domain.ExplanationOfBenefit, domain.Coverage},
		Filters:   domain.Filters{{Served: []domain.DateTest{{Prefix: domain.StartsAfter, From: 2024_01_01, To: 2024_12_31}}, Types: []string{"DME", "SNF"}}, {Statuses: []string{"active"}}},
		Elements:  domain.Elements{domain.ExplanationOfBenefit: {"item", "type"}, domain.Coverage: {"id"}},
		ByPatient: true, MinFileBytes: 5, MaxFileBytes: 1 << 30,
	}
	m, err := a.manifestToJSON(t.Context(), domain.Manifest{Version: domain.R4, Terms: terms, Retries: []domain.Retry{{Contract: "S0001", Patients: []domain.PatientID{"-3"}, Window: window, Terms: terms}}})
	if err != nil {
		t.Fatal(err)
	}
	told, err := json.Marshal(m.Extension)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Retry []struct {
			Body json.RawMessage `json:"body"`
		} `json:"https://ab2d.cms.gov/retry"`
		Applied json.RawMessage `json:"https://ab2d.cms.gov/applied"`
	}
	if err := json.Unmarshal(told, &got); err != nil || len(got.Retry) != 1 {
		t.Fatalf("%v: %s", err, told)
	}
	all, err := parseBody(got.Retry[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	back, err := readParameters(all, false, domain.R4, domain.Patient, domain.Coverage)
	if err != nil || !reflect.DeepEqual(back.terms, terms) || back.window != window || !slices.Equal(back.patients, []string{"-3"}) {
		t.Errorf("%s is read as %+v, %v", got.Retry[0].Body, back, err)
	}
	if want := `{"_type":["ExplanationOfBenefit","Coverage"],"_typeFilter":["ExplanationOfBenefit?service-date=sa2024\u0026type=DME,SNF","ExplanationOfBenefit?status=active"],"_elements":["ExplanationOfBenefit.item","ExplanationOfBenefit.type","Coverage.id"]}`; string(got.Applied) != want {
		t.Errorf("applied %s, want %s", got.Applied, want)
	}
}

// Files by patient have no type, and each names the file that its last patient
// goes on in; the error files are as ever.
func TestTheManifestOfFilesByPatient(t *testing.T) {
	a := &api{Config: Config{PublicURL: "https://ab2d.test"}}
	file := func(name string, kind domain.FileKind, continues bool) domain.OutputFile {
		return domain.OutputFile{Job: "j", Name: name, StoredFile: domain.StoredFile{Kind: kind, Continues: continues}}
	}
	m, err := a.manifestToJSON(t.Context(), domain.Manifest{Version: domain.R4, Terms: domain.Terms{ByPatient: true}, Job: "j",
		Output: []domain.OutputFile{file("a", domain.DataFile, true), file("b", domain.DataFile, true), file("c", domain.DataFile, false), file("d", domain.DataFile, false)},
		Errors: []domain.OutputFile{file("e", domain.ErrorFile, false)}})
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, i := range append(m.Output, m.Error...) {
		told = append(told, i.Type+" "+path.Base(i.URL)+" "+path.Base(i.ContinuesInFile))
	}
	if want := []string{" a b", " b c", " c .", " d .", "OperationOutcome e ."}; m.OutputOrganizedBy != "Patient" || !slices.Equal(told, want) {
		t.Errorf("%s: %q, want %q", m.OutputOrganizedBy, told, want)
	}
	if raw, err := json.Marshal(m.Output[0]); err != nil || strings.Contains(string(raw), `"type"`) {
		t.Errorf("%v: %s", err, raw)
	}
}

package fiberapi

import (
	"encoding/json"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
)

// The manifest has the request ready that asks again for whoever is missing, as
// soon as that is a request which is understood.
func TestTheRequestForThoseWhoAreMissing(t *testing.T) {
	a := &api{Config: Config{PublicURL: "https://ab2d.test"}}
	since := time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)
	r := a.retryToJSON(domain.STU3, domain.Retry{Contract: "S0000", Patients: []domain.PatientID{"-1", "-2"}, Since: since})
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

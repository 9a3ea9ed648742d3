package bfdmock_test

import (
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/bfdmock"
	"cms.gov/ab2d/adapters/synthetic"
	"cms.gov/ab2d/domain"
)

const contract = "S0000"

var population = synthetic.New(synthetic.DefaultSeed, synthetic.WithContracts(synthetic.Contract{Number: contract, Enrollees: 60}))

func world() bfdmock.World {
	return bfdmock.World{
		Claims: synthetic.NewClaims(population, time.Now),
		Enrollees: func(n domain.ContractNumber) iter.Seq2[domain.Enrollee, error] {
			return func(yield func(domain.Enrollee, error) bool) {
				for e := range population.Enrollees(n) {
					if !yield(domain.Enrollee{Patient: e.Patient, Months: e.Months, IDs: e.Identifiers}, nil) {
						return
					}
				}
			}
		},
		Patient: func(b []byte, v domain.FHIRVersion, e domain.Enrollee) []byte {
			return population.AppendPatient(b, v, synthetic.Enrollee{Patient: e.Patient, Months: e.Months, Identifiers: e.IDs})
		},
	}
}

func serve(t *testing.T, f bfdmock.Faults) string {
	t.Helper()
	s := httptest.NewServer(bfdmock.New(world(), f, time.Now))
	t.Cleanup(s.Close)
	return s.URL
}

type page struct {
	Total *int
	Meta  struct{ LastUpdated time.Time }
	Link  []struct{ Relation, URL string }
	Entry []struct {
		Resource struct {
			ID   string
			Meta struct{ LastUpdated *time.Time }
		}
	}
}

func (p *page) next() string {
	for _, l := range p.Link {
		if l.Relation == "next" {
			return l.URL
		}
	}
	return ""
}

func get(t *testing.T, address string) (status int, p page) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("IncludeIdentifiers", "mbi")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, p
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, p
	}
	if res.StatusCode == http.StatusOK {
		if err := json.Unmarshal(body, &p); err != nil {
			return -1, p
		}
	}
	return res.StatusCode, p
}

// follow reads all pages and returns the ids on them, and how many pages came.
func follow(t *testing.T, address string) (ids []string, pages int) {
	t.Helper()
	for address != "" {
		status, p := get(t, address)
		if status != http.StatusOK {
			t.Fatalf("%s: %d", address, status)
		}
		for _, e := range p.Entry {
			ids = append(ids, e.Resource.ID)
		}
		pages++
		address = p.next()
	}
	return ids, pages
}

func patientsIn(base, version, month, year, count string) string {
	const variable = "https://bluebutton.cms.gov/resources/variables/"
	return base + "/" + version + "/fhir/Patient?" + url.Values{"_has:Coverage.extension": {variable + "ptdcntrct" + month + "|" + contract},
		"_has:Coverage.rfrncyr": {variable + "rfrnc_yr|" + year}, "_count": {count}}.Encode()
}

func TestPatientsOfAMonthComeByPages(t *testing.T) {
	var want []string
	for e := range population.Enrollees(contract) {
		if e.Months.Has(domain.NewMonth(2024, time.March)) {
			want = append(want, string(e.Patient))
		}
	}
	base := serve(t, bfdmock.Faults{})
	for _, version := range []string{"v1", "v2"} {
		for _, count := range []string{"1", "3", "100"} {
			got, _ := follow(t, patientsIn(base, version, "03", "2024", count))
			if !slices.Equal(got, want) {
				t.Errorf("%s by %s: %d people; want %d", version, count, len(got), len(want))
			}
		}
	}
	// For R4 a full last page links to an empty one, for STU3 it does not.
	if _, pages := follow(t, patientsIn(base, "v2", "03", "2024", "1")); pages != len(want)+1 {
		t.Errorf("v2: %d pages for %d people; want an empty one more", pages, len(want))
	}
	if _, pages := follow(t, patientsIn(base, "v1", "03", "2024", "1")); pages != len(want) {
		t.Errorf("v1: %d pages for %d people", pages, len(want))
	}
}

func TestClaimsComeByPages(t *testing.T) {
	base := serve(t, bfdmock.Faults{})
	const question = "/v2/fhir/ExplanationOfBenefit?patient=-10000000000000&type=carrier,outpatient"
	whole, _ := follow(t, base+question)
	for _, count := range []string{"1", "4", "100"} {
		if got, _ := follow(t, base+question+"&_count="+count); !slices.Equal(got, whole) || len(got) == 0 {
			t.Errorf("by %s: %d claims, want %d", count, len(got), len(whole))
		}
	}
	if _, p := get(t, base+question+"&_count=4"); p.Total == nil || *p.Total != len(whole) {
		t.Errorf("total is %v, want %d", p.Total, len(whole))
	}
	if status, _ := get(t, base+question+"&_lastUpdated=ge2020-01-01T00:00:00+05:00"); status != http.StatusBadRequest {
		t.Errorf("a plus that was not encoded: %d, want 400", status)
	}
}

// A replica that lags answers as of before, without what it does not have yet.
func TestALaggingReplicaIsConsistent(t *testing.T) {
	base := serve(t, bfdmock.Faults{Stale: 1, Behind: 20 * 365 * 24 * time.Hour})
	for _, e := range slices.Collect(population.Enrollees(contract))[:5] {
		_, p := get(t, base+"/v2/fhir/ExplanationOfBenefit?patient="+string(e.Patient))
		if time.Since(p.Meta.LastUpdated) < time.Second {
			t.Error("the answer does not lag")
		}
		for _, c := range p.Entry {
			if u := c.Resource.Meta.LastUpdated; u != nil && u.After(p.Meta.LastUpdated) {
				t.Errorf("a claim of %v in an answer as of %v", u, p.Meta.LastUpdated)
			}
		}
	}
}

// What goes wrong follows from the seed alone, and asking again is another draw.
func TestFateFollowsFromTheSeed(t *testing.T) {
	faults := bfdmock.Faults{Seed: 3, Error: 0.2, Throttle: 0.2, Cut: 0.2, Malformed: 0.2}
	fates := func() (all []int) {
		base := serve(t, faults)
		for range 4 {
			for e := range population.Enrollees(contract) {
				status, _ := get(t, base+"/v2/fhir/ExplanationOfBenefit?_count=2&patient="+string(e.Patient))
				all = append(all, status)
			}
		}
		return all
	}
	first := fates()
	if !slices.Equal(first, fates()) {
		t.Error("the same seed has other faults")
	}
	if half := len(first) / 2; slices.Equal(first[:half], first[half:]) {
		t.Error("asking again fares the same")
	}
	for _, status := range []int{200, 429, 500, 0} {
		if !slices.Contains(first, status) {
			t.Errorf("nothing was answered with %d", status)
		}
	}
}

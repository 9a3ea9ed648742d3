//go:build !race

package synthetic_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/synthetic"
	"cms.gov/ab2d/domain"
)

func TestEveryPersonIsValidFHIR(t *testing.T) {
	byVersion := map[domain.FHIRVersion]schemas{
		domain.STU3: compileSchemas(t, "testdata/fhir-stu3.subset.schema.json", "Patient", "Coverage"),
		domain.R4:   compileSchemas(t, "testdata/fhir-r4.subset.schema.json", "Patient", "Coverage"),
	}
	for version, s := range byVersion {
		t.Run(string(version), func(t *testing.T) {
			for _, e := range sample(120) {
				s.check(t, population.AppendPatient(nil, version, e))
				for c := range synthetic.Coverage(version, e, "S0030") {
					s.check(t, c)
				}
			}
		})
	}
}

// mark is where a version of FHIR has the currency of an identifier.
type mark struct {
	ValueCoding struct{ Code string }
}

func TestAPatientHasTheIdentifiersOfTheEnrollee(t *testing.T) {
	for _, version := range []domain.FHIRVersion{domain.STU3, domain.R4} {
		historic := 0
		for _, e := range sample(300) {
			var p struct {
				ID, Gender, BirthDate, DeceasedDateTime string
				Address                                 []struct{ State string }
				Identifier                              []struct {
					System, Value string
					Extension     []mark
					Type          struct{ Coding []struct{ Extension []mark } }
				}
			}
			if err := json.Unmarshal(population.AppendPatient(nil, version, e), &p); err != nil {
				t.Fatal(err)
			}
			var got domain.Identifiers
			for _, i := range p.Identifier {
				if i.System != "http://hl7.org/fhir/sid/us-mbi" {
					continue
				}
				marks := i.Extension
				if version == domain.R4 {
					marks = i.Type.Coding[0].Extension
				}
				if marks[0].ValueCoding.Code == "current" {
					got.Current = domain.MBI(i.Value)
				} else {
					got.Historic = append(got.Historic, domain.MBI(i.Value))
				}
			}
			historic += len(got.Historic)
			who, _ := population.Person(e.Patient)
			if (p.Gender == "female") != who.Female || p.BirthDate != who.Born.String() || p.DeceasedDateTime != who.Died.String() || p.Address[0].State != who.State {
				t.Errorf("%s: %s is told as another person", version, e.Patient)
			}
			if p.ID != string(e.Patient) || got.Current != e.Identifiers.Current || !slices.Equal(got.Historic, e.Identifiers.Historic) {
				t.Errorf("%s: %s has other identifiers, or is another person: %s", version, e.Patient, p.ID)
			}
		}
		if historic == 0 {
			t.Errorf("%s: nobody has a historic MBI", version)
		}
	}
}

func TestCoverageSaysEveryEnrolledMonthAndNoOther(t *testing.T) {
	for _, version := range []domain.FHIRVersion{domain.STU3, domain.R4} {
		for _, e := range sample(200) {
			var got domain.MonthSet
			ids := map[string]bool{}
			last := ""
			for raw := range synthetic.Coverage(version, e, "S0030") {
				var c struct {
					ID        string
					Extension []struct {
						URL, ValueDate string
						ValueCoding    struct{ Code string }
					}
				}
				if err := json.Unmarshal(raw, &c); err != nil {
					t.Fatal(err)
				}
				if ids[c.ID] {
					t.Errorf("%s comes twice", c.ID)
				}
				ids[c.ID], last = true, c.ID
				var year int
				for _, x := range c.Extension {
					if strings.HasSuffix(x.URL, "/rfrnc_yr") {
						if _, err := fmt.Sscan(x.ValueDate, &year); err != nil {
							t.Fatal(err)
						}
					}
				}
				for _, x := range c.Extension {
					if _, month, ok := strings.Cut(x.URL, "/ptdcntrct"); ok && x.ValueCoding.Code == "S0030" {
						var m int
						if _, err := fmt.Sscan(strings.TrimPrefix(month, "0"), &m); err != nil {
							t.Fatal(err)
						}
						got = got.With(domain.NewMonth(year, time.Month(m)), domain.NewMonth(year, time.Month(m)))
					}
				}
			}
			if got != e.Months {
				t.Errorf("%s: %v, not %v", version, got.Months(), e.Months.Months())
			}
			if last != "part-d-"+string(e.Patient) || !ids["part-a-"+string(e.Patient)] || !ids["part-b-"+string(e.Patient)] {
				t.Errorf("%s: what claims refer to is not there: %v", version, ids)
			}
		}
	}
}

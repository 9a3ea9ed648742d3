package bfd_test

import (
	"path/filepath"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/bfd"
	"cms.gov/ab2d/adapters/bfdmock"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports/porttest"
)

func TestConformance(t *testing.T) {
	dir := t.TempDir()
	mutual := serveMutual(t, dir, bfdmock.New(world(), bfdmock.Faults{}, time.Now))
	plain := serve(t, bfdmock.Faults{EmptyLast: true})
	for name, s := range map[string]bfd.Settings{
		"whole histories":                {URL: plain.url},
		"small pages, an empty one last": {URL: plain.url, PageClaims: 3},
		"mutual TLS, PEM":                {URL: mutual, PageClaims: 7, Credentials: pem(dir)},
		"mutual TLS, PKCS12":             {URL: mutual, Credentials: bfd.Credentials{CA: filepath.Join(dir, bfdmock.CAFile), Keystore: filepath.Join(dir, bfdmock.ClientP12File), KeystorePassword: bfdmock.P12Password}},
	} {
		t.Run(name, func(t *testing.T) {
			porttest.Claims(t, func(t *testing.T) porttest.ClaimsSource {
				return porttest.ClaimsSource{Source: source(t, s), Versions: []domain.FHIRVersion{domain.STU3, domain.R4}, Patients: busy(t), Stranger: "-1"}
			})
		})
	}
}

func TestConformanceOfPeople(t *testing.T) {
	src := source(t, bfd.Settings{URL: serve(t, bfdmock.Faults{}).url})
	porttest.People(t, func(t *testing.T) porttest.PeopleSource {
		return porttest.PeopleSource{Source: src, Claims: src, Versions: []domain.FHIRVersion{domain.STU3, domain.R4}, Contract: "S0000", Patients: busy(t), Stranger: "-1"}
	})
}

package bfd_test

import (
	"iter"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/bfd"
	"cms.gov/ab2d/adapters/bfdmock"
	"cms.gov/ab2d/adapters/synthetic"
	"cms.gov/ab2d/domain"
)

var population = synthetic.New(synthetic.DefaultSeed, synthetic.WithContracts(synthetic.Contract{Number: "S0000", Enrollees: 60}))

func world() bfdmock.World {
	claims := synthetic.NewClaims(population, time.Now)
	return bfdmock.World{Claims: claims, People: claims,
		Enrollees: func(domain.ContractNumber) iter.Seq2[domain.Enrollee, error] { return nil }}
}

// stand is a server that stands in for BFD, and what was asked of it.
type stand struct {
	*bfdmock.Server
	url string
}

func serve(t testing.TB, f bfdmock.Faults) *stand {
	t.Helper()
	m := bfdmock.New(world(), f, time.Now)
	s := httptest.NewServer(m)
	t.Cleanup(s.Close)
	return &stand{m, s.URL}
}

// serveMutual is serve over mutual TLS, with the certificates of a folder.
func serveMutual(t testing.TB, dir string, h http.Handler) string {
	t.Helper()
	if err := bfdmock.Certificates(dir, time.Hour); err != nil {
		t.Fatal(err)
	}
	c, err := bfdmock.ServerTLS(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.TLS = c
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

func pem(dir string) bfd.Credentials {
	return bfd.Credentials{CA: filepath.Join(dir, bfdmock.CAFile), Cert: filepath.Join(dir, bfdmock.ClientFile)}
}

func source(t testing.TB, s bfd.Settings) *bfd.Source {
	t.Helper()
	src, err := bfd.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// busy are two people with claims enough for the suite.
func busy(t testing.TB) []domain.PatientID {
	t.Helper()
	return []domain.PatientID{"-10000000000000", "-10000000000001"}
}

package synthetic_test

import (
	"bytes"
	"context"
	"errors"
	"hash/fnv"
	"io"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/synthetic"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/domain/eob"
	"cms.gov/ab2d/ports"
	"cms.gov/ab2d/ports/porttest"
)

var now = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return now }

// forEach hands all claims of a query to do.
func forEach(t testing.TB, source ports.Claims, q ports.ClaimsQuery, do func(raw []byte)) {
	t.Helper()
	r, err := source.Read(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		claim, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		do(claim)
	}
}

// read gives copies of all claims of a query.
func read(t testing.TB, source ports.Claims, q ports.ClaimsQuery) (all [][]byte) {
	t.Helper()
	forEach(t, source, q, func(raw []byte) { all = append(all, bytes.Clone(raw)) })
	return all
}

func TestConformance(t *testing.T) {
	porttest.Claims(t, func(t *testing.T) porttest.ClaimsSource {
		s := porttest.ClaimsSource{
			Source:   synthetic.NewClaims(population, clock),
			Versions: []domain.FHIRVersion{domain.STU3, domain.R4},
			Stranger: "-20000000000000",
		}
		for e := range population.Enrollees("S0000") {
			n := len(read(t, s.Source, ports.ClaimsQuery{Version: domain.R4, Patient: e.Patient}))
			if n >= 20 && n < 120 && len(s.Patients) < 3 {
				s.Patients = append(s.Patients, e.Patient)
			}
		}
		return s
	})
}

func TestRecordsConform(t *testing.T) {
	porttest.People(t, func(t *testing.T) porttest.PeopleSource {
		source := synthetic.NewClaims(population, clock)
		s := porttest.PeopleSource{Source: source, Claims: source, Versions: []domain.FHIRVersion{domain.STU3, domain.R4}, Contract: "S0000", Stranger: "-20000000000000"}
		for e := range population.Enrollees("S0000") {
			if s.Patients = append(s.Patients, e.Patient); len(s.Patients) == 3 {
				break
			}
		}
		return s
	})
}

// What is about a person beside claims passes the rules that it is delivered by,
// of coverage just that by Part A and Part B.
func TestRecordsAreDeliveredByTheRules(t *testing.T) {
	source := synthetic.NewClaims(population, clock)
	for _, v := range []domain.FHIRVersion{domain.STU3, domain.R4} {
		kept := map[domain.ResourceType]int{}
		for _, e := range sample(10) {
			_, contract, _ := population.Find(e.Patient)
			all, err := source.Records(t.Context(), ports.PeopleQuery{Version: v, Patient: e.Patient, Contract: contract, Types: []domain.ResourceType{domain.Patient, domain.Coverage}})
			if err != nil {
				t.Fatal(err)
			}
			for _, raw := range all.Resources {
				_, r, err := eob.TrimRecord(v, nil, nil, raw)
				if err != nil {
					t.Fatalf("%v in %s", err, raw)
				}
				if (eob.Selection{Patient: e.Patient, Through: now}).DecideRecord(r) == eob.Keep {
					kept[r.Type]++
				}
			}
		}
		if kept[domain.Patient] != 10 || kept[domain.Coverage] != 20 {
			t.Errorf("%s: of ten people come %v", v, kept)
		}
	}
}

func TestUnknownVersionIsRefused(t *testing.T) {
	_, err := synthetic.NewClaims(population, clock).Read(t.Context(), ports.ClaimsQuery{Version: "R5", Patient: "-10000000000000"})
	if domain.CodeOf(err) != domain.Invalid {
		t.Errorf("R5: %v", err)
	}
}

// TestBytesDependOnSeedAndPersonAlone: neither the order of reading nor what
// else is read at the same time nor the clock shows in the bytes.
func TestBytesDependOnSeedAndPersonAlone(t *testing.T) {
	people := sample(12)
	digests := func(p *synthetic.Population, version domain.FHIRVersion, order []synthetic.Enrollee) map[domain.PatientID]uint64 {
		source, sums := synthetic.NewClaims(p, time.Now), map[domain.PatientID]uint64{}
		for _, e := range order {
			sum := fnv.New64a()
			forEach(t, source, ports.ClaimsQuery{Version: version, Patient: e.Patient}, func(raw []byte) { sum.Write(raw) })
			sums[e.Patient] = sum.Sum64()
		}
		return sums
	}
	backwards := slices.Clone(people)
	slices.Reverse(backwards)
	for _, version := range []domain.FHIRVersion{domain.R4, domain.STU3} {
		want := digests(population, version, people)
		if got := digests(synthetic.New(synthetic.DefaultSeed), version, backwards); !maps.Equal(got, want) {
			t.Errorf("%s: other bytes in another order", version)
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if got := digests(population, version, backwards); !maps.Equal(got, want) {
					t.Errorf("%s: other bytes beside others", version)
				}
			})
		}
		all.Wait()
	}
}

var readers = sample(30)

func BenchmarkRead(b *testing.B) {
	people := synthetic.New(synthetic.DefaultSeed)
	var ids []domain.PatientID
	for e := range people.Enrollees("S0001") {
		ids = append(ids, e.Patient)
	}
	for _, version := range []domain.FHIRVersion{domain.R4, domain.STU3} {
		b.Run(string(version), func(b *testing.B) {
			source := synthetic.NewClaims(people, clock)
			b.ReportAllocs()
			var bytes, claims int64
			for b.Loop() {
				bytes, claims = 0, 0
				for _, id := range ids {
					r, err := source.Read(context.Background(), ports.ClaimsQuery{Version: version, Patient: id})
					if err != nil {
						b.Fatal(err)
					}
					for {
						claim, err := r.Next()
						if err != nil {
							break
						}
						bytes += int64(len(claim))
						claims++
					}
					r.Close()
				}
			}
			b.SetBytes(bytes)
			b.ReportMetric(float64(bytes)/float64(claims), "B/claim")
			b.ReportMetric(float64(claims)/float64(len(ids)), "claims/enrollee")
		})
	}
}

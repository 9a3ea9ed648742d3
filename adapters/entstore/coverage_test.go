package entstore_test

import (
	"fmt"
	"iter"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// people are n enrollees of five years.
func people(n int) iter.Seq2[domain.Enrollee, error] {
	months := domain.MonthSet("").With(domain.NewMonth(2020, time.January), domain.NewMonth(2024, time.December))
	return func(yield func(domain.Enrollee, error) bool) {
		for i := range n {
			e := domain.Enrollee{Patient: domain.PatientID(fmt.Sprintf("-%014d", i)), Months: months,
				IDs: domain.Identifiers{Current: "1EG4TE5MK73", Historic: []domain.MBI{"1EG4TE5MK72"}}}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// The largest contract of the sandbox, as it is seeded at the first start, read
// by a job, and loaded again without a change.
func BenchmarkCoverage(b *testing.B) {
	const n = 30_000
	for name, url := range map[string]func(b *testing.B) string{"SQLite": sqliteFor, "Postgres": postgresFor} {
		b.Run(name, func(b *testing.B) {
			s := open(b, url(b), nil)
			if err := s.Migrate(b.Context()); err != nil {
				b.Fatal(err)
			}
			contract := func(i int) domain.ContractNumber { return domain.ContractNumber(fmt.Sprintf("S%04d", i)) }
			count := 0
			load := func(b *testing.B, i int) {
				if _, err := s.Load(b.Context(), contract(i), ports.At(time.Unix(1, 0)), people(n)); err != nil {
					b.Fatal(err)
				}
			}
			b.Run("Load", func(b *testing.B) {
				for b.Loop() {
					count++
					load(b, count)
				}
			})
			b.Run("LoadUnchanged", func(b *testing.B) {
				for b.Loop() {
					load(b, count)
				}
			})
			b.Run("Members", func(b *testing.B) {
				for b.Loop() {
					got := 0
					for _, err := range s.Members(b.Context(), contract(count), 1, domain.KeyRange{}) {
						if err != nil {
							b.Fatal(err)
						}
						got++
					}
					if got != n {
						b.Fatalf("there are %d members", got)
					}
				}
			})
		})
	}
}

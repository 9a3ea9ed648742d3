package entstore_test

import (
	"fmt"
	"iter"
	"os"
	"runtime/metrics"
	"strconv"
	"sync"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/entstore"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// BenchmarkEnrollment loads one large contract, reads it as planning does, loads
// it again with one person in a hundred changed, and reads the range of one
// partition out of it. AB2D_TEST_ENROLLEES says how many people it has (200000).
func BenchmarkEnrollment(b *testing.B) {
	n := 200_000
	if given := os.Getenv("AB2D_TEST_ENROLLEES"); given != "" {
		var err error
		if n, err = strconv.Atoi(given); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		s := open(b, postgresFor(b), nil)
		if err := s.Migrate(b.Context()); err != nil {
			b.Fatal(err)
		}
		load := func(what string, minute int64, people iter.Seq2[domain.Enrollee, error]) {
			seconds, heap := measured(func() {
				if _, err := s.Load(b.Context(), "S0001", ports.At(time.Unix(minute*60, 0)), people); err != nil {
					b.Fatal(err)
				}
			})
			b.ReportMetric(float64(n)/seconds, what+"-rows/s")
			b.ReportMetric(heap, what+"-MB")
		}
		load("load", 1, people(n))
		walk(b, s, "walk", 1, n)
		load("same", 2, people(n))
		load("change", 3, changed(people(n)))
		walk(b, s, "rewalk", 2, n)
		const ranges = 1000
		seconds, _ := measured(func() {
			for i := range ranges {
				from := n / ranges * i
				keys := domain.KeyRange{From: domain.PatientID(fmt.Sprintf("-%014d", from)), To: domain.PatientID(fmt.Sprintf("-%014d", from+499))}
				for _, err := range s.Members(b.Context(), "S0001", 2, keys) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
		b.ReportMetric(seconds/ranges*1000, "partition-ms")
		s.Close()
	}
}

// changed is the same people, one in a hundred with another MBI.
func changed(people iter.Seq2[domain.Enrollee, error]) iter.Seq2[domain.Enrollee, error] {
	return func(yield func(domain.Enrollee, error) bool) {
		i := 0
		for e, err := range people {
			if i++; i%100 == 0 {
				e.IDs.Current = "1EG4TE5MK74"
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

func walk(b *testing.B, s *entstore.Store, what string, v domain.EnrollmentVersion, n int) {
	got, whole := 0, domain.Entitlement{From: 2020_01_01}
	seconds, heap := measured(func() {
		for e, err := range s.Members(b.Context(), "S0001", v, domain.KeyRange{}) {
			if err != nil {
				b.Fatal(err)
			}
			if whole.Months = e.Months; whole.IsMember(2026_01_01) {
				got++
			}
		}
	})
	if got != n {
		b.Fatalf("there are %d members", got)
	}
	b.ReportMetric(seconds, what+"-s")
	b.ReportMetric(heap, what+"-MB")
}

// measured returns how long something took and the most memory that the live
// objects of the process had meanwhile, in megabytes.
func measured(do func()) (seconds, heap float64) {
	over := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		for {
			metrics.Read(sample)
			heap = max(heap, float64(sample[0].Value.Uint64())/1e6)
			select {
			case <-over:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
	begun := time.Now()
	do()
	seconds = time.Since(begun).Seconds()
	close(over)
	watching.Wait()
	return seconds, heap
}

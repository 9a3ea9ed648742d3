package memory_test

import (
	"fmt"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
	"cms.gov/ab2d/ports/porttest"
)

func TestFiles(t *testing.T) {
	porttest.Files(t, func(*testing.T) ports.Files { return memory.NewFiles() })
}

func TestPacking(t *testing.T) {
	porttest.Packing(t, func() ports.Packing { return memory.Packing{} })
}

func TestClaims(t *testing.T) {
	porttest.Claims(t, func(*testing.T) porttest.ClaimsSource {
		source := memory.NewClaims(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
		people := []domain.PatientID{"-1", "-2"}
		for _, p := range people {
			var claims []string
			for i := range 6 {
				claims = append(claims, fmt.Sprintf(`{"resourceType":"ExplanationOfBenefit","id":"c%s%d","meta":{"lastUpdated":"2026-0%d-01T00:00:00Z"},`+
					`"patient":{"reference":"Patient/%s"},"billablePeriod":{"start":"2026-0%d-01","end":"2026-0%d-02"}}`, p, i, i+1, p, i+1, i+1))
			}
			source.Put(p, claims...)
		}
		return porttest.ClaimsSource{Source: source, Versions: []domain.FHIRVersion{domain.STU3, domain.R4}, Patients: people, Stranger: "-3"}
	})
}

func TestPeople(t *testing.T) {
	porttest.People(t, func(*testing.T) porttest.PeopleSource {
		claims := memory.NewClaims(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
		source := &memory.People{Claims: claims}
		people := []domain.PatientID{"-1", "-2"}
		for _, p := range people {
			source.Put(p, fmt.Sprintf(`{"resourceType":"Coverage","id":"a%[1]s","beneficiary":{"reference":"Patient/%[1]s"}}`, p),
				fmt.Sprintf(`{"resourceType":"Patient","id":"%s"}`, p))
		}
		return porttest.PeopleSource{Source: source, Claims: claims, Versions: []domain.FHIRVersion{domain.STU3, domain.R4}, Patients: people, Stranger: "-3"}
	})
}

func TestStore(t *testing.T) {
	porttest.Stores(t, func(*testing.T) porttest.Store {
		s := memory.NewStore()
		return porttest.Store{UnitOfWork: s, Coverage: s, Secrets: s, AuditLog: s,
			Scheduled: func(*testing.T) []ports.Task { return s.Queue.Waiting() }}
	})
}

func TestBounds(t *testing.T) {
	porttest.Assertions(t, func(*testing.T) ports.Assertions { return &memory.Bounds{} })
	porttest.Limits(t, func(*testing.T) ports.Limits { return &memory.Bounds{} })
}

func TestQueue(t *testing.T) {
	porttest.Queue(t, func(t *testing.T) porttest.QueueHarness {
		s := memory.NewStore()
		taken := make(chan ports.Task, 2000)
		go func() {
			for ; t.Context().Err() == nil; time.Sleep(time.Millisecond) {
				for task, ok := s.Queue.Take(); ok; task, ok = s.Queue.Take() {
					taken <- task
				}
			}
		}()
		return porttest.QueueHarness{Work: s, Taken: taken}
	})
}

package memory_test

import (
	"testing"

	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports/porttest"
)

func TestEnrollment(t *testing.T) {
	porttest.Enrollment(t, func(_ *testing.T, enrolled map[domain.ContractNumber][]domain.Enrollee) porttest.EnrollmentHarness {
		e := &memory.Enrollment{}
		for n, people := range enrolled {
			e.Set(n, people...)
		}
		return porttest.EnrollmentHarness{Enrollment: e, Break: func() { e.Fail(-1) }}
	})
}

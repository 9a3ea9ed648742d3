package memory

import (
	"context"
	"slices"
	"sync"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Enrollment is where enrollment comes from: lists that can be set. It implements
// ports.Enrollment.
type Enrollment struct {
	PageSize int // 0 for 100

	mu       sync.Mutex
	enrolled map[domain.ContractNumber][]domain.Enrollee
	failing  int // pages that still fail; below 0 for all
	pages    int
}

// Set replaces who is enrolled in a contract.
func (e *Enrollment) Set(n domain.ContractNumber, people ...domain.Enrollee) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.enrolled == nil {
		e.enrolled = map[domain.ContractNumber][]domain.Enrollee{}
	}
	e.enrolled[n] = slices.SortedFunc(slices.Values(people), func(a, b domain.Enrollee) int { return slices.Compare([]byte(a.Patient), []byte(b.Patient)) })
}

// Fail has so many pages fail from now on; below 0 all of them.
func (e *Enrollment) Fail(pages int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failing = pages
}

// Pages returns how many pages were given so far.
func (e *Enrollment) Pages() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.pages
}

// Page implements ports.Enrollment.
func (e *Enrollment) Page(ctx context.Context, n domain.ContractNumber, m domain.Month, cursor string) (page ports.EnrollmentPage, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failing != 0 {
		e.failing--
		return page, domain.Errorf(domain.Unavailable, "the enrollment is away")
	}
	size := e.PageSize
	if size == 0 {
		size = 100
	}
	for _, p := range e.enrolled[n] {
		if string(p.Patient) <= cursor || !p.Months.Has(m) {
			continue
		}
		if len(page.People) == size {
			page.Next = string(page.People[size-1].Patient)
			break
		}
		page.People = append(page.People, ports.EnrolledPerson{Patient: p.Patient, IDs: p.IDs})
	}
	e.pages++
	return page, ctx.Err()
}

package porttest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// EnrollmentHarness is a source of enrollment to be tested.
type EnrollmentHarness struct {
	ports.Enrollment
	Break func() // from now on the source fails
}

// Enrollment runs the conformance suite of ports.Enrollment. create returns a
// source that has the people given enrolled, each in the months of theirs, and
// that needs more than one page for 300 of them.
func Enrollment(t *testing.T, create func(t *testing.T, enrolled map[domain.ContractNumber][]domain.Enrollee) EnrollmentHarness) {
	jan, dec := domain.NewMonth(2026, time.January), domain.NewMonth(2025, time.December)
	person := func(id int, months domain.MonthSet, current domain.MBI, historic ...domain.MBI) domain.Enrollee {
		return domain.Enrollee{Patient: domain.PatientID(fmt.Sprintf("-%06d", id)), Months: months, IDs: domain.Identifiers{Current: current, Historic: historic}}
	}
	var many []domain.Enrollee
	for i := range 300 {
		months := domain.NewMonthSet(jan)
		if i%3 == 0 {
			months = months.With(dec, dec)
		}
		many = append(many, person(i, months, "1S00E00AA11"))
	}
	enrolled := map[domain.ContractNumber][]domain.Enrollee{
		"S0001": many,
		"S0002": {person(1, domain.NewMonthSet(jan), "1S00E00AA12", "1S00E00AA13", "1S00E00AA14"), person(2, domain.NewMonthSet(jan), ""),
			person(3, domain.NewMonthSet(jan), "", "1S00E00AA15")},
	}
	all := func(t *testing.T, h EnrollmentHarness, n domain.ContractNumber, m domain.Month) (people []ports.EnrolledPerson, pages int) {
		t.Helper()
		for cursor := ""; ; pages++ {
			page, err := h.Page(t.Context(), n, m, cursor)
			if err != nil {
				t.Fatal(err)
			}
			if people = append(people, page.People...); page.Next == "" {
				return people, pages + 1
			}
			cursor = page.Next
		}
	}
	t.Run("everybody of a month comes once, over pages", func(t *testing.T) {
		h := create(t, enrolled)
		for m, want := range map[domain.Month]int{jan: 300, dec: 100, jan + 1: 0} {
			people, pages := all(t, h, "S0001", m)
			seen := map[domain.PatientID]bool{}
			for _, p := range people {
				seen[p.Patient] = true
			}
			if len(people) != want || len(seen) != want || want == 300 && pages < 2 {
				t.Errorf("%s: %d people, %d of them different, on %d pages, want %d", m, len(people), len(seen), pages, want)
			}
		}
		if people, _ := all(t, h, "S0003", jan); len(people) != 0 {
			t.Errorf("a contract without anybody has %d", len(people))
		}
	})
	t.Run("MBIs come current and historic, and some have none", func(t *testing.T) {
		people, _ := all(t, create(t, enrolled), "S0002", jan)
		for _, want := range enrolled["S0002"] {
			i := slices.IndexFunc(people, func(p ports.EnrolledPerson) bool { return p.Patient == want.Patient })
			if i < 0 || people[i].IDs.Current != want.IDs.Current || !slices.Equal(people[i].IDs.Historic, want.IDs.Historic) {
				t.Errorf("person %s is there: %v, or has other MBIs", want.Patient, i >= 0)
			}
		}
	})
	t.Run("a page can be asked for again", func(t *testing.T) {
		h := create(t, enrolled)
		first, err := h.Page(t.Context(), "S0001", jan, "")
		if err != nil || first.Next == "" {
			t.Fatalf("the first page: %v", err)
		}
		one, err1 := h.Page(t.Context(), "S0001", jan, first.Next)
		two, err2 := h.Page(t.Context(), "S0001", jan, first.Next)
		if err := errors.Join(err1, err2); err != nil || !slices.EqualFunc(one.People, two.People, func(a, b ports.EnrolledPerson) bool { return a.Patient == b.Patient }) || one.Next != two.Next {
			t.Errorf("%d people and then %d, %v", len(one.People), len(two.People), err)
		}
	})
	t.Run("a source that fails is an error that may pass", func(t *testing.T) {
		h := create(t, enrolled)
		h.Break()
		if page, err := h.Page(t.Context(), "S0001", jan, ""); domain.CodeOf(err) != domain.Unavailable || len(page.People) > 0 {
			t.Errorf("%d people, %v", len(page.People), err)
		}
	})
}

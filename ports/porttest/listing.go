package porttest

import (
	"slices"
	"testing"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// ListingHarness is a source of listings to be tested.
type ListingHarness struct {
	ports.Listing
	Break func() // from now on the source fails
}

// Listing runs the conformance suite of ports.Listing. create returns a source
// that lists the contracts given.
func Listing(t *testing.T, create func(t *testing.T, listed []domain.ListedContract) ListingHarness) {
	many := []domain.ListedContract{
		{Number: "S0002", Name: "Two", ParentID: "12", ParentName: "Parent", Known: true, Attested: true, Since: 2020_02_29, Enrolled: 100, Eligible: 90},
		{Number: "E0001", Name: "One", ParentID: "12", ParentName: "Parent", Known: true, Ends: 2025_12_31},
		{Number: "S0003", Name: "Three", ParentID: "13", ParentName: "Other", Known: true, Attested: true, Since: 2021_01_01, Ends: 2030_12_31},
	}
	for n := range 250 {
		many = append(many, domain.ListedContract{Number: domain.ContractNumber("S1" + string(rune('0'+n/100)) + string(rune('0'+n/10%10)) + string(rune('0'+n%10))),
			Name: "Many", ParentID: "14", ParentName: "Big", Known: true, Attested: n%3 > 0, Since: 2022_05_17})
	}
	t.Run("everything listed comes, by contract number", func(t *testing.T) {
		got, err := create(t, many).Contracts(t.Context())
		want := slices.SortedFunc(slices.Values(many), func(a, b domain.ListedContract) int { return slices.Compare([]byte(a.Number), []byte(b.Number)) })
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("listed %+v, %v, want %+v", got, err, want)
		}
	})
	t.Run("an empty list is none and no error", func(t *testing.T) {
		if got, err := create(t, nil).Contracts(t.Context()); err != nil || len(got) != 0 {
			t.Errorf("listed %+v, %v", got, err)
		}
	})
	t.Run("a source that fails is an error", func(t *testing.T) {
		h := create(t, many)
		h.Break()
		if got, err := h.Contracts(t.Context()); domain.CodeOf(err) != domain.Unavailable || got != nil {
			t.Errorf("listed %+v, %v, want unavailable", got, err)
		}
	})
}

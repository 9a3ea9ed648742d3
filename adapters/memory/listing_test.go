package memory_test

import (
	"testing"

	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports/porttest"
)

func TestListing(t *testing.T) {
	porttest.Listing(t, func(_ *testing.T, listed []domain.ListedContract) porttest.ListingHarness {
		l := &memory.Listing{}
		l.Set(listed...)
		return porttest.ListingHarness{Listing: l, Break: l.Fail}
	})
}

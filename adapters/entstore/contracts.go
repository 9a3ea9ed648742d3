package entstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ent/contract"
)

// contracts implements ports.Contracts.
type contracts struct{ unit }

// Put returns an invalid error when the sponsor does not exist.
func (s contracts) Put(ctx context.Context, c domain.Contract) error {
	return s.adding(ctx, fmt.Sprintf("contract %s", c.Number), func() error {
		return s.Contract.Create().SetID(string(c.Number)).SetName(c.Name).SetSponsorID(string(c.Sponsor)).
			SetType(c.Type).SetUpdates(c.Updates).SetListed(c.Listed).SetEnds(c.Ends).SetEnrolled(c.Enrolled).SetEligible(c.Eligible).
			OnConflictColumns(contract.FieldID).UpdateNewValues().Exec(ctx)
	})
}

func (s contracts) Get(ctx context.Context, n domain.ContractNumber) (domain.Contract, error) {
	row, err := s.Contract.Get(ctx, string(n))
	if err != nil {
		return domain.Contract{}, missing(err, "there is no contract %s", n)
	}
	return contractFromRow(row), nil
}

func (s contracts) Update(ctx context.Context, n domain.ContractNumber, change func(*domain.Contract) error) error {
	query := s.Contract.Query().Where(contract.ID(string(n)))
	if s.locks() {
		query.ForUpdate()
	}
	row, err := query.Only(ctx)
	if err != nil {
		return missing(err, "there is no contract %s", n)
	}
	c := contractFromRow(row)
	if err := change(&c); err != nil {
		return err
	}
	c.Number = n
	return s.Put(ctx, c)
}

func (s contracts) List(ctx context.Context) ([]domain.Contract, error) {
	rows, err := s.Contract.Query().All(ctx)
	return sortedBy(all(rows, contractFromRow), func(c domain.Contract) domain.ContractNumber { return c.Number }), err
}

// sortedBy puts a list in the byte order of its keys, which not every collation
// of a database is.
func sortedBy[T any, K cmp.Ordered](list []T, key func(T) K) []T {
	slices.SortFunc(list, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
	return list
}

package entstore

import (
	"context"
	"fmt"
	"slices"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ent/apiclient"
	"cms.gov/ab2d/ent/contract"
)

// clients implements ports.Clients.
type clients struct{ unit }

// Put returns an invalid error when the sponsor or a contract does not exist.
func (s clients) Put(ctx context.Context, c domain.Client) error {
	wanted := slices.Compact(slices.Sorted(slices.Values(c.Contracts)))
	there, err := s.Contract.Query().Where(contract.IDIn(texts(wanted)...)).Count(ctx)
	if err != nil {
		return err
	}
	if there < len(wanted) {
		return domain.Errorf(domain.Invalid, "client %s is for a contract that is not there", c.ID)
	}
	return s.adding(ctx, fmt.Sprintf("client %s", c.ID), func() error {
		return s.APIClient.Create().SetID(string(c.ID)).SetSponsorID(string(c.Sponsor)).SetName(c.Name).SetContracts(c.Contracts).
			SetEnabled(c.Enabled).SetNetworks(c.Networks).SetCreatedAt(kept(c.CreatedAt)).
			OnConflictColumns(apiclient.FieldID).UpdateNewValues().Exec(ctx)
	})
}

func (s clients) Get(ctx context.Context, id domain.ClientID) (domain.Client, error) {
	row, err := s.APIClient.Get(ctx, string(id))
	if err != nil {
		return domain.Client{}, missing(err, "there is no client %s", id)
	}
	return clientFromRow(row), nil
}

func (s clients) List(ctx context.Context) ([]domain.Client, error) {
	rows, err := s.APIClient.Query().All(ctx)
	return sortedBy(all(rows, clientFromRow), func(c domain.Client) domain.ClientID { return c.ID }), err
}

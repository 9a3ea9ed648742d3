package entstore

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ent"
	"cms.gov/ab2d/ent/apiclient"
	"cms.gov/ab2d/ent/clientactivity"
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
		secrets := slices.Clone(c.Secrets)
		for i := range secrets {
			secrets[i].CreatedAt, secrets[i].ExpiresAt = kept(secrets[i].CreatedAt), kept(secrets[i].ExpiresAt)
		}
		return s.APIClient.Create().SetID(string(c.ID)).SetSponsorID(string(c.Sponsor)).SetName(c.Name).SetContracts(c.Contracts).
			SetEnabled(c.Enabled).SetNetworks(c.Networks).SetJwksURL(c.Keys.URL).SetJwks(c.Keys.Set).SetSecrets(secrets).SetCreatedAt(kept(c.CreatedAt)).
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

func (s clients) Update(ctx context.Context, id domain.ClientID, change func(*domain.Client) error) error {
	query := s.APIClient.Query().Where(apiclient.ID(string(id)))
	if s.locks() {
		query.ForUpdate()
	}
	row, err := query.Only(ctx)
	if err != nil {
		return missing(err, "there is no client %s", id)
	}
	c := clientFromRow(row)
	if err := change(&c); err != nil {
		return err
	}
	c.ID = id
	return s.Put(ctx, c)
}

func (s clients) List(ctx context.Context) ([]domain.Client, error) {
	rows, err := s.APIClient.Query().All(ctx)
	return sortedBy(all(rows, clientFromRow), func(c domain.Client) domain.ClientID { return c.ID }), err
}

// activity implements ports.ClientActivity.
type activity struct{ unit }

func (s activity) Of(ctx context.Context, ids []domain.ClientID) (map[domain.ClientID]domain.ClientActivity, error) {
	found := map[domain.ClientID]domain.ClientActivity{}
	for some := range slices.Chunk(ids, chunk) {
		rows, err := s.ClientActivity.Query().Where(clientactivity.IDIn(texts(some)...)).All(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			from, _ := netip.ParseAddr(r.LastFrom) // none for one that was never let in
			found[domain.ClientID(r.ID)] = domain.ClientActivity{LastUsed: orZero(r.LastUsed), LastFrom: from, Failures: r.Failures, LastFailed: orZero(r.LastFailed)}
		}
	}
	return found, nil
}

func (s activity) Used(ctx context.Context, id domain.ClientID, at time.Time, from netip.Addr) error {
	return s.ClientActivity.Create().SetID(string(id)).SetLastUsed(kept(at)).SetLastFrom(from.String()).SetFailures(0).
		OnConflictColumns(clientactivity.FieldID).Update(func(u *ent.ClientActivityUpsert) { u.UpdateLastUsed().UpdateLastFrom().UpdateFailures() }).Exec(ctx)
}

func (s activity) Failed(ctx context.Context, id domain.ClientID, at time.Time) error {
	return s.ClientActivity.Create().SetID(string(id)).SetFailures(1).SetLastFailed(kept(at)).
		OnConflictColumns(clientactivity.FieldID).Update(func(u *ent.ClientActivityUpsert) { u.AddFailures(1).UpdateLastFailed() }).Exec(ctx)
}

package entstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	entsql "entgo.io/ent/dialect/sql"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ent"
	"cms.gov/ab2d/ent/idempotencykey"
)

// keys implements ports.IdempotencyKeys.
type keys struct{ unit }

func (s keys) Claim(ctx context.Context, k domain.IdempotencyKey, notBefore time.Time) (domain.IdempotencyKey, error) {
	// First an attempt to add it: of two units of work that claim one key, one
	// waits here for the other to end.
	err := s.IdempotencyKey.Create().SetClient(k.Client).SetKey(k.Key).SetRequest(k.Request).SetJobID(k.Job).SetAt(kept(k.At)).
		OnConflictColumns(idempotencykey.FieldClient, idempotencykey.FieldKey).DoNothing().Exec(ctx)
	if err != nil && !errors.Is(err, sql.ErrNoRows) { // no rows: it was there
		return domain.IdempotencyKey{}, err
	}
	query := s.IdempotencyKey.Query().Where(idempotencykey.Client(k.Client), idempotencykey.Key(k.Key))
	if s.locks() {
		query.ForUpdate()
	}
	row, err := query.Only(ctx)
	if err != nil {
		return domain.IdempotencyKey{}, err
	}
	if row.At.Before(kept(notBefore)) {
		row, err = row.Update().SetRequest(k.Request).SetJobID(k.Job).SetAt(kept(k.At)).Save(ctx)
		if err != nil {
			return domain.IdempotencyKey{}, err
		}
	}
	return domain.IdempotencyKey{Client: row.Client, Key: row.Key, Request: row.Request, Job: row.JobID, At: row.At.UTC()}, nil
}

func (s keys) Forget(ctx context.Context, before time.Time, limit int) (int, error) {
	query := s.IdempotencyKey.Query().Where(idempotencykey.AtLT(kept(before))).Order(ent.Asc(idempotencykey.FieldAt)).Limit(limit)
	if s.locks() {
		query.ForUpdate(entsql.WithLockAction(entsql.SkipLocked))
	}
	ids, err := query.IDs(ctx)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	return s.IdempotencyKey.Delete().Where(idempotencykey.IDIn(ids...)).Exec(ctx)
}

package entstore

import (
	"context"
	"database/sql"
	"errors"

	entsql "entgo.io/ent/dialect/sql"

	"cms.gov/ab2d/ent"
	"cms.gov/ab2d/ent/predicate"
	"cms.gov/ab2d/ent/secret"
)

// Ensure implements ports.Secrets.
func (s *Store) Ensure(ctx context.Context, name string, mint func() ([]byte, error)) ([]byte, error) {
	row, err := s.reader.Secret.Get(ctx, name)
	if err == nil {
		return row.Value, nil
	}
	if !ent.IsNotFound(err) {
		return nil, s.told(err)
	}
	// Minting is slow (a key pair) and happens outside of any transaction. Of
	// several that mint at once the first to write wins.
	minted, err := mint()
	if err != nil {
		return nil, err
	}
	err = retry(ctx, func() error { return s.keep(ctx, name, minted) })
	if err != nil {
		return nil, s.told(err)
	}
	row, err = s.reader.Secret.Get(ctx, name)
	if err != nil {
		return nil, s.told(err)
	}
	return row.Value, nil
}

// Forget implements ports.Secrets.
func (s *Store) Forget(ctx context.Context, prefix string, except ...string) error {
	return s.told(retry(ctx, func() error {
		tx, err := s.begin(ctx, s.write, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback() //nolint:errcheck // does nothing after Commit
		if _, err := s.unit(tx, false).Secret.Delete().Where(predicate.Secret(entsql.FieldHasPrefix(secret.FieldID, prefix)), secret.IDNotIn(except...)).Exec(ctx); err != nil {
			return err
		}
		return tx.Commit()
	}))
}

func (s *Store) keep(ctx context.Context, name string, value []byte) error {
	tx, err := s.begin(ctx, s.write, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // does nothing after Commit
	err = s.unit(tx, false).Secret.Create().SetID(name).SetValue(value).OnConflictColumns(secret.FieldID).DoNothing().Exec(ctx)
	if err != nil && !errors.Is(err, sql.ErrNoRows) { // no rows: it was there
		return err
	}
	return tx.Commit()
}

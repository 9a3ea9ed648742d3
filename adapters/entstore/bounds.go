package entstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"time"

	"entgo.io/ent/dialect"

	"cms.gov/ab2d/domain"
)

// Both keep rows that are of no use after a while. Whoever adds some takes some
// of those away, now and then, so that there are never many.
const (
	forgetOneIn  = 64
	forgetAtOnce = 500
)

// Use implements ports.Assertions. Time is the database's own.
func (s *Store) Use(ctx context.Context, issuer domain.ClientID, id string, until time.Time) error {
	sum := sha256.Sum256([]byte(string(issuer) + "\x00" + id))
	added := false
	err := s.alone(ctx, func(db *sql.Tx) error {
		clock := clockOf(s.dialect)
		if rand.IntN(forgetOneIn) == 0 {
			if _, err := db.ExecContext(ctx, `DELETE FROM used_assertions WHERE id IN
				(SELECT id FROM used_assertions WHERE until < `+clock+` ORDER BY until LIMIT $1)`, forgetAtOnce); err != nil {
				return err
			}
		}
		done, err := db.ExecContext(ctx, `INSERT INTO used_assertions (id, until) VALUES ($1, $2)
			ON CONFLICT (id) DO UPDATE SET until = excluded.until WHERE used_assertions.until < `+clock, hex.EncodeToString(sum[:]), until.UnixMilli())
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		added = n == 1
		return err
	})
	if err == nil && !added {
		return domain.Errorf(domain.Conflict, "this assertion was used before")
	}
	return err
}

// Take implements ports.Limits. A key is one row, and taking is one statement.
// Time is the database's own.
func (s *Store) Take(ctx context.Context, key string, n int, r domain.Rate) (wait time.Duration, err error) {
	if !r.Bounds() {
		return 0, nil
	}
	if n == 0 {
		var now, fresh int64
		err := s.read.QueryRowContext(ctx, "SELECT "+clockOf(s.dialect)+", coalesce((SELECT fresh FROM rate_limits WHERE key = $1), 0)", key).Scan(&now, &fresh)
		_, wait = r.Take(time.UnixMilli(now), time.UnixMilli(fresh), 0)
		return wait, s.told(err)
	}
	err = s.alone(ctx, func(db *sql.Tx) error {
		clock, greatest := clockOf(s.dialect), "greatest"
		if s.dialect == dialect.SQLite {
			greatest = "max"
		}
		if rand.IntN(forgetOneIn) == 0 {
			if _, err := db.ExecContext(ctx, `DELETE FROM rate_limits WHERE key IN
				(SELECT key FROM rate_limits WHERE fresh < `+clock+` ORDER BY fresh LIMIT $1)`, forgetAtOnce); err != nil {
				return err
			}
		}
		// See domain.Rate: this is Take in one statement.
		const cost, room = "CAST($2 AS bigint)", "CAST($3 AS bigint)"
		var fresh int64
		err := db.QueryRowContext(ctx, `INSERT INTO rate_limits (key, fresh) SELECT $1, `+clock+` + `+cost+` WHERE `+cost+` <= `+room+`
			ON CONFLICT (key) DO UPDATE SET fresh = `+greatest+`(rate_limits.fresh, `+clock+`) + `+cost+`
			WHERE `+greatest+`(rate_limits.fresh, `+clock+`) + `+cost+` <= `+clock+` + `+room+` RETURNING fresh`,
			key, int64(n)*r.Per.Milliseconds(), int64(r.Burst)*r.Per.Milliseconds()).Scan(&fresh)
		if !errors.Is(err, sql.ErrNoRows) {
			wait = 0
			return err
		}
		var now int64
		if err := db.QueryRowContext(ctx, "SELECT "+clock+", coalesce((SELECT fresh FROM rate_limits WHERE key = $1), 0)", key).Scan(&now, &fresh); err != nil {
			return err
		}
		_, wait = r.Take(time.UnixMilli(now), time.UnixMilli(fresh), n)
		wait = max(wait, time.Millisecond) // it was refused, if only just
		return nil
	})
	return wait, err
}

// alone runs a few statements in a transaction of their own.
func (s *Store) alone(ctx context.Context, do func(*sql.Tx) error) error {
	return s.told(retry(ctx, func() error {
		tx, err := s.begin(ctx, s.write, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback() //nolint:errcheck // does nothing after Commit
		if err := do(tx); err != nil {
			return err
		}
		return tx.Commit()
	}))
}

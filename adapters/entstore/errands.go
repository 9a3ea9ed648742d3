package entstore

import (
	"context"
	"fmt"
	"time"

	"cms.gov/ab2d/domain"
)

// errands implements ports.Errands. Each statement reads the database's clock
// itself, so that processes whose clocks differ agree.
type errands struct{ unit }

func (s errands) Take(ctx context.Context, name string, insist bool, length time.Duration) (string, error) {
	if err := s.known(ctx, name); err != nil {
		return "", err
	}
	token, clock := domain.NewEventID(), clockOf(s.dialect)
	query := "UPDATE errands SET token = $1, held_until = " + clock + " + $2 WHERE name = $3 AND (token = '' OR held_until <= " + clock + ")"
	if !insist {
		query += " AND rests_until <= " + clock
	}
	return token, s.one(ctx, name, query, token, length.Milliseconds(), name)
}

func (s errands) Keep(ctx context.Context, name, token string, length time.Duration) error {
	clock := clockOf(s.dialect)
	return s.one(ctx, name, "UPDATE errands SET held_until = "+clock+" + $1 WHERE name = $2 AND token = $3 AND held_until > "+clock, length.Milliseconds(), name, token)
}

func (s errands) End(ctx context.Context, name, token string, rest time.Duration) error {
	_, err := s.tx.ExecContext(ctx, "UPDATE errands SET token = '', rests_until = "+clockOf(s.dialect)+" + $1 WHERE name = $2 AND token = $3", rest.Milliseconds(), name, token)
	return err
}

func (s errands) Wake(ctx context.Context, name string) error {
	if err := s.known(ctx, name); err != nil {
		return err
	}
	_, err := s.tx.ExecContext(ctx, "UPDATE errands SET rests_until = 0 WHERE name = $1", name)
	return err
}

func (s errands) known(ctx context.Context, name string) error {
	_, err := s.tx.ExecContext(ctx, "INSERT INTO errands (name, token, held_until, rests_until) VALUES ($1, '', 0, 0) ON CONFLICT (name) DO NOTHING", name)
	return err
}

// one runs a change of the errand's row and returns a conflict when none was changed.
func (s errands) one(ctx context.Context, name, query string, args ...any) error {
	result, err := s.tx.ExecContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("errand %s: %w", name, err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return domain.Errorf(domain.Conflict, "errand %s is in other hands, or rests", name)
}

package entstore

import (
	"context"
	"time"
)

// Time returns what time it is by the database's clock, in milliseconds.
func (s *Store) Time(ctx context.Context) (time.Time, error) {
	var now int64
	err := s.read.QueryRowContext(ctx, "SELECT "+clockOf(s.dialect)).Scan(&now)
	return time.UnixMilli(now), err
}

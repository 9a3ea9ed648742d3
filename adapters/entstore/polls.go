package entstore

import (
	"context"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ent"
	"cms.gov/ab2d/ent/poll"
	"cms.gov/ab2d/ports"
)

// polls implements ports.Polls.
type polls struct{ unit }

func (s polls) Last(ctx context.Context, id domain.JobID, client domain.ClientID) (ports.Poll, bool, error) {
	row, err := s.Poll.Query().Where(poll.JobID(id), poll.Client(client)).Only(ctx)
	if ent.IsNotFound(err) {
		return ports.Poll{}, false, nil
	}
	if err != nil {
		return ports.Poll{}, false, err
	}
	return ports.Poll{At: row.At.UTC(), RetryAfter: time.Duration(row.RetryAfter)}, true, nil
}

func (s polls) Put(ctx context.Context, id domain.JobID, client domain.ClientID, p ports.Poll) error {
	return s.Poll.Create().SetJobID(id).SetClient(client).SetAt(kept(p.At)).SetRetryAfter(int64(p.RetryAfter)).
		OnConflictColumns(poll.FieldJobID, poll.FieldClient).UpdateNewValues().Exec(ctx)
}

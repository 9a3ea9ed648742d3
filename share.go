package ab2d

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"cms.gov/ab2d/adapters/bfd"
	"cms.gov/ab2d/application/produce"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// shareEvery is how often a process looks how many partitions the others write.
const shareEvery = time.Second

// sharedCalls has a process make no more calls to BFD at once than its share of
// what all may make together: as much of it as it writes of the partitions
// that are being written. The store knows them, so that processes need not know each
// other. When one comes or goes the others notice within a second; until then
// there may be a few calls too many. Each may always make one.
type sharedCalls struct {
	*produce.UseCase
	store  ports.UnitOfWork
	source *bfd.Source
	total  int
	log    *slog.Logger

	mu   sync.Mutex
	own  int
	stop context.CancelFunc // ends the looking; nil while nothing is written
}

// Do does a partition as the use case does, and shares calls meanwhile.
func (s *sharedCalls) Do(ctx context.Context, w produce.Work) (domain.PartitionResult, error) {
	s.begin(ctx)
	defer s.end()
	return s.UseCase.Do(ctx, w)
}

func (s *sharedCalls) begin(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.own++
	s.share(ctx)
	if s.stop == nil {
		looking, stop := context.WithCancel(context.WithoutCancel(ctx))
		s.stop = stop
		go s.look(looking)
	}
}

func (s *sharedCalls) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.own--; s.own == 0 {
		s.stop()
		s.stop = nil
	}
}

func (s *sharedCalls) look(ctx context.Context) {
	ticker := time.NewTicker(shareEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		s.mu.Lock()
		s.share(ctx)
		s.mu.Unlock()
	}
}

// share takes the share that is due now. While the store is away the last one
// stays: its leases end soon, and with them what is written.
func (s *sharedCalls) share(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, shareEvery)
	defer cancel()
	var b domain.Backlog
	err := s.store.View(ctx, func(ctx context.Context, tx ports.Tx) (err error) {
		b, err = tx.Partitions.Backlog(ctx)
		return err
	})
	if err != nil {
		s.log.DebugContext(ctx, "how many partitions are being written could not be seen", "code", domain.CodeOf(err))
		return
	}
	s.source.Bound(max(1, s.total*s.own/max(b.Held, s.own, 1)))
}

package ab2d

import (
	"fmt"
	"os"
	"time"

	"cms.gov/ab2d/adapters/bfd"
	"cms.gov/ab2d/adapters/config"
	"cms.gov/ab2d/adapters/host"
	"cms.gov/ab2d/application/presence"
	"cms.gov/ab2d/application/retention"
	"cms.gov/ab2d/application/sources"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// provideRecorder returns what counts the calls to the source of claims.
func provideRecorder(cfg *config.Config, store ports.UnitOfWork, clock ports.Clock) *sources.Recorder {
	return &sources.Recorder{Store: store, Clock: clock, Source: cfg.Claims}
}

// providePresence returns what tells that this process runs.
func providePresence(cfg *config.Config, store ports.UnitOfWork, clock ports.Clock, upstream *bfd.Source) *presence.UseCase {
	name, err := os.Hostname()
	if err != nil {
		name = "unknown"
	}
	u := &presence.UseCase{Store: store, Clock: clock, Alone: cfg.Embedded(),
		Self: domain.Process{ID: domain.NewEventID(), Host: name, PID: os.Getpid(), Version: Version(), Roles: rolesOf(cfg), StartedAt: clock.Now()}}
	u.Look = func() domain.ProcessState {
		s := domain.ProcessState{Memory: host.Memory()}
		if cfg.HasRole(config.Worker) {
			s.Places = cfg.Workers
		}
		if cfg.Storage == config.FileStorage {
			if free, total, err := host.Room(cfg.FilesDir()); err == nil { // else it is not told; the check of the store tells why
				s.Disk = &domain.Disk{Free: int64(free), Total: int64(total)}
			}
		}
		if upstream != nil && cfg.HasRole(config.Worker) {
			now := upstream.Stats()
			s.Source = &domain.SourceState{Limit: now.Limit, InUse: now.InUse, Waiting: now.Waiting, Away: now.Since, Outages: now.Outages}
		}
		return s
	}
	return u
}

// rolesOf are the roles of this process.
func rolesOf(cfg *config.Config) (roles []string) {
	for _, r := range []string{config.API, config.Worker, config.Console} {
		if cfg.HasRole(r) {
			roles = append(roles, r)
		}
	}
	return roles
}

// presenceRounds have the process tell of itself, and workers what they counted.
func presenceRounds(u *presence.UseCase, calls *sources.Recorder) []host.Round {
	return []host.Round{
		{What: "adding up calls to the claims source", Every: sources.Every, Do: calls.Flush, Last: calls.Flush},
		{What: "telling that this process runs", Every: presence.Every, Do: u.Beat, Own: true, Last: u.Leave},
	}
}

// sweepHold is how long a sweeper that was killed keeps others from sweeping.
func sweepHold(cfg *config.Config) time.Duration { return min(cfg.Lease, 10*time.Second) }

func provideRetentionSettings(cfg *config.Config) retention.Settings {
	return retention.Settings{KeepJobs: cfg.KeepJobs, Every: cfg.Sweep, Hold: sweepHold(cfg)}
}

// whereFiles says where files are kept.
func whereFiles(cfg *config.Config) string {
	if cfg.Storage == config.S3Storage {
		return fmt.Sprintf("the bucket %s", cfg.S3Bucket)
	}
	return "the folder " + cfg.FilesDir()
}

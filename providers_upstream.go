package ab2d

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"cms.gov/ab2d/adapters/bfd"
	"cms.gov/ab2d/adapters/bfdenrollment"
	"cms.gov/ab2d/adapters/config"
	"cms.gov/ab2d/adapters/host"
	"cms.gov/ab2d/adapters/hpms"
	"cms.gov/ab2d/adapters/hpmsmock"
	"cms.gov/ab2d/application/attestation"
	"cms.gov/ab2d/application/enrollment"
	"cms.gov/ab2d/application/listing"
	"cms.gov/ab2d/application/presence"
	"cms.gov/ab2d/application/sources"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// provideHPMS returns a client of HPMS. Without a key, which only a sandbox may
// be, it has that of the stand-in.
func provideHPMS(cfg *config.Config) ports.Listing { return hpms.New(hpmsSettings(cfg)) }

func hpmsSettings(cfg *config.Config) hpms.Settings {
	s := hpms.Settings{URL: cfg.HPMSURL, KeyID: cfg.HPMSKeyID, Secret: func() (string, error) {
		b, err := os.ReadFile(cfg.HPMSSecretFile)
		return string(b), err
	}}
	if s.KeyID == "" {
		s.KeyID, s.Secret = hpmsmock.KeyID, func() (string, error) { return hpmsmock.Secret, nil }
	}
	return s
}

// errNoHPMS is told to who asks for HPMS where none is set.
var errNoHPMS = errors.New("HPMS is not followed; set hpms-url")

type noListing struct{}

func (noListing) Contracts(context.Context) ([]domain.ListedContract, error) { return nil, errNoHPMS }

func provideListing(cfg *config.Config, store ports.UnitOfWork, source ports.Listing, door *attestation.UseCase, clock ports.Clock, log *slog.Logger) *listing.UseCase {
	if cfg.HPMSURL == "" {
		source = noListing{}
	}
	return &listing.UseCase{Store: store, Listing: source, Attestation: door, Clock: clock, Log: log,
		Settings: listing.Settings{Every: cfg.HPMSEvery, Guard: domain.Guard{Share: cfg.HPMSDropShare}}}
}

// lookEvery is how often workers look whether something upstream is to be asked.
const lookEvery = 5 * time.Second

func provideRounds(cfg *config.Config, listing *listing.UseCase, enrollment *enrollment.UseCase, present *presence.UseCase, calls *sources.Recorder) []host.Round {
	rounds := presenceRounds(present, calls)
	if cfg.HPMSURL != "" {
		rounds = append(rounds, host.Round{What: "following HPMS", Every: lookEvery, Do: listing.Tick})
	}
	if cfg.Enrollment == config.BFD {
		rounds = append(rounds, host.Round{What: "taking in enrollment", Every: lookEvery, Do: enrollment.Tick})
	}
	return rounds
}

// provideEnrollment returns nil where enrollment comes with the claims.
func provideEnrollment(cfg *config.Config, upstream *bfd.Source) ports.Enrollment {
	if cfg.Enrollment != config.BFD || upstream == nil {
		return nil
	}
	return bfdenrollment.New(bfdenrollment.Settings{URL: cfg.BFDURL, Client: upstream.Transport(), Count: cfg.EnrollmentPage})
}

func provideEnrollmentSettings(cfg *config.Config) enrollment.Settings {
	return enrollment.Settings{
		EarliestServed: cfg.EarliestServed,
		Pace:           domain.IntakePace{RecentMonths: cfg.EnrollmentRecent, Recent: cfg.EnrollmentEvery, Older: cfg.EnrollmentOlderEvery},
		Share:          cfg.EnrollmentDropShare,
		Settle:         5 * cfg.Margin,
		Months:         cfg.EnrollmentConnections, Contracts: 3, Lease: cfg.Lease, Tries: 6, Backoff: 500 * time.Millisecond,
	}
}

// provideNoEnrollment is for who only looks and decides.
func provideNoEnrollment() ports.Enrollment { return nil }

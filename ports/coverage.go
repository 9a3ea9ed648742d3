package ports

import (
	"context"
	"iter"
	"time"

	"cms.gov/ab2d/domain"
)

// Coverage holds who is enrolled in which contract in which months, in
// versions: a job reads one version to its end, whatever is loaded meanwhile.
// It stands outside units of work, since a version never changes.
type Coverage interface {
	// VersionAt returns the version of a contract's enrollment that was the
	// latest recorded at or before t, and zero when there was none.
	VersionAt(ctx context.Context, n domain.ContractNumber, t time.Time) (domain.EnrollmentVersion, error)

	// Members yields the enrollees of one version whose ids lie in the range, in
	// the byte order of their ids. An empty From or To does not bound. Memory
	// stays flat however many there are. An error ends the sequence.
	Members(ctx context.Context, n domain.ContractNumber, v domain.EnrollmentVersion, keys domain.KeyRange) iter.Seq2[domain.Enrollee, error]

	// Load makes a new version of a contract's enrollment out of all its
	// enrollees, recorded at the given time, and returns it. People who are not
	// in it are no longer enrolled from that version on; earlier versions stay
	// as they were. The enrollees come in ascending byte order of their ids. On an
	// error, also one of the sequence, there is no new version. A load that
	// changes nothing returns the version in force, which is then as of that time.
	// recordedAt is asked once everything is written and only the version itself
	// is not in force yet: a load may take long, and who looked meanwhile used the
	// version before. It must not be before that of the version in force.
	Load(ctx context.Context, n domain.ContractNumber, recordedAt func() time.Time, enrollees iter.Seq2[domain.Enrollee, error]) (domain.EnrollmentVersion, error)

	// AsOf returns as of when a version is the enrollment: when it was recorded, or
	// when a later load found nothing changed. It returns not_found for none.
	AsOf(ctx context.Context, n domain.ContractNumber, v domain.EnrollmentVersion) (time.Time, error)
}

// At is a time that is known beforehand, for Coverage.Load.
func At(t time.Time) func() time.Time { return func() time.Time { return t } }

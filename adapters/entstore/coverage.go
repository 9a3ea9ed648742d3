package entstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"iter"
	"time"

	"entgo.io/ent/dialect"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ent"
	"cms.gov/ab2d/ent/enrollmentversion"
)

// VersionAt implements ports.Coverage.
func (s *Store) VersionAt(ctx context.Context, n domain.ContractNumber, t time.Time) (domain.EnrollmentVersion, error) {
	row, err := s.reader.EnrollmentVersion.Query().
		Where(enrollmentversion.Contract(n), enrollmentversion.RecordedAtLTE(kept(t))).
		Order(ent.Desc(enrollmentversion.FieldVersion)).First(ctx)
	if ent.IsNotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, s.told(err)
	}
	return row.Version, nil
}

// AsOf implements ports.Coverage.
func (s *Store) AsOf(ctx context.Context, n domain.ContractNumber, v domain.EnrollmentVersion) (time.Time, error) {
	row, err := s.reader.EnrollmentVersion.Query().Where(enrollmentversion.Contract(n), enrollmentversion.Version(v)).Only(ctx)
	if ent.IsNotFound(err) {
		return time.Time{}, domain.Errorf(domain.NotFound, "contract %s has no enrollment version %d", n, v)
	} else if err != nil {
		return time.Time{}, s.told(err)
	}
	return cmp.Or(orZero(row.ConfirmedAt), row.RecordedAt.UTC()), nil
}

// Members implements ports.Coverage.
func (s *Store) Members(ctx context.Context, n domain.ContractNumber, v domain.EnrollmentVersion, keys domain.KeyRange) iter.Seq2[domain.Enrollee, error] {
	return func(yield func(domain.Enrollee, error) bool) {
		for m, err := range members(ctx, s.read, n, v, keys) {
			if err != nil {
				yield(domain.Enrollee{}, s.told(err))
				return
			}
			if !yield(m.enrollee(), nil) {
				return
			}
		}
	}
}

// Load implements ports.Coverage. It writes only what changed. While it runs
// nothing else loads the same contract; on SQLite nothing else writes at all,
// so the sequence must not be slow there. It returns an invalid error for
// enrollees out of order and for a time before that of the version in force.
func (s *Store) Load(ctx context.Context, n domain.ContractNumber, recordedAt func() time.Time, enrollees iter.Seq2[domain.Enrollee, error]) (domain.EnrollmentVersion, error) {
	given := &watched{}
	// A sequence may not bear to be read twice, so there is no second try here.
	v, err := s.loadOnce(ctx, n, recordedAt, given.watch(enrollees))
	if err != nil && !errors.Is(err, given.failed) {
		err = s.told(err)
	}
	return v, err
}

// watched remembers the error that a sequence ended with, which may look like
// one of the database and is none.
type watched struct{ failed error }

func (w *watched) watch(enrollees iter.Seq2[domain.Enrollee, error]) iter.Seq2[domain.Enrollee, error] {
	return func(yield func(domain.Enrollee, error) bool) {
		for e, err := range enrollees {
			w.failed = err
			if !yield(e, err) {
				return
			}
		}
	}
}

func (s *Store) loadOnce(ctx context.Context, n domain.ContractNumber, recordedAt func() time.Time, enrollees iter.Seq2[domain.Enrollee, error]) (domain.EnrollmentVersion, error) {
	conn, tx, err := s.beginOn(ctx, s.write)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	defer tx.Rollback() //nolint:errcheck // does nothing after Commit
	in := s.unit(tx, false)
	if in.dialect == dialect.Postgres {
		if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('coverage of ' || $1, 0))", string(n)); err != nil {
			return 0, err
		}
	}
	v, err := in.load(ctx, conn, n, recordedAt, enrollees)
	if err != nil {
		return 0, err
	}
	return v, tx.Commit()
}

func (s unit) load(ctx context.Context, conn *sql.Conn, n domain.ContractNumber, recordedAt func() time.Time, enrollees iter.Seq2[domain.Enrollee, error]) (domain.EnrollmentVersion, error) {
	current, err := s.EnrollmentVersion.Query().Where(enrollmentversion.Contract(n)).
		Order(ent.Desc(enrollmentversion.FieldVersion)).First(ctx)
	if ent.IsNotFound(err) {
		current, err = &ent.EnrollmentVersion{}, nil
	}
	if err != nil {
		return 0, err
	}
	d := &difference{unit: s, conn: conn, contract: n, next: current.Version + 1}
	if err := d.against(ctx, current.Version, enrollees); err != nil {
		return 0, err
	}
	at := kept(recordedAt())
	if at.Before(current.RecordedAt) {
		return 0, domain.Errorf(domain.Invalid, "the enrollment of contract %s in force was recorded after %s", n, at)
	}
	if !d.changed && current.Version > 0 {
		if !at.After(cmp.Or(orZero(current.ConfirmedAt), current.RecordedAt)) {
			return current.Version, nil
		}
		return current.Version, s.EnrollmentVersion.UpdateOneID(current.ID).SetConfirmedAt(at).Exec(ctx)
	}
	return d.next, s.EnrollmentVersion.Create().SetContract(n).SetVersion(d.next).SetRecordedAt(at).Exec(ctx)
}

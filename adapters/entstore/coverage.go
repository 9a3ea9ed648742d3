package entstore

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"entgo.io/ent/dialect"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ent"
	"cms.gov/ab2d/ent/coverage"
	"cms.gov/ab2d/ent/enrollmentversion"
)

// page is how many enrollees are read at once: few enough to hold, and no
// cursor stays open while the reader works on them.
const page = 2000

// VersionAt implements ports.Coverage.
func (s *Store) VersionAt(ctx context.Context, n domain.ContractNumber, t time.Time) (domain.EnrollmentVersion, error) {
	row, err := s.reader.EnrollmentVersion.Query().
		Where(enrollmentversion.Contract(n), enrollmentversion.RecordedAtLTE(kept(t))).
		Order(ent.Desc(enrollmentversion.FieldVersion)).First(ctx)
	if ent.IsNotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return row.Version, nil
}

// Members implements ports.Coverage.
func (s *Store) Members(ctx context.Context, n domain.ContractNumber, v domain.EnrollmentVersion, keys domain.KeyRange) iter.Seq2[domain.Enrollee, error] {
	return func(yield func(domain.Enrollee, error) bool) {
		for row, err := range members(ctx, s.reader, n, v, keys) {
			if err != nil {
				yield(domain.Enrollee{}, err)
				return
			}
			if !yield(enrolleeFromRow(row), nil) {
				return
			}
		}
	}
}

// members yields the rows of one version in the byte order of patients.
func members(ctx context.Context, client *ent.Client, n domain.ContractNumber, v domain.EnrollmentVersion, keys domain.KeyRange) iter.Seq2[*ent.Coverage, error] {
	return func(yield func(*ent.Coverage, error) bool) {
		from := coverage.PatientGTE(keys.From)
		for {
			query := client.Coverage.Query().Where(coverage.Contract(n), from, coverage.FromVersionLTE(v),
				coverage.Or(coverage.UntilVersionIsNil(), coverage.UntilVersionGT(v)))
			if keys.To != "" {
				query.Where(coverage.PatientLTE(keys.To))
			}
			rows, err := query.Order(ent.Asc(coverage.FieldPatient)).Limit(page).All(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
			if len(rows) < page {
				return
			}
			from = coverage.PatientGT(rows[len(rows)-1].Patient)
		}
	}
}

// Load implements ports.Coverage. It writes only what changed. While it runs
// nothing else loads the same contract; on SQLite nothing else writes at all,
// so the sequence must not be slow there. It returns an invalid error for
// enrollees out of order and for a time before that of the version in force.
func (s *Store) Load(ctx context.Context, n domain.ContractNumber, recordedAt time.Time, enrollees iter.Seq2[domain.Enrollee, error]) (domain.EnrollmentVersion, error) {
	// A sequence may not bear to be read twice, so there is no second try here.
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback() //nolint:errcheck // does nothing after Commit
	in := s.unit(tx, false)
	if in.dialect == dialect.Postgres {
		if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('coverage of ' || $1, 0))", string(n)); err != nil {
			return 0, err
		}
	}
	v, err := in.load(ctx, n, kept(recordedAt), enrollees)
	if err != nil {
		return 0, err
	}
	return v, tx.Commit()
}

func (s unit) load(ctx context.Context, n domain.ContractNumber, recordedAt time.Time, enrollees iter.Seq2[domain.Enrollee, error]) (domain.EnrollmentVersion, error) {
	current, err := s.EnrollmentVersion.Query().Where(enrollmentversion.Contract(n)).
		Order(ent.Desc(enrollmentversion.FieldVersion)).First(ctx)
	if ent.IsNotFound(err) {
		current, err = &ent.EnrollmentVersion{}, nil
	}
	if err != nil {
		return 0, err
	}
	if recordedAt.Before(current.RecordedAt) {
		return 0, domain.Errorf(domain.Invalid, "the enrollment of contract %s in force was recorded after %s", n, recordedAt)
	}
	d := &difference{unit: s, contract: n, next: current.Version + 1}
	if err := d.against(ctx, current.Version, enrollees); err != nil {
		return 0, err
	}
	if !d.changed && current.Version > 0 {
		return current.Version, nil
	}
	return d.next, s.EnrollmentVersion.Create().SetContract(n).SetVersion(d.next).SetRecordedAt(recordedAt).Exec(ctx)
}

// difference writes what distinguishes the next version from the one in force.
type difference struct {
	unit
	contract domain.ContractNumber
	next     domain.EnrollmentVersion
	changed  bool

	begun []domain.Enrollee
	ended []int64
}

// against walks both sides in the order of patients, a page and a chunk at a
// time.
func (d *difference) against(ctx context.Context, current domain.EnrollmentVersion, enrollees iter.Seq2[domain.Enrollee, error]) error {
	next, stop := iter.Pull2(members(ctx, d.Client, d.contract, current, domain.KeyRange{}))
	defer stop()
	row, err, more := next()
	last := domain.PatientID("")
	for e, failed := range enrollees {
		if failed != nil {
			return failed
		}
		if e.Patient <= last {
			return domain.Errorf(domain.Invalid, "the enrollees of contract %s do not come in ascending order of their ids", d.contract)
		}
		last = e.Patient
		for more && err == nil && row.Patient < e.Patient {
			if err := d.end(ctx, row); err != nil {
				return err
			}
			row, err, more = next()
		}
		if err != nil {
			return err
		}
		if more && row.Patient == e.Patient {
			same := unchanged(row, e)
			ended := row
			row, err, more = next()
			if same {
				continue
			}
			if err := d.end(ctx, ended); err != nil {
				return err
			}
		}
		if err := d.begin(ctx, e); err != nil {
			return err
		}
	}
	for ; more && err == nil; row, err, more = next() {
		if err := d.end(ctx, row); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	return d.flush(ctx)
}

func unchanged(row *ent.Coverage, e domain.Enrollee) bool {
	return string(row.Months) == string(e.Months) && row.Mbi == string(e.IDs.Current) && row.HistoricMbis == mbisToText(e.IDs.Historic)
}

func (d *difference) begin(ctx context.Context, e domain.Enrollee) error {
	d.changed = true
	if d.begun = append(d.begun, e); len(d.begun) < chunk {
		return nil
	}
	return d.flush(ctx)
}

func (d *difference) end(ctx context.Context, row *ent.Coverage) error {
	d.changed = true
	if d.ended = append(d.ended, row.ID); len(d.ended) < chunk {
		return nil
	}
	return d.flush(ctx)
}

func (d *difference) flush(ctx context.Context) error {
	if len(d.ended) > 0 {
		if err := d.Coverage.Update().Where(coverage.IDIn(d.ended...)).SetUntilVersion(d.next).Exec(ctx); err != nil {
			return fmt.Errorf("end the coverage of %d people: %w", len(d.ended), err)
		}
	}
	if len(d.begun) > 0 {
		err := d.Coverage.MapCreateBulk(d.begun, func(c *ent.CoverageCreate, i int) {
			coverageToRow(c, d.contract, d.next, d.begun[i])
		}).Exec(ctx)
		if err != nil {
			return fmt.Errorf("begin the coverage of %d people: %w", len(d.begun), err)
		}
	}
	d.begun, d.ended = slices.Delete(d.begun, 0, len(d.begun)), d.ended[:0]
	return nil
}

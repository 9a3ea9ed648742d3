package entstore

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"slices"

	"entgo.io/ent/dialect"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ent"
	"cms.gov/ab2d/ent/coverage"
)

// difference writes what distinguishes the next version from the one in force.
type difference struct {
	unit
	conn     *sql.Conn // the one that the transaction is on
	contract domain.ContractNumber
	next     domain.EnrollmentVersion
	changed  bool

	begun []domain.Enrollee
	ended []int64
}

// against walks both sides in the order of patients, a page and a chunk at a
// time.
func (d *difference) against(ctx context.Context, current domain.EnrollmentVersion, enrollees iter.Seq2[domain.Enrollee, error]) error {
	next, stop := iter.Pull2(members(ctx, d.tx, d.contract, current, domain.KeyRange{}))
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
		for more && err == nil && row.patient < e.Patient {
			if err := d.end(ctx, row); err != nil {
				return err
			}
			row, err, more = next()
		}
		if err != nil {
			return err
		}
		if more && row.patient == e.Patient {
			same := row.same(e)
			if !same {
				if err := d.end(ctx, row); err != nil {
					return err
				}
			}
			row, err, more = next()
			if same {
				continue
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

func (d *difference) begin(ctx context.Context, e domain.Enrollee) error {
	d.changed = true
	if d.begun = append(d.begun, e); len(d.begun) < d.buffer() {
		return nil
	}
	return d.flush(ctx)
}

func (d *difference) end(ctx context.Context, row *member) error {
	d.changed = true
	if d.ended = append(d.ended, row.id); len(d.ended) < d.buffer() {
		return nil
	}
	return d.flush(ctx)
}

// copied is how many rows are kept back to be copied at once, a few megabytes.
const copied = 10_000

func (d *difference) buffer() int {
	if d.dialect == dialect.Postgres {
		return copied
	}
	return chunk
}

func (d *difference) flush(ctx context.Context) error {
	if len(d.ended) > 0 {
		if err := d.endAll(ctx); err != nil {
			return fmt.Errorf("end the coverage of %d people: %w", len(d.ended), err)
		}
	}
	if len(d.begun) > 0 {
		if err := d.beginAll(ctx); err != nil {
			return fmt.Errorf("begin the coverage of %d people: %w", len(d.begun), err)
		}
	}
	d.begun, d.ended = slices.Delete(d.begun, 0, len(d.begun)), d.ended[:0]
	return nil
}

func (d *difference) endAll(ctx context.Context) error {
	if d.dialect != dialect.Postgres {
		return d.Coverage.Update().Where(coverage.IDIn(d.ended...)).SetUntilVersion(d.next).Exec(ctx)
	}
	_, err := d.tx.ExecContext(ctx, "UPDATE coverage SET until_version = $1 WHERE id = ANY($2)", int64(d.next), d.ended)
	return err
}

func (d *difference) beginAll(ctx context.Context) error {
	if d.dialect != dialect.Postgres {
		return d.Coverage.MapCreateBulk(d.begun, func(c *ent.CoverageCreate, i int) {
			coverageToRow(c, d.contract, d.next, d.begun[i])
		}).Exec(ctx)
	}
	return d.conn.Raw(func(driver any) error {
		_, err := driver.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{coverage.Table}, copiedColumns,
			pgx.CopyFromSlice(len(d.begun), func(i int) ([]any, error) { return copiedRow(d.contract, d.next, d.begun[i]), nil }))
		return err
	})
}

var copiedColumns = []string{coverage.FieldContract, coverage.FieldPatient, coverage.FieldFromVersion,
	coverage.FieldMonths, coverage.FieldMbi, coverage.FieldHistoricMbis}

func copiedRow(n domain.ContractNumber, v domain.EnrollmentVersion, e domain.Enrollee) []any {
	return []any{string(n), string(e.Patient), int64(v), []byte(e.Months), string(e.IDs.Current), mbisToText(e.IDs.Historic)}
}

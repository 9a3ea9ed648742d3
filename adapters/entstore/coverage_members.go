package entstore

import (
	"context"
	"database/sql"
	"iter"

	"cms.gov/ab2d/domain"
)

// page is how many enrollees are read at once: few enough to hold, and no
// cursor stays open while the reader works on them. A transaction that stays
// open for as long would keep the database from cleaning up.
const page = 5000

// member is a row of coverage, as much of it as is ever read.
type member struct {
	id       int64
	patient  domain.PatientID
	months   domain.MonthSet
	mbi      domain.MBI
	historic string
}

func (m *member) enrollee() domain.Enrollee {
	return domain.Enrollee{Patient: m.patient, Months: m.months, IDs: domain.Identifiers{Current: m.mbi, Historic: mbisFromText(m.historic)}}
}

func (m *member) same(e domain.Enrollee) bool {
	return m.months == e.Months && m.mbi == e.IDs.Current && m.historic == mbisToText(e.IDs.Historic)
}

// querier is a database or a transaction on it.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// members yields the rows of one version in the byte order of patients. The row
// is good until the next.
func members(ctx context.Context, db querier, n domain.ContractNumber, v domain.EnrollmentVersion, keys domain.KeyRange) iter.Seq2[*member, error] {
	return func(yield func(*member, error) bool) {
		some := make([]member, 0, min(page, 64))
		for next := ">="; ; next = ">" {
			var err error
			if some, err = readPage(ctx, db, some[:0], n, v, next, keys); err != nil {
				yield(nil, err)
				return
			}
			for i := range some {
				if !yield(&some[i], nil) {
					return
				}
			}
			if len(some) < page {
				return
			}
			keys.From = some[len(some)-1].patient
		}
	}
}

// readPage reads by the unique index of coverage, which begins with the contract
// and the patient. The statement is written out, since millions of rows go
// through it.
func readPage(ctx context.Context, db querier, some []member, n domain.ContractNumber, v domain.EnrollmentVersion, next string, keys domain.KeyRange) ([]member, error) {
	query := "SELECT id, patient, months, mbi, historic_mbis FROM coverage" +
		" WHERE contract = $1 AND from_version <= $2 AND (until_version IS NULL OR until_version > $2) AND patient " + next + " $3"
	args := []any{string(n), int64(v), string(keys.From), page}
	if keys.To != "" {
		query, args = query+" AND patient <= $5", append(args, string(keys.To))
	}
	rows, err := db.QueryContext(ctx, query+" ORDER BY patient LIMIT $4", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var m member
	var months sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&m.id, &m.patient, &months, &m.mbi, &m.historic); err != nil {
			return nil, err
		}
		m.months = domain.MonthSet(months)
		some = append(some, m)
	}
	return some, rows.Err()
}

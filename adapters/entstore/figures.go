package entstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"entgo.io/ent/dialect/sql"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ent"
	"cms.gov/ab2d/ent/exportjob"
	"cms.gov/ab2d/ent/outputfile"
	"cms.gov/ab2d/ent/partition"
)

// figures implements ports.JobFigures.
type figures struct{ unit }

// total is the sum of an expression over the rows of a group, as a whole number.
func total(of, as string) ent.AggregateFunc {
	return func(*sql.Selector) string { return sql.As("CAST(COALESCE(SUM("+of+"), 0) AS bigint)", as) }
}

func (s figures) Of(ctx context.Context, ids []domain.JobID) (map[domain.JobID]domain.JobFigures, error) {
	found := map[domain.JobID]domain.JobFigures{}
	for some := range slices.Chunk(ids, chunk) {
		there, err := s.ExportJob.Query().Where(exportjob.IDIn(some...)).IDs(ctx)
		if err != nil {
			return nil, err
		}
		for _, id := range there {
			found[id] = domain.JobFigures{}
		}
		if err := s.partitionFigures(ctx, some, found); err != nil {
			return nil, err
		}
		if err := s.fileFigures(ctx, some, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (s figures) partitionFigures(ctx context.Context, ids []domain.JobID, found map[domain.JobID]domain.JobFigures) error {
	var rows []struct {
		JobID      domain.JobID `json:"job_id"`
		Partitions int          `json:"of_job"`
		Open       int          `json:"still_open"`
		Attempts   int          `json:"all_attempts"`
		Members    int          `json:"all_members"`
		Processed  int          `json:"processed_members"`
	}
	err := s.Partition.Query().Where(partition.JobIDIn(ids...)).GroupBy(partition.FieldJobID).Aggregate(
		total("1", "of_job"), total("CASE WHEN state = 'open' THEN 1 ELSE 0 END", "still_open"), total("attempt", "all_attempts"),
		total("members", "all_members"), total("CASE WHEN state = 'done' THEN members ELSE processed END", "processed_members"),
	).Scan(ctx, &rows)
	for _, r := range rows {
		f := found[r.JobID]
		f.Progress = domain.Progress{Processed: r.Processed, Members: r.Members}
		f.Partitions, f.Open, f.Attempts = r.Partitions, r.Open, r.Attempts
		found[r.JobID] = f
	}
	return err
}

func (s figures) fileFigures(ctx context.Context, ids []domain.JobID, found map[domain.JobID]domain.JobFigures) error {
	var rows []struct {
		JobID  domain.JobID `json:"job_id"`
		Data   int          `json:"data_files"`
		Errors int          `json:"error_files"`
		Lines  int          `json:"data_lines"`
		Plain  int64        `json:"plain"`
		Stored int64        `json:"stored"`
	}
	err := s.OutputFile.Query().Where(outputfile.JobIDIn(ids...)).GroupBy(outputfile.FieldJobID).Aggregate(
		total("CASE WHEN kind = 'data' THEN 1 ELSE 0 END", "data_files"), total("CASE WHEN kind = 'error' THEN 1 ELSE 0 END", "error_files"),
		total("CASE WHEN kind = 'data' THEN lines ELSE 0 END", "data_lines"), total("plain_bytes", "plain"), total("stored_bytes", "stored"),
	).Scan(ctx, &rows)
	for _, r := range rows {
		f := found[r.JobID]
		f.Files, f.ErrorFiles, f.Lines, f.PlainBytes, f.StoredBytes = r.Data, r.Errors, r.Lines, r.Plain, r.Stored
		found[r.JobID] = f
	}
	return err
}

// ended is read without ent, which would make a row of each with all its columns.
// Instants are expressions, since SQLite's driver is slow to read columns of them.
const ended = `SELECT id, state, COALESCE(created_at, created_at), COALESCE(started_at, started_at), COALESCE(completed_at, completed_at), expires_at IS NOT NULL, exported_bytes FROM export_jobs WHERE completed_at >= $1 AND completed_at < $2 ORDER BY completed_at, id`

func (s figures) Ended(ctx context.Context, from, to time.Time) ([]domain.EndedJob, error) {
	rows, err := s.tx.QueryContext(ctx, ended, kept(from), kept(to))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []domain.EndedJob
	for rows.Next() {
		var j domain.EndedJob
		var created, completed instant
		var started *instant
		if err := rows.Scan(&j.ID, &j.State, &created, &started, &completed, &j.Succeeded, &j.PlainBytes); err != nil {
			return nil, err
		}
		if started != nil {
			j.StartedAt = started.UTC()
		}
		j.State, j.CreatedAt, j.CompletedAt = stateFromRow(j.State), created.UTC(), completed.UTC()
		found = append(found, j)
	}
	return found, rows.Err()
}

// newest is how many jobs LastExports looks at to begin with. They are of the
// contracts that are in use; the others have few, and are asked for by name.
const newest = 500

// lastOf is when the latest complete export of some contracts ended. As an
// aggregate it goes by the contract's own jobs, and by no others.
const lastOf = `SELECT c.contract, MAX(j.completed_at) FROM job_contracts c JOIN export_jobs j ON j.id = c.job_id
WHERE c.contract IN (%s) AND j.state IN ('successful', 'successful` + withTerms + `', 'successful` + narrowed + `', 'expired', 'expired` + withTerms + `', 'expired` + narrowed + `') GROUP BY c.contract`

func (s figures) LastExports(ctx context.Context) (map[domain.ContractNumber]time.Time, error) {
	rows, err := s.ExportJob.Query().Where(exportjob.CompletedAtNotNil()).Order(ent.Desc(exportjob.FieldCompletedAt)).Limit(newest).
		Select(exportjob.FieldState, exportjob.FieldCompletedAt, exportjob.FieldContracts).All(ctx)
	if err != nil {
		return nil, err
	}
	last := map[domain.ContractNumber]time.Time{}
	for _, r := range rows { // the latest first
		if state := stateFromRow(r.State); state != domain.Successful && state != domain.Lapsed {
			continue
		}
		for _, n := range r.Contracts {
			if last[n].IsZero() {
				last[n] = orZero(r.CompletedAt)
			}
		}
	}
	if len(rows) < newest {
		return last, nil
	}
	others, err := s.Contract.Query().IDs(ctx)
	if err != nil {
		return nil, err
	}
	others = slices.DeleteFunc(others, func(n string) bool { return !last[domain.ContractNumber(n)].IsZero() })
	for some := range slices.Chunk(others, chunk) {
		if err := s.addLast(ctx, some, last); err != nil {
			return nil, err
		}
	}
	return last, nil
}

func (s figures) addLast(ctx context.Context, contracts []string, last map[domain.ContractNumber]time.Time) error {
	marks, args := make([]string, len(contracts)), make([]any, len(contracts))
	for i, n := range contracts {
		marks[i], args[i] = fmt.Sprintf("$%d", i+1), n
	}
	rows, err := s.tx.QueryContext(ctx, fmt.Sprintf(lastOf, strings.Join(marks, ", ")), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var n domain.ContractNumber
		var at instant
		if err := rows.Scan(&n, &at); err != nil {
			return err
		}
		last[n] = at.UTC()
	}
	return rows.Err()
}

// instant is what an expression over a column of instants gives: on SQLite,
// which knows the kinds of columns only, that is text.
type instant struct{ time.Time }

// Scan implements sql.Scanner.
func (t *instant) Scan(v any) (err error) {
	switch v := v.(type) {
	case time.Time:
		t.Time = v
	case string:
		t.Time, err = time.Parse("2006-01-02 15:04:05.999999999-07:00", v)
	default:
		err = fmt.Errorf("%T is no instant", v)
	}
	return err
}

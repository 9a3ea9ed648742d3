package entstore

import (
	"context"
	"slices"
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

func (s figures) Ended(ctx context.Context, from, to time.Time) ([]domain.EndedJob, error) {
	rows, err := s.ExportJob.Query().
		Where(exportjob.CompletedAtGTE(kept(from)), exportjob.CompletedAtLT(kept(to))).
		Order(ent.Asc(exportjob.FieldCompletedAt, exportjob.FieldID)).
		Select(exportjob.FieldState, exportjob.FieldCreatedAt, exportjob.FieldStartedAt, exportjob.FieldCompletedAt).All(ctx)
	if err != nil {
		return nil, err
	}
	var sums []struct {
		JobID domain.JobID `json:"job_id"`
		Plain int64        `json:"plain"`
	}
	err = s.OutputFile.Query().
		Where(outputfile.HasJobWith(exportjob.CompletedAtGTE(kept(from)), exportjob.CompletedAtLT(kept(to)))).
		GroupBy(outputfile.FieldJobID).Aggregate(total("plain_bytes", "plain")).Scan(ctx, &sums)
	plain := map[domain.JobID]int64{}
	for _, r := range sums {
		plain[r.JobID] = r.Plain
	}
	return all(rows, func(r *ent.ExportJob) domain.EndedJob {
		return domain.EndedJob{ID: r.ID, State: r.State, CreatedAt: r.CreatedAt.UTC(), StartedAt: orZero(r.StartedAt),
			CompletedAt: orZero(r.CompletedAt), PlainBytes: plain[r.ID]}
	}), err
}

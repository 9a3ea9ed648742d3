package entstore

import (
	"context"
	"fmt"
	"slices"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ent"
	"cms.gov/ab2d/ent/exportjob"
	"cms.gov/ab2d/ent/outputfile"
)

// outputFiles implements ports.OutputFiles.
type outputFiles struct{ unit }

func (s outputFiles) Add(ctx context.Context, files []domain.OutputFile) error {
	if len(files) == 0 {
		return nil
	}
	return s.adding(ctx, fmt.Sprintf("a file of job %s", files[0].Job), func() error {
		for some := range slices.Chunk(files, chunk) {
			err := s.OutputFile.MapCreateBulk(some, func(c *ent.OutputFileCreate, i int) { outputFileToRow(c, some[i]) }).Exec(ctx)
			if err != nil {
				return err
			}
		}
		sums := map[domain.JobID]int64{} // for figures over many jobs
		for _, f := range files {
			sums[f.Job] += f.Plain.Bytes
		}
		for job, n := range sums {
			if err := s.ExportJob.Update().Where(exportjob.ID(job)).AddExportedBytes(n).Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s outputFiles) OfJob(ctx context.Context, id domain.JobID) ([]domain.OutputFile, error) {
	rows, err := s.OutputFile.Query().Where(outputfile.JobID(id)).Order(ent.Asc(outputfile.FieldID)).All(ctx)
	return all(rows, outputFileFromRow), err
}

func (s outputFiles) Get(ctx context.Context, id domain.JobID, name string) (domain.OutputFile, error) {
	row, err := s.OutputFile.Query().Where(outputfile.JobID(id), outputfile.Name(name)).Only(ctx)
	if err != nil {
		return domain.OutputFile{}, missing(err, "job %s has no file of that name", id)
	}
	return outputFileFromRow(row), nil
}

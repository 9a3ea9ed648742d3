package entstore

import (
	"context"
	"database/sql"
	"errors"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ent"
	"cms.gov/ab2d/ent/download"
)

// downloads implements ports.Downloads.
type downloads struct{ unit }

func (s downloads) OfFile(ctx context.Context, id domain.JobID, name string) ([]domain.Download, error) {
	rows, err := s.Download.Query().Where(download.JobID(id), download.File(name)).Order(ent.Asc(download.FieldID)).All(ctx)
	return all(rows, downloadFromRow), err
}

func (s downloads) Fetched(ctx context.Context, id domain.JobID) ([]string, error) {
	return s.Download.Query().Where(download.JobID(id), download.FetchesGT(0)).Unique(true).Select(download.FieldFile).Strings(ctx)
}

func (s downloads) Update(ctx context.Context, key domain.DownloadKey, change func(*domain.Download)) error {
	query := s.Download.Query().Where(download.JobID(key.Job), download.File(key.File), download.Client(key.Client), download.FormEQ(key.Form))
	if s.locks() {
		query.ForUpdate()
	}
	row, err := query.Clone().Only(ctx)
	if ent.IsNotFound(err) {
		// Of two units of work that begin the same account, one waits here for the
		// other, and finds its row.
		account := domain.Download{Key: key}
		change(&account)
		create := s.Download.Create().SetJobID(key.Job).SetFile(key.File).SetClient(key.Client).SetForm(key.Form)
		downloadToRow(create.Mutation(), account)
		err = create.OnConflictColumns(download.FieldJobID, download.FieldFile, download.FieldClient, download.FieldForm).DoNothing().Exec(ctx)
		if !errors.Is(err, sql.ErrNoRows) { // no rows: it was there
			return err
		}
		row, err = query.Only(ctx)
	}
	if err != nil {
		return err
	}
	account := downloadFromRow(row)
	change(&account)
	update := s.Download.Update().Where(download.ID(row.ID))
	downloadToRow(update.Mutation(), account)
	return update.Exec(ctx)
}

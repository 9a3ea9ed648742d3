package telemetry

import (
	"context"
	"io"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"cms.gov/ab2d/application/download"
	"cms.gov/ab2d/domain"
)

// downloads hands out files; see download.UseCase.
type downloads interface {
	Find(ctx context.Context, ask download.Ask) (domain.OutputFile, error)
	Open(ctx context.Context, file domain.OutputFile, form domain.Form, start int64) (io.ReadCloser, error)
	Sent(ctx context.Context, ask download.Ask, file domain.OutputFile, sent domain.ByteRange) error
	Ended(ctx context.Context, contracts []domain.ContractNumber) ([]domain.ContractNumber, error)
}

// Downloads counts what is sent of files.
type Downloads struct {
	downloads
	sent  metric.Int64Counter
	bytes metric.Int64Counter
}

// NewDownloads returns d, counted.
func NewDownloads(d downloads) *Downloads {
	return &Downloads{downloads: d,
		sent:  counter("ab2d.downloads", "{transfer}", "Transfers of files, by whether they came to the end of the file."),
		bytes: counter("ab2d.download.bytes", "By", "Bytes of files that were sent."),
	}
}

// Sent records what was sent of a file and counts it.
func (d *Downloads) Sent(ctx context.Context, ask download.Ask, file domain.OutputFile, sent domain.ByteRange) error {
	form := formKey.String(string(ask.Form))
	d.sent.Add(ctx, 1, metric.WithAttributes(form, attribute.Bool("ab2d.complete", sent.End == download.Size(file, ask.Form))))
	d.bytes.Add(ctx, sent.End-sent.Start, metric.WithAttributes(form))
	return d.downloads.Sent(ctx, ask, file, sent)
}

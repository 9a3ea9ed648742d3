package s3store

import (
	"context"
	"mime"
	"net/url"
	"time"

	"cms.gov/ab2d/ports"
)

// Link returns an address at which anybody can fetch the file as it is stored,
// gzip, for so long, at most seven days: as a file of that name and content
// type. It does not ask whether there is such a file. It holds no key, but who
// has it has the file.
func (s *Store) Link(ctx context.Context, key, filename, contentType string, life time.Duration) (string, error) {
	if err := ports.CheckKey(key); err != nil {
		return "", err
	}
	u, err := s.client.PresignedGetObject(ctx, s.settings.Bucket, s.prefix+key, life, url.Values{
		"response-content-type":        {contentType},
		"response-content-encoding":    {"gzip"},
		"response-content-disposition": {mime.FormatMediaType("attachment", map[string]string{"filename": filename})},
	})
	if err != nil {
		return "", s.failed(ctx, "sign an address", err)
	}
	return u.String(), nil
}

package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"cms.gov/ab2d/adapters/s3store"
	"cms.gov/ab2d/adapters/s3store/s3test"
)

// An export to an S3 store has the same files as one to a folder, and nothing
// but them is kept.
func TestAnExportOverS3HasTheSameFiles(t *testing.T) {
	ctx := patience(t)
	const kickOff = "/api/v2/fhir/Group/S0000/$export"
	export := func(settings ...string) (*server, []file) {
		t.Helper()
		s := start(t, t.TempDir(), "127.0.0.1:0", append(settings, "--partition-members", "25")...)
		if err := s.signIn(ctx, sponsorOf(t, "S0000")); err != nil {
			t.Fatal(err)
		}
		m, err := s.export(ctx, kickOff)
		if err != nil {
			t.Fatal(err)
		}
		return s, s.files(ctx, t, m)
	}
	folder, want := export()
	folder.kill()

	bucket, endpoint := s3test.Bucket(t), s3test.Start(t).Endpoint()
	overS3, got := export("--storage", "s3", "--s3-endpoint", endpoint, "--s3-bucket", bucket, "--s3-prefix", "exports")
	if len(got) != len(want) || len(want) == 0 {
		t.Fatalf("%d files, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("file %v, want %v", got[i], want[i])
		}
	}
	if kept := stored(ctx, t, s3store.Settings{Endpoint: endpoint, Bucket: bucket, Prefix: "exports"}); len(kept) != len(want) {
		t.Errorf("the bucket has %q, want %d files", kept, len(want))
	}
	if left := filesUnder(t, filepath.Join(overS3.dir, "files")); len(left) != 0 {
		t.Errorf("the data directory has files too: %s", strings.Join(left, ", "))
	}
}

func stored(ctx context.Context, t *testing.T, settings s3store.Settings) (keys []string) {
	t.Helper()
	store, err := s3store.New(ctx, settings)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for info, err := range store.List(ctx, "jobs/") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	return keys
}

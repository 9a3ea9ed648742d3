package main

import (
	"strings"
	"testing"

	"cms.gov/ab2d/adapters/s3store/s3test"
)

// With presigned addresses the store itself sends the files, to whoever has
// the address, and the manifest says that no token is needed.
func TestManifestsWithAddressesOfTheStore(t *testing.T) {
	ctx := patience(t)
	store, bucket := s3test.Start(t), s3test.Bucket(t)
	s := start(t, t.TempDir(), "127.0.0.1:0", "--storage", "s3", "--s3-endpoint", store.Endpoint(), "--s3-bucket", bucket, "--downloads", "0", "--presigned", "10m")
	if err := s.signIn(ctx, sponsorOf(t, "S0000")); err != nil {
		t.Fatal(err)
	}
	m, err := s.export(ctx, "/api/v2/fhir/Patient/$export")
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Output) == 0 || m.RequiresAccessToken {
		t.Fatalf("%d files, requiresAccessToken %v", len(m.Output), m.RequiresAccessToken)
	}
	for _, o := range m.Output {
		if !strings.HasPrefix(o.URL, store.Endpoint()) {
			t.Errorf("a file is at %s", o.URL)
		}
	}
	s.token = "" // nobody needs one
	s.kill()     // nor us
	if sum, err := s.fetchAll(ctx, m); err != nil || sum.lines == 0 {
		t.Errorf("%d lines, %v", sum.lines, err)
	}
}

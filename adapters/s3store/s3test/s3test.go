// Package s3test gives tests an S3 store: a real server of this test program,
// which goes away with it, however that ends.
package s3test

import (
	"crypto/rand"
	"os"
	"strings"
	"sync"
	"testing"

	"cms.gov/ab2d/adapters/s3store/s3test/server"
)

// Domain is what the server takes bucket names under, in the virtual style.
const Domain = "localhost"

var once = sync.OnceValues(func() (*server.Server, error) {
	s, err := server.Start(server.Settings{VirtualDomain: Domain})
	if err != nil {
		return nil, err
	}
	for _, pair := range s.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		os.Setenv(name, value)
	}
	return s, nil
})

// Start returns the server of this test program. Its keys are in the
// environment, where stores and programs that tests start find them.
func Start(t testing.TB) *server.Server {
	t.Helper()
	s, err := once()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Bucket makes a bucket of the test's own and returns its name.
func Bucket(t testing.TB) string {
	t.Helper()
	name := "ab2d-" + strings.ToLower(rand.Text())
	if err := Start(t).CreateBucket(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	return name
}

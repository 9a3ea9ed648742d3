package server_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"cms.gov/ab2d/adapters/s3store/s3test/server"
)

// What was there is there again at the same address, however the server ended.
func TestAServerIsStartedAgain(t *testing.T) {
	dir := t.TempDir()
	s, err := server.Start(server.Settings{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Remove()
	if err := s.CreateBucket(t.Context(), "kept"); err != nil {
		t.Fatal(err)
	}
	endpoint := s.Endpoint()
	for name, end := range map[string]func(){"stopped": s.Stop, "killed": s.Kill} {
		end()
		end() // nothing more happens
		if conn, err := net.Dial("tcp", s.Address()); err == nil {
			conn.Close()
			t.Errorf("%s, it still answers", name)
		}
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		if err := s.Start(); err == nil {
			t.Error("it was started twice")
		}
		if err := s.CreateBucket(t.Context(), "kept"); err == nil {
			t.Errorf("%s, it forgot the bucket", name)
		}
		if s.Endpoint() != endpoint {
			t.Errorf("%s, it is at %s, not at %s", name, s.Endpoint(), endpoint)
		}
	}
	s.Remove()
	if _, err := os.Stat(filepath.Join(dir, "data", "kept")); err != nil {
		t.Errorf("a folder that was given is removed: %v", err)
	}
}

func TestATemporaryFolderGoesWithItsServer(t *testing.T) {
	s, err := server.Start(server.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if _, err := os.Stat(s.Data()); err != nil {
		t.Errorf("it is gone before Remove, so nothing can be started again: %v", err)
	}
	s.Remove()
	if _, err := os.Stat(filepath.Dir(s.Data())); !os.IsNotExist(err) {
		t.Errorf("it stays: %v", err)
	}
}

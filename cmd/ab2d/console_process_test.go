package main

import (
	"net/http"
	"testing"
)

// A process can be the console alone, beside others that are the API and the workers.
func TestAProcessThatIsTheConsoleAlone(t *testing.T) {
	s := start(t, t.TempDir(), "127.0.0.1:0", "--roles", "console")
	for path, want := range map[string]int{"/console/login": 200, "/ready": 200, "/api/v2/fhir/metadata": 404, "/oauth2/aus2r7y3gdaFMKBol297/v1/token": 404} {
		res, err := http.Get(s.base + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s answers %d, want %d", path, res.StatusCode, want)
		}
	}
}

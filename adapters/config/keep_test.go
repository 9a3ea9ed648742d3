package config_test

import (
	"testing"

	"cms.gov/ab2d/adapters/config"
)

func TestWhatIsKnownOfAnExportOutlivesItsFiles(t *testing.T) {
	for given, want := range map[string]bool{"0s": true, "24h": true, "8760h": true, "23h": false, "-1s": false} {
		if _, _, err := config.Load([]string{"--keep-jobs", given}, nil); (err == nil) != want {
			t.Errorf("keep-jobs %s: %v", given, err)
		}
	}
}

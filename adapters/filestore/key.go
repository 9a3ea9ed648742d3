package filestore

import (
	"strings"

	"cms.gov/ab2d/ports"
)

const (
	// tempMark stands between a key and what makes a temporary name of it.
	tempMark = "~"

	maxPart = 200 // file systems allow 255, and a temporary name adds 27
)

// checkKey returns an invalid error for what the contract does not allow, and for
// what file systems do not.
func checkKey(key string) error {
	if err := ports.CheckKey(key); err != nil {
		return err
	}
	for part := range strings.SplitSeq(key, "/") {
		if len(part) > maxPart {
			return ports.NoKey("a part of it is too long")
		}
	}
	return nil
}

// finalKey returns the key that a name in the store has, or will have.
func finalKey(name string) string {
	key, suffix, found := strings.Cut(name, tempMark)
	if !found || suffix == "" || strings.IndexFunc(suffix, notInSuffix) >= 0 || len(suffix) > 26 {
		return name
	}
	return key
}

func notInSuffix(r rune) bool { return !('A' <= r && r <= 'Z' || '2' <= r && r <= '7') }

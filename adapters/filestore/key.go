package filestore

import (
	"strings"

	"cms.gov/ab2d/domain"
)

const (
	// tempMark stands between a key and what makes a temporary name of it.
	tempMark = "~"

	maxKey  = 1024 // as S3 has it, so that keys stay portable
	maxPart = 200  // file systems allow 255, and a temporary name adds 27
)

// checkKey returns an invalid error for what the contract does not allow.
func checkKey(key string) error {
	if len(key) > maxKey {
		return invalidKey("it is too long")
	}
	for part := range strings.SplitSeq(key, "/") {
		if len(part) > maxPart {
			return invalidKey("a part of it is too long")
		}
		if strings.Trim(part, ".") == "" {
			return invalidKey("a part of it is empty or made of dots")
		}
		if strings.IndexFunc(part, notInKey) >= 0 {
			return invalidKey("it has a character other than letters, digits, '-', '_', '.' and '/'")
		}
	}
	return nil
}

func notInKey(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_', r == '.':
		return false
	}
	return true
}

func invalidKey(why string) error {
	return domain.Errorf(domain.Invalid, "This is no key of a file: %s.", why)
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

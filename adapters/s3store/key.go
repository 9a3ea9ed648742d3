package s3store

import (
	"encoding/base64"
	"strings"

	"cms.gov/ab2d/domain"
)

const (
	// uploadMark stands between a key and what makes the name of an upload of it.
	uploadMark = "~"

	maxKey = 1024 // as S3 has it
)

// checkKey returns an invalid error for what the contract does not allow.
func checkKey(key string) error {
	if len(key) > maxKey {
		return invalidKey("it is too long")
	}
	for part := range strings.SplitSeq(key, "/") {
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

// uploadName names what was uploaded of a key and is not committed. A store's
// number of it may have any characters, so they are made plain.
func uploadName(key, upload string) string {
	return key + uploadMark + base64.RawURLEncoding.EncodeToString([]byte(upload))
}

// parseName returns the key that a name of the list is about, and the number of
// the upload unless it is a file's.
func parseName(name string) (key, upload string, err error) {
	key, suffix, found := strings.Cut(name, uploadMark)
	if !found {
		return name, "", checkKey(name)
	}
	number, err := base64.RawURLEncoding.DecodeString(suffix)
	if err != nil || len(number) == 0 {
		return "", "", invalidKey("it has a '~' and is no name of an upload")
	}
	return key, string(number), checkKey(key)
}

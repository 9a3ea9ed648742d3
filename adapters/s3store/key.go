package s3store

import (
	"encoding/base64"
	"strings"

	"cms.gov/ab2d/ports"
)

// uploadMark stands between a key and what makes the name of an upload of it.
const uploadMark = "~"

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
		return name, "", ports.CheckKey(name)
	}
	number, err := base64.RawURLEncoding.DecodeString(suffix)
	if err != nil || len(number) == 0 {
		return "", "", ports.NoKey("it has a '~' and is no name of an upload")
	}
	return key, string(number), ports.CheckKey(key)
}

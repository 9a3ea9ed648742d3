package audit

import (
	"encoding/hex"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// Where the trail keeps files. The sweeper looks at the files of exports alone.
const (
	headRoot    = "audit/heads/"
	archiveRoot = "audit/archives/"
)

// headKey is the key of an exported head. It holds the hash, so that a head never
// takes the place of another, and so that the list of keys is all that has
// to be read to compare them. A folder has a thousand.
func headKey(number int64, hash string) string {
	return fmt.Sprintf("%s%07d/%010d-%s.json", headRoot, number/1000, number, hash)
}

// head is an exported head by its key.
type head struct {
	number int64
	hash   string
}

// parseHead reads a key and reports whether it is one of a head.
func parseHead(key string) (head, bool) {
	number, hash, ok := strings.Cut(strings.TrimSuffix(path.Base(key), ".json"), "-")
	n, err := strconv.ParseInt(number, 10, 64)
	if _, hexErr := hex.DecodeString(hash); !ok || err != nil || hexErr != nil || headKey(n, hash) != key {
		return head{}, false
	}
	return head{n, hash}, true
}

package exportclient

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"
)

// part is what is known of a file that is being fetched: of which bytes those on
// disk are the beginning.
type part struct {
	ETag     string `json:"etag,omitempty"`
	Encoding string `json:"encoding,omitempty"` // gzip, or nothing
	Total    int64  `json:"total"`              // bytes in that form, -1 while it is not known
	Digest   string `json:"digest,omitempty"`   // sha256 of the form, where the server told it

	path string
	have int64
}

// openPart returns what is there of a file. A part that nothing is known of is
// nothing.
func (f *folder) openPart(name string) (*part, error) {
	p := &part{Total: -1, path: f.private(name + ".part")}
	text, err := os.ReadFile(p.path + ".json")
	if errors.Is(err, fs.ErrNotExist) {
		return p, p.clear()
	} else if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, p); err != nil {
		return p, p.clear()
	}
	info, err := os.Stat(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, p.clear()
	} else if err != nil {
		return nil, err
	}
	p.have = info.Size()
	if p.Total >= 0 && p.have > p.Total {
		return p, p.clear()
	}
	return p, nil
}

// clear forgets the part.
func (p *part) clear() error {
	*p = part{Total: -1, path: p.path}
	for _, name := range []string{p.path + ".json", p.path} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// note puts on disk what is known, before the bytes that it is about.
func (p *part) note() error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return writeDurably(p.path+".json", text)
}

// continuable reports whether more of the same bytes can be asked for.
func (p *part) continuable() bool { return p.have > 0 && strong(p.ETag) }

func strong(etag string) bool { return strings.HasPrefix(etag, `"`) && len(etag) > 2 }

// whole reports whether all bytes are there, as far as the server told how many
// there are.
func (p *part) whole() bool { return p.Total >= 0 && p.have == p.Total }

// doubt throws away what turned out to be wrong. Where the file can be
// continued its first byte stays: a server that lets it be fetched once may
// still send the rest.
func (p *part) doubt() error {
	if !p.continuable() {
		return p.clear()
	}
	p.have = 1
	return os.Truncate(p.path, 1)
}

package exportclient

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// manifest is what the client understands of a manifest, of whatever version of
// the guide: what is missing is missing, and what is unknown is passed over.
type manifest struct {
	TransactionTime     string          `json:"transactionTime"`
	Request             string          `json:"request"`
	RequiresAccessToken any             `json:"requiresAccessToken"`
	Output              []item          `json:"output"`
	Error               []item          `json:"error"`
	Outcome             []item          `json:"outcome"` // what the fourth version calls error
	Deleted             []item          `json:"deleted"`
	Link                json.RawMessage `json:"link"` // a list, or one object
	Extension           json.RawMessage `json:"extension"`
}

type item struct {
	Type      string           `json:"type"`
	URL       string           `json:"url"`
	Count     *int64           `json:"count"`
	FileSize  int64            `json:"fileSize"` // of the fourth version; of which form it does not say
	Extension []map[string]any `json:"extension"`
}

// readManifest reads a page of a manifest.
func readManifest(page []byte) (manifest, error) {
	var m manifest
	d := json.NewDecoder(bytes.NewReader(page))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		return m, fmt.Errorf("the manifest cannot be read: %w", err)
	}
	if m.Output == nil && m.Error == nil && m.Outcome == nil {
		return m, fmt.Errorf("what should be the manifest has no output: %s", clip(string(page)))
	}
	return m, nil
}

// wantsToken reports whether files are to be asked for with the token. A
// manifest that does not say so was written by a server that forgot it.
func (m manifest) wantsToken() bool {
	switch v := m.RequiresAccessToken.(type) {
	case bool:
		return v
	case string:
		return v != "false"
	}
	return true
}

// next returns the address of the page that follows, or nothing.
func (m manifest) next() string {
	type link struct{ Relation, URL string }
	var several []link
	if json.Unmarshal(m.Link, &several) != nil {
		var one link
		if json.Unmarshal(m.Link, &one) != nil {
			return ""
		}
		several = []link{one}
	}
	for _, l := range several {
		if l.Relation == "next" {
			return l.URL
		}
	}
	return ""
}

// extension returns the extension of the manifest whose address ends in name.
// Up to the third version of the guide extensions are the members of an object.
func (m manifest) extension(name string) json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(m.Extension, &members) != nil {
		return nil
	}
	for key, value := range members {
		if strings.HasSuffix(key, "/"+name) {
			return value
		}
	}
	return nil
}

// Accounts returns what became of the enrollees, where the manifest tells that.
func (m manifest) accounts() []Account {
	var all []Account
	if json.Unmarshal(m.extension("enrollees"), &all) != nil {
		return nil
	}
	return all
}

// retry is a kick-off that the server has ready for those who are missing.
type retry struct {
	Method string          `json:"method"`
	URL    string          `json:"url"`
	Body   json.RawMessage `json:"body"`
}

func (m manifest) retries() []retry {
	var all []retry
	if json.Unmarshal(m.extension("retry"), &all) != nil {
		return nil
	}
	return all
}

// value returns an item's extension whose address ends in name, as a text.
func (i item) value(name string) string {
	for _, e := range i.Extension {
		address, _ := e["url"].(string)
		if !strings.HasSuffix(address, "/"+name) {
			continue
		}
		for key, v := range e {
			if strings.HasPrefix(key, "value") {
				return fmt.Sprint(v)
			}
		}
	}
	return ""
}

var hexDigest = regexp.MustCompile(`^(?:sha-?256:)?([0-9a-fA-F]{64})$`)

// digest returns an extension that is a sha256, in small hex digits.
func (i item) digest(name string) string {
	if m := hexDigest.FindStringSubmatch(i.value(name)); m != nil {
		return strings.ToLower(m[1])
	}
	return ""
}

// length returns an extension that is a number of bytes, and -1 if it is none.
func (i item) length(name string) int64 {
	n, err := strconv.ParseInt(i.value(name), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// safeName is what a file may be called on any disk. It begins with no dot.
var safeName = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,150}$`)

// files lists what the manifest has, each with a name of its own.
func (m manifest) files(kept []file, at *url.URL) ([]file, error) {
	taken := map[string]bool{}
	for _, f := range kept {
		taken[f.Name] = true
	}
	for _, part := range []struct {
		kind  fileKind
		items []item
	}{{output, m.Output}, {failures, append(m.Error, m.Outcome...)}, {deleted, m.Deleted}} {
		for _, i := range part.items {
			address, err := at.Parse(i.URL)
			if err != nil || i.URL == "" {
				return nil, fmt.Errorf("the manifest has %q as the address of a file", i.URL)
			}
			f := file{Kind: part.kind, Type: i.Type, URL: address.String(), Token: m.wantsToken(), Count: i.Count, PlainBytes: i.length("file_length"), WireBytes: i.length("gzip_file_length"),
				PlainSHA256: i.digest("checksum"), WireSHA256: i.digest("gzip_checksum")}
			f.Name = nameFor(f, address, len(kept), taken)
			taken[f.Name] = true
			kept = append(kept, f)
		}
	}
	return kept, nil
}

// nameFor calls a file as the server does, where that is a name and nobody else
// has it.
func nameFor(f file, address *url.URL, n int, taken map[string]bool) string {
	name := path.Base(address.Path)
	name = strings.TrimSuffix(name, ".gz")
	if !strings.HasSuffix(name, ".ndjson") {
		name += ".ndjson"
	}
	if safeName.MatchString(name) && !taken[name] && len(name) > len(".ndjson") {
		return name
	}
	kind := f.Type
	if !safeName.MatchString(kind) {
		kind = string(f.Kind)
	}
	for ; ; n++ {
		if name := fmt.Sprintf("%04d.%s.ndjson", n+1, kind); !taken[name] {
			return name
		}
	}
}

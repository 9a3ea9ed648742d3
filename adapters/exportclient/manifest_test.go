package exportclient

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The shapes that manifests have in the versions of the guide, and at servers.
func TestManifestsOfAllVersions(t *testing.T) {
	content, gone := claims("a", 7), []byte(`{"resourceType":"Bundle","type":"transaction"}`+"\n")
	for name, shape := range map[string]func(b *bulk) any{
		"first: no count, no error": func(b *bulk) any {
			return object{"transactionTime": "2026-11-01T00:00:00Z", "request": b.URL, "requiresAccessToken": true, "output": []object{{"type": "ExplanationOfBenefit", "url": "/f/a.ndjson"}}}
		},
		"second: deleted": func(b *bulk) any {
			return object{"transactionTime": "2026-11-01T00:00:00Z", "requiresAccessToken": true, "output": []object{b.item("a.ndjson", content)}, "error": []object{},
				"deleted": []object{{"type": "Bundle", "url": b.URL + "/f/del.ndjson", "count": 1}}}
		},
		"fourth: outcome, a list of extensions, no types": func(b *bulk) any {
			return object{"transactionTime": "2026-11-01T00:00:00Z", "requiresAccessToken": true, "manifestType": "x", "outputFormat": "application/fhir+ndjson",
				"output": []object{{"url": b.URL + "/f/a.ndjson", "fileSize": 123, "count": 7}}, "outcome": []object{{"url": b.URL + "/f/del.ndjson", "count": 1}},
				"extension": []object{{"url": "http://example.org/x", "valueString": "y"}}}
		},
		"AB2D as CMS runs it: a time for people, the errors' type, no count": func(b *bulk) any {
			item := b.item("a.ndjson", content)
			delete(item, "count")
			return object{"transactionTime": "Nov 9, 2023, 3:52:51 PM", "request": b.URL, "requiresAccessToken": true, "output": []object{item}, "error": []object{{"type": "ExplanationOfBenefit", "url": b.URL + "/f/del.ndjson"}}}
		},
		"a digest of the bytes as sent": func(b *bulk) any {
			item := b.item("a.ndjson", content)
			item["extension"] = []object{{"url": "https://dpc.example/checksum", "valueString": digest(zipped(content))}, {"url": "https://dpc.example/file_length", "valueDecimal": len(zipped(content))}}
			return object{"requiresAccessToken": true, "output": []object{item}, "error": []object{}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBulk(t)
			b.serve("a.ndjson", content)
			b.serve("del.ndjson", gone)
			b.manifest = func() any { return shape(b) }
			dir := t.TempDir()
			b.export(dir)
			holds(t, dir, "a.ndjson", content)
			text, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "del.ndjson") {
				holds(t, dir, "del.ndjson", gone)
			}
		})
	}
}

// The pages of a manifest make one list; an object and a list of links are both
// about.
func TestThePagesOfAManifest(t *testing.T) {
	for name, link := range map[string]func(object) any{"object": func(l object) any { return l }, "list": func(l object) any { return []object{l} }} {
		t.Run(name, func(t *testing.T) {
			b := newBulk(t)
			var pages [][]byte
			for i := range 3 {
				pages = append(pages, claims(fmt.Sprint(i), 4))
			}
			b.status = func(w http.ResponseWriter, r *http.Request) bool {
				n := 0
				fmt.Sscan(r.URL.Query().Get("page"), &n)
				m := object{"transactionTime": "2026-11-01T00:00:00Z", "requiresAccessToken": true, "output": []object{b.serve(fmt.Sprintf("S0000_000%d.ndjson", n+1), pages[n])}, "error": []object{}}
				if n < 2 {
					m["link"] = link(object{"relation": "next", "url": fmt.Sprintf("/fhir/job/1?page=%d", n+1)})
				} else {
					m["extension"] = object{"https://ab2d.cms.gov/enrollees": []object{{"contract": "S0000", "enrollees": 9}}}
				}
				text, _ := json.Marshal(m)
				_, _ = w.Write(text)
				return true
			}
			dir := t.TempDir()
			r := b.export(dir)
			for i, content := range pages {
				holds(t, dir, fmt.Sprintf("S0000_000%d.ndjson", i+1), content)
			}
			if r.Files != 3 || len(r.Accounts) != 1 {
				t.Errorf("result %+v", r)
			}
		})
	}
	b := newBulk(t)
	b.manifest = func() any {
		return object{"output": []object{}, "link": object{"relation": "next", "url": b.URL + "/fhir/job/1?round"}}
	}
	if told := b.refused(t.TempDir(), Mismatch); !strings.Contains(told, "leads nowhere") {
		t.Errorf("pages in a circle: %q", told)
	}
}

// The token belongs to the server. Where the manifest does not want it, it is
// not sent; where another host wants it, somebody has to allow that.
func TestTheTokenGoesNowhereElse(t *testing.T) {
	content := claims("a", 20)
	store := newBulk(t)
	store.serve("a.ndjson", content)
	sent := ""
	store.accept = func(r *http.Request, token string) int { sent += token; return 0 }
	item := store.item("a.ndjson", content)

	b := newBulk(t)
	wants := false
	b.manifest = func() any {
		return object{"requiresAccessToken": wants, "output": []object{item}, "error": []object{}}
	}
	dir := t.TempDir()
	b.export(dir)
	holds(t, dir, "a.ndjson", content)
	if sent != "" {
		t.Errorf("the token %s was sent to the store", sent)
	}

	wants = true
	n := len(store.requests)
	dir = t.TempDir()
	if told := b.refused(dir, Refused); !strings.Contains(told, "--allow-host "+store.host()) || len(store.requests) > n {
		t.Errorf("told %q; %d requests", told, len(store.requests)-n)
	}
	b.export(dir, func(s *Settings) { s.AllowHosts = []string{store.host()} })
	holds(t, dir, "a.ndjson", content)
	if sent == "" {
		t.Error("the token was not sent to the host that was allowed")
	}

	sent = ""
	b.files["/f/b.ndjson"] = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, store.URL+"/f/a.ndjson", http.StatusFound)
	}
	moved := b.item("b.ndjson", content)
	b.offer(moved)
	dir = t.TempDir()
	b.export(dir)
	holds(t, dir, "b.ndjson", content)
	if sent != "" {
		t.Errorf("the token %s went along with a redirect", sent)
	}
}

// An address that needs no token ends; the manifest has a new one.
func TestAnAddressThatHasEndedIsAskedForAnew(t *testing.T) {
	b := newBulk(t)
	content := claims("a", 2000)
	signed := 0
	b.manifest = func() any {
		signed++
		item := b.item("S0000_0001.ndjson", content)
		item["url"] = fmt.Sprintf("%s/f/S0000_0001.ndjson?signature=%d", b.URL, signed)
		return object{"requiresAccessToken": false, "output": []object{item}, "error": []object{}}
	}
	b.files["/f/S0000_0001.ndjson"] = func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("signature") == "1" {
			if r.Header.Get("Range") != "bytes=0-0" {
				w.WriteHeader(http.StatusForbidden)
				return
			}
		}
		whole(content)(w, r)
	}
	dir := t.TempDir()
	b.export(dir)
	holds(t, dir, "S0000_0001.ndjson", content)
}

// Whatever a server calls its files, they stay in the folder and do not take
// each other's place.
func TestNamesOfFiles(t *testing.T) {
	b := newBulk(t)
	var items []object
	for i, path := range []string{"/f/..%2F..%2Fetc%2Fpasswd", "/f/a.ndjson", "/g/a.ndjson", "/f/.hidden", "/f/data", "/f/b.ndjson.gz", "/f/"} {
		content := claims(fmt.Sprint(i), 1)
		b.files[strings.ReplaceAll(path, "%2F", "/")] = whole(content)
		items = append(items, object{"type": "Patient/..", "url": b.URL + path, "count": 1})
	}
	b.offer(items...)
	dir := t.TempDir()
	b.export(dir)
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(items)+2 {
		t.Errorf("%v, %v", entries, err)
	}
	holds(t, dir, "a.ndjson", claims("1", 1))
	holds(t, dir, "data.ndjson", claims("4", 1))
	holds(t, dir, "b.ndjson", claims("5", 1))
}

func TestOrders(t *testing.T) {
	all := []Parameter{{"_since", "2026-09-01T00:00:00+02:00"}, {"_type", "Patient"}, {"_type", "Coverage"}, {"_typeFilter", "ExplanationOfBenefit?type=CARRIER,DME"}, {"_typeFilter", "ExplanationOfBenefit?status=active"}, {"_maximumFileSize", "5000000"}}
	o, err := NewOrder("https://x/fhir/", "Group/S0000", all, false, true)
	want := "https://x/fhir/Group/S0000/$export?_maximumFileSize=5000000&_since=2026-09-01T00%3A00%3A00%2B02%3A00&_type=Patient%2CCoverage" +
		"&_typeFilter=ExplanationOfBenefit%3Ftype%3DCARRIER%2CDME&_typeFilter=ExplanationOfBenefit%3Fstatus%3Dactive"
	if err != nil || o.Method != "GET" || o.URL != want || o.Prefer != "handling=lenient" || o.Body != nil {
		t.Errorf("%+v, %v", o, err)
	}
	o, err = NewOrder("https://x/fhir", "", append(all, Parameter{"patient", "-1"}), false, false)
	body := `{"parameter":[{"name":"_since","valueInstant":"2026-09-01T00:00:00+02:00"},{"name":"_type","valueString":"Patient"},{"name":"_type","valueString":"Coverage"},` +
		`{"name":"_typeFilter","valueString":"ExplanationOfBenefit?type=CARRIER,DME"},{"name":"_typeFilter","valueString":"ExplanationOfBenefit?status=active"},` +
		`{"name":"_maximumFileSize","valuePositiveInt":5000000},{"name":"patient","valueReference":{"reference":"Patient/-1"}}],"resourceType":"Parameters"}`
	if err != nil || o.Method != "POST" || o.URL != "https://x/fhir/$export" || string(o.Body) != body {
		t.Errorf("%+v, %v\n%s", o, err, o.Body)
	}
	if _, err := NewOrder("https://x/fhir", "", []Parameter{{"_maximumFileSize", "big"}}, true, false); !is(err, Usage) {
		t.Errorf("a size that is none: %v", err)
	}
}

package exportclient

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAnExportEndsInItsFolder(t *testing.T) {
	b := newBulk(t)
	one, two := claims("a", 500), claims("b", 3)
	b.offer(b.serve("S0000_0001.ndjson", one), b.serve("S0000_0002.ndjson", two), b.serve("S0000_0003.ndjson", nil))
	dir := filepath.Join(t.TempDir(), "out")
	r := b.export(dir)
	holds(t, dir, "S0000_0001.ndjson", one)
	holds(t, dir, "S0000_0002.ndjson", two)
	holds(t, dir, "S0000_0003.ndjson", nil)
	if r.Lines != 503 || r.Files != 3 || r.TransactionTime != "2026-11-01T00:00:00.000Z" || r.Before {
		t.Errorf("result %+v", r)
	}
	n := len(b.requests)
	if r := b.export(dir); !r.Before || r.Lines != 503 || len(b.requests) != n {
		t.Errorf("once more: %+v, and %d requests", r, len(b.requests)-n)
	}
	info, err := os.Stat(filepath.Join(dir, "S0000_0001.ndjson"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := func() error {
		_, err := b.sponsor().Export(t.Context(), Order{Base: b.URL, Method: "GET", URL: b.URL + "/fhir/Patient/$export"}, dir, Options{})
		return err
	}(); !is(err, Usage) {
		t.Errorf("another export into the same folder: %v", err)
	}
}

// The connection is cut again and again, and no byte but the one where it
// goes on is asked for twice.
func TestACutDownloadGoesOnWhereItWas(t *testing.T) {
	b := newBulk(t)
	content := claims("a", 3000)
	size := len(zipped(content))
	sent := 0
	b.offer(b.item("S0000_0001.ndjson", content))
	serve := whole(content)
	b.files["/f/S0000_0001.ndjson"] = func(w http.ResponseWriter, r *http.Request) {
		l := &limited{ResponseWriter: w, left: size / 5}
		defer func() { sent += size/5 - l.left }()
		serve(l, r)
	}
	dir := t.TempDir()
	b.export(dir)
	holds(t, dir, "S0000_0001.ndjson", content)
	b.mu.Lock() // of the last handler
	all := sent
	b.mu.Unlock()
	if all != size || b.asked("/f/S0000_0001.ndjson") < 6 {
		t.Errorf("%d bytes were sent of a file of %d, in %d requests", all, size, b.asked("/f/S0000_0001.ndjson"))
	}
}

// limited cuts an answer off after so many bytes of its body.
type limited struct {
	http.ResponseWriter
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(l.left, len(p))
	l.left -= n
	if m, err := l.ResponseWriter.Write(p[:n]); err != nil || n == len(p) {
		return m, err
	}
	_ = http.NewResponseController(l.ResponseWriter).Flush() // what is cut has arrived
	panic(http.ErrAbortHandler)
}

// A process ends at each moment that is told, and the next one goes on. The
// server sends each byte once, as one does that allows one download, but for
// continuations.
func TestStoppedAtAnyMomentItGoesOn(t *testing.T) {
	for _, moment := range []Kind{Token, KickOff, Started, Complete, Begun, Received, "last byte", Placed} {
		t.Run(string(moment), func(t *testing.T) {
			b := newBulk(t)
			content := claims("a", 2000)
			b.offer(b.item("S0000_0001.ndjson", content))
			fetched := false
			b.files["/f/S0000_0001.ndjson"] = func(w http.ResponseWriter, r *http.Request) {
				if fetched && (r.Header.Get("Range") == "" || strings.HasPrefix(r.Header.Get("Range"), "bytes=0-")) {
					w.WriteHeader(http.StatusGone)
					return
				}
				fetched = r.Header.Get("Range") != "bytes=0-0"
				whole(content)(w, r)
			}
			var keys []string
			b.kickOff = func(_ http.ResponseWriter, r *http.Request) bool {
				keys = append(keys, r.Header.Get("Idempotency-Key"))
				return false
			}
			dir := t.TempDir()
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			_, err := b.sponsor(func(s *Settings) {
				s.Report = func(e Event) {
					if e.Kind == moment || moment == "last byte" && e.Kind == Received && e.Have == e.Size {
						stop()
					}
				}
			}).Export(ctx, b.order(), dir, Options{})
			if ctx.Err() == nil {
				t.Fatalf("there was no such moment; it ended with %v", err)
			}
			b.export(dir)
			holds(t, dir, "S0000_0001.ndjson", content)
			if len(keys) == 0 || keys[0] == "" || slices.ContainsFunc(keys, func(k string) bool { return k != keys[0] }) {
				t.Errorf("the kick-offs have the keys %q", keys)
			}
		})
	}
}

// A process ends while nobody knows whether the server has accepted the export.
func TestAKickOffWhoseAnswerGotLostIsRepeatedWithItsKey(t *testing.T) {
	b := newBulk(t)
	content := claims("a", 5)
	b.offer(b.serve("S0000_0001.ndjson", content))
	var keys []string
	lost := true // the transport itself asks once more
	b.kickOff = func(_ http.ResponseWriter, r *http.Request) bool {
		if keys = append(keys, r.Header.Get("Idempotency-Key")); lost {
			panic(http.ErrAbortHandler)
		}
		return false
	}
	dir := t.TempDir()
	_, err := b.sponsor(func(s *Settings) { s.Wait = func(context.Context, time.Duration) error { return context.Canceled } }).Export(t.Context(), b.order(), dir, Options{})
	b.mu.Lock() // of the last handler
	before := len(keys)
	lost = false
	b.mu.Unlock()
	if err == nil || before == 0 {
		t.Fatalf("%v after %d kick-offs", err, before)
	}
	b.export(dir)
	holds(t, dir, "S0000_0001.ndjson", content)
	if len(keys) != before+1 || keys[0] == "" || slices.ContainsFunc(keys, func(k string) bool { return k != keys[0] }) {
		t.Errorf("the keys are %q", keys)
	}
}

// A process is killed after a file got its name and before that was written
// down. The server does not send it again.
func TestAFileThatIsInItsPlaceIsKnownAgain(t *testing.T) {
	b := newBulk(t)
	content := claims("a", 5)
	b.offer(b.serve("S0000_0001.ndjson", content))
	dir := t.TempDir()
	b.export(dir)
	f, err := openFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.load()
	if err != nil {
		t.Fatal(err)
	}
	s.Done, s.Files[0].Placed = false, false
	if err := f.save(s); err != nil {
		t.Fatal(err)
	}
	f.close()
	b.files["/f/S0000_0001.ndjson"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }
	b.export(dir)
	holds(t, dir, "S0000_0001.ndjson", content)
}

// A process is killed after a file is in its place and before its part is gone.
func TestNothingIsLeftBehind(t *testing.T) {
	b := newBulk(t)
	content := claims("a", 5)
	b.offer(b.serve("S0000_0001.ndjson", content), b.serve("S0000_0002.ndjson", content))
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	_, err := b.sponsor(func(s *Settings) {
		s.Parallel = 1
		s.Report = func(e Event) {
			if e.Kind == Placed {
				stop()
			}
		}
	}).Export(ctx, b.order(), dir, Options{})
	if err == nil {
		t.Fatal("it was not stopped")
	}
	for _, name := range []string{"S0000_0001.ndjson.part", "S0000_0001.ndjson.part.json", "S0000_0001.ndjson.plain"} {
		if err := os.WriteFile(filepath.Join(dir, private, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.export(dir)
	holds(t, dir, "S0000_0001.ndjson", content)
	holds(t, dir, "S0000_0002.ndjson", content)
}

// What is passed as whole and is not is found out by whatever there is to go by.
func TestATruncatedBodyIsNotTakenForWhole(t *testing.T) {
	content := claims("a", 1000)
	short := content[:len(content)/2]
	for name, tc := range map[string]struct {
		bare bool // a manifest without digest, length and count
		lies int  // answers before the right one
		send func(w http.ResponseWriter, r *http.Request)
	}{
		"digest": {false, 2, whole(short[:bytes.LastIndexByte(short, '\n')+1])},
		"gzip trailer": {true, 1, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := zipped(content)
			_, _ = w.Write(z[:len(z)/2]) // a broken connection is another test's
		}},
		"last line": {true, 1, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(short) }},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBulk(t)
			item := b.item("S0000_0001.ndjson", content)
			if tc.bare {
				item = object{"type": "ExplanationOfBenefit", "url": item["url"]}
			}
			b.offer(item)
			n := 0
			b.files["/f/S0000_0001.ndjson"] = func(w http.ResponseWriter, r *http.Request) {
				if n++; n > tc.lies {
					whole(content)(w, r)
					return
				}
				tc.send(w, r)
			}
			dir := t.TempDir()
			b.export(dir)
			holds(t, dir, "S0000_0001.ndjson", content)
		})
	}
}

func TestAFileThatIsNotWhatTheManifestSaysIsNotPutInItsPlace(t *testing.T) {
	content := claims("a", 10)
	for what, spoil := range map[string]func(object){
		"sha256": func(i object) { i["extension"].([]object)[0]["valueString"] = "sha256:" + digest([]byte("another")) },
		"length": func(i object) { i["extension"].([]object)[1]["valueDecimal"] = 7 },
		"count":  func(i object) { i["count"] = 11 },
	} {
		t.Run(what, func(t *testing.T) {
			b := newBulk(t)
			item := b.serve("S0000_0001.ndjson", content)
			spoil(item)
			b.offer(item, b.serve("S0000_0002.ndjson", content))
			dir := t.TempDir()
			if told := b.refused(dir, Mismatch); !strings.Contains(told, what) || !strings.Contains(told, "S0000_0001") {
				t.Errorf("told %q", told)
			}
			if _, err := os.Stat(filepath.Join(dir, "S0000_0001.ndjson")); !os.IsNotExist(err) {
				t.Error("it is there all the same")
			}
			if _, err := os.Stat(filepath.Join(dir, "S0000_0002.ndjson")); err != nil {
				t.Errorf("the other file did not come: %v", err)
			}
		})
	}
}

func TestAFileThatChangesBetweenRanges(t *testing.T) {
	before, after := claims("a", 2000), claims("b", 2000) // of one length
	for name, obeys := range map[string]bool{"a server that knows If-Range": true, "one that does not": false} {
		t.Run(name, func(t *testing.T) {
			b := newBulk(t)
			b.offer(b.item("S0000_0001.ndjson", after))
			n := 0
			b.files["/f/S0000_0001.ndjson"] = func(w http.ResponseWriter, r *http.Request) {
				r.Header.Del("Accept-Encoding")
				if n++; n <= 2 {
					whole(before)(&limited{w, 2000}, r)
					return
				}
				if !obeys {
					r.Header.Del("If-Range")
				}
				whole(after)(w, r)
			}
			dir, noticed := t.TempDir(), false
			b.export(dir, func(s *Settings) {
				s.Report = func(e Event) { noticed = noticed || e.Kind == Again && strings.Contains(e.Text, "has changed") }
			})
			holds(t, dir, "S0000_0001.ndjson", after)
			if noticed == obeys { // who obeys sends the new one without being asked
				t.Errorf("that it changed was noticed: %v", noticed)
			}
		})
	}
}

func TestAServerWithoutRanges(t *testing.T) {
	content := claims("a", 2000)
	for _, zip := range []bool{false, true} {
		t.Run(fmt.Sprint("gzip ", zip), func(t *testing.T) {
			b := newBulk(t)
			b.offer(b.item("S0000_0001.ndjson", content))
			n := 0
			b.files["/f/S0000_0001.ndjson"] = func(w http.ResponseWriter, r *http.Request) {
				form := content
				if zip {
					form = zipped(content)
					w.Header().Set("Content-Encoding", "gzip")
				}
				w.Header().Set("Content-Length", fmt.Sprint(len(form)))
				if n++; n == 1 {
					w = &limited{w, len(form) / 2}
				}
				_, _ = w.Write(form) // what does not arrive is asked for again
			}
			dir := t.TempDir()
			b.export(dir)
			holds(t, dir, "S0000_0001.ndjson", content)
			if n != 2 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestATokenThatEndsInMidRunIsRenewed(t *testing.T) {
	b := newBulk(t)
	content := claims("a", 50)
	b.offer(b.serve("S0000_0001.ndjson", content), b.serve("S0000_0002.ndjson", content))
	used := map[string]int{}
	b.accept = func(_ *http.Request, token string) int {
		if used[token]++; used[token] > 2 {
			return http.StatusUnauthorized
		}
		return 0
	}
	dir := t.TempDir()
	b.export(dir)
	holds(t, dir, "S0000_0001.ndjson", content)
	holds(t, dir, "S0000_0002.ndjson", content)
	if b.tokens < 3 {
		t.Errorf("%d tokens", b.tokens)
	}
}

// AB2D as CMS runs it answers an expired token with 403.
func TestAnOldTokenThatIsForbiddenSomethingIsRenewed(t *testing.T) {
	b := newBulk(t)
	content := claims("a", 50)
	b.offer(b.serve("S0000_0001.ndjson", content))
	b.accept = func(_ *http.Request, token string) int {
		if token == "t1" {
			return http.StatusForbidden
		}
		return 0
	}
	b.refused(t.TempDir(), Refused) // just had, so it is not that it is old
	b.tokens = 0
	c := b.sponsor()
	if _, _, err := c.tokens.get(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	c.tokens.got = c.tokens.got.Add(-time.Minute)
	dir := t.TempDir()
	if _, err := c.Export(t.Context(), b.order(), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	holds(t, dir, "S0000_0001.ndjson", content)
}

func TestARefusalIsToldOnce(t *testing.T) {
	b := newBulk(t)
	b.kickOff = func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"business-rule","details":{"text":"No attestation is active."},"diagnostics":"Have an attestor attest."}]}`)
		return true
	}
	dir := t.TempDir()
	if told := b.refused(dir, Refused); !strings.Contains(told, "No attestation is active") || !strings.Contains(told, "Have an attestor") {
		t.Errorf("told %q", told)
	}
	if n := b.asked("/fhir/Group/S0000/$export"); n != 1 {
		t.Errorf("asked %d times", n)
	}
	if _, _, ok, err := Held(dir); ok || err != nil {
		t.Errorf("what was refused is held: %v", err)
	}
}

func TestWhoIsAskedToWaitWaits(t *testing.T) {
	b := newBulk(t)
	content := claims("a", 5)
	b.offer(b.serve("S0000_0001.ndjson", content))
	kicks, polls := 0, 0
	var keys []string
	b.kickOff = func(w http.ResponseWriter, r *http.Request) bool {
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		kicks++
		w.Header().Set("Retry-After", "7")
		switch kicks {
		case 1:
			w.WriteHeader(http.StatusTooManyRequests)
		case 2:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 3:
			panic(http.ErrAbortHandler) // it may have been accepted
		}
		return kicks < 3
	}
	b.status = func(w http.ResponseWriter, _ *http.Request) bool {
		polls++
		switch polls {
		case 1:
			w.Header().Set("Retry-After", time.Now().Add(2*time.Minute).UTC().Format(http.TimeFormat))
			w.Header().Set("X-Progress", "In Progress (24%)")
			w.WriteHeader(http.StatusAccepted)
		case 2:
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"transient"}]}`)
		case 3:
			w.WriteHeader(http.StatusInternalServerError) // without a word
		}
		return polls < 4
	}
	var waits []time.Duration
	var progress []int
	dir := t.TempDir()
	b.export(dir, func(s *Settings) {
		s.Wait = func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil }
		s.Report = func(e Event) {
			if e.Kind == Progress {
				progress = append(progress, *e.Percent)
			}
		}
	})
	holds(t, dir, "S0000_0001.ndjson", content)
	if len(waits) < 5 || waits[0] != 7*time.Second || waits[1] != 7*time.Second || !slices.ContainsFunc(waits, func(d time.Duration) bool { return d > time.Minute && d <= 2*time.Minute }) {
		t.Errorf("waited %v", waits)
	}
	if !slices.Equal(progress, []int{24}) || slices.ContainsFunc(keys, func(k string) bool { return k != keys[0] }) {
		t.Errorf("progress %v, keys %v", progress, keys)
	}
}

func TestHowAnExportCanEndAtTheServer(t *testing.T) {
	outcome := func(code, text string) string {
		return fmt.Sprintf(`{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":%q,"details":{"text":%q}}]}`, code, text)
	}
	for _, tc := range []struct {
		status int
		body   string
		why    Why
		want   string
	}{
		{404, outcome("deleted", "Job is canceled."), Over, "Job is canceled."},
		{410, outcome("expired", "The files were deleted."), Over, "expired"},
		{500, outcome("exception", "Job failed while processing"), Over, "failed while processing"},
		{500, "", Over, "500"}, // three times
		{403, outcome("forbidden", "Not yours."), Refused, "Not yours."},
		{200, "<html>", Mismatch, "cannot be read"},
		{200, "{}", Mismatch, "no output"},
	} {
		b := newBulk(t)
		b.status = func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(tc.status)
			fmt.Fprint(w, tc.body)
			return true
		}
		dir := t.TempDir()
		if told := b.refused(dir, tc.why); !strings.Contains(told, tc.want) {
			t.Errorf("%d %s: told %q", tc.status, tc.body, told)
		}
		// The way out that the words name.
		b.status = nil
		content := claims("a", 2)
		b.offer(b.serve("S0000_0001.ndjson", content))
		if _, err := b.sponsor().Export(t.Context(), b.order(), dir, Options{New: true}); err != nil {
			t.Errorf("anew: %v", err)
		}
		holds(t, dir, "S0000_0001.ndjson", content)
	}
}

func TestAFileThatIsGoneIsToldAndTheOthersCome(t *testing.T) {
	b := newBulk(t)
	content := claims("a", 5)
	gone := b.item("S0000_0001.ndjson", content)
	b.files["/f/S0000_0001.ndjson"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }
	b.offer(gone, b.serve("S0000_0002.ndjson", content))
	dir := t.TempDir()
	if told := b.refused(dir, Over); !strings.Contains(told, "no longer has S0000_0001.ndjson") || !strings.Contains(told, "--new") {
		t.Errorf("told %q", told)
	}
	if _, err := os.Stat(filepath.Join(dir, "S0000_0002.ndjson")); err != nil {
		t.Error(err)
	}
}

func TestTheErrorFilesAreToldInWordsAndNameNobody(t *testing.T) {
	b := newBulk(t)
	content := claims("a", 5)
	line := func(id, text string) string {
		return fmt.Sprintf(`{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"transient","details":{"text":%q},"diagnostics":"Ask again.","extension":[{"url":"https://ab2d.cms.gov/retryable","valueBoolean":true},{"url":"https://ab2d.cms.gov/patient","valueString":%q}]}]}`+"\n", text, id)
	}
	faults := line("-10000000000001", "Patient -10000000000001 did not come.") + line("-10000000000002", "Patient -10000000000002 did not come.") +
		`{"resourceType":"OperationOutcome","issue":[{"severity":"information","code":"not-found","diagnostics":"1S00E00DP42 has no claims"}]}` + "\n"
	item := b.serve("S0000_0001_error.ndjson", []byte(faults))
	item["type"] = "OperationOutcome"
	again := object{"resourceType": "Parameters", "parameter": []object{{"name": "patient", "valueReference": object{"reference": "Patient/-10000000000001"}}}}
	b.manifest = func() any {
		return object{"transactionTime": "2026-11-01T00:00:00.000Z", "requiresAccessToken": true, "output": []object{b.serve("S0000_0001.ndjson", content)}, "error": []object{item},
			"extension": object{"https://ab2d.cms.gov/enrollees": []object{{"contract": "S0000", "enrollees": 10, "exported": 7, "noClaims": 1, "optedOut": 0, "failed": 2}},
				"https://ab2d.cms.gov/retry": []object{{"method": "POST", "url": b.URL + "/fhir/Group/S0000/$export", "body": again}}}}
	}
	dir := t.TempDir()
	r := b.export(dir)
	want := []Problem{{"error", "transient", "Patient ... did not come.", "Ask again.", 2, 2}, {"information", "not-found", "... has no claims", "", 1, 0}}
	if !slices.Equal(r.Problems, want) || !r.Missing() {
		t.Errorf("problems %+v", r.Problems)
	}
	if len(r.Accounts) != 1 || r.Accounts[0] != (Account{"S0000", 10, 7, 1, 0, 2}) {
		t.Errorf("accounts %+v", r.Accounts)
	}
	holds(t, dir, "S0000_0001_error.ndjson", []byte(faults))

	// And the request that the server has ready is sent as it is.
	var body []byte
	b.kickOff = func(_ http.ResponseWriter, r *http.Request) bool {
		var sent json.RawMessage
		if err := json.NewDecoder(r.Body).Decode(&sent); err == nil && r.Method == "POST" && r.Header.Get("Content-Type") == "application/fhir+json" {
			body = sent
		}
		return false
	}
	b.offer(b.serve("S0000_0001.ndjson", content))
	if len(r.Retries) != 1 {
		t.Fatalf("retries %+v", r.Retries)
	}
	if _, err := b.sponsor().Export(t.Context(), r.Retries[0], filepath.Join(dir, "retry-1"), Options{}); err != nil {
		t.Fatal(err)
	}
	if wanted, err := json.Marshal(again); err != nil || !bytes.Equal(body, wanted) {
		t.Errorf("sent %s", body)
	}
}

func TestProblemsThatAreNoMatterDoNotFailAnExport(t *testing.T) {
	for want, p := range map[bool]Problem{true: {Severity: "fatal"}, false: {Severity: "warning"}} {
		if got := (Result{Problems: []Problem{p}}).Missing(); got != want {
			t.Errorf("%s: %v", p.Severity, got)
		}
	}
}

func TestOnlyOneProcessWorksInAFolder(t *testing.T) {
	b := newBulk(t)
	dir := t.TempDir()
	f, err := openFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if told := b.refused(dir, Usage); !strings.Contains(told, "another process") {
		t.Errorf("told %q", told)
	}
	f.close()
	b.offer(b.serve("S0000_0001.ndjson", claims("a", 1)))
	b.export(dir)
}

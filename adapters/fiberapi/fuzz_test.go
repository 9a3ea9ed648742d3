package fiberapi

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// oneTag is an If-Range that is well-formed, or none. Go passes over what stands
// behind a tag.
var oneTag = regexp.MustCompile(`^((W/)?"[a-z]*")?$`)

// oneRange is a Range header that everybody reads the same way.
var oneRange = regexp.MustCompile(`^bytes=([0-9]{1,15}-[0-9]{0,15}|-[0-9]{1,15})$`)

// What a Range and an If-Range come to lies within the file, and for one range it
// is what Go's own file server makes of it.
func FuzzRange(f *testing.F) {
	for _, seed := range []string{"bytes=0-", "bytes=5-9", "bytes=-3", "bytes=10-", "bytes=0-99", "bytes=0-1,1-2", "bytes=7-8,1-2", "bytes=9-,-1", "bytes=99-,0-0", "bytes=", "bytes=3-2"} {
		for _, ifRange := range []string{"", `"tag"`, `W/"tag"`, `"other"`, "Mon, 02 Mar 2026 12:00:00 GMT"} {
			f.Add(seed, ifRange, int64(10))
		}
	}
	f.Fuzz(func(t *testing.T, header, ifRange string, size int64) {
		size = max(size, 1)
		ranges := parseRanges(header)
		span, partial, past := part(ranges, ifRange, `"tag"`, size)
		if span.Start < 0 || span.Start >= span.End || span.End > size || partial && past || !partial && span != (domain.ByteRange{End: size}) {
			t.Fatalf("%q of %d bytes is %v, partial %t, past %t", header, size, span, partial, past)
		}
		if !oneRange.MatchString(header) || len(ranges) == 0 || ranges[0].first < 0 && ranges[0].suffix == 0 || !oneTag.MatchString(ifRange) {
			return
		}
		w, r := httptest.NewRecorder(), httptest.NewRequest("HEAD", "/", nil)
		w.Header().Set("ETag", `"tag"`)
		w.Header().Set("Content-Type", NDJSON) // or it would look into the file for one
		r.Header.Set("Range", header)
		if ifRange != "" {
			r.Header.Set("If-Range", ifRange)
		}
		http.ServeContent(w, r, "", time.Time{}, io.NewSectionReader(nil, 0, size))
		status := map[bool]int{true: http.StatusRequestedRangeNotSatisfiable, false: http.StatusOK}[past]
		if partial {
			status = http.StatusPartialContent
			if want, got := w.Header().Get("Content-Range"), fmt.Sprintf("bytes %d-%d/%d", span.Start, span.End-1, size); got != want {
				t.Errorf("%q of %d bytes is %q here, %q there", header, size, got, want)
			}
		}
		if w.Code != status {
			t.Errorf("%q, %q of %d bytes is %d here, %d there", header, ifRange, size, status, w.Code)
		}
	})
}

// A list of entity tags names a file's when it has it, weak or strong.
func FuzzEntityTags(f *testing.F) {
	for _, seed := range []string{"*", `"tag"`, `W/"tag"`, `"a", "tag"`, `"tag`, "tag", ",", `W/ "tag"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, list string) {
		if matches(list, `"tag"`) && !strings.Contains(list, `"tag"`) && !strings.Contains(list, "*") {
			t.Errorf("%q", list)
		}
		for _, with := range []string{list + `,"tag"`, `W/"tag" ,` + list} {
			if !matches(with, `"tag"`) {
				t.Errorf("%q does not name it", with)
			}
		}
	})
}

// A name that gets further is made of nothing that means anything to a path, a
// header or a shell, and begins with a contract's number.
func FuzzFileName(f *testing.F) {
	for _, seed := range []string{"S0000_0001.ndjson", "S0000_0001_error.ndjson", "S0000_0001.ndjson\n", "../S0000_0001.ndjson", "S0000_1.ndjson", "s0000_0001.ndjson", "S٠٠٠٠_0001.ndjson"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if !fileName.MatchString(name) {
			return
		}
		if path.Base(name) != name || len(name) > 32 || strings.ContainsFunc(name, func(r rune) bool {
			return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_' || r == '.')
		}) {
			t.Errorf("%q", name)
		}
		if _, err := domain.ParseContractNumber(name[:5]); err != nil {
			t.Error(err)
		}
	})
}

// What is told as a place in a list is read back as that place.
func FuzzPlace(f *testing.F) {
	f.Add("1772452800000000000.0b5f8f3e-8d3c-4f0e-9a61-3f0f1d2c4b5a")
	f.Add("-1.0b5f8f3e-8d3c-4f0e-9a61-3f0f1d2c4b5a")
	f.Add("..")
	f.Fuzz(func(t *testing.T, s string) {
		place, err := parsePlace(s)
		if err != nil {
			if place != (ports.JobPlace{}) || domain.CodeOf(err) != domain.Invalid {
				t.Errorf("%q: %v, %v", s, place, err)
			}
			return
		}
		if again, err := parsePlace(placeToText(place)); err != nil || again != place {
			t.Errorf("%q: %v, read back as %v, %v", s, place, again, err)
		}
	})
}

// A key that is taken can be kept and written down as it is, and is the same
// with quotes and without.
func FuzzIdempotencyKey(f *testing.F) {
	for _, seed := range []string{"8e03978e-40d5-43dd-bc93-6894a57f9324", `"quoted"`, `""`, `"`, " a ", `a"b`, "a\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		key, ok := parseKey(header)
		if !ok {
			return
		}
		if len(key) < 1 || len(key) > 255 || strings.ContainsAny(key, "\"\\ \r\n\t\x00\x7f") {
			t.Errorf("%q", key)
		}
		if quoted, ok := parseKey(`"` + key + `"`); !ok || quoted != key {
			t.Errorf("%q in quotes is %q", key, quoted)
		}
	})
}

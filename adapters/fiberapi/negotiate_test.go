package fiberapi

import (
	"context"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
)

// Whatever a client sends, what comes of it lies within the file.
func FuzzNegotiation(f *testing.F) {
	for _, seed := range []string{"bytes=0-", "bytes=5-9", "bytes=-3", "bytes=9223372036854775807-", "bytes=-9223372036854775807", "gzip;q=0.5, *;q=0", "=-", "bytes=--1"} {
		f.Add(seed, int64(10))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		size = max(size, 0)
		if form := formFor(header); form != domain.GzipForm && form != domain.PlainForm {
			t.Errorf("form %q", form)
		}
		end := int64(-1)
		for _, span := range within(parseRanges(header), size) {
			if span.Start <= end || span.Start >= span.End || span.End > size {
				t.Errorf("%q of %d bytes is %v, behind %d", header, size, span, end)
			}
			end = span.End
		}
	})
}

func TestGate(t *testing.T) {
	var g gate
	within := func(name string, limit time.Duration) bool {
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		g.wait(ctx, "job", name)
		return time.Since(start) < limit
	}
	first, second := g.enter("job", "a"), g.enter("job", "a")
	if !within("b", time.Second) {
		t.Error("another file waits")
	}
	if within("a", 30*time.Millisecond) {
		t.Error("the file does not wait")
	}
	first()
	if within("a", 30*time.Millisecond) {
		t.Error("the file does not wait for the second")
	}
	time.AfterFunc(20*time.Millisecond, second)
	if !within("a", 10*time.Second) {
		t.Error("the file waits for nobody")
	}
	if len(g.busy) != 0 {
		t.Errorf("%d files are remembered", len(g.busy))
	}
}

// Every code has its answer, and each answer a code of FHIR.
func TestEveryCodeHasItsAnswer(t *testing.T) {
	for _, code := range []domain.Code{domain.Invalid, domain.Unauthenticated, domain.Forbidden, domain.BusinessRule, domain.NotFound, domain.Deleted,
		domain.Expired, domain.Conflict, domain.Reused, domain.Throttled, domain.Unavailable, domain.Internal} {
		if a, ok := answers[code]; !ok || a.status < 400 || a.code == "" || a.severity == "" {
			t.Errorf("%s: %+v", code, a)
		}
	}
}

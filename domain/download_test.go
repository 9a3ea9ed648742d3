package domain_test

import (
	"testing"
	"time"

	"cms.gov/ab2d/domain"
	"pgregory.net/rapid"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func account(client string, form domain.Form, ranges ...domain.ByteRange) domain.Download {
	d := domain.Download{Key: domain.DownloadKey{Client: domain.ClientID(client), Form: form}}
	for _, r := range ranges {
		d.Record(noon, r, 100)
	}
	return d
}

func TestAFileIsFetchedOnceItsRangesCoverIt(t *testing.T) {
	if d := account("a", domain.GzipForm, domain.ByteRange{Start: 0, End: 60}, domain.ByteRange{Start: 50, End: 99}); d.Fetches != 0 {
		t.Error("a file counts as fetched before its last byte was sent")
	}
	if d := account("a", domain.GzipForm, domain.ByteRange{Start: 50, End: 100}, domain.ByteRange{Start: 0, End: 50}); d.Fetches != 1 {
		t.Error("two halves in another order are not the whole")
	}
	if d := account("a", domain.GzipForm, domain.ByteRange{Start: 0, End: 0}); d.Fetches != 0 || len(d.Sent) != 0 {
		t.Error("a transfer that sent nothing counts")
	}
}

func TestRecordAgreesWithMarkingEveryByte(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const size = 40
		var d domain.Download
		var marked [size]bool
		fetches := 0
		for range rapid.IntRange(1, 12).Draw(t, "transfers") {
			start := rapid.Int64Range(0, size).Draw(t, "start")
			end := rapid.Int64Range(start, size).Draw(t, "end")
			d.Record(noon, domain.ByteRange{Start: start, End: end}, size)
			all := true
			for i := start; i < end; i++ {
				marked[i] = true
			}
			for _, m := range marked {
				all = all && m
			}
			if all {
				fetches, marked = fetches+1, [size]bool{}
			}
		}
		if d.Fetches != fetches {
			t.Fatalf("%d fetches, want %d", d.Fetches, fetches)
		}
	})
}

func TestAllow(t *testing.T) {
	limits := domain.DownloadLimits{Fetches: 1, ResumeGrace: 15 * time.Minute}
	whole := []domain.Download{account("a", domain.GzipForm, domain.ByteRange{Start: 0, End: 100})}
	for _, tc := range []struct {
		name   string
		client domain.ClientID
		form   domain.Form
		start  int64
		after  time.Duration
		want   domain.Code
	}{
		{"a fresh start", "a", domain.GzipForm, 0, time.Minute, domain.Expired},
		{"the same client goes on", "a", domain.GzipForm, 1, 14 * time.Minute, ""},
		{"the grace is over", "a", domain.GzipForm, 1, 15 * time.Minute, domain.Expired},
		{"another client goes on", "b", domain.GzipForm, 1, time.Minute, domain.Expired},
		{"in another form", "a", domain.PlainForm, 1, time.Minute, domain.Expired},
	} {
		if got := domain.CodeOf(limits.Allow(whole, tc.client, tc.form, tc.start, noon.Add(tc.after))); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
	if err := limits.Allow([]domain.Download{account("a", domain.GzipForm, domain.ByteRange{Start: 0, End: 99})}, "a", domain.GzipForm, 0, noon); err != nil {
		t.Errorf("a broken transfer used up the file: %v", err)
	}
	limits.Fetches = 2
	if err := limits.Allow(whole, "b", domain.PlainForm, 0, noon); err != nil {
		t.Errorf("with two allowed the second is refused: %v", err)
	}
	limits.Fetches = 0
	if err := limits.Allow(append(whole, whole...), "a", domain.GzipForm, 0, noon); err != nil {
		t.Errorf("without a bound the third is refused: %v", err)
	}
}

package domain

import (
	"cmp"
	"slices"
	"time"
)

// Form is a form that a file is served in. Each is counted by itself, since
// their byte ranges do not mix.
type Form string

// The forms.
const (
	GzipForm  Form = "gzip"     // the stored bytes as they are
	PlainForm Form = "identity" // inflated
)

// ByteRange is a range of bytes, from Start up to but without End.
type ByteRange struct{ Start, End int64 }

// DownloadKey names an account: what one client was sent of one file in one form.
type DownloadKey struct {
	Job    JobID
	File   string
	Client ClientID
	Form   Form
}

// Download is the account of one DownloadKey. The server cannot know what
// arrived: a file is fetched when the ranges sent together cover it.
type Download struct {
	Key       DownloadKey
	Sent      []ByteRange // since the last time it was whole; in order, not touching
	Fetches   int         // how many times it was whole
	FetchedAt time.Time   // the last time it became whole
	Last      time.Time   // the last time anything was sent
}

// Record adds a range that was sent in full, of a file of size bytes. A broken
// transfer is recorded with the part that was sent.
func (d *Download) Record(at time.Time, r ByteRange, size int64) {
	d.Last = at
	if r.End > r.Start {
		d.Sent = Joined(append(slices.Clone(d.Sent), r))
	}
	if len(d.Sent) == 1 && d.Sent[0].Start == 0 && d.Sent[0].End >= size {
		d.Sent, d.Fetches, d.FetchedAt = nil, d.Fetches+1, at
	}
}

// Joined puts ranges in order, those that touch or overlap as one. It uses the
// slice for what it returns.
func Joined(ranges []ByteRange) []ByteRange {
	slices.SortFunc(ranges, func(a, b ByteRange) int { return cmp.Compare(a.Start, b.Start) })
	out := ranges[:min(1, len(ranges))]
	for _, r := range ranges[len(out):] {
		if last := &out[len(out)-1]; r.Start <= last.End {
			last.End = max(last.End, r.End)
		} else {
			out = append(out, r)
		}
	}
	return out
}

// DownloadLimits are how often and how long a file may be fetched.
type DownloadLimits struct {
	Fetches     int           // times a file may be fetched; the guide of 2019 says once; 0 does not bound
	ResumeGrace time.Duration // how long after that the same client may still continue
}

// Allow decides whether a client may be sent the file from byte start on, after
// all accounts of that file. Once it was fetched the allowed number of times a
// fresh start is refused as expired; for the grace the client that fetched it
// may still continue behind the first byte, since it may not have got the end.
func (l DownloadLimits) Allow(accounts []Download, client ClientID, form Form, start int64, at time.Time) error {
	if l.Fetches == 0 {
		return nil
	}
	fetches := 0
	for _, a := range accounts {
		fetches += a.Fetches
		own := a.Key.Client == client && a.Key.Form == form
		if own && start > 0 && a.Fetches > 0 && at.Before(a.FetchedAt.Add(l.ResumeGrace)) {
			return nil
		}
	}
	if fetches >= l.Fetches {
		return Errorf(Expired, "The file was fetched already and is no longer available.").
			WithNext("Start a new export if you need it again.")
	}
	return nil
}

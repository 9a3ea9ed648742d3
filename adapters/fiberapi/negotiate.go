package fiberapi

import (
	"strconv"
	"strings"

	"cms.gov/ab2d/domain"
)

// formFor chooses the form of a file by Accept-Encoding (RFC 9110, section
// 12.5.3): gzip where it is as welcome as the plain bytes, which it is cheaper
// to send. Without the header a client gets what it can surely read.
func formFor(acceptEncoding string) domain.Form {
	gzip, identity, any := -1.0, -1.0, -1.0
	for part := range strings.SplitSeq(acceptEncoding, ",") {
		coding, params, _ := strings.Cut(part, ";")
		q := weight(params)
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip", "x-gzip":
			gzip = max(gzip, q)
		case "identity":
			identity = max(identity, q)
		case "*":
			any = max(any, q)
		}
	}
	if gzip < 0 {
		gzip = any
	}
	if gzip > 0 && gzip >= identity {
		return domain.GzipForm
	}
	return domain.PlainForm
}

// weight reads ";q=0.5". What cannot be read does not count as welcome.
func weight(params string) float64 {
	for p := range strings.SplitSeq(params, ";") {
		name, value, ok := strings.Cut(p, "=")
		if !ok || !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return 0
		}
		return q
	}
	return 1
}

// byteRange is a Range header with one range.
type byteRange struct {
	first, last int64 // last is -1 for "to the end"
	suffix      int64 // the last so many bytes, when first is -1
}

// parseRange reads a Range header. It returns false for what a server ignores:
// another unit, several ranges, bad grammar (RFC 9110, section 14.2).
func parseRange(header string) (byteRange, bool) {
	unit, set, ok := strings.Cut(header, "=")
	from, to, dash := strings.Cut(strings.TrimSpace(set), "-")
	if !ok || !dash || !strings.EqualFold(strings.TrimSpace(unit), "bytes") {
		return byteRange{}, false
	}
	if from == "" {
		n, ok := digits(to)
		return byteRange{first: -1, suffix: n}, ok
	}
	first, ok1 := digits(from)
	if to == "" {
		return byteRange{first: first, last: -1}, ok1
	}
	last, ok2 := digits(to)
	return byteRange{first: first, last: last}, ok1 && ok2 && last >= first
}

func digits(s string) (int64, bool) {
	n, err := strconv.ParseUint(s, 10, 63)
	return int64(n), err == nil && s[0] != '+'
}

// of returns the bytes of a file of that size that the range names, and false
// when it names none.
func (r byteRange) of(size int64) (domain.ByteRange, bool) {
	if r.first < 0 {
		return domain.ByteRange{Start: max(size-r.suffix, 0), End: size}, r.suffix > 0 && size > 0
	}
	end := size
	if r.last >= 0 && r.last < size {
		end = r.last + 1
	}
	return domain.ByteRange{Start: r.first, End: end}, r.first < size
}

// matches reports whether a list of entity tags names one, as If-None-Match
// compares them: weakly.
func matches(list, etag string) bool {
	for tag := range strings.SplitSeq(list, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
			return true
		}
	}
	return false
}

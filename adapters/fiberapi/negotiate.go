package fiberapi

import (
	"math"
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

// byteRange is one range of a Range header.
type byteRange struct {
	first, last int64 // last is -1 for "to the end"
	suffix      int64 // the last so many bytes, when first is -1
}

// rangesLimit is how many ranges a request may name. More are a mistake, or meant
// to do harm (RFC 9110, section 14.2).
const rangesLimit = 100

// parseRanges reads a Range header. It returns none for what a server ignores:
// another unit, bad grammar, far too many.
func parseRanges(header string) []byteRange {
	unit, set, ok := strings.Cut(header, "=")
	if !ok || !strings.EqualFold(strings.TrimSpace(unit), "bytes") || strings.Count(set, ",") >= rangesLimit {
		return nil
	}
	var all []byteRange
	for one := range strings.SplitSeq(set, ",") {
		r, ok := parseRange(strings.TrimSpace(one))
		if !ok {
			return nil
		}
		all = append(all, r)
	}
	return all
}

func parseRange(s string) (byteRange, bool) {
	from, to, dash := strings.Cut(s, "-")
	if !dash {
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

// within returns what the ranges name of a file of that size, in order, those
// that touch or overlap as one. Ranges that name nothing are left out.
func within(ranges []byteRange, size int64) []domain.ByteRange {
	var spans []domain.ByteRange
	for _, r := range ranges {
		if span, ok := r.of(size); ok {
			spans = append(spans, span)
		}
	}
	return domain.Joined(spans)
}

// part returns which bytes of a file of that size and entity tag to send, whether
// they are a part of it, and whether the ranges lie behind its end. Where
// If-Range does not hold it is the whole: it is compared strongly, so that a weak
// tag never holds, and neither does a date, since files have none. Ranges that are
// more than one when joined are the whole too: a body of several parts is read by
// few clients, and none of them is known to resume downloads.
func part(ranges []byteRange, ifRange, etag string, size int64) (span domain.ByteRange, partial, past bool) {
	whole := domain.ByteRange{End: size}
	if len(ranges) == 0 || ifRange != "" && ifRange != etag {
		return whole, false, false
	}
	switch spans := within(ranges, size); len(spans) {
	case 0:
		return whole, false, true
	case 1:
		return spans[0], true, false
	}
	return whole, false, false
}

// guess returns where what is sent begins if the file is neither shorter than
// the ranges suppose nor another by now.
func guess(ranges []byteRange) int64 {
	if len(ranges) == 0 {
		return 0
	}
	start := int64(math.MaxInt64)
	for _, r := range ranges {
		if r.first < 0 {
			r.first = 1 // wherever the end begins, it is hardly the start
		}
		start = min(start, r.first)
	}
	return start
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

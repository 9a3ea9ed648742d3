package ndjson

import (
	"encoding/binary"
	"time"

	"cms.gov/ab2d/domain"
)

// claim is what the index keeps of one: where it lies, and what the bounds of a
// query need.
type claim struct {
	file           int
	offset, length int64
	version        domain.FHIRVersion
	updated        int64 // milliseconds, cut; noUpdate when it is not known
	ended          domain.Date
}

const (
	noUpdate = -1 << 62

	isR4      = 1 << 0
	isUpdated = 1 << 1
	isEnded   = 1 << 2
	isNext    = 1 << 3 // in the same file, one byte after the claim before it
)

// millisOf is the update time as a claim keeps it.
func millisOf(t time.Time) int64 {
	if t.IsZero() || t.Year() < 1 || t.Year() > 9999 {
		return noUpdate
	}
	return t.UnixMilli()
}

// appendClaim writes a claim by what differs from the one before it, which is
// little: claims of a person mostly lie together.
func appendClaim(b []byte, c, before claim) []byte {
	flags := byte(0)
	if c.version == domain.R4 {
		flags |= isR4
	}
	if c.updated != noUpdate {
		flags |= isUpdated
	}
	if !c.ended.IsZero() {
		flags |= isEnded
	}
	if next := before.offset + before.length + 1; c.file == before.file && c.offset == next {
		flags |= isNext
	}
	b = append(b, flags)
	if flags&isNext == 0 {
		b = binary.AppendUvarint(b, uint64(c.file))
		b = binary.AppendUvarint(b, uint64(c.offset))
	}
	b = binary.AppendUvarint(b, uint64(c.length))
	if flags&isUpdated != 0 {
		b = binary.AppendVarint(b, c.updated)
	}
	if flags&isEnded != 0 {
		b = binary.AppendUvarint(b, uint64(c.ended))
	}
	return b
}

// cutClaim reads what appendClaim wrote and returns the rest of b.
func cutClaim(b []byte, before claim) (c claim, rest []byte) {
	flags := b[0]
	b = b[1:]
	number := func() uint64 {
		v, n := binary.Uvarint(b)
		b = b[n:]
		return v
	}
	c = claim{file: before.file, offset: before.offset + before.length + 1, version: domain.STU3, updated: noUpdate}
	if flags&isR4 != 0 {
		c.version = domain.R4
	}
	if flags&isNext == 0 {
		c.file, c.offset = int(number()), int64(number())
	}
	c.length = int64(number())
	if flags&isUpdated != 0 {
		v, n := binary.Varint(b)
		c.updated, b = v, b[n:]
	}
	if flags&isEnded != 0 {
		c.ended = domain.Date(number())
	}
	return c, b
}

func appendText[T ~string | ~[]byte](b []byte, s T) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func cutText(b []byte) (text, rest []byte) {
	size, n := binary.Uvarint(b)
	return b[n : n+int(size)], b[n+int(size):]
}

func appendIdentifiers(b []byte, ids domain.Identifiers) []byte {
	b = appendText(b, ids.Current)
	b = binary.AppendUvarint(b, uint64(len(ids.Historic)))
	for _, mbi := range ids.Historic {
		b = appendText(b, mbi)
	}
	return b
}

func cutIdentifiers(b []byte) (ids domain.Identifiers, rest []byte) {
	current, b := cutText(b)
	ids.Current = domain.MBI(current)
	count, n := binary.Uvarint(b)
	b = b[n:]
	for range count {
		var mbi []byte
		mbi, b = cutText(b)
		ids.Historic = append(ids.Historic, domain.MBI(mbi))
	}
	return ids, b
}

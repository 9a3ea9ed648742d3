package gzippack

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
)

// indexVersion is the first byte of an index. A reader refuses what it does not
// know.
const indexVersion = 1

// maxSegment bounds what an index may make a reader inflate in vain.
const maxSegment = 64 << 20

// An index is, in this order: the version; the plain size of a segment and that
// of the whole, as uvarints; for each segment its stored length as a uvarint and
// the CRC-32 of all plain bytes up to its end, in four bytes; the CRC-32 of all
// that, in four bytes. It takes about seven bytes a segment.
type index struct {
	segment int64 // plain size of every segment but the last
	plain   int64 // plain size of the whole
	entries []entry
}

// entry is the end of a segment.
type entry struct {
	stored int64  // offset in the stored form
	sum    uint32 // of all plain bytes before it
}

// segments returns how many segments so many plain bytes make.
func segments(plain, segment int64) int64 {
	n := plain / segment
	if plain%segment != 0 {
		n++
	}
	return n
}

// start returns where segment i begins.
func (x *index) start(i int64) entry {
	if i == 0 {
		return entry{stored: int64(len(header))}
	}
	return x.entries[i-1]
}

// encode returns the index as it is kept.
func (x *index) encode() []byte {
	b := make([]byte, 0, 1+2*binary.MaxVarintLen64+len(x.entries)*8+crc32.Size)
	b = append(b, indexVersion)
	b = binary.AppendUvarint(b, uint64(x.segment))
	b = binary.AppendUvarint(b, uint64(x.plain))
	from := x.start(0)
	for _, e := range x.entries {
		b = binary.AppendUvarint(b, uint64(e.stored-from.stored))
		b = binary.LittleEndian.AppendUint32(b, e.sum)
		from = e
	}
	return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// decodeIndex reads an index. Nothing in it is believed before it is checked,
// and no memory is taken that the bytes at hand do not account for.
func decodeIndex(b []byte) (*index, error) {
	if len(b) < 1+crc32.Size {
		return nil, corruptIndex("too short")
	}
	if b[0] != indexVersion {
		return nil, corruptIndex("unknown version")
	}
	body, sum := b[:len(b)-crc32.Size], b[len(b)-crc32.Size:]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(sum) {
		return nil, corruptIndex("wrong checksum")
	}
	body = body[1:]
	x := &index{}
	var ok bool
	if x.segment, body, ok = number(body); !ok || x.segment < 1 || x.segment > maxSegment {
		return nil, corruptIndex("segment size out of range")
	}
	if x.plain, body, ok = number(body); !ok {
		return nil, corruptIndex("plain size out of range")
	}
	count := segments(x.plain, x.segment)
	if count > int64(len(body)/(1+crc32.Size)) {
		return nil, corruptIndex("too few segments")
	}
	x.entries = make([]entry, 0, count)
	for from := x.start(0); len(x.entries) < cap(x.entries); {
		var length int64
		if length, body, ok = number(body); !ok || length == 0 || length > math.MaxInt64-from.stored {
			return nil, corruptIndex("stored length out of range")
		}
		if len(body) < crc32.Size {
			return nil, corruptIndex("too few segments")
		}
		from = entry{from.stored + length, binary.LittleEndian.Uint32(body)}
		body = body[crc32.Size:]
		x.entries = append(x.entries, from)
	}
	if len(body) != 0 {
		return nil, corruptIndex("too many bytes")
	}
	return x, nil
}

// number takes a uvarint that fits an int64 off the front of b.
func number(b []byte) (int64, []byte, bool) {
	v, n := binary.Uvarint(b)
	if n <= 0 || v > math.MaxInt64 {
		return 0, b, false
	}
	return int64(v), b[n:], true
}

func corruptIndex(what string) error {
	return fmt.Errorf("%w index: %s", ErrCorrupt, what)
}

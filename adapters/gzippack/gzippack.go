// Package gzippack is the stored form of NDJSON files: one gzip member that can
// be entered in the middle.
//
// One member, because clients that ask with Content-Encoding often stop after
// the first (curl does). Enterable, because most downloads are the stored bytes
// as they are, but a client that cannot inflate and continues a broken transfer
// asks for a range of the plain bytes, and inflating from the start to send the
// end would make every retry as dear as the first try.
//
// So the deflate stream is built of segments of a fixed plain size. Each begins
// on a byte with a compressor that remembers nothing, so nothing in it points
// back over its start, and ends with a sync flush. Any inflater reads straight
// through. The index, which is kept beside the file and not in it, says where
// each segment begins and what the CRC-32 of everything before it is: a reader
// that starts in the middle takes that sum, carries on, and still compares its
// own with the one at the end of the file.
package gzippack

import (
	"errors"

	"cms.gov/ab2d/ports"
)

// ErrCorrupt is wrapped by the errors of Unpack and of its reader when an index
// or the stored bytes are not what Pack made.
var ErrCorrupt = errors.New("gzippack: corrupt")

const (
	// segmentSize is the plain size of a segment. It bounds what a reader
	// inflates in vain (half of it on average, about half a millisecond), and a
	// fresh start costs size: against segments of 4 MiB, ones of 1 MiB add 1%,
	// ones of 256 KiB 5%.
	segmentSize = 1 << 20

	// level is the least work. CPU seconds for a GB of plain bytes, and how many
	// times smaller, on NDJSON made of AB2D's sample export with ids, dates, codes
	// and amounts at random (1 MiB segments):
	//
	//	level    1      2      3      4      5      6      7
	//	pack     1.19   1.49   1.49   2.08   2.15   2.62   3.39
	//	unpack   0.83   0.77   0.77   0.77   0.66   0.66   0.66
	//	ratio    11.3   13.1   13.7   13.6   15.6   16.1   15.6
	//
	// The lesson: FHIR is so repetitive that the fastest level already takes away
	// 91% of it; the next step up costs a quarter more time to save 1.5% of the
	// plain size. Should storage or egress ever cost more than workers, 3 is the
	// next choice and 2, 4 and 7 never are. The level may change between
	// releases: readers do not depend on it.
	level = 1
)

var (
	// header has no name, no time and no system: they would differ from run to run.
	header = [10]byte{0x1f, 0x8b, 8, 9: 0xff}

	// finalBlock is an empty stored block with the final bit, on a byte boundary.
	finalBlock = [5]byte{1, 0, 0, 0xff, 0xff}
)

const trailerSize = 8 // CRC-32 and plain size modulo 2^32

// Packing packs and unpacks. The zero value is ready, and safe for concurrent
// use; its packers and readers are each for one goroutine.
type Packing struct{}

var _ ports.Packing = Packing{}

package porttest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"cms.gov/ab2d/ports"
)

// Packing runs the conformance suite of ports.Packing.
func Packing(t *testing.T, create func() ports.Packing) {
	for name, test := range map[string]func(*testing.T, packingTest){
		"the stored form is one gzip member":           packingOneMember,
		"nothing packs to an empty member":             packingEmpty,
		"the bytes do not depend on the writes":        packingCuts,
		"the bytes do not depend on what was before":   packingHistory,
		"Unpack starts at any offset":                  packingOffsets,
		"Unpack begins at the start whatever was read": packingSought,
		"Unpack refuses a negative offset":             packingNegative,
		"a packer is finished once":                    packingFinished,
		"a failing destination fails the packer":       packingWriteError,
		"a failing source fails the reader":            packingReadError,
		"damage is not served as the whole":            packingDamage,
		"packers and readers work side by side":        packingConcurrent,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, packingTest{t, create()})
		})
	}
}

type packingTest struct {
	t       *testing.T
	packing ports.Packing
}

// pack packs plain in writes of at most cut bytes.
func (p packingTest) pack(plain []byte, cut int) (stored, index []byte) {
	p.t.Helper()
	var out bytes.Buffer
	packer := p.packing.Pack(&out)
	for rest := plain; len(rest) > 0; {
		n := min(cut, len(rest))
		if got, err := packer.Write(rest[:n]); got != n || err != nil {
			p.t.Fatalf("Write of %d bytes: %d, %v", n, got, err)
		}
		rest = rest[n:]
	}
	index, err := packer.Finish()
	if err != nil {
		p.t.Fatalf("Finish: %v", err)
	}
	return out.Bytes(), index
}

// unpack returns what a reader from offset gives, and its error.
func (p packingTest) unpack(stored, index []byte, offset int64) ([]byte, error) {
	p.t.Helper()
	r, err := p.packing.Unpack(bytes.NewReader(stored), index, offset)
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(r)
	if closeErr := r.Close(); closeErr != nil {
		p.t.Errorf("Close: %v", closeErr)
	}
	return plain, err
}

// claimLines returns about size bytes of lines that repeat each other as claims do.
func claimLines(size int) []byte {
	r := rand.New(rand.NewPCG(7, uint64(size)))
	var b bytes.Buffer
	for b.Len() < size {
		fmt.Fprintf(&b, `{"resourceType":"ExplanationOfBenefit","id":"carrier-%d","status":"active","billablePeriod":`+
			`{"start":"%d-%02d-%02d"},"item":[{"sequence":1,"quantity":{"value":%d},"locationCodeableConcept":"%x"}]}`+"\n",
			r.Int64(), 2020+r.IntN(5), 1+r.IntN(12), 1+r.IntN(28), r.IntN(100), r.Uint64())
	}
	return b.Bytes()[:size]
}

// aFewMegabytes is larger than what a packing would compress in one go.
const aFewMegabytes = 3<<20 + 4321

func packingOneMember(t *testing.T, p packingTest) {
	for _, size := range []int{1, 100, 70_000, aFewMegabytes} {
		plain := claimLines(size)
		stored, _ := p.pack(plain, 32<<10)
		in := bytes.NewReader(stored) // has ReadByte, so gzip takes no byte too many
		z, err := gzip.NewReader(in)
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		z.Multistream(false)
		got, err := io.ReadAll(z)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: the first member has %d, %v", size, len(got), err)
		}
		if in.Len() != 0 {
			t.Errorf("%d bytes: %d stored bytes come after the first member", size, in.Len())
		}
	}
}

func packingEmpty(t *testing.T, p packingTest) {
	stored, index := p.pack(nil, 1)
	z, err := gzip.NewReader(bytes.NewReader(stored))
	if err != nil {
		t.Fatalf("gzip: %v", err)
	}
	if got, err := io.ReadAll(z); len(got) != 0 || err != nil {
		t.Errorf("gzip reads %q, %v", got, err)
	}
	for _, index := range [][]byte{nil, index} {
		for _, offset := range []int64{0, 1, 1 << 40} {
			if got, err := p.unpack(stored, index, offset); len(got) != 0 || err != nil {
				t.Errorf("Unpack from %d: %q, %v", offset, got, err)
			}
		}
	}
}

func packingCuts(t *testing.T, p packingTest) {
	plain := claimLines(aFewMegabytes)
	want, wantIndex := p.pack(plain, len(plain))
	for _, cut := range []int{777, 65_535, 65_536, 1<<20 - 1, 1<<20 + 1} {
		if got, index := p.pack(plain, cut); !bytes.Equal(got, want) || !bytes.Equal(index, wantIndex) {
			t.Errorf("writes of %d bytes make other bytes", cut)
		}
	}
}

func packingHistory(t *testing.T, p packingTest) {
	plain := claimLines(300_000)
	want, wantIndex := p.pack(plain, 10_000)
	p.pack(claimLines(2<<20), 1<<20)
	p.pack(bytes.Repeat([]byte("x"), 100_000), 100_000)
	if got, index := p.pack(plain, 10_000); !bytes.Equal(got, want) || !bytes.Equal(index, wantIndex) {
		t.Error("the same content makes other bytes the second time")
	}
}

func packingOffsets(t *testing.T, p packingTest) {
	plain := claimLines(aFewMegabytes)
	stored, index := p.pack(plain, 100_000)
	offsets := []int{0, 1, 1<<16 - 1, 1 << 16, 1<<16 + 1, len(plain) - 1, len(plain), len(plain) + 1, len(plain) * 3}
	for edge := 1 << 20; edge <= len(plain); edge += 1 << 20 {
		offsets = append(offsets, edge-1, edge, edge+1)
	}
	for _, offset := range offsets {
		want := plain[min(offset, len(plain)):]
		if got, err := p.unpack(stored, index, int64(offset)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("from %d there are %d bytes, %v, want %d", offset, len(got), err, len(want))
		}
	}
	for _, offset := range []int{0, 1, len(plain) - 1, len(plain), len(plain) + 1} {
		want := plain[min(offset, len(plain)):]
		if got, err := p.unpack(stored, nil, int64(offset)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("without index from %d there are %d bytes, %v, want %d", offset, len(got), err, len(want))
		}
	}
}

func packingSought(t *testing.T, p packingTest) {
	plain := claimLines(200_000)
	stored, index := p.pack(plain, 50_000)
	src := bytes.NewReader(stored)
	for _, index := range [][]byte{nil, index, nil} {
		r, err := p.packing.Unpack(src, index, 150_000)
		if err != nil {
			t.Fatalf("Unpack: %v", err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, plain[150_000:]) {
			t.Errorf("there are %d bytes, %v", len(got), err)
		}
		_ = r.Close()
	}
}

func packingNegative(t *testing.T, p packingTest) {
	stored, index := p.pack([]byte("a"), 1)
	for _, index := range [][]byte{nil, index} {
		if _, err := p.unpack(stored, index, -1); err == nil {
			t.Error("Unpack from before the start succeeds")
		}
	}
}

func packingFinished(t *testing.T, p packingTest) {
	var out bytes.Buffer
	packer := p.packing.Pack(&out)
	if _, err := packer.Finish(); err != nil {
		t.Fatalf("Finish: %v", err)
	}
	size := out.Len()
	if _, err := packer.Write([]byte("more")); err == nil {
		t.Error("Write after Finish succeeds")
	}
	if out.Len() != size {
		t.Error("Write after Finish writes")
	}
}

// brokenWriter takes so many bytes and then fails.
type brokenWriter struct{ left int }

var errBroken = errors.New("broken")

func (w *brokenWriter) Write(b []byte) (int, error) {
	n := min(w.left, len(b))
	w.left -= n
	if n < len(b) {
		return n, errBroken
	}
	return n, nil
}

func packingWriteError(t *testing.T, p packingTest) {
	plain := claimLines(3 << 20)
	stored, _ := p.pack(plain, len(plain))
	for _, left := range []int{0, 1, 9, 1000, len(stored) / 2, len(stored) - 9, len(stored) - 1} {
		packer := p.packing.Pack(&brokenWriter{left})
		_, err := packer.Write(plain)
		if err != nil && !errors.Is(err, errBroken) {
			t.Errorf("Write to a destination of %d bytes: %v, want its error", left, err)
		}
		if _, err := packer.Finish(); !errors.Is(err, errBroken) {
			t.Errorf("Finish with a destination of %d bytes: %v, want its error", left, err)
		}
	}
	if again, _ := p.pack(plain, len(plain)); !bytes.Equal(again, stored) {
		t.Error("after failures the same content makes other bytes")
	}
}

// brokenReader fails from an offset on.
type brokenReader struct {
	*bytes.Reader
	from int64
}

func (r brokenReader) Read(b []byte) (int, error) {
	at := r.Size() - int64(r.Len())
	if at >= r.from {
		return 0, errBroken
	}
	return r.Reader.Read(b[:min(int64(len(b)), r.from-at)])
}

func packingReadError(t *testing.T, p packingTest) {
	plain := claimLines(3 << 20)
	stored, index := p.pack(plain, len(plain))
	for _, from := range []int{0, 5, 1000, len(stored) / 2, len(stored) - 3} {
		for _, offset := range []int64{0, 10, int64(len(plain) - 10)} {
			r, err := p.packing.Unpack(brokenReader{bytes.NewReader(stored), int64(from)}, index, offset)
			if err == nil {
				_, err = io.Copy(io.Discard, r)
				_ = r.Close()
			}
			if !errors.Is(err, errBroken) {
				t.Errorf("a source that fails at %d, read from %d: %v, want its error", from, offset, err)
			}
		}
	}
}

func packingDamage(t *testing.T, p packingTest) {
	plain := claimLines(3 << 19)
	stored, index := p.pack(plain, len(plain))
	check := func(what string, stored, index []byte, offset int) {
		t.Helper()
		got, err := p.unpack(stored, index, int64(offset))
		if err == nil && !bytes.Equal(got, plain[offset:]) {
			t.Errorf("%s: other bytes are served from %d without an error", what, offset)
		}
	}
	damage := func(b []byte, i int) []byte {
		b = bytes.Clone(b)
		b[i] ^= 0x10
		return b
	}
	for i := 0; i < len(stored); i += 1 + len(stored)/20 {
		for _, offset := range []int{0, 1<<20 + 5} {
			check(fmt.Sprintf("byte %d changed", i), damage(stored, i), index, offset)
			check(fmt.Sprintf("cut at %d", i), stored[:i], index, offset)
		}
		check(fmt.Sprintf("byte %d changed, no index", i), damage(stored, i), nil, 0)
		check(fmt.Sprintf("cut at %d, no index", i), stored[:i], nil, 0)
	}
	for i := range index {
		check(fmt.Sprintf("index byte %d changed", i), stored, damage(index, i), 1<<20+5)
		check(fmt.Sprintf("index cut at %d", i), stored, index[:i], 1<<20+5)
	}
}

func packingConcurrent(t *testing.T, p packingTest) {
	for i := range 4 {
		t.Run(strings.Repeat("i", i+1), func(t *testing.T) {
			t.Parallel()
			p := packingTest{t, p.packing}
			for j := range 3 {
				plain := claimLines(1<<20 + i*100_000 + j)
				stored, index := p.pack(plain, 30_000+i)
				if got, err := p.unpack(stored, index, 1<<20); err != nil || !bytes.Equal(got, plain[1<<20:]) {
					t.Errorf("there are %d bytes, %v", len(got), err)
				}
			}
		})
	}
}

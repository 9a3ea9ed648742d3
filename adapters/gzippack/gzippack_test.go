package gzippack

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"testing"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
	"cms.gov/ab2d/ports/porttest"
)

func TestConformance(t *testing.T) {
	porttest.Packing(t, func() ports.Packing { return Packing{} })
}

// values are what differs from claim to claim: ids, dates, codes, amounts. URLs
// match first, and stay.
var values = regexp.MustCompile(`"https?:[^"]*"|\d{4}-\d\d-\d\d|\d{3,}`)

// claims returns at least size bytes of claims as AB2D's sample export has them,
// whole lines, with their values at random. They are the same again after a
// megabyte, which is much too far apart for deflate to notice.
func claims(tb testing.TB, size int) []byte {
	tb.Helper()
	sample, err := os.ReadFile("testdata/claims.ndjson")
	if err != nil {
		tb.Fatal(err)
	}
	lines := bytes.SplitAfter(bytes.TrimSuffix(sample, []byte("\n")), []byte("\n"))
	r := rand.New(rand.NewPCG(1, 2))
	var out bytes.Buffer
	for out.Len() < min(size, 1<<20) {
		line := lines[r.IntN(len(lines)-1)]
		out.Write(values.ReplaceAllFunc(line, func(v []byte) []byte {
			if v[0] == '"' {
				return v
			}
			if len(v) == 10 && v[4] == '-' {
				return fmt.Appendf(nil, "%d-%02d-%02d", 2020+r.IntN(4), 1+r.IntN(12), 1+r.IntN(28))
			}
			v = bytes.Clone(v)
			for i := range v {
				v[i] = byte('0' + r.IntN(10))
			}
			return v
		}))
	}
	return bytes.Repeat(out.Bytes(), 1+size/out.Len())
}

// pack packs in one write.
func pack(tb testing.TB, plain []byte) (stored, index []byte) {
	tb.Helper()
	var out bytes.Buffer
	p := Packing{}.Pack(&out)
	if _, err := p.Write(plain); err != nil {
		tb.Fatal(err)
	}
	index, err := p.Finish()
	if err != nil {
		tb.Fatal(err)
	}
	return out.Bytes(), index
}

// unpack returns the bytes from offset on.
func unpack(stored, index []byte, offset int64) ([]byte, error) {
	r, err := Packing{}.Unpack(bytes.NewReader(stored), index, offset)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func TestHeaderSaysNothing(t *testing.T) {
	stored, _ := pack(t, []byte("a\n"))
	z, err := gzip.NewReader(bytes.NewReader(stored))
	if err != nil {
		t.Fatal(err)
	}
	if z.Name != "" || z.Comment != "" || z.Extra != nil || !z.ModTime.IsZero() || z.OS != 255 {
		t.Errorf("the header is %+v, want one without name, time and system", z.Header)
	}
}

func TestSegmentsStandAlone(t *testing.T) {
	for _, size := range []int{1, segmentSize - 1, segmentSize, segmentSize + 1, 3*segmentSize + 5} {
		plain := claims(t, size)[:size]
		stored, encoded := pack(t, plain)
		x, err := decodeIndex(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if want := (size + segmentSize - 1) / segmentSize; len(x.entries) != want || x.plain != int64(size) {
			t.Fatalf("the index of %d bytes says %d in %d segments, want %d", size, x.plain, len(x.entries), want)
		}
		for i := range x.entries {
			// With everything before the segment gone, its bytes still come.
			blank := make([]byte, x.start(int64(i)).stored)
			copy(blank, header[:])
			blank = append(blank, stored[len(blank):]...)
			from := i * segmentSize
			if got, err := unpack(blank, encoded, int64(from)); err != nil || !bytes.Equal(got, plain[from:]) {
				t.Errorf("from segment %d of %d bytes come %d bytes, %v", i, size, len(got), err)
			}
		}
		end := int64(len(stored) - len(finalBlock) - trailerSize)
		if last := x.entries[len(x.entries)-1].stored; last != end {
			t.Errorf("the last segment ends at %d, want %d", last, end)
		}
	}
}

// watched tells how much was read of it.
type watched struct {
	*bytes.Reader
	read int
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Reader.Read(b)
	w.read += n
	return n, err
}

func TestUnpackStartsNearTheOffset(t *testing.T) {
	plain := claims(t, 8*segmentSize)
	stored, index := pack(t, plain)
	src := &watched{Reader: bytes.NewReader(stored)}
	offset := 6*segmentSize + 100
	r, err := Packing{}.Unpack(src, index, int64(offset))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if src.read > readSize {
		t.Errorf("the first byte took %d stored bytes of %d, want at most %d", src.read, len(stored), readSize)
	}
	src.read = 0
	if r, err = (Packing{}).Unpack(src, index, int64(len(plain))); err != nil {
		t.Fatal(err)
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF || src.read != 0 {
		t.Errorf("at the end Read returns %d, %v and took %d stored bytes", n, err, src.read)
	}
}

func TestRefusals(t *testing.T) {
	plain := claims(t, 2*segmentSize)
	stored, index := pack(t, plain)
	other, otherIndex := pack(t, bytes.ToUpper(plain))
	_, shorter := pack(t, plain[:segmentSize+9])
	trailing := append(bytes.Clone(stored), 0)
	wrongSum := bytes.Clone(stored)
	wrongSum[len(wrongSum)-8]++
	wrongSize := bytes.Clone(stored)
	wrongSize[len(wrongSize)-1]++
	for name, test := range map[string]struct {
		stored, index []byte
		offset        int64
	}{
		"nothing":                          {nil, nil, 0},
		"nothing, behind its start":        {nil, index, segmentSize},
		"half a header":                    {stored[:5], nil, 0},
		"not gzip":                         {plain, nil, 0},
		"another's header":                 {append([]byte{0x1f, 0x8b, 8, 0, 1}, stored[5:]...), nil, 0},
		"no trailer":                       {stored[:len(stored)-8], nil, 0},
		"half a trailer":                   {stored[:len(stored)-4], index, segmentSize},
		"more after the end":               {trailing, nil, 0},
		"more after the end, entered late": {trailing, index, segmentSize + 1},
		"two members":                      {append(bytes.Clone(stored), stored...), nil, 0},
		"wrong sum":                        {wrongSum, nil, 0},
		"wrong sum, entered late":          {wrongSum, index, segmentSize + 1},
		"wrong size":                       {wrongSize, index, segmentSize + 1},
		"another's index":                  {stored, otherIndex, segmentSize + 1},
		"another's index, from the start":  {other, index, 0},
		"index of a shorter file":          {stored, shorter, segmentSize + 1},
		"index without its end":            {stored, index[:len(index)-1], 0},
	} {
		if got, err := unpack(test.stored, test.index, test.offset); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %d bytes, %v, want ErrCorrupt", name, len(got), err)
		}
	}
	if _, err := unpack(stored, index, -1); domain.CodeOf(err) != domain.Invalid {
		t.Errorf("a negative offset: %v, want invalid", err)
	}
}

func TestReadAfterClose(t *testing.T) {
	stored, index := pack(t, []byte("a\n"))
	r, err := Packing{}.Unpack(bytes.NewReader(stored), index, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := r.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Read after Close: %v, want fs.ErrClosed", err)
	}
}

// seal gives the body of an index the checksum it should have.
func seal(body []byte) []byte {
	return binary.LittleEndian.AppendUint32(bytes.Clone(body), crc32.ChecksumIEEE(body))
}

func TestIndexIsCheckedBeforeItIsBelieved(t *testing.T) {
	huge := binary.AppendUvarint(nil, math.MaxUint64)
	long := binary.AppendUvarint(nil, math.MaxInt64)
	sum := []byte{1, 2, 3, 4}
	for name, body := range map[string][]byte{
		"empty":                   {},
		"unknown version":         {2, 1, 0},
		"segment size 0":          {1, 0, 0},
		"segment size too large":  append([]byte{1}, append(long, 0)...),
		"segment size overflows":  append([]byte{1}, append(huge, 0)...),
		"plain size overflows":    append([]byte{1, 1}, huge...),
		"more segments than room": append([]byte{1, 1}, long...),
		"no plain size":           {1, 1},
		"a segment of no bytes":   append([]byte{1, 1, 1, 0}, sum...),
		"a segment without sum":   {1, 1, 1, 9, 1, 2, 3},
		"the second is missing":   append([]byte{1, 1, 2, 9}, sum...),
		"one segment too many":    append(append([]byte{1, 1, 1, 9}, sum...), append([]byte{9}, sum...)...),
		"offsets overflow":        append(append([]byte{1, 1, 1}, long...), sum...),
	} {
		if x, err := decodeIndex(seal(body)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %+v, %v, want ErrCorrupt", name, x, err)
		}
	}
	if _, err := decodeIndex(seal(append([]byte{1, 1, 1, 9}, sum...))); err != nil {
		t.Errorf("a whole index: %v", err)
	}
}

func TestIndexIsSmall(t *testing.T) {
	_, index := pack(t, claims(t, 10*segmentSize))
	if len(index) > 100 {
		t.Errorf("the index of 10 MiB takes %d bytes, want at most 100", len(index))
	}
}

func FuzzUnpack(f *testing.F) {
	plain := bytes.Repeat([]byte("a line that is repeated\n"), 3*segmentSize/24)
	stored, index := pack(f, plain)
	f.Add(index, int64(0))
	f.Add(index, int64(segmentSize+1))
	f.Add(index[:len(index)-4], int64(2*segmentSize)) // without checksum; see below
	f.Add(index[:9], int64(5))
	f.Add([]byte{}, int64(1))
	f.Fuzz(func(t *testing.T, index []byte, offset int64) {
		// The checksum keeps chance out, so what lies behind it is tried with a
		// right one, too.
		for _, index := range [][]byte{index, seal(index)} {
			got, err := unpack(stored, index, offset)
			if err != nil || len(index) > 0 && len(got) == 0 {
				continue
			}
			if want := plain[min(offset, int64(len(plain))):]; !bytes.Equal(got, want) {
				t.Errorf("from %d there are %d bytes, want %d", offset, len(got), len(want))
			}
		}
	})
}

func FuzzDamage(f *testing.F) {
	plain := bytes.Repeat([]byte("a line that is repeated\n"), 100)
	stored, index := pack(f, plain)
	f.Add(stored)
	f.Add(stored[:20])
	f.Fuzz(func(t *testing.T, stored []byte) {
		for _, index := range [][]byte{nil, index} {
			got, err := unpack(stored, index, 3)
			if err == nil && index != nil && !bytes.Equal(got, plain[3:]) {
				t.Error("other bytes than the index belongs to are served without an error")
			}
		}
	})
}

func TestOtherReadersReadIt(t *testing.T) {
	plain := claims(t, 2*segmentSize+100)
	stored, _ := pack(t, plain)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(stored)
	}))
	defer server.Close()
	for _, reader := range [][]string{
		{"gzip", "-d", "-c"},
		{"curl", "-sS", "--compressed", server.URL},
		{"python3", "-c", "import sys,zlib\nd=zlib.decompressobj(31)\n" +
			"sys.stdout.buffer.write(d.decompress(sys.stdin.buffer.read()))\nassert d.eof and not d.unused_data"},
	} {
		if _, err := exec.LookPath(reader[0]); err != nil {
			t.Logf("%s is not installed", reader[0])
			continue
		}
		cmd := exec.CommandContext(t.Context(), reader[0], reader[1:]...)
		cmd.Stdin, cmd.Stderr = bytes.NewReader(stored), os.Stderr
		got, err := cmd.Output()
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s reads %d bytes of %d, %v", reader[0], len(got), len(plain), err)
		}
	}
}

func TestMemoryIsFlat(t *testing.T) {
	plain := claims(t, 8*segmentSize)
	stored, index := pack(t, plain)
	buf := make([]byte, 4096)
	for what, run := range map[string]func(){
		"pack": func() {
			p := Packing{}.Pack(io.Discard)
			_, _ = p.Write(plain)
			_, _ = p.Finish()
		},
		"unpack": func() {
			r, err := Packing{}.Unpack(bytes.NewReader(stored), index, 100)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.CopyBuffer(io.Discard, struct{ io.Reader }{r}, buf)
			_ = r.Close()
		},
	} {
		const runs = 4
		run()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			run()
		}
		runtime.ReadMemStats(&after)
		// Under the race detector pools forget at random, so all may be made anew
		// each time; a buffer of a segment would still not fit.
		if got := (after.TotalAlloc - before.TotalAlloc) / runs; got >= segmentSize {
			t.Errorf("to %s 8 MiB takes %d bytes of memory, want less than a segment", what, got)
		}
	}
}

func BenchmarkPack(b *testing.B) {
	plain := claims(b, 16*segmentSize)
	stored, _ := pack(b, plain)
	b.SetBytes(int64(len(plain)))
	b.ReportAllocs()
	for b.Loop() {
		p := Packing{}.Pack(io.Discard)
		_, _ = p.Write(plain)
		_, _ = p.Finish()
	}
	b.ReportMetric(float64(len(plain))/float64(len(stored)), "ratio")
}

// BenchmarkLevels compares levels as the comment on level does; there the claims
// were made of all 309 of the sample export and so repeat each other less.
func BenchmarkLevels(b *testing.B) {
	plain := claims(b, 16*segmentSize)
	for level := 1; level <= 7; level++ {
		b.Run(fmt.Sprint(level), func(b *testing.B) {
			e := newEncoder(level)
			size := packWith(e, plain)
			b.SetBytes(int64(len(plain)))
			for b.Loop() {
				packWith(e, plain)
			}
			b.ReportMetric(float64(len(plain))/float64(size), "ratio")
		})
	}
}

// packWith packs with an encoder of its own and returns the stored size.
func packWith(e *encoder, plain []byte) int64 {
	p := e.begin(io.Discard)
	_, _ = p.Write(plain)
	p.endSegment()
	_ = p.end()
	return e.written
}

func BenchmarkUnpack(b *testing.B) {
	plain := claims(b, 16*segmentSize)
	stored, index := pack(b, plain)
	buf := make([]byte, 32<<10)
	for name, offset := range map[string]int64{"whole": 0, "last bytes": int64(len(plain)) - 100} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(plain)) - offset)
			b.ReportAllocs()
			for b.Loop() {
				r, err := Packing{}.Unpack(bytes.NewReader(stored), index, offset)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{r}, buf); err != nil {
					b.Fatal(err)
				}
				_ = r.Close()
			}
		})
	}
}

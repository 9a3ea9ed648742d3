package exportclient

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
)

// facts are what was found in a file, inflated.
type facts struct {
	Bytes  int64  `json:"bytes"`
	Lines  int64  `json:"lines"`
	SHA256 string `json:"sha256"`
}

// errContent is that a file is not what it should be, which fetching it again
// may cure.
var errContent = errors.New("the content is wrong")

func wrong(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errContent, fmt.Sprintf(format, args...))
}

// check reads a part that is whole, inflates it to a file where it is
// compressed, and holds it against everything that the server said of it. It
// returns what was found, what it was held against, and where the inflated bytes
// are, which are on disk.
func (f *folder) check(ctx context.Context, one file, p *part) (found facts, against []string, plain string, err error) {
	in, err := os.Open(p.path)
	if err != nil {
		return found, nil, "", err
	}
	defer in.Close()
	wire := &hashed{r: in, hash: sha256.New(), ctx: ctx}
	var body io.Reader = wire
	plain = p.path
	inflated := io.Discard
	var out *os.File
	if p.Encoding == "gzip" {
		z, err := gzip.NewReader(bufio.NewReaderSize(wire, 1<<18))
		if err != nil {
			return found, nil, "", broken(wire, err)
		}
		body, plain = z, f.private(one.Name+".plain")
		if out, err = os.OpenFile(plain, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600); err != nil {
			return found, nil, "", err
		}
		defer out.Close()
		inflated = out
	}
	if found, err = examine(body, inflated); err == nil {
		_, err = io.Copy(io.Discard, wire) // what a decoder did not want to know of
	}
	if err != nil {
		return found, nil, "", broken(wire, err)
	}
	against, err = compare(one, p, found, hex.EncodeToString(wire.hash.Sum(nil)), wire.n)
	if err != nil {
		return found, nil, "", err
	}
	if out == nil {
		out, err = os.OpenFile(plain, os.O_RDWR, 0)
		if err != nil {
			return found, nil, "", err
		}
		defer out.Close()
	}
	return found, against, plain, out.Sync()
}

// broken tells content that is wrong from a disk that is.
func broken(wire *hashed, err error) error {
	var path *os.PathError
	switch {
	case wire.err != nil:
		return wire.err
	case errors.As(err, &path), errors.Is(err, errContent):
		return err
	}
	return wrong("%v", err)
}

func compare(one file, p *part, found facts, wire string, wireBytes int64) (against []string, err error) {
	match := func(what, want string, got ...string) {
		if want == "" || err != nil {
			return
		}
		for _, g := range got {
			if g == want {
				against = append(against, what)
				return
			}
		}
		err = wrong("its %s is %s, and should be %s", what, got[0], want)
	}
	number := func(n int64) string {
		if n < 0 {
			return ""
		}
		return fmt.Sprint(n)
	}
	// What the manifest says of a file is about its inflated bytes with AB2D;
	// other servers mean those that they send.
	match("sha256", one.PlainSHA256, found.SHA256, wire)
	match("length", number(one.PlainBytes), number(found.Bytes), number(wireBytes))
	if p.Encoding == "gzip" {
		match("sha256 as sent", one.WireSHA256, wire)
		match("length as sent", number(one.WireBytes), number(wireBytes))
	}
	match("digest of the answer", p.Digest, wire, found.SHA256)
	if one.Count != nil {
		match("count", number(*one.Count), number(found.Lines))
	}
	return against, err
}

// mostLine is the length of a line that is still looked into as a whole.
const mostLine = 64 << 20

// examine copies NDJSON, counting and hashing. Every line must look like a JSON
// object, and the last one must be one, since a body that was cut off may end
// within it.
func examine(r io.Reader, to io.Writer) (facts, error) {
	var f facts
	sum := sha256.New()
	out := bufio.NewWriterSize(to, 1<<18)
	lines := bufio.NewReaderSize(io.TeeReader(r, io.MultiWriter(sum, out)), 1<<18)
	for {
		line, err := lines.ReadSlice('\n')
		long := []byte(nil)
		for errors.Is(err, bufio.ErrBufferFull) {
			if long = append(long, line...); len(long) > mostLine {
				return f, wrong("line %d has more than %d bytes", f.Lines+1, mostLine)
			}
			line, err = lines.ReadSlice('\n')
		}
		if long != nil {
			line = append(long, line...)
		}
		f.Bytes += int64(len(line))
		if err != nil && !errors.Is(err, io.EOF) {
			return f, err
		}
		if text := trimmed(line); len(text) > 0 {
			f.Lines++
			if text[0] != '{' || text[len(text)-1] != '}' || err != nil && !json.Valid(text) {
				return f, wrong("line %d is not a whole JSON object", f.Lines)
			}
		}
		if err != nil {
			f.SHA256 = hex.EncodeToString(sum.Sum(nil))
			return f, out.Flush()
		}
	}
}

func trimmed(line []byte) []byte {
	for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r' || line[len(line)-1] == ' ') {
		line = line[:len(line)-1]
	}
	return line
}

// hashed counts and hashes what is read of a file, until ctx ends.
type hashed struct {
	r    io.Reader
	hash hash.Hash
	n    int64
	err  error // of the file or of ctx, not of what is in it
	ctx  context.Context
}

func (h *hashed) Read(b []byte) (int, error) {
	if h.err = h.ctx.Err(); h.err != nil {
		return 0, h.err
	}
	n, err := h.r.Read(b)
	h.n += int64(n)
	h.hash.Write(b[:n])
	if err != nil && !errors.Is(err, io.EOF) {
		h.err = err
	}
	return n, err
}

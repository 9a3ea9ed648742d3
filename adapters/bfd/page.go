package bfd

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/bits"
	"strconv"
	"time"
)

// page cuts one Bundle into its resources while it comes. It goes over the bytes
// once and holds no more than the resource at hand. What it decides by is fully
// validated: the members of the Bundle that it knows, none of them twice. Of
// resources, and of what it does not know, it sees that they are balanced; what
// is in a claim is validated by who trims it.
type page struct {
	src io.Reader
	max int // the longest resource

	buf  []byte
	i, n int // the next byte, and the end of what has been read
	keep int // what is not to be forgotten when more is read
	end  bool

	state  pageState
	found  bool  // the next byte is the first of a resource
	fault  error // what reading failed with, after the bytes that came before it
	err    error // what seek failed with
	first  bool  // no member, or entry, has come yet
	seen   uint
	within uint // the members of the entry at hand
	plain  [32]byte

	// What the Bundle says, whole once next has returned io.EOF.
	total   int // -1 when it does not say
	entries int
	asOf    time.Time
	nextURL string
}

type pageState uint8

const (
	atStart pageState = iota
	inBundle
	inEntries
	inEntry
	atEnd
)

// The members of a Bundle, or of an entry, that decide.
const (
	hasResourceType = 1 << iota
	hasType
	hasTotal
	hasMeta
	hasLink
	hasEntry
	hasResource
)

// malformed says what is wrong with an answer and nothing of what is in it.
type malformed struct{ what string }

func (e *malformed) Error() string { return "the answer is no Bundle as it should be: " + e.what }

func bad(format string, args ...any) error { return &malformed{fmt.Sprintf(format, args...)} }

const (
	// pageBuffer is several claims: of the last of them only the beginning has
	// come, so that it is gone over twice.
	pageBuffer   = 128 << 10
	maxPageDepth = 128
)

func (p *page) reset(src io.Reader) {
	*p = page{src: src, max: p.max, buf: p.buf, total: -1}
	if p.buf == nil || cap(p.buf) > 8*pageBuffer { // one huge claim is not kept room for
		p.buf = make([]byte, pageBuffer)
	}
}

// next returns the next resource, on one line, valid until the following call,
// and io.EOF when the Bundle has ended well and nothing follows it.
func (p *page) next() ([]byte, error) {
	for {
		if err := p.seek(); err != nil {
			return nil, err
		}
		p.found = false
		value, lines, err := p.value()
		switch {
		case err != nil:
			return nil, err
		case value[0] != '{':
			return nil, bad("a resource is no object")
		case isOutcome(value): // what the server has to say about the search is no claim
			continue
		}
		p.entries++
		if lines {
			return onOneLine(value), nil
		}
		return value, nil
	}
}

// begun returns what has come of the next resource and of what follows it, which
// is more than beyond bytes, and nothing when next has to tell what comes.
func (p *page) begun(beyond int) []byte {
	if p.seek() != nil { // which next finds too
		return nil
	}
	if p.keep = p.i; p.n-p.i <= beyond && (p.keep == 0 || p.more() != nil) { // one that fills the buffer is next's
		return nil
	}
	if window := p.buf[p.i:p.n]; len(window) > beyond && window[0] == '{' && !isOutcome(window) {
		return window
	}
	return nil
}

// ended takes the first n bytes of what begun returned for a resource.
func (p *page) ended(n int) {
	p.i += n
	p.found = false
	p.entries++
}

// seek goes to the next resource. It fails as it failed before.
func (p *page) seek() error {
	if p.err == nil {
		p.err = p.goOn()
	}
	return p.err
}

func (p *page) goOn() error {
	for !p.found {
		p.keep = p.i
		switch p.state {
		case atStart:
			if err := p.expect('{'); err != nil {
				return err
			}
			p.state, p.first = inBundle, true
		case inBundle:
			if err := p.bundleMember(); err != nil {
				return err
			}
		case inEntries:
			more, err := p.another(']')
			if err != nil {
				return err
			}
			if !more {
				p.state, p.first = inBundle, false
				continue
			}
			if err := p.expect('{'); err != nil {
				return err
			}
			p.state, p.first, p.within = inEntry, true, 0
		case inEntry:
			if err := p.entryMember(); err != nil {
				return err
			}
		case atEnd:
			return io.EOF
		}
	}
	return nil
}

func (p *page) bundleMember() error {
	more, err := p.another('}')
	if err != nil {
		return err
	}
	if !more {
		return p.finish()
	}
	name, err := p.name()
	if err != nil {
		return err
	}
	switch string(name) {
	case "resourceType":
		return p.fixed(hasResourceType, "resourceType", "Bundle")
	case "type":
		return p.fixed(hasType, "type", "searchset")
	case "total":
		return p.readTotal()
	case "meta":
		return p.readMeta()
	case "link":
		return p.readLinks()
	case "entry":
		if err := once(&p.seen, hasEntry, "entry"); err != nil {
			return err
		}
		if err := p.expect('['); err != nil {
			return err
		}
		p.state, p.first = inEntries, true
		return nil
	}
	_, _, err = p.value()
	return err
}

// entryMember reads a member of an entry, and of the resource no more than its name.
func (p *page) entryMember() error {
	more, err := p.another('}')
	if err != nil {
		return err
	}
	if !more {
		if p.within&hasResource == 0 {
			return bad("an entry has no resource")
		}
		p.state, p.first = inEntries, false
		return nil
	}
	name, err := p.name()
	if err != nil {
		return err
	}
	if string(name) != "resource" {
		_, _, err = p.value()
		return err
	}
	if err := once(&p.within, hasResource, "resource"); err != nil {
		return err
	}
	_, err = p.need()
	p.found = err == nil
	return err
}

// isOutcome reports whether a resource is an OperationOutcome, by its first
// member, where all known servers have it.
func isOutcome(resource []byte) bool {
	rest := bytes.TrimLeft(resource[1:], " \n\r\t")
	rest, ok := bytes.CutPrefix(rest, []byte(`"resourceType"`))
	if !ok {
		return false
	}
	rest = bytes.TrimLeft(rest, ": \n\r\t")
	return bytes.HasPrefix(rest, []byte(`"OperationOutcome"`))
}

// onOneLine takes the white space out of a resource; one that is no JSON is
// passed on as it is, for who trims it to refuse.
func onOneLine(resource []byte) []byte {
	var out bytes.Buffer
	out.Grow(len(resource))
	if json.Compact(&out, resource) != nil {
		return resource
	}
	return out.Bytes()
}

// finish sees to it that the Bundle said what it must and that nothing follows.
func (p *page) finish() error {
	if c, err := p.token(); err == nil {
		return bad("%q follows its end", c)
	} else if err != io.EOF {
		return err
	}
	switch {
	case p.seen&hasResourceType == 0:
		return bad("it has no resourceType")
	case p.asOf.IsZero():
		return bad("it does not say as of when it stands")
	}
	p.state = atEnd
	return nil
}

func once(seen *uint, bit uint, name string) error {
	if *seen&bit != 0 {
		return bad("%s stands there twice", name)
	}
	*seen |= bit
	return nil
}

func (p *page) fixed(bit uint, name, want string) error {
	if err := once(&p.seen, bit, name); err != nil {
		return err
	}
	var got string
	if err := p.decode(&got); err != nil {
		return bad("%s is no text", name)
	}
	if got != want {
		return bad("%s is not %s", name, want)
	}
	return nil
}

func (p *page) readTotal() error {
	if err := once(&p.seen, hasTotal, "total"); err != nil {
		return err
	}
	value, _, err := p.value()
	if err != nil {
		return err
	}
	if p.total, err = strconv.Atoi(string(value)); err != nil || p.total < 0 {
		return bad("total is no number")
	}
	return nil
}

func (p *page) readMeta() error {
	if err := once(&p.seen, hasMeta, "meta"); err != nil {
		return err
	}
	var meta struct {
		LastUpdated *time.Time `json:"lastUpdated"`
	}
	if err := p.decode(&meta); err != nil || meta.LastUpdated == nil {
		return bad("meta does not say when it was last updated")
	}
	p.asOf = *meta.LastUpdated
	return nil
}

func (p *page) readLinks() error {
	if err := once(&p.seen, hasLink, "link"); err != nil {
		return err
	}
	var links []struct {
		Relation string `json:"relation"`
		URL      string `json:"url"`
	}
	if err := p.decode(&links); err != nil {
		return bad("its links cannot be read")
	}
	for _, l := range links {
		if l.Relation != "next" {
			continue
		}
		if p.nextURL != "" || l.URL == "" {
			return bad("it has two next pages, or one without an address")
		}
		p.nextURL = l.URL
	}
	return nil
}

// decode reads a small value by the standard library, which validates it.
func (p *page) decode(to any) error {
	value, _, err := p.value()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(value, to); err != nil {
		return err
	}
	return nil
}

// another goes to the next member or entry and reports whether there is one;
// closing is what ends them.
func (p *page) another(closing byte) (bool, error) {
	c, err := p.need()
	if err != nil {
		return false, err
	}
	if c == closing {
		p.i++
		return false, nil
	}
	if !p.first {
		if c != ',' {
			return false, bad("a comma is missing")
		}
		p.i++
		if c, err = p.need(); err != nil {
			return false, err
		}
		if c == closing {
			return false, bad("something is missing after a comma")
		}
	}
	p.first = false
	return true, nil
}

// name reads a member's name and its colon. Names with escapes are none of ours.
func (p *page) name() ([]byte, error) {
	value, _, err := p.value()
	if err != nil {
		return nil, err
	}
	if value[0] != '"' || !json.Valid(value) {
		return nil, bad("a member has no name")
	}
	name := append(p.plain[:0], value[1:len(value)-1]...) // value may move
	if bytes.IndexByte(name, '\\') >= 0 {
		return nil, bad("the name of a member is written with escapes")
	}
	return name, p.expect(':')
}

func (p *page) expect(want byte) error {
	c, err := p.need()
	if err != nil {
		return err
	}
	if c != want {
		return bad("%q is missing", want)
	}
	p.i++
	return nil
}

// token skips white space and returns the byte that follows, which it leaves.
func (p *page) token() (byte, error) {
	for {
		for p.i < p.n {
			switch c := p.buf[p.i]; c {
			case ' ', '\n', '\r', '\t':
				p.i++
			default:
				return c, nil
			}
		}
		if p.keep == 0 || p.i > p.keep { // white space is not kept
			p.keep = p.i
		}
		if err := p.more(); err != nil {
			return 0, err
		}
	}
}

// need is token where the Bundle cannot have ended.
func (p *page) need() (byte, error) {
	c, err := p.token()
	if err == io.EOF {
		return 0, bad("it ends too early")
	}
	return c, err
}

// more fills the buffer behind the bytes that are kept. It returns io.EOF at the end.
func (p *page) more() error {
	if p.end {
		return io.EOF
	}
	if p.keep > 0 {
		copy(p.buf, p.buf[p.keep:p.n])
		p.i, p.n, p.keep = p.i-p.keep, p.n-p.keep, 0
	}
	if p.n == len(p.buf) {
		if len(p.buf) >= p.max {
			return bad("a resource has more than %d bytes", p.max)
		}
		larger := make([]byte, min(2*len(p.buf), p.max))
		copy(larger, p.buf[:p.n])
		p.buf = larger
	}
	from := p.n
	for p.n < len(p.buf) && p.fault == nil && !p.end {
		n, err := p.src.Read(p.buf[p.n:])
		p.n += n
		if err == io.EOF {
			p.end = true
		} else {
			p.fault = err
		}
	}
	switch {
	case p.n > from:
		return nil
	case p.fault != nil:
		return p.fault
	}
	return io.EOF
}

// What a byte outside of strings means to who looks for the end of a value.
const (
	ordinary = iota
	quote
	opening
	closing
	newline
	outside // of any value
)

var meaning = [256]uint8{'"': quote, '{': opening, '[': opening, '}': closing, ']': closing, '\n': newline, '\r': newline}

// value reads the value that comes next and returns its bytes, valid until more
// is read, and whether it is on more than one line.
func (p *page) value() (value []byte, lines bool, err error) {
	c, err := p.need()
	if err != nil {
		return nil, false, err
	}
	p.keep = p.i
	switch meaning[c] {
	case quote:
		p.i++
		err = p.text()
	case opening:
		lines, err = p.nest()
	case closing:
		err = bad("a value is missing")
	default:
		err = p.bare()
	}
	if err == io.EOF {
		err = bad("it ends too early")
	}
	if err != nil {
		return nil, false, err
	}
	return p.buf[p.keep:p.i], lines, nil
}

// bare reads a number or a word.
func (p *page) bare() error {
	for {
		for ; p.i < p.n; p.i++ {
			switch p.buf[p.i] {
			case ',', ':', '"', '{', '}', '[', ']', ' ', '\n', '\r', '\t':
				if p.i == p.keep {
					return bad("a value is missing")
				}
				if !json.Valid(p.buf[p.keep:p.i]) {
					return bad("a value is none of JSON's")
				}
				return nil
			}
		}
		if err := p.more(); err != nil {
			return err
		}
	}
}

// nest reads an object or array from its opening bracket on.
func (p *page) nest() (lines bool, err error) {
	depth := 0
	lo, hi := uint64(0), uint64(0) // one bit for each open bracket, the innermost lowest
	for {
		buf, i := p.buf[:p.n], p.i
		for i < len(buf) {
			c := buf[i]
			i++
			switch meaning[c] {
			case quote:
				if at := endOfPlain(buf, i); at >= 0 {
					i = at
					continue
				}
				p.i = i
				if err := p.text(); err != nil {
					return lines, err
				}
				buf, i = p.buf[:p.n], p.i
			case opening:
				if depth++; depth > maxPageDepth {
					return lines, bad("it is nested too deep")
				}
				hi, lo = hi<<1|lo>>63, lo<<1|kindOf(c)
			case closing:
				if lo&1 != kindOf(c) {
					return lines, bad("its brackets do not match")
				}
				if depth--; depth == 0 {
					p.i = i
					return lines, nil
				}
				lo, hi = lo>>1|hi<<63, hi>>1
			case newline:
				lines = true
			}
		}
		p.i = i
		if err := p.more(); err != nil {
			return lines, err
		}
	}
}

// endOfPlain returns where the string ends, after its quote, whose first byte is
// buf[i], and -1 where that takes a closer look. Most strings are short.
func endOfPlain(buf []byte, i int) int {
	if i+16 > len(buf) {
		return -1
	}
	at := i
	if m := quotes(binary.LittleEndian.Uint64(buf[i:])); m != 0 {
		at += bits.TrailingZeros64(m) / 8
	} else if m := quotes(binary.LittleEndian.Uint64(buf[i+8:])); m != 0 {
		at += 8 + bits.TrailingZeros64(m)/8
	} else if n := bytes.IndexByte(buf[i+16:], '"'); n >= 0 {
		at += 16 + n
	} else {
		return -1
	}
	if buf[at-1] == '\\' {
		return -1
	}
	return at + 1
}

// text reads a string from after its opening quote to after its closing one.
func (p *page) text() error {
	from := p.i - p.keep // where it begins, which may move
	for {
		at := bytes.IndexByte(p.buf[p.i:p.n], '"')
		if at < 0 {
			p.i = p.n
			if err := p.more(); err != nil {
				return err
			}
			continue
		}
		p.i += at + 1
		slashes := 0
		for j := p.i - 2; j >= p.keep+from && p.buf[j] == '\\'; j-- {
			slashes++
		}
		if slashes%2 == 0 {
			return nil
		}
	}
}

// kindOf is 1 for braces and 0 for brackets.
func kindOf(c byte) uint64 { return uint64(c >> 5 & 1) }

// quotes marks the quotes among eight bytes, the lowest exactly.
func quotes(x uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	q := x ^ ones*'"'
	return (q - ones) &^ q & highs
}

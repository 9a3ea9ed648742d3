package exportclient

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	mostDoubts = 3           // times that a file is begun anew because what came was wrong
	stall      = time.Minute // how long a body may say nothing before its connection is given up
	chunk      = 256 << 10   // of what is read at once, and told
)

// fetch gets one file of the manifest into its place.
func (r *run) fetch(ctx context.Context, i int) error {
	one := r.file(i)
	if one.Placed {
		return nil
	}
	if done, err := r.wasPlaced(one); err != nil || done {
		if done {
			r.say(Event{Kind: Placed, Text: one.Name + " was in its place already", File: one.Name, Type: one.Type, Plain: one.Found.Bytes, Lines: one.Found.Lines, SHA256: one.Found.SHA256})
			return r.change(i, func(f *file) { f.Placed = true })
		}
		return err
	}
	r.say(Event{Kind: Begun, Text: "fetching " + one.Name, File: one.Name, Type: one.Type})
	for doubts := 0; ; doubts++ {
		p, err := r.transfer(ctx, i)
		if err != nil {
			return err
		}
		found, against, plain, err := r.folder.check(ctx, one, p)
		switch {
		case err == nil:
			return r.place(ctx, i, p, found, against, plain)
		case !errors.Is(err, errContent):
			return err
		case doubts+1 >= mostDoubts:
			return &Fault{Why: Mismatch, Text: one.Name + " is not what the manifest says, however often it is fetched", Cause: err,
				Next: "Start a new export with --new, and tell the server's operators if it happens again."}
		}
		r.say(Event{Kind: Again, Text: fmt.Sprintf("%s is fetched again: %v", one.Name, err), File: one.Name})
		if err := p.doubt(); err != nil {
			return err
		}
	}
}

// wasPlaced reports whether a process before this one put the file in its place
// and had no time to say so.
func (r *run) wasPlaced(one file) (bool, error) {
	if one.Found == nil || r.Place != nil && one.Kind == output {
		return false, nil
	}
	in, err := os.Open(r.folder.path(one.Name))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	defer in.Close()
	found, err := examine(in, io.Discard)
	return err == nil && found == *one.Found, nil // if it is another file, it will be replaced
}

// place puts a file that was checked in its place. Each step can be repeated.
func (r *run) place(ctx context.Context, i int, p *part, found facts, against []string, plain string) error {
	one := r.file(i)
	if err := r.change(i, func(f *file) { f.Found = &found }); err != nil {
		return err
	}
	if r.Place != nil && one.Kind == output {
		if err := r.Place(ctx, plain, r.folder.dir, one.Name); err != nil {
			return fmt.Errorf("%s: %w", one.Name, err)
		}
		if err := syncDir(r.folder.dir); err != nil {
			return err
		}
	} else if err := moveDurably(plain, r.folder.path(one.Name)); err != nil {
		return err
	}
	if err := r.change(i, func(f *file) { f.Placed = true }); err != nil {
		return err
	}
	if err := os.Remove(r.folder.private(one.Name + ".plain")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	r.say(Event{Kind: Placed, Text: fmt.Sprintf("%s: %d lines, %d bytes", one.Name, found.Lines, found.Bytes), File: one.Name, Type: one.Type,
		Plain: found.Bytes, Lines: found.Lines, SHA256: found.SHA256, Verified: against})
	return p.clear()
}

// transfer gets all bytes of a file onto the disk, in the form in which the
// server sends it, going on with what is there.
type transfer struct {
	*run
	i       int
	part    *part
	plainly bool // ranges are of no use with this server
	renewed bool // the manifest was asked for a new address
	changes int  // times that the file was another one
}

// cutOff is that a body ended before its end.
type cutOff struct{ cause error }

func (c *cutOff) Error() string { return c.cause.Error() }

func (r *run) transfer(ctx context.Context, i int) (*part, error) {
	p, err := r.folder.openPart(r.file(i).Name)
	if err != nil {
		return nil, err
	}
	t := &transfer{run: r, i: i, part: p}
	last, idle := time.Now(), 0
	for !p.whole() {
		before := p.have
		err := t.once(ctx)
		var cut *cutOff
		switch {
		case err == nil:
			continue
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case !errors.As(err, &cut):
			return nil, err
		}
		name := r.file(i).Name
		if p.have > before {
			last, idle = time.Now(), 0
		} else if idle++; time.Since(last) > r.Patience {
			return nil, &Fault{Why: Away, Text: name + " does not come on", Next: "Run the same command again to go on.", Cause: err}
		}
		pause := backoff(idle)
		r.say(Event{Kind: Waiting, Text: fmt.Sprintf("%s was cut off after %d bytes and goes on in %s: %v", name, p.have, pause.Round(100*time.Millisecond), err), File: name, Have: p.have, Wait: pause.Seconds()})
		if err := r.Wait(ctx, pause); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// once sends one request for what is missing. Without an error the part is
// whole, or something was learnt and the next request is another one.
func (t *transfer) once(ctx context.Context) error {
	one, p := t.file(t.i), t.part
	address, err := url.Parse(one.URL)
	if err != nil {
		return err
	}
	header := http.Header{"Accept": {"application/fhir+ndjson"}, "Accept-Encoding": {"gzip"}}
	first := false // whether only the first byte is asked for
	if p.continuable() {
		header.Set("Range", fmt.Sprintf("bytes=%d-", p.have))
		header.Set("If-Range", p.ETag)
		if p.Encoding == "" {
			header.Set("Accept-Encoding", "identity") // the bytes of one form do not continue those of another
		}
	} else if first = !t.plainly; first {
		header.Set("Range", "bytes=0-0")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	res, err := t.call(ctx, ask{what: one.Name, method: http.MethodGet, url: address, header: header, token: one.Token})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	start, total, ok := contentRange(res.Header.Get("Content-Range"))
	switch tag := res.Header.Get("ETag"); res.StatusCode {
	case http.StatusOK:
		err = p.begin(res.Header, res.ContentLength)
	case http.StatusPartialContent:
		switch {
		case first && ok && start == 0 && strong(tag):
			err = p.begin(res.Header, total)
		case first:
			t.plainly = true
			return nil
		case !p.continuable(), !ok, start != p.have, tag != "" && tag != p.ETag, encoding(res.Header) != p.Encoding, total >= 0 && total != p.Total:
			return t.changed(one)
		}
	case http.StatusRequestedRangeNotSatisfiable:
		if first { // there is no first byte
			t.plainly = true
			return nil
		}
		return t.changed(one)
	default:
		answer := tell(res)
		if !one.Token && !t.renewed && answer.status/100 == 4 {
			t.renewed = true // an address that needs no token is good for some time only
			return t.renewAddresses(ctx)
		}
		return t.notSent(one, answer)
	}
	if err != nil {
		return err
	}
	if p.Encoding != "" && p.Encoding != "gzip" {
		return fault(Mismatch, "Tell the server's operators.", "%s comes as %q, which nobody asked for", one.Name, p.Encoding)
	}
	broken, disk := t.receive(one, p, res.Body, cancel)
	switch {
	case disk != nil:
		return disk
	case broken != nil:
		return &cutOff{broken}
	case first && res.StatusCode == http.StatusPartialContent:
		return p.sync() // and then the rest
	case p.Total < 0:
		p.Total = p.have // it ended, and that is all there is to go by
		return p.note()
	case !p.whole():
		return &cutOff{fmt.Errorf("%d bytes of %d came", p.have, p.Total)}
	}
	return nil
}

// changed begins a file anew that is another one than it was.
func (t *transfer) changed(one file) error {
	if t.changes++; t.changes >= mostDoubts {
		return fault(Mismatch, "Start a new export with --new.", "%s changes at the server while it is fetched", one.Name)
	}
	t.say(Event{Kind: Again, Text: one.Name + " has changed at the server and is fetched from its beginning", File: one.Name})
	return t.part.clear()
}

// notSent tells why a file is not to be had.
func (r *run) notSent(one file, answer told) error {
	switch answer.status {
	case http.StatusNotFound, http.StatusGone:
		next := "Files are kept for a limited time and may be fetched a limited number of times. Start a new export with --new."
		return fault(Over, next, "the server no longer has %s: %s", one.Name, answer)
	case http.StatusUnauthorized, http.StatusForbidden:
		return fault(Refused, strings.TrimSpace(answer.next+" Run the same command again to go on once that is settled."), "the server does not send %s: %s", one.Name, answer)
	}
	return &Fault{Why: Away, Text: fmt.Sprintf("the server does not send %s: %s", one.Name, answer), Next: "Run the same command again to go on."}
}

// begin makes the part the beginning of what an answer is about.
func (p *part) begin(h http.Header, total int64) error {
	if err := p.clear(); err != nil {
		return err
	}
	p.ETag, p.Encoding, p.Total, p.Digest = h.Get("ETag"), encoding(h), total, reprDigest(h)
	return p.note()
}

func (p *part) sync() error {
	f, err := os.OpenFile(p.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// receive appends a body to a part, and closes it. It tells what is wrong with
// the connection from what is wrong with the disk.
func (r *run) receive(one file, p *part, body io.ReadCloser, giveUp func()) (broken, disk error) {
	defer body.Close()
	out, err := os.OpenFile(p.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	silence := time.AfterFunc(stall, giveUp)
	defer silence.Stop()
	buffer := make([]byte, chunk)
	for broken == nil && disk == nil {
		var n int
		n, broken = body.Read(buffer)
		silence.Reset(stall)
		if n > 0 {
			_, disk = out.Write(buffer[:n])
			p.have += int64(n)
			r.say(Event{Kind: Received, File: one.Name, Have: p.have, Size: max(p.Total, 0)})
		}
		if p.Total >= 0 && p.have > p.Total {
			broken = fmt.Errorf("more came than the %d bytes that there are", p.Total)
			disk = errors.Join(disk, out.Truncate(p.Total))
			p.have = p.Total
		}
	}
	if errors.Is(broken, io.EOF) {
		broken = nil
	}
	return broken, errors.Join(disk, out.Close())
}

var rangeForm = regexp.MustCompile(`^bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)$`)

// contentRange reads where a part of a file starts and how long the file is, -1
// if that is not known.
func contentRange(s string) (start, total int64, ok bool) {
	m := rangeForm.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return 0, -1, false
	}
	start, total = -1, -1
	if m[1] != "" {
		start, _ = strconv.ParseInt(m[1], 10, 64) // digits
	}
	if m[3] != "*" {
		total, _ = strconv.ParseInt(m[3], 10, 64)
	}
	return start, total, true
}

// encoding returns the coding of a body, and nothing for none.
func encoding(h http.Header) string {
	switch e := strings.ToLower(strings.TrimSpace(h.Get("Content-Encoding"))); e {
	case "identity":
		return ""
	case "x-gzip":
		return "gzip"
	default:
		return e
	}
}

var digestForm = regexp.MustCompile(`(?i)sha-256=:([A-Za-z0-9+/=]+):`)

// reprDigest returns the sha256 that an answer gives of the whole file in the
// form that it has (RFC 9530), in hex digits.
func reprDigest(h http.Header) string {
	m := digestForm.FindStringSubmatch(h.Get("Repr-Digest"))
	if m == nil {
		return ""
	}
	sum, err := base64.StdEncoding.DecodeString(m[1])
	if err != nil || len(sum) != 32 {
		return ""
	}
	return hex.EncodeToString(sum)
}

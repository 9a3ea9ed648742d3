package fiberapi

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/application/download"
	"cms.gov/ab2d/domain"
)

// downloader hands out files; see download.UseCase.
type downloader interface {
	Find(ctx context.Context, ask download.Ask) (domain.OutputFile, error)
	Open(ctx context.Context, file domain.OutputFile, form domain.Form, start int64) (io.ReadCloser, error)
	Sent(ctx context.Context, ask download.Ask, file domain.OutputFile, sent domain.ByteRange) error
	Ended(ctx context.Context, contracts []domain.ContractNumber) ([]domain.ContractNumber, error)
}

// NDJSON is the content type of files.
const NDJSON = "application/fhir+ndjson"

// fileName is what a public name can look like. Nothing else gets further.
var fileName = regexp.MustCompile(`^[A-Z][0-9]{4}_[0-9]{4,9}(_error)?\.ndjson$`)

// bookkeeping is how long an account may take to be written after a transfer.
const bookkeeping = 15 * time.Second

func (a *api) download(c *fiber.Ctx, who caller) error {
	ask, err := askFor(c, who)
	if err != nil {
		return err
	}
	// Whoever has just got the last byte must not get the first again only
	// because the account is still being written.
	a.finishing.wait(c.UserContext(), ask.Job, ask.Name)
	f, err := a.find(c, ask)
	if err != nil {
		return err
	}
	// Before the range, which is of what is sent (RFC 9110, section 13.2.2).
	if none := lines(c, fiber.HeaderIfNoneMatch); none != "" && matches(none, f.etag) {
		f.partial = false
		describe(c, f)
		c.Status(http.StatusNotModified)
		return nil
	}
	if f.past {
		c.Set(fiber.HeaderContentRange, fmt.Sprintf("bytes */%d", f.size))
		return a.send(c, http.StatusRequestedRangeNotSatisfiable, issue{Severity: "error", Code: "invalid",
			Details:     text{fmt.Sprintf("The range lies behind the end of the file, which has %d bytes in this form.", f.size)},
			Diagnostics: "Ask for a range within the file, or leave Range out."})
	}
	if c.Method() == fiber.MethodHead {
		describe(c, f)
		c.Response().SkipBody = true
		c.Response().Header.SetContentLength(f.length())
		return nil
	}
	// Nothing is said of the file before it is open: an error has headers of its own.
	body, err := a.open(c, f)
	if err != nil {
		return err
	}
	describe(c, f)
	c.Response().SetBodyStream(body, f.length())
	return nil
}

// askFor reads what a download asks for, up to the range.
func askFor(c *fiber.Ctx, who caller) (download.Ask, error) {
	id, err := jobID(c)
	if err != nil {
		return download.Ask{}, err
	}
	name := c.Params("name")
	if !fileName.MatchString(name) {
		return download.Ask{}, domain.Errorf(domain.NotFound, "The job has no file of that name.").
			WithNext("Use the addresses in the manifest that the status request returns.")
	}
	return download.Ask{Client: who.client, From: who.from, Job: id, Name: name, Form: formFor(lines(c, fiber.HeaderAcceptEncoding))}, nil
}

// lines returns a header that is a list, which may come in several lines.
func lines(c *fiber.Ctx, name string) string {
	var all []string
	for _, h := range c.Request().Header.PeekAll(name) {
		all = append(all, string(h))
	}
	return strings.Join(all, ",")
}

// found is a file that may be sent, and what of it.
type found struct {
	ask     download.Ask
	file    domain.OutputFile
	size    int64
	etag    string
	span    domain.ByteRange
	partial bool
	past    bool // the range names no byte of the file
}

// find resolves the range of a request. Whether a client may have the file
// depends on where it starts, and where it starts may depend on the size and
// the entity tag: so the file is asked for again when the guess was wrong.
func (a *api) find(c *fiber.Ctx, ask download.Ask) (found, error) {
	var ranges []byteRange
	if c.Method() == fiber.MethodGet { // Range is defined for no other
		ranges = parseRanges(lines(c, fiber.HeaderRange))
	}
	ask.Start = guess(ranges)
	for {
		file, err := a.Download.Find(c.UserContext(), ask)
		if err != nil {
			return found{}, err
		}
		f := found{ask: ask, file: file, size: download.Size(file, ask.Form), etag: etag(file, ask.Form)}
		f.span, f.partial, f.past = part(ranges, c.Get(fiber.HeaderIfRange), f.etag, f.size)
		if f.past || f.span.Start == ask.Start {
			return f, nil
		}
		ask.Start = f.span.Start
	}
}

// etag names the bytes of a form: a digest of them, so a strong one.
func etag(f domain.OutputFile, form domain.Form) string {
	if form == domain.GzipForm {
		return `"` + f.Stored.SHA256 + `"`
	}
	return `"` + f.Plain.SHA256 + `"`
}

func (f found) length() int { return int(f.span.End - f.span.Start) }

// describe sets the headers that a file has whether or not its bytes follow.
func describe(c *fiber.Ctx, f found) {
	c.Set(fiber.HeaderContentType, NDJSON)
	c.Set(fiber.HeaderETag, f.etag)
	c.Set(fiber.HeaderAcceptRanges, "bytes")
	if sum, err := hex.DecodeString(strings.Trim(f.etag, `"`)); err == nil {
		c.Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(sum)+":") // RFC 9530: of the whole in this form, whatever part is sent
	}
	c.Set(fiber.HeaderVary, fiber.HeaderAcceptEncoding)
	c.Set(fiber.HeaderContentDisposition, `attachment; filename=`+strconv.Quote(f.file.Name))
	if f.ask.Form == domain.GzipForm {
		c.Set(fiber.HeaderContentEncoding, "gzip")
	}
	if f.partial {
		c.Set(fiber.HeaderContentRange, fmt.Sprintf("bytes %d-%d/%d", f.span.Start, f.span.End-1, f.size))
		c.Status(http.StatusPartialContent)
	}
}

// open returns the file as a body that is sent after the handler has returned.
// By then the context of the request is over, so the file and its account get
// their own.
func (a *api) open(c *fiber.Ctx, f found) (*transfer, error) {
	done, ok := a.sending.enter()
	if !ok {
		return nil, busy("The server is sending as many files as it can.")
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.UserContext()))
	body, err := a.Download.Open(ctx, f.file, f.ask.Form, f.span.Start)
	if err != nil {
		cancel()
		done()
		return nil, err
	}
	leave, unwatch := func() {}, func() {}
	log := a.Log.With("job", f.ask.Job, "file", f.file.Name, "form", f.ask.Form, "request", requestID(c))
	t := &transfer{
		body: body, conn: c.Context().Conn(), left: f.span.End - f.span.Start, stall: a.Stall,
		last: func() { leave = a.finishing.enter(f.ask.Job, f.ask.Name) },
		over: func(sent int64, broken error) {
			unwatch()
			cancel()
			if broken != nil {
				log.InfoContext(ctx, "a transfer broke", "start", f.span.Start, "end", f.span.End, "sent", sent, "error", broken)
			}
			// The connection's next request need not wait for the disk: for twenty
			// megabytes that was a third of the time. Whoever asks for this file does.
			a.accounts.Go(func() {
				defer done()
				defer leave()
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bookkeeping)
				defer cancel()
				if err := a.Download.Sent(ctx, f.ask, f.file, domain.ByteRange{Start: f.span.Start, End: f.span.Start + sent}); err != nil {
					log.ErrorContext(ctx, "a transfer was not recorded", "sent", sent, "error", err)
				}
			})
		},
	}
	unwatch = a.watching.join(t, f.file.Contract)
	return t, nil
}

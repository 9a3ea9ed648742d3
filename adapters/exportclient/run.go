package exportclient

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options are how an export is run.
type Options struct {
	New    bool // give up an unfinished export in the folder and begin anew
	Delete bool // tell the server to delete the files once all are here
}

// Result is what came of an export.
type Result struct {
	Before          bool // it was complete before; nothing was done now
	TransactionTime string
	Files           int // of data
	Lines, Bytes    int64
	Accounts        []Account
	Problems        []Problem
	Retries         []Order // what the server has ready to ask for those again who are missing
}

// Missing reports whether there is something that the export should have had
// and has not.
func (r Result) Missing() bool {
	return slices.ContainsFunc(r.Problems, Problem.Serious) || slices.ContainsFunc(r.Accounts, func(a Account) bool { return a.Failed > 0 })
}

// run is an export at work.
type run struct {
	*Client
	folder *folder

	mu    sync.Mutex
	state *state
}

func (r *run) file(i int) file {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.Files[i]
}

// change changes what is known of a file, on disk too.
func (r *run) change(i int, how func(*file)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	how(&r.state.Files[i])
	return r.folder.save(r.state)
}

// Export fetches an export into a folder of its own: it starts it, or goes on
// with what a process before this one left there.
func (c *Client) Export(ctx context.Context, order Order, dir string, o Options) (Result, error) {
	f, err := openFolder(dir)
	if err != nil {
		return Result{}, err
	}
	defer f.close()
	s, err := f.load()
	if err != nil {
		return Result{}, err
	}
	r := &run{Client: c, folder: f, state: s}
	if err := r.takeUp(ctx, order, o.New); err != nil {
		return Result{}, err
	}
	before := r.state.Done
	if !before {
		if err := r.all(ctx, o.Delete); err != nil {
			return Result{}, err
		}
	}
	result, err := r.result()
	result.Before = before
	return result, err
}

// takeUp decides whether to go on or to begin.
func (r *run) takeUp(ctx context.Context, order Order, anew bool) error {
	s := r.state
	switch {
	case s == nil:
	case s.Done && (anew || !s.Order.Same(order)):
		return fault(Usage, "Choose another folder.", "%s holds an export that is complete, of %s", r.folder.dir, s.Order.name())
	case s.Done:
		return nil
	case anew:
		if s.Job != "" {
			if err := r.delete(ctx); err != nil {
				return err
			}
		}
		if err := r.folder.forget(s); err != nil {
			return err
		}
	case !s.Order.Same(order):
		return fault(Usage, "Give the same parameters to go on, --new to give that one up, or another folder.", "%s holds an unfinished export of %s", r.folder.dir, s.Order.name())
	default:
		left := 0
		for _, f := range s.Files {
			if !f.Placed {
				left++
			}
		}
		what := map[bool]string{true: "it may have been asked for", false: "the server knows it"}[s.Job == ""]
		if s.Manifest != nil {
			what = fmt.Sprintf("%d of %d files are missing", left, len(s.Files))
		}
		r.say(Event{Kind: Resumed, Text: "going on with the export that was begun " + s.Begun.Local().Format("2006-01-02 15:04:05") + ": " + what, Job: s.Job, Files: left})
		return nil
	}
	r.state = &state{Order: order, Key: rand.Text(), Begun: time.Now().UTC(), Job: order.Job}
	return r.folder.save(r.state)
}

// name tells an order in words.
func (o Order) name() string { return strings.TrimSpace(o.Method + " " + cmp.Or(o.Job, o.URL)) }

func (r *run) all(ctx context.Context, remove bool) error {
	if r.state.Job == "" {
		if err := r.kickOff(ctx); err != nil {
			return err
		}
	}
	if r.state.Manifest == nil {
		if err := r.poll(ctx); err != nil {
			return err
		}
	}
	if err := r.fetchAll(ctx); err != nil {
		return err
	}
	if err := writeDurably(r.folder.path("manifest.json"), r.state.Manifest); err != nil {
		return err
	}
	if remove {
		if err := r.delete(ctx); err != nil {
			return err
		}
	}
	if err := r.folder.tidy(); err != nil {
		return err
	}
	r.state.Done = true
	return r.folder.save(r.state)
}

// kickOff asks for the export. It is on disk with its key already, so whoever
// repeats this asks for the same one.
func (r *run) kickOff(ctx context.Context) error {
	o := r.state.Order
	address, err := url.Parse(o.URL)
	if err != nil {
		return err
	}
	header := http.Header{"Accept": {"application/fhir+json"}, "Prefer": {"respond-async"}, "Idempotency-Key": {r.state.Key}}
	if o.Prefer != "" {
		header.Set("Prefer", "respond-async, "+o.Prefer)
	}
	a := ask{what: "the kick-off", method: o.Method, url: address, header: header, token: true}
	if o.Body != nil {
		header.Set("Content-Type", "application/fhir+json")
		a.body = func() ([]byte, error) { return o.Body, nil }
	}
	r.say(Event{Kind: KickOff, Text: o.name()})
	res, err := r.call(ctx, a)
	if err != nil {
		if is(err, Refused) || is(err, Usage) {
			err = errors.Join(err, r.folder.forget(r.state)) // nothing was begun
		}
		return err
	}
	if res.StatusCode/100 != 2 {
		answer := tell(res)
		if answer.status >= 500 {
			return fault(Away, "Run the same command again; it is the same export then.", "the server failed at the kick-off: %s", answer)
		}
		why := Usage
		if answer.status == http.StatusUnauthorized || answer.status == http.StatusForbidden {
			why = Refused
		}
		return errors.Join(fault(why, answer.next, "the server refuses the export: %s", answer), r.folder.forget(r.state))
	}
	defer res.Body.Close()
	job, err := address.Parse(cmp.Or(res.Header.Get("Content-Location"), res.Header.Get("Location")))
	if err != nil || job.String() == address.String() {
		return fault(Away, "Tell the server's operators.", "the server has accepted the export (%s) and does not say where its status is", res.Status)
	}
	r.state.Job = job.String()
	if err := r.folder.save(r.state); err != nil {
		return err
	}
	r.say(Event{Kind: Started, Text: "the server has accepted the export", Job: r.state.Job})
	return nil
}

const (
	mostManifest = 256 << 20
	mostPages    = 10000
	mostFailures = 3 // times that a status without words has to fail before it is believed
)

var percent = regexp.MustCompile(`(\d{1,3})(?:\.\d+)?\s*%`)

// poll asks for the status, as often as the server wants it, until the export
// is complete, and keeps the manifest.
func (r *run) poll(ctx context.Context) error {
	pages, expires, err := r.manifest(ctx)
	if err != nil {
		return err
	}
	files, whole, err := r.list(pages)
	if err != nil {
		return err
	}
	r.state.Manifest, r.state.Expires, r.state.Files = whole, expires, files
	if err := r.folder.save(r.state); err != nil {
		return err
	}
	text := fmt.Sprintf("the export is complete: %d files", len(files))
	if !expires.IsZero() {
		text += ", kept until " + expires.Local().Format("2006-01-02 15:04")
	}
	m, _ := readManifest(whole) // it was read before
	r.say(Event{Kind: Complete, Text: text, Files: len(files), TransactionTime: m.TransactionTime, Job: r.state.Job})
	return nil
}

// list makes one manifest of its pages, and the list of its files.
func (r *run) list(pages []page) (files []file, whole json.RawMessage, err error) {
	var joined map[string]any
	for i, p := range pages {
		m, err := readManifest(p.body)
		if err != nil {
			return nil, nil, err
		}
		if files, err = m.files(files, p.from); err != nil {
			return nil, nil, err
		}
		var members map[string]any
		if err := json.Unmarshal(p.body, &members); err != nil {
			return nil, nil, err
		}
		if i == 0 {
			joined = members
			continue
		}
		for _, name := range []string{"output", "error", "outcome", "deleted"} {
			before, _ := joined[name].([]any)
			if more, _ := members[name].([]any); len(more) > 0 {
				joined[name] = append(before, more...)
			}
		}
		if e := members["extension"]; e != nil { // the last page tells of the whole
			joined["extension"] = e
		}
	}
	if len(pages) == 1 {
		return files, pages[0].body, nil
	}
	delete(joined, "link")
	whole, err = json.Marshal(joined)
	return files, whole, err
}

// page is one of a manifest, and where it is from.
type page struct {
	body []byte
	from *url.URL
}

// manifest waits until the export is complete and returns its manifest.
func (r *run) manifest(ctx context.Context) (pages []page, expires time.Time, err error) {
	address, err := url.Parse(r.state.Job)
	if err != nil {
		return nil, expires, err
	}
	failures, seen := 0, map[string]bool{}
	for polls := 0; ; polls++ {
		res, err := r.call(ctx, ask{what: "the status", method: http.MethodGet, url: address, token: true, header: http.Header{"Accept": {"application/json, application/fhir+json"}}})
		if err != nil {
			return nil, expires, err
		}
		status := res.StatusCode
		if own, err := strconv.Atoi(strings.TrimSpace(first(res.Header.Get("X-Export-Status"), 3))); err == nil && status == http.StatusOK {
			status = own
		}
		switch status {
		case http.StatusOK:
			body, err := io.ReadAll(io.LimitReader(res.Body, mostManifest+1))
			res.Body.Close()
			if err != nil {
				r.say(Event{Kind: Waiting, Text: "the manifest was cut off: " + err.Error()})
				if err := r.Wait(ctx, backoff(polls)); err != nil {
					return nil, expires, err
				}
				continue
			}
			m, err := readManifest(body)
			if len(body) > mostManifest {
				err = fmt.Errorf("the manifest has more than %d bytes", mostManifest)
			}
			if err != nil {
				return nil, expires, &Fault{Why: Mismatch, Text: "the server's answer cannot be used", Cause: err, Next: "Tell the server's operators."}
			}
			if at, err := http.ParseTime(res.Header.Get("Expires")); err == nil && at.After(time.Now()) {
				expires = at
			}
			pages = append(pages, page{body, address})
			next := m.next()
			if next == "" {
				return pages, expires, nil
			}
			following, err := address.Parse(next)
			if err != nil || seen[following.String()] || len(pages) > mostPages {
				return nil, expires, fault(Mismatch, "Tell the server's operators.", "the manifest's next page is %q, which leads nowhere", next)
			}
			seen[following.String()] = true
			address, polls = following, 0
		case http.StatusAccepted:
			progress := res.Header.Get("X-Progress")
			pause := retryAfter(res.Header)
			res.Body.Close()
			if pause == 0 {
				pause = min(time.Duration(polls+1)*time.Second, 30*time.Second)
			}
			e := Event{Kind: Progress, Text: cmp.Or(clip(progress), "the server is at work"), Wait: pause.Seconds()}
			if m := percent.FindStringSubmatch(progress); m != nil {
				n, _ := strconv.Atoi(m[1]) // digits
				e.Percent = &n
			}
			r.say(e)
			if err := r.Wait(ctx, pause); err != nil {
				return nil, expires, err
			}
		default:
			answer := tell(res)
			answer.status = status
			// A server that only stumbles over the question says so, or says
			// nothing; one that tells of a failed export uses words.
			if failures++; status >= 500 && (answer.passing() || !answer.outcome && failures < mostFailures) {
				pause := backoff(failures)
				r.say(Event{Kind: Waiting, Text: fmt.Sprintf("the status waits %s: %s", pause.Round(100*time.Millisecond), answer), Status: status, Wait: pause.Seconds()})
				if err := r.Wait(ctx, pause); err != nil {
					return nil, expires, err
				}
				continue
			}
			return nil, expires, ended(answer)
		}
	}
}

func first(s string, n int) string { return s[:min(len(s), n)] }

// ended tells why there will be no manifest.
func ended(answer told) error {
	next := strings.TrimSpace(answer.next + " With --new this command starts a new export in the same folder.")
	switch answer.status {
	case http.StatusNotFound:
		return fault(Over, next, "the server does not know the export, or it was cancelled: %s", answer)
	case http.StatusGone:
		return fault(Over, next, "the export has expired: %s", answer)
	case http.StatusUnauthorized, http.StatusForbidden:
		return fault(Refused, answer.next, "the server does not tell the status: %s", answer)
	}
	return fault(Over, next, "the export failed: %s", answer)
}

// renewAddresses asks for the manifest again, for addresses that are good for
// some time only.
func (r *run) renewAddresses(ctx context.Context) error {
	pages, _, err := r.manifest(ctx)
	if err != nil {
		return err
	}
	files, _, err := r.list(pages)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(files) != len(r.state.Files) {
		return fault(Over, "Start a new export with --new.", "the manifest has other files than before")
	}
	for i, f := range files {
		r.state.Files[i].URL = f.URL
	}
	return r.folder.save(r.state)
}

// fetchAll fetches what is missing, several files at once. One that cannot be
// had does not keep the others from coming.
func (r *run) fetchAll(ctx context.Context) error {
	next := make(chan int)
	go func() {
		defer close(next)
		for i := range r.state.Files {
			select {
			case next <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	var mu sync.Mutex
	var errs []error
	var workers sync.WaitGroup
	for range r.Parallel {
		workers.Go(func() {
			for i := range next {
				if err := r.fetch(ctx, i); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
			}
		})
	}
	workers.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return worst(errs)
}

// worst returns the errors as one whose exit code is that of the one that asks
// for most.
func worst(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	for _, why := range []Why{Over, Mismatch, Refused, Away} {
		for i, err := range errs {
			if is(err, why) {
				errs[0], errs[i] = errs[i], errs[0]
				if len(errs) == 1 {
					return errs[0]
				}
				return &Fault{Why: why, Text: fmt.Sprintf("%d files could not be had, among them this", len(errs)), Cause: errs[0]}
			}
		}
	}
	return errors.Join(errs...)
}

// delete tells the server that the export is not needed any more. One that it
// does not know is as good as deleted.
func (r *run) delete(ctx context.Context) error {
	address, err := url.Parse(r.state.Job)
	if err != nil {
		return err
	}
	res, err := r.call(ctx, ask{what: "the deletion", method: http.MethodDelete, url: address, token: true})
	if err != nil {
		return err
	}
	if answer := tell(res); answer.status/100 != 2 && answer.status != http.StatusNotFound && answer.status != http.StatusGone {
		return fault(Away, "", "the server does not delete the export: %s", answer)
	}
	return nil
}

// Cancel gives an unfinished export up: the server is told, and what was fetched
// of it is removed.
func (c *Client) Cancel(ctx context.Context, dir string) error {
	f, err := openFolder(dir)
	if err != nil {
		return err
	}
	defer f.close()
	s, err := f.load()
	switch {
	case err != nil:
		return err
	case s == nil, s.Done:
		return fault(Usage, "", "there is no unfinished export in %s", dir)
	}
	r := &run{Client: c, folder: f, state: s}
	if s.Job != "" {
		if err := r.delete(ctx); err != nil {
			return err
		}
	}
	return f.forget(s)
}

// Held returns the order of the export in a folder, and whether there is one.
func Held(dir string) (order Order, done, ok bool, err error) {
	f := &folder{dir: dir}
	s, err := f.load()
	if err != nil || s == nil {
		return Order{}, false, false, err
	}
	return s.Order, s.Done, true, nil
}

// result tells what there is in the folder.
func (r *run) result() (Result, error) {
	m, err := readManifest(r.state.Manifest)
	if err != nil {
		return Result{}, err
	}
	out := Result{TransactionTime: m.TransactionTime, Accounts: m.accounts()}
	var errs []error
	for _, f := range r.state.Files {
		switch f.Kind {
		case failures:
			errs = append(errs, readProblems(r.folder.path(f.Name), &out.Problems))
		case output:
			out.Files++
			out.Lines += f.Found.Lines
			out.Bytes += f.Found.Bytes
		}
	}
	for _, again := range m.retries() {
		address, err := r.base.Parse(again.URL)
		if err != nil {
			continue // there is nothing to ask for, then
		}
		out.Retries = append(out.Retries, Order{Base: r.Base, Method: cmp.Or(again.Method, http.MethodPost), URL: address.String(), Body: canonical(again.Body)})
	}
	return out, errors.Join(errs...)
}

// readProblems adds up what the issues of an error file have in common.
func readProblems(name string, all *[]Problem) error {
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil // moved away by whoever looked at it
	} else if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, mostLine)
	for lines.Scan() {
		var o outcome
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			continue // it was found to be JSON, so it is something else than an OperationOutcome
		}
		for _, i := range o.Issue {
			text, next := i.words()
			p := Problem{Severity: i.Severity, Code: i.Code, Text: anonymous(text), Next: next, Count: 1}
			for _, e := range i.Extension {
				if strings.HasSuffix(e.URL, "/retryable") && e.ValueBoolean != nil && *e.ValueBoolean {
					p.Again = 1
				}
			}
			k := slices.IndexFunc(*all, func(q Problem) bool {
				return q.Severity == p.Severity && q.Code == p.Code && q.Text == p.Text && q.Next == p.Next
			})
			if k < 0 {
				*all = append(*all, p)
				continue
			}
			(*all)[k].Count++
			(*all)[k].Again += p.Again
		}
	}
	return lines.Err()
}

// who is what looks like the number of a person or of a claim: an MBI, or a
// long number.
var who = regexp.MustCompile(`\b[1-9][A-Z][A-Z0-9]\d-?[A-Z][A-Z0-9]\d-?[A-Z]{2}\d{2}\b|-?\d{5,}`)

// anonymous takes the numbers of people out of a text, which makes those equal
// that say the same of several, and keeps them out of terminals and logs.
func anonymous(s string) string { return who.ReplaceAllString(s, "...") }

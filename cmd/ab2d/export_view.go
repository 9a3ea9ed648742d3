package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"cms.gov/ab2d/adapters/exportclient"
)

// view shows an export while it runs: bars on a terminal, plain lines
// elsewhere, events for programs.
type view interface {
	report(exportclient.Event)
	note(text string)
	summary(dir string, r exportclient.Result)
	close() // after which nothing moves any more; may be called twice
}

func (e *exporting) view(out io.Writer, progress *os.File) view {
	switch {
	case e.asJSON:
		return &eventView{out: out, last: map[string]time.Time{}}
	case e.quiet:
		return quietView{out}
	case term.IsTerminal(int(progress.Fd())):
		return newBars(out, progress)
	}
	return &lineView{quietView: quietView{out}, progress: progress, last: map[string]time.Time{}}
}

// quietView shows the end alone.
type quietView struct{ out io.Writer }

func (quietView) report(exportclient.Event) {}
func (quietView) note(string)               {}
func (quietView) close()                    {}

// summary tells what came of an export: the enrollee account, what the error
// files say, and the next _since.
func (v quietView) summary(dir string, r exportclient.Result) {
	if r.Before {
		fmt.Fprintf(v.out, "\nThe export in %s was complete already: %d files with %d lines, %s.\n", dir, r.Files, r.Lines, bytesText(r.Bytes))
	} else {
		fmt.Fprintf(v.out, "\n%d files with %d lines, %s, are in %s, and what they hold agrees with the manifest.\n", r.Files, r.Lines, bytesText(r.Bytes), dir)
	}
	if len(r.Accounts) > 0 {
		t := tabwriter.NewWriter(v.out, 0, 0, 3, ' ', tabwriter.AlignRight)
		fmt.Fprintln(t, "\ncontract\tenrollees\texported\tno claims\topted out\tfailed\t")
		for _, a := range r.Accounts {
			fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t\n", a.Contract, a.Enrollees, a.Exported, a.NoClaims, a.OptedOut, a.Failed)
		}
		_ = t.Flush() // out is a terminal, a file or a test's buffer; what does not arrive there is gone
	}
	if len(r.Problems) > 0 {
		fmt.Fprintln(v.out, "\nThe error files say:")
		for _, p := range r.Problems {
			fmt.Fprintf(v.out, "  %d times %s (%s): %s\n", p.Count, p.Severity, p.Code, p.Text)
			if p.Again > 0 {
				fmt.Fprintf(v.out, "      %d of them may come when asked for again\n", p.Again)
			}
			if p.Next != "" {
				fmt.Fprintf(v.out, "      %s\n", p.Next)
			}
		}
	}
	if r.TransactionTime != "" {
		fmt.Fprintf(v.out, "\nThe data is as of %s: the --since of the next export.\n", r.TransactionTime)
	}
}

func bytesText(n int64) string { return fmt.Sprintf("%.1f", decor.SizeB1000(n)) }

// every is how often what moves is told where lines stay.
const every = 10 * time.Second

// lineView tells what happens in lines that stay, for a log.
type lineView struct {
	quietView
	progress io.Writer
	mu       sync.Mutex
	last     map[string]time.Time
}

func (v *lineView) note(text string) { v.line(time.Now(), text) }

func (v *lineView) line(at time.Time, text string) {
	fmt.Fprintf(v.progress, "%s  %s\n", at.Local().Format("15:04:05"), text)
}

func (v *lineView) report(e exportclient.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch e.Kind {
	case exportclient.Received:
		if v.last[e.File].IsZero() {
			v.last[e.File] = e.Time
		}
		if e.Time.Sub(v.last[e.File]) < every {
			return
		}
		e.Text = e.File + ": " + bytesText(e.Have)
		if e.Size > 0 {
			e.Text += " of " + bytesText(e.Size)
		}
	case exportclient.Progress:
		if e.Time.Sub(v.last[""]) < every {
			return
		}
		v.last[""] = e.Time
		e.Text = "the server: " + e.Text
	case exportclient.Begun:
		return
	}
	v.last[e.File] = e.Time
	if e.Job != "" {
		e.Text += "\n          " + e.Job
	}
	v.line(e.Time, e.Text)
}

// eventView writes events as JSON, one a line, for programs.
type eventView struct {
	out  io.Writer
	mu   sync.Mutex
	last map[string]time.Time
}

func (v *eventView) note(text string) {
	v.report(exportclient.Event{Time: time.Now().UTC(), Kind: "note", Text: text})
}

func (v *eventView) close() {}

func (v *eventView) report(e exportclient.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if e.Kind == exportclient.Received {
		if e.Time.Sub(v.last[e.File]) < time.Second && e.Have != e.Size {
			return
		}
		v.last[e.File] = e.Time
	}
	printJSON(v.out, e)
}

func printJSON(out io.Writer, value any) {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(value) // whoever closed the pipe does not want it
}

func (v *eventView) summary(dir string, r exportclient.Result) {
	if len(r.Problems) > 0 {
		v.report(exportclient.Event{Time: time.Now().UTC(), Kind: exportclient.Problems, Problems: r.Problems})
	}
	v.report(exportclient.Event{Time: time.Now().UTC(), Kind: exportclient.Done, Text: dir, Files: r.Files, Lines: r.Lines, Plain: r.Bytes,
		TransactionTime: r.TransactionTime, Accounts: r.Accounts})
}

// printFailure ends the events of a command that did not end well.
func printFailure(out io.Writer, err error) {
	if err == nil {
		return
	}
	code, text, next := 1, err.Error(), ""
	var f *exportclient.Fault
	if errors.As(err, &f) {
		code, text, next = f.ExitCode(), f.Text, f.Next
		if f.Cause != nil {
			text += ": " + f.Cause.Error()
		}
	}
	printJSON(out, map[string]any{"time": time.Now().UTC(), "event": "failed", "exitCode": code, "text": text, "next": next})
}

// bars shows a bar for the server's work, one for all files and one for each
// that is being fetched, and what is worth keeping in lines above them.
type bars struct {
	quietView
	mu     sync.Mutex
	p      *mpb.Progress
	server *mpb.Bar
	all    *mpb.Bar
	files  map[string]*mpb.Bar
	closed bool
}

func newBars(out io.Writer, progress *os.File) *bars {
	return &bars{quietView: quietView{out}, p: mpb.New(mpb.WithOutput(progress), mpb.WithWidth(40), mpb.WithAutoRefresh()), files: map[string]*mpb.Bar{}}
}

func (v *bars) note(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.line(text)
}

func (v *bars) line(text string) {
	_, _ = fmt.Fprintln(v.p, text) // it fails only when all is over
}

func named(name string) decor.Decorator {
	return decor.Name(name, decor.WC{C: decor.DindentRight | decor.DextraSpace})
}

func (v *bars) report(e exportclient.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch e.Kind {
	case exportclient.Progress:
		if v.server == nil {
			v.server = v.p.AddBar(100, mpb.BarRemoveOnComplete(), mpb.PrependDecorators(named("the server gathers the claims")), mpb.AppendDecorators(decor.Percentage(decor.WCSyncSpace), decor.Elapsed(decor.ET_STYLE_MMSS, decor.WCSyncSpace)))
		}
		if e.Percent != nil {
			v.server.SetCurrent(min(int64(*e.Percent), 99))
		}
	case exportclient.Complete:
		if v.server != nil {
			v.server.Abort(true)
		}
		v.line(e.Text)
		v.total(e.Files)
	case exportclient.Begun:
		v.bar(e.File)
	case exportclient.Received:
		b := v.bar(e.File)
		if e.Size > 0 {
			b.SetTotal(e.Size, false)
		}
		b.SetCurrent(e.Have)
	case exportclient.Placed:
		if b := v.files[e.File]; b != nil {
			b.Abort(true)
			delete(v.files, e.File)
		}
		if v.all != nil {
			v.all.Increment()
		}
		v.line("  " + e.Text)
	case exportclient.Waiting:
		v.line("  " + e.Text)
	case exportclient.Started:
		v.line(e.Text + ": " + e.Job)
	case exportclient.Resumed:
		v.line(e.Text)
		v.total(e.Files)
	default:
		v.line(e.Text)
	}
}

// total begins the bar of all files, which stays below those of single ones.
func (v *bars) total(files int) {
	if v.all == nil && files > 0 {
		v.all = v.p.AddBar(int64(files), mpb.BarPriority(1<<20), mpb.PrependDecorators(named("files")), mpb.AppendDecorators(decor.CountersNoUnit("%d of %d", decor.WCSyncSpace), decor.Elapsed(decor.ET_STYLE_MMSS, decor.WCSyncSpace)))
	}
}

func (v *bars) bar(name string) *mpb.Bar {
	if v.files[name] == nil {
		v.files[name] = v.p.AddBar(0, mpb.PrependDecorators(named(name)),
			mpb.AppendDecorators(decor.CountersKiloByte("% .1f of % .1f", decor.WCSyncSpace), decor.AverageSpeed(decor.SizeB1000(0), "% .1f", decor.WCSyncSpace), decor.AverageETA(decor.ET_STYLE_MMSS, decor.WCSyncSpace)))
	}
	return v.files[name]
}

func (v *bars) close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return
	}
	v.closed = true
	if v.server != nil {
		v.server.Abort(true)
	}
	for _, b := range v.files {
		b.Abort(true)
	}
	if v.all != nil {
		v.all.Abort(false)
	}
	v.p.Wait()
}

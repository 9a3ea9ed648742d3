package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browse opens a headless browser that ends with the test. The test fails for
// what the browser complains of, such as a broken content security policy or an
// error of a script, and for any request to another host than the page's own.
func browse(t *testing.T, base string) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU, chromedp.ExecPath("chromium"),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.WindowSize(1280, 1600))
	ctx, cancel := chromedp.NewExecAllocator(patience(t), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	home, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	ended := false
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		ended = true
	})
	complain := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		if !ended {
			t.Errorf(format, args...)
		}
	}
	err = chromedp.Listen(ctx, func(e any) {
		switch e := e.(type) {
		case *network.EventRequestWillBeSent:
			if u, err := url.Parse(e.Request.URL); err != nil || u.Host != home.Host && u.Scheme != "data" && u.Scheme != "blob" {
				complain("the page asked for %s", e.Request.URL)
			}
		case *log.EventEntryAdded:
			if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork { // a refusal of the API is no fault of the page
				complain("the browser says: %s %s", e.Entry.Text, e.Entry.URL)
			}
		case *runtime.EventExceptionThrown:
			complain("a script failed: %+v", e.ExceptionDetails)
		}
	})
	if err != nil {
		t.Fatalf("starting a browser: %v", err)
	}
	_, err1 := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	_, err2 := chromedp.Call(ctx, log.Enable, cdp.Empty{})
	_, err3 := chromedp.Call(ctx, runtime.Enable, cdp.Empty{})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatalf("listening to the browser: %v", err)
	}
	return ctx
}

// swagger is one operation of the Swagger page.
type swagger struct {
	t   *testing.T
	ctx context.Context
	op  string // a selector
}

func (s swagger) do(actions ...chromedp.Action[chromedp.Void]) {
	s.t.Helper()
	s.failed(chromedp.Do(s.ctx, actions...))
}

func (s swagger) failed(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("%s: %v", s.op, err)
	}
}

// text returns what is shown, once it is shown.
func (s swagger) text(selector string) string {
	s.t.Helper()
	s.do(chromedp.WaitVisible(chromedp.CSS(selector)))
	text, err := chromedp.Run(s.ctx, chromedp.Text(chromedp.CSS(selector)))
	s.failed(err)
	return strings.TrimSpace(text)
}

func (s swagger) click(selector string) {
	s.t.Helper()
	s.do(chromedp.Click(chromedp.CSS(selector)))
}

func (s swagger) open() {
	s.t.Helper()
	s.click(s.op + " .opblock-summary-control")
	s.text(s.op + " .execute")
}

func (s swagger) fill(parameter, value string) {
	s.t.Helper()
	s.do(chromedp.SendKeys(chromedp.CSS(fmt.Sprintf(`%s tr[data-param-name=%q] input`, s.op, parameter)), value))
}

// execute sends the request and returns the status, and what is shown of the
// headers and the body.
func (s swagger) execute() (status, shown string) {
	s.t.Helper()
	const clear, answer = " .btn-clear", " .live-responses-table .response"
	more, err := chromedp.Run(s.ctx, chromedp.Evaluate[bool](fmt.Sprintf("document.querySelector(%q) !== null", s.op+clear)))
	s.failed(err)
	if more {
		s.click(s.op + clear)
		s.do(chromedp.WaitNotPresent(chromedp.CSS(s.op + answer)))
	}
	s.click(s.op + " .execute")
	return s.text(s.op + answer + " .response-col_status"), s.text(s.op + answer)
}

// The guide of 2019 leads its readers to Swagger. There somebody without any
// preparation gets a token, and exports, follows and downloads.
func TestSwaggerLeadsThroughAnExport(t *testing.T) {
	s := start(t, t.TempDir(), "127.0.0.1:0")
	ctx := browse(t, s.base)
	page := func(operation string) swagger { return swagger{t, ctx, "#operations-" + operation} }

	login := page("")
	login.do(chromedp.Navigate(s.base + "/swagger-ui.html"))
	servers := login.text(".servers")
	login.click(".scheme-container .btn.authorize")
	login.text(".auth-container .btn.authorize")
	var labels strings.Builder // what there is to be seen meanwhile
	labels.WriteString(login.text("body"))
	id, err := chromedp.Run(ctx, chromedp.Value(chromedp.CSS("#client_id_clientCredentials")))
	login.failed(err)
	login.click(".auth-container .btn.authorize")
	until(t, "a token", func() bool { return strings.Contains(login.text(".auth-container"), "Logout") })
	login.click(".btn-done")
	if id != string(sponsorOf(t, "S0000").Client) {
		t.Errorf("the client id is filled in as %q", id)
	}
	for _, version := range []string{"FHIR R4", "FHIR STU3"} {
		if !strings.Contains(servers, version) {
			t.Errorf("there is no choosing %s: %s", version, servers)
		}
	}

	kickOff := page("Export-exportGroup")
	kickOff.open()
	code, shown := kickOff.execute()
	if code != "202" || !strings.Contains(shown, s.base+"/api/v2/fhir/Job/") {
		t.Fatalf("the kick-off answered %s: %s", code, shown)
	}
	job := idOf(shown)

	poll := page("Job-status")
	poll.open()
	poll.fill("id", job)
	until(t, "the export to be complete", func() bool {
		code, shown = poll.execute()
		return code != "202" && code != "429"
	})
	if code != "200" || !strings.Contains(shown, "/file/S0000_0001.ndjson") {
		t.Fatalf("the status answered %s: %s", code, shown)
	}

	head := page("File-describeFile")
	head.open()
	head.fill("id", job)
	if code, shown = head.execute(); code != "200" || !strings.Contains(shown, "etag") {
		t.Errorf("HEAD of the file answered %s: %s", code, shown)
	}

	// The tutorial names what stands on the page.
	labels.WriteString(login.text("body"))
	tutorial, err := os.ReadFile("../../docs/tutorial-swagger.md")
	login.failed(err)
	named := regexp.MustCompile(`\*\*([^*]+)\*\*`).FindAllStringSubmatch(string(tutorial), -1)
	if len(named) < 6 {
		t.Errorf("the tutorial names %d labels", len(named))
	}
	for _, label := range named {
		if !strings.Contains(labels.String(), label[1]) {
			t.Errorf("the tutorial says %q, which does not stand on the page", label[1])
		}
	}

	capabilities := page("Capabilities-metadata")
	login.do(chromedp.SendKeys(chromedp.CSS(".servers select"), "/api/v1"))
	capabilities.open()
	if code, shown = capabilities.execute(); code != "200" || !strings.Contains(shown, "3.0.1") {
		t.Errorf("the metadata of STU3 answered %s: %.500s", code, shown)
	}
}

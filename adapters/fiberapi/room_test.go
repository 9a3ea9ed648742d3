package fiberapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/fiberapi"
	"cms.gov/ab2d/application/export"
	"cms.gov/ab2d/application/status"
	"cms.gov/ab2d/domain"
)

// hold starts a download and reads no more than its header. Close ends it.
func (w *world) hold() io.Closer {
	w.t.Helper()
	req, err := http.NewRequest("GET", w.base+filePath, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer good")
	resp, err := plainTransport.RoundTrip(req)
	if err != nil || resp.StatusCode != 200 {
		w.t.Fatalf("%v %v", resp, err)
	}
	w.t.Cleanup(func() { resp.Body.Close() })
	return resp.Body
}

// More downloads than there is room for are told to come back; nothing else
// is, and once one has ended the next gets through.
func TestTooManyDownloads(t *testing.T) {
	w := newWorld(t, func(c *fiberapi.Config) { c.Transfers = 2 })
	w.files.put(noise(24 << 20)) // more than sockets hold
	w.files.limits.Fetches = 0
	first := w.hold()
	w.hold()
	r := w.do("GET", filePath)
	r.refused(t, 503, "transient")
	r.header(t, "Retry-After", "5")
	if r := w.do("GET", "/api/v2/fhir/Job/"+string(job)+"/$status"); r.StatusCode != 202 {
		t.Errorf("the status meanwhile: %d", r.StatusCode)
	}
	if r := w.do("HEAD", filePath); r.StatusCode != 200 {
		t.Errorf("a HEAD meanwhile: %d", r.StatusCode)
	}
	first.Close()
	w.files.next(t)
	if r := w.do("GET", filePath); r.StatusCode != 200 || len(r.body) != 24<<20 {
		t.Errorf("with room again: %d, %d bytes", r.StatusCode, len(r.body))
	}
}

// A download that could not be opened keeps no room.
func TestABrokenDownloadLeavesItsRoom(t *testing.T) {
	w := newWorld(t, func(c *fiberapi.Config) { c.Transfers = 1 })
	w.files.put(noise(1000))
	w.files.broken = domain.Errorf(domain.Unavailable, "away")
	for range 3 {
		w.do("GET", filePath).refused(t, 503, "transient")
	}
	w.files.broken = nil
	if r := w.do("GET", filePath); r.StatusCode != 200 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}

func TestTooManyRequests(t *testing.T) {
	w := newWorld(t, func(c *fiberapi.Config) { c.Requests = 3 })
	inside, goOn := make(chan struct{}), make(chan struct{})
	w.start = func(export.Start) (domain.JobID, error) {
		inside <- struct{}{}
		<-goOn
		return job, nil
	}
	ended := make(chan int)
	for range 3 {
		go func() { ended <- w.do("GET", "/api/v2/fhir/Patient/$export").StatusCode }()
	}
	for range 3 {
		<-inside
	}
	r := w.do("GET", "/api/v1/fhir/Job/"+string(job)+"/$status")
	r.refused(t, 503, "transient")
	r.header(t, "Retry-After", "5")
	close(goOn)
	for range 3 {
		if got := <-ended; got != 202 {
			t.Errorf("who was inside got %d", got)
		}
	}
	if r := w.do("GET", "/api/v1/fhir/Job/"+string(job)+"/$status"); r.StatusCode != 202 {
		t.Errorf("with room again: %d", r.StatusCode)
	}
}

func TestAManifestWithLinksOfTheStore(t *testing.T) {
	var refuse error
	w := newWorld(t, func(c *fiberapi.Config) {
		c.Links = func(_ context.Context, f domain.OutputFile) (string, error) {
			return "https://store.test/" + f.Key + "?signed", refuse
		}
	})
	m := &domain.Manifest{Job: job, Version: domain.R4, Output: []domain.OutputFile{{Job: job, Name: fileName, StoredFile: domain.StoredFile{Kind: domain.DataFile, Key: "jobs/1/a.gz"}}}}
	w.poll = func(domain.Client, domain.JobID) (status.Result, error) { return status.Result{Manifest: m}, nil }
	var got struct {
		RequiresAccessToken *bool
		Output              []struct{ URL string }
	}
	if err := json.Unmarshal(w.do("GET", "/api/v2/fhir/Job/"+string(job)+"/$status").body, &got); err != nil {
		t.Fatal(err)
	}
	if got.RequiresAccessToken == nil || *got.RequiresAccessToken || len(got.Output) != 1 || got.Output[0].URL != "https://store.test/jobs/1/a.gz?signed" {
		t.Errorf("%+v", got)
	}
	refuse = domain.Errorf(domain.Unavailable, "The file store cannot be reached.")
	w.do("GET", "/api/v2/fhir/Job/"+string(job)+"/$status").refused(t, 503, "transient")
}

func TestAJobGetsTheTraceOfItsRequest(t *testing.T) {
	w := newWorld(t, func(c *fiberapi.Config) {
		c.Trace = func(ctx context.Context) string { return fmt.Sprint(ctx.Err(), " trace") }
	})
	started := make(chan string, 1)
	w.start = func(cmd export.Start) (domain.JobID, error) { started <- cmd.Trace; return job, nil }
	w.do("GET", "/api/v2/fhir/Patient/$export")
	select {
	case got := <-started:
		if got != "<nil> trace" {
			t.Errorf("the trace is %q", got)
		}
	case <-time.After(time.Minute):
		t.Error("nothing was started")
	}
}

package fiberapi_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
)

type task struct {
	ID, Status, Intent           string
	BusinessStatus, StatusReason struct{ Text string }
	AuthoredOn, LastModified     time.Time
	Input, Output                []struct {
		Type                   struct{ Text string }
		ValueURI, ValueInstant string
	}
}

func tasksOf(t *testing.T, r response) (tasks []task, next string) {
	t.Helper()
	b := bundleOf(t, r)
	for _, e := range b.Entry {
		var one task
		if err := json.Unmarshal(e.Resource, &one); err != nil {
			t.Fatal(err)
		}
		if e.FullURL != "urn:uuid:"+one.ID || e.Search.Mode != "match" || one.Intent != "order" {
			t.Errorf("entry %s", e.Resource)
		}
		tasks = append(tasks, one)
	}
	return tasks, b.next()
}

// every puts one job of our client into each state, the oldest first.
func every(t *testing.T, s *sandbox) map[domain.JobState]domain.JobID {
	t.Helper()
	jobs := map[domain.JobState]domain.JobID{}
	for _, state := range domain.JobState("").Values() {
		jobs[domain.JobState(state)] = s.started(t, ours, "PDP-1", "S0000")
	}
	s.running(t, jobs[domain.InProgress], "S0000")
	s.successful(t, jobs[domain.Successful], "S0000")
	s.successful(t, jobs[domain.Lapsed], "S0000")
	s.move(t, jobs[domain.Lapsed], func(j *domain.ExportJob) error { return j.Expire(noon.Add(24 * time.Hour)) })
	s.move(t, jobs[domain.Cancelled], func(j *domain.ExportJob) error { return j.Cancel(noon) })
	s.move(t, jobs[domain.Failed], func(j *domain.ExportJob) error {
		return j.Fail(noon, domain.Failure{Code: domain.Internal, Reason: "The claims could not be read.", ID: "ABCD-EFGH"})
	})
	return jobs
}

func TestTheListOfJobs(t *testing.T) {
	s := newSandbox(t)
	jobs := every(t, s)
	s.started(t, theirs, "PDP-2", "S0002")
	shared := s.started(t, ours, "PDP-1", "S0001") // of a contract that the sibling holds too
	s.started(t, ours, "PDP-1", "S0000", "S0001")

	for v, base := range bases {
		r := s.as(t, ours, "GET", base+"/Job")
		valid(t, v, "Bundle", r.body)
		tasks, next := tasksOf(t, r)
		if len(tasks) != 8 || next != "" || tasks[1].ID != string(shared) || tasks[7].ID != string(jobs[domain.Submitted]) {
			t.Fatalf("%d tasks, next %q: %s", len(tasks), next, r.body)
		}
		for _, one := range tasks {
			if one.Input[0].ValueURI != public+"/api/v2/fhir/Patient/$export" || one.Output[0].ValueURI != public+"/api/v2/fhir/Job/"+one.ID+"/$status" {
				t.Errorf("%+v", one)
			}
			if one.BusinessStatus.Text == "successful" && (len(one.Output) != 2 || one.Output[1].ValueInstant != "2026-03-03T12:00:00.000Z") {
				t.Errorf("%+v", one)
			}
			if (one.StatusReason.Text == "The claims could not be read.") != (one.ID == string(jobs[domain.Failed])) {
				t.Errorf("%+v", one)
			}
		}
	}
	if tasks, _ := tasksOf(t, s.as(t, sibling, "GET", "/api/v2/fhir/Job")); len(tasks) != 1 || tasks[0].ID != string(shared) {
		t.Errorf("another client of the sponsor sees %+v", tasks)
	}
	s.world.do("GET", "/api/v2/fhir/Job", "Authorization", "").refused(t, 401, "login")
}

func TestJobsByTheirStatus(t *testing.T) {
	s := newSandbox(t)
	jobs := every(t, s)
	found := func(query string) (ids []string) {
		t.Helper()
		tasks, _ := tasksOf(t, s.as(t, ours, "GET", "/api/v1/fhir/Job"+query))
		for _, one := range tasks {
			ids = append(ids, one.ID)
		}
		return ids
	}
	status := map[domain.JobState]string{domain.Submitted: "requested", domain.InProgress: "in-progress", domain.Successful: "completed",
		domain.Failed: "failed", domain.Cancelled: "cancelled", domain.Lapsed: "completed"}
	for state, id := range jobs {
		for _, word := range []string{string(state), strings.ToUpper(string(state)), strings.ReplaceAll(string(state), "_", "-")} {
			if got := found("?_status=" + word); !slices.Equal(got, []string{string(id)}) {
				t.Errorf("%s: %v, want %s", word, got, id)
			}
		}
		tasks, _ := tasksOf(t, s.as(t, ours, "GET", "/api/v1/fhir/Job?_status="+string(state)))
		if tasks[0].Status != status[state] || tasks[0].BusinessStatus.Text != string(state) {
			t.Errorf("%s is told as %+v", state, tasks[0])
		}
	}
	if got := found("?_status=failed,submitted"); !slices.Equal(got, []string{string(jobs[domain.Failed]), string(jobs[domain.Submitted])}) {
		t.Errorf("two states: %v", got)
	}
	for _, query := range []string{"?_status=", "?_status=done", "?_status=failed,", "?_status=failed&_status=failed", "?status=failed", "?_page=x", "?_page=1.x", "?_page=.", "?_count=0"} {
		s.as(t, ours, "GET", "/api/v1/fhir/Job"+query).refused(t, 400, "invalid")
	}

	// What is past its time has expired, whether or not anybody has marked it.
	s.clock.Advance(24 * time.Hour)
	if got := found("?_status=successful"); len(got) != 0 {
		t.Errorf("successful after its time: %v", got)
	}
	if got := found("?_status=expired"); !slices.Equal(got, []string{string(jobs[domain.Lapsed]), string(jobs[domain.Successful])}) {
		t.Errorf("expired: %v", got)
	}
}

// Jobs that come up meanwhile shift nothing, and those that one may not see leave no gaps.
func TestTheListOfJobsInPages(t *testing.T) {
	s := newSandbox(t)
	var want []string
	for i := range 7 {
		if i%2 == 0 {
			s.started(t, ours, "PDP-1", "S0000")
		}
		want = append([]string{string(s.started(t, ours, "PDP-1", "S0001"))}, want...)
	}
	var walked []string
	for next, pages := "/api/v2/fhir/Job?_count=3&_status=submitted", 0; next != ""; pages++ {
		tasks, after := tasksOf(t, s.as(t, sibling, "GET", next))
		if len(tasks) > 3 || pages > 3 {
			t.Fatalf("page %d has %d", pages, len(tasks))
		}
		for _, one := range tasks {
			walked = append(walked, one.ID)
		}
		next = after
		s.started(t, ours, "PDP-1", "S0001")
	}
	if !slices.Equal(walked, want) {
		t.Errorf("page by page %v, want %v", walked, want)
	}
}

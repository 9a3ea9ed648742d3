package fiberapi

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/application/jobs"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// lister lists the jobs of a client; see jobs.UseCase.
type lister interface {
	List(ctx context.Context, ask jobs.Ask) (jobs.Page, error)
}

// jobs lists the caller's exports of both versions as FHIR Tasks.
func (a *api) jobs(c *fiber.Ctx, who caller) error {
	s, err := readSearch(c, "_status")
	if err != nil {
		return err
	}
	ask := jobs.Ask{Client: who.client, Limit: s.count}
	if ask.States, err = readStates(s); err != nil {
		return err
	}
	if s.page != "" {
		if ask.Behind, err = parsePlace(s.page); err != nil {
			return err
		}
	}
	page, err := a.Jobs.List(c.UserContext(), ask)
	if err != nil {
		return err
	}
	var entries []entry
	for _, j := range page.Jobs {
		entries = append(entries, entry{"urn:uuid:" + string(j.ID), a.jobToFHIR(j)})
	}
	next := ""
	if page.Next != nil {
		next = placeToText(*page.Next)
	}
	return a.sendSearch(c, entries, next)
}

// readStates reads _status, a list of states in any case, with hyphens or
// underscores.
func readStates(s search) ([]domain.JobState, error) {
	words, given, err := s.wants("_status")
	if err != nil || !given {
		return nil, err
	}
	known := map[string]domain.JobState{}
	for _, state := range domain.JobState("").Values() {
		known[state] = domain.JobState(state)
	}
	var states []domain.JobState
	for _, word := range words {
		state, ok := known[strings.ReplaceAll(strings.ToLower(strings.TrimSpace(word)), "-", "_")]
		if !ok {
			return nil, invalid("No job can be %s.", quoted(word)).
				WithNext("Give one or more of these, with commas between them: " + strings.Join(domain.JobState("").Values(), ", ") + ".")
		}
		states = append(states, state)
	}
	return states, nil
}

// A place in the list is told as nanoseconds and an id.
func placeToText(p ports.JobPlace) string {
	return fmt.Sprintf("%d.%s", p.CreatedAt.UnixNano(), p.ID)
}

func parsePlace(s string) (ports.JobPlace, error) {
	at, id, _ := strings.Cut(s, ".")
	nanos, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return ports.JobPlace{}, errPage(s)
	}
	job, err := domain.ParseJobID(id)
	if err != nil {
		return ports.JobPlace{}, errPage(s)
	}
	return ports.JobPlace{CreatedAt: time.Unix(0, nanos).UTC(), ID: job}, nil
}

// taskStatus is the status of a Task for each state of a job.
var taskStatus = map[domain.JobState]string{
	domain.Submitted:  "requested",
	domain.InProgress: "in-progress",
	domain.Successful: "completed",
	domain.Failed:     "failed",
	domain.Cancelled:  "cancelled",
	domain.Lapsed:     "completed", // that its files are gone, businessStatus says
}

func (a *api) jobToFHIR(j jobs.Job) object {
	var numbers []string
	for _, n := range j.Contracts {
		numbers = append(numbers, string(n))
	}
	period := object{"start": instant(j.CreatedAt)}
	changed := j.CreatedAt
	if !j.StartedAt.IsZero() {
		changed = j.StartedAt
	}
	if !j.CompletedAt.IsZero() {
		changed, period["end"] = j.CompletedAt, instant(j.CompletedAt)
	}
	output := []object{{"type": object{"text": "status"}, "valueUri": a.statusURL(j.Version, j.ID)}}
	if !j.ExpiresAt.IsZero() {
		output = append(output, object{"type": object{"text": "expires"}, "valueInstant": instant(j.ExpiresAt)})
	}
	task := object{
		"resourceType":    "Task",
		"id":              string(j.ID),
		"status":          taskStatus[j.Standing],
		"businessStatus":  object{"text": string(j.Standing)},
		"intent":          "order",
		"description":     "Bulk export of " + strings.Join(numbers, ", "),
		"authoredOn":      instant(j.CreatedAt),
		"lastModified":    instant(changed),
		"executionPeriod": period,
		"input":           []object{{"type": object{"text": "request"}, "valueUri": j.Request}},
		"output":          output,
	}
	if j.Standing == domain.Failed {
		task["statusReason"] = object{"text": j.Failure.Reason}
	}
	return task
}

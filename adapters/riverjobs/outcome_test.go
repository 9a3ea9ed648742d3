package riverjobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

func TestOutcome(t *testing.T) {
	coded := func(c domain.Code) error { return fmt.Errorf("wrapped: %w", domain.Errorf(c, "why")) }
	later := domain.Errorf(domain.Unavailable, "away")
	later.RetryAfter = time.Minute
	odd := errors.New("odd")
	for err, want := range map[error]string{
		nil:                           "done",
		coded(domain.Conflict):        "done",
		coded(domain.NotFound):        "cancel",
		coded(domain.Invalid):         "cancel",
		coded(domain.Forbidden):       "cancel",
		coded(domain.Unauthenticated): "cancel",
		coded(domain.BusinessRule):    "cancel",
		coded(domain.Deleted):         "cancel",
		coded(domain.Expired):         "cancel",
		coded(domain.Unavailable):     "snooze 5s",
		coded(domain.Throttled):       "snooze 5s",
		later:                         "snooze 1m0s",
		coded(domain.Internal):        "retry",
		odd:                           "retry",
	} {
		if got := told(outcome(t.Context(), err)); got != want {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
	}
	stopping, cancel := context.WithCancel(t.Context())
	cancel()
	for err, want := range map[error]string{odd: "snooze 0s", stopping.Err(): "snooze 0s", nil: "done"} {
		if got := told(outcome(stopping, err)); got != want {
			t.Errorf("%v while stopping: %s, want %s", err, got, want)
		}
	}
}

func told(err error) string {
	snooze, cancel := (*river.JobSnoozeError)(nil), (*river.JobCancelError)(nil)
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &snooze):
		return "snooze " + snooze.Duration.String()
	case errors.As(err, &cancel):
		return "cancel"
	}
	return "retry"
}

func TestBackoffGrowsAndIsBounded(t *testing.T) {
	before := time.Duration(0)
	for n := range 50 {
		job := &rivertype.JobRow{Errors: make([]rivertype.AttemptError, n)}
		pause := time.Until(backoff{}.NextRetry(job)).Round(time.Second)
		if pause < before || pause > longestBackoff || pause <= 0 {
			t.Errorf("after %d errors the pause is %s, before it was %s", n, pause, before)
		}
		before = pause
	}
}

// Tasks wait in the database while the program is replaced, so what they look
// like there does not change. A change needs a new version.
func TestArgumentsKeepTheirForm(t *testing.T) {
	for task, want := range map[ports.Task]string{
		{Job: "j"}:               `plan_export plan {"v":2,"job":"j"}`,
		{Job: "j", Partition: 7}: `write_partition partition {"v":2,"job":"j","partition":7}`,
	} {
		args := argsOf(task)
		text, err := json.Marshal(args)
		if err != nil {
			t.Fatal(err)
		}
		queue := args.(river.JobArgsWithInsertOpts).InsertOpts().Queue
		if got := fmt.Sprintf("%s %s %s", args.Kind(), queue, text); got != want {
			t.Errorf("a task is %s, want %s", got, want)
		}
	}
}

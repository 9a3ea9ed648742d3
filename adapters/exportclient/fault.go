package exportclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// Fault is why an export did not end well, and what to do.
type Fault struct {
	Why   Why
	Text  string
	Next  string
	Cause error
}

// Why groups faults by what they ask of whoever runs the client. The number is
// the exit code of the command.
type Why int

// The groups. 0 is that nothing is wrong, 1 that something else is.
const (
	Usage       Why = 2   // what was asked for cannot be
	Incomplete  Why = 3   // everything that there is was fetched, but the server could not have the data of some enrollees
	Refused     Why = 4   // credentials, rights or attestation: nothing changes until somebody does something
	Over        Why = 5   // the export failed, was cancelled or has expired at the server: start a new one
	Away        Why = 6   // the server or the network was away for too long: run it again to go on
	Mismatch    Why = 7   // a file is not what the manifest says it is
	Interrupted Why = 130 // run it again to go on
)

func (f *Fault) Error() string {
	s := f.Text
	if f.Cause != nil {
		s += ": " + f.Cause.Error()
	}
	if f.Next != "" {
		s += "\n" + f.Next
	}
	return s
}

func (f *Fault) Unwrap() error { return f.Cause }

// ExitCode returns the exit code of the command.
func (f *Fault) ExitCode() int { return int(f.Why) }

func fault(why Why, next, format string, args ...any) *Fault {
	return &Fault{Why: why, Text: fmt.Sprintf(format, args...), Next: next}
}

// is reports whether an error is a fault of that group.
func is(err error, why Why) bool {
	var f *Fault
	return errors.As(err, &f) && f.Why == why
}

// outcome is what the client reads of an OperationOutcome.
type outcome struct {
	ResourceType string  `json:"resourceType"`
	Issue        []issue `json:"issue"`
}

type issue struct {
	Severity    string `json:"severity"`
	Code        string `json:"code"`
	Diagnostics string `json:"diagnostics"`
	Details     struct {
		Text   string `json:"text"`
		Coding []struct {
			Code    string `json:"code"`
			Display string `json:"display"`
		} `json:"coding"`
	} `json:"details"`
	Extension []struct {
		URL          string `json:"url"`
		ValueBoolean *bool  `json:"valueBoolean"`
	} `json:"extension"`
}

// words returns what an issue says, and what it says to do.
func (i issue) words() (text, next string) {
	switch {
	case i.Details.Text != "":
		return i.Details.Text, i.Diagnostics
	case i.Diagnostics != "":
		return i.Diagnostics, ""
	case len(i.Details.Coding) > 0:
		return i.Details.Coding[0].Display + " (" + i.Details.Coding[0].Code + ")", ""
	}
	return i.Code, ""
}

// mostWords is how much of an answer's body is read to be told.
const mostWords = 1 << 20

// told is an answer that is not the one that was wanted, read and closed.
type told struct {
	status  int
	text    string // what the server says
	next    string // what it says to do
	codes   []string
	outcome bool
}

// tell reads an answer for what it says, and closes it.
func tell(res *http.Response) told {
	defer res.Body.Close()
	t := told{status: res.StatusCode}
	body, _ := io.ReadAll(io.LimitReader(res.Body, mostWords)) // what did not come says nothing
	var o outcome
	if json.Unmarshal(body, &o) == nil && o.ResourceType == "OperationOutcome" && len(o.Issue) > 0 {
		t.outcome = true
		t.text, t.next = o.Issue[0].words()
		for _, i := range o.Issue {
			t.codes = append(t.codes, i.Code)
		}
		return t
	}
	var oauth struct{ Error, ErrorDescription string }
	var fields map[string]any
	if json.Unmarshal(body, &fields) == nil {
		oauth.Error, _ = fields["error"].(string)
		oauth.ErrorDescription, _ = fields["error_description"].(string)
	}
	switch {
	case oauth.Error != "":
		t.codes = []string{oauth.Error}
		t.text = strings.TrimSpace(oauth.Error + ". " + oauth.ErrorDescription)
	default:
		t.text = clip(string(body))
	}
	return t
}

// String tells the answer in a line.
func (t told) String() string {
	s := fmt.Sprintf("%d %s", t.status, http.StatusText(t.status))
	if t.text != "" {
		s += ": " + t.text
	}
	return s
}

// passing reports whether the answer says of itself that it will pass, with a
// code of FHIR that is or is below "transient".
func (t told) passing() bool {
	return slices.ContainsFunc(t.codes, func(c string) bool {
		return slices.Contains([]string{"transient", "lock-error", "no-store", "timeout", "incomplete", "throttled"}, c)
	})
}

func clip(s string) string {
	const plenty = 300
	s = strings.ToValidUTF8(strings.Join(strings.Fields(s), " "), "?")
	if r := []rune(s); len(r) > plenty {
		return string(r[:plenty]) + "..."
	}
	return s
}

package fiberapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/domain"
)

const fhirJSON = "application/fhir+json"

// answer is how the API answers an error of some kind.
type answer struct {
	status   int
	code     string // of the issue, from FHIR's IssueType
	severity string
}

// answers is the one table from codes to answers.
var answers = map[domain.Code]answer{
	domain.Invalid:         {http.StatusBadRequest, "invalid", "error"},
	domain.Unauthenticated: {http.StatusUnauthorized, "login", "error"},
	domain.Forbidden:       {http.StatusForbidden, "forbidden", "error"},
	domain.BusinessRule:    {http.StatusForbidden, "business-rule", "error"},
	domain.NotFound:        {http.StatusNotFound, "not-found", "error"},
	domain.Deleted:         {http.StatusNotFound, "deleted", "error"},
	domain.Expired:         {http.StatusGone, "expired", "error"},
	domain.Conflict:        {http.StatusConflict, "conflict", "error"},
	domain.Reused:          {http.StatusUnprocessableEntity, "conflict", "error"},
	domain.Throttled:       {http.StatusTooManyRequests, "throttled", "error"},
	domain.Unavailable:     {http.StatusServiceUnavailable, "transient", "error"},
	domain.Internal:        {http.StatusInternalServerError, "exception", "fatal"},
}

// httpAnswer is how the API answers what HTTP itself refuses.
type httpAnswer struct{ code, text, next string }

var httpAnswers = map[int]httpAnswer{
	http.StatusBadRequest: {"structure", "The request is not well-formed HTTP.", "Check the request line and the headers."},
	http.StatusNotFound: {"not-found", "There is nothing at this address.",
		"Check the path. The metadata of the API lists what it offers; in a shell, write $export and $status in single quotes."},
	http.StatusMethodNotAllowed: {"not-supported", "This address does not support the method of the request.", "Use a method that the Allow header lists."},
	http.StatusNotImplemented:   {"not-supported", "The method of the request is not known.", "Use GET, HEAD, POST or DELETE."},
	http.StatusUnsupportedMediaType: {"not-supported", "The body of the request is not of a media type that is understood here.",
		"Send a Parameters resource with the header Content-Type: application/fhir+json or application/json, or no body."},
	http.StatusRequestTimeout: {"timeout", "The request did not come in completely in time.", "Send it again."},
	http.StatusRequestEntityTooLarge: {"too-long", "The body of the request is too large.",
		"Send requests without a body, or with one of at most 1 MiB."},
	http.StatusRequestHeaderFieldsTooLarge: {"too-long", "The headers of the request, the address included, are too large.",
		"Send at most 16 KiB of them."},
}

// outcome is an OperationOutcome with one issue. It has the same shape in STU3
// and R4.
type outcome struct {
	ResourceType string  `json:"resourceType"`
	Issue        []issue `json:"issue"`
}

type issue struct {
	Severity    string `json:"severity"`
	Code        string `json:"code"`
	Details     text   `json:"details"`               // what was wrong
	Diagnostics string `json:"diagnostics,omitempty"` // what to do next

	Extension []extension `json:"extension,omitempty"` // where the guide says more
}

type text struct {
	Text string `json:"text"`
}

func (a *api) send(c *fiber.Ctx, status int, i issue) error {
	if i.Extension == nil {
		i.Extension = a.explained(Topic(status, i.Code))
	}
	return sendJSON(c.Status(status), fhirJSON, outcome{"OperationOutcome", []issue{i}})
}

// ExtensionDocumentation is of an issue: where the guide that the service has
// with it says what it means and what to do.
const ExtensionDocumentation = "https://ab2d.cms.gov/documentation"

// Troubleshooting is the page that issues are explained on, below the public
// address, with a heading for each topic.
const Troubleshooting = "/docs/troubleshooting"

// The topics that do not follow from a status.
const (
	topicFailed  = "failed-export"
	topicIgnored = "ignored-parameters"
)

// Topic is the heading under which an issue of that code is explained.
func Topic(status int, code string) string { return strconv.Itoa(status) + "-" + code }

// Topics lists the headings of everything that the API can refuse.
func Topics() []string {
	all := []string{topicFailed, topicIgnored, Topic(http.StatusRequestedRangeNotSatisfiable, "invalid"), Topic(answers[domain.Unavailable].status, "timeout")}
	for _, ans := range answers {
		all = append(all, Topic(ans.status, ans.code))
	}
	for status, h := range httpAnswers {
		all = append(all, Topic(status, h.code))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (a *api) explained(topic string) []extension {
	return []extension{{URL: ExtensionDocumentation, ValueURI: a.PublicURL + Troubleshooting + "#" + topic}}
}

// sendJSON writes & as it is, so that addresses can be read and copied.
func sendJSON(c *fiber.Ctx, contentType string, v any) error {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, contentType)
	return c.Send(body.Bytes())
}

// handleError renders every error of the API, those of HTTP included, which may
// come before any middleware ran.
func (a *api) handleError(c *fiber.Ctx, err error) error {
	requestID(c)
	a.strict(c) // what is refused before there is a request never comes by edge
	if a.Elsewhere != nil && c.Path() != "" && !strings.HasPrefix(c.Path(), prefix) {
		return a.Elsewhere(c, err)
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	if e := (*fiber.Error)(nil); errors.As(err, &e) {
		return a.refuse(c, e.Code)
	}
	e := a.told(c, err)
	ans := answers[e.Code]
	a.explainWith(c, e)
	i := issue{Severity: ans.severity, Code: ans.code, Details: text{e.Message}, Diagnostics: e.Next}
	if e.Code == domain.Unavailable {
		// Whatever is away, those who find it so need not know what to advise.
		i.Diagnostics = cmp.Or(i.Diagnostics, "Send the request again once Retry-After is over. Running exports go on by themselves.")
	}
	if errors.Is(err, context.DeadlineExceeded) {
		i.Code = "timeout"
	}
	return a.send(c, ans.status, i)
}

// refuse answers what HTTP itself refuses.
func (a *api) refuse(c *fiber.Ctx, status int) error {
	h, ok := httpAnswers[status]
	if !ok {
		status, h = http.StatusBadRequest, httpAnswers[http.StatusBadRequest]
	}
	switch status {
	case http.StatusMethodNotAllowed:
		h.text = "This address does not support " + c.Method() + "."
	case http.StatusRequestEntityTooLarge, http.StatusRequestHeaderFieldsTooLarge:
		drain(c.Context().Conn())
	}
	return a.send(c, status, issue{Severity: "error", Code: h.code, Details: text{h.text}, Diagnostics: h.next})
}

// drain reads away what a client is still sending. A socket closed on unread
// bytes is reset, and the client would see that instead of our answer.
func drain(conn net.Conn) {
	const pause, patience = 250 * time.Millisecond, 5 * time.Second
	buf := make([]byte, 32<<10)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if conn.SetReadDeadline(time.Now().Add(pause)) != nil {
			return
		}
		if _, err := conn.Read(buf); err != nil {
			return
		}
	}
}

// told returns what may be said of an error. What is not meant for callers is
// logged, and they get an id to quote.
func (a *api) told(c *fiber.Ctx, err error) *domain.Error {
	e := (*domain.Error)(nil)
	if errors.As(err, &e) {
		if _, ok := answers[e.Code]; ok && e.Code != domain.Internal {
			if e.Code == domain.Unavailable && e.Err != nil {
				a.log(c, slog.LevelWarn, err, "")
			}
			return e
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		a.log(c, slog.LevelWarn, err, "")
		return domain.Errorf(domain.Unavailable, "The answer took too long.").WithNext("Send the request again after a while.")
	}
	quote := domain.NewQuote()
	a.log(c, slog.LevelError, err, quote)
	return domain.Errorf(domain.Internal, "An internal error occurred. Its id is %s.", quote).
		WithNext("Send the request again after a while. If it goes on, give the id " + quote + " to the help desk.")
}

func (a *api) log(c *fiber.Ctx, level slog.Level, err error, quote string) {
	args := []any{"method", c.Method(), "path", c.Path(), "request", requestID(c), "error", err}
	if quote != "" {
		args = append(args, "quote", quote)
	}
	a.Log.Log(c.UserContext(), level, "request failed", args...)
}

// unavailableRetry is when to come back if nothing better is known.
const unavailableRetry = 30 * time.Second

// explainWith sets the headers that go with an error.
func (a *api) explainWith(c *fiber.Ctx, e *domain.Error) {
	switch e.Code {
	case domain.Unauthenticated:
		c.Set(fiber.HeaderWWWAuthenticate, challenge(e))
	case domain.Forbidden:
		if errors.Is(e, errScope) {
			c.Set(fiber.HeaderWWWAuthenticate, `Bearer realm="ab2d", error="insufficient_scope"`)
		}
	case domain.Unavailable:
		retryAfter(c, max(e.RetryAfter, 0), unavailableRetry)
	case domain.Throttled:
		retryAfter(c, e.RetryAfter, time.Second)
		if len(e.Running) > 0 {
			c.Set(fiber.HeaderContentLocation, a.statusURLs(c, e.Running))
		}
	}
}

// statusURLs lists where jobs can be asked for, below the version in use.
func (a *api) statusURLs(c *fiber.Ctx, jobs []domain.JobID) string {
	v := domain.STU3
	if strings.HasPrefix(c.Path(), versions[domain.R4]) {
		v = domain.R4
	}
	var urls []string
	for _, id := range jobs {
		urls = append(urls, a.statusURL(v, id))
	}
	return strings.Join(urls, ", ")
}

func retryAfter(c *fiber.Ctx, d, otherwise time.Duration) {
	if d <= 0 {
		d = otherwise
	}
	c.Set(fiber.HeaderRetryAfter, strconv.Itoa(int(math.Ceil(d.Seconds()))))
}

// challenge is what a 401 asks for (RFC 6750, section 3).
func challenge(e *domain.Error) string {
	const realm = `Bearer realm="ab2d"`
	if errors.Is(e, errNoToken) {
		return realm
	}
	return realm + `, error="invalid_token", error_description="` + quotable(e.Message) + `"`
}

// quotable keeps the characters that an error_description may have.
func quotable(s string) string {
	return string(slices.DeleteFunc([]byte(s), func(b byte) bool { return b < ' ' || b > '~' || b == '"' || b == '\\' }))
}

// Package truth holds a server to its OpenAPI document, in tests: each answer
// must be one that the document describes, in status, headers and body, and
// nothing may be accepted that the document does not tell of.
package truth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	invalid "github.com/pb33f/libopenapi-validator/errors"
	"github.com/pb33f/libopenapi-validator/responses"
	"github.com/pb33f/libopenapi-validator/router"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
)

// Checker compares answers with a document, and remembers what it saw. It is
// safe for concurrent use.
type Checker struct {
	model  *v3.Document
	find   router.Router
	strict validator.Validator // nothing may be there that is not described
	open   validator.Validator // for what is described in part

	mu   sync.Mutex
	seen map[string]bool // by operation and status, as "GET /Job/{id}/$status 202"
}

// unsaid are the headers of HTTP itself, which nobody documents.
var unsaid = []string{"Accept", "Authorization", "Connection", "Content-Length", "Content-Type", "Date", "Transfer-Encoding", "User-Agent"}

// New returns a checker, or an error if the document is not a valid one.
func New(document []byte) (*Checker, error) {
	doc, err := libopenapi.NewDocument(document)
	if err != nil {
		return nil, err
	}
	built, err := doc.BuildV3Model()
	if err != nil {
		return nil, err
	}
	open, errs := validator.NewValidator(doc, checks(false)...)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if ok, problems := open.ValidateDocument(); !ok {
		return nil, told(problems)
	}
	strict, errs := validator.NewValidator(doc, checks(true)...)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return &Checker{model: &built.Model, find: router.NewRouter(&built.Model), open: open, strict: strict, seen: map[string]bool{}}, nil
}

func checks(strict bool) []config.Option {
	all := []config.Option{config.WithFormatAssertions(), config.WithoutSecurityValidation(), config.WithStrictServerMatching(), config.WithStrictIgnoredHeaders(unsaid...)}
	if strict {
		all = append(all, config.WithStrictMode())
	}
	return all
}

// byHTTP are the statuses that HTTP itself may answer with at any address. An
// operation describes them in its default.
var byHTTP = []int{http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType,
	http.StatusRequestHeaderFieldsTooLarge, http.StatusInternalServerError, http.StatusNotImplemented}

// Check returns what is wrong with an answer, or with the document. The body is
// needed only where it is JSON.
func (c *Checker) Check(req *http.Request, res *http.Response, body []byte) error {
	asked := &http.Request{Method: req.Method, URL: plain(req.URL), Header: req.Header.Clone(), Host: req.Host, GetBody: req.GetBody}
	route, err := c.find.FindRoute(asked)
	if err != nil {
		return c.checkOutside(req, res, route)
	}
	if req.Method == http.MethodHead && route.PathItem.Head == nil {
		asked.Method, route.Operation = http.MethodGet, route.PathItem.Get // a HEAD is described as GET is
	} else {
		c.mu.Lock()
		c.seen[fmt.Sprintf("%s %s %d", req.Method, route.Path, res.StatusCode)] = true
		c.mu.Unlock()
	}
	described := route.Operation.Responses.Codes.GetOrZero(strconv.Itoa(res.StatusCode))
	if described == nil && !slices.Contains(byHTTP, res.StatusCode) {
		return fmt.Errorf("%s %s answered %d, which is not in the document", req.Method, route.Path, res.StatusCode)
	}
	if described == nil {
		described = route.Operation.Responses.Default
	}
	if described.Content == nil && len(body) > 0 {
		return fmt.Errorf("%s %s answered %d with a body, which is not in the document", req.Method, route.Path, res.StatusCode)
	}
	v := c.strict
	if described.Content != nil && describedInPart(described.Content.GetOrZero(mediaType(res))) {
		v = c.open
	}
	var problems []*invalid.ValidationError
	copied := *res
	copied.Body = io.NopCloser(bytes.NewReader(body))
	bare := res.StatusCode == http.StatusAccepted && len(body) == 0 // a body of 202 is there for who has something to say
	if req.Method == http.MethodHead || bare {                      // whose Content-Type has no body to it
		_, problems = responses.ValidateResponseHeaders(asked, res, described.Headers, route.Path, strconv.Itoa(res.StatusCode), checks(true)...)
	} else {
		_, problems = v.GetResponseBodyValidator().ValidateResponseBodyWithPathItem(asked, &copied, route.PathItem, route.Path)
	}
	if res.StatusCode < 300 {
		if req.GetBody != nil {
			if asked.Body, err = req.GetBody(); err != nil {
				return err
			}
		}
		_, more := c.strict.ValidateHttpRequestSyncWithPathItem(asked, route.PathItem, route.Path)
		problems = append(problems, more...)
	}
	if err := told(problems); err != nil {
		return fmt.Errorf("%s %s answered %d: %w", req.Method, route.Path, res.StatusCode, err)
	}
	return nil
}

// checkOutside checks an answer at an address, or to a method, that the
// document does not tell of.
func (c *Checker) checkOutside(req *http.Request, res *http.Response, partly *router.Route) error {
	if partly == nil {
		if res.StatusCode < 400 {
			return fmt.Errorf("%s %s answered %d, and is not in the document", req.Method, req.URL.Path, res.StatusCode)
		}
		return nil
	}
	switch {
	case slices.Contains(byHTTP, res.StatusCode) && res.StatusCode != http.StatusMethodNotAllowed:
		return nil
	case res.StatusCode != http.StatusMethodNotAllowed:
		return fmt.Errorf("%s %s answered %d, and the document does not tell of that method", req.Method, partly.Path, res.StatusCode)
	}
	for method := range partly.PathItem.GetOperations().KeysFromOldest() {
		if !strings.Contains(res.Header.Get("Allow"), strings.ToUpper(method)) {
			return fmt.Errorf("%s %s answered that it allows %q, and the document tells of %s", req.Method, partly.Path, res.Header.Get("Allow"), method)
		}
	}
	return nil
}

// plain returns an address as the document writes it: servers take $ as %24, and
// a slash at the end.
func plain(u *url.URL) *url.URL {
	p := *u
	p.RawPath = ""
	if len(p.Path) > 1 {
		p.Path = strings.TrimSuffix(p.Path, "/")
	}
	return &p
}

func mediaType(res *http.Response) string {
	kind, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	return kind
}

// describedInPart reports whether a schema says that there is more.
func describedInPart(m *v3.MediaType) bool {
	if m == nil {
		return false
	}
	s := m.Schema.Schema()
	return s != nil && s.AdditionalProperties != nil && s.AdditionalProperties.IsB() && s.AdditionalProperties.B
}

func told(problems []*invalid.ValidationError) error {
	var all []error
	for _, p := range problems {
		words := p.Message + ": " + p.Reason
		for _, s := range p.SchemaValidationErrors {
			words += fmt.Sprintf("; %s: %s", s.InstancePath, s.Reason)
		}
		all = append(all, errors.New(words))
	}
	return errors.Join(all...)
}

// Operations returns every operation of the document with its whole address,
// below each of its servers, as "GET /api/v2/fhir/Job/{id}/$status".
func (c *Checker) Operations() []string {
	var all []string
	for path, item := range c.model.Paths.PathItems.FromOldest() {
		for method := range item.GetOperations().KeysFromOldest() {
			servers := item.Servers
			if len(servers) == 0 {
				servers = c.model.Servers
			}
			for _, s := range servers {
				all = append(all, strings.ToUpper(method)+" "+strings.TrimSuffix(s.URL, "/")+path)
			}
		}
	}
	return all
}

// Parameters returns the names of the query parameters of an operation.
func (c *Checker) Parameters(operationID string) []string {
	var names []string
	for _, item := range c.model.Paths.PathItems.FromOldest() {
		for _, op := range item.GetOperations().FromOldest() {
			if op.OperationId != operationID {
				continue
			}
			for _, p := range slices.Concat(item.Parameters, op.Parameters) {
				if p.In == "query" {
					names = append(names, p.Name)
				}
			}
		}
	}
	return names
}

// Unseen returns the answers that the document tells of and that were not seen
// yet, as "GET /Job/{id}/$status 202".
func (c *Checker) Unseen() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := map[string]bool{}
	for path, item := range c.model.Paths.PathItems.FromOldest() {
		for method, op := range item.GetOperations().FromOldest() {
			for status := range op.Responses.Codes.KeysFromOldest() {
				if key := strings.ToUpper(method) + " " + path + " " + status; !c.seen[key] {
					left[key] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(left))
}

// Transport is a client's transport that reports every answer which is not as
// the document says. Nobody sees a difference in the answers.
type Transport struct {
	http.RoundTripper
	*Checker
	Report func(err error)
}

// RoundTrip sends a request and checks the answer.
func (t Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := t.RoundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	var body []byte
	if strings.Contains(mediaType(res), "json") && !strings.Contains(mediaType(res), "ndjson") {
		if body, err = io.ReadAll(res.Body); err != nil {
			return nil, err
		}
		_ = res.Body.Close()
		res.Body = io.NopCloser(bytes.NewReader(body))
	}
	if err := t.Check(req, res, body); err != nil {
		t.Report(err)
	}
	return res, nil
}

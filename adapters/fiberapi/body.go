package fiberapi

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/domain"
)

// parametersResource is the body of a kick-off by POST: a FHIR Parameters.
type parametersResource struct {
	ResourceType string                       `json:"resourceType"`
	Parameter    []map[string]json.RawMessage `json:"parameter"`
}

// bodyTypes are the media types that a Parameters body may have.
var bodyTypes = []string{fhirJSON, fiber.MIMEApplicationJSON}

// given returns the parameters of a kick-off, of the query and the body
// together. A body of another media type is 415.
func (a *api) given(c *fiber.Ctx) ([]given, error) {
	all, err := parseQuery(string(c.Request().URI().QueryString()))
	if err != nil || len(c.Body()) == 0 {
		return all, err
	}
	kind, _, err := mime.ParseMediaType(c.Get(fiber.HeaderContentType))
	if err != nil || !slices.Contains(bodyTypes, kind) {
		return nil, fiber.NewError(http.StatusUnsupportedMediaType)
	}
	body, err := parseBody(c.Body())
	for _, g := range body {
		for _, v := range g.values {
			all = add(all, g.name, v, g.fault)
		}
	}
	return all, err
}

// parseBody reads a Parameters resource. What cannot be read of one parameter
// is noted with it; that the whole is no Parameters is an error.
func parseBody(body []byte) (all []given, err error) {
	var r parametersResource
	if err := json.Unmarshal(body, &r); err != nil || r.ResourceType != "Parameters" {
		return nil, invalid("The body is not a FHIR Parameters resource: %s.", whyNot(err, r.ResourceType)).
			WithNext(`Send {"resourceType":"Parameters","parameter":[{"name":"_since","valueInstant":"2024-02-13T13:00:00Z"}]}, or no body.`)
	}
	for _, p := range r.Parameter {
		var name string
		if json.Unmarshal(p["name"], &name) != nil || name == "" {
			return nil, invalid("A parameter of the body has no name.").WithNext("Give each entry of parameter a name and a value.")
		}
		value, err := valueOf(name, p)
		all = add(all, name, value, err)
	}
	return all, nil
}

// whyNot tells what is wrong with a body without telling what is in it.
func whyNot(err error, resourceType string) string {
	syntax, kind := (*json.SyntaxError)(nil), (*json.UnmarshalTypeError)(nil)
	switch {
	case errors.As(err, &syntax):
		return "it is not valid JSON"
	case errors.As(err, &kind):
		return "a value in it is not of the kind that it must be"
	case err != nil:
		return "it cannot be read"
	}
	return "its resourceType is " + quoted(resourceType)
}

// The kinds of value that a parameter may have, by what they are in JSON.
var (
	textValues   = []string{"String", "Code", "Uri", "Url", "Canonical", "Instant", "DateTime", "Date", "Id", "Markdown", "Integer64"}
	numberValues = []string{"Integer", "PositiveInt", "UnsignedInt", "Decimal"}
)

// valueOf returns the value of one parameter of a body as the text that it
// would be in a query.
func valueOf(name string, p map[string]json.RawMessage) (string, error) {
	var kinds []string
	for member := range p {
		kind, ok := strings.CutPrefix(member, "value")
		if ok {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) != 1 {
		return "", invalid("The parameter %s of the body has %d values and must have one.", quoted(name), len(kinds)).
			WithNext("Write each value as an entry of its own, with one value[x].")
	}
	kind, raw := kinds[0], p["value"+kinds[0]]
	var text string
	var err error
	switch {
	case slices.Contains(textValues, kind):
		err = json.Unmarshal(raw, &text)
	case slices.Contains(numberValues, kind):
		var n json.Number
		err = json.Unmarshal(raw, &n)
		text = n.String()
	case kind == "Boolean":
		var is bool
		if err = json.Unmarshal(raw, &is); is {
			text = "true"
		} else {
			text = "false"
		}
	case kind == "Reference":
		var r struct {
			Reference  string `json:"reference"`
			Identifier struct {
				Value string `json:"value"`
			} `json:"identifier"`
		}
		err = json.Unmarshal(raw, &r)
		if text = r.Reference; text == "" && r.Identifier.Value != "" {
			text = "Patient/" + r.Identifier.Value
		}
	default:
		return "", invalid("The parameter %s of the body has a value of the kind %s, which is not understood.", quoted(name), quoted("value"+kind)).
			WithNext("Use the kind that the Bulk Data guide gives for the parameter, or valueString.")
	}
	if err != nil || string(raw) == "null" {
		return "", invalid("The value of the parameter %s of the body is not a FHIR %s.", quoted(name), clip(kind)).
			WithNext("Write it as the kind of its value demands.")
	}
	return text, nil
}

// ignoredToFHIR renders what was passed over as an OperationOutcome: one issue each.
func (a *api) ignoredToFHIR(ignored []domain.Ignored) outcome {
	o := outcome{ResourceType: "OperationOutcome"}
	for _, i := range ignored {
		o.Issue = append(o.Issue, issue{Severity: "information", Code: ignoredCode(i.Code), Details: text{"Ignored: " + i.Text}, Diagnostics: i.Next,
			Extension: a.explained(topicIgnored)})
	}
	return o
}

func ignoredCode(c domain.Code) string {
	if c == domain.NotFound {
		return "not-supported"
	}
	return answers[c].code
}

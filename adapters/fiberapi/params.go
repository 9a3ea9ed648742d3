package fiberapi

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"cms.gov/ab2d/domain"
)

// asked is what the parameters of a kick-off ask for.
type asked struct {
	window    domain.Window
	sinceLast bool
	terms     domain.Terms
	partials  bool
}

// parameter is one that is understood. Its reader gets all values that were
// given under its name, of the query and of the body.
type parameter struct {
	name string
	read func(a *asked, name string, values []string) error
}

// parameters are the ones that are understood, in the order that refusals name
// them in.
var parameters = []parameter{
	{"_type", readType},
	{"_outputFormat", readOutputFormat},
	{"_since", func(a *asked, name string, values []string) error { return readInstant(name, values, &a.window.Since) }},
	{"_until", func(a *asked, name string, values []string) error { return readInstant(name, values, &a.window.Until) }},

	{"allowPartialManifests", func(a *asked, name string, values []string) error { return readBool(name, values, &a.partials) }},

	// Ours: go on from the last export that was fetched whole.
	{"sinceLastExport", readSinceLast},
}

// refused are parameters of the standard that are not understood, beside all
// that begin with an underscore. To ignore one would deliver what was not
// asked for.
var refused = []string{"patient", "organizeOutputBy", "includeAssociatedData"}

// given is a parameter as a client gave it.
type given struct {
	name   string
	values []string
	fault  error // why one of its values cannot be read, if it cannot
}

// readParameters reads what a kick-off asks for. What is wrong is refused; or
// passed over and noted, when the client is lenient. What no standard knows is
// always passed over and noted.
func readParameters(all []given, lenient bool) (asked, error) {
	var a asked
	for _, g := range all {
		next := a
		err := g.into(&next)
		switch fault, told := err.(*domain.Error); {
		case err == nil:
			a = next
		case told && (lenient || fault.Code == domain.NotFound && !isStandard(g.name)):
			a.terms.Ignored = append(a.terms.Ignored, domain.Ignored{Code: fault.Code, Text: fault.Message, Next: fault.Next})
		case told && fault.Code == domain.NotFound:
			fault.Code = domain.Invalid
			return a, fault
		default:
			return a, err
		}
	}
	return a, nil
}

// into reads the parameter. One that is not understood is not_found.
func (g given) into(a *asked) error {
	i := slices.IndexFunc(parameters, func(p parameter) bool { return p.name == g.name })
	if i < 0 {
		return unknownParameter(g.name)
	}
	if g.fault != nil {
		return g.fault
	}
	return parameters[i].read(a, g.name, g.values)
}

// understands reports whether a parameter is one that is understood.
func understands(name string) bool {
	return slices.ContainsFunc(parameters, func(p parameter) bool { return p.name == name })
}

// isStandard reports whether a name is, or looks like, one of FHIR's.
func isStandard(name string) bool {
	return strings.HasPrefix(name, "_") || slices.Contains(refused, name)
}

// parseQuery reads the query of a kick-off.
func parseQuery(query string) (all []given, err error) {
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, err := unescapePair(pair)
		if err != nil {
			return nil, err
		}
		all = add(all, name, value, nil)
	}
	return all, nil
}

// add adds one value of a parameter: what is given several times is one
// parameter with several values.
func add(all []given, name, value string, fault error) []given {
	i := slices.IndexFunc(all, func(g given) bool { return g.name == name })
	if i < 0 {
		i = len(all)
		all = append(all, given{name: name})
	}
	all[i].values = append(all[i].values, value)
	if all[i].fault == nil {
		all[i].fault = fault
	}
	return all
}

func unescapePair(pair string) (name, value string, err error) {
	name, value, _ = strings.Cut(pair, "=")
	if name, err = url.QueryUnescape(name); err == nil {
		value, err = url.QueryUnescape(value)
	}
	if err != nil {
		return "", "", invalid("The query has a %% that is not followed by two hexadecimal digits: %s.", quoted(pair)).
			WithNext("Write a percent sign itself as %25.")
	}
	return name, value, nil
}

func unknownParameter(name string) error {
	if known, value, ok := strings.Cut(name, "="); ok {
		return domain.Errorf(domain.NotFound, "The query has a parameter that is called %s, since its = was written as %%3D.", quoted(name)).
			WithNext(fmt.Sprintf("Write %s=%s, with the = as it is.", clip(known), url.QueryEscape(clip(value))))
	}
	return domain.Errorf(domain.NotFound, "The parameter %s is not supported.", quoted(name)).
		WithNext("Leave it out. The parameters " + supported() + " are supported.")
}

// supported lists the names of the parameters for people.
func supported() string {
	names := make([]string, len(parameters))
	for i, p := range parameters {
		names[i] = p.name
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// listed returns the values of a parameter that may have several: repeated, or
// separated by commas.
func listed(values []string) (all []string) {
	for _, v := range values {
		for one := range strings.SplitSeq(v, ",") {
			all = append(all, strings.TrimSpace(one))
		}
	}
	return all
}

func readType(_ *asked, _ string, values []string) error {
	for _, t := range listed(values) {
		if t != "ExplanationOfBenefit" {
			return invalid("The _type %s is not supported.", quoted(t)).
				WithNext("Leave _type out, or write _type=ExplanationOfBenefit: that is the one type there is.")
		}
	}
	return nil
}

func readSinceLast(a *asked, name string, values []string) error {
	return readBool(name, values, &a.sinceLast)
}

func readBool(name string, values []string, into *bool) error {
	v, err := single(name, values)
	if err != nil {
		return err
	}
	if *into = v == "true"; !*into && v != "false" {
		return invalid("The value of %s is neither true nor false: %s.", name, quoted(v)).WithNext("Write " + name + "=true, or leave it out.")
	}
	return nil
}

var outputFormats = []string{"application/fhir+ndjson", "application/ndjson", "ndjson"}

func readOutputFormat(_ *asked, name string, values []string) error {
	v, err := single(name, values)
	if err != nil {
		return err
	}
	if !slices.Contains(outputFormats, plus(v)) {
		return invalid("The _outputFormat %s is not supported.", quoted(v)).
			WithNext("Leave _outputFormat out, or use one of " + strings.Join(outputFormats, ", ") + ".")
	}
	return nil
}

var fhirInstant = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`)

func readInstant(name string, values []string, into *time.Time) error {
	v, err := single(name, values)
	if err != nil {
		return err
	}
	v = plus(v)
	if fhirInstant.MatchString(v) {
		if *into, err = time.Parse(time.RFC3339, v); err == nil && !into.IsZero() {
			return nil
		}
	}
	return invalid("The value of %s is not an instant: %s.", name, quoted(v)).
		WithNext(fmt.Sprintf("Write a date with a time and an offset, as %s=2024-02-13T08:00:00.000-05:00 or %s=2024-02-13T13:00:00Z.", name, name))
}

// plus puts back a plus sign that was sent as it is and so came as a space.
// None of the values this is for can have a space.
func plus(s string) string { return strings.ReplaceAll(s, " ", "+") }

func single(name string, values []string) (string, error) {
	if len(values) > 1 {
		return "", invalid("The parameter %s was given %d times.", name, len(values)).WithNext("Give it once.")
	}
	return values[0], nil
}

func invalid(format string, args ...any) *domain.Error {
	return domain.Errorf(domain.Invalid, format, args...)
}

// quoted returns what a client sent, fit to be told back.
func quoted(s string) string { return fmt.Sprintf("%q", clip(s)) }

func clip(s string) string {
	const plenty = 60
	if r := []rune(s); len(r) > plenty {
		return string(r[:plenty]) + "..."
	}
	return s
}

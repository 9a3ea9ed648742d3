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
}

// parameters are the ones that are understood. A reader gets all values that
// were given under its name.
var parameters = map[string]func(a *asked, values []string) error{
	"_type":         readType,
	"_outputFormat": readOutputFormat,
	"_since":        func(a *asked, values []string) error { return readInstant("_since", values, &a.window.Since) },
	"_until":        func(a *asked, values []string) error { return readInstant("_until", values, &a.window.Until) },

	// Ours: go on from the last export that was fetched whole.
	"sinceLastExport": readSinceLast,
}

// refused are parameters of the standard that are not understood, beside all
// that begin with an underscore. To ignore one would deliver what was not
// asked for.
var refused = []string{"patient", "organizeOutputBy", "allowPartialManifests", "includeAssociatedData"}

// parseParameters reads the query of a kick-off.
func parseParameters(query string) (asked, error) {
	var a asked
	values := map[string][]string{}
	var names []string // in the order they came
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, err := unescapePair(pair)
		if err != nil {
			return a, err
		}
		if _, seen := values[name]; !seen {
			names = append(names, name)
		}
		values[name] = append(values[name], value)
	}
	for _, name := range names {
		if read, ok := parameters[name]; ok {
			if err := read(&a, values[name]); err != nil {
				return a, err
			}
		} else if strings.HasPrefix(name, "_") || slices.Contains(refused, name) {
			return a, unknownParameter(name)
		}
	}
	return a, nil
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
		return invalid("The query has a parameter that is called %s, since its = was written as %%3D.", quoted(name)).
			WithNext(fmt.Sprintf("Write %s=%s, with the = as it is.", clip(known), url.QueryEscape(clip(value))))
	}
	return invalid("The parameter %s is not supported.", quoted(name)).
		WithNext("Leave it out. The parameters _type, _outputFormat, _since, _until and sinceLastExport are supported.")
}

func readType(_ *asked, values []string) error {
	for _, list := range values {
		for t := range strings.SplitSeq(list, ",") {
			if t = strings.TrimSpace(t); t != "ExplanationOfBenefit" {
				return invalid("The _type %s is not supported.", quoted(t)).
					WithNext("Leave _type out, or write _type=ExplanationOfBenefit: that is the one type there is.")
			}
		}
	}
	return nil
}

func readSinceLast(a *asked, values []string) (err error) {
	v, err := single("sinceLastExport", values)
	if err != nil {
		return err
	}
	if a.sinceLast = v == "true"; !a.sinceLast && v != "false" {
		return invalid("The value of sinceLastExport is neither true nor false: %s.", quoted(v)).WithNext("Write sinceLastExport=true, or leave it out.")
	}
	return nil
}

var outputFormats = []string{"application/fhir+ndjson", "application/ndjson", "ndjson"}

func readOutputFormat(_ *asked, values []string) error {
	v, err := single("_outputFormat", values)
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

package fiberapi

import (
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"cms.gov/ab2d/domain"
)

// asked is what the parameters of a kick-off ask for.
type asked struct {
	version domain.FHIRVersion
	offered []domain.ResourceType // beside claims

	window    domain.Window
	sinceLast bool
	terms     domain.Terms
	patients  []string
	partials  bool
	elements  []string // as they were given
}

// parameter is one that is understood. Its reader gets all values that were
// given under its name, of the query and of the body.
type parameter struct {
	name string
	read func(a *asked, name string, values []string) error

	// narrows says that the parameter is about whose claims leave. What is wrong
	// with it is refused to lenient clients too, who would get others' instead.
	narrows bool
}

// parameters are the ones that are understood, in the order that refusals name
// them in.
var parameters = []parameter{
	{name: "_type", read: readType},
	{name: "_outputFormat", read: readOutputFormat},
	{name: "_since", read: func(a *asked, name string, values []string) error { return readInstant(name, values, &a.window.Since) }},
	{name: "_until", read: func(a *asked, name string, values []string) error { return readInstant(name, values, &a.window.Until) }},

	{name: "_typeFilter", read: readTypeFilter},
	{name: "_elements", read: readElements},
	{name: "organizeOutputBy", read: readOrganize},
	{name: "_minimumFileSize", read: func(a *asked, name string, values []string) error {
		return readBytes(name, values, 1, domain.MostMinFileBytes, &a.terms.MinFileBytes)
	}},
	{name: "_maximumFileSize", read: func(a *asked, name string, values []string) error {
		return readBytes(name, values, domain.LeastMaxFileBytes, math.MaxInt64, &a.terms.MaxFileBytes)
	}},
	{name: "allowPartialManifests", read: func(a *asked, name string, values []string) error { return readBool(name, values, &a.partials) }},

	// Ours: go on from the last export that was fetched whole.
	{name: "sinceLastExport", read: readSinceLast},

	// In a body alone, see parseQuery.
	{name: "patient", read: readPatients, narrows: true},
}

// refused are parameters of the standard that are not understood, beside all
// that begin with an underscore. To ignore one would deliver what was not
// asked for.
var refused = []string{associated}

const associated = "includeAssociatedData"

// conditions are those of a _typeFilter. Where its & was not escaped they come as
// parameters, and to pass them over would deliver what was not asked for.
var conditions = []string{"service-date", "type", "status"}

// given is a parameter as a client gave it.
type given struct {
	name   string
	values []string
	fault  error // why one of its values cannot be read, if it cannot
}

// readParameters reads what a kick-off asks for. What is wrong is refused; or
// passed over and noted, when the client is lenient. What no standard knows is
// always passed over and noted.
//
// Types are those that an export may have beside claims.
func readParameters(all []given, lenient bool, v domain.FHIRVersion, types ...domain.ResourceType) (asked, error) {
	a := asked{version: v, offered: types}
	for _, g := range all {
		next := a
		err := g.into(&next)
		switch fault, told := err.(*domain.Error); {
		case err == nil:
			a = next
		case told && (lenient && !g.narrows() || fault.Code == domain.NotFound && !isStandard(g.name)):
			a.terms.Ignored = append(a.terms.Ignored, domain.Ignored{Code: fault.Code, Text: fault.Message, Next: fault.Next})
		case told && fault.Code == domain.NotFound:
			fault.Code = domain.Invalid
			return a, fault
		default:
			return a, err
		}
	}
	for _, fault := range a.fit() {
		if !lenient {
			return a, fault
		}
		a.terms.Ignored = append(a.terms.Ignored, domain.Ignored{Code: fault.Code, Text: fault.Message, Next: fault.Next})
	}
	return a, nil
}

// fit makes of the parameters what they mean together, without what does not go
// together, and returns what is wrong with that.
func (a *asked) fit() (faults []*domain.Error) {
	if len(a.terms.Filters) > 0 && !a.terms.Has(domain.ExplanationOfBenefit) {
		a.terms.Filters = nil
		faults = append(faults, invalid("The _typeFilter is of ExplanationOfBenefit, and _type does not ask for it.").
			WithNext("Leave _typeFilter out, or add ExplanationOfBenefit to _type."))
	}
	if t := &a.terms; t.MaxFileBytes > 0 && t.MinFileBytes > t.MaxFileBytes {
		faults = append(faults, invalid("_minimumFileSize is %d and _maximumFileSize is %d, which is less.", t.MinFileBytes, t.MaxFileBytes).
			WithNext("Leave _minimumFileSize out, or give less of it."))
		t.MinFileBytes = 0
	}
	return append(faults, a.fitElements()...)
}

func (g given) narrows() bool {
	return slices.ContainsFunc(parameters, func(p parameter) bool { return p.narrows && p.name == g.name })
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
		var fault error
		if name == "patient" { // an address is written into logs, where no one's MBI belongs
			fault = invalid("The parameter patient is not supported in a query.").
				WithNext(`Send it by POST, in a Parameters body: {"name":"patient","valueReference":{"reference":"Patient/123"}}.`)
		}
		all = add(all, name, value, fault)
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
	if name == associated {
		return domain.Errorf(domain.NotFound, "This server exports no Provenance or other data that is associated with claims, so that %s is not supported.", name).
			WithNext("Leave it out. What there is comes without it.")
	}
	if slices.Contains(conditions, name) {
		return invalid("The parameter %s is not supported; it is a condition of a _typeFilter.", quoted(name)).
			WithNext("Write the & in a _typeFilter as %26, as in _typeFilter=ExplanationOfBenefit%3Fservice-date%3Dge2024-01-01%26status%3Dactive.")
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

func readType(a *asked, _ string, values []string) error {
	var wanted []domain.ResourceType
	for _, v := range listed(values) {
		t, err := domain.ParseResourceType(v)
		if err != nil || t != domain.ExplanationOfBenefit && !slices.Contains(a.offered, t) {
			return invalid("The _type %s is not supported.", quoted(v)).WithNext(a.types())
		}
		wanted = append(wanted, t)
	}
	if slices.ContainsFunc(wanted, func(t domain.ResourceType) bool { return t != domain.ExplanationOfBenefit }) {
		a.terms.Types = slices.DeleteFunc(slices.Clone(domain.ResourceTypes), func(t domain.ResourceType) bool { return !slices.Contains(wanted, t) })
	}
	return nil
}

// types tells what _type may be.
func (a *asked) types() string {
	if len(a.offered) == 0 {
		return "Leave _type out, or write _type=ExplanationOfBenefit: that is the one type there is."
	}
	all := []string{string(domain.ExplanationOfBenefit)}
	for _, t := range a.offered {
		all = append(all, string(t))
	}
	return "Use " + strings.Join(all, ", ") + ", or leave _type out for ExplanationOfBenefit alone."
}

var patientReference = regexp.MustCompile(`(?:^|/)Patient/([-A-Za-z0-9.]{1,64})$`)

// readPatients reads references to enrollees, by the source's id or by an MBI.
func readPatients(a *asked, name string, values []string) error {
	for _, v := range values {
		m := patientReference.FindStringSubmatch(v)
		if m == nil {
			return invalid("The value of %s is not a reference to a Patient: %s.", name, quoted(v)).
				WithNext("Write it as Patient/ and the id in the patient of a claim, or Patient/ and an MBI, each in a parameter of its own.")
		}
		a.patients = append(a.patients, m[1])
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

func readOrganize(a *asked, name string, values []string) error {
	v, err := single(name, values)
	if err != nil {
		return err
	}
	if v != string(domain.Patient) {
		return invalid("The output cannot be organized by %s.", quoted(v)).WithNext("Write organizeOutputBy=Patient, or leave it out for files of one resource type each.")
	}
	a.terms.ByPatient = true
	return nil
}

// readBytes reads the size of a file.
func readBytes(name string, values []string, least, most int64, into *int64) error {
	v, err := single(name, values)
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 1 {
		return invalid("The value of %s is not a number of bytes: %s.", name, quoted(v)).WithNext("Write a whole number, as " + name + "=100000000, or leave it out.")
	}
	if n < least || n > most {
		return invalid("The value of %s is %d, which this server cannot keep to.", name, n).
			WithNext(fmt.Sprintf("Of bytes that are not compressed, _minimumFileSize can be up to %d, and _maximumFileSize from %d.", domain.MostMinFileBytes, domain.LeastMaxFileBytes))
	}
	*into = n
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

package fiberapi

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/domain/eob"
)

// A _typeFilter is a search in the query of a search, as
//
//	ExplanationOfBenefit?service-date=ge2024-01-01&type=CARRIER,DME&status=active
//
// Several of them may stand in one value, with commas between. Commas also part
// the values of a condition, so that only one before a type and its question mark
// begins another filter.

// The systems that a code of a condition may be given with.
const (
	typeSystem   = "https://bluebutton.cms.gov/resources/codesystem/eob-type"
	statusSystem = "http://hl7.org/fhir/explanationofbenefit-status"
)

const filterHelp = "Filter ExplanationOfBenefit by service-date (with eq, ne, gt, lt, ge, le, sa, eb or ap before a day, a month or a year), type and status, " +
	"as _typeFilter=ExplanationOfBenefit%3Fservice-date%3Dge2024-01-01%26type%3DCARRIER,DME."

func readTypeFilter(a *asked, _ string, values []string) error {
	for _, v := range values {
		for _, one := range splitFilters(v) {
			some, err := parseFilter(one)
			if err != nil {
				return err
			}
			if a.terms.Filters = append(a.terms.Filters, some...); len(a.terms.Filters) > domain.FilterLimit {
				return invalid("_typeFilter has more than %d filters.", domain.FilterLimit).
					WithNext("Ask for them in several exports. A service-date with several values counts as that many filters.")
			}
		}
	}
	return nil
}

// conditionLimit is how many conditions a filter may have.
const conditionLimit = 20

// splitFilters parts a value where another filter begins.
func splitFilters(v string) (all []string) {
	start := 0
	for i := range v {
		if v[i] == ',' && beginsFilter(v[i+1:]) {
			all = append(all, strings.TrimSpace(v[start:i]))
			start = i + 1
		}
	}
	return append(all, strings.TrimSpace(v[start:]))
}

// beginsFilter reports whether s begins with the name of a type and a question mark.
func beginsFilter(s string) bool {
	s = strings.TrimLeft(s, " ")
	n := strings.IndexFunc(s, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') })
	return n > 0 && s[0] <= 'Z' && (s[n] == '?' || strings.HasPrefix(strings.ToUpper(s[n:]), "%3F"))
}

// parseFilter reads one filter. It comes to several where a service-date has
// several values, of which one has to hold.
func parseFilter(s string) (domain.Filters, error) {
	kind, query, found := strings.Cut(s, "?")
	if !found { // escaped as a whole once more, as in a body that was made from an address
		if plain, err := url.QueryUnescape(s); err == nil {
			kind, query, found = strings.Cut(plain, "?")
		}
	}
	if !found || query == "" {
		return nil, invalid("The _typeFilter %s has no conditions.", quoted(s)).WithNext(filterHelp)
	}
	if kind != string(domain.ExplanationOfBenefit) {
		return nil, invalid("The _typeFilter %s is of the type %s, which cannot be filtered.", quoted(s), quoted(kind)).WithNext(filterHelp)
	}
	if n := strings.Count(query, "&") + 1; n > conditionLimit {
		return nil, invalid("A _typeFilter has %d conditions, and may have %d.", n, conditionLimit).WithNext(filterHelp)
	}
	all := domain.Filters{{}}
	for condition := range strings.SplitSeq(query, "&") {
		name, value, err := unescapePair(condition)
		if err != nil {
			return nil, err
		}
		if all, err = withCondition(all, name, strings.Split(value, ",")); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// withCondition returns the filters with one more condition on each.
func withCondition(all domain.Filters, name string, values []string) (domain.Filters, error) {
	switch name {
	case "service-date":
		if len(all)*len(values) > domain.FilterLimit {
			return nil, invalid("A _typeFilter has too many values of service-date.").WithNext("Give the first and the last day, as service-date=ge2024-01-01&service-date=le2024-06-30.")
		}
		var out domain.Filters
		for _, v := range values {
			test, err := parseDateTest(v)
			if err != nil {
				return nil, err
			}
			for _, f := range all {
				f.Served = append(slices.Clone(f.Served), test)
				out = append(out, f)
			}
		}
		return out, nil
	case "type":
		return withCodes(all, name, values, typeSystem, "Use CARRIER, DME, HHA, HOSPICE, INPATIENT, OUTPATIENT or SNF: claims of other types are not exported.",
			func(f *domain.Filter) *[]string { return &f.Types },
			func(code string) (string, bool) { t, ok := eob.ParseClaimType(code); return t.String(), ok })
	case "status":
		return withCodes(all, name, values, statusSystem, "Use active, cancelled, draft or entered-in-error.",
			func(f *domain.Filter) *[]string { return &f.Statuses },
			func(code string) (string, bool) { s, ok := eob.ParseStatus(code); return s.String(), ok })
	case "_lastUpdated":
		return nil, invalid("A _typeFilter cannot have the condition _lastUpdated.").WithNext("Use the parameters _since and _until beside it.")
	case "patient":
		return nil, invalid("A _typeFilter cannot have the condition patient.").WithNext("Use the parameter patient, by POST in a Parameters body.")
	}
	return nil, invalid("A _typeFilter cannot have the condition %s.", quoted(name)).WithNext(filterHelp)
}

// withCodes adds a condition whose values are codes. One that is given again
// leaves what is in both, since all conditions must be met.
func withCodes(all domain.Filters, name string, values []string, system, help string, of func(*domain.Filter) *[]string, parse func(string) (string, bool)) (domain.Filters, error) {
	var codes []string
	for _, v := range values {
		code, given := v, system
		if before, after, ok := strings.Cut(v, "|"); ok {
			given, code = before, after
		}
		known, ok := parse(code)
		if !ok || given != system {
			return nil, invalid("A _typeFilter has the %s %s, which is none that claims have here.", name, quoted(v)).WithNext(help)
		}
		codes = append(codes, known)
	}
	slices.Sort(codes)
	codes = slices.Compact(codes)
	for i := range all {
		if before := *of(&all[i]); before != nil {
			codes = slices.DeleteFunc(codes, func(c string) bool { return !slices.Contains(before, c) })
		}
		if len(codes) == 0 {
			return nil, invalid("A _typeFilter asks for claims of two values of %s at once, which none has.", name).
				WithNext("Write " + name + " once, with a comma between the values of which one has to be met.")
		}
		*of(&all[i]) = codes
	}
	return all, nil
}

func parseDateTest(v string) (domain.DateTest, error) {
	t := domain.DateTest{Prefix: domain.Equal}
	day := v
	for _, p := range domain.Prefixes {
		if rest, ok := strings.CutPrefix(v, string(p)); ok {
			t.Prefix, day = p, rest
		}
	}
	var ok bool
	if t.From, t.To, ok = parseDays(day); !ok {
		return t, invalid("The service-date %s is not a day, a month or a year.", quoted(v)).
			WithNext("Write it as ge2024-01-31, ge2024-01 or ge2024, without a time of day: days of service are days of the calendar. The prefixes are eq, ne, gt, lt, ge, le, sa, eb and ap.")
	}
	return t, nil
}

// parseDays reads a day, a month or a year, and returns its first and its last day.
func parseDays(s string) (from, to domain.Date, ok bool) {
	switch len(s) {
	case len("2006"):
		from, err := domain.ParseDate(s + "-01-01")
		return from, domain.NewDate(from.Year(), time.December, 31), err == nil
	case len("2006-01"):
		from, err := domain.ParseDate(s + "-01")
		if err != nil {
			return 0, 0, false
		}
		return from, from.Month().Last(), true
	case len("2006-01-02"):
		from, err := domain.ParseDate(s)
		return from, from, err == nil
	}
	return 0, 0, false
}

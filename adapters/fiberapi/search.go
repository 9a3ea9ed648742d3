package fiberapi

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// search is a FHIR search: what to look for, and which part of the answer.
type search struct {
	values url.Values
	count  int    // entries a page has at most
	page   string // where the page begins, as the link to it says; empty for the first
}

// The parameters that every search has.
const (
	countParameter = "_count"
	pageParameter  = "_page" // ours: servers choose how their links look
)

// pageOf is how many entries a page has at most, unless _count asks for fewer.
const pageOf = 100

// readSearch reads the query of a search that knows the named parameters beside
// the ones of every search. Any other is refused, since to leave a filter out of
// account would answer what was not asked; a client that asks for lenient
// handling takes that upon itself.
func readSearch(c *fiber.Ctx, known ...string) (search, error) {
	values, err := url.ParseQuery(string(c.Request().URI().QueryString()))
	if err != nil {
		return search{}, invalid("The query is not well-formed.").WithNext("Write a percent sign itself as %25, and a semicolon as %3B.")
	}
	known = append(known, countParameter, pageParameter, "_format")
	for name := range values {
		if !slices.Contains(known, name) {
			if lenient(c) {
				delete(values, name)
				continue
			}
			return search{}, invalid("The search parameter %s is not supported.", quoted(name)).
				WithNext("Leave it out, or send Prefer: handling=lenient to have it ignored. The parameters " + strings.Join(known[:len(known)-2], ", ") + " are supported.")
		}
	}
	s := search{values: values, count: pageOf, page: values.Get(pageParameter)}
	if given := values[countParameter]; len(given) > 0 {
		v, err := single(countParameter, given)
		if err != nil {
			return search{}, err
		}
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			return search{}, invalid("The value of _count is no number of entries: %s.", quoted(v)).WithNext("Give a number from 1 on, or leave _count out.")
		}
		s.count = min(n, pageOf)
	}
	return s, nil
}

// lenient reports whether the client prefers that what is not supported is
// ignored (FHIR's handling=lenient, RFC 7240).
func lenient(c *fiber.Ctx) bool {
	for _, header := range c.Request().Header.PeekAll("Prefer") {
		for preference := range strings.FieldsFuncSeq(string(header), func(r rune) bool { return r == ',' || r == ';' }) {
			name, value, _ := strings.Cut(strings.TrimSpace(preference), "=")
			if strings.EqualFold(strings.TrimSpace(name), "handling") && strings.EqualFold(strings.Trim(strings.TrimSpace(value), `"`), "lenient") {
				return true
			}
		}
	}
	return false
}

// wants returns the alternatives that a parameter gives (FHIR search: commas
// mean "or"), and reports whether it was given at all. Giving it again would
// mean "and", which nobody needs of what has one value.
func (s search) wants(name string) (alternatives []string, given bool, err error) {
	values, given := s.values[name]
	if !given {
		return nil, false, nil
	}
	v, err := single(name, values)
	return strings.Split(v, ","), true, err
}

// entry is one hit of a search.
type entry struct {
	fullURL  string
	resource object
}

// sendSearch answers with a searchset Bundle. The page that follows begins at
// next; none follows when it is empty.
func (a *api) sendSearch(c *fiber.Ctx, entries []entry, next string) error {
	links := []object{{"relation": "self", "url": a.requestURL(c)}}
	if next != "" {
		query, err := url.ParseQuery(string(c.Request().URI().QueryString()))
		if err != nil {
			return err
		}
		query.Set(pageParameter, next)
		links = append(links, object{"relation": "next", "url": a.PublicURL + string(c.Request().URI().PathOriginal()) + "?" + query.Encode()})
	}
	bundle := object{"resourceType": "Bundle", "type": "searchset", "link": links}
	var hits []object
	for _, e := range entries {
		hits = append(hits, object{"fullUrl": e.fullURL, "resource": e.resource, "search": object{"mode": "match"}})
	}
	if len(hits) > 0 { // FHIR has no empty lists
		bundle["entry"] = hits
	}
	return sendJSON(c.Status(http.StatusOK), fhirJSON, bundle)
}

func errPage(page string) error {
	return invalid("There is no page %s of this search.", quoted(page)).WithNext(fmt.Sprintf("Follow the next link of the page before, or leave %s out.", pageParameter))
}

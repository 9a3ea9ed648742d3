package fiberapi

import (
	"strings"

	"github.com/gofiber/fiber/v2"
)

// preferences are what a client would like, by its Prefer headers (RFC 7240).
// What is not known among them is to be ignored.
type preferences struct {
	async    bool // respond-async; every kick-off is asynchronous all the same
	lenient  bool // handling=lenient: pass over what is wrong with parameters
	strict   bool // handling=strict, which is how it is without it
	separate bool // separate-export-status
}

func preferencesOf(c *fiber.Ctx) preferences {
	var headers []string
	for _, h := range c.Request().Header.PeekAll("Prefer") {
		headers = append(headers, string(h))
	}
	return parsePrefer(headers)
}

// parsePrefer reads Prefer headers. Of one preference that comes twice the
// first counts (RFC 7240, section 2).
func parsePrefer(headers []string) (p preferences) {
	seen := map[string]bool{}
	for _, header := range headers {
		for one := range strings.SplitSeq(header, ",") {
			one, _, _ = strings.Cut(one, ";")
			name, value, _ := strings.Cut(one, "=")
			name = strings.ToLower(strings.TrimSpace(name))
			if name == "" || seen[name] {
				continue
			}
			seen[name] = true
			value = strings.ToLower(strings.Trim(strings.TrimSpace(value), `"`))
			switch {
			case name == "respond-async":
				p.async = true
			case name == "separate-export-status":
				p.separate = true
			case name == "handling":
				p.lenient, p.strict = value == "lenient", value == "strict"
			}
		}
	}
	return p
}

// applied lists the preferences that an accepted kick-off keeps to, for
// Preference-Applied.
func (p preferences) applied() string {
	var all []string
	for _, one := range []struct {
		name string
		is   bool
	}{
		{"respond-async", p.async || p.separate},
		{"separate-export-status", p.separate},
		{"handling=lenient", p.lenient},
		{"handling=strict", p.strict},
	} {
		if one.is {
			all = append(all, one.name)
		}
	}
	return strings.Join(all, ", ")
}

package fiberapi

import "cms.gov/ab2d/domain"

// ReadForFuzz reads what a kick-off says, without the HTTP around it.
func ReadForFuzz(query string, body []byte, prefer []string) (names []string, ignored []domain.Ignored, err error) {
	all, err := parseQuery(query)
	if err != nil {
		return nil, nil, err
	}
	more, err := parseBody(body)
	if err != nil {
		return nil, nil, err
	}
	for _, g := range append(all, more...) {
		names = append(names, g.name)
		if g.name == "_elements" { // each of them can be ignored by itself
			names = append(names, listed(g.values)...)
		}
	}
	a, err := readParameters(append(all, more...), parsePrefer(prefer).lenient, domain.R4)
	return names, a.terms.Ignored, err
}

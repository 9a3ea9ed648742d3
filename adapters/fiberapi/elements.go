package fiberapi

import (
	"slices"
	"strings"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/domain/eob"
)

// elementLimit is how many names _elements may have; there are fewer to choose from.
const elementLimit = 100

// readElements keeps the names until it is known of which types they are.
func readElements(a *asked, name string, values []string) error {
	if a.elements = listed(values); len(a.elements) > elementLimit {
		return invalid("The parameter %s has more than %d names.", name, elementLimit).WithNext("Give each element once.")
	}
	return nil
}

// kinds returns the resource types of the export.
func (a *asked) kinds() []domain.ResourceType {
	if len(a.terms.Types) == 0 {
		return []domain.ResourceType{domain.ExplanationOfBenefit}
	}
	return a.terms.Types
}

// fitElements reads _elements: names of root elements, of all types of the export
// or behind the name of one of them. What is no element that may leave is left out
// and told; where nothing else is given, nothing is narrowed.
func (a *asked) fitElements() (faults []*domain.Error) {
	all := domain.Elements{}
	for _, name := range a.elements {
		kinds, element := a.kinds(), name
		if kind, rest, found := strings.Cut(name, "."); found && slices.Contains(kinds, domain.ResourceType(kind)) {
			kinds, element = []domain.ResourceType{domain.ResourceType(kind)}, rest
		}
		if !slices.ContainsFunc(kinds, func(t domain.ResourceType) bool { return a.mayHave(t, element) }) {
			faults = append(faults, a.noElement(name, kinds))
			continue
		}
		for _, t := range kinds {
			if all[t] == nil {
				all[t] = []string{}
			}
			if a.mayHave(t, element) {
				all[t] = append(all[t], element)
			}
		}
	}
	for t, names := range all {
		slices.Sort(names)
		all[t] = slices.Compact(names)
	}
	if len(all) > 0 {
		a.terms.Elements = all
	}
	return faults
}

func (a *asked) mayHave(t domain.ResourceType, element string) bool {
	return slices.Contains(eob.Elements(t, a.version), element)
}

func (a *asked) noElement(name string, kinds []domain.ResourceType) *domain.Error {
	var help []string
	for _, t := range kinds {
		help = append(help, string(t)+" has "+strings.Join(eob.Elements(t, a.version), ", "))
	}
	return invalid("The _elements has %s, which is no root element that this export can have.", quoted(name)).
		WithNext("Leave it out, or use another, with or without the type and a dot before it. " + strings.Join(help, "; ") + ".")
}

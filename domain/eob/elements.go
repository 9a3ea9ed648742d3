package eob

import (
	"slices"
	"strings"
	"sync"

	"cms.gov/ab2d/domain"
)

// Elements returns the names that an export can be narrowed to (_elements of the
// Bulk Data guide): the root elements of the allow list of a resource type, in
// order. The MBIs make extension one of a claim in both versions.
func Elements(t domain.ResourceType, v domain.FHIRVersion) []string {
	known, ok := elements.Load(shape{kind: t, version: v})
	if !ok {
		known, _ = elements.LoadOrStore(shape{kind: t, version: v}, listElements(t, v))
	}
	return slices.Clone(known.([]string))
}

// elements keeps what Elements has found.
var elements sync.Map

func listElements(t domain.ResourceType, v domain.FHIRVersion) (all []string) {
	if t == domain.ExplanationOfBenefit {
		t, all = "", append(all, "extension")
	}
	for _, r := range rulesOf(t, v) {
		if r.Condition != onlyDecides {
			all = append(all, rootOf(r.Path))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func rulesOf(kind domain.ResourceType, v domain.FHIRVersion) []Rule {
	if kind == "" {
		return Rules(v)
	}
	return RecordRules(kind, v)
}

// rootOf returns the root element that a path lies in.
func rootOf(path string) string {
	root, _, _ := strings.Cut(path, ".")
	return strings.TrimSuffix(root, "[]")
}

// always are the root elements that stay whatever is asked for. Contained
// resources do as far as something that stays refers to them.
var always = []string{"resourceType", "id", "meta", "contained"}

// mandatory are the root elements that a resource of its version is not valid
// without, and what a claim says little without: in STU3, which makes next to
// nothing mandatory, its status and whose it is.
var mandatory = map[shape][]string{
	{version: domain.STU3}:                        {"status", "patient"},
	{version: domain.R4}:                          {"status", "type", "use", "patient", "created", "insurer", "provider", "outcome", "insurance"},
	{kind: domain.Coverage, version: domain.STU3}: {"status", "beneficiary"},
	{kind: domain.Coverage, version: domain.R4}:   {"status", "beneficiary", "payor"},
}

// narrowed returns those of the rules of a resource type that are of the chosen
// root elements, or stay anyway. What a claim is decided by is still read where
// its element was not chosen, and does not leave.
func narrowed(rules []Rule, s shape) []Rule {
	kept := slices.Concat(always, mandatory[shape{kind: s.kind, version: s.version}], s.names())
	var out []Rule
	for _, r := range rules {
		switch {
		case slices.Contains(kept, rootOf(r.Path)):
			out = append(out, r)
		case s.kind == "" && roles[r.Path] != plain:
			out = append(out, Rule{Path: r.Path, Condition: onlyDecides, Why: "not asked for"})
		}
	}
	return out
}

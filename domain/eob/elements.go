package eob

import (
	"slices"
	"strings"

	"cms.gov/ab2d/domain"
)

// Elements returns the names that an export can be narrowed to (_elements of the
// Bulk Data guide): the root elements of the allow list of a resource type, in
// order. The MBIs make extension one of a claim in both versions.
func Elements(t domain.ResourceType, v domain.FHIRVersion) []string {
	var all []string
	if t == domain.ExplanationOfBenefit {
		all = append(all, "extension")
	}
	for _, r := range rulesOf(t, v) {
		if r.Condition != onlyDecides {
			all = append(all, rootOf(r.Path))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func rulesOf(t domain.ResourceType, v domain.FHIRVersion) []Rule {
	if t == domain.ExplanationOfBenefit {
		return Rules(v)
	}
	return RecordRules(t, v)
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
var mandatory = map[recordTable][]string{
	{domain.ExplanationOfBenefit, domain.STU3}: {"status", "patient"},
	{domain.ExplanationOfBenefit, domain.R4}:   {"status", "type", "use", "patient", "created", "insurer", "provider", "outcome", "insurance"},
	{domain.Coverage, domain.STU3}:             {"status", "beneficiary"},
	{domain.Coverage, domain.R4}:               {"status", "beneficiary", "payor"},
}

// narrowed returns those of the rules of a resource type that are of the chosen
// root elements, or stay anyway. What a claim is decided by is still read where
// its element was not chosen, and does not leave.
func narrowed(rules []Rule, t domain.ResourceType, v domain.FHIRVersion, chosen []string) []Rule {
	kept := slices.Concat(always, mandatory[recordTable{t, v}], chosen)
	var out []Rule
	for _, r := range rules {
		switch {
		case slices.Contains(kept, rootOf(r.Path)):
			out = append(out, r)
		case t == domain.ExplanationOfBenefit && roles[r.Path] != plain:
			out = append(out, Rule{Path: r.Path, Condition: onlyDecides, Why: "not asked for"})
		}
	}
	return out
}

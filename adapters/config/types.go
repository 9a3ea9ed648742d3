package config

import (
	"fmt"
	"slices"
	"strings"

	"cms.gov/ab2d/domain"
)

// Types are the types of resource that may be exported, written
// ExplanationOfBenefit,Patient. Claims always are.
type Types []domain.ResourceType

// String writes the types in the order of their files.
func (t *Types) String() string {
	names := []string{string(domain.ExplanationOfBenefit)}
	for _, r := range *t {
		names = append(names, string(r))
	}
	return strings.Join(names, ",")
}

// Set replaces the types beside claims by those that text gives.
func (t *Types) Set(text string) error {
	var read []domain.ResourceType
	for part := range strings.SplitSeq(text, ",") {
		r, err := domain.ParseResourceType(strings.TrimSpace(part))
		if err != nil {
			return err
		}
		read = append(read, r)
	}
	if !slices.Contains(read, domain.ExplanationOfBenefit) {
		return fmt.Errorf("claims are always exported: it must name %s", domain.ExplanationOfBenefit)
	}
	*t = slices.DeleteFunc(slices.Clone(domain.ResourceTypes), func(r domain.ResourceType) bool {
		return r == domain.ExplanationOfBenefit || !slices.Contains(read, r)
	})
	return nil
}

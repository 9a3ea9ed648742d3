package domain

import "fmt"

// ResourceType is the FHIR type of the lines of a data file.
type ResourceType string

// The types that an export can have. Claims are what sponsors receive data by
// rule for (42 CFR 423.153(g)); what is about the enrollee beside them is for
// an operator to turn on.
const (
	ExplanationOfBenefit ResourceType = "ExplanationOfBenefit"
	Patient              ResourceType = "Patient"
	Coverage             ResourceType = "Coverage"
)

// ResourceTypes are all that there are, in the order of their files.
var ResourceTypes = []ResourceType{ExplanationOfBenefit, Patient, Coverage}

// ParseResourceType reads the name of a type that an export can have.
func ParseResourceType(s string) (ResourceType, error) {
	for _, t := range ResourceTypes {
		if s == string(t) {
			return t, nil
		}
	}
	return "", fmt.Errorf("%q is none of the types %v", s, ResourceTypes)
}

// FileKind returns the kind of the files that hold resources of the type.
func (t ResourceType) FileKind() FileKind {
	switch t {
	case Patient:
		return PatientFile
	case Coverage:
		return CoverageFile
	}
	return DataFile
}

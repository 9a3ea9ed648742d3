package domain

import "fmt"

// FHIRVersion is the version of FHIR that claims are asked for and delivered in.
type FHIRVersion string

// The versions served. /api/v1 is STU3 and /api/v2 is R4.
const (
	STU3 FHIRVersion = "STU3" // FHIR 3.0.1
	R4   FHIRVersion = "R4"   // FHIR 4.0.1
)

// ParseFHIRVersion reads what String of a version wrote.
func ParseFHIRVersion(s string) (FHIRVersion, error) {
	switch v := FHIRVersion(s); v {
	case STU3, R4:
		return v, nil
	}
	return "", fmt.Errorf("%q is not a FHIR version that is served (STU3 or R4)", s)
}

// Values lists the versions, for stores that keep them as an enumeration.
func (FHIRVersion) Values() []string { return []string{string(STU3), string(R4)} }

//go:build !race

// One goroutine does all of this alone: the race detector would find nothing in
// it and take ten times as long. make test runs it in an ordinary build.

package synthetic_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"cms.gov/ab2d/adapters/synthetic"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schemas are those of HL7 by resource type, for one version of FHIR.
type schemas map[string]*jsonschema.Schema

func compileSchemas(t *testing.T, file string, resources ...string) schemas {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	delete(document.(map[string]any), "id") // the keyword of draft 4, which draft 6 does not know
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("file:///fhir.json", document); err != nil {
		t.Fatal(err)
	}
	all := schemas{}
	for _, r := range resources {
		s, err := compiler.Compile("file:///fhir.json#/definitions/" + r)
		if err != nil {
			t.Fatal(err)
		}
		all[r] = s
	}
	return all
}

// check validates a resource and, one by one, what it contains: through the
// schema's own list of all resources an error would say nothing.
func (s schemas) check(t *testing.T, raw []byte) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	resource := v.(map[string]any)
	contained, _ := resource["contained"].([]any)
	delete(resource, "contained")
	for _, r := range append([]any{resource}, contained...) {
		name, _ := r.(map[string]any)["resourceType"].(string)
		if s[name] == nil {
			t.Fatalf("no schema for a %q", name)
		}
		if err := s[name].Validate(r); err != nil {
			t.Fatalf("%v\nin %s", err, raw)
		}
	}
}

func TestEveryClaimIsValidFHIR(t *testing.T) {
	byVersion := map[domain.FHIRVersion]schemas{
		domain.STU3: compileSchemas(t, "testdata/fhir-stu3.subset.schema.json", "ExplanationOfBenefit", "ReferralRequest", "Observation"),
		domain.R4:   compileSchemas(t, "testdata/fhir-r4.subset.schema.json", "ExplanationOfBenefit", "Organization", "Observation"),
	}
	source := synthetic.NewClaims(population, clock)
	for version, s := range byVersion {
		t.Run(string(version), func(t *testing.T) {
			seen := map[string]int{}
			for _, e := range sample(60) {
				for _, raw := range read(t, source, ports.ClaimsQuery{Version: version, Patient: e.Patient}) {
					id := idOf(t, raw)
					kind, _, _ := strings.Cut(id, "-")
					if seen[kind]++; seen[kind] > 60 {
						continue // enough of these; go on to the rarer types
					}
					s.check(t, raw)
					for _, mandatory := range mandatoryPrimitives[version] {
						if !bytes.Contains(raw, []byte(`"`+mandatory+`":"`)) {
							t.Fatalf("%s has no %s", id, mandatory)
						}
					}
				}
			}
			if len(seen) != 8 {
				t.Errorf("only these types came: %v", seen)
			}
		})
	}
}

// mandatoryPrimitives are required by FHIR, but JSON Schema cannot say so.
var mandatoryPrimitives = map[domain.FHIRVersion][]string{
	domain.R4:   {"status", "use", "created", "outcome"},
	domain.STU3: {"status"},
}

// idOf finds the id of a claim without reading all of it.
func idOf(t *testing.T, raw []byte) string {
	t.Helper()
	_, rest, found := bytes.Cut(raw, []byte(`"id":"`))
	id, _, _ := bytes.Cut(rest, []byte(`"`))
	if !found {
		t.Fatalf("no id in %s", raw)
	}
	return string(id)
}

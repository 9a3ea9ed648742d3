package eob

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"cms.gov/ab2d/domain"
)

// validator checks resources against the JSON schema of a FHIR version.
type validator struct {
	compiler *jsonschema.Compiler
	url      string
}

func newValidator(t *testing.T, v domain.FHIRVersion) *validator {
	t.Helper()
	raw := readFile(t, filepath.Join("testdata", "schema", "fhir-"+strings.ToLower(string(v))+".subset.schema.json"))
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	delete(document.(map[string]any), "id") // in the style of draft 4, which confuses references
	c := &validator{jsonschema.NewCompiler(), "file:///fhir.json"}
	if err := c.compiler.AddResource(c.url, document); err != nil {
		t.Fatal(err)
	}
	return c
}

// check validates a claim, and the resources in it each by its own definition.
func (c *validator) check(t *testing.T, claim map[string]any) error {
	t.Helper()
	list, _ := claim["contained"].([]any)
	delete(claim, "contained")
	for _, resource := range append(list, any(claim)) {
		kind := resource.(map[string]any)["resourceType"].(string)
		schema, err := c.compiler.Compile(c.url + "#/definitions/" + kind)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(resource); err != nil {
			return err
		}
	}
	return nil
}

// What was a valid resource of its version is one still, the mandatory elements
// that the schema does not look for among them.
func TestOutputsAreValidFHIR(t *testing.T) {
	mandatory := map[domain.FHIRVersion][]string{
		domain.STU3: {"resourceType", "id", "status"},
		domain.R4:   {"resourceType", "id", "status", "type", "use", "patient", "created", "insurer", "provider", "outcome", "insurance"},
	}
	for v, names := range mandatory {
		validate := newValidator(t, v)
		valid := 0
		for _, s := range samplesOf(t, v) {
			before := validate.check(t, decoded(t, s.compact))
			out := decoded(t, trim(t, v, s.compact))
			for _, name := range names {
				if decoded(t, s.compact)[name] != nil && out[name] == nil {
					t.Errorf("%s: %s is mandatory and has gone", s.name, name)
				}
			}
			if before != nil {
				t.Logf("%s is not valid to begin with", s.name)
				continue
			}
			valid++
			if err := validate.check(t, out); err != nil {
				t.Errorf("%s: %v", s.name, err)
			}
		}
		if valid < 9 {
			t.Errorf("only %d samples of %s are valid to begin with", valid, v)
		}
	}
}

// The validator is no rubber stamp.
func TestValidatorRefuses(t *testing.T) {
	validate := newValidator(t, domain.R4)
	var claim map[string]any
	if err := json.Unmarshal([]byte(`{"resourceType":"ExplanationOfBenefit","id":"1","zz":1}`), &claim); err != nil {
		t.Fatal(err)
	}
	if validate.check(t, claim) == nil {
		t.Error("it takes a claim without anything mandatory")
	}
}

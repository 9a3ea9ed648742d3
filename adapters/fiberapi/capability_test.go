package fiberapi_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"cms.gov/ab2d/domain"
)

// schemas are HL7's JSON schemas, cut down to the two resources that the API
// itself sends; see testdata/README.md.
var schemas = map[domain.FHIRVersion]string{domain.STU3: "testdata/fhir-stu3.json", domain.R4: "testdata/fhir-r4.json"}

// valid checks a resource against the schema of its version.
func valid(t *testing.T, v domain.FHIRVersion, resource string, body []byte) {
	t.Helper()
	raw, err := os.ReadFile(schemas[v])
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("file:///fhir.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("file:///fhir.json#/definitions/" + resource)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("%v\nin %s", err, body)
	}
}

func TestMetadata(t *testing.T) {
	w := newWorld(t)
	for v, base := range bases {
		t.Run(string(v), func(t *testing.T) {
			r := w.do("GET", base+"/metadata", "Authorization", "")
			if r.StatusCode != 200 {
				t.Fatalf("%d %s", r.StatusCode, r.body)
			}
			r.guarded(t)
			r.header(t, "Content-Type", "application/fhir+json")
			if head := w.do("HEAD", base+"/metadata", "Authorization", ""); head.StatusCode != 200 || head.ContentLength != int64(len(r.body)) {
				t.Errorf("HEAD: %d, %d bytes", head.StatusCode, head.ContentLength)
			}
			valid(t, v, "CapabilityStatement", r.body)

			var s struct {
				Kind, Status, FHIRVersion string
				Instantiates              []string
				Software                  struct{ Version string }
				Implementation            struct{ URL string }
				Rest                      []struct {
					Security struct {
						Extension []struct {
							URL       string
							Extension []struct{ URL, ValueURI string }
						}
					}
					Operation []operation
					Resource  []struct {
						Type        string
						Interaction []struct{ Code string }
						SearchParam []struct{ Name, Type string }
						Operation   []operation
					}
				}
			}
			if err := json.Unmarshal(r.body, &s); err != nil {
				t.Fatal(err)
			}
			if s.Kind != "instance" || s.Status != "active" || s.Software.Version != "1.2.3" || s.Implementation.URL != public+base {
				t.Errorf("%s", r.body)
			}
			if want := map[domain.FHIRVersion]string{domain.STU3: "3.0.1", domain.R4: "4.0.1"}[v]; s.FHIRVersion != want {
				t.Errorf("fhirVersion %s, want %s", s.FHIRVersion, want)
			}
			if len(s.Instantiates) != 1 || s.Instantiates[0] != "http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data" {
				t.Errorf("instantiates %v", s.Instantiates)
			}
			oauth := s.Rest[0].Security.Extension
			if len(oauth) != 1 || oauth[0].URL != "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris" ||
				oauth[0].Extension[0].URL != "token" || oauth[0].Extension[0].ValueURI != public+"/oauth2/x/v1/token" {
				t.Errorf("security %v", oauth)
			}
			definitions := map[string]bool{}
			for _, o := range s.Rest[0].Operation {
				definitions[o.canonical(t)] = true
			}
			for _, res := range s.Rest[0].Resource {
				for _, o := range res.Operation {
					definitions[o.canonical(t)] = true
				}
			}
			interactions := map[string]string{}
			for _, res := range s.Rest[0].Resource {
				for _, i := range res.Interaction {
					interactions[res.Type] += i.Code + " "
				}
				for _, p := range res.SearchParam {
					interactions[res.Type] += p.Name + ":" + p.Type + " "
				}
			}
			if interactions["Group"] != "read search-type _id:token identifier:token " || interactions["OperationDefinition"] != "read " ||
				interactions["Patient"]+interactions["ExplanationOfBenefit"] != "" {
				t.Errorf("interactions %v", interactions)
			}
			for _, want := range []string{"export", "patient-export", "group-export"} {
				if !definitions["http://hl7.org/fhir/uv/bulkdata/OperationDefinition/"+want] {
					t.Errorf("no %s in %v", want, definitions)
				}
			}
		})
	}
}

// operation is one of either version: a canonical in R4, a Reference in STU3.
type operation struct {
	Name       string
	Definition json.RawMessage
}

func (o operation) canonical(t *testing.T) string {
	t.Helper()
	var s string
	if json.Unmarshal(o.Definition, &s) == nil {
		return s
	}
	var reference struct{ Reference string }
	if err := json.Unmarshal(o.Definition, &reference); err != nil {
		t.Fatal(err)
	}
	return reference.Reference
}

func TestRefusalsAreValidFHIR(t *testing.T) {
	w := newWorld(t)
	for v, base := range bases {
		for _, r := range []response{
			w.do("GET", base+"/$export?_x=1"), w.do("GET", base+"/none"), w.do("PUT", base+"/metadata"),
			w.do("GET", base+"/$export", "Authorization", ""), w.do("GET", base+"/Job/x/$status"),
		} {
			valid(t, v, "OperationOutcome", r.body)
		}
	}
}

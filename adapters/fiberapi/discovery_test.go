package fiberapi_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"cms.gov/ab2d/adapters/fiberapi"
	"cms.gov/ab2d/domain"
)

type smart struct {
	TokenEndpoint string   `json:"token_endpoint"`
	Methods       []string `json:"token_endpoint_auth_methods_supported"`
	Algorithms    []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	Grants        []string `json:"grant_types_supported"`
	Scopes        []string `json:"scopes_supported"`
	Capabilities  []string `json:"capabilities"`
}

// The document is at every place where clients look, for whoever asks, and says
// nothing of signing in, which nobody can.
func TestSMARTConfiguration(t *testing.T) {
	w := newWorld(t, func(c *fiberapi.Config) {
		c.TokenAuth = fiberapi.TokenAuth{Methods: []string{"client_secret_basic", "private_key_jwt"}, Algorithms: []string{"RS384", "ES384"},
			Scopes: []string{"clientCreds", "system/*.read", "system/*.rs"}}
	})
	for _, base := range []string{"", bases[domain.STU3], bases[domain.R4]} {
		for _, accept := range []string{"application/fhir+json", "text/html", ""} {
			r := w.do("GET", base+"/.well-known/smart-configuration", "Authorization", "", "Accept", accept)
			if r.StatusCode != 200 {
				t.Fatalf("%s: %d %s", base, r.StatusCode, r.body)
			}
			r.guarded(t)
			r.header(t, "Content-Type", "application/json")
			var s smart
			if err := json.Unmarshal(r.body, &s); err != nil {
				t.Fatal(err)
			}
			if s.TokenEndpoint != public+"/oauth2/x/v1/token" || !slices.Equal(s.Grants, []string{"client_credentials"}) ||
				!slices.Equal(s.Algorithms, []string{"RS384", "ES384"}) || len(s.Methods) != 2 || len(s.Scopes) != 3 ||
				!slices.Equal(s.Capabilities, []string{"client-confidential-symmetric", "client-confidential-asymmetric", "permission-v1", "permission-v2"}) {
				t.Errorf("%s", r.body)
			}
			for _, lie := range []string{"authorization_endpoint", "code_challenge", "authorization_code", "issuer", "sso", "launch"} {
				if strings.Contains(string(r.body), lie) {
					t.Errorf("the document has %s: %s", lie, r.body)
				}
			}
		}
		w.do("HEAD", base+"/.well-known/smart-configuration", "Authorization", "").header(t, "Content-Type", "application/json")
	}
}

func TestSMARTConfigurationOfSecretsAlone(t *testing.T) {
	w := newWorld(t, func(c *fiberapi.Config) {
		c.TokenAuth = fiberapi.TokenAuth{Methods: []string{"client_secret_basic"}, Scopes: []string{domain.AllScope}}
	})
	r := w.do("GET", "/.well-known/smart-configuration")
	var d smart
	if err := json.Unmarshal(r.body, &d); err != nil || !slices.Equal(d.Methods, []string{"client_secret_basic"}) || d.Algorithms != nil ||
		!slices.Equal(d.Capabilities, []string{"client-confidential-symmetric"}) {
		t.Errorf("%s", r.body)
	}
	none := newWorld(t, func(c *fiberapi.Config) { c.TokenURL = "" })
	none.do("GET", "/.well-known/smart-configuration").refused(t, 404, "not-found")
}

type definition struct {
	ResourceType, ID, URL, Code, Kind string
	System, Type, Instance            bool
	Resource                          []string
	Base                              json.RawMessage
	Parameter                         []struct{ Name, Use, Max, Type, Documentation string }
}

func TestOperationDefinitions(t *testing.T) {
	w := newWorld(t)
	for v, base := range bases {
		for id, path := range map[string]string{"export": "/$export", "patient-export": "/Patient/$export", "group-export": "/Group/S0000/$export"} {
			r := w.do("GET", base+"/OperationDefinition/"+id, "Authorization", "")
			valid(t, v, "OperationDefinition", r.body)
			var d definition
			if err := json.Unmarshal(r.body, &d); err != nil || r.StatusCode != 200 {
				t.Fatalf("%d %s %v", r.StatusCode, r.body, err)
			}
			if d.ID != id || d.URL != public+base+"/OperationDefinition/"+id || d.Code != "export" ||
				!strings.Contains(string(d.Base), "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/"+id) {
				t.Errorf("%s", r.body)
			}
			if d.System != (id == "export") || d.Type != (id == "patient-export") || d.Instance != (id == "group-export") {
				t.Errorf("%s: system %t, type %t, instance %t", id, d.System, d.Type, d.Instance)
			}
			told := map[string]bool{}
			for _, p := range d.Parameter {
				told[p.Name] = true
				if p.Use != "in" || p.Documentation == "" {
					t.Errorf("%+v", p)
				}
			}
			// What is told is understood, and what is not told is refused.
			for _, name := range []string{"_type", "_outputFormat", "_since", "_until", "_elements", "_typeFilter", "patient", "organizeOutputBy",
				"allowPartialManifests", "includeAssociatedData", "_minimumFileSize", "_maximumFileSize", "sinceLastExport", "_other"} {
				r := w.do("GET", base+path+"?"+name+"=_")
				if understood := r.StatusCode != 202 && !strings.Contains(string(r.body), "is not supported.\"},\"diagnostics\":\"Leave it out."); understood != told[name] {
					t.Errorf("%s of %s: told %t, understood %t: %d %s", name, id, told[name], understood, r.StatusCode, r.body)
				}
			}
		}
	}
	w.do("GET", "/api/v2/fhir/OperationDefinition/import").refused(t, 404, "not-found")
}

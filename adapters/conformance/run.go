package conformance

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Settings say what to check, and how.
type Settings struct {
	Base  string // of the FHIR API, as https://sandbox.ab2d.cms.gov/api/v2/fhir
	Group string // the group to export; all patients if empty, or everything where there are no patients to export
	Auth  Auth

	Wait   time.Duration     // for the one export that is followed to its end; 10 min if zero
	Accept map[string]string // failures that are known, by id, each with its reason

	Transport http.RoundTripper                // for what is special about the way to the server; nil for none
	Say       func(format string, args ...any) // is told how it goes; nil for nobody
}

// run is one run of all checks.
type run struct {
	Settings
	client   *client
	findings map[string]Finding
	started  []string // exports that were not deleted yet
	levels   []string // paths of kick-offs, the best first
	types    []string // that the server lists
	kind     string   // that it exports; empty if none is known
}

// Run checks a server. It returns an error only where the settings are no use
// or the server cannot be asked at all; then there is no report.
func Run(ctx context.Context, s Settings) (Report, error) {
	s.Base = strings.TrimRight(s.Base, "/")
	if !absolute(s.Base) {
		return Report{}, fmt.Errorf("%q is not the address of a FHIR API, as https://example.org/fhir", s.Base)
	}
	if s.Auth.Secret == "" && s.Auth.Key == nil && s.Auth.ClientID != "" {
		return Report{}, errors.New("a client id needs a secret or a key")
	}
	for id := range s.Accept {
		if !slices.ContainsFunc(Requirements, func(r Requirement) bool { return r.ID == id }) {
			return Report{}, fmt.Errorf("there is no requirement %q to accept a failure of", id)
		}
	}
	s.Wait = cmp.Or(s.Wait, 10*time.Minute)
	if s.Say == nil {
		s.Say = func(string, ...any) {}
	}
	r := &run{Settings: s, client: newClient(s.Transport), findings: map[string]Finding{}}
	defer r.tidy(ctx)
	if first := r.client.send(ctx, request{url: s.Base + "/metadata", anonymous: true}); first.err != nil {
		return Report{}, fmt.Errorf("the server cannot be asked: %w", first.err)
	}
	r.transport()
	r.Say("what the server says of itself")
	r.capabilities(ctx)
	r.smart(ctx)
	r.Say("tokens")
	if err := r.signIn(ctx); err != nil {
		r.Say("%v", err)
		return r.report("without a token nothing more could be asked"), nil
	}
	r.Say("kick-offs that are refused, and kick-offs with parameters")
	r.groups(ctx)
	r.kickOffs(ctx)
	r.Say("an export to its end")
	r.export(ctx)
	return r.report("no answer of the server gave occasion to look at it"), ctx.Err()
}

// tidy deletes what is left of the exports that were started.
func (r *run) tidy(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), perRequest)
	defer cancel()
	for _, job := range r.started {
		r.client.send(ctx, request{method: "DELETE", url: job})
	}
}

func (r *run) report(otherwise string) Report {
	all := Report{Server: r.Base, Requests: r.client.requests}
	for _, q := range Requirements {
		f, ok := r.findings[q.ID]
		if !ok {
			f = Finding{Result: NotApplicable, Detail: otherwise}
		}
		f.Requirement = q
		if reason, ok := r.Accept[q.ID]; ok && f.Result == Fail {
			f.Result, f.Detail = Accepted, reason+" ("+f.Detail+")"
		}
		all.Findings = append(all.Findings, f)
	}
	return all
}

// What is found of a requirement stands, unless something fails later.
func (r *run) find(id string, result Result, format string, args []any) {
	if before, ok := r.findings[id]; ok && (before.Result == Fail || result != Fail) {
		return
	}
	r.findings[id] = Finding{Result: result, Detail: clip(fmt.Sprintf(format, args...))}
}

func (r *run) pass(id, format string, args ...any) { r.find(id, Pass, format, args) }
func (r *run) fail(id, format string, args ...any) { r.find(id, Fail, format, args) }
func (r *run) skip(id, format string, args ...any) { r.find(id, NotApplicable, format, args) }

// judge passes a requirement when there is nothing wrong.
func (r *run) judge(id string, wrong error) {
	if wrong != nil {
		r.fail(id, "%v", wrong)
	} else {
		r.pass(id, "")
	}
}

func (r *run) transport() {
	u, _ := url.Parse(r.Base)
	ip := net.ParseIP(u.Hostname())
	switch {
	case u.Scheme == "https":
		r.pass("S1", "") // the client speaks nothing older
	case u.Hostname() == "localhost" || ip != nil && ip.IsLoopback():
		r.skip("S1", "on loopback nothing leaves the machine")
	default:
		r.fail("S1", "the address is plain http")
	}
}

const canonical = "http://hl7.org/fhir/uv/bulkdata/"

// capabilities reads the CapabilityStatement.
func (r *run) capabilities(ctx context.Context) {
	a := r.client.send(ctx, request{url: r.Base + "/metadata", header: []string{"Accept", "application/fhir+json"}, anonymous: true})
	o, err := a.object()
	if err != nil || a.status != 200 || o["resourceType"] != "CapabilityStatement" {
		r.fail("C1", "metadata answered %s", a)
		r.levels = []string{"/Patient/$export"}
	} else {
		r.readStatement(o)
	}
	if r.Group != "" {
		r.levels = append([]string{"/Group/" + url.PathEscape(r.Group) + "/$export"}, r.levels...)
	}
}

func (r *run) readStatement(o map[string]any) {
	instantiates := texts(o["instantiates"])
	r.judge("C2", when(!slices.ContainsFunc(instantiates, func(s string) bool {
		return strings.HasPrefix(s, canonical+"CapabilityStatement/bulk-data")
	}), "instantiates is %v", instantiates))
	var definitions []string
	for _, rest := range objects(o["rest"]) {
		definitions = append(definitions, exports(rest["operation"], "")...)
		for _, res := range objects(rest["resource"]) {
			kind, _ := res["type"].(string)
			definitions = append(definitions, exports(res["operation"], kind)...)
			if kind != "" {
				r.types = append(r.types, kind)
			}
		}
		r.findTokenURL(rest)
	}
	r.judge("C1", when(len(definitions) == 0, "no operation is called export"))
	r.judge("C3", when(!slices.ContainsFunc(definitions, func(s string) bool { return strings.Contains(s, canonical+"OperationDefinition/") }), "they refer to %v", definitions))
	for level, path := range map[string]string{"patient": "/Patient/$export", "system": "/$export"} {
		if slices.ContainsFunc(definitions, func(s string) bool { return strings.HasPrefix(s, level) }) {
			r.levels = append(r.levels, path)
		}
	}
	slices.Sort(r.levels)
	slices.Reverse(r.levels) // Patient before the system
	if len(r.levels) == 0 && r.Group == "" {
		r.levels = []string{"/Patient/$export"}
	}
}

// exports returns the export operations of a list, each as its level and its
// definition. STU3 has them all in one list, R4 with their resources.
func exports(list any, resource string) (found []string) {
	for _, op := range objects(list) {
		name, _ := op["name"].(string)
		definition, _ := op["definition"].(string)
		if ref, ok := op["definition"].(map[string]any); ok {
			definition, _ = ref["reference"].(string)
		}
		if !strings.Contains(name, "export") && !strings.Contains(definition, "export") {
			continue
		}
		level := "system"
		switch {
		case resource == "Group" || strings.Contains(definition, "group-export"):
			level = "group"
		case resource == "Patient" || strings.Contains(definition, "patient-export"):
			level = "patient"
		}
		found = append(found, level+" "+definition)
	}
	return found
}

func (r *run) findTokenURL(rest map[string]any) {
	security, _ := rest["security"].(map[string]any)
	for _, e := range objects(security["extension"]) {
		if uri, _ := e["url"].(string); !strings.HasSuffix(uri, "/oauth-uris") {
			continue
		}
		for _, inner := range objects(e["extension"]) {
			if at, _ := inner["valueUri"].(string); inner["url"] == "token" && r.Auth.TokenURL == "" {
				r.Auth.TokenURL = at
			}
		}
	}
}

// smart reads the discovery document of SMART.
func (r *run) smart(ctx context.Context) {
	a := r.client.send(ctx, request{url: r.Base + "/.well-known/smart-configuration", header: []string{"Accept", "application/fhir+xml"}, anonymous: true})
	if a.status == http.StatusNotFound && r.Auth.Key == nil {
		for _, id := range []string{"A1", "A2", "A2b"} {
			r.skip(id, "the server does not say that it is a SMART server")
		}
		return
	}
	o, err := a.object()
	endpoint, _ := o["token_endpoint"].(string)
	if err != nil || a.status != 200 || !a.isType("application/json") || !absolute(endpoint) {
		r.fail("A1", "answered %s", a)
		return
	}
	r.pass("A1", "")
	r.Auth.TokenURL = cmp.Or(r.Auth.TokenURL, endpoint)
	_, grants := o["grant_types_supported"].([]any)
	_, pkce := o["code_challenge_methods_supported"].([]any)
	r.judge("A2b", when(!grants || !pkce, "grant_types_supported is %v, code_challenge_methods_supported is %v", o["grant_types_supported"], o["code_challenge_methods_supported"]))
	methods, algorithms, can := texts(o["token_endpoint_auth_methods_supported"]), texts(o["token_endpoint_auth_signing_alg_values_supported"]), texts(o["capabilities"])
	if !slices.Contains(methods, "private_key_jwt") && r.Auth.Key == nil {
		r.skip("A2", "the server does not offer private_key_jwt, only %v", methods)
		return
	}
	r.judge("A2", when(!slices.Contains(methods, "private_key_jwt") || !slices.Contains(algorithms, "RS384") && !slices.Contains(algorithms, "ES384") ||
		!slices.Contains(can, "client-confidential-asymmetric"), "methods %v, algorithms %v, capabilities %v", methods, algorithms, can))
}

func (r *run) groups(ctx context.Context) {
	if r.Group == "" {
		r.skip("K6", "no group was named")
		return
	}
	read := r.client.send(ctx, request{url: r.Base + "/Group/" + url.PathEscape(r.Group), header: fhir})
	found := r.client.send(ctx, request{url: r.Base + "/Group", header: fhir})
	g, err1 := read.object()
	b, err2 := found.object()
	r.judge("K6", errors.Join(when(err1 != nil || g["resourceType"] != "Group", "reading answered %s", read),
		when(err2 != nil || b["resourceType"] != "Bundle", "searching answered %s", found)))
}

var fhir = []string{"Accept", "application/fhir+json"}

// when returns an error if what it says is so.
func when(wrong bool, format string, args ...any) error {
	if !wrong {
		return nil
	}
	return fmt.Errorf(format, args...)
}

func objects(v any) (all []map[string]any) {
	list, _ := v.([]any)
	for _, i := range list {
		if o, ok := i.(map[string]any); ok {
			all = append(all, o)
		}
	}
	return all
}

func texts(v any) (all []string) {
	list, _ := v.([]any)
	for _, i := range list {
		if s, ok := i.(string); ok {
			all = append(all, s)
		}
	}
	return all
}

func basic(id, secret string) string {
	// RFC 6749, section 2.3.1: both are form-encoded within.
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

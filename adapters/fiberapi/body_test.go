package fiberapi_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/fiberapi"
	"cms.gov/ab2d/application/export"
	"cms.gov/ab2d/application/status"
	"cms.gov/ab2d/domain"
)

// posted sends a kick-off with a body and returns what was started, if anything.
func (w *world) posted(path, kind, body string, header ...string) (response, *export.Start) {
	w.t.Helper()
	var got *export.Start
	w.start = func(cmd export.Start) (domain.JobID, error) { got = &cmd; return job, nil }
	r := w.send("POST", path, strings.NewReader(body), append(header, "Content-Type", kind)...)
	return r, got
}

func parameters(entries ...string) string {
	return `{"resourceType":"Parameters","parameter":[` + strings.Join(entries, ",") + `]}`
}

func TestKickOffByPost(t *testing.T) {
	since := time.Date(2024, 2, 13, 13, 0, 0, 0, time.UTC)
	for version, base := range bases {
		for path, contract := range map[string]domain.ContractNumber{"/Patient/$export": "", "/$export": "", "/Group/S0000/$export": "S0000"} {
			for _, kind := range []string{"application/fhir+json", "application/json", "application/fhir+json; charset=UTF-8"} {
				w := newWorld(t)
				r, got := w.posted(base+path, kind, parameters(
					`{"name":"_since","valueInstant":"2024-02-13T08:00:00-05:00"}`, `{"name":"_type","valueString":"ExplanationOfBenefit"}`,
					`{"name":"_outputFormat","valueString":"application/fhir+ndjson"}`, `{"name":"_type","valueCode":"ExplanationOfBenefit"}`))
				if r.StatusCode != 202 || got == nil {
					t.Fatalf("%s %s: %d %s", path, kind, r.StatusCode, r.body)
				}
				r.guarded(t)
				r.header(t, "Content-Location", public+base+"/Job/"+string(job)+"/$status")
				if got.Contract != contract || got.Version != version || got.Request != public+base+path || !got.Window.Since.Equal(since) || !got.Terms.IsZero() {
					t.Errorf("started %+v", got)
				}
			}
		}
	}
}

func TestPostWithoutBody(t *testing.T) {
	w := newWorld(t)
	r, got := w.posted("/api/v2/fhir/$export?_since=2024-02-13T13:00:00Z", "", "")
	if r.StatusCode != 202 || got == nil || got.Window.Since.IsZero() {
		t.Errorf("%d %s, started %+v", r.StatusCode, r.body, got)
	}
}

func TestBodiesThatAreRefused(t *testing.T) {
	for _, tt := range []struct{ name, kind, body, words string }{
		{"no JSON", "application/json", "_since=now", "it is not valid JSON"},
		{"cut off", "application/json", `{"resourceType":"Parameters"`, "it is not valid JSON"},
		{"two values after one another", "application/json", parameters() + parameters(), "it is not valid JSON"},
		{"another resource", "application/fhir+json", `{"resourceType":"Patient"}`, `its resourceType is "Patient"`},
		{"a list", "application/fhir+json", `[]`, "not of the kind that it must be"},
		{"null", "application/fhir+json", `null`, `its resourceType is ""`},
		{"parameter is no list", "application/fhir+json", `{"resourceType":"Parameters","parameter":{}}`, "not of the kind that it must be"},
		{"no name", "application/fhir+json", parameters(`{"valueString":"x"}`), "has no name"},
		{"null entry", "application/fhir+json", parameters(`null`), "has no name"},
		{"no value", "application/fhir+json", parameters(`{"name":"_since"}`), `"_since" of the body has 0 values`},
		{"two values", "application/fhir+json", parameters(`{"name":"_since","valueString":"x","valueInstant":"y"}`), `"_since" of the body has 2 values`},
		{"a kind that is none", "application/fhir+json", parameters(`{"name":"_since","valuePeriod":{}}`), `the kind "valuePeriod"`},
		{"null value", "application/fhir+json", parameters(`{"name":"_since","valueInstant":null}`), "is not a FHIR Instant"},
		{"another kind of JSON", "application/fhir+json", parameters(`{"name":"_since","valueInstant":7}`), "is not a FHIR Instant"},
		{"no instant", "application/fhir+json", parameters(`{"name":"_since","valueInstant":"soon"}`), `The value of _since is not an instant: "soon".`},
		{"twice", "application/fhir+json", parameters(`{"name":"_until","valueInstant":"2024-02-13T13:00:00Z"}`, `{"name":"_until","valueInstant":"2024-02-13T13:00:00Z"}`), "was given 2 times"},
		{"unknown", "application/fhir+json", parameters(`{"name":"_count","valueInteger":1}`), `The parameter "_count" is not supported.`},
		{"unknown, of a kind that is none", "application/fhir+json", parameters(`{"name":"_count","valuePeriod":{}}`), `The parameter "_count" is not supported.`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, got := newWorld(t).posted("/api/v2/fhir/Patient/$export", tt.kind, tt.body)
			if words, _ := r.refused(t, 400, "invalid"); !strings.Contains(words, tt.words) || got != nil {
				t.Errorf("said %q, want %q; started %v", words, tt.words, got)
			}
		})
	}
	for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/xml", ";"} {
		r, got := newWorld(t).posted("/api/v2/fhir/Patient/$export", kind, parameters())
		r.refused(t, 415, "not-supported")
		if got != nil {
			t.Errorf("%q starts an export", kind)
		}
	}
	w := newWorld(t)
	r, _ := w.posted("/api/v2/fhir/$export?_until=2024-02-13T13:00:00Z", "application/json", parameters(`{"name":"_until","valueInstant":"2024-02-13T13:00:00Z"}`))
	r.refused(t, 400, "invalid") // once in the query and once in the body is twice
}

// A lenient client is told of what was passed over, one issue each, and so is
// any client of what no standard knows.
func TestWhatIsIgnoredIsTold(t *testing.T) {
	w := newWorld(t)
	check := func(r response, got *export.Start, codes ...string) {
		t.Helper()
		if r.StatusCode != 202 || got == nil {
			t.Fatalf("%d %s", r.StatusCode, r.body)
		}
		var o outcome
		if err := json.Unmarshal(r.body, &o); err != nil || len(o.Issue) != len(codes) || len(got.Terms.Ignored) != len(codes) {
			t.Fatalf("told %s, noted %+v", r.body, got.Terms.Ignored)
		}
		r.header(t, "Content-Type", "application/fhir+json")
		valid(t, domain.R4, "OperationOutcome", r.body)
		for i, code := range codes {
			if told := o.Issue[i]; told.Severity != "information" || told.Code != code || told.Diagnostics == "" ||
				told.Details.Text != "Ignored: "+got.Terms.Ignored[i].Text {
				t.Errorf("told %+v of %+v, want code %s", told, got.Terms.Ignored[i], code)
			}
		}
	}
	body := parameters(`{"name":"_count","valueInteger":1}`, `{"name":"_type","valueString":"ExplanationOfBenefit,Basic"}`,
		`{"name":"_until","valueInstant":"2024-02-13T13:00:00Z"}`, `{"name":"_since","valueInstant":"soon"}`, `{"name":"includeAssociatedData","valuePeriod":{}}`)
	r, got := w.posted("/api/v2/fhir/$export", "application/json", body, "Prefer", "respond-async, handling=lenient")
	check(r, got, "not-supported", "invalid", "invalid", "not-supported")
	r.header(t, "Preference-Applied", "respond-async, handling=lenient")
	if got.Window.Until.IsZero() || !got.Window.Since.IsZero() {
		t.Errorf("the window is %v", got.Window)
	}
	r, got = w.posted("/api/v2/fhir/$export?color=blue", "", "")
	check(r, got, "not-supported")
	r, got = w.posted("/api/v2/fhir/$export", "application/json", body, "Prefer", "handling=strict")
	if r.refused(t, 400, "invalid"); got != nil {
		t.Error("a strict client is handled leniently")
	}
}

func TestPreferences(t *testing.T) {
	for header, want := range map[string]struct {
		applied  string
		separate bool
	}{
		"":                                             {"", false},
		"respond-async":                                {"respond-async", false},
		"Respond-Async; wait=10":                       {"respond-async", false},
		"return=minimal, wait=5":                       {"", false},
		"respond-async,separate-export-status":         {"respond-async, separate-export-status", true},
		"separate-export-status":                       {"respond-async, separate-export-status", true},
		`handling="lenient" , respond-async`:           {"respond-async, handling=lenient", false},
		"handling=strict, handling=lenient":            {"handling=strict", false},
		"handling=nonsense,,;=,=x, separate-export-st": {"", false},
	} {
		w := newWorld(t)
		r, got := w.posted("/api/v2/fhir/$export", "", "", "Prefer", header)
		if r.StatusCode != 202 || got == nil || got.Terms.SeparateStatus != want.separate {
			t.Fatalf("%q: %d %s, started %+v", header, r.StatusCode, r.body, got)
		}
		r.header(t, "Preference-Applied", want.applied)
	}
}

func TestStatusApart(t *testing.T) {
	w := newWorld(t)
	path := "/api/v2/fhir/Job/" + string(job) + "/$status"
	for want, result := range map[string]status.Result{
		"202 Accepted":              {Running: true, Percent: 37, RetryAfter: 12 * time.Second},
		"200 OK":                    {Manifest: &domain.Manifest{Job: job, Version: domain.R4}},
		"500 Internal Server Error": {Failure: &domain.Failure{Code: domain.Internal, Reason: "x", ID: "y"}},
	} {
		for _, result.Separate = range []bool{true, false} {
			w.poll = func(domain.Client, domain.JobID) (status.Result, error) { return result, nil }
			r := w.do("GET", path)
			if !result.Separate {
				r.header(t, "X-Export-Status", "")
				if want[:3] != r.Status[:3] {
					t.Errorf("%s, want %s", r.Status, want)
				}
				continue
			}
			if r.StatusCode != 200 {
				t.Errorf("%d %s", r.StatusCode, r.body)
			}
			r.header(t, "X-Export-Status", want)
			if result.Running {
				r.header(t, "X-Progress", "37% complete")
				r.header(t, "Retry-After", "12")
			}
		}
	}
	// What went wrong with the request itself keeps its status.
	w.poll = func(domain.Client, domain.JobID) (status.Result, error) {
		return status.Result{}, domain.Errorf(domain.Throttled, "too soon").WithNext("wait")
	}
	w.do("GET", path).refused(t, 429, "throttled")
}

// Whatever comes, it is read or refused, and never more is read than came.
func FuzzParameters(f *testing.F) {
	f.Add("_since=2024-02-13T08:00:00%2B05:00&_type=ExplanationOfBenefit", parameters(`{"name":"_until","valueInstant":"2024-02-13T13:00:00Z"}`), "handling=lenient")
	f.Add("%zz", "null", "")
	f.Add("_since%3D2024&color=blue", `{"resourceType":"Parameters","parameter":[null]}`, "respond-async;=,")
	f.Fuzz(func(t *testing.T, query, body, prefer string) {
		names, ignored, err := fiberapi.ReadForFuzz(query, []byte(body), []string{prefer})
		if err == nil && len(ignored) > len(names) {
			t.Errorf("%d parameters are ignored of %d", len(ignored), len(names))
		}
		if told := (*domain.Error)(nil); err != nil {
			if !reflect.TypeOf(err).AssignableTo(reflect.TypeOf(told)) {
				t.Fatalf("refused with %T: %v", err, err)
			}
			if told = err.(*domain.Error); told.Code != domain.Invalid || told.Message == "" || told.Next == "" {
				t.Errorf("the refusal does not explain itself: %+v", told)
			}
		}
	})
}

func TestTypesBesideClaimsAreForTheOperatorToOffer(t *testing.T) {
	both := []domain.ResourceType{domain.Patient, domain.Coverage}
	for _, c := range []struct {
		offered []domain.ResourceType
		query   string
		want    []domain.ResourceType // nil for claims alone
		refused bool
	}{
		{nil, "_type=ExplanationOfBenefit", nil, false},
		{nil, "_type=Patient", nil, true},
		{both, "", nil, false},
		{both, "_type=ExplanationOfBenefit", nil, false},
		{both, "_type=Coverage,ExplanationOfBenefit&_type=Patient", domain.ResourceTypes, false},
		{both, "_type=Patient", both[:1], false},
		{both, "_type=Patient,Patient", both[:1], false},
		{both, "_type=Patient,Practitioner", nil, true},
		{both[:1], "_type=Coverage", nil, true},
	} {
		w := newWorld(t, func(cfg *fiberapi.Config) { cfg.Types = c.offered })
		var got *export.Start
		w.start = func(cmd export.Start) (domain.JobID, error) {
			got = &cmd
			return job, nil
		}
		res := w.do("GET", strings.TrimSuffix("/api/v2/fhir/Patient/$export?"+c.query, "?"))
		if c.refused {
			res.refused(t, 400, "invalid")
		} else if res.StatusCode != 202 || got == nil || !slices.Equal(got.Terms.Types, c.want) {
			t.Errorf("%q of %v: %d, %+v", c.query, c.offered, res.StatusCode, got)
		}
	}
}

// Enrollees are named by reference or by identifier, in the body. What is wrong
// with that is refused to lenient clients too, who would get others' claims.
func TestPatientsAreNamedInTheBody(t *testing.T) {
	r, got := newWorld(t).posted("/api/v2/fhir/Patient/$export", "application/json", parameters(
		`{"name":"patient","valueReference":{"reference":"Patient/-123"}}`,
		`{"name":"patient","valueReference":{"reference":"https://example.com/api/v2/fhir/Patient/1S00E00AA01"}}`,
		`{"name":"patient","valueReference":{"identifier":{"system":"http://hl7.org/fhir/sid/us-mbi","value":"1S00E00AA02"}}}`))
	if r.StatusCode != 202 || got == nil || !slices.Equal(got.Patients, []string{"-123", "1S00E00AA01", "1S00E00AA02"}) {
		t.Errorf("%d, started %+v", r.StatusCode, got)
	}
	for _, value := range []string{`"valueReference":{"reference":"Group/1"}`, `"valueReference":{"reference":"Patient/"}`, `"valueReference":{}`, `"valueString":"Patient/1,Patient/2"`, `"valuePeriod":{}`} {
		r, got := newWorld(t).posted("/api/v2/fhir/$export", "application/json", parameters(`{"name":"patient",`+value+`}`), "Prefer", "handling=lenient")
		if r.refused(t, 400, "invalid"); got != nil {
			t.Errorf("%s starts %+v", value, got)
		}
	}
}

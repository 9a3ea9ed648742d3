package conformance

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// async are the headers that every kick-off should have.
var async = []string{"Accept", "application/fhir+json", "Prefer", "respond-async"}

func (r *run) kickOffURL(query string) string {
	u := r.Base + r.levels[0]
	if query != "" {
		u += "?" + query
	}
	return u
}

// kickOff sends a request that may start an export, and waits where there are
// too many. What it starts is deleted in the end.
func (r *run) kickOff(ctx context.Context, q request) answer {
	if q.header == nil {
		q.header = async
	}
	for try := 0; ; try++ {
		a := r.client.send(ctx, q)
		if job := a.header.Get("Content-Location"); a.status/100 == 2 && absolute(job) {
			r.started = append(r.started, job)
		}
		if a.status != http.StatusTooManyRequests || try == 3 {
			return a
		}
		wait, ok := a.retryAfter()
		if !ok {
			wait = 5 * time.Second
		}
		if pause(ctx, wait) != nil {
			return a
		}
	}
}

// startedBy checks that the answer is the start of an export.
func startedBy(a answer) error {
	locations := a.header.Values("Content-Location")
	switch {
	case a.err != nil:
		return a.err
	case a.status != http.StatusAccepted:
		return fmt.Errorf("answered %s", a)
	case len(locations) != 1 || !absolute(locations[0]):
		return fmt.Errorf("Content-Location is %q", locations)
	}
	return nil
}

// bodyOf checks the body of a start: clients read it as JSON where there is one.
func bodyOf(a answer) error {
	if len(a.body) == 0 {
		return nil
	}
	_, err := a.object()
	return err
}

// drop deletes an export that was only started to see whether it starts.
func (r *run) drop(ctx context.Context, a answer) {
	if job := a.header.Get("Content-Location"); a.status/100 == 2 && absolute(job) {
		r.delete(ctx, job, "D1")
	}
}

func (r *run) delete(ctx context.Context, job, id string) {
	gone := r.client.send(ctx, request{method: "DELETE", url: job, header: fhir})
	if id == "D2" && gone.status >= 400 && gone.refused() == nil {
		r.skip(id, "the server does not delete what is complete: %s", gone)
		return
	}
	r.judge(id, when(gone.status != http.StatusAccepted, "answered %s", gone))
	if gone.status != http.StatusAccepted {
		return
	}
	for i, s := range r.started {
		if s == job {
			r.started = append(r.started[:i:i], r.started[i+1:]...)
			break
		}
	}
	after := r.client.send(ctx, request{url: job, header: fhir})
	if after.status != http.StatusNotFound {
		r.fail("D3", "answered %s", after)
	} else {
		r.judge("D3", after.outcome())
	}
}

// try starts an export and deletes it, and returns what was wrong.
func (r *run) try(ctx context.Context, q request) error {
	a := r.kickOff(ctx, q)
	err := startedBy(a)
	r.drop(ctx, a)
	return err
}

func (r *run) kickOffs(ctx context.Context) {
	if r.client.token == "" {
		r.skip("S3", "there is no token to leave out")
	} else {
		bare := r.client.send(ctx, request{url: r.kickOffURL(""), header: async, anonymous: true})
		r.judge("S3", when(bare.status != 400 && bare.status != 401, "kick-off answered %s", bare))
		r.drop(ctx, bare)
	}
	a := r.kickOff(ctx, request{url: r.kickOffURL("")})
	r.judge("K1", when(a.status != http.StatusAccepted, "answered %s", a))
	r.judge("K13", errors.Join(startedBy(a), bodyOf(a)))
	r.drop(ctx, a)
	if a.status != http.StatusAccepted {
		return
	}
	r.post(ctx)
	bare := r.kickOff(ctx, request{url: r.kickOffURL(""), header: []string{}})
	if err := startedBy(bare); err != nil {
		r.judge("K10", bare.refused())
	} else {
		r.pass("K10", "it starts")
	}
	r.drop(ctx, bare)
	r.separate(ctx)
	r.refusals(ctx)
	r.parameters(ctx)
}

func (r *run) post(ctx context.Context) {
	body, _ := json.Marshal(map[string]any{"resourceType": "Parameters", "parameter": []any{
		map[string]string{"name": "_outputFormat", "valueString": "application/fhir+ndjson"}}})
	a := r.kickOff(ctx, request{method: "POST", url: r.kickOffURL(""), body: body, header: append([]string{"Content-Type", "application/fhir+json"}, async...)})
	switch a.status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		r.skip("K2", "not offered: %d", a.status)
	default:
		r.judge("K2", startedBy(a))
	}
	r.drop(ctx, a)
}

// separate asks for the status of a job apart from that of the request.
func (r *run) separate(ctx context.Context) {
	a := r.kickOff(ctx, request{url: r.kickOffURL(""), header: []string{"Accept", "application/fhir+json", "Prefer", "respond-async, separate-export-status"}})
	if applied := a.header.Get("Preference-Applied"); applied == "" {
		r.skip("K12", "the preference is not applied")
	} else if startedBy(a) == nil {
		s := r.client.send(ctx, request{url: a.header.Get("Content-Location"), header: fhir})
		r.judge("K12", when(s.status != 200 || s.header.Get("X-Export-Status") == "", "X-Export-Status is %q with %s", s.header.Get("X-Export-Status"), s))
	}
	r.drop(ctx, a)
}

func (r *run) refusals(ctx context.Context) {
	wrong := r.kickOff(ctx, request{url: r.kickOffURL("_since=" + url.QueryEscape("not an instant"))})
	r.judge("K14", wrong.refused())
	r.drop(ctx, wrong)

	const unknown = "_noSuchParameter=1"
	strict := r.kickOff(ctx, request{url: r.kickOffURL(unknown)})
	r.judge("K16", strict.refused())
	r.drop(ctx, strict)
	if strict.status >= 400 {
		lenient := r.kickOff(ctx, request{url: r.kickOffURL(unknown), header: []string{"Accept", "application/fhir+json", "Prefer", "respond-async, handling=lenient"}})
		if err := startedBy(lenient); err == nil {
			r.pass("K16b", "")
		} else {
			r.skip("K16b", "it is refused all the same")
		}
		r.drop(ctx, lenient)
	} else {
		r.skip("K16b", "it is ignored without being asked to")
	}
	kind := r.kickOff(ctx, request{url: r.kickOffURL("_type=StructureMap")})
	r.judge("O3", kind.refused())
	r.drop(ctx, kind)
}

func (r *run) parameters(ctx context.Context) {
	var wrong []error
	for _, f := range []string{"application/fhir+ndjson", "application/ndjson", "ndjson"} {
		if err := r.try(ctx, request{url: r.kickOffURL("_outputFormat=" + url.QueryEscape(f))}); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", f, err))
		}
	}
	r.judge("O1", errors.Join(wrong...))
	wrong = nil
	week := time.Now().AddDate(0, 0, -7)
	for _, since := range []string{week.UTC().Format(time.RFC3339), week.In(time.FixedZone("", -5*3600)).Format("2006-01-02T15:04:05.000Z07:00")} {
		if err := r.try(ctx, request{url: r.kickOffURL("_since=" + url.QueryEscape(since))}); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", since, err))
		}
	}
	r.judge("O2", errors.Join(wrong...))
	if r.findType(ctx); r.kind == "" {
		for _, id := range []string{"K3", "O4"} {
			r.skip(id, "no type is known that the server exports")
		}
	} else {
		r.judge("K3", r.try(ctx, request{url: r.kickOffURL("_type=" + r.kind + "&_type=" + r.kind)}))
	}
	kind := cmp.Or(r.kind, "Patient")
	for id, query := range map[string]string{
		"O5": "_typeFilter=" + url.QueryEscape(kind+"?_lastUpdated=gt2020-01-01"),
		"O6": "_elements=" + url.QueryEscape(kind+".id"),
		"O7": "_until=" + url.QueryEscape(week.UTC().Format(time.RFC3339)),
		"O8": "organizeOutputBy=Patient",
		"O9": "allowPartialManifests=true",
	} {
		a := r.kickOff(ctx, request{url: r.kickOffURL(query)})
		if err := startedBy(a); err == nil {
			r.pass(id, "it is accepted")
		} else if err := a.refused(); err != nil {
			r.fail(id, "%v", err)
		} else {
			r.pass(id, "it is refused clearly")
		}
		r.drop(ctx, a)
	}
}

// findType finds a type that the server exports: one that it lists, else one
// that it takes. STU3 servers cannot list what can only be exported.
func (r *run) findType(ctx context.Context) {
	for _, t := range []string{"ExplanationOfBenefit", "Patient"} {
		if slices.Contains(r.types, t) {
			r.kind = t
			return
		}
	}
	for _, t := range []string{"ExplanationOfBenefit", "Patient"} {
		if r.try(ctx, request{url: r.kickOffURL("_type=" + t)}) == nil {
			r.kind = t
			return
		}
	}
}

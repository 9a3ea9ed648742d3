package bfdenrollment_test

import (
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/bfdenrollment"
	"cms.gov/ab2d/adapters/bfdmock"
	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports/porttest"
)

var january = domain.NewMonth(2026, time.January)

// person writes a Patient with its MBIs as STU3 marks them.
func person(b []byte, _ domain.FHIRVersion, e domain.Enrollee) []byte {
	b = fmt.Appendf(b, `{"resourceType":"Patient","id":%q,"identifier":[{"system":"https://bluebutton.cms.gov/resources/variables/bene_id","value":%[1]q}`, string(e.Patient))
	mbi := func(id domain.MBI, code string) {
		b = fmt.Appendf(b, `,{"extension":[{"url":"https://bluebutton.cms.gov/resources/codesystem/identifier-currency","valueCoding":{"code":%q}}],`+
			`"system":"http://hl7.org/fhir/sid/us-mbi","value":%q}`, code, string(id))
	}
	if e.IDs.Current != "" {
		mbi(e.IDs.Current, "current")
	}
	for _, id := range e.IDs.Historic {
		mbi(id, "historic")
	}
	return append(b, "]}"...)
}

func serve(t *testing.T, enrolled map[domain.ContractNumber][]domain.Enrollee, f bfdmock.Faults) (*bfdmock.Server, *bfdenrollment.Source) {
	t.Helper()
	mock := bfdmock.New(bfdmock.World{Claims: memory.NewClaims(time.Now()), Patient: person,
		Enrollees: func(n domain.ContractNumber) iter.Seq2[domain.Enrollee, error] {
			return func(yield func(domain.Enrollee, error) bool) {
				for _, e := range enrolled[n] {
					if !yield(e, nil) {
						return
					}
				}
			}
		}}, f, time.Now)
	server := httptest.NewServer(mock)
	t.Cleanup(server.Close)
	return mock, bfdenrollment.New(bfdenrollment.Settings{URL: server.URL + "/", Count: 60})
}

func TestConformance(t *testing.T) {
	for name, f := range map[string]bfdmock.Faults{"as it is": {}, "an empty last page": {EmptyLast: true}} {
		t.Run(name, func(t *testing.T) {
			porttest.Enrollment(t, func(t *testing.T, enrolled map[domain.ContractNumber][]domain.Enrollee) porttest.EnrollmentHarness {
				mock, source := serve(t, enrolled, f)
				return porttest.EnrollmentHarness{Enrollment: source, Break: func() { mock.SetDown(true) }}
			})
		})
	}
}

// A page is whole or an error that may pass, whatever the connection does.
func TestAPageIsWholeOrAnError(t *testing.T) {
	var all []domain.Enrollee
	for i := range 50 {
		all = append(all, domain.Enrollee{Patient: domain.PatientID(fmt.Sprintf("-%03d", i)), Months: domain.NewMonthSet(january)})
	}
	_, source := serve(t, map[domain.ContractNumber][]domain.Enrollee{"S0001": all}, bfdmock.Faults{Seed: 3, Error: 0.2, Throttle: 0.1, Cut: 0.2, Malformed: 0.2})
	whole := 0
	for range 60 {
		page, err := source.Page(t.Context(), "S0001", january, "")
		switch {
		case err != nil && domain.CodeOf(err) != domain.Unavailable:
			t.Fatalf("%v is not told as what may pass", err)
		case err == nil && len(page.People) != 50:
			t.Fatalf("a page of %d people passed for whole", len(page.People))
		case err == nil:
			whole++
		}
	}
	if whole == 0 {
		t.Error("no page ever came")
	}
}

// answer has a source read one body.
func answer(t *testing.T, body string) (ids []domain.Identifiers, next string, err error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }))
	defer server.Close()
	page, err := bfdenrollment.New(bfdenrollment.Settings{URL: server.URL}).Page(t.Context(), "S0001", january, "")
	for _, p := range page.People {
		ids = append(ids, p.IDs)
	}
	return ids, page.Next, err
}

// BFD's own answers, of both versions.
func TestAnswersOfBFD(t *testing.T) {
	for name, people := range map[string]int{"page-v1-stu3.json": 1, "page-v2-r4.json": 3} {
		body, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		// The people are of the year 3, as those of CMS's sandbox are; the question is about 2026.
		ids, next, err := answer(t, strings.ReplaceAll(string(body), `"0003"`, `"2026"`))
		if err != nil || len(ids) != people || !strings.HasPrefix(next, "-1999000000") {
			t.Fatalf("%s: %d people, next %q, %v", name, len(ids), next, err)
		}
		for _, id := range ids {
			if id.Current == "" || strings.HasPrefix(name, "page-v1") && !slices.Equal(id.Historic, []domain.MBI{"11111111111"}) {
				t.Errorf("%s: the MBIs are %q and %q", name, string(id.Current), id.Historic)
			}
		}
		if ids, _, err := answer(t, string(body)); err != nil || len(ids) != 0 {
			t.Errorf("%s: of people whom BFD last saw in another year %d came, %v", name, len(ids), err)
		}
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for what, body := range map[string]string{
		"nothing":              ``,
		"no object":            `[]`,
		"another resource":     `{"resourceType":"OperationOutcome","link":[]}`,
		"without links":        `{"resourceType":"Bundle","entry":[]}`,
		"broken off":           `{"resourceType":"Bundle","link":[{"relation":"self","url":"x"}],"entry":[{"resource":{"resourceType":"Patient","id":"-1"}}`,
		"a person without id":  `{"resourceType":"Bundle","link":[{"relation":"self","url":"x"}],"entry":[{"resource":{"resourceType":"Patient"}}]}`,
		"no cursor":            `{"resourceType":"Bundle","link":[{"relation":"next","url":"http://x/Patient"}],"entry":[]}`,
		"entry that is no one": `{"resourceType":"Bundle","link":[],"entry":{}}`,
	} {
		if ids, _, err := answer(t, body); domain.CodeOf(err) != domain.Unavailable || len(ids) > 0 {
			t.Errorf("%s: %d people, %v", what, len(ids), err)
		}
	}
}

// What asking again cannot change is told as that.
func TestARefusalForGood(t *testing.T) {
	var status atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }))
	defer server.Close()
	source := bfdenrollment.New(bfdenrollment.Settings{URL: server.URL})
	for code, want := range map[int]domain.Code{400: domain.Invalid, 404: domain.Invalid, 403: domain.Unavailable, 429: domain.Unavailable, 503: domain.Unavailable} {
		status.Store(int64(code))
		if _, err := source.Page(t.Context(), "S0001", january, ""); domain.CodeOf(err) != want {
			t.Errorf("%d: %v, want %s", code, err, want)
		}
	}
}

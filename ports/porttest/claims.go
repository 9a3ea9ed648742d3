package porttest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// ClaimsSource is a source to be tested and what the suite has to know of it.
// Its claims must not change while the suite runs.
type ClaimsSource struct {
	Source   ports.Claims
	Versions []domain.FHIRVersion // that it can be asked for
	Patients []domain.PatientID   // at least two people whom it knows, with five or more claims each
	Stranger domain.PatientID     // somebody whom it does not know
}

// Claims runs the conformance suite of ports.Claims. create returns a source
// with people in it; each part of the suite asks for one of its own.
func Claims(t *testing.T, create func(t *testing.T) ClaimsSource) {
	for name, test := range map[string]func(*testing.T, claimsTest){
		"every claim is one JSON object of the person asked for": claimsOfThePatient,
		"both versions are of the same claims":                   claimsOfBothVersions,
		"asking again gives the same":                            claimsAgain,
		"the end can be read again":                              claimsEnd,
		"readers do not disturb each other":                      claimsInterleaved,
		"readers work side by side":                              claimsConcurrent,
		"an answer stands as of no earlier than was vouched for": claimsAsOf,
		"bounds only ever send less, and drop nothing inside":    claimsBounds,
		"bounds include what lies on them":                       claimsOnTheBounds,
		"a stranger has no claims or is not found":               claimsStranger,
		"an ended context is obeyed":                             claimsCancelled,
		"a context that ends while reading":                      claimsCancelledWhileReading,
		"a reader can be left early and closed twice":            claimsClose,
		"an end found by who reads is the reader's, too":         claimsOpen,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := create(t)
			if len(s.Patients) < 2 || len(s.Versions) == 0 {
				t.Fatal("the suite needs two people and a version")
			}
			test(t, claimsTest{t, s})
		})
	}
}

// claimsTest has the steps that the parts of the suite are told in.
type claimsTest struct {
	t *testing.T
	ClaimsSource
}

// each runs a part for every version that the source can be asked for.
func (c claimsTest) each(part func(v domain.FHIRVersion)) {
	for _, v := range c.Versions {
		part(v)
	}
}

func (c claimsTest) open(q ports.ClaimsQuery) ports.ClaimReader {
	c.t.Helper()
	r, err := c.Source.Read(c.t.Context(), q)
	if err != nil {
		c.t.Fatalf("Read: %v", err)
	}
	return r
}

// next gives a copy of the next claim, and nil after the last.
func (c claimsTest) next(r ports.ClaimReader) []byte {
	c.t.Helper()
	claim, err := r.Next()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		c.t.Fatalf("Next: %v", err)
	}
	return bytes.Clone(claim)
}

func (c claimsTest) read(q ports.ClaimsQuery) [][]byte {
	c.t.Helper()
	r := c.open(q)
	defer c.close(r)
	var all [][]byte
	for claim := c.next(r); claim != nil; claim = c.next(r) {
		all = append(all, claim)
	}
	return all
}

func (c claimsTest) close(r ports.ClaimReader) {
	c.t.Helper()
	if err := r.Close(); err != nil {
		c.t.Errorf("Close: %v", err)
	}
}

// Opened returns a reader that finds the ends of claims itself, wherever r lets it.
func Opened(r ports.ClaimReader) ports.ClaimReader {
	if open, ok := r.(ports.OpenClaimReader); ok {
		return &opened{open}
	}
	return r
}

type opened struct{ ports.OpenClaimReader }

func (r *opened) Next() ([]byte, error) {
	beyond := 0
	for {
		window := r.Begun(beyond)
		if len(window) <= beyond {
			return r.OpenClaimReader.Next()
		}
		d := json.NewDecoder(bytes.NewReader(window))
		var claim json.RawMessage
		if d.Decode(&claim) != nil {
			beyond = len(window)
			continue
		}
		r.Ended(int(d.InputOffset()))
		var line bytes.Buffer
		err := json.Compact(&line, claim)
		return line.Bytes(), err
	}
}

func claimsOpen(t *testing.T, c claimsTest) {
	c.each(func(v domain.FHIRVersion) {
		for _, patient := range c.Patients {
			q := ports.ClaimsQuery{Version: v, Patient: patient}
			r := c.open(q)
			defer c.close(r)
			whole, left := c.read(q), Opened(r)
			for n := 0; ; n++ {
				from := left
				if n%3 == 2 { // and by turns
					from = r
				}
				claim := c.next(from)
				if claim == nil {
					if n != len(whole) || r.AsOf().IsZero() {
						t.Errorf("%s: %d claims of %d, as of %v", v, n, len(whole), r.AsOf())
					}
					break
				}
				if n >= len(whole) || !bytes.Equal(claim, whole[n]) {
					t.Errorf("%s: claim %d is another", v, n)
				}
			}
		}
	})
}

// claimHead is what the suite looks at in a claim.
type claimHead struct {
	ResourceType string
	ID           string
	Meta         struct{ LastUpdated *time.Time }
	Patient      struct{ Reference string }
	Period       struct{ End domain.Date } `json:"billablePeriod"`
}

func (c claimsTest) head(claim []byte) (h claimHead) {
	c.t.Helper()
	if err := json.Unmarshal(claim, &h); err != nil {
		c.t.Fatalf("a claim is no JSON object: %v", err)
	}
	return h
}

func (c claimsTest) ids(claims [][]byte) []string {
	c.t.Helper()
	var ids []string
	for _, claim := range claims {
		ids = append(ids, c.head(claim).ID)
	}
	slices.Sort(ids)
	return ids
}

// inOrder sorts claims, since the order in which they come is not promised.
func inOrder(claims [][]byte) [][]byte {
	slices.SortFunc(claims, bytes.Compare)
	return claims
}

func sameClaims(a, b [][]byte) bool {
	return slices.EqualFunc(inOrder(a), inOrder(b), bytes.Equal)
}

func claimsOfThePatient(t *testing.T, c claimsTest) {
	c.each(func(v domain.FHIRVersion) {
		for _, patient := range c.Patients {
			claims := c.read(ports.ClaimsQuery{Version: v, Patient: patient})
			if len(claims) < 5 {
				t.Errorf("%s: %d claims; the suite needs five", v, len(claims))
			}
			for _, claim := range claims {
				h := c.head(claim)
				if h.ResourceType != "ExplanationOfBenefit" || h.ID == "" {
					t.Errorf("%s: a %q with id %q came", v, h.ResourceType, h.ID)
				}
				if h.Patient.Reference != "Patient/"+string(patient) {
					t.Errorf("%s: %s is of %s, not of %s", v, h.ID, h.Patient.Reference, patient)
				}
				if bytes.ContainsRune(claim, '\n') {
					t.Errorf("%s: %s is on more than one line", v, h.ID)
				}
			}
		}
	})
}

func claimsOfBothVersions(t *testing.T, c claimsTest) {
	for _, patient := range c.Patients {
		first := c.ids(c.read(ports.ClaimsQuery{Version: c.Versions[0], Patient: patient}))
		for _, v := range c.Versions[1:] {
			if got := c.ids(c.read(ports.ClaimsQuery{Version: v, Patient: patient})); !slices.Equal(got, first) {
				t.Errorf("%s has other claims than %s: %d and %d", v, c.Versions[0], len(got), len(first))
			}
		}
	}
}

func claimsAgain(t *testing.T, c claimsTest) {
	c.each(func(v domain.FHIRVersion) {
		q := ports.ClaimsQuery{Version: v, Patient: c.Patients[0]}
		first := c.read(q)
		c.read(ports.ClaimsQuery{Version: v, Patient: c.Patients[1]})
		if !sameClaims(first, c.read(q)) {
			t.Errorf("%s: the second answer differs from the first", v)
		}
	})
}

func claimsEnd(t *testing.T, c claimsTest) {
	r := c.open(ports.ClaimsQuery{Version: c.Versions[0], Patient: c.Patients[0]})
	defer c.close(r)
	for c.next(r) != nil {
	}
	for range 3 {
		if claim, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Fatalf("Next after the end: %d bytes, %v; want io.EOF", len(claim), err)
		}
	}
}

func claimsInterleaved(t *testing.T, c claimsTest) {
	q := ports.ClaimsQuery{Version: c.Versions[0], Patient: c.Patients[0]}
	r := ports.ClaimsQuery{Version: c.Versions[len(c.Versions)-1], Patient: c.Patients[1]}
	wantA, wantB := c.read(q), c.read(r)
	a, b := c.open(q), c.open(r)
	defer c.close(a)
	defer c.close(b)
	var gotA, gotB [][]byte
	for moreA, moreB := true, true; moreA || moreB; {
		if moreA {
			held, err := a.Next()
			if moreA = !errors.Is(err, io.EOF); moreA && err != nil {
				t.Fatal(err)
			}
			claim := c.next(b) // a's claim must live through this
			if moreB = claim != nil; moreB {
				gotB = append(gotB, claim)
			}
			if moreA {
				gotA = append(gotA, bytes.Clone(held))
			}
			continue
		}
		claim := c.next(b)
		if moreB = claim != nil; moreB {
			gotB = append(gotB, claim)
		}
	}
	if !sameClaims(gotA, wantA) || !sameClaims(gotB, wantB) {
		t.Error("two readers in turn give other claims than one after the other")
	}
}

func claimsConcurrent(t *testing.T, c claimsTest) {
	type question struct {
		query ports.ClaimsQuery
		want  [][]byte
	}
	var questions []question
	c.each(func(v domain.FHIRVersion) {
		for _, patient := range c.Patients[:2] {
			q := ports.ClaimsQuery{Version: v, Patient: patient}
			questions = append(questions, question{q, inOrder(c.read(q))})
		}
	})
	var all sync.WaitGroup
	for i := range 8 {
		q := questions[i%len(questions)]
		all.Go(func() {
			if got, err := readAll(t.Context(), c.Source, q.query); err != nil {
				t.Errorf("beside others: %v", err)
			} else if !slices.EqualFunc(inOrder(got), q.want, bytes.Equal) {
				t.Error("beside others an answer differs")
			}
		})
	}
	all.Wait()
}

// readAll is read for goroutines that may not end the test.
func readAll(ctx context.Context, source ports.Claims, q ports.ClaimsQuery) ([][]byte, error) {
	r, err := source.Read(ctx, q)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var all [][]byte
	for {
		claim, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, bytes.Clone(claim))
	}
}

func claimsAsOf(t *testing.T, c claimsTest) {
	vouched, err := c.Source.CompleteThrough(t.Context())
	if err != nil || vouched.IsZero() {
		t.Fatalf("CompleteThrough: %v, %v", vouched, err)
	}
	r := c.open(ports.ClaimsQuery{Version: c.Versions[0], Patient: c.Patients[0]})
	defer c.close(r)
	for c.next(r) != nil {
	}
	if asOf := r.AsOf(); asOf.Before(vouched) {
		t.Errorf("the answer stands as of %v, before the %v that was vouched for", asOf, vouched)
	}
}

// claimsBounds asks within bounds taken from the claims themselves. What comes
// must be among what comes without bounds, and what lies inside must come.
func claimsBounds(t *testing.T, c claimsTest) {
	c.each(func(v domain.FHIRVersion) {
		all := c.read(ports.ClaimsQuery{Version: v, Patient: c.Patients[0]})
		updated, ends := c.middles(all)
		for name, q := range map[string]ports.ClaimsQuery{
			"UpdatedFrom":    {UpdatedFrom: updated},
			"UpdatedThrough": {UpdatedThrough: updated},
			"ServedFrom":     {ServedFrom: ends},
			"all three":      {UpdatedFrom: updated.AddDate(0, -6, 0), UpdatedThrough: updated.AddDate(0, 6, 0), ServedFrom: ends.AddDays(-200)},
			"nothing":        {UpdatedFrom: updated, UpdatedThrough: updated.Add(-time.Hour)},
			"everything":     {UpdatedFrom: updated.AddDate(-50, 0, 0), UpdatedThrough: updated.AddDate(50, 0, 0), ServedFrom: ends.AddYears(-50)},
		} {
			q.Version, q.Patient = v, c.Patients[0]
			c.checkBounds(name, q, all)
		}
	})
}

func (c claimsTest) checkBounds(name string, q ports.ClaimsQuery, all [][]byte) {
	c.t.Helper()
	within := c.read(q)
	inOrder(within)
	sent := func(claim []byte) bool {
		_, found := slices.BinarySearchFunc(within, claim, bytes.Compare)
		return found
	}
	known := 0
	for _, claim := range all {
		h := c.head(claim)
		switch {
		case sent(claim):
			known++
		case inside(h, q):
			c.t.Errorf("%s, %s: %s lies inside and did not come", q.Version, name, h.ID)
		}
	}
	if known != len(within) {
		c.t.Errorf("%s, %s: %d of %d claims do not come without the bound", q.Version, name, len(within)-known, len(within))
	}
}

// inside reports whether a claim must be sent. One without a time of update
// need not be when there is a lower bound on it.
func inside(h claimHead, q ports.ClaimsQuery) bool {
	updated := h.Meta.LastUpdated
	switch {
	case !q.UpdatedFrom.IsZero() && (updated == nil || updated.Before(q.UpdatedFrom)):
		return false
	case !q.UpdatedThrough.IsZero() && updated != nil && updated.After(q.UpdatedThrough):
		return false
	}
	return h.Period.End >= q.ServedFrom
}

// middles gives the median time of update and end of period of some claims.
func (c claimsTest) middles(claims [][]byte) (time.Time, domain.Date) {
	c.t.Helper()
	var updated []time.Time
	var ends []domain.Date
	for _, claim := range claims {
		h := c.head(claim)
		if h.Meta.LastUpdated != nil {
			updated = append(updated, *h.Meta.LastUpdated)
		}
		ends = append(ends, h.Period.End)
	}
	if len(updated) == 0 || len(ends) == 0 {
		c.t.Fatal("the suite needs claims with a time of update")
	}
	slices.SortFunc(updated, time.Time.Compare)
	slices.Sort(ends)
	return updated[len(updated)/2], ends[len(ends)/2]
}

func claimsOnTheBounds(t *testing.T, c claimsTest) {
	all := c.read(ports.ClaimsQuery{Version: c.Versions[0], Patient: c.Patients[0]})
	for _, claim := range all {
		h := c.head(claim)
		if h.Meta.LastUpdated == nil {
			continue
		}
		q := ports.ClaimsQuery{Version: c.Versions[0], Patient: c.Patients[0], UpdatedFrom: *h.Meta.LastUpdated, UpdatedThrough: *h.Meta.LastUpdated, ServedFrom: h.Period.End}
		if !slices.ContainsFunc(c.read(q), func(got []byte) bool { return bytes.Equal(got, claim) }) {
			t.Errorf("%s does not come when all bounds are its own times", h.ID)
		}
	}
}

func claimsStranger(t *testing.T, c claimsTest) {
	claims, err := readAll(t.Context(), c.Source, ports.ClaimsQuery{Version: c.Versions[0], Patient: c.Stranger})
	if err != nil && domain.CodeOf(err) != domain.NotFound {
		t.Errorf("a stranger: %v; want no claims or %s", err, domain.NotFound)
	}
	if len(claims) > 0 {
		t.Errorf("a stranger has %d claims", len(claims))
	}
}

func claimsCancelled(t *testing.T, c claimsTest) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Source.CompleteThrough(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("CompleteThrough: %v, want context.Canceled", err)
	}
	_, err := readAll(ctx, c.Source, ports.ClaimsQuery{Version: c.Versions[0], Patient: c.Patients[0]})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("reading: %v, want context.Canceled", err)
	}
}

// claimsCancelledWhileReading: a source may have some claims ready, but what
// it tells in the end must not pass for the whole.
func claimsCancelledWhileReading(t *testing.T, c claimsTest) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := c.Source.Read(ctx, ports.ClaimsQuery{Version: c.Versions[0], Patient: c.Patients[0]})
	if err != nil {
		t.Fatal(err)
	}
	defer c.close(r)
	c.next(r)
	cancel()
	for err == nil {
		_, err = r.Next()
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Next: %v, want context.Canceled", err)
	}
}

func claimsClose(t *testing.T, c claimsTest) {
	q := ports.ClaimsQuery{Version: c.Versions[0], Patient: c.Patients[0]}
	want := c.read(q)
	left := c.open(q)
	c.next(left)
	c.close(left)
	other := c.open(q)
	defer c.close(other)
	c.close(left) // must not reach the reader that may have taken its place
	if _, err := left.Next(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("Next on a reader closed early: %v; it must not pass for the end", err)
	}
	var got [][]byte
	for claim := c.next(other); claim != nil; claim = c.next(other) {
		got = append(got, claim)
	}
	if !sameClaims(got, want) {
		t.Error("a reader that was closed twice disturbs another")
	}
}

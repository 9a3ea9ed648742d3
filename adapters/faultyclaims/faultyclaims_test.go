package faultyclaims_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cms.gov/ab2d/adapters/faultyclaims"
	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
	"cms.gov/ab2d/ports/porttest"
)

var complete = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// people returns a source with that many people, with ten claims each.
func people(n int) (ports.Claims, []domain.PatientID) {
	source := memory.NewClaims(complete)
	var all []domain.PatientID
	for i := range n {
		p := domain.PatientID(fmt.Sprintf("-%03d", i))
		var claims []string
		for k := range 10 {
			claims = append(claims, fmt.Sprintf(`{"resourceType":"ExplanationOfBenefit","id":"c%s%d","meta":{"lastUpdated":"2026-0%d-01T00:00:00Z"},`+
				`"patient":{"reference":"Patient/%s"},"billablePeriod":{"start":"2026-0%d-01","end":"2026-0%d-02"}}`, p, k, k%9+1, p, k%9+1, k%9+1))
		}
		source.Put(p, claims...)
		all = append(all, p)
	}
	return source, all
}

func faulty(t *testing.T, source ports.Claims, spec string) *faultyclaims.Claims {
	t.Helper()
	f, err := faultyclaims.Parse(spec)
	if err != nil {
		t.Fatal(err)
	}
	return faultyclaims.New(source, f, time.Now)
}

func TestClaims(t *testing.T) {
	porttest.Claims(t, func(t *testing.T) porttest.ClaimsSource {
		source, all := people(2)
		return porttest.ClaimsSource{Source: faulty(t, source, "seed=1"), Versions: []domain.FHIRVersion{domain.STU3, domain.R4}, Patients: all, Stranger: "-999"}
	})
}

// answer is what came of one read.
type answer struct {
	claims, theirs int
	asOf           time.Time
	err            error
}

func read(ctx context.Context, source ports.Claims, p domain.PatientID) (a answer) {
	r, err := source.Read(ctx, ports.ClaimsQuery{Version: domain.R4, Patient: p})
	if err != nil {
		return answer{err: err}
	}
	defer r.Close()
	for {
		claim, err := r.Next()
		if errors.Is(err, io.EOF) {
			a.asOf = r.AsOf()
			return a
		} else if err != nil {
			a.err = err
			return a
		}
		a.claims++
		if !bytes.Contains(claim, []byte(`"Patient/`+string(p)+`"`)) {
			a.theirs++
		}
	}
}

// Of 400 people, each asked for twice, one kind of fault at a time hits about
// the share that it is to, and looks as it should.
func TestEachKindHitsItsShare(t *testing.T) {
	const n = 400
	for kind, hit := range map[string]func(answer) bool{
		"refuse": func(a answer) bool { return a.err != nil && a.claims == 0 },
		"break":  func(a answer) bool { return a.err != nil && a.claims < 10 },
		"stall":  func(a answer) bool { return a.err != nil && a.claims < 10 },
		"wrong":  func(a answer) bool { return a.err == nil && a.claims == 10 && a.theirs == 1 },
		"stale":  func(a answer) bool { return a.err == nil && a.claims == 10 && a.asOf.Before(complete) },
	} {
		source, all := people(n)
		f := faulty(t, source, "seed=3,stall-for=1us,"+kind+"=0.1")
		hits := 0
		for range 2 {
			for _, p := range all {
				switch a := read(t.Context(), f, p); {
				case hit(a):
					hits++
				case a.err != nil || a.claims != 10 || a.theirs > 0 || !a.asOf.Equal(complete):
					t.Errorf("%s: neither right nor wrong as it should be: %+v", kind, a)
				}
				if a := read(t.Context(), f, p); a.err != nil && domain.CodeOf(a.err) != domain.Unavailable {
					t.Errorf("%s: %v does not say that it may pass", kind, a.err)
				}
			}
		}
		if hits < 2*n*6/100 || hits > 2*n*14/100 {
			t.Errorf("%s: %d of %d reads were hit, want about a tenth", kind, hits, 2*n)
		}
	}
}

func TestTheSameSeedHitsTheSame(t *testing.T) {
	const spec = "refuse=0.1,break=0.1,wrong=0.1,stale=0.1,lose=0.05"
	fates := func(seed int, order func(all []domain.PatientID)) map[string]string {
		source, all := people(60)
		order(all)
		f := faulty(t, source, fmt.Sprintf("seed=%d,%s", seed, spec))
		found := map[string]string{}
		for n := range 3 {
			for _, p := range all {
				found[fmt.Sprint(p, n)] = fmt.Sprint(read(t.Context(), f, p))
			}
		}
		return found
	}
	asIs := func([]domain.PatientID) {}
	reversed := func(all []domain.PatientID) {
		for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
			all[i], all[j] = all[j], all[i]
		}
	}
	first := fates(1, asIs)
	if !maps.Equal(first, fates(1, reversed)) {
		t.Error("in another order people fare differently")
	}
	if maps.Equal(first, fates(2, asIs)) {
		t.Error("another seed makes no difference")
	}
}

func TestWhoeverIsLostStaysLost(t *testing.T) {
	source, all := people(300)
	f := faulty(t, source, "seed=5,lose=0.05")
	lost := map[domain.PatientID]int{}
	for range 4 {
		for _, p := range all {
			if read(t.Context(), f, p).err != nil {
				lost[p]++
			}
		}
	}
	if len(lost) < 5 || len(lost) > 30 {
		t.Errorf("%d of 300 are lost, want about 15", len(lost))
	}
	for p, times := range lost {
		if times != 4 {
			t.Errorf("%s was refused %d of 4 times", p, times)
		}
	}
}

func TestTheSourceGoesBackwards(t *testing.T) {
	source, _ := people(1)
	f := faulty(t, source, "seed=5,back=0.5,behind=3m")
	backwards := 0
	for range 100 {
		told, err := f.CompleteThrough(t.Context())
		if err != nil || told.After(complete) || told.Before(complete.Add(-3*time.Minute)) {
			t.Fatalf("%v, %v", told, err)
		}
		if told.Before(complete) {
			backwards++
		}
	}
	if backwards < 30 || backwards > 70 {
		t.Errorf("backwards %d of 100 times, want about half", backwards)
	}
	if _, err := faulty(t, source, "refuse=1").CompleteThrough(t.Context()); domain.CodeOf(err) != domain.Unavailable {
		t.Errorf("refused with %v", err)
	}
}

func TestAStallEndsWithTheContextOrByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, all := people(1)
		f := faulty(t, source, "stall=1,stall-for=1h")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		if a := read(ctx, f, all[0]); !errors.Is(a.err, context.DeadlineExceeded) || time.Since(begin) != time.Minute {
			t.Errorf("after %s: %v", time.Since(begin), a.err)
		}
		begin = time.Now()
		if a := read(t.Context(), f, all[0]); domain.CodeOf(a.err) != domain.Unavailable || time.Since(begin) != time.Hour {
			t.Errorf("after %s: %v", time.Since(begin), a.err)
		}
	})
}

func TestDelaysAndTheirEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, all := people(50)
		end := time.Now().Add(time.Minute)
		f := faulty(t, source, "delay=2s,until="+end.UTC().Format(time.RFC3339Nano))
		begin, longest := time.Now(), time.Duration(0)
		for _, p := range all {
			before := time.Now()
			if a := read(t.Context(), f, p); a.err != nil {
				t.Fatal(a.err)
			}
			longest = max(longest, time.Since(before))
		}
		if took := time.Since(begin); took < 30*time.Second || took > 70*time.Second || longest > 2*time.Second {
			t.Errorf("50 reads took %s, the longest %s", took, longest)
		}
		time.Sleep(time.Until(end))
		begin = time.Now()
		read(t.Context(), f, all[0])
		if took := time.Since(begin); took != 0 {
			t.Errorf("once the faults are over a read takes %s", took)
		}
	})
}

func TestASpecThatMakesNoSenseIsRefused(t *testing.T) {
	for spec, want := range map[string]string{
		"":                      `"" is not key=value`,
		"refuse":                `"refuse" is not key=value`,
		"refuse=0.1,explode=1":  `"explode" is no kind of fault; there are back, behind, break`,
		"refuse=2":              `refuse is "2"; it must be a share from 0 to 1`,
		"lose=NaN":              `lose is "NaN"`,
		"delay=5":               `delay is "5"; it must be a length of time`,
		"delay=-5ms":            `delay is "-5ms"`,
		"seed=-1":               `seed is "-1"; it must be a whole number`,
		"until=tomorrow":        `until is "tomorrow"; it must be a time`,
		"stale=0.1, stale=0.2":  `stale is given twice`,
		"refuse=0.1,,break=0.1": `"" is not key=value`,
	} {
		if _, err := faultyclaims.Parse(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", spec, err, want)
		}
	}
	got, err := faultyclaims.Parse("seed=7, refuse=0.02,break=0.03,stall=0.001,wrong=0.01,stale=0.04,lose=0.002,back=0.5,delay=5ms,stall-for=1m,behind=2h,until=2026-03-02T15:04:05Z")
	want := faultyclaims.Faults{Seed: 7, Refuse: 0.02, Break: 0.03, Stall: 0.001, Wrong: 0.01, Stale: 0.04, Lose: 0.002, Back: 0.5,
		Delay: 5 * time.Millisecond, StallFor: time.Minute, Behind: 2 * time.Hour, Until: time.Date(2026, 3, 2, 15, 4, 5, 0, time.UTC)}
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}

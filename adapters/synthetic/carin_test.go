//go:build !race

// One goroutine does all of this alone: the race detector would find nothing in
// it and take ten times as long. make test runs it in an ordinary build.

package synthetic_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cms.gov/ab2d/adapters/synthetic"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// profile is a StructureDefinition cut down to what can be checked without
// bindings and invariants: how often an element and a slice may occur, and the
// fixed values and patterns that elements hold and slices are told by.
type profile struct {
	children map[string][]*element // by the id of the parent
	byID     map[string]*element
}

type element struct {
	ID      string
	Min     int
	Max     string
	Slicing *struct {
		Discriminator []struct{ Type, Path string }
	}
	wanted any // the fixed value or pattern, nil for none
}

func (e *element) UnmarshalJSON(raw []byte) error {
	type plain element
	if err := json.Unmarshal(raw, (*plain)(e)); err != nil {
		return err
	}
	var all map[string]any
	if err := json.Unmarshal(raw, &all); err != nil {
		return err
	}
	for name, value := range all {
		if strings.HasPrefix(name, "fixed") || strings.HasPrefix(name, "pattern") {
			e.wanted = value
		}
	}
	return nil
}

func loadProfile(t *testing.T, file string) profile {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var definition struct {
		Snapshot struct{ Element []*element }
	}
	if err := json.Unmarshal(raw, &definition); err != nil {
		t.Fatal(err)
	}
	p := profile{map[string][]*element{}, map[string]*element{}}
	for _, e := range definition.Snapshot.Element {
		p.byID[e.ID] = e
		if dot := strings.LastIndexByte(e.ID, '.'); dot > 0 {
			p.children[e.ID[:dot]] = append(p.children[e.ID[:dot]], e)
		}
	}
	return p
}

// check walks an object along the elements below id and tells what is missing,
// too many, or not as the profile fixes it.
func (p profile) check(id string, object map[string]any, tell func(string)) {
	for _, e := range p.children[id] {
		name, slice, sliced := strings.Cut(e.ID[len(id)+1:], ":")
		values := valuesOf(object, name)
		if sliced {
			values = slices.DeleteFunc(slices.Clone(values), func(v any) bool { return !p.inSlice(e, name, slice, object, v) })
		}
		if most, err := strconv.Atoi(e.Max); len(values) < e.Min || err == nil && len(values) > most {
			tell(fmt.Sprintf("%s occurs %d times, not %d..%s", e.ID, len(values), e.Min, e.Max))
		}
		for _, v := range values {
			if e.wanted != nil && !contains(v, e.wanted) {
				tell(fmt.Sprintf("%s is not %v", e.ID, e.wanted))
			}
			if below, isObject := v.(map[string]any); isObject {
				p.check(e.ID, below, tell)
			}
		}
	}
}

// inSlice: by the type of a choice, or by the pattern of the slice at the
// discriminator. The slice of amounts has a value set in place of a pattern,
// which is all codes of the two systems that amounts are told by.
func (p profile) inSlice(e *element, name, slice string, object map[string]any, value any) bool {
	if strings.HasSuffix(name, "[x]") {
		return object[slice] != nil
	}
	parent := strings.TrimSuffix(e.ID, ":"+slice)
	for _, d := range p.byID[parent].Slicing.Discriminator {
		at := value.(map[string]any)[d.Path]
		if by := p.byID[e.ID+"."+d.Path]; by != nil && by.wanted != nil {
			if !contains(at, by.wanted) {
				return false
			}
			continue
		}
		raw, _ := json.Marshal(at)
		if !strings.Contains(string(raw), `/CodeSystem/C4BBAdjudication"`) && !strings.Contains(string(raw), `/CodeSystem/adjudication"`) {
			return false
		}
	}
	return true
}

// valuesOf gives the values of a member, of any type for a choice.
func valuesOf(object map[string]any, name string) []any {
	if choice, isChoice := strings.CutSuffix(name, "[x]"); isChoice {
		for n, v := range object {
			if rest, found := strings.CutPrefix(n, choice); found && rest != "" && rest[0] < 'a' {
				return []any{v}
			}
		}
		return nil
	}
	switch v := object[name].(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}

// contains tells whether a value has all that a pattern has.
func contains(value, pattern any) bool {
	switch p := pattern.(type) {
	case map[string]any:
		v, ok := value.(map[string]any)
		for name := range p {
			ok = ok && contains(v[name], p[name])
		}
		return ok
	case []any:
		v, ok := value.([]any)
		for _, want := range p {
			ok = ok && slices.ContainsFunc(v, func(got any) bool { return contains(got, want) })
		}
		return ok
	}
	return value == pattern
}

// carinProfiles by the prefix of the claim id, as BFD declares them.
var carinProfiles = map[string]string{
	"carrier": "Professional-NonClinician", "dme": "Professional-NonClinician", "outpatient": "Outpatient-Institutional",
	"inpatient": "Inpatient-Institutional", "snf": "Inpatient-Institutional", "hha": "Inpatient-Institutional", "hospice": "Inpatient-Institutional",
	"pde": "Pharmacy",
}

// carinDeviations are all that there are, on purpose: claims whose time of update
// the source does not know, as BFD has them.
var carinDeviations = []string{
	"ExplanationOfBenefit.meta.lastUpdated occurs 0 times, not 1..1",
}

// TestClaimsKeepToTheirCARINProfiles: raw R4 claims have what the profiles of
// CARIN for Blue Button that they declare demand, but for those that are awkward
// on purpose, each of which is counted.
func TestClaimsKeepToTheirCARINProfiles(t *testing.T) {
	profiles := map[string]profile{}
	for _, name := range carinProfiles {
		profiles[name] = loadProfile(t, "testdata/carin-bb/"+name+".json")
	}
	source, seen, wrong, untimed := synthetic.NewClaims(population, clock), map[string]int{}, map[string]int{}, 0
	for _, e := range sample(150) {
		forEach(t, source, ports.ClaimsQuery{Version: domain.R4, Patient: e.Patient}, func(raw []byte) {
			id := idOf(t, raw)
			kind, _, _ := strings.Cut(id, "-")
			timed := strings.Contains(string(raw[:400]), `"lastUpdated"`)
			if seen[kind]++; seen[kind] > 100 && timed {
				return
			}
			var claim map[string]any
			if err := json.Unmarshal(raw, &claim); err != nil {
				t.Fatal(err)
			}
			profiles[carinProfiles[kind]].check("ExplanationOfBenefit", claim, func(what string) {
				wrong[what]++
			})
			if !timed {
				untimed++
			}
		})
	}
	if got := slices.Sorted(maps.Keys(wrong)); !slices.Equal(got, slices.Sorted(slices.Values(carinDeviations))) || wrong[carinDeviations[0]] != untimed {
		t.Errorf("%d claims have no time of update; the claims deviate in %v", untimed, wrong)
	}
	if len(seen) != len(carinProfiles) {
		t.Errorf("only these types came: %v", seen)
	}
}

// TestCARINCheckFindsWhatIsMissing: the check is not blind.
func TestCARINCheckFindsWhatIsMissing(t *testing.T) {
	p := loadProfile(t, "testdata/carin-bb/Inpatient-Institutional.json")
	var found []string
	p.check("ExplanationOfBenefit", map[string]any{
		"use": "preauthorization", "status": []any{"active", "draft"},
		"adjudication": []any{map[string]any{"category": map[string]any{}}},
	}, func(what string) { found = append(found, what) })
	for _, want := range []string{"use is not claim", "status occurs 2 times", ":admissionperiod occurs 0 times", ":benefitpaymentstatus occurs 0 times", "insurance occurs 0 times"} {
		if !slices.ContainsFunc(found, func(f string) bool { return strings.Contains(f, want) }) {
			t.Errorf("nothing says %q in %q", want, found)
		}
	}
}

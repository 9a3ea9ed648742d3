package eob

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"unicode/utf8"

	"cms.gov/ab2d/domain"
)

// FuzzTrim feeds the scanner and the strict way the same bytes: they must agree
// on whether a claim is readable, on the bytes that leave and on the facts; to
// the whole allow list, and to the shapes that exports narrow it to.
func FuzzTrim(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s.compact, s.version == domain.R4)
		f.Add(s.raw, s.version == domain.R4)
	}
	for _, members := range []string{
		`"status":"\ud83d\ude00é","st\u0061tus":1`, `"extension":[{"valueCoding":{"code":"O"},"url":"https://bluebutton.cms.gov/resources/variables/nch_near_line_rec_ident_cd"}]`,
		`"contained":[{"resourceType":"Organization","id":"a","name":"A"}],"provider":{"reference":"#a"}`,
		`"billablePeriod":{"start":"2020-01-01T00:00:00Z","end":"2020-01-31"},"meta":{"lastUpdated":"2021-08-17T13:47:58.887-04:00","security":[{"code":"42CFRPart2"}]}`,
		`"diagnosis":[{"diagnosisCodeableConcept":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"F1010"}]}}]`,
		`"zz":[{"code":"\u0046101\u0030","display":"long enough, \"x\"","system":"http:\/\/hl7.org\/fhir\/sid\/icd-10"},{"code":"896"}]`,
		`"item":[{"detail":[{"code":"896","url":"clm_drg_cd"}]}],"supportingInfo":[{"code":{"coding":[{"code":"897","system":"https://bluebutton.cms.gov/resources/variables/clm_drg_cd"}]}}]`,
		`"item":[{"sequence":-1.5e+10,"careTeamSequence":[1,null,2]}],"zz":[[[{}]]]`,
	} {
		f.Add([]byte(claimWith(members)), true)
		f.Add([]byte(claimWith(members)), false)
	}
	f.Fuzz(func(t *testing.T, raw []byte, r4 bool) {
		v := domain.STU3
		if r4 {
			v = domain.R4
		}
		checkOutput(t, v, raw)
	})
}

// checkOutput checks what is promised of any claim that is readable.
func checkOutput(t *testing.T, v domain.FHIRVersion, raw []byte) {
	out, facts, err := bothWays(t, v, raw, someMBIs)
	shapes := narrowedShapes(v)
	checkNarrowed(t, shapes[len(raw)%len(shapes)], raw, out, facts, err) // one of them, since the strict way takes its time
	if err != nil {
		return
	}
	if !json.Valid(out) || !utf8.Valid(out) || bytes.ContainsAny(out, "\n\r") {
		t.Fatalf("not one line of JSON in UTF-8: %q", out)
	}
	if len(out) > len(raw)+len(someMBIs)+roomForAdditions {
		t.Fatalf("%d bytes became %d, more than there is room for", len(raw), len(out))
	}
}

// narrowedShapes are some of what exports ask for: next to nothing, what is read
// to decide by and what is not, and all of it by status.
func narrowedShapes(v domain.FHIRVersion) []shape {
	return []shape{{version: v, narrowed: true}, {version: v, narrowed: true, elements: "extension,item,provider,supportingInfo", byStatus: true},
		{version: v, narrowed: true, elements: "billablePeriod,careTeam,type"}, {version: v, byStatus: true}}
}

// checkNarrowed holds a claim that was narrowed against the whole one: decided by
// the same facts, and nothing in it that the whole one does not have.
func checkNarrowed(t *testing.T, to shape, raw, whole []byte, facts Facts, unreadable error) {
	t.Helper()
	out, f, err := bothWaysTo(t, to, raw, someMBIs)
	if err != nil {
		// Only what is decided by must be of a form that it may lack in the whole one: a status that is no text.
		if unreadable == nil && !to.byStatus {
			t.Fatalf("%+v: unreadable only when it is narrowed: %v\n%q", to, err, raw)
		}
		return
	}
	if unreadable != nil {
		return // in a part that nobody asked for
	}
	facts.Status = f.Status
	if !to.byStatus && f.Status != NoStatus || !reflect.DeepEqual(f, facts) {
		t.Fatalf("%+v: decided by %+v, want %+v\n%q", to, f, facts, raw)
	}
	if !to.narrowed {
		if !bytes.Equal(out, whole) {
			t.Fatalf("%+v: %s, want %s", to, out, whole)
		}
		return
	}
	var less, more map[string]json.RawMessage
	if json.Unmarshal(out, &less) != nil || json.Unmarshal(whole, &more) != nil {
		t.Fatalf("not JSON: %q, %q", out, whole)
	}
	kept := slices.Concat(always, mandatory[shape{version: to.version}], to.names(), []string{"extension"}) // where the MBIs are
	for name, value := range less {
		if !slices.Contains(kept, name) || name != "contained" && !bytes.Equal(value, more[name]) && !(name == "extension" && bytes.Contains(more[name], value[1:len(value)-1])) {
			t.Fatalf("%+v: %s is %s, and of the whole claim %s", to, name, value, more[name])
		}
	}
	for name := range more {
		if name != "contained" && less[name] == nil && slices.Contains(kept, name) {
			t.Fatalf("%+v: %s is missing", to, name)
		}
	}
}

// Samples with a few bytes changed, always the same ones, so that every test run
// compares scanner and strict way on more than a thousand near misses.
func TestMutatedSamples(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	all := samples(t)
	rounds := 1500 // each in some ways; fuzzing does more
	if testing.Short() {
		rounds = 500
	}
	readable := 0
	for range rounds {
		s := all[random.IntN(len(all))]
		raw := mutated(random, s.compact)
		checkOutput(t, s.version, raw)
		if _, _, err := NewTrimmer(s.version).Trim(nil, raw, nil); err == nil {
			readable++
		}
	}
	if readable < rounds/20 || readable > rounds*19/20 {
		t.Errorf("%d of %d mutated samples are readable: too one-sided to say much", readable, rounds)
	}
}

func mutated(random *rand.Rand, claim []byte) []byte {
	tokens := []string{`"`, `{`, `}`, `[`, `]`, `,`, `:`, `\`, "\n", " ", `null`, `\u0041`, `\ud800`, "\xff", "é", `0`, `-`, `"url":`, `"id":"x"`, "\x00", `#`, `"status":"x",`, `e`,
		`"system":"icd-10",`, `"code":"F10.10",`, `"code":"\u004610.10",`, `"F1010"`, `"code":"896","url":"clm_drg_cd",`}
	raw := bytes.Clone(claim)
	for range 1 + random.IntN(3) {
		at := random.IntN(len(raw))
		switch random.IntN(4) {
		case 0: // one byte less
			raw = append(raw[:at], raw[at+1:]...)
		case 1: // another byte
			raw[at] = tokens[random.IntN(len(tokens))][0]
		case 2: // something more
			raw = append(raw[:at], append([]byte(tokens[random.IntN(len(tokens))]), raw[at:]...)...)
		case 3: // a piece again
			end := min(at+random.IntN(200), len(raw))
			raw = append(raw[:end], append(bytes.Clone(raw[at:end]), raw[end:]...)...)
		}
	}
	return raw
}

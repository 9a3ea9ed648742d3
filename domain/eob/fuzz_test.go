package eob

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"testing"
	"unicode/utf8"

	"cms.gov/ab2d/domain"
)

// FuzzTrim feeds the scanner and the strict way the same bytes: they must agree
// on whether a claim is readable, on the bytes that leave and on the facts.
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
	out, _, err := bothWays(t, v, raw, someMBIs)
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

// Samples with a few bytes changed, always the same ones, so that every test run
// compares scanner and strict way on some thousand near misses.
func TestMutatedSamples(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	all := samples(t)
	rounds := 3000
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

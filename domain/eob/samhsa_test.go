package eob

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"cms.gov/ab2d/domain"
)

// Systems as the claims server writes them.
const (
	sidICD10   = "http://hl7.org/fhir/sid/icd-10"
	sidICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
	cmsICD10   = "http://www.cms.gov/Medicare/Coding/ICD10"
	drgOfBFD   = "https://bluebutton.cms.gov/resources/variables/clm_drg_cd"
	drgOfCARIN = "https://www.cms.gov/Medicare/Medicare-Fee-for-Service-Payment/AcuteInpatientPPS/MS-DRG-Classifications-and-Software"
)

func codingOf(system, code string) string { return `{"system":"` + system + `","code":"` + code + `"}` }

// restricted reports what both ways say of a claim, and checks that the switch
// turns the lists off and that they change no byte of what leaves.
func restricted(t *testing.T, v domain.FHIRVersion, raw []byte) bool {
	t.Helper()
	out, f, err := bothWays(t, v, raw, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	switch alone, labels, err := NewTrimmer(v, ByLabelsAlone()).Trim(nil, raw, nil); {
	case err != nil || labels.Restricted:
		t.Fatalf("by labels alone: %v, %v\n%s", labels.Restricted, err, raw)
	case !bytes.Equal(out, alone):
		t.Fatalf("the lists change what is written\n%s\n%s", out, alone)
	}
	return f.Restricted
}

// allCodes are the codes of the lists with a system of theirs, each twice in a row:
// ICD-10-CM with the dot and without, the others under two systems.
func allCodes(t *testing.T) (codings []string) {
	diagnoses, procedures, groups := firstColumn("codes-icd-10-diagnosis.csv"), firstColumn("codes-icd-10-procedure.csv"), firstColumn("codes-drg.csv")
	if len(diagnoses) != 447 || len(procedures) != 57 || len(groups) != 3 {
		t.Fatalf("%d diagnoses, %d procedures, %d groups: the lists are not whole", len(diagnoses), len(procedures), len(groups))
	}
	checkForm(t, diagnoses, `^[A-Z]\d\d\.\d{1,3}$`)
	checkForm(t, procedures, `^HZ[0-9A-Z]{5}$`)
	checkForm(t, groups, `^MS-DRG \d{3}$`)
	for _, code := range diagnoses {
		codings = append(codings, codingOf(sidICD10CM, code), codingOf(sidICD10, strings.ReplaceAll(code, ".", "")))
	}
	for _, code := range procedures {
		codings = append(codings, codingOf(sidICD10, code), codingOf(cmsICD10, code))
	}
	for _, group := range groups {
		code := strings.TrimPrefix(group, "MS-DRG ")
		codings = append(codings, codingOf(drgOfBFD, code), codingOf(drgOfCARIN, code))
	}
	return codings
}

// checkForm sees that nothing but codes came out of a list.
func checkForm(t *testing.T, codes []string, form string) {
	t.Helper()
	for _, code := range codes {
		if !regexp.MustCompile(form).MatchString(code) {
			t.Errorf("%q is no code", code)
		}
	}
}

// The places of a claim where a coding may stand, kept and dropped, of both versions.
var places = []string{
	`"diagnosis":[{"sequence":1,"diagnosisCodeableConcept":{"coding":[%s]}}]`,
	`"diagnosis":[{"sequence":1,"diagnosisCodeableConcept":{"coding":[{"system":"http://example.org","code":"x"},%s]},"type":[{"coding":[{"code":"admitting"}]}]}]`,
	`"diagnosis":[{"packageCode":{"coding":[%s]}}]`,
	`"diagnosis":[{"type":[{"coding":[%s]}]}]`,
	`"procedure":[{"sequence":1,"procedureCodeableConcept":{"coding":[%s]}}]`,
	`"item":[{"sequence":1,"productOrService":{"coding":[%s]}}]`,
	`"item":[{"sequence":1,"service":{"coding":[%s]}}]`,
	`"item":[{"sequence":1,"modifier":[{"coding":[%s]}]}]`,
	`"item":[{"sequence":1,"revenue":{"coding":[%s]},"detail":[]}]`,
	`"item":[{"sequence":1,"adjudication":[{"category":{"coding":[%s]}}]}]`,
	`"item":[{"sequence":1,"detail":[{"subDetail":[{"productOrService":{"coding":[%s]}}]}]}]`,
	`"item":[{"sequence":1,"extension":[{"url":"http://example.org/line","valueCoding":%s}]}]`,
	`"supportingInfo":[{"sequence":1,"category":{"coding":[{"code":"drg"}]},"code":{"coding":[%s]}}]`,
	`"supportingInfo":[{"sequence":1,"code":{"coding":[{"system":"` + drgOfBFD + `","code":"470"}]},"valueCodeableConcept":{"coding":[%s]}}]`,
	`"information":[{"sequence":1,"category":{"coding":[]},"code":{"coding":[%s]}}]`,
	`"extension":[{"url":"https://bluebutton.cms.gov/resources/variables/clm_drg_cd","valueCoding":%s}]`,
	`"extension":[{"url":"https://bluebutton.cms.gov/resources/variables/nch_near_line_rec_ident_cd","valueCoding":%s}]`,
	`"type":{"coding":[%s]}`,
	`"meta":{"security":[%s]}`,
	`"contained":[{"resourceType":"Condition","id":"c","code":{"coding":[%s]}}]`,
	`"contained":[{"resourceType":"Organization","id":"c","type":[{"coding":[%s]}]}],"provider":{"reference":"#c"}`,
	`"contained":[{"resourceType":"Practitioner","id":"c","qualification":[{"code":{"coding":[%s]}}]}]`,
	`"addItem":[{"productOrService":{"coding":[%s]}}]`,
	`"zz":%s`,
	`"zz":[[[%s]]],"status":"active"`,
}

func TestEveryListedCodeRestrictsWhereverItStands(t *testing.T) {
	codings := allCodes(t)
	for _, v := range []domain.FHIRVersion{domain.STU3, domain.R4} {
		for p, place := range places {
			for n, coding := range codings {
				// Each code stands twice in the list, in two ways of writing: one here, the
				// other in the next place.
				if (n+p)%2 != 0 || testing.Short() && (n/2+p)%17 != 0 {
					continue
				}
				raw := claimWith(fmt.Sprintf(place, coding))
				if _, f, err := bothWays(t, v, []byte(raw), nil); err != nil || !f.Restricted {
					t.Errorf("%s: is not restricted: %v: %s", v, err, raw)
				}
			}
		}
	}
}

// In the claims of the samples each coding of ICD-10 and each DRG is looked at,
// also in what the source's pages look like, over many lines.
func TestEveryCodingOfTheSamplesIsLookedAt(t *testing.T) {
	seen := map[string]int{}
	for _, s := range samples(t) {
		if restricted(t, s.version, s.compact) || restricted(t, s.version, s.raw) {
			t.Errorf("%s: is restricted as it is", s.name)
		}
		claim := decoded(t, s.compact)
		walk(claim, "", func(path string, v any) {
			coding, _ := v.(map[string]any)
			system, _ := coding["system"].(string)
			code, isCode := coding["code"].(string)
			kinds := kindsOfSystem([]byte(system))
			if kinds == 0 || !isCode {
				return
			}
			seen[string(s.version)+" "+path]++
			if coding["code"] = "F1010"; kinds == drg {
				coding["code"] = "896"
			}
			if !restricted(t, s.version, encoded(t, claim)) {
				t.Errorf("%s: %s is not looked at", s.name, path)
			}
			coding["code"] = code
		})
	}
	for _, path := range []string{"STU3 diagnosis[].diagnosisCodeableConcept.coding[]", "STU3 diagnosis[].packageCode.coding[]",
		"STU3 procedure[].procedureCodeableConcept.coding[]", "R4 diagnosis[].diagnosisCodeableConcept.coding[]",
		"R4 procedure[].procedureCodeableConcept.coding[]", "R4 supportingInfo[].code.coding[]"} {
		if seen[path] == 0 {
			t.Errorf("no sample has a code at %s", path)
		}
	}
}

// However a coding is written.
func TestFormsOfListedCodes(t *testing.T) {
	for _, coding := range []string{
		codingOf(sidICD10, "F10.10"), codingOf(sidICD10, "f1010"), codingOf(sidICD10, "F19.91"), codingOf(sidICD10CM, "Z71.41"),
		codingOf("https://hl7.org/fhir/sid/ICD-10-CM/", "F1010"), codingOf("http://hl7.org/fhir/sid/icd-10-pcs", "hz2zzzz"),
		codingOf("http://hl7.org/fhir/sid/unknown-icd-version/7", "F1010"),
		codingOf("https://bluebutton.cms.gov/resources/variables/prncpal_dgns_cd", "F1010"),
		codingOf("https://bluebutton.cms.gov/resources/variables/icd_prcdr_cd1", "HZ30ZZZ"),
		`{"code":"F1010","display":"x","system":"` + sidICD10 + `"}`,
		`{"code":"F1010"}`, `{"system":null,"code":"F1010"}`, `{"code":"F1010","display":"Alcohol abuse, uncomplicated"}`,
		"{\n\t\"system\" : \"" + sidICD10 + "\" ,\r\n \"code\"\t:\n\"F1010\" }",
		`{"system":"` + sidICD10 + `","code":"\u0046\u0031010"}`, `{"system":"` + sidICD10 + `","code":"F101\u0030"}`,
		`{"system":"` + sidICD10 + `","c\u006fde":"F1010"}`, `{"system":"http:\/\/hl7.org\/fhir\/sid\/icd-10","code":"F1010"}`,
		`{"syst\u0065m":"` + sidICD10 + `","code":"F1010"}`, `{"system":"` + sidICD10 + `","code":"\u004610\u002e10"}`,
		`{"url":"` + drgOfBFD + `","valueString":"897"}`, `{"url":"` + drgOfBFD + `","valueCode":"895"}`,
		`{"system":"` + drgOfBFD + `","value":"896"}`, `{"a":{"b":"c"},"system":"` + drgOfBFD + `","z":[1,{}],"code":"896"}`,
	} {
		for _, place := range []string{`"zz":%s`, `"zz":[{},%s]`, `"addItem":[{"productOrService":{"coding":[%s]}}],"zzz":{"long":"` + strings.Repeat("x", 40) + `"}`} {
			if raw := claimWith(fmt.Sprintf(place, coding)); !restricted(t, domain.R4, []byte(raw)) {
				t.Errorf("%q is not restricted", raw)
			}
		}
	}
	// At the very end of a claim, where fewer than eight bytes follow.
	for _, coding := range []string{`{"system":"` + sidICD10 + `","code":"F1010"}`, `{"system":"` + sidICD10 + `","code":"F101\u0030"}`, `{"system":"` + drgOfBFD + `","code":"896"}`} {
		raw := `{"resourceType":"ExplanationOfBenefit","id":"1","zz":` + coding + `}`
		if !restricted(t, domain.R4, []byte(raw)) {
			t.Errorf("%s is not restricted", raw)
		}
	}
}

// What is near to a listed code, but is none.
func TestNearMissesLeave(t *testing.T) {
	for _, coding := range []string{
		codingOf("http://hl7.org/fhir/sid/icd-9-cm", "F1010"), codingOf("https://bluebutton.cms.gov/resources/codesystem/hcpcs", "F1010"),
		codingOf("http://example.org", "896"), codingOf("https://www.nubc.org/CodeSystem/RevenueCodes", "896"), codingOf(sidICD10, "896"),
		codingOf(drgOfBFD, "F1010"), codingOf("https://bluebutton.cms.gov/fhir/CodeSystem/DGNS-DRG-OUTLIER-CD", "896"),
		codingOf(drgOfBFD, "894"), codingOf(drgOfBFD, "898"), codingOf(drgOfBFD, "89"), codingOf(drgOfBFD, "8961"), codingOf(drgOfBFD, "0896"),
		codingOf(sidICD10, "F10"), codingOf(sidICD10, "F10.1"), codingOf(sidICD10, "F101"), codingOf(sidICD10, "F10.1010"), codingOf(sidICD10, "F10101"),
		codingOf(sidICD10, "F1.010"), codingOf(sidICD10, "F17210"), codingOf(sidICD10, "Z71.3"), codingOf(sidICD10, "R7889"), codingOf(sidICD10, "F55"),
		codingOf(sidICD10, "HZ2ZZZ"), codingOf(sidICD10, "HZ2ZZZZZ"), codingOf(sidICD10, "HZ2.ZZZZ"), codingOf(sidICD10, ""), codingOf(sidICD10, "I10"),
		codingOf(sidICD10, `F1010\n`), codingOf(sidICD10, `\\u0046`), codingOf(sidICD10, `F1\"10`), codingOf(sidICD10, "F1010é"),
		`{"code":"896"}`, `{"value":"F1010"}`, `{"value":"F10120","type":{"coding":[` + codingOf(sidICD10, "I10") + `]}}`,
		`{"system":"` + sidICD10 + `","display":"F1010"}`, `{"system":"` + sidICD10 + `","F1010":"code"}`, `{"system":"` + sidICD10 + `","code":["F1010"]}`,
		`{"system":"` + sidICD10 + `","code":{"code":7}}`, `{"system":"` + drgOfBFD + `","code":896}`, `["system","` + sidICD10 + `","code","F1010"]`,
		`{"system":"` + sidICD10 + `","a":{"system":"http://example.org","code":"F1010"}}`, `"F1010"`, `[{"system":"` + sidICD10 + `"},{"value":"F1010"}]`,
	} {
		for _, place := range []string{`"zz":%s`, `"addItem":[{"coding":[%s,{}]}],"zzz":"` + strings.Repeat("x", 40) + `"`} {
			if raw := claimWith(fmt.Sprintf(place, coding)); restricted(t, domain.STU3, []byte(raw)) {
				t.Errorf("%s is restricted", raw)
			}
		}
	}
	// The same in what is copied.
	for _, coding := range []string{codingOf(sidICD10, "F10"), codingOf("http://example.org", "F1010"), codingOf(sidICD10, "896")} {
		for _, place := range places {
			if raw := claimWith(fmt.Sprintf(place, coding)); restricted(t, domain.R4, []byte(raw)) {
				t.Errorf("%s is restricted", raw)
			}
		}
	}
}

// What is dropped is only known to be balanced. Both ways find the same in any of it.
func TestCodesInWhatIsHardlyJSON(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	tokens := []string{`"system"`, `"url"`, `"code"`, `"value"`, `"` + sidICD10 + `"`, `"` + drgOfBFD + `"`, `"F1010"`, `"896"`, `"F10.10"`, `:`, `:`, `:`, `,`, ` `, "\n",
		`7`, `x`, `"\u00461010"`, `"\x"`, `"\ud800"`, `"c\u006fde"`, `"co\"de"`, `""`, "\"\x01\"", "\"\xff\"", `"` + strings.Repeat("long ", 5) + `"`,
		`"code":"F1010"`, `"code":"896"`, `"system":"` + sidICD10 + `"`, `"url":"` + drgOfBFD + `"`}
	found, rounds := 0, 20000
	for range rounds {
		var soup strings.Builder
		var closers []byte
		for range 2 + random.IntN(12) {
			switch random.IntN(12) {
			case 0:
				soup.WriteByte('{')
				closers = append(closers, '}')
			case 1:
				soup.WriteByte('[')
				closers = append(closers, ']')
			case 2:
				if n := len(closers); n > 0 {
					soup.WriteByte(closers[n-1])
					closers = closers[:n-1]
				}
			default:
				soup.WriteString(tokens[random.IntN(len(tokens))])
			}
		}
		for n := len(closers) - 1; n >= 0; n-- {
			soup.WriteByte(closers[n])
		}
		raw := []byte(`{"resourceType":"ExplanationOfBenefit","id":"1","zz":{` + soup.String() + `}}`)
		if restricted(t, domain.R4, raw) {
			found++
		}
	}
	if found < rounds/50 || found > rounds*49/50 {
		t.Errorf("%d of %d are restricted: too one-sided to say much", found, rounds)
	}
}

// A claim is restricted whether or not the scanner can take it.
func TestTheStrictWayRestrictsToo(t *testing.T) {
	raw := claimWith(`"st\u0061tus":"active","zz":` + codingOf(sidICD10, "F1010"))
	if !restricted(t, domain.R4, []byte(raw)) {
		t.Error("it is not restricted")
	}
}

// The look at a claim that may have a listed code costs one more pass, not more.
func BenchmarkListedCode(b *testing.B) {
	claim := samplesOf(b, domain.R4)[0].compact
	b.SetBytes(int64(len(claim)))
	for b.Loop() {
		carriesListedCode(claim)
	}
}

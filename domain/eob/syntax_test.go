package eob

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"cms.gov/ab2d/domain"
)

// claimWith is a small R4 claim with more members.
func claimWith(members string) string {
	if members != "" {
		members = "," + members
	}
	return `{"resourceType":"ExplanationOfBenefit","id":"carrier-1"` + members + `}`
}

const r4Tag = `"meta":{` + tagR4 + `}`

func TestOneLineWhateverTheWhiteSpace(t *testing.T) {
	for _, s := range samples(t) {
		want := trim(t, s.version, s.compact)
		var tabbed bytes.Buffer
		if err := json.Indent(&tabbed, s.compact, " ", "\t"); err != nil {
			t.Fatal(err)
		}
		forms := [][]byte{s.raw, tabbed.Bytes(), bytes.ReplaceAll(tabbed.Bytes(), []byte("\n"), []byte(" \r\n ")), append([]byte(" \n\t"), append(s.compact, '\n')...)}
		for _, raw := range forms {
			if got := trim(t, s.version, raw); !bytes.Equal(got, want) {
				t.Errorf("%s: another result for another white space\ngot  %s\nwant %s", s.name, got, want)
			}
		}
		if bytes.ContainsAny(want, "\n\r") || !json.Valid(want) {
			t.Errorf("%s: not one line of JSON: %q", s.name, want)
		}
	}
}

func TestTruncatedClaimsAreUnreadable(t *testing.T) {
	for _, s := range samples(t) {
		if len(s.compact) > 14000 && testing.Short() {
			continue
		}
		trimmer := NewTrimmer(s.version)
		step := 1
		if len(s.compact) > 10000 {
			step = 41 // the strict way goes over it many times
		}
		for n := 0; n < len(s.compact); n += step {
			out, _, err := trimmer.Trim([]byte("dst"), s.compact[:n], someMBIs)
			var wrong *UnreadableError
			if !errors.As(err, &wrong) || string(out) != "dst" || wrong.Offset > n {
				t.Fatalf("%s cut at %d: %q, %v", s.name, n, out, err)
			}
		}
	}
}

func TestCutSmallClaimAtEveryByte(t *testing.T) {
	raw := claimWith(`"status":"a\u00e9","item":[{"sequence":1.5e+2,"x":[{"y":"\\"}]}]`)
	for n := range len(raw) {
		if _, _, err := bothWays(t, domain.R4, []byte(raw[:n]), nil); err == nil {
			t.Errorf("cut at %d it is readable", n)
		}
	}
}

func TestReadableAndUnreadable(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, c := range []struct {
		name, members, want string // want is empty for what is unreadable
	}{
		{"nothing more", ``, claimWith(``)},
		{"a kept text", `"status":"active"`, claimWith(`"status":"active"`)},
		{"escapes are copied as they are", `"status":"a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"`, claimWith(`"status":"a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"`)},
		{"UTF-8 is copied as it is", `"status":"é€😀"`, claimWith(`"status":"é€😀"`)},
		{"a lone high surrogate", `"status":"\ud83d"`, ``},
		{"a lone high surrogate before text", `"status":"\ud83dabcdefgh"`, ``},
		{"a lone low surrogate", `"status":"\ude00\ud83d"`, ``},
		{"a high surrogate before another character", `"status":"\ud83d\u0041"`, ``},
		{"a control character in a longer text", "\"status\":\"a text of some length\nand more\",\"use\":\"claim\"", ``},
		{"invalid UTF-8 in a longer text", "\"status\":\"a text of some length\xc3 and more\",\"use\":\"claim\"", ``},
		{"a bad escape in a longer text", `"status":"a text of some length\a and more","use":"claim"`, ``},
		{"a long text in UTF-8 with escapes", `"status":"ein längerer Text \u00e4 \"é\" €","use":"claim"`, claimWith(`"status":"ein längerer Text \u00e4 \"é\" €","use":"claim"`)},
		{"two high surrogates", `"status":"\ud83d\ud83d\ude00"`, ``},
		{"an unknown escape", `"status":"\x41"`, ``},
		{"a short escape", `"status":"\u12"`, ``},
		{"a control character", "\"status\":\"a\tb\"", ``},
		{"NUL", "\"status\":\"a\x00b\"", ``},
		{"invalid UTF-8", "\"status\":\"a\xffb\"", ``},
		{"an overlong form", "\"status\":\"a\xc0\xafb\"", ``},
		{"a surrogate in UTF-8", "\"status\":\"\xed\xa0\xbd\"", ``},
		{"cut UTF-8", "\"status\":\"\xe2\x82\"", ``},
		{"invalid UTF-8 in what is dropped", "\"zz\":\"a\xffb\"", claimWith(``)},
		{"a wild escape in what is dropped", `"zz":"\x\"]}"`, claimWith(``)},
		{"backslashes in what is dropped", `"zz":"\\","yy":"\\\"","xx":["\\\\"]`, claimWith(``)},
		{"a long text in what is dropped", `"zz":"` + strings.Repeat(`long \" text `, 20) + `"`, claimWith(``)},
		{"a text without end in what is dropped", `"zz":["a\"]`, ``},
		{"brackets that do not match in what is dropped", `"zz":[{"a":[}]]`, ``},
		{"too many brackets in what is dropped", `"zz":[1]]`, ``},
		{"nothing for a value", `"zz":`, ``},
		{"nothing for a kept value", `"status":`, ``},
		{"no colon", `"status" "active"`, ``},
		{"no name", `:1`, ``},
		{"a bare name", `status:"active"`, ``},
		{"a comma at the end", `"status":"active",`, ``},
		{"two commas", `"status":"active",,"use":"claim"`, ``},
		{"no comma", `"status":"active" "use":"claim"`, ``},
		{"a comma at the end of a list", `"item":[{"sequence":1},]`, ``},
		{"a comma at the start of a list", `"item":[,{"sequence":1}]`, ``},
		{"no comma in a list", `"item":[{"sequence":1}{"sequence":2}]`, ``},
		{"a kept member twice", `"status":"active","status":"active"`, ``},
		{"a kept member twice, once null", `"status":null,"status":"active"`, ``},
		{"a kept member twice below", `"item":[{"sequence":1,"sequence":2}]`, ``},
		{"a kept member twice, once escaped", `"status":"active","st\u0061tus":"cancelled"`, ``},
		{"a dropped member twice", `"zz":1,"zz":2`, claimWith(``)},
		{"an escaped name", `"st\u0061tus":"active","\u007a":1`, claimWith(`"status":"active"`)},
		{"an escaped name of 8 bytes and more", `"\u0062illablePeriod":{"st\u0061rt":"2020-01-01"}`, claimWith(`"billablePeriod":{"start":"2020-01-01"}`)},
		{"a bad escape in a name", `"st\qtus":"active"`, ``},
		{"a bad escape in a long name", `"a name of many bytes\q":"active"`, ``},
		{"a name in UTF-8", `"né":1,"nééééééééé":2,"status":"active"`, claimWith(`"status":"active"`)},
		{"a name in invalid UTF-8", "\"n\xff\":1", ``},
		{"a control character in a name", "\"n\n\":1", ``},
		{"true and false", `"insurance":[{"focal":true},{"focal":false}]`, claimWith(`"insurance":[{"focal":true},{"focal":false}]`)},
		{"a word that is none", `"insurance":[{"focal":tru}]`, ``},
		{"another word", `"insurance":[{"focal":trux}]`, ``},
		{"a word cut short", `"insurance":[{"focal":fals}]`, ``},
		{"a word that goes on", `"insurance":[{"focal":truer}]`, ``},
		{"null is nothing", `"status":null,"item":[null,{"sequence":null},null],"careTeam":null`, claimWith(``)},
		{"null beside something", `"item":[null,{"sequence":1},{"careTeamSequence":[null,2]}]`, claimWith(`"item":[{"sequence":1},{"careTeamSequence":[2]}]`)},
		{"null that goes on", `"item":nullx`, ``},
		{"an object for a leaf", `"status":{"secret":1}`, ``},
		{"a list for a leaf", `"status":["active"]`, ``},
		{"a text for an object", `"billablePeriod":"2020"`, ``},
		{"an object for a list", `"item":{"sequence":1}`, ``},
		{"a number in a list of objects", `"item":[1]`, ``},
		{"a list in a list", `"item":[[{"sequence":1}]]`, ``},
		{"nothing is left empty", `"item":[{"zz":1}],"billablePeriod":{},"careTeam":[],"type":{"coding":[{}]}`, claimWith(``)},
		{"nested as deep as may be", `"zz":` + deep(127), claimWith(``)},
		{"nested too deep", `"zz":` + deep(128), ``},
		{"nested too deep below", `"item":[{"zz":` + deep(126) + `}]`, ``},
		{"an extension whose url comes last", `"extension":[{"valueCoding":{"code":"O"},"url":"https://bluebutton.cms.gov/resources/variables/nch_near_line_rec_ident_cd"}]`,
			claimWith(`"extension":[{"valueCoding":{"code":"O"},"url":"https://bluebutton.cms.gov/resources/variables/nch_near_line_rec_ident_cd"}]`)},
		{"an extension whose url has an escape", `"extension":[{"url":"https:\/\/bluebutton.cms.gov/resources/variables/nch_near_line_rec_ident_cd","valueCoding":{"code":"O"}}]`,
			claimWith(`"extension":[{"url":"https:\/\/bluebutton.cms.gov/resources/variables/nch_near_line_rec_ident_cd","valueCoding":{"code":"O"}}]`)},
		{"an extension with two urls", `"extension":[{"url":"https://bluebutton.cms.gov/resources/variables/nch_near_line_rec_ident_cd","url":"x"}]`, ``},
		{"an extension without a value", `"extension":[{"url":"https://bluebutton.cms.gov/resources/variables/nch_near_line_rec_ident_cd","valueString":"secret"}]`, claimWith(``)},
		{"extensions without a url", `"extension":[{},{"valueString":"x"},{"url":5},{"url":null},null]`, claimWith(``)},
		{"an extension in an extension", `"extension":[{"url":"https://bluebutton.cms.gov/resources/variables/nch_near_line_rec_ident_cd","extension":[{"url":"https://bluebutton.cms.gov/resources/variables/nch_near_line_rec_ident_cd","valueCoding":{"code":"O"}}]}]`, claimWith(``)},
		{"an extension of another element", `"status":"active","billablePeriod":{"extension":[{"url":"https://bluebutton.cms.gov/resources/variables/nch_near_line_rec_ident_cd","valueCoding":{"code":"O"}}]}`, claimWith(`"status":"active"`)},
		{"supporting information", `"supportingInfo":[{"sequence":1,"code":{"coding":[{"system":"x","code":"y"}]}},{"sequence":2,"code":{"coding":[{"system":"https://bluebutton.cms.gov/resources/variables/clm_drg_cd","code":"645"}]}},{"sequence":3}]`,
			claimWith(`"supportingInfo":[{"sequence":2,"code":{"coding":[{"system":"https://bluebutton.cms.gov/resources/variables/clm_drg_cd","code":"645"}]}}]`)},
		{"supporting information, none of it a DRG", `"supportingInfo":[{"sequence":1},{"sequence":3}],"status":"active"`, claimWith(`"status":"active"`)},
		{"supporting information that stays, unread", `"supportingInfo":[{"sequence":01}]`, claimWith(``)},
		{"supporting information that stays, not balanced", `"supportingInfo":[{"sequence":[}]`, ``},
		{"supporting information that only looks like a DRG", `"supportingInfo":[{"sequence":1,"category":{"coding":[{"code":"https://bluebutton.cms.gov/resources/variables/clm_drg_cd"}]}}]`, claimWith(``)},
		{"the same, bad", `"supportingInfo":[{"sequence":01,"category":{"coding":[{"code":"https://bluebutton.cms.gov/resources/variables/clm_drg_cd"}]}}]`, ``},
		{"supporting information whose system has an escape", `"supportingInfo":[{"sequence":1,"code":{"coding":[{"system":"https:\/\/bluebutton.cms.gov/resources/variables/clm_drg_cd"}]}}]`,
			claimWith(`"supportingInfo":[{"sequence":1,"code":{"coding":[{"system":"https:\/\/bluebutton.cms.gov/resources/variables/clm_drg_cd"}]}}]`)},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw := []byte(claimWith(c.members))
			out, _, err := bothWays(t, domain.R4, raw, nil)
			if c.want == "" {
				if err == nil {
					t.Fatalf("it is readable: %s", out)
				}
				var wrong *UnreadableError
				if !errors.As(err, &wrong) || wrong.Reason == "" || wrong.Offset < 0 || wrong.Offset > len(raw) {
					t.Fatalf("not a whole reason: %#v", err)
				}
				return
			}
			if want := strings.TrimSuffix(c.want, "}") + "," + r4Tag + "}"; err != nil || string(out) != want {
				t.Fatalf("%v\ngot  %s\nwant %s", err, out, want)
			}
		})
	}
}

func TestNumbers(t *testing.T) {
	for number, good := range map[string]bool{
		"0": true, "-0": true, "12": true, "-12.50": true, "1e5": true, "1E+5": true, "0.1e-999999": true,
		strings.Repeat("9", 4000): true, "-": false, "01": false, "1.": false, ".5": false, "1e": false, "1e+": false,
		"+1": false, "0x10": false, "1_000": false, "NaN": false, "Infinity": false, "1 2": false, "--1": false, "": false,
	} {
		out, _, err := bothWays(t, domain.R4, []byte(claimWith(`"item":[{"quantity":{"value":`+number+`}}]`)), nil)
		if (err == nil) != good {
			t.Errorf("%q: %v", number, err)
		}
		if good && !strings.Contains(string(out), `{"value":`+number+`}`) {
			t.Errorf("%q is not copied as it is: %s", number, out)
		}
	}
}

func TestNotOneObject(t *testing.T) {
	whole := claimWith("")
	for _, raw := range []string{"", " ", "null", "1", `"x"`, "[" + whole + "]", whole + "x", whole + whole, whole + "\n{}", "\ufeff" + whole, whole[1:], "{}", "{", "}"} {
		if _, _, err := bothWays(t, domain.R4, []byte(raw), nil); err == nil {
			t.Errorf("%q is readable", raw)
		}
	}
}

func TestContainedResources(t *testing.T) {
	org := func(id, more string) string { return `{"resourceType":"Organization","id":"` + id + `"` + more + `}` }
	refer := func(id string) string { return `"provider":{"reference":"#` + id + `"}` }
	for _, c := range []struct {
		name, members, want string
	}{
		{"referred to", `"contained":[` + org("a", `,"name":"A","telecom":[{"value":"x"}]`) + `,` + org("b", ``) + `],` + refer("a"),
			refer("a") + `,"contained":[` + org("a", `,"name":"A"`) + `]`},
		{"not referred to", `"contained":[` + org("a", ``) + `],"status":"active"`, `"status":"active"`},
		{"referred to by what stays", `"contained":[` + org("a", ``) + `],"payee":{"party":{"reference":"#a"}},"status":"active"`, `"status":"active"`},
		{"not there", refer("a") + `,"status":"active"`, `"status":"active"`},
		{"not there, with a display", `"provider":{"reference":"#a","display":"A"}`, `"provider":{"display":"A"}`},
		{"of a kind that stays", `"contained":[{"resourceType":"Patient","id":"a","name":"secret"}],` + refer("a") + `,"status":"active"`, `"status":"active"`},
		{"referred to before it comes", refer("a") + `,"contained":[` + org("a", ``) + `]`, refer("a") + `,"contained":[` + org("a", ``) + `]`},
		{"in their order", `"contained":[` + org("a", ``) + `,` + org("b", ``) + `],` + refer("b") + `,"insurer":{"reference":"#a"}`,
			refer("b") + `,"insurer":{"reference":"#a"},"contained":[` + org("a", ``) + `,` + org("b", ``) + `]`},
		{"two of one id", `"contained":[` + org("a", ``) + `,` + org("a", ``) + `],` + refer("a"), ``},
		{"bad where it counts", `"contained":[` + org("a", `,"name":"`+"\xff"+`"`) + `],` + refer("a"), ``},
		{"bad where it does not", `"contained":[` + org("a", `,"name":"`+"\xff"+`"`) + `],"status":"active"`, `"status":"active"`},
		{"an id with an escape", `"contained":[{"resourceType":"Organization","id":"\u0061"}],` + refer("a"), refer("a") + `,"contained":[{"resourceType":"Organization","id":"\u0061"}]`},
		{"a reference with an escape", `"contained":[` + org("a", ``) + `],` + refer(`\u0061`), refer(`\u0061`) + `,"contained":[` + org("a", ``) + `]`},
		{"without id or kind", `"contained":[{},{"id":"a"},{"resourceType":"Organization"},{"resourceType":5,"id":6},null],` + refer("a") + `,"status":"active"`, `"status":"active"`},
		{"no object", `"contained":[1]`, ``},
		{"the claim itself", `"provider":{"reference":"#"},"status":"active"`, `"status":"active"`},
		{"a reference that is no text", `"provider":{"reference":1}`, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, _, err := bothWays(t, domain.R4, []byte(claimWith(c.members)), nil)
			if (err != nil) != (c.want == "") {
				t.Fatalf("got %s, %v", out, err)
			}
			if want := strings.TrimSuffix(claimWith(c.want), "}") + "," + r4Tag + "}"; c.want != "" && string(out) != want {
				t.Fatalf("\ngot  %s\nwant %s", out, want)
			}
		})
	}
}

func TestManyContainedResources(t *testing.T) {
	var list []string
	for n := range 70 {
		list = append(list, `{"resourceType":"Organization","id":"`+strings.Repeat("o", n+1)+`"}`)
	}
	last := strings.Repeat("o", 70)
	out, _, err := bothWays(t, domain.R4, []byte(claimWith(`"contained":[`+strings.Join(list, ",")+`],"provider":{"reference":"#`+last+`"}`)), nil)
	if err != nil || !strings.Contains(string(out), `"contained":[{"resourceType":"Organization","id":"`+last+`"}]`) {
		t.Fatalf("%s, %v", out, err)
	}
}

func TestWhereTheMBIsGo(t *testing.T) {
	const near = `{"url":"https://bluebutton.cms.gov/resources/variables/nch_near_line_rec_ident_cd","valueCoding":{"code":"O"}}`
	for _, c := range []struct {
		name    string
		version domain.FHIRVersion
		members string
		want    string
	}{
		{"beside kept ones", domain.R4, `"extension":[` + near + `],"status":"active"`, `"extension":[` + near + `,MBI],"status":"active",` + r4Tag},
		{"in place of dropped ones", domain.R4, `"extension":[{"url":"x"}],"status":"active"`, `"extension":[MBI],"status":"active",` + r4Tag},
		{"in an empty list", domain.R4, `"extension":[],"status":"active"`, `"extension":[MBI],"status":"active",` + r4Tag},
		{"in place of null", domain.R4, `"extension":null,"status":"active"`, `"status":"active","extension":[MBI],` + r4Tag},
		{"where there are none", domain.R4, `"status":"active"`, `"status":"active","extension":[MBI],` + r4Tag},
		{"in STU3, where none are kept", domain.STU3, `"extension":[` + near + `],"meta":{"profile":["x"]}`, `"meta":{` + tagSTU3 + `},"extension":[MBI]`},
		{"not into those of an element", domain.R4, `"billablePeriod":{"extension":[{"url":"x"}]},"meta":{}`, `"meta":{` + tagR4 + `},"extension":[MBI]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, _, err := bothWays(t, c.version, []byte(claimWith(c.members)), someMBIs)
			if want := strings.Replace(claimWith(c.want), "MBI", string(someMBIs), 1); err != nil || string(out) != want {
				t.Fatalf("%v\ngot  %s\nwant %s", err, out, want)
			}
		})
	}
}

func TestMBIExtensions(t *testing.T) {
	one := func(mbi, currency string) string {
		return `{"url":"http://hl7.org/fhir/StructureDefinition/elementdefinition-identifier","valueIdentifier":{"extension":[{"url":"https://bluebutton.cms.gov/resources/codesystem/identifier-currency","valueCoding":{"code":"` + currency + `"}}],"system":"http://hl7.org/fhir/sid/us-mbi","value":` + mbi + `}}`
	}
	got := string(MBIExtensions(domain.Identifiers{Current: "1S00E00DP42", Historic: []domain.MBI{`a"b`, "1S00E00DP41"}}))
	if want := one(`"1S00E00DP42"`, "current") + "," + one(`"a\"b"`, "historic") + "," + one(`"1S00E00DP41"`, "historic"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := MBIExtensions(domain.Identifiers{}); len(got) != 0 {
		t.Errorf("no MBI: %s", got)
	}
	if got := string(MBIExtensions(domain.Identifiers{Historic: []domain.MBI{"1S00E00DP41"}})); got != one(`"1S00E00DP41"`, "historic") {
		t.Errorf("a historic one only: %s", got)
	}
}

func TestTrimAppendsAndLetsGo(t *testing.T) {
	trimmer := NewTrimmer(domain.R4)
	raw := []byte(claimWith(`"status":"active"`))
	first, _, err := trimmer.Trim([]byte("before"), raw, nil)
	if err != nil || string(first) != "before"+strings.TrimSuffix(string(raw), "}")+","+r4Tag+"}" {
		t.Fatalf("%s, %v", first, err)
	}
	if out, f, err := trimmer.Trim([]byte("before"), raw[:20], nil); err == nil || string(out) != "before" || f.ID != nil {
		t.Fatalf("after an error: %q, %+v, %v", out, f, err)
	}
	if second, _, err := trimmer.Trim([]byte("before"), raw, nil); err != nil || !bytes.Equal(first, second) {
		t.Fatalf("one claim leaves a trace in the next: %s, %v", second, err)
	}
	if trimmer.scan.raw != nil || trimmer.scan.out != nil || trimmer.scan.facts.ID != nil {
		t.Error("the trimmer holds on to a claim")
	}
}

// An error names a place and a reason, and nothing of what the claim says.
func TestErrorsHoldNoContent(t *testing.T) {
	const secret = "SECRET"
	for _, members := range []string{
		`"status":"` + secret + "\xff\"", `"` + secret + `\q":1`, `"billablePeriod":{"start":"` + secret + `"}`,
		`"meta":{"lastUpdated":"` + secret + `"}`, `"item":[{"sequence":` + secret + `}]`, `"status":"` + secret,
		`"type":{"coding":[{"system":"` + secret + `eob-type","code":"` + secret + `"},{"system":"eob-type","code":"x"}]}`,
	} {
		_, _, err := NewTrimmer(domain.R4).Trim(nil, []byte(claimWith(members)), nil)
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", members, err)
		}
	}
}

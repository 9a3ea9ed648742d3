package eob

import (
	"bytes"
	"embed"
	"encoding/csv"
	"strings"
)

// This file is the second net under 42 CFR Part 2: beside the claims that the
// source labels, those that carry a code of the lists in samhsa/ are restricted,
// wherever in the raw claim it stands and whether or not that would leave.
//
// A code counts in any object that names its system:
//
//   - the code is the text of a member code, value, valueCode or valueString, in
//     upper or lower case, for ICD-10 with or without the dot;
//   - the system is the text of a member system, or url as extensions have it.
//
// A code of ICD-10 under no system at all counts too, as the source itself would
// have it: nothing else that a claim calls a code is written like one.
//
// Such claims are rare, and a look at every object would cost more than all the
// rest. So the scanner only notes whether any string looks like a listed code
// (see heed), which costs it a comparison a string; only then is the claim gone
// over again for what surrounds it (see carriesListedCode).

//go:embed samhsa/*.csv
var samhsaFiles embed.FS

// codeKinds is what a code may be of, or a system may name.
type codeKinds uint8

const (
	icd10 codeKinds = 1 << iota
	drg
)

// codeLists are the listed codes in upper case, by their first eight bytes; all
// are shorter.
var codeLists = readCodeLists()

func readCodeLists() map[uint64]codeKinds {
	lists := map[uint64]codeKinds{}
	for _, code := range firstColumn("codes-icd-10-diagnosis.csv") {
		lists[keyOf(code)] = icd10
		lists[keyOf(strings.Replace(code, ".", "", 1))] = icd10
	}
	for _, code := range firstColumn("codes-icd-10-procedure.csv") {
		lists[keyOf(code)] = icd10
	}
	for _, code := range firstColumn("codes-drg.csv") {
		lists[keyOf(strings.TrimPrefix(code, "MS-DRG "))] = drg
	}
	return lists
}

// firstColumn returns the codes of one list, without its heading.
func firstColumn(file string) (codes []string) {
	text, err := samhsaFiles.Open("samhsa/" + file)
	if err != nil {
		panic(err) // it is embedded
	}
	r := csv.NewReader(text)
	r.TrimLeadingSpace = true
	rows, err := r.ReadAll()
	if err != nil {
		panic("eob: the embedded list " + file + " is wrong: " + err.Error())
	}
	for _, row := range rows[1:] {
		codes = append(codes, strings.TrimSpace(row[0])) // one of them ends in a space
	}
	return codes
}

// longestCode is more than the length of any listed code.
const longestCode = 8

// kindsOfCode returns the lists that have the code.
func kindsOfCode(code []byte) codeKinds {
	if len(code) >= longestCode {
		return 0
	}
	var key uint64
	for i, c := range code {
		key |= uint64(upper(c)) << (8 * i)
	}
	return codeLists[key]
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - ('a' - 'A')
	}
	return c
}

// kindsOfSystem returns what the systems of codes are of that a text names. The
// source has written ICD-10 in several ways (http://hl7.org/fhir/sid/icd-10,
// .../icd-10-cm, http://www.cms.gov/Medicare/Coding/ICD10), for diagnoses and
// procedures alike, and may name a code's system by the variable that it stands
// in. What it calls an unknown version of ICD is held to be this one, for safety.
func kindsOfSystem(system []byte) (kinds codeKinds) {
	folded := make([]byte, len(system))
	for i, c := range system {
		folded[i] = upper(c)
	}
	for _, name := range [...]string{"ICD-10", "ICD10", "UNKNOWN-ICD-VERSION", "DGNS_CD", "PRCDR_CD"} {
		if bytes.Contains(folded, []byte(name)) {
			kinds |= icd10
		}
	}
	for _, name := range [...]string{"CLM_DRG_CD", "MS-DRG"} {
		if bytes.Contains(folded, []byte(name)) {
			kinds |= drg
		}
	}
	return kinds
}

// The members that hold codes, and those that name systems.
func holdsCode(name string) bool {
	return name == "code" || name == "value" || name == "valueCode" || name == "valueString"
}

func namesSystem(name string) bool { return name == "system" || name == "url" }

// secondOfCode tells the bytes that listed codes have second. It is what sets them
// apart from the names of members and from words.
var secondOfCode = [256]bool{'1': true, '5': true, '7': true, '9': true, 'Z': true, 'z': true}

// heed notes whether the text raw[start:end], free of escapes, is a listed code.
func (s *scanner) heed(start, end int) {
	if end-start > 1 && secondOfCode[s.raw[start+1]] {
		s.compare(start, end)
	}
}

func (s *scanner) compare(start, end int) {
	if kindsOfCode(s.raw[start:end]) != 0 {
		s.suspect = true
	}
}

// heedEscapes notes whether the text that begins with the eight bytes x may be a
// listed code with an escape in it. The escape would begin in them.
func (s *scanner) heedEscapes(x uint64) {
	if hasBackslash(x) {
		s.suspect = true
	}
}

// hasBackslash reports whether one of the bytes of x is a backslash.
func hasBackslash(x uint64) bool {
	b := x ^ ones*'\\'
	return (b-ones)&^b&highs != 0
}

// heedEnd is heed for a string that begins in the last bytes of a claim.
func (s *scanner) heedEnd(i int) {
	if n := bytes.IndexByte(s.raw[i:], '"'); n >= 0 {
		s.heed(i, i+n)
	}
	if bytes.IndexByte(s.raw[i:], '\\') >= 0 {
		s.suspect = true
	}
}

// surroundings is what carriesListedCode has seen of an object or list.
type surroundings struct {
	name    string    // of the member at hand; empty when there is none
	named   bool      // a system is named
	systems codeKinds // that are named
	codes   codeKinds // that are held
	bare    bool      // a member code is of ICD-10, which needs no system
}

func (o *surroundings) value(text []byte) {
	switch {
	case namesSystem(o.name):
		o.named = true
		o.systems |= kindsOfSystem(text)
	case holdsCode(o.name):
		kinds := kindsOfCode(text)
		o.codes |= kinds
		o.bare = o.bare || o.name == "code" && kinds&icd10 != 0
	}
}

func (o *surroundings) carryListedCode() bool {
	return o.codes&o.systems != 0 || o.bare && !o.named
}

// carriesListedCode reports whether an object of raw carries a listed code. The
// brackets of raw must match. What is dropped of a claim may be no JSON beyond
// that, so it goes by this: a text with a colon after it is a name, and the next
// thing after the colon is its value.
func carriesListedCode(raw []byte) bool {
	nest := make([]surroundings, 1, 16)
	for i := 0; i < len(raw); {
		in := &nest[len(nest)-1]
		switch raw[i] {
		case '"':
			end := endOfString(raw, i)
			text := unescaped(raw[i+1 : end-1])
			if i = afterSpace(raw, end); i < len(raw) && raw[i] == ':' {
				in.name, end = string(text), i+1
			} else {
				in.value(text)
				in.name = ""
			}
			i = afterSpace(raw, end)
			continue
		case '{', '[':
			in.name = ""
			nest = append(nest, surroundings{})
		case '}', ']':
			if in.carryListedCode() {
				return true
			}
			nest = nest[:len(nest)-1]
		default:
			in.name = ""
		}
		i = afterSpace(raw, i+1)
	}
	return false
}

// endOfString returns where the string at raw[i] ends, which does.
func endOfString(raw []byte, i int) int {
	for i++; raw[i] != '"'; i++ {
		if raw[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// unescaped returns the text of a string as far as ASCII goes: any other
// character stands for itself or is one byte that is not ASCII. It is empty for
// what is no legal string.
func unescaped(literal []byte) []byte {
	text := make([]byte, 0, len(literal))
	for i := 0; i < len(literal); i++ {
		c := literal[i]
		switch {
		case c < 0x20:
			return []byte{}
		case c != '\\':
			text = append(text, c)
			continue
		}
		if i++; i == len(literal) {
			return []byte{}
		}
		switch at := strings.IndexByte(`"\/bfnrt`, literal[i]); {
		case at >= 0:
			text = append(text, "\"\\/\b\f\n\r\t"[at])
		case literal[i] == 'u' && hex4(literal, i+1) >= 0:
			text = append(text, byte(min(hex4(literal, i+1), 0xFF)))
			i += 4
		default:
			return []byte{}
		}
	}
	return text
}

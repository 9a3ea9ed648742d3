package eob

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"cms.gov/ab2d/domain"
)

// scanner is the fast way through a claim. It goes over the bytes once, copies
// what the trie lists and skips the rest. Its methods return the index after
// what they read, or failed. They do not say why: where the scanner fails, the
// strict way reads the claim again and gives the verdict.
//
// What its profile taught: the time goes by strings, not by bytes. A third is
// spent on skipping what is dropped, a third on the names of members in kept
// objects, and copying (one append a member) is next to nothing. So strings are
// looked through eight bytes at a time, a name is looked up by its first eight
// bytes in one comparison, conditional elements are dropped unread where they
// cannot qualify (a tenth faster), and a short string
// in a dropped value is skipped without a call, as a name without a look at it.
type scanner struct {
	raw  []byte
	out  []byte
	mbis []byte
	tag  string

	// unsure is set when the claim may well be readable but holds something that
	// only the strict way understands, as an escape in a member's name.
	unsure bool

	codes   bool // the lists of codes restrict too, and
	suspect bool // a string has been seen that may be such a code

	facts      Facts
	isClaim    bool        // resourceType has been read and is right
	start, end domain.Date // of the billable period
	typeNamed  bool        // the coding at hand is of the claim's type, and
	typeCode   []byte      // this is its code
	kind       []byte      // the code that an earlier coding gave the claim

	met               bool // the leaf that a conditional element hangs on has been read
	wroteMBIs, tagged bool

	targets  []target // the contained resources that may leave
	used     uint64   // those of them that something kept refers to, one bit each
	referred bool     // something referred to one
}

// target is a contained resource that leaves when something refers to it.
type target struct {
	id []byte

	start int // of its first member, and
	rules *node

	kind  string // for the strict way, its resourceType
	place span
}

const failed = -1

// claim scans the claim at the start of raw and returns where it ends, or failed.
func (s *scanner) claim(root *node) int {
	i := afterSpace(s.raw, 0)
	if i >= len(s.raw) || s.raw[i] != '{' {
		return failed
	}
	if i = s.object(i+1, root, 1); i < 0 {
		return failed
	}
	if !s.isClaim || len(s.facts.ID) == 0 {
		return failed
	}
	if s.start != 0 && s.end != 0 {
		s.facts.Period = domain.Period{Start: s.start, End: s.end}
	}
	if s.codes && s.suspect && !s.facts.Restricted {
		s.facts.Restricted = carriesListedCode(s.raw[:i])
	}
	if !s.finish() {
		return failed
	}
	return i
}

// finish writes what stands at the end of a claim: the contained resources that
// turned out to be referred to, and what we add where the source had no place for it.
func (s *scanner) finish() bool {
	s.out = s.out[:len(s.out)-1] // the brace
	if s.used != 0 {
		s.out = append(s.out, `,"contained":[`...)
		for n, t := range s.targets {
			if s.used&(1<<n) == 0 {
				continue
			}
			if s.out[len(s.out)-1] != '[' {
				s.out = append(s.out, ',')
			}
			if s.object(t.start, t.rules, 3) < 0 {
				return false
			}
		}
		s.out = append(s.out, ']')
	}
	s.out = appendAdditions(s.out, s.tag, s.mbis, !s.wroteMBIs, !s.tagged)
	s.out = append(s.out, '}')
	return true
}

// object reads the object whose brace is before raw[i] and writes what n lists
// of it, or nothing when that comes to nothing.
func (s *scanner) object(i int, n *node, depth int) int {
	raw := s.raw
	start := len(s.out)
	s.out = append(s.out, '{')
	var seen uint64
	worth := false
	if i = afterSpace(raw, i); i < len(raw) && raw[i] == '}' {
		return s.closeObject(i, n, start, worth)
	}
	for {
		nameStart := i + 1
		nameEnd, key := s.name(i)
		if nameEnd < 0 {
			return failed
		}
		if i = nameEnd + 1; i >= len(raw) || raw[i] != ':' {
			if i = afterSpace(raw, i); i >= len(raw) || raw[i] != ':' {
				return failed
			}
		}
		if i++; i < len(raw) && raw[i] <= ' ' {
			i = afterSpace(raw, i)
		}
		if i >= len(raw) {
			return failed
		}
		if k := n.lookup(raw, nameStart, nameEnd, key); k == nil {
			i = s.endOfDropped(i, depth)
		} else {
			if seen&k.bit != 0 {
				return failed
			}
			seen |= k.bit
			before := len(s.out)
			i = s.member(nameStart, nameEnd, i, k, depth)
			worth = worth || len(s.out) > before && k.role != isSelector
		}
		if i < 0 {
			return failed
		}
		if i < len(raw) && raw[i] <= ' ' {
			i = afterSpace(raw, i)
		}
		if i >= len(raw) {
			return failed
		}
		if raw[i] == ',' {
			if i++; i < len(raw) && raw[i] <= ' ' {
				i = afterSpace(raw, i)
			}
			continue
		}
		if raw[i] != '}' {
			return failed
		}
		return s.closeObject(i, n, start, worth)
	}
}

func (s *scanner) closeObject(i int, n *node, start int, worth bool) int {
	if n.end == addTag {
		s.comma()
		s.out = append(s.out, s.tag...)
		s.tagged, worth = true, true
	}
	if n.end == judgeType && !s.judgeType() { // also where the coding itself stays
		return failed
	}
	if !worth {
		s.out = s.out[:start]
		return i + 1
	}
	s.out = append(s.out, '}')
	return i + 1
}

// name reads the member name at raw[i] and returns where its closing quote is
// and its first eight bytes.
func (s *scanner) name(i int) (end int, key uint64) {
	raw := s.raw
	if i >= len(raw) || raw[i] != '"' {
		return failed, 0
	}
	i++
	if i+8 > len(raw) {
		return s.nameAtEnd(i)
	}
	key = binary.LittleEndian.Uint64(raw[i:])
	if m := unusual(key); m != 0 {
		length := bits.TrailingZeros64(m) / 8
		if raw[i+length] != '"' {
			return s.oddName(i)
		}
		return i + length, key & (1<<(8*length) - 1)
	}
	end, isPlain := endOfText(raw, i+8)
	if !isPlain {
		return s.oddName(i)
	}
	return end, key
}

// nameAtEnd is name for the last bytes of a claim.
func (s *scanner) nameAtEnd(i int) (end int, key uint64) {
	end, isPlain := endOfText(s.raw, i)
	if !isPlain {
		return s.oddName(i)
	}
	return end, keyOf(string(s.raw[i:end]))
}

// oddName leaves a name that is not plain ASCII to the strict way, if it is a
// legal string at all.
func (s *scanner) oddName(i int) (end int, key uint64) {
	end, _ = endOfText(s.raw, i)
	s.unsure = s.unsure || end >= 0
	return failed, 0
}

// member writes the listed member whose value is at raw[i], or nothing.
func (s *scanner) member(nameStart, nameEnd, i int, k *node, depth int) int {
	before := len(s.out)
	if k.leaf && !k.list {
		end, keep := s.leaf(i, k)
		if end < 0 || !keep {
			return end
		}
		s.comma()
		if i == nameEnd+2 { // nothing between the name, the colon and the value
			s.out = append(s.out, s.raw[nameStart-1:end]...)
			return end
		}
		s.writeName(nameStart, nameEnd)
		s.out = append(s.out, s.raw[i:end]...)
		return end
	}
	if s.raw[i] == 'n' {
		return endOfWord(s.raw, i, "null")
	}
	s.comma()
	s.writeName(nameStart, nameEnd)
	named := len(s.out)
	if k.list {
		i = s.array(i, k, depth+1)
	} else {
		i = s.nested(i, k, depth+1)
	}
	if len(s.out) == named {
		s.out = s.out[:before]
	}
	return i
}

func (s *scanner) comma() {
	if s.out[len(s.out)-1] != '{' {
		s.out = append(s.out, ',')
	}
}

func (s *scanner) writeName(start, end int) {
	s.out = append(s.out, s.raw[start-1:end+1]...)
	s.out = append(s.out, ':')
}

// nested reads the object at raw[i], by the case that fits where there are several.
func (s *scanner) nested(i int, n *node, depth int) int {
	if s.raw[i] != '{' {
		return failed
	}
	if n.selector != "" {
		chosen, at := s.choose(i+1, n, depth)
		if at < 0 {
			return failed
		}
		if chosen == nil {
			return s.endOfNest(at, depth, '{')
		}
		return s.object(i+1, chosen, depth)
	}
	if !n.conditional {
		return s.object(i+1, n, depth)
	}
	end := s.endOfNest(i+1, depth, '{')
	if end < 0 || cannotMeet(s.raw[i:end], n.equals) {
		return end
	}
	before := len(s.out)
	s.met = false
	i = s.object(i+1, n, depth)
	if !s.met {
		s.out = s.out[:before]
	}
	return i
}

// cannotMeet reports that a conditional element has the text nowhere that it
// hangs on. It is then dropped unread: of an R4 claim's supporting information,
// which is a fifth of its bytes, hardly one entry in twenty leaves.
func cannotMeet(element []byte, text []byte) bool {
	return bytes.IndexByte(element, '\\') < 0 && !bytes.Contains(element, text)
}

// choose looks for the member that selects among the cases of n, in the object
// whose brace is before raw[i]. BFD writes it first, so that this is no second pass.
// Where it finds it, or that there is none, it returns a place inside the object.
func (s *scanner) choose(i int, n *node, depth int) (chosen *node, at int) {
	raw := s.raw
	if i = afterSpace(raw, i); i < len(raw) && raw[i] == '}' {
		return nil, i
	}
	for {
		nameStart := i + 1
		nameEnd, _ := s.name(i)
		if nameEnd < 0 {
			return nil, failed
		}
		if i = s.colon(nameEnd + 1); i < 0 {
			return nil, failed
		}
		if string(raw[nameStart:nameEnd]) == n.selector {
			if raw[i] != '"' {
				return nil, i
			}
			end, isPlain := endOfText(raw, i+1)
			if !isPlain {
				s.unsure = true
				return nil, failed
			}
			return n.cases[string(raw[i+1:end])], end + 1
		}
		if i = s.endOfDropped(i, depth); i < 0 {
			return nil, failed
		}
		if i = afterSpace(raw, i); i >= len(raw) {
			return nil, failed
		}
		if raw[i] == '}' {
			return nil, i
		}
		if raw[i] != ',' {
			return nil, failed
		}
		i = afterSpace(raw, i+1)
	}
}

// colon returns where the value begins that follows a name.
func (s *scanner) colon(i int) int {
	if i = afterSpace(s.raw, i); i >= len(s.raw) || s.raw[i] != ':' {
		return failed
	}
	if i = afterSpace(s.raw, i+1); i >= len(s.raw) {
		return failed
	}
	return i
}

// array reads the list at raw[i] and writes those of its elements that leave,
// or nothing when there are none.
func (s *scanner) array(i int, n *node, depth int) int {
	raw := s.raw
	if raw[i] != '[' {
		return failed
	}
	start := len(s.out)
	s.out = append(s.out, '[')
	i = afterSpace(raw, i+1)
	for i >= len(raw) || raw[i] != ']' {
		if i >= len(raw) {
			return failed
		}
		if i = s.element(i, n, depth); i < 0 {
			return failed
		}
		if i < len(raw) && raw[i] <= ' ' {
			i = afterSpace(raw, i)
		}
		if i >= len(raw) {
			return failed
		}
		if raw[i] == ']' {
			break
		}
		if raw[i] != ',' {
			return failed
		}
		if i = afterSpace(raw, i+1); i < len(raw) && raw[i] == ']' {
			return failed
		}
	}
	if n.end == addMBIs {
		s.wroteMBIs = true
		if len(s.mbis) > 0 {
			s.nextElement()
			s.out = append(s.out, s.mbis...)
		}
	}
	if s.out[len(s.out)-1] == '[' {
		s.out = s.out[:start]
	} else {
		s.out = append(s.out, ']')
	}
	return i + 1
}

func (s *scanner) nextElement() {
	if s.out[len(s.out)-1] != '[' {
		s.out = append(s.out, ',')
	}
}

func (s *scanner) element(i int, n *node, depth int) int {
	before := len(s.out)
	switch {
	case s.raw[i] == 'n':
		return endOfWord(s.raw, i, "null")
	case n.end == noteTarget:
		return s.noteTarget(i, n, depth+1)
	case n.leaf:
		end, keep := s.leaf(i, n)
		if end >= 0 && keep {
			s.nextElement()
			s.out = append(s.out, s.raw[i:end]...)
		}
		return end
	}
	s.nextElement()
	opened := len(s.out)
	i = s.nested(i, n, depth+1)
	if len(s.out) == opened {
		s.out = s.out[:before]
	}
	return i
}

// leaf validates the string, number or word at raw[i] and reads from it what is
// decided by. It reports whether the leaf leaves; the caller copies it.
func (s *scanner) leaf(i int, n *node) (end int, keep bool) {
	raw := s.raw
	if raw[i] == '"' {
		end, isPlain := endOfText(raw, i+1)
		if end < 0 {
			return failed, false
		}
		if n.holdsCode {
			if s.heed(i+1, end); !isPlain { // hardly any code has escapes in it that does not hide something
				s.suspect = true
			}
		}
		if n.role != plain {
			if !isPlain && n.role != isSelector {
				s.unsure = true
				return failed, false
			}
			return s.decide(i+1, end, n)
		}
		return end + 1, true
	}
	if end = endOfBare(raw, i); end < 0 {
		return failed, false
	}
	if raw[i] == 'n' {
		return end, false
	}
	if n.role != plain { // what is decided by is always a string
		return failed, false
	}
	return end, true
}

// decide takes the text raw[start:end], free of escapes, for what its place says.
func (s *scanner) decide(start, end int, n *node) (next int, keep bool) {
	text, ok := s.raw[start:end], true
	switch n.role {
	case isResourceType:
		s.isClaim = string(text) == "ExplanationOfBenefit"
		ok = s.isClaim
	case isID:
		s.facts.ID = text
	case isLastUpdated:
		s.facts.LastUpdated, ok = parseInstant(text)
	case isSecurityCode:
		s.facts.Restricted = s.facts.Restricted || isRestricted(text)
	case isTypeSystem:
		s.typeNamed = isTypeSystemText(text)
	case isTypeCode:
		s.typeCode = text
	case isPeriodStart:
		s.start, ok = parseDay(text)
	case isPeriodEnd:
		s.end, ok = parseDay(text)
	case isPatient:
		s.facts.Patient = patientID(text)
		return end + 1, s.refer(text)
	case isReference:
		return end + 1, s.refer(text)
	case isCondition:
		s.met = s.met || bytes.Equal(text, n.equals)
	case isStatus:
		s.facts.Status = statusOf(text)
	}
	if !ok {
		return failed, false
	}
	return end + 1, !n.silent
}

// refer reports whether a reference may leave: always when it points outside the
// claim, and else when the contained resource that it points to leaves too.
func (s *scanner) refer(text []byte) bool {
	if len(text) == 0 || text[0] != '#' {
		return true
	}
	s.referred = true
	for n, t := range s.targets {
		if string(t.id) == string(text[1:]) {
			s.used |= 1 << n
			return true
		}
	}
	return false
}

// noteTarget remembers the contained resource at raw[i], whose fate is known
// only at the end of the claim.
func (s *scanner) noteTarget(i int, n *node, depth int) int {
	raw := s.raw
	if raw[i] != '{' {
		return failed
	}
	if s.referred || len(s.targets) == 64 { // referred to before it came
		s.unsure = true
		return failed
	}
	t := target{start: i + 1}
	kind, end := s.textOf(i+1, selectorOfRes, depth)
	if end < 0 {
		return failed
	}
	if t.id, end = s.textOf(i+1, "id", depth); end < 0 {
		return failed
	}
	if t.rules = n.cases[string(kind)]; t.rules != nil && len(t.id) > 0 {
		for _, other := range s.targets {
			if string(other.id) == string(t.id) {
				return failed
			}
		}
		s.targets = append(s.targets, t)
	}
	return end
}

// textOf returns the text of the first member of that name, nil when it has
// none, and where the object ends whose first member is at raw[i].
func (s *scanner) textOf(i int, name string, depth int) (text []byte, end int) {
	raw := s.raw
	found := false
	if i = afterSpace(raw, i); i < len(raw) && raw[i] == '}' {
		return nil, i + 1
	}
	for {
		nameStart := i + 1
		nameEnd, _ := s.name(i)
		if nameEnd < 0 {
			return nil, failed
		}
		if i = s.colon(nameEnd + 1); i < 0 {
			return nil, failed
		}
		if !found && string(raw[nameStart:nameEnd]) == name {
			found = true
			if raw[i] == '"' {
				end, isPlain := endOfText(raw, i+1)
				if !isPlain {
					s.unsure = true
					return nil, failed
				}
				text = raw[i+1 : end]
			}
		}
		if i = s.endOfDropped(i, depth); i < 0 {
			return nil, failed
		}
		if i = afterSpace(raw, i); i >= len(raw) {
			return nil, failed
		}
		if raw[i] == '}' {
			return text, i + 1
		}
		if raw[i] != ',' {
			return nil, failed
		}
		i = afterSpace(raw, i+1)
	}
}

// judgeType takes the coding of the claim's type that has just ended. Two that
// contradict each other leave nothing to decide by.
func (s *scanner) judgeType() bool {
	named, code := s.typeNamed, s.typeCode
	s.typeNamed, s.typeCode = false, nil
	if !named || code == nil {
		return true
	}
	if s.kind != nil && string(s.kind) != string(code) {
		return false
	}
	s.kind, s.facts.Type = code, typeOf(code)
	return true
}

// reset makes the scanner ready for another claim, and forgets the last one.
func (s *scanner) reset(raw, out, mbis []byte, tag string, codes bool) {
	clear(s.targets)
	*s = scanner{raw: raw, out: out, mbis: mbis, tag: tag, codes: codes, targets: s.targets[:0]}
}

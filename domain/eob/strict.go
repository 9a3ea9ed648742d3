package eob

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"cms.gov/ab2d/domain"
)

// This file is the strict way through a claim: the same rule as the scanner's,
// written to be read and not to be fast. It looks members up by their whole
// path in the listed rules, leans on encoding/json for what a string or number
// is, and goes over a nested value as often as it likes. It takes over for what
// the scanner does not accept, and is what the scanner is tested against.

// listedSets are the rules by path. A condition that chooses among extensions or
// contained resources is part of the path, as in
// extension[http://example.org/url].valueCoding.code.
type listedSets struct {
	leaf    map[string]bool
	object  map[string]bool
	list    map[string]bool
	decides map[string]bool   // leaves that are read and not copied
	hangs   map[string]string // by element: the leaf in it that it hangs on
	needs   map[string]string // by such a leaf: the text that it must be
}

func newListedSets(rules []Rule) *listedSets {
	l := &listedSets{
		leaf: map[string]bool{}, object: map[string]bool{}, list: map[string]bool{},
		decides: map[string]bool{}, hangs: map[string]string{}, needs: map[string]string{},
	}
	for _, r := range rules {
		path := r.Path
		if url, ok := strings.CutPrefix(r.Condition, whenURL); ok {
			at := strings.LastIndex(path, "extension[]") + len("extension[")
			path = path[:at] + url + path[at:]
		} else if kind, ok := strings.CutPrefix(r.Condition, whenResource); ok {
			path = strings.Replace(path, "contained[]", "contained["+kind+"]", 1)
		} else if r.Condition == onlyDecides {
			l.decides[path] = true
		} else if r.Condition != "" {
			element, _, _ := strings.Cut(path, ".")
			where, text, _ := strings.Cut(r.Condition, " = ")
			l.hangs[element] = element + "." + where
			l.needs[element+"."+where] = text
		}
		l.leaf[path] = true
		l.addAround(path)
	}
	return l
}

// addAround lists what a place lies in: for a list's element the list, for a
// member the object. The brackets may hold a url, with dots in it.
func (l *listedSets) addAround(path string) {
	if strings.HasSuffix(path, "]") {
		list := path[:strings.LastIndexByte(path, '[')]
		l.list[list] = true
		l.addAround(list)
	} else if dot := strings.LastIndexByte(path, '.'); dot >= 0 {
		l.object[path[:dot]] = true
		l.addAround(path[:dot])
	}
}

type strict struct {
	raw     []byte
	rules   *compiled
	mbis    []byte
	codes   bool // the lists of codes restrict too
	facts   Facts
	met     bool            // the leaf that an element needs has been read
	targets []target        // contained resources that may leave
	used    map[string]bool // the ids of those that something kept refers to
}

// span is the place of one value in raw, without white space around it.
type span struct{ start, end int }

// member is one member of an object; its name is decoded.
type member struct {
	name  string
	at    int
	value span
}

// unreadable stops the strict way wherever it is.
func unreadable(offset int, reason string) { panic(&UnreadableError{offset, reason}) }

// trimStrictly is Trim by the strict way.
func trimStrictly(rules *compiled, dst, raw, mbis []byte, codes bool) (out []byte, f Facts, err error) {
	defer func() {
		if e := recover(); e != nil {
			wrong, ok := e.(*UnreadableError)
			if !ok {
				panic(e)
			}
			out, f, err = dst, Facts{}, wrong
		}
	}()
	s := &strict{raw: raw, rules: rules, mbis: mbis, codes: codes, used: map[string]bool{}}
	return append(dst, s.claim()...), s.facts, nil
}

func (s *strict) claim() string {
	members := s.whole()
	s.noteTargets(members)
	s.decide(members)
	return s.write(members)
}

// whole returns the members of the one object that raw is.
func (s *strict) whole() []member {
	start := s.space(0)
	if s.byteAt(start) != '{' {
		unreadable(start, "it is not a JSON object")
	}
	whole := span{start, s.skip(start, 0)}
	if rest := s.space(whole.end); rest != len(s.raw) {
		unreadable(rest, "something follows its end")
	}
	return s.members(whole)
}

// write puts the claim together: its own members as they come, then the
// contained resources, then what is added where the source had no place for it.
func (s *strict) write(members []member) string {
	s.refuseDoubles("", members)
	var parts []string
	has := map[string]bool{} // a place for what we add
	for _, m := range members {
		listed := s.rules.listed.list[m.name] || s.rules.listed.object[m.name]
		has[m.name] = has[m.name] || listed && !s.isNull(m.value)
		if v := s.value(m.name, m.value); v != "" {
			parts = append(parts, `"`+m.name+`":`+v)
		}
	}
	if contained := s.contained(); contained != "" {
		parts = append(parts, contained)
	}
	out := []byte("{" + strings.Join(parts, ","))
	return string(appendAdditions(out, s.rules.tag, s.mbis, !has["extension"], !has["meta"])) + "}"
}

// value returns what leaves of the value at path, "" for nothing.
func (s *strict) value(path string, v span) string {
	l := s.rules.listed
	switch {
	case path == "contained": // at the end
	case l.leaf[path]:
		return s.leaf(path, v)
	case s.isNull(v):
	case l.list[path]:
		return s.list(path, v)
	case l.object[path]:
		return s.object(path, v)
	}
	return ""
}

// list returns what leaves of a list. The MBIs join the claim's own extensions.
func (s *strict) list(path string, v span) string {
	var parts []string
	for _, e := range s.elements(v) {
		if s.isNull(e) {
			continue
		}
		if part := s.element(path, e); part != "" {
			parts = append(parts, part)
		}
	}
	if path == "extension" && len(s.mbis) > 0 {
		parts = append(parts, string(s.mbis))
	}
	if len(parts) == 0 {
		return ""
	}
	return "[" + strings.Join(parts, ",") + "]"
}

func (s *strict) element(path string, e span) string {
	if path == "extension" || strings.HasSuffix(path, ".extension") {
		url, ok := s.firstText(e, selectorOfExt)
		if path += "[" + url + "]"; !ok || !s.rules.listed.object[path] {
			return ""
		}
		return s.object(path, e)
	}
	path += "[]"
	if s.rules.listed.leaf[path] {
		return s.leaf(path, e)
	}
	hangs, conditional := s.rules.listed.hangs[path]
	if !conditional {
		return s.object(path, e)
	}
	text := s.rules.listed.needs[hangs]
	if s.byteAt(e.start) == '{' && cannotMeet(s.raw[e.start:e.end], []byte(text)) {
		return ""
	}
	s.met = false
	part := s.object(path, e)
	if !s.met {
		return ""
	}
	return part
}

// object returns what leaves of an object. A url or resourceType by which it was
// chosen says nothing alone. meta gets our tag.
func (s *strict) object(path string, v span) string {
	members := s.members(v)
	s.refuseDoubles(path+".", members)
	var parts []string
	worth := false
	for _, m := range members {
		if part := s.value(path+"."+m.name, m.value); part != "" {
			parts = append(parts, `"`+m.name+`":`+part)
			worth = worth || !s.isSelector(path, m.name)
		}
	}
	if path == "meta" {
		parts, worth = append(parts, s.rules.tag), true
	}
	if !worth {
		return ""
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// leaf returns a string, number or boolean as the source writes it, when it leaves.
func (s *strict) leaf(path string, v span) string {
	literal := s.raw[v.start:v.end]
	if s.isNull(v) {
		return ""
	}
	if c := literal[0]; c == '{' || c == '[' || !json.Valid(literal) {
		unreadable(v.start, "a value is not of the form that it must have")
	}
	text, isText := "", false
	if literal[0] == '"' {
		text, isText = s.decode(v), true
	} else if s.decides(path) {
		unreadable(v.start, "a value that is decided by is not a string")
	}
	if strings.HasSuffix(path, ".reference") && isText && !s.mayRefer(text) {
		return ""
	}
	if need, ok := s.rules.listed.needs[path]; ok && need == text {
		s.met = true
	}
	if s.rules.listed.decides[path] {
		return ""
	}
	return string(literal)
}

// decides reports whether the leaf is one that something is decided by.
func (s *strict) decides(path string) bool {
	return s.rules.roleOf(path) != plain || s.rules.listed.needs[path] != "" || strings.HasSuffix(path, ".reference")
}

// mayRefer reports whether a reference may leave, which one to a contained
// resource may when that leaves too.
func (s *strict) mayRefer(reference string) bool {
	id, inside := strings.CutPrefix(reference, "#")
	if !inside {
		return true
	}
	for _, t := range s.targets {
		if string(t.id) == id {
			s.used[id] = true
			return true
		}
	}
	return false
}

// noteTargets finds the contained resources that leave when they are referred to.
func (s *strict) noteTargets(members []member) {
	v, ok := find(members, "contained")
	if !ok || s.isNull(v) {
		return
	}
	for _, e := range s.elements(v) {
		if s.isNull(e) {
			continue
		}
		s.members(e)
		kind, _ := s.firstText(e, selectorOfRes)
		id, _ := s.firstText(e, "id")
		if id == "" || !s.rules.listed.object["contained["+kind+"]"] {
			continue
		}
		if slices.ContainsFunc(s.targets, func(t target) bool { return string(t.id) == id }) {
			unreadable(e.start, "two contained resources have one id")
		}
		s.targets = append(s.targets, target{id: []byte(id), kind: kind, place: e})
	}
}

// contained returns the member with the contained resources that are referred to.
func (s *strict) contained() string {
	var parts []string
	for _, t := range s.targets {
		if s.used[string(t.id)] {
			parts = append(parts, s.object("contained["+t.kind+"]", t.place))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return `"contained":[` + strings.Join(parts, ",") + `]`
}

// decide takes the facts from the claim's members.
func (s *strict) decide(members []member) {
	if kind, at := s.textAt(members, "resourceType"); string(kind) != "ExplanationOfBenefit" {
		unreadable(at, "its resourceType is not ExplanationOfBenefit")
	}
	at := 0
	if s.facts.ID, at = s.textAt(members, "id"); len(s.facts.ID) == 0 {
		unreadable(at, "it has no id")
	}
	s.decideType(s.inside(members, "type"))
	s.decidePeriod(s.inside(members, "billablePeriod"))
	if reference, _ := s.textAt(s.inside(members, "patient"), "reference"); reference != nil {
		s.facts.Patient = patientID(reference)
	}
	if s.rules.byStatus {
		status, _ := s.textAt(members, "status")
		s.facts.Status = statusOf(status)
	}
	meta := s.inside(members, "meta")
	s.facts.LastUpdated = s.lastUpdated(meta)
	for _, label := range s.each(meta, "security") {
		if code, _ := s.textAt(label, "code"); code != nil && isRestricted(code) {
			s.facts.Restricted = true
		}
	}
	if s.codes && s.carriesListedCode() {
		s.facts.Restricted = true
	}
}

// lastUpdated returns the instant in meta, zero for none.
func (s *strict) lastUpdated(meta []member) (t time.Time) {
	if updated, at := s.textAt(meta, "lastUpdated"); updated != nil {
		var ok bool
		if t, ok = parseInstant(updated); !ok {
			unreadable(at, "meta.lastUpdated is not an instant")
		}
	}
	return t
}

// token is a string, decoded, or one byte that JSON has a meaning for.
type token struct {
	kind byte // of a string the quote, of anything else without a meaning 0
	text string
}

// tokens takes raw apart. What is no legal string is an empty one.
func (s *strict) tokens() (all []token) {
	for i := s.space(0); i < len(s.raw); i = s.space(i) {
		t := token{kind: s.raw[i]}
		switch {
		case t.kind == '"':
			end := s.skipText(i)
			if json.Unmarshal(s.raw[i:end], &t.text) != nil {
				t.text = ""
			}
			i = end - 1
		case strings.IndexByte("{}[]:", t.kind) < 0:
			t.kind = 0
		}
		all = append(all, t)
		i++
	}
	return all
}

// carriesListedCode reports whether an object anywhere in raw does: see samhsa.go,
// which goes about it another way. Each object's members are gathered, and each
// code is held against each system.
func (s *strict) carriesListedCode() bool {
	nest := []map[string][]string{{}}
	tokens := s.tokens()
	for i, t := range tokens {
		switch t.kind {
		case '{', '[':
			nest = append(nest, map[string][]string{})
		case '}', ']':
			if isListed(nest[len(nest)-1]) {
				return true
			}
			nest = nest[:len(nest)-1]
		case '"':
			isName := i+1 < len(tokens) && tokens[i+1].kind == ':'
			if !isName && i >= 2 && tokens[i-1].kind == ':' && tokens[i-2].kind == '"' {
				o, name := nest[len(nest)-1], tokens[i-2].text
				o[name] = append(o[name], t.text)
			}
		}
	}
	return false
}

// isListed reports whether the texts of an object's members have a listed code.
func isListed(texts map[string][]string) bool {
	systems := slices.Concat(texts["system"], texts["url"])
	for _, name := range []string{"code", "value", "valueCode", "valueString"} {
		for _, code := range texts[name] {
			kinds := kindsOfCode([]byte(code))
			if name == "code" && len(systems) == 0 && kinds&icd10 != 0 {
				return true
			}
			for _, system := range systems {
				if kinds&kindsOfSystem([]byte(system)) != 0 {
					return true
				}
			}
		}
	}
	return false
}

func (s *strict) decideType(concept []member) {
	var kind []byte
	for _, coding := range s.each(concept, "coding") {
		system, _ := s.textAt(coding, "system")
		code, at := s.textAt(coding, "code")
		if system == nil || code == nil || !isTypeSystemText(system) {
			continue
		}
		if kind != nil && !bytes.Equal(kind, code) {
			unreadable(at, "it says that it is of two types")
		}
		kind = code
		s.facts.Type = typeOf(code)
	}
}

func (s *strict) decidePeriod(period []member) {
	var days [2]domain.Date
	for i, name := range [2]string{"start", "end"} {
		text, at := s.textAt(period, name)
		if text == nil {
			continue
		}
		var ok bool
		if days[i], ok = parseDay(text); !ok {
			unreadable(at, "billablePeriod."+name+" is not a day")
		}
	}
	if days[0] != 0 && days[1] != 0 {
		s.facts.Period = domain.Period{Start: days[0], End: days[1]}
	}
}

func find(members []member, name string) (span, bool) {
	for _, m := range members {
		if m.name == name {
			return m.value, true
		}
	}
	return span{}, false
}

// inside returns the members of the object that a member is, none when it is null.
func (s *strict) inside(members []member, name string) []member {
	v, ok := find(members, name)
	if !ok || s.isNull(v) {
		return nil
	}
	return s.members(v)
}

// each returns the members of each object in the list that a member is.
func (s *strict) each(members []member, name string) (objects [][]member) {
	v, ok := find(members, name)
	if !ok || s.isNull(v) {
		return nil
	}
	for _, e := range s.elements(v) {
		if !s.isNull(e) {
			objects = append(objects, s.members(e))
		}
	}
	return objects
}

// textAt returns the text of a member, nil when there is none, and where it is.
// It is a part of raw unless it has an escape in it.
func (s *strict) textAt(members []member, name string) ([]byte, int) {
	v, ok := find(members, name)
	if !ok || s.isNull(v) {
		return nil, 0
	}
	if s.raw[v.start] != '"' {
		unreadable(v.start, "a value that is decided by is not a string")
	}
	if text := s.decode(v); bytes.IndexByte(s.raw[v.start:v.end], '\\') >= 0 {
		return []byte(text), v.start
	}
	return s.raw[v.start+1 : v.end-1], v.start
}

// firstText returns the text of the first member of that name, and false when
// there is none or it is no string. It reads no further than it must.
func (s *strict) firstText(object span, name string) (text string, ok bool) {
	s.eachMember(object, func(m member) bool {
		if m.name != name {
			return true
		}
		if ok = s.raw[m.value.start] == '"'; ok {
			text = s.decode(m.value)
		}
		return false
	})
	return text, ok
}

// refuseDoubles refuses an object in which a listed member comes twice.
func (s *strict) refuseDoubles(prefix string, members []member) {
	l := s.rules.listed
	seen := map[string]bool{}
	for _, m := range members {
		path := prefix + m.name
		if seen[m.name] && (l.leaf[path] || l.list[path] || l.object[path]) {
			unreadable(m.at, "a member comes twice in one object")
		}
		seen[m.name] = true
	}
}

func (s *strict) isSelector(path, name string) bool {
	if strings.HasPrefix(path, "contained[") {
		return name == selectorOfRes
	}
	return name == selectorOfExt && isExtension(path)
}

// isExtension reports whether a path ends in extension[...].
func isExtension(path string) bool {
	at := strings.LastIndex(path, "extension[")
	return at >= 0 && strings.IndexByte(path[at:], ']') == len(path)-at-1
}

// members returns the members of the object at v.
func (s *strict) members(v span) (members []member) {
	s.eachMember(v, func(m member) bool {
		members = append(members, m)
		return true
	})
	return members
}

// eachMember reads the object at v, member by member, until do returns false.
func (s *strict) eachMember(v span, do func(member) bool) {
	if s.byteAt(v.start) != '{' {
		unreadable(v.start, "a value is not an object and must be one")
	}
	i := s.space(v.start + 1)
	if s.byteAt(i) == '}' {
		return
	}
	for {
		m := member{at: i}
		if s.byteAt(i) != '"' {
			unreadable(i, "a member has no name")
		}
		i = s.skip(i, 0)
		m.name = s.decode(span{m.at, i})
		if i = s.space(i); s.byteAt(i) != ':' {
			unreadable(i, "a member's name is not followed by a colon")
		}
		m.value.start = s.space(i + 1)
		m.value.end = s.skip(m.value.start, 0)
		if !do(m) {
			return
		}
		if i = s.space(m.value.end); s.byteAt(i) == '}' {
			return
		}
		if s.byteAt(i) != ',' {
			unreadable(i, "two members are not separated by a comma")
		}
		i = s.space(i + 1)
	}
}

// elements returns the elements of the list at v.
func (s *strict) elements(v span) (elements []span) {
	if s.byteAt(v.start) != '[' {
		unreadable(v.start, "a value is not a list and must be one")
	}
	i := s.space(v.start + 1)
	if s.byteAt(i) == ']' {
		return nil
	}
	for {
		e := span{i, s.skip(i, 0)}
		elements = append(elements, e)
		if i = s.space(e.end); s.byteAt(i) == ']' {
			return elements
		}
		if s.byteAt(i) != ',' {
			unreadable(i, "two elements of a list are not separated by a comma")
		}
		i = s.space(i + 1)
	}
}

// skip returns where the value at raw[i] ends, seeing only that it is balanced.
// depth counts the arrays and objects around it.
func (s *strict) skip(i, depth int) int {
	switch c := s.byteAt(i); {
	case c == '"':
		return s.skipText(i)
	case c == '{' || c == '[':
		return s.skipNest(i, depth)
	case i == len(s.raw) || separates[c]:
		unreadable(i, "a value is missing")
	}
	for i < len(s.raw) && !separates[s.raw[i]] {
		i++
	}
	return i
}

func (s *strict) skipNest(i, depth int) int {
	start := i
	var closers []byte
	for ; i < len(s.raw); i++ {
		switch c := s.raw[i]; c {
		case '"':
			i = s.skipText(i) - 1
		case '{', '[':
			closers = append(closers, c+2) // in ASCII each bracket is two before its closer
			if depth+len(closers) > maxDepth {
				unreadable(i, "it is nested too deep")
			}
		case '}', ']':
			if c != closers[len(closers)-1] {
				unreadable(i, "brackets do not match")
			}
			if closers = closers[:len(closers)-1]; len(closers) == 0 {
				return i + 1
			}
		}
	}
	unreadable(start, "it breaks off inside a list or object")
	return 0
}

func (s *strict) skipText(start int) int {
	for i := start + 1; i < len(s.raw); i++ {
		switch s.raw[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	unreadable(start, "it breaks off inside a string")
	return 0
}

// decode returns the text of a string, which must be legal JSON and well-formed
// UTF-8, without half surrogate pairs.
func (s *strict) decode(v span) string {
	literal := s.raw[v.start:v.end]
	if isPlainASCII(literal) {
		return string(literal[1 : len(literal)-1])
	}
	var text string
	if !utf8.Valid(literal) || json.Unmarshal(literal, &text) != nil {
		unreadable(v.start, "a string is not legal JSON in UTF-8")
	}
	if hasLoneSurrogate(literal) {
		unreadable(v.start, "a string has half a surrogate pair")
	}
	return text
}

// isPlainASCII reports whether a string is nothing but printable ASCII without escapes.
func isPlainASCII(literal []byte) bool {
	for _, c := range literal {
		if c < 0x20 || c >= utf8.RuneSelf || c == '\\' {
			return false
		}
	}
	return true
}

func hasLoneSurrogate(literal []byte) bool {
	for i := 0; i < len(literal); i++ {
		if literal[i] != '\\' {
			continue
		}
		i++
		if r := codeUnit(literal, i); utf16.IsSurrogate(r) {
			if utf16.DecodeRune(r, codeUnit(literal, i+6)) == utf8.RuneError || literal[i+5] != '\\' {
				return true
			}
			i += 10
		}
	}
	return false
}

// codeUnit returns the number of the escape whose u is literal[i], 0 for none.
func codeUnit(literal []byte, i int) rune {
	if i+5 > len(literal) || literal[i] != 'u' {
		return 0
	}
	unit, _ := strconv.ParseUint(string(literal[i+1:i+5]), 16, 16)
	return rune(unit)
}

func (s *strict) isNull(v span) bool { return string(s.raw[v.start:v.end]) == "null" }

func (s *strict) space(i int) int {
	for i < len(s.raw) && strings.IndexByte(" \t\r\n", s.raw[i]) >= 0 {
		i++
	}
	return i
}

// byteAt returns raw[i], and 0 at the end.
func (s *strict) byteAt(i int) byte {
	if i >= len(s.raw) {
		return 0
	}
	return s.raw[i]
}

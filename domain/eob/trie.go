package eob

import (
	"fmt"
	"strings"
)

// node is one place in a claim of which something may leave, compiled from the
// table. A place that is not in the trie is dropped.
type node struct {
	name string // the member's name; empty for the root and for cases
	key  uint64 // its first eight bytes, little-endian
	bit  uint64 // its own bit among its siblings, to see a name twice

	list bool // the value is an array of what is described here
	leaf bool // a string, number or boolean

	role      role   // of a leaf
	silent    bool   // a leaf that is decided by and does not leave
	holdsCode bool   // it may be a listed code
	equals    []byte // the text of a leaf that makes the conditional element around it leave, for both

	// For an object.
	kids        []*node
	slots       [slotCount]*node // kids by slotOf; no two share a slot
	multiplier  uint64
	selector    string           // the member that chooses among cases: url or resourceType
	cases       map[string]*node // by its text
	conditional bool             // leaves only when one leaf in it is the text that it equals
	end         ending
}

// role is what a leaf is read for beside copying it.
type role uint8

const (
	plain role = iota
	isResourceType
	isID
	isLastUpdated
	isSecurityCode // never copied
	isTypeSystem
	isTypeCode
	isPeriodStart
	isPeriodEnd
	isPatient
	isReference // may point to a contained resource
	isSelector  // alone it says nothing, so it does not make an object worth keeping
	isCondition // has a text to equal
	isStatus    // only in the table of an export that filters by it
)

var roles = map[string]role{
	"resourceType":         isResourceType,
	"id":                   isID,
	"meta.lastUpdated":     isLastUpdated,
	"meta.security[].code": isSecurityCode,
	"type.coding[].system": isTypeSystem,
	"type.coding[].code":   isTypeCode,
	"billablePeriod.start": isPeriodStart,
	"billablePeriod.end":   isPeriodEnd,
	"patient.reference":    isPatient,
}

// ending is what there is to do where a value ends.
type ending uint8

const (
	noEnding   ending = iota
	addMBIs           // of the claim's own extensions
	addTag            // of meta
	judgeType         // of one coding of the claim's type
	noteTarget        // of the contained resources
)

var endings = map[string]ending{
	"extension[]":   addMBIs,
	"meta":          addTag,
	"type.coding[]": judgeType,
	"contained[]":   noteTarget,
}

// roleOf returns what the leaf at a path is read for.
func (c *compiled) roleOf(path string) role {
	if c.byStatus && path == "status" {
		return isStatus
	}
	return roles[path]
}

func newTrie(c *compiled, rules []Rule) (*node, error) {
	root := &node{}
	for _, r := range rules {
		if err := root.add(r, c.roleOf(r.Path)); err != nil {
			return nil, fmt.Errorf("%s | %s: %w", r.Path, r.Condition, err)
		}
	}
	root.index()
	return root, nil
}

func (n *node) add(r Rule, read role) error {
	path, parts := "", strings.Split(r.Path, ".")
	selector, choice := selection(r)
	selectAt := selectsAt(parts, selector)
	if selector != "" && selectAt < 0 {
		return fmt.Errorf("nothing in the path has a %s to choose by", selector)
	}
	first := n
	for i, part := range parts {
		path = strings.TrimPrefix(path+"."+part, ".")
		name, list := strings.CutSuffix(part, "[]")
		kid, err := n.kid(name, list, i == len(parts)-1)
		if err != nil {
			return err
		}
		kid.end = endings[path]
		if n = kid; i == 0 {
			first = n
		}
		if i == selectAt {
			n = n.choose(selector, choice)
		}
	}
	n.role = read
	return n.describe(r, first)
}

// describe says what the leaf of rule r is read for; first is the place of the
// claim's own member that it lies in.
func (n *node) describe(r Rule, first *node) error {
	switch last := r.Path[strings.LastIndex(r.Path, ".")+1:]; {
	case r.Condition == onlyDecides:
		if n.role == plain {
			return fmt.Errorf("nothing is known that this decides")
		}
		n.silent = true
	case n.role != plain:
	case last == "reference":
		if strings.HasPrefix(r.Path, "contained[]") || r.Condition != "" {
			return fmt.Errorf("what may not leave after all must not refer to a contained resource")
		}
		n.role = isReference
	case strings.HasSuffix(r.Path, "extension[].url"), r.Path == "contained[].resourceType":
		n.role = isSelector
	}
	where, text, found := strings.Cut(r.Condition, " = ")
	if !found || strings.HasPrefix(r.Condition, whenURL) || strings.HasPrefix(r.Condition, whenResource) {
		return nil
	}
	first.conditional, first.equals = true, []byte(text)
	if strings.HasSuffix(r.Path, "[]."+where) {
		n.role, n.equals = isCondition, []byte(text)
	}
	return nil
}

func selection(r Rule) (selector, choice string) {
	if url, ok := strings.CutPrefix(r.Condition, whenURL); ok {
		return selectorOfExt, url
	}
	if t, ok := strings.CutPrefix(r.Condition, whenResource); ok {
		return selectorOfRes, t
	}
	return "", ""
}

// selectsAt returns the part of the path that the condition is about: the
// nearest extension, or the contained resource.
func selectsAt(parts []string, selector string) int {
	want := map[string]string{selectorOfExt: "extension[]", selectorOfRes: "contained[]"}[selector]
	for i := len(parts) - 1; i >= 0; i-- {
		if parts[i] == want {
			return i
		}
	}
	return -1
}

func (n *node) kid(name string, list, leaf bool) (*node, error) {
	for _, k := range n.kids {
		if k.name == name {
			if k.list != list || k.leaf != leaf {
				return nil, fmt.Errorf("%s is listed in two shapes", name)
			}
			return k, nil
		}
	}
	if len(n.kids) == 64 {
		return nil, fmt.Errorf("more than 64 members of one object are listed")
	}
	k := &node{name: name, key: keyOf(name), bit: 1 << len(n.kids), list: list, leaf: leaf, holdsCode: leaf && holdsCode(name)}
	n.kids = append(n.kids, k)
	return k, nil
}

func (n *node) choose(selector, choice string) *node {
	if n.cases == nil {
		n.selector, n.cases = selector, map[string]*node{}
	}
	if n.cases[choice] == nil {
		n.cases[choice] = &node{}
	}
	return n.cases[choice]
}

const slotCount = 64

// slotOf spreads names over the slots by their first eight bytes and length.
func slotOf(key uint64, length int, multiplier uint64) uint64 {
	return (key ^ uint64(length)<<40) * multiplier >> 58
}

// index finds for every object a multiplier that puts no two of its members'
// names in one slot, so that looking up a name is one comparison.
func (n *node) index() {
	for m := uint64(0x9E3779B97F4A7C15); ; m = m*6364136223846793005 + 1442695040888963407 | 1 {
		if n.fill(m) {
			break
		}
	}
	for _, k := range n.kids {
		k.index()
	}
	for _, c := range n.cases {
		c.index()
	}
}

func (n *node) fill(multiplier uint64) bool {
	n.slots, n.multiplier = [slotCount]*node{}, multiplier
	for _, k := range n.kids {
		slot := &n.slots[slotOf(k.key, len(k.name), multiplier)]
		if *slot != nil {
			return false
		}
		*slot = k
	}
	return true
}

// lookup returns the listed member of the name in raw[start:end], or nil.
func (n *node) lookup(raw []byte, start, end int, key uint64) *node {
	k := n.slots[slotOf(key, end-start, n.multiplier)&(slotCount-1)]
	if k == nil || k.key != key || len(k.name) != end-start {
		return nil
	}
	if end-start > 8 && string(raw[start+8:end]) != k.name[8:] {
		return nil
	}
	return k
}

func keyOf(name string) uint64 {
	var key uint64
	for i := range min(len(name), 8) {
		key |= uint64(name[i]) << (8 * i)
	}
	return key
}

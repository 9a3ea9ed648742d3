package eob

import (
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"cms.gov/ab2d/domain"
)

//go:embed rules/*.txt
var ruleFiles embed.FS

// Rule is one line of the allow list: a leaf of a claim that may leave, or that
// is read to decide by.
type Rule struct {
	Path      string // as item[].quantity.value; [] marks a list
	Condition string // as "url = http://..."; empty when there is none
	Why       string // the row of the data dictionary, or the reason
}

// Rules returns the allow list of a FHIR version, every leaf on a line of its
// own. It is the whole of what can leave: Trim copies by it and by nothing
// else, and adds only the MBIs and the tag that says that the claim is a subset.
// The tables are rules/r4.txt and rules/stu3.txt.
func Rules(v domain.FHIRVersion) []Rule {
	rules, err := parseRules(tableOf(v))
	if err != nil {
		panic("eob: the embedded table of " + string(v) + " is wrong: " + err.Error())
	}
	return rules
}

func tableOf(v domain.FHIRVersion) string {
	text, err := ruleFiles.ReadFile("rules/" + strings.ToLower(string(v)) + ".txt")
	if err != nil {
		panic("eob: there is no table for FHIR version " + string(v))
	}
	return string(text)
}

func parseRules(table string) ([]Rule, error) {
	var rules []Rule
	for n, line := range strings.Split(table, "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		columns := strings.Split(line, "|")
		if len(columns) != 3 {
			return nil, fmt.Errorf("line %d does not have three columns", n+1)
		}
		for _, path := range expand(strings.TrimSpace(columns[0])) {
			for _, condition := range expand(strings.TrimSpace(columns[1])) {
				rules = append(rules, Rule{path, condition, strings.TrimSpace(columns[2])})
			}
		}
	}
	return rules, nil
}

// expand writes out {a,b} and {1..3}.
func expand(s string) []string {
	before, rest, found := strings.Cut(s, "{")
	if !found {
		return []string{s}
	}
	inside, after, _ := strings.Cut(rest, "}")
	var all []string
	for _, choice := range choices(inside) {
		for _, tail := range expand(after) {
			all = append(all, before+choice+tail)
		}
	}
	return all
}

func choices(inside string) []string {
	first, last, isRange := strings.Cut(inside, "..")
	if !isRange {
		return strings.Split(inside, ",")
	}
	from, _ := strconv.Atoi(first)
	to, _ := strconv.Atoi(last)
	var all []string
	for n := from; n <= to; n++ {
		all = append(all, strconv.Itoa(n))
	}
	return all
}

// The conditions, as the tables write them.
const (
	onlyDecides   = "decides"
	whenURL       = "url = "
	whenResource  = "resourceType = "
	selectorOfExt = "url"
	selectorOfRes = "resourceType"
)

// compiled holds what both ways of trimming stand on, made once for everybody who
// asks for the same.
type compiled struct {
	tag      string      // the member of meta that we add
	byStatus bool        // the status of a claim is decided by
	root     *node       // for the scanner
	listed   *listedSets // for the strict way, made from the rules and not from the trie
}

// shape is what the resources of a type are trimmed to in an export.
type shape struct {
	kind     domain.ResourceType // empty for claims
	version  domain.FHIRVersion
	narrowed bool   // to the elements
	elements string // by name, in order, with commas
	byStatus bool
}

func (s shape) names() []string {
	if s.elements == "" {
		return nil
	}
	return strings.Split(s.elements, ",")
}

// narrow returns the shape with those elements alone.
func (s shape) narrow(elements []string) shape {
	names := slices.Sorted(slices.Values(elements))
	s.narrowed, s.elements = true, strings.Join(slices.Compact(names), ",")
	return s
}

// shapes keeps the tables that are compiled, so that all partitions of an export
// share them. Not many are in use at a time.
var shapes struct {
	sync.Mutex
	all map[shape]*compiled
}

const shapesKept = 64

func compiledFor(s shape) *compiled {
	shapes.Lock()
	defer shapes.Unlock()
	c := shapes.all[s]
	if c == nil {
		if c = compile(s); shapes.all == nil || len(shapes.all) >= shapesKept {
			shapes.all = map[shape]*compiled{}
		}
		shapes.all[s] = c
	}
	return c
}

func compile(s shape) *compiled {
	rules := rulesOf(s.kind, s.version)
	if s.narrowed {
		rules = narrowed(rules, s)
	}
	c := &compiled{tag: subsetTag(s.version), byStatus: s.byStatus, listed: newListedSets(rules)}
	if s.kind != "" {
		return c // only the strict way reads others than claims
	}
	var err error
	if c.root, err = newTrie(c, rules); err != nil {
		panic("eob: the embedded table of " + string(s.version) + " is wrong: " + err.Error())
	}
	return c
}

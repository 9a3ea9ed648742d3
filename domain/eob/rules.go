package eob

import (
	"embed"
	"fmt"
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

// compiled holds what both ways of trimming stand on, made once a version.
type compiled struct {
	tag    string      // the member of meta that we add
	root   *node       // for the scanner
	listed *listedSets // for the strict way, made from the rules and not from the trie
}

var compiledR4 = sync.OnceValue(func() *compiled { return compile(domain.R4) })
var compiledSTU3 = sync.OnceValue(func() *compiled { return compile(domain.STU3) })

func compiledFor(v domain.FHIRVersion) *compiled {
	switch v {
	case domain.STU3:
		return compiledSTU3()
	case domain.R4:
		return compiledR4()
	}
	panic("eob: there is no table for FHIR version " + string(v))
}

func compile(v domain.FHIRVersion) *compiled {
	rules := Rules(v)
	root, err := newTrie(rules)
	if err != nil {
		panic("eob: the embedded table of " + string(v) + " is wrong: " + err.Error())
	}
	return &compiled{subsetTag(v), root, newListedSets(rules)}
}

package main

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/domain/eob"
)

// dictionary is the public data dictionary of AB2D: CMSgov/ab2d-website at
// a59494d, src/assets/downloads/ab2d-data-dictionary.xlsx, CC0-1.0. The columns
// that say what an element means are here, row 188 in words of ours; where it stands
// follows from our rules.
//
//go:embed dictionary.csv
var dictionary string

// meaning is a row of the dictionary.
type meaning struct{ name, description, claims, column string }

func meanings() (map[int]meaning, error) {
	rows, err := csv.NewReader(strings.NewReader(dictionary)).ReadAll()
	if err != nil {
		return nil, err
	}
	all := map[int]meaning{}
	for _, r := range rows[1:] {
		n, err := strconv.Atoi(r[0])
		if err != nil {
			return nil, err
		}
		all[n] = meaning{r[1], r[2], strings.ReplaceAll(strings.Trim(r[3], ", "), ",", ", "), r[4]}
	}
	return all, nil
}

// element is some leaves of one parent that leave under the same conditions, for
// the same reason.
type element struct {
	parent             string
	leaves, conditions []string
	why                string
}

// elements puts the rules together that differ in the leaf or the condition only.
func elements(rules []eob.Rule) []*element {
	var all []*element
	index := map[[2]string]*element{}
	for _, r := range rules {
		if r.Condition == "decides" {
			continue // it is read, and stays
		}
		cut := strings.LastIndexByte(r.Path, '.')
		key := [2]string{r.Path[:max(cut, 0)], r.Why + "|" + strings.TrimRight(r.Condition, "0123456789")}
		e := index[key]
		if e == nil {
			e = &element{parent: key[0], why: r.Why}
			index[key], all = e, append(all, e)
		}
		if leaf := r.Path[cut+1:]; !slices.Contains(e.leaves, leaf) {
			e.leaves = append(e.leaves, leaf)
		}
		if !slices.Contains(e.conditions, r.Condition) {
			e.conditions = append(e.conditions, r.Condition)
		}
	}
	return all
}

var (
	rowsCited = regexp.MustCompile(`\brows? ((?:[0-9]+(?:-[0-9]+)?(?:, )?)+)`)
	numbers   = regexp.MustCompile(`([0-9]+)(?:-([0-9]+))?`)
)

// cited returns the rows of the dictionary that a reason names.
func cited(why string) (rows []int) {
	for _, m := range rowsCited.FindAllStringSubmatch(why, -1) {
		for _, n := range numbers.FindAllStringSubmatch(m[1], -1) {
			from, _ := strconv.Atoi(n[1])
			to := from
			if n[2] != "" {
				to, _ = strconv.Atoi(n[2])
			}
			for ; from <= to; from++ {
				rows = append(rows, from)
			}
		}
	}
	return rows
}

// what says in words why an element is there, which is mostly what it is.
func (e *element) what(all map[int]meaning) string {
	var parts []string
	rows := cited(e.why)
	for i := 0; i < len(rows); {
		last := i
		for last+1 < len(rows) && rows[last+1] == rows[last]+1 {
			last++
		}
		switch {
		case last-i < 3:
			for ; i <= last; i++ {
				parts = append(parts, all[rows[i]].name)
			}
		default:
			parts = append(parts, all[rows[i]].name+" to "+all[rows[last]].name)
		}
		i = last + 1
	}
	rest := rowsCited.ReplaceAllString(e.why, "")
	for _, part := range regexp.MustCompile(`[;:,] `).Split(rest, -1) {
		part = strings.Trim(part, ";:, ")
		switch {
		case part == "":
		case part == "4.7":
			if len(rows) == 0 {
				parts = append(parts, "as AB2D gives it")
			}
		case strings.HasPrefix(part, "base "):
			parts = append(parts, "FHIR makes it mandatory")
		default:
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "; ")
}

// when says in words under which condition an element is there.
func (e *element) when() string {
	name := func(c string) string {
		kind, value, _ := strings.Cut(c, " = ")
		switch kind {
		case "url":
			return "`" + value + "`"
		case "resourceType":
			return value + " that the claim refers to"
		case "code.coding[].system":
			return "code of the system `" + value + "`"
		}
		return c
	}
	first, last := e.conditions[0], e.conditions[len(e.conditions)-1]
	switch {
	case first == "":
		return ""
	case len(e.conditions) == 1:
		return name(first)
	default:
		return name(first) + " to `" + last[strings.LastIndexByte(last, '/')+1:] + "`"
	}
}

func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "<", `\<`, "*", `\*`, "_", `\_`).Replace(s)
}

// leaf is the whole path of a leaf of an element.
func (e *element) leaf(name string) string {
	if e.parent == "" {
		return name
	}
	return e.parent + "." + name
}

func table(b *bytes.Buffer, elements []*element, all map[int]meaning) {
	b.WriteString("| element | members | when | what |\n|---|---|---|---|\n")
	for _, e := range elements {
		parent, members := "`"+e.parent+"`", "`"+strings.Join(e.leaves, "` `")+"`"
		if e.parent == "" {
			parent, members = members, ""
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", parent, members, e.when(), cell(e.what(all)))
	}
}

// dictionaryPage is the data dictionary of a version of FHIR.
func dictionaryPage(version domain.FHIRVersion) ([]byte, error) {
	all, err := meanings()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Data dictionary: FHIR %s\n\n", version)
	b.WriteString("Every element that a claim of an export can have. It is made from the allow list that the service copies claims by, so what is not here does not leave. [How to read it](data-dictionary.md#how-to-read-the-tables).\n\n")
	claims := elements(eob.Rules(version))
	fmt.Fprintf(&b, "## Elements of ExplanationOfBenefit\n\n")
	var roots []string
	byRoot := map[string][]*element{}
	for _, e := range claims {
		root, _, _ := strings.Cut(strings.ReplaceAll(e.leaf(e.leaves[0]), "[]", ""), ".")
		if e.parent == "" {
			root = "simple elements"
		}
		if byRoot[root] == nil {
			roots = append(roots, root)
		}
		byRoot[root] = append(byRoot[root], e)
	}
	for _, root := range roots {
		fmt.Fprintf(&b, "### %s\n\n", root)
		table(&b, byRoot[root], all)
		b.WriteString("\n")
	}
	b.WriteString("### What the service adds\n\n| element | what |\n|---|---|\n" +
		"| `extension[].valueIdentifier` with the url `http://hl7.org/fhir/StructureDefinition/elementdefinition-identifier` | an MBI of the enrollee, the current one first, then the historic; its own extension `https://bluebutton.cms.gov/resources/codesystem/identifier-currency` says `current` or `historic` |\n" +
		"| `meta.tag[]` SUBSETTED | the claim is not whole: only what is listed here is in it |\n\n")
	for _, kind := range []domain.ResourceType{"Patient", "Coverage"} {
		fmt.Fprintf(&b, "## Elements of %s\n\nOnly where the operator lets %s leave beside claims (`AB2D_TYPES`).\n\n", kind, kind)
		table(&b, elements(eob.RecordRules(kind, version)), all)
		b.WriteString("\n")
	}
	b.WriteString("## By name\n\nThe rows of AB2D's data dictionary that are in the claims, and where they are. What a row means is said by CMS.\n\n| row | name | meaning | types of claims | CCW column | element |\n|---|---|---|---|---|---|\n")
	where := map[int][]string{250: {"`extension[].valueIdentifier.value`"}} // what the service adds stands in no rule
	for _, e := range claims {
		for _, row := range cited(e.why) {
			if path := "`" + e.leaf(e.leaves[0]) + "`"; !slices.Contains(where[row], path) {
				where[row] = append(where[row], path)
			}
		}
	}
	for row := range 1000 {
		if paths := where[row]; len(paths) > 0 {
			m := all[row]
			fmt.Fprintf(&b, "| %d | %s | %s | %s | %s | %s |\n", row, cell(m.name), cell(m.description), m.claims, cell(m.column), strings.Join(paths[:min(3, len(paths))], ", "))
		}
	}
	return b.Bytes(), nil
}

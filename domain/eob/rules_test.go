package eob

import (
	"slices"
	"strings"
	"testing"

	"cms.gov/ab2d/domain"
)

func TestTables(t *testing.T) {
	for _, v := range []domain.FHIRVersion{domain.STU3, domain.R4} {
		seen := map[string]bool{}
		for _, r := range Rules(v) {
			key := r.Path + " | " + r.Condition
			if seen[key] {
				t.Errorf("%s: %s is listed twice", v, key)
			}
			seen[key] = true
			if r.Why == "" {
				t.Errorf("%s: %s has no reason", v, key)
			}
			if strings.ContainsAny(key, "{}*") {
				t.Errorf("%s: %s is not written out", v, key)
			}
			// An extension, a contained resource and supporting information leave
			// only on a condition.
			for _, name := range []string{"extension[]", "contained[]", "supportingInfo[]"} {
				if strings.Contains(r.Path, name) && r.Condition == "" {
					t.Errorf("%s: %s is listed without a condition", v, r.Path)
				}
			}
			if strings.Contains(r.Path, "text") && r.Path != "subType.text" && !strings.HasSuffix(r.Path, "name[].text") {
				t.Errorf("%s: narrative at %s", v, r.Path)
			}
		}
		if len(seen) < 300 {
			t.Errorf("%s: only %d leaves", v, len(seen))
		}
	}
}

// Every leaf of the table does leave: a claim made of the rules alone comes out
// with each of them in it.
func TestEveryListedLeafLeaves(t *testing.T) {
	for _, v := range []domain.FHIRVersion{domain.STU3, domain.R4} {
		for _, r := range Rules(v) {
			if r.Condition == onlyDecides {
				continue
			}
			out := string(trim(t, v, []byte(claimOf(r))))
			name := strings.TrimSuffix(r.Path[strings.LastIndexByte(r.Path, '.')+1:], "[]")
			if !strings.Contains(out, `"`+name+`":`) && !strings.Contains(out, `"`+name+`":[`) {
				t.Errorf("%s: %s | %s does not leave: %s", v, r.Path, r.Condition, out)
			}
		}
	}
}

// claimOf builds a claim that has the leaf of rule r and what its condition asks for.
func claimOf(r Rule) string {
	parts := strings.Split(r.Path, ".")
	value := map[string]string{
		"resourceType": `"ExplanationOfBenefit"`, "lastUpdated": `"2020-01-01T00:00:00Z"`, "start": `"2020-01-01"`, "end": `"2020-01-01"`,
	}[parts[len(parts)-1]]
	if value == "" {
		value = `"x"`
	}
	_, choice, _ := strings.Cut(r.Condition, " = ")
	for i, part := range slices.Backward(parts) {
		name, list := strings.CutSuffix(part, "[]")
		switch {
		case part == "extension[]" && parts[len(parts)-1] == "url":
			value = `{"url":"` + choice + `","valueCoding":{"code":"x"},"valueQuantity":{"value":1}}`
		case part == "extension[]":
			value = `{"url":"` + choice + `",` + value + `}`
		case part == "supportingInfo[]" && len(parts) > 2 && parts[1] == "code" && parts[len(parts)-1] == "system":
			value = `{"code":{"coding":[{"system":"` + choice + `"}]}}`
		case part == "supportingInfo[]" && parts[1] == "code":
			value = `{"code":{"coding":[{"code":"x","display":"x","version":"x","system":"` + choice + `"}]}}`
		case part == "supportingInfo[]":
			value = `{` + value + `,"code":{"coding":[{"system":"` + choice + `"}]}}`
		case part == "contained[]" && (parts[1] == "id" || parts[1] == "resourceType"):
			value = `{"resourceType":"` + choice + `","id":"c"}`
		case part == "contained[]":
			value = `{"resourceType":"` + choice + `","id":"c",` + value + `}`
		case i < len(parts)-1:
			value = `{` + value + `}`
		}
		if list {
			value = "[" + value + "]"
		}
		value = `"` + name + `":` + value
	}
	claim := value
	if strings.HasPrefix(claim, `"contained"`) {
		claim += `,"careTeam":[{"provider":{"reference":"#c"}}]`
	}
	if r.Path != "resourceType" {
		claim += `,"resourceType":"ExplanationOfBenefit"`
	}
	if r.Path != "id" {
		claim += `,"id":"1"`
	}
	return "{" + claim + "}"
}

func TestTablesThatAreWrong(t *testing.T) {
	for name, table := range map[string]string{
		"two columns":                   "id | why",
		"two shapes":                    "a.b | | x\na[].b | | x",
		"a leaf and an object":          "a | | x\na.b | | x",
		"a condition without its place": "a.b | url = x | y",
		"nothing to decide":             "a.b | decides | y",
		"a reference that may yet stay": "supportingInfo[].valueReference.reference | code.coding[].system = x | y",
		"a chain of references":         "contained[].partOf.reference | resourceType = Organization | y",
	} {
		rules, err := parseRules(table)
		if err == nil {
			_, err = newTrie(&compiled{}, rules)
		}
		if err == nil {
			t.Errorf("%s: %q is accepted", name, table)
		}
	}
}

func TestExpand(t *testing.T) {
	got := expand("a{b,c}.d{1..3}")
	want := []string{"ab.d1", "ab.d2", "ab.d3", "ac.d1", "ac.d2", "ac.d3"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

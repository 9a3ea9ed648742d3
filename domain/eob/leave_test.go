package eob

import (
	"bytes"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"cms.gov/ab2d/domain"
)

// Money is named by these members, by the codes of currencies, and by variables
// whose names end in amt (or the am of a name cut to its length).
var (
	moneyMember = regexp.MustCompile(`(?i)^(amount|currency|.*money|payment|total.*|net|unitPrice|factor|benefitBalance|adjudication|unallocDeductable|.*cost)$`)
	moneyText   = regexp.MustCompile(`^USD$|iso:4217|_amt$|_am$|prpayamt|_pmt_|_chrg_`)
)

func TestNoMoneyLeaves(t *testing.T) {
	for _, s := range samples(t) {
		walk(decoded(t, trim(t, s.version, s.compact)), "", func(path string, v any) {
			name := path[strings.LastIndexByte(path, '.')+1:]
			text, _ := v.(string)
			if moneyMember.MatchString(strings.TrimRight(name, "[]")) || moneyText.MatchString(text) {
				t.Errorf("%s: %s = %v", s.name, path, v)
			}
		})
	}
	for _, v := range []domain.FHIRVersion{domain.STU3, domain.R4} {
		for _, r := range Rules(v) {
			for _, name := range strings.Split(r.Path, ".") {
				if moneyMember.MatchString(strings.TrimRight(name, "[]")) {
					t.Errorf("the table of %s lists %s", v, r.Path)
				}
			}
		}
	}
}

// The samples do hold money, so that the test above has something to find.
func TestSamplesHoldMoney(t *testing.T) {
	for _, s := range samples(t) {
		if !bytes.Contains(s.compact, []byte(`"USD"`)) {
			t.Errorf("%s has no amount in it", s.name)
		}
	}
}

const planted = "PLANTED"

// plant puts into every object of v what no table lists: a member, an extension
// that is not known and a modifier, narrative, an element id, and beside every
// primitive its sibling. It reports how many objects there were.
func plant(v any, path string) (objects int) {
	switch v := v.(type) {
	case map[string]any:
		var siblings []string
		for name, child := range v {
			objects += plant(child, strings.TrimPrefix(path+"."+name, "."))
			if _, isText := child.(string); isText {
				siblings = append(siblings, "_"+name)
			}
		}
		for _, name := range siblings {
			v[name] = map[string]any{"id": planted, "extension": []any{map[string]any{"url": planted, "valueString": planted}}}
		}
		v["zz"+planted] = planted
		v["text"] = map[string]any{"status": "generated", "div": "<div>" + planted + "</div>"}
		unknown := map[string]any{"url": "http://example.org/unknown", "valueString": planted, "id": planted}
		list, _ := v["extension"].([]any)
		v["extension"] = append(append([]any{unknown}, list...), unknown)
		v["modifierExtension"] = []any{unknown}
		if v["id"] == nil {
			v["id"] = planted
		}
		return objects + 1
	case []any:
		for _, child := range v {
			objects += plant(child, path+"[]")
		}
	}
	return objects
}

// An unknown member or extension at any level of any sample stays behind, and
// changes nothing else of what leaves.
func TestWhatIsPlantedStays(t *testing.T) {
	for _, s := range samples(t) {
		claim := decoded(t, s.raw)
		if n := plant(claim, ""); n < 100 {
			t.Fatalf("%s: planted into %d objects only", s.name, n)
		}
		// The one text that a table lists under this name.
		if sub, ok := claim["subType"].(map[string]any); ok && s.version == domain.R4 {
			sub["text"] = decoded(t, s.raw)["subType"].(map[string]any)["text"]
			if sub["text"] == nil {
				delete(sub, "text")
			}
		}
		got := trim(t, s.version, encoded(t, claim))
		if bytes.Contains(got, []byte(planted)) {
			t.Errorf("%s: what was planted has left: %s", s.name, got)
		}
		if want := trim(t, s.version, s.raw); !reflect.DeepEqual(decoded(t, got), decoded(t, want)) {
			t.Errorf("%s: planting changed what leaves\ngot  %s\nwant %s", s.name, got, want)
		}
	}
}

// Every path that leaves is one that the table lists, and nothing is left empty.
func TestOnlyListedPathsLeave(t *testing.T) {
	for _, s := range samples(t) {
		listed := map[string]bool{}
		for path := range compiledFor(shape{version: s.version}).listed.leaf {
			listed[strings.NewReplacer("[Organization]", "[]", "[Practitioner]", "[]").Replace(path)] = true
		}
		walk(decoded(t, trim(t, s.version, s.compact)), "", func(path string, v any) {
			switch v := v.(type) {
			case map[string]any:
				if len(v) == 0 {
					t.Errorf("%s: %s is empty", s.name, path)
				}
				return
			case []any:
				if len(v) == 0 {
					t.Errorf("%s: %s is empty", s.name, path)
				}
				return
			}
			added := strings.HasPrefix(path, "meta.tag[]") ||
				strings.HasPrefix(path, "extension[http://hl7.org/fhir/StructureDefinition/elementdefinition-identifier]")
			if !listed[path] && !added {
				t.Errorf("%s: %s has left and is not listed", s.name, path)
			}
		})
	}
}

// Nothing that leaves refers to a contained resource that does not.
func TestNothingDangles(t *testing.T) {
	withContained := 0
	for _, s := range samples(t) {
		out := decoded(t, trim(t, s.version, s.compact))
		ids := map[string]bool{}
		if list, ok := out["contained"].([]any); ok {
			withContained++
			for _, c := range list {
				ids["#"+c.(map[string]any)["id"].(string)] = false
			}
		}
		walk(out, "", func(path string, v any) {
			if text, ok := v.(string); ok && strings.HasPrefix(text, "#") && strings.HasSuffix(path, "reference") {
				if _, there := ids[text]; !there {
					t.Errorf("%s: %s dangles at %s", s.name, text, path)
				}
				ids[text] = true
			}
		})
		for id, referred := range ids {
			if !referred {
				t.Errorf("%s: contained %s has left and nothing refers to it", s.name, id)
			}
		}
		for list, link := range map[string]string{"careTeam": "careTeamSequence", "diagnosis": "diagnosisSequence"} {
			checkLinks(t, s, out, list, link)
			checkLinks(t, s, out, list, strings.Replace(link, "Sequence", "LinkId", 1))
		}
	}
	if withContained < 8 {
		t.Errorf("only %d samples keep a contained resource", withContained)
	}
}

func checkLinks(t *testing.T, s sample, out map[string]any, list, link string) {
	there := map[any]bool{}
	entries, _ := out[list].([]any)
	for _, e := range entries {
		there[e.(map[string]any)["sequence"]] = true
	}
	items, _ := out["item"].([]any)
	for _, item := range items {
		links, _ := item.(map[string]any)[link].([]any)
		for _, n := range links {
			if !there[n] {
				t.Errorf("%s: item.%s %v has no %s", s.name, link, n, list)
			}
		}
	}
}

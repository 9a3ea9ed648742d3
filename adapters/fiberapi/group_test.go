package fiberapi_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"cms.gov/ab2d/domain"
)

// bundle is what a search answers with.
type bundle struct {
	ResourceType, Type string
	Link               []struct{ Relation, URL string }
	Entry              []struct {
		FullURL  string
		Resource json.RawMessage
		Search   struct{ Mode string }
	}
}

func bundleOf(t *testing.T, r response) bundle {
	t.Helper()
	var b bundle
	if err := json.Unmarshal(r.body, &b); err != nil || r.StatusCode != 200 || b.ResourceType != "Bundle" || b.Type != "searchset" {
		t.Fatalf("%d %s %v", r.StatusCode, r.body, err)
	}
	r.guarded(t)
	r.header(t, "Content-Type", "application/fhir+json")
	return b
}

// next returns the path of the page that follows, and none after the last.
func (b bundle) next() string {
	for _, l := range b.Link {
		if l.Relation == "next" {
			return strings.TrimPrefix(l.URL, public)
		}
	}
	return ""
}

func TestGroupsAreTheContractsOfTheCaller(t *testing.T) {
	s := newSandbox(t)
	for v, base := range bases {
		r := s.as(t, ours, "GET", base+"/Group")
		valid(t, v, "Bundle", r.body)
		b := bundleOf(t, r)
		if len(b.Link) != 1 || b.Link[0].Relation != "self" || b.Link[0].URL != public+base+"/Group" {
			t.Errorf("links %v", b.Link)
		}
		for i, number := range []string{"S0000", "S0001", "S0003"} {
			if len(b.Entry) != 3 {
				t.Fatalf("%d entries: %s", len(b.Entry), r.body)
			}
			if e := b.Entry[i]; e.FullURL != public+base+"/Group/"+number || e.Search.Mode != "match" {
				t.Errorf("entry %d: %s %s", i, e.FullURL, e.Search.Mode)
			}
			one := s.as(t, ours, "GET", strings.TrimPrefix(b.Entry[i].FullURL, public))
			valid(t, v, "Group", one.body)
			var g struct {
				ResourceType, ID, Name, Type string
				Active, Actual               bool
				Identifier                   []struct{ System, Value string }
				Extension                    []struct{ URL, ValueDate string }
			}
			if err := json.Unmarshal(one.body, &g); err != nil || one.StatusCode != 200 {
				t.Fatalf("%d %s %v", one.StatusCode, one.body, err)
			}
			if g.ID != number || g.Name != "Contract "+number || g.Type != "person" || !g.Actual || len(g.Identifier) != 1 || g.Identifier[0].Value != number {
				t.Errorf("%s", one.body)
			}
			attested := number != "S0003" // nobody did
			if g.Active != attested || (len(g.Extension) == 1 && g.Extension[0].ValueDate == "2020-03-01") != attested {
				t.Errorf("%s", one.body)
			}
			if strings.TrimSpace(string(one.body)) != strings.TrimSpace(string(b.Entry[i].Resource)) {
				t.Errorf("the entry %s is not what is read: %s", b.Entry[i].Resource, one.body)
			}
			if head := s.as(t, ours, "HEAD", base+"/Group/"+number); head.StatusCode != 200 || len(head.body) != 0 {
				t.Errorf("HEAD: %d", head.StatusCode)
			}
		}
	}
	s.as(t, ours, "GET", "/api/v2/fhir/Group/S0002").refused(t, 403, "forbidden")
	text, _ := s.as(t, ours, "GET", "/api/v2/fhir/Group/S9999").refused(t, 403, "forbidden")
	other, _ := s.as(t, ours, "GET", "/api/v2/fhir/Group/S0002").refused(t, 403, "forbidden")
	if strings.ReplaceAll(text, "S9999", "S0002") != other {
		t.Errorf("%q tells an unknown contract from another's: %q", text, other)
	}
	s.as(t, ours, "GET", "/api/v2/fhir/Group", "Authorization", "").refused(t, 401, "login")
	s.as(t, ours, "POST", "/api/v2/fhir/Group").refused(t, 405, "not-supported")
}

func TestSearchesForGroups(t *testing.T) {
	s := newSandbox(t)
	const path = "/api/v2/fhir/Group"
	found := func(query string) string {
		t.Helper()
		var numbers []string
		for _, e := range bundleOf(t, s.as(t, ours, "GET", path+query)).Entry {
			numbers = append(numbers, e.FullURL[len(e.FullURL)-5:])
		}
		return strings.Join(numbers, " ")
	}
	system := url.QueryEscape("https://ab2d.cms.gov/contract|")
	for query, want := range map[string]string{
		"?_id=S0001":                            "S0001",
		"?_id=S0001,S0003,S0002":                "S0001 S0003",
		"?_id=S0002":                            "", // another's
		"?_id=":                                 "",
		"?identifier=S0000":                     "S0000",
		"?identifier=" + system + "S0000":       "S0000",
		"?identifier=" + system:                 "S0000 S0001 S0003",
		"?identifier=https://other|S0000":       "",
		"?identifier=|S0000":                    "",
		"?identifier=S0000&_id=S0001":           "",
		"?identifier=S0000,S0001&_id=S0001":     "S0001",
		"?_format=json&_id=S0001":               "S0001",
		"?_count=500":                           "S0000 S0001 S0003",
		"?_count=2&_id=S0000,S0001":             "S0000 S0001",
		"?_page=S0000":                          "S0001 S0003",
		"?identifier=" + system + "&_count=002": "S0000 S0001",
	} {
		if got := found(query); got != want {
			t.Errorf("%s finds %q, want %q", query, got, want)
		}
	}
	for _, query := range []string{"?name=x", "?_lastUpdated=gt2020", "?_count=0", "?_count=-1", "?_count=x", "?_count=1&_count=2", "?_id=S0000&_id=S0001", "?_id=%zz", "?a;b"} {
		s.as(t, ours, "GET", path+query).refused(t, 400, "invalid")
	}
	b := bundleOf(t, s.as(t, ours, "GET", path+"?name=x", "Prefer", "respond-async, handling=lenient"))
	if len(b.Entry) != 3 {
		t.Errorf("lenient: %d entries", len(b.Entry))
	}

	var walked []string
	for next, pages := path+"?_count=1&identifier="+system, 0; next != ""; pages++ {
		b := bundleOf(t, s.as(t, ours, "GET", next))
		if len(b.Entry) != 1 || pages > 3 {
			t.Fatalf("page %d has %d entries", pages, len(b.Entry))
		}
		walked = append(walked, b.Entry[0].FullURL[len(b.Entry[0].FullURL)-5:])
		next = b.next()
	}
	if !slices.Equal(walked, []string{"S0000", "S0001", "S0003"}) {
		t.Errorf("page by page: %v", walked)
	}
}

func TestSearchesForGroupsOfNobody(t *testing.T) {
	s := newSandbox(t)
	r := s.as(t, ours, "GET", "/api/v1/fhir/Group?_id=S0002")
	valid(t, domain.STU3, "Bundle", r.body)
}

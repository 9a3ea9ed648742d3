package openapi_test

import (
	"io"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/adapters/openapi"
)

// What the document describes is on the page that is made from it: every
// operation with its summary, and every schema. Links within the page lead somewhere.
func TestTheReferenceHasAllThatTheDocumentHas(t *testing.T) {
	d, err := openapi.NewDocument("")
	if err != nil {
		t.Fatal(err)
	}
	app := fiber.New()
	if err := d.MountReference(app, "http://127.0.0.1:1", &openapi.Client{Name: "PDP-1", Contract: "S0009", ID: "an-id", Secret: "<secret>"}); err != nil {
		t.Fatal(err)
	}
	res, err := app.Test(httptest.NewRequest("GET", openapi.ReferencePath, nil))
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("%v %v", res, err)
	}
	if policy := res.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "script") {
		t.Errorf("the page may load %q", policy)
	}
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	page := string(raw)
	ids := regexp.MustCompile(`operationId: (\w+)`).FindAllStringSubmatch(string(d.YAML), -1)
	if len(ids) < 10 {
		t.Fatalf("%d operations", len(ids))
	}
	for _, id := range ids {
		if !strings.Contains(page, `<article id="`+id[1]+`"`) {
			t.Errorf("%s is not on the page", id[1])
		}
	}
	for _, link := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if !strings.Contains(page, `id="`+link[1]+`"`) {
			t.Errorf("nothing is at #%s", link[1])
		}
	}
	if strings.Contains(page, "<secret>") || !strings.Contains(page, "an-id:&lt;secret&gt;") || !strings.Contains(page, "/api/v2/fhir/Group/S0009/$export") {
		t.Error("the examples are not those of the client")
	}
	for _, markdown := range []string{"](http", "**"} {
		if strings.Contains(page, markdown) {
			t.Errorf("Markdown is left over: %s", markdown)
		}
	}
	if strings.Contains(page, "x-only") {
		t.Error("a mark of ours is shown")
	}
}

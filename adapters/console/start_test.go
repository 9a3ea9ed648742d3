package console_test

import (
	"html"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"cms.gov/ab2d/adapters/console"
	"cms.gov/ab2d/web/start"
	"github.com/gofiber/fiber/v2"
)

func TestTheStartPageShowsWhereThingsAreAndHowToBegin(t *testing.T) {
	page := start.Page{Base: "http://127.0.0.1:1", TokenURL: "http://127.0.0.1:1/token", Version: "v1",
		Sponsors: []start.Sponsor{{Name: "PDP-1", Contract: "S0001", Enrollees: "5", ClientID: "an-id", Secret: `a<"secret>`}}}
	app := fiber.New()
	console.MountStart(app, page)
	get := func(path string) string {
		t.Helper()
		res, err := app.Test(httptest.NewRequest("GET", path, nil))
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("%s: %v, %v", path, res, err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if policy := res.Header.Get("Content-Security-Policy"); path == "/" && !strings.Contains(policy, "default-src 'none'") {
			t.Errorf("the page may load %q", policy)
		}
		return string(body)
	}
	body := get("/")
	for _, want := range []string{page.Base + "/api/v1/fhir", page.Base + "/api/v2/fhir", page.TokenURL, "PDP-1", "an-id"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not show %s", want)
		}
	}
	if strings.Contains(body, `a<"secret>`) || !strings.Contains(html.UnescapeString(body), `a<"secret>`) {
		t.Error("what is shown is not encoded for a page")
	}
	for _, step := range page.Walk() {
		if !strings.Contains(html.UnescapeString(body), step.Command) {
			t.Errorf("the page lacks the command to %s", step.Title)
		}
	}
	if css := get("/start.css"); !strings.Contains(css, "body") {
		t.Error("there is no style sheet")
	}
}

package guide_test

import (
	"io"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/adapters/config"
	"cms.gov/ab2d/adapters/fiberapi"
	"cms.gov/ab2d/adapters/guide"
	"cms.gov/ab2d/docs"
)

func served(t *testing.T, base string) func(path string) (status int, body, policy string) {
	t.Helper()
	pages, err := guide.New(base)
	if err != nil {
		t.Fatal(err)
	}
	app := fiber.New()
	pages.Mount(app)
	return func(path string) (int, string, string) {
		res, err := app.Test(httptest.NewRequest("GET", path, nil))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body), res.Header.Get("Content-Security-Policy")
	}
}

// elsewhere are the addresses of this service that other packages serve.
var elsewhere = regexp.MustCompile(`^/(docs/api|docs/reference\.css|openapi\.json)$`)

var links = regexp.MustCompile(`(?:href|src)="([^"]+)"`)

// From the first page every page can be reached, and every link of the service's
// own leads to something that is there, headings included.
func TestEveryLinkOfTheGuideLeadsSomewhere(t *testing.T) {
	get := served(t, "")
	bodies := map[string]string{}
	var visit func(from, path string) string
	visit = func(from, path string) string {
		if body, ok := bodies[path]; ok {
			return body
		}
		status, body, policy := get(path)
		if status != 200 {
			t.Errorf("%s links to %s, which is %d", from, path, status)
			return ""
		}
		bodies[path] = body
		if !strings.HasPrefix(body, "<!") && strings.Contains(path, ".") {
			return body
		}
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "script-src") || strings.Contains(body, "<script") {
			t.Errorf("%s may run scripts: %q", path, policy)
		}
		for _, l := range links.FindAllStringSubmatch(body, -1) {
			to, anchor, _ := strings.Cut(l[1], "#")
			if strings.Contains(to, "://") || elsewhere.MatchString(to) {
				continue
			}
			if to == "" {
				to = path
			}
			if !strings.HasPrefix(to, "/docs") {
				t.Errorf("%s links to %s", path, l[1])
				continue
			}
			if found := visit(path, to); anchor != "" && !strings.Contains(found, `id="`+anchor+`"`) {
				t.Errorf("%s links to %s, and there is no such heading", path, l[1])
			}
		}
		return body
	}
	visit("", guide.Path)
	entries, err := docs.Files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".md")
		if !e.IsDir() && name != "README" && bodies["/docs/"+name] == "" {
			t.Errorf("nothing leads to %s", e.Name())
		}
	}
}

// Whatever the API refuses, the heading that the refusal links to is there.
func TestEveryRefusalIsExplained(t *testing.T) {
	_, page, _ := served(t, "")(fiberapi.Troubleshooting)
	topics := append(fiberapi.Topics(), "error-file-transient", "error-file-not-found", "error-file-structure")
	if len(topics) < 15 {
		t.Fatalf("%v", topics)
	}
	for _, topic := range topics {
		if !strings.Contains(page, `id="`+topic+`"`) {
			t.Errorf("nothing explains %s", topic)
		}
	}
}

// The numbers on the page are those that hold.
func TestTheLimitsAreThoseOfTheSettings(t *testing.T) {
	page, err := docs.Files.ReadFile("limits.md")
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := config.Load(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defaults := map[string]string{}
	for _, s := range c.Settings() {
		defaults[s.Variable()] = s.Default
	}
	// 24h0m0s is 24h, and 60/5s is as it stands.
	short := strings.NewReplacer("h0m0s", "h", "m0s", "m")
	rows := regexp.MustCompile("(?m)^\\|[^|]*\\| ([^|]+) \\| `(AB2D_[A-Z_]+)` \\|$").FindAllStringSubmatch(string(page), -1)
	if len(rows) < 10 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, r := range rows {
		if got := short.Replace(defaults[r[2]]); got != r[1] {
			t.Errorf("the page says that %s is %s; it is %q", r[2], r[1], got)
		}
	}
}

func TestExamplesAreForTheServiceThatShowsThem(t *testing.T) {
	_, page, _ := served(t, "http://127.0.0.1:1")("/docs/tutorial-curl")
	if !strings.Contains(page, "BASE=http://127.0.0.1:1\n") || strings.Contains(page, guide.Sandbox) {
		t.Error("the examples have another address")
	}
}

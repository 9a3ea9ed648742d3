package ab2d_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "cms.gov/ab2d"

// layers says what each folder may import besides itself and the standard
// library. The arrows point inward: a rule never knows a technology.
var layers = map[string][]string{
	"domain":      {},
	"ports":       {module + "/domain"},
	"application": {module + "/domain", module + "/ports"},
	"web":         {"github.com/a-h/templ"},
	"ent":         {module + "/domain", "entgo.io/ent", "ariga.io/atlas", "github.com/google/uuid"},
}

// suites are for tests of other teams too, so they may use what tests use.
var suites = map[string][]string{
	"ports/porttest": {module + "/domain", module + "/ports"},
}

// shared are the adapters that other adapters may import on purpose: a process
// hosts them all, the sandbox is made of the synthetic ones, and some have parts.
var shared = map[string][]string{
	"adapters/host":        {"*"},
	"adapters/sandbox":     {"adapters/sandboxauth", "adapters/synthetic"},
	"adapters/entstore":    {"adapters/entstore"},
	"adapters/s3store":     {"adapters/s3store"},
	"adapters/memory":      {"adapters/memory"},
	"adapters/okta":        {"adapters/jwks"},
	"adapters/smartauth":   {"adapters/jwks"},
	"adapters/sandboxauth": {"adapters/smartauth"},
	// Both are clients of any server, and prove themselves in the same way.
	"adapters/conformance":  {"adapters/clientkey"},
	"adapters/exportclient": {"adapters/clientkey", "adapters/reach"},
}

// The files are parsed rather than listed by the go command: parsing sees files
// under every build tag, and the test's result is not taken from the cache
// after a change.
func TestImportsPointInward(t *testing.T) {
	for file, imports := range importsOf(t) {
		top, _, _ := strings.Cut(file, "/")
		folder := path.Dir(file)
		allowed, limited := layers[top]
		if extra, ok := suites[folder]; ok {
			allowed = extra
		}
		for _, imp := range imports {
			switch {
			case isStandard(imp), strings.HasPrefix(imp, module+"/"+top+"/"), imp == module+"/"+top:
				if top == "adapters" && imp != module+"/"+folder {
					checkAdapter(t, file, folder, imp)
				}
			case limited && !strings.HasSuffix(file, "_test.go") && !slices.ContainsFunc(allowed, func(a string) bool { return imp == a || strings.HasPrefix(imp, a+"/") }):
				t.Errorf("%s imports %s, which %s may not", file, imp, top)
			case strings.HasPrefix(imp, module+"/ent") && !strings.HasPrefix(folder, "adapters/entstore"):
				t.Errorf("%s imports %s; only adapters/entstore knows ent", file, imp)
			case top == "adapters" && strings.HasPrefix(imp, module+"/web") && folder != "adapters/console" && imp != module+"/web/reference":
				t.Errorf("%s imports %s; only adapters/console shows pages, but for the reference and the guide", file, imp)
			case top == "adapters" && (imp == module || strings.HasPrefix(imp, module+"/cmd")):
				t.Errorf("%s imports %s, which is outward", file, imp)
			}
		}
	}
}

// checkAdapter lets an adapter import another only where that is listed. Tests
// may join adapters: that is how they prove them against each other.
func checkAdapter(t *testing.T, file, folder, imp string) {
	other, ours := strings.CutPrefix(imp, module+"/")
	if !ours || !strings.HasPrefix(other, "adapters/") || strings.HasSuffix(file, "_test.go") {
		return
	}
	for from, to := range shared {
		if folder != from && !strings.HasPrefix(folder, from+"/") {
			continue
		}
		for _, a := range to {
			if a == "*" || other == a || strings.HasPrefix(other, a+"/") {
				return
			}
		}
	}
	t.Errorf("%s imports %s; adapters do not know one another", file, imp)
}

func importsOf(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasPrefix(d.Name(), ".") && file != "." {
			return cmpSkip(err)
		}
		if d.IsDir() || !strings.HasSuffix(file, ".go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		found[filepath.ToSlash(file)] = nil
		for _, spec := range parsed.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			found[filepath.ToSlash(file)] = append(found[filepath.ToSlash(file)], name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 50 {
		t.Fatalf("only %d Go files found; the test does not see the tree", len(found))
	}
	return found
}

func cmpSkip(err error) error {
	if err != nil {
		return err
	}
	return filepath.SkipDir
}

func isStandard(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	return !strings.Contains(first, ".")
}

// Package guide serves what there is to read about the service: the Markdown of
// docs as pages, in the look of the API's reference.
package guide

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"path"
	"regexp"
	"strings"
	"unicode"

	"github.com/gofiber/fiber/v2"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"

	"cms.gov/ab2d/docs"
	"cms.gov/ab2d/web/reference"
)

// Path is where the first page is.
const Path = "/docs"

// Sandbox is the address that the examples in the pages are written for.
const Sandbox = "http://127.0.0.1:8080"

// chapters lists the pages in the order in which they are to be read. Those that
// are not pages of ours are found where they are served.
var chapters = []struct {
	title string
	pages []string
}{
	{"Guide", []string{"README", "authentication", "endpoints", "parameters", "data-dictionary", "data-dictionary-r4", "data-dictionary-stu3", "attestation", "troubleshooting", "limits", "changelog"}},
	{"Tutorials", []string{"tutorial-curl", "tutorial-powershell", "tutorial-postman", "tutorial-swagger", "tutorial-client", "parquet"}},
	{"For operators", []string{"operations", "configuration", "packaging"}},
	{"For developers", []string{"architecture", "adapters", "divergences", "decisions/README"}},
}

// Pages are the pages of the guide, ready to be served.
type Pages struct {
	pages  map[string][]byte // by address
	assets map[string][]byte
}

var markdown = goldmark.New(goldmark.WithExtensions(extension.Table), goldmark.WithParserOptions(parser.WithAutoHeadingID()))

// page is one that has been read.
type page struct {
	file, url, title string
	sections         []reference.Link
	body             string
}

// New reads the pages. Where base is set, examples are shown with that address
// instead of the sandbox's.
func New(base string) (*Pages, error) {
	var all []page
	var nav []reference.Chapter
	listed := map[string]bool{}
	read := func(name string) (page, error) {
		listed[name+".md"] = true
		return readPage(name, base)
	}
	for _, c := range chapters {
		chapter := reference.Chapter{Title: c.title}
		for _, name := range c.pages {
			p, err := read(name)
			if err != nil {
				return nil, err
			}
			all = append(all, p)
			chapter.Pages = append(chapter.Pages, reference.Link{URL: p.url, Title: p.title})
		}
		if c.title == "Guide" {
			chapter.Pages = append(chapter.Pages, reference.Link{URL: "/docs/api", Title: "API reference"})
		}
		nav = append(nav, chapter)
	}
	g := &Pages{pages: map[string][]byte{}, assets: map[string][]byte{}}
	// The rest is reached from one of the pages.
	err := fs.WalkDir(docs.Files, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || listed[file] {
			return err
		}
		if name, ok := strings.CutSuffix(file, ".md"); ok {
			p, err := read(name)
			all = append(all, p)
			return err
		}
		content, err := docs.Files.ReadFile(file)
		g.assets[Path+"/"+file] = content
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		var html bytes.Buffer
		view := reference.Guide{Title: p.title, Chapters: here(nav, p.url), Sections: p.sections, Body: p.body}
		if err := reference.Read(view).Render(context.Background(), &html); err != nil {
			return nil, err
		}
		g.pages[p.url] = html.Bytes()
	}
	return g, nil
}

// here marks the page that is shown.
func here(nav []reference.Chapter, url string) []reference.Chapter {
	marked := make([]reference.Chapter, len(nav))
	for i, c := range nav {
		marked[i].Title = c.Title
		for _, l := range c.Pages {
			l.Here = l.URL == url
			marked[i].Pages = append(marked[i].Pages, l)
		}
	}
	return marked
}

// Mount serves the pages on a router that stands at the root.
func (g *Pages) Mount(r fiber.Router) {
	for url, html := range g.pages {
		r.Get(url, serve(html, "text/html; charset=utf-8"))
	}
	for url, content := range g.assets {
		r.Get(url, serve(content, mime.TypeByExtension(path.Ext(url))))
	}
}

func serve(body []byte, contentType string) fiber.Handler {
	sum := sha256.Sum256(body)
	etag := `"` + hex.EncodeToString(sum[:16]) + `"`
	return func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderCacheControl, "no-cache")
		c.Set(fiber.HeaderETag, etag)
		if c.Get(fiber.HeaderIfNoneMatch) == etag {
			return c.SendStatus(fiber.StatusNotModified)
		}
		c.Set(fiber.HeaderContentType, contentType)
		c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
		return c.Send(body)
	}
}

func readPage(name, base string) (page, error) {
	source, err := docs.Files.ReadFile(name + ".md")
	if err != nil {
		return page{}, err
	}
	if base != "" {
		source = bytes.ReplaceAll(source, []byte(Sandbox), []byte(base))
	}
	p := page{file: name + ".md", url: address(name + ".md")}
	root := markdown.Parser().Parse(text.NewReader(source), parser.WithContext(parser.NewContext(parser.WithIDs(ids{}))))
	err = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			words := wordsOf(n, source)
			id, _ := n.AttributeString("id")
			switch {
			case n.Level == 1 && p.title == "":
				p.title = words
			case n.Level == 2:
				p.sections = append(p.sections, reference.Link{URL: fmt.Sprintf("#%s", id), Title: words})
			}
		case *ast.Link:
			n.Destination = []byte(follow(p.file, string(n.Destination)))
		case *ast.Image:
			n.Destination = []byte(follow(p.file, string(n.Destination)))
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		return page{}, err
	}
	var html bytes.Buffer
	if err := markdown.Renderer().Render(&html, source, root); err != nil {
		return page{}, err
	}
	p.body = scrollable(html.String(), p.title)
	return p, nil
}

// ids gives headings the names that they have where the repository is shown.
type ids map[string]bool

func (all ids) Generate(heading []byte, _ ast.NodeKind) []byte {
	id := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, string(bytes.TrimSpace(heading)))
	unique := id
	for n := 1; all[unique]; n++ {
		unique = fmt.Sprintf("%s-%d", id, n)
	}
	all[unique] = true
	return []byte(unique)
}

func (all ids) Put(id []byte) { all[string(id)] = true }

func wordsOf(n ast.Node, source []byte) string {
	var words strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // this walker fails at nothing
		if t, ok := n.(*ast.Text); ok && entering {
			words.Write(t.Segment.Value(source))
		}
		return ast.WalkContinue, nil
	})
	return words.String()
}

// address is where a file of docs is served.
func address(file string) string {
	name := strings.TrimSuffix(file, ".md")
	return strings.TrimSuffix(strings.TrimSuffix(Path+"/"+name, "README"), "/")
}

// follow turns a link as it works in the repository into one that works here.
// What is outside of docs is not served: then the link leads nowhere, and the
// pages have none such.
func follow(from, link string) string {
	file, anchor, _ := strings.Cut(link, "#")
	if file == "" || strings.Contains(link, "://") || strings.HasPrefix(file, "/") {
		return link
	}
	to := path.Join(path.Dir(from), file)
	if strings.HasSuffix(to, ".md") {
		to = address(to)
	} else {
		to = Path + "/" + to
	}
	if anchor != "" {
		to += "#" + anchor
	}
	return to
}

// wide are the beginnings of what may be wider than a window, and the headings
// that name it.
var wide = regexp.MustCompile(`<h[1-6][^>]*>(.*?)</h[1-6]>|<table>|</table>|<pre>`)

var tags = regexp.MustCompile(`<[^>]*>`)

// scrollable lets tables and code be scrolled by the keyboard, under a name. All
// of the HTML was made from Markdown without any HTML of its own, so what looks
// like a tag is one.
func scrollable(html, title string) string {
	heading, n := title, 0
	return wide.ReplaceAllStringFunc(html, func(tag string) string {
		attributes := func(what string) string {
			n++
			return fmt.Sprintf(`tabindex="0" role="region" aria-label="%s %d: %s"`, what, n, heading)
		}
		switch {
		case strings.HasPrefix(tag, "<h"):
			heading = strings.ReplaceAll(tags.ReplaceAllString(tag, ""), `"`, "&quot;")
			return tag
		case tag == "<table>":
			return `<div class="scroll" ` + attributes("Table") + `><table>`
		case tag == "</table>":
			return "</table></div>"
		}
		return "<pre " + attributes("Example") + ">"
	})
}

package openapi

import (
	"bytes"
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"gopkg.in/yaml.v3"

	"cms.gov/ab2d/web/reference"
)

// ReferencePath is where the description is a page to read.
const ReferencePath = "/docs/api"

// MountReference serves the document as a page. base is what the addresses in
// its examples begin with, and client is whom they are for; nil for none.
func (d *Document) MountReference(r fiber.Router, base string, client *Client) error {
	var page bytes.Buffer
	if err := reference.Show(d.page(base, client)).Render(context.Background(), &page); err != nil {
		return err
	}
	send := serve(page.Bytes(), "text/html; charset=utf-8")
	r.Get(ReferencePath, func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
		return send(c)
	})
	r.Get("/docs/reference.css", serve([]byte(reference.CSS), "text/css; charset=utf-8"))
	return nil
}

// follow returns what a node refers to, or the node.
func (d *Document) follow(n *yaml.Node) *yaml.Node {
	if ref := text(n, "$ref"); ref != "" {
		return at(d.root, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
	}
	return n
}

func text(n *yaml.Node, name string) string {
	if v := value(n, name); v != nil && v.Kind == yaml.ScalarNode {
		return v.Value
	}
	return ""
}

// members calls fn for each member of a mapping, in its order.
func members(n *yaml.Node, fn func(name string, v *yaml.Node)) {
	for i := 0; n != nil && n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
		fn(n.Content[i].Value, n.Content[i+1])
	}
}

func items(n *yaml.Node) []*yaml.Node {
	if n == nil {
		return nil
	}
	return n.Content
}

func (d *Document) page(base string, client *Client) reference.Page {
	info := at(d.root, "info")
	p := reference.Page{Title: text(info, "title"), Summary: text(info, "summary"), Intro: blocks(text(info, "description"))}
	for _, s := range items(at(d.root, "servers")) {
		p.Bases = append(p.Bases, reference.Base{URL: base + text(s, "url"), What: text(s, "description")})
	}
	for _, t := range items(at(d.root, "tags")) {
		tag := reference.Tag{Name: text(t, "name"), What: spans(text(t, "description"))}
		members(at(d.root, "paths"), func(path string, item *yaml.Node) {
			members(item, func(method string, op *yaml.Node) {
				if tags := items(value(op, "tags")); len(tags) > 0 && tags[0].Value == tag.Name {
					tag.Operations = append(tag.Operations, d.operation(path, method, item, op, base, client))
				}
			})
		})
		if len(tag.Operations) > 0 {
			p.Tags = append(p.Tags, tag)
		}
	}
	members(at(d.root, "components", "schemas"), func(name string, s *yaml.Node) {
		p.Schemas = append(p.Schemas, reference.Schema{Name: name, What: spans(text(s, "description")), Properties: d.properties("", s)})
	})
	return p
}

func (d *Document) operation(path, method string, item, op *yaml.Node, base string, client *Client) reference.Operation {
	o := reference.Operation{ID: text(op, "operationId"), Method: strings.ToUpper(method), Path: path, Summary: text(op, "summary"),
		What: blocks(text(op, "description")), Who: "It needs a token."}
	if own := value(op, "security"); own != nil {
		o.Who = "It needs no token."
		if len(own.Content) > 0 {
			o.Who = "It needs the client id and secret, or what the server says else of how to prove who asks."
		}
	}
	server := text(items(at(d.root, "servers"))[0], "url")
	if own := items(value(item, "servers")); len(own) > 0 {
		server = text(own[0], "url")
		var below []string
		for _, s := range own {
			below = append(below, text(s, "url"))
		}
		if o.Where = "It is below " + strings.Join(below, ", ") + "."; len(below) == 1 {
			o.Where = "Its address does not stand below a base."
		}
	}
	for _, n := range slices.Concat(items(value(item, "parameters")), items(value(op, "parameters"))) {
		o.Parameters = append(o.Parameters, d.parameter(d.follow(n)))
	}
	members(at(d.follow(value(op, "requestBody")), "content"), func(kind string, media *yaml.Node) {
		if o.BodyType == "" {
			o.BodyType, o.Body = kind, d.properties("", d.follow(value(media, "schema")))
		} else {
			o.BodyType += " or " + kind
		}
	})
	members(value(op, "responses"), func(status string, n *yaml.Node) { o.Answers = append(o.Answers, d.answer(status, d.follow(n))) })
	o.Try = try(o, strings.TrimSuffix(base+server, "/"), client)
	return o
}

func (d *Document) parameter(n *yaml.Node) reference.Parameter {
	kind, _ := d.kind(value(n, "schema"))
	return reference.Parameter{Name: text(n, "name"), In: text(n, "in"), Required: text(n, "required") == "true", Type: kind,
		What: spans(text(n, "description")), Example: text(n, "example")}
}

func (d *Document) answer(status string, n *yaml.Node) reference.Answer {
	a := reference.Answer{Status: strings.Replace(status, "default", "any other", 1), What: spans(text(n, "description"))}
	members(value(n, "headers"), func(name string, h *yaml.Node) {
		h = d.follow(h)
		a.Headers = append(a.Headers, reference.Parameter{Name: name, Required: text(h, "required") == "true", What: spans(text(h, "description"))})
	})
	members(value(n, "content"), func(kind string, media *yaml.Node) {
		a.ContentType = kind
		schema := value(media, "schema")
		if a.Schema = nameOf(schema); a.Schema == "" {
			a.Properties = d.properties("", schema)
		}
	})
	return a
}

func nameOf(schema *yaml.Node) string {
	name, _ := strings.CutPrefix(text(schema, "$ref"), "#/components/schemas/")
	return name
}

// kind says of what type a schema is, and the name of the schema if it has one.
func (d *Document) kind(schema *yaml.Node) (kind, name string) {
	if name = nameOf(schema); name != "" {
		return "", name
	}
	if c := text(schema, "const"); c != "" {
		return c, ""
	}
	if values := items(value(schema, "enum")); len(values) > 0 {
		var all []string
		for _, v := range values {
			if v.Value != "" {
				all = append(all, v.Value)
			}
		}
		return strings.Join(all, " | "), ""
	}
	if text(schema, "type") == "array" {
		of, name := d.kind(value(schema, "items"))
		return strings.TrimSpace("list of " + of), name
	}
	return cmp.Or(text(schema, "format"), text(schema, "type"), "any"), ""
}

// properties lists the members of an object, and theirs.
func (d *Document) properties(path string, schema *yaml.Node) (all []reference.Property) {
	var required []string
	for _, r := range items(value(schema, "required")) {
		required = append(required, r.Value)
	}
	members(value(schema, "properties"), func(name string, s *yaml.Node) {
		kind, of := d.kind(s)
		all = append(all, reference.Property{Path: path + name, Type: kind, Schema: of, Required: slices.Contains(required, name), What: spans(text(s, "description"))})
		inner, mark := s, "."
		if text(s, "type") == "array" {
			inner, mark = value(s, "items"), "[]."
		}
		if of == "" {
			all = append(all, d.properties(path+name+mark, inner)...)
		}
	})
	return all
}

// try is a command for the operations that can be tried without knowing more.
func try(o reference.Operation, base string, client *Client) string {
	if client == nil {
		return ""
	}
	address := strings.ReplaceAll(base+o.Path, "{contract}", client.Contract)
	switch {
	case o.ID == "token":
		return "curl -u " + client.ID + ":" + client.Secret + " -d 'grant_type=client_credentials&scope=clientCreds' " + address
	case o.Method != "GET" || strings.Contains(address, "{name}"):
		return ""
	}
	address = strings.ReplaceAll(address, "{id}", map[bool]string{true: "$JOB", false: "group-export"}[strings.Contains(o.Path, "/Job/")])
	quote := "'"
	if strings.Contains(address, "$JOB") {
		quote, address = `"`, strings.ReplaceAll(address, "$status", `\$status`)
	}
	if o.Who == "It needs a token." {
		return `curl -i -H "Authorization: Bearer $TOKEN" ` + quote + address + quote
	}
	return "curl -i " + quote + address + quote
}

var (
	numbered = regexp.MustCompile(`^\d+\. `)
	marked   = regexp.MustCompile("`([^`]+)`|\\*\\*([^*]+)\\*\\*|\\[([^\\]]+)\\]\\(([^)]+)\\)")
)

// blocks reads the little Markdown that the document uses.
func blocks(markdown string) (all []reference.Block) {
	open := false
	for line := range strings.SplitSeq(markdown, "\n") {
		line = strings.TrimSpace(line)
		item := numbered.MatchString(line)
		switch {
		case line == "":
			open = false
			continue
		case item || !open:
			all = append(all, reference.Block{Item: item})
		}
		last := &all[len(all)-1]
		if open && !item {
			line = " " + line
		}
		last.Spans = append(last.Spans, spans(numbered.ReplaceAllString(line, ""))...)
		open = true
	}
	return all
}

func spans(markdown string) (all []reference.Span) {
	end := 0
	for _, m := range marked.FindAllStringSubmatchIndex(markdown, -1) {
		all = append(all, reference.Span{Text: markdown[end:m[0]]})
		part := func(i int) string { return markdown[m[2*i]:m[2*i+1]] }
		switch {
		case m[2] >= 0:
			all = append(all, reference.Span{Text: part(1), Code: true})
		case m[4] >= 0:
			all = append(all, reference.Span{Text: part(2), Strong: true})
		default:
			all = append(all, reference.Span{Text: part(3), URL: part(4)})
		}
		end = m[1]
	}
	return append(all, reference.Span{Text: markdown[end:]})
}

// Package openapi tells what the API offers: the OpenAPI document, which is
// written by hand in openapi.yaml, and what is made from it for people, Swagger
// UI and a reference that needs no JavaScript.
package openapi

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"

	"gopkg.in/yaml.v3"
)

//go:embed openapi.yaml
var source []byte

// Document is the description of the API as one server offers it.
type Document struct {
	YAML, JSON []byte
	root       *yaml.Node // without aliases
}

// sandboxOnly marks paths that only a sandbox has.
const sandboxOnly = "x-only"

// NewDocument returns the document of a server whose clients get their tokens
// at tokenURL. A sandbox gives tokens itself, at the address in the document;
// for it tokenURL is empty.
func NewDocument(tokenURL string) (*Document, error) {
	var parsed yaml.Node
	if err := yaml.Unmarshal(source, &parsed); err != nil {
		return nil, fmt.Errorf("openapi.yaml: %w", err)
	}
	d := &Document{root: withoutAliases(parsed.Content[0])}
	paths := at(d.root, "paths")
	for i := 0; i < len(paths.Content); i += 2 {
		only := at(paths.Content[i+1], sandboxOnly) != nil
		remove(paths.Content[i+1], sandboxOnly)
		if only && tokenURL != "" {
			paths.Content = slices.Delete(paths.Content, i, i+2)
			i -= 2
		}
	}
	if tokenURL != "" {
		at(d.root, "components", "securitySchemes", "clientCredentials", "flows", "clientCredentials", "tokenUrl").Value = tokenURL
	}
	var err error
	if d.YAML, err = yaml.Marshal(d.root); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := writeJSON(&out, d.root); err != nil {
		return nil, err
	}
	d.JSON = out.Bytes()
	return d, nil
}

// withoutAliases returns a copy that says again what an alias refers to: not
// every reader of YAML knows them, and JSON has none.
func withoutAliases(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return withoutAliases(n.Alias)
	}
	c := *n
	c.Anchor, c.Content = "", make([]*yaml.Node, len(n.Content))
	for i, child := range n.Content {
		c.Content[i] = withoutAliases(child)
	}
	return &c
}

// at returns what lies under the names, or nil.
func at(n *yaml.Node, names ...string) *yaml.Node {
	for _, name := range names {
		if n = value(n, name); n == nil {
			return nil
		}
	}
	return n
}

func value(n *yaml.Node, name string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

func remove(n *yaml.Node, name string) {
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			n.Content = slices.Delete(n.Content, i, i+2)
			return
		}
	}
}

// writeJSON writes a node as JSON, in the order in which it was written by hand.
func writeJSON(w *bytes.Buffer, n *yaml.Node) error {
	list := func(open, end byte, step int, item func(i int) error) error {
		w.WriteByte(open)
		for i := 0; i < len(n.Content); i += step {
			if i > 0 {
				w.WriteByte(',')
			}
			if err := item(i); err != nil {
				return err
			}
		}
		w.WriteByte(end)
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		return list('{', '}', 2, func(i int) error {
			if err := writeString(w, n.Content[i].Value); err != nil {
				return err
			}
			w.WriteByte(':')
			return writeJSON(w, n.Content[i+1])
		})
	case yaml.SequenceNode:
		return list('[', ']', 1, func(i int) error { return writeJSON(w, n.Content[i]) })
	}
	switch n.ShortTag() {
	case "!!int", "!!float", "!!bool", "!!null":
		var v any
		if err := n.Decode(&v); err != nil {
			return err
		}
		literal, err := json.Marshal(v)
		w.Write(literal)
		return err
	}
	return writeString(w, n.Value)
}

func writeString(w *bytes.Buffer, s string) error {
	text, err := json.Marshal(s)
	w.Write(text)
	return err
}

// Package reference is the description of the API as a page to read: all of it
// at once, without JavaScript.
package reference

import _ "embed"

// Page is what the reference shows.
type Page struct {
	Title, Summary string
	Intro          []Block
	Bases          []Base
	Tags           []Tag
	Schemas        []Schema
}

// Base is an address that the paths of operations stand below.
type Base struct{ URL, What string }

// Tag is a group of operations.
type Tag struct {
	Name       string
	What       []Span
	Operations []Operation
}

// Operation is one method of one path.
type Operation struct {
	ID, Method, Path string
	Summary          string
	Where            string // below which addresses it is, if not below all bases
	Who              string // what a client must show
	What             []Block
	Parameters       []Parameter
	Body             []Property // of a form or a JSON object that is sent
	BodyType         string
	Answers          []Answer
	Try              string // a command that works in the sandbox; empty for none
}

// Parameter is one of a request.
type Parameter struct {
	Name, In, Type, Example string
	Required                bool
	What                    []Span
}

// Answer is one status and what comes with it.
type Answer struct {
	Status      string
	What        []Span
	Headers     []Parameter
	ContentType string
	Schema      string     // the name of one of the page's; empty if it is described here
	Properties  []Property // where it is
}

// Schema is a named form of JSON.
type Schema struct {
	Name       string
	What       []Span
	Properties []Property
}

// Property is one member of an object, with its whole path.
type Property struct {
	Path, Type string
	Required   bool
	What       []Span
	Schema     string // the name of one of the page's that it is of
}

// Block is a paragraph, or an item of a numbered list.
type Block struct {
	Item  bool
	Spans []Span
}

// Span is a piece of text. It is plain unless one of the others is set.
type Span struct {
	Text         string
	Code, Strong bool
	URL          string
}

// CSS is the page's style sheet.
//
//go:embed reference.css
var CSS string

// Items returns the items of a list that all begins with.
func Items(all []Block) []Block {
	for i, b := range all {
		if !b.Item {
			return all[:i]
		}
	}
	return all
}

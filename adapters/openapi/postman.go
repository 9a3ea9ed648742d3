package openapi

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// The scripts of the collection: what runs before each request, and the steps of
// a whole export.
var (
	//go:embed postman/token.js
	tokenScript string
	//go:embed postman/kickoff.js
	kickOffScript string
	//go:embed postman/status.js
	statusScript string
	//go:embed postman/download.js
	downloadScript string
)

// The parts of a Postman collection, version 2.1, that are used here.
type (
	collection struct {
		Info struct {
			Name        string `json:"name"`
			Description string `json:"description"`
			Schema      string `json:"schema"`
		} `json:"info"`
		Event    []event       `json:"event"`
		Variable []variable    `json:"variable"`
		Item     []postmanItem `json:"item"`
	}
	postmanItem struct {
		Name    string        `json:"name"`
		Item    []postmanItem `json:"item,omitempty"`
		Request *request      `json:"request,omitempty"`
		Event   []event       `json:"event,omitempty"`
	}
	request struct {
		Method      string     `json:"method"`
		URL         string     `json:"url"`
		Header      []variable `json:"header,omitempty"`
		Auth        *auth      `json:"auth,omitempty"`
		Body        *body      `json:"body,omitempty"`
		Description string     `json:"description,omitempty"`
	}
	auth struct {
		Type  string     `json:"type"`
		Basic []variable `json:"basic,omitempty"`
	}
	body struct {
		Mode       string     `json:"mode"`
		Raw        string     `json:"raw,omitempty"`
		URLEncoded []variable `json:"urlencoded,omitempty"`
	}
	event struct {
		Listen string `json:"listen"`
		Script struct {
			Type string   `json:"type"`
			Exec []string `json:"exec"`
		} `json:"script"`
	}
	variable struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
)

// Postman returns the document as a Postman collection for a server at base. A
// folder of its own goes through a whole export; the others have every
// operation. The collection gets its token by itself, and polls by itself.
func (d *Document) Postman(base string, client Client) ([]byte, error) {
	var c collection
	c.Info.Name = text(at(d.root, "info"), "title")
	c.Info.Description = "Made from the OpenAPI document. Set base, client_id, client_secret and contract in the variables, and run the folder \"A whole export\"."
	c.Info.Schema = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
	server := text(items(at(d.root, "servers"))[0], "url")
	token := ""
	var folders []postmanItem
	for _, t := range items(at(d.root, "tags")) {
		folder := postmanItem{Name: text(t, "name")}
		members(at(d.root, "paths"), func(path string, item *yaml.Node) {
			members(item, func(method string, op *yaml.Node) {
				tags := items(value(op, "tags"))
				if len(tags) == 0 || tags[0].Value != folder.Name {
					return
				}
				root := server
				if own := items(value(item, "servers")); len(own) > 0 {
					root = text(own[0], "url")
				}
				address := "{{base}}" + strings.TrimSuffix(root, "/") + placeholders(path)
				if text(op, "operationId") == "token" {
					token = address
				}
				folder.Item = append(folder.Item, d.postmanOperation(address, method, op))
			})
		})
		if len(folder.Item) > 0 {
			folders = append(folders, folder)
		}
	}
	c.Variable = []variable{{"base", base}, {"token_url", token}, {"client_id", client.ID}, {"client_secret", client.Secret}, {"contract", client.Contract},
		{"since", ""}, {"token", ""}, {"token_ends", ""}, {"job", ""}, {"files", ""}, {"name", ""}}
	c.Event = []event{script("prerequest", tokenScript)}
	fhir := "{{base}}" + server
	walk := postmanItem{Name: "A whole export", Item: []postmanItem{
		{Name: "Start the export", Request: bearer("GET", fhir+"/Group/{{contract}}/$export"), Event: []event{script("test", kickOffScript)}},
		{Name: "Ask for the status", Request: bearer("GET", fhir+"/Job/{{job}}/$status"), Event: []event{script("test", statusScript)}},
		{Name: "Download a file", Request: bearer("GET", fhir+"/Job/{{job}}/file/{{name}}"), Event: []event{script("test", downloadScript)}},
	}}
	c.Item = append([]postmanItem{walk}, folders...)
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(c)
	return out.Bytes(), err
}

func bearer(method, url string) *request {
	return &request{Method: method, URL: url, Header: []variable{{"Authorization", "Bearer {{token}}"}, {"Accept-Encoding", "gzip"}}, Auth: &auth{Type: "noauth"}}
}

// postmanOperation is one operation, with a test that its answer is one that the
// document lists.
func (d *Document) postmanOperation(address, method string, op *yaml.Node) postmanItem {
	r := &request{Method: strings.ToUpper(method), URL: address, Auth: &auth{Type: "noauth"}, Description: text(op, "description")}
	switch own := value(op, "security"); {
	case own == nil:
		r.Header = []variable{{"Authorization", "Bearer {{token}}"}}
	case len(own.Content) > 0:
		r.Auth = &auth{Type: "basic", Basic: []variable{{"username", "{{client_id}}"}, {"password", "{{client_secret}}"}}}
	}
	members(at(d.follow(value(op, "requestBody")), "content"), func(kind string, media *yaml.Node) {
		switch example := value(media, "example"); {
		case r.Body != nil:
		case kind == "application/x-www-form-urlencoded":
			r.Body = &body{Mode: "urlencoded", URLEncoded: []variable{{"grant_type", "client_credentials"}, {"scope", "clientCreds"}}}
		case example != nil:
			var raw bytes.Buffer
			if writeJSON(&raw, example) == nil { // the same was written to JSON before
				r.Body = &body{Mode: "raw", Raw: raw.String()}
				r.Header = append(r.Header, variable{"Content-Type", kind})
			}
		}
	})
	var statuses []string
	members(value(op, "responses"), func(status string, _ *yaml.Node) {
		if status != "default" {
			statuses = append(statuses, status)
		}
	})
	test := `pm.test("is answered as the description says", () => pm.expect([` + strings.Join(statuses, ", ") + `]).to.include(pm.response.code));`
	return postmanItem{Name: text(op, "summary"), Request: r, Event: []event{script("test", test)}}
}

var place = regexp.MustCompile(`\{(\w+)\}`)

// placeholders writes the parameters of a path as the collection's variables.
func placeholders(path string) string {
	return place.ReplaceAllStringFunc(path, func(p string) string {
		switch {
		case p == "{id}" && strings.Contains(path, "/Job/"):
			return "{{job}}"
		case p == "{id}":
			return "group-export"
		}
		return "{" + p + "}"
	})
}

func script(listen, source string) (e event) {
	e.Listen = listen
	e.Script.Type = "text/javascript"
	e.Script.Exec = strings.Split(strings.TrimRight(source, "\n"), "\n")
	return e
}

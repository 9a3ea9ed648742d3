// Package start is the page that a sandbox opens with: where everything is, and
// the commands of a first export, ready to be copied.
package start

import _ "embed"

// Page is what the start page shows.
type Page struct {
	Base     string // the address that answers, without a slash at the end
	TokenURL string
	Version  string
	Sponsors []Sponsor
}

// Sponsor is one sponsor of the sandbox with its public credential.
type Sponsor struct {
	Name, Contract, Enrollees, ClientID, Secret string
}

// Sample is the sponsor that the commands are written with.
func (p Page) Sample() Sponsor { return p.Sponsors[0] }

// Step is one command of the walk.
type Step struct{ Title, Command string }

// Walk is a whole export in four commands for a shell with curl.
func (p Page) Walk() []Step {
	s := p.Sample()
	return []Step{
		{"Get a token", `TOKEN=$(curl -s -u ` + s.ClientID + `:` + s.Secret + ` \
  -d 'grant_type=client_credentials&scope=clientCreds' \
  ` + p.TokenURL + ` \
  | sed 's/.*"access_token":"\([^"]*\)".*/\1/')`},
		{"Start an export", `JOB=$(curl -s -D - -o /dev/null -H "Authorization: Bearer $TOKEN" \
  '` + p.Base + `/api/v2/fhir/Group/` + s.Contract + `/$export' \
  | tr -d '\r' | sed -n 's/^Content-Location: //Ip'); echo "$JOB"`},
		{"Ask how it is doing, until it answers 200 with the list of files", `curl -s -i -H "Authorization: Bearer $TOKEN" "$JOB"`},
		{"Download a file, once, within 24 hours", `curl -s --compressed -H "Authorization: Bearer $TOKEN" \
  "${JOB%/\$status}/file/` + s.Contract + `_0001.ndjson" -o ` + s.Contract + `_0001.ndjson`},
	}
}

// CSS is the page's style sheet.
//
//go:embed start.css
var CSS string

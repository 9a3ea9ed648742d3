// Package conformance checks a Bulk Data server against the requirements that
// the FHIR guides have for one, from outside, as a client sees it. It makes
// exports and deletes them again; the server may be ours or any other.
package conformance

// Requirement is one thing that a guide asks of a server.
type Requirement struct {
	ID       string `json:"id"`
	Strength string `json:"strength"` // SHALL, SHOULD or MAY
	Versions string `json:"versions"` // of the guide: 1 to 3 are STU1 to STU3, 4 is the ballot of 4.0.0
	Source   string `json:"source"`   // which guide, and where in it
	Text     string `json:"text"`
}

const (
	bulk  = "Bulk Data Access"
	smart = "SMART App Launch 2"
)

// Requirements are all that are checked, in the order of the guides.
var Requirements = []Requirement{
	{"S1", "SHALL", "1-4", bulk + ", security", "All exchanges are over TLS 1.2 or later."},
	{"S3", "SHALL", "2-4", bulk + ", security", "Kick-off and status are refused without a token, with 400 or 401."},
	{"C1", "SHALL", "2-4", bulk + ", CapabilityStatement", "The CapabilityStatement lists the export operations."},
	{"C2", "SHOULD", "1-4", bulk + ", CapabilityStatement", "It instantiates the guide's CapabilityStatement."},
	{"C3", "SHOULD", "1-4", bulk + ", CapabilityStatement", "Its export operations refer to the guide's definitions."},

	{"A1", "SHALL", "2-4", smart + ", .well-known", "smart-configuration is application/json below the base, whatever Accept says, with an absolute token_endpoint."},
	{"A2", "SHALL", "2-4", smart + ", backend services", "It tells of private_key_jwt, of RS384 or ES384, and of client-confidential-asymmetric."},
	{"A2b", "SHALL", "2-4", smart + ", conformance", "It has grant_types_supported and code_challenge_methods_supported."},
	{"A8", "SHALL", "2-4", smart + ", backend services", "A client that cannot prove who it is gets 400 or 401 and invalid_client."},
	{"A8b", "SHALL", "2-4", "RFC 6749, 5.2", "An unknown grant_type is 400."},
	{"A9", "SHALL", "2-4", smart + ", backend services", "The token's answer has access_token, token_type bearer, expires_in as a number, and scope."},
	{"A10", "SHOULD", "2-4", smart + ", backend services", "A token for an assertion is valid for at most 5 minutes."},

	{"K1", "SHALL", "1-3", bulk + ", kick-off", "GET starts an export."},
	{"K2", "MAY", "2-4", bulk + ", kick-off", "POST with Parameters starts an export (SHALL in 4)."},
	{"K3", "SHALL", "2,3", bulk + ", kick-off", "A parameter that is repeated is like one with commas."},
	{"K6", "SHOULD", "1-4", bulk + ", endpoints", "Where a group can be exported, Group can be read and searched."},
	{"K10", "MAY", "2-4", bulk + ", kick-off", "Without Accept and Prefer the export starts, or the refusal is an OperationOutcome."},
	{"K12", "SHALL", "3,4", bulk + ", kick-off", "separate-export-status, where it is applied: status is 200 with X-Export-Status."},
	{"K13", "SHALL", "1-4", bulk + ", kick-off", "A start is 202 with one absolute Content-Location, and an empty body or JSON."},
	{"K14", "SHALL", "1-4", bulk + ", kick-off", "A refusal is 4XX or 5XX with an OperationOutcome as FHIR JSON."},
	{"K16", "SHOULD", "2-4", bulk + ", kick-off", "A parameter that is not supported is refused."},
	{"K16b", "MAY", "2-4", bulk + ", kick-off", "With handling=lenient it is ignored."},
	{"O1", "SHALL", "2-4", bulk + ", _outputFormat", "application/fhir+ndjson, application/ndjson and ndjson are accepted."},
	{"O2", "SHALL", "1-4", bulk + ", _since", "An instant is accepted, with an offset and with fractions of a second."},
	{"O3", "SHOULD", "1-4", bulk + ", _type", "A type that is not supported is refused."},
	{"O4", "SHALL", "1-4", bulk + ", _type", "_type delivers the types that are named and no others."},
	{"O5", "MAY", "1-4", bulk + ", _typeFilter", "_typeFilter is accepted, or the refusal is an OperationOutcome."},
	{"O6", "MAY", "2-4", bulk + ", _elements", "_elements is accepted, or the refusal is an OperationOutcome."},
	{"O7", "MAY", "3,4", bulk + ", _until", "_until is accepted, or the refusal is an OperationOutcome."},
	{"O8", "MAY", "3,4", bulk + ", organizeOutputBy", "organizeOutputBy is accepted, or the refusal is an OperationOutcome."},
	{"O9", "MAY", "3,4", bulk + ", allowPartialManifests", "allowPartialManifests is accepted, or the refusal is an OperationOutcome."},

	{"P1", "SHALL", "1-4", bulk + ", status", "While it runs the status is 202, or 200 with X-Export-Status."},
	{"P2", "MAY", "1-4", bulk + ", status", "X-Progress has less than 100 characters."},
	{"P3", "SHOULD", "1-4", bulk + ", status", "Retry-After is a number of seconds or an HTTP date."},
	{"P4", "SHOULD", "1-4", bulk + ", status", "Who polls too fast is told 429 with Retry-After."},
	{"P8", "SHALL", "1-4", bulk + ", status", "When it is complete the status is 200 with application/json."},
	{"P9", "SHOULD", "1-4", bulk + ", status", "Expires is an HTTP date."},

	{"M1", "SHALL", "1-4", bulk + ", manifest", "transactionTime is an instant that has been."},
	{"M2", "SHALL", "1-3", bulk + ", manifest", "request is the address of the kick-off."},
	{"M3", "SHALL", "1-4", bulk + ", manifest", "requiresAccessToken is a boolean."},
	{"M4", "SHALL", "1-4", bulk + ", manifest", "output is a list of files with a type and an absolute url."},
	{"M5", "MAY", "1-4", bulk + ", manifest", "count, where it is given, is the number of lines."},
	{"M6", "SHALL", "1-3", bulk + ", manifest", "error is a list, of files of OperationOutcomes."},
	{"M7", "MAY", "2-4", bulk + ", manifest", "deleted, where it is given, is a list."},
	{"M8", "SHOULD", "1-4", bulk + ", manifest", "No resource was updated after transactionTime."},

	{"F1", "SHALL", "1-4", bulk + ", files", "A file is 200 with application/fhir+ndjson."},
	{"F2", "SHALL", "1-4", bulk + ", files", "Where requiresAccessToken is true a file is refused without a token, with 400 or 401."},
	{"F4", "SHALL", "3,4", bulk + ", files", "A file comes plain or in a coding that was offered, and says which."},
	{"F5", "SHALL", "1-4", bulk + ", files", "Each line is a resource, and no resource is there twice."},
	{"F6", "SHALL", "1-4", bulk + ", files", "All resources of a file are of the type that the manifest says."},

	{"D1", "SHALL", "1-4", bulk + ", delete", "DELETE of a running export is 202."},
	{"D2", "MAY", "2-4", bulk + ", delete", "DELETE of a complete export is 202."},
	{"D3", "SHALL", "2-4", bulk + ", delete", "After that its status is 404 with an OperationOutcome."},
}

// Result is what became of a requirement.
type Result string

// The results. Accepted is a failure that whoever runs the checks knows of and
// gives a reason for.
const (
	Pass          Result = "pass"
	Fail          Result = "fail"
	NotApplicable Result = "not applicable"
	Accepted      Result = "accepted"
)

// Finding is a requirement and what became of it.
type Finding struct {
	Requirement
	Result Result `json:"result"`
	Detail string `json:"detail,omitempty"` // what was seen, or why it was not looked at
}

// Report is what a run found.
type Report struct {
	Server   string    `json:"server"`
	Requests int       `json:"requests"`
	Findings []Finding `json:"findings"`
}

// Failures counts what failed: of strength SHALL, and of any other.
func (r Report) Failures() (shall, other int) {
	for _, f := range r.Findings {
		switch {
		case f.Result == Fail && f.Strength == "SHALL":
			shall++
		case f.Result == Fail:
			other++
		}
	}
	return shall, other
}

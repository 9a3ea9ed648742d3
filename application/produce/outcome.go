package produce

import (
	"encoding/json"

	"cms.gov/ab2d/domain"
)

// outcomes returns the lines that the member has in the error file: one when
// its claims could not be had, else one for each claim and each record that could
// not be read. They name the person as the sponsor knows it from its own files, since only
// that sponsor may read them. Somebody without claims has none.
func (f *fetched) outcomes() [][]byte {
	switch {
	case f.failure != "" && f.unknown:
		return [][]byte{f.outcome("not-found", true, "The claims of this enrollee could not be had: "+f.failure,
			"The source may not have this person yet. "+again+" If that is of no use, report it to the help desk with this text.")}
	case f.failure != "":
		return [][]byte{f.outcome("transient", true, "The claims of this enrollee could not be had: "+f.failure,
			again)}
	}
	var lines [][]byte
	for _, why := range f.unread {
		lines = append(lines, f.outcome("structure", false, "A claim of this enrollee could not be read: "+why,
			"Report it to the help desk with this text."))
	}
	for _, why := range f.unreadRecords {
		lines = append(lines, f.outcome("structure", false, "The Patient or Coverage of this enrollee could not be read: "+why,
			"Report it to the help desk with this text."))
	}
	return lines
}

// ignoredOutcome tells of a parameter that was passed over.
func ignoredOutcome(i domain.Ignored) []byte {
	code := "invalid"
	if i.Code == domain.NotFound {
		code = "not-supported"
	}
	return outcomeLine(map[string]any{"severity": "information", "code": code, "extension": []extension{explained("ignored-parameters")},
		"details": map[string]any{"text": "Ignored: " + i.Text}, "diagnostics": i.Next})
}

const again = "Ask for them again with a new export of the same _since. Where the manifest has a request ready in its extension " + domain.RetryExtension + ", that one asks for just those who are missing."

// extension is one of those that an issue has.
type extension struct {
	URL          string      `json:"url"`
	ValueString  string      `json:"valueString,omitempty"`
	ValueURI     string      `json:"valueUri,omitempty"`
	ValueBoolean *bool       `json:"valueBoolean,omitempty"`
	ValueID      *identifier `json:"valueIdentifier,omitempty"`
}

type identifier struct {
	System string `json:"system"`
	Value  string `json:"value"`
}

// outcome is one OperationOutcome, which is the same in STU3 and R4.
func (f *fetched) outcome(code string, retryable bool, text, next string) []byte {
	about := []extension{{URL: retryableExtension, ValueBoolean: &retryable}, {URL: patientExtension, ValueString: string(f.Patient)}}
	for _, mbi := range f.IDs.All() {
		about = append(about, extension{URL: mbiExtension, ValueID: &identifier{"http://hl7.org/fhir/sid/us-mbi", string(mbi)}})
	}
	about = append(about, explained("error-file-"+code))
	return outcomeLine(map[string]any{"severity": "error", "code": code, "extension": about,
		"details": map[string]any{"text": text}, "diagnostics": next})
}

func outcomeLine(issue map[string]any) []byte {
	line, err := json.Marshal(map[string]any{"resourceType": "OperationOutcome", "issue": []any{issue}})
	if err != nil {
		panic(err) // nothing in it that could not be written
	}
	return append(line, '\n')
}

// explained says where the guide explains an issue. The file does not depend on
// the address that the service goes by, so this begins at its root.
func explained(topic string) extension {
	return extension{URL: documentationExtension, ValueURI: "/docs/troubleshooting#" + topic}
}

// The extensions of an OperationOutcome that say whom it is about, the MBI in
// force first, and whether asking again may help.
const (
	retryableExtension = "https://ab2d.cms.gov/retryable"
	patientExtension   = "https://ab2d.cms.gov/patient"
	mbiExtension       = "https://ab2d.cms.gov/mbi"

	documentationExtension = "https://ab2d.cms.gov/documentation"
)

package produce

import (
	"encoding/json"
	"fmt"

	"cms.gov/ab2d/domain"
)

// outcomes returns the lines that the member has in the error file: one when
// its claims could not be had, else one for each claim and each record that could
// not be read.
// They name the person as the sponsor knows it from its own files, since only
// that sponsor may read them.
func (f *fetched) outcomes() [][]byte {
	if f.failure != "" {
		return [][]byte{f.outcome("transient", fmt.Sprintf("The claims of this enrollee could not be had: %s", f.failure),
			"Ask for them again with a new export; give it the same _since.")}
	}
	var lines [][]byte
	for _, why := range f.unread {
		lines = append(lines, f.outcome("structure", fmt.Sprintf("A claim of this enrollee could not be read: %s", why),
			"Report it to the help desk with this text."))
	}
	for _, why := range f.unreadRecords {
		lines = append(lines, f.outcome("structure", fmt.Sprintf("The Patient or Coverage of this enrollee could not be read: %s", why),
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
	return outcomeLine(map[string]any{"severity": "information", "code": code,
		"details": map[string]any{"text": "Ignored: " + i.Text}, "diagnostics": i.Next})
}

// outcome is one OperationOutcome, which is the same in STU3 and R4.
func (f *fetched) outcome(code, text, next string) []byte {
	type extension struct {
		URL         string         `json:"url"`
		ValueString string         `json:"valueString,omitempty"`
		ValueID     map[string]any `json:"valueIdentifier,omitempty"`
	}
	about := []extension{{URL: patientExtension, ValueString: string(f.Patient)}}
	if f.IDs.Current != "" {
		about = append(about, extension{URL: mbiExtension,
			ValueID: map[string]any{"system": "http://hl7.org/fhir/sid/us-mbi", "value": string(f.IDs.Current)}})
	}
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

// The extensions of an OperationOutcome that say whom it is about.
const (
	patientExtension = "https://ab2d.cms.gov/patient"
	mbiExtension     = "https://ab2d.cms.gov/mbi"
)

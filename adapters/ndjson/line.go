package ndjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"cms.gov/ab2d/domain"
)

// members walks the members of the one JSON object in line and hands over each
// with its value as it stands. Names that have escapes in them are not any that
// are looked for and are handed over raw. What is inside a value is only
// balanced, not checked: whoever uses a value reads it strictly.
func members(line []byte, take func(name, value []byte)) error {
	i := space(line, 0)
	if i == len(line) || line[i] != '{' {
		return errors.New("it does not begin with {")
	}
	i = space(line, i+1)
	if i < len(line) && line[i] == '}' {
		return ended(line, i+1)
	}
	for {
		end := skipString(line, i)
		if end < 0 {
			return errors.New("a member has no name")
		}
		name := line[i+1 : end-1]
		if i = space(line, end); i == len(line) || line[i] != ':' {
			return errors.New("a member has no value")
		}
		i = space(line, i+1)
		if end = skipValue(line, i); end < 0 {
			return errors.New("a value does not end")
		}
		take(name, line[i:end])
		switch i = space(line, end); {
		case i == len(line):
			return errors.New("the object does not end")
		case line[i] == '}':
			return ended(line, i+1)
		case line[i] != ',':
			return errors.New("there is no comma between two members")
		}
		i = space(line, i+1)
	}
}

func ended(line []byte, i int) error {
	if space(line, i) < len(line) {
		return errors.New("there is more after the object")
	}
	return nil
}

func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n') {
		i++
	}
	return i
}

// skipString returns the place after the string that begins at i, and -1 when
// there is none.
func skipString(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	for i++; ; i++ {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		i += n
		slashes := 0
		for b[i-1-slashes] == '\\' { // stops at the quote that opens the string
			slashes++
		}
		if slashes%2 == 0 {
			return i + 1
		}
	}
}

// skipValue returns the place after the value that begins at i, and -1 when it
// does not end.
func skipValue(b []byte, i int) int {
	if i == len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	from := i
	for i < len(b) && b[i] != ',' && b[i] != '}' && b[i] != ']' && b[i] > ' ' {
		i++
	}
	if i == from {
		return -1
	}
	return i
}

func skipNested(b []byte, i int) int {
	for depth := 0; i < len(b); {
		switch b[i] {
		case '"':
			if i = skipString(b, i); i < 0 {
				return -1
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return -1
}

// line is what the index has to know of one line.
type line struct {
	kind    string // resourceType; empty when it cannot be told
	id      []byte
	patient []byte // whose claim it is; nil when that cannot be told
	version domain.FHIRVersion
	updated time.Time   // zero when there is none, or none that can be read
	ended   domain.Date // zero likewise
}

// read tells what a line is. The error says what is wrong with its JSON; what
// was found before that place is there all the same.
func (l *line) read(raw []byte) error {
	*l = line{version: domain.STU3}
	return members(raw, func(name, value []byte) {
		switch string(name) {
		case "resourceType":
			l.kind = text(value)
		case "id":
			l.id = value
		case "patient":
			if l.patient == nil {
				l.patient = patientOf(value)
			}
		case "meta":
			l.updated = updatedOf(value)
		case "billablePeriod":
			l.ended = endOf(value)
		case "use", "supportingInfo":
			l.version = domain.R4
		case "insurance":
			if value[0] == '[' {
				l.version = domain.R4
			}
		}
	})
}

// text reads a JSON string, and is empty for anything else.
func text(value []byte) string {
	if len(value) < 2 || value[0] != '"' {
		return ""
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1])
	}
	var s string
	if json.Unmarshal(value, &s) != nil {
		return ""
	}
	return s
}

// patientOf reads the id out of {"reference":"Patient/..."}, and is nil when
// the reference is to none.
func patientOf(value []byte) (id []byte) {
	_ = members(value, func(name, value []byte) {
		if string(name) == "reference" && id == nil {
			id = patientID(text(value))
		}
	})
	return id
}

// patientID returns the id in a reference to a Patient, relative or absolute,
// of any version of it. An id is what FHIR allows as one, which keeps keys and
// messages clean; anything else is nobody.
func patientID(reference string) []byte {
	b := []byte(reference)
	const kind = "Patient/"
	at := bytes.LastIndex(b, []byte(kind))
	if at < 0 || at > 0 && b[at-1] != '/' {
		return nil
	}
	id, _, _ := bytes.Cut(b[at+len(kind):], []byte("/"))
	if !validID(id) {
		return nil
	}
	return id
}

func validID(id []byte) bool {
	if len(id) == 0 || len(id) > 64 {
		return false
	}
	for _, c := range id {
		if !(c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '-' || c == '.') {
			return false
		}
	}
	return true
}

func updatedOf(meta []byte) (t time.Time) {
	_ = members(meta, func(name, value []byte) {
		if string(name) == "lastUpdated" {
			t, _ = time.Parse(time.RFC3339Nano, text(value)) // zero when it cannot be read
		}
	})
	return t
}

func endOf(period []byte) (d domain.Date) {
	_ = members(period, func(name, value []byte) {
		if string(name) == "end" {
			d, _ = domain.ParseDate(text(value)) // zero likewise
		}
	})
	return d
}

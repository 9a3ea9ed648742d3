package domain

import (
	"reflect"
	"slices"
)

// Terms are what a kick-off asked for beside its window of time. The zero Terms
// ask for every claim of every enrollee, in files as the site cuts them.
//
// They are kept with the job as JSON: a field may be added, and none may change
// its name or meaning. A program that does not know a field would do the job
// wrongly, so stores keep jobs with terms out of the sight of programs from
// before there were any.
type Terms struct {
	Types          []ResourceType `json:"types,omitempty"`          // what is asked for; nothing stands for claims alone
	SeparateStatus bool           `json:"separateStatus,omitempty"` // the status of the export stands apart from that of the answer which tells it
	Patients       []PatientID    `json:"patients,omitempty"`       // the enrollees whom the export is restricted to, in the byte order of their ids, each once; none for all
	Filters        Filters        `json:"filters,omitempty"`        // searches of which a claim must meet one; none for all claims
	Elements       Elements       `json:"elements,omitempty"`       // the root elements that resources are narrowed to; none for all that may leave
	ByPatient      bool           `json:"byPatient,omitempty"`      // files have one patient's resources after another's, each behind a header
	MinFileBytes   int64          `json:"minFileBytes,omitempty"`   // of its files, in plain bytes, as far as there is that much; 0 for any
	MaxFileBytes   int64          `json:"maxFileBytes,omitempty"`   // 0 for as many as the site has
	Ignored        []Ignored      `json:"ignored,omitempty"`        // what was asked for and is not done, for the sponsor to be told
}

// Has reports whether resources of the type were asked for.
func (t Terms) Has(r ResourceType) bool {
	return len(t.Types) == 0 && r == ExplanationOfBenefit || slices.Contains(t.Types, r)
}

// Records are the types that were asked for beside claims, in the order of their files.
func (t Terms) Records() []ResourceType {
	var all []ResourceType
	for _, r := range ResourceTypes {
		if r != ExplanationOfBenefit && t.Has(r) {
			all = append(all, r)
		}
	}
	return all
}

// IsZero reports whether nothing was asked for.
func (t Terms) IsZero() bool { return reflect.ValueOf(t).IsZero() }

// Complete reports whether the export delivers all claims that its window has,
// each as far as it may leave.
// Only from the end of such a one can a later export go on.
func (t Terms) Complete() bool {
	return len(t.Patients) == 0 && len(t.Filters) == 0 && len(t.Elements) == 0 && t.Has(ExplanationOfBenefit)
}

// Shapes reports whether the terms bear on what of a claim leaves, or on the files
// that it leaves in.
func (t Terms) Shapes() bool {
	return len(t.Filters) > 0 || len(t.Elements) > 0 || t.ByPatient || t.MinFileBytes > 0 || t.MaxFileBytes > 0
}

// FileBytes returns after how many plain bytes a file is closed, where a site
// closes them after so many.
func (t Terms) FileBytes(site int64) int64 {
	if n := max(site, t.MinFileBytes); t.MaxFileBytes == 0 || n < t.MaxFileBytes {
		return n
	}
	return t.MaxFileBytes
}

// The bounds of what can be asked for of the size of files: a file holds at least
// one claim, and one that breaks off should not cost an hour.
const (
	LeastMaxFileBytes = 1 << 20
	MostMinFileBytes  = 1 << 30
)

// Elements are names of root elements by resource type, each once and in order. A
// resource of a type that is here has those of them that may leave, and what it
// must have anyway; one of any other type has all that may leave.
type Elements map[ResourceType][]string

// Of returns the elements that resources of a type are narrowed to, and false
// where they are not.
func (e Elements) Of(t ResourceType) (names []string, narrowed bool) {
	names, narrowed = e[t]
	return names, narrowed
}

// Has reports whether an element of a type was asked for, or all are.
func (e Elements) Has(t ResourceType, name string) bool {
	names, narrowed := e[t]
	return !narrowed || slices.Contains(names, name)
}

// PatientsIn returns the enrollees in the range whom the export is restricted to.
func (t Terms) PatientsIn(keys KeyRange) []PatientID {
	from, _ := slices.BinarySearch(t.Patients, keys.From)
	rest := t.Patients[from:]
	if keys.To == "" {
		return rest
	}
	to, there := slices.BinarySearch(rest, keys.To)
	if there {
		to++
	}
	return rest[:to]
}

// PatientLimit is how many enrollees an export can be restricted to by name.
const PatientLimit = 10000

// Ignored is a parameter of a kick-off that was passed over, since the client
// said that this is what it wants rather than a refusal, or since no standard
// knows it.
type Ignored struct {
	Code Code   `json:"code"` // Invalid for a value that is wrong, NotFound for a parameter that there is not
	Text string `json:"text"` // what was wrong
	Next string `json:"next"` // what to do about it
}

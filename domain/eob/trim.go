package eob

import (
	"encoding/json"
	"fmt"

	"cms.gov/ab2d/domain"
)

// Trimmer takes from a claim what may leave, and the facts it is decided by. It
// holds scratch space: one goroutine uses it at a time.
type Trimmer struct {
	shape shape
	rules *compiled
	codes bool // the lists of codes restrict a claim, and not its labels alone
	scan  scanner
}

// Option changes what a Trimmer does.
type Option func(*Trimmer)

// ByLabelsAlone lets only the source's security labels restrict a claim, for a
// source that is known to leave out by its own code lists what they name.
func ByLabelsAlone() Option { return func(t *Trimmer) { t.codes = false } }

// WithStatus has the status of a claim read, for an export that is filtered by it.
func WithStatus() Option { return func(t *Trimmer) { t.shape.byStatus = true } }

// Only narrows what leaves of a claim to the elements of those names and what
// always stays, see Elements. The MBIs are the caller's: they belong to extension.
func Only(elements []string) Option {
	return func(t *Trimmer) { t.shape = t.shape.narrow(elements) }
}

// NewTrimmer returns a Trimmer for claims of version v. The rules are compiled
// once and shared. A claim is restricted by its labels and by the lists of codes.
func NewTrimmer(v domain.FHIRVersion, options ...Option) *Trimmer {
	t := &Trimmer{shape: shape{version: v}, codes: true}
	for _, o := range options {
		o(t)
	}
	t.rules = compiledFor(t.shape)
	return t
}

// UnreadableError says that a claim cannot be read. It holds nothing of the
// claim's content, so that it may be logged and shown.
type UnreadableError struct {
	Offset int    // the byte of the raw claim at or before which the trouble is
	Reason string // what is wrong
}

// Error returns the reason and where.
func (e *UnreadableError) Error() string {
	return fmt.Sprintf("the claim cannot be read: %s (at byte %d)", e.Reason, e.Offset)
}

// Trim appends to dst what the allow list of its version (see Rules) lets leave
// of the claim raw, as one JSON object on one line without a newline at its end,
// and returns the facts that the claim is decided by. mbis are the enrollee's
// identifiers as MBIExtensions renders them; they join the claim's own
// extensions. The claim is tagged SUBSETTED, as FHIR asks of what is not whole.
//
// What is copied or decided by is valid: well-formed UTF-8 and escapes, numbers
// of the JSON grammar, no listed member twice in an object. What is dropped is
// balanced. Nothing that leaves refers to a contained resource that stays. A
// claim for which that cannot be had, or that is no ExplanationOfBenefit with an
// id, is an *UnreadableError, and out is dst as it was given.
//
// The slices in the facts point into raw, or into a copy where raw has escapes.
func (t *Trimmer) Trim(dst, raw, mbis []byte) (out []byte, f Facts, err error) {
	dst = withRoom(dst, len(raw)+len(mbis)+roomForAdditions)
	if out, f, n := t.fast(dst, raw, mbis); n >= 0 && afterSpace(raw, n) == len(raw) {
		return out, f, nil
	}
	return trimStrictly(t.rules, dst, raw, mbis, t.codes)
}

// TrimFirst is Trim for the claim at the start of raw, which may go on behind it
// or break off before its end. n is the length of the claim. It is 0 when Trim
// has to tell, with the whole claim and no more: because it is not all there,
// because it is hard to read, or because it is not readable at all.
func (t *Trimmer) TrimFirst(dst, raw, mbis []byte) (out []byte, f Facts, n int) {
	dst = withRoom(dst, min(len(raw), roomForClaim)+len(mbis)+roomForAdditions)
	if out, f, n = t.fast(dst, raw, mbis); n < 0 {
		return dst, Facts{}, 0
	}
	return out, f, n
}

// fast trims the claim at the start of raw by the scanner, and returns its length
// or failed.
func (t *Trimmer) fast(dst, raw, mbis []byte) (out []byte, f Facts, n int) {
	s := &t.scan
	s.reset(raw, dst, mbis, t.rules.tag, t.codes)
	n = s.claim(t.rules.root)
	out, f = s.out, s.facts
	s.reset(nil, nil, nil, "", false) // hold on to nobody's claim
	return out, f, n
}

// withRoom returns b with room for n more bytes, so that nothing is allocated
// while a claim is written. It at least doubles, for callers that gather claims.
func withRoom(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	return append(make([]byte, 0, max(2*cap(b), len(b)+n)), b...)
}

// roomForAdditions is more than what a trimmed claim has that is not in the raw
// one, beside the MBIs.
const roomForAdditions = 256

// roomForClaim is more than most claims take.
const roomForClaim = 16 << 10

const (
	tagSTU3 = `"tag":[{"system":"http://hl7.org/fhir/v3/ObservationValue","code":"SUBSETTED","display":"subsetted"}]`
	tagR4   = `"tag":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED","display":"subsetted"}]`
)

// subsetTag returns the member of meta that says that a claim is not whole.
func subsetTag(v domain.FHIRVersion) string {
	if v == domain.STU3 {
		return tagSTU3
	}
	return tagR4
}

// appendAdditions writes the extensions and the tag for a claim whose source has
// no extensions, or no meta, to put them in.
func appendAdditions(out []byte, tagMember string, mbis []byte, extensions, tag bool) []byte {
	if extensions && len(mbis) > 0 {
		out = append(out, `,"extension":[`...)
		out = append(out, mbis...)
		out = append(out, ']')
	}
	if tag {
		out = append(out, `,"meta":{`...)
		out = append(out, tagMember...)
		out = append(out, '}')
	}
	return out
}

// MBIExtensions renders the identifiers of an enrollee as AB2D adds them to a
// claim: one extension an MBI, the current first, then the historic in the order
// given, separated by commas. It is empty for an enrollee without any. The form
// is that of section 4.7 of the facts about AB2D, and row 250 of its dictionary.
func MBIExtensions(ids domain.Identifiers) []byte {
	var out []byte
	if ids.Current != "" {
		out = appendMBI(out, ids.Current, "current")
	}
	for _, mbi := range ids.Historic {
		out = appendMBI(out, mbi, "historic")
	}
	return out
}

func appendMBI(out []byte, mbi domain.MBI, currency string) []byte {
	if len(out) > 0 {
		out = append(out, ',')
	}
	value, err := json.Marshal(string(mbi))
	if err != nil {
		panic(err) // a string always has a JSON form
	}
	out = append(out, `{"url":"http://hl7.org/fhir/StructureDefinition/elementdefinition-identifier",`+
		`"valueIdentifier":{"extension":[{"url":"https://bluebutton.cms.gov/resources/codesystem/identifier-currency",`+
		`"valueCoding":{"code":"`+currency+`"}}],"system":"http://hl7.org/fhir/sid/us-mbi","value":`...)
	out = append(out, value...)
	return append(out, '}', '}')
}

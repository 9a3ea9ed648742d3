package fiberapi

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"cms.gov/ab2d/domain"
)

// The extensions of the manifest. The first two are AB2D's, about the
// uncompressed bytes of a file; the next two say the same of its stored form,
// which is what a client with Accept-Encoding: gzip gets. The others stand in
// the extension of the manifest itself.
const (
	ExtensionChecksum       = "https://ab2d.cms.gov/checksum"
	ExtensionFileLength     = "https://ab2d.cms.gov/file_length"
	ExtensionGzipChecksum   = "https://ab2d.cms.gov/gzip_checksum"
	ExtensionGzipFileLength = "https://ab2d.cms.gov/gzip_file_length"
	ExtensionWindow         = "https://ab2d.cms.gov/window"            // what the export was of
	ExtensionEnrollees      = "https://ab2d.cms.gov/enrollees"         // what became of everybody
	ExtensionApplied        = "https://ab2d.cms.gov/applied"           // what else was asked for; only where something was
	ExtensionSkipped        = "https://ab2d.cms.gov/skipped_contracts" // what was left out, and why
	ExtensionPartial        = "https://ab2d.cms.gov/partial_manifest"  // that this is a page of several
)

// manifest is the body of a complete status. The extension is one JSON object,
// as the guide has it up to STU3.
type manifest struct {
	TransactionTime     string         `json:"transactionTime"`
	Request             string         `json:"request"`
	RequiresAccessToken bool           `json:"requiresAccessToken"`
	OutputOrganizedBy   string         `json:"outputOrganizedBy,omitempty"`
	Output              []item         `json:"output"`
	Deleted             []item         `json:"deleted"`
	Error               []item         `json:"error"`
	Link                []link         `json:"link,omitempty"`
	Extension           map[string]any `json:"extension"`
}

// link is to the next page of a manifest that comes in several.
type link struct {
	Relation string `json:"relation"`
	URL      string `json:"url"`
}

// partial is what a page of a manifest says of itself.
type partial struct {
	Page int    `json:"page"`
	Note string `json:"note"`
}

// partialNote stays on a page when the export is complete: what was told once does
// not change.
const partialNote = "This is one page of several. Until the status of the export is 200 it may still fail or be cancelled, and then its files are withdrawn: keep what you fetch apart until then."

type item struct {
	Type            string      `json:"type,omitempty"` // left out of files that are organized otherwise
	URL             string      `json:"url"`
	ContinuesInFile string      `json:"continuesInFile,omitempty"`
	Count           int         `json:"count"`
	Extension       []extension `json:"extension"`
}

type extension struct {
	URL          string `json:"url"`
	ValueString  string `json:"valueString,omitempty"`
	ValueDecimal int64  `json:"valueDecimal,omitempty"`
	ValueURI     string `json:"valueUri,omitempty"`
}

type window struct {
	Since string `json:"_since,omitempty"` // left out when there is no bound
	Until string `json:"_until"`
}

type account struct {
	Contract     string `json:"contract"`
	Enrollees    int    `json:"enrollees"`
	Exported     int    `json:"exported"`
	NoClaims     int    `json:"noClaims"`
	OptedOut     int    `json:"optedOut"`
	Failed       int    `json:"failed"`
	NoCurrentMBI int    `json:"noCurrentMbi"`           // of all four
	EnrolledAsOf string `json:"enrolledAsOf,omitempty"` // as of when the enrollment is
	FullHistory  int    `json:"fullHistory"`            // of exported and noClaims: new since _since, so asked for without it
}

// applied is what narrowed the export beside its window.
type applied struct {
	Patients    int      `json:"patients,omitempty"` // how many enrollees it was restricted to by name
	Types       []string `json:"_type,omitempty"`
	TypeFilters []string `json:"_typeFilter,omitempty"` // of which a claim had to meet one
	Elements    []string `json:"_elements,omitempty"`   // each behind its type
}

// appliedTo tells the terms of an export, and false where there is nothing to tell.
func appliedTo(t domain.Terms) (applied, bool) {
	a := applied{Patients: len(t.Patients), Types: texts(t.Types)}
	for _, f := range t.Filters {
		a.TypeFilters = append(a.TypeFilters, f.Query())
	}
	for _, kind := range domain.ResourceTypes {
		names, narrowed := t.Elements.Of(kind)
		if narrowed && len(names) == 0 {
			names = []string{"id"} // which stays anyway
		}
		for _, name := range names {
			a.Elements = append(a.Elements, string(kind)+"."+name)
		}
	}
	return a, a.Patients+len(a.Types)+len(a.TypeFilters)+len(a.Elements) > 0
}

func texts[S ~string](all []S) (out []string) {
	for _, s := range all {
		out = append(out, string(s))
	}
	return out
}

// patientParameter narrows an export to some people. Only a server that knows it
// can be asked again for just those who are missing.
const patientParameter = "patient"

// retry is a kick-off ready to be sent.
type retry struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	Body   object `json:"body"` // to be sent as application/fhir+json
}

func (a *api) retryToJSON(v domain.FHIRVersion, r domain.Retry) retry {
	var parameters []object
	add := func(name, kind string, value any) { parameters = append(parameters, object{"name": name, kind: value}) }
	for _, p := range r.Patients {
		add(patientParameter, "valueReference", object{"reference": "Patient/" + string(p)})
	}
	if !r.Window.Since.IsZero() {
		add("_since", "valueInstant", r.Window.Since.UTC().Format(time.RFC3339Nano))
	}
	if !r.Window.Until.IsZero() {
		add("_until", "valueInstant", r.Window.Until.UTC().Format(time.RFC3339Nano))
	}
	a.termsToParameters(r.Terms, add)
	return retry{http.MethodPost, a.PublicURL + versions[v] + "/Group/" + string(r.Contract) + "/$export",
		object{"resourceType": "Parameters", "parameter": parameters}}
}

// termsToParameters asks for what the terms of an export ask for, but for whom.
func (a *api) termsToParameters(t domain.Terms, add func(name, kind string, value any)) {
	did, _ := appliedTo(t)
	for _, one := range did.Types {
		add("_type", "valueString", one)
	}
	for _, one := range did.TypeFilters {
		add("_typeFilter", "valueString", one)
	}
	for _, one := range did.Elements {
		add("_elements", "valueString", one)
	}
	if t.ByPatient {
		add("organizeOutputBy", "valueString", string(domain.Patient))
	}
	if t.MinFileBytes > 0 {
		add("_minimumFileSize", "valuePositiveInt", t.MinFileBytes)
	}
	if t.MaxFileBytes > 0 {
		add("_maximumFileSize", "valuePositiveInt", t.MaxFileBytes)
	}
}

type skipped struct {
	Contract string `json:"contract"`
	Reason   string `json:"reason"`
}

func (a *api) manifestToJSON(ctx context.Context, m domain.Manifest) (manifest, error) {
	w := window{Until: instant(m.Through)}
	if !m.Window.Since.IsZero() {
		w.Since = m.Window.Since.UTC().Format(time.RFC3339Nano)
	}
	accounts := []account{}
	for _, c := range m.Accounts {
		told := account{Contract: string(c.Contract), Enrollees: c.Enrollees(), Exported: c.Exported, NoClaims: c.NoClaims, OptedOut: c.OptedOut, Failed: c.Failed,
			NoCurrentMBI: c.NoCurrentMBI, FullHistory: c.FullHistory}
		if !c.EnrolledAsOf.IsZero() {
			told.EnrolledAsOf = instant(c.EnrolledAsOf)
		}
		accounts = append(accounts, told)
	}
	left := []skipped{}
	for _, s := range m.Skipped {
		left = append(left, skipped{string(s.Contract), s.Reason})
	}
	output, err := a.itemsToJSON(ctx, m.Version, m.Output)
	if err != nil {
		return manifest{}, err
	}
	organizedBy := ""
	if m.Terms.ByPatient {
		organizedBy = string(domain.Patient)
		for i := range output {
			output[i].Type = ""
		}
	}
	faults, err := a.itemsToJSON(ctx, m.Version, m.Errors)
	all := map[string]any{ExtensionWindow: w}
	if m.Page == 0 || m.Whole {
		all[ExtensionEnrollees], all[ExtensionSkipped] = accounts, left
	}
	if m.Page > 0 {
		all[ExtensionPartial] = partial{m.Page, partialNote}
	}
	var links []link
	if m.More {
		links = []link{{"next", fmt.Sprintf("%s?%s=%d", a.statusURL(m.Version, m.Job), pageParameter, m.Page+1)}}
	}
	if understands(patientParameter) && len(m.Retries) > 0 {
		retries := []retry{}
		for _, r := range m.Retries {
			retries = append(retries, a.retryToJSON(m.Version, r))
		}
		all[domain.RetryExtension] = retries
	}
	if did, any := appliedTo(m.Terms); any {
		all[ExtensionApplied] = did
	}
	return manifest{
		TransactionTime: instant(m.TransactionTime), Request: m.Request, RequiresAccessToken: a.Links == nil, OutputOrganizedBy: organizedBy,
		Output: output, Deleted: []item{}, Error: faults,
		Extension: all, Link: links,
	}, err
}

func (a *api) itemsToJSON(ctx context.Context, v domain.FHIRVersion, files []domain.OutputFile) ([]item, error) {
	items := []item{} // an empty list is told as one
	for _, f := range files {
		address := a.fileURL(v, f.Job, f.Name)
		if a.Links != nil {
			var err error
			if address, err = a.Links(ctx, f); err != nil {
				return nil, err
			}
		}
		if n := len(items); n > 0 && files[n-1].Continues {
			items[n-1].ContinuesInFile = address
		}
		items = append(items, item{Type: f.ResourceType(), URL: address, Count: f.Lines, Extension: []extension{
			{URL: ExtensionChecksum, ValueString: "sha256:" + f.Plain.SHA256},
			{URL: ExtensionFileLength, ValueDecimal: f.Plain.Bytes},
			{URL: ExtensionGzipChecksum, ValueString: "sha256:" + f.Stored.SHA256},
			{URL: ExtensionGzipFileLength, ValueDecimal: f.Stored.Bytes},
		}})
	}
	return items, nil
}

// instant writes a FHIR instant in milliseconds, the precision of transaction times.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// failureToFHIR tells why a job failed. Whatever it was, to the sponsor it is a
// fault of ours unless a rule of the programme ended the job.
func (a *api) failureToFHIR(f domain.Failure) issue {
	i := issue{Severity: "error", Code: answers[domain.Internal].code, Details: text{"The export failed: " + f.Reason},
		Diagnostics: "Start a new export. If it fails again, give the id " + f.ID + " to the help desk.", Extension: a.explained(topicFailed)}
	if f.Code == domain.BusinessRule {
		i.Code = answers[domain.BusinessRule].code
		i.Diagnostics = "Start a new export once the cause is gone. Questions to the help desk, with the id " + f.ID + "."
	}
	return i
}

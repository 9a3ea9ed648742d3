package fiberapi

import (
	"net/http"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/domain"
)

// guide is what canonical addresses of the Bulk Data guide begin with.
const guide = "http://hl7.org/fhir/uv/bulkdata/"

// operation is an export at one of the three levels.
type operation struct {
	id       string // also of the guide's definition, which ours narrows
	title    string
	path     string
	resource string // what it is called on; empty for the whole system
	instance bool
	what     string
}

func (o operation) canonical() string { return guide + "OperationDefinition/" + o.id }

var operations = []operation{
	{id: "export", title: "Export of everything", path: "/$export",
		what: "Exports the claims of the people enrolled in any of the client's contracts. There is nothing else in this system, so it is the same as Patient/$export."},
	{id: "patient-export", title: "Export of all contracts", path: "/Patient/$export", resource: "Patient",
		what: "Exports the claims of the people enrolled in any of the client's contracts. A contract without an active attestation is skipped, and the manifest says so."},
	{id: "group-export", title: "Export of one contract", path: "/Group/:contract/$export", resource: "Group", instance: true,
		what: "Exports the claims of the people enrolled in one contract, whose number is the id of the Group."},
}

// operationParameter is a parameter as an OperationDefinition tells of it.
type operationParameter struct {
	name, kind, max string
	what            string
}

// operationParameters are those of the exports, which are the same for all three.
var operationParameters = []operationParameter{
	{"_type", "string", "*", "The types of resource to export. Without it, it is ExplanationOfBenefit. Any type that the server does not export is an error."},
	{"_outputFormat", "string", "1", "application/fhir+ndjson, application/ndjson or ndjson, which all mean the same."},
	{"_since", "instant", "1", "Claims last updated after it. People who are new to a contract since then come with their full history."},
	{"_until", "instant", "1", "Claims last updated at or before it."},
	{"_typeFilter", "string", "*", "Searches of which a claim must meet one, as ExplanationOfBenefit?service-date=ge2024-01-01&type=CARRIER,DME&status=active: by service-date (billablePeriod, by days, with all prefixes), type and status. Conditions of one search must all be met. Several may stand in one value, with commas between. Anything else is an error."},
	{"_elements", "string", "*", "The root elements that resources are narrowed to, of all types of the export or behind the name of one and a dot. What identifies a resource, what its version makes mandatory and the tag SUBSETTED always stay; nothing beyond what this server exports comes with it. Anything else is an error."},
	{"organizeOutputBy", "string", "1", "With Patient, files have one patient's resources after another's, each behind a Parameters resource whose parameter header refers to the Patient. Any other value is an error."},
	{"_minimumFileSize", "positiveInt", "1", "How many bytes, not compressed, a file should have. The last file of each part of the work may have fewer."},
	{"_maximumFileSize", "positiveInt", "1", "How many bytes, not compressed, a file may have. Only a single claim that is longer makes a longer file."},
	{"patient", "Reference", "*", "The enrollees whom the export is restricted to, each by the id in the patient of a claim or by an MBI. By POST alone. Somebody who is not enrolled is an error."},
	{"allowPartialManifests", "boolean", "1", "With true the files of finished parts can be fetched while the export runs: its status is 202 with a manifest of them, to which pages are linked as more are finished. They are withdrawn if the export fails or is cancelled."},
	{"sinceLastExport", "boolean", "1", "Ours, in place of _since: goes on from the last export of the same contracts and version whose data files were all fetched whole."},
}

// operationDefinition answers with the definition of one operation.
func (a *api) operationDefinition(v domain.FHIRVersion) fiber.Handler {
	definitions := map[string]object{}
	for _, o := range operations {
		definitions[o.id] = a.operationToFHIR(v, o)
	}
	return func(c *fiber.Ctx) error {
		if d, ok := definitions[c.Params("id")]; ok {
			return sendJSON(c.Status(http.StatusOK), fhirJSON, d)
		}
		return domain.Errorf(domain.NotFound, "There is no OperationDefinition %s.", clip(c.Params("id"))).
			WithNext("The metadata lists them: export, patient-export and group-export.")
	}
}

func (a *api) operationURL(v domain.FHIRVersion, o operation) string {
	return a.PublicURL + versions[v] + "/OperationDefinition/" + o.id
}

func (a *api) operationToFHIR(v domain.FHIRVersion, o operation) object {
	var parameters []object
	for _, p := range operationParameters {
		parameters = append(parameters, object{"name": p.name, "use": "in", "min": 0, "max": p.max, "type": p.kind, "documentation": p.what})
	}
	d := object{
		"resourceType": "OperationDefinition",
		"id":           o.id,
		"url":          a.operationURL(v, o),
		"name":         map[string]string{"export": "Export", "patient-export": "PatientExport", "group-export": "GroupExport"}[o.id],
		"status":       "active",
		"kind":         "operation",
		"date":         capabilityDate,
		"publisher":    publisher,
		"description":  o.what + " The answer is 202 with the address of the job's status in Content-Location.",
		"code":         "export",
		"system":       o.resource == "",
		"type":         o.resource != "" && !o.instance,
		"instance":     o.instance,
		"parameter":    parameters,
	}
	if o.resource != "" {
		d["resource"] = []string{o.resource}
	}
	switch v {
	case domain.STU3:
		d["base"], d["idempotent"] = object{"reference": o.canonical()}, true // it may be called by GET
	case domain.R4:
		d["base"], d["affectsState"], d["title"] = o.canonical(), false, o.title
	}
	return d
}

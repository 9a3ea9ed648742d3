package fiberapi

import (
	"cmp"
	"maps"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/domain"
)

// The definitions of the Bulk Data guide.
const (
	bulkData      = "http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data"
	exportAll     = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export"
	exportPatient = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/patient-export"
	exportGroup   = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/group-export"

	oauthURIs = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"

	capabilityDate = "2026-11-23" // when the statement last changed
)

type object = map[string]any

// metadata answers with the CapabilityStatement, which is the same for all.
func (a *api) metadata(v domain.FHIRVersion) fiber.Handler {
	statement := a.capabilityStatement(v)
	return func(c *fiber.Ctx) error { return sendJSON(c, fhirJSON, statement) }
}

func (a *api) capabilityStatement(v domain.FHIRVersion) object {
	s := object{
		"resourceType": "CapabilityStatement",
		"name":         "AB2D",
		"title":        "Claims Data to Part D Sponsors",
		"status":       "active",
		"date":         capabilityDate,
		"publisher":    "Centers for Medicare & Medicaid Services",
		"description": "Bulk export of the Medicare Part A and Part B claims of the people enrolled in a sponsor's Part D contracts. " +
			"A contract is a Group whose id is the contract number. Of the export parameters, _type (ExplanationOfBenefit), " +
			"_outputFormat (NDJSON), _since and _until are supported; sinceLastExport=true goes on from the last export that was fetched whole. People who are new to a contract since _since come with their full history.",
		"kind":         "instance",
		"instantiates": []string{bulkData},
		"software":     object{"name": "AB2D", "version": cmp.Or(a.Version, "development")},
		"implementation": object{
			"description": "Claims Data to Part D Sponsors", "url": a.PublicURL + versions[v],
		},
		"format": []string{"application/fhir+json", "json"},
	}
	maps.Copy(s, map[domain.FHIRVersion]object{domain.STU3: a.onlySTU3(), domain.R4: a.onlyR4()}[v])
	return s
}

// onlySTU3 lists all operations beside one another, since in STU3 a resource
// has none.
func (a *api) onlySTU3() object {
	operation := func(name, definition string) object {
		return object{"name": name, "definition": object{"reference": definition}}
	}
	return object{
		"fhirVersion":   "3.0.1",
		"acceptUnknown": "extensions",
		"rest": []object{{
			"mode":     "server",
			"security": a.security("http://hl7.org/fhir/restful-security-service"),
			"operation": []object{
				operation("export", exportAll), operation("patient-export", exportPatient), operation("group-export", exportGroup),
			},
		}},
	}
}

func (a *api) onlyR4() object {
	export := func(definition string) []object { return []object{{"name": "export", "definition": definition}} }
	return object{
		"fhirVersion": "4.0.1",
		"rest": []object{{
			"mode":     "server",
			"security": a.security("http://terminology.hl7.org/CodeSystem/restful-security-service"),
			"resource": []object{
				{"type": "Group", "operation": export(exportGroup),
					"documentation": "A contract; its number is the id. There is no other interaction than the export."},
				{"type": "Patient", "operation": export(exportPatient),
					"documentation": "The people enrolled in any of the caller's contracts. There is no other interaction than the export."},
				{"type": "ExplanationOfBenefit", "documentation": "The one type that exports deliver."},
			},
			"operation": export(exportAll),
		}},
	}
}

func (a *api) security(system string) object {
	s := object{
		"service": []object{{
			"coding": []object{{"system": system, "code": "OAuth", "display": "OAuth"}},
			"text":   "OAuth 2.0 client credentials",
		}},
		"description": "Send the access token in the header Authorization: Bearer <token>.",
	}
	if a.TokenURL != "" {
		s["extension"] = []object{{
			"url":       oauthURIs,
			"extension": []object{{"url": "token", "valueUri": a.TokenURL}},
		}}
	}
	return s
}

package fiberapi

import (
	"cmp"
	"maps"
	"slices"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/domain"
)

const (
	bulkData  = guide + "CapabilityStatement/bulk-data"
	oauthURIs = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
	publisher = "Centers for Medicare & Medicaid Services"

	capabilityDate = "2026-11-25" // when the statement or a definition last changed
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
		"publisher":    publisher,
		"description": "Bulk export of the Medicare Part A and Part B claims of the people enrolled in a sponsor's Part D contracts. " +
			"A contract is a Group whose id is the contract number. The OperationDefinitions of this server tell the parameters of the exports. " +
			"People who are new to a contract since _since come with their full history.",
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
// has none, and no resource without an interaction, which STU3 does not know.
func (a *api) onlySTU3() object {
	var all []object
	for _, o := range operations {
		name := o.id // unlike R4's they stand in one list, so each has a name of its own
		all = append(all, object{"name": name, "definition": object{"reference": o.canonical()}})
	}
	return object{
		"fhirVersion":   "3.0.1",
		"acceptUnknown": "extensions",
		"rest": []object{{
			"mode":      "server",
			"security":  a.security("http://hl7.org/fhir/restful-security-service"),
			"resource":  []object{a.groupResource(), a.definitionResource()},
			"operation": all,
		}},
	}
}

func (a *api) onlyR4() object {
	export := map[string][]object{} // by the resource that they are called on
	for _, o := range operations {
		export[o.resource] = append(export[o.resource], object{"name": "export", "definition": o.canonical(),
			"documentation": "As the guide defines it, with the parameters that " + a.operationURL(domain.R4, o) + " lists."})
	}
	group := a.groupResource()
	group["operation"] = export["Group"]
	resources := []object{
		group,
		{"type": "Patient", "operation": export["Patient"],
			"documentation": "The people enrolled in any of the caller's contracts. There is no other interaction than the export."},
		{"type": "ExplanationOfBenefit", "documentation": "What exports deliver unless _type says otherwise. It can only be exported."},
	}
	if slices.Contains(a.Types, domain.Coverage) {
		resources = append(resources, object{"type": "Coverage", "documentation": "Coverage by Part A and Part B. It can only be exported."})
	}
	return object{
		"fhirVersion": "4.0.1",
		"rest": []object{{
			"mode":      "server",
			"security":  a.security("http://terminology.hl7.org/CodeSystem/restful-security-service"),
			"resource":  append(resources, a.definitionResource()),
			"operation": export[""],
		}},
	}
}

func (a *api) groupResource() object {
	return object{
		"type": "Group",
		"documentation": "A contract that the caller is registered for; its number is the id and the identifier. " +
			"It is active while its attestation is. Its members are not listed.",
		"interaction": []object{{"code": "read"}, {"code": "search-type"}},
		"searchParam": []object{
			{"name": "_id", "type": "token", "documentation": "The contract number."},
			{"name": "identifier", "type": "token", "definition": "http://hl7.org/fhir/SearchParameter/Group-identifier",
				"documentation": "The contract number, or " + ContractSystem + "| and the number."},
		},
	}
}

func (a *api) definitionResource() object {
	return object{"type": "OperationDefinition", "interaction": []object{{"code": "read"}},
		"documentation": "What this server makes of the operations of the guide: export, patient-export and group-export. No token is needed."}
}

func (a *api) security(system string) object {
	code := "OAuth"
	if slices.Contains(a.TokenAuth.Methods, privateKeyJWT) {
		code = "SMART-on-FHIR"
	}
	s := object{
		"service": []object{{
			"coding": []object{{"system": system, "code": code, "display": code}},
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

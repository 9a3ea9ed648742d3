package fiberapi

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/application/contracts"
	"cms.gov/ab2d/domain"
)

// holder shows the contracts of a client; see contracts.UseCase.
type holder interface {
	List(ctx context.Context, client domain.Client) ([]contracts.Held, error)
	Get(ctx context.Context, client domain.Client, n domain.ContractNumber) (contracts.Held, error)
}

const (
	// ContractSystem is the system of contract numbers as identifiers.
	ContractSystem = "https://ab2d.cms.gov/contract"

	// ExtensionDataStart is the first day that a contract's claims are served
	// from, after its attestation.
	ExtensionDataStart = "https://ab2d.cms.gov/data_start"
)

// group answers with a contract as the Group whose export delivers its claims.
func (a *api) group(v domain.FHIRVersion) func(*fiber.Ctx, caller) error {
	return func(c *fiber.Ctx, who caller) error {
		if _, err := readSearch(c); err != nil {
			return err
		}
		held, err := a.Contracts.Get(c.UserContext(), who.client, contract(c))
		if err != nil {
			return err
		}
		return sendJSON(c.Status(http.StatusOK), fhirJSON, groupToFHIR(held))
	}
}

// groups finds contracts of the caller by _id and by identifier, the contract
// number with its system or without.
func (a *api) groups(v domain.FHIRVersion) func(*fiber.Ctx, caller) error {
	return func(c *fiber.Ctx, who caller) error {
		s, err := readSearch(c, "_id", "identifier")
		if err != nil {
			return err
		}
		ids, byID, err := s.wants("_id")
		if err != nil {
			return err
		}
		identifiers, byIdentifier, err := s.wants("identifier")
		if err != nil {
			return err
		}
		held, err := a.Contracts.List(c.UserContext(), who.client)
		if err != nil {
			return err
		}
		var entries []entry
		for _, h := range held {
			number := string(h.Number)
			if byID && !slices.Contains(ids, number) || byIdentifier && !slices.ContainsFunc(identifiers, func(t string) bool { return names(t, number) }) ||
				s.page != "" && number <= s.page {
				continue
			}
			if len(entries) == s.count {
				return a.sendSearch(c, entries, entries[len(entries)-1].resource["id"].(string))
			}
			entries = append(entries, entry{a.PublicURL + versions[v] + "/Group/" + number, groupToFHIR(h)})
		}
		return a.sendSearch(c, entries, "")
	}
}

// names reports whether a token of a search is that contract number: the code
// alone, or system|code (FHIR search, parameters of type token).
func names(token, number string) bool {
	system, code, ok := strings.Cut(token, "|")
	if !ok {
		return token == number
	}
	return system == ContractSystem && (code == number || code == "")
}

func groupToFHIR(h contracts.Held) object {
	g := object{
		"resourceType": "Group",
		"id":           string(h.Number),
		"identifier":   []object{{"system": ContractSystem, "value": string(h.Number)}},
		"active":       h.Active,
		"type":         "person",
		"actual":       true,
	}
	if h.Name != "" {
		g["name"] = h.Name
	}
	if !h.DataStart.IsZero() {
		g["extension"] = []object{{"url": ExtensionDataStart, "valueDate": h.DataStart.String()}}
	}
	return g
}

package fiberapi

import (
	"context"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/application/export"
	"cms.gov/ab2d/domain"
)

// starter starts exports; see export.UseCase.
type starter interface {
	Start(ctx context.Context, cmd export.Start) (domain.JobID, error)
}

// kickOff answers the three $export requests: of a contract, of all of the
// sponsor's members, and of everything there is, which here is the same.
func (a *api) kickOff(v domain.FHIRVersion) func(*fiber.Ctx, caller) error {
	return func(c *fiber.Ctx, who caller) error {
		asked, err := parseParameters(string(c.Request().URI().QueryString()))
		if err != nil {
			return err
		}
		trace := ""
		if a.Trace != nil {
			trace = a.Trace(c.UserContext())
		}
		id, err := a.Export.Start(c.UserContext(), export.Start{
			Client: who.client, From: who.from, Contract: contract(c), Version: v,
			Request: a.requestURL(c), Window: asked.window, SinceLast: asked.sinceLast, Trace: trace,
		})
		if err != nil {
			return err
		}
		c.Set(fiber.HeaderContentLocation, a.statusURL(v, id))
		c.Status(http.StatusAccepted)
		return nil
	}
}

// contract returns the contract of a Group request, and none for the others.
// What is no contract number goes on as it is, as far as one is long: nobody
// holds it, and it is refused in the same words as a contract of another.
func contract(c *fiber.Ctx) domain.ContractNumber {
	const plenty = 16
	s := c.Params("contract")
	return domain.ContractNumber(s[:min(len(s), plenty)])
}

// requestURL returns the URL of the request as it came, for the manifest.
func (a *api) requestURL(c *fiber.Ctx) string {
	uri := c.Request().URI()
	url := a.PublicURL + string(uri.PathOriginal())
	if q := string(uri.QueryString()); q != "" {
		url += "?" + q
	}
	return url
}

func (a *api) statusURL(v domain.FHIRVersion, id domain.JobID) string {
	return a.PublicURL + versions[v] + "/Job/" + string(id) + "/$status"
}

func (a *api) fileURL(v domain.FHIRVersion, id domain.JobID, name string) string {
	return a.PublicURL + versions[v] + "/Job/" + string(id) + "/file/" + name
}

package fiberapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/application/export"
	"cms.gov/ab2d/domain"
)

// starter starts exports; see export.UseCase.
type starter interface {
	Start(ctx context.Context, cmd export.Start) (domain.JobID, error)
}

// kickOff answers the three $export requests, by GET or by POST: of a contract, of all of the
// sponsor's members, and of everything there is, which here is the same.
func (a *api) kickOff(v domain.FHIRVersion) func(*fiber.Ctx, caller) error {
	return func(c *fiber.Ctx, who caller) error {
		prefer := preferencesOf(c)
		all, err := a.given(c)
		if err != nil {
			return err
		}
		asked, err := readParameters(all, prefer.lenient, v, a.Types...)
		if err != nil {
			return err
		}
		asked.terms.SeparateStatus = prefer.separate
		key, err := idempotencyKey(c)
		if err != nil {
			return err
		}
		same := ""
		if key != "" {
			same = digest(c)
		}
		trace := ""
		if a.Trace != nil {
			trace = a.Trace(c.UserContext())
		}
		id, err := a.Export.Start(c.UserContext(), export.Start{
			Client: who.client, From: who.from, Contract: contract(c), Version: v,
			Request: a.requestURL(c), Window: asked.window, SinceLast: asked.sinceLast, Terms: asked.terms, Patients: asked.patients, Partials: asked.partials, Trace: trace, Key: key, Digest: same,
		})
		if err != nil {
			return err
		}
		c.Set(fiber.HeaderContentLocation, a.statusURL(v, id))
		if applied := prefer.applied(); applied != "" {
			c.Set("Preference-Applied", applied)
		}
		c.Status(http.StatusAccepted)
		if len(asked.terms.Ignored) > 0 {
			return sendJSON(c, fhirJSON, a.ignoredToFHIR(asked.terms.Ignored))
		}
		return nil
	}
}

// idempotencyKey reads the header of the same name: a string in quotes, as the
// draft has it (RFC 8941), or as it is, as most clients send it. It is empty when
// there is none.
func idempotencyKey(c *fiber.Ctx) (string, error) {
	headers := c.Request().Header.PeekAll("Idempotency-Key")
	if len(headers) == 0 {
		return "", nil
	}
	key, ok := parseKey(string(headers[0]))
	if len(headers) > 1 || !ok {
		return "", invalid("The Idempotency-Key is not usable.").
			WithNext(fmt.Sprintf("Give one of 1 to %d visible characters, without spaces, quotes or backslashes; a random UUID does well.", domain.IdempotencyKeyLimit))
	}
	return key, nil
}

func parseKey(s string) (key string, ok bool) {
	key = strings.TrimSpace(s)
	if inner, ok := strings.CutPrefix(key, `"`); ok && strings.HasSuffix(inner, `"`) {
		key = inner[:len(inner)-1]
	}
	odd := func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }
	return key, key != "" && len(key) <= domain.IdempotencyKeyLimit && !strings.ContainsFunc(key, odd)
}

// digest tells requests apart by all that an export depends on.
func digest(c *fiber.Ctx) string {
	h := sha256.New()
	for _, part := range [][]byte{[]byte(c.Method()), []byte(c.Path()), c.Request().URI().QueryString(), c.Request().Header.Peek("Prefer"), c.Body()} {
		fmt.Fprintf(h, "%d:%s", len(part), part) // with its length, so that no two requests look alike
	}
	return hex.EncodeToString(h.Sum(nil))
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

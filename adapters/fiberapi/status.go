package fiberapi

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/application/status"
	"cms.gov/ab2d/domain"
)

// poller tells how a job is doing; see status.UseCase.
type poller interface {
	Poll(ctx context.Context, client domain.Client, id domain.JobID) (status.Result, error)
	Page(ctx context.Context, client domain.Client, id domain.JobID, page int) (status.Result, error)
}

// canceller ends jobs; see cancel.UseCase.
type canceller interface {
	Cancel(ctx context.Context, client domain.Client, from netip.Addr, id domain.JobID) error
}

func (a *api) status(c *fiber.Ctx, who caller) error {
	id, err := jobID(c)
	if err != nil {
		return err
	}
	page, err := readPage(c)
	if err != nil {
		return err
	}
	var r status.Result
	if page > 1 {
		r, err = a.Status.Page(c.UserContext(), who.client, id, page)
	} else {
		r, err = a.Status.Poll(c.UserContext(), who.client, id)
	}
	switch {
	case err != nil:
		return err
	case r.Failure != nil:
		return a.send(c, exportStatus(c, r, http.StatusInternalServerError), a.failureToFHIR(*r.Failure))
	case r.Manifest != nil && !r.Running:
		m, err := a.manifestToJSON(c.UserContext(), *r.Manifest)
		if err != nil {
			return err
		}
		exportStatus(c, r, http.StatusOK)
		c.Set(fiber.HeaderExpires, r.Manifest.ExpiresAt.UTC().Format(http.TimeFormat))
		return sendJSON(c, fiber.MIMEApplicationJSON, m)
	}
	c.Set("X-Progress", fmt.Sprintf("%d%% complete", r.Percent))
	retryAfter(c, r.RetryAfter, time.Second)
	c.Status(exportStatus(c, r, http.StatusAccepted))
	if r.Manifest == nil {
		return nil
	}
	m, err := a.manifestToJSON(c.UserContext(), *r.Manifest)
	if err != nil {
		return err
	}
	return sendJSON(c, fiber.MIMEApplicationJSON, m)
}

// readPage reads which page of a manifest is asked for, as the link to it says.
func readPage(c *fiber.Ctx) (int, error) {
	v := c.Query(pageParameter)
	if v == "" {
		return 1, nil
	}
	page, err := strconv.Atoi(v)
	if err != nil || page < 1 {
		return 0, errPage(v)
	}
	return page, nil
}

// exportStatus returns the status of an answer that tells an export's own. For
// a client that prefers them apart, the answer's is 200 and the export's stands
// in X-Export-Status.
func exportStatus(c *fiber.Ctx, r status.Result, code int) int {
	if !r.Separate {
		return code
	}
	c.Set("X-Export-Status", fmt.Sprintf("%d %s", code, http.StatusText(code)))
	return http.StatusOK
}

func (a *api) cancel(c *fiber.Ctx, who caller) error {
	id, err := jobID(c)
	if err != nil {
		return err
	}
	if err := a.Cancel.Cancel(c.UserContext(), who.client, who.from, id); err != nil {
		return err
	}
	c.Status(http.StatusAccepted)
	return nil
}

// jobID reads the job of the path. What is not an id is no job.
func jobID(c *fiber.Ctx) (domain.JobID, error) {
	id, err := domain.ParseJobID(c.Params("id"))
	if err != nil {
		return "", domain.Errorf(domain.NotFound, "There is no job %s.", clip(c.Params("id"))).
			WithNext("Use the address that Content-Location gave at kick-off.")
	}
	return id, nil
}

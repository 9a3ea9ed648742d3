// Package console serves the pages that people look at.
package console

import (
	"bytes"

	"cms.gov/ab2d/web/start"
	"github.com/gofiber/fiber/v2"
)

// MountStart serves the page that a sandbox opens with.
func MountStart(app fiber.Router, page start.Page) {
	app.Get("/", func(c *fiber.Ctx) error {
		// Rendered to a buffer first, so that an error is a clean answer.
		var html bytes.Buffer
		if err := start.Show(page).Render(c.UserContext(), &html); err != nil {
			return err
		}
		c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
		c.Type("html", "utf-8")
		return c.Send(html.Bytes())
	})
	app.Get("/start.css", func(c *fiber.Ctx) error {
		c.Type("css", "utf-8")
		return c.SendString(start.CSS)
	})
}

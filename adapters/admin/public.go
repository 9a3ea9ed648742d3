package admin

import (
	"net/http"
	"strconv"

	"github.com/gofiber/fiber/v2"
)

// MountPublic adds what anybody may ask the public address: /health, /ready
// without reasons, and /status in the form that today's clients read, where
// whether there is maintenance is a string.
func MountPublic(app *fiber.App, ready *Readiness, maintenance bool) {
	app.Get("/health", func(c *fiber.Ctx) error { return public(c, http.StatusOK, alive) })
	app.Get("/ready", func(c *fiber.Ctx) error {
		if !ready.State().Ready {
			c.Set(fiber.HeaderRetryAfter, retryAfter)
			return public(c, http.StatusServiceUnavailable, map[string]bool{"ready": false})
		}
		return public(c, http.StatusOK, map[string]bool{"ready": true})
	})
	app.Get("/status", func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderAccessControlAllowOrigin, "*") // a page elsewhere shows it
		return public(c, http.StatusOK, map[string]string{"maintenanceMode": strconv.FormatBool(maintenance)})
	})
}

func public(c *fiber.Ctx, status int, v any) error {
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.Status(status).JSON(v)
}

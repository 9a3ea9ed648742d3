package admin

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
)

// statusWithin is how long /status waits for the database.
const statusWithin = 3 * time.Second

// MountPublic adds what anybody may ask the public address: /health, /ready
// without reasons, and /status in the form that today's clients read, where
// whether there is maintenance is a string. Nobody can say while the database
// does not answer, and then that is the answer.
func MountPublic(app *fiber.App, ready *Readiness, maintenance func(context.Context) (bool, error)) {
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
		ctx, cancel := context.WithTimeout(c.UserContext(), statusWithin)
		defer cancel()
		on, err := maintenance(ctx)
		if err != nil {
			c.Set(fiber.HeaderRetryAfter, retryAfter)
			return public(c, http.StatusServiceUnavailable, map[string]string{"maintenanceMode": "unknown"})
		}
		return public(c, http.StatusOK, map[string]string{"maintenanceMode": strconv.FormatBool(on)})
	})
}

func public(c *fiber.Ctx, status int, v any) error {
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.Status(status).JSON(v)
}

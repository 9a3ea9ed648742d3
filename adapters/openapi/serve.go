package openapi

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/gofiber/fiber/v2"
)

// The stable addresses of the document.
const (
	YAMLPath = "/openapi.yaml"
	JSONPath = "/openapi.json"
)

// Mount serves the document on a router that stands at the root.
func (d *Document) Mount(r fiber.Router) {
	r.Get(YAMLPath, anywhere, serve(d.YAML, "application/yaml"))
	r.Get(JSONPath, anywhere, serve(d.JSON, fiber.MIMEApplicationJSON))
}

// anywhere lets tools of other sites read the answer.
func anywhere(c *fiber.Ctx) error {
	c.Set(fiber.HeaderAccessControlAllowOrigin, "*")
	return c.Next()
}

// serve answers with what stays the same while the process runs, and asks to be
// asked again.
func serve(body []byte, contentType string) fiber.Handler {
	etag := entityTag(body)
	return func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderCacheControl, "no-cache")
		c.Set(fiber.HeaderETag, etag)
		if c.Get(fiber.HeaderIfNoneMatch) == etag {
			return c.SendStatus(fiber.StatusNotModified)
		}
		c.Set(fiber.HeaderContentType, contentType)
		return c.Send(body)
	}
}

// entityTag names bytes by a digest of them.
func entityTag(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}

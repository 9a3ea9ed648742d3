package openapi

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"mime"
	"net/url"
	"path"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/swaggest/swgui/v5/static"
)

// SwaggerPath is where the developer guide of 2019 says that Swagger is.
const SwaggerPath = "/swagger-ui.html"

// Client is a credential that everybody may know, to try the API with.
type Client struct {
	Name, Contract string // whose it is, and what for
	ID, Secret     string
}

//go:embed swagger
var ours embed.FS

var index = template.Must(template.ParseFS(ours, "swagger/index.html"))

// assets are what the page loads: Swagger UI, which comes compressed, and ours.
var assets = map[string]fs.FS{
	"swagger-ui-bundle.js.gz": static.FS, "swagger-ui.css.gz": static.FS, "favicon-32x32.png": static.FS,
	"swagger/page.js": ours, "swagger/page.css": ours,
}

// MountSwagger serves Swagger UI with the document. The fields for a client are
// filled in where one is given. Nothing is loaded from elsewhere, and the page
// may send requests to this server and to the token server alone.
func (d *Document) MountSwagger(r fiber.Router, client *Client) error {
	var page bytes.Buffer
	if err := index.Execute(&page, map[string]any{"Document": JSONPath, "Client": client}); err != nil {
		return err
	}
	policy := "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'" + d.tokenOrigin() +
		"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	send := serve(page.Bytes(), "text/html; charset=utf-8")
	r.Get(SwaggerPath, func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderContentSecurityPolicy, policy)
		c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
		return send(c)
	})
	for name, from := range assets {
		body, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		public := path.Base(strings.TrimSuffix(name, ".gz"))
		kind := mime.TypeByExtension(path.Ext(public))
		if strings.HasSuffix(name, ".gz") {
			r.Get("/swagger-ui/"+public, serveGzip(body, kind))
		} else {
			r.Get("/swagger-ui/"+public, serve(body, kind))
		}
	}
	return nil
}

// tokenOrigin is the token server as a source of a content security policy, and
// nothing when it is this server.
func (d *Document) tokenOrigin() string {
	u, err := url.Parse(at(d.root, "components", "securitySchemes", "clientCredentials", "flows", "clientCredentials", "tokenUrl").Value)
	if err != nil || u.Host == "" {
		return ""
	}
	return " " + u.Scheme + "://" + u.Host
}

// serveGzip serves what is kept compressed, to the few that do not read gzip too.
func serveGzip(packed []byte, contentType string) fiber.Handler {
	send := serve(packed, contentType)
	return func(c *fiber.Ctx) error {
		c.Vary(fiber.HeaderAcceptEncoding)
		if c.Request().Header.HasAcceptEncoding("gzip") {
			c.Set(fiber.HeaderContentEncoding, "gzip")
			return send(c)
		}
		plain, err := inflate(packed)
		if err != nil {
			return fmt.Errorf("an asset of Swagger UI: %w", err)
		}
		c.Set(fiber.HeaderContentType, contentType)
		return c.Send(plain)
	}
}

func inflate(packed []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

package sandboxauth

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"encoding/binary"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/domain"
)

// Mount puts the issuer's endpoints on a router that stands at the root.
func (i *Issuer) Mount(r fiber.Router) {
	g := r.Group(Path)
	g.Post("/v1/token", i.token)
	g.Get("/v1/keys", i.keys)
	for _, name := range []string{"oauth-authorization-server", "openid-configuration"} {
		g.Get("/.well-known/"+name, i.discovery)
	}
}

// oauthError is the body of a refusal (RFC 6749, section 5.2).
type oauthError struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

type grant struct {
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
	AccessToken string `json:"access_token"`
	Scope       string `json:"scope"`
}

func (i *Issuer) token(c *fiber.Ctx) error {
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set(fiber.HeaderPragma, "no-cache")
	client, ok := i.basic(c.Get(fiber.HeaderAuthorization))
	if !ok {
		c.Set(fiber.HeaderWWWAuthenticate, `Basic realm="`+i.url+`", charset="UTF-8"`)
		return refuseGrant(c, http.StatusUnauthorized, "invalid_client",
			"The client id or the client secret is wrong. Send them with HTTP Basic authentication.")
	}
	form, err := readForm(c)
	if err != nil {
		return refuseGrant(c, http.StatusBadRequest, "invalid_request", err.Error())
	}
	if grantType := form.Get("grant_type"); grantType == "" {
		return refuseGrant(c, http.StatusBadRequest, "invalid_request", "The parameter grant_type is missing. It must be client_credentials.")
	} else if grantType != "client_credentials" {
		return refuseGrant(c, http.StatusBadRequest, "unsupported_grant_type", "The grant_type must be client_credentials.")
	}
	for _, scope := range strings.Fields(form.Get("scope")) { // none means the default
		if scope != Scope {
			return refuseGrant(c, http.StatusBadRequest, "invalid_scope", "The scope must be "+Scope+".")
		}
	}
	token, err := i.issue(client)
	if err != nil {
		return err
	}
	return c.JSON(grant{"Bearer", int(lifetime.Seconds()), token, Scope})
}

func refuseGrant(c *fiber.Ctx, status int, code, description string) error {
	return c.Status(status).JSON(oauthError{code, description})
}

// basic reads HTTP Basic credentials. OAuth wants them form-encoded within
// (RFC 6749, section 2.3.1), which few clients do: both readings are tried.
func (i *Issuer) basic(header string) (domain.ClientID, bool) {
	scheme, encoded, _ := strings.Cut(header, " ")
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	id, secret, ok := strings.Cut(string(decoded), ":")
	if err != nil || !ok || !strings.EqualFold(scheme, "Basic") {
		return "", false
	}
	if client, ok := i.authenticate(id, secret); ok {
		return client, true
	}
	plainID, err1 := url.QueryUnescape(id)
	plainSecret, err2 := url.QueryUnescape(secret)
	if err1 != nil || err2 != nil {
		return "", false
	}
	return i.authenticate(plainID, plainSecret)
}

// errForm is told to the client as it is.
type errForm string

func (e errForm) Error() string { return string(e) }

// readForm reads the parameters of the body. Okta takes them from the query of
// the address too, which is how the guide's tutorials send them.
func readForm(c *fiber.Ctx) (url.Values, error) {
	form, err := url.ParseQuery(string(c.Request().URI().QueryString()))
	if err != nil {
		return nil, errForm("The query of the address is not well-formed.")
	}
	if body := c.BodyRaw(); len(body) > 0 {
		if kind, _, _ := mime.ParseMediaType(c.Get(fiber.HeaderContentType)); kind != fiber.MIMEApplicationForm {
			return nil, errForm("The body must be application/x-www-form-urlencoded.")
		}
		sent, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, errForm("The body is not a well-formed form.")
		}
		for name, values := range sent {
			form[name] = append(form[name], values...)
		}
	}
	for name, values := range form {
		if len(values) > 1 {
			return nil, errForm("The parameter " + strings.ToValidUTF8(name, "?") + " was given more than once.")
		}
	}
	return form, nil
}

// jwk is a public RSA key (RFC 7517).
type jwk struct {
	KeyType   string `json:"kty"`
	Algorithm string `json:"alg"`
	Use       string `json:"use"`
	KeyID     string `json:"kid,omitempty"`
	E         string `json:"e"`
	N         string `json:"n"`
}

func publicJWK(key *rsa.PublicKey) jwk {
	e := bytes.TrimLeft(binary.BigEndian.AppendUint64(nil, uint64(key.E)), "\x00")
	return jwk{KeyType: "RSA", Algorithm: "RS256", Use: "sig",
		E: base64.RawURLEncoding.EncodeToString(e), N: base64.RawURLEncoding.EncodeToString(key.N.Bytes())}
}

func (i *Issuer) keys(c *fiber.Ctx) error {
	key := publicJWK(&i.key.PublicKey)
	key.KeyID = i.keyID
	c.Set(fiber.HeaderCacheControl, "max-age=3600, must-revalidate")
	return c.JSON(fiber.Map{"keys": []jwk{key}})
}

// discovery tells what there is and nothing that there is not: nobody signs in
// here, so there is no authorization endpoint.
func (i *Issuer) discovery(c *fiber.Ctx) error {
	c.Set(fiber.HeaderCacheControl, "max-age=3600, must-revalidate")
	return c.JSON(fiber.Map{
		"issuer":                                i.url,
		"token_endpoint":                        i.url + "/v1/token",
		"jwks_uri":                              i.url + "/v1/keys",
		"response_types_supported":              []string{},
		"grant_types_supported":                 []string{"client_credentials"},
		"subject_types_supported":               []string{"public"},
		"scopes_supported":                      []string{Scope},
		"token_endpoint_auth_methods_supported": Methods,
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"claims_supported":                      []string{"ver", "jti", "iss", "aud", "iat", "exp", "cid", "scp", "sub"},
	})
}

package fiberapi

import (
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// TokenAuth is how clients prove who they are at the token endpoint.
type TokenAuth struct {
	Methods    []string // as client_secret_basic and private_key_jwt
	Algorithms []string // of the signatures of private_key_jwt
	Scopes     []string
}

// smartPath is where clients look for SMART's discovery document, below the
// base of the API and, some of them, at the root.
const smartPath = "/.well-known/smart-configuration"

// smartConfiguration answers with what SMART App Launch wants told of a server
// that knows backend services only. Nobody signs in here with a browser, so
// there is no authorization endpoint, no code grant and no PKCE: what the
// document would have to say of them would not be true.
func (a *api) smartConfiguration() fiber.Handler {
	document := object{
		"token_endpoint":                        a.TokenURL,
		"token_endpoint_auth_methods_supported": a.TokenAuth.Methods,
		"grant_types_supported":                 []string{"client_credentials"},
		"scopes_supported":                      a.TokenAuth.Scopes,
		"capabilities":                          a.TokenAuth.capabilities(),
	}
	if len(a.TokenAuth.Algorithms) > 0 {
		document["token_endpoint_auth_signing_alg_values_supported"] = a.TokenAuth.Algorithms
	}
	return func(c *fiber.Ctx) error { return sendJSON(c, fiber.MIMEApplicationJSON, document) }
}

const privateKeyJWT = "private_key_jwt"

// capabilities are SMART's words for what a server offers.
func (t TokenAuth) capabilities() []string {
	words := []string{}
	if slices.Contains(t.Methods, "client_secret_basic") {
		words = append(words, "client-confidential-symmetric")
	}
	if slices.Contains(t.Methods, privateKeyJWT) {
		words = append(words, "client-confidential-asymmetric")
	}
	if slices.ContainsFunc(t.Scopes, func(s string) bool { return strings.HasPrefix(s, "system/") && strings.HasSuffix(s, ".read") }) {
		words = append(words, "permission-v1")
	}
	if slices.ContainsFunc(t.Scopes, func(s string) bool { return strings.HasPrefix(s, "system/") && strings.HasSuffix(s, ".rs") }) {
		words = append(words, "permission-v2")
	}
	return words
}

package smartauth

import (
	"encoding/base64"
	"errors"
	"math"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/adapters/jwks"
	"cms.gov/ab2d/domain"
)

// Methods are the ways in which clients authenticate, by their registered names.
var Methods = []string{"client_secret_basic", "private_key_jwt"}

// Algorithms are those that assertions may be signed with.
var Algorithms = jwks.Assertions

// Mount puts the issuer's endpoints on a router that stands at the root.
func (i *Issuer) Mount(r fiber.Router) {
	g := r.Group(i.s.Path)
	g.Post("/v1/token", i.token)
	g.Get("/v1/keys", i.listKeys)
	for _, name := range []string{"oauth-authorization-server", "openid-configuration"} {
		g.Get("/.well-known/"+name, i.discovery)
	}
}

// oauthError is the body of a refusal (RFC 6749, section 5.2).
type oauthError struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

type granted struct {
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
	AccessToken string `json:"access_token"`
	Scope       string `json:"scope"`
}

// errForm is what is wrong with a request, told to the client as it is.
type errForm struct{ code, text string }

func (e errForm) Error() string { return e.text }

func invalid(text string) error { return errForm{"invalid_request", text} }

func (i *Issuer) token(c *fiber.Ctx) error {
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set(fiber.HeaderPragma, "no-cache")
	g, err := i.grant(c)
	if err == nil {
		return c.JSON(g)
	}
	return i.refuse(c, err)
}

// grant gives a token to whoever asks for one rightly.
func (i *Issuer) grant(c *fiber.Ctx) (granted, error) {
	from, ctx := i.from(c), c.UserContext()
	if err := i.clients.Arrive(ctx, from); err != nil {
		return granted{}, err
	}
	basic := c.Get(fiber.HeaderAuthorization) != ""
	form, err := readForm(c)
	if err != nil && !basic {
		return granted{}, err
	}
	var client domain.Client
	lifetime := i.s.SecretLifetime
	switch assertion := form.Get("client_assertion"); {
	case err == nil && basic && assertion != "":
		return granted{}, invalid("The client must authenticate in one way: with HTTP Basic, or with a client_assertion.")
	case assertion != "":
		if kind := form.Get("client_assertion_type"); kind != assertionType {
			return granted{}, invalid("The client_assertion_type must be " + assertionType + ".")
		}
		lifetime = i.s.Lifetime
		var told error
		if client, told = i.asserted(ctx, assertion, from); told != nil {
			return granted{}, told
		}
	default:
		var told error
		if client, told = i.basic(c, from); told != nil {
			return granted{}, told
		}
	}
	if err != nil {
		return granted{}, err
	}
	if id := form.Get("client_id"); id != "" && id != string(client.ID) {
		return granted{}, invalid("The client_id is not that of the client that authenticated.")
	}
	if grantType := form.Get("grant_type"); grantType == "" {
		return granted{}, invalid("The parameter grant_type is missing. It must be client_credentials.")
	} else if grantType != "client_credentials" {
		return granted{}, errForm{"unsupported_grant_type", "The grant_type must be client_credentials."}
	}
	scopes, err := scopesFor(form)
	if err != nil {
		return granted{}, err
	}
	token, err := i.Issue(ctx, client.ID, scopes, lifetime)
	return granted{"Bearer", int(lifetime.Seconds()), token, strings.Join(scopes, " ")}, err
}

// scopesFor reads which scopes are asked for. None means AB2D's own, as its guide
// has it, but not for an assertion, since SMART has it told.
func scopesFor(form url.Values) (domain.Scopes, error) {
	asked := strings.Fields(form.Get("scope"))
	switch {
	case len(asked) > 0:
	case form.Get("client_assertion") != "":
		return nil, errForm{"invalid_scope", "The parameter scope is missing. It can be system/*.rs, for example."}
	default:
		asked = []string{domain.AllScope}
	}
	scopes, err := domain.GrantScopes(asked)
	if err != nil {
		return nil, errForm{"invalid_scope", "The scope must be " + domain.AllScope + ", or scopes for systems as system/*.rs, system/*.read or system/ExplanationOfBenefit.rs."}
	}
	return scopes, nil
}

// refuse answers an error as OAuth has it.
func (i *Issuer) refuse(c *fiber.Ctx, err error) error {
	answer := func(status int, code, text string) error { return c.Status(status).JSON(oauthError{code, text}) }
	if wrong := (errForm{}); errors.As(err, &wrong) {
		return answer(http.StatusBadRequest, wrong.code, wrong.text)
	}
	e := (*domain.Error)(nil)
	if !errors.As(err, &e) {
		return err
	}
	text := strings.TrimSpace(e.Message + " " + e.Next)
	switch e.Code {
	case domain.Unauthenticated:
		if c.FormValue("client_assertion") == "" {
			c.Set(fiber.HeaderWWWAuthenticate, `Basic realm="`+i.url+`", charset="UTF-8"`)
		}
		return answer(http.StatusUnauthorized, "invalid_client", text)
	case domain.Forbidden:
		return answer(http.StatusForbidden, "unauthorized_client", text)
	case domain.Throttled, domain.Unavailable:
		status, wait := http.StatusTooManyRequests, e.RetryAfter
		if e.Code == domain.Unavailable {
			status = http.StatusServiceUnavailable
			wait = max(wait, 5*time.Second)
		}
		c.Set(fiber.HeaderRetryAfter, strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
		return answer(status, "temporarily_unavailable", text)
	}
	return err
}

func (i *Issuer) from(c *fiber.Ctx) netip.Addr {
	if i.s.From != nil {
		return i.s.From(c)
	}
	remote, _ := netip.ParseAddrPort(c.Context().RemoteAddr().String())
	return remote.Addr().Unmap()
}

// basic lets in by HTTP Basic credentials. OAuth wants them form-encoded within
// (RFC 6749, section 2.3.1), which few clients do: both readings are tried.
func (i *Issuer) basic(c *fiber.Ctx, from netip.Addr) (domain.Client, error) {
	scheme, encoded, _ := strings.Cut(c.Get(fiber.HeaderAuthorization), " ")
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	id, secret, ok := strings.Cut(string(decoded), ":")
	if err != nil || !ok || !strings.EqualFold(scheme, "Basic") {
		return domain.Client{}, domain.Errorf(domain.Unauthenticated, "There are no credentials of a client.").
			WithNext("Send the client id and the client secret with HTTP Basic authentication, or a client_assertion.")
	}
	plainID, err1 := url.QueryUnescape(id)
	plainSecret, err2 := url.QueryUnescape(secret)
	if err1 == nil && err2 == nil && (plainID != id || plainSecret != secret) && i.clients.Right(c.UserContext(), plainID, plainSecret) {
		id, secret = plainID, plainSecret
	}
	return i.clients.Secret(c.UserContext(), id, secret, from)
}

// readForm reads the parameters of the body. Okta takes them from the query of
// the address too, which is how the guide's tutorials send them.
func readForm(c *fiber.Ctx) (url.Values, error) {
	form, err := url.ParseQuery(string(c.Request().URI().QueryString()))
	if err != nil {
		return nil, invalid("The query of the address is not well-formed.")
	}
	if form.Has("client_assertion") {
		return nil, invalid("A client_assertion must be in the body: addresses are written down in many places.")
	}
	if body := c.BodyRaw(); len(body) > 0 {
		if kind, _, _ := mime.ParseMediaType(c.Get(fiber.HeaderContentType)); kind != fiber.MIMEApplicationForm {
			return nil, invalid("The body must be application/x-www-form-urlencoded.")
		}
		sent, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, invalid("The body is not a well-formed form.")
		}
		for name, values := range sent {
			form[name] = append(form[name], values...)
		}
	}
	for name, values := range form {
		if len(values) > 1 {
			return nil, invalid("The parameter " + strings.ToValidUTF8(name, "?") + " was given more than once.")
		}
	}
	return form, nil
}

func (i *Issuer) listKeys(c *fiber.Ctx) error {
	all, err := i.published(c.UserContext())
	if err != nil {
		return err
	}
	keys := make([]jwk, len(all))
	for n, k := range all {
		keys[n] = k.public
	}
	c.Set(fiber.HeaderCacheControl, "max-age="+strconv.Itoa(min(3600, int(i.s.KeyLife.Seconds())/20))+", must-revalidate")
	return c.JSON(fiber.Map{"keys": keys})
}

// discovery tells what there is and nothing that there is not: nobody signs in
// here, so there is no authorization endpoint.
func (i *Issuer) discovery(c *fiber.Ctx) error {
	c.Set(fiber.HeaderCacheControl, "max-age=3600, must-revalidate")
	return c.JSON(fiber.Map{
		"issuer":                                i.url,
		"token_endpoint":                        i.TokenURL(),
		"jwks_uri":                              i.url + "/v1/keys",
		"response_types_supported":              []string{},
		"grant_types_supported":                 []string{"client_credentials"},
		"subject_types_supported":               []string{"public"},
		"scopes_supported":                      domain.KnownScopes(),
		"token_endpoint_auth_methods_supported": Methods,
		"token_endpoint_auth_signing_alg_values_supported": Algorithms,
		"id_token_signing_alg_values_supported":            []string{"RS256"},
		"claims_supported":                                 []string{"ver", "jti", "iss", "aud", "iat", "exp", "cid", "scp", "sub"},
	})
}

package fiberapi

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/domain"
)

var goodRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// edge is around every request: it gives the request an id, keeps the answer out
// of caches, and turns a panic into an error.
func (a *api) edge(c *fiber.Ctx) (err error) {
	requestID(c)
	a.strict(c)
	c.Set(fiber.HeaderCacheControl, "no-store") // unless whoever answers knows better
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return c.Next()
}

// strict sets what browsers are told with every answer.
func (a *api) strict(c *fiber.Ctx) {
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	if strings.HasPrefix(a.PublicURL, "https://") {
		c.Set(fiber.HeaderStrictTransportSecurity, "max-age=31536000")
	}
}

// requestID returns the id that the request has in the logs and the answer: the
// caller's own where it is fit to be written down.
func requestID(c *fiber.Ctx) string {
	if id := string(c.Response().Header.Peek(fiber.HeaderXRequestID)); id != "" {
		return id
	}
	id := c.Get(fiber.HeaderXRequestID)
	if !goodRequestID.MatchString(id) {
		id = string(domain.NewJobID())
	}
	c.Set(fiber.HeaderXRequestID, id)
	return id
}

// deadline bounds what a request may take: nothing else would, since a client
// that goes away is not noticed. A file's transfer runs after the handler and
// is not bound by it.
func (a *api) deadline(c *fiber.Ctx) error {
	ctx, cancel := context.WithTimeout(c.UserContext(), a.Deadline)
	defer cancel()
	c.SetUserContext(ctx)
	return c.Next()
}

// authenticator tells who is calling; see access.UseCase.
type authenticator interface {
	Authenticate(ctx context.Context, token string, from netip.Addr) (domain.Client, domain.Scopes, error)
}

// caller is who sent a request, what for, and from where.
type caller struct {
	client domain.Client
	scopes domain.Scopes
	from   netip.Addr
}

// claims is the type that a token has to be for to start, follow or fetch exports.
const claims = "ExplanationOfBenefit"

// errScope marks what a token is not for (RFC 6750, section 3.1).
var errScope = fmt.Errorf("insufficient scope")

// authenticated lets a handler see only requests of known clients, with tokens
// that are for resources of a type.
func (a *api) authenticated(resource string, h func(*fiber.Ctx, caller) error) fiber.Handler {
	return func(c *fiber.Ctx) error {
		token, err := a.bearer(c)
		if err != nil {
			return err
		}
		from := a.address(c)
		client, scopes, err := a.Access.Authenticate(c.UserContext(), token, from)
		if err != nil {
			return err
		}
		if !scopes.Reads(resource) {
			return domain.Errorf(domain.Forbidden, "The token is not for reading %s.", resource).
				WithNext("Get a token with the scope system/" + resource + ".rs or system/*.rs.").Because(errScope)
		}
		return h(c, caller{client, scopes, from})
	}
}

// pacer bounds how often exports are asked for; see access.Pace.
type pacer interface {
	KickOff(ctx context.Context, client domain.ClientID, from netip.Addr) error
}

// paced counts a kick-off before it is looked at.
func (a *api) paced(h func(*fiber.Ctx, caller) error) func(*fiber.Ctx, caller) error {
	return func(c *fiber.Ctx, who caller) error {
		if a.Pace != nil {
			if err := a.Pace.KickOff(c.UserContext(), who.client.ID, who.from); err != nil {
				return err
			}
		}
		return h(c, who)
	}
}

// errNoToken marks a request without any credentials: such a one is challenged
// without an error code (RFC 6750, section 3.1).
var errNoToken = fmt.Errorf("no credentials")

func (a *api) bearer(c *fiber.Ctx) (string, error) {
	headers := c.Request().Header.PeekAll(fiber.HeaderAuthorization)
	if len(headers) == 0 || len(headers) == 1 && len(headers[0]) == 0 {
		return "", domain.Errorf(domain.Unauthenticated, "The request has no token.").WithNext(a.tokenAdvice()).Because(errNoToken)
	}
	scheme, token, _ := strings.Cut(string(headers[0]), " ")
	token = strings.TrimSpace(token)
	if len(headers) > 1 || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", domain.Errorf(domain.Unauthenticated, "The Authorization header is not of the form: Bearer <token>.").WithNext(a.tokenAdvice())
	}
	return token, nil
}

func (a *api) tokenAdvice() string {
	where := "the token endpoint"
	if a.TokenURL != "" {
		where = a.TokenURL
	}
	return "Get a new token from " + where + " and send it in the header Authorization: Bearer <token>."
}

// address returns where the request came from.
func (a *api) address(c *fiber.Ctx) netip.Addr { return Address(c, a.TrustedProxies) }

// Address returns where a request came from. X-Forwarded-For is read from the
// right, past the proxies we trust: whatever stands further left anybody may
// have written.
func Address(c *fiber.Ctx, proxies []netip.Prefix) netip.Addr {
	remote, _ := netip.ParseAddrPort(c.Context().RemoteAddr().String())
	addr := remote.Addr().Unmap()
	var hops []string
	for _, h := range c.Request().Header.PeekAll(fiber.HeaderXForwardedFor) {
		hops = append(hops, strings.Split(string(h), ",")...)
	}
	for _, hop := range slices.Backward(hops) {
		if !slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(addr) }) {
			break
		}
		before, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		addr = before.Unmap()
	}
	return addr
}

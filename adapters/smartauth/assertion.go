package smartauth

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"cms.gov/ab2d/adapters/jwks"
	"cms.gov/ab2d/application/credentials"
	"cms.gov/ab2d/domain"
)

// assertionType is the one kind of assertion there is (RFC 7523, section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

const (
	assertionLimit = 8 << 10
	ahead          = 5 * time.Minute  // how far ahead an assertion may end
	leeway         = 30 * time.Second // for clocks that differ
	longestID      = 500
)

// errAssertion is what is wrong with an assertion, in words for the client.
type errAssertion string

func (e errAssertion) Error() string { return string(e) }

// asserted lets in the client that signed an assertion (SMART App Launch,
// asymmetric client authentication).
func (i *Issuer) asserted(ctx context.Context, assertion string, from netip.Addr) (domain.Client, error) {
	a, err := parseAssertion(assertion)
	if err != nil {
		return domain.Client{}, i.wrong(ctx, "", from, err)
	}
	client, err := i.clients.Client(ctx, a.client, from)
	if err != nil {
		return domain.Client{}, err
	}
	if err := i.verify(ctx, a, client.Keys); err != nil {
		return domain.Client{}, i.wrong(ctx, a.client, from, err)
	}
	return i.clients.Asserted(ctx, credentials.Assertion{Client: client.ID, ID: a.id, Expires: a.expires.Add(leeway), From: from})
}

// wrong tells that an assertion was refused, and says why.
func (i *Issuer) wrong(ctx context.Context, id domain.ClientID, from netip.Addr, why error) error {
	told := errAssertion("")
	if !errors.As(why, &told) {
		return why
	}
	if err := i.clients.Refuse(ctx, string(id), from, "assertion"); domain.CodeOf(err) != domain.Unauthenticated {
		return err
	}
	return domain.Errorf(domain.Unauthenticated, "%s", told)
}

// asserting is an assertion that was read and not verified.
type asserting struct {
	text, algorithm string
	keyID, keysAt   string // kid and jku
	client          domain.ClientID
	id              string
	expires         time.Time
}

// parseAssertion reads what an assertion says, to find the keys it is to be
// verified with. Nothing of that is to be believed yet.
func parseAssertion(text string) (a asserting, err error) {
	if len(text) > assertionLimit {
		return a, errAssertion("The assertion is too long.")
	}
	c := jwt.RegisteredClaims{}
	t, _, err := jwt.NewParser().ParseUnverified(text, &c)
	if err != nil {
		return a, errAssertion("The assertion is not a JWT.")
	}
	header := func(name string) string { s, _ := t.Header[name].(string); return s }
	a = asserting{text: text, algorithm: header("alg"), keyID: header("kid"), keysAt: header("jku"), client: domain.ClientID(c.Issuer), id: c.ID}
	_, hasKeysAt := t.Header["jku"]
	_, critical := t.Header["crit"]
	switch {
	case a.algorithm != "RS384" && a.algorithm != "ES384":
		return a, errAssertion("The assertion must be signed with RS384 or ES384.")
	case t.Header["typ"] != nil && !strings.EqualFold(header("typ"), "JWT"):
		return a, errAssertion("The assertion's typ must be JWT.")
	case critical:
		return a, errAssertion("The assertion has a header that must be understood and is not (crit).")
	case a.keyID == "":
		return a, errAssertion("The assertion does not name its key (kid).")
	case hasKeysAt && a.keysAt == "":
		return a, errAssertion("The assertion's jku is no address.")
	case a.client == "" || c.Subject != c.Issuer:
		return a, errAssertion("The assertion's iss and sub must both be the client id.")
	case a.id == "":
		return a, errAssertion("The assertion has no id (jti).")
	case len(a.id) > longestID:
		return a, errAssertion("The assertion's id (jti) is too long.")
	case c.ExpiresAt == nil:
		return a, errAssertion("The assertion does not say when it ends (exp).")
	}
	a.expires = c.ExpiresAt.Time
	return a, nil
}

// verify checks an assertion with the client's keys.
func (i *Issuer) verify(ctx context.Context, a asserting, registered domain.ClientKeys) error {
	key, err := i.clientKey(ctx, a, registered)
	if err != nil {
		return err
	}
	parser := jwt.NewParser(jwt.WithValidMethods(jwks.Assertions), jwt.WithTimeFunc(i.clock.Now), jwt.WithLeeway(leeway), jwt.WithExpirationRequired(), jwt.WithIssuedAt())
	c := jwt.RegisteredClaims{}
	_, err = parser.ParseWithClaims(a.text, &c, func(*jwt.Token) (any, error) { return key.Public, nil })
	for _, r := range []struct {
		err  error
		text errAssertion
	}{
		{jwt.ErrTokenSignatureInvalid, "The assertion's signature is not valid."},
		{jwt.ErrTokenExpired, "The assertion has expired."},
		{jwt.ErrTokenNotValidYet, "The assertion is not valid yet."},
		{jwt.ErrTokenUsedBeforeIssued, "The assertion was issued in the future."},
	} {
		if errors.Is(err, r.err) {
			return r.text
		}
	}
	switch {
	case err != nil:
		return errAssertion("The assertion cannot be verified.")
	case !forUs(c.Audience, i.TokenURL(), i.url):
		return errAssertion("The assertion's aud must be the address of the token endpoint, " + i.TokenURL() + ".")
	case a.expires.After(i.clock.Now().Add(ahead + leeway)):
		return errAssertion("The assertion ends more than five minutes from now.")
	}
	return nil
}

func forUs(audience jwt.ClaimStrings, ours ...string) bool {
	for _, a := range audience {
		for _, o := range ours {
			if a == o {
				return true
			}
		}
	}
	return false
}

// clientKey finds the one key of a client that an assertion names.
func (i *Issuer) clientKey(ctx context.Context, a asserting, registered domain.ClientKeys) (jwks.Key, error) {
	switch {
	case registered.URL == "" && registered.Set == "":
		return jwks.Key{}, errAssertion("The client has no keys registered.")
	case a.keysAt != "" && a.keysAt != registered.URL:
		return jwks.Key{}, errAssertion("The assertion's jku is not the address of keys that is registered for the client.")
	case registered.URL != "":
		key, err := i.remotes.at(registered.URL).Find(ctx, a.keyID, a.algorithm)
		switch {
		case errors.Is(err, jwks.ErrUnknownKey):
			return jwks.Key{}, errAssertion("The client's keys at the registered address have not exactly one of that kid that fits " + a.algorithm + ".")
		case domain.CodeOf(err) == domain.Unavailable:
			return jwks.Key{}, errAssertion("The client's keys cannot be fetched from the registered address.")
		}
		return key, err
	}
	keys, err := jwks.Parse([]byte(registered.Set))
	if err != nil {
		return jwks.Key{}, err
	}
	var found []jwks.Key
	for _, k := range keys {
		if k.ID == a.keyID && k.Fits(a.algorithm) {
			found = append(found, k)
		}
	}
	if len(found) != 1 {
		return jwks.Key{}, errAssertion("The client's registered keys have not exactly one of that kid that fits " + a.algorithm + ".")
	}
	return found[0], nil
}

// remotes are the key sets of clients at their addresses. None counts longer
// than its Cache-Control says.
type remotes struct {
	client *http.Client
	now    func() time.Time

	mu  sync.Mutex
	all map[string]*jwks.Remote
}

// plenty is more addresses than there are clients.
const plenty = 1000

func (r *remotes) at(address string) *jwks.Remote {
	r.mu.Lock()
	defer r.mu.Unlock()
	if set, there := r.all[address]; there {
		return set
	}
	if r.all == nil || len(r.all) >= plenty {
		r.all = map[string]*jwks.Remote{}
	}
	set := jwks.NewRemote(jwks.RemoteSettings{URL: address, Client: r.client, Now: r.now})
	r.all[address] = set
	return set
}

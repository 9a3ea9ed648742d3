package exportclient

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"cms.gov/ab2d/adapters/clientkey"
)

// Auth is how a client proves who it is. With nothing set it proves nothing.
type Auth struct {
	Token    string // one that was had elsewhere; it cannot be renewed
	TokenURL string // where to get one; discovered if empty
	ClientID string
	Secret   string         // for HTTP Basic
	Key      *clientkey.Key // for private_key_jwt, instead of a secret
	Scope    string         // what to ask for; if empty, what the server says it has
}

// tokens has a token that is valid, and renews it before it is not.
type tokens struct {
	client *Client

	mu     sync.Mutex
	token  string
	got    time.Time
	renew  time.Time // zero if the server did not say how long it lives
	server *discovered
}

// aged is how old a token is at least whose refusal may mean that it is over.
const aged = 10 * time.Second

// get returns a token that was not refused, and whether it is so old that being
// forbidden something may mean that it is over. It is empty when nobody said
// how to get one.
func (t *tokens) get(ctx context.Context, refused string) (token string, old bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	auth := t.client.Auth
	if auth.ClientID == "" {
		if refused != "" {
			return "", false, fault(Refused, "Get a new one and run the same command again to go on.", "the server does not accept the token, or no longer")
		}
		return auth.Token, false, nil
	}
	if t.token != "" && t.token != refused && (t.renew.IsZero() || time.Now().Before(t.renew)) {
		return t.token, time.Since(t.got) > aged, nil
	}
	if t.server == nil {
		found, err := t.client.discover(ctx)
		if err != nil {
			return "", false, err
		}
		t.server = &found
	}
	if t.token, t.renew, err = t.client.askForToken(ctx, *t.server); err != nil {
		return "", false, err
	}
	t.got = time.Now()
	return t.token, false, nil
}

// discovered is what a server says about tokens.
type discovered struct {
	url   *url.URL
	scope string
}

// discover finds where tokens are to be had, and which scope to ask for.
func (c *Client) discover(ctx context.Context) (discovered, error) {
	var d discovered
	address := c.Auth.TokenURL
	scope := "clientCreds" // AB2D's, which has no discovery where CMS runs it
	if address == "" {
		var told struct {
			TokenEndpoint string   `json:"token_endpoint"`
			Scopes        []string `json:"scopes_supported"`
			Capabilities  []string `json:"capabilities"`
		}
		for _, place := range []string{c.Base, origin(c.base)} {
			if err := c.public(ctx, place+"/.well-known/smart-configuration", "the server's SMART configuration", &told); err != nil {
				return d, err
			}
			if told.TokenEndpoint != "" {
				break
			}
		}
		address = told.TokenEndpoint
		switch {
		case address == "":
			var err error
			if address, err = c.fromCapability(ctx); err != nil {
				return d, err
			}
		case c.Auth.Key == nil && slices.Contains(told.Scopes, "clientCreds"):
		case slices.Contains(told.Capabilities, "permission-v2") && !slices.Contains(told.Capabilities, "permission-v1"):
			scope = "system/*.rs"
		default:
			scope = "system/*.read"
		}
	}
	if address == "" {
		return d, fault(Usage, "Give it as --token-url.", "the server does not say where tokens are to be had")
	}
	if c.Auth.Key != nil && scope == "clientCreds" {
		scope = "system/*.read"
	}
	d.scope = cmp.Or(c.Auth.Scope, scope)
	var err error
	if d.url, err = c.base.Parse(address); err != nil || d.url.Host == "" {
		return d, fault(Usage, "Give it as --token-url.", "%q is not the address of a token server", address)
	}
	return d, c.secret(d.url)
}

// fromCapability looks for the token server in the CapabilityStatement, where
// servers told it before there was a configuration to read.
func (c *Client) fromCapability(ctx context.Context) (string, error) {
	type extension struct {
		URL       string
		ValueURI  string `json:"valueUri"`
		Extension []struct {
			URL      string
			ValueURI string `json:"valueUri"`
		}
	}
	var statement struct {
		Rest []struct {
			Security struct{ Extension []extension }
		}
	}
	if err := c.public(ctx, c.Base+"/metadata", "the server's CapabilityStatement", &statement); err != nil {
		return "", err
	}
	for _, r := range statement.Rest {
		for _, e := range r.Security.Extension {
			if !strings.HasSuffix(e.URL, "/oauth-uris") {
				continue
			}
			for _, inner := range e.Extension {
				if inner.URL == "token" {
					return inner.ValueURI, nil
				}
			}
		}
	}
	return "", nil
}

// public reads something that needs no token. What is not there stays empty.
func (c *Client) public(ctx context.Context, address, what string, into any) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	res, err := c.call(ctx, ask{what: what, method: http.MethodGet, url: u, header: http.Header{"Accept": {"application/json, application/fhir+json"}}})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, 8<<20))
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if json.Unmarshal(body, into) != nil {
		return nil // a page for people, as some servers have for everything unknown
	}
	return nil
}

// askForToken gets a token, and when to get the next one.
func (c *Client) askForToken(ctx context.Context, d discovered) (token string, renew time.Time, err error) {
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {d.scope}}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}}
	if c.Auth.Key == nil {
		(&http.Request{Header: header}).SetBasicAuth(c.Auth.ClientID, c.Auth.Secret)
	}
	body := func() ([]byte, error) {
		if c.Auth.Key != nil { // an assertion is good for one try
			proof, err := c.Auth.Key.Assertion(c.Auth.ClientID, d.url.String())
			if err != nil {
				return nil, err
			}
			form.Set("client_assertion_type", clientkey.AssertionType)
			form.Set("client_assertion", proof)
		}
		return []byte(form.Encode()), nil
	}
	asked := time.Now()
	res, err := c.call(ctx, ask{what: "the token", method: http.MethodPost, url: d.url, header: header, body: body})
	if err != nil {
		return "", renew, err
	}
	if res.StatusCode/100 != 2 {
		answer := tell(res)
		if answer.status >= 500 {
			return "", renew, fault(Away, "Run the same command again to go on.", "the token server failed: %s", answer)
		}
		next := "Check the client id, its secret or key, and the scope; if they are right, ask the server's operators whether the client is enabled."
		if answer.status == http.StatusForbidden {
			next = "Ask from an address that the server lets in, or have its operators let this one in."
		}
		return "", renew, fault(Refused, next, "the token server does not accept client %s: %s", c.Auth.ClientID, answer)
	}
	defer res.Body.Close()
	var answer struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   any    `json:"expires_in"` // BCDA sends a text
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, mostWords)).Decode(&answer); err != nil || answer.AccessToken == "" {
		return "", renew, fault(Refused, "", "the token server's answer has no token")
	}
	seconds := 0.0
	switch v := answer.ExpiresIn.(type) {
	case float64:
		seconds = v
	case string:
		seconds, _ = strconv.ParseFloat(v, 64) // not said, then
	}
	text := "a token without an end"
	if seconds > 0 {
		life := time.Duration(seconds * float64(time.Second))
		renew = asked.Add(life - min(30*time.Second, life/5))
		text = "a token for " + life.String()
	}
	c.say(Event{Kind: Token, Text: text + ", from " + d.url.Host})
	return answer.AccessToken, renew, nil
}

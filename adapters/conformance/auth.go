package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"cms.gov/ab2d/adapters/clientkey"
)

// Auth is how to prove to a server who asks. With nothing set nothing is proven.
type Auth struct {
	Token    string // one that was had elsewhere
	TokenURL string // where to get one; discovered if empty
	ClientID string
	Secret   string         // for HTTP Basic
	Key      *clientkey.Key // for private_key_jwt, instead of a secret
	Scope    string         // system/*.read if empty and there is a key; left out if empty and there is none
}

// ask sends a request for a token, with changes that a check wants.
func (r *run) ask(ctx context.Context, change func(url.Values), secret string) answer {
	form := url.Values{"grant_type": {"client_credentials"}}
	header := []string{"Content-Type", "application/x-www-form-urlencoded", "Accept", "application/json"}
	scope := r.Auth.Scope
	if r.Auth.Key != nil {
		if scope == "" {
			scope = "system/*.read"
		}
		proof, err := r.Auth.Key.Assertion(r.Auth.ClientID, r.Auth.TokenURL)
		if err != nil {
			return answer{err: err}
		}
		form.Set("client_assertion_type", clientkey.AssertionType)
		form.Set("client_assertion", proof)
	} else {
		header = append(header, "Authorization", basic(r.Auth.ClientID, secret))
	}
	if scope != "" {
		form.Set("scope", scope)
	}
	change(form)
	return r.client.send(ctx, request{method: "POST", url: r.Auth.TokenURL, header: header, body: []byte(form.Encode()), anonymous: true})
}

// signIn gets the token that everything else is asked with.
func (r *run) signIn(ctx context.Context) error {
	r.client.token = r.Auth.Token
	if r.Auth.ClientID == "" {
		for _, id := range []string{"A8", "A8b", "A9", "A10"} {
			r.skip(id, "no client id was given, so no token was asked for")
		}
		return nil
	}
	if r.Auth.TokenURL == "" {
		return errors.New("the server does not say where tokens are to be had; give the address of its token server")
	}
	a := r.ask(ctx, func(url.Values) {}, r.Auth.Secret)
	o, err := a.object()
	token, _ := o["access_token"].(string)
	if err != nil || a.status/100 != 2 || token == "" {
		r.fail("A9", "the token server answered %s", a)
		return fmt.Errorf("no token: %s", a)
	}
	r.client.token = token
	kind, _ := o["token_type"].(string)
	life, isNumber := o["expires_in"].(float64)
	_, hasScope := o["scope"].(string)
	switch {
	case !strings.EqualFold(kind, "bearer"):
		r.fail("A9", "token_type is %q", kind)
	case !isNumber:
		r.fail("A9", "expires_in is %v", o["expires_in"])
	case !hasScope:
		r.fail("A9", "there is no scope")
	default:
		r.pass("A9", "")
	}
	switch {
	case r.Auth.Key == nil:
		r.skip("A10", "the token is for a secret")
	case life > 300:
		r.fail("A10", "expires_in is %v", life)
	default:
		r.pass("A10", "expires_in is %v", life)
	}
	r.signInWrongly(ctx)
	return nil
}

func (r *run) signInWrongly(ctx context.Context) {
	wrong := r.ask(ctx, func(f url.Values) {
		if f.Has("client_assertion") {
			f.Set("client_assertion", f.Get("client_assertion")+"x")
		}
	}, r.Auth.Secret+"x")
	o, err := wrong.object()
	switch {
	case wrong.status != 400 && wrong.status != 401 || err != nil:
		r.fail("A8", "a wrong proof is answered with %s", wrong)
	case o["error"] != "invalid_client":
		r.fail("A8", "the error is %v", o["error"])
	default:
		r.pass("A8", "")
	}
	if a := r.ask(ctx, func(f url.Values) { f.Set("grant_type", "not_a_grant_type") }, r.Auth.Secret); a.status != 400 {
		r.fail("A8b", "answered %s", a)
	} else {
		r.pass("A8b", "")
	}
}

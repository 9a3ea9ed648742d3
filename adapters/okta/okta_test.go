package okta_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/adapters/oidctest"
	"cms.gov/ab2d/adapters/okta"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports/porttest"
)

func provider(t testing.TB) *oidctest.Provider {
	return oidctest.Start(t, oidctest.Settings{Clients: []oidctest.Client{{ID: "0oa1", Secret: "secret", Scopes: []string{okta.Scope, "other"}}}})
}

func tokens(p *oidctest.Provider, clock *memory.Clock) *okta.Tokens {
	return paced(p, clock, time.Millisecond)
}

func paced(p *oidctest.Provider, clock *memory.Clock, pace time.Duration) *okta.Tokens {
	return okta.New(okta.Settings{Issuer: p.URL, Audience: "AB2D", Scope: okta.Scope, Outlive: time.Hour, Pace: pace, Log: slog.New(slog.DiscardHandler)}, clock)
}

// The issuer is one that is not of our making.
func TestTokens(t *testing.T) {
	p, now := provider(t), time.Now()
	porttest.Tokens(t, func(t *testing.T) porttest.TokenHarness {
		key, id := p.Key()
		return porttest.TokenHarness{Tokens: tokens(p, memory.NewClock(now)), Key: key, KeyID: id, Issuer: p.URL, Audience: "AB2D", Scope: okta.Scope,
			Client: "0oa1", Now: now}
	})
}

type bundle struct {
	*testing.T
	p      *oidctest.Provider
	clock  *memory.Clock
	tokens *okta.Tokens
}

func setup(t *testing.T) bundle {
	p, clock := provider(t), memory.NewClock(time.Now())
	return bundle{t, p, clock, tokens(p, clock)}
}

func (b bundle) verify(token string, want domain.Code) {
	b.Helper()
	g, err := b.tokens.Verify(b.Context(), token)
	if domain.CodeOf(err) != want || want == "" && g.Client != "0oa1" {
		b.Errorf("Verify = %+v, %v; want %q", g, err, want)
	}
}

// eventually verifies until it comes out as wanted.
func (b bundle) eventually(token string, want domain.Code) {
	b.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		_, err := b.tokens.Verify(b.Context(), token)
		if domain.CodeOf(err) == want {
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("Verify = %v; waited too long for %q", err, want)
		}
		time.Sleep(time.Millisecond)
	}
}

// signed is a token for the next hour by the test's clock.
func (b bundle) signed() string {
	return b.p.Sign(map[string]any{"iss": b.p.URL, "aud": "AB2D", "cid": "0oa1", "sub": "0oa1", "scp": []string{okta.Scope}, "exp": b.clock.Now().Add(time.Hour).Unix()})
}

func TestATokenThatTheIssuerHandsOut(t *testing.T) {
	b := setup(t)
	b.verify(b.p.Token("0oa1", "secret", okta.Scope), "")
	b.verify(b.p.Token("0oa1", "secret", "other"), domain.Unauthenticated)
	b.verify(b.p.Token("0oa1", "secret"), domain.Unauthenticated)
}

func TestKeysRotateWithoutARefusedRequest(t *testing.T) {
	b := setup(t)
	old := b.p.Token("0oa1", "secret", okta.Scope)
	b.verify(old, "")
	for range 3 {
		b.p.Rotate()
		token := b.p.Token("0oa1", "secret", okta.Scope)
		before := b.p.Requests("/keys")
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { b.verify(token, "") })
		}
		all.Wait()
		if n := b.p.Requests("/keys") - before; n != 1 {
			b.Errorf("eight requests with one new key fetched the keys %d times", n)
		}
		b.verify(old, "")
	}
	b.p.DropOldKeys()
	b.clock.Advance(10 * time.Minute) // they are no longer fresh
	current := b.p.Token("0oa1", "secret", okta.Scope)
	b.verify(current, "")
	for range 10 { // a token that was good is taken as good for up to a minute
		if _, err := b.tokens.Verify(t.Context(), old); domain.CodeOf(err) == domain.Unauthenticated {
			return
		}
		b.clock.Advance(2 * time.Minute)
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("a withdrawn key counts on")
}

// Whoever makes keys up makes nobody fetch more often than once in a while.
func TestUnknownKeysAreLookedForOnceInAWhile(t *testing.T) {
	b := setup(t)
	b.tokens = paced(b.p, b.clock, time.Hour)
	b.verify(b.signed(), "")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	b.p.Rotate() // an hour has not passed since
	token := b.signed()
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if g, err := b.tokens.Verify(ctx, token); err == nil {
				t.Errorf("a key that is not known lets %s in", g.Client)
			}
		})
	}
	all.Wait()
	if n := b.p.Requests("/keys"); n != 1 {
		t.Errorf("the keys were fetched %d times", n)
	}
}

func TestTheIssuerGoesAway(t *testing.T) {
	for name, outage := range map[string]oidctest.Outage{"failing": oidctest.Failing, "cut": oidctest.Cut, "garbage": oidctest.Garbage} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			token := b.p.Token("0oa1", "secret", okta.Scope)
			b.p.SetOutage(outage)
			b.verify(token, domain.Unavailable) // it cannot be told from a forged one
			b.p.SetOutage(oidctest.None)
			b.eventually(token, "")

			b.p.SetOutage(outage)
			b.clock.Advance(64 * time.Minute) // the keys are old, but still count
			b.verify(b.signed(), "")
			b.clock.Advance(2 * time.Minute) // not for ever
			b.verify(b.signed(), domain.Unavailable)
			b.p.SetOutage(oidctest.None)
			b.eventually(b.signed(), "")
		})
	}
}

func TestKeysAreThereBeforeTheFirstRequest(t *testing.T) {
	b := setup(t)
	token := b.p.Token("0oa1", "secret", okta.Scope)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); b.tokens.Keep(ctx) }()
	deadline := time.Now().Add(10 * time.Second)
	for b.p.Requests("/keys") == 0 {
		if time.Now().After(deadline) {
			t.Fatal("nobody fetched the keys")
		}
		time.Sleep(time.Millisecond)
	}
	b.verify(token, "")
	stop()
	<-done
	if n := b.p.Requests("/keys"); n != 1 {
		t.Errorf("the keys were fetched %d times", n)
	}
}

func BenchmarkVerify(b *testing.B) {
	p := provider(b)
	clock := memory.NewClock(time.Now())
	v := tokens(p, clock)
	token := p.Token("0oa1", "secret", okta.Scope)
	for b.Loop() {
		if _, err := v.Verify(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}

package config

import (
	"flag"
	"net/url"
	"slices"
	"time"

	"cms.gov/ab2d/domain"
)

// Who issues tokens.
const (
	SandboxAuth = "sandbox"
	OktaAuth    = "okta"
	SMARTAuth   = "smart"
)

// AuthSettings say who lets clients in, and how often they may ask.
type AuthSettings struct {
	Auth string

	OktaIssuer      string
	OktaAudience    string
	OktaScope       string
	OktaClientClaim string

	TLSCert string
	TLSKey  string

	ClientSecretKey  string
	SecretLife       time.Duration
	ClientNetworks   int
	SigningKeyLife   time.Duration
	TokenRate        Rate
	TokenAddressRate Rate
	FailedRate       Rate
	ExportRate       Rate
	ExportAddrRate   Rate
}

func (c *AuthSettings) authFlags(fs *flag.FlagSet) {
	fs.StringVar(&c.TLSCert, "tls-cert", "", "PEM file with the server's certificate and its chain, read anew when it changes; without one a proxy in front ends TLS")
	fs.StringVar(&c.TLSKey, "tls-key", "", "PEM file with its key")
	fs.StringVar(&c.Auth, "auth", SandboxAuth, "who issues tokens: sandbox; okta, an authorization server of its kind; or smart, this service itself, to registered clients (SMART Backend Services)")
	fs.StringVar(&c.OktaIssuer, "okta-issuer", "", "the issuer of auth=okta, as it stands in tokens")
	fs.StringVar(&c.OktaAudience, "okta-audience", "AB2D", "whom its tokens must be for")
	fs.StringVar(&c.OktaScope, "okta-scope", domain.AllScope, "the scope that its tokens must have")
	fs.StringVar(&c.OktaClientClaim, "okta-client-claim", "cid", "the claim of its tokens that names the client")
	fs.StringVar(&c.ClientSecretKey, "client-secret-key", "", "key that clients' secrets are hashed with, 32 characters or more (default a random one in the database); with another key no secret holds")
	fs.DurationVar(&c.SecretLife, "secret-life", 0, "how long a client's secret of ours holds; 0 is until it is rotated")
	fs.IntVar(&c.ClientNetworks, "client-networks", 8, "address blocks that a client may be limited to")
	fs.DurationVar(&c.SigningKeyLife, "signing-key-life", 720*time.Hour, "how long a key of ours signs tokens before the next does")
	c.TokenRate, c.TokenAddressRate, c.FailedRate = rate(30, 2*time.Second), rate(300, 200*time.Millisecond), rate(10, 30*time.Second)
	c.ExportRate, c.ExportAddrRate = rate(60, 5*time.Second), rate(300, time.Second)
	fs.Var(&c.TokenRate, "token-rate", "tokens that a client may get from us, as 60/5s: so many at once, then one in each time")
	fs.Var(&c.TokenAddressRate, "token-address-rate", "requests for tokens from an address")
	fs.Var(&c.FailedRate, "failed-rate", "failed attempts from an address as one client, and ten times as many as any")
	fs.Var(&c.ExportRate, "export-rate", "kick-offs of a client, refused ones included")
	fs.Var(&c.ExportAddrRate, "export-address-rate", "kick-offs from an address")
}

func (c *Config) checkAuth(refuse func(format string, args ...any)) {
	if !slices.Contains([]string{SandboxAuth, OktaAuth, SMARTAuth}, c.Auth) {
		refuse("auth is %q; it can be sandbox or okta or smart", c.Auth)
	}
	c.checkOkta(refuse)
	if (c.TLSCert == "") != (c.TLSKey == "") {
		refuse("tls-cert and tls-key belong together: give both or none")
	}
	if c.Mode == Production && c.Answers() && c.TLSCert == "" && c.TrustProxy == "" {
		refuse("nothing ends TLS; production wants tls-cert and tls-key, or a proxy that trust-proxy names")
	}
	if n := len(c.ClientSecretKey); n > 0 && n < 32 {
		refuse("client-secret-key is too short; it must have 32 characters or more")
	}
	if c.SecretLife < 0 {
		refuse("secret-life must not be less than zero")
	}
	if c.SigningKeyLife < 2*time.Hour {
		refuse("signing-key-life is %s; it must be at least 2h, longer than any token holds", c.SigningKeyLife)
	}
}

// checkOkta refuses an issuer that cannot be. Its keys come from there, so
// nobody may listen in and change them.
func (c *Config) checkOkta(refuse func(format string, args ...any)) {
	if (c.Auth == OktaAuth) != (c.OktaIssuer != "") {
		refuse("auth is %q and okta-issuer is %q; okta needs an issuer, and nothing else takes one", c.Auth, c.OktaIssuer)
		return
	}
	if c.Auth != OktaAuth {
		return
	}
	if u, err := url.Parse(c.OktaIssuer); err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && c.Mode == Sandbox && loopback(u.Hostname())) {
		refuse("okta-issuer is %q; it must be an https address", c.OktaIssuer)
	}
	if c.OktaAudience == "" || c.OktaScope == "" || c.OktaClientClaim == "" {
		refuse("okta-audience, okta-scope and okta-client-claim must not be empty")
	}
}

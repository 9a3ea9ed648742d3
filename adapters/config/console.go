package config

import (
	"flag"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"cms.gov/ab2d/domain"
)

// ConsoleSettings say how staff sign in to the console, and what two of them do
// together.
type ConsoleSettings struct {
	ConsoleIdle   time.Duration
	ConsoleLife   time.Duration
	ConsoleNotice string

	ConsoleOIDCIssuer       string
	ConsoleOIDCClientID     string
	ConsoleOIDCClientSecret string
	ConsoleOIDCScopes       string
	ConsoleOIDCRolesClaim   string
	ConsoleOIDCRoles        Roles

	TwoPerson  Pairs
	Onboarding bool
}

// Roles says which roles come with which groups.
type Roles struct{ domain.GroupRoles }

// String implements flag.Value.
func (r *Roles) String() string {
	var pairs []string
	for group, roles := range r.GroupRoles {
		for _, role := range roles {
			pairs = append(pairs, group+"="+string(role))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, ",")
}

// Set implements flag.Value.
func (r *Roles) Set(text string) (err error) {
	r.GroupRoles, err = domain.ParseGroupRoles(text)
	return err
}

// Pairs are the actions that need two people.
type Pairs []domain.PairedAction

// String implements flag.Value.
func (p *Pairs) String() string {
	names := make([]string, len(*p))
	for i, a := range *p {
		names[i] = string(a)
	}
	return strings.Join(names, ",")
}

// Set implements flag.Value.
func (p *Pairs) Set(text string) error {
	*p = nil
	for name := range strings.SplitSeq(text, ",") {
		name = strings.TrimSpace(name)
		switch {
		case name == "":
		case !slices.Contains(domain.PairedActions, domain.PairedAction(name)):
			return fmt.Errorf("%q is none of %v", name, domain.PairedActions)
		default:
			*p = append(*p, domain.PairedAction(name))
		}
	}
	return nil
}

func (c *ConsoleSettings) consoleFlags(fs *flag.FlagSet) {
	fs.DurationVar(&c.ConsoleIdle, "console-idle", 15*time.Minute, "how long somebody stays signed in to the console without doing anything; at most 15 minutes in production")
	fs.DurationVar(&c.ConsoleLife, "console-life", 8*time.Hour, "how long at all; at most 8 hours in production")
	fs.StringVar(&c.ConsoleNotice, "console-notice", "", "what is to be acknowledged before anybody signs in, paragraphs apart by \\n (default after the one of federal systems)")
	fs.StringVar(&c.ConsoleOIDCIssuer, "console-oidc-issuer", "", "the OpenID provider that staff sign in at, as Okta; in a sandbox without one there are sample accounts")
	fs.StringVar(&c.ConsoleOIDCClientID, "console-oidc-client-id", "", "what it calls the console; it has to know PUBLIC-URL/console/callback, /console/left for signing out, and /console/backchannel for back-channel logout")
	fs.StringVar(&c.ConsoleOIDCClientSecret, "console-oidc-client-secret", "", "the console's secret with it; none for a public client, which PKCE alone protects")
	fs.StringVar(&c.ConsoleOIDCScopes, "console-oidc-scopes", "profile email groups", "scopes asked for beside openid")
	fs.StringVar(&c.ConsoleOIDCRolesClaim, "console-oidc-roles-claim", "groups", "the claim of ID tokens that has a person's groups")
	c.ConsoleOIDCRoles = Roles{domain.GroupRoles{}}
	for _, r := range domain.Roles {
		c.ConsoleOIDCRoles.GroupRoles["ab2d-"+strings.ReplaceAll(string(r), "_", "-")] = []domain.Role{r}
	}
	fs.Var(&c.ConsoleOIDCRoles, "console-oidc-roles", "which groups come with which roles, as 'AB2D Admins=admin,AB2D Operations=operator'")
	fs.BoolVar(&c.Onboarding, "onboarding", false, "in a sandbox too, refuse credentials until the steps to production access are done or overridden; in production they always are")
	fs.Var(&c.TwoPerson, "console-two-person", "what one asks for and another approves: any of attestation.revoke,attestation.backdate,client.create; empty for nothing")
}

func (c *Config) checkConsole(refuse func(format string, args ...any)) {
	if c.ConsoleIdle < time.Minute || c.ConsoleLife < c.ConsoleIdle {
		refuse("console-idle is %s and console-life %s; they must be at least a minute, and the life not shorter", c.ConsoleIdle, c.ConsoleLife)
	}
	if c.Mode == Production && (c.ConsoleIdle > 15*time.Minute || c.ConsoleLife > 8*time.Hour) {
		refuse("console-idle is %s and console-life %s; production keeps them to 15 minutes and 8 hours", c.ConsoleIdle, c.ConsoleLife)
	}
	if (c.ConsoleOIDCIssuer == "") != (c.ConsoleOIDCClientID == "") {
		refuse("console-oidc-issuer and console-oidc-client-id belong together: give both or none")
	}
	switch u, err := url.Parse(c.ConsoleOIDCIssuer); {
	case c.ConsoleOIDCIssuer == "":
		if c.Mode == Production && c.HasRole(Console) {
			refuse("nobody could sign in to the console; give console-oidc-issuer, or leave console out of roles")
		}
	case err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && c.Mode == Sandbox && loopback(u.Hostname())):
		refuse("console-oidc-issuer is %q; it must be an https address", c.ConsoleOIDCIssuer)
	}
	if c.ConsoleOIDCIssuer != "" && (c.ConsoleOIDCRolesClaim == "" || len(c.ConsoleOIDCRoles.GroupRoles) == 0) {
		refuse("console-oidc-roles-claim and console-oidc-roles must not be empty: nobody would have a role")
	}
}

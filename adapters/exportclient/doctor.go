package exportclient

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"cms.gov/ab2d/adapters/reach"
)

// Diagnose looks at everything between this machine and an export, in the order
// in which an export needs it: the way to the server, its clock, what it says of
// itself, tokens, and whether this client may ask there. group is what would be
// exported, and may be empty. It changes nothing at the server.
func (c *Client) Diagnose(ctx context.Context, group string) []reach.Finding {
	var config *tls.Config
	if t, ok := c.Transport.(*http.Transport); ok {
		config = t.TLSClientConfig
	}
	found, ok := reach.Address(ctx, "server", c.base, config)
	if !ok {
		return found
	}
	res, body, clock, err := reach.Get(ctx, c.http, "server", c.Base+"/metadata")
	if err != nil {
		return append(found, reach.Finding{What: "metadata", State: reach.Fail, Text: err.Error(), Fix: "Something between here and there cuts the connection; ask your network's people."})
	}
	found = append(found, clock, metadata(res.StatusCode, body, c.Base))
	if c.Auth.ClientID == "" && c.Auth.Token == "" {
		return append(found, reach.Finding{What: "credentials", State: reach.Skip, Text: "none are given", Fix: "Give a client id and its secret or key; ab2d export --help says how."})
	}
	d := *c // one that does not wait: this is about now
	d.Patience, d.Wait = time.Nanosecond, func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	d.tokens = &tokens{client: &d}
	if c.Auth.ClientID != "" {
		server, err := d.discover(ctx)
		if err != nil {
			return append(found, failed("token server", err))
		}
		d.tokens.server = &server
		if origin(server.url) != origin(c.base) {
			more, ok := reach.Address(ctx, "token server", server.url, config)
			if found = append(found, more...); !ok {
				return found
			}
		}
	}
	if _, _, err := d.tokens.get(ctx, ""); err != nil {
		return append(found, failed("token", err))
	}
	text := "the token that was given is used"
	if c.Auth.ClientID != "" {
		text = "client " + c.Auth.ClientID + " gets one from " + d.tokens.server.url.String()
	}
	found = append(found, reach.Finding{What: "token", State: reach.OK, Text: text})
	found = append(found, d.admitted(ctx))
	if group != "" && found[len(found)-1].State == reach.OK {
		found = append(found, d.group(ctx, group))
	}
	return found
}

func failed(what string, err error) reach.Finding {
	f := reach.Finding{What: what, State: reach.Fail, Text: err.Error()}
	var known *Fault
	if errors.As(err, &known) {
		f.Text, f.Fix = known.Text, known.Next
		if known.Why == Away {
			f.Fix = "Try again later; if it stays, tell the server's operators."
		}
	}
	return f
}

func metadata(status int, body []byte, base string) reach.Finding {
	f := reach.Finding{What: "metadata", State: reach.Fail}
	var s struct {
		ResourceType, FHIRVersion string
		Software                  struct{ Name, Version string }
	}
	switch {
	case status == http.StatusForbidden:
		f.Text, f.Fix = "403: the server does not talk to this machine at all", "Have the public address of this machine put onto the server's list of allowed addresses."
	case status != http.StatusOK:
		f.Text, f.Fix = fmt.Sprintf("%s/metadata answers %d %s", base, status, http.StatusText(status)), "The address should be the base of the FHIR API, as https://sandbox.ab2d.cms.gov/api/v2/fhir."
	case json.Unmarshal(body, &s) != nil || s.ResourceType != "CapabilityStatement":
		f.Text, f.Fix = base+"/metadata is no CapabilityStatement", "The address should be the base of the FHIR API; a proxy may also answer in the server's place."
	default:
		f.State, f.Text = reach.OK, fmt.Sprintf("FHIR %s, %s %s", s.FHIRVersion, s.Software.Name, s.Software.Version)
	}
	return f
}

// admitted asks for the status of an export that there cannot be. Who may ask
// is told that there is none.
func (c *Client) admitted(ctx context.Context) reach.Finding {
	f := reach.Finding{What: "access", State: reach.OK, Text: "the server lets this client in, from this address"}
	answer, err := c.look(ctx, "/Job/00000000-0000-4000-8000-000000000000/$status")
	switch {
	case err != nil:
		return failed("access", err)
	case answer.status == http.StatusUnauthorized, answer.status == http.StatusForbidden:
		f.State, f.Text = reach.Fail, "the server refuses: "+answer.String()
		f.Fix = or(answer.next, "Either the client is disabled or has no contract, or this machine's public address is not on the server's list: ask the server's operators which.")
	case answer.status >= 500:
		f.State, f.Text, f.Fix = reach.Warn, "the server fails: "+answer.String(), "Try again later; if it stays, tell the server's operators."
	}
	return f
}

// group asks for a Group, where the server has them to be read.
func (c *Client) group(ctx context.Context, id string) reach.Finding {
	f := reach.Finding{What: "contract", State: reach.OK, Text: id + " may be exported"}
	answer, err := c.look(ctx, "/Group/"+url.PathEscape(id))
	switch {
	case err != nil:
		return failed("contract", err)
	case answer.status == http.StatusForbidden:
		f.State, f.Text, f.Fix = reach.Fail, "the server refuses "+id+": "+answer.String(), or(answer.next, "Check the number; the client must be registered for the contract, and the contract attested.")
	case answer.status == http.StatusOK && answer.text != "":
		f.State, f.Text, f.Fix = reach.Fail, answer.text, "Have an attestor of the sponsor attest."
	case answer.status != http.StatusOK:
		f.State, f.Text = reach.Skip, "the server tells nothing of "+id+" before a kick-off"
	}
	return f
}

// look asks for something with the token. The text of an answer that is a Group
// says what is wrong with it.
func (c *Client) look(ctx context.Context, path string) (told, error) {
	u, err := url.Parse(c.Base + path)
	if err != nil {
		return told{}, err
	}
	res, err := c.call(ctx, ask{what: path, method: http.MethodGet, url: u, token: true, header: http.Header{"Accept": {"application/fhir+json"}}})
	if err != nil {
		return told{}, err
	}
	if res.StatusCode != http.StatusOK {
		return tell(res), nil
	}
	defer res.Body.Close()
	var g struct{ Active *bool }
	answer := told{status: res.StatusCode}
	if json.NewDecoder(res.Body).Decode(&g) == nil && g.Active != nil && !*g.Active {
		answer.text = "no attestation is active for it, so nothing may be exported"
	}
	return answer, nil
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

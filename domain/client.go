package domain

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/netip"
	"slices"
	"time"
)

// Client is one credential of a sponsor, for one or more of its contracts. It
// proves itself with a secret, or with assertions that it signs with a key of
// its own; where another issuer keeps its secret, as Okta does, it has neither.
type Client struct {
	ID        ClientID
	Sponsor   SponsorID
	Name      string
	Contracts []ContractNumber // in contract order
	Enabled   bool
	Networks  []netip.Prefix // the addresses it may call from; empty for any
	Keys      ClientKeys
	Secrets   []ClientSecret // the oldest first
	CreatedAt time.Time
}

// ClientKeys says where the public keys of a client are: at an address that it
// keeps, or the set itself. At most one of the two is given.
type ClientKeys struct {
	URL string // of a JWK Set
	Set string // a JWK Set (RFC 7517)
}

// ClientSecret is a secret as it is kept: never the secret itself.
type ClientSecret struct {
	ID        string
	Hash      []byte // see SecretKey.Hash
	CreatedAt time.Time
	ExpiresAt time.Time // zero for one that does not expire
}

// MayCallFrom reports whether the client may use the API from addr.
func (c Client) MayCallFrom(addr netip.Addr) bool {
	return len(c.Networks) == 0 || slices.ContainsFunc(c.Networks, func(n netip.Prefix) bool {
		return n.Contains(addr.Unmap())
	})
}

// Holds reports whether the client is for every one of the contracts.
func (c Client) Holds(contracts []ContractNumber) bool {
	return !slices.ContainsFunc(contracts, func(n ContractNumber) bool { return !slices.Contains(c.Contracts, n) })
}

// NotHeld is the refusal of a contract that a client may not export. It does not
// tell whether there is such a contract.
func NotHeld(n ContractNumber) *Error {
	return Errorf(Forbidden, "There is no contract %s that this client may export.", n).
		WithNext("Use the number of a contract that your client is registered for, or Patient/$export for all of them.")
}

// MayUse reports whether the client may see and act on the job. A job belongs
// to the sponsor: any enabled client of it that holds all the job's contracts
// may use it.
func (c Client) MayUse(j *ExportJob) bool {
	s := j.State()
	return c.Enabled && c.Sponsor == s.Sponsor && c.Holds(s.Contracts)
}

// LiveSecrets returns the secrets that count at a time.
func (c Client) LiveSecrets(at time.Time) []ClientSecret {
	return slices.DeleteFunc(slices.Clone(c.Secrets), func(s ClientSecret) bool { return s.over(at) })
}

// HasSecret reports whether a hash is that of a secret that counts at a time.
// It takes the same time whatever the hash is.
func (c Client) HasSecret(hash []byte, at time.Time) bool {
	found := 0
	for _, s := range c.LiveSecrets(at) {
		found |= subtle.ConstantTimeCompare(s.Hash, hash)
	}
	return found == 1
}

func (s ClientSecret) over(at time.Time) bool {
	return !s.ExpiresAt.IsZero() && !at.Before(s.ExpiresAt)
}

// Rotate adds a secret. Of those before it the latest counts for the overlap
// longer, at most until it expires by itself; all others are over. So two count
// at once, and no more.
func (c *Client) Rotate(s ClientSecret, overlap time.Duration) {
	live := c.LiveSecrets(s.CreatedAt)
	if live = live[max(0, len(live)-1):]; overlap <= 0 {
		live = nil
	}
	for i := range live {
		if end := s.CreatedAt.Add(overlap); live[i].ExpiresAt.IsZero() || end.Before(live[i].ExpiresAt) {
			live[i].ExpiresAt = end
		}
	}
	c.Secrets = append(live, s)
}

// Revoke ends the secret of that id at once. It reports whether there was one.
func (c *Client) Revoke(id string) bool {
	n := len(c.Secrets)
	c.Secrets = slices.DeleteFunc(slices.Clone(c.Secrets), func(s ClientSecret) bool { return s.ID == id })
	return len(c.Secrets) < n
}

// ClientActivity tells when a client was last let in, and how often one that
// said it was this client was not.
type ClientActivity struct {
	LastUsed   time.Time // zero for never
	LastFrom   netip.Addr
	Failures   int // since it was last let in
	LastFailed time.Time
}

// SecretKey is the key with which secrets are hashed, so that their hashes are
// of no use to who has not got it.
type SecretKey []byte

// Hash returns the keyed SHA-256 of a secret. It suits random secrets of ours
// only: what people choose has to be slow to try.
func (k SecretKey) Hash(secret string) []byte {
	h := hmac.New(sha256.New, k)
	h.Write([]byte(secret))
	return h.Sum(nil)
}

// NewSecret returns a random secret of 260 bits in letters and digits.
func NewSecret() string { return rand.Text() + rand.Text() }

// NewSecretID returns a random name for a secret, which tells nothing of it.
func NewSecretID() string { return rand.Text()[:12] }

// NewClientID returns a random client id.
func NewClientID() ClientID { return ClientID("ab2d" + rand.Text()[:20]) }

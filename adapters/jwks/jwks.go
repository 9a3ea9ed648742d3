// Package jwks reads sets of public keys (RFC 7517), given or kept at an
// address, for whoever verifies signatures with them.
package jwks

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Limit is how many bytes a set may have.
const Limit = 64 << 10

// rsaBits is the least that an RSA key has.
const rsaBits = 2048

// Key is a public key for signatures.
type Key struct {
	ID        string // empty if the set gives it none
	Algorithm string // that it is meant for alone; empty for any that fits
	Public    crypto.PublicKey
}

// Parse returns the keys of a set that signatures can be verified with: RSA of
// 2048 bits or more, and elliptic curves. It passes over keys that are for
// something else or of a kind that it does not know, as the standard says. A set
// with a key that should be secret is an error.
func Parse(set []byte) ([]Key, error) {
	if len(set) > Limit {
		return nil, fmt.Errorf("the key set has more than %d bytes", Limit)
	}
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(set, &raw); err != nil {
		return nil, fmt.Errorf("the key set is not JSON: %w", err)
	}
	if raw.Keys == nil {
		return nil, fmt.Errorf("the key set has no member keys")
	}
	var keys []Key
	for n, one := range raw.Keys {
		var secret struct {
			Type string          `json:"kty"`
			D    json.RawMessage `json:"d"`
			K    json.RawMessage `json:"k"`
		}
		if json.Unmarshal(one, &secret) == nil && (secret.D != nil || secret.K != nil || secret.Type == "oct") {
			return nil, fmt.Errorf("key %d of the set is not a public key; what was secret about it no longer is", n+1)
		}
		var k jose.JSONWebKey
		if k.UnmarshalJSON(one) != nil || !k.IsPublic() || k.Use != "" && k.Use != "sig" || !verifies(one) {
			continue
		}
		switch public := k.Key.(type) {
		case *rsa.PublicKey:
			if public.N.BitLen() < rsaBits {
				continue
			}
		case *ecdsa.PublicKey:
		default:
			continue
		}
		keys = append(keys, Key{ID: k.KeyID, Algorithm: k.Algorithm, Public: k.Key})
	}
	return keys, nil
}

// verifies reports whether a key is for verifying, where it says what it is for.
func verifies(one []byte) bool {
	var k struct {
		Operations []string `json:"key_ops"`
	}
	if json.Unmarshal(one, &k) != nil {
		return false
	}
	for _, o := range k.Operations {
		if o == "verify" {
			return true
		}
	}
	return k.Operations == nil
}

// Fits reports whether a key is of the kind that an algorithm of RFC 7518 takes
// and may be used with it.
func (k Key) Fits(algorithm string) bool {
	if k.Algorithm != "" && k.Algorithm != algorithm {
		return false
	}
	switch public := k.Public.(type) {
	case *rsa.PublicKey:
		return algorithm == "RS256" || algorithm == "RS384" || algorithm == "RS512"
	case *ecdsa.PublicKey:
		return public.Curve == curves[algorithm]
	}
	return false
}

var curves = map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}

// Assertions are the algorithms that clients sign assertions with (SMART App
// Launch, asymmetric client authentication).
var Assertions = []string{"RS384", "ES384"}

// Checker implements ports.KeySets.
type Checker struct{}

var _ ports.KeySets = Checker{}

// CheckKeys implements ports.KeySets.
func (Checker) CheckKeys(set string) error {
	keys, err := Parse([]byte(set))
	if err != nil {
		return domain.Errorf(domain.Invalid, "These are not the client's public keys: %s.", err).
			WithNext("Give the JWK Set with the public keys alone.")
	}
	seen := map[string]bool{}
	usable := 0
	for _, k := range keys {
		if !k.Fits("RS384") && !k.Fits("ES384") {
			continue
		}
		if usable++; k.ID == "" {
			return domain.Errorf(domain.Invalid, "A key of the set has no kid.").WithNext("Give each key a kid, which the client names in its assertions.")
		}
		if seen[k.ID] {
			return domain.Errorf(domain.Invalid, "Two keys of the set have the kid %s.", k.ID).WithNext("Give each key a kid of its own.")
		}
		seen[k.ID] = true
	}
	if usable == 0 {
		return domain.Errorf(domain.Invalid, "The set has no key that an assertion can be verified with.").
			WithNext("Give RSA keys of 2048 bits or more for RS384, or keys of the curve P-384 for ES384.")
	}
	return nil
}

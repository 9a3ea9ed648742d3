package porttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"maps"
	"math/big"
	"strings"
	"testing"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// KeySets runs the conformance suite of ports.KeySets.
func KeySets(t *testing.T, s ports.KeySets) {
	large, small := rsaJWK(t, "rsa", 2048), rsaJWK(t, "small", 1024)
	p384, p256 := curveJWK(t, "p384", elliptic.P384(), "P-384"), curveJWK(t, "p256", elliptic.P256(), "P-256")
	with := func(key map[string]any, more map[string]any) map[string]any {
		key = maps.Clone(key)
		maps.Copy(key, more)
		return key
	}
	set := func(keys ...map[string]any) string {
		if keys == nil {
			keys = []map[string]any{}
		}
		return string(tokenPart(t, map[string]any{"keys": keys}))
	}
	for name, good := range map[string]string{
		"an RSA key":                   set(large),
		"a key of P-384":               set(p384),
		"both, with uses":              set(with(large, map[string]any{"use": "sig", "alg": "RS384"}), with(p384, map[string]any{"key_ops": []string{"verify"}, "alg": "ES384"})),
		"one among others":             set(small, p256, large, map[string]any{"kty": "unheard of"}),
		"members that nobody knows of": set(with(p384, map[string]any{"unknown": 1})),
	} {
		if err := s.CheckKeys(good); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, bad := range map[string]string{
		"nothing":                "",
		"no JSON":                "keys",
		"a key without its set":  string(tokenPart(t, large)),
		"no keys":                set(),
		"a small RSA key":        set(small),
		"another curve":          set(p256),
		"no kid":                 set(with(large, map[string]any{"kid": ""})),
		"one kid twice":          set(large, with(p384, map[string]any{"kid": "rsa"})),
		"a key for encryption":   set(with(large, map[string]any{"use": "enc"})),
		"a key for signing only": set(with(large, map[string]any{"key_ops": []string{"sign"}})),
		"another algorithm":      set(with(large, map[string]any{"alg": "RS256"})),
		"a private key":          set(p384, with(large, map[string]any{"d": "AQAB"})),
		"a secret":               set(p384, map[string]any{"kty": "oct", "kid": "s", "k": "AQAB"}),
		"a broken key":           set(with(large, map[string]any{"n": "%"})),
		"a point off the curve":  set(with(p384, map[string]any{"x": p384["y"]})),
		"too many keys":          set(with(large, map[string]any{"x5t": strings.Repeat("x", 1<<20)})),
	} {
		err := s.CheckKeys(bad)
		if domain.CodeOf(err) != domain.Invalid {
			t.Errorf("%s: %v, want invalid", name, err)
		} else if e := err.(*domain.Error); e.Message == "" || e.Next == "" {
			t.Errorf("%s: nobody is told what is wrong", name)
		}
	}
}

func rsaJWK(t *testing.T, kid string, bits int) map[string]any {
	t.Helper()
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1)) // of the right size, which is all that can be seen of it
	if bits >= 2048 {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		n = key.N
	}
	return map[string]any{"kty": "RSA", "kid": kid, "e": "AQAB", "n": base64.RawURLEncoding.EncodeToString(n.Bytes())}
}

func curveJWK(t *testing.T, kid string, curve elliptic.Curve, name string) map[string]any {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	half := (len(point) - 1) / 2
	return map[string]any{"kty": "EC", "kid": kid, "crv": name,
		"x": base64.RawURLEncoding.EncodeToString(point[1 : 1+half]), "y": base64.RawURLEncoding.EncodeToString(point[1+half:])}
}

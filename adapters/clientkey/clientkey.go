// Package clientkey is the client's side of private_key_jwt (SMART Backend
// Services, RFC 7523): the private key, as people keep it in files, and the
// assertion that it signs.
package clientkey

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// AssertionType is what a token request says of an assertion (RFC 7523).
const AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Key signs client assertions.
type Key struct {
	ID  string
	Key crypto.Signer // RSA, or ECDSA on P-384
}

// Parse reads a private key as JWK, as the one private key of a JWK set, or as PEM.
// A PEM key has no id of its own.
func Parse(text []byte) (*Key, error) {
	if block, _ := pem.Decode(text); block != nil {
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("the key is not PKCS #8: %w", err)
		}
		return signer("", key)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(text, &set); err == nil {
		for _, k := range set.Keys {
			if !k.IsPublic() {
				return signer(k.KeyID, k.Key)
			}
		}
	}
	var one jose.JSONWebKey
	if err := json.Unmarshal(bytes.TrimSpace(text), &one); err != nil {
		return nil, errors.New("the key is neither PEM nor a private JWK nor a set with one")
	}
	return signer(one.KeyID, one.Key)
}

func signer(id string, key any) (*Key, error) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return &Key{id, k}, nil
	case *ecdsa.PrivateKey:
		if k.Curve.Params().BitSize == 384 {
			return &Key{id, k}, nil
		}
	}
	return nil, errors.New("the key must be private, and RSA (for RS384) or on the curve P-384 (for ES384)")
}

// Assertion returns what proves the client at the token server, once and for
// less than the five minutes that the guide allows.
func (k *Key) Assertion(client, tokenURL string) (string, error) {
	var method jwt.SigningMethod = jwt.SigningMethodRS384
	if _, ok := k.Key.(*ecdsa.PrivateKey); ok {
		method = jwt.SigningMethodES384
	}
	t := jwt.NewWithClaims(method, jwt.RegisteredClaims{Issuer: client, Subject: client, Audience: jwt.ClaimStrings{tokenURL},
		ID: rand.Text(), ExpiresAt: jwt.NewNumericDate(time.Now().Add(4 * time.Minute))})
	if k.ID != "" {
		t.Header["kid"] = k.ID
	}
	return t.SignedString(k.Key)
}

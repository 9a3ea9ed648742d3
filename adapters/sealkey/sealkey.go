// Package sealkey holds the key that signs the audit trail: one that was given,
// as openssl makes it, or one that a sandbox makes for itself.
package sealkey

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"cms.gov/ab2d/ports"
)

// name is what the sandbox's key is kept under.
const name = "audit-signing-key"

// Key is a private key. It implements ports.Signer.
type Key struct{ private ed25519.PrivateKey }

var _ ports.Signer = (*Key)(nil)

// Parse reads a private key in PEM, as openssl genpkey -algorithm ed25519 writes it.
func Parse(text []byte) (*Key, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New("the audit key is no private key in PEM; make one with openssl genpkey -algorithm ed25519")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the audit key cannot be read: %w", err)
	}
	private, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("the audit key is %T; it must be Ed25519, as openssl genpkey -algorithm ed25519 makes it", parsed)
	}
	return &Key{private}, nil
}

// Own returns the key that all processes of one sandbox share. The first to ask
// makes it.
func Own(ctx context.Context, secrets ports.Secrets) (*Key, error) {
	seed, err := secrets.Ensure(ctx, name, func() ([]byte, error) {
		seed := make([]byte, ed25519.SeedSize)
		rand.Read(seed) // never fails, see crypto/rand
		return seed, nil
	})
	if err != nil {
		return nil, err
	}
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("the kept audit key has %d bytes, not %d", len(seed), ed25519.SeedSize)
	}
	return &Key{ed25519.NewKeyFromSeed(seed)}, nil
}

// PublicKey implements ports.Signer.
func (k *Key) PublicKey() ed25519.PublicKey { return k.private.Public().(ed25519.PublicKey) }

// Sign implements ports.Signer.
func (k *Key) Sign(ctx context.Context, message []byte) ([]byte, error) {
	return ed25519.Sign(k.private, message), ctx.Err()
}

// ParsePublic reads public keys in PEM one after another, as openssl pkey
// -pubout writes them.
func ParsePublic(text []byte) (keys []ed25519.PublicKey, err error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("a public key of the audit trail cannot be read: %w", err)
		}
		key, ok := parsed.(ed25519.PublicKey)
		if !ok {
			return nil, fmt.Errorf("a public key of the audit trail is %T, not Ed25519", parsed)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no public key in PEM")
	}
	return keys, nil
}

// FormatPublic writes a public key in PEM.
func FormatPublic(key ed25519.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

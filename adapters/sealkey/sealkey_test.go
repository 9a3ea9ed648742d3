package sealkey_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/adapters/sealkey"
	"cms.gov/ab2d/ports"
	"cms.gov/ab2d/ports/porttest"
)

// The first key of RFC 8032, section 7.1, in the form that openssl genpkey
// -algorithm ed25519 and openssl pkey -pubout write.
const (
	private = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
`
	public = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----
`
)

func parsed(t *testing.T) ports.Signer {
	k, err := sealkey.Parse([]byte(private))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func own(t *testing.T) ports.Signer {
	k, err := sealkey.Own(t.Context(), memory.NewStore())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSigner(t *testing.T) {
	t.Run("given", func(t *testing.T) { porttest.Signer(t, parsed) })
	t.Run("own", func(t *testing.T) { porttest.Signer(t, own) })
}

func TestKeysAreWhatOpensslWrites(t *testing.T) {
	key := parsed(t).PublicKey()
	if text, err := sealkey.FormatPublic(key); err != nil || string(text) != public {
		t.Errorf("the public key is\n%s, %v", text, err)
	}
	other, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := sealkey.FormatPublic(other)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := sealkey.ParsePublic(append([]byte(public+"\n# the next\n"), text...))
	if err != nil || len(keys) != 2 || !keys[0].Equal(key) || !keys[1].Equal(other) {
		t.Errorf("read %v, %v", keys, err)
	}
}

// All processes of a sandbox have one key, and another sandbox has another.
func TestASandboxKeepsItsKey(t *testing.T) {
	store := memory.NewStore()
	one, err := sealkey.Own(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	two, err := sealkey.Own(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	if !one.PublicKey().Equal(two.PublicKey()) || one.PublicKey().Equal(own(t).PublicKey()) {
		t.Error("the keys are not one a sandbox")
	}
}

func TestWhatIsNoKeyIsRefused(t *testing.T) {
	wrong, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(wrong)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	for _, text := range []string{"", "x", public, rsaKey, private[:60]} {
		if _, err := sealkey.Parse([]byte(text)); err == nil {
			t.Errorf("%q is a private key", text)
		}
	}
	for _, text := range []string{"", "x", private, public[:60]} {
		if _, err := sealkey.ParsePublic([]byte(text)); err == nil {
			t.Errorf("%q has public keys", text)
		}
	}
}

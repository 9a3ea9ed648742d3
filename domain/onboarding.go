package domain

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Onboarding is what staff say of a contract on its way to production access
// (AB2D's production access guide): whom to call, and that an export of the
// sandbox was seen to work. What else it takes the records here tell.
type Onboarding struct {
	Contract   ContractNumber
	Specialist Specialist
	Sandbox    SandboxExport
	Override   Override
}

// Specialist is the attestor's data operations specialist, who gets the credentials.
type Specialist struct {
	Name  string
	Email string
}

// SandboxExport is an export in the sandbox that the sponsor finished by itself.
type SandboxExport struct {
	Job JobID
	At  time.Time // when staff verified it
	By  string

	Elsewhere bool // in another installation, where whoever verified it looked: here it could not be
}

// Override lets credentials be issued before the steps are done.
type Override struct {
	Reason string
	At     time.Time
	By     string
}

// Step is one of the steps to production access.
type Step string

// The steps, in order.
const (
	StepAttested    Step = "attested"
	StepSpecialist  Step = "specialist"
	StepSandbox     Step = "sandbox"
	StepAddresses   Step = "addresses"
	StepCredentials Step = "credentials"
	StepExport      Step = "export"
)

// Missing returns which steps are not done that have to be before credentials
// may be issued, in order. Addresses are given along with the credentials, so
// they count when they are.
func (o Onboarding) Missing(attested, addresses bool) (steps []Step) {
	for _, s := range []struct {
		step Step
		done bool
	}{{StepAttested, attested}, {StepSpecialist, o.Specialist.Name != ""}, {StepSandbox, o.Sandbox.Job != ""}, {StepAddresses, addresses}} {
		if !s.done {
			steps = append(steps, s.step)
		}
	}
	return steps
}

// OneTimeLink is a secret on its way to a sponsor: sealed with a key that only
// the link has, and gone once it was opened.
type OneTimeLink struct {
	ID     string // see LinkID
	Client ClientID
	Sealed []byte
	EndsAt time.Time
}

// LinkLife is how long a link can be opened.
const LinkLife = 72 * time.Hour

// LinkID returns the id of the link that a key opens.
func LinkID(key string) string {
	sum := sha256.Sum256([]byte("id of " + key))
	return hex.EncodeToString(sum[:])
}

// SealLink returns a link for a secret, and the key that opens it.
func SealLink(client ClientID, secret string, endsAt time.Time) (key string, l OneTimeLink) {
	key = NewKey()
	box := boxOf(key)
	nonce := make([]byte, box.NonceSize())
	rand.Read(nonce) // never fails, see crypto/rand
	return key, OneTimeLink{ID: LinkID(key), Client: client, Sealed: box.Seal(nonce, nonce, []byte(secret), []byte(client)), EndsAt: endsAt}
}

// Open returns the secret.
func (l OneTimeLink) Open(key string) (string, error) {
	box := boxOf(key)
	if len(l.Sealed) < box.NonceSize() {
		return "", Errorf(Invalid, "The link is damaged.")
	}
	secret, err := box.Open(nil, l.Sealed[:box.NonceSize()], l.Sealed[box.NonceSize():], []byte(l.Client))
	return string(secret), err
}

func boxOf(key string) cipher.AEAD {
	sum := sha256.Sum256([]byte("box of " + key))
	block, err := aes.NewCipher(sum[:])
	if err != nil {
		panic(err) // of the length of a key, which is right
	}
	box, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // of the size of a block, which is AES's
	}
	return box
}

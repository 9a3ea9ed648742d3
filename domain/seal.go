package domain

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// canonical is the one form of an audit record that is hashed: JSON with the
// members in this order, without those that are empty. So a member that is added
// later changes the hash of no record that does not have it. Members are never
// renamed and never change their place.
type canonical struct {
	Number  int64             `json:"n"`
	At      string            `json:"at"`
	Kind    string            `json:"kind,omitempty"`
	Actor   string            `json:"actor,omitempty"`
	From    string            `json:"from,omitempty"`
	Action  string            `json:"action,omitempty"`
	Target  string            `json:"target,omitempty"`
	Outcome string            `json:"outcome,omitempty"`
	Detail  map[string]string `json:"detail,omitempty"` // by name, as encoding/json writes a map
}

// Canonical returns the form of the record that is hashed, a line of JSON
// without its end. The number is part of it: two records that trade places are
// two that changed.
func (r AuditRecord) Canonical(number int64) []byte {
	return line(canonical{Number: number, At: r.At.UTC().Format(time.RFC3339Nano), Kind: r.Actor.Kind, Actor: r.Actor.ID, From: r.Actor.From,
		Action: r.Action, Target: r.Target, Outcome: r.Outcome, Detail: r.Detail})
}

func line(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // people read it, and URLs have &
	if err := e.Encode(v); err != nil {
		panic(err) // there is nothing in it that cannot be written
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// LeafBytes is the length of a leaf.
const LeafBytes = sha256.Size

// Leaf returns the hash of a record's canonical form.
func Leaf(canonical []byte) []byte {
	sum := sha256.Sum256(canonical)
	return sum[:]
}

// NoLeaf stands in a seal for a record that waited to be sealed and was not
// there any more.
var NoLeaf = make([]byte, LeafBytes)

// Seal vouches for some records of the audit trail and, by the hash of the seal
// before it, for all that came earlier. It is signed, so nobody without the key
// can make another in its place.
type Seal struct {
	Number    int64     // 1, 2, 3 and so on
	At        time.Time // when it was made
	Records   Numbers   // the records that it vouches for
	Digest    string    // SHA-256 of the leaves, in hexadecimal
	Previous  string    // the hash of the seal before; empty for the first
	Key       string    // which key signed it; see SealKeyID
	Hash      string    // SHA-256 of all of the above, in hexadecimal
	Signature []byte    // Ed25519, of what is hashed

	// Leaves are the hashes of the records one after another, in the order of
	// their numbers. They tell which one was changed.
	Leaves []byte
}

// NewSeal returns the seal that comes after last, the zero seal for the first.
// It is not signed yet.
func NewSeal(last Seal, at time.Time, records Numbers, leaves []byte, key string) Seal {
	s := Seal{Number: last.Number + 1, At: at.UTC().Truncate(time.Microsecond), Records: records, Previous: last.Hash, Key: key, Leaves: leaves}
	s.Digest = digest(leaves)
	s.Hash = s.HashOf()
	return s
}

func digest(leaves []byte) string {
	sum := sha256.Sum256(leaves)
	return hex.EncodeToString(sum[:])
}

// sealForm is a seal as JSON. What comes before Hash is what is hashed and signed.
type sealForm struct {
	Seal      int64  `json:"seal"`
	At        string `json:"at"`
	Records   string `json:"records"`
	Count     int64  `json:"count"`
	Digest    string `json:"digest"`
	Previous  string `json:"previous"`
	Key       string `json:"key"`
	Hash      string `json:"hash,omitempty"`
	Signature []byte `json:"signature,omitempty"`
	Leaves    []byte `json:"leaves,omitempty"`
}

func (s Seal) form() sealForm {
	return sealForm{Seal: s.Number, At: s.At.UTC().Format(time.RFC3339Nano), Records: s.Records.String(), Count: s.Records.Count(),
		Digest: s.Digest, Previous: s.Previous, Key: s.Key}
}

// Signed returns the bytes that are hashed and signed.
func (s Seal) Signed() []byte { return line(s.form()) }

// HashOf returns the hash that the seal should have.
func (s Seal) HashOf() string {
	sum := sha256.Sum256(s.Signed())
	return hex.EncodeToString(sum[:])
}

// Whole reports whether all parts of the seal agree with one another. Whether
// they are what was once signed only the signature tells.
func (s Seal) Whole() bool {
	return s.Hash == s.HashOf() && s.Digest == digest(s.Leaves) && int64(len(s.Leaves)) == LeafBytes*s.Records.Count()
}

// Head returns the seal without its leaves, as a line of JSON without its end.
func (s Seal) Head() []byte {
	f := s.form()
	f.Hash, f.Signature = s.Hash, s.Signature
	return line(f)
}

// Line returns the whole seal as a line of JSON without its end.
func (s Seal) Line() []byte {
	f := s.form()
	f.Hash, f.Signature, f.Leaves = s.Hash, s.Signature, s.Leaves
	return line(f)
}

// ParseSeal reads what Head or Line wrote.
func ParseSeal(content []byte) (Seal, error) {
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	var f sealForm
	if err := d.Decode(&f); err != nil {
		return Seal{}, fmt.Errorf("not a seal: %w", err)
	}
	at, err := time.Parse(time.RFC3339Nano, f.At)
	if err != nil {
		return Seal{}, fmt.Errorf("not a seal: %w", err)
	}
	records, err := ParseNumbers(f.Records)
	if err != nil {
		return Seal{}, fmt.Errorf("not a seal: %w", err)
	}
	return Seal{Number: f.Seal, At: at.UTC(), Records: records, Digest: f.Digest, Previous: f.Previous, Key: f.Key,
		Hash: f.Hash, Signature: f.Signature, Leaves: f.Leaves}, nil
}

// SealKeyID names a public key: the first sixteen hexadecimal digits of its
// SHA-256.
func SealKeyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:8])
}

// SealKeys are the public keys that seals may be signed with, by their ids:
// those in use, and those that were.
type SealKeys map[string]ed25519.PublicKey

// SealKeysOf returns the keys by their ids.
func SealKeysOf(keys ...ed25519.PublicKey) SealKeys {
	all := SealKeys{}
	for _, k := range keys {
		all[SealKeyID(k)] = k
	}
	return all
}

// Signed reports whether the seal's signature is that of the key it names. It is
// not when the key is none of these.
func (k SealKeys) Signed(s Seal) bool {
	key, known := k[s.Key]
	return known && ed25519.Verify(key, s.Signed(), s.Signature)
}

// AuditArchive is a file that holds the records of some seals in a row, together
// with these seals.
type AuditArchive struct {
	First, Last int64  // the seals
	Records     int64  // how many there are in it
	Key         string // of the file in the store of files
	SHA256      string // of the file, in hexadecimal
	Bytes       int64  // its length
	At          time.Time
}

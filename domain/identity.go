package domain

import (
	"fmt"
	"log/slog"
	"regexp"
)

// ContractNumber is the number of a Part D contract: a letter and four digits,
// as S1234. Numbers that start with Z are test contracts.
type ContractNumber string

var contractNumber = regexp.MustCompile(`^[A-Z][0-9]{4}$`)

// ParseContractNumber reads a contract number. It refuses anything else, so
// that a number can be put into file names and keys as it is.
func ParseContractNumber(s string) (ContractNumber, error) {
	if !contractNumber.MatchString(s) {
		return "", fmt.Errorf("%q is not a contract number (a letter and four digits)", s)
	}
	return ContractNumber(s), nil
}

// PatientID is the id by which the claims source knows a beneficiary.
type PatientID string

// MBI is a Medicare Beneficiary Identifier. It identifies a person, so it does
// not print: String, GoString and LogValue are redacted. Convert to string to
// write it where it belongs, into that person's claims.
type MBI string

const redacted = "[MBI]"

// String returns a redacted text.
func (MBI) String() string { return redacted }

// GoString returns a redacted text.
func (MBI) GoString() string { return redacted }

// LogValue returns a redacted text.
func (MBI) LogValue() slog.Value { return slog.StringValue(redacted) }

var mbiShape = regexp.MustCompile(`^[1-9][A-Z][A-Z0-9][0-9][A-Z][A-Z0-9][0-9][A-Z]{2}[0-9]{2}$`)

// LooksLikeMBI reports whether a text has the shape of an MBI: eleven letters
// and digits, each kind in its place (CMS, "Understanding the MBI format"). It
// does not look at which letters are in use, since synthetic MBIs use others.
func LooksLikeMBI(s string) bool { return mbiShape.MatchString(s) }

// Identifiers are the MBIs of one enrollee. Current is empty when none is in
// force; that person is exported all the same.
type Identifiers struct {
	Current  MBI
	Historic []MBI
}

// SponsorID names a Part D plan sponsor.
type SponsorID string

// ClientID names one credential of a sponsor: the client id at the token issuer.
type ClientID string

// JobID names an export job. It is a random UUID in its canonical form, so
// that nobody finds another's job by counting.
type JobID string

var canonicalUUID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// ParseJobID reads a job id and refuses what is not a UUID in canonical form.
func ParseJobID(s string) (JobID, error) {
	if !canonicalUUID.MatchString(s) {
		return "", fmt.Errorf("%q is not a job id", s)
	}
	return JobID(s), nil
}

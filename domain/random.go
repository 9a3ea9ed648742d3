package domain

import (
	"crypto/rand"
	"fmt"
)

// NewJobID returns a random job id, a version 4 UUID.
func NewJobID() JobID {
	var b [16]byte
	rand.Read(b[:]) // never fails, see crypto/rand
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return JobID(fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]))
}

// NewQuote returns a short random id for a person to quote to the help desk,
// in letters and digits that are not mistaken for one another.
func NewQuote() string {
	const letters = "ABCDEFGHJKMNPQRSTVWXYZ23456789AB" // 32 of them, so that a byte maps evenly
	var b [8]byte
	rand.Read(b[:])
	for i, c := range b {
		b[i] = letters[c%32]
	}
	return string(b[:4]) + "-" + string(b[4:])
}

// NewEventID returns a random id for an entry of a history.
func NewEventID() string { return string(NewJobID()) }

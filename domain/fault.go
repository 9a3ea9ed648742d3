package domain

import (
	"errors"
	"fmt"
	"time"
)

// Code says for a machine what kind of thing went wrong. Each edge (the FHIR
// API, the console, the worker) has one table from codes to its own answers.
type Code string

// The codes. An error that carries none is Internal and is never shown as it is.
const (
	Invalid         Code = "invalid"         // the request is wrong; asking again the same way is no use
	Unauthenticated Code = "unauthenticated" // who is asking is not known
	Forbidden       Code = "forbidden"       // known, but may not
	BusinessRule    Code = "business_rule"   // a rule of the programme says no, as when attestation has ended
	NotFound        Code = "not_found"       // there is none, or it is not yours: the same words for both
	Deleted         Code = "deleted"         // there was one; it was cancelled or deleted
	Expired         Code = "expired"         // there was one; its time is over or it was fetched already
	Conflict        Code = "conflict"        // somebody else was first
	Reused          Code = "reused"          // a key stands for another request
	Throttled       Code = "throttled"       // too many or too soon; see Error.RetryAfter
	Unavailable     Code = "unavailable"     // may pass by itself; see Error.RetryAfter
	Internal        Code = "internal"        // a fault of ours
)

// Error is the one error type that crosses layers.
type Error struct {
	Code    Code
	Message string // for people: what was wrong, without anything that must not be shown
	Next    string // for people: what to do about it

	RetryAfter time.Duration // for Throttled and Unavailable
	Running    []JobID       // for Throttled at kick-off: the jobs that fill the limit

	Err error // the cause, for logs only
}

// Error returns the code, the message and the cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an error of the given code.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// WithNext returns e, telling what to do next.
func (e *Error) WithNext(next string) *Error {
	e.Next = next
	return e
}

// Because returns e with its cause, which is for logs only.
func (e *Error) Because(err error) *Error {
	e.Err = err
	return e
}

// CodeOf returns the code that err or an error it wraps carries: Internal for
// an error without one, and the empty code for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e := (*Error)(nil); errors.As(err, &e) {
		return e.Code
	}
	return Internal
}

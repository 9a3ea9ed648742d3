package domain

import (
	"slices"
	"strings"
	"time"
)

// Grant is what a token says: whose it is, what for, and until when.
type Grant struct {
	Client  ClientID
	Scopes  Scopes
	Expires time.Time
}

// Scopes are what a token is for. AB2D's own is AllScope; the others are those of
// SMART App Launch for systems, as system/ExplanationOfBenefit.read (version 1)
// and system/ExplanationOfBenefit.rs (version 2).
type Scopes []string

// AllScope lets a client do all that it may do at all. It is the scope of the
// developer guide of 2019.
const AllScope = "clientCreds"

// scopedTypes are the types that a scope can name here.
var scopedTypes = []string{"*", "ExplanationOfBenefit", "Patient", "Coverage", "Group"}

// KnownScopes lists all scopes that can be had.
func KnownScopes() []string {
	known := []string{AllScope}
	for _, t := range scopedTypes {
		known = append(known, "system/"+t+".read", "system/"+t+".rs")
	}
	return known
}

// Reads reports whether the scopes let a client read and search resources of a
// type, as an export of them takes.
func (s Scopes) Reads(resource string) bool {
	return slices.ContainsFunc(s, func(scope string) bool {
		if scope == AllScope {
			return true
		}
		of, may := systemScope(scope)
		return may != "" && (of == "*" || of == resource)
	})
}

// GrantScopes returns those of the scopes asked for that can be had: of those
// that let a client write too the part that reads, of types that are not here
// nothing. What no system can have, and nothing that can be had, is invalid.
func GrantScopes(asked []string) (Scopes, error) {
	var granted Scopes
	for _, scope := range asked {
		if scope == AllScope {
			granted = append(granted, scope)
			continue
		}
		if !strings.HasPrefix(scope, "system/") {
			return nil, Errorf(Invalid, "There is no scope %.60q for systems.", scope)
		}
		of, may := systemScope(scope)
		if may != "" && slices.Contains(scopedTypes, of) {
			granted = append(granted, "system/"+of+"."+may)
		}
	}
	if len(granted) == 0 {
		return nil, Errorf(Invalid, "None of the scopes asked for can be had.")
	}
	slices.Sort(granted)
	return slices.Compact(granted), nil
}

// systemScope takes a scope apart: the type that it is of, and how it lets read
// that type, in the words of its version; none when it does not.
func systemScope(scope string) (of, may string) {
	rest, system := strings.CutPrefix(scope, "system/")
	of, action, dot := strings.Cut(rest, ".")
	switch {
	case !system || !dot || of == "":
		return "", ""
	case action == "read", action == "*":
		return of, "read"
	case inOrder(action, "cruds") && strings.Contains(action, "r") && strings.Contains(action, "s"):
		return of, "rs"
	}
	return of, ""
}

// inOrder reports whether s is made of some of the letters, in their order.
func inOrder(s, letters string) bool {
	for _, c := range []byte(s) {
		i := strings.IndexByte(letters, c)
		if i < 0 {
			return false
		}
		letters = letters[i+1:]
	}
	return s != ""
}

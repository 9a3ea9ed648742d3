// Package domain holds the words and rules of sharing Medicare claims with
// Part D plan sponsors: who may receive which claims, from when, and what
// becomes of an export once it is asked for.
//
// It imports nothing but the standard library and never reads a clock: every
// rule that depends on time takes it as an argument, so the same facts give
// the same answer on any machine and in any time zone.
package domain

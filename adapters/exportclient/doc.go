// Package exportclient fetches exports from any FHIR Bulk Data server, this one
// or another, and does not believe what it has not checked.
//
// Whatever it is about to do is on disk before it does it. So a process that is
// stopped, killed or cut off by a reboot is followed by one with the same order
// and the same folder, which goes on where it was: it asks for the same export
// by its idempotency key, polls the same job, continues the same files behind
// the bytes that are there, and puts a file in its place only when it is whole.
//
// A server may allow each file to be fetched once and count what it sent, not
// what arrived. So the first byte of a file is fetched alone and kept; all that
// follows is a continuation, which such a server still allows for a while after
// it has sent everything.
package exportclient

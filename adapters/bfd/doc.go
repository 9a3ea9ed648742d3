// Package bfd is the claims source of production: CMS's Beneficiary FHIR Data
// server (BFD), asked over mutual TLS for one person at a time.
//
//	source.go       how far the source is complete, and what a person's claims are asked for by
//	reader.go       one person's claims, page after page
//	page.go         a page, cut into claims as bytes while it comes
//	client.go       calls over HTTP, each with its deadline
//	credentials.go  certificates, read again when their files change
//	gate.go         how many calls run at once, and when none are begun
//	pace.go         the concurrency that gives the most without raising latency
//
// Every rule has one place. Whether an answer may be believed as bytes (whole,
// well-formed, of one total) is decided here; whether it is of the right person
// and recent enough, how often somebody is asked for again and with what waits
// is for who reads (package produce). Nothing here asks twice.
package bfd

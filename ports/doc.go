// Package ports holds the interfaces through which the application reaches the
// world: the store of jobs and contracts, the queue, the files, the claims. Each
// comment says what an adapter promises and how it fails; porttest holds one
// conformance suite a port, which every adapter passes, those of other teams too.
//
// Failures are *domain.Error values where a code is named here; any other error
// is a fault of the adapter's technology and is passed on as it is.
package ports

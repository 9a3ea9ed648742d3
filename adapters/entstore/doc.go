// Package entstore keeps everything but files in a database: SQLite inside the
// process, which needs no set-up, or Postgres, which serves many processes. It
// is one code base. What differs stands in connect.go and in the few places that
// ask for row locks, which SQLite does not need since it has one writer.
//
// A Store is the unit of work, the coverage, the secrets and the audit log of
// the application. Each port has a file of its own; mapping.go turns rows into
// domain values and back.
package entstore

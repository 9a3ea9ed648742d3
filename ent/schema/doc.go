// Package schema says what the database holds: shape, uniqueness and indexes.
// Rules live in the domain; nothing here decides anything.
//
// A time that is not there is null. Instants are kept in UTC to the
// microsecond, which is what every database of ours can keep. The times of
// leases are whole milliseconds since 1970 instead, since the database's own
// clock writes and compares them.
//
// The keys of rows that are replaced as a whole (sponsors, contracts, clients)
// are plain strings, since ent cannot read a key of another type back from an
// upsert.
package schema

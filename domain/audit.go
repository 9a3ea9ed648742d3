package domain

import (
	"maps"
	"time"
)

// Actor is whoever does something: a sponsor's client, a person of CMS, or
// the system itself.
type Actor struct {
	Kind string // client, staff or system
	ID   string // the client id, the staff member's id, or the part of the system
	From string // the address the request came from, where there is one
}

// System returns the actor for what the product does by itself.
func System(part string) Actor { return Actor{Kind: "system", ID: part} }

// AuditRecord tells of one thing that was done or refused. It holds no claim
// data and nothing that identifies an enrollee.
type AuditRecord struct {
	At      time.Time
	Actor   Actor
	Action  string // what was done, as export.start or file.download
	Target  string // on what: a job id, a contract number, a client id
	Outcome string // done, or the code it was refused with
	Detail  map[string]string
}

// Telling returns the record with more details, as those of a person (see
// Staff.Details). The record's own come first.
func (r AuditRecord) Telling(more map[string]string) AuditRecord {
	detail := maps.Clone(more)
	if detail == nil {
		detail = map[string]string{}
	}
	maps.Copy(detail, r.Detail)
	r.Detail = detail
	return r
}

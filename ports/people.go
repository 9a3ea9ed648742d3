package ports

import (
	"context"
	"time"

	"cms.gov/ab2d/domain"
)

// People is where what is about enrollees beside their claims comes from: each
// one's Patient, and what covers that person. It answers with resources as the
// source has them, before any rule of ours, and is safe for concurrent use.
type People interface {
	// Records returns the resources of one enrollee. A person that the source does
	// not know has none when the source can tell "none" from "cannot say", and is a
	// not_found error otherwise. Errors that may pass are coded unavailable, and a
	// question that the source can never answer is invalid.
	Records(ctx context.Context, q PeopleQuery) (Records, error)
}

// PeopleQuery asks for what is about one enrollee.
type PeopleQuery struct {
	Version domain.FHIRVersion
	Patient domain.PatientID
	Types   []domain.ResourceType // Patient, Coverage or both

	// On whose behalf, for sources that want to be told.
	Contract domain.ContractNumber
	Job      domain.JobID
}

// Records are the few resources about one person. The bytes are the caller's.
type Records struct {
	Resources [][]byte  // each one JSON object; a type's together, in an order that does not change
	AsOf      time.Time // the instant as of which they stand
}

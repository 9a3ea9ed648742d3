package clients

import (
	"strings"

	"cms.gov/ab2d/domain"
)

// What can be done with clients, as it stands in the audit trail.
const (
	Create    = "client.create"
	Rotate    = "client.rotate"
	Revoke    = "client.revoke_secret"
	Enable    = "client.enable"
	Disable   = "client.disable"
	Networks  = "client.networks"
	Keys      = "client.keys"
	Contracts = "client.contracts"
)

// may returns a forbidden error when the actor may not do the action. It is the
// one place of this package that decides so.
func may(actor domain.Actor, action string) error {
	if actor.ID == "" || actor.Kind != "staff" && actor.Kind != "system" {
		return domain.Errorf(domain.Forbidden, "Only staff may do this (%s).", action)
	}
	return nil
}

const longest = 500 // characters of a reason

func reasonable(reason string) error {
	switch {
	case strings.TrimSpace(reason) == "":
		return domain.Errorf(domain.Invalid, "There is no reason.").WithNext("Say why, for whoever reads the record later.")
	case len(reason) > longest:
		return domain.Errorf(domain.Invalid, "The reason is longer than %d characters.", longest).WithNext("Say it shorter.")
	}
	return nil
}

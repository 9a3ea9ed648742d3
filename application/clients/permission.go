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

// may returns a forbidden error when whoever it is may not do the action. It is the
// one place of this package that decides so.
func may(by By, action string) error {
	switch {
	case by.Actor.ID == "" || by.Actor.Kind != "staff" && by.Actor.Kind != "system":
		return domain.Errorf(domain.Forbidden, "Only staff may do this (%s).", action)
	case by.Actor.Kind == "staff" && !(domain.Staff{Roles: by.Roles}).May(domain.MayManageClients):
		return domain.Errorf(domain.Forbidden, "Your role does not let you do this (%s).", action).WithNext("It needs the role operator or admin.")
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

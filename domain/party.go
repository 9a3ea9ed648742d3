package domain

import (
	"net/netip"
	"slices"
	"time"
)

// Sponsor is a Part D plan sponsor: an organization that holds contracts.
type Sponsor struct {
	ID     SponsorID
	Name   string
	Parent string // the parent organization's name as HPMS has it; empty when there is none
}

// Contract is one Part D contract of a sponsor.
type Contract struct {
	Number  ContractNumber
	Name    string
	Sponsor SponsorID
}

// Client is one credential of a sponsor, for one or more of its contracts.
type Client struct {
	ID        ClientID
	Sponsor   SponsorID
	Name      string
	Contracts []ContractNumber // in contract order
	Enabled   bool
	Networks  []netip.Prefix // the addresses it may call from; empty for any
	CreatedAt time.Time
}

// MayCallFrom reports whether the client may use the API from addr.
func (c Client) MayCallFrom(addr netip.Addr) bool {
	return len(c.Networks) == 0 || slices.ContainsFunc(c.Networks, func(n netip.Prefix) bool {
		return n.Contains(addr.Unmap())
	})
}

// Holds reports whether the client is for every one of the contracts.
func (c Client) Holds(contracts []ContractNumber) bool {
	return !slices.ContainsFunc(contracts, func(n ContractNumber) bool { return !slices.Contains(c.Contracts, n) })
}

// NotHeld is the refusal of a contract that a client may not export. It does not
// tell whether there is such a contract.
func NotHeld(n ContractNumber) *Error {
	return Errorf(Forbidden, "There is no contract %s that this client may export.", n).
		WithNext("Use the number of a contract that your client is registered for, or Patient/$export for all of them.")
}

// MayUse reports whether the client may see and act on the job. A job belongs
// to the sponsor: any enabled client of it that holds all the job's contracts
// may use it.
func (c Client) MayUse(j *ExportJob) bool {
	s := j.State()
	return c.Enabled && c.Sponsor == s.Sponsor && c.Holds(s.Contracts)
}

package domain

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

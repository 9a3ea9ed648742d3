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

	Updates  Updates // who keeps its attestation; empty is Automatic
	Listed   bool    // HPMS lists it, or has
	Ends     Date    // its end date in HPMS; zero when there is none
	Enrolled int     // people enrolled, by HPMS's own count; 0 when it does not say
	Eligible int     // of them eligible for Medicare
}

// CountsDiffer reports whether two counts of a contract's enrollees, of two months
// or of two sources, are more than 2% apart, so that somebody should look why.
func CountsDiffer(a, b int) bool { return max(a, b)-min(a, b) > max(a, b)/50 }

package domain

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Sponsor is a Part D plan sponsor: an organization that holds contracts.
type Sponsor struct {
	ID     SponsorID
	Name   string
	Parent string // the parent organization's name as HPMS has it; empty when there is none

	Updates  Updates   // who keeps its name, for an organization of HPMS; empty is Automatic
	Inactive bool      // staff ended its part in the programme
	Merged   SponsorID // the sponsor that it turned out to be; empty for none
}

// NewSponsorID returns a random id for a sponsor that staff make.
func NewSponsorID() SponsorID { return SponsorID("sponsor-" + strings.ToLower(rand.Text()[:10])) }

// Contract is one Part D contract of a sponsor.
type Contract struct {
	Number  ContractNumber
	Name    string
	Sponsor SponsorID

	Type     ContractType // empty is NormalContract
	Updates  Updates      // who keeps its facts and attestation; empty is Automatic
	Listed   bool         // HPMS lists it, or has
	Ends     Date         // its end date in HPMS; zero when there is none
	Enrolled int          // people enrolled, by HPMS's own count; 0 when it does not say
	Eligible int          // of them eligible for Medicare
}

// ContractType says whose people a contract has.
type ContractType string

// The types of contracts. Those of tests have people who are made up.
const (
	NormalContract  ContractType = "normal"
	TestContract    ContractType = "classic_test"
	SyntheaContract ContractType = "synthea"
)

// Updates says who keeps a contract's facts and attestation, or a sponsor's name.
type Updates string

// Automatic follows HPMS. Manual is left to staff, and NoUpdates is of tests,
// which no source knows: what HPMS says of either is not taken over.
const (
	Automatic Updates = "automatic"
	Manual    Updates = "manual"
	NoUpdates Updates = "none"
)

// Follow reports whether what HPMS says is taken over.
func (u Updates) Follow() bool { return u == "" || u == Automatic }

// CountsDiffer reports whether two counts of a contract's enrollees, of two months
// or of two sources, are more than 2% apart, so that somebody should look why.
func CountsDiffer(a, b int) bool { return max(a, b)-min(a, b) > max(a, b)/50 }

// mostOfName is how many characters a name that people type may have.
const mostOfName = 200

func checkName(name string) error {
	switch n := len([]rune(name)); {
	case n == 0:
		return Errorf(Invalid, "The name is missing.").WithNext("Give the name as it stands in the contract.")
	case n > mostOfName:
		return Errorf(Invalid, "The name is %d characters long.", n).WithNext("Give it in at most 200 characters.")
	}
	return nil
}

// Edit changes what staff keep of a sponsor. It fails with invalid for a name
// that is none, and with a business_rule for what HPMS would overwrite, and for
// a sponsor that is another.
func (s *Sponsor) Edit(name, parent string, updates Updates) error {
	name, parent = strings.TrimSpace(name), strings.TrimSpace(parent)
	if err := checkName(name); err != nil {
		return err
	}
	if len([]rune(parent)) > mostOfName {
		return Errorf(Invalid, "The parent organization's name is too long.").WithNext("Give it in at most 200 characters.")
	}
	switch {
	case s.Merged != "":
		return s.isAnother()
	case !s.ID.IsListed(): // HPMS does not know it
		updates = Manual
	case updates != Automatic && updates != Manual:
		return Errorf(Invalid, "%q is neither %s nor %s.", updates, Automatic, Manual)
	case updates == Automatic && name != s.Name:
		return Errorf(BusinessRule, "HPMS keeps the name of this sponsor, and would overwrite it.").WithNext("Choose that staff keep it, or change it in HPMS.")
	}
	s.Name, s.Parent, s.Updates = name, parent, updates
	return nil
}

func (s Sponsor) isAnother() error {
	return Errorf(BusinessRule, "This sponsor was merged into %s.", s.Merged).WithNext("Change that one instead.")
}

// MergeInto makes the sponsor a mere name of another, which takes over all it
// has. It fails with a business_rule for itself, for one that was merged before
// and for one that is not active.
func (s *Sponsor) MergeInto(other Sponsor) error {
	switch {
	case s.Merged != "":
		return s.isAnother()
	case s.ID == other.ID:
		return Errorf(Invalid, "A sponsor cannot be merged into itself.").WithNext("Choose the one that stays.")
	case other.Merged != "":
		return Errorf(BusinessRule, "The sponsor %s was itself merged, into %s.", other.ID, other.Merged).WithNext("Choose that one.")
	case other.Inactive:
		return Errorf(BusinessRule, "The sponsor %s is not active.", other.ID).WithNext("Activate it first, or choose another.")
	}
	s.Merged, s.Inactive = other.ID, true
	return nil
}

// Deactivate ends a sponsor's part in the programme. It fails with a business_rule
// while something of it is in force: attested says of which contracts that is, and
// enabled which clients may call.
func (s *Sponsor) Deactivate(attested []ContractNumber, enabled []ClientID) error {
	switch {
	case s.Merged != "":
		return s.isAnother()
	case s.Inactive:
		return Errorf(Conflict, "The sponsor is not active already.")
	case len(attested) > 0:
		return Errorf(BusinessRule, "An attestation is active for %s.", some(attested)).WithNext("Record first how it ended: while it is active the sponsor is entitled to its data.")
	case len(enabled) > 0:
		return Errorf(BusinessRule, "The API client %s is enabled.", some(enabled)).WithNext("Have it disabled first, by somebody who keeps API clients.")
	}
	s.Inactive = true
	return nil
}

// Activate takes Deactivate back.
func (s *Sponsor) Activate() error {
	switch {
	case s.Merged != "":
		return s.isAnother()
	case !s.Inactive:
		return Errorf(Conflict, "The sponsor is active already.")
	}
	s.Inactive = false
	return nil
}

// Usable refuses a sponsor that is to be given something new.
func (s Sponsor) Usable() error {
	switch {
	case s.Merged != "":
		return s.isAnother()
	case s.Inactive:
		return Errorf(BusinessRule, "The sponsor %s is not active.", s.ID).WithNext("Activate it first.")
	}
	return nil
}

// some names what there is, and of many how many more.
func some[T ~string](all []T) string {
	const few = 5
	var b strings.Builder
	for i, v := range all[:min(few, len(all))] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(v))
	}
	if more := len(all) - few; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}

// Facts are what staff keep of a contract.
type Facts struct {
	Name    string
	Type    ContractType
	Sponsor SponsorID
	Updates Updates
}

// Facts returns them as they are.
func (c Contract) Facts() Facts {
	return Facts{c.Name, cmp.Or(c.Type, NormalContract), c.Sponsor, cmp.Or(c.Updates, Automatic)}
}

// Edit changes what staff keep of a contract. It fails with invalid for facts
// that are none, and with a business_rule for what HPMS would overwrite.
func (c *Contract) Edit(f Facts) error {
	f.Name = strings.TrimSpace(f.Name)
	if err := checkName(f.Name); err != nil {
		return err
	}
	before := c.Facts()
	switch test := f.Type != NormalContract; {
	case test && f.Type != TestContract && f.Type != SyntheaContract:
		return Errorf(Invalid, "%q is no type of contract.", f.Type)
	case f.Updates != Automatic && f.Updates != Manual && f.Updates != NoUpdates:
		return Errorf(Invalid, "%q is none of %s, %s and %s.", f.Updates, Automatic, Manual, NoUpdates)
	case test && f.Updates == Automatic:
		return Errorf(BusinessRule, "HPMS knows no contracts of tests.").WithNext("Choose that staff keep it, or nobody.")
	case !test && f.Updates == NoUpdates:
		return Errorf(BusinessRule, "Somebody has to keep a contract of real people.").WithNext("Choose HPMS or staff.")
	case c.Listed && f.Updates == Automatic && (f.Name != before.Name || f.Sponsor != before.Sponsor):
		return Errorf(BusinessRule, "HPMS keeps this contract, and would overwrite its name and sponsor.").WithNext("Choose that staff keep it, or change it in HPMS.")
	}
	c.Name, c.Type, c.Sponsor, c.Updates = f.Name, f.Type, f.Sponsor, f.Updates
	return nil
}

// Version tells apart what staff keep of a sponsor before and after somebody
// changed it.
func (s Sponsor) Version() string {
	return version(s.Name, s.Parent, string(cmp.Or(s.Updates, Automatic)), string(s.Merged), map[bool]string{true: "inactive"}[s.Inactive])
}

// Version does so for a contract.
func (c Contract) Version() string {
	f := c.Facts()
	return version(f.Name, string(f.Type), string(f.Sponsor), string(f.Updates))
}

func version(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:8])
}

package claimtables

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The elements of an ExplanationOfBenefit that become columns, of both versions:
// where they have different names for the same, both are here.
type resource struct {
	ResourceType string
	ID           string `json:"id"`
	Meta         struct{ LastUpdated string }
	Identifier   []identifier
	Status       string
	Type         concept
	Patient      reference
	Period       period `json:"billablePeriod"`
	Provider     reference
	Organization reference // STU3
	Facility     reference
	Extension    []extension
	Contained    []struct {
		ID         string `json:"id"`
		Identifier []identifier
	}
	CareTeam []struct {
		Sequence      int
		Provider      reference
		Responsible   bool
		Role          concept
		Qualification concept
		Extension     []extension
	}
	SupportingInfo []struct{ Code concept } // R4; `information` of STU3 does not leave
	Diagnosis      []struct {
		Sequence    int
		Code        concept `json:"diagnosisCodeableConcept"`
		PackageCode concept
		Type        []concept
	}
	Procedure []struct {
		Sequence int
		Code     concept `json:"procedureCodeableConcept"`
	}
	Item []item
}

type item struct {
	Sequence          int
	CareTeamLinkID    []int `json:"careTeamLinkId"` // STU3, and the next two
	DiagnosisLinkID   []int `json:"diagnosisLinkId"`
	ProcedureLinkID   []int `json:"procedureLinkId"`
	CareTeamSequence  []int // R4, and the next two
	DiagnosisSequence []int
	ProcedureSequence []int
	Service           concept // STU3
	ProductOrService  concept // R4
	ServicedDate      string
	ServicedPeriod    period
	LocationAddress   struct{ State string }
	Location          concept `json:"locationCodeableConcept"`
	Quantity          quantity
	Extension         []extension
}

type concept struct {
	Coding    []coding
	Extension []extension
}

type coding struct{ System, Code string }

type reference struct {
	Reference  string
	Identifier identifier
	Extension  []extension
}

type identifier struct {
	Type      concept
	System    string
	Value     string
	Extension []extension
}

type period struct {
	Start, End string
	Extension  []extension
}

type quantity struct {
	Value *float64
	Unit  string
	Code  string
}

type extension struct {
	URL             string
	ValueCoding     coding
	ValueIdentifier identifier
	ValueQuantity   quantity
}

// The systems that tell codes and numbers apart; BFD's are under one roof.
const (
	variables = "https://bluebutton.cms.gov/resources/variables/"
	eobType   = "https://bluebutton.cms.gov/resources/codesystem/eob-type"
	group     = "https://bluebutton.cms.gov/resources/identifier/claim-group"
	currency  = "https://bluebutton.cms.gov/resources/codesystem/identifier-currency"
	mbi       = "http://hl7.org/fhir/sid/us-mbi"
	npi       = "http://hl7.org/fhir/sid/us-npi"
	ndc       = "http://hl7.org/fhir/sid/ndc"
)

// read makes rows of a line of NDJSON. It returns false for a resource that is
// not a claim.
func read(line []byte) (c Claim, lines []Line, ok bool, err error) {
	var r resource
	if err := json.Unmarshal(line, &r); err != nil {
		return c, nil, false, err
	}
	if r.ResourceType != "ExplanationOfBenefit" {
		return c, nil, false, nil
	}
	if c, err = r.claim(); err != nil {
		return c, nil, false, fmt.Errorf("claim %s: %w", r.ID, err)
	}
	for _, i := range r.Item {
		l, err := r.line(i, c)
		if err != nil {
			return c, nil, false, fmt.Errorf("claim %s, line %d: %w", r.ID, i.Sequence, err)
		}
		lines = append(lines, l)
	}
	return c, lines, true, nil
}

func (r *resource) claim() (Claim, error) {
	c := Claim{ClaimID: r.ID, FHIRVersion: r.version(), Status: text(r.Status), PatientID: text(last(r.Patient.Reference)), Lines: int32(len(r.Item)),
		ClaimType: code(r.Type, eobType), NCHClaimType: code(r.Type, variables+"nch_clm_type_cd"), NearLine: code(r.Type, variables+"nch_near_line_rec_ident_cd"),
		QueryCode: coded(r.Period.Extension, "claim_query_cd"), FacilityType: coded(r.Facility.Extension, "clm_fac_type_cd")}
	if c.NearLine == nil {
		c.NearLine = coded(r.Extension, "nch_near_line_rec_ident_cd")
	}
	for _, i := range r.Identifier {
		switch i.System {
		case variables + "clm_id":
			c.ClaimNumber = text(i.Value)
		case group:
			c.ClaimGroup = text(i.Value)
		}
	}
	for _, e := range r.Extension {
		if e.ValueIdentifier.System != mbi {
			continue
		}
		if slices.ContainsFunc(e.ValueIdentifier.Extension, func(x extension) bool { return x.URL == currency && x.ValueCoding.Code == "historic" }) {
			c.MBIHistoric = append(c.MBIHistoric, e.ValueIdentifier.Value)
		} else {
			c.MBI = text(e.ValueIdentifier.Value)
		}
	}
	c.ProviderNPI, c.ProviderNumber = r.provider()
	for _, s := range r.SupportingInfo {
		if drg := code(s.Code, variables+"clm_drg_cd"); drg != nil {
			c.DRG = drg
		}
	}
	for _, d := range r.Diagnosis {
		if drg := code(d.PackageCode, variables+"clm_drg_cd"); drg != nil {
			c.DRG = drg
		}
		value := first(d.Code)
		if value == nil {
			continue
		}
		c.Diagnoses = append(c.Diagnoses, *value)
		for _, t := range d.Type {
			switch kind := first(t); {
			case kind == nil:
			case *kind == "principal":
				c.PrincipalDiagnosis = value
			case *kind == "admitting":
				c.AdmittingDiagnosis = value
			}
		}
	}
	for _, p := range r.Procedure {
		if value := first(p.Code); value != nil {
			c.Procedures = append(c.Procedures, *value)
		}
	}
	for _, m := range r.CareTeam {
		if m.Provider.Identifier.Value != "" {
			c.CareTeamNPIs = append(c.CareTeamNPIs, m.Provider.Identifier.Value)
		}
	}
	var err error
	if r.Meta.LastUpdated != "" {
		at, err := time.Parse(time.RFC3339Nano, r.Meta.LastUpdated)
		if err != nil {
			return c, err
		}
		at = at.UTC()
		c.LastUpdated = &at
	}
	if c.ServiceFrom, err = day(r.Period.Start); err != nil {
		return c, err
	}
	c.ServiceThrough, err = day(r.Period.End)
	return c, err
}

// version tells the versions apart by what each has and the other has not.
func (r *resource) version() string {
	if code(r.Type, "http://hl7.org/fhir/ex-claimtype") != nil || code(r.Type, variables+"nch_near_line_rec_ident_cd") != nil || r.Organization.Identifier.Value != "" {
		return "STU3"
	}
	for _, i := range r.Item {
		if len(i.Service.Coding) > 0 || len(i.CareTeamLinkID)+len(i.DiagnosisLinkID) > 0 {
			return "STU3"
		}
	}
	return "R4"
}

// provider returns the NPI and the CMS certification number of who billed: in R4
// of the organization that the claim contains, or directly.
func (r *resource) provider() (number, certification *string) {
	all := []identifier{r.Provider.Identifier, r.Organization.Identifier}
	for _, c := range r.Contained {
		if r.Provider.Reference == "#"+c.ID {
			all = append(all, c.Identifier...)
		}
	}
	for _, i := range all {
		switch {
		case i.Value == "":
		case i.System == npi, i.System == variables+"carr_clm_blg_npi_num", code(i.Type, "http://hl7.org/fhir/us/carin-bb/CodeSystem/C4BBIdentifierType") != nil:
			number = text(i.Value)
		case i.System == variables+"prvdr_num", code(i.Type, "http://terminology.hl7.org/CodeSystem/v2-0203") != nil:
			certification = text(i.Value)
		}
	}
	return number, certification
}

func (r *resource) line(i item, c Claim) (Line, error) {
	service := i.ProductOrService
	if len(i.Service.Coding)+len(i.Service.Extension) > 0 {
		service = i.Service
	}
	everywhere := slices.Concat(i.Extension, service.Extension, i.Location.Extension)
	l := Line{ClaimID: c.ClaimID, Line: int32(i.Sequence), ClaimType: c.ClaimType, PatientID: c.PatientID,
		Quantity: i.Quantity.Value, Unit: text(or(i.Quantity.Unit, i.Quantity.Code)), NDC: coded(everywhere, "rev_cntr_ide_ndc_upc_num"),
		NDCQuantity: measured(everywhere, "rev_cntr_ndc_qty"), AnesthesiaUnits: measured(everywhere, "carr_line_ansthsa_unit_cnt"),
		PlaceOfService: code(i.Location, variables+"line_place_of_srvc_cd"), State: text(i.LocationAddress.State), ZIP: coded(everywhere, "prvdr_zip"),
		Locality: coded(everywhere, "carr_line_prcng_lclty_cd"), PricingState: coded(everywhere, "dmerc_line_prcng_state_cd"), SupplierType: coded(everywhere, "dmerc_line_supplr_type_cd"),
		LabNumber: coded(everywhere, "carr_line_clia_lab_num")}
	if l.State == nil {
		l.State = coded(everywhere, "prvdr_state_cd")
	}
	if len(service.Coding) > 0 {
		l.ServiceCode, l.ServiceSystem = text(service.Coding[0].Code), text(service.Coding[0].System)
	}
	for _, e := range everywhere {
		if e.URL == ndc && l.NDC == nil {
			l.NDC = text(e.ValueCoding.Code)
		}
	}
	for _, m := range r.CareTeam {
		if refers(i.CareTeamLinkID, i.CareTeamSequence, m.Sequence) && (l.ProviderNPI == nil || m.Responsible) {
			l.ProviderNPI, l.Specialty = text(m.Provider.Identifier.Value), first(m.Qualification)
		}
	}
	for _, d := range r.Diagnosis {
		if value := first(d.Code); value != nil && refers(i.DiagnosisLinkID, i.DiagnosisSequence, d.Sequence) {
			l.Diagnoses = append(l.Diagnoses, *value)
		}
	}
	for _, p := range r.Procedure {
		if value := first(p.Code); value != nil && refers(i.ProcedureLinkID, i.ProcedureSequence, p.Sequence) {
			l.Procedures = append(l.Procedures, *value)
		}
	}
	from, through := or(i.ServicedDate, i.ServicedPeriod.Start), or(i.ServicedDate, i.ServicedPeriod.End)
	var err error
	if l.ServiceFrom, err = day(from); err != nil {
		return l, err
	}
	l.ServiceThrough, err = day(through)
	return l, err
}

func refers(stu3, r4 []int, sequence int) bool {
	return slices.Contains(stu3, sequence) || slices.Contains(r4, sequence)
}

func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// last returns the id of a reference.
func last(reference string) string { return reference[strings.LastIndexByte(reference, '/')+1:] }

// code returns the code that a concept has in a system.
func code(c concept, system string) *string {
	for _, one := range c.Coding {
		if one.System == system {
			return text(one.Code)
		}
	}
	return nil
}

func first(c concept) *string {
	if len(c.Coding) == 0 {
		return nil
	}
	return text(c.Coding[0].Code)
}

// coded returns the code, or the identifier, of one of BFD's extensions.
func coded(all []extension, variable string) *string {
	for _, e := range all {
		if e.URL == variables+variable {
			return text(or(e.ValueCoding.Code, e.ValueIdentifier.Value))
		}
	}
	return nil
}

func measured(all []extension, variable string) *float64 {
	for _, e := range all {
		if e.URL == variables+variable {
			return e.ValueQuantity.Value
		}
	}
	return nil
}

// day returns a FHIR date as days since 1970: the civil date as it is written,
// whatever time and zone follow. A month or a year alone is none.
func day(s string) (*int32, error) {
	if len(s) < len("2006-01-02") {
		return nil, nil
	}
	at, err := time.Parse(time.DateOnly, s[:len(time.DateOnly)])
	if err != nil {
		return nil, err
	}
	days := int32(at.Unix() / (24 * 60 * 60)) // whole days, also before 1970
	return &days, nil
}

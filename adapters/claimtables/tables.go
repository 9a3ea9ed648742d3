// Package claimtables makes flat tables of claims, as Parquet: one row a claim
// and one row a line of a claim, of STU3 and of R4 alike. docs/parquet.md
// describes the columns.
package claimtables

import "time"

// Claim is a row of the table of claims.
type Claim struct {
	ClaimID            string     `parquet:"claim_id"`
	FHIRVersion        string     `parquet:"fhir_version,dict"`
	ClaimNumber        *string    `parquet:"claim_number,optional"`
	ClaimGroup         *string    `parquet:"claim_group,optional"`
	ClaimType          *string    `parquet:"claim_type,optional,dict"`
	NCHClaimType       *string    `parquet:"nch_claim_type,optional,dict"`
	NearLine           *string    `parquet:"near_line_record,optional,dict"`
	Status             *string    `parquet:"status,optional,dict"`
	PatientID          *string    `parquet:"patient_id,optional,dict"`
	MBI                *string    `parquet:"mbi,optional,dict"`
	MBIHistoric        []string   `parquet:"mbi_historic,list"`
	LastUpdated        *time.Time `parquet:"last_updated,optional,timestamp(microsecond)"`
	ServiceFrom        *int32     `parquet:"service_from,optional,date"`
	ServiceThrough     *int32     `parquet:"service_through,optional,date"`
	QueryCode          *string    `parquet:"claim_query_code,optional,dict"`
	FacilityType       *string    `parquet:"facility_type,optional,dict"`
	ProviderNPI        *string    `parquet:"provider_npi,optional,dict"`
	ProviderNumber     *string    `parquet:"provider_number,optional,dict"`
	DRG                *string    `parquet:"drg,optional,dict"`
	PrincipalDiagnosis *string    `parquet:"principal_diagnosis,optional,dict"`
	AdmittingDiagnosis *string    `parquet:"admitting_diagnosis,optional,dict"`
	Diagnoses          []string   `parquet:"diagnoses,list"`
	Procedures         []string   `parquet:"procedures,list"`
	CareTeamNPIs       []string   `parquet:"care_team_npis,list"`
	Lines              int32      `parquet:"line_count"`
}

// Line is a row of the table of lines.
type Line struct {
	ClaimID         string   `parquet:"claim_id,dict"`
	Line            int32    `parquet:"line"`
	ClaimType       *string  `parquet:"claim_type,optional,dict"`
	PatientID       *string  `parquet:"patient_id,optional,dict"`
	ServiceFrom     *int32   `parquet:"service_from,optional,date"`
	ServiceThrough  *int32   `parquet:"service_through,optional,date"`
	ServiceCode     *string  `parquet:"service_code,optional,dict"`
	ServiceSystem   *string  `parquet:"service_system,optional,dict"`
	NDC             *string  `parquet:"ndc,optional,dict"`
	Quantity        *float64 `parquet:"quantity,optional"`
	Unit            *string  `parquet:"unit,optional,dict"`
	NDCQuantity     *float64 `parquet:"ndc_quantity,optional"`
	AnesthesiaUnits *float64 `parquet:"anesthesia_units,optional"`
	PlaceOfService  *string  `parquet:"place_of_service,optional,dict"`
	State           *string  `parquet:"provider_state,optional,dict"`
	ZIP             *string  `parquet:"provider_zip,optional,dict"`
	Locality        *string  `parquet:"pricing_locality,optional,dict"`
	PricingState    *string  `parquet:"dme_pricing_state,optional,dict"`
	SupplierType    *string  `parquet:"dme_supplier_type,optional,dict"`
	LabNumber       *string  `parquet:"clia_lab_number,optional,dict"`
	ProviderNPI     *string  `parquet:"provider_npi,optional,dict"`
	Specialty       *string  `parquet:"provider_specialty,optional,dict"`
	Diagnoses       []string `parquet:"diagnoses,list"`
	Procedures      []string `parquet:"procedures,list"`
}

package synthetic

// What BFD says of each type of claim, after its own answers for version 1
// (STU3) and version 2 (R4) and after the data dictionary. Where BFD's test
// answers contradict the dictionary (a DME claim as institutional, a home
// health claim as professional) the dictionary holds.
type typeFacts struct {
	prefix         string // of the resource id
	nch            code   // nch_clm_type_cd
	nearLine       code   // nch_near_line_rec_ident_cd
	r4Type         code
	stu3Type       string // "" where BFD gives none
	subType        code
	profile        string
	part           string   // the Coverage it is under
	facility       code     // clm_fac_type_cd
	classification string   // clm_srvc_clsfctn_type_cd
	amounts        []amount // of the whole claim: benefit balances in R4, extensions in STU3
}

type amount struct{ variable, display, value string }

const (
	partA = "Part A institutional claim record (inpatient [IP], skilled nursing facility [SNF], hospice [HOS], or home health agency [HHA])"
	partB = "Part B institutional claim record (outpatient [HOP], HHA)"
)

var (
	professionalType  = code{"professional", "Professional"}
	institutionalType = code{"institutional", "Institutional"}
	inpatientSubType  = code{"inpatient", "Inpatient"}
	outpatientSubType = code{"outpatient", "Outpatient"}
)

var factsOf = [claimTypes]typeFacts{
	typeCarrier: {
		prefix: "carrier", part: "b", profile: "Professional-NonClinician",
		nch:      code{"71", "Local carrier non-durable medical equipment, prosthetics, orthotics, and supplies (DMEPOS) claim"},
		nearLine: code{"O", "Part B physician/supplier claim record (processed by local carriers; can include DMEPOS services)"},
		r4Type:   professionalType, stu3Type: "professional",
	},
	typeDME: {
		prefix: "dme", part: "b", profile: "Professional-NonClinician",
		nch:      code{"82", "DMERC; DMEPOS claim"},
		nearLine: code{"M", "Part B DMEPOS claim record (processed by DME Regional Carrier)"},
		r4Type:   professionalType,
	},
	typeHHA: {
		prefix: "hha", part: "b", profile: "Inpatient-Institutional",
		nch:      code{"10", "Home Health Agency (HHA) claim"},
		nearLine: code{"W", partB},
		r4Type:   institutionalType, subType: inpatientSubType,
		facility: code{"3", "Home Health Agency (HHA)"}, classification: "2",
		amounts: institutionalMoney[:1],
	},
	typeHospice: {
		prefix: "hospice", part: "a", profile: "Inpatient-Institutional",
		nch:      code{"50", "Hospice claim"},
		nearLine: code{"V", partA},
		r4Type:   institutionalType, stu3Type: "institutional", subType: inpatientSubType,
		facility: code{"8", "Ambulatory Surgery Center (ASC) or other special facility (e.g. hospice)"}, classification: "1",
		amounts: institutionalMoney[:1],
	},
	typeInpatient: {
		prefix: "inpatient", part: "a", profile: "Inpatient-Institutional",
		nch:      code{"60", "Inpatient claim"},
		nearLine: code{"V", partA},
		r4Type:   institutionalType, stu3Type: "institutional", subType: inpatientSubType,
		facility: code{"1", "Hospital"}, classification: "1",
		amounts: inpatientMoney,
	},
	typeOutpatient: {
		prefix: "outpatient", part: "b", profile: "Outpatient-Institutional",
		nch:      code{"40", "Hospital Outpatient claim"},
		nearLine: code{"W", partB},
		r4Type:   institutionalType, stu3Type: "professional", subType: outpatientSubType,
		facility: code{"1", "Hospital"}, classification: "3",
		amounts: outpatientMoney,
	},
	typeSNF: {
		prefix: "snf", part: "a", profile: "Inpatient-Institutional",
		nch:      code{"20", "Non swing bed Skilled Nursing Facility (SNF) claim"},
		nearLine: code{"V", partA},
		r4Type:   institutionalType, stu3Type: "institutional", subType: inpatientSubType,
		facility: code{"2", "Skilled Nursing Facility (SNF)"}, classification: "1",
		amounts: inpatientMoney[:11],
	},
	typePDE: {prefix: "pde", part: "d", profile: "Pharmacy", r4Type: code{"pharmacy", "Pharmacy"}, stu3Type: "pharmacy"},
}

var institutionalMoney = []amount{
	{"prpayamt", "NCH Primary Payer (if not Medicare) Claim Paid Amount", "0.00"},
}

var outpatientMoney = []amount{
	{"prpayamt", "NCH Primary Payer (if not Medicare) Claim Paid Amount", "0.00"},
	{"nch_profnl_cmpnt_chrg_amt", "Professional Component Charge Amount", "0.00"},
	{"nch_bene_ptb_ddctbl_amt", "NCH Beneficiary Part B Deductible Amount", "$deductible$"},
	{"nch_bene_ptb_coinsrnc_amt", "NCH Beneficiary Part B Coinsurance Amount", "$coinsurance$"},
	{"clm_op_prvdr_pmt_amt", "Claim Outpatient Provider Payment Amount", "$paid$"},
	{"clm_op_bene_pmt_amt", "Claim Outpatient Payment Amount to Beneficiary", "0.00"},
	{"nch_bene_blood_ddctbl_lblty_am", "NCH Beneficiary Blood Deductible Liability Amount", "0.00"},
}

var inpatientMoney = []amount{
	{"prpayamt", "NCH Primary Payer (if not Medicare) Claim Paid Amount", "0.00"},
	{"nch_bene_ip_ddctbl_amt", "NCH Beneficiary Inpatient (or other Part A) Deductible Amount", "$deductible$"},
	{"nch_bene_pta_coinsrnc_lblty_amt", "NCH Beneficiary Part A Coinsurance Liability Amount", "$coinsurance$"},
	{"nch_ip_ncvrd_chrg_amt", "NCH Inpatient(or other Part A) Non-covered Charge Amount", "$noncovered$"},
	{"nch_ip_tot_ddctn_amt", "NCH Inpatient (or other Part A) Total Deductible/Coinsurance Amount", "$deductible$"},
	{"nch_bene_blood_ddctbl_lblty_am", "NCH Beneficiary Blood Deductible Liability Amount", "0.00"},
	{"clm_pps_cptl_dsprprtnt_shr_amt", "Claim PPS Capital Disproportionate Share Amount", "25.09"},
	{"clm_pps_cptl_excptn_amt", "Claim PPS Capital Exception Amount", "0.00"},
	{"clm_pps_cptl_fsp_amt", "Claim PPS Capital Federal Specific Portion (FSP) Amount", "552.56"},
	{"clm_pps_cptl_ime_amt", "Claim PPS Capital Indirect Medical Education (IME) Amount", "68.58"},
	{"clm_pps_cptl_outlier_amt", "Claim PPS Capital Outlier Amount", "0.00"},
	{"clm_pass_thru_per_diem_amt", "Claim Pass Thru Per Diem Amount", "10.00"},
	{"nch_profnl_cmpnt_chrg_amt", "Professional Component Charge Amount", "0.00"},
	{"clm_tot_pps_cptl_amt", "Claim Total PPS Capital Amount", "646.23"},
	{"clm_pps_old_cptl_hld_hrmls_amt", "Claim PPS Old Capital Hold Harmless Amount", "0.00"},
	{"nch_drg_outlier_aprvd_pmt_amt", "NCH DRG Outlier Approved Payment Amount", "0.00"},
}

var professionalMoney = []amount{
	{"carr_clm_cash_ddctbl_apld_amt", "Carrier Claim Cash Deductible Applied Amount (sum of all line-level deductible amounts)", "$deductible$"},
	{"nch_clm_prvdr_pmt_amt", "NCH Claim Provider Payment Amount", "$paid$"},
	{"nch_carr_clm_sbmtd_chrg_amt", "NCH Carrier Claim Submitted Charge Amount (sum of all line-level submitted charges)", "$charge$"},
	{"nch_carr_clm_alowd_amt", "NCH Carrier Claim Allowed Charge Amount (sum of all line-level allowed charges)", "$allowed$"},
}

// adjudication is one amount on a line. BFD sends about twice as many, most of
// them 0.0 or repeating another; those are left out to keep the raw claims at
// about three times what is left of them after trimming. The category is CARIN's or HL7's word for
// it and appears in R4 only.
type adjudication struct {
	category string
	amount
}

var carrierAdjudications = []adjudication{
	{"deductible", amount{"line_bene_ptb_ddctbl_amt", "Line Beneficiary Part B Deductible Amount", "$line.deductible$"}},
	{"coinsurance", amount{"line_coinsrnc_amt", "Line Beneficiary Coinsurance Amount", "$line.coinsurance$"}},
	{"submitted", amount{"line_sbmtd_chrg_amt", "Line Submitted Charge Amount", "$line.charge$"}},
	{"eligible", amount{"line_alowd_chrg_amt", "Line Allowed Charge Amount", "$line.allowed$"}},
}

var equipmentAdjudications = append([]adjudication{
	{"eligible", amount{"line_prmry_alowd_chrg_amt", "Line Primary Payer Allowed Charge Amount", "0.00"}},
	{"submitted", amount{"line_dme_prchs_price_amt", "Line DME Purchase Price Amount", "$line.charge$"}},
}, carrierAdjudications...)

var stayAdjudications = []adjudication{
	{"submitted", amount{"rev_cntr_rate_amt", "Revenue Center Rate Amount", "$line.rate$"}},
	{"submitted", amount{"rev_cntr_tot_chrg_amt", "Revenue Center Total Charge Amount", "$line.charge$"}},
	{"noncovered", amount{"rev_cntr_ncvrd_chrg_amt", "Revenue Center Non-Covered Charge Amount", "$line.noncovered$"}},
}

var visitAdjudications = append([]adjudication{
	{"paidtoprovider", amount{"rev_cntr_prvdr_pmt_amt", "Revenue Center (Medicare) Provider Payment Amount", "$line.paid$"}},
}, stayAdjudications[1:]...)

var outpatientAdjudications = append([]adjudication{
	{"coinsurance", amount{"rev_cntr_coinsrnc_wge_adjstd_c", "Revenue Center Coinsurance/Wage Adjusted Coinsurance Amount", "$line.coinsurance$"}},
}, visitAdjudications...)

var drugAdjudications = []adjudication{
	{"benefit", amount{"cvrd_d_plan_pd_amt", "Amount paid by Part D plan for the PDE (drug is covered by Part D)", "$line.paid$"}},
	{"coinsurance", amount{"gdc_blw_oopt_amt", "Gross Drug Cost Below Part D Out-of-Pocket Threshold (GDCB)", "$line.charge$"}},
	{"paidbypatient", amount{"ptnt_pay_amt", "Amount Paid by Patient", "$line.coinsurance$"}},
	{"drugcost", amount{"tot_rx_cst_amt", "Total drug cost (Part D)", "$line.charge$"}},
}

func adjudicationsOf(t claimType) []adjudication {
	switch t {
	case typeCarrier:
		return carrierAdjudications
	case typeDME:
		return equipmentAdjudications
	case typeOutpatient:
		return outpatientAdjudications
	case typeHHA, typeHospice:
		return visitAdjudications
	case typePDE:
		return drugAdjudications
	default:
		return stayAdjudications
	}
}

// The systems.
const (
	bluebutton = "https://bluebutton.cms.gov/resources/"
	eobType    = bluebutton + "codesystem/eob-type"
	hcpcs      = bluebutton + "codesystem/hcpcs"
	claimGroup = bluebutton + "identifier/claim-group"
	npiSystem  = "http://hl7.org/fhir/sid/us-npi"
	ndcSystem  = "http://hl7.org/fhir/sid/ndc"
	icd10      = "http://hl7.org/fhir/sid/icd-10"
)

func variable(name string) string { return bluebutton + "variables/" + name }

func coding(system, code, display string) string {
	if display != "" {
		display = text(display)
	}
	return object("system", text(system), "code", text(code), "display", display)
}

func concept(codings ...string) string { return object("coding", array(codings...)) }

// extCode is an extension with a code of the variable it is named after.
func extCode(name, code, display string) string {
	return object("url", text(variable(name)), "valueCoding", coding(variable(name), code, display))
}

// extNumber is an extension with an identifier of that kind.
func extNumber(name, value string) string {
	return object("url", text(variable(name)), "valueIdentifier", object("system", text(variable(name)), "value", text(value)))
}

func extQuantity(name, value string) string {
	return object("url", text(variable(name)), "valueQuantity", object("value", value))
}

func period(start, end string) string { return object("start", text(start), "end", text(end)) }

func codedPeriod() string {
	return object("extension", array(extCode("claim_query_cd", "3", "Final bill")), "start", text("$first$"), "end", text("$last$"))
}

func reference(to string) string { return object("reference", text(to)) }

// fragments are the parts of a shape that depend on a code, rendered before.
type fragments struct {
	provider   string // between the sequence and the NPI of a care team member
	diagnoses  [len(diagnoses) + len(externalCauses)]string
	procedures [len(procedures)][2]string // before and after the date; the sequence is counted by the loop
	poa        [2][26][2]string
	places     [len(places)]string
	kinds      [len(services)]string
	betos      [len(services)]string
}

func commonFragments() *fragments {
	var f fragments
	for i, p := range places {
		f.places[i] = coding(variable("line_place_of_srvc_cd"), p.code, p.text)
	}
	for i, s := range services {
		f.kinds[i] = coding(variable("line_cms_type_srvc_cd"), s.kind.code, s.kind.text)
		f.betos[i] = extCode("betos_cd", s.betos.code, s.betos.text)
	}
	for field, name := range [2]string{"clm_poa_ind_sw", "clm_e_poa_ind_sw"} {
		for n := range f.poa[field] {
			variable := name + string(appendInt(nil, uint64(n)))
			f.poa[field][n][0] = `"extension":[` + extCode(variable, "N", "Diagnosis was not present at the time of admission") + `],`
			f.poa[field][n][1] = `"extension":[` + extCode(variable, "Y", "Diagnosis was present at the time of admission (POA)") + `],`
		}
	}
	return &f
}

func eachDiagnosisCode(do func(i int, c code)) {
	for i, d := range diagnoses {
		do(i, d)
	}
	for i, d := range externalCauses {
		do(len(diagnoses)+i, d)
	}
}

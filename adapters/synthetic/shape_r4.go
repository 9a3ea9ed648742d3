package synthetic

import "sync"

const (
	carinCodes = "http://hl7.org/fhir/us/carin-bb/CodeSystem/"
	hl7Codes   = "http://terminology.hl7.org/CodeSystem/"
)

// r4Programs renders claims as BFD's version 2 does.
var r4Programs = sync.OnceValue(func() *[claimTypes]*program {
	var all [claimTypes]*program
	words := r4Fragments()
	for t := range claimTypes {
		all[t] = r4Program(t, words)
	}
	return &all
})

func r4Program(t claimType, words *fragments) *program {
	f := &factsOf[t]
	p := &program{words: words, links: linkWords{`,"careTeamSequence":[`, `,"diagnosisSequence":[`}, firstDiagnosis: 1}
	p.kinds = r4DiagnosisKinds(t)
	for i, c := range [...]code{{"principal", "Principal"}, {"other", "Other"}} {
		p.procedureKinds[i] = `,"type":[` + concept(coding(carinCodes+"C4BBClaimProcedureType", c.code, c.text)) + `]`
	}
	p.roles, p.by = r4Roles(t)
	switch {
	case t == typePDE:
		p.ops = compile(r4Drug(f))
	case t == typeCarrier || t == typeDME:
		p.ops = compile(r4Professional(t, f))
	default:
		p.ops = compile(r4Institutional(t, f))
	}
	return p
}

func r4Fragments() *fragments {
	f := commonFragments()
	f.provider = `,"provider":{"identifier":{"type":` + concept(coding(carinCodes+"C4BBIdentifierType", "npi", "National Provider Identifier")) + `,"value":"`
	eachDiagnosisCode(func(i int, c code) {
		f.diagnoses[i] = `,"diagnosisCodeableConcept":` + concept(coding(icd10+"-cm", c.code, c.text), coding(icd10, c.code, c.text))
	})
	for i, c := range procedures {
		f.procedures[i] = [2]string{`,"date":"`, `T00:00:00+00:00","procedureCodeableConcept":` + concept(coding("http://www.cms.gov/Medicare/Coding/ICD10", c.code, c.text), coding(icd10, c.code, c.text)) + `}`}
	}
	return f
}

func r4DiagnosisKinds(t claimType) (words [reasonForVisit + 1]string) {
	principalText := "Principal Diagnosis"
	if t == typeCarrier || t == typeHHA {
		principalText = "principal"
	}
	for kind, c := range [...]string{
		principal:      coding(hl7Codes+"ex-diagnosistype", "principal", principalText),
		secondary:      coding(carinCodes+"C4BBClaimDiagnosisType", "secondary", "Secondary"),
		other:          coding(carinCodes+"C4BBClaimDiagnosisType", "other", "Other"),
		admitting:      coding(hl7Codes+"ex-diagnosistype", "admitting", "Admitting Diagnosis"),
		externalFirst:  coding(carinCodes+"C4BBClaimDiagnosisType", "externalcauseofinjury", "External Cause of Injury"),
		external:       coding(carinCodes+"C4BBClaimDiagnosisType", "externalcauseofinjury", "External Cause of Injury"),
		reasonForVisit: coding(carinCodes+"C4BBClaimDiagnosisType", "patientreasonforvisit", "Patient Reason for Visit"),
	} {
		words[kind] = `,"type":[` + concept(c) + `]}`
	}
	return words
}

func r4Roles(t claimType) (roles [prescribing + 1]roleWords, by [len(specialties)]string) {
	for r, c := range [...]code{
		referring: {"referring", "Referring"}, attending: {"attending", "Attending"}, operating: {"operating", "Operating"},
		otherOperating: {"otheroperating", "Other Operating"}, performing: {"performing", "Performing provider"}, prescribing: {"prescribing", "Prescribing provider"},
	} {
		role := concept(coding(carinCodes+"C4BBClaimCareTeamRole", c.code, c.text))
		roles[r] = roleWords{`{"sequence":`, `"}},"role":` + role + `}`}
		if role := `"}},"responsible":true,"role":` + role; r == int(performing) {
			for i, s := range specialties {
				by[i] = role + performerQualification(t, s) + `}`
			}
		}
	}
	if t == typeCarrier || t == typeDME {
		roles[performing].open = `{"extension":` + performerExtensions(t) + `,"sequence":`
	}
	return roles, by
}

// performerQualification is the specialty, which only professional claims tell.
func performerQualification(t claimType, s code) string {
	switch t {
	case typeCarrier:
		return `,"qualification":` + concept(coding(variable("prvdr_spclty"), s.code, s.text))
	case typeDME:
		return `,"qualification":` + concept(coding(variable("prvdr_spclty"), "A5", "Pharmacy (DMERC)"))
	}
	return ""
}

func performerExtensions(t claimType) string {
	participating := extCode("prtcptng_ind_cd", "1", "Participating")
	if t == typeDME {
		return array(participating)
	}
	return array(extCode("carr_line_prvdr_type_cd", "0", ""), participating)
}

func r4Profile(name string) string {
	return text("http://hl7.org/fhir/us/carin-bb/StructureDefinition/C4BB-" + name)
}

func r4Meta(f *typeFacts) string {
	return "{" + when("timed", `"lastUpdated":`+text("$updated$")+",") + `"profile":` + array(r4Profile("ExplanationOfBenefit-"+f.profile)) + "}"
}

// r4Identifier is the identifier of the claim that CARIN calls unique. BFD marks
// the others so too, though the profile allows one; here they have no mark, and
// are told by their systems as ever.
func r4Identifier(system, value string) string {
	return object("type", concept(coding(carinCodes+"C4BBIdentifierType", "uc", "Unique Claim ID")), "system", text(system), "value", text(value))
}

func r4Plain(system, value string) string {
	return object("system", text(system), "value", text(value))
}

func r4Type(t claimType, f *typeFacts) string {
	nch := ""
	if t != typePDE {
		nch = coding(variable("nch_clm_type_cd"), f.nch.code, f.nch.text)
	}
	return concept(nch, object("system", text(eobType), "code", text(t.String())), coding(hl7Codes+"claim-type", f.r4Type.code, f.r4Type.text))
}

func r4Money(value string) string { return object("value", value, "currency", text("USD")) }

var categorySystems = map[string]code{
	"submitted": {hl7Codes + "adjudication", "Submitted Amount"}, "eligible": {hl7Codes + "adjudication", "Eligible Amount"},
	"benefit": {hl7Codes + "adjudication", "Benefit Amount"}, "deductible": {hl7Codes + "adjudication", "Deductible"},
	"paidtopatient": {carinCodes + "C4BBAdjudication", "Paid to patient"}, "paidtoprovider": {carinCodes + "C4BBAdjudication", "Paid to provider"},
	"priorpayerpaid": {carinCodes + "C4BBAdjudication", "Prior payer paid"}, "coinsurance": {carinCodes + "C4BBAdjudication", "Co-insurance"},
	"noncovered": {carinCodes + "C4BBAdjudication", "Noncovered"}, "paidbypatient": {carinCodes + "C4BBAdjudication", "Paid by patient"},
	"drugcost": {carinCodes + "C4BBAdjudication", "Drug Cost"},
}

func r4Amount(a adjudication, extension string) string {
	c := categorySystems[a.category]
	return object("extension", extension,
		"category", concept(coding(c.code, a.category, c.text), coding(bluebutton+"codesystem/adjudication", variable(a.variable), a.display)),
		"amount", r4Money(a.value))
}

func r4Denial(variableName, reason, display string) string {
	return object("category", concept(coding(carinCodes+"C4BBAdjudicationDiscriminator", "denialreason", "Denial Reason")),
		"reason", concept(coding(variable(variableName), reason, display)))
}

// r4PaymentStatus is what CARIN's profiles want told of a whole institutional
// claim or drug event and of each line of a professional claim. BFD's version 2
// does not send it; it is of the money side, so trimming takes it away.
func r4PaymentStatus(status string) string {
	return object("category", concept(coding(carinCodes+"C4BBAdjudicationDiscriminator", "benefitpaymentstatus", "Benefit Payment Status")),
		"reason", concept(coding(carinCodes+"C4BBPayerAdjudicationStatus", status, "")))
}

func r4Adjudication(t claimType) string {
	var all []string
	switch t {
	case typeCarrier, typeDME:
		all = append(all, r4PaymentStatus("$line.payment$"), r4Denial("carr_line_rdcd_pmt_phys_astn_c", "0", "N/A"),
			r4Amount(adjudication{"benefit", amount{"line_nch_pmt_amt", "Line NCH Medicare Payment Amount", "$line.paid$"}}, array(extCode("line_pmt_80_100_cd", "0", "80%"))))
	case typeOutpatient, typeHHA:
		all = append(all, r4Denial("rev_cntr_1st_ansi_cd", "CO45", ""))
	}
	for _, a := range adjudicationsOf(t) {
		all = append(all, r4Amount(a, ""))
	}
	return array(all...)
}

func r4BenefitBalance(amounts []amount, more ...string) string {
	var financial []string
	for _, a := range amounts {
		financial = append(financial, object("type", concept(coding(bluebutton+"codesystem/benefit-balance", variable(a.variable), a.display)), "usedMoney", r4Money(a.value)))
	}
	return array(object("category", concept(coding(hl7Codes+"ex-benefitcategory", "1", "Medical Care")), "financial", array(append(financial, more...)...)))
}

func r4Total(category, name, display, value string) string {
	c := categorySystems[category]
	return array(object("category", concept(coding(c.code, category, c.text), coding(bluebutton+"codesystem/adjudication", variable(name), display)), "amount", r4Money(value)))
}

func r4Insurance(f *typeFacts) string {
	return array(object("focal", "true", "coverage", reference("Coverage/part-"+f.part+"-$patient$")))
}

func r4Info(sequence, name, display, member, value string) string {
	return object("sequence", sequence, "category", concept(coding(hl7Codes+"claiminformationcategory", "info", "Information"),
		coding(bluebutton+"codesystem/information", variable(name), display)), member, value)
}

func r4CarinInfo(sequence, category, display, member, value string) string {
	return object("sequence", sequence, "category", concept(coding(carinCodes+"C4BBSupportingInfoType", category, display)), member, value)
}

func r4Received(sequence string) string {
	return object("sequence", sequence, "category", concept(coding(carinCodes+"C4BBSupportingInfoType", "clmrecvddate", "Claim Received Date"),
		coding(bluebutton+"codesystem/information", variable("nch_wkly_proc_dt"), "NCH Weekly Claim Processing Date")), "timingDate", text("$processed$"))
}

func r4Head(t claimType, f *typeFacts) []string {
	return []string{"resourceType", text("ExplanationOfBenefit"), "id", text(f.prefix + "-$id$"), "meta", r4Meta(f)}
}

func r4Middle(t claimType, f *typeFacts, billable string) []string {
	subType := ""
	if f.subType.code != "" {
		subType = object("coding", array(coding(carinCodes+"C4BBInstitutionalClaimSubType", f.subType.code, "")), "text", text(f.subType.text))
	}
	return []string{
		"identifier", array(r4Identifier(variable("clm_id"), "$id$"), r4Plain(claimGroup, "$group$")),
		"status", text("$status$"),
		"type", r4Type(t, f),
		"subType", subType,
		"use", text("claim"),
		"patient", reference("Patient/$patient$"),
		"billablePeriod", billable,
		"created", text("$created$"),
		"insurer", object("identifier", object("value", text("CMS"))),
	}
}

func r4Professional(t claimType, f *typeFacts) string {
	observation := object("resourceType", text("Observation"), "id", text("line-observation-1"), "status", text("unknown"),
		"code", concept(coding(variable("line_hct_hgb_type_cd"), "R1", "Hemoglobin Test")), "valueQuantity", object("value", "$observation$"))
	npiType := concept(coding(carinCodes+"C4BBIdentifierType", "npi", "National Provider Identifier"))
	provider := object("identifier", object("system", text(variable("carr_clm_blg_npi_num")), "value", text("$billing.npi$")))
	if t == typeDME {
		provider = object("type", text("Practitioner"), "identifier", object("system", text(npiSystem), "value", text("$billing.npi$")))
	}
	m := append(r4Head(t, f),
		"contained", when("observation", array(observation)),
		"extension", array(
			extCode("nch_near_line_rec_ident_cd", f.nearLine.code, f.nearLine.text),
			extNumber("carr_num", "$carrier$"),
			extNumber("carr_clm_cntl_num", "$control$"),
			extCode("carr_clm_pmt_dnl_cd", "1", "Physician/supplier"),
			extCode("asgmntcd", "A", "Assigned claim"),
			extNumber("clm_clncl_tril_num", "0"),
			extCode("carr_clm_entry_cd", "1", "Original debit; void of original debit (If CLM_DISP_CD = 3, code 1 means voided original debit)")))
	m = append(m, r4Middle(t, f, period("$first$", "$last$"))...)
	m = append(m,
		"provider", provider,
		"referral", when("referring", object("identifier", object("type", npiType, "value", text("$referring.npi$")))),
		"outcome", text("complete"),
		"disposition", text("01"),
		"careTeam", "["+each("member", "$member$")+"]",
		"supportingInfo", array(r4Received("1"), when("observation",
			r4Info("2", "line_hct_hgb_rslt_num", "Hematocrit / Hemoglobin Test Results", "valueReference", reference("#line-observation-1")))),
		"diagnosis", "["+each("diagnosis", "$diagnosis$")+"]",
		"insurance", r4Insurance(f),
		"item", "["+each("line", r4ProfessionalLine(t))+"]",
		"total", r4Total("submitted", "clm_tot_chrg_amt", "Claim Total Charge Amount", "$charge$"),
		"payment", object("amount", r4Money("$paid$")),
		"benefitBalance", r4BenefitBalance(professionalMoney))
	return object(m...)
}

func r4ProfessionalLine(t claimType) string {
	units := []string{extQuantity("carr_line_mtus_cnt", "$line.quantity$"), extCode("carr_line_mtus_cd", "3", "Services")}
	place := []string{extCode("prvdr_state_cd", "$postal$", ""), when("locality", extCode("prvdr_zip", "$zip$", "")), when("locality", extCode("carr_line_prcng_lclty_cd", "$locality$", ""))}
	if t == typeDME {
		units = []string{
			extNumber("suplrnum", "$control$"),
			extQuantity("dmerc_line_scrn_svgs_amt", "0.00"),
			object("url", text(variable("dmerc_line_mtus_cnt")), "valueQuantity", object("value", "$line.quantity$", "unit", text("Number of services"), "system", text(variable("dmerc_line_mtus_cd")), "code", text("3"))),
			extCode("dmerc_line_prcng_state_cd", "$postal$", ""),
			extCode("dmerc_line_supplr_type_cd", "3", "Suppliers (other than sole proprietorship) for whom employer identification (EI) numbers are used in coding the ID field."),
		}
		place = place[:1]
	}
	extensions := append(units, "$line.betos$", extCode("line_prcsg_ind_cd", "A", "Allowed"), extCode("line_service_deductible", "0", "Service Subject to Deductible"))
	return object(
		"extension", array(extensions...),
		"sequence", "$line.number$$line.team$$line.diagnoses$",
		"informationSequence", when("line.observed", "[2]"),
		"category", concept("$line.kind$"),
		"productOrService", concept(coding(hcpcs, "$line.service$", "")),
		"modifier", when("line.modifier", array(concept(object("system", text(hcpcs), "version", text("5"), "code", text("$line.modifier$"))))),
		"servicedPeriod", period("$line.start$", "$line.end$"),
		"locationCodeableConcept", object("extension", array(place...), "coding", array("$line.place$")),
		"quantity", object("value", "$line.quantity$"),
		"adjudication", r4Adjudication(t))
}

func r4Institutional(t claimType, f *typeFacts) string {
	organization := object("resourceType", text("Organization"), "id", text("provider-org"),
		"meta", object("profile", array(r4Profile("Organization"))),
		"identifier", array(
			object("type", concept(object("system", text(hl7Codes+"v2-0203"), "code", text("PRN"))), "value", text("$facility.number$")),
			object("type", concept(object("system", text(carinCodes+"C4BBIdentifierType"), "code", text("npi"))), "system", text(npiSystem), "value", text("$facility.npi$"))),
		"active", "true", "name", text("$facility.name$"))
	action := ""
	if t == typeInpatient || t == typeSNF {
		action = extCode("fi_clm_actn_cd", "1", "Original debit action (always a 1 for all regular bills)")
	}
	m := append(r4Head(t, f),
		"contained", array(organization),
		"extension", array(
			extCode("nch_near_line_rec_ident_cd", f.nearLine.code, f.nearLine.text),
			action,
			extNumber("fi_doc_clm_cntl_num", "$control$"),
			object("url", text(variable("fi_clm_proc_dt")), "valueDate", text("$received$")),
			extCode("clm_mdcr_non_pmt_rsn_cd", "P", "Payment requested"),
			extCode("clm_srvc_clsfctn_type_cd", f.classification, ""),
			extCode("fi_num", "$carrier$", "")))
	m = append(m, r4Middle(t, f, codedPeriod())...)
	m = append(m,
		"provider", reference("#provider-org"),
		"facility", object("extension", array(extCode("clm_fac_type_cd", f.facility.code, f.facility.text))),
		"outcome", text("complete"),
		"careTeam", "["+each("member", "$member$")+"]",
		"supportingInfo", r4StayInfo(t),
		"diagnosis", "["+each("diagnosis", "$diagnosis$")+"]",
		"procedure", when("procedures", "["+each("procedure", "$procedure$")+"]"),
		"insurance", r4Insurance(f),
		"item", "["+each("line", r4RevenueLine(t))+"]",
		"adjudication", array(r4PaymentStatus("paid")),
		"total", r4Total("submitted", "clm_tot_chrg_amt", "Claim Total Charge Amount", "$charge$"),
		"payment", object("amount", r4Money("$paid$")),
		"benefitBalance", r4BenefitBalance(f.amounts, r4StayCounts(t)...))
	return object(m...)
}

func r4StayCounts(t claimType) []string {
	if t == typeOutpatient || t == typeHHA {
		return nil
	}
	return []string{object("type", concept(coding(bluebutton+"codesystem/benefit-balance", variable("clm_utlztn_day_cnt"), "Claim Medicare Utilization Day Count")), "usedUnsignedInt", "$days$")}
}

// r4StayInfo: texts of the NUBC (patient status, admission type and source,
// frequency) are left out, their codes stay.
func r4StayInfo(t claimType) string {
	var info []string
	next := func() string { return string(appendInt(nil, uint64(len(info)+1))) }
	coded := func(name, code, display string) string { return concept(coding(variable(name), code, display)) }
	info = append(info, r4Received(next()))
	if t == typeInpatient || t == typeSNF {
		info = append(info, r4Info(next(), "clm_drg_cd", "Claim Diagnosis Related Group Code (or MS-DRG Code)", "code", coded("clm_drg_cd", "$drg$", "")))
		info = append(info, r4CarinInfo(next(), "admtype", "Information", "code", concept(object("system", text("https://www.nubc.org/CodeSystem/PriorityTypeOfAdmitOrVisit"), "code", text("$admission$")))))
		info = append(info, r4Info(next(), "clm_src_ip_admsn_cd", "Claim Source Inpatient Admission Code", "code", coded("clm_src_ip_admsn_cd", "$source$", "")))
		info = append(info, r4Info(next(), "clm_pps_ind_cd", "Claim PPS Indicator Code", "code", coded("clm_pps_ind_cd", "2", "PPS bill; claim contains PPS indicator")))
	}
	if t != typeOutpatient {
		info = append(info, r4CarinInfo(next(), "admissionperiod", "Admission Period", "timingPeriod", period("$admitted$", "$last$")))
	}
	if t == typeHHA {
		info = append(info, r4Info(next(), "clm_hha_tot_visit_cnt", "Claim HHA Total Visit Count", "valueQuantity", object("value", "$days$")))
	} else {
		info = append(info, r4Info(next(), "clm_mco_pd_sw", "Claim MCO Paid Switch", "code", coded("clm_mco_pd_sw", "0", "No managed care organization (MCO) payment")))
	}
	info = append(info, r4CarinInfo(next(), "typeofbill", "Type of Bill", "code", coded("clm_freq_cd", "$frequency$", "")))
	info = append(info, r4CarinInfo(next(), "discharge-status", "Discharge Status", "code", coded("ptnt_dschrg_stus_cd", "$discharge$", "")))
	info = append(info, when("blood", r4Info(next(), "nch_blood_pnts_frnshd_qty", "NCH Blood Pints Furnished Quantity", "valueQuantity",
		object("value", "$blood$", "unit", text("pint"), "system", text("http://unitsofmeasure.org"), "code", text("[pt_us]")))))
	return array(info...)
}

func r4RevenueLine(t claimType) string {
	revenue := object("coding", array(coding(variable("rev_cntr"), "$line.revenue$", ""), coding(variable("rev_cntr_ddctbl_coinsrnc_cd"), "0", "Charges are subject to deductible and coinsurance")))
	units := ""
	if t == typeOutpatient || t == typeHHA {
		units = array(extQuantity("rev_cntr_unit_cnt", "$line.quantity$"))
		revenue = object("extension", array(extCode("rev_cntr_stus_ind_cd", "A", "Services not paid under OPPS; uses a different fee schedule (e.g., ambulance, PT, mammography)")), "coding", array(coding(variable("rev_cntr"), "$line.revenue$", "")))
	}
	serviced := text("$line.start$")
	if t == typeInpatient {
		serviced = ""
	}
	return object(
		"extension", units,
		"sequence", "$line.number$$line.team$",
		"revenue", revenue,
		// FHIR R4 requires a service on every line; a line that has only a
		// revenue center says so with the reason why the code is absent.
		"productOrService", "{"+when("line.service", `"coding":`+array(coding(hcpcs, "$line.service$", "")))+
			when("line.unserviced", `"extension":`+array(object("url", text("http://hl7.org/fhir/StructureDefinition/data-absent-reason"), "valueCode", text("not-applicable"))))+"}",
		"modifier", when("line.modifier", array(concept(coding(hcpcs, "$line.modifier$", "")))),
		"servicedDate", serviced,
		"locationAddress", object("state", text("$postal$")),
		"quantity", object("value", "$line.quantity$"),
		"adjudication", r4Adjudication(t))
}

func r4Drug(f *typeFacts) string {
	m := append(r4Head(typePDE, f),
		"identifier", array(r4Identifier(variable("pde_id"), "$id$"), r4Plain(claimGroup, "$group$"), r4Plain(variable("rx_srvc_rfrnc_num"), "$control$")),
		"status", text("$status$"),
		"type", r4Type(typePDE, f),
		"use", text("claim"),
		"patient", reference("Patient/$patient$"),
		"billablePeriod", period("$first$", "$first$"),
		"created", text("$created$"),
		"insurer", object("identifier", object("value", text("CMS"))),
		"provider", object("identifier", object("system", text(npiSystem), "value", text("$facility.npi$"))),
		"facility", object("extension", array(extCode("phrmcy_srvc_type_cd", "01", "Community/retail pharmacy")),
			"identifier", object("type", concept(object("system", text(carinCodes+"C4BBIdentifierType"), "code", text("npi"))), "value", text("$facility.npi$")), "display", text("$facility.name$")),
		"outcome", text("complete"),
		"careTeam", "["+each("member", "$member$")+"]",
		"supportingInfo", array(
			r4CarinInfo("1", "refillnum", "Refill Number", "valueQuantity", object("value", "$refill$")),
			r4CarinInfo("2", "dayssupply", "Days Supply", "valueQuantity", object("value", "$supply$")),
			r4Info("3", "drug_cvrg_stus_cd", "Drug Coverage Status Code", "code", concept(coding(variable("drug_cvrg_stus_cd"), "C", "Covered"))),
			r4CarinInfo("4", "dawcode", "Dispense As Written Code", "code", concept(coding(variable("daw_prod_slctn_cd"), "0", ""))),
			r4CarinInfo("5", "refillsauthorized", "Refills Authorized", "valueQuantity", object("value", "5"))),
		"insurance", array(object("focal", "true", "coverage", object(
			"extension", array(extNumber("plan_cntrct_rec_id", "$contract$"), extNumber("plan_pbp_rec_num", "001")), "reference", text("Coverage/part-d-$patient$")))),
		"item", "["+each("line", object("sequence", "1", "careTeamSequence", "[1]",
			"productOrService", concept(coding(ndcSystem, "$drug$", "")), "servicedDate", text("$line.start$"),
			"quantity", object("value", "$line.quantity$"), "adjudication", r4Adjudication(typePDE)))+"]",
		"adjudication", array(r4PaymentStatus("paid")),
		"total", r4Total("drugcost", "tot_rx_cst_amt", "Total drug cost (Part D)", "$charge$"),
		"payment", object("date", text("$processed$")))
	return object(m...)
}

package synthetic

import "sync"

// stu3Programs renders claims as BFD's version 1 does.
var stu3Programs = sync.OnceValue(func() *[claimTypes]*program {
	var all [claimTypes]*program
	words := stu3Fragments()
	for t := range claimTypes {
		all[t] = stu3Program(t, words)
	}
	return &all
})

func stu3Program(t claimType, words *fragments) *program {
	f := &factsOf[t]
	p := &program{words: words, links: linkWords{`,"careTeamLinkId":[`, `,"diagnosisLinkId":[`}, firstDiagnosis: 1, from2: true}
	p.kinds = stu3DiagnosisKinds(t)
	p.roles, p.by = stu3Roles(t)
	switch {
	case t == typePDE:
		p.ops = compile(stu3Drug(f))
	case t == typeCarrier || t == typeDME:
		p.ops = compile(stu3Professional(t, f))
	default:
		if t == typeInpatient || t == typeSNF {
			p.firstDiagnosis = 2 // after the DRG
		}
		p.ops = compile(stu3Institutional(t, f))
	}
	return p
}

func stu3Fragments() *fragments {
	f := commonFragments()
	f.provider = `,"provider":{"identifier":{"system":` + text(npiSystem) + `,"value":"`
	eachDiagnosisCode(func(i int, c code) {
		f.diagnoses[i] = `,"diagnosisCodeableConcept":` + concept(coding(icd10, c.code, c.text))
	})
	for i, c := range procedures {
		f.procedures[i] = [2]string{`,"date":"`, `T00:00:00+00:00","procedureCodeableConcept":` + concept(coding(icd10, c.code, c.text)) + `}`}
	}
	return f
}

func stu3DiagnosisKinds(t claimType) (words [reasonForVisit + 1]string) {
	for kind, c := range [...]code{
		principal:      {"principal", "The single medical diagnosis that is most relevant to the patient's chief complaint or need for treatment."},
		secondary:      {},
		other:          {"other", "Required when other conditions coexist or develop subsequently during the treatment"},
		admitting:      {"admitting", "The diagnosis given as the reason why the patient was admitted to the hospital."},
		externalFirst:  {"external-first", "The code used to identify the 1st external cause of injury, poisoning, or other adverse effect."},
		external:       {"external", "A code used to identify an external cause of injury, poisoning, or other adverse effect."},
		reasonForVisit: {"reason-for-visit", "A diagnosis code used to identify the patient's reason for the visit."},
	} {
		// BFD gives other diagnoses a type on inpatient claims only.
		if c.code == "" || c.code == "other" && t != typeInpatient {
			words[kind] = "}"
			continue
		}
		words[kind] = `,"type":[` + concept(coding(bluebutton+"codesystem/diagnosis-type", c.code, c.text)) + `]}`
	}
	return words
}

func stu3Roles(t claimType) (roles [prescribing + 1]roleWords, by [len(specialties)]string) {
	primary, assist, other := code{"primary", "Primary provider"}, code{"assist", "Assisting Provider"}, code{"other", "Other"}
	for r, c := range [...]code{referring: other, attending: primary, operating: assist, otherOperating: other, performing: primary, prescribing: primary} {
		role := concept(coding("http://hl7.org/fhir/claimcareteamrole", c.code, c.text))
		roles[r] = roleWords{`{"sequence":`, `"}},"role":` + role + `}`}
		if r == int(performing) {
			for i, s := range specialties {
				by[i] = `"}},"responsible":true,"role":` + role + performerQualification(t, s) + `}`
			}
		}
	}
	if t == typeCarrier || t == typeDME {
		roles[performing].open = `{"extension":` + performerExtensions(t) + `,"sequence":`
	}
	return roles, by
}

func stu3Money(value string) string {
	return object("value", value, "system", text("urn:iso:std:iso:4217"), "code", text("USD"))
}

func stu3AmountExtensions(amounts []amount) (all []string) {
	for _, a := range amounts {
		all = append(all, object("url", text(variable(a.variable)), "valueMoney", stu3Money(a.value)))
	}
	return all
}

func stu3Category(name, display string) string {
	return concept(coding(bluebutton+"codesystem/adjudication", variable(name), display))
}

func stu3Reason(name, title, reason, display string) string {
	return object("category", stu3Category(name, title), "reason", concept(coding(variable(name), reason, display)))
}

func stu3Adjudication(t claimType) string {
	var all []string
	switch t {
	case typeCarrier, typeDME:
		all = append(all, stu3Reason("carr_line_rdcd_pmt_phys_astn_c", "Carrier Line Reduced Payment Physician Assistant Code", "0", "N/A"),
			object("extension", array(extCode("line_pmt_80_100_cd", "0", "80%")),
				"category", stu3Category("line_nch_pmt_amt", "Line NCH Medicare Payment Amount"), "amount", stu3Money("$line.paid$")))
	case typeOutpatient, typeHHA:
		all = append(all, stu3Reason("rev_cntr_1st_ansi_cd", "Revenue Center 1st ANSI Code", "CO45", ""))
	}
	for _, a := range adjudicationsOf(t) {
		all = append(all, object("category", stu3Category(a.variable, a.display), "amount", stu3Money(a.value)))
	}
	if t == typeCarrier || t == typeDME {
		all = append(all, stu3Reason("line_prcsg_ind_cd", "Line Processing Indicator Code", "A", "Allowed"))
	}
	return array(all...)
}

func stu3Info(sequence, name, display, member, value string) string {
	return object("sequence", sequence, "category", concept(coding(bluebutton+"codesystem/information", variable(name), display)), member, value)
}

func stu3Head(f *typeFacts) []string {
	return []string{"resourceType", text("ExplanationOfBenefit"), "id", text(f.prefix + "-$id$"), "meta", when("timed", object("lastUpdated", text("$updated$")))}
}

func stu3Identifier(system, value string) string {
	return object("system", text(system), "value", text(value))
}

func stu3Type(t claimType, f *typeFacts) string {
	var codings []string
	if t != typePDE {
		codings = append(codings, coding(variable("nch_clm_type_cd"), f.nch.code, f.nch.text))
	}
	codings = append(codings, object("system", text(eobType), "code", text(t.String())))
	if f.stu3Type != "" {
		display := map[string]string{"professional": "Professional", "institutional": "Institutional", "pharmacy": "Pharmacy"}[f.stu3Type]
		codings = append(codings, coding("http://hl7.org/fhir/ex-claimtype", f.stu3Type, display))
	}
	if t != typePDE {
		codings = append(codings, coding(variable("nch_near_line_rec_ident_cd"), f.nearLine.code, f.nearLine.text))
	}
	if f.classification != "" {
		codings = append(codings, coding(variable("clm_srvc_clsfctn_type_cd"), f.classification, ""))
	}
	return concept(codings...)
}

func stu3Middle(t claimType, f *typeFacts, billable string) []string {
	return []string{
		"identifier", array(stu3Identifier(variable("clm_id"), "$id$"), stu3Identifier(claimGroup, "$group$")),
		"status", text("$status$"),
		"type", stu3Type(t, f),
		"patient", reference("Patient/$patient$"),
		"billablePeriod", billable,
	}
}

func stu3Insurance(f *typeFacts) string {
	return object("coverage", reference("Coverage/part-"+f.part+"-$patient$"))
}

func stu3Professional(t claimType, f *typeFacts) string {
	npi := object("identifier", object("system", text(npiSystem), "value", text("$referring.npi$")))
	contained := array(
		object("resourceType", text("ReferralRequest"), "id", text("1"), "status", text("completed"),
			"subject", reference("Patient/$patient$"), "requester", object("agent", npi), "recipient", array(npi)),
		when("observation", object("resourceType", text("Observation"), "id", text("2"), "status", text("unknown"),
			"code", concept(coding(variable("line_hct_hgb_type_cd"), "R1", "Hemoglobin Test")), "valueQuantity", object("value", "$observation$"))))
	extensions := append(stu3AmountExtensions(institutionalMoney),
		extNumber("carr_num", "$carrier$"),
		extNumber("carr_clm_cntl_num", "$control$"),
		extCode("carr_clm_pmt_dnl_cd", "1", "Physician/supplier"),
		extCode("asgmntcd", "A", "Assigned claim"),
		extNumber("clm_clncl_tril_num", "0"))
	m := append(stu3Head(f),
		"contained", when("referring", contained),
		"extension", array(append(extensions, stu3AmountExtensions(professionalMoney)...)...))
	m = append(m, stu3Middle(t, f, period("$first$", "$last$"))...)
	m = append(m,
		"referral", when("referring", reference("#1")),
		"disposition", text("01"),
		"information", array(stu3Info("1", "nch_wkly_proc_dt", "NCH Weekly Claim Processing Date", "timingDate", text("$processed$"))),
		"careTeam", "["+each("member", "$member$")+"]",
		"diagnosis", "["+each("diagnosis", "$diagnosis$")+"]",
		"insurance", stu3Insurance(f),
		"item", "["+each("line", stu3ProfessionalLine(t))+"]",
		"payment", object("amount", stu3Money("$paid$")))
	return object(m...)
}

func stu3ProfessionalLine(t claimType) string {
	units := []string{extCode("carr_line_mtus_cd", "3", "Services"), extQuantity("carr_line_mtus_cnt", "$line.quantity$")}
	place := []string{extCode("prvdr_state_cd", "$postal$", ""), when("locality", extCode("prvdr_zip", "$zip$", "")), when("locality", extCode("carr_line_prcng_lclty_cd", "$locality$", ""))}
	if t == typeDME {
		units = []string{
			extNumber("suplrnum", "$control$"),
			extQuantity("dmerc_line_scrn_svgs_amt", "0.00"),
			object("url", text(variable("dmerc_line_mtus_cnt")), "valueQuantity", object("value", "$line.quantity$", "unit", text("Number of services"), "system", text(variable("dmerc_line_mtus_cd")), "code", text("3"))),
		}
		place = []string{
			place[0],
			extCode("dmerc_line_prcng_state_cd", "$postal$", ""),
			extCode("dmerc_line_supplr_type_cd", "3", "Suppliers (other than sole proprietorship) for whom employer identification (EI) numbers are used in coding the ID field."),
		}
	}
	extensions := append(units, "$line.betos$", extCode("line_service_deductible", "0", "Service Subject to Deductible"),
		when("line.observed", object("url", text(variable("line_hct_hgb_rslt_num")), "valueReference", reference("#2"))))
	return object(
		"extension", array(extensions...),
		"sequence", "$line.number$$line.team$$line.diagnoses$",
		"category", concept("$line.kind$"),
		"service", concept(object("system", text(hcpcs), "version", text("5"), "code", text("$line.service$"))),
		"modifier", when("line.modifier", array(concept(object("system", text(hcpcs), "version", text("5"), "code", text("$line.modifier$"))))),
		"servicedPeriod", period("$line.start$", "$line.end$"),
		"locationCodeableConcept", object("extension", array(place...), "coding", array("$line.place$")),
		"quantity", object("value", "$line.quantity$"),
		"adjudication", stu3Adjudication(t))
}

func stu3Institutional(t claimType, f *typeFacts) string {
	billable := codedPeriod()
	if t == typeHHA || t == typeHospice {
		billable = period("$first$", "$last$")
	}
	organization := object("identifier", object("system", text(npiSystem), "value", text("$facility.npi$")), "display", text("$facility.name$"))
	stay := ""
	if t != typeOutpatient {
		stay = period("$admitted$", "$last$")
	}
	m := append(stu3Head(f), "extension", array(append(stu3AmountExtensions(f.amounts),
		extCode("clm_mdcr_non_pmt_rsn_cd", "P", "Payment requested"),
		extNumber("fi_num", "$carrier$"),
		extNumber("fi_doc_clm_cntl_num", "$control$"),
		extNumber("fi_orig_clm_cntl_num", "$original$"))...))
	m = append(m, stu3Middle(t, f, billable)...)
	m = append(m,
		"provider", object("identifier", object("system", text(variable("prvdr_num")), "value", text("$facility.number$"))),
		"organization", organization,
		"facility", object("extension", array(extCode("clm_fac_type_cd", f.facility.code, f.facility.text)),
			"identifier", object("system", text(npiSystem), "value", text("$facility.npi$")), "display", text("$facility.name$")),
		"information", stu3StayInfo(t),
		"careTeam", "["+each("member", "$member$")+"]",
		"diagnosis", stu3StayDiagnoses(t),
		"procedure", when("procedures", "["+each("procedure", "$procedure$")+"]"),
		"insurance", stu3Insurance(f),
		"hospitalization", stay,
		"item", "["+each("line", stu3RevenueLine(t))+"]",
		"totalCost", stu3Money("$charge$"),
		"payment", object("amount", stu3Money("$paid$")),
		"benefitBalance", stu3Balance(t))
	return object(m...)
}

// stu3StayDiagnoses: on stays the DRG comes first, an entry with a package code
// and no diagnosis.
func stu3StayDiagnoses(t claimType) string {
	drg := ""
	if t == typeInpatient || t == typeSNF {
		drg = object("sequence", "1", "packageCode", concept(coding(variable("clm_drg_cd"), "$drg$", ""))) + ","
	}
	return "[" + drg + each("diagnosis", "$diagnosis$") + "]"
}

func stu3Balance(t claimType) string {
	count := func(name, display string) string {
		return array(object("category", concept(coding("http://hl7.org/fhir/benefit-category", "medical", "Medical Health Coverage")),
			"financial", array(object("type", concept(coding(bluebutton+"codesystem/benefit-balance", variable(name), display)), "usedUnsignedInt", "$days$"))))
	}
	switch t {
	case typeOutpatient:
		return ""
	case typeHHA:
		return count("clm_hha_tot_visit_cnt", "Claim HHA Total Visit Count")
	default:
		return count("clm_utlztn_day_cnt", "Claim Medicare Utilization Day Count")
	}
}

// stu3StayInfo: as in R4, codes of the NUBC come without their texts.
func stu3StayInfo(t claimType) string {
	var info []string
	next := func() string { return string(appendInt(nil, uint64(len(info)+1))) }
	coded := func(name, code, display string) string { return concept(coding(variable(name), code, display)) }
	info = append(info, stu3Info(next(), "nch_wkly_proc_dt", "NCH Weekly Claim Processing Date", "timingDate", text("$processed$")))
	if t == typeInpatient || t == typeSNF {
		info = append(info, stu3Info(next(), "clm_ip_admsn_type_cd", "Claim Inpatient Admission Type Code", "code", concept(object("system", text("https://www.nubc.org/CodeSystem/PriorityTypeOfAdmitOrVisit"), "code", text("$admission$")))))
		info = append(info, stu3Info(next(), "clm_src_ip_admsn_cd", "Claim Source Inpatient Admission Code", "code", coded("clm_src_ip_admsn_cd", "$source$", "")))
	}
	if t != typeHHA {
		info = append(info, stu3Info(next(), "clm_mco_pd_sw", "Claim MCO Paid Switch", "code", coded("clm_mco_pd_sw", "0", "No managed care organization (MCO) payment")))
	}
	info = append(info, stu3Info(next(), "clm_freq_cd", "Claim Frequency Code", "code", coded("clm_freq_cd", "$frequency$", "")))
	info = append(info, stu3Info(next(), "ptnt_dschrg_stus_cd", "Patient Discharge Status Code", "code", coded("ptnt_dschrg_stus_cd", "$discharge$", "")))
	info = append(info, when("blood", stu3Info(next(), "nch_blood_pnts_frnshd_qty", "NCH Blood Pints Furnished Quantity", "valueQuantity",
		object("value", "$blood$", "unit", text("pint"), "system", text("http://unitsofmeasure.org"), "code", text("[pt_us]")))))
	return array(info...)
}

func stu3RevenueLine(t claimType) string {
	revenue := object("extension", array(extCode("rev_cntr_ddctbl_coinsrnc_cd", "0", "Charges are subject to deductible and coinsurance")), "coding", array(coding(variable("rev_cntr"), "$line.revenue$", "")))
	if t == typeOutpatient || t == typeHHA {
		revenue = object("extension", array(extCode("rev_cntr_stus_ind_cd", "A", "Services not paid under OPPS; uses a different fee schedule (e.g., ambulance, PT, mammography)")), "coding", array(coding(variable("rev_cntr"), "$line.revenue$", "")))
	}
	serviced := text("$line.start$")
	if t == typeInpatient {
		serviced = ""
	}
	return object(
		"sequence", "$line.number$$line.team$",
		"revenue", revenue,
		"service", when("line.service", concept(coding(hcpcs, "$line.service$", ""))),
		"modifier", when("line.modifier", array(concept(coding(hcpcs, "$line.modifier$", "")))),
		"servicedDate", serviced,
		"locationAddress", object("state", text("$postal$")),
		"quantity", object("value", "$line.quantity$"),
		"adjudication", stu3Adjudication(t))
}

func stu3Drug(f *typeFacts) string {
	pharmacy := object("type", concept(coding(npiSystem, "NPI", "National Provider Identifier")), "system", text(npiSystem), "value", text("$facility.npi$"))
	m := append(stu3Head(f),
		"identifier", array(stu3Identifier(variable("pde_id"), "$id$"), stu3Identifier(claimGroup, "$group$"), stu3Identifier(variable("rx_srvc_rfrnc_num"), "$control$")),
		"status", text("$status$"),
		"type", stu3Type(typePDE, f),
		"patient", reference("Patient/$patient$"),
		"billablePeriod", period("$first$", "$first$"),
		"organization", object("identifier", pharmacy, "display", text("$facility.name$")),
		"facility", object("extension", array(extCode("phrmcy_srvc_type_cd", "01", "Community/retail pharmacy")), "identifier", pharmacy, "display", text("$facility.name$")),
		"information", array(stu3Info("1", "drug_cvrg_stus_cd", "Drug Coverage Status Code", "code", concept(coding(variable("drug_cvrg_stus_cd"), "C", "Covered")))),
		"careTeam", "["+each("member", "$member$")+"]",
		"insurance", object("coverage", object("extension", array(extNumber("plan_cntrct_rec_id", "$contract$"), extNumber("plan_pbp_rec_num", "001")), "reference", text("Coverage/part-d-$patient$"))),
		"item", "["+each("line", object("sequence", "1", "careTeamLinkId", "[2]",
			"service", concept(coding(ndcSystem, "$drug$", "")), "servicedDate", text("$line.start$"),
			"quantity", object("extension", array(extQuantity("fill_num", "$refill$"), extQuantity("days_suply_num", "$supply$")), "value", "$line.quantity$"),
			"adjudication", stu3Adjudication(typePDE),
			"detail", array(object("type", concept(coding("http://hl7.org/fhir/v3/ActCode", "RXDINV", "Rx dispense invoice"))))))+"]",
		"payment", object("date", text("$processed$")))
	return object(m...)
}

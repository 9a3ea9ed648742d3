package synthetic

// The codes that claims are made of: a small, believable choice of those in
// common use. Descriptors are those of CMS for ICD-10, place of service and
// the like, all free to use. What 42 CFR Part 2 protects is not among them.

type code struct{ code, text string }

// diagnoses are ICD-10-CM codes without the dot, commonest first.
var diagnoses = [...]code{
	{"I10", "Essential (primary) hypertension"},
	{"E119", "Type 2 diabetes mellitus without complications"},
	{"E785", "Hyperlipidemia, unspecified"},
	{"I2510", "Atherosclerotic heart disease of native coronary artery without angina pectoris"},
	{"I4891", "Unspecified atrial fibrillation"},
	{"E039", "Hypothyroidism, unspecified"},
	{"K219", "Gastro-esophageal reflux disease without esophagitis"},
	{"N1830", "Chronic kidney disease, stage 3 unspecified"},
	{"J449", "Chronic obstructive pulmonary disease, unspecified"},
	{"I509", "Heart failure, unspecified"},
	{"M5450", "Low back pain, unspecified"},
	{"Z7901", "Long term (current) use of anticoagulants"},
	{"Z794", "Long term (current) use of insulin"},
	{"E1122", "Type 2 diabetes mellitus with diabetic chronic kidney disease"},
	{"E1165", "Type 2 diabetes mellitus with hyperglycemia"},
	{"E1142", "Type 2 diabetes mellitus with diabetic polyneuropathy"},
	{"I129", "Hypertensive chronic kidney disease with stage 1 through stage 4 chronic kidney disease, or unspecified chronic kidney disease"},
	{"I110", "Hypertensive heart disease with heart failure"},
	{"D649", "Anemia, unspecified"},
	{"R0602", "Shortness of breath"},
	{"R079", "Chest pain, unspecified"},
	{"R5383", "Other fatigue"},
	{"R609", "Edema, unspecified"},
	{"R42", "Dizziness and giddiness"},
	{"M1711", "Unilateral primary osteoarthritis, right knee"},
	{"M1712", "Unilateral primary osteoarthritis, left knee"},
	{"M179", "Osteoarthritis of knee, unspecified"},
	{"M810", "Age-related osteoporosis without current pathological fracture"},
	{"M25511", "Pain in right shoulder"},
	{"M6281", "Muscle weakness (generalized)"},
	{"N390", "Urinary tract infection, site not specified"},
	{"N400", "Benign prostatic hyperplasia without lower urinary tract symptoms"},
	{"N179", "Acute kidney failure, unspecified"},
	{"N186", "End stage renal disease"},
	{"J189", "Pneumonia, unspecified organism"},
	{"J9601", "Acute respiratory failure with hypoxia"},
	{"J069", "Acute upper respiratory infection, unspecified"},
	{"J309", "Allergic rhinitis, unspecified"},
	{"G4733", "Obstructive sleep apnea (adult) (pediatric)"},
	{"G309", "Alzheimer's disease, unspecified"},
	{"G20", "Parkinson's disease"},
	{"F0390", "Unspecified dementia without behavioral disturbance"},
	{"F329", "Major depressive disorder, single episode, unspecified"},
	{"F419", "Anxiety disorder, unspecified"},
	{"H259", "Unspecified age-related cataract"},
	{"H401190", "Primary open-angle glaucoma, unspecified eye, stage unspecified"},
	{"H353131", "Nonexudative age-related macular degeneration, bilateral, early dry stage"},
	{"H524", "Presbyopia"},
	{"L570", "Actinic keratosis"},
	{"L821", "Other seborrheic keratosis"},
	{"B351", "Tinea unguium"},
	{"C61", "Malignant neoplasm of prostate"},
	{"C50911", "Malignant neoplasm of unspecified site of right female breast"},
	{"D509", "Iron deficiency anemia, unspecified"},
	{"E559", "Vitamin D deficiency, unspecified"},
	{"E669", "Obesity, unspecified"},
	{"E860", "Dehydration"},
	{"E8770", "Fluid overload, unspecified"},
	{"A419", "Sepsis, unspecified organism"},
	{"I639", "Cerebral infarction, unspecified"},
	{"I214", "Non-ST elevation (NSTEMI) myocardial infarction"},
	{"I739", "Peripheral vascular disease, unspecified"},
	{"K5900", "Constipation, unspecified"},
	{"K922", "Gastrointestinal hemorrhage, unspecified"},
	{"L97909", "Non-pressure chronic ulcer of unspecified part of unspecified lower leg with unspecified severity"},
	{"S72001A", "Fracture of unspecified part of neck of right femur, initial encounter for closed fracture"},
	{"Z0000", "Encounter for general adult medical examination without abnormal findings"},
	{"Z1231", "Encounter for screening mammogram for malignant neoplasm of breast"},
	{"Z23", "Encounter for immunization"},
	{"Z7982", "Long term (current) use of aspirin"},
	{"Z87891", "Personal history of nicotine dependence"},
	{"Z9981", "Dependence on supplemental oxygen"},
	{"Z951", "Presence of aortocoronary bypass graft"},
	{"Z96651", "Presence of right artificial knee joint"},
}

// externalCauses are ICD-10-CM codes of how an injury came about.
var externalCauses = [...]code{
	{"W19XXXA", "Unspecified fall, initial encounter"},
	{"W010XXA", "Fall on same level from slipping, tripping and stumbling without subsequent striking against object, initial encounter"},
	{"Y92009", "Unspecified place in unspecified non-institutional (private) residence as the place of occurrence of the external cause"},
}

// procedures are ICD-10-PCS codes.
var procedures = [...]code{
	{"0SRC0J9", "Replacement of right knee joint with synthetic substitute, cemented, open approach"},
	{"0SR90JA", "Replacement of right hip joint with synthetic substitute, uncemented, open approach"},
	{"027034Z", "Dilation of coronary artery, one artery with drug-eluting intraluminal device, percutaneous approach"},
	{"4A023N7", "Measurement of cardiac sampling and pressure, left heart, percutaneous approach"},
	{"B2111ZZ", "Fluoroscopy of multiple coronary arteries using low osmolar contrast"},
	{"5A1955Z", "Respiratory ventilation, greater than 96 consecutive hours"},
	{"5A1D70Z", "Performance of urinary filtration, intermittent, less than 6 hours per day"},
	{"30233N1", "Transfusion of nonautologous red blood cells into peripheral vein, percutaneous approach"},
	{"0DJ08ZZ", "Inspection of upper intestinal tract, via natural or artificial opening endoscopic"},
	{"0DJD8ZZ", "Inspection of lower intestinal tract, via natural or artificial opening endoscopic"},
	{"02HV33Z", "Insertion of infusion device into superior vena cava, percutaneous approach"},
	{"BW03ZZZ", "Plain radiography of chest"},
}

// The HCPCS level II codes by where they are billed. Level I is CPT and left out.
var (
	carrierServices    = [...]string{"G0439", "G0438", "G0402", "G0008", "G0009", "G0010", "A0425", "A0427", "A0428", "A0429", "G0283", "G0444", "G0446", "G0447", "G0506", "G0101", "G0103", "G0105", "G0121", "G0296", "J0897", "J1100", "J3301", "J3420", "J7321", "J9035", "P9603", "Q2038", "Q0091", "Q0111", "G0179", "G0180", "G0181", "G0182"}
	outpatientServices = [...]string{"G0463", "G0378", "G0379", "G0380", "G0381", "G0382", "G0383", "G0384", "G0390", "J0897", "J1885", "J2405", "J2550", "J3010", "J7030", "J7040", "J7050", "J9035", "J9271", "J9299", "C1713", "C1769", "C1776", "C1874", "C1887", "G0277", "G0239", "G0248", "A9500", "A9502", "A9579", "Q9967", "Q9965", "P9016"}
	inpatientServices  = [...]string{"C1713", "C1776", "C1874", "C1769", "P9016", "J7030", "J2405", "J3010"}
	homeServices       = [...]string{"G0151", "G0152", "G0153", "G0155", "G0156", "G0157", "G0158", "G0299", "G0300", "G0493", "Q5001"}
	hospiceServices    = [...]string{"G0155", "G0156", "G0299", "G0300", "Q5001", "Q5002", "Q5003", "Q5004"}
	equipment          = [...]string{"E0601", "E1390", "E0431", "A4253", "A4259", "K0001", "E0143", "E0110", "A7030", "A7037", "A7038", "A4604", "E0260", "K0823", "L3908", "L1832", "E0570", "J7613", "J7620"}
)

// revenueCenters by kind of claim; the texts belong to the NUBC and are left out.
var (
	hospitalRevenue   = [...]string{"0120", "0200", "0250", "0258", "0270", "0272", "0300", "0305", "0320", "0350", "0360", "0370", "0410", "0420", "0450", "0636", "0710", "0730"}
	outpatientRevenue = [...]string{"0250", "0260", "0270", "0300", "0301", "0305", "0320", "0350", "0402", "0420", "0450", "0480", "0510", "0636", "0730", "0761"}
	nursingRevenue    = [...]string{"0022", "0120", "0250", "0270", "0300", "0420", "0430", "0440"}
	homeRevenue       = [...]string{"0421", "0431", "0441", "0551", "0561", "0571", "0270"}
	hospiceRevenue    = [...]string{"0651", "0652", "0655", "0656", "0551", "0561", "0571"}
)

// drgs are MS-DRGs.
var drgs = [...]string{"470", "871", "291", "193", "190", "392", "065", "690", "280", "247", "481", "683", "378", "603", "189", "312", "194", "872"}

// places of service, CMS's own list.
var places = [...]code{
	{"11", "Office"},
	{"22", "On Campus-Outpatient Hospital"},
	{"21", "Inpatient Hospital"},
	{"23", "Emergency Room - Hospital"},
	{"31", "Skilled Nursing Facility"},
	{"32", "Nursing Facility"},
	{"41", "Ambulance - Land"},
	{"81", "Independent Laboratory"},
	{"02", "Telehealth Provided Other than in Patient's Home"},
	{"10", "Telehealth Provided in Patient's Home"},
	{"12", "Home. Location, other than a hospital or other facility, where the patient receives care in a private residence."},
	{"65", "End-Stage Renal Disease Treatment Facility"},
	{"34", "Hospice"},
}

const placeHome = 10 // the index of 12 in places

// specialties are CMS provider specialty codes.
var specialties = [...]code{
	{"01", "General practice"}, {"06", "Cardiology"}, {"08", "Family practice"}, {"11", "Internal medicine"}, {"18", "Ophthalmology"},
	{"20", "Orthopedic surgery"}, {"30", "Diagnostic radiology"}, {"34", "Urology"}, {"41", "Optometrist"}, {"48", "Podiatry"},
	{"50", "Nurse practitioner"}, {"69", "Clinical laboratory (billing independently)"}, {"97", "Physician assistant"}, {"07", "Dermatology"}, {"39", "Nephrology"},
}

// kinds of service and BETOS groups, which go together on a line.
var services = [...]struct{ kind, betos code }{
	{code{"1", "Medical care"}, code{"M1B", "Office visits - established"}},
	{code{"2", "Surgery"}, code{"P6C", "Minor procedures - other (Medicare fee schedule)"}},
	{code{"3", "Consultation"}, code{"M6", "Consultations"}},
	{code{"4", "Diagnostic radiology"}, code{"I1A", "Standard imaging - chest"}},
	{code{"5", "Diagnostic laboratory"}, code{"T1H", "Lab tests - other (non-Medicare fee schedule)"}},
	{code{"D", "Ambulance"}, code{"O1A", "Ambulance"}},
	{code{"9", "Other medical items or services"}, code{"T2D", "Other tests - other"}},
}

// states as postal codes, CMS's numbers of them, and the start of their ZIP codes.
var states = [...]struct{ postal, number, zip string }{
	{"CA", "05", "900"}, {"CO", "06", "802"}, {"FL", "10", "331"}, {"GA", "11", "303"}, {"IL", "14", "606"}, {"IA", "16", "503"},
	{"KY", "18", "402"}, {"MD", "21", "212"}, {"MA", "22", "021"}, {"MI", "23", "482"}, {"MO", "26", "641"}, {"NY", "33", "100"},
	{"NC", "34", "272"}, {"OH", "36", "432"}, {"PA", "39", "191"}, {"TX", "45", "770"}, {"UT", "46", "841"}, {"WA", "50", "981"},
}

var modifiers = [...]string{"GA", "GP", "KX", "LT", "RT", "Q8", "XU", "GT", "NU", "RR", "KH", "GY"}

var localities = [...]string{"01", "02", "05", "10", "15", "16", "18", "26", "99"}

var dischargeStatus = [...]string{"01", "01", "01", "03", "06", "06", "20", "30", "50"}

var drugs = [...]string{"00071015523", "00006027731", "55513071001", "00006302602", "00093507201", "68180035109", "00378180101", "65862000899", "16714068303", "29300012910"}

// The pools of providers and facilities are the same for every seed.
const (
	providerCount = 1 << 13
	facilityCount = 1 << 11
)

type facility struct{ npi, number, name string }

var providers = func() (npis [providerCount]string) {
	for i := range npis {
		npis[i] = npi(9_00_000_000 + uint64(i)*6_007)
	}
	return npis
}()

var facilities = func() (all [facilityCount]facility) {
	names := [...]string{"Río Bravo", "Lakeside", "St. Æthelwold", "Cedar Hill", "Prärie View", "Mount Example", "Clínica Señorío", "Harbor", "Two Rivers", "Sample Valley"}
	kinds := [...]string{"Medical Center", "Community Hospital", "Care Center", "Health Services, Inc.", "Memorial Hospital", "Regional Health"}
	for i := range all {
		name := names[i%len(names)] + " " + kinds[i/len(names)%len(kinds)] + " " + string(appendInt(nil, uint64(i)))
		number := string(appendPadded(nil, uint64(10_0000+i*397%800_000), 6))
		all[i] = facility{npi(9_50_000_000 + uint64(i)*19_009), number, name}
	}
	return all
}()

// npi puts the check digit behind nine digits: Luhn's over them with 80840 in
// front, as for every card of ISO 7812 (CMS, "NPI check digit calculation").
func npi(nine uint64) string {
	digits := appendInt([]byte("80840"), nine)
	sum := 0
	for i, c := range digits {
		d := int(c - '0')
		if (len(digits)-i)%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return string(append(digits[5:], byte('0'+(10-sum%10)%10)))
}

package synthetic

// The codes that claims are made of: a small, believable choice of those in
// common use. Descriptors are those of CMS for ICD-10, place of service and
// the like, all free to use. What 42 CFR Part 2 protects is not among them.

type code struct{ code, text string }

// diagnoses are ICD-10-CM codes without the dot.
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
	{"I161", "Hypertensive emergency"},
	{"I120", "Hypertensive chronic kidney disease with stage 5 chronic kidney disease or end stage renal disease"},
	{"E7800", "Pure hypercholesterolemia, unspecified"},
	{"E782", "Mixed hyperlipidemia"},
	{"E11649", "Type 2 diabetes mellitus with hypoglycemia without coma"},
	{"Z7984", "Long term (current) use of oral hypoglycemic drugs"},
	{"I25118", "Atherosclerotic heart disease of native coronary artery with other forms of angina pectoris"},
	{"I252", "Old myocardial infarction"},
	{"Z955", "Presence of coronary angioplasty implant and graft"},
	{"Z7902", "Long term (current) use of antithrombotics/antiplatelets"},
	{"Z950", "Presence of cardiac pacemaker"},
	{"I5032", "Chronic diastolic (congestive) heart failure"},
	{"I5022", "Chronic systolic (congestive) heart failure"},
	{"I5042", "Chronic combined systolic (congestive) and diastolic (congestive) heart failure"},
	{"I4820", "Chronic atrial fibrillation, unspecified"},
	{"I480", "Paroxysmal atrial fibrillation"},
	{"I4819", "Other persistent atrial fibrillation"},
	{"R002", "Palpitations"},
	{"N1831", "Chronic kidney disease, stage 3a"},
	{"N1832", "Chronic kidney disease, stage 3b"},
	{"N184", "Chronic kidney disease, stage 4 (severe)"},
	{"D631", "Anemia in chronic kidney disease"},
	{"E875", "Hyperkalemia"},
	{"N2581", "Secondary hyperparathyroidism of renal origin"},
	{"Z992", "Dependence on renal dialysis"},
	{"T8249XA", "Other complication of vascular dialysis catheter, initial encounter"},
	{"J441", "Chronic obstructive pulmonary disease with (acute) exacerbation"},
	{"J439", "Emphysema, unspecified"},
	{"J9611", "Chronic respiratory failure with hypoxia"},
	{"M1990", "Unspecified osteoarthritis, unspecified site"},
	{"M069", "Rheumatoid arthritis, unspecified"},
	{"M1611", "Unilateral primary osteoarthritis, right hip"},
	{"M25561", "Pain in right knee"},
	{"M8580", "Other specified disorders of bone density and structure, unspecified site"},
	{"M80051A", "Age-related osteoporosis with current pathological fracture, right femur, initial encounter for fracture"},
	{"Z87310", "Personal history of (healed) osteoporosis fracture"},
	{"F331", "Major depressive disorder, recurrent, moderate"},
	{"F339", "Major depressive disorder, recurrent, unspecified"},
	{"G4700", "Insomnia, unspecified"},
	{"G301", "Alzheimer's disease with late onset"},
	{"G3183", "Neurocognitive disorder with Lewy bodies"},
	{"R4181", "Age-related cognitive decline"},
	{"R296", "Repeated falls"},
	{"Z9181", "History of falling"},
	{"R634", "Abnormal weight loss"},
	{"C3490", "Malignant neoplasm of unspecified part of unspecified bronchus or lung"},
	{"C189", "Malignant neoplasm of colon, unspecified"},
	{"C44319", "Basal cell carcinoma of skin of other parts of face"},
	{"Z5111", "Encounter for antineoplastic chemotherapy"},
	{"Z5112", "Encounter for antineoplastic immunotherapy"},
	{"D630", "Anemia in neoplastic disease"},
	{"R112", "Nausea with vomiting, unspecified"},
	{"G893", "Neoplasm related pain (acute) (chronic)"},
	{"E038", "Other specified hypothyroidism"},
	{"E890", "Postprocedural hypothyroidism"},
	{"H353190", "Nonexudative age-related macular degeneration, unspecified eye, stage unspecified"},
	{"H04123", "Dry eye syndrome of bilateral lacrimal glands"},
	{"Z961", "Presence of intraocular lens"},
	{"G4731", "Primary central sleep apnea"},
	{"R0683", "Snoring"},
	{"N401", "Benign prostatic hyperplasia with lower urinary tract symptoms"},
	{"R351", "Nocturia"},
	{"R9720", "Elevated prostate specific antigen [PSA]"},
	{"I69354", "Hemiplegia and hemiparesis following cerebral infarction affecting left non-dominant side"},
	{"I6930", "Unspecified sequelae of cerebral infarction"},
	{"I69320", "Aphasia following cerebral infarction"},
	{"Z8673", "Personal history of transient ischemic attack (TIA), and cerebral infarction without residual deficits"},
	{"R1310", "Dysphagia, unspecified"},
	{"J209", "Acute bronchitis, unspecified"},
	{"J0190", "Acute sinusitis, unspecified"},
	{"R059", "Cough, unspecified"},
	{"R509", "Fever, unspecified"},
	{"J101", "Influenza due to other identified influenza virus with other respiratory manifestations"},
	{"J111", "Influenza due to unidentified influenza virus with other respiratory manifestations"},
	{"J1089", "Influenza due to other identified influenza virus with other manifestations"},
	{"U071", "COVID-19"},
	{"N3281", "Overactive bladder"},
	{"N200", "Calculus of kidney"},
	{"R300", "Dysuria"},
	{"R319", "Hematuria, unspecified"},
	{"B9620", "Unspecified Escherichia coli [E. coli] as the cause of diseases classified elsewhere"},
	{"M542", "Cervicalgia"},
	{"M48061", "Spinal stenosis, lumbar region without neurogenic claudication"},
	{"M5416", "Radiculopathy, lumbar region"},
	{"G8929", "Other chronic pain"},
	{"R109", "Unspecified abdominal pain"},
	{"R55", "Syncope and collapse"},
	{"S0990XA", "Unspecified injury of head, initial encounter"},
	{"S52501A", "Unspecified fracture of the lower end of right radius, initial encounter for closed fracture"},
	{"S8000XA", "Contusion of unspecified knee, initial encounter"},
	{"S61419A", "Laceration without foreign body of unspecified hand, initial encounter"},
	{"S32591A", "Other specified fracture of right pubis, initial encounter for closed fracture"},
	{"K5730", "Diverticulosis of large intestine without perforation or abscess without bleeding"},
	{"K529", "Noninfective gastroenteritis and colitis, unspecified"},
	{"L918", "Other hypertrophic disorders of the skin"},
	{"D225", "Melanocytic nevi of trunk"},
	{"L84", "Corns and callosities"},
	{"L03115", "Cellulitis of right lower limb"},
	{"Z1211", "Encounter for screening for malignant neoplasm of colon"},
	{"Z515", "Encounter for palliative care"},
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
	{"B245ZZZ", "Ultrasonography of left heart"},
	{"5A2204Z", "Restoration of cardiac rhythm, single"},
	{"0BH17EZ", "Insertion of endotracheal airway into trachea, via natural or artificial opening"},
	{"0Y6M0Z0", "Detachment at right foot, complete, open approach"},
	{"0QS606Z", "Reposition right upper femur with intramedullary internal fixation device, open approach"},
	{"3E04305", "Introduction of other antineoplastic into central vein, percutaneous approach"},
	{"0VT08ZZ", "Resection of prostate, via natural or artificial opening endoscopic"},
	{"3E03317", "Introduction of other thrombolytic into peripheral vein, percutaneous approach"},
	{"B020ZZZ", "Computerized tomography (CT scan) of brain"},
	{"0SG0070", "Fusion of lumbar vertebral joint with autologous tissue substitute, anterior approach, anterior column, open approach"},
	{"BW03ZZZ", "Plain radiography of chest"},
}

// The lines of institutional claims by type: revenue centers of the NUBC
// without its texts, and the HCPCS level II code that goes with one. Level I is
// CPT and left out, with the revenue center left as it is.
var (
	hospitalLines = [...]revenueLine{{"0250", ""}, {"0258", "J7030"}, {"0270", ""}, {"0272", ""}, {"0300", ""}, {"0301", ""}, {"0305", ""}, {"0306", ""}, {"0320", ""}, {"0350", ""},
		{"0402", ""}, {"0410", ""}, {"0420", ""}, {"0430", ""}, {"0450", ""}, {"0480", ""}, {"0636", "J2405"}, {"0636", "J3010"}, {"0730", ""}, {"0390", "P9016"}}
	surgeryLines = [...]revenueLine{{"0360", ""}, {"0370", ""}, {"0710", ""}, {"0278", "C1713"}, {"0278", "C1776"}, {"0278", "C1769"}}
	nursingLines = [...]revenueLine{{"0022", ""}, {"0120", ""}, {"0250", ""}, {"0270", ""}, {"0300", ""}, {"0420", ""}, {"0430", ""}, {"0440", ""}}
	homeLines    = [...]revenueLine{{"0551", "G0299"}, {"0551", "G0300"}, {"0421", "G0151"}, {"0421", "G0157"}, {"0551", "G0299"}, {"0431", "G0152"}, {"0571", "G0156"}, {"0551", "G0493"}, {"0441", "G0153"}, {"0561", "G0155"}, {"0270", ""}}
	hospiceLines = [...]revenueLine{{"0651", "Q5001"}, {"0551", "G0299"}, {"0571", "G0156"}, {"0651", "Q5001"}, {"0561", "G0155"}, {"0551", "G0300"}, {"0651", "Q5003"}, {"0656", "Q5005"}, {"0657", ""}}
)

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
	{"24", "Ambulatory Surgical Center"},
	{"60", "Mass Immunization Center"},
}

var placeHome = numberOf("12", places[:])

// specialties are CMS provider specialty codes.
var specialties = [...]code{
	{"01", "General practice"}, {"06", "Cardiology"}, {"08", "Family practice"}, {"11", "Internal medicine"}, {"18", "Ophthalmology"},
	{"20", "Orthopedic surgery"}, {"30", "Diagnostic radiology"}, {"34", "Urology"}, {"41", "Optometrist"}, {"48", "Podiatry"},
	{"50", "Nurse practitioner"}, {"69", "Clinical laboratory (billing independently)"}, {"97", "Physician assistant"}, {"07", "Dermatology"}, {"39", "Nephrology"},
	{"10", "Gastroenterology"}, {"13", "Neurology"}, {"16", "Obstetrics/gynecology"}, {"26", "Psychiatry"}, {"29", "Pulmonary disease"}, {"46", "Endocrinology"},
	{"59", "Ambulance service supplier"}, {"65", "Physical therapist in private practice"}, {"66", "Rheumatology"}, {"72", "Pain management"}, {"83", "Hematology/oncology"},
	{"92", "Radiation oncology"}, {"93", "Emergency medicine"}, {"A5", "Pharmacy"}, {"C6", "Hospitalist"},
}

var (
	internist   = numberOf("11", specialties[:])
	surgeon     = numberOf("20", specialties[:])
	hospitalist = numberOf("C6", specialties[:])
	supplier    = numberOf("A5", specialties[:])
)

// kinds of service and BETOS groups, which go together on a line. The name is
// for this package.
var services = [...]struct {
	name        string
	kind, betos code
}{
	{"1", code{"1", "Medical care"}, code{"M1B", "Office visits - established"}},
	{"2", code{"2", "Surgery"}, code{"P6C", "Minor procedures - other (Medicare fee schedule)"}},
	{"3", code{"3", "Consultation"}, code{"M6", "Consultations"}},
	{"4", code{"4", "Diagnostic radiology"}, code{"I1A", "Standard imaging - chest"}},
	{"5", code{"5", "Diagnostic laboratory"}, code{"T1H", "Lab tests - other (non-Medicare fee schedule)"}},
	{"6", code{"6", "Therapeutic radiology"}, code{"P7A", "Oncology - radiation therapy"}},
	{"D", code{"D", "Ambulance"}, code{"O1A", "Ambulance"}},
	{"9", code{"9", "Other medical items or services"}, code{"T2D", "Other tests - other"}},
	{"1J", code{"1", "Medical care"}, code{"O1E", "Other drugs"}},
	{"1C", code{"1", "Medical care"}, code{"O1D", "Chemotherapy"}},
	{"VI", code{"V", "Pneumococcal/flu vaccine"}, code{"O1G", "Immunizations/Vaccinations"}},
	{"RO", code{"R", "Rental of DME"}, code{"D1C", "Oxygen and supplies"}},
	{"RW", code{"R", "Rental of DME"}, code{"D1D", "Wheelchairs"}},
	{"RE", code{"R", "Rental of DME"}, code{"D1E", "Other DME"}},
	{"PE", code{"P", "Lump sum purchase of DME, prosthetics, orthotics"}, code{"D1F", "Prosthetic/Orthotic devices"}},
	{"9E", code{"9", "Other medical items or services"}, code{"D1A", "Medical/surgical supplies"}},
}

var modifiers = [...]string{"GA", "GP", "KX", "LT", "RT", "Q8", "XU", "GT", "NU", "RR", "KH", "GY"}

var localities = [...]string{"01", "02", "05", "10", "15", "16", "18", "26", "99"}

// Where a patient went, ptnt_dschrg_stus_cd.
const (
	toHome     = "01"
	toNursing  = "03"
	toHomeCare = "06"
	died       = "20"
	staying    = "30"
	diedAtHome = "40"
	toHospice  = "50"
)

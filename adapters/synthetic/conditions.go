package synthetic

import "strings"

// condition is a reason for care: something chronic that a person has from its
// onset on, or something that comes and goes.
type condition struct {
	prevalence [4]int    // of a thousand people under 65, 65-74, 75-84, 85 and over
	women, men int       // percent of that
	codes      [4]string // ICD-10-CM; a person has one of them, always the same if it is chronic
	along      string    // codes that are noted along with it
	weight     int       // of visits to doctors
	seasons    *[12]int  // percent of the weight by month, nil for always
	visits     []visit   // to doctors
	clinics    []clinic  // to hospitals as an outpatient
	supplies   []supply  // that come home
	risk       int       // of being admitted
	stays      []stay
	drugs      string // NDC

	// Compiled from the texts above.
	main       [4]uint16
	alongCodes []uint16
	visitBy    []*visit // each as often as its weight
	clinicBy   []*clinic
	stayBy     []*stay
	drugCodes  []string
}

// visit is one way of seeing a doctor: where, whom, and what is billed beside
// the CPT codes that are left out.
type visit struct {
	weight           int
	doctor, at, kind string // specialty, place of service, type of service and BETOS
	codes            string // HCPCS

	specialty, place, service int
	list                      []string
}

// clinic is one way of being an outpatient of a hospital: revenue centers, each
// with the HCPCS code that goes with it after a colon.
type clinic struct {
	weight int
	lines  string

	list []revenueLine
}

type revenueLine struct{ revenue, service string }

// supply is equipment that comes every few months to some of those who have the
// condition, for as long as Medicare pays for it.
type supply struct {
	share         int // permille of the people
	every, months int // a delivery every so many months; over after this many, 0 for never
	kind          string
	codes         string

	service int
	list    []string
}

// stay is one way of being admitted.
type stay struct {
	weight     int
	drg        string
	low, high  int    // days
	principal  string // ICD-10-CM, "" for the person's own code
	procedures string // ICD-10-PCS
	nursing    int    // permille who go on to a nursing facility
	home       int    // permille who go on to home health care
	dies       int    // permille who do not leave it alive

	code  int // -1 for the person's own
	drgs  []string
	steps []uint16
}

// The conditions, the chronic ones first.
const (
	hypertension = iota
	hyperlipidemia
	diabetes
	heartDisease
	heartFailure
	atrialFibrillation
	kidneyDisease
	endStageRenal
	lungDisease
	arthritis
	osteoporosis
	depression
	dementia
	cancer
	thyroid
	eyes
	apnea
	prostate
	stroke
	chronic // how many of them there are

	breathing = iota - 1
	influenza
	urinary
	pain
	symptoms
	injury
	stomach
	skin
	checkup
	conditionCount
)

var (
	winter = [12]int{220, 190, 140, 90, 60, 40, 30, 30, 60, 90, 130, 190}
	flu    = [12]int{330, 270, 120, 30, 0, 0, 0, 0, 10, 40, 130, 270}
	summer = [12]int{70, 70, 90, 100, 120, 130, 130, 130, 110, 90, 80, 80}
)

// office adds the usual visits to those of a condition.
func office(more ...visit) []visit {
	return append(more,
		visit{weight: 6, doctor: "11", at: "11", kind: "1", codes: "G2211 G2211 G0506 G2212"},
		visit{weight: 4, doctor: "08", at: "11", kind: "1", codes: "G2211 G2211 G2012"},
		visit{weight: 2, doctor: "50", at: "11", kind: "1", codes: "G2211 G2012"},
		visit{weight: 1, doctor: "97", at: "11", kind: "1", codes: "G2211"},
		visit{weight: 2, doctor: "69", at: "81", kind: "5", codes: "P9603 P9604 G0471"})
}

// conditions: prevalence follows the claims-based charts of CMS (Chronic
// Conditions among Medicare Beneficiaries, 2018: hypertension 57%,
// hyperlipidemia 48%, arthritis 34%, diabetes and ischemic heart disease 27%,
// kidney disease 25%, depression 18%, heart failure 14%, COPD 11%, dementia
// 11%, atrial fibrillation 9%, cancer 9%, osteoporosis 7%, stroke 4%), by age as
// these rise with it. DRGs, lengths of stay and what follows a stay are of the
// order that MedPAC's yearly data books give.
var conditions = compileConditions(&[conditionCount]condition{
	hypertension: {prevalence: [4]int{430, 560, 680, 720}, women: 100, men: 100, codes: [4]string{"I10", "I10", "I10", "I10"}, along: "E785 Z7982 R42 E8770", weight: 14,
		visits:  office(),
		clinics: []clinic{{3, "0510:G0463 0300 0301 0730", nil}},
		risk:    4,
		stays:   []stay{{weight: 1, drg: "305 304", low: 2, high: 4, principal: "I161"}},
		drugs:   "68180035109 00093507201"},
	hyperlipidemia: {prevalence: [4]int{310, 480, 550, 460}, women: 98, men: 102, codes: [4]string{"E785", "E785", "E7800", "E782"}, along: "E669 Z7982 I10", weight: 9,
		visits:  office(),
		clinics: []clinic{{2, "0300 0301:G0471 0510:G0463", nil}},
		drugs:   "00071015523"},
	diabetes: {prevalence: [4]int{270, 260, 290, 240}, women: 96, men: 105, codes: [4]string{"E119", "E1122", "E1165", "E1142"}, along: "Z794 Z7984 E669 L97909 E11649", weight: 16,
		visits: office(
			visit{weight: 3, doctor: "46", at: "11", kind: "1", codes: "G2211 G0108 G0109 J3420"},
			visit{weight: 3, doctor: "48", at: "11", kind: "2", codes: "G0247 G0246 G0127 J3301"},
			visit{weight: 2, doctor: "18", at: "11", kind: "9", codes: "G0117 J9035 J0178"}),
		clinics:  []clinic{{3, "0510:G0463 0300 0301 0636:J3420 0942:G0108", nil}, {1, "0761:G0463 0270 0272 0413:G0277 0636:J1885", nil}},
		supplies: []supply{{share: 500, every: 3, kind: "9E", codes: "A4253 A4259 A4258"}, {share: 120, every: 12, kind: "9E", codes: "A5500 A5512"}},
		risk:     7,
		stays: []stay{{weight: 3, drg: "637 638 639", low: 2, high: 6, nursing: 120, home: 180},
			{weight: 1, drg: "616 617 239", low: 4, high: 11, procedures: "0Y6M0Z0 02HV33Z", nursing: 350, home: 250, dies: 15}},
		drugs: "00006027731 65862000899"},
	heartDisease: {prevalence: [4]int{160, 220, 330, 390}, women: 80, men: 124, codes: [4]string{"I2510", "I2510", "I25118", "I252"}, along: "Z951 Z955 R079 I739 Z7902", weight: 11,
		visits: office(
			visit{weight: 7, doctor: "06", at: "11", kind: "1", codes: "G2211 A9502 J2785 G0422"},
			visit{weight: 2, doctor: "06", at: "22", kind: "3", codes: "A9500 A9502 J2785"}),
		clinics: []clinic{{3, "0480 0481:C1769 0278:C1874 0278:C1887 0636:J2785 0730 0343:A9502 0300 0510:G0463", nil}, {2, "0943:G0422 0943:G0423 0510:G0463", nil}},
		risk:    10,
		stays: []stay{{weight: 3, drg: "280 281 282", low: 2, high: 7, principal: "I214", procedures: "027034Z 4A023N7 B2111ZZ", nursing: 150, home: 170, dies: 50},
			{weight: 3, drg: "247 321 322", low: 1, high: 4, procedures: "027034Z 4A023N7 B2111ZZ", nursing: 40, home: 110, dies: 8},
			{weight: 2, drg: "313 287", low: 1, high: 3, principal: "R079", procedures: "4A023N7 B2111ZZ"}},
		drugs: "00071015523 00093507201"},
	heartFailure: {prevalence: [4]int{110, 95, 180, 310}, women: 97, men: 104, codes: [4]string{"I509", "I5032", "I5022", "I5042"}, along: "I110 R609 R0602 E8770 Z9981", weight: 11,
		visits: office(
			visit{weight: 6, doctor: "06", at: "11", kind: "1", codes: "G2211 G2012 J1940"},
			visit{weight: 2, doctor: "11", at: "31", kind: "1", codes: "G2211 G0180"}),
		clinics:  []clinic{{3, "0480 0510:G0463 0636:J1940 0300 0301 0305 0730", nil}},
		supplies: []supply{{share: 90, every: 1, months: 13, kind: "RW", codes: "K0001 E0973"}, {share: 60, every: 1, months: 36, kind: "RO", codes: "E1390 E0431"}},
		risk:     34,
		stays:    []stay{{weight: 1, drg: "291 292 291", low: 3, high: 9, principal: "I110", procedures: "02HV33Z B245ZZZ", nursing: 210, home: 240, dies: 35}},
		drugs:    "29300012910"},
	atrialFibrillation: {prevalence: [4]int{30, 65, 140, 200}, women: 92, men: 110, codes: [4]string{"I4891", "I4820", "I480", "I4819"}, along: "Z7901 R002 Z950 I10", weight: 12,
		visits:  office(visit{weight: 6, doctor: "06", at: "11", kind: "1", codes: "G2211 G0248 G0250 G0249"}),
		clinics: []clinic{{3, "0510:G0463 0305 0300 0730 0636:J0153", nil}},
		risk:    11,
		stays:   []stay{{weight: 2, drg: "308 309 310", low: 2, high: 5, procedures: "5A2204Z", nursing: 100, home: 150, dies: 10}},
		drugs:   "00093507201"},
	kidneyDisease: {prevalence: [4]int{200, 190, 310, 390}, women: 95, men: 106, codes: [4]string{"N1830", "N1831", "N1832", "N184"}, along: "I129 D631 E875 N2581", weight: 7,
		visits:  office(visit{weight: 5, doctor: "39", at: "11", kind: "1", codes: "G2211 J0885 J0881 G0420"}),
		clinics: []clinic{{3, "0510:G0463 0300 0301 0634:J0885 0636:J0881", nil}},
		risk:    10,
		stays:   []stay{{weight: 1, drg: "682 683", low: 3, high: 7, principal: "N179", procedures: "02HV33Z", nursing: 200, home: 180, dies: 30}},
		drugs:   "68180035109"},
	endStageRenal: {prevalence: [4]int{26, 8, 7, 5}, women: 85, men: 118, codes: [4]string{"N186", "N186", "N186", "N186"}, along: "Z992 D631 N2581 E875 I120", weight: 12,
		visits: []visit{{weight: 6, doctor: "39", at: "65", kind: "1", codes: "G2211 J0882 Q4081"}, {weight: 2, doctor: "39", at: "11", kind: "1", codes: "G2211"},
			{weight: 1, doctor: "59", at: "41", kind: "D", codes: "A0428 A0425"}},
		risk: 45,
		stays: []stay{{weight: 2, drg: "682 683", low: 3, high: 8, procedures: "5A1D70Z 02HV33Z", nursing: 180, home: 150, dies: 35},
			{weight: 1, drg: "314 252", low: 3, high: 9, principal: "T8249XA", procedures: "5A1D70Z 02HV33Z", nursing: 150, home: 160, dies: 20}},
		drugs: "29300012910"},
	lungDisease: {prevalence: [4]int{130, 95, 150, 150}, women: 100, men: 100, codes: [4]string{"J449", "J441", "J439", "J449"}, along: "R0602 Z87891 Z9981 J9611", weight: 9,
		visits:   office(visit{weight: 5, doctor: "29", at: "11", kind: "1", codes: "G2211 G0296 J7613"}),
		clinics:  []clinic{{3, "0460 0410 0510:G0463 0948:G0239 0324 0636:J7613", nil}},
		supplies: []supply{{share: 200, every: 1, months: 36, kind: "RO", codes: "E1390 E0431"}, {share: 250, every: 3, kind: "9E", codes: "J7613 J7620 A7005"}, {share: 150, every: 1, months: 13, kind: "RE", codes: "E0570"}},
		risk:     24,
		stays: []stay{{weight: 3, drg: "190 191 192", low: 2, high: 7, principal: "J441", nursing: 130, home: 200, dies: 25},
			{weight: 1, drg: "189 207", low: 4, high: 14, principal: "J9601", procedures: "5A1955Z 0BH17EZ", nursing: 270, home: 160, dies: 130}},
		drugs: "00378180101"},
	arthritis: {prevalence: [4]int{270, 320, 400, 420}, women: 112, men: 85, codes: [4]string{"M1711", "M179", "M1990", "M069"}, along: "M25561 M25511 M6281 Z96651", weight: 11,
		visits: office(
			visit{weight: 5, doctor: "20", at: "11", kind: "2", codes: "J7321 J3301 J7325 J1030"},
			visit{weight: 4, doctor: "65", at: "11", kind: "9", codes: "G0283"},
			visit{weight: 2, doctor: "66", at: "11", kind: "1", codes: "G2211 J1745 J3301"}),
		clinics:  []clinic{{3, "0420:G0283 0420 0424 0430", nil}, {2, "0360 0278:C1776 0278:C1713 0370 0250 0636:J3010 0710", nil}, {1, "0320 0510:G0463", nil}},
		supplies: []supply{{share: 40, every: 36, kind: "PE", codes: "L1832 L1851"}, {share: 60, every: 60, kind: "PE", codes: "E0143 E0156"}},
		risk:     8,
		stays: []stay{{weight: 3, drg: "470 470 469", low: 1, high: 4, procedures: "0SRC0J9", nursing: 190, home: 400, dies: 2},
			{weight: 2, drg: "470 470 469", low: 1, high: 4, principal: "M1611", procedures: "0SR90JA", nursing: 200, home: 400, dies: 2}},
		drugs: "16714068303"},
	osteoporosis: {prevalence: [4]int{30, 75, 130, 160}, women: 155, men: 30, codes: [4]string{"M810", "M810", "M8580", "M810"}, along: "E559 Z87310 M5450", weight: 4,
		visits:  office(visit{weight: 4, doctor: "66", at: "11", kind: "1J", codes: "J0897 J3489"}),
		clinics: []clinic{{2, "0636:J0897 0510:G0463 0320", nil}},
		risk:    2,
		stays:   []stay{{weight: 1, drg: "480 481", low: 4, high: 8, principal: "M80051A", procedures: "0QS606Z", nursing: 560, home: 170, dies: 20}},
		drugs:   "55513071001"},
	depression: {prevalence: [4]int{320, 160, 170, 200}, women: 124, men: 72, codes: [4]string{"F329", "F331", "F419", "F339"}, along: "G4700 R5383", weight: 9,
		visits:  office(visit{weight: 4, doctor: "26", at: "11", kind: "1", codes: "G2211 G0444 G2214"}, visit{weight: 2, doctor: "26", at: "10", kind: "1", codes: "G2012 G2211"}),
		clinics: []clinic{{2, "0914:G0410 0510:G0463 0900", nil}},
		risk:    5,
		stays:   []stay{{weight: 1, drg: "885 881", low: 5, high: 14}},
		drugs:   "68180035109"},
	dementia: {prevalence: [4]int{30, 32, 115, 300}, women: 110, men: 88, codes: [4]string{"G309", "F0390", "G301", "G3183"}, along: "R4181 R296 Z9181 R634", weight: 7,
		visits: office(
			visit{weight: 3, doctor: "13", at: "11", kind: "1", codes: "G2211 G0505"},
			visit{weight: 5, doctor: "11", at: "32", kind: "1", codes: "G2211 G0181 G0180"}),
		clinics:  []clinic{{2, "0510:G0463 0350 0300", nil}},
		supplies: []supply{{share: 110, every: 1, months: 13, kind: "RW", codes: "K0001 E0973"}, {share: 60, every: 1, months: 13, kind: "RE", codes: "E0260"}},
		risk:     13,
		stays:    []stay{{weight: 2, drg: "056 057", low: 3, high: 9, nursing: 480, home: 160, dies: 30}},
		drugs:    "16714068303"},
	cancer: {prevalence: [4]int{40, 90, 120, 110}, women: 92, men: 110, codes: [4]string{"C61", "C50911", "C3490", "C189"}, along: "Z5111 D630 R112 Z5112 G893", weight: 14,
		visits: office(
			visit{weight: 9, doctor: "83", at: "11", kind: "1C", codes: "J9271 J9035 J1100 J2469 J9299 G0498"},
			visit{weight: 2, doctor: "92", at: "22", kind: "6", codes: "G6012 G6015 G6002"}),
		clinics: []clinic{{5, "0335 0636:J9271 0636:J9299 0636:J1100 0636:J2469 0300 0301 0510:G0463 0258:J7050", nil}, {3, "0333:G6015 0333:G6012 0510:G0463", nil}, {1, "0404:A9552 0350:Q9967 0300", nil}},
		risk:    18,
		stays:   []stay{{weight: 1, drg: "180 374 597 847", low: 3, high: 9, procedures: "02HV33Z 3E04305", nursing: 150, home: 230, dies: 90}},
		drugs:   "00006302602"},
	thyroid: {prevalence: [4]int{120, 140, 175, 185}, women: 140, men: 55, codes: [4]string{"E039", "E039", "E038", "E890"}, along: "E785 R5383", weight: 5,
		visits:  office(visit{weight: 2, doctor: "46", at: "11", kind: "1", codes: "G2211"}),
		clinics: []clinic{{1, "0300 0301", nil}},
		drugs:   "00378180101"},
	eyes: {prevalence: [4]int{60, 190, 310, 340}, women: 106, men: 93, codes: [4]string{"H259", "H401190", "H353131", "H353190"}, along: "H524 H04123 Z961", weight: 10,
		visits: []visit{{weight: 5, doctor: "18", at: "11", kind: "1", codes: "G0117 J0178 J2778 G2211"}, {weight: 4, doctor: "41", at: "11", kind: "1", codes: "G0117 G0118 V2020"},
			{weight: 1, doctor: "18", at: "24", kind: "2", codes: "V2632 C1780"}},
		clinics: []clinic{{3, "0360 0276:V2632 0250 0370 0710", nil}},
		drugs:   "29300012910"},
	apnea: {prevalence: [4]int{110, 110, 90, 45}, women: 78, men: 126, codes: [4]string{"G4733", "G4733", "G4733", "G4731"}, along: "E669 R0683 I10", weight: 3,
		visits:   office(visit{weight: 3, doctor: "29", at: "11", kind: "1", codes: "G2211 G0399"}),
		clinics:  []clinic{{2, "0740:G0399 0510:G0463", nil}},
		supplies: []supply{{share: 420, every: 1, months: 13, kind: "RE", codes: "E0601 E0562"}, {share: 500, every: 3, kind: "9E", codes: "A7030 A7031 A7037 A7038 A4604"}},
		drugs:    "00093507201"},
	prostate: {prevalence: [4]int{40, 210, 320, 330}, women: 0, men: 100, codes: [4]string{"N401", "N400", "N401", "N401"}, along: "R351 R9720 N390", weight: 5,
		visits:  office(visit{weight: 5, doctor: "34", at: "11", kind: "1", codes: "G2211 G0103 J9217"}),
		clinics: []clinic{{1, "0360 0300 0250 0710", nil}},
		risk:    1,
		stays:   []stay{{weight: 1, drg: "714 713", low: 1, high: 3, procedures: "0VT08ZZ"}},
		drugs:   "00093507201"},
	stroke: {prevalence: [4]int{30, 32, 55, 85}, women: 102, men: 98, codes: [4]string{"I69354", "I69354", "I6930", "I69320"}, along: "R296 R1310 Z7902 Z8673", weight: 6,
		visits:   office(visit{weight: 4, doctor: "13", at: "11", kind: "1", codes: "G2211"}),
		clinics:  []clinic{{3, "0430:G0283 0420 0440 0510:G0463", nil}},
		supplies: []supply{{share: 160, every: 1, months: 13, kind: "RW", codes: "K0001 E0973"}},
		risk:     12,
		stays:    []stay{{weight: 2, drg: "064 065 066", low: 3, high: 8, principal: "I639", procedures: "3E03317 B020ZZZ", nursing: 340, home: 150, dies: 60}},
		drugs:    "00071015523"},

	breathing: {codes: [4]string{"J069", "J209", "J0190", "J309"}, along: "R0602 R059 R509", weight: 5, seasons: &winter,
		visits:  office(visit{weight: 2, doctor: "30", at: "22", kind: "4", codes: "Q9967"}),
		clinics: []clinic{{4, "0450:G0383 0324 0300 0301 0636:J0696 0250 0258:J7030", nil}},
		risk:    14,
		stays: []stay{{weight: 4, drg: "193 194 195", low: 3, high: 8, principal: "J189", nursing: 220, home: 190, dies: 45},
			{weight: 3, drg: "871 872", low: 4, high: 12, principal: "A419", procedures: "02HV33Z", nursing: 280, home: 170, dies: 110}}},
	influenza: {codes: [4]string{"J101", "J111", "J1089", "J111"}, along: "R509 R059 R5383", weight: 3, seasons: &flu,
		visits:  office(),
		clinics: []clinic{{3, "0450:G0383 0306:U0003 0300 0324 0258:J7030", nil}},
		risk:    6,
		stays: []stay{{weight: 1, drg: "193 194", low: 3, high: 7, principal: "J101", nursing: 180, home: 180, dies: 40},
			{weight: 1, drg: "177 178", low: 4, high: 12, principal: "U071", nursing: 210, home: 190, dies: 90}}},
	urinary: {codes: [4]string{"N390", "N3281", "N200", "N390"}, along: "R300 R319 B9620", weight: 5, seasons: &summer,
		visits:  office(visit{weight: 3, doctor: "34", at: "11", kind: "1", codes: "G2211 J0585"}),
		clinics: []clinic{{3, "0450:G0382 0300 0306 0307 0636:J0696", nil}},
		risk:    8,
		stays:   []stay{{weight: 1, drg: "689 690", low: 2, high: 6, principal: "N390", nursing: 290, home: 190, dies: 15}}},
	pain: {codes: [4]string{"M5450", "M25511", "M542", "M48061"}, along: "M6281 G8929 M5416", weight: 10,
		visits: office(
			visit{weight: 4, doctor: "65", at: "11", kind: "9", codes: "G0283"},
			visit{weight: 2, doctor: "72", at: "11", kind: "2", codes: "J3301 J1030 J1100"},
			visit{weight: 3, doctor: "30", at: "22", kind: "4", codes: "Q9967 A9579"}),
		clinics: []clinic{{4, "0420:G0283 0420 0424", nil}, {3, "0320 0350:Q9967 0610:A9579", nil}},
		risk:    3,
		stays:   []stay{{weight: 1, drg: "552 460", low: 2, high: 5, procedures: "0SG0070", nursing: 190, home: 260}}},
	symptoms: {codes: [4]string{"R0602", "R5383", "R42", "R109"}, along: "D649 R609 E860 K5900", weight: 12,
		visits: office(
			visit{weight: 3, doctor: "69", at: "81", kind: "5", codes: "P9603 P9604 G0471"},
			visit{weight: 3, doctor: "30", at: "22", kind: "4", codes: "Q9967 Q9965 A9579"},
			visit{weight: 1, doctor: "59", at: "41", kind: "D", codes: "A0427 A0425"},
			visit{weight: 2, doctor: "93", at: "23", kind: "1", codes: "G2211 G0383"}),
		clinics: []clinic{{6, "0300 0301 0305 0300:G0471", nil}, {4, "0450:G0383 0450:G0384 0300 0301 0305 0730 0324 0636:J2405 0258:J7030", nil},
			{2, "0762:G0378 0450:G0384 0300 0301 0250 0730", nil}, {3, "0320 0350:Q9967 0402", nil}},
		risk:  7,
		stays: []stay{{weight: 1, drg: "312 640 641", low: 2, high: 4, principal: "R55", nursing: 150, home: 180}}},
	injury: {codes: [4]string{"S0990XA", "S52501A", "S8000XA", "S61419A"}, along: "Z9181 R296 M6281", weight: 3,
		visits: []visit{{weight: 3, doctor: "93", at: "23", kind: "1", codes: "G0383 J1885"}, {weight: 3, doctor: "20", at: "11", kind: "2", codes: "Q4010 A4590 G2211"},
			{weight: 2, doctor: "30", at: "23", kind: "4", codes: "Q9967"}, {weight: 1, doctor: "59", at: "41", kind: "D", codes: "A0427 A0425"}},
		clinics: []clinic{{3, "0450:G0384 0320 0350 0250 0270 0636:J1885", nil}},
		risk:    6,
		stays: []stay{{weight: 2, drg: "480 481 482", low: 3, high: 8, principal: "S72001A", procedures: "0QS606Z", nursing: 590, home: 150, dies: 20},
			{weight: 1, drg: "535 563", low: 2, high: 5, principal: "S32591A", nursing: 450, home: 180, dies: 8}}},
	stomach: {codes: [4]string{"K219", "K5900", "K5730", "K219"}, along: "D509 R1310 R112", weight: 6,
		visits:  office(visit{weight: 3, doctor: "10", at: "11", kind: "1", codes: "G2211 G0105 G0121"}, visit{weight: 2, doctor: "10", at: "24", kind: "2", codes: "G0105 G0121"}),
		clinics: []clinic{{3, "0750:G0121 0750:G0105 0370 0250 0312 0636:J2250", nil}},
		risk:    7,
		stays: []stay{{weight: 2, drg: "377 378", low: 2, high: 6, principal: "K922", procedures: "0DJ08ZZ 0DJD8ZZ 30233N1", nursing: 120, home: 130, dies: 25},
			{weight: 2, drg: "391 392", low: 2, high: 5, principal: "K529", nursing: 90, home: 120}}},
	skin: {codes: [4]string{"L570", "L821", "B351", "C44319"}, along: "L918 D225 L84", weight: 9,
		visits: []visit{{weight: 6, doctor: "07", at: "11", kind: "2", codes: "G2211 J3301 Q4100"}, {weight: 4, doctor: "48", at: "11", kind: "2", codes: "G0127 G0247 J3301"},
			{weight: 1, doctor: "48", at: "31", kind: "2", codes: "G0127"}},
		clinics: []clinic{{2, "0761:G0463 0270 0312", nil}},
		risk:    3,
		stays:   []stay{{weight: 1, drg: "602 603", low: 3, high: 6, principal: "L03115", nursing: 170, home: 230, dies: 6}}},
	checkup: {codes: [4]string{"Z0000", "Z23", "Z1211", "Z0000"}, along: "Z87891 E559", weight: 4,
		visits:  []visit{{weight: 3, doctor: "11", at: "11", kind: "1", codes: "G0444 G0446 G0447"}, {weight: 2, doctor: "08", at: "11", kind: "1", codes: "G0009 G0010 G0444 G0447"}},
		clinics: []clinic{{2, "0300 0301 0771:G0009", nil}}},
})

// What happens beside the reasons above.
var (
	wellness    = compiledVisit(visit{doctor: "11", at: "11", kind: "1", codes: "G0439"})
	mammography = compiledVisit(visit{doctor: "30", at: "22", kind: "4", codes: "G0279"})
	fluShot     = compiledVisit(visit{doctor: "A5", at: "60", kind: "VI", codes: "Q2038 G0008"})
	inHospital  = compiledVisit(visit{doctor: "C6", at: "21", kind: "1", codes: "G0316 G2211"})
	consultant  = compiledVisit(visit{doctor: "06", at: "21", kind: "3", codes: "G0425 G0316"})
	radiologist = compiledVisit(visit{doctor: "30", at: "21", kind: "4", codes: "Q9967 A9579"})
	ambulance   = compiledVisit(visit{doctor: "59", at: "41", kind: "D", codes: "A0427 A0425"})
	inFacility  = compiledVisit(visit{doctor: "11", at: "31", kind: "1", codes: "G0317 G2211"})
	dialysis    = compiledClinic(clinic{lines: "0821 0821 0634:Q4081 0636:J1756 0636:J2501 0300 0821"})
)

func compiledVisit(v visit) *visit {
	v.compile()
	return &v
}

func compiledClinic(c clinic) *clinic {
	c.compile()
	return &c
}

func compileConditions(all *[conditionCount]condition) *[conditionCount]condition {
	for i := range all {
		all[i].compile()
	}
	return all
}

func (c *condition) compile() {
	for k, code := range c.codes {
		c.main[k] = diagnosisNumber(code)
	}
	for _, code := range strings.Fields(c.along) {
		c.alongCodes = append(c.alongCodes, diagnosisNumber(code))
	}
	c.drugCodes = strings.Fields(c.drugs)
	for k := range c.visits {
		c.visits[k].compile()
	}
	for k := range c.clinics {
		c.clinics[k].compile()
	}
	for k := range c.supplies {
		s := &c.supplies[k]
		s.service, s.list = serviceNumber(s.kind), strings.Fields(s.codes)
	}
	for k := range c.stays {
		c.stays[k].compile()
	}
	c.visitBy = spread(c.visits, func(v *visit) int { return v.weight })
	c.clinicBy = spread(c.clinics, func(c *clinic) int { return c.weight })
	c.stayBy = spread(c.stays, func(s *stay) int { return s.weight })
}

// spread repeats things as often as they weigh, so that any is as good to draw
// as another.
func spread[T any](all []T, weight func(*T) int) (some []*T) {
	for i := range all {
		for range weight(&all[i]) {
			some = append(some, &all[i])
		}
	}
	return some
}

func pick[T any](r *rng, all []T) T { return all[r.below(len(all))] }

func (v *visit) compile() {
	v.specialty, v.place = numberOf(v.doctor, specialties[:]), numberOf(v.at, places[:])
	v.service, v.list = serviceNumber(v.kind), strings.Fields(v.codes)
}

func (c *clinic) compile() {
	for _, l := range strings.Fields(c.lines) {
		revenue, service, _ := strings.Cut(l, ":")
		c.list = append(c.list, revenueLine{revenue, service})
	}
}

func (s *stay) compile() {
	s.code, s.drgs = -1, strings.Fields(s.drg)
	if s.principal != "" {
		s.code = int(diagnosisNumber(s.principal))
	}
	for _, p := range strings.Fields(s.procedures) {
		s.steps = append(s.steps, uint16(numberOf(p, procedures[:])))
	}
}

func diagnosisNumber(c string) uint16 { return uint16(numberOf(c, diagnoses[:])) }

// numberOf is the place of a code in a table. It panics over one that is not
// there: the tables are part of this package, not input.
func numberOf(c string, table []code) int {
	for i := range table {
		if table[i].code == c {
			return i
		}
	}
	panic("synthetic: there is no code " + c)
}

func serviceNumber(name string) int {
	for i := range services {
		if services[i].name == name {
			return i
		}
	}
	panic("synthetic: there is no kind of service " + name)
}

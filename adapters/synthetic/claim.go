package synthetic

// claim is one record of the national claims history, from which both FHIR
// renderings are written, so that they cannot disagree. Codes are indexes into
// the tables of codes.go. A reader fills the same claim again and again.
type claim struct {
	header
	draws rng // for the body
	body
}

// header is what the bounds of a query need to know, and the identity.
type header struct {
	kind       claimType
	start, end int // days
	number     uint64
	history    history
	versions   int    // how many records of it there are
	version    int    // which of them this is, from 0
	loaded     int    // the day on which this claim was first loaded
	touched    [3]int // the days of the last loads that touched each record, at or after loaded
	updated    int    // that of this record
	millis     uint32
	untimed    bool // the source does not know when it was updated
}

// history is what became of a claim after it was first loaded.
type history uint8

const (
	settled   history = iota
	cancelled         // the whole claim was cancelled, with nothing in its place
	corrected         // amounts corrected in place: one record, updated later
	replaced          // the record was cancelled and another of the same group took its place, perhaps twice
)

// body is the rest.
type body struct {
	voided   bool // status cancelled
	amended  int  // how often the amounts were corrected
	contract string

	facility, billing, referring int
	hasReferring                 bool
	state, locality              int
	zip, control, original       uint64
	carrier                      int
	drg, discharge, drug         string
	admission, source, frequency int
	admitted                     int
	blood                        int
	observation                  int // tenths of a gram a decilitre or of a percent; 0 for none
	refill, supply               int

	team       []member
	diagnoses  []diagnosis
	procedures []procedure
	lines      []line

	charge, allowed, paid, coinsurance, deductible, noncovered uint32 // cents
}

// member of the care team.
type member struct {
	role     role
	provider int
}

type role uint8

const (
	referring role = iota
	attending
	operating
	otherOperating
	performing
	prescribing
)

type diagnosis struct {
	code int
	kind diagnosisKind
	poa  uint8 // place in the present-on-admission fields, 0 for none
	yes  bool
}

type diagnosisKind uint8

const (
	principal diagnosisKind = iota
	secondary
	other
	admitting
	externalFirst
	external
	reasonForVisit
)

type procedure struct{ code, day int }

type line struct {
	service     string // "" where CPT has the code
	revenue     string
	place, kind int
	modifier    string // "" for none
	start, end  int
	quantity    int
	performer   int // index into the team
	diagnoses   [3]uint8
	pointers    int // how many of diagnoses are used

	charge, allowed, paid, coinsurance, deductible, noncovered uint32 // cents
}

var (
	lastDay     = dayOf(LastDay)
	lastBatch   = dayOf(LastBatch)
	secondBatch = dayOf(SecondBatch)
	lastUntimed = dayOf(2020_06_30)
)

// drawLoads decides when the claim was loaded and touched. It is false for a
// claim whose first load would come after the last batch: that claim has not
// reached the source.
//
// The times of loads are from 04:00 to 10:00 UTC; one claim in fifty has the
// very instant at which its batch began, for trying a bound that is hit exactly.
// BFD has no time for what it loaded before it kept times; here one claim in
// fifty of those loaded until June 2020 has none.
func (h *header) drawLoads(r *rng) bool {
	h.loaded = nextSaturday(h.end + r.between(14, 113)) // 14 to 119 days after the end
	h.millis = batchBegins
	if !r.permille(20) {
		h.millis = uint32(r.between(batchBegins, 10*3600_000-1))
	}
	h.drawHistory(r)
	h.untimed = r.permille(20) && h.loaded <= lastUntimed && h.history == settled
	return h.loaded <= lastBatch
}

const batchBegins = 4 * 3600_000

// drawHistory: one claim in a hundred is cancelled for good, 5.5% are replaced,
// of them 1.5% in the second batch, which also corrects 3.5% in place. One
// replacement in ten is replaced again.
func (h *header) drawHistory(r *rng) {
	h.history, h.versions, h.version = settled, 1, 0
	h.touched = [3]int{h.loaded, h.loaded, h.loaded}
	switch n := r.below(1000); {
	case n < 10:
		h.history = cancelled
	case n < 52:
		if later := nextSaturday(h.loaded + r.between(14, 113)); later <= lastBatch {
			h.replace(later)
			if again := nextSaturday(later + r.between(14, 113)); n < 15 && again <= lastBatch {
				h.replace(again)
			}
		}
	case n < 67:
		h.replace(secondBatch)
	case n < 102:
		h.history, h.touched[0] = corrected, secondBatch
	}
	h.updated = h.touched[0]
}

// replace cancels the last record on a day and puts another in its place.
func (h *header) replace(day int) {
	h.history = replaced
	h.touched[h.versions-1], h.touched[h.versions] = day, day
	h.versions++
}

// claimType is the type of a claim as BFD codes it in "eob-type".
type claimType uint8

const (
	typeCarrier claimType = iota
	typeDME
	typeHHA
	typeHospice
	typeInpatient
	typeOutpatient
	typeSNF
	typePDE
	claimTypes
)

func (t claimType) String() string {
	return [...]string{"CARRIER", "DME", "HHA", "HOSPICE", "INPATIENT", "OUTPATIENT", "SNF", "PDE"}[t]
}

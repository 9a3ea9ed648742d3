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
	loaded     int // the day on which this claim was first loaded
	updated    int // the day of the last load that touched it, at or after loaded
	millis     uint32
}

// history is what became of a claim after it was first loaded.
type history uint8

const (
	settled   history = iota
	cancelled         // the whole claim was cancelled, with nothing in its place
	corrected         // amounts corrected in place: one record, updated later
	replaced          // the record was cancelled and another of the same group took its place
)

// body is the rest.
type body struct {
	replacement bool // this is the second record of a replaced claim
	voided      bool // status cancelled

	facility, billing, referring int
	hasReferring                 bool
	state, locality              int
	zip, control, original       uint64
	carrier                      int
	drg, admission, source       int
	discharge, frequency         int
	admitted                     int
	blood                        int
	observation                  int // tenths of a gram a decilitre or of a percent; 0 for none
	refill, supply, drug         int

	team       []member
	diagnoses  []diagnosis
	procedures []procedure
	lines      []line

	charge, allowed, paid, coinsurance, deductible, noncovered uint32 // cents
}

// member of the care team.
type member struct {
	role      role
	provider  int
	specialty int
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
	service, revenue, place, kind int
	modifier                      int // -1 for none
	start, end                    int
	quantity                      int
	performer                     int // index into the team
	diagnoses                     [3]uint8
	pointers                      int // how many of diagnoses are used

	charge, allowed, paid, coinsurance, deductible, noncovered uint32 // cents
}

func (h *header) professional() bool { return h.kind == typeCarrier || h.kind == typeDME }

// shares of the types in ten thousand, from the sizes of BFD's production
// tables: for 100 carrier claims 20 outpatient, 7.2 DME, 1.2 inpatient, 0.7
// home health, 0.5 SNF and 0.3 hospice.
var shares = [...]struct {
	upTo int
	kind claimType
}{{7699, typeCarrier}, {9239, typeOutpatient}, {9793, typeDME}, {9885, typeInpatient}, {9939, typeHHA}, {9977, typeSNF}, {10000, typeHospice}}

func drawKind(r *rng) claimType {
	n := r.below(10000)
	for _, s := range shares {
		if n < s.upTo {
			return s.kind
		}
	}
	return typeCarrier
}

var (
	lastDay     = dayOf(LastDay)
	lastBatch   = dayOf(LastBatch)
	secondBatch = dayOf(SecondBatch)
)

// drawHeader decides what kind of claim it is, when it was and when it was
// loaded. It is false for a claim whose first load would come after the last
// batch: that claim has not reached the source. A bridge is the last day of a
// stay in a nursing facility that spans an enrollment, 0 for an ordinary claim.
func (h *header) drawHeader(r *rng, month int, drug bool, bridge int) bool {
	switch {
	case bridge > 0:
		h.kind, h.start, h.end = typeSNF, monthStart(month)+r.between(10, 27), bridge
	case drug:
		h.kind = typePDE
		h.drawPeriod(r, month)
	default:
		h.kind = drawKind(r)
		h.drawPeriod(r, month)
	}
	h.loaded = nextSaturday(h.end + r.between(14, 113)) // 14 to 119 days after the end
	h.updated = h.loaded
	h.millis = uint32(r.between(4*3600_000, 10*3600_000-1)) // loads run from 04:00 to 10:00 UTC
	h.drawHistory(r)
	return h.loaded <= lastBatch
}

// drawHistory: one claim in a hundred is cancelled for good, 5.5% are replaced,
// of them 1.5% in the second batch, which also corrects 3.5% in place.
func (h *header) drawHistory(r *rng) {
	h.history = settled
	switch n := r.below(1000); {
	case n < 10:
		h.history = cancelled
	case n < 52:
		if later := nextSaturday(h.loaded + r.between(14, 113)); later <= lastBatch {
			h.history, h.updated = replaced, later
		}
	case n < 67:
		h.history, h.updated = replaced, secondBatch
	case n < 102:
		h.history, h.updated = corrected, secondBatch
	}
}

// drawPeriod places the claim in a month of service. Stays and episodes run
// over the edges of months and of enrollments as they come.
func (h *header) drawPeriod(r *rng, month int) {
	from, to := monthStart(month), monthStart(month+1)-1
	h.start = r.between(from, to)
	length := 1
	switch h.kind {
	case typeCarrier, typeDME:
		if r.permille(120) {
			length = r.between(2, 31)
		}
	case typeOutpatient:
		if r.permille(220) {
			length = r.between(2, 31)
		}
	case typeInpatient:
		length = min(r.between(2, 8), r.between(2, 13))
		if r.permille(20) {
			length = r.between(14, 75) // now and then a stay spans whole months
		}
	case typeSNF:
		length = r.between(3, 31)
		if r.permille(40) {
			length = r.between(32, 101)
		}
	case typeHHA:
		length = 30
	case typeHospice:
		h.start, length = from, to-from+1
	}
	h.end = min(h.start+length-1, lastDay)
	h.start = min(h.start, h.end)
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

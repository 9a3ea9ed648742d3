package synthetic

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Claims is the claims source of a population. It answers as BFD does, with
// claims of all types, Part D events among them, and with everything that
// trimming will take away. Claims under 42 CFR Part 2 it never sends.
//
// A claim that was replaced by another version comes twice, as from BFD: the
// older record with status cancelled and the newer one, active, with an id of
// its own, in the same claim group; both were last updated when the newer one
// was loaded.
type Claims struct {
	people  *Population
	now     func() time.Time
	readers sync.Pool // of *reading
}

var _ ports.Claims = (*Claims)(nil)

// NewClaims returns the claims of a population. The clock tells how far the
// source is complete; it has no say in which claims there are.
func NewClaims(people *Population, now func() time.Time) *Claims {
	c := &Claims{people: people, now: now}
	c.readers.New = func() any { return new(reading) }
	return c
}

// CompleteThrough is the present: nothing here lags.
func (s *Claims) CompleteThrough(ctx context.Context) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	return s.now(), nil
}

// Read starts to read a person's claims, in order of their months of service.
// The three bounds of the query are kept exactly. A person who is not in the
// population has no claims.
func (s *Claims) Read(ctx context.Context, q ports.ClaimsQuery) (ports.ClaimReader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if _, err := domain.ParseFHIRVersion(string(q.Version)); err != nil {
		return nil, domain.Errorf(domain.Invalid, "claims are made in STU3 and R4 only").Because(err)
	}
	r := &reader{ctx: ctx, source: s, asOf: s.now(), reading: s.readers.Get().(*reading)}
	r.begin(s.people, &q)
	return r, nil
}

// reader is what a caller holds. It gives its reading back when it is closed
// and cannot reach it afterwards.
type reader struct {
	*reading
	ctx    context.Context
	source *Claims
	asOf   time.Time
}

// errClosed is not io.EOF, so that a reader closed early cannot pass for one
// that was read to the end.
var errClosed = errors.New("synthetic: the reader is closed")

// Next returns the next claim, valid until the following call.
func (r *reader) Next() ([]byte, error) {
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	if r.reading == nil {
		return nil, errClosed
	}
	if !r.advance() {
		return nil, io.EOF
	}
	return r.buffer, nil
}

// AsOf returns when the read was begun.
func (r *reader) AsOf() time.Time { return r.asOf }

// Close gives the buffers back.
func (r *reader) Close() error {
	if r.reading != nil {
		r.source.readers.Put(r.reading)
		r.reading = nil
	}
	return nil
}

// bounds are those of a query in the measure of this package: milliseconds
// since the calendar began, and days.
type bounds struct{ from, through, served int64 }

var calendarStart = time.Date(firstYear, time.January, 1, 0, 0, 0, 0, time.UTC)

const dayMillis = 24 * 60 * 60 * 1000

func newBounds(q *ports.ClaimsQuery) bounds {
	b := bounds{from: -1 << 62, through: 1 << 62, served: -1 << 62}
	if !q.UpdatedFrom.IsZero() {
		// A claim is updated at a whole millisecond: one at the bound's own
		// millisecond is inside unless the bound lies beyond it.
		from := q.UpdatedFrom.Sub(calendarStart)
		b.from = int64(from / time.Millisecond)
		if from > 0 && from%time.Millisecond != 0 {
			b.from++
		}
	}
	if !q.UpdatedThrough.IsZero() {
		b.through = int64(q.UpdatedThrough.Sub(calendarStart) / time.Millisecond)
	}
	if !q.ServedFrom.IsZero() {
		b.served = int64(q.ServedFrom.DaysSince(calendarFirst))
	}
	return b
}

func (b *bounds) allow(h *header) bool {
	at := int64(h.updated)*dayMillis + int64(h.millis)
	return at >= b.from && at <= b.through && int64(h.end) >= b.served
}

// reading is the state of one walk through a person's claims, with buffers
// that outlive it.
type reading struct {
	bounds   bounds
	programs *[claimTypes]*program
	patient  string
	contract string
	who      person
	key      uint64
	plan     plan
	rate     int // A and B claims a year
	drugs    int // Part D events a year
	doctors  doctors

	month, lastMonth int
	left, leftDrugs  int // of the month
	bridge           int // the last day of a stay that begins this month, 0 for none
	draws            rng // of the month
	number           uint64

	claim   claim
	pending bool // the replacement of claim is still to be sent
	buffer  []byte
}

func (r *reading) begin(p *Population, q *ports.ClaimsQuery) {
	r.bounds = newBounds(q)
	r.patient = string(q.Patient)
	r.pending, r.left, r.leftDrugs, r.bridge, r.number = false, 0, 0, 0, 0
	r.programs = stu3Programs()
	if q.Version == domain.R4 {
		r.programs = r4Programs()
	}
	who, contract, known := p.find(q.Patient)
	if !known {
		r.month, r.lastMonth = 1, 0
		return
	}
	r.who, r.contract, r.key = who, string(contract), p.seed^uint64(who)
	r.plan = p.plan(who)
	window := r.plan.window()
	r.month, r.lastMonth = window.first-1, window.last
	health := derive(r.key, kindHealth, 0)
	r.rate, r.drugs = drawRates(&health)
	r.doctors = drawDoctors(&health)
}

// advance puts the next claim into the buffer, and is false after the last.
func (r *reading) advance() bool {
	if r.pending {
		r.pending = false
		r.claim.replace()
		r.render()
		return true
	}
	for {
		for r.left+r.leftDrugs == 0 {
			if r.month >= r.lastMonth {
				return false
			}
			r.month++
			r.beginMonth()
		}
		if r.nextClaim() {
			r.claim.fill(&r.doctors)
			if r.claim.history == corrected {
				r.claim.correct()
			}
			r.pending = r.claim.history == replaced
			r.render()
			return true
		}
	}
}

func (r *reading) render() {
	r.buffer = r.programs[r.claim.kind].render(r.buffer[:0], &r.claim, r.patient, r.contract)
}

// nextClaim draws the header of the next claim of the month, and is false for
// one that is not there yet or that the query does not ask for.
func (r *reading) nextClaim() bool {
	bridge, drug := r.bridge, r.bridge == 0 && r.leftDrugs > 0
	switch {
	case bridge > 0:
		r.bridge = 0
		r.left--
	case drug:
		r.leftDrugs--
	default:
		r.left--
	}
	r.claim.draws = rng(r.draws.next())
	r.claim.number = uint64(r.who)*maxClaims + r.number
	r.number++
	return r.claim.drawHeader(&r.claim.draws, r.month, drug, bridge) && r.bounds.allow(&r.claim.header)
}

// maxClaims is more than anybody has in this Medicare.
const maxClaims = 4096

// beginMonth decides how many claims begin in the month: around a twelfth of
// the yearly rate, and a third of that in months without enrollment.
func (r *reading) beginMonth() {
	r.draws = derive(r.key, kindMonth, uint64(r.month))
	share := 3
	if !r.plan.has(r.month) {
		share = 1
	}
	r.left = around(&r.draws, r.rate*share, 36)
	r.leftDrugs = around(&r.draws, r.drugs*share, 36)
	if r.rate > 0 && r.draws.permille(500) {
		if r.bridge = r.plan.bridge(&r.draws, r.month); r.bridge > 0 {
			r.left++
		}
	}
	if room := maxClaims - int(r.number); r.left+r.leftDrugs > room {
		r.left, r.leftDrugs, r.bridge = room, 0, 0
	}
}

// around draws a whole number whose mean is n/d, evenly spread from none to
// twice as many.
func around(r *rng, n, d int) int {
	if n == 0 {
		return 0
	}
	return (r.below(2*n+1) + r.below(d)) / d
}

// yearly are the A and B claims a year at every 64th of the people, from few
// to many: log-normal with a median of 9 and one in a hundred above 150. The
// mean of 18 lies a little under that of the DE-SynPUF (16.7 carrier, 2.8
// outpatient, 0.23 inpatient a beneficiary-year). One in twelve has none at all;
// the last step goes to the cap.
var yearly = [...]int{
	0, 0, 0, 0, 0, 1, 1, 1,
	1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6, 7,
	7, 7, 7, 7, 7, 8, 8, 9, 9, 10, 10, 11, 12, 12, 13, 14, 14, 15, 16,
	17, 18, 19, 20, 21, 22, 24, 26, 28, 31, 33, 36, 40, 45, 51, 60, 73, 100, 300,
}

func drawRates(r *rng) (claims, drugs int) {
	at := r.below(64 * 16)
	low, high := yearly[at/16], yearly[at/16+1]
	if claims = low + (high-low)*(at%16)/16; claims == 0 {
		return 0, r.below(2) * 6
	}
	// Part D events are as frequent as carrier claims in truth. They are never
	// shared, so there are only enough of them to be met with everywhere.
	return claims, 2 + claims/10
}

// replace turns a claim into its replacement.
func (c *claim) replace() {
	c.replacement, c.voided = true, false
	c.correct()
}

// claimID is unique in every population: the person, the claim, the version.
func (c *claim) claimID() uint64 {
	version := uint64(0)
	if c.replacement {
		version = 1
	}
	return idBase + c.number*2 + version
}

// groupID is that of all versions of a claim.
func (c *claim) groupID() uint64 { return idBase + c.number }

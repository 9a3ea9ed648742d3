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
// was loaded. Some were replaced twice and come three times. A few old claims
// have no time of update: they come when there is no lower bound on it.
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

const anyTime = -1 << 62

const dayMillis = 24 * 60 * 60 * 1000

func newBounds(q *ports.ClaimsQuery) bounds {
	b := bounds{from: anyTime, through: 1 << 62, served: anyTime}
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
	if h.untimed {
		return b.from == anyTime && int64(h.end) >= b.served
	}
	at := int64(h.updated)*dayMillis + int64(h.millis)
	return at >= b.from && at <= b.through && int64(h.end) >= b.served
}

// reading is the state of one walk through a person's claims, with buffers
// that outlive it.
type reading struct {
	bounds          bounds
	programs        *[claimTypes]*program
	patient         string
	contract, other string // the home contract and the one that a person switches from or to
	who             person
	key             uint64
	life            life
	home            plan // the months in the home contract
	health          health
	doctors         doctors
	course          course

	month, lastMonth int
	left, leftDrugs  int    // of the month
	next             int    // the next event
	happens          *event // what the claim follows from, nil for a visit like others
	draws            rng    // of the month
	number           uint64

	claim  claim
	filled bool // the claim has a body
	buffer []byte
}

func (r *reading) begin(p *Population, q *ports.ClaimsQuery) {
	r.bounds = newBounds(q)
	r.patient = string(q.Patient)
	r.left, r.leftDrugs, r.next, r.number = 0, 0, 0, 0
	r.claim.versions, r.claim.version = 0, 0
	r.course.events = r.course.events[:0]
	r.programs = stu3Programs()
	if q.Version == domain.R4 {
		r.programs = r4Programs()
	}
	who, contract, known := p.find(q.Patient)
	if !known {
		r.month, r.lastMonth = 1, 0
		return
	}
	r.who, r.key, r.life = who, p.seed^uint64(who), p.life(who)
	r.contract, r.home = string(contract), r.life.plan
	if who.switches() {
		r.other = string(who.other())
		r.home, _ = p.shares(who, r.life.plan)
	}
	window := r.life.window()
	r.month, r.lastMonth = window.first-1, window.last
	r.health.draw(r.key, &r.life)
	r.doctors = doctors{seed: uint64(derive(r.key, kindDoctors, 0)), state: r.life.state}
	r.course.health = &r.health
	r.course.chart(r.key, &r.life, window)
}

// window is the months of which claims are made: the enrolled ones, the gaps,
// and a little before and after, since the source knows a person's whole life,
// but none after death.
func (l *life) window() span {
	w := span{max(l.plan.spans[0].first-2, 0), min(l.plan.spans[l.plan.n-1].last+2, lastEnrolled)}
	if l.died < immortal {
		w.last = min(w.last, monthNumber(calendar.date[l.died]))
	}
	return w
}

// advance puts the next claim into the buffer, and is false after the last.
func (r *reading) advance() bool {
	for {
		if r.claim.version+1 < r.claim.versions {
			r.claim.version++
			r.claim.updated = r.claim.touched[r.claim.version]
		} else if !r.nextClaim() {
			return false
		}
		if !r.bounds.allow(&r.claim.header) {
			continue
		}
		if !r.filled {
			r.fill()
			r.filled = true
		}
		r.claim.amend()
		c := &r.claim
		r.buffer = r.programs[c.kind].render(r.buffer[:0], c, r.patient)
		return true
	}
}

// nextClaim draws the header of the next claim that the source has, and is false
// after the last.
func (r *reading) nextClaim() bool {
	for {
		for !r.eventIsDue() && r.left+r.leftDrugs == 0 {
			if r.month >= r.lastMonth {
				return false
			}
			r.month++
			r.beginMonth()
		}
		c := &r.claim
		c.draws = rng(r.draws.next())
		c.number = uint64(r.who)*maxClaims + r.number
		r.number++
		r.happens, r.filled = nil, false
		switch {
		case r.eventIsDue():
			r.happens = &r.course.events[r.next]
			r.next++
			c.kind, c.start, c.end = r.happens.kind, r.happens.start, r.happens.end
		case r.leftDrugs > 0:
			r.leftDrugs--
			c.kind = typePDE
			r.drawPeriod(&c.draws)
		default:
			r.left--
			c.kind = typeCarrier
			if c.draws.permille(outpatientShare) {
				c.kind = typeOutpatient
			}
			r.drawPeriod(&c.draws)
		}
		if c.drawLoads(&c.draws) {
			return true
		}
		c.versions, c.version = 0, 0
	}
}

// eventIsDue tells whether an event begins in the month. There is always room
// for it in the numbers: those are for a whole life.
func (r *reading) eventIsDue() bool {
	return r.next < len(r.course.events) && r.course.events[r.next].start < monthStart(r.month+1) && r.number < maxClaims
}

// outpatientShare is permille of the claims that are not events. BFD's tables
// have 20 outpatient claims for 100 carrier claims.
const outpatientShare = 168

// maxClaims is more than anybody has in this Medicare.
const maxClaims = 2900

// beginMonth decides how many claims begin in the month, beside the events:
// around a twelfth of the yearly rate, a third of that in months without
// enrollment and a quarter of it under a hospice. In the spring of 2020 many
// stayed away.
func (r *reading) beginMonth() {
	r.draws = derive(r.key, kindMonth, uint64(r.month))
	r.health.reach(r.month)
	share := 3
	if !r.life.plan.has(r.month) {
		share = 1
	}
	r.left = around(&r.draws, r.health.rate*share*restShare, 36*100)
	r.leftDrugs = around(&r.draws, r.health.drugs*share, 36)
	if monthStart(r.month) >= r.course.comfort {
		r.left /= 4
	}
	if away := r.month - covidBegins; away == 0 || away == 1 {
		r.left -= r.left * (2 - away) / 5
	}
	if room := maxClaims - int(r.number) - roomForEvents; r.left+r.leftDrugs > room {
		r.left, r.leftDrugs = max(room, 0), 0
	}
}

// restShare is percent of the rate of claims that are not events.
const restShare = 90

// roomForEvents is more than the events that anybody has.
const roomForEvents = 400

// around draws a whole number whose mean is n/d, evenly spread from none to
// twice as many.
func around(r *rng, n, d int) int {
	if n == 0 {
		return 0
	}
	return (r.below(2*n+1) + r.below(d)) / d
}

// drawPeriod places the claim in the month, before a death.
func (r *reading) drawPeriod(draws *rng) {
	c, last := &r.claim, min(lastDay, r.life.died)
	from, to := monthStart(r.month), min(monthStart(r.month+1)-1, last)
	c.start = draws.between(from, max(from, to))
	length := 1
	switch {
	case c.kind == typeCarrier && draws.permille(110), c.kind == typeOutpatient && draws.permille(200):
		length = draws.between(2, 31)
	}
	c.end = min(c.start+length-1, last)
	c.start = min(c.start, c.end)
}

// amend makes the record what its version is: of a claim that was replaced all
// but the last are void, and each has new amounts.
func (c *claim) amend() {
	corrections := c.version
	if c.history == corrected {
		corrections = 1
	}
	for ; c.amended < corrections; c.amended++ {
		c.correct()
	}
	c.voided = c.history == cancelled || c.version+1 < c.versions
}

// claimID is unique in every population: the person, the claim, the version.
func (c *claim) claimID() uint64 { return idBase + c.number*3 + uint64(c.version) }

// groupID is that of all versions of a claim.
func (c *claim) groupID() uint64 { return idBase + c.number }

package synthetic

// event is a claim that follows from the course of a life and not from a month's
// number of visits: a stay and what comes after it, a hospice's month, dialysis,
// equipment, a yearly visit, or a day on an edge.
type event struct {
	kind       claimType
	start, end int
	admitted   int // the day on which the whole stay began
	reason     int
	code       int // the principal diagnosis, -1 for the person's own of the reason
	stay       *stay
	visit      *visit
	clinic     *clinic
	supply     *supply
	discharge  string
	frequency  int // 1 for a whole stay, 2 to 4 for the first, a further and the last bill of one
}

// course is what happens to one person, in order.
type course struct {
	*health
	life    *life
	window  span
	draws   rng
	events  []event
	free    int // the first day on which he is at home again
	comfort int // the first day of hospice care, after which little else is done
}

// chart lays out the course of a life. Everything is drawn from the person
// alone, month after month, whatever is asked for later.
func (c *course) chart(key uint64, l *life, window span) {
	c.life, c.window, c.events, c.free, c.comfort = l, window, c.events[:0], 0, never
	if c.rate == 0 {
		return
	}
	c.draws = derive(key, kindCourse, 0)
	c.end()
	for m := window.first; m <= window.last; m++ {
		if !l.plan.has(m) && !c.draws.permille(333) {
			continue
		}
		c.reach(m)
		c.yearly(m)
		c.equipment(m)
		if c.free >= monthStart(m+1) || c.comfort < monthStart(m+1) {
			continue
		}
		if c.has(endStageRenal, m) {
			c.add(event{kind: typeOutpatient, start: monthStart(m), end: monthStart(m+1) - 1, reason: endStageRenal, code: -1, clinic: dialysis})
		}
		c.admissions(m)
	}
	c.edges()
	c.sort()
}

// add keeps an event, cut to the life and to the calendar.
func (c *course) add(e event) {
	last := min(c.life.died, lastDay)
	if e.start > last || e.start < monthStart(c.window.first) {
		return
	}
	if e.end > c.life.died && e.kind != typeCarrier && e.kind != typeDME {
		e.discharge = died
	}
	e.end = min(e.end, last)
	if e.admitted == 0 {
		e.admitted = e.start
	}
	if e.discharge == "" {
		e.discharge = toHome
	}
	if e.frequency == 0 {
		e.frequency = 1
	}
	c.events = append(c.events, e)
}

// sort puts the events in the order of their days, with those of one day as they
// were added.
func (c *course) sort() {
	for i := 1; i < len(c.events); i++ {
		for k := i; k > 0 && c.events[k].start < c.events[k-1].start; k-- {
			c.events[k], c.events[k-1] = c.events[k-1], c.events[k]
		}
	}
}

// end lays out the last weeks of those who die: about half of them under a
// hospice, for a median of some three weeks (MedPAC, Report to the Congress,
// hospice chapter: 48% of decedents, median stay 18 days, mean about 90), and a
// third of the others in a hospital.
func (c *course) end() {
	day := c.life.died
	if day >= immortal {
		return
	}
	reason := c.illness(monthNumber(calendar.date[day]))
	switch {
	case c.draws.permille(400):
		days := c.draws.between(2, 40)
		if c.draws.permille(350) {
			days = c.draws.between(40, 270)
		}
		c.hospiceMonths(max(day-days, monthStart(c.window.first)), day, reason)
	case c.draws.permille(380):
		s := pick(&c.draws, conditions[reason].stayBy)
		c.inHospital(max(day-c.draws.between(s.low, s.high+6), monthStart(c.window.first)), day, reason, s, died)
	}
}

// illness draws what somebody is admitted for.
func (c *course) illness(month int) int {
	c.reach(month)
	n := c.draws.below(c.risk())
	for k := range conditions {
		if n -= c.riskOf(k); n < 0 {
			return k
		}
	}
	return breathing
}

func (c *course) risk() (sum int) {
	for k := range conditions {
		sum += c.riskOf(k)
	}
	return sum
}

func (c *course) riskOf(k int) int {
	switch x := &conditions[k]; {
	case k < chronic && !c.has(k, c.month):
		return 0
	case x.seasons != nil:
		return x.risk * x.seasons[c.month%12] / 100
	default:
		return x.risk
	}
}

func (c *course) hospiceMonths(from, to, reason int) {
	c.comfort = from
	for start := from; start <= to; {
		month := monthNumber(calendar.date[start])
		end, e := min(monthStart(month+1)-1, to), event{kind: typeHospice, start: start, admitted: from, reason: reason, code: -1, discharge: staying, frequency: 3}
		if e.end = end; end == to {
			e.discharge, e.frequency = diedAtHome, 4
		} else if start == from {
			e.frequency = 2
		}
		c.add(e)
		start = end + 1
	}
}

// admissions: the more visits and the more severe conditions, the more often.
func (c *course) admissions(month int) {
	chance := min(c.rate, 90) * (30 + min(c.risk(), 160)) * admissionRate / 1000
	if c.draws.below(100_000) >= chance {
		return
	}
	day := max(c.draws.between(monthStart(month), monthStart(month+1)-1), c.free)
	c.admit(day)
}

// admissionRate is such that there are some 0.2 stays a beneficiary-year
// (DE-SynPUF: 0.23; BFD's tables: 1.2 for 100 carrier claims).
const admissionRate = 640

// admit lays out a stay and what follows. About 15% of the patients are back
// within 30 days (CMS, hospital readmissions: 15.5% of all stays).
func (c *course) admit(day int) {
	for again := true; again; {
		if day >= min(c.life.died, c.comfort, monthStart(c.window.last+1)) {
			return
		}
		reason := c.illness(min(monthNumber(calendar.date[day]), c.window.last))
		s := pick(&c.draws, conditions[reason].stayBy)
		if s.code == covid && c.month < covidBegins {
			s = &conditions[reason].stays[0]
		}
		length := c.draws.between(s.low, s.high)
		if c.draws.permille(15) {
			length = c.draws.between(14, 60) // now and then a stay spans whole months
		}
		to := c.discharge(s)
		end := min(day+length, lastDay)
		c.inHospital(day, end, reason, s, to)
		c.free = end + 1
		switch to {
		case toNursing:
			c.nursing(end, reason, s)
		case toHomeCare:
			c.homeCare(end+1, reason)
		}
		again = c.draws.permille(145)
		day = c.free + c.draws.between(1, 28)
	}
}

func (c *course) discharge(s *stay) string {
	switch n := c.draws.below(1000); {
	case n < s.nursing:
		return toNursing
	case n < s.nursing+s.home:
		return toHomeCare
	default:
		return toHome
	}
}

// inHospital adds the hospital's claim and those of the doctors there.
func (c *course) inHospital(start, end, reason int, s *stay, to string) {
	if end >= c.life.died {
		to = died
	}
	c.add(event{kind: typeInpatient, start: start, end: end, reason: reason, code: s.code, stay: s, discharge: to})
	if c.draws.permille(280) {
		c.add(event{kind: typeCarrier, start: start, end: start, reason: reason, code: s.code, visit: ambulance})
	}
	for day := start; day <= end && day < start+12; day += 3 {
		c.add(event{kind: typeCarrier, start: day, end: min(day+2, end), reason: reason, code: s.code, visit: inHospital})
	}
	c.add(event{kind: typeCarrier, start: start, end: start, reason: reason, code: s.code, visit: radiologist})
	if c.draws.permille(450) {
		c.add(event{kind: typeCarrier, start: start, end: start, reason: reason, code: s.code, visit: consultant})
	}
}

// nursing adds a stay in a nursing facility, of a month on average and no longer
// than the hundred days that Medicare pays for. Facilities bill by the month;
// a few bill the whole stay at once.
func (c *course) nursing(start, reason int, s *stay) {
	days := min(c.draws.between(4, 100), c.draws.between(4, 100), c.draws.between(4, 100))
	whole := c.draws.permille(120)
	if c.draws.permille(30) {
		days, whole = 100, c.draws.permille(500)
	}
	end := min(start+days-1, c.life.died, lastDay)
	c.free = end + 1
	for from := start; from <= end; {
		month := monthNumber(calendar.date[from])
		to, e := min(monthStart(month+1)-1, end), event{kind: typeSNF, admitted: start, start: from, reason: reason, code: s.code, stay: s, discharge: staying, frequency: 3}
		if whole {
			to = end
		}
		switch e.end = to; {
		case to == end && from == start:
			e.discharge, e.frequency = toHome, 1
		case to == end:
			e.discharge, e.frequency = toHome, 4
		case from == start:
			e.frequency = 2
		}
		c.add(e)
		c.add(event{kind: typeCarrier, start: from, end: from, reason: reason, code: s.code, visit: inFacility})
		from = to + 1
	}
}

// homeCare adds periods of 30 days, as home health agencies are paid.
func (c *course) homeCare(start, reason int) {
	n := min(c.draws.between(1, 4), c.draws.between(1, 3))
	for i := range n {
		e := event{kind: typeHHA, start: start + 30*i, end: start + 30*i + 29, admitted: start, reason: reason, code: -1, discharge: staying}
		if i == n-1 {
			e.discharge = toHome
		}
		c.add(e)
	}
}

// equipment adds the deliveries of a month, and home health care for people at
// home, which begins without a stay before it.
func (c *course) equipment(month int) {
	for _, k := range c.active[:c.actives] {
		for i := range conditions[k].supplies {
			s := &conditions[k].supplies[i]
			since := month - c.onset[k]
			if c.takes(int(k), i) && since%s.every == 0 && (s.months == 0 || since < s.months) {
				day := monthStart(month) + c.draws.below(27)
				e := event{kind: typeDME, start: day, end: day, reason: int(k), code: -1, supply: s}
				if s.every == 1 {
					e.end = day + 29 // a month's rent
				}
				c.add(e)
			}
		}
	}
	if c.draws.below(100_000) < min(c.rate, 60)*c.life.frailty*homeCareRate/1024 {
		c.homeCare(monthStart(month)+c.draws.below(28), int(c.mainIllness()))
	}
}

// takes tells whether the person is among those who use a supply.
func (c *course) takes(k, nth int) bool {
	return int(mix(uint64(c.life.born)*31+uint64(c.life.frailty)<<20+uint64(k*8+nth))%1000) < conditions[k].supplies[nth].share
}

const homeCareRate = 16

func (c *course) mainIllness() int {
	if c.actives == 0 {
		return pain
	}
	return int(c.active[c.draws.below(c.actives)])
}

// yearly adds what comes once a year: the wellness visit in the month of birth,
// mammography for women, and a shot against influenza in autumn.
func (c *course) yearly(month int) {
	day := monthStart(month) + c.draws.below(28)
	season := month % 12
	if season == -c.life.born/31%12 && c.draws.permille(380) {
		c.add(event{kind: typeCarrier, start: day, end: day, reason: checkup, code: wellCode, visit: wellness})
	}
	if (season == 8 || season == 9) && c.draws.permille(260) {
		c.add(event{kind: typeCarrier, start: day, end: day, reason: checkup, code: shotCode, visit: fluShot})
	}
	if season == 4 && c.female && c.life.age(month) < 75 && c.draws.permille(330) {
		c.add(event{kind: typeCarrier, start: day, end: day, reason: checkup, code: breastCode, visit: mammography})
	}
}

var (
	wellCode   = int(diagnosisNumber("Z0000"))
	shotCode   = int(diagnosisNumber("Z23"))
	breastCode = int(diagnosisNumber("Z1231"))
)

// edges puts visits on the very days that rules turn on, for one person in
// twelve: the first and the last day of the enrollment, the days beside them,
// the first day that is served and the day before it. It also adds a stay in a
// nursing facility that begins before a short enrollment and ends after it.
func (c *course) edges() {
	first, last := c.life.plan.spans[0].first, c.life.plan.spans[c.life.plan.n-1].last
	if c.draws.permille(84) {
		days := [...]int{monthStart(first), monthStart(first) - 1, monthStart(last+1) - 1, monthStart(last + 1), monthStart(firstServed), monthStart(firstServed) - 1}
		day := days[c.draws.below(len(days))]
		c.add(event{kind: typeCarrier, start: day, end: day, reason: symptoms, code: -1})
	}
	for m := first - 1; m <= last && c.life.died == immortal; m++ {
		if end := c.life.plan.bridge(&c.draws, m); end > 0 && c.draws.permille(500) {
			c.add(event{kind: typeSNF, start: monthStart(m) + c.draws.between(10, 27), end: end, reason: injury, code: -1, stay: &conditions[injury].stays[0]})
		}
	}
}

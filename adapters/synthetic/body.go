package synthetic

// doctors are the few that a person keeps going to.
type doctors struct {
	providers  [8]int
	facilities [3]int
	state      int
	conditions [6]int // the diagnoses that come back
}

func drawDoctors(r *rng) (d doctors) {
	for i := range d.providers {
		d.providers[i] = r.below(providerCount)
	}
	for i := range d.facilities {
		d.facilities[i] = r.below(facilityCount)
	}
	for i := range d.conditions {
		d.conditions[i] = min(r.below(len(diagnoses)), r.below(len(diagnoses)))
	}
	d.state = r.below(len(states))
	return d
}

func (d *doctors) any(r *rng) int       { return d.providers[min(r.below(8), r.below(8))] }
func (d *doctors) facility(r *rng) int  { return d.facilities[min(r.below(3), r.below(3))] }
func (d *doctors) condition(r *rng) int { return d.conditions[r.below(6)] }

// fill draws everything that the header left open.
func (c *claim) fill(d *doctors) {
	r := &c.draws
	c.body = body{team: c.team[:0], diagnoses: c.diagnoses[:0], procedures: c.procedures[:0], lines: c.lines[:0]}
	c.voided = c.history == cancelled || c.history == replaced
	c.facility, c.billing = d.facility(r), d.any(r)
	c.state, c.locality = d.state, r.below(3*len(localities)) // two thirds have none
	c.zip, c.control, c.original = uint64(r.below(1_000_000)), r.next()%1e14, r.next()%1e14
	c.carrier = r.below(len(states))
	c.admitted = c.start
	switch {
	case c.kind == typePDE:
		c.fillDrug(r, d)
	case c.professional():
		c.fillProfessional(r, d)
	default:
		c.fillInstitutional(r, d)
	}
	c.total()
}

func (c *claim) fillDrug(r *rng, d *doctors) {
	c.team = append(c.team, member{role: prescribing, provider: d.any(r)})
	c.refill, c.drug = r.below(6), r.below(len(drugs))
	c.supply = 30
	if r.permille(300) {
		c.supply = 90
	}
	l := line{start: c.start, end: c.start, quantity: c.supply * r.between(1, 2)}
	l.price(r, 400, 30_000)
	c.lines = append(c.lines, l)
}

func (c *claim) fillProfessional(r *rng, d *doctors) {
	if r.permille(15) {
		c.observation = r.between(90, 170)
	}
	// A test result comes with the doctor who asked for the test.
	if c.hasReferring = c.observation > 0 || r.permille(350); c.hasReferring {
		c.referring = d.any(r)
		c.team = append(c.team, member{role: referring, provider: c.referring})
	}
	first := len(c.team)
	c.team = append(c.team, member{performing, c.billing, r.below(len(specialties))})
	if c.kind == typeCarrier && r.permille(120) {
		c.team = append(c.team, member{performing, d.any(r), r.below(len(specialties))})
	}
	c.addDiagnoses(r, d, principal, 1)
	c.addDiagnoses(r, d, secondary, min(r.between(0, 4), r.between(1, 7)))
	for range c.lineCount(r) {
		l := line{service: r.below(64), kind: r.below(len(services)), modifier: -1, quantity: 1}
		l.place = min(r.below(len(places)), r.below(len(places)))
		l.start, l.end = c.start, c.end
		if c.kind == typeDME {
			l.place, l.quantity = placeHome, r.between(1, 100)
		}
		if r.permille(350) {
			l.modifier = r.below(len(modifiers))
		}
		l.performer = r.between(first, len(c.team)-1)
		l.point(r, len(c.diagnoses))
		l.price(r, 2_000, 45_000)
		c.lines = append(c.lines, l)
	}
}

func (c *claim) fillInstitutional(r *rng, d *doctors) {
	c.team = append(c.team, member{role: attending, provider: c.billing})
	if c.kind == typeInpatient || c.kind == typeOutpatient && r.permille(300) {
		c.team = append(c.team, member{role: operating, provider: d.any(r)})
		if r.permille(200) {
			c.team = append(c.team, member{role: otherOperating, provider: d.any(r)})
		}
	}
	if r.permille(500) {
		c.team = append(c.team, member{role: performing, provider: d.any(r)})
	}
	c.drg, c.discharge = r.below(len(drgs)), r.below(len(dischargeStatus))
	c.admission, c.source, c.frequency = r.between(1, 3), r.between(1, 2), 1
	if r.permille(40) {
		c.blood = r.between(1, 4)
	}
	c.fillDiagnoses(r, d)
	c.fillProcedures(r)
	n := c.lineCount(r)
	for i := range n {
		c.lines = append(c.lines, c.revenueLine(r, i, n))
	}
}

func (c *claim) fillDiagnoses(r *rng, d *doctors) {
	inpatient := c.kind == typeInpatient || c.kind == typeSNF
	if inpatient {
		c.addDiagnoses(r, d, admitting, 1)
	}
	c.addDiagnoses(r, d, principal, 1)
	switch c.kind {
	case typeInpatient:
		c.addDiagnoses(r, d, other, r.between(5, 17))
	case typeSNF:
		c.addDiagnoses(r, d, other, r.between(4, 12))
	case typeHHA:
		c.addDiagnoses(r, d, secondary, r.between(3, 10))
	default:
		c.addDiagnoses(r, d, other, min(r.between(1, 8), r.between(1, 14)))
	}
	if c.kind != typeHHA && r.permille(60) {
		c.diagnoses = append(c.diagnoses, diagnosis{code: len(diagnoses) + r.below(2), kind: externalFirst})
		c.diagnoses = append(c.diagnoses, diagnosis{code: len(diagnoses) + 2, kind: external})
	}
	if c.kind == typeOutpatient && r.permille(300) {
		c.addDiagnoses(r, d, reasonForVisit, 1)
	}
	if c.kind == typeInpatient {
		c.presentOnAdmission(r)
	}
}

// presentOnAdmission numbers the principal and other diagnoses in the fields
// clm_poa_ind_sw1 to 25, and external causes in clm_e_poa_ind_sw1 to 12.
func (c *claim) presentOnAdmission(r *rng) {
	var n, e uint8
	for i := range c.diagnoses {
		switch x := &c.diagnoses[i]; x.kind {
		case principal, other:
			n++
			x.poa, x.yes = n, r.permille(800)
		case externalFirst, external:
			e++
			x.poa, x.yes = e, r.permille(800)
		}
	}
}

// addDiagnoses takes the person's own conditions or others, none twice on a
// claim but the admitting one, which the principal one often repeats.
func (c *claim) addDiagnoses(r *rng, d *doctors, kind diagnosisKind, n int) {
	for range n {
		code := d.condition(r)
		if r.permille(600) {
			code = min(r.below(len(diagnoses)), r.below(len(diagnoses)))
		}
		for kind != admitting && c.has(code) {
			code = (code + 1) % len(diagnoses)
		}
		c.diagnoses = append(c.diagnoses, diagnosis{code: code, kind: kind})
	}
}

func (c *claim) has(code int) bool {
	for i := range c.diagnoses {
		if c.diagnoses[i].code == code && c.diagnoses[i].kind != admitting {
			return true
		}
	}
	return false
}

func (c *claim) fillProcedures(r *rng) {
	n := 0
	switch c.kind {
	case typeInpatient:
		n = r.below(6)
	case typeOutpatient:
		n = r.below(40) / 39
	}
	for range n {
		c.procedures = append(c.procedures, procedure{r.below(len(procedures)), r.between(c.start, c.end)})
	}
}

// lineCount is heavy tailed for carrier and outpatient claims; one outpatient
// claim in two thousand has hundreds of lines.
func (c *claim) lineCount(r *rng) int {
	switch c.kind {
	case typeCarrier:
		if r.permille(620) {
			return 1
		}
		return min(r.between(2, 5), r.between(2, 13))
	case typeDME:
		return 1 + r.below(5)/3
	case typeOutpatient:
		if r.below(2000) == 0 {
			return r.between(100, 300)
		}
		return min(r.between(1, 9), r.between(1, 25))
	case typeInpatient:
		return r.between(6, 24)
	case typeSNF:
		return r.between(5, 14)
	case typeHHA:
		return r.between(10, 28)
	default:
		return r.between(6, 24)
	}
}

func (c *claim) revenueLine(r *rng, i, n int) line {
	l := line{service: -1, revenue: r.below(1 << 10), modifier: -1, quantity: r.between(1, 12)}
	l.start = min(c.start+i*(c.end-c.start+1)/n, c.end)
	l.end = l.start
	switch c.kind {
	case typeInpatient:
		if r.permille(250) {
			l.service = r.below(64)
		}
	case typeSNF:
	default:
		if r.permille(850) {
			l.service = r.below(64)
		}
	}
	if r.permille(200) {
		l.modifier = r.below(len(modifiers))
	}
	l.performer = -1
	if last := len(c.team) - 1; c.team[last].role == performing {
		l.performer = last
	}
	l.price(r, 1_500, 240_000)
	return l
}

// point links the line to up to three diagnoses, each once.
func (l *line) point(r *rng, diagnoses int) {
	l.pointers = min(1+r.below(5)/2, diagnoses)
	first := r.below(diagnoses)
	for i := range l.pointers {
		l.diagnoses[i] = uint8((first+i)%diagnoses) + 1
	}
}

// price draws a charge and splits it as Medicare does: of what is allowed, the
// deductible first, then 80% for Medicare and 20% for the beneficiary.
func (l *line) price(r *rng, low, high int) {
	l.charge = uint32(min(r.between(low, high), r.between(low, high)))
	if r.permille(30) {
		l.noncovered = l.charge
		return
	}
	l.allowed = uint32(uint64(l.charge) * uint64(r.between(25, 95)) / 100)
	if r.permille(60) {
		l.deductible = uint32(r.below(int(l.allowed) + 1))
	}
	l.split()
}

func (l *line) split() {
	l.coinsurance = (l.allowed - l.deductible) / 5
	l.paid = l.allowed - l.deductible - l.coinsurance
}

func (c *claim) total() {
	c.charge, c.allowed, c.paid, c.coinsurance, c.deductible, c.noncovered = 0, 0, 0, 0, 0, 0
	for i := range c.lines {
		l := &c.lines[i]
		c.charge += l.charge
		c.allowed += l.allowed
		c.paid += l.paid
		c.coinsurance += l.coinsurance
		c.deductible += l.deductible
		c.noncovered += l.noncovered
	}
}

// correct lowers what was allowed on each line by a twentieth, as an audit
// might; a replacement and a correction in place carry the new amounts.
func (c *claim) correct() {
	for i := range c.lines {
		l := &c.lines[i]
		l.allowed -= (l.allowed - l.deductible) / 20
		l.split()
	}
	c.total()
}

package synthetic

// fill draws everything that the header left open, from what the claim follows
// from or from what ails the person that month.
func (r *reading) fill() {
	c, draws := &r.claim, &r.claim.draws
	c.body = body{team: c.team[:0], diagnoses: c.diagnoses[:0], procedures: c.procedures[:0], lines: c.lines[:0]}
	c.contract = r.contract
	if r.other != "" && r.who.switches() && r.life.plan.has(r.month) && !r.home.has(r.month) {
		c.contract = r.other
	}
	c.state, c.locality = r.life.state, draws.below(3*len(localities)) // two thirds have none
	c.zip, c.control, c.original = uint64(1000*(1+draws.below(60))+draws.below(1000)), draws.next()%1e14, draws.next()%1e14
	c.carrier, c.admitted = c.state, c.start
	switch c.kind {
	case typePDE:
		r.fillDrug()
	case typeCarrier, typeDME:
		r.fillProfessional()
	default:
		r.fillInstitutional()
	}
	c.total()
}

// cause is what a claim is for and its principal diagnosis.
func (r *reading) cause() (reason, code int) {
	e := r.happens
	switch {
	case e == nil:
		reason = r.health.reason(&r.claim.draws)
	case e.code >= 0:
		return e.reason, e.code
	default:
		reason = e.reason
	}
	if code = r.health.code(&r.claim.draws, reason); reason == influenza && r.month >= covidBegins && r.claim.draws.permille(500) {
		code = covid
	}
	return reason, code
}

func (r *reading) fillDrug() {
	c, draws := &r.claim, &r.claim.draws
	c.facility, c.billing = r.doctors.facility(draws, pharmacy), r.doctors.doctor(draws, internist)
	c.team = append(c.team, member{prescribing, c.billing})
	k := hypertension
	if r.health.actives > 0 {
		k = int(r.health.active[draws.below(r.health.actives)])
	}
	c.refill, c.drug, c.supply = draws.below(6), pick(draws, conditions[k].drugCodes), 30
	if draws.permille(300) {
		c.supply = 90
	}
	l := line{start: c.start, end: c.start, quantity: c.supply * draws.between(1, 2)}
	l.price(draws, 400, 30_000)
	c.lines = append(c.lines, l)
}

// fillProfessional: a doctor's claim is for one visit; a supplier's for one
// delivery.
func (r *reading) fillProfessional() {
	c, draws := &r.claim, &r.claim.draws
	reason, code := r.cause()
	var v *visit
	specialty := supplier
	if c.kind == typeCarrier {
		if v = pick(draws, conditions[reason].visitBy); r.happens != nil && r.happens.visit != nil {
			v = r.happens.visit
		}
		specialty = v.specialty
		if draws.permille(15) {
			c.observation = draws.between(90, 170)
		}
	}
	c.billing = r.doctors.doctor(draws, specialty)
	// A test result comes with the doctor who asked for the test, and a
	// specialist more often than not with the one who sent the patient.
	if c.hasReferring = c.observation > 0 || specialty != internist && draws.permille(500); c.hasReferring {
		c.referring = r.doctors.doctor(draws, internist)
		c.team = append(c.team, member{referring, c.referring})
	}
	first := len(c.team)
	c.team = append(c.team, member{performing, c.billing})
	if c.kind == typeCarrier && draws.permille(120) {
		c.team = append(c.team, member{performing, r.doctors.doctor(draws, specialty)})
	}
	r.addDiagnosis(principal, code)
	r.addOthers(secondary, reason, min(draws.between(0, 4), draws.between(0, 5)))
	if c.kind == typeDME {
		r.addDeliveries(r.happens.supply, first)
		return
	}
	n, at := r.visitLines(v), draws.below(len(v.list))
	for i := range n {
		l := line{service: v.list[(at+i)%len(v.list)], kind: v.service, place: v.place, quantity: 1, start: c.start, end: c.end}
		if l.service[0] == 'J' || l.service[0] == 'A' {
			l.quantity = draws.between(1, 40)
		}
		if draws.permille(300) {
			l.modifier = modifiers[draws.below(len(modifiers))]
		}
		l.performer = draws.between(first, len(c.team)-1)
		l.point(draws, len(c.diagnoses))
		l.price(draws, 2_000, 45_000)
		c.lines = append(c.lines, l)
	}
}

// visitLines: two visits in three have one line beside what CPT would have,
// others up to five. What happens once a year or on the way to a hospital
// has its own.
func (r *reading) visitLines(v *visit) int {
	draws := &r.claim.draws
	switch {
	case v == ambulance, v == fluShot, v == wellness, v == mammography:
		return len(v.list)
	case draws.permille(690):
		return 1
	default:
		return min(draws.between(2, 5), draws.between(2, 12))
	}
}

func (r *reading) addDeliveries(s *supply, performer int) {
	c, draws := &r.claim, &r.claim.draws
	modifier := "NU"
	if s.months > 0 {
		modifier = "RR"
	}
	for i := range min(1+draws.below(5)/3, len(s.list)) {
		l := line{service: s.list[i], kind: s.service, place: placeHome, modifier: modifier, quantity: 1, start: c.start, end: c.end, performer: performer}
		if s.months == 0 && s.every < 12 {
			l.quantity = draws.between(1, 100)
		}
		l.point(draws, len(c.diagnoses))
		l.price(draws, 2_000, 45_000)
		c.lines = append(c.lines, l)
	}
}

// facilityOf is the kind of facility that sends a type of claim.
var facilityOf = [claimTypes]facilityKind{typeInpatient: hospital, typeOutpatient: hospital, typeSNF: nursingFacility, typeHHA: homeAgency, typeHospice: hospice, typePDE: pharmacy}

func (r *reading) fillInstitutional() {
	c, draws := &r.claim, &r.claim.draws
	e := r.happens
	reason, code := r.cause()
	kind, attends := facilityOf[c.kind], internist
	c.discharge, c.frequency, c.drg = toHome, 1, "998"
	if e != nil {
		c.discharge, c.frequency, c.admitted = e.discharge, e.frequency, e.admitted
		if e.clinic == dialysis {
			kind = dialysisClinic
		}
		if e.stay != nil {
			c.drg = e.stay.drgs[draws.below(len(e.stay.drgs))]
		}
	}
	if c.kind == typeInpatient {
		attends = hospitalist
	}
	c.facility, c.billing = r.doctors.facility(draws, kind), r.doctors.doctor(draws, attends)
	c.admission, c.source = draws.between(1, 2), draws.between(1, 2)
	if reason == arthritis {
		c.admission = 3 // planned
	}
	if draws.permille(40) {
		c.blood = draws.between(1, 4)
	}
	operated := c.kind == typeInpatient && e != nil && e.stay != nil && len(e.stay.steps) > 0
	r.addStayTeam(operated)
	r.addStayDiagnoses(reason, code)
	if c.kind == typeInpatient {
		r.addProcedures(e.stay)
		c.presentOnAdmission(draws)
	}
	if c.kind == typeOutpatient {
		r.addVisitLines(reason)
	} else {
		r.addStayLines(operated)
	}
}

func (r *reading) addStayTeam(operated bool) {
	c, draws := &r.claim, &r.claim.draws
	c.team = append(c.team, member{attending, c.billing})
	if operated || c.kind == typeOutpatient && draws.permille(300) {
		c.team = append(c.team, member{operating, r.doctors.doctor(draws, surgeon)})
		if draws.permille(200) {
			c.team = append(c.team, member{otherOperating, r.doctors.doctor(draws, surgeon)})
		}
	}
	if draws.permille(500) {
		c.team = append(c.team, member{performing, r.doctors.doctor(draws, internist)})
	}
}

func (r *reading) addStayDiagnoses(reason, code int) {
	c, draws := &r.claim, &r.claim.draws
	if c.kind == typeInpatient || c.kind == typeSNF {
		came := code
		if draws.permille(400) {
			came = r.along(reason)
		}
		c.diagnoses = append(c.diagnoses, diagnosis{code: came, kind: admitting})
	}
	r.addDiagnosis(principal, code)
	switch c.kind {
	case typeInpatient:
		r.addOthers(other, reason, draws.between(5, 17))
	case typeSNF:
		r.addOthers(other, reason, draws.between(4, 12))
	case typeHHA:
		r.addOthers(secondary, reason, draws.between(3, 10))
	default:
		if c.kind == typeHospice {
			r.addDiagnosis(other, palliative)
		}
		r.addOthers(other, reason, min(draws.between(1, 8), draws.between(1, 10)))
	}
	if c.kind != typeHHA && reason == injury {
		c.diagnoses = append(c.diagnoses, diagnosis{code: len(diagnoses) + draws.below(2), kind: externalFirst}, diagnosis{code: len(diagnoses) + 2, kind: external})
	}
	if c.kind == typeOutpatient && draws.permille(300) {
		c.diagnoses = append(c.diagnoses, diagnosis{code: r.along(reason), kind: reasonForVisit})
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
			x.poa, x.yes = n, x.kind == principal || r.permille(850)
		case externalFirst, external:
			e++
			x.poa, x.yes = e, true
		}
	}
}

// along is a code that is noted along with a reason.
func (r *reading) along(reason int) int {
	return int(pick(&r.claim.draws, conditions[reason].alongCodes))
}

func (r *reading) addDiagnosis(kind diagnosisKind, code int) {
	r.claim.diagnoses = append(r.claim.diagnoses, diagnosis{code: code, kind: kind})
}

// addOthers notes up to n more diagnoses, none twice: what the person has
// besides, what goes along with the reason, and now and then something else. A
// person without so many has fewer.
func (r *reading) addOthers(kind diagnosisKind, reason, n int) {
	c, draws, h := &r.claim, &r.claim.draws, &r.health
	at, tries := draws.below(conditionCount), 2*n
	for ; n > 0 && tries > 0; tries-- {
		code := 0
		switch {
		case h.actives > 0 && tries%4 != 0:
			code = h.code(draws, int(h.active[at%h.actives]))
			at++
		case draws.permille(600):
			code = r.along(reason)
		default:
			code = h.code(draws, usual[draws.below(len(usual))])
		}
		if !c.has(code) {
			r.addDiagnosis(kind, code)
			n--
		}
	}
}

// usual are ailments that are noted at any time of the year.
var usual = [...]int{urinary, pain, symptoms, stomach, skin}

func (c *claim) has(code int) bool {
	for i := range c.diagnoses {
		if c.diagnoses[i].code == code && c.diagnoses[i].kind != admitting {
			return true
		}
	}
	return false
}

// addProcedures: those of the stay in their order, and now and then another.
func (r *reading) addProcedures(s *stay) {
	c, draws := &r.claim, &r.claim.draws
	day := draws.between(c.start, min(c.start+2, c.end))
	for i, step := range s.steps {
		if i == 0 || draws.permille(600) {
			c.procedures = append(c.procedures, procedure{int(step), day})
		}
	}
	if draws.permille(200) {
		c.procedures = append(c.procedures, procedure{transfusion, draws.between(c.start, c.end)})
	}
}

var transfusion = numberOf("30233N1", procedures[:])

// addVisitLines: outpatient claims are heavy tailed; one in two thousand has a
// hundred to three hundred lines, and one in three of those exactly three
// hundred.
func (r *reading) addVisitLines(reason int) {
	c, draws := &r.claim, &r.claim.draws
	var x *clinic
	n, first := min(draws.between(1, 9), draws.between(1, 25)), 0
	switch {
	case r.happens != nil && r.happens.clinic != nil:
		x, n = r.happens.clinic, draws.between(12, 18)
	case len(conditions[reason].clinicBy) > 0:
		x = pick(draws, conditions[reason].clinicBy)
	default:
		x = pick(draws, conditions[symptoms].clinicBy)
	}
	if draws.below(2000) == 0 {
		if n = draws.between(100, 300); draws.below(3) == 0 {
			n = 300
		}
	}
	if n < len(x.list) {
		first = draws.below(len(x.list) - n + 1)
	}
	for i := range n {
		c.lines = append(c.lines, r.revenueLine(x.list[(first+i)%len(x.list)], i, n))
	}
}

// addStayLines: the days in bed first, then what was done.
func (r *reading) addStayLines(operated bool) {
	c, draws := &r.claim, &r.claim.draws
	var table []revenueLine
	n := draws.between(6, 24)
	switch c.kind {
	case typeInpatient:
		table = hospitalLines[:]
	case typeSNF:
		table, n = nursingLines[:], draws.between(5, 14)
	case typeHHA:
		table, n = homeLines[:], draws.between(10, 28)
	case typeHospice:
		table = hospiceLines[:]
	}
	at := draws.below(len(table))
	for i := range n {
		x := table[(at+i)%len(table)]
		switch {
		case c.kind == typeInpatient && i == 0:
			x = revenueLine{"0120", ""}
		case c.kind == typeInpatient && i == 1 && c.end-c.start > 6:
			x = revenueLine{"0200", ""}
		case operated && i < 2+len(surgeryLines):
			x = surgeryLines[(at+i)%len(surgeryLines)]
		}
		c.lines = append(c.lines, r.revenueLine(x, i, n))
	}
}

func (r *reading) revenueLine(x revenueLine, i, n int) line {
	c, draws := &r.claim, &r.claim.draws
	l := line{service: x.service, revenue: x.revenue, quantity: draws.between(1, 12), performer: -1}
	l.start = min(c.start+i*(c.end-c.start+1)/n, c.end)
	l.end = l.start
	if draws.permille(150) {
		l.modifier = modifiers[draws.below(len(modifiers))]
	}
	if last := len(c.team) - 1; c.team[last].role == performing {
		l.performer = last
	}
	l.price(draws, 1_500, 240_000)
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

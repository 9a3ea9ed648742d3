package synthetic

// rendering is where a claim is on its way through a program: the element that
// each loop is at, and how the care team is counted.
type rendering struct {
	p                                  *program
	c                                  *claim
	l                                  *line
	patient                            string
	line, member, diagnosis, procedure int
	skipped                            int // members of the team that are left out
	base                               int // the number of the first that is not
}

// render appends the claim in the shape of the program.
func (p *program) render(b []byte, c *claim, patient string) []byte {
	r := rendering{p: p, c: c, l: &c.lines[0], patient: patient, base: 1}
	if p.from2 {
		r.base = 2
		if c.hasReferring {
			r.skipped = 1
		}
	}
	for pc := 0; pc < len(p.ops); pc++ {
		o := &p.ops[pc]
		b = append(b, o.literal...)
		switch {
		case o.act < actFacilityNPI:
			b = r.appendIdentity(b, o.act)
		case o.act < actDRG:
			b = r.appendParty(b, o.act)
		case o.act < actCharge:
			b = r.appendDetail(b, o.act)
		case o.act < actMember:
			b = appendMoney(b, r.amount(o.act))
		case o.act < actLineNumber:
			b = r.appendEntry(b, o.act)
		case o.act < actLineCharge:
			b = r.appendLine(b, o.act)
		case o.act < ifTimed:
			b = appendMoney(b, r.lineAmount(o.act))
		case o.act < eachMember:
			if !r.holds(o.act) {
				pc = int(o.jump) - 1
			}
		case o.act < nextMember:
			r.beginLoop(o.act)
		case r.nextOf(o.act):
			b = append(b, ',')
			pc = int(o.jump) - 1
		}
	}
	return b
}

// sequence is the number of a member of the care team.
func (r *rendering) sequence(member int) int { return member - r.skipped + r.base }

func (r *rendering) appendIdentity(b []byte, act action) []byte {
	c := r.c
	switch act {
	case actID:
		b = appendInt(append(b, '-'), c.claimID())
	case actGroup:
		b = appendInt(append(b, '-'), c.groupID())
	case actPatient:
		b = append(b, r.patient...)
	case actContract:
		b = append(b, c.contract...)
	case actStatus:
		if c.voided {
			b = append(b, "cancelled"...)
		} else {
			b = append(b, "active"...)
		}
	case actUpdated:
		b = appendTime(b, c.updated, c.millis, true)
	case actCreated:
		b = appendTime(b, c.updated, c.millis, false)
	case actProcessed:
		b = append(b, calendar.text[c.loaded-1]...)
	case actReceived:
		b = append(b, calendar.text[c.loaded-8]...)
	case actStart:
		b = append(b, calendar.text[c.start]...)
	case actEnd:
		b = append(b, calendar.text[c.end]...)
	case actAdmitted:
		b = append(b, calendar.text[c.admitted]...)
	case actDays:
		b = appendInt(b, uint64(c.end-c.start+1))
	}
	return b
}

func (r *rendering) appendParty(b []byte, act action) []byte {
	c := r.c
	switch act {
	case actFacilityNPI:
		b = append(b, facilities[c.facility].npi...)
	case actFacilityNumber:
		b = append(b, facilities[c.facility].number...)
	case actFacilityName:
		b = append(b, facilities[c.facility].name...)
	case actBillingNPI:
		b = append(b, providers[c.billing].npi...)
	case actReferringNPI:
		b = append(b, providers[c.referring].npi...)
	case actPostal:
		b = append(b, states[c.state].postal...)
	case actZip:
		b = append(b, states[c.state].zip...)
		b = appendPadded(b, c.zip, 6)
	case actLocality:
		b = append(b, localities[c.locality]...)
	case actCarrier:
		b = append(append(b, states[c.carrier].number...), "102"...)
	case actControl:
		b = appendPadded(b, c.control, 14)
	case actOriginal:
		b = appendPadded(b, c.original, 14)
	}
	return b
}

func (r *rendering) appendDetail(b []byte, act action) []byte {
	c := r.c
	switch act {
	case actDRG:
		b = append(b, c.drg...)
	case actAdmission:
		b = appendInt(b, uint64(c.admission))
	case actSource:
		b = appendInt(b, uint64(c.source))
	case actDischarge:
		b = append(b, c.discharge...)
	case actFrequency:
		b = appendInt(b, uint64(c.frequency))
	case actBlood:
		b = appendInt(b, uint64(c.blood))
	case actObservation:
		b = append(appendInt(b, uint64(c.observation/10)), '.', byte('0'+c.observation%10))
	case actRefill:
		b = appendInt(b, uint64(c.refill))
	case actSupply:
		b = appendInt(b, uint64(c.supply))
	case actDrug:
		b = append(b, c.drug...)
	}
	return b
}

func (r *rendering) amount(act action) uint32 {
	c := r.c
	switch act {
	case actCharge:
		return c.charge
	case actAllowed:
		return c.allowed
	case actPaid:
		return c.paid
	case actCoinsurance:
		return c.coinsurance
	case actDeductible:
		return c.deductible
	case actNoncovered:
		return c.noncovered
	}
	panic("synthetic: no such amount")
}

func (r *rendering) appendEntry(b []byte, act action) []byte {
	switch act {
	case actMember:
		b = r.p.appendMember(b, &r.c.team[r.member], r.sequence(r.member))
	case actDiagnosis:
		b = r.p.appendDiagnosis(b, &r.c.diagnoses[r.diagnosis], r.diagnosis+r.p.firstDiagnosis)
	case actProcedure:
		b = r.p.appendProcedure(b, &r.c.procedures[r.procedure], r.procedure+1)
	}
	return b
}

func (r *rendering) appendLine(b []byte, act action) []byte {
	l := r.l
	switch act {
	case actLineNumber:
		b = appendInt(b, uint64(r.line+1))
	case actLineTeam:
		if l.performer >= 0 {
			b = append(b, r.p.links.team...)
			b = appendInt(b, uint64(r.sequence(l.performer)))
			b = append(b, ']')
		}
	case actLineDiagnoses:
		b = append(b, r.p.links.diagnosis...)
		for k, d := range l.diagnoses[:l.pointers] {
			if k > 0 {
				b = append(b, ',')
			}
			b = appendInt(b, uint64(d))
		}
		b = append(b, ']')
	case actLineService:
		b = append(b, l.service...)
	case actLineRevenue:
		b = append(b, l.revenue...)
	case actLinePlace:
		b = append(b, r.p.words.places[l.place]...)
	case actLinePayment:
		if l.noncovered > 0 {
			b = append(b, "denied"...)
		} else {
			b = append(b, "paid"...)
		}
	case actLineKind:
		b = append(b, r.p.words.kinds[l.kind]...)
	case actLineBetos:
		b = append(b, r.p.words.betos[l.kind]...)
	case actLineModifier:
		b = append(b, l.modifier...)
	case actLineStart:
		b = append(b, calendar.text[l.start]...)
	case actLineEnd:
		b = append(b, calendar.text[l.end]...)
	case actLineQuantity:
		b = appendInt(b, uint64(l.quantity))
	}
	return b
}

func (r *rendering) lineAmount(act action) uint32 {
	l := r.l
	switch act {
	case actLineCharge:
		return l.charge
	case actLineAllowed:
		return l.allowed
	case actLinePaid:
		return l.paid
	case actLineCoinsurance:
		return l.coinsurance
	case actLineDeductible:
		return l.deductible
	case actLineNoncovered:
		return l.noncovered
	case actLineRate:
		return l.charge / uint32(l.quantity)
	}
	panic("synthetic: no such amount")
}

func (r *rendering) holds(act action) bool {
	c := r.c
	switch act {
	case ifTimed:
		return !c.untimed
	case ifReferring:
		return c.hasReferring
	case ifObservation:
		return c.observation > 0
	case ifBlood:
		return c.blood > 0
	case ifLocality:
		return c.locality < len(localities)
	case ifProcedures:
		return len(c.procedures) > 0
	case ifLineFirstObserved:
		return r.line == 0 && c.observation > 0
	case ifLineService:
		return r.l.service != ""
	case ifLineUnserviced:
		return r.l.service == ""
	case ifLineModifier:
		return r.l.modifier != ""
	}
	panic("synthetic: no such condition")
}

// beginLoop goes to the first element. Every claim has lines, and what else a
// shape loops over without a condition is never empty either.
func (r *rendering) beginLoop(act action) {
	switch act {
	case eachMember:
		r.member = r.skipped
	case eachDiagnosis:
		r.diagnosis = 0
	case eachProcedure:
		r.procedure = 0
	case eachLine:
		r.line, r.l = 0, &r.c.lines[0]
	}
}

// nextOf goes to the next element, if there is one.
func (r *rendering) nextOf(act action) bool {
	switch act {
	case nextMember:
		r.member++
		return r.member < len(r.c.team)
	case nextDiagnosis:
		r.diagnosis++
		return r.diagnosis < len(r.c.diagnoses)
	case nextProcedure:
		r.procedure++
		return r.procedure < len(r.c.procedures)
	}
	if r.line++; r.line == len(r.c.lines) {
		return false
	}
	r.l = &r.c.lines[r.line]
	return true
}

func (p *program) appendProcedure(b []byte, x *procedure, sequence int) []byte {
	around := &p.words.procedures[x.code]
	b = appendInt(append(b, `{"sequence":`...), uint64(sequence))
	b = append(b, p.procedureKinds[min(sequence-1, 1)]...)
	b = append(b, around[0]...)
	b = append(b, calendar.text[x.day]...)
	return append(b, around[1]...)
}

func (p *program) appendMember(b []byte, m *member, sequence int) []byte {
	w := &p.roles[m.role]
	b = append(b, w.open...)
	b = appendInt(b, uint64(sequence))
	b = append(b, p.words.provider...)
	b = append(b, providers[m.provider].npi...)
	if m.role == performing {
		return append(b, p.by[providers[m.provider].specialty]...)
	}
	return append(b, w.close...)
}

// appendDiagnosis needs the number of the entry; the DRG that STU3 puts first
// among the diagnoses of a stay takes a number too.
func (p *program) appendDiagnosis(b []byte, d *diagnosis, sequence int) []byte {
	b = append(b, '{')
	if d.poa > 0 {
		b = append(b, p.words.poa[poaField(d)][d.poa][poaAnswer(d)]...)
	}
	b = append(b, `"sequence":`...)
	b = appendInt(b, uint64(sequence))
	b = append(b, p.words.diagnoses[d.code]...)
	return append(b, p.kinds[d.kind]...)
}

func poaField(d *diagnosis) int {
	if d.kind == externalFirst || d.kind == external {
		return 1
	}
	return 0
}

func poaAnswer(d *diagnosis) int {
	if d.yes {
		return 1
	}
	return 0
}

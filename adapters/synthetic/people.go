package synthetic

import (
	"cms.gov/ab2d/domain"
)

// Person is who an enrollee is, whatever contract he is in.
type Person struct {
	Patient   domain.PatientID
	Born      domain.Date
	Died      domain.Date // zero for the living, as far as the source knows
	Female    bool
	State     string           // postal code
	StateCode string           // CMS's (SSA) number of the state
	County    string           // SSA number of the county within the state
	ZIP       string           // five digits
	Former    domain.PatientID // another id of his, merged into this one; empty for nearly all
}

// Person returns who has a patient id, and false for an id that is nobody's.
func (p *Population) Person(id domain.PatientID) (Person, bool) {
	who, _, ok := p.find(id)
	if !ok {
		return Person{}, false
	}
	l := p.life(who)
	s := &states[l.state]
	person := Person{
		Patient: id, Born: calendarFirst.AddDays(l.born), Female: l.female, State: s.postal, StateCode: s.number,
		County: string(appendPadded(nil, uint64(l.county), 3)), ZIP: string(appendPadded([]byte(s.zip), uint64(l.zip), 2)),
	}
	if l.died < immortal {
		person.Died = calendar.date[l.died]
	}
	if p.merged(who) {
		person.Former = formerSelf(who).id()
	}
	return person, true
}

// immortal is the day of death of those who do not die here.
const immortal = 1 << 30

// life is what the enrollment and the claims of a person follow from. Days count
// from the calendar's first and are negative before it.
type life struct {
	plan        plan // months in Part D, in whatever contract
	born, died  int
	female      bool
	state       int
	county, zip int
	frailty     int // 0 for the healthiest person in 1024, 1023 for the sickest
}

// life draws who a person is: enrollment first, then an age that goes with its
// beginning, and death within it. 15% are under 65 and disabled; the others'
// ages and sexes are as CMS counts them (Medicare Beneficiaries at a Glance,
// 2020: under 65 14%, 65-74 49%, 75-84 26%, 85 and over 11%; 54% women).
func (p *Population) life(who person) life {
	r := derive(p.seed^uint64(who), kindPerson, 0)
	l := life{plan: p.plan(who), died: immortal, state: drawState(&r), frailty: p.frailty(who)}
	l.county, l.zip = 10*r.below(60), 1+r.below(60)
	age := drawAge(&r)
	l.born = monthStart(l.plan.spans[0].first) - age*1461/4 - r.below(365)
	l.female = r.permille(womenAt[bandOf(age)])
	l.die(&r)
	return l
}

var womenAt = [4]int{470, 530, 565, 650}

// bandOf is the place of an age in the tables by age.
func bandOf(age int) int {
	switch {
	case age < 65:
		return 0
	case age < 75:
		return 1
	case age < 85:
		return 2
	default:
		return 3
	}
}

// drawAge gives the age at the beginning of the enrollment.
func drawAge(r *rng) int {
	switch n := r.below(1000); {
	case n < 160:
		return max(r.between(26, 63), r.between(34, 63))
	case n < 290:
		return 65
	case n < 440:
		return r.between(65, 69)
	case n < 650:
		return r.between(70, 74)
	case n < 800:
		return r.between(75, 79)
	case n < 900:
		return r.between(80, 84)
	case n < 965:
		return r.between(85, 89)
	default:
		return min(r.between(90, 101), r.between(90, 101))
	}
}

// mortality is how many of a thousand die in a year, from the age of 30 in steps
// of five years: of the order of the life tables of Social Security, with the
// disabled's own well above them before 65.
var mortality = [...]int{6, 8, 10, 14, 18, 22, 26, 15, 22, 35, 58, 102, 175, 280, 400}

// die draws the month of death among the enrolled months from 2020 on. An
// enrollment ends with it, so that everybody had at least one such month.
func (l *life) die(r *rng) {
	for _, s := range l.plan.spans[:l.plan.n] {
		for m := max(s.first, firstServed); m <= s.last; m++ {
			if r.below(1_000_000) < l.hazard(m) {
				l.plan = l.plan.until(m)
				l.died = min(r.between(monthStart(m), monthStart(m+1)-1), lastDay)
				return
			}
		}
	}
}

// hazard is the risk of dying in a month, in a million: higher for men and for
// the frail.
func (l *life) hazard(month int) int {
	step := min(max((l.age(month)-30)/5, 0), len(mortality)-1)
	sex := 115
	if l.female {
		sex = 88
	}
	return mortality[step] * 1000 / 12 * sex / 100 * (40 + 120*l.frailty/1024) / 100
}

// age in whole years at the beginning of a month.
func (l *life) age(month int) int { return (monthStart(month) - l.born) * 4 / 1461 }

func (p *Population) frailty(who person) int {
	r := derive(p.seed^uint64(who), kindHealth, 0)
	return r.below(1024)
}

// merged: one person in a hundred once had another id, whose MBI he keeps as a
// historic one.
func (p *Population) merged(who person) bool {
	r := derive(p.seed^uint64(who), kindIdentifiers, 1)
	return r.permille(10)
}

// formerSelf is the id that was merged, beyond those of any contract.
func formerSelf(who person) person { return who + formerIDs }

const formerIDs = 10_000 * maxEnrollees

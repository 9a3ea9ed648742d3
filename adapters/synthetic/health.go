package synthetic

// health is what a person has and how much care that takes.
type health struct {
	rate, drugs int            // A and B claims and Part D events a year; none for one in eleven
	onset       [chronic]int   // the month of each condition, never for none
	pick        [chronic]uint8 // which code of each condition is the person's
	female      bool

	// As of a month.
	month   int
	active  [chronic]uint8 // the conditions that have set in
	actives int
	upTo    [conditionCount]int // weights of the reasons for a visit, summed up
}

const never = 1 << 30

// yearly are the A and B claims a year at every 64th of the people, from few
// to many: log-normal with a median of 9 and one in a hundred above 150. The
// mean of 18 lies a little under that of the DE-SynPUF (16.7 carrier, 2.8
// outpatient, 0.23 inpatient a beneficiary-year). One in eleven has none at all;
// the last step goes to the cap.
var yearly = [...]int{
	0, 0, 0, 0, 0, 0, 1, 1,
	1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6, 7,
	7, 7, 7, 7, 7, 8, 8, 9, 9, 10, 10, 11, 12, 12, 13, 14, 14, 15, 16,
	17, 18, 19, 20, 21, 22, 24, 26, 28, 31, 33, 36, 40, 45, 51, 60, 73, 100, 300,
}

// draw decides what a person has. A condition sets in when its prevalence at
// his age, for his sex and frailty, passes the chance that was drawn for him, so
// that it sets in once and stays.
func (h *health) draw(key uint64, l *life) {
	r := derive(key, kindOnset, 0)
	low, high := yearly[l.frailty/16], yearly[l.frailty/16+1]
	h.rate, h.drugs, h.female = low+(high-low)*(l.frailty%16)/16, r.below(2)*6, l.female
	if h.rate > 0 {
		// Part D events are as frequent as carrier claims in truth. They are never
		// shared, so there are only enough of them to be met with everywhere.
		h.drugs = 2 + h.rate/10
	}
	for k := range h.pick {
		h.pick[k] = uint8(r.below(4))
	}
	if l.female && h.pick[cancer] == 0 { // of the prostate
		h.pick[cancer] = 1
	} else if !l.female && h.pick[cancer] == 1 { // of the breast
		h.pick[cancer] = 0
	}
	for k := range h.onset {
		chance, part := r.below(1000), r.below(12)
		h.onset[k] = never
		for m := 0; m <= lastEnrolled; m += 12 {
			if chance < conditions[k].likely(l, m) {
				h.onset[k] = max(m-part, 0)
				break
			}
		}
	}
}

// likely is the prevalence among people as old, of the sex and as frail, of a
// thousand. From 65 on it runs evenly between the middles of the age bands.
func (c *condition) likely(l *life, month int) int {
	p, age := &c.prevalence, l.age(month)
	var n int
	switch {
	case age < 65:
		n = p[0]
	case age < 75:
		n = between(age-65, p[1]*85/100, (p[1]+p[2])/2)
	case age < 85:
		n = between(age-75, (p[1]+p[2])/2, (p[2]+p[3])/2)
	default:
		n = between(min(age-85, 10), (p[2]+p[3])/2, p[3]*105/100)
	}
	sex := c.men
	if l.female {
		sex = c.women
	}
	return min(n*sex/100*(40+125*l.frailty/1024)/100, 970)
}

func between(tenths, from, to int) int { return from + (to-from)*tenths/10 }

// reach brings the health to a month: what has set in by then, and how likely
// each reason is for a visit in that season.
func (h *health) reach(month int) {
	h.month, h.actives = month, 0
	sum := 0
	for k := range conditions {
		c := &conditions[k]
		switch {
		case k >= chronic && c.seasons != nil:
			sum += c.weight * c.seasons[month%12] / 100
		case k >= chronic:
			sum += c.weight
		case h.onset[k] <= month:
			h.active[h.actives] = uint8(k)
			h.actives++
			sum += c.weight
		}
		h.upTo[k] = sum
	}
}

func (h *health) has(k, month int) bool { return k < chronic && h.onset[k] <= month }

// reason draws what a visit is for.
func (h *health) reason(r *rng) int {
	n := r.below(h.upTo[conditionCount-1])
	for k := range h.upTo {
		if n < h.upTo[k] {
			return k
		}
	}
	return symptoms
}

var (
	hypertensiveHeart  = int(diagnosisNumber("I110"))
	hypertensiveKidney = int(diagnosisNumber("I129"))
	covid              = int(diagnosisNumber("U071"))
	palliative         = int(diagnosisNumber("Z515"))
)

// covidBegins is April 2020.
var covidBegins = monthNumber(2020_04_01)

// code is the diagnosis code of a condition: always the same for what is
// chronic, any for what comes and goes. ICD-10-CM presumes that high blood
// pressure has to do with heart failure and kidney disease and has codes for
// them together.
func (h *health) code(r *rng, k int) int {
	if k >= chronic {
		return int(conditions[k].main[r.below(4)])
	}
	if k == hypertension {
		switch {
		case h.has(heartFailure, h.month):
			return hypertensiveHeart
		case h.has(kidneyDisease, h.month):
			return hypertensiveKidney
		}
	}
	return int(conditions[k].main[h.pick[k]])
}

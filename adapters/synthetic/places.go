package synthetic

// A state as its postal code, CMS's (SSA) number of it, the first three digits
// of ZIP codes of its largest city, and how many people of a thousand in
// Medicare live there, rounded up (CMS, Medicare Monthly Enrollment, 2020).
type state struct {
	postal, number, zip string
	weight              int
}

var states = [...]state{
	{"AL", "01", "352", 16}, {"AK", "02", "995", 2}, {"AZ", "03", "850", 21}, {"AR", "04", "722", 10}, {"CA", "05", "900", 101},
	{"CO", "06", "802", 15}, {"CT", "07", "061", 11}, {"DE", "08", "198", 4}, {"DC", "09", "200", 2}, {"FL", "10", "331", 74},
	{"GA", "11", "303", 28}, {"HI", "12", "968", 4}, {"ID", "13", "837", 6}, {"IL", "14", "606", 36}, {"IN", "15", "462", 20},
	{"IA", "16", "503", 10}, {"KS", "17", "672", 9}, {"KY", "18", "402", 15}, {"LA", "19", "701", 14}, {"ME", "20", "041", 6},
	{"MD", "21", "212", 17}, {"MA", "22", "021", 21}, {"MI", "23", "482", 33}, {"MN", "24", "554", 17}, {"MS", "25", "392", 10},
	{"MO", "26", "631", 20}, {"MT", "27", "591", 4}, {"NE", "28", "681", 6}, {"NV", "29", "891", 9}, {"NH", "30", "031", 5},
	{"NJ", "31", "071", 26}, {"NM", "32", "871", 7}, {"NY", "33", "100", 58}, {"NC", "34", "282", 32}, {"ND", "35", "581", 2},
	{"OH", "36", "432", 38}, {"OK", "37", "731", 12}, {"OR", "38", "972", 14}, {"PA", "39", "191", 44}, {"RI", "41", "029", 4},
	{"SC", "42", "292", 17}, {"SD", "43", "571", 3}, {"TN", "44", "372", 22}, {"TX", "45", "770", 67}, {"UT", "46", "841", 7},
	{"VT", "47", "054", 3}, {"VA", "49", "232", 24}, {"WA", "50", "981", 22}, {"WV", "51", "253", 7}, {"WI", "52", "532", 19},
	{"WY", "53", "820", 2},
}

// stateOf gives the state of each of as many people as the weights sum up to.
var stateOf = func() (all []uint8) {
	for i, s := range states {
		for range s.weight {
			all = append(all, uint8(i))
		}
	}
	return all
}()

func drawState(r *rng) int { return int(stateOf[r.below(len(stateOf))]) }

// The pools of providers and facilities are the same for every seed. A state
// has as many of each specialty and of each kind of facility as its size makes
// likely, two or more, and each of them keeps its numbers, its name, its state
// and its one specialty in all claims.
type provider struct {
	npi       string
	specialty uint8
}

type facility struct{ npi, number, name string }

type facilityKind uint8

const (
	hospital facilityKind = iota
	nursingFacility
	homeAgency
	hospice
	dialysisClinic
	pharmacy
	facilityKinds
)

// pool is where the providers and facilities of a state begin, and how many
// there are of each specialty and kind.
type pool struct{ provider, facility, each int }

var (
	pools      = drawPools()
	providers  = makeProviders()
	facilities = makeFacilities()
)

func drawPools() (all [len(states)]pool) {
	var next pool
	for i, s := range states {
		next.each = 2 + s.weight/5
		all[i] = next
		next.provider += next.each * len(specialties)
		next.facility += next.each * int(facilityKinds)
	}
	return all
}

func makeProviders() (all []provider) {
	for _, p := range pools {
		for s := range specialties {
			for range p.each {
				all = append(all, provider{npi(9_00_000_000 + uint64(len(all))*6_007), uint8(s)})
			}
		}
	}
	return all
}

// makeFacilities numbers facilities as CMS does: the state, then four digits
// from the range of the kind.
func makeFacilities() (all []facility) {
	names := [...]string{"Río Bravo", "Lakeside", "St. Æthelwold", "Cedar Hill", "Prärie View", "Mount Example", "Clínica Señorío", "Harbor", "Two Rivers", "Sample Valley"}
	kinds := [facilityKinds]struct {
		first int
		names [2]string
	}{
		hospital: {1, [2]string{"Medical Center", "Regional Hospital"}}, nursingFacility: {5001, [2]string{"Skilled Nursing Center", "Care & Rehabilitation"}},
		homeAgency: {7001, [2]string{"Home Health, Inc.", "Visiting Nurses"}}, hospice: {1501, [2]string{"Hospice", "Hospice & Palliative Care"}},
		dialysisClinic: {2501, [2]string{"Dialysis", "Kidney Care"}}, pharmacy: {9901, [2]string{"Pharmacy", "Drugs"}},
	}
	for i, p := range pools {
		for _, k := range kinds {
			for n := range p.each {
				at := uint64(len(all))
				number := states[i].number + string(appendPadded(nil, uint64(k.first+n), 4))
				name := names[mix(at)%10] + " " + k.names[mix(at)>>32%2] + " of " + states[i].postal + " " + string(appendInt(nil, uint64(n+1)))
				all = append(all, facility{npi(9_50_000_000 + at*19_009), number, name})
			}
		}
	}
	return all
}

// doctors are those whom a person goes to: one of each specialty and one of each
// kind of facility of the state, and now and then another.
type doctors struct {
	seed  uint64
	state int
}

func (d *doctors) choose(r *rng, what uint64) int {
	second := uint64(0)
	if r.permille(130) {
		second = 1
	}
	return int(mix(d.seed+what*2+second) % uint64(pools[d.state].each))
}

// doctor gives the number of a provider of a specialty.
func (d *doctors) doctor(r *rng, specialty int) int {
	p := &pools[d.state]
	return p.provider + specialty*p.each + d.choose(r, uint64(specialty))
}

func (d *doctors) facility(r *rng, kind facilityKind) int {
	p := &pools[d.state]
	return p.facility + int(kind)*p.each + d.choose(r, 1000+uint64(kind))
}

// npi puts the check digit behind nine digits: Luhn's over them with 80840 in
// front, as for every card of ISO 7812 (CMS, "NPI check digit calculation").
func npi(nine uint64) string {
	digits := appendInt([]byte("80840"), nine)
	sum := 0
	for i, c := range digits {
		d := int(c - '0')
		if (len(digits)-i)%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return string(append(digits[5:], byte('0'+(10-sum%10)%10)))
}

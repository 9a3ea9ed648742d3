package synthetic

import (
	"fmt"
	"iter"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"cms.gov/ab2d/domain"
)

// DefaultSeed is the seed of the sandbox. Changing it changes every person and
// every claim there; file hashes noted elsewhere would no longer hold.
const DefaultSeed uint64 = 20200101

// The fixed dates of this Medicare. None of them follows the clock, so that a
// sandbox holds the same people and claims today and next year.
const (
	// AttestationDate is the day on which the sandbox's sponsors attested.
	AttestationDate domain.Date = 2019_11_01
	// EarliestServed is the first date of service that is shared with anyone.
	EarliestServed domain.Date = 2020_01_01
	// LastDay ends it all: no enrollment and no billable period goes beyond.
	LastDay domain.Date = 2026_06_30
	// LastBatch is the day of the last ordinary weekly load. Claims that would
	// have come later are not there, which thins out the last two months of
	// service, as the run-out of real claims does.
	LastBatch domain.Date = 2026_08_29
	// SecondBatch is the day of one more load after all others: about one claim
	// in twenty was corrected in it. Nothing was updated between LastBatch and
	// SecondBatch and nothing after it, so an export with _since 2026-09-01 is
	// those claims and no others.
	SecondBatch domain.Date = 2026_09_19
)

// Contract is a contract of the population and how many enrollees it has.
type Contract struct {
	Number    domain.ContractNumber
	Enrollees int // at most a million
}

// SandboxContracts returns the contracts of the six sandbox sponsors, PDP-100
// to PDP-30000, 48,100 enrollees in all.
func SandboxContracts() []Contract {
	return []Contract{{"S0000", 100}, {"S0001", 1000}, {"S0002", 2000}, {"S0005", 5000}, {"S0010", 10000}, {"S0030", 30000}}
}

// Population is a set of people made from a seed. It is immutable and safe for
// concurrent use.
type Population struct {
	seed      uint64
	contracts []Contract // in the order of their numbers
	census    []census   // of the contracts
}

// Option changes what New makes.
type Option func(*Population)

// WithContracts replaces the sandbox contracts. The digits of the numbers must
// differ, since patient ids are made of them, and there are at most a million
// enrollees in each; New panics otherwise.
func WithContracts(contracts ...Contract) Option {
	return func(p *Population) { p.contracts = slices.Clone(contracts) }
}

// New returns the population of a seed, with the sandbox contracts unless
// options say otherwise.
func New(seed uint64, options ...Option) *Population {
	p := &Population{seed: seed, contracts: SandboxContracts()}
	for _, o := range options {
		o(p)
	}
	slices.SortFunc(p.contracts, func(a, b Contract) int { return strings.Compare(string(a.Number), string(b.Number)) })
	used := map[int]bool{}
	for _, c := range p.contracts {
		if _, err := domain.ParseContractNumber(string(c.Number)); err != nil {
			panic("synthetic: " + err.Error())
		}
		if c.Enrollees < 0 || c.Enrollees > maxEnrollees || used[contractDigits(c.Number)] {
			panic(fmt.Sprintf("synthetic: contract %s has too many enrollees or the digits of another", c.Number))
		}
		used[contractDigits(c.Number)] = true
	}
	p.census = newCensus(p.contracts)
	return p
}

// Contracts returns the contracts in the order of their numbers.
func (p *Population) Contracts() []Contract { return slices.Clone(p.contracts) }

// Size returns how many enrollees a contract has, 0 for one that is not here.
func (p *Population) Size(contract domain.ContractNumber) int {
	for _, c := range p.contracts {
		if c.Number == contract {
			return c.Enrollees
		}
	}
	return 0
}

// Enrollee is a person enrolled in a contract.
type Enrollee struct {
	Patient     domain.PatientID
	Months      domain.MonthSet // at least one month from 2020 on
	Identifiers domain.Identifiers
}

// Enrollees yields the enrollees of a contract in ascending order of patient
// id, and none for a contract that is not here. All ids of a population are
// equally long, so the order of the texts is that of their digits.
func (p *Population) Enrollees(contract domain.ContractNumber) iter.Seq[Enrollee] {
	return func(yield func(Enrollee) bool) {
		for i := range p.census {
			c := &p.census[i]
			for n := range c.Enrollees {
				if c.Number != contract {
					break
				}
				if !yield(p.enrollee(c.person(n), contract)) {
					return
				}
			}
		}
	}
}

// Find returns the enrollee with a patient id, with his months in his home
// contract, which his id is of, and false for an id that is nobody's.
func (p *Population) Find(id domain.PatientID) (Enrollee, domain.ContractNumber, bool) {
	who, contract, ok := p.find(id)
	if !ok {
		return Enrollee{}, "", false
	}
	return p.enrollee(who, contract), contract, true
}

// FindIn returns the enrollee with a patient id and his months in a contract,
// his home or the other one that he switched from or to, and false where the
// contract does not list him.
func (p *Population) FindIn(contract domain.ContractNumber, id domain.PatientID) (Enrollee, bool) {
	who, home, ok := p.find(id)
	if !ok || home != contract && !p.isGuest(who, contract) {
		return Enrollee{}, false
	}
	return p.enrollee(who, contract), true
}

func (p *Population) isGuest(who person, contract domain.ContractNumber) bool {
	return who.switches() && slices.ContainsFunc(p.census, func(c census) bool {
		return c.Number == contract && c.host == int(uint64(who)/maxEnrollees) && int(uint64(who)%maxEnrollees/switchEvery) < c.guests
	})
}

func (p *Population) enrollee(who person, contract domain.ContractNumber) Enrollee {
	l := p.life(who)
	months := l.plan
	if who.switches() {
		home, other := p.shares(who, l.plan)
		if months = home; contractDigits(contract) != int(uint64(who)/maxEnrollees) {
			months = other
		}
	}
	return Enrollee{Patient: who.id(), Months: months.months(), Identifiers: p.identifiers(who)}
}

const maxEnrollees = 1_000_000

// person numbers everybody who could be enrolled anywhere: the digits of the
// contract, then six digits for the place in it.
type person uint64

func newPerson(digits, place int) person { return person(digits*maxEnrollees + place) }

// idBase gives all patient ids fourteen digits.
const idBase = 10_000_000_000_000

// id is -1000 CCCC NNNNNN without the spaces.
func (who person) id() domain.PatientID {
	return domain.PatientID(appendInt([]byte{'-'}, idBase+uint64(who)))
}

func (p *Population) find(id domain.PatientID) (person, domain.ContractNumber, bool) {
	if len(id) != 15 || id[:5] != "-1000" {
		return 0, "", false
	}
	var n int
	for _, c := range []byte(id[5:]) {
		if c < '0' || c > '9' {
			return 0, "", false
		}
		n = n*10 + int(c-'0')
	}
	for i := range p.census {
		if c := &p.census[i]; contractDigits(c.Number) == n/maxEnrollees && n%maxEnrollees < c.natives {
			return person(n), c.Number, true
		}
	}
	return 0, "", false
}

// homeOf returns the digits of the contract that a patient id belongs to, and
// -1 for an id of another form.
func homeOf(id domain.PatientID) int {
	n, err := strconv.Atoi(strings.TrimPrefix(string(id), "-"))
	if err != nil || n < idBase {
		return -1
	}
	return (n - idBase) / maxEnrollees
}

func contractDigits(c domain.ContractNumber) int {
	n := 0
	for _, d := range []byte(c[1:]) {
		n = n*10 + int(d-'0')
	}
	return n
}

// identifiers: one MBI for most, one or two historic ones for a tenth, that of
// another id for those who were merged, and now and then nobody knows a current
// one.
func (p *Population) identifiers(who person) domain.Identifiers {
	r := derive(p.seed^uint64(who), kindIdentifiers, 0)
	var ids domain.Identifiers
	if !r.permille(2) {
		ids.Current = p.mbi(who, 0)
	}
	if r.permille(100) {
		ids.Historic = append(ids.Historic, p.mbi(who, 1))
		if r.permille(150) {
			ids.Historic = append(ids.Historic, p.mbi(who, 2))
		}
	}
	if p.merged(who) {
		ids.Historic = append(ids.Historic, p.mbi(formerSelf(who), 0))
	}
	return ids
}

// An MBI has eleven characters of these kinds (CMS, "Understanding the MBI
// format"), with position 2 held at S, a letter that no real one has anywhere.
const (
	mbiLetters = "ACDEFGHJKMNPQRTUVWXY"
	mbiDigits  = "0123456789"
	mbiNonZero = "123456789"
	mbiEither  = mbiDigits + mbiLetters
)

var mbiPlaces = [...]string{mbiNonZero, "S", mbiEither, mbiDigits, mbiLetters, mbiEither, mbiDigits, mbiLetters, mbiLetters, mbiDigits, mbiDigits}

// mbiSpace is how many different MBIs there are, and mbiStep, which shares no
// factor with it, spreads neighbours over it without ever meeting one twice.
const (
	mbiSpace = 9 * 30 * 10 * 20 * 30 * 10 * 20 * 20 * 10 * 10
	mbiStep  = 401_245_678_901
)

func (p *Population) mbi(who person, nth uint64) domain.MBI {
	hi, lo := bits.Mul64(uint64(who)*4+nth, mbiStep)
	lo, carry := bits.Add64(lo, mix(p.seed)%mbiSpace, 0)
	_, n := bits.Div64((hi+carry)%mbiSpace, lo, mbiSpace)
	var mbi [len(mbiPlaces)]byte
	for i, alphabet := range mbiPlaces {
		mbi[i] = alphabet[n%uint64(len(alphabet))]
		n /= uint64(len(alphabet))
	}
	return domain.MBI(mbi[:])
}

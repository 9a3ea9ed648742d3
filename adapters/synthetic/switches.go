package synthetic

import (
	"slices"

	"cms.gov/ab2d/domain"
)

// One person in 33 is in two contracts, one after the other. His id is of his
// home contract; the other is the sandbox contract before it, as far as there is
// room, or one that nobody here knows. All of that is a matter of the id alone,
// so nobody's life depends on which contracts a population has, only who is
// listed where.
const (
	switchEvery = 33
	switchPlace = 5
)

// elsewhere is the contract of those who came from or went to no contract of
// the sandbox.
const elsewhere domain.ContractNumber = "S9998"

func (who person) switches() bool { return uint64(who)%maxEnrollees%switchEvery == switchPlace }

// other is the contract beside the home of a person who switches.
func (who person) other() domain.ContractNumber {
	digits, nth := int(uint64(who)/maxEnrollees), int(uint64(who)%maxEnrollees/switchEvery)
	for i, c := range sandbox {
		if i > 0 && contractDigits(c.Number) == digits && nth < sandbox[i-1].Enrollees/guestShare {
			return sandbox[i-1].Number
		}
	}
	return elsewhere
}

var sandbox = SandboxContracts()

// guestShare: at most every tenth enrollee of a contract has his home elsewhere.
const guestShare = 10

// census is a contract and whom it lists: natives, who have their home in it,
// and after them guests, whose home is the next contract of the sandbox.
type census struct {
	Contract
	natives, guests int
	host            int // digits of the guests' home
}

func newCensus(contracts []Contract) []census {
	all := make([]census, len(contracts))
	for i, c := range contracts {
		all[i] = census{Contract: c, natives: c.Enrollees}
		at := slices.IndexFunc(sandbox, func(s Contract) bool { return s.Number == c.Number })
		if at < 0 || at+1 == len(sandbox) {
			continue
		}
		host := slices.IndexFunc(contracts, func(h Contract) bool { return h.Number == sandbox[at+1].Number })
		if host < 0 {
			continue
		}
		// Of the host only those are counted on whom no guests of its own displace.
		all[i].guests = min(c.Enrollees/guestShare, sandbox[at].Enrollees/guestShare,
			(contracts[host].Enrollees*(guestShare-1)/guestShare+switchEvery-1-switchPlace)/switchEvery)
		all[i].natives -= all[i].guests
		all[i].host = contractDigits(contracts[host].Number)
	}
	return all
}

// person is the nth of those that a contract lists, in the order of their ids.
func (c *census) person(n int) person {
	if n < c.natives {
		return newPerson(contractDigits(c.Number), n)
	}
	return newPerson(c.host, (n-c.natives)*switchEvery+switchPlace)
}

// shares splits the enrollment of a person who switches between his home and
// the other contract: the first months in the one and the rest in the other.
// Each has a month from 2020 on. In one case out of five both list the month of
// the switch, and a single month is always in both.
func (p *Population) shares(who person, all plan) (home, other plan) {
	r := derive(p.seed^uint64(who), kindSwitch, 0)
	months := all.served()
	if months < 2 {
		return all, all
	}
	at := all.nth(r.between(1, months-1))
	before, after := all.until(at-1), all.from(at)
	if r.permille(200) {
		before = all.until(at)
	}
	if r.permille(500) {
		return after, before
	}
	return before, after
}

package synthetic

import "math/bits"

// rng is SplitMix64 (Steele, Lea and Flood, 2014): one word of state, so that
// every person, month and claim can have a generator of its own for nothing.
type rng uint64

func (r *rng) next() uint64 {
	*r += 0x9E3779B97F4A7C15
	return mix(uint64(*r))
}

// below returns a number from 0 to n-1. Its bias is under n/2^64.
func (r *rng) below(n int) int {
	hi, _ := bits.Mul64(r.next(), uint64(n))
	return int(hi)
}

// between returns a number from lo to hi, both included.
func (r *rng) between(lo, hi int) int { return lo + r.below(hi-lo+1) }

// permille is true n times in a thousand.
func (r *rng) permille(n int) bool { return r.below(1000) < n }

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// The kinds keep apart the generators that belong to one person. Where they begin
// is a choice among populations as likely as each other: in this one the hundred
// people of S0000 have more than 25 MB of claims, as the real sandbox's had.
const (
	kindEnrollment = 18 + iota
	kindIdentifiers
	kindHealth
	kindMonth
	kindPerson
	kindSwitch
	kindCourse
	kindDoctors
	kindOnset
)

// derive gives the generator of one thing: hash(parent, kind, number).
func derive(parent uint64, kind, number uint64) rng {
	return rng(mix(mix(parent^kind*0xD6E8FEB86659FD93) + number*0xA0761D6478BD642F))
}

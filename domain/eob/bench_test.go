package eob

import (
	"testing"

	"cms.gov/ab2d/domain"
)

// BenchmarkTrim measures bytes of raw claims, as the source sends them, one of
// each type and AB2D's own samples in turn.
func BenchmarkTrim(b *testing.B) {
	b.Run("R4", func(b *testing.B) { benchmarkTrim(b, domain.R4) })
	b.Run("STU3", func(b *testing.B) { benchmarkTrim(b, domain.STU3) })
}

func benchmarkTrim(b *testing.B, v domain.FHIRVersion) {
	claims := samplesOf(b, v)
	size := 0
	for _, c := range claims {
		size += len(c.compact)
	}
	trimmer := NewTrimmer(v)
	var dst []byte
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, c := range claims {
			out, _, err := trimmer.Trim(dst[:0], c.compact, someMBIs)
			if err != nil {
				b.Fatal(err)
			}
			dst = out
		}
	}
}

// BenchmarkStrict measures the strict way, for what the scanner does not take.
func BenchmarkStrict(b *testing.B) {
	claims := samplesOf(b, domain.R4)
	size := 0
	for _, c := range claims {
		size += len(c.compact)
	}
	rules := compiledFor(shape{version: domain.R4})
	b.SetBytes(int64(size))
	for b.Loop() {
		for _, c := range claims {
			if _, _, err := trimStrictly(rules, nil, c.compact, nil, true); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// Trimming allocates nothing once the destination has room, and only room when
// it has not.
func TestAllocations(t *testing.T) {
	for _, s := range samples(t) {
		trimmer := NewTrimmer(s.version)
		dst, _, err := trimmer.Trim(nil, s.compact, someMBIs)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(20, func() { _, _, _ = trimmer.Trim(dst[:0], s.compact, someMBIs) }); n > 0 {
			t.Errorf("%s: %v allocations with room", s.name, n)
		}
		if n := testing.AllocsPerRun(20, func() { _, _, _ = trimmer.Trim(nil, s.compact, someMBIs) }); n > 1 {
			t.Errorf("%s: %v allocations without room", s.name, n)
		}
	}
}

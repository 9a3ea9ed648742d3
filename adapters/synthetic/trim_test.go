//go:build !race

// One goroutine does all of this alone: the race detector would find nothing in
// it and take ten times as long. make test runs it in an ordinary build.

package synthetic_test

import (
	"slices"
	"testing"

	"cms.gov/ab2d/adapters/synthetic"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/domain/eob"
	"cms.gov/ab2d/ports"
)

// delivery is what an export of a sample comes to.
type delivery struct {
	enrollees, without, many, sent, kept, months float64
	rawBytes, trimmedBytes                       float64
	verdicts                                     map[eob.Verdict]float64
	types                                        map[eob.ClaimType]float64
}

func deliver(t *testing.T, version domain.FHIRVersion, people []synthetic.Enrollee) delivery {
	source := synthetic.NewClaims(population, clock)
	trimmer := eob.NewTrimmer(version)
	d := delivery{verdicts: map[eob.Verdict]float64{}, types: map[eob.ClaimType]float64{}}
	var out []byte
	for _, e := range people {
		months := e.Months.Within(synthetic.EarliestServed.Month(), synthetic.LastDay.Month())
		selection := eob.Selection{Patient: e.Patient, Through: now, Now: domain.Entitlement{Months: months, From: synthetic.EarliestServed}}
		mbis := eob.MBIExtensions(e.Identifiers)
		kept := 0.
		forEach(t, source, ports.ClaimsQuery{Version: version, Patient: e.Patient}, func(raw []byte) {
			trimmed, facts, err := trimmer.Trim(out[:0], raw, mbis)
			if err != nil {
				t.Fatalf("%v in %s", err, raw)
			}
			out = trimmed
			d.sent++
			d.rawBytes += float64(len(raw))
			verdict := selection.Decide(facts)
			d.verdicts[verdict]++
			if verdict == eob.Keep {
				kept++
				d.trimmedBytes += float64(len(trimmed) + 1)
				d.types[facts.Type]++
			}
		})
		d.enrollees++
		d.kept += kept
		d.months += float64(months.Count())
		if kept == 0 {
			d.without++
		}
		if kept*12 > 150*float64(months.Count()) && months.Count() >= 6 {
			d.many++
		}
	}
	return d
}

// TestWhatAnExportComesTo filters and trims a sample as an export does, and
// holds the result to what the sandbox is meant to be.
func TestWhatAnExportComesTo(t *testing.T) {
	people := sample(1000)
	for version, want := range map[domain.FHIRVersion]struct{ claim, enrollee [2]float64 }{
		domain.R4:   {[2]float64{5000, 7000}, [2]float64{220_000, 320_000}},
		domain.STU3: {[2]float64{3800, 5400}, [2]float64{170_000, 260_000}},
	} {
		t.Run(string(version), func(t *testing.T) {
			d := deliver(t, version, people)
			if d.verdicts[eob.Restricted] > 0 {
				t.Errorf("%g claims have codes of 42 CFR Part 2", d.verdicts[eob.Restricted])
			}
			band(t, "kept claims an enrollee", d.kept/d.enrollees, 38, 55)
			band(t, "enrollees without claims", d.without/d.enrollees, 0.10, 0.17)
			band(t, "enrollees with over 150 a year", d.many/d.enrollees, 0.005, 0.02)
			band(t, "trimmed bytes a claim", d.trimmedBytes/d.kept, want.claim[0], want.claim[1])
			band(t, "trimmed bytes an enrollee", d.trimmedBytes/d.enrollees, want.enrollee[0], want.enrollee[1])
			band(t, "raw bytes for one trimmed", d.rawBytes/d.trimmedBytes, 2.3, 3.6)
			band(t, "claims outside the months", d.verdicts[eob.NotCovered]/d.sent, 0.02, 0.10)
			band(t, "Part D events", d.verdicts[eob.NotShared]/d.sent, 0.08, 0.25)
			for kind, share := range map[eob.ClaimType]float64{
				eob.Carrier: .77, eob.Outpatient: .154, eob.DME: .055, eob.Inpatient: .0092, eob.HHA: .0054, eob.SNF: .0038, eob.Hospice: .0023,
			} {
				band(t, "share of "+kind.String(), d.types[kind]/d.kept, share*.6, share*1.6)
			}
			if version == domain.R4 {
				band(t, "gigabytes of S0030", d.trimmedBytes/d.enrollees*30_000/1e9, 7, 8.3)
				small := deliver(t, version, slices.Collect(population.Enrollees("S0000")))
				band(t, "megabytes of S0000", small.trimmedBytes/1e6, 20, 45)
			}
			t.Logf("S0030: %.1f GB trimmed, %.1f GB raw", d.trimmedBytes/d.enrollees*30_000/1e9, d.rawBytes/d.enrollees*30_000/1e9)
		})
	}
}

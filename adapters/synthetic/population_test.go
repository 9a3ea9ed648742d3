package synthetic_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"cms.gov/ab2d/adapters/synthetic"
	"cms.gov/ab2d/domain"
)

var population = synthetic.New(synthetic.DefaultSeed)

// sample gives n enrollees from all over the biggest contract.
func sample(n int) []synthetic.Enrollee {
	var some []synthetic.Enrollee
	i, size := 0, population.Size("S0030")
	for e := range population.Enrollees("S0030") {
		if i*n/size >= len(some) {
			some = append(some, e)
		}
		i++
	}
	return some
}

func TestSandboxContracts(t *testing.T) {
	total := 0
	for _, c := range population.Contracts() {
		n := 0
		for range population.Enrollees(c.Number) {
			n++
		}
		if n != c.Enrollees || n != population.Size(c.Number) {
			t.Errorf("%s has %d enrollees, not %d", c.Number, n, c.Enrollees)
		}
		total += n
	}
	if total != 48_100 {
		t.Errorf("there are %d people", total)
	}
	for range population.Enrollees("Z9999") {
		t.Fatal("a contract that is not here has an enrollee")
	}
}

func TestPatientIDsAscendAndAreNobodyElses(t *testing.T) {
	for _, c := range population.Contracts() {
		last := domain.PatientID("")
		for e := range population.Enrollees(c.Number) {
			if len(e.Patient) != 15 || e.Patient[0] != '-' || e.Patient <= last {
				t.Fatalf("%q comes after %q", e.Patient, last)
			}
			last = e.Patient
		}
	}
	for _, stranger := range []domain.PatientID{"", "-1", "-10000030030000", "-10009999000000", "-1000003000000x", "100000300000001"} {
		if _, _, known := population.Find(stranger); known {
			t.Errorf("%q is somebody", stranger)
		}
	}
}

func TestAPersonDependsOnSeedAndIDAlone(t *testing.T) {
	// Another population with the same seed, other sizes and other company.
	again := synthetic.New(synthetic.DefaultSeed, synthetic.WithContracts(synthetic.Contract{Number: "S0030", Enrollees: 200}))
	other := synthetic.New(synthetic.DefaultSeed + 1)
	differ := 0
	for e := range again.Enrollees("S0030") {
		found, contract, known := population.Find(e.Patient)
		if !known || contract != "S0030" || !same(found, e) {
			t.Fatalf("%s is another person in another population", e.Patient)
		}
		if o, _, _ := other.Find(e.Patient); !same(o, e) {
			differ++
		}
	}
	if differ != 200 {
		t.Errorf("%d of 200 people differ under another seed", differ)
	}
}

func same(a, b synthetic.Enrollee) bool {
	return a.Patient == b.Patient && a.Months == b.Months && a.Identifiers.Current == b.Identifiers.Current && slices.Equal(a.Identifiers.Historic, b.Identifiers.Historic)
}

func TestContractsThatCannotBeAreRefused(t *testing.T) {
	for _, contracts := range [][]synthetic.Contract{
		{{Number: "S0001", Enrollees: 1}, {Number: "E0001", Enrollees: 1}},
		{{Number: "S1", Enrollees: 1}},
		{{Number: "S0001", Enrollees: 1_000_001}},
		{{Number: "S0001", Enrollees: -1}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v was accepted", contracts)
				}
			}()
			synthetic.New(1, synthetic.WithContracts(contracts...))
		}()
	}
}

// TestMBIs: eleven characters as CMS prescribes, but for the S in position 2,
// and none twice.
func TestMBIs(t *testing.T) {
	const letters, digits = "ACDEFGHJKMNPQRTUVWXY", "0123456789"
	places := []string{"123456789", "S", letters + digits, digits, letters, letters + digits, digits, letters, letters, digits, digits}
	seen, known := map[domain.MBI]bool{}, map[domain.PatientID]bool{}
	people, historic, without := 0, 0, 0
	for _, c := range population.Contracts() {
		for e := range population.Enrollees(c.Number) {
			if known[e.Patient] {
				continue
			}
			known[e.Patient] = true
			people++
			if len(e.Identifiers.Historic) > 0 {
				historic++
			}
			all := e.Identifiers.Historic
			if e.Identifiers.Current == "" {
				without++
			} else {
				all = append(slices.Clone(all), e.Identifiers.Current)
			}
			for _, mbi := range all {
				for i, allowed := range places {
					if len(mbi) != len(places) || !strings.Contains(allowed, string(mbi)[i:i+1]) {
						t.Fatalf("%s is no synthetic MBI", string(mbi))
					}
				}
				if seen[mbi] {
					t.Fatalf("%s is given twice", string(mbi))
				}
				seen[mbi] = true
			}
		}
	}
	band(t, "people with a historic MBI", float64(historic)/float64(people), 0.09, 0.13)
	band(t, "people without a current MBI", float64(without)/float64(people), 0.0005, 0.005)
}

func TestEnrollment(t *testing.T) {
	first, last := synthetic.EarliestServed.Month(), synthetic.LastDay.Month()
	people, months, gaps, single, left, early := 0., 0., 0., 0., 0., 0.
	for e := range population.Enrollees("S0030") {
		served := e.Months.Within(first, last)
		if served.IsEmpty() {
			t.Fatalf("%s has no month that is served", e.Patient)
		}
		if !e.Months.Minus(e.Months.Within(first-12, last)).IsEmpty() {
			t.Fatalf("%s is enrolled in %v", e.Patient, e.Months.Months())
		}
		all := served.Months()
		people++
		months += float64(len(all))
		if end := all[len(all)-1]; int(end-all[0])+1 != len(all) {
			gaps++
		} else if len(all) == 1 {
			single++
		}
		if all[len(all)-1] < last {
			left++
		}
		if e.Months.Has(first - 1) {
			early++
		}
	}
	band(t, "months from 2020 on", months/people, 28, 33)
	band(t, "people with a gap", gaps/people, 0.06, 0.16)
	band(t, "people with one month", single/people, 0.02, 0.10)
	band(t, "people who left", left/people, 0.2, 0.6)
	band(t, "people enrolled before 2020", early/people, 0.1, 0.3)
}

func band(t *testing.T, what string, got, low, high float64) {
	t.Helper()
	t.Logf("%s: %.4g", what, got)
	if got < low || got > high {
		t.Errorf("%s: %.4g is not between %g and %g", what, got, low, high)
	}
}

func TestPopulationIsSafeForConcurrentUse(t *testing.T) {
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			n := 0
			for range population.Enrollees("S0001") {
				n++
			}
			if n != 1000 {
				t.Errorf("%d enrollees", n)
			}
		})
	}
	all.Wait()
}

func BenchmarkEnrollees(b *testing.B) {
	for b.Loop() {
		for _, c := range population.Contracts() {
			for range population.Enrollees(c.Number) {
			}
		}
	}
}

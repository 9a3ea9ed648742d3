package domain_test

import (
	"testing"

	"cms.gov/ab2d/domain"
)

// A contract number is a letter and four digits, nothing else, since it goes
// into file names as it is.
func FuzzContractNumber(f *testing.F) {
	for _, seed := range []string{"S0000", "Z9999", "s0000", "S000", "S00000", "S0000\n", "Ś0000", "S٠٠٠٠", "../..", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := len(s) == 5 && s[0] >= 'A' && s[0] <= 'Z'
		for i := 1; want && i < 5; i++ {
			want = s[i] >= '0' && s[i] <= '9'
		}
		n, err := domain.ParseContractNumber(s)
		if (err == nil) != want || err == nil && string(n) != s {
			t.Errorf("%q: %q, %v", s, n, err)
		}
	})
}

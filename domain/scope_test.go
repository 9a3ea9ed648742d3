package domain

import (
	"strings"
	"testing"
)

func TestScopesOfBothVersions(t *testing.T) {
	for asked, want := range map[string]struct {
		granted string
		reads   bool // ExplanationOfBenefit
	}{
		"clientCreds":                             {"clientCreds", true},
		"system/*.read":                           {"system/*.read", true},
		"system/*.rs":                             {"system/*.rs", true},
		"system/ExplanationOfBenefit.read":        {"system/ExplanationOfBenefit.read", true},
		"system/ExplanationOfBenefit.rs":          {"system/ExplanationOfBenefit.rs", true},
		"system/*.cruds":                          {"system/*.rs", true},
		"system/*.*":                              {"system/*.read", true},
		"system/Patient.rs":                       {"system/Patient.rs", false},
		"system/Patient.rs system/*.rs":           {"system/*.rs system/Patient.rs", true},
		"system/Observation.read system/*.read":   {"system/*.read", true},
		"system/*.read system/*.read":             {"system/*.read", true},
		"system/Observation.read":                 {},
		"system/*.r":                              {},
		"system/*.s":                              {},
		"system/*.sr":                             {},
		"system/*.write":                          {},
		"system/*.rs?category=x":                  {},
		"system/ExplanationOfBenefit":             {},
		"system/.read":                            {},
		"system/":                                 {},
		"patient/*.read":                          {},
		"openid system/*.read":                    {},
		"clientCreds openid":                      {},
		"system/explanationofbenefit.read":        {},
		"":                                        {},
		"system/*.rss":                            {},
		"system/ExplanationOfBenefit.rs.read":     {},
		"system/Patient/ExplanationOfBenefit.rs":  {},
		"SYSTEM/*.read":                           {},
		"system/Patient.write system/Coverage.rs": {"system/Coverage.rs", false},
	} {
		granted, err := GrantScopes(strings.Fields(asked))
		if got := strings.Join(granted, " "); got != want.granted || (err == nil) != (want.granted != "") {
			t.Errorf("%q gets %q, %v, want %q", asked, got, err, want.granted)
		}
		if granted.Reads("ExplanationOfBenefit") != want.reads {
			t.Errorf("%q lets read claims: %v", asked, !want.reads)
		}
	}
	for _, known := range KnownScopes() {
		if got, err := GrantScopes([]string{known}); err != nil || len(got) != 1 || got[0] != known {
			t.Errorf("%s is told, and gets %v, %v", known, got, err)
		}
	}
}

package hpms

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cms.gov/ab2d/domain"
)

// organization is a row of the answer about organizations: one a contract.
type organization struct {
	ParentID      loose `json:"parentOrgId"`
	ParentName    loose `json:"parentOrgName"`
	Contract      loose `json:"contractId"`
	Name          loose `json:"contractName"`
	MarketingName loose `json:"orgMarketingName"`
}

// standing is a row of the answer about contracts.
type standing struct {
	Contract loose `json:"contractId"`
	Attested loose `json:"attested"`
	Since    loose `json:"attestationDate"`
	Ends     loose `json:"endDate"`
}

// count is a row of the answer about enrollments.
type count struct {
	Contract loose `json:"contractId"`
	Enrolled loose `json:"totalEnrollment"`
	Eligible loose `json:"medicareEligible"`
}

// loose is a text, whether it comes as one, as a number, a truth value or null.
type loose string

func (l *loose) UnmarshalJSON(b []byte) error {
	switch {
	case bytes.Equal(b, []byte("null")):
		*l = ""
	case b[0] == '"':
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*l = loose(strings.TrimSpace(s))
	case b[0] == '{' || b[0] == '[':
		return fmt.Errorf("%s where a single value belongs", b)
	default:
		*l = loose(b)
	}
	return nil
}

func contractsOf(orgs []organization) ([]domain.ListedContract, error) {
	all := []domain.ListedContract{}
	for _, o := range orgs {
		n, err := domain.ParseContractNumber(string(o.Contract))
		if err != nil {
			return nil, fmt.Errorf("the organizations of HPMS: %w", err)
		}
		l := domain.ListedContract{Number: n, Name: string(o.Name), ParentID: string(o.ParentID), ParentName: string(o.ParentName)}
		if l.Name == "" {
			l.Name = string(o.MarketingName)
		}
		if i := slices.IndexFunc(all, func(other domain.ListedContract) bool { return other.Number == n }); i >= 0 {
			if all[i] != l {
				return nil, fmt.Errorf("HPMS lists contract %s twice, and not the same", n)
			}
			continue
		}
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b domain.ListedContract) int { return strings.Compare(string(a.Number), string(b.Number)) })
	return all, nil
}

// apply puts what is said about a contract where the contract is. Of one that
// was not asked about nothing is taken.
func (s standing) apply(contracts []domain.ListedContract) error {
	for i := range contracts {
		l := &contracts[i]
		if string(l.Number) != string(s.Contract) {
			continue
		}
		attested, err := strconv.ParseBool(string(s.Attested))
		if err != nil {
			return nil // not said
		}
		if l.Since, err = date(s.Since); err == nil {
			l.Ends, err = date(s.Ends)
		}
		if err != nil {
			return fmt.Errorf("the attestation of contract %s in HPMS: %w", l.Number, err)
		}
		if l.Known && l.Attested != attested {
			return fmt.Errorf("HPMS says of contract %s that it is attested and that it is not", l.Number)
		}
		l.Known, l.Attested = true, attested
	}
	return nil
}

// date reads the day of 2020-03-01 15:04:05, which is Eastern time: the civil
// date as it is written.
func date(s loose) (domain.Date, error) {
	if s == "" {
		return 0, nil
	}
	return domain.ParseDate(string(s)[:min(len(s), len("2006-01-02"))])
}

func (n count) apply(contracts []domain.ListedContract) {
	for i := range contracts {
		if l := &contracts[i]; string(l.Number) == string(n.Contract) {
			l.Enrolled, _ = strconv.Atoi(string(n.Enrolled)) // what is no number is not said
			l.Eligible, _ = strconv.Atoi(string(n.Eligible))
		}
	}
}

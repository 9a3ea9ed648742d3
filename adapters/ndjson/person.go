package ndjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"cms.gov/ab2d/domain"
)

// extension is a FHIR extension as far as it is looked at here.
type extension struct {
	URL         string `json:"url"`
	ValueDate   string `json:"valueDate"`
	ValueCoding struct {
		Code string `json:"code"`
	} `json:"valueCoding"`
}

type patientResource struct {
	ID         string `json:"id"`
	Identifier []struct {
		System    string      `json:"system"`
		Value     string      `json:"value"`
		Extension []extension `json:"extension"`
		Type      struct {
			Coding []struct {
				Extension []extension `json:"extension"`
			} `json:"coding"`
		} `json:"type"`
		Period struct {
			Start string `json:"start"`
			End   string `json:"end"`
		} `json:"period"`
	} `json:"identifier"`
}

const mbiSystem = "http://hl7.org/fhir/sid/us-mbi"

// readPatient returns a person's id and MBIs. An MBI that is not marked current
// or historic is current unless its period has ended. Of several current ones
// that with the latest start is the current one, and the others count as
// historic.
func readPatient(raw []byte) (id []byte, ids domain.Identifiers, err error) {
	var p patientResource
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, ids, fault(err)
	}
	if !validID([]byte(p.ID)) {
		return nil, ids, errors.New("a Patient without an id that FHIR allows")
	}
	var since string
	for _, i := range p.Identifier {
		if i.System != mbiSystem || i.Value == "" {
			continue
		}
		currency := currencyOf(i.Extension)
		for _, c := range i.Type.Coding {
			if currency == "" {
				currency = currencyOf(c.Extension)
			}
		}
		mbi := domain.MBI(i.Value)
		switch {
		case currency == "historic" || currency == "" && i.Period.End != "":
			ids.Historic = append(ids.Historic, mbi)
		case ids.Current == "":
			ids.Current, since = mbi, i.Period.Start
		case i.Period.Start > since:
			ids.Historic = append(ids.Historic, ids.Current)
			ids.Current, since = mbi, i.Period.Start
		default:
			ids.Historic = append(ids.Historic, mbi)
		}
	}
	return []byte(p.ID), ids, nil
}

func currencyOf(extensions []extension) string {
	for _, e := range extensions {
		if strings.HasSuffix(e.URL, "/identifier-currency") {
			return e.ValueCoding.Code
		}
	}
	return ""
}

type coverageResource struct {
	Beneficiary struct {
		Reference string `json:"reference"`
	} `json:"beneficiary"`
	Extension []extension `json:"extension"`
}

// readCoverage returns whose coverage it is and the months in each contract:
// none for coverage that says nothing of Part D contracts.
func readCoverage(raw []byte) (id []byte, months map[domain.ContractNumber]domain.MonthSet, err error) {
	var c coverageResource
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, nil, fault(err)
	}
	if id = patientID(c.Beneficiary.Reference); id == nil {
		return nil, nil, errors.New("a Coverage whose beneficiary is not Patient/ and an id that FHIR allows")
	}
	year := 0
	for _, e := range c.Extension {
		if strings.HasSuffix(e.URL, "/rfrnc_yr") {
			if year, err = strconv.Atoi(e.ValueDate); err != nil {
				return nil, nil, errors.New("rfrnc_yr is not a year")
			}
		}
	}
	months = map[domain.ContractNumber]domain.MonthSet{}
	for _, e := range c.Extension {
		_, rest, ok := strings.Cut(e.URL, "/ptdcntrct")
		if !ok {
			continue
		}
		n, err := domain.ParseContractNumber(e.ValueCoding.Code)
		if err != nil {
			continue // 0, N, X and the like: in no contract that month
		}
		m, err := monthOf(rest, year)
		if err != nil {
			return nil, nil, err
		}
		months[n] = months[n].With(m, m)
	}
	return id, months, nil
}

// monthOf reads the month at the end of an extension's address: 01, of the year
// of reference, or 01/2021-1.
func monthOf(rest string, year int) (domain.Month, error) {
	mm, own, hasOwn := strings.Cut(rest, "/")
	month, err := strconv.Atoi(mm)
	if err != nil || month < 1 || month > 12 {
		return 0, fmt.Errorf("ptdcntrct%.20q names no month", mm)
	}
	if hasOwn {
		y, _, _ := strings.Cut(own, "-")
		if year, err = strconv.Atoi(y); err != nil {
			return 0, fmt.Errorf("ptdcntrct%s/%.20q names no year", mm, own)
		}
	}
	if year == 0 {
		return 0, errors.New("a Part D contract without rfrnc_yr to tell its year")
	}
	if year < 0 || year > 2200 {
		return 0, errors.New("the year of a Part D contract is not possible")
	}
	return domain.NewMonth(year, time.Month(month)), nil
}

// fault tells of JSON that cannot be read without telling its content.
func fault(err error) error {
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		return fmt.Errorf("not valid JSON: %w at byte %d", syntax, syntax.Offset)
	}
	if kind := (*json.UnmarshalTypeError)(nil); errors.As(err, &kind) {
		return fmt.Errorf("%s is a JSON %s and should not be", kind.Field, kind.Value)
	}
	return errors.New("not valid JSON")
}

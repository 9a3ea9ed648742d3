package ndjson

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"cms.gov/ab2d/domain"
)

// readContracts hands over the rows of contracts.csv. A month that is left
// empty is the first that Part D had, or last. An error names file and line.
func readContracts(path string, last domain.Month, take func(line int, patient []byte, n domain.ContractNumber, months domain.MonthSet) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.ReuseRecord, r.TrimLeadingSpace, r.FieldsPerRecord, r.Comment = true, true, -1, '#'
	for first := true; ; first = false {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if syntax := (*csv.ParseError)(nil); errors.As(err, &syntax) {
			return fmt.Errorf("%s:%d: %w", path, syntax.Line, syntax.Err)
		} else if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		line, _ := r.FieldPos(0)
		if first {
			if strings.TrimPrefix(strings.Join(row, ","), "\ufeff") != "contract,patient,from,to" {
				return fmt.Errorf("%s:%d: the first line is not contract,patient,from,to", path, line)
			}
			continue
		}
		n, months, err := contractRow(row, last)
		if err == nil {
			err = take(line, []byte(row[1]), n, months)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, line, err)
		}
	}
}

func contractRow(row []string, last domain.Month) (domain.ContractNumber, domain.MonthSet, error) {
	if len(row) != 4 {
		return "", "", fmt.Errorf("%d columns instead of contract, patient, from and to", len(row))
	}
	n, err := domain.ParseContractNumber(row[0])
	if err != nil {
		return "", "", err
	}
	if !validID([]byte(row[1])) {
		return "", "", errors.New("the patient is not an id that FHIR allows")
	}
	from, err := parseMonth(row[2], domain.NewMonth(2006, time.January))
	if err != nil {
		return "", "", err
	}
	to, err := parseMonth(row[3], last)
	if err != nil {
		return "", "", err
	}
	if row[3] != "" && to < from {
		return "", "", fmt.Errorf("%s is before %s", to, from)
	}
	return n, domain.MonthSet("").With(from, to), nil
}

func parseMonth(s string, empty domain.Month) (domain.Month, error) {
	if s == "" {
		return empty, nil
	}
	t, err := time.Parse("2006-01", s)
	if err != nil || t.Year() > 2200 {
		return 0, fmt.Errorf("%.20q is not a month in the form YYYY-MM", s)
	}
	return domain.NewMonth(t.Year(), t.Month()), nil
}

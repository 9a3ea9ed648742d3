package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"cms.gov/ab2d/domain"
)

// Weights are the shares of contracts, written S0001=3,S0002=2.
type Weights map[domain.ContractNumber]int

// String writes the weights in the order of contracts.
func (w *Weights) String() string {
	var parts []string
	for _, n := range slices.Sorted(maps.Keys(*w)) {
		parts = append(parts, fmt.Sprintf("%s=%d", n, (*w)[n]))
	}
	return strings.Join(parts, ",")
}

// Set replaces the weights by those that text gives.
func (w *Weights) Set(text string) error {
	read := Weights{}
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		contract, number, _ := strings.Cut(part, "=")
		weight, err := strconv.Atoi(number)
		if err != nil || weight < 1 || contract == "" {
			return fmt.Errorf("%q is not a contract and its weight, as S0001=3", part)
		}
		read[domain.ContractNumber(contract)] = weight
	}
	*w = read
	return nil
}

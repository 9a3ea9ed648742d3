package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// standIn is a service upstream that this program can stand in for.
type standIn struct {
	name, summary string
	run           func(ctx context.Context, args []string) error
}

var standIns = []standIn{
	{"bfd", "the Beneficiary FHIR Data server: claims, and who is enrolled", mockBFD},
	{"hpms", "the Health Plan Management System: contracts, and which of them are attested", mockHPMS},
}

// mock stands in for a service upstream until it is told to stop. Stand-ins take
// flags of their own and none of the settings.
func mock(ctx context.Context, args []string) error {
	var lines []string
	for _, s := range standIns {
		if len(args) > 0 && args[0] == s.name {
			return s.run(ctx, args[1:])
		}
		lines = append(lines, fmt.Sprintf("  %-5s %s", s.name, s.summary))
	}
	slices.Sort(lines)
	return errors.New("usage: ab2d mock NAME [FLAGS]; each lists its flags with -h\n\n" + strings.Join(lines, "\n"))
}

package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"cms.gov/ab2d/adapters/bfd"
	"cms.gov/ab2d/adapters/bfdmock"
	"cms.gov/ab2d/adapters/config"
)

const simulateUsage = `usage: ab2d simulate [NAME=VALUE...]

  people=2000000,6000000   of the export
  workers=1,2,4            processes
  connections=60,100,200   calls at once that each may make (AB2D_BFD_CONNECTIONS)
  total=0                  and all together (AB2D_BFD_CONNECTIONS_TOTAL)
  latency=500ms~0.4        of BFD, as for ab2d mock bfd; a range is not understood
  capacity=0               calls at once that BFD bears without getting slower; 0 for any number
  work=2ms                 of one processor for one person's claims
  partitions=2             that a process writes at once (AB2D_WORKERS)`

// ab2dHours is what AB2D took for two million people and three months (BFD's RFC 0017).
const ab2dHours = 24.0

// simulate plays large exports through in simulated time and says how long they take.
func simulate(_ context.Context, _ *config.Config, args []string) error {
	lists := map[string][]int{"people": {2_000_000, 6_000_000}, "workers": {1, 2, 4}, "connections": {60, 100, 200}, "total": {0}, "capacity": {0}, "partitions": {2}}
	latency, work := bfdmock.Latency{From: 500 * time.Millisecond, Sigma: 0.4}, 2*time.Millisecond
	for _, a := range args {
		name, value, _ := strings.Cut(a, "=")
		var err error
		switch _, list := lists[name]; {
		case name == "latency":
			latency, err = bfdmock.ParseLatency(value)
		case name == "work":
			work, err = time.ParseDuration(value)
		case list:
			lists[name], err = numbers(value)
		default:
			err = fmt.Errorf("%q is nothing that simulate takes", a)
		}
		if err != nil {
			return fmt.Errorf("%w\n\n%s", err, simulateUsage)
		}
	}
	fmt.Printf("Exports in simulated time: BFD's latency %s (sigma %g), work %s a person, partitions of 500 people.\n", latency.From, latency.Sigma, work)
	fmt.Printf("AB2D took %g hours for two million people; beside is that time, for as many people, over ours.\n\n", ab2dHours)
	fmt.Printf("%10s %8s %12s %10s %10s %10s %12s\n", "people", "workers", "connections", "at once", "refused %", "hours", "times AB2D")
	for _, people := range lists["people"] {
		for _, workers := range lists["workers"] {
			for _, connections := range lists["connections"] {
				r := bfd.Simulation{People: people, Workers: workers, Connections: connections, Total: lists["total"][0], Partitions: lists["partitions"][0], Members: 500,
					Lookahead: connections, Work: work / time.Duration(lists["partitions"][0]), Turnaround: 200 * time.Millisecond,
					Latency: latency.From, Sigma: latency.Sigma, Capacity: lists["capacity"][0], Refuse: 1.5, Seed: 1}.Run()
				hours := r.Took.Hours()
				fmt.Printf("%10s %8d %12d %10.0f %10.2f %10.2f %12.1f\n", grouped(people), workers, connections, r.AtOnce, 100*float64(r.Refused)/float64(r.Calls),
					hours, ab2dHours*float64(people)/2e6/hours)
			}
		}
	}
	return nil
}

func numbers(list string) (all []int, err error) {
	for _, one := range strings.Split(list, ",") {
		n, err := strconv.Atoi(one)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%q is no whole number", one)
		}
		all = append(all, n)
	}
	return all, nil
}

//go:build linux

package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"cms.gov/ab2d/adapters/sandboxauth"
)

// sponsorFor returns the sandbox's sponsor of a contract.
func sponsorFor(contract string) (sandboxauth.GuideSponsor, error) {
	for _, s := range sandboxauth.Guide {
		if string(s.Contract) == contract {
			return s, nil
		}
	}
	return sandboxauth.GuideSponsor{}, fmt.Errorf("there is no contract %s in the sandbox", contract)
}

func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}

// clockTick is the unit of /proc/PID/stat, which Linux fixes at a hundredth of
// a second for programs.
const clockTick = 10 * time.Millisecond

// cpuOf returns the processor time a running process has used; zero if it cannot
// be known.
func cpuOf(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * clockTick
}

// peakRSS returns the most memory a running process ever held, in KiB.
func peakRSS(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	kb, _ := strconv.Atoi(strings.Fields(rest + " 0")[0])
	return kb
}

// Package clock is the machine's own clock.
package clock

import (
	"time"

	"cms.gov/ab2d/ports"
)

// System tells the machine's time.
type System struct{}

var _ ports.Clock = System{}

// Now returns the present in UTC.
func (System) Now() time.Time { return time.Now().UTC() }

package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"cms.gov/ab2d/domain"
)

// Rate is a setting of how often something may be done: 60/5s is 60 times at
// once, and one more every five seconds. 0 does not bound.
type Rate struct{ domain.Rate }

// String writes the rate as it is read.
func (r *Rate) String() string {
	if r == nil || !r.Bounds() {
		return "0"
	}
	return fmt.Sprintf("%d/%s", r.Burst, r.Per)
}

// Set reads the rate.
func (r *Rate) Set(s string) error {
	if s == "0" {
		r.Rate = domain.Rate{}
		return nil
	}
	burst, per, _ := strings.Cut(s, "/")
	n, err1 := strconv.Atoi(burst)
	d, err2 := time.ParseDuration(per)
	if err1 != nil || err2 != nil || n < 1 || n > 1_000_000 || d < time.Millisecond || d > 24*time.Hour {
		return fmt.Errorf("it must be as 60/5s, which is 60 at once and one more every five seconds, or 0 for no bound")
	}
	r.Rate = domain.Rate{Burst: n, Per: d}
	return nil
}

func rate(burst int, per time.Duration) Rate { return Rate{domain.Rate{Burst: burst, Per: per}} }

package domain

import "time"

// Process is a process of this service that runs, as those who oversee it see it.
type Process struct {
	ID        string // made anew at each start
	Host      string
	PID       int
	Version   string
	Roles     []string
	StartedAt time.Time
	Silent    time.Duration // since it last told of itself, by the store's clock
	State     ProcessState
}

// ProcessState is what a process tells of itself.
type ProcessState struct {
	Partitions int          `json:"partitions"`       // that it writes now
	Places     int          `json:"places"`           // partitions that it writes at once at most
	Memory     int64        `json:"memory"`           // bytes that it holds of the machine's memory
	Disk       *Disk        `json:"disk,omitempty"`   // where its files are; nil where they are in a bucket
	Source     *SourceState `json:"source,omitempty"` // nil where nothing bounds the calls
}

// Disk is how full a disk is.
type Disk struct {
	Free  int64     `json:"free"` // bytes that we may still write
	Total int64     `json:"total"`
	Since time.Time `json:"since"` // when it was first seen too full; zero while it is not
}

// SourceState is how the calls of a process to the claims source stand.
type SourceState struct {
	Limit   int       `json:"limit"` // calls at once, as it finds the source takes them
	InUse   int       `json:"in_use"`
	Waiting int       `json:"waiting"`
	Away    time.Time `json:"away"`    // since when no call is let through; zero while they are
	Outages int64     `json:"outages"` // times that the source went away since the process started
}

// The bounds beyond which somebody has to look.
const (
	DiskFull    = 0.8         // of a disk
	SilentAfter = time.Minute // without a word of a process
)

// Used returns how much of the disk is used, from 0 to 1.
func (d Disk) Used() float64 {
	if d.Total <= 0 {
		return 0
	}
	return 1 - float64(d.Free)/float64(d.Total)
}

// Full reports whether too much is.
func (d Disk) Full() bool { return d.Used() > DiskFull }

// ErrandRun is what came of an errand the last time.
type ErrandRun struct {
	EndedAt time.Time         `json:"ended_at"`
	Took    time.Duration     `json:"took"`
	Outcome string            `json:"outcome"` // done, or what kept it from being
	Detail  map[string]string `json:"detail,omitempty"`
	Done    time.Time         `json:"done"` // when it last ended well
}

// Errand is something that is done again and again, by one process at a time.
type Errand struct {
	Name string
	Busy bool          // somebody is at it
	Rest time.Duration // until it is due; zero or less when it is
	Last ErrandRun     // zero when it never ended
}

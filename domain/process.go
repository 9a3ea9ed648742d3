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
	DiskFull    = 0.8             // of a disk
	SilentAfter = time.Minute     // without a word of a process
	WaitsLong   = 5 * time.Minute // of work that no worker has begun
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
	Swept   *Swept            `json:"swept,omitempty"` // of a sweep
	Done    time.Time         `json:"done"`            // when it last ended well
}

// The outcomes of errands that did what they are for.
const (
	DoneRun = "done"
	HeldRun = "held" // what it brought waits for a person
)

// Well reports whether the errand did what it is for.
func (r ErrandRun) Well() bool { return r.Outcome == DoneRun || r.Outcome == HeldRun }

// After returns the run as it is kept after another: it remembers when the errand
// last ended well.
func (r ErrandRun) After(other ErrandRun) ErrandRun {
	if r.Done = other.Done; r.Well() {
		r.Done = r.EndedAt
	}
	return r
}

// Errand is something that is done again and again, by one process at a time.
type Errand struct {
	Name string
	Busy bool          // somebody is at it
	Rest time.Duration // until it is due; zero or less when it is
	Last ErrandRun     // zero when it never ended
}

// missedTurns is how many of its turns an errand may miss. What is done every few
// seconds may well be a minute late.
const (
	missedTurns = 3
	someLate    = time.Minute
)

// Due returns when an errand that is done so often has to have ended well again,
// at the latest. It is zero for one that was never tried.
func (e Errand) Due(every time.Duration) time.Time {
	if e.Last.EndedAt.IsZero() {
		return time.Time{}
	}
	return e.Last.Done.Add(missedTurns*every + someLate)
}

// Swept is what a sweep of the store of files found and did.
type Swept struct {
	Files   int    `json:"files"`   // that are kept
	Bytes   int64  `json:"bytes"`   // of these
	Ages    []Aged `json:"ages"`    // the same by how long ago they were written, the youngest first
	Deleted int    `json:"deleted"` // files whose time was over
	Orphans int    `json:"orphans"` // files that nothing referred to, deleted too
	Freed   int64  `json:"freed"`   // bytes of all that were deleted
}

// Aged is what is kept that was written not longer ago than Within, which is zero
// for all that is older than the others.
type Aged struct {
	Within time.Duration `json:"within"`
	Files  int           `json:"files"`
	Bytes  int64         `json:"bytes"`
}

// NewSwept returns an empty account.
func NewSwept() Swept {
	const day = 24 * time.Hour
	return Swept{Ages: []Aged{{Within: time.Hour}, {Within: day}, {Within: 3 * day}, {Within: 14 * day}, {}}}
}

// Keep counts a file that is kept.
func (s *Swept) Keep(bytes int64, age time.Duration) {
	s.Files, s.Bytes = s.Files+1, s.Bytes+bytes
	for i := range s.Ages {
		if a := &s.Ages[i]; a.Within == 0 || age <= a.Within {
			a.Files, a.Bytes = a.Files+1, a.Bytes+bytes
			return
		}
	}
}

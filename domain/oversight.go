package domain

import "time"

// JobFigures are what a job comes to in numbers.
type JobFigures struct {
	Progress
	Partitions  int
	Open        int // of Partitions, those not done
	Attempts    int // at all partitions together
	Files       int // with data; once successful
	ErrorFiles  int
	PlainBytes  int64 // of all files, as sponsors read them
	StoredBytes int64 // as they are kept
	Lines       int   // claims in the data files
}

// EndedJob is a job that ended, in what figures over many of them need.
type EndedJob struct {
	ID          JobID
	State       JobState
	CreatedAt   time.Time
	StartedAt   time.Time // zero when it was never planned
	CompletedAt time.Time
	Succeeded   bool  // also when its files expired since, or the sponsor deleted it
	PlainBytes  int64 // of its files
}

// Exported returns how many bytes the job gave its sponsor: those of a job that did
// not get to its end were never to be had.
func (j EndedJob) Exported() int64 {
	if !j.Succeeded {
		return 0
	}
	return j.PlainBytes
}

// Switch is a setting that staff change while everything runs.
type Switch struct {
	Name      string
	Value     string
	ChangedAt time.Time
	ChangedBy string
}

// MaintenanceSwitch is the switch that keeps exports from starting: its value
// tells why, and an empty one lets them start.
const MaintenanceSwitch = "maintenance"

// PauseSwitch is the switch that keeps workers from beginning anything: its value
// tells why, and an empty one lets them begin. What they are at goes on.
const PauseSwitch = "pause"

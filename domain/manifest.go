package domain

import "time"

// Manifest is what a completed job offers. It is derived from the job and its
// files and never stored.
type Manifest struct {
	Job             JobID
	Version         FHIRVersion
	TransactionTime time.Time
	Request         string
	Window          Window // what was asked for; a zero bound was not given
	Through         time.Time
	Terms           Terms
	Output          []OutputFile
	Errors          []OutputFile
	Accounts        []Account
	Skipped         []SkippedContract
	ExpiresAt       time.Time
}

// NewManifest derives the manifest of a successful job from its files in the
// order of their names.
func NewManifest(j *ExportJob, files []OutputFile) Manifest {
	s := j.State()
	m := Manifest{Job: s.ID, Version: s.Version, TransactionTime: s.TransactionTime, Request: s.Request, Window: s.Window, Terms: s.Terms,
		Through: s.Window.Through(s.TransactionTime), Accounts: s.Accounts, Skipped: s.Skipped, ExpiresAt: s.ExpiresAt}
	for _, f := range files {
		if f.Kind == ErrorFile {
			m.Errors = append(m.Errors, f)
		} else {
			m.Output = append(m.Output, f)
		}
	}
	return m
}

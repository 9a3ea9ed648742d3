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
	Retries         []Retry
	ExpiresAt       time.Time

	Page  int  // which page of several this is, from 1; 0 for a manifest in one piece
	More  bool // a page follows
	Whole bool // of a page: it completes the manifest, and so the accounts are on it
}

// RetryExtension is where a manifest has its retries.
const RetryExtension = "https://ab2d.cms.gov/retry"

// Retry is the export that asks again for those of a contract whose claims could
// not be had, on the terms of the export that lacks them. Without an end of its
// own the window has none: what came in meanwhile does no harm.
type Retry struct {
	Contract ContractNumber
	Patients []PatientID
	Window   Window
	Terms    Terms
}

// NewManifest derives the manifest of a successful job from its files in the
// order of their names.
func NewManifest(j *ExportJob, files []OutputFile) Manifest {
	s := j.State()
	m := Manifest{Job: s.ID, Version: s.Version, TransactionTime: s.TransactionTime, Request: s.Request, Window: s.Window, Terms: s.Terms,
		Through: s.Window.Through(s.TransactionTime), Accounts: s.Accounts, Skipped: s.Skipped, ExpiresAt: s.ExpiresAt}
	for _, a := range s.Accounts {
		if len(a.Lost) > 0 {
			m.Retries = append(m.Retries, Retry{a.Contract, a.Lost, s.Window, s.Terms})
		}
	}
	for _, f := range files {
		if f.Kind == ErrorFile {
			m.Errors = append(m.Errors, f)
		} else {
			m.Output = append(m.Output, f)
		}
	}
	return m
}

package domain

import (
	"fmt"
	"time"
)

// KeyRange is a range of patient ids in the byte order of their text, both
// ends included.
type KeyRange struct{ From, To PatientID }

// PartitionState is whether a partition's result is bound.
type PartitionState string

// The states of a partition.
const (
	PartitionOpen PartitionState = "open"
	PartitionDone PartitionState = "done"
)

// Values lists the states, for stores that keep them as an enumeration.
func (PartitionState) Values() []string {
	return []string{string(PartitionOpen), string(PartitionDone)}
}

// PartitionID names a partition: its job and its place in the job's order.
type PartitionID struct {
	Job JobID
	Seq int // from 1, over all contracts of the job in contract order
}

// String returns the id for logs.
func (id PartitionID) String() string { return fmt.Sprintf("%s/%d", id.Job, id.Seq) }

// Partition is the slice of a contract's enrollees that one worker writes.
type Partition struct {
	ID       PartitionID
	Contract ContractNumber
	Keys     KeyRange
	Members  int // how many enrollees planning counted in it

	State     PartitionState
	Attempt   int // how many workers have begun it
	Processed int // of Members, by the attempt that is running
	Result    PartitionResult
}

// Lease is a worker's hold on a partition. A result is bound only by the lease
// in force; whoever lost it binds nothing.
type Lease struct {
	Partition Partition
	Token     string
	Attempt   int
}

// PartitionResult is what a partition came to. It is bound in one row change.
type PartitionResult struct {
	Files    []StoredFile
	Columns  Columns
	Lost     []PatientID    `json:",omitempty"` // of Failed, those whose claims could not be had, in order: they can be asked for again
	Excluded map[string]int // claims that stayed behind, by reason; internal totals only
	Claims   int
}

// FileKind tells apart what is in a file.
type FileKind string

// The kinds of output file.
const (
	DataFile     FileKind = "data" // claims
	PatientFile  FileKind = "patient"
	CoverageFile FileKind = "coverage"
	ErrorFile    FileKind = "error"
)

// Values lists the kinds, for stores that keep them as an enumeration.
func (FileKind) Values() []string {
	return []string{string(DataFile), string(PatientFile), string(CoverageFile), string(ErrorFile)}
}

// StoredFile is one finished NDJSON file as it lies in the store.
type StoredFile struct {
	Kind   FileKind
	Key    string // where it is stored
	Lines  int
	Plain  Content // the NDJSON
	Stored Content // the stored form, gzip
	Index  []byte  // where the stored form can be entered, for ranges of the plain form

	Continues bool `json:",omitempty"` // what it has of its last patient goes on in the file after it, where files are by patient
}

// Content is the size and digest of some bytes.
type Content struct {
	Bytes  int64
	SHA256 string // lower-case hexadecimal
}

// OutputFile is a file of a successful job under its public name.
type OutputFile struct {
	Job      JobID
	Name     string // as S0000_0001.ndjson
	Contract ContractNumber
	StoredFile
}

// ResourceType returns what the lines of the file are.
func (f OutputFile) ResourceType() string {
	switch f.Kind {
	case ErrorFile:
		return "OperationOutcome"
	case PatientFile:
		return string(Patient)
	case CoverageFile:
		return string(Coverage)
	}
	return string(ExplanationOfBenefit)
}

// NameFiles gives the files of a job's partitions their public names, in the
// order of the partitions: {contract}_{0001...}.ndjson for data, and
// {contract}_{0001...}_error.ndjson for errors, each counted by itself (guide of
// 2019 and AB2D today). The names depend on the partitions alone, not on who
// finished first. Counting goes on behind the files of the partitions before, if
// those have their names already.
func NameFiles(partitions []Partition, before ...OutputFile) []OutputFile {
	var out []OutputFile
	type series struct {
		contract ContractNumber
		errors   bool
	}
	count := map[series]int{}
	for _, f := range before {
		count[series{f.Contract, f.Kind == ErrorFile}]++
	}
	for _, p := range partitions {
		for _, f := range p.Result.Files {
			s := series{p.Contract, f.Kind == ErrorFile}
			count[s]++
			suffix := ".ndjson"
			if s.errors {
				suffix = "_error.ndjson"
			}
			out = append(out, OutputFile{Job: p.ID.Job, Contract: p.Contract, StoredFile: f,
				Name: fmt.Sprintf("%s_%04d%s", p.Contract, count[s], suffix)})
		}
	}
	return out
}

// Progress is how far a job is, counted in enrollees.
type Progress struct{ Processed, Members int }

// Percent returns whole percents. While a job runs it never says 100: that is
// told only once everything is bound.
func (p Progress) Percent() int {
	if p.Members == 0 {
		return 0
	}
	return min(99, p.Processed*100/p.Members)
}

// Remaining estimates how long the rest takes at the pace so far. It returns
// false when there is no pace to go by yet.
func (p Progress) Remaining(elapsed time.Duration) (time.Duration, bool) {
	if p.Processed == 0 || elapsed <= 0 {
		return 0, false
	}
	return time.Duration(float64(elapsed) / float64(p.Processed) * float64(p.Members-p.Processed)), true
}

// JobPrefix is what the keys of all files of a job begin with.
func JobPrefix(id JobID) string { return "jobs/" + string(id) + "/" }

// AttemptPrefix is what the keys of all files of one attempt at a partition
// begin with. No two attempts write under the same keys, so that a worker which
// lost its lease cannot touch what its successor writes.
func AttemptPrefix(id PartitionID, attempt int) string {
	return fmt.Sprintf("%s%05d-%d/", JobPrefix(id.Job), id.Seq, attempt)
}

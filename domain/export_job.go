package domain

import (
	"slices"
	"time"
)

// JobState is where an export job is in its life.
type JobState string

// The states of a job. The last four are final but for expiry and deletion.
const (
	Submitted  JobState = "submitted"
	InProgress JobState = "in_progress"
	Successful JobState = "successful"
	Failed     JobState = "failed"
	Cancelled  JobState = "cancelled"
	Lapsed     JobState = "expired"
)

// Values lists the states, for stores that keep them as an enumeration.
func (JobState) Values() []string {
	return []string{string(Submitted), string(InProgress), string(Successful), string(Failed), string(Cancelled), string(Lapsed)}
}

// Active reports whether a job in this state counts towards the limit of
// running jobs.
func (s JobState) Active() bool { return s == Submitted || s == InProgress }

// SkippedContract is a contract that an export of several left out, and why.
type SkippedContract struct {
	Contract ContractNumber
	Reason   string
}

// Failure is why a job failed.
type Failure struct {
	Code   Code
	Reason string // for the sponsor; never holds claim data
	ID     string // to quote to the help desk; also in the logs
}

// ContractPlan is what planning fixed for one contract of a job.
type ContractPlan struct {
	Contract     ContractNumber
	Enrollment   EnrollmentVersion // the version every partition reads
	Before       EnrollmentVersion // the version in force at _since; zero when there was none or no _since
	EnrolledAsOf time.Time         // as of when that version is the enrollment
	Enrolled     int               // members, counted independently of the partitions' own columns
	From         Date              // the data start and earliest date served, fixed for the whole job
	FromBefore   Date              // the same as it was known at _since; zero when nothing was shared then
}

// Account says what became of every member of one contract. It is told in the
// manifest.
type Account struct {
	Contract ContractNumber
	Columns
	EnrolledAsOf time.Time   // as of when the enrollment is that the export read
	Lost         []PatientID `json:",omitempty"` // of Failed, those whose claims could not be had: they can be asked for again
}

// Columns are the four ends an enrollee of a job can come to, each exactly one.
type Columns struct {
	Exported     int // at least one claim was delivered
	NoClaims     int // asked for, and none is to be shared in this window
	OptedOut     int // asked not to be shared
	Failed       int // could not be had; told in the error file
	NoCurrentMBI int // of all four: enrolled without a current MBI, and exported all the same
	FullHistory  int // of Exported and NoClaims: entitled to more than at _since, so read without that bound
}

// Enrollees returns the sum of the four columns.
func (c Columns) Enrollees() int { return c.Exported + c.NoClaims + c.OptedOut + c.Failed }

// Plus adds two sets of columns.
func (c Columns) Plus(d Columns) Columns {
	return Columns{c.Exported + d.Exported, c.NoClaims + d.NoClaims, c.OptedOut + d.OptedOut, c.Failed + d.Failed, c.NoCurrentMBI + d.NoCurrentMBI, c.FullHistory + d.FullHistory}
}

// ExportJobState is everything about a job, for stores and readers. Rules live
// in the methods of ExportJob.
type ExportJobState struct {
	ID        JobID
	Sponsor   SponsorID
	Client    ClientID // who started it
	Contracts []ContractNumber
	Skipped   []SkippedContract
	Version   FHIRVersion
	Request   string // the kick-off URL as it came
	Window    Window
	Terms     Terms
	Weight    int    // its share of the workers beside other jobs; 0 counts as 1
	Trace     string // what ties together what is told of the job's work; means nothing to us

	State           JobState
	CreatedAt       time.Time
	StartedAt       time.Time
	CompletedAt     time.Time
	ExpiresAt       time.Time
	TransactionTime time.Time // zero until planned
	Plans           []ContractPlan
	Accounts        []Account // once successful
	Failure         Failure   // once failed
	Partials        Partials
}

// ExportJob is one accepted request and its life. Its state moves only through
// its methods, each of which can refuse with a conflict.
type ExportJob struct{ s ExportJobState }

// NewExportJob returns a submitted job.
func NewExportJob(s ExportJobState) *ExportJob {
	s.State = Submitted
	return &ExportJob{s}
}

// RestoreExportJob is for stores: it takes a job back from what State gave.
func RestoreExportJob(s ExportJobState) *ExportJob { return &ExportJob{s} }

// State returns a copy of everything about the job. The slices are shared and
// must not be changed.
func (j *ExportJob) State() ExportJobState { return j.s }

// ID returns the job's id.
func (j *ExportJob) ID() JobID { return j.s.ID }

func (j *ExportJob) move(to JobState, from ...JobState) error {
	if !slices.Contains(from, j.s.State) {
		return Errorf(Conflict, "job %s is %s and cannot become %s", j.s.ID, j.s.State, to)
	}
	j.s.State = to
	return nil
}

// Begin records the plan and puts the job in progress.
func (j *ExportJob) Begin(at, transactionTime time.Time, plans []ContractPlan) error {
	if err := j.move(InProgress, Submitted); err != nil {
		return err
	}
	j.s.StartedAt, j.s.TransactionTime, j.s.Plans = at, transactionTime, plans
	return nil
}

// Succeed completes the job with the account of every contract. It refuses
// with a business_rule error, and leaves the job as it is, when the columns of
// a contract do not add up to its enrollment: nobody is lost.
func (j *ExportJob) Succeed(at time.Time, life time.Duration, accounts []Account) error {
	if len(accounts) != len(j.s.Plans) {
		return Errorf(BusinessRule, "%d of %d contracts are accounted for", len(accounts), len(j.s.Plans))
	}
	for i, p := range j.s.Plans {
		if a := accounts[i]; a.Contract != p.Contract || a.Enrollees() != p.Enrolled {
			return Errorf(BusinessRule, "contract %s: %d of %d enrollees are accounted for", p.Contract, a.Enrollees(), p.Enrolled)
		}
	}
	if err := j.move(Successful, InProgress); err != nil {
		return err
	}
	j.s.CompletedAt, j.s.ExpiresAt, j.s.Accounts = at, at.Add(life), accounts
	return nil
}

// Fail ends an active job.
func (j *ExportJob) Fail(at time.Time, why Failure) error {
	if err := j.move(Failed, Submitted, InProgress); err != nil {
		return err
	}
	j.s.CompletedAt, j.s.Failure = at, why
	return nil
}

// Cancel ends an active job, or deletes a finished one: the sponsor wants
// nothing more of it. A job that is cancelled already refuses with deleted.
func (j *ExportJob) Cancel(at time.Time) error {
	if j.s.State == Cancelled {
		return errCancelled()
	}
	if j.s.CompletedAt.IsZero() {
		j.s.CompletedAt = at
	}
	return j.move(Cancelled, Submitted, InProgress, Successful, Failed, Lapsed)
}

func errCancelled() *Error {
	return Errorf(Deleted, "The job was cancelled or deleted.").WithNext("Start a new export.")
}

func errExpired() *Error {
	return Errorf(Expired, "The job's files have expired and were deleted.").WithNext("Start a new export.")
}

// Extend lets the files of a successful job be fetched until a time that is
// later than the one before. Files that are past their time may be gone already.
func (j *ExportJob) Extend(at, until time.Time) error {
	switch {
	case j.s.State != Successful || j.ExpiredAt(at):
		return Errorf(Conflict, "There are no files any more, or not yet.").WithNext("Start the export again.")
	case !until.After(j.s.ExpiresAt):
		return Errorf(Invalid, "The files can be fetched until %s already.", instant(j.s.ExpiresAt)).WithNext("Give a later time.")
	}
	j.s.ExpiresAt = until
	return nil
}

// ExpireNow ends the time of a successful job's files.
func (j *ExportJob) ExpireNow(at time.Time) error {
	if j.s.State != Successful || j.ExpiredAt(at) {
		return Errorf(Conflict, "There are no files any more, or not yet.")
	}
	j.s.ExpiresAt = at
	return j.Expire(at)
}

// Expire marks a successful job whose time is over.
func (j *ExportJob) Expire(at time.Time) error {
	if !j.ExpiredAt(at) {
		return Errorf(Conflict, "job %s does not expire before %s", j.s.ID, instant(j.s.ExpiresAt))
	}
	return j.move(Lapsed, Successful)
}

// Succeeded reports whether the job was complete once, whatever became of it.
func (j *ExportJob) Succeeded() bool { return !j.s.ExpiresAt.IsZero() }

// ExpiredAt reports whether the job's files are past their time at that
// instant, whether or not anybody has marked it yet.
func (j *ExportJob) ExpiredAt(at time.Time) bool {
	return j.s.State == Lapsed || j.s.State == Successful && !at.Before(j.s.ExpiresAt)
}

// StateAt returns the state as it is told at that instant: a job past its time has
// expired, whether or not anybody has marked it yet.
func (j *ExportJob) StateAt(at time.Time) JobState {
	if j.ExpiredAt(at) {
		return Lapsed
	}
	return j.s.State
}

// CheckReadable refuses when there is nothing to fetch from the job at that
// instant, and says why.
func (j *ExportJob) CheckReadable(at time.Time) error {
	switch {
	case j.s.State == Cancelled:
		return errCancelled()
	case j.ExpiredAt(at):
		return errExpired()
	case j.s.State == Failed && len(j.s.Partials.Pages) > 0:
		return Errorf(NotFound, "The job failed, and what had been published of its files was withdrawn.").WithNext("Ask for its status to see why, and drop what you have of it.")
	case j.s.State == Failed:
		return Errorf(NotFound, "The job failed and has no files.").WithNext("Ask for its status to see why.")
	case j.s.State == InProgress && len(j.s.Partials.Pages) > 0:
		return nil // some of its files
	case j.s.State != Successful:
		return Errorf(NotFound, "The job has no files yet.").WithNext("Ask for its status until it is complete.")
	}
	return nil
}

// Plan returns what planning fixed for a contract of the job.
func (j *ExportJob) Plan(n ContractNumber) (ContractPlan, bool) {
	i := slices.IndexFunc(j.s.Plans, func(p ContractPlan) bool { return p.Contract == n })
	if i < 0 {
		return ContractPlan{}, false
	}
	return j.s.Plans[i], true
}

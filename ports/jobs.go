package ports

import (
	"context"
	"time"

	"cms.gov/ab2d/domain"
)

// Jobs holds export jobs.
type Jobs interface {
	// Add keeps a new job. It returns a conflict when there is one with its id.
	Add(ctx context.Context, j *domain.ExportJob) error

	// Get returns the job, or not_found.
	Get(ctx context.Context, id domain.JobID) (*domain.ExportJob, error)

	// Update loads the job so that no other unit of work can change it before
	// this one ends, lets change move it, and keeps the result unless change
	// returns an error, which is passed on. It returns not_found for no job.
	Update(ctx context.Context, id domain.JobID, change func(*domain.ExportJob) error) error

	// Active returns the submitted and running jobs that hold any of the
	// contracts, the oldest first. Until this unit of work ends, any other that
	// asks for one of these contracts waits: so a limit checked here holds.
	Active(ctx context.Context, contracts []domain.ContractNumber) ([]*domain.ExportJob, error)
}

// JobList finds jobs, and lets go of the old ones.
type JobList interface {
	// Find returns the jobs that match, the oldest first unless q.Newest is set, at
	// most q.Limit of them.
	Find(ctx context.Context, q JobQuery) ([]*domain.ExportJob, error)

	// Count returns how many jobs match, whatever the place and the limit.
	Count(ctx context.Context, q JobQuery) (int, error)

	// Reassign gives all jobs of one sponsor to another, and returns how many.
	Reassign(ctx context.Context, from, to domain.SponsorID) (int, error)

	// Prune removes jobs that failed, were cancelled or expired and that ended
	// before the time, with all that belongs to them: partitions, files, accounts
	// of downloads, polls. It takes the oldest first, at most limit of them, and
	// returns which. Those that another unit of work is changing may be left for
	// later. Active jobs and those that can still be fetched stay, and so do
	// records of the audit trail.
	Prune(ctx context.Context, endedBefore time.Time, limit int) ([]domain.JobID, error)
}

// JobQuery narrows a list of jobs. A zero field does not narrow.
type JobQuery struct {
	States        []domain.JobState
	Sponsor       domain.SponsorID
	Contract      domain.ContractNumber // one of the job's
	Client        domain.ClientID
	Version       domain.FHIRVersion
	IDPrefix      string // what the job's id begins with
	CreatedFrom   time.Time
	CreatedBefore time.Time
	ExpiresBefore time.Time
	Newest        bool // the newest first
	Behind        JobPlace
	Limit         int // 0 is 100
}

// JobPlace is a place in a list of jobs: behind it come only those that the order
// puts after a job created then and of that id. The zero place is before the first.
type JobPlace struct {
	CreatedAt time.Time
	ID        domain.JobID
}

// IdempotencyKeys remembers which job a key of a client stands for.
type IdempotencyKeys interface {
	// Claim keeps k and returns it, unless the client's key was kept before and
	// not before notBefore: then it returns that and changes nothing. Of units of
	// work that claim one key at once the first to end well keeps it, and the
	// others wait for it to end.
	Claim(ctx context.Context, k domain.IdempotencyKey, notBefore time.Time) (domain.IdempotencyKey, error)

	// Forget removes keys that were kept before the time, at most limit of them,
	// and returns how many.
	Forget(ctx context.Context, before time.Time, limit int) (int, error)
}

// Partitions holds the partitions of jobs.
type Partitions interface {
	// Add keeps the partitions of a job, all open. Adding one that is there
	// already is a conflict.
	Add(ctx context.Context, parts []domain.Partition) error

	// OfJob returns the job's partitions in order, with their results.
	OfJob(ctx context.Context, id domain.JobID) ([]domain.Partition, error)

	// After returns the job's partitions that come after one in the order, with
	// their results, at most limit of them.
	After(ctx context.Context, id domain.JobID, seq, limit int) ([]domain.Partition, error)

	// Progress counts over the job's partitions without loading their results:
	// the members processed (all of those of a partition that is done), the
	// members in all, and how many partitions are still open.
	Progress(ctx context.Context, id domain.JobID) (p domain.Progress, open int, err error)

	// Shares returns what workers the jobs in progress have that have open
	// partitions which nobody holds, in no order.
	Shares(ctx context.Context) ([]domain.Share, error)

	// Next returns the job's first open partition that nobody holds and that is
	// not to rest, or not_found. Units of work that ask at once get different ones.
	Next(ctx context.Context, id domain.JobID) (domain.PartitionID, error)

	// Backlog counts over all jobs what waits to be done.
	Backlog(ctx context.Context) (domain.Backlog, error)

	// Reclaim returns open partitions of active jobs that nobody will finish
	// unless they are queued again, and marks them as queued now by the store's
	// clock: those whose lease ran out, and those waiting without a lease for
	// longer than patience while none of their job waits before them (tasks are
	// taken up in order, so that the others may well just be waiting their turn),
	// at most limit of them. With everything set it takes all open partitions at
	// once, whatever the limit, and ends their leases: for a process that knows it
	// is alone.
	Reclaim(ctx context.Context, patience time.Duration, everything bool, limit int) ([]domain.PartitionID, error)
}

// Leases gives partitions to workers, one at a time. Time is the store's own
// clock, so that workers whose clocks differ agree.
type Leases interface {
	// Acquire gives an open partition that nobody holds to a new attempt, also
	// while it is to rest. It returns a conflict when it is done or held, and
	// not_found for none.
	Acquire(ctx context.Context, id domain.PartitionID, length time.Duration) (domain.Lease, error)

	// Renew extends a lease still in force to length from now and records how
	// many members the attempt has processed. It returns a conflict when the
	// lease ran out or another has the partition: the attempt is over.
	Renew(ctx context.Context, l domain.Lease, processed int, length time.Duration) error

	// Publish binds the result and closes the partition, in one row change that
	// happens only while the lease is in force. Else it binds nothing and
	// returns a conflict.
	Publish(ctx context.Context, l domain.Lease, r domain.PartitionResult) error

	// Release gives the partition back before its time. Next leaves it alone
	// for as long as it is to rest. A lease that is over already is released by that.
	Release(ctx context.Context, l domain.Lease, rest time.Duration) error
}

// OutputFiles holds the files of successful jobs under their public names.
type OutputFiles interface {
	// Add keeps the files of a job. A name that the job has already is a conflict.
	Add(ctx context.Context, files []domain.OutputFile) error

	// OfJob returns the job's files in the order they were added.
	OfJob(ctx context.Context, id domain.JobID) ([]domain.OutputFile, error)

	// Get returns the job's file of that exact name, or not_found.
	Get(ctx context.Context, id domain.JobID, name string) (domain.OutputFile, error)
}

// Downloads holds what clients were sent.
type Downloads interface {
	// OfFile returns all accounts of one file.
	OfFile(ctx context.Context, id domain.JobID, name string) ([]domain.Download, error)

	// Fetched returns the names of the job's files that anybody fetched whole, in
	// no order.
	Fetched(ctx context.Context, id domain.JobID) ([]string, error)

	// Update loads the account, a new one when there is none, so that no other
	// unit of work changes it before this one ends, and keeps what change made
	// of it. It may call change more than once.
	Update(ctx context.Context, key domain.DownloadKey, change func(*domain.Download)) error
}

// Polls remembers when a client was last told that a job is still running, and
// how long it was asked to wait.
type Polls interface {
	// Last returns the latest poll, and false when there was none.
	Last(ctx context.Context, id domain.JobID, client domain.ClientID) (Poll, bool, error)

	// Put replaces it.
	Put(ctx context.Context, id domain.JobID, client domain.ClientID, p Poll) error
}

// Poll is one answered status request.
type Poll struct {
	At         time.Time
	RetryAfter time.Duration
}

// Package export starts exports: the kick-off of the Bulk Data API.
package export

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"cms.gov/ab2d/application/parties"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Settings are the rules of kick-off that a site may set.
type Settings struct {
	JobsPerContract int    // running jobs that a contract may have at once
	Maintenance     string // when not empty no export starts, and this tells why
	EarliestServed  domain.Date
	Weights         map[domain.ContractNumber]int // of a contract's jobs beside others, where it is not 1
}

// UseCase starts exports.
type UseCase struct {
	Store    ports.UnitOfWork
	Coverage ports.Coverage
	Clock    ports.Clock
	Settings Settings
}

// Start asks for an export.
type Start struct {
	Client   domain.Client
	From     netip.Addr
	Contract domain.ContractNumber // one contract; empty for all that the client holds
	Version  domain.FHIRVersion
	Request  string // the URL as it came
	Window   domain.Window
	Terms    domain.Terms
	Patients []string // whom the export is restricted to, each by an id or an MBI; none for all
	Trace    string   // of the request, for what is told of the job's work

	// SinceLast takes the place of _since: what came after the sponsor's last
	// export of the same contracts and version, all of whose data files were
	// fetched whole. Without such an export it asks for everything.
	SinceLast bool

	// Partials lets the job's files be told and fetched before it is complete.
	Partials bool

	// Key names the kick-off for when it is sent again; empty for none. Digest
	// tells whether it is the same request.
	Key    string
	Digest string

	// Staff is who starts it on behalf of the client; nil when it does so itself.
	Staff *Staff
}

// Staff is a person of CMS who starts an export on behalf of a client.
type Staff struct {
	Person domain.Staff
	Action string // as the audit trail has it
	Why    domain.Reason
	Of     domain.JobID // the job that this one repeats; empty for none
}

// wanted returns the contracts that the request is about.
func (s Start) wanted() []domain.ContractNumber {
	if s.Contract != "" {
		return []domain.ContractNumber{s.Contract}
	}
	return s.Client.Contracts
}

const (
	maintenanceRetry = 5 * time.Minute
	limitRetry       = 30 * time.Second
)

// Start checks that the client may export, makes the job, and writes it, its
// queue entry and an audit record as one fact. It fails with unavailable
// during maintenance, forbidden for a contract that is unknown or not the
// client's (the same words for both), invalid for patients who are not enrolled, business_rule when no contract asked for
// is attested, invalid for a window that makes no sense, and throttled when a
// contract has as many running jobs as it may. A request that came before with
// the same key returns its job, whatever became of it, and starts nothing;
// another request with that key is reused.
func (u *UseCase) Start(ctx context.Context, cmd Start) (domain.JobID, error) {
	if why := u.Settings.Maintenance; why != "" {
		return "", maintained(why)
	}
	unknown := u.resolve(ctx, &cmd)
	var id domain.JobID
	err := u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		maintenance, err := tx.Switches.Get(ctx, domain.MaintenanceSwitch)
		if err == nil && maintenance.Value != "" {
			err = maintained(maintenance.Value)
		}
		if err != nil {
			return err
		}
		fresh := domain.NewJobID()
		if id, err = u.claim(ctx, tx, cmd, fresh); err != nil || id != fresh {
			return err
		}
		if unknown != nil {
			return unknown
		}
		job, err := u.accept(ctx, tx, cmd, id)
		if err != nil {
			return err
		}
		if err := tx.Jobs.Add(ctx, job); err != nil {
			return err
		}
		if err := tx.Queue.Schedule(ctx, ports.Task{Job: id}); err != nil {
			return err
		}
		return tx.Audit.Record(ctx, u.told(cmd, string(id), "done"))
	})
	return id, err
}

func maintained(why string) error {
	err := domain.Errorf(domain.Unavailable, "No export can start now: %s", why).
		WithNext("Try again later. The status and the files of running and finished exports stay available.")
	err.RetryAfter = maintenanceRetry
	return err
}

// claim returns the job that the request's key stands for: fresh when it has
// none, or when it is new. A kick-off that is refused takes its claim with it, so
// that it can be sent again.
func (u *UseCase) claim(ctx context.Context, tx ports.Tx, cmd Start, fresh domain.JobID) (domain.JobID, error) {
	if cmd.Key == "" {
		return fresh, nil
	}
	now := u.Clock.Now()
	kept, err := tx.Keys.Claim(ctx, domain.IdempotencyKey{Client: cmd.Client.ID, Key: cmd.Key, Request: cmd.Digest, Job: fresh, At: now},
		now.Add(-domain.IdempotencyLife))
	if err != nil || kept.Job == fresh {
		return fresh, err
	}
	id, err := kept.Again(cmd.Digest)
	if err != nil {
		return "", err
	}
	return id, tx.Audit.Record(ctx, u.told(cmd, string(id), "repeated"))
}

func (u *UseCase) told(cmd Start, target, outcome string) domain.AuditRecord {
	if s := cmd.Staff; s != nil {
		return s.Person.Told(u.Clock.Now(), s.Action, target, outcome, "reason", s.Why.Text, "ticket", s.Why.Ticket, "client", string(cmd.Client.ID),
			"repeats", string(s.Of), "request of the client", cmd.Request, "version", string(cmd.Version))
	}
	return domain.AuditRecord{
		At: u.Clock.Now(), Action: "export.start", Target: target, Outcome: outcome,
		Actor:  domain.Actor{Kind: "client", ID: string(cmd.Client.ID), From: cmd.From.String()},
		Detail: map[string]string{"request": cmd.Request, "version": string(cmd.Version)},
	}
}

func (u *UseCase) accept(ctx context.Context, tx ports.Tx, cmd Start, id domain.JobID) (*domain.ExportJob, error) {
	now := u.Clock.Now()
	if err := cmd.Window.Check(now); err != nil {
		return nil, err
	}
	if cmd.SinceLast && !cmd.Window.Since.IsZero() {
		return nil, domain.Errorf(domain.Invalid, "_since and sinceLastExport were both given.").WithNext("Give one of them.")
	}
	wanted := cmd.wanted()
	if len(wanted) == 0 {
		return nil, domain.Errorf(domain.Forbidden, "This client is not registered for any contract.").
			WithNext("Ask the help desk to register the client for the contracts it should export.")
	}
	if !cmd.Client.Holds(wanted) {
		return nil, domain.NotHeld(cmd.Contract)
	}
	attested, skipped, err := attestedToday(ctx, tx, wanted, now)
	if err != nil {
		return nil, err
	}
	if err := u.checkRoom(ctx, tx, attested); err != nil {
		return nil, err
	}
	// Read behind that lock: the sponsor may just have been merged into another.
	owner, err := parties.Owner(ctx, tx, cmd.Client.Sponsor)
	if err != nil {
		return nil, err
	}
	cmd.Client.Sponsor = owner.ID
	if cmd.SinceLast {
		if cmd.Window.Since, err = lastFetched(ctx, tx, cmd, attested); err != nil {
			return nil, err
		}
		if err := cmd.Window.Check(now); err != nil {
			return nil, err
		}
	}
	cmd.Terms.Filters = cmd.Terms.Filters.AsOf(domain.Today(now))
	return domain.NewExportJob(domain.ExportJobState{
		ID: id, Sponsor: cmd.Client.Sponsor, Client: cmd.Client.ID, Contracts: attested, Skipped: skipped,
		Version: cmd.Version, Request: cmd.Request, Window: cmd.Window, Terms: cmd.Terms, Weight: u.weight(attested), Trace: cmd.Trace, CreatedAt: now,
		Partials: domain.Partials{Allowed: cmd.Partials},
	}), nil
}

// weight is that of the contract with the largest.
func (u *UseCase) weight(contracts []domain.ContractNumber) int {
	weight := 0
	for _, n := range contracts {
		weight = max(weight, u.Settings.Weights[n])
	}
	return max(weight, 1)
}

// attestedToday parts the contracts into those that may receive data and those
// that may not, with the reason. None that may is an error.
func attestedToday(ctx context.Context, tx ports.Tx, wanted []domain.ContractNumber, now time.Time) (
	attested []domain.ContractNumber, skipped []domain.SkippedContract, err error) {
	for _, n := range slices.Sorted(slices.Values(wanted)) {
		events, err := tx.Attestations.Of(ctx, n)
		if err != nil {
			return nil, nil, err
		}
		if domain.StandingOn(events, domain.Today(now)).Active {
			attested = append(attested, n)
		} else {
			skipped = append(skipped, domain.SkippedContract{Contract: n, Reason: fmt.Sprintf("Contract %s has no active attestation.", n)})
		}
	}
	if len(attested) == 0 {
		return nil, nil, domain.Errorf(domain.BusinessRule, "No attestation is active for %s, so no data may be sent.", list(wanted)).
			WithNext("Have an attestor of the sponsor (CEO, CFO or COO) attest in HPMS.")
	}
	return attested, skipped, nil
}

// searched bounds how far back an export to go on from is looked for.
const searched = 500

// lastFetched returns the end of the sponsor's newest export of exactly these
// contracts and this version whose data files were all fetched whole, and the
// zero time when there is none. A job that was deleted after that counts too:
// deleting is how a client says that it has everything.
func lastFetched(ctx context.Context, tx ports.Tx, cmd Start, contracts []domain.ContractNumber) (time.Time, error) {
	jobs, err := tx.JobList.Find(ctx, ports.JobQuery{Sponsor: cmd.Client.Sponsor, Version: cmd.Version, Newest: true, Limit: searched,
		States: []domain.JobState{domain.Successful, domain.Lapsed, domain.Cancelled}})
	if err != nil {
		return time.Time{}, err
	}
	for _, j := range jobs {
		s := j.State()
		if !j.Succeeded() || !s.Terms.Complete() || !slices.Equal(s.Contracts, contracts) {
			continue
		}
		if whole, err := fetchedWhole(ctx, tx, s.ID); err != nil || whole {
			return s.Window.Through(s.TransactionTime), err
		}
	}
	return time.Time{}, nil
}

func fetchedWhole(ctx context.Context, tx ports.Tx, id domain.JobID) (bool, error) {
	files, err := tx.Files.OfJob(ctx, id)
	if err != nil {
		return false, err
	}
	fetched, err := tx.Downloads.Fetched(ctx, id)
	return !slices.ContainsFunc(files, func(f domain.OutputFile) bool {
		return f.Kind == domain.DataFile && !slices.Contains(fetched, f.Name)
	}), err
}

func list(numbers []domain.ContractNumber) string {
	s := string(numbers[0])
	for _, n := range numbers[1:] {
		s += ", " + string(n)
	}
	return s
}

// checkRoom refuses when one of the contracts has all the running jobs it may
// have. A job of several contracts counts towards each.
func (u *UseCase) checkRoom(ctx context.Context, tx ports.Tx, contracts []domain.ContractNumber) error {
	active, err := tx.Jobs.Active(ctx, contracts)
	if err != nil {
		return err
	}
	running := map[domain.ContractNumber][]domain.JobID{}
	for _, j := range active {
		for _, n := range j.State().Contracts {
			running[n] = append(running[n], j.ID())
		}
	}
	for _, n := range contracts {
		if len(running[n]) >= u.Settings.JobsPerContract {
			err := domain.Errorf(domain.Throttled, "Contract %s already has %d exports running, which is the most it may have.", n, len(running[n])).
				WithNext("Wait until one of them is complete, or cancel one. Their status addresses are in Content-Location.")
			err.Running, err.RetryAfter = running[n], limitRetry
			return err
		}
	}
	return nil
}

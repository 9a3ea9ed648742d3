package memory

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Store is the database. It implements ports.UnitOfWork, ports.Coverage,
// ports.Secrets and ports.AuditLog. What units of work schedule goes to its Queue.
type Store struct {
	Queue *Queue

	now func() time.Time // the store's own clock, for leases

	writing sync.Mutex // held by one unit of work at a time
	mu      sync.Mutex // guards state
	state

	coverage
	secrets
}

var (
	_ ports.UnitOfWork = (*Store)(nil)
	_ ports.Coverage   = (*Store)(nil)
	_ ports.Secrets    = (*Store)(nil)
	_ ports.AuditLog   = (*Store)(nil)
)

// NewStore returns an empty store with the time of this machine.
func NewStore() *Store { return NewStoreAt(time.Now) }

// NewStoreAt returns an empty store whose own clock, which leases go by, is now.
func NewStoreAt(now func() time.Time) *Store {
	return &Store{Queue: &Queue{}, now: now, state: state{
		jobs:        map[domain.JobID]domain.ExportJobState{},
		partitions:  map[domain.PartitionID]partition{},
		downloads:   map[domain.DownloadKey]domain.Download{},
		polls:       map[pollKey]ports.Poll{},
		keys:        map[keyOf]domain.IdempotencyKey{},
		sponsors:    map[domain.SponsorID]domain.Sponsor{},
		contracts:   map[domain.ContractNumber]domain.Contract{},
		clients:     map[domain.ClientID]domain.Client{},
		activity:    map[domain.ClientID]domain.ClientActivity{},
		holds:       map[string]domain.Hold{},
		errands:     map[string]errand{},
		intakes:     map[domain.ContractNumber]domain.Intake{},
		gathered:    map[domain.ContractNumber]map[domain.PatientID]domain.Enrollee{},
		unsealed:    map[int64]bool{},
		sessions:    map[string]domain.Session{},
		switches:    map[string]domain.Switch{},
		approvals:   map[string]domain.Approval{},
		onboardings: map[domain.ContractNumber]domain.Onboarding{},
		links:       map[string]domain.OneTimeLink{},

		processes:     map[string]process{},
		sourceFigures: map[stretch]domain.SourceFigures{},
	}}
}

// state is everything that units of work change. Values in it are replaced and
// never changed in place, so that a copy of the maps is a copy of all.
type state struct {
	jobs        map[domain.JobID]domain.ExportJobState
	partitions  map[domain.PartitionID]partition
	files       []domain.OutputFile
	downloads   map[domain.DownloadKey]domain.Download
	polls       map[pollKey]ports.Poll
	keys        map[keyOf]domain.IdempotencyKey
	sponsors    map[domain.SponsorID]domain.Sponsor
	contracts   map[domain.ContractNumber]domain.Contract
	clients     map[domain.ClientID]domain.Client
	activity    map[domain.ClientID]domain.ClientActivity
	events      []domain.AttestationEvent
	records     []ports.AuditEntry
	recorded    int64 // the number of the last one ever
	unsealed    map[int64]bool
	seals       []domain.Seal
	archives    []domain.AuditArchive
	stated      []domain.Preference
	holds       map[string]domain.Hold
	errands     map[string]errand
	intakes     map[domain.ContractNumber]domain.Intake
	gathered    map[domain.ContractNumber]map[domain.PatientID]domain.Enrollee
	sessions    map[string]domain.Session
	switches    map[string]domain.Switch
	approvals   map[string]domain.Approval
	onboardings map[domain.ContractNumber]domain.Onboarding
	links       map[string]domain.OneTimeLink
	tokens      int

	processes     map[string]process
	sourceFigures map[stretch]domain.SourceFigures
}

func (s state) copy() state {
	s.jobs = maps.Clone(s.jobs)
	s.partitions = maps.Clone(s.partitions)
	s.files = slices.Clip(s.files) // so that appending to the copy makes a new array
	s.downloads = maps.Clone(s.downloads)
	s.polls = maps.Clone(s.polls)
	s.keys = maps.Clone(s.keys)
	s.sponsors = maps.Clone(s.sponsors)
	s.contracts = maps.Clone(s.contracts)
	s.clients = maps.Clone(s.clients)
	s.activity = maps.Clone(s.activity)
	s.events = slices.Clip(s.events)
	s.records = slices.Clip(s.records)
	s.unsealed = maps.Clone(s.unsealed)
	s.stated = slices.Clip(s.stated)
	s.holds = maps.Clone(s.holds)
	s.errands = maps.Clone(s.errands)
	s.intakes = maps.Clone(s.intakes)
	s.gathered = maps.Clone(s.gathered)
	s.sessions = maps.Clone(s.sessions)
	s.switches = maps.Clone(s.switches)
	s.approvals = maps.Clone(s.approvals)
	s.onboardings = maps.Clone(s.onboardings)
	s.links = maps.Clone(s.links)
	s.processes = maps.Clone(s.processes)
	s.sourceFigures = maps.Clone(s.sourceFigures)
	return s
}

// Do implements ports.UnitOfWork. Units of work run one after another, each on a
// copy that takes the place of the state when it succeeds.
func (s *Store) Do(ctx context.Context, fn func(ctx context.Context, tx ports.Tx) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	in := s.begin()
	defer func() { in.over = true }()
	if err := fn(ctx, in.ports()); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	s.state = in.state
	s.mu.Unlock()
	s.Queue.add(in.scheduled)
	return nil
}

func (s *Store) begin() *unit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &unit{state: s.state.copy(), now: s.now}
}

// View implements ports.UnitOfWork.
func (s *Store) View(ctx context.Context, fn func(ctx context.Context, tx ports.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	in := s.begin()
	in.readOnly = true
	defer func() { in.over = true }()
	return fn(ctx, in.ports())
}

// unit is one unit of work on a copy of the state.
type unit struct {
	state
	now       func() time.Time
	scheduled []ports.Task
	readOnly  bool
	over      bool
}

func (s *unit) ports() ports.Tx {
	return ports.Tx{
		Jobs:         jobs{s},
		JobList:      jobs{s},
		Keys:         keys{s},
		Partitions:   partitions{s},
		Leases:       leases{s},
		Files:        outputFiles{s},
		Downloads:    downloads{s},
		Polls:        polls{s},
		Sponsors:     sponsors{s},
		Contracts:    contracts{s},
		Clients:      clients{s},
		Activity:     activity{s},
		Attestations: attestations{s},
		Preferences:  preferences{s},
		Holds:        holds{s},
		Approvals:    approvals{s}, Onboardings: onboardings{s}, OneTimeLinks: oneTimeLinks{s},
		Errands:    errands{s},
		Intakes:    intakes{s},
		Gathering:  gathering{s},
		Audit:      audit{s},
		AuditTrail: auditTrail{s},
		Seals:      auditSeals{s},
		Archives:   auditArchives{s},
		Queue:      scheduler{s},
		Sessions:   sessions{s},
		Switches:   switches{s},
		JobFigures: figures{s},
		Processes:  processes{s}, SourceFigures: sourceFigures{s}, ErrandBook: errandBook{s},
	}
}

var (
	errOver     = errors.New("the unit of work is over")
	errReadOnly = errors.New("this unit of work is for reading only")
)

func (s *unit) reading(ctx context.Context) error {
	if s.over {
		return errOver
	}
	return ctx.Err()
}

func (s *unit) changing(ctx context.Context) error {
	if s.readOnly {
		return errReadOnly
	}
	return s.reading(ctx)
}

// scheduler implements ports.Queue within a unit of work.
type scheduler struct{ *unit }

func (s scheduler) Schedule(ctx context.Context, tasks ...ports.Task) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	s.scheduled = append(s.scheduled, tasks...)
	return nil
}

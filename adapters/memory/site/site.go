// Package site is the whole application over the memory adapters: one sponsor
// with two attested contracts and a client for both. Tests of use cases start
// from it.
package site

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/application/cancel"
	"cms.gov/ab2d/application/download"
	"cms.gov/ab2d/application/export"
	"cms.gov/ab2d/application/produce"
	"cms.gov/ab2d/application/retention"
	"cms.gov/ab2d/application/status"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Start is when the site's clock begins.
var Start = time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)

// The site's contracts.
const (
	First  domain.ContractNumber = "S0001"
	Second domain.ContractNumber = "S0002"
)

// Site is the application and everything it stands on.
type Site struct {
	Store   *memory.Store
	Files   *memory.Files
	Claims  *memory.Claims
	People  *memory.People
	Clock   *memory.Clock
	Scratch *memory.Scratch
	Client  domain.Client

	Export    *export.UseCase
	Status    *status.UseCase
	Download  *download.UseCase
	Cancel    *cancel.UseCase
	Produce   *produce.UseCase
	Retention *retention.UseCase

	t *testing.T
}

// New returns a site whose settings are small enough that every limit is met.
func New(t *testing.T) *Site {
	t.Helper()
	clock := memory.NewClock(Start)
	s := &Site{t: t, Clock: clock, Store: memory.NewStoreAt(clock.Now), Files: memory.NewFiles(), Claims: memory.NewClaims(Start.AddDate(1, 0, 0)),
		Scratch: &memory.Scratch{},
		Client:  domain.Client{ID: "client", Sponsor: "sponsor", Name: "Client", Enabled: true, Contracts: []domain.ContractNumber{First, Second}, CreatedAt: Start}}
	s.People = &memory.People{Claims: s.Claims}
	s.Export = &export.UseCase{Store: s.Store, Coverage: s.Store, Clock: clock, Settings: export.Settings{JobsPerContract: 3, EarliestServed: domain.EarliestServed}}
	s.Status = &status.UseCase{Store: s.Store, Clock: clock}
	s.Download = &download.UseCase{Store: s.Store, Files: s.Files, Packing: memory.Packing{}, Clock: clock,
		Limits: domain.DownloadLimits{Fetches: 1, ResumeGrace: 15 * time.Minute}}
	s.Cancel = &cancel.UseCase{Store: s.Store, Files: s.Files, Clock: clock}
	s.Retention = &retention.UseCase{Store: s.Store, Files: s.Files, Clock: clock}
	s.Produce = &produce.UseCase{Store: s.Store, Coverage: s.Store, Claims: s.Claims, People: s.People, Files: s.Files, Packing: memory.Packing{}, Scratch: s.Scratch,
		Clock: clock, Log: slog.New(slog.DiscardHandler), Settings: produce.Settings{
			PartitionMembers: 2, RollBytes: 1 << 20, Lookahead: 2, StageBytes: 1 << 20, Lease: 30 * time.Second, Patience: time.Minute, SourceWait: time.Hour,
			FileLife: 24 * time.Hour, EarliestServed: domain.EarliestServed, FetchTries: 3, FetchBackoff: time.Millisecond, FailedShare: 1, PartitionTries: 3}}
	s.Do(func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Sponsors.Put(ctx, domain.Sponsor{ID: "sponsor", Name: "Sponsor"}); err != nil {
			return err
		}
		for _, n := range s.Client.Contracts {
			if err := tx.Contracts.Put(ctx, domain.Contract{Number: n, Name: string(n), Sponsor: "sponsor"}); err != nil {
				return err
			}
			if err := tx.Attestations.Append(ctx, Event(n, domain.Attest, 2020_01_01)); err != nil {
				return err
			}
		}
		return tx.Clients.Put(ctx, s.Client)
	})
	return s
}

// Event is an attestation event of the site's attestor, recorded on its day.
func Event(n domain.ContractNumber, kind domain.AttestationKind, on domain.Date) domain.AttestationEvent {
	return domain.AttestationEvent{ID: fmt.Sprint(n, kind, on), Contract: n, Kind: kind, Effective: on, Source: "hpms", Actor: domain.System("test"),
		Attestor: domain.Attestor{Name: "Ada", Office: "CFO"}, Recorded: time.Date(on.Year(), 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, on.DaysSince(domain.NewDate(on.Year(), 1, 1)))}
}

// Do runs a unit of work that must succeed.
func (s *Site) Do(fn func(ctx context.Context, tx ports.Tx) error) {
	s.t.Helper()
	if err := s.Store.Do(s.t.Context(), fn); err != nil {
		s.t.Fatal(err)
	}
}

// Months are the months of an enrollment from the first to the last, as YYYYMM.
func Months(first, last int) domain.MonthSet {
	month := func(n int) domain.Month { return domain.NewMonth(n/100, time.Month(n%100)) }
	return domain.MonthSet("").With(month(first), month(last))
}

// Enroll loads a contract's enrollment as it is from the given time on: patient
// ids and their months.
func (s *Site) Enroll(n domain.ContractNumber, at time.Time, people ...domain.Enrollee) {
	s.t.Helper()
	var all iter.Seq2[domain.Enrollee, error] = func(yield func(domain.Enrollee, error) bool) {
		for _, e := range people {
			if !yield(e, nil) {
				return
			}
		}
	}
	if _, err := s.Store.Load(s.t.Context(), n, ports.At(at), all); err != nil {
		s.t.Fatal(err)
	}
}

// Person is somebody enrolled from January 2020 to December 2026.
func Person(id string) domain.Enrollee {
	return domain.Enrollee{Patient: domain.PatientID(id), Months: Months(202001, 202612), IDs: domain.Identifiers{Current: domain.MBI("1S00E00AA" + id)}}
}

// Claim is a small R4 claim as a source sends it.
func Claim(id, patient, day string, updated time.Time) string {
	return fmt.Sprintf(`{"resourceType":"ExplanationOfBenefit","id":%q,"meta":{"lastUpdated":%q},"status":"active",`+
		`"type":{"coding":[{"system":"https://bluebutton.cms.gov/resources/codesystem/eob-type","code":"CARRIER"}]},"use":"claim",`+
		`"patient":{"reference":"Patient/%s"},"billablePeriod":{"start":%q,"end":%q},"created":"2021-01-01","insurer":{"identifier":{"value":"CMS"}},`+
		`"provider":{"identifier":{"system":"http://hl7.org/fhir/sid/us-npi","value":"9999995399"}},"outcome":"complete",`+
		`"insurance":[{"focal":true,"coverage":{"reference":"Coverage/part-b-%s"}}],"payment":{"amount":{"value":12.5,"currency":"USD"}}}`,
		id, updated.Format("2006-01-02T15:04:05.000Z07:00"), patient, day, day, patient)
}

// KickOff starts an R4 export that must be accepted. No contract is all of them.
func (s *Site) KickOff(n domain.ContractNumber, w domain.Window) domain.JobID {
	s.t.Helper()
	id, err := s.Export.Start(s.t.Context(), s.Ask(n, w))
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// Ask is what KickOff asks for.
func (s *Site) Ask(n domain.ContractNumber, w domain.Window) export.Start {
	return export.Start{Client: s.Client, From: netip.MustParseAddr("127.0.0.1"), Contract: n, Version: domain.R4, Request: "http://site/$export", Window: w}
}

// Drain has all tasks done that are queued, and those that they queue.
func (s *Site) Drain() error {
	return s.Store.Queue.Drain(s.t.Context(), s.Produce)
}

// Export starts an export and has it done.
func (s *Site) Exported(n domain.ContractNumber, w domain.Window) domain.ExportJobState {
	s.t.Helper()
	id := s.KickOff(n, w)
	if err := s.Drain(); err != nil {
		s.t.Fatal(err)
	}
	return s.Job(id)
}

// Job returns a job's state.
func (s *Site) Job(id domain.JobID) (state domain.ExportJobState) {
	s.t.Helper()
	if err := s.Store.View(s.t.Context(), func(ctx context.Context, tx ports.Tx) error {
		j, err := tx.Jobs.Get(ctx, id)
		if err == nil {
			state = j.State()
		}
		return err
	}); err != nil {
		s.t.Fatal(err)
	}
	return state
}

package entstore

import (
	"strings"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ent"
)

// kept is an instant as it is kept: in UTC to the microsecond, which every
// database can keep.
func kept(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

func all[R, D any](rows []R, one func(R) D) []D {
	out := make([]D, len(rows))
	for i, r := range rows {
		out[i] = one(r)
	}
	return out
}

func jobFromRow(r *ent.ExportJob) *domain.ExportJob {
	return domain.RestoreExportJob(domain.ExportJobState{
		ID:        r.ID,
		Sponsor:   r.Sponsor,
		Client:    r.Client,
		Contracts: r.Contracts,
		Skipped:   r.Skipped,
		Version:   r.FhirVersion,
		Request:   r.Request,
		Window:    domain.Window{Since: orZero(r.Since), Until: orZero(r.Until)},
		Weight:    r.Weight,
		Trace:     r.Trace,
		Terms:     r.Terms,

		State:           stateFromRow(r.State),
		CreatedAt:       r.CreatedAt.UTC(),
		StartedAt:       orZero(r.StartedAt),
		CompletedAt:     orZero(r.CompletedAt),
		ExpiresAt:       orZero(r.ExpiresAt),
		TransactionTime: orZero(r.TransactionTime),
		Plans:           r.Plans,
		Accounts:        r.Accounts,
		Failure:         r.Failure,
		Partials:        r.Partials,
	})
}

// The marks stand behind the state of a job that has terms. A program from
// before there were any finds no job in such a state, and so leaves alone what it
// would do wrongly. Terms that it does not know have a mark of their own, for the
// same reason.
const (
	withTerms = "/2"
	narrowed  = "/3" // what leaves is filtered, or less of each resource, or in other files
)

func stateToRow(s domain.ExportJobState) domain.JobState {
	switch {
	case s.Terms.Shapes():
		return s.State + narrowed
	case s.Terms.IsZero() && !s.Partials.Allowed: // who does not know of pages would name files again
		return s.State
	}
	return s.State + withTerms
}

func stateFromRow(s domain.JobState) domain.JobState {
	state, _, _ := strings.Cut(string(s), "/")
	return domain.JobState(state)
}

// stored returns the states as they may be kept.
func stored(states ...domain.JobState) (kept []domain.JobState) {
	for _, mark := range []domain.JobState{"", withTerms, narrowed} {
		for _, s := range states {
			kept = append(kept, s+mark)
		}
	}
	return kept
}

// jobToRow sets every column of a job.
func jobToRow(m *ent.ExportJobMutation, s domain.ExportJobState) {
	m.SetSponsor(s.Sponsor)
	m.SetClient(s.Client)
	m.SetContracts(s.Contracts)
	m.SetSkipped(s.Skipped)
	m.SetFhirVersion(s.Version)
	m.SetRequest(s.Request)
	m.SetWeight(s.Weight)
	m.SetTrace(s.Trace)
	m.SetState(stateToRow(s))
	if s.Terms.IsZero() {
		m.ClearTerms()
	} else {
		m.SetTerms(s.Terms)
	}
	m.SetCreatedAt(kept(s.CreatedAt))
	m.SetPlans(s.Plans)
	m.SetAccounts(s.Accounts)
	m.SetFailure(s.Failure)
	if s.Partials.Allowed {
		m.SetPartials(s.Partials)
	} else {
		m.ClearPartials()
	}
	setTime(s.Window.Since, m.SetSince, m.ClearSince)
	setTime(s.Window.Until, m.SetUntil, m.ClearUntil)
	setTime(s.StartedAt, m.SetStartedAt, m.ClearStartedAt)
	setTime(s.CompletedAt, m.SetCompletedAt, m.ClearCompletedAt)
	setTime(s.ExpiresAt, m.SetExpiresAt, m.ClearExpiresAt)
	setTime(s.TransactionTime, m.SetTransactionTime, m.ClearTransactionTime)
}

func setTime(t time.Time, set func(time.Time), clear func()) {
	if t.IsZero() {
		clear()
	} else {
		set(kept(t))
	}
}

func partitionFromRow(r *ent.Partition) domain.Partition {
	return domain.Partition{
		ID:        domain.PartitionID{Job: r.JobID, Seq: r.Seq},
		Contract:  r.Contract,
		Keys:      domain.KeyRange{From: r.KeyFrom, To: r.KeyTo},
		Members:   r.Members,
		State:     r.State,
		Attempt:   r.Attempt,
		Processed: r.Processed,
		Result:    r.Result,
	}
}

func partitionToRow(c *ent.PartitionCreate, p domain.Partition, queuedAt int64) {
	c.SetJobID(p.ID.Job).SetSeq(p.ID.Seq).SetContract(p.Contract).SetKeyFrom(p.Keys.From).SetKeyTo(p.Keys.To).
		SetMembers(p.Members).SetState(domain.PartitionOpen).SetQueuedAt(queuedAt)
}

func outputFileFromRow(r *ent.OutputFile) domain.OutputFile {
	return domain.OutputFile{
		Job:      r.JobID,
		Name:     r.Name,
		Contract: r.Contract,
		StoredFile: domain.StoredFile{
			Kind:   r.Kind,
			Key:    r.Key,
			Lines:  r.Lines,
			Plain:  domain.Content{Bytes: r.PlainBytes, SHA256: r.PlainSha256},
			Stored: domain.Content{Bytes: r.StoredBytes, SHA256: r.StoredSha256},
			Index:  r.Index,

			Continues: r.Continues,
		},
	}
}

func outputFileToRow(c *ent.OutputFileCreate, f domain.OutputFile) {
	c.SetJobID(f.Job).SetName(f.Name).SetContract(f.Contract).SetKind(f.Kind).SetKey(f.Key).SetLines(f.Lines).
		SetPlainBytes(f.Plain.Bytes).SetPlainSha256(f.Plain.SHA256).
		SetStoredBytes(f.Stored.Bytes).SetStoredSha256(f.Stored.SHA256).SetContinues(f.Continues)
	if f.Index != nil {
		c.SetIndex(f.Index)
	}
}

func downloadFromRow(r *ent.Download) domain.Download {
	return domain.Download{
		Key:       domain.DownloadKey{Job: r.JobID, File: r.File, Client: r.Client, Form: r.Form},
		Sent:      r.Sent,
		Fetches:   r.Fetches,
		FetchedAt: orZero(r.FetchedAt),
		Last:      orZero(r.Last),
	}
}

func downloadToRow(m *ent.DownloadMutation, d domain.Download) {
	m.SetSent(d.Sent)
	m.SetFetches(d.Fetches)
	setTime(d.FetchedAt, m.SetFetchedAt, m.ClearFetchedAt)
	setTime(d.Last, m.SetLast, m.ClearLast)
}

func sponsorFromRow(r *ent.Sponsor) domain.Sponsor {
	return domain.Sponsor{ID: domain.SponsorID(r.ID), Name: r.Name, Parent: r.Parent, Updates: r.Updates, Inactive: r.Inactive, Merged: domain.SponsorID(r.MergedInto)}
}

func contractFromRow(r *ent.Contract) domain.Contract {
	return domain.Contract{Number: domain.ContractNumber(r.ID), Name: r.Name, Sponsor: domain.SponsorID(r.SponsorID),
		Type: r.Type, Updates: r.Updates, Listed: r.Listed, Ends: r.Ends, Enrolled: r.Enrolled, Eligible: r.Eligible}
}

func clientFromRow(r *ent.APIClient) domain.Client {
	return domain.Client{ID: domain.ClientID(r.ID), Sponsor: domain.SponsorID(r.SponsorID), Name: r.Name, Contracts: r.Contracts,
		Enabled: r.Enabled, Networks: r.Networks, Keys: domain.ClientKeys{URL: r.JwksURL, Set: r.Jwks}, Secrets: r.Secrets, CreatedAt: r.CreatedAt.UTC()}
}

func eventFromRow(r *ent.AttestationEvent) domain.AttestationEvent {
	return domain.AttestationEvent{
		ID:            r.EventID,
		Contract:      r.Contract,
		Kind:          r.Kind,
		Attestor:      domain.Attestor{Name: r.AttestorName, Office: r.AttestorOffice},
		Effective:     r.Effective,
		DataStart:     r.DataStart,
		Recorded:      r.Recorded.UTC(),
		Source:        r.Source,
		Actor:         r.Actor,
		Reason:        r.Reason,
		Corrects:      r.Corrects,
		CorrectedKind: r.CorrectedKind,
	}
}

func auditFromRow(r *ent.AuditRecord) domain.AuditRecord {
	return domain.AuditRecord{
		At:      r.At.UTC(),
		Actor:   domain.Actor{Kind: r.ActorKind, ID: r.ActorID, From: r.ActorFrom},
		Action:  r.Action,
		Target:  r.Target,
		Outcome: r.Outcome,
		Detail:  r.Detail,
	}
}

func coverageToRow(c *ent.CoverageCreate, n domain.ContractNumber, v domain.EnrollmentVersion, e domain.Enrollee) {
	c.SetContract(n).SetPatient(e.Patient).SetFromVersion(v).SetMonths([]byte(e.Months)).
		SetMbi(string(e.IDs.Current)).SetHistoricMbis(mbisToText(e.IDs.Historic))
}

// texts gives typed names as the plain strings that some columns are.
func texts[S ~string](names []S) []string {
	return all(names, func(n S) string { return string(n) })
}

func mbisToText(ids []domain.MBI) string {
	return strings.Join(texts(ids), " ")
}

func mbisFromText(s string) []domain.MBI {
	return all(strings.Fields(s), func(id string) domain.MBI { return domain.MBI(id) })
}

func preferenceFromRow(r *ent.Preference) domain.Preference {
	return domain.Preference{MBI: domain.MBI(r.Mbi), Shares: r.Shares, Effective: r.Effective, Recorded: r.Recorded.UTC(), Source: r.Source}
}

func holdFromRow(r *ent.Hold) domain.Hold {
	return domain.Hold{ID: r.ID, Kind: r.Kind, Contract: r.Contract, At: r.At.UTC(), Reason: r.Reason, Ends: r.Ends, Before: r.Before, Dropped: r.Dropped,
		State: r.State, Decided: orZero(r.Decided), By: r.DecidedBy, Note: r.Note}
}

func intakeFromRow(r *ent.EnrollmentIntake) domain.Intake {
	return domain.Intake{Contract: domain.ContractNumber(r.ID), Months: r.Months, Pass: r.Pass}
}

func sessionFromRow(r *ent.Session) domain.Session {
	return domain.Session{
		ID:        r.ID,
		Staff:     domain.Staff{ID: r.Staff, Name: r.Name, Roles: r.Roles, From: r.Address, Request: r.Request},
		FormToken: r.FormToken,
		CreatedAt: r.CreatedAt.UTC(),
		SeenAt:    r.SeenAt.UTC(),
		EndsAt:    r.EndsAt.UTC(),
		AgreedAt:  orZero(r.AgreedAt),
		Provider:  r.Provider,
		Notes:     r.Notes,
	}
}

func sessionToRow(m *ent.SessionMutation, s domain.Session) {
	m.SetStaff(s.Staff.ID)
	m.SetName(s.Staff.Name)
	m.SetRoles(s.Staff.Roles)
	m.SetAddress(s.Staff.From)
	m.SetRequest(s.Staff.Request)
	m.SetFormToken(s.FormToken)
	m.SetCreatedAt(kept(s.CreatedAt))
	m.SetSeenAt(kept(s.SeenAt))
	m.SetEndsAt(kept(s.EndsAt))
	m.SetProvider(s.Provider)
	m.SetNotes(s.Notes)
	setTime(s.AgreedAt, m.SetAgreedAt, m.ClearAgreedAt)
}

package produce

import (
	"context"
	"errors"
	"fmt"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/domain/eob"
	"cms.gov/ab2d/ports"
)

// readRecords asks for what is about the member beside claims, where the job
// wants it. They are few and small, so that they wait in memory.
func (p *fetcherPool) readRecords(ctx context.Context, f *fetched) error {
	types := p.job.Terms.Records()
	if len(types) == 0 {
		return nil
	}
	if p.use.People == nil {
		return domain.Errorf(domain.Invalid, "This service no longer exports %s.", types[0]).WithNext("Ask for ExplanationOfBenefit alone.")
	}
	records, err := p.use.People.Records(ctx, ports.PeopleQuery{Version: p.job.Version, Patient: f.Patient, Types: types, Contract: p.contract, Job: p.job.ID})
	if err != nil {
		return err
	}
	for _, raw := range records.Resources {
		if err := f.takeRecord(p.job, raw); err != nil {
			return err
		}
	}
	if records.AsOf.Before(p.job.TransactionTime) {
		return errStale
	}
	return nil
}

// takeRecord trims one record and keeps it if the rule says so.
func (f *fetched) takeRecord(job domain.ExportJobState, raw []byte) error {
	line, r, err := eob.TrimRecord(job.Version, job.Terms.Elements, nil, raw)
	if unread := (*eob.UnreadableError)(nil); errors.As(err, &unread) {
		f.unreadRecords = append(f.unreadRecords, fmt.Sprintf("%s (at byte %d)", unread.Reason, unread.Offset))
		return nil
	} else if err != nil {
		return err
	}
	if string(r.Owner) != string(f.Patient) {
		return errOthers
	}
	if !job.Terms.Has(r.Type) {
		return nil // more than was asked for
	}
	if verdict := f.selection.DecideRecord(r); verdict != eob.Keep {
		f.excluded[verdict]++
		return nil
	}
	f.records, f.kinds = append(f.records, append(line, '\n')), append(f.kinds, r.Type.FileKind())
	return nil
}

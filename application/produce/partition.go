package produce

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/domain/eob"
	"cms.gov/ab2d/ports"
)

// member is one enrollee of a partition and which of that person's claims the
// export delivers.
type member struct {
	domain.Enrollee
	selection eob.Selection
	full      bool // entitled to more than at _since, so asked for without that bound
	optedOut  bool // asked that nothing be shared
}

// kinds are the kinds of file that a partition may come to, in their order.
var kinds = []domain.FileKind{domain.DataFile, domain.PatientFile, domain.CoverageFile, domain.ErrorFile}

// writePartition fetches the partition's members ahead, several at once, and
// writes them in order.
func (u *UseCase) writePartition(ctx context.Context, job domain.ExportJobState, l domain.Lease, processed *atomic.Int64) (domain.PartitionResult, error) {
	members, err := u.members(ctx, job, l.Partition)
	if err != nil {
		return domain.PartitionResult{}, err
	}
	prefix := domain.AttemptPrefix(l.Partition.ID, l.Attempt)
	outs := map[domain.FileKind]*output{}
	for _, kind := range kinds {
		outs[kind] = &output{files: u.Files, packing: u.Packing, prefix: prefix, kind: kind, roll: job.Terms.FileBytes(u.Settings.RollBytes)}
		defer outs[kind].abort()
	}
	result := domain.PartitionResult{Excluded: map[string]int{}}
	if l.Partition.ID.Seq == 1 { // what concerns the whole job comes with its first partition
		for _, i := range job.Terms.Ignored {
			if err := outs[domain.ErrorFile].write(ctx, ignoredOutcome(i)); err != nil {
				return result, err
			}
		}
	}
	for f, err := range u.fetchAll(ctx, job, l, members) {
		if err != nil {
			return result, err
		}
		if err := f.write(ctx, outs, job.Terms.ByPatient); err != nil {
			return result, err
		}
		f.count(&result)
		processed.Add(1)
	}
	for _, kind := range kinds {
		files, err := outs[kind].close()
		if err != nil {
			return result, err
		}
		result.Files = append(result.Files, files...)
	}
	return result, nil
}

// members returns the partition's members by the version that planning fixed.
// There are exactly as many as planning counted, else something is wrong with
// the enrollment and nobody may be lost over it.
func (u *UseCase) members(ctx context.Context, job domain.ExportJobState, p domain.Partition) ([]member, error) {
	plans := domain.RestoreExportJob(job)
	plan, ok := plans.Plan(p.Contract)
	if !ok {
		return nil, fmt.Errorf("partition %s: its contract is not planned", p.ID)
	}
	now, err := u.enrolled(ctx, job, plan, p.Keys)
	if err != nil {
		return nil, err
	}
	// A claim that several contracts of the job entitle to comes with the first.
	for _, earlier := range job.Plans {
		if earlier.Contract == plan.Contract {
			break
		}
		others, err := u.enrolled(ctx, job, earlier, p.Keys)
		if err != nil {
			return nil, err
		}
		byPatient := map[domain.PatientID]eob.Selection{}
		for _, o := range others {
			byPatient[o.Patient] = o.selection
		}
		for i := range now {
			if r, ok := byPatient[now[i].Patient]; ok {
				now[i].selection.Earlier = append(now[i].selection.Earlier, r)
			}
		}
	}
	if len(now) != p.Members {
		return nil, fmt.Errorf("partition %s has %d members where planning counted %d", p.ID, len(now), p.Members)
	}
	return now, nil
}

// enrolled returns the members of a contract whose ids lie in the range, each with
// the selection of its claims.
func (u *UseCase) enrolled(ctx context.Context, job domain.ExportJobState, plan domain.ContractPlan, keys domain.KeyRange) ([]member, error) {
	before := map[domain.PatientID]domain.Entitlement{}
	if plan.Before != 0 && plan.FromBefore != 0 {
		for e, err := range u.roll(ctx, job, plan.Contract, plan.Before, keys) {
			if err != nil {
				return nil, err
			}
			before[e.Patient] = domain.Entitlement{Months: e.Months, From: plan.FromBefore}
		}
	}
	var members []member
	asOf := domain.Today(job.TransactionTime)
	for e, err := range u.roll(ctx, job, plan.Contract, plan.Enrollment, keys) {
		if err != nil {
			return nil, err
		}
		now := domain.Entitlement{Months: e.Months, From: plan.From}
		if now.IsMember(asOf) {
			members = append(members, member{Enrollee: e, selection: eob.Selection{Patient: e.Patient, Now: now, Before: before[e.Patient],
				Since: job.Window.Since, Through: job.Window.Through(job.TransactionTime), Filters: job.Terms.Filters}})
		}
	}
	if err := u.heed(ctx, job, members); err != nil {
		return nil, err
	}
	for i := range members {
		m := &members[i]
		m.full = !m.selection.Since.IsZero() && m.selection.Now.ReachesBack(m.selection.Before, m.selection.Since)
	}
	return members, nil
}

// heed marks the members who asked that nothing be shared, by what was known
// when the job was planned or what is known now: whoever was left out at
// planning stays out, and whoever asked since is out at once. Somebody who may
// have been left out of the export before has not been delivered yet.
func (u *UseCase) heed(ctx context.Context, job domain.ExportJobState, members []member) error {
	var mbis []domain.MBI
	for _, m := range members {
		mbis = append(mbis, m.IDs.All()...)
	}
	var stated map[domain.MBI][]domain.Preference
	if err := u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) (err error) {
		stated, err = tx.Preferences.Of(ctx, mbis)
		return err
	}); err != nil || len(stated) == 0 {
		return err
	}
	now := u.Clock.Now()
	for i := range members {
		m := &members[i]
		var own []domain.Preference
		for _, mbi := range m.IDs.All() {
			own = append(own, stated[mbi]...)
		}
		planned := slices.DeleteFunc(slices.Clone(own), func(p domain.Preference) bool { return p.Recorded.After(job.StartedAt) })
		m.optedOut = !domain.SharesOn(own, domain.Today(now)) || !domain.SharesOn(planned, domain.Today(job.StartedAt))
		if !m.selection.Since.IsZero() && domain.MayHaveBeenWithheld(own, m.selection.Since) {
			m.selection.Before = domain.Entitlement{}
		}
	}
	return nil
}

// fetched is what came of asking for one member's claims.
type fetched struct {
	member
	stage         *stage
	records       [][]byte          // lines of a Patient and of coverage
	kinds         []domain.FileKind // of the records, one each
	claims        int
	excluded      map[eob.Verdict]int
	unread        []string // why claims could not be read
	unreadRecords []string // and why records could not
	failure       string   // why the member's claims could not be had at all; empty when they were
	unknown       bool     // with failure: the source says that it does not know the person
	err           error    // why the whole partition cannot go on
}

// write puts the member's claims, records and faults into the files.
func (f *fetched) write(ctx context.Context, outs map[domain.FileKind]*output, byPatient bool) error {
	if f.failure == "" && byPatient {
		if err := f.writeBlock(ctx, outs[domain.DataFile]); err != nil {
			return err
		}
	} else if f.failure == "" {
		if err := f.stage.each(func(chunk []byte) error { return outs[domain.DataFile].write(ctx, chunk) }); err != nil {
			return err
		}
		for i, line := range f.records {
			if err := outs[f.kinds[i]].write(ctx, line); err != nil {
				return err
			}
		}
	}
	for _, line := range f.outcomes() {
		if err := outs[domain.ErrorFile].write(ctx, line); err != nil {
			return err
		}
	}
	return nil
}

// writeBlock puts all that there is of the member behind one header, the Patient
// first (organizeOutputBy of the Bulk Data guide).
func (f *fetched) writeBlock(ctx context.Context, out *output) error {
	size := f.stage.size()
	for _, line := range f.records {
		size += int64(len(line))
	}
	if size == 0 {
		return nil
	}
	if err := out.begin(ctx, blockHeader(f.Patient), size); err != nil {
		return err
	}
	defer out.end()
	for _, kind := range []domain.FileKind{domain.PatientFile, domain.CoverageFile} {
		for i, line := range f.records {
			if f.kinds[i] != kind {
				continue
			}
			if err := out.write(ctx, line); err != nil {
				return err
			}
		}
	}
	return f.stage.each(func(chunk []byte) error { return out.write(ctx, chunk) })
}

// blockHeader is the line that says whose resources follow.
func blockHeader(id domain.PatientID) []byte {
	reference, err := json.Marshal("Patient/" + string(id))
	if err != nil {
		panic(err) // no text cannot be written
	}
	line := fmt.Appendf(nil, `{"resourceType":"Parameters","parameter":[{"name":"header","valueReference":{"reference":%s}}]}`, reference)
	return append(line, '\n')
}

// count puts the member into exactly one column.
func (f *fetched) count(r *domain.PartitionResult) {
	for v, n := range f.excluded {
		r.Excluded[string(v)] += n
	}
	c := &r.Columns
	if f.IDs.Current == "" {
		c.NoCurrentMBI++
	}
	switch {
	case f.optedOut:
		c.OptedOut++
		return
	case f.failure != "":
		c.Failed++
		r.Lost = append(r.Lost, f.Patient)
		return
	case f.claims+len(f.records) == 0 && len(f.unread)+len(f.unreadRecords) > 0:
		c.Failed++
		return
	case f.claims+len(f.records) > 0:
		c.Exported++
	default:
		c.NoClaims++
	}
	r.Claims += f.claims
	if f.full {
		c.FullHistory++
	}
}

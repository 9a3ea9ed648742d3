package entstore

import (
	"context"

	"entgo.io/ent/dialect/sql"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ent"
	"cms.gov/ab2d/ent/auditarchive"
	"cms.gov/ab2d/ent/auditrecord"
	"cms.gov/ab2d/ent/auditseal"
	"cms.gov/ab2d/ent/auditunsealed"
	"cms.gov/ab2d/ent/predicate"
	"cms.gov/ab2d/ports"
)

// auditTrail implements ports.AuditTrail. That a record waits to be sealed is
// the work of a trigger, see the migrations.
type auditTrail struct{ unit }

// sealLock is the number of the advisory lock that sealing takes on Postgres.
// Locking rows would need the right to change them.
const sealLock = 0x61756469

func (s auditTrail) Unsealed(ctx context.Context, after int64, limit int) ([]int64, error) {
	if s.locks() {
		if _, err := s.tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", sealLock); err != nil {
			return nil, err
		}
	}
	return s.AuditUnsealed.Query().Where(auditunsealed.IDGT(after)).Order(ent.Asc(auditunsealed.FieldID)).Limit(limit).IDs(ctx)
}

func (s auditTrail) Numbers(ctx context.Context, after int64, limit int) ([]int64, error) {
	return s.AuditRecord.Query().Where(auditrecord.IDGT(after)).Order(ent.Asc(auditrecord.FieldID)).Limit(limit).IDs(ctx)
}

func (s auditTrail) Records(ctx context.Context, which domain.Numbers) (found []ports.AuditEntry, err error) {
	for _, part := range parts(which) {
		rows, err := s.AuditRecord.Query().Where(numbered(part)).Order(ent.Asc(auditrecord.FieldID)).All(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			found = append(found, ports.AuditEntry{Number: r.ID, AuditRecord: auditFromRow(r)})
		}
	}
	return found, nil
}

func (s auditTrail) Remove(ctx context.Context, which domain.Numbers) (removed int, err error) {
	waiting := sql.Select(auditunsealed.FieldID).From(sql.Table(auditunsealed.Table))
	for _, part := range parts(which) {
		n, err := s.AuditRecord.Delete().Where(numbered(part), func(sel *sql.Selector) {
			sel.Where(sql.NotIn(sel.C(auditrecord.FieldID), waiting.Clone()))
		}).Exec(ctx)
		if refused(err, mayNot) {
			return removed, domain.Errorf(domain.Forbidden, "This role of the database may not remove audit records.").
				WithNext("Use the role that owns the tables, the one that migrates.").Because(err)
		} else if err != nil {
			return removed, err
		}
		removed += n
	}
	return removed, nil
}

// mayNot is Postgres's code for what a role has no right to.
const mayNot = "42501"

// numbered holds for the records of the set, each run of which is a condition.
func numbered(which domain.Numbers) predicate.AuditRecord {
	var runs []predicate.AuditRecord
	for _, r := range which {
		runs = append(runs, auditrecord.And(auditrecord.IDGTE(r.First), auditrecord.IDLTE(r.Last)))
	}
	return auditrecord.Or(runs...)
}

// parts cuts a set so that one statement can name all runs of a part.
func parts(which domain.Numbers) (all []domain.Numbers) {
	for len(which) > chunk/2 {
		all, which = append(all, which[:chunk/2]), which[chunk/2:]
	}
	if len(which) > 0 {
		all = append(all, which)
	}
	return all
}

// auditSeals implements ports.AuditSeals.
type auditSeals struct{ unit }

func (s auditSeals) Last(ctx context.Context) (domain.Seal, error) {
	row, err := s.AuditSeal.Query().Order(ent.Desc(auditseal.FieldID)).First(ctx)
	if ent.IsNotFound(err) {
		return domain.Seal{}, nil
	} else if err != nil {
		return domain.Seal{}, err
	}
	return sealFromRow(row), nil
}

func (s auditSeals) Add(ctx context.Context, seal domain.Seal) error {
	err := s.adding(ctx, "this audit seal", func() error {
		return s.AuditSeal.Create().SetID(seal.Number).SetAt(kept(seal.At)).SetRecords(seal.Records.String()).SetDigest(seal.Digest).
			SetPrevious(seal.Previous).SetHash(seal.Hash).SetKey(seal.Key).SetSignature(seal.Signature).SetLeaves(seal.Leaves).Exec(ctx)
	})
	if err != nil {
		return err
	}
	for _, part := range parts(seal.Records) {
		var runs []predicate.AuditUnsealed
		for _, r := range part {
			runs = append(runs, auditunsealed.And(auditunsealed.IDGTE(r.First), auditunsealed.IDLTE(r.Last)))
		}
		if _, err := s.AuditUnsealed.Delete().Where(auditunsealed.Or(runs...)).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s auditSeals) After(ctx context.Context, number int64, limit int) ([]domain.Seal, error) {
	rows, err := s.AuditSeal.Query().Where(auditseal.IDGT(number)).Order(ent.Asc(auditseal.FieldID)).Limit(limit).All(ctx)
	return all(rows, sealFromRow), err
}

func (s auditSeals) Hashes(ctx context.Context, numbers []int64) (map[int64]string, error) {
	hashes := make(map[int64]string, len(numbers))
	for len(numbers) > 0 {
		n := min(chunk, len(numbers))
		rows, err := s.AuditSeal.Query().Where(auditseal.IDIn(numbers[:n]...)).Select(auditseal.FieldID, auditseal.FieldHash).All(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			hashes[r.ID] = r.Hash
		}
		numbers = numbers[n:]
	}
	return hashes, nil
}

// sealFromRow leaves out the numbers of records where they are not what a seal
// has: then it is not whole, and whoever verifies it tells.
func sealFromRow(r *ent.AuditSeal) domain.Seal {
	records, _ := domain.ParseNumbers(r.Records)
	return domain.Seal{Number: r.ID, At: r.At.UTC(), Records: records, Digest: r.Digest, Previous: r.Previous, Key: r.Key, Hash: r.Hash,
		Signature: r.Signature, Leaves: r.Leaves}
}

// auditArchives implements ports.AuditArchives.
type auditArchives struct{ unit }

func (s auditArchives) Add(ctx context.Context, a domain.AuditArchive) error {
	return s.adding(ctx, "an archive of these audit records", func() error {
		return s.AuditArchive.Create().SetID(a.First).SetLastSeal(a.Last).SetRecords(a.Records).SetKey(a.Key).SetSha256(a.SHA256).
			SetBytes(a.Bytes).SetAt(kept(a.At)).Exec(ctx)
	})
}

func (s auditArchives) List(ctx context.Context) ([]domain.AuditArchive, error) {
	rows, err := s.AuditArchive.Query().Order(ent.Asc(auditarchive.FieldID)).All(ctx)
	return all(rows, func(r *ent.AuditArchive) domain.AuditArchive {
		return domain.AuditArchive{First: r.ID, Last: r.LastSeal, Records: r.Records, Key: r.Key, SHA256: r.Sha256, Bytes: r.Bytes, At: r.At.UTC()}
	}), err
}

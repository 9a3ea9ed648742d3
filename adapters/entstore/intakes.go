package entstore

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"entgo.io/ent/dialect"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ent"
	"cms.gov/ab2d/ent/enrollmentintake"
	"cms.gov/ab2d/ent/gatheredenrollee"
)

// intakes implements ports.Intakes.
type intakes struct{ unit }

func (s intakes) Get(ctx context.Context, n domain.ContractNumber) (domain.Intake, error) {
	row, err := s.EnrollmentIntake.Get(ctx, string(n))
	if ent.IsNotFound(err) {
		return domain.Intake{Contract: n}, nil
	} else if err != nil {
		return domain.Intake{}, err
	}
	return intakeFromRow(row), nil
}

func (s intakes) Put(ctx context.Context, in domain.Intake) error {
	create := s.EnrollmentIntake.Create().SetID(string(in.Contract)).SetMonths(in.Months)
	update := create.OnConflictColumns(enrollmentintake.FieldID).UpdateNewValues()
	if in.Pass != nil {
		create.SetPass(in.Pass)
	} else {
		update.ClearPass()
	}
	return update.Exec(ctx)
}

func (s intakes) List(ctx context.Context) ([]domain.Intake, error) {
	rows, err := s.EnrollmentIntake.Query().All(ctx)
	return sortedBy(all(rows, intakeFromRow), func(in domain.Intake) domain.ContractNumber { return in.Contract }), err
}

// gathering implements ports.Gathering. Hundreds of millions of rows may go
// through it, so the statements are written out.
type gathering struct{ unit }

func (s gathering) Add(ctx context.Context, n domain.ContractNumber, people []domain.Enrollee) error {
	for some := range slices.Chunk(people, s.atOnce()) {
		if err := s.add(ctx, n, some); err != nil {
			return fmt.Errorf("gather %d people: %w", len(some), err)
		}
	}
	return nil
}

func (s gathering) atOnce() int {
	if s.dialect == dialect.Postgres {
		return page
	}
	return chunk
}

func (s gathering) add(ctx context.Context, n domain.ContractNumber, people []domain.Enrollee) error {
	united := map[domain.PatientID]domain.Enrollee{}
	for _, e := range people {
		e.Months = union(united[e.Patient].Months, e.Months)
		united[e.Patient] = e
	}
	// By id, so that two who add the same people never wait for one another.
	people = slices.SortedFunc(maps.Values(united), func(a, b domain.Enrollee) int { return cmp.Compare(a.Patient, b.Patient) })
	before, err := s.months(ctx, n, people)
	if err != nil {
		return err
	}
	for i, e := range people {
		people[i].Months = union(before[e.Patient], e.Months)
	}
	if s.dialect == dialect.Postgres {
		return s.upsert(ctx, n, people)
	}
	rows := make([]*ent.GatheredEnrolleeCreate, len(people))
	for i, e := range people {
		rows[i] = s.GatheredEnrollee.Create().SetContract(n).SetPatient(e.Patient).SetMonths([]byte(e.Months)).
			SetMbi(string(e.IDs.Current)).SetHistoricMbis(mbisToText(e.IDs.Historic))
	}
	return s.GatheredEnrollee.CreateBulk(rows...).OnConflictColumns(gatheredenrollee.FieldContract, gatheredenrollee.FieldPatient).
		Update(func(u *ent.GatheredEnrolleeUpsert) { u.UpdateMonths().UpdateMbi().UpdateHistoricMbis() }).Exec(ctx)
}

func (s gathering) upsert(ctx context.Context, n domain.ContractNumber, people []domain.Enrollee) error {
	patients, months := make([]string, len(people)), make([][]byte, len(people))
	mbis, historic := make([]string, len(people)), make([]string, len(people))
	for i, e := range people {
		patients[i], months[i], mbis[i], historic[i] = string(e.Patient), []byte(e.Months), string(e.IDs.Current), mbisToText(e.IDs.Historic)
	}
	_, err := s.tx.ExecContext(ctx, "INSERT INTO gathered_enrollees (contract, patient, months, mbi, historic_mbis)"+
		" SELECT $1, * FROM unnest($2::text[], $3::bytea[], $4::text[], $5::text[])"+
		" ON CONFLICT (contract, patient) DO UPDATE SET months = excluded.months, mbi = excluded.mbi, historic_mbis = excluded.historic_mbis",
		string(n), patients, months, mbis, historic)
	return err
}

// months returns those gathered before of some people.
func (s gathering) months(ctx context.Context, n domain.ContractNumber, people []domain.Enrollee) (map[domain.PatientID]domain.MonthSet, error) {
	patients := make([]domain.PatientID, len(people))
	for i, e := range people {
		patients[i] = e.Patient
	}
	before := map[domain.PatientID]domain.MonthSet{}
	if s.dialect != dialect.Postgres {
		rows, err := s.GatheredEnrollee.Query().Where(gatheredenrollee.Contract(n), gatheredenrollee.PatientIn(patients...)).
			Select(gatheredenrollee.FieldPatient, gatheredenrollee.FieldMonths).All(ctx)
		for _, r := range rows {
			before[r.Patient] = domain.MonthSet(r.Months)
		}
		return before, err
	}
	rows, err := s.tx.QueryContext(ctx, "SELECT patient, months FROM gathered_enrollees WHERE contract = $1 AND patient = ANY($2)", string(n), texts(patients))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var patient domain.PatientID
	var months sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&patient, &months); err != nil {
			return nil, err
		}
		before[patient] = domain.MonthSet(months)
	}
	return before, rows.Err()
}

func union(a, b domain.MonthSet) domain.MonthSet {
	for _, m := range b.Months() {
		a = a.With(m, m)
	}
	return a
}

func (s gathering) After(ctx context.Context, n domain.ContractNumber, after domain.PatientID, limit int) ([]domain.Enrollee, error) {
	rows, err := s.tx.QueryContext(ctx, "SELECT patient, months, mbi, historic_mbis FROM gathered_enrollees WHERE contract = $1 AND patient > $2 ORDER BY patient LIMIT $3",
		string(n), string(after), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var some []domain.Enrollee
	var m member
	var months sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&m.patient, &months, &m.mbi, &m.historic); err != nil {
			return nil, err
		}
		m.months = domain.MonthSet(months)
		some = append(some, m.enrollee())
	}
	return some, rows.Err()
}

func (s gathering) Clear(ctx context.Context, n domain.ContractNumber) error {
	_, err := s.tx.ExecContext(ctx, "DELETE FROM gathered_enrollees WHERE contract = $1", string(n))
	return err
}

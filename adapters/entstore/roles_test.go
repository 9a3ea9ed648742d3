package entstore_test

import (
	"context"
	"strings"
	"testing"

	"cms.gov/ab2d/adapters/entstore/pgtest"
	"cms.gov/ab2d/adapters/entstore/sqlitetest"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
	"cms.gov/ab2d/ports/porttest"
)

// All that the store promises it keeps for the role that serves, too.
func TestStoreAsTheServingRole(t *testing.T) {
	suite := func(t *testing.T) porttest.Store {
		url := pgtest.URL(t)
		owner := open(t, url, nil)
		role, asRole := pgtest.Role(t, url)
		if err := owner.Grant(t.Context(), role); err != nil {
			t.Fatal(err)
		}
		// Made after that, as by the next migration.
		if _, err := owner.DB().Exec("CREATE TABLE tasks_of_the_test (id integer, job text, part integer)"); err != nil {
			t.Fatal(err)
		}
		s := open(t, asRole, joinTable)
		return porttest.Store{UnitOfWork: s, Coverage: s, Secrets: s, AuditLog: s,
			Scheduled: func(t *testing.T) []ports.Task { return scheduled(t, s.DB()) }}
	}
	t.Run("Jobs", func(t *testing.T) { porttest.Jobs(t, suite) })
	t.Run("Leases", func(t *testing.T) { porttest.Leases(t, suite) })
	t.Run("Coverage", func(t *testing.T) { porttest.Coverage(t, suite) })
	t.Run("Audit", func(t *testing.T) { porttest.Audit(t, suite) })
}

func TestTheServingRoleCannotChangeThePast(t *testing.T) {
	url := pgtest.URL(t)
	owner := open(t, url, nil)
	if err := owner.CheckServing(t.Context()); err == nil || !strings.Contains(err.Error(), "AB2D_SERVING_ROLE=ab2d_serve ab2d migrate") {
		t.Errorf("of the owner it is said: %v", err)
	}
	role, asRole := pgtest.Role(t, url)
	for range 2 { // each migration grants again
		if err := owner.Grant(t.Context(), role); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, asRole, nil)
	if err := s.CheckServing(t.Context()); err != nil {
		t.Error(err)
	}
	err := s.Do(t.Context(), func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Audit.Record(ctx, domain.AuditRecord{Action: "test"}); err != nil {
			return err
		}
		seal := domain.NewSeal(domain.Seal{}, domain.AuditRecord{}.At, domain.NumbersOf([]int64{1}), domain.NoLeaf, "k")
		seal.Signature = []byte{1}
		if err := tx.Seals.Add(ctx, seal); err != nil {
			return err
		}
		return tx.Archives.Add(ctx, domain.AuditArchive{First: 1, Last: 1})
	})
	if err != nil {
		t.Fatal(err)
	}
	for table, column := range map[string]string{"audit_records": "target", "audit_seals": "hash", "audit_archives": "key"} {
		for _, statement := range []string{
			"UPDATE " + table + " SET " + column + " = 'x'", "DELETE FROM " + table, "TRUNCATE " + table, "DROP TABLE " + table,
			"ALTER TABLE " + table + " ADD COLUMN x int", "ALTER TABLE " + table + " DISABLE TRIGGER ALL",
			"CREATE TRIGGER x BEFORE INSERT ON " + table + " FOR EACH ROW EXECUTE FUNCTION audit_record_waits()",
			"SELECT * FROM " + table + " FOR UPDATE", "INSERT INTO goose_db_version (version_id, is_applied) VALUES (1, true)",
		} {
			if _, err := s.DB().Exec(statement); err == nil || !strings.Contains(err.Error(), "42501") {
				t.Errorf("%s: %v", statement, err)
			}
		}
		var n int
		if err := s.DB().QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil || n != 1 {
			t.Errorf("%s has %d rows, %v", table, n, err)
		}
	}
	err = s.Do(t.Context(), func(ctx context.Context, tx ports.Tx) error {
		_, err := tx.AuditTrail.Remove(ctx, domain.NumbersOf([]int64{1}))
		return err
	})
	if domain.CodeOf(err) != domain.Forbidden {
		t.Errorf("removing a record: %v", err)
	}
}

// A right that somebody gave by another way is noticed.
func TestRightsThatAreTooManyAreNamed(t *testing.T) {
	for grant, want := range map[string]string{
		"GRANT DELETE ON audit_records TO ROLE":      "right to DELETE on audit_records",
		"GRANT UPDATE (hash) ON audit_seals TO ROLE": "UPDATE columns of audit_seals",
		"GRANT TRUNCATE ON audit_archives TO PUBLIC": "right to TRUNCATE on audit_archives",
		"GRANT ab2d TO ROLE":                         "it owns audit_records",
		"ALTER ROLE ROLE SUPERUSER":                  "it is a superuser",
		"ALTER TABLE audit_records OWNER TO ROLE":    "it owns audit_records",
	} {
		url := pgtest.URL(t)
		owner := open(t, url, nil)
		var me string
		if err := owner.DB().QueryRow("SELECT quote_ident(current_user)").Scan(&me); err != nil {
			t.Fatal(err)
		}
		role, asRole := pgtest.Role(t, url)
		if err := owner.Grant(t.Context(), role); err != nil {
			t.Fatal(err)
		}
		statement := strings.Replace(strings.Replace(grant, "TO ROLE", "TO "+role, 1), "ROLE ROLE", "ROLE "+role, 1)
		if _, err := owner.DB().Exec(strings.Replace(statement, "GRANT ab2d", "GRANT "+me, 1)); err != nil {
			t.Fatal(err)
		}
		if err := open(t, asRole, nil).CheckServing(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("after %s it is said: %v", statement, err)
		}
		// So that the role can go.
		_, _ = owner.DB().Exec("ALTER TABLE audit_records OWNER TO " + me)
	}
}

func TestARoleThatCannotServeIsRefused(t *testing.T) {
	url := pgtest.URL(t)
	s := open(t, url, nil)
	var me string
	if err := s.DB().QueryRow("SELECT current_user").Scan(&me); err != nil {
		t.Fatal(err)
	}
	for role, want := range map[string]string{"nobody at all": `CREATE ROLE "nobody at all"`, me: "owns the tables"} {
		if err := s.Grant(t.Context(), role); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("of %q it is said: %v", role, err)
		}
	}
	if err := open(t, sqlitetest.URL(t), nil).Grant(t.Context(), "x"); err == nil {
		t.Error("the embedded database has a role")
	}
	if err := open(t, sqlitetest.URL(t), nil).CheckServing(t.Context()); err != nil {
		t.Error(err)
	}
}

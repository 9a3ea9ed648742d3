package entstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"entgo.io/ent/dialect"
	"github.com/jackc/pgx/v5"

	"cms.gov/ab2d/ent/auditarchive"
	"cms.gov/ab2d/ent/auditrecord"
	"cms.gov/ab2d/ent/auditseal"
)

// addedTo are the tables that are only ever added to.
var addedTo = []string{auditrecord.Table, auditseal.Table, auditarchive.Table}

// migrated are the tables that tell which steps of the schema were taken.
var migrated = []string{"goose_db_version", "river_migration"}

// Grant gives a role of Postgres what serving takes, for the tables there are
// and for those that are made later: everything but to change or remove what
// tells of the past. The caller owns the tables; the role is there already.
func (s *Store) Grant(ctx context.Context, role string) error {
	if s.dialect != dialect.Postgres {
		return fmt.Errorf("the embedded database has no roles; serving-role is for Postgres")
	}
	var own bool
	err := s.read.QueryRowContext(ctx, "SELECT pg_has_role($1, current_user, 'MEMBER') FROM pg_roles WHERE rolname = $1", role).Scan(&own)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("there is no role %s; make it with: CREATE ROLE %s LOGIN PASSWORD '...'", role, pgx.Identifier{role}.Sanitize())
	case err != nil:
		return err
	case own:
		return fmt.Errorf("the role %s is, or stands for, the one that owns the tables, so nothing could be kept from it; serving-role names another", role)
	}
	tx, err := s.begin(ctx, s.write, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // does nothing after Commit
	var schema string
	if err := tx.QueryRowContext(ctx, "SELECT current_schema()").Scan(&schema); err != nil {
		return err
	}
	to, in := pgx.Identifier{role}.Sanitize(), pgx.Identifier{schema}.Sanitize()
	for _, statement := range []string{
		"GRANT USAGE ON SCHEMA " + in + " TO " + to,
		"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA " + in + " TO " + to,
		"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA " + in + " TO " + to,
		"ALTER DEFAULT PRIVILEGES IN SCHEMA " + in + " GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO " + to,
		"ALTER DEFAULT PRIVILEGES IN SCHEMA " + in + " GRANT USAGE, SELECT ON SEQUENCES TO " + to,
		"REVOKE UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON " + strings.Join(addedTo, ", ") + " FROM " + to,
		"REVOKE INSERT, UPDATE, DELETE ON " + strings.Join(migrated, ", ") + " FROM " + to,
	} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("let the role %s serve: %w", role, err)
		}
	}
	return tx.Commit()
}

// CheckServing returns an error that says what to do when this process, whose
// role it is, could change or remove audit records, seals or archives. On SQLite
// whoever reads the file can write it, so there is nothing to check.
func (s *Store) CheckServing(ctx context.Context) error {
	if s.dialect != dialect.Postgres {
		return nil
	}
	var role string
	var super bool
	if err := s.read.QueryRowContext(ctx, "SELECT rolname, rolsuper FROM pg_roles WHERE rolname = current_user").Scan(&role, &super); err != nil {
		return err
	}
	if super {
		return mayTooMuch(role, "it is a superuser")
	}
	for _, table := range addedTo {
		var owns, column bool
		var may string
		err := s.read.QueryRowContext(ctx, `SELECT pg_has_role(current_user, relowner, 'MEMBER'), has_any_column_privilege(oid, 'UPDATE'),
			(SELECT COALESCE(string_agg(p, ', '), '') FROM unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER']) p WHERE has_table_privilege(c.oid, p))
			FROM pg_class c WHERE oid = to_regclass($1)`, table).Scan(&owns, &column, &may)
		switch {
		case err != nil:
			return err
		case owns:
			return mayTooMuch(role, "it owns "+table)
		case may != "":
			return mayTooMuch(role, "it has the right to "+may+" on "+table)
		case column:
			return mayTooMuch(role, "it has the right to UPDATE columns of "+table)
		}
	}
	return nil
}

func mayTooMuch(role, why string) error {
	return fmt.Errorf("the database's role %s could change the audit trail: %s. Serve as a role of its own: CREATE ROLE ab2d_serve LOGIN PASSWORD '...'; "+
		"then AB2D_SERVING_ROLE=ab2d_serve ab2d migrate as the role that owns the tables; then give serve the URL of ab2d_serve", role, why)
}

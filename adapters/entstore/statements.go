package entstore

import (
	"context"

	"entgo.io/ent/dialect/sql"
	"entgo.io/ent/dialect/sql/sqlgraph"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ent"
)

// adding runs an insert so that when it fails the unit of work can go on as if
// it had not been tried, on Postgres too. Of what is there already it makes a
// conflict, and of a reference to what is not there an invalid error.
func (s unit) adding(ctx context.Context, what string, insert func() error) error {
	if _, err := s.tx.ExecContext(ctx, "SAVEPOINT adding"); err != nil {
		return err
	}
	failed := insert()
	if failed != nil {
		if _, err := s.tx.ExecContext(ctx, "ROLLBACK TO SAVEPOINT adding"); err != nil {
			return failed
		}
	}
	if _, err := s.tx.ExecContext(ctx, "RELEASE SAVEPOINT adding"); err != nil && failed == nil {
		return err
	}
	switch {
	case sqlgraph.IsUniqueConstraintError(failed):
		return domain.Errorf(domain.Conflict, "%s is there already", what).Because(failed)
	case sqlgraph.IsForeignKeyConstraintError(failed):
		return domain.Errorf(domain.Invalid, "%s belongs to something that is not there", what).Because(failed)
	}
	return failed
}

// missing makes a not_found error of ent's own, and passes others on.
func missing(err error, format string, args ...any) error {
	if ent.IsNotFound(err) {
		return domain.Errorf(domain.NotFound, format, args...)
	}
	return err
}

// now reads the database's clock, in milliseconds.
func (s unit) now(ctx context.Context) (ms int64, err error) {
	err = s.tx.QueryRowContext(ctx, "SELECT "+clockOf(s.dialect)).Scan(&ms)
	return ms, err
}

// clockPlus is the database's clock with some milliseconds added, as a value of
// a statement, so that the statement itself reads the clock.
func (s unit) clockPlus(ms int64) sql.Querier {
	clock := clockOf(s.dialect)
	return sql.ExprFunc(func(b *sql.Builder) { b.WriteString(clock + " + ").Arg(ms) })
}

// comparedToClock compares a column of milliseconds with the database's clock
// inside the statement: op is < or > and so on.
func (s unit) comparedToClock(column, op string, plus int64) func(*sql.Selector) {
	clock := clockOf(s.dialect)
	return func(sel *sql.Selector) {
		sel.Where(sql.P(func(b *sql.Builder) {
			b.Ident(sel.C(column)).WriteString(" " + op + " " + clock + " + ").Arg(plus)
		}))
	}
}

// chunk is how many rows one statement inserts or changes: both databases bound
// the number of arguments.
const chunk = 500

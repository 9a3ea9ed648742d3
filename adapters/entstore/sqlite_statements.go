package entstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"modernc.org/sqlite"
)

// openSQLite opens connections that keep the statements they prepared. Else each
// query is parsed and planned again: a third of the time of one that reads a row
// by its key, and so of finding a file that is to be sent. Postgres's driver
// keeps its statements by itself.
func openSQLite(name string) (*sql.DB, error) {
	c, err := sqlite.NewConnector(name)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(keeping{c}), nil
}

type keeping struct{ driver.Connector }

func (k keeping) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := k.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	conn, ok := c.(sqliteConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the driver of SQLite is another: %T", c), c.Close())
	}
	return &keeper{sqliteConn: conn, idle: map[string]sqliteStmt{}}, nil
}

// sqliteConn is what the driver asks of whoever stands in front of a connection
// of it to pass on.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type sqliteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// keeper is a connection. Whoever has it uses it alone.
type keeper struct {
	sqliteConn
	idle map[string]sqliteStmt // by their text; one whose rows are being read is not among them
}

// keptStatements is how many statements a connection keeps. There are fewer different ones,
// but for those with lists of any length.
const keptStatements = 200

// take returns the statement of that text.
func (k *keeper) take(ctx context.Context, text string) (sqliteStmt, error) {
	if s, ok := k.idle[text]; ok {
		delete(k.idle, text)
		return s, nil
	}
	prepared, err := k.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	s, ok := prepared.(sqliteStmt)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the driver of SQLite has other statements: %T", prepared), prepared.Close())
	}
	return s, nil
}

// give takes it back. One that failed is not kept.
func (k *keeper) give(text string, s sqliteStmt, err error) error {
	if _, again := k.idle[text]; again || err != nil {
		return s.Close()
	}
	if len(k.idle) == keptStatements {
		err = k.forget()
	}
	k.idle[text] = s
	return err
}

func (k *keeper) forget() (err error) {
	for text, s := range k.idle {
		err = errors.Join(err, s.Close())
		delete(k.idle, text)
	}
	return err
}

// ExecContext implements driver.ExecerContext.
func (k *keeper) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	s, err := k.take(ctx, text)
	if err != nil {
		return nil, err
	}
	r, err := s.ExecContext(ctx, args)
	if closing := k.give(text, s, err); err == nil {
		err = closing
	}
	return r, err
}

// QueryContext implements driver.QueryerContext.
func (k *keeper) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := k.take(ctx, text)
	if err != nil {
		return nil, err
	}
	r, err := s.QueryContext(ctx, args)
	if err != nil {
		_ = k.give(text, s, err) // the error of the query is the one to tell
		return nil, err
	}
	return &keptRows{Rows: r, done: func(err error) error { return k.give(text, s, err) }}, nil
}

// Close implements driver.Conn.
func (k *keeper) Close() error { return errors.Join(k.forget(), k.sqliteConn.Close()) }

// Unwrap gives the driver its connection.
func (k *keeper) Unwrap() driver.Conn { return k.sqliteConn }

// keptRows gives their statement back when they are closed, which resets it.
type keptRows struct {
	driver.Rows
	done func(error) error
}

func (r *keptRows) Close() error {
	err := r.Rows.Close()
	if r.done == nil {
		return err
	}
	closing := r.done(err)
	r.done = nil
	return errors.Join(err, closing)
}

package entstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"entgo.io/ent/dialect"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// sqliteWaits is how long a statement waits for another process to end its
// write. Within one process nothing waits: there is one writing connection.
const sqliteWaits = 10 * time.Second

// sqliteReaders are connections for reading beside the writer. WAL lets them
// read on while it writes.
const sqliteReaders = 8

// settings are what a URL may leave open.
type settings struct {
	conns int
	wait  time.Duration
}

// Option is a setting of a Postgres database. Those of its URL count for more.
type Option func(*settings)

// Conns is how many connections the pool has at most; 20 without it.
func Conns(n int) Option { return func(s *settings) { s.conns = n } }

// Wait is how long anybody waits for a connection; 5 seconds without it. Then it
// is better to be told than to stand in a growing line.
func Wait(d time.Duration) Option { return func(s *settings) { s.wait = d } }

// dials is how long a new connection may take to be made where the URL does not
// say: a server that is cut off does not refuse, it says nothing.
const dials = 5 * time.Second

// connection is an open database.
type connection struct {
	dialect string
	write   *sql.DB
	read    *sql.DB // the same as write on Postgres
	renew   func()  // gives up connections that nobody uses, which may be dead
	release func()
}

// dialectOf returns the ent name of the database that a URL is for.
func dialectOf(databaseURL string) (string, error) {
	switch scheme, _, _ := strings.Cut(databaseURL, ":"); scheme {
	case "sqlite":
		return dialect.SQLite, nil
	case "postgres", "postgresql":
		return dialect.Postgres, nil
	}
	return "", errors.New("the database URL must begin with sqlite: or postgres://")
}

func connect(ctx context.Context, databaseURL string, options ...Option) (connection, error) {
	name, err := dialectOf(databaseURL)
	if err != nil {
		return connection{}, err
	}
	if name == dialect.SQLite {
		return connectSQLite(ctx, strings.TrimPrefix(databaseURL, "sqlite:"))
	}
	s := settings{conns: 20, wait: 5 * time.Second}
	for _, set := range options {
		set(&s)
	}
	return connectPostgres(ctx, databaseURL, s)
}

func connectSQLite(ctx context.Context, path string) (connection, error) {
	if path == "" {
		return connection{}, fmt.Errorf("the database URL names no file: it must be sqlite:PATH")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return connection{}, err
	}
	// The file holds personal data: SQLite gives its other files the mode of this one.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return connection{}, err
	}
	file.Close()
	write, err := openSQLite(sqliteName(path, url.Values{
		"_txlock": {"immediate"}, // a transaction that will write must not find out half way that it cannot
		"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"},
	}))
	if err != nil {
		return connection{}, err
	}
	write.SetMaxOpenConns(1)
	// The writer makes the file and puts it in WAL before anybody reads.
	if err := write.PingContext(ctx); err != nil {
		write.Close()
		return connection{}, fmt.Errorf("open the database %s: %w", path, err)
	}
	read, err := openSQLite(sqliteName(path, url.Values{"_pragma": {"query_only(1)"}}))
	if err != nil {
		write.Close()
		return connection{}, err
	}
	read.SetMaxOpenConns(sqliteReaders)
	read.SetMaxIdleConns(sqliteReaders)
	return connection{dialect: dialect.SQLite, write: write, read: read, renew: func() {}, release: func() { read.Close(); write.Close() }}, nil
}

func sqliteName(path string, options url.Values) string {
	// Busy waiting comes first: the other pragmas may have to wait already.
	options["_pragma"] = append([]string{fmt.Sprintf("busy_timeout(%d)", sqliteWaits.Milliseconds())}, options["_pragma"]...)
	options.Set("_time_format", "sqlite") // sorts as text
	return "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path) + "?" + options.Encode()
}

func connectPostgres(ctx context.Context, databaseURL string, s settings) (connection, error) {
	config, err := pgxpool.ParseConfig(databaseURL)
	if err != nil {
		return connection{}, err
	}
	if !strings.Contains(databaseURL, "pool_max_conns") {
		config.MaxConns = int32(min(s.conns, math.MaxInt32))
	}
	if !strings.Contains(databaseURL, "connect_timeout") {
		config.ConnConfig.ConnectTimeout = dials
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return connection{}, err
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return connection{}, fmt.Errorf("reach the database: %w", err)
	}
	db := sql.OpenDB(connector{stdlib.GetPoolConnector(pool), s.wait})
	db.SetMaxIdleConns(0) // the pool keeps them
	return connection{dialect: dialect.Postgres, write: db, read: db, renew: pool.Reset, release: func() { db.Close(); pool.Close() }}, nil
}

// clockOf returns the SQL for the database's own clock in milliseconds since
// 1970, as it is when the statement looks, not when its transaction began.
func clockOf(name string) string {
	if name == dialect.SQLite {
		return "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
	}
	return "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"
}

package entstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"cms.gov/ab2d/domain"
)

// comeBack is how long a caller is asked to wait when the database is away: a
// restart takes a few seconds, and so does a queue for connections.
const comeBack = 5 * time.Second

// told gives an error of the database the words that its caller may pass on:
// what passes by itself is unavailable. An error with a code keeps it, and one
// that is not the database's stays as it is. After a connection that is no good
// none of the idle ones is trusted, so that whoever comes next gets a new one.
func (s *Store) told(err error) error {
	if !away(err) || errors.As(err, new(*domain.Error)) {
		return err
	}
	if cut(err) || refused(err, gone...) {
		s.renew()
	}
	return unreachable(err)
}

func unreachable(cause error) error {
	e := domain.Errorf(domain.Unavailable, "The database cannot be reached right now.").
		WithNext("Try again in a few seconds.").Because(cause)
	e.RetryAfter = comeBack
	return e
}

// readsOnly is the code of a server that has become a standby: another has taken
// its place. Of a unit of work for reading it only says that it is one.
const readsOnly = "25006"

// gone are the codes of a server that is not the one to use, or not any more:
// it shuts down, has crashed, starts up, or is a standby.
var gone = []string{"57P01", "57P02", "57P03", readsOnly}

// away reports whether the database could not be reached, hung up, or has no
// room at the moment.
func away(err error) bool {
	if refused(err, gone...) {
		return true
	}
	if e := (*pgconn.PgError)(nil); errors.As(err, &e) {
		return strings.HasPrefix(e.Code, "08") || // connection
			strings.HasPrefix(e.Code, "53") // no connections, disk or memory left
	}
	if e := (*sqlite.Error)(nil); errors.As(err, &e) {
		return e.Code()&0xff == sqlite3.SQLITE_FULL || busy(e)
	}
	return cut(err)
}

// refused reports whether Postgres refused with one of the codes.
func refused(err error, codes ...string) bool {
	e := (*pgconn.PgError)(nil)
	return errors.As(err, &e) && slices.Contains(codes, e.Code)
}

// cut reports whether there is no connection, or no longer.
func cut(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false // it is the caller who hung up
	}
	for _, e := range []error{driver.ErrBadConn, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, e) {
			return true
		}
	}
	return errors.As(err, new(*pgconn.ConnectError)) || errors.As(err, new(*net.OpError)) || pgconn.SafeToRetry(err)
}

func busy(e *sqlite.Error) bool {
	primary := e.Code() & 0xff
	return primary == sqlite3.SQLITE_BUSY || primary == sqlite3.SQLITE_LOCKED
}

// connector is that of a pool, with a bound on the wait and with its errors
// told. All connections come from it.
type connector struct {
	driver.Connector
	wait time.Duration
}

// Connect implements driver.Connector.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	bounded, done := context.WithTimeoutCause(ctx, c.wait, errors.New("no connection came free"))
	defer done()
	conn, err := c.Connector.Connect(bounded)
	if err == nil || errors.Is(ctx.Err(), context.Canceled) {
		return conn, err
	}
	return nil, unreachable(err)
}

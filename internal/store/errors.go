package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"portico/internal/errdefs"
)

// class is a failure of an engine, in words that both share.
type class uint8

const (
	other    class = iota
	missing        // no such row, or a reference to none
	taken          // a unique value exists already
	locked         // somebody else held the lock for too long
	again          // the same transaction may succeed now
	away           // the database cannot be reached
	full           // no space left
	tooLarge       // a value does not fit
	stopped        // the caller went away meanwhile
)

// fault turns *err into the error that callers get; noun is what the method is
// about ("user"). Defer it in each public method.
func fault(err *error, noun string) {
	if *err == nil {
		return
	}
	var known *errdefs.Error
	if errors.As(*err, &known) || errors.Is(*err, context.Canceled) || errors.Is(*err, context.DeadlineExceeded) {
		return
	}
	switch classOf(*err) {
	case missing:
		*err = errdefs.Newf(errdefs.NotFound, "There is no such %s.", noun).WithCause(*err)
	case taken:
		*err = errdefs.Newf(errdefs.Conflict, "This %s exists already.", noun).WithCause(*err)
	case locked, again:
		*err = busy(*err)
	case away:
		*err = errdefs.New(errdefs.Unavailable, "The database cannot be reached. Try again in a moment.").
			WithCause(*err).WithRetryAfter(retryAfter)
	case full:
		*err = errdefs.New(errdefs.Unavailable, "The disk of the database is full. The administrator must make room.").
			WithCause(*err).WithRetryAfter(60 * retryAfter)
	case tooLarge:
		*err = errdefs.Newf(errdefs.Invalid, "A value of the %s is too long.", noun).WithCause(*err)
	case stopped:
		*err = errors.Join(context.Canceled, *err)
	default:
		*err = errdefs.From(*err)
	}
}

func busy(cause error) error {
	return errdefs.New(errdefs.Unavailable, "The database is busy. Try again in a moment.").
		WithCause(cause).WithRetryAfter(retryAfter)
}

func retryable(err error) bool { return classOf(err) == again }

func classOf(err error) class {
	if errors.Is(err, sql.ErrNoRows) {
		return missing
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		return sqliteClass(lite.Code())
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return postgresClass(pg.Code)
	}
	var network net.Error
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || pgconn.SafeToRetry(err) {
		return away
	}
	return other
}

func sqliteClass(code int) class {
	switch code {
	case lib.SQLITE_CONSTRAINT_UNIQUE, lib.SQLITE_CONSTRAINT_PRIMARYKEY:
		return taken
	case lib.SQLITE_CONSTRAINT_FOREIGNKEY:
		return missing
	}
	switch code & 0xff { // without the extension
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		return locked
	case lib.SQLITE_FULL:
		return full
	case lib.SQLITE_TOOBIG:
		return tooLarge
	case lib.SQLITE_INTERRUPT:
		return stopped
	}
	return other
}

func postgresClass(code string) class {
	switch code {
	case "23505":
		return taken
	case "23503":
		return missing
	case "40001", "40P01":
		return again
	case "55P03", "57014":
		return locked
	case "53100":
		return full
	case "53300", "57P01", "57P02", "57P03":
		return away
	case "54000":
		return tooLarge
	}
	if strings.HasPrefix(code, "08") {
		return away
	}
	return other
}

// reason is err without what a connection string may hold.
func reason(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Message
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err.Error()
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	return "no connection could be made (check host, port, sslmode and certificates)"
}

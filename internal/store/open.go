package store

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"portico/internal/access"
	"portico/internal/auth"
	"portico/internal/event"
	"portico/internal/model"
	"portico/internal/setting"
	"portico/internal/user"
)

var (
	_ user.Store    = (*DB)(nil)
	_ auth.Store    = (*DB)(nil)
	_ access.Store  = (*DB)(nil)
	_ model.Store   = (*DB)(nil)
	_ setting.Store = (*DB)(nil)
)

// Options of Open; the zero value is usable.
type Options struct {
	// Bus is told of every write, after its commit. Nil is a bus of its own.
	Bus *event.Bus
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Log hears of lost connections; nil is silence.
	Log *slog.Logger
	// MaxConns bounds the connections to PostgreSQL; 0 is 16. One more listens.
	MaxConns int
	// LockWait is how long a write waits for another one; 0 is 5 s. After it
	// the caller gets errdefs.Unavailable with a Retry-After.
	LockWait time.Duration
	// Beside is for a tool that works for a moment, perhaps beside a server on
	// the same SQLite file. It hears of nobody's changes, and beside a server it
	// leaves the schema as it is.
	Beside bool
	// Keep is for a look: a schema that is not current is an error, and a file
	// that is not there is taken for an empty one, which Notices says.
	Keep bool
}

func (o Options) withDefaults() Options {
	if o.Bus == nil {
		o.Bus = new(event.Bus)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxConns <= 0 {
		o.MaxConns = 16
	}
	if o.LockWait <= 0 {
		o.LockWait = 5 * time.Second
	}
	return o
}

// DB is an open database. It implements the Store interfaces of the rooms and
// may be used by any number of goroutines.
type DB struct {
	opt        Options
	dialect    *dialect
	writer     *sql.DB // one connection on SQLite
	reader     *sql.DB // the same as writer on PostgreSQL and in memory
	lock       *fileLock
	ears       interface{ close() } // hears of the changes of other processes, or nil
	notices    []string
	statements atomic.Uint64
	closed     sync.Once
}

// Open opens the database that url names and brings its schema up to date. An
// error of it is one plain line for the operator. The forms of url:
//
//	sqlite:///dir/portico.db    a file below the working directory
//	sqlite:////dir/portico.db   a file from the root (as SQLAlchemy writes it)
//	sqlite://:memory:           nothing is kept; for tests
//	postgres://user:password@host:5432/name?sslmode=…
//
// "+driver" after the scheme is accepted and ignored, as is "postgresql". A
// file called webui.db belongs to another server: portico.db beside it is
// opened instead, and Notices says so.
func Open(ctx context.Context, url string, opt Options) (*DB, error) {
	loc, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	db := &DB{opt: opt.withDefaults(), notices: loc.notices}
	if opt.Keep && loc.missing() {
		db.opt.Keep, loc.path = false, memoryPath
		db.notices = append(db.notices, "there is no database yet: the first start of the server makes it")
	}
	if loc.postgres != nil {
		err = db.openPostgres(ctx, loc.postgres)
	} else {
		err = db.openSQLite(loc.path)
	}
	if err == nil {
		err = db.migrate(ctx)
	}
	if err == nil && !db.opt.Beside {
		// Before anything is read into a cache, so that no change is missed.
		err = db.listen(ctx, loc)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// listen begins to hear of what other processes change.
func (db *DB) listen(ctx context.Context, loc *location) error {
	switch {
	case loc.postgres != nil:
		l, err := listen(ctx, loc.postgres, db.dialect.origin, db.opt)
		if err != nil {
			return err
		}
		db.ears = l
	case loc.path != memoryPath:
		w, err := watch(ctx, db)
		if err != nil {
			return schemaError(err)
		}
		db.ears = w
	}
	return nil
}

// Notices are sentences for the operator about what Open decided.
func (db *DB) Notices() []string { return db.notices }

// Engine is "sqlite" or "postgres".
func (db *DB) Engine() string { return db.dialect.name }

// Statements counts the statements run for callers so far, without BEGIN,
// COMMIT, migrations and the listener's own.
func (db *DB) Statements() uint64 { return db.statements.Load() }

const ping query = `SELECT 1`

// Ping reports whether the database answers.
func (db *DB) Ping(ctx context.Context) (err error) {
	defer fault(&err, "database")
	_, err = one(ctx, db, scanInt, ping)
	return err
}

// Close releases the connections and, for SQLite, the lock of the folder.
// Closing again does nothing.
func (db *DB) Close() (err error) {
	db.closed.Do(func() { err = db.close() })
	return err
}

func (db *DB) close() error {
	if db.ears != nil {
		db.ears.close()
	}
	var errs []error
	if db.reader != nil && db.reader != db.writer {
		errs = append(errs, db.reader.Close())
	}
	if db.writer != nil {
		errs = append(errs, db.writer.Close())
	}
	if db.lock != nil {
		errs = append(errs, db.lock.release())
	}
	return errors.Join(errs...)
}

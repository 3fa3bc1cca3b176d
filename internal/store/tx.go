package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"portico/internal/errdefs"
	"portico/internal/event"
)

// query is one SQL statement, portable unless it is in a dialect. A test
// prepares every constant of this type on both engines.
type query string

// tx is a write transaction: where its statements run, and what it will tell.
type tx struct {
	db     *DB
	conn   *sql.Tx
	events []event.Event
	seen   map[event.Event]bool
}

type txKey struct{}

func (db *DB) txIn(ctx context.Context) *tx {
	if t, ok := ctx.Value(txKey{}).(*tx); ok && t.db == db {
		return t
	}
	return nil
}

// Tx runs fn in one transaction: methods of db called with fn's context join
// it, and nobody is told of their writes before the commit. fn may run again,
// up to three times in all, when PostgreSQL asks for it.
func (db *DB) Tx(ctx context.Context, fn func(ctx context.Context) error) error {
	err := db.write(ctx, func(ctx context.Context, _ *tx) error { return fn(ctx) })
	if classOf(err) != other { // fn's own errors stay as they are
		fault(&err, "thing")
	}
	return err
}

const tries = 3

func (db *DB) write(ctx context.Context, fn func(ctx context.Context, t *tx) error) error {
	if t := db.txIn(ctx); t != nil {
		return fn(ctx, t)
	}
	for try := 1; ; try++ {
		events, err := db.attempt(ctx, fn)
		for _, e := range events {
			db.opt.Bus.Publish(e)
		}
		if err == nil || try == tries || !retryable(err) {
			return err
		}
	}
}

// attempt runs fn in a transaction of its own. It gives what is to be told,
// once no connection is held any more: who hears of it may ask the database.
func (db *DB) attempt(ctx context.Context, fn func(ctx context.Context, t *tx) error) ([]event.Event, error) {
	conn, err := db.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	sqlTx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer sqlTx.Rollback() // does nothing after a commit
	t := &tx{db: db, conn: sqlTx, seen: make(map[event.Event]bool)}
	if err := fn(context.WithValue(ctx, txKey{}, t), t); err != nil {
		return nil, err
	}
	if err := t.notify(ctx); err != nil {
		return nil, err
	}
	// The events also after a failed commit: its outcome may be unknown, and
	// dropping what is cached is never wrong.
	return t.events, sqlTx.Commit()
}

// acquire waits for a connection to write on, but not longer than for a lock:
// behind a stuck writer, callers must not queue for ever.
func (db *DB) acquire(ctx context.Context) (*sql.Conn, error) {
	wait, cancel := context.WithTimeout(ctx, db.opt.LockWait)
	defer cancel()
	conn, err := db.writer.Conn(wait)
	if err != nil && errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, busy(err)
	}
	return conn, err
}

// emit remembers that a thing changed; each is told once.
func (t *tx) emit(topic event.Topic, ids ...string) {
	for _, id := range ids {
		e := event.Event{Topic: topic, ID: id}
		if !t.seen[e] {
			t.seen[e] = true
			t.events = append(t.events, e)
		}
	}
}

func (t *tx) notify(ctx context.Context) error {
	if t.db.dialect.notify == "" {
		return nil
	}
	for _, payload := range payloads(t.db.dialect.origin, t.events) {
		if _, err := t.exec(ctx, t.db.dialect.notify, payload); err != nil {
			return err
		}
	}
	return nil
}

// exec runs a statement and gives the number of rows it touched.
func (t *tx) exec(ctx context.Context, q query, args ...any) (int64, error) {
	if err := checkText(args); err != nil {
		return 0, err
	}
	t.db.statements.Add(1)
	res, err := t.conn.ExecContext(ctx, string(q), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// must is exec for a statement that has to touch a row.
func (t *tx) must(ctx context.Context, q query, args ...any) error {
	n, err := t.exec(ctx, q, args...)
	if err == nil && n == 0 {
		return sql.ErrNoRows
	}
	return err
}

// rows runs a statement in the transaction of ctx, if there is one, else on
// the reader.
func (db *DB) rows(ctx context.Context, q query, args []any) (*sql.Rows, error) {
	if err := checkText(args); err != nil {
		return nil, err
	}
	db.statements.Add(1)
	if t := db.txIn(ctx); t != nil {
		return t.conn.QueryContext(ctx, string(q), args...)
	}
	return db.reader.QueryContext(ctx, string(q), args...)
}

// scanner is a row being read.
type scanner interface{ Scan(dest ...any) error }

// list reads all rows of a statement.
func list[T any](ctx context.Context, db *DB, scan func(scanner) (T, error), q query, args ...any) ([]T, error) {
	rows, err := db.rows(ctx, q, args)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// one reads the first row of a statement; none is sql.ErrNoRows.
func one[T any](ctx context.Context, db *DB, scan func(scanner) (T, error), q query, args ...any) (T, error) {
	var none T
	rows, err := db.rows(ctx, q, args)
	if err != nil {
		return none, err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return none, err
		}
		return none, sql.ErrNoRows
	}
	v, err := scan(rows)
	if err != nil {
		return none, err
	}
	return v, rows.Close()
}

func scanInt(s scanner) (n int, err error)        { err = s.Scan(&n); return n, err }
func scanInt64(s scanner) (n int64, err error)    { err = s.Scan(&n); return n, err }
func scanText(s scanner) (text string, err error) { err = s.Scan(&text); return text, err }

// checkText refuses on both engines what PostgreSQL cannot keep.
func checkText(args []any) error {
	for _, a := range args {
		s, ok := a.(string)
		if p, isPointer := a.(*string); isPointer && p != nil {
			s, ok = *p, true
		}
		if ok && (!utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0) {
			return errdefs.New(errdefs.Invalid, "A text holds a NUL character or bytes that are not UTF-8. Remove them and try again.")
		}
	}
	return nil
}

// seconds is the clock in the unit of the tables.
func (db *DB) seconds() int64 { return db.opt.Now().Unix() }

const retryAfter = time.Second

package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

//go:embed migrations
var migrationFiles embed.FS

// migration is one step of the schema. Steps only go forward, and a released
// file is never changed.
type migration struct {
	version  int
	name     string
	sql      string
	checksum string
}

const (
	createMigrations  query = `CREATE TABLE schema_migrations (version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)`
	appliedMigrations query = `SELECT version, checksum FROM schema_migrations ORDER BY version`
	insertMigration   query = `INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)`
)

// migrations reads the files of an engine: migrations/<engine>/NNNN_name.sql.
func migrations(files fs.FS, engine string) ([]migration, error) {
	names, err := fs.Glob(files, "migrations/"+engine+"/*.sql")
	if err != nil {
		return nil, err
	}
	var all []migration
	for _, path := range names {
		name := strings.TrimSuffix(path[strings.LastIndexByte(path, '/')+1:], ".sql")
		number, title, _ := strings.Cut(name, "_")
		version, err := strconv.Atoi(number)
		if err != nil {
			return nil, fmt.Errorf("migration %s has no number", path)
		}
		text, err := fs.ReadFile(files, path)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(text)
		all = append(all, migration{version, title, string(text), hex.EncodeToString(sum[:])})
	}
	slices.SortFunc(all, func(a, b migration) int { return cmp.Compare(a.version, b.version) })
	for i, m := range all {
		if m.version != i+1 {
			return nil, fmt.Errorf("migration %04d is missing for %s", i+1, engine)
		}
	}
	return all, nil
}

// migrate brings the schema up to date, in one transaction: a crash at any
// point leaves the schema as it was. It takes no lock when nothing is to do.
func (db *DB) migrate(ctx context.Context) error { return db.migrateFrom(ctx, migrationFiles) }

func (db *DB) migrateFrom(ctx context.Context, files fs.FS) error {
	all, err := migrations(files, db.dialect.name)
	if err != nil {
		return err
	}
	done, err := db.applied(ctx, db.writer, all)
	if err != nil || done == len(all) {
		return err
	}
	if db.opt.Keep || db.lock != nil && db.lock.beside {
		return schemaOld(done, len(all))
	}
	conn, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return schemaError(err)
	}
	defer conn.Rollback()
	if q := db.dialect.lockStart; q != "" {
		if _, err := conn.ExecContext(ctx, string(q)); err != nil {
			return schemaError(err)
		}
	}
	// Another server may have been faster.
	if done, err = db.applied(ctx, conn, all); err != nil {
		return err
	}
	if err := db.apply(ctx, conn, all[done:], done == 0); err != nil {
		return err
	}
	return schemaError(conn.Commit())
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// applied gives how many of the migrations the database has, and refuses one
// that has others.
func (db *DB) applied(ctx context.Context, conn querier, all []migration) (int, error) {
	var exists int
	if err := conn.QueryRowContext(ctx, string(db.dialect.hasSchema)).Scan(&exists); err != nil {
		return 0, schemaError(err)
	}
	if exists == 0 {
		return 0, nil
	}
	rows, err := conn.QueryContext(ctx, string(appliedMigrations))
	if err != nil {
		return 0, schemaError(err)
	}
	defer rows.Close()
	done := 0
	for ; rows.Next(); done++ {
		var version int
		var checksum string
		if err := rows.Scan(&version, &checksum); err != nil {
			return 0, schemaError(err)
		}
		if done >= len(all) || version != all[done].version {
			return 0, fmt.Errorf("the database has schema %d and this program knows up to %d: use the newer program, nothing was changed", version, len(all))
		}
		if checksum != all[done].checksum {
			return 0, fmt.Errorf("schema step %04d_%s of the database is not the one of this program: it comes from another build, nothing was changed", version, all[done].name)
		}
	}
	return done, schemaError(rows.Err())
}

func (db *DB) apply(ctx context.Context, conn *sql.Tx, steps []migration, fresh bool) error {
	if fresh {
		for _, q := range []query{db.dialect.makeSchema, createMigrations} {
			if q == "" {
				continue
			}
			if _, err := conn.ExecContext(ctx, string(q)); err != nil {
				return schemaError(err)
			}
		}
	}
	for _, m := range steps {
		if _, err := conn.ExecContext(ctx, m.sql); err != nil {
			return fmt.Errorf("schema step %04d_%s failed and was undone: %w", m.version, m.name, err)
		}
		if _, err := conn.ExecContext(ctx, string(insertMigration), m.version, m.name, m.checksum, db.seconds()); err != nil {
			return schemaError(err)
		}
	}
	return nil
}

// schemaOld refuses to bring a schema up to date.
func schemaOld(done, current int) error {
	return fmt.Errorf("the database has schema %d and this program needs %d: start the server of this program, which brings it up to date", done, current)
}

func schemaError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the schema of the database cannot be read or written: %w", err)
}

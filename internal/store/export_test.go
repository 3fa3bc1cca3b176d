package store

import (
	"context"
	"database/sql"
	"io/fs"

	"portico/internal/event"
)

// What the tests of this package see of its inside.

// Writer is where raw statements of tests run.
func (db *DB) Writer() *sql.DB { return db.writer }

// Migrate applies the migrations of other files than the embedded ones.
func Migrate(ctx context.Context, db *DB, files fs.FS) error { return db.migrateFrom(ctx, files) }

// Made gives the statements that the dialect of db has or makes.
func (db *DB) Made() []string {
	d := db.dialect
	all := []string{string(d.countFound())}
	for _, q := range []query{d.hasSchema, d.lockStart, d.lockUsers, d.notify, d.insertChunks,
		d.setsOfFiles(), d.liveSets(), d.filesOfSets(), d.unusedSets(), d.chunksAt(),
		d.modelsNaming(), d.grantsOfEach(), d.unlinkFiles(), d.ownFiles(), d.elsewhere(), d.deleteDirectories()} {
		if q != "" {
			all = append(all, string(q))
		}
	}
	for _, order := range []string{"", "name", "email", "role", "created_at", "last_active_at"} {
		for i := range 4 {
			all = append(all, string(d.userPage(order, i&1 == 1, i&2 == 2)))
		}
	}
	return all
}

// Payloads and Unpack are the notifications between servers.
func Payloads(origin string, events []event.Event) []string { return payloads(origin, events) }

func Unpack(origin, text string) []event.Event { return unpack(origin, text) }

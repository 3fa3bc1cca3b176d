package store

import (
	"context"
	"database/sql"
	"io/fs"

	"portico/internal/event"
	"portico/internal/file"
)

// What the tests of this package see of its inside.

// Writer is where raw statements of tests run.
func (db *DB) Writer() *sql.DB { return db.writer }

// Migrate applies the migrations of other files than the embedded ones.
func Migrate(ctx context.Context, db *DB, files fs.FS) error { return db.migrateFrom(ctx, files) }

// Made gives the statements that the dialect of db has or makes.
func (db *DB) Made() []string {
	d := db.dialect
	all := []string{string(d.countFound()), string(d.usersByID()), string(d.groupsOfEach()), string(d.membersAdded()),
		string(d.membersRemoved()), string(d.presentIn("users")), string(d.presentIn("groups"))}
	for _, q := range []query{d.hasSchema, d.lockStart, d.lockUsers, d.notify, d.insertChunks,
		d.setsOfFiles(), d.liveSets(), d.filesOfSets(), d.unusedSets(), d.chunksAt(),
		d.modelsNaming(), d.grantsOfEach(), d.unlinkFiles(), d.ownFiles(), d.elsewhere(), d.deleteDirectories()} {
		if q != "" {
			all = append(all, string(q))
		}
	}
	for i := range 4 {
		f := file.Filter{UserID: []string{"", "u"}[i&1], Glob: []string{"", "*"}[i>>1]}
		all = append(all, string(filePage(f, false)), string(filePage(f, true)), string(countFiles(f)))
	}
	all = append(all, string(d.usedBlobs()), string(d.filesByID()), string(d.partsOf()))
	for _, order := range []string{"", "name", "email", "role", "created_at", "last_active_at"} {
		for i := range 4 {
			all = append(all, string(d.userPage(order, i&1 == 1, i&2 == 2)))
		}
	}
	return all
}

// The statements of pages of files.
func FilePage(f file.Filter, backward bool) string { return string(filePage(f, backward)) }

func CountFiles(f file.Filter) string { return string(countFiles(f)) }

const CountFilesOf = string(countFilesOf)

// Payloads and Unpack are the notifications between servers.
func Payloads(origin string, events []event.Event) []string { return payloads(origin, events) }

func Unpack(origin, text string) []event.Event { return unpack(origin, text) }

// WalkFrom sets the number of rows from which on a search walks the graph.
func (n *Neighbours) WalkFrom(rows int) { n.scanBelow = rows }

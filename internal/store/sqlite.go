package store

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// openSQLite opens a file with one connection that writes and some that read,
// or, in memory, one connection for all.
func (db *DB) openSQLite(path string) error {
	db.dialect = sqliteDialect()
	pragmas := []string{
		fmt.Sprintf("busy_timeout(%d)", db.opt.LockWait.Milliseconds()),
		"foreign_keys(1)",
	}
	if path == memoryPath {
		return db.openPools("file::memory:", append(pragmas, "synchronous(OFF)"), nil, 1)
	}
	if err := prepareFolder(path); err != nil {
		return err
	}
	if err := db.lockSQLite(path); err != nil {
		return err
	}
	// FULL: an acknowledged write survives a loss of power, not only a crash.
	name := "file:" + (&url.URL{Path: path}).EscapedPath()
	return db.openPools(name, append(pragmas, "journal_mode(WAL)", "synchronous(FULL)"),
		[]string{pragmas[0], "query_only(1)"}, max(4, runtime.NumCPU()))
}

// lockSQLite takes the lock of the folder and sees to the file.
func (db *DB) lockSQLite(path string) (err error) {
	if !db.opt.Beside {
		db.lock, err = lockFolder(filepath.Dir(path), db.opt.LockWait)
	} else {
		db.lock, err = shareFolder(filepath.Dir(path))
	}
	if err != nil || db.lock.beside {
		return err // beside a server the file is there
	}
	return prepareFile(path)
}

func (db *DB) openPools(name string, write, read []string, readers int) (err error) {
	// IMMEDIATE: a write transaction waits at its start, never half way.
	if db.writer, err = sql.Open("sqlite", name+"?_txlock=immediate&"+pragmaQuery(write)); err != nil {
		return err
	}
	db.writer.SetMaxOpenConns(1)
	if read == nil {
		db.reader = db.writer
		return nil
	}
	if db.reader, err = sql.Open("sqlite", name+"?"+pragmaQuery(read)); err != nil {
		return err
	}
	db.reader.SetMaxOpenConns(readers)
	db.reader.SetMaxIdleConns(readers)
	return nil
}

func pragmaQuery(pragmas []string) string {
	return "_pragma=" + strings.Join(pragmas, "&_pragma=")
}

// prepareFolder makes the folder of a database file, but not its parents: a
// path mistyped by a slash must not grow a tree somewhere else.
func prepareFolder(path string) error {
	dir := filepath.Dir(path)
	err := os.Mkdir(dir, 0o700)
	switch {
	case err == nil || os.IsExist(err):
		return nil
	case os.IsNotExist(err):
		return fmt.Errorf("the data folder %s cannot be made because its parent does not exist (sqlite:/// is followed by a relative path, sqlite://// by one from the root)", dir)
	}
	return notWritable(dir, err)
}

// prepareFile makes the file before SQLite does, readable by its owner alone:
// it holds password hashes. SQLite gives its companions the same mode.
func prepareFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return notWritable(path, err)
	}
	return f.Close()
}

func notWritable(path string, err error) error {
	if cause, ok := err.(*os.PathError); ok {
		err = cause.Err
	}
	return fmt.Errorf("%s cannot be written by user id %d: %w; give the server's user the right to write there, or point DATA_DIR or DATABASE_URL elsewhere", path, os.Geteuid(), err)
}

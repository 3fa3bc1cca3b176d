package store_test

import (
	"database/sql"
	"strings"
	"testing"

	"portico/internal/store"
)

// hold takes a lock that keeps writers out, from a connection of its own.
func hold(t *testing.T, db *store.DB, url string) (release func()) {
	t.Helper()
	conn, begin := db.Writer(), "SELECT 1"
	if db.Engine() == "sqlite" {
		var err error
		if conn, err = sql.Open("sqlite", strings.TrimPrefix(url, "sqlite:///")+"?_txlock=immediate"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
	} else {
		begin = "LOCK TABLE credentials IN SHARE MODE"
	}
	tx, err := conn.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(begin); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
}

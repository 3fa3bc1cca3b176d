// Package storetest holds what tests of the database need: a conformance suite
// over every method of store.DB, and a real PostgreSQL server of their own.
package storetest

import (
	"context"
	"testing"

	"portico/internal/event"
	"portico/internal/store"
)

// Memory opens a fresh database in memory, closed when the test ends. For
// tests of other rooms.
func Memory(t testing.TB, bus *event.Bus) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), "sqlite://:memory:", store.Options{Bus: bus})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

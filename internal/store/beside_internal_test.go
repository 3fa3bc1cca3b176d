package store

import (
	"path/filepath"
	"testing"
)

// BenchmarkLook is what a server does twice a second for the verbs' sake.
func BenchmarkLook(b *testing.B) {
	db, err := Open(b.Context(), "sqlite:///"+filepath.Join(b.TempDir(), "portico.db"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	w := &watcher{db: db}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.look(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

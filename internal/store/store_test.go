package store_test

import (
	"path/filepath"
	"testing"

	"portico/internal/event"
	"portico/internal/store"
	"portico/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// engines gives a URL of a fresh database on each engine.
var engines = []struct {
	name string
	url  func(t testing.TB) string
}{
	{"sqlite", func(t testing.TB) string { return fileURL(filepath.Join(t.TempDir(), "portico.db")) }},
	{"memory", func(testing.TB) string { return "sqlite://:memory:" }},
	{"postgres", storetest.Postgres},
}

func fileURL(path string) string { return "sqlite:///" + path }

func open(t testing.TB, url string, opt store.Options) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), url, opt)
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

func TestConformance(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine.name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) *storetest.Fixture {
				bus := new(event.Bus)
				return storetest.NewFixture(t, open(t, engine.url(t), store.Options{Bus: bus}), bus)
			})
		})
	}
}

package store_test

import (
	"path/filepath"
	"testing"
	"time"

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
				// 200 callers at once may wait long on a busy machine.
				opt := store.Options{Bus: bus, LockWait: time.Minute}
				return storetest.NewFixture(t, open(t, engine.url(t), opt), bus)
			})
		})
	}
}

// TestSubscriberAsks: who hears of a change may read it at once, also where
// there is one connection for everything.
func TestSubscriberAsks(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine.name, func(t *testing.T) {
			t.Parallel()
			bus := new(event.Bus)
			db := open(t, engine.url(t), store.Options{Bus: bus})
			var seen map[string][]byte
			defer bus.Subscribe(func(event.Event) {
				var err error
				if seen, err = db.Settings(t.Context()); err != nil {
					t.Error(err)
				}
			})()
			if err := db.SetSettings(t.Context(), map[string][]byte{"a": []byte("1")}); err != nil {
				t.Fatal(err)
			}
			if string(seen["a"]) != "1" {
				t.Errorf("the subscriber saw %q", seen)
			}
		})
	}
}

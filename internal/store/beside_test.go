package store_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portico/internal/event"
	"portico/internal/store"
)

// TestBeside: a tool in another process writes while a server has the file
// open, and the server hears of it; of its own writes it hears only by name.
func TestBeside(t *testing.T) {
	const variable = "PORTICO_TEST_BESIDE"
	if url := os.Getenv(variable); url != "" {
		db := open(t, url, store.Options{Beside: true})
		if err := db.SetSettings(t.Context(), map[string][]byte{"theirs": []byte("1")}); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Parallel()
	url := fileURL(filepath.Join(t.TempDir(), "portico.db"))
	bus := new(event.Bus)
	heard := make(chan event.Event, 64)
	defer bus.Subscribe(func(e event.Event) { heard <- e })()
	db := open(t, url, store.Options{Bus: bus})
	if err := db.SetSettings(t.Context(), map[string][]byte{"ours": []byte("1")}); err != nil {
		t.Fatal(err)
	}
	if e := <-heard; e.Topic != event.Setting || e.ID != "ours" {
		t.Fatalf("heard %v", e)
	}
	time.Sleep(700 * time.Millisecond) // longer than between two looks
	select {
	case e := <-heard:
		t.Fatalf("heard %v after a write of its own", e)
	default:
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestBeside$")
	cmd.Env = append(os.Environ(), variable+"="+url)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	select {
	case e := <-heard:
		if e.Topic != event.Reset {
			t.Errorf("heard %v", e)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was heard of the other process")
	}
	if got, err := db.Settings(t.Context()); err != nil || string(got["theirs"]) != "1" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestLocks: tools share a folder and keep servers waiting; a second server
// is refused whatever tools do.
func TestLocks(t *testing.T) {
	t.Parallel()
	url := fileURL(filepath.Join(t.TempDir(), "portico.db"))
	tool := open(t, url, store.Options{Beside: true})
	other := open(t, url, store.Options{Beside: true})
	const wait = 50 * time.Millisecond
	if _, err := store.Open(t.Context(), url, store.Options{LockWait: wait}); err == nil {
		t.Fatal("a server started half way through what a tool does")
	}
	started := make(chan error, 1)
	go func() {
		db, err := store.Open(t.Context(), url, store.Options{})
		if err == nil {
			t.Cleanup(func() { _ = db.Close() })
			_, err = store.Open(t.Context(), url, store.Options{})
			if err != nil && strings.Contains(err.Error(), "another server") {
				err = nil
			}
		}
		started <- err
	}()
	for _, db := range []*store.DB{tool, other} {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-started; err != nil {
		t.Error(err)
	}
}

// TestKeep: a look makes and changes nothing, and neither does a tool beside a
// server whose schema is another one.
func TestKeep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	url := fileURL(filepath.Join(dir, "portico.db"))
	db := open(t, url, store.Options{Beside: true, Keep: true})
	if n := db.Notices(); len(n) != 1 || !strings.Contains(n[0], "no database yet") {
		t.Errorf("notices: %q", n)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("made %v, %v", files, err)
	}
	server := open(t, url, store.Options{})
	if _, err := server.Writer().ExecContext(t.Context(), `DELETE FROM schema_migrations WHERE version = (SELECT max(version) FROM schema_migrations)`); err != nil {
		t.Fatal(err)
	}
	for _, opt := range []store.Options{{Beside: true}, {Beside: true, Keep: true}} {
		if _, err := store.Open(t.Context(), url, opt); err == nil || !strings.Contains(err.Error(), "brings it up to date") {
			t.Errorf("%+v: got %v", opt, err)
		}
	}
}

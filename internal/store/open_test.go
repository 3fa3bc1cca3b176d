package store_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"portico/internal/errdefs"
	"portico/internal/store"
	"portico/internal/user"
)

func TestOpenURLs(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for url, want := range map[string]string{
		"":                                 "not a URL",
		"portico.db":                       "not a URL",
		"mysql://root:secret@h/db":         `scheme "mysql"`,
		"sqlite://host/portico.db":         "names a host",
		"sqlite:////no/such/folder/x.db":   "parent does not exist",
		"postgres://u:se%zzcret@h/db":      "cannot be read",
		"postgres://u:secret@h/db?port=no": "cannot be read",
		"postgres://u:secret@127.0.0.1:1/db?sslmode=disable":            "does not let us in",
		"postgresql+psycopg2://u:secret@127.0.0.1:1/db?sslmode=disable": "does not let us in",
	} {
		_, err := store.Open(t.Context(), url, store.Options{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want one line with %q", url, err, want)
		}
	}
	for url, file := range map[string]string{
		"sqlite:///one.db":                       "one.db",
		"sqlite:///data/portico.db":              "data/portico.db",
		"SQLite+aiosqlite:///two.db?timeout=5":   "two.db",
		"sqlite:///" + dir + "/three %41ü?x#.db": "three %41ü",
		"sqlite:///" + dir + "/a b#c%41.db":      "a b#c%41.db",
	} {
		open(t, url, store.Options{}).Close()
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", url, info, err)
		}
	}
}

func TestForeignFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "webui.db")
	if err := os.WriteFile(path, []byte("somebody else's"), 0o600); err != nil {
		t.Fatal(err)
	}
	db := open(t, fileURL(path), store.Options{})
	if n := db.Notices(); len(n) != 1 || !strings.Contains(n[0], "portico.db") {
		t.Errorf("notices: %q", n)
	}
	if err := db.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "somebody else's" {
		t.Errorf("the other file was touched: %q, %v", text, err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(path), "portico.db")); err != nil {
		t.Error(err)
	}
}

func TestSecondServer(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "portico.db")
	db := open(t, fileURL(path), store.Options{})
	_, err := store.Open(t.Context(), fileURL(path), store.Options{})
	if err == nil || !strings.Contains(err.Error(), "another server (process ") {
		t.Errorf("got %v", err)
	}
	if err := db.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, fileURL(path), store.Options{})
}

func TestNotADatabase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "portico.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("this is no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), fileURL(path), store.Options{}); err == nil {
		t.Error("it opened")
	}
}

// TestReadOnlyFolder runs in a child that may not write there, since root may
// write everywhere.
func TestReadOnlyFolder(t *testing.T) {
	const variable = "PORTICO_TEST_READ_ONLY"
	if url := os.Getenv(variable); url != "" {
		if os.Geteuid() == 0 {
			if err := syscall.Setuid(65534); err != nil {
				t.Fatal(err)
			}
		}
		_, err := store.Open(t.Context(), url, store.Options{})
		t.Fatalf("refused: %v", err)
	}
	t.Parallel()
	dir, err := os.MkdirTemp("", "portico-read-only-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestReadOnlyFolder$")
	cmd.Env = append(os.Environ(), variable+"="+fileURL(filepath.Join(dir, "portico.db")))
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "cannot be written by user id") || !strings.Contains(string(out), dir) {
		t.Errorf("got %v: %s", err, out)
	}
}

// TestLockedByOthers holds a lock that another program could hold.
func TestLockedByOthers(t *testing.T) {
	t.Parallel()
	for _, i := range []int{0, 2} {
		t.Run(engines[i].name, func(t *testing.T) {
			t.Parallel()
			url := engines[i].url(t)
			const wait = 300 * time.Millisecond
			db := open(t, url, store.Options{LockWait: wait})
			if err := db.CreateUser(t.Context(), &user.User{ID: "a", Role: user.Admin}, "", "", true); err != nil {
				t.Fatal(err)
			}
			release := hold(t, db, url)
			start := time.Now()
			err := db.SetStamp(t.Context(), "a", "new")
			var e *errdefs.Error
			if !errors.As(err, &e) || e.Kind != errdefs.Unavailable || e.RetryAfter <= 0 {
				t.Errorf("got %v", err)
			}
			if waited := time.Since(start); waited < wait/2 {
				t.Errorf("gave up after %v", waited)
			}
			if _, err := db.UserByID(t.Context(), "a"); err != nil {
				t.Errorf("reading meanwhile: %v", err)
			}
			release()
			if err := db.SetStamp(t.Context(), "a", "new"); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// TestStuckWriter: whoever waits behind a transaction of this process that
// does not end is told in time.
func TestStuckWriter(t *testing.T) {
	t.Parallel()
	db := open(t, engines[0].url(t), store.Options{LockWait: 100 * time.Millisecond})
	err := db.Tx(t.Context(), func(context.Context) error {
		return db.SetSettings(t.Context(), map[string][]byte{"a": []byte("1")})
	})
	if !errdefs.Is(err, errdefs.Unavailable) {
		t.Errorf("got %v", err)
	}
}

func TestPragmas(t *testing.T) {
	t.Parallel()
	db := open(t, engines[0].url(t), store.Options{})
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000"} {
		var got string
		if err := db.Writer().QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, want %q: %v", pragma, got, want, err)
		}
	}
}

package cli

import (
	"database/sql"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"portico/internal/config"
	"portico/internal/server"
)

// TestDoctor breaks one thing after the other: the line about it is BAD and
// says what to do, the others are well, and nothing is made.
func TestDoctor(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "x", 0o600)
	free := "PORT=0"
	for name, c := range map[string]struct {
		prepare func(t *testing.T, dir string)
		env     []string
		bad     string // the check
		says    string // what to do
	}{
		"nothing there": {env: []string{free}},
		"folder is a file": {env: []string{free, "DATA_DIR=" + file},
			bad: "data folder", says: "point DATA_DIR to a folder"},
		"port taken": {env: []string{"HOST=127.0.0.1", "PORT=" + strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)},
			bad: "port", says: "choose another PORT"},
		"address of another machine": {env: []string{free, "HOST=192.0.2.1"},
			bad: "port", says: "HOST must be an address of this machine"},
		"secret readable": {prepare: func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "secret.key"), strings.Repeat("a", 64), 0o644)
		},
			env: []string{free}, bad: "secret", says: "chmod 600"},
		"secret damaged": {prepare: func(t *testing.T, dir string) { write(t, filepath.Join(dir, "secret.key"), "abc", 0o600) },
			env: []string{free}, bad: "secret", says: "Restore it, or delete it"},
		"not a database": {prepare: func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "portico.db"), strings.Repeat("no database ", 200), 0o600)
		}, env: []string{free}, bad: "database", says: "not a database"},
		"newer database": {prepare: newer, env: []string{free}, bad: "database", says: "use the newer program"},
		"no PostgreSQL": {env: []string{free, "DATABASE_URL=postgres://u:hidden@127.0.0.1:1/x?sslmode=disable"},
			bad: "database", says: "does not let us in"},
		"dead connection": {env: []string{free, "OPENAI_API_BASE_URL=http://127.0.0.1:1/v1", "OPENAI_API_KEY=hidden"},
			bad: "connection", says: "start it, or mend its address or key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if c.prepare != nil {
				c.prepare(t, dir)
			}
			before := names(t, dir)
			code, stdout, stderr := run(t, dir, "", c.env, "doctor", "--json")
			if strings.Contains(stdout+stderr, "hidden") {
				t.Error("a secret is printed")
			}
			var got []finding
			if err := json.Unmarshal([]byte(stdout), &got); err != nil {
				t.Fatal(err)
			}
			found := c.bad == ""
			for _, f := range got {
				switch {
				case f.Check == c.bad && !f.OK:
					found = strings.Contains(f.Note, c.says)
					if !found {
						t.Errorf("%s says %q", f.Check, f.Note)
					}
				case c.bad == "data folder": // whatever lies in it is bad, too
				case !f.OK && f.Check != "open files": // which is the machine's affair
					t.Errorf("%s is bad, too: %s", f.Check, f.Note)
				}
			}
			if want := c.bad != ""; !found || want && code != Failed {
				t.Errorf("code %d, %s", code, stdout)
			}
			if after := names(t, dir); after != before {
				t.Errorf("the folder held %s and holds %s", before, after)
			}
		})
	}
}

// TestDoctorShortSecret: faults of the configuration are all named, with 2.
func TestDoctorShortSecret(t *testing.T) {
	t.Parallel()
	code, _, stderr := run(t, t.TempDir(), "", []string{"WEBUI_SECRET_KEY=short", "PORT=x"}, "doctor")
	if code != Wrong || !strings.Contains(stderr, "openssl rand -hex 32") || !strings.Contains(stderr, "PORT (environment)") {
		t.Errorf("code %d: %s", code, stderr)
	}
}

// newer makes a database whose schema this program does not know.
func newer(t *testing.T, dir string) {
	t.Helper()
	cfg, err := config.Load(config.Source{Environ: []string{"DATA_DIR=" + dir}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := server.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	db, err := sql.Open("sqlite", filepath.Join(dir, "portico.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (9999, 'later', 'x', 0)`); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, dir string) string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range list {
		if n := e.Name(); !strings.HasPrefix(n, "portico.db-") && n != "portico.lock" {
			all = append(all, n)
		}
	}
	return strings.Join(all, " ")
}

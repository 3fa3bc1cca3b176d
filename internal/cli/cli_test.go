package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// run plays one command on a folder of its own and gives its exit code and
// what it printed.
func run(t *testing.T, dir, stdin string, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Run(t.Context(), Env{
		Args: args, Environ: append([]string{"DATA_DIR=" + dir, "ENABLE_OLLAMA_API=false"}, environ...),
		Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs,
	})
	return code, out.String(), errs.String()
}

// TestVerbs plays the verbs one after the other on one folder: what they
// print, with what code they end, and that errors are one line.
func TestVerbs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, c := range []struct {
		args, stdin    string
		code           int
		stdout, stderr string
	}{
		{"", "", OK, "Usage:", ""},
		{"version", "", OK, "portico ", ""},
		{"version --json", "", OK, `"revision"`, ""},
		{"nope", "", Wrong, "", `there is no "nope"; see portico --help`},
		{"serv", "", Wrong, "", "did you mean serve?"},
		{"user lst", "", Wrong, "", "did you mean list?"},
		{"user add", "", Wrong, "", "see portico user add --help"},
		{"user list extra", "", Wrong, "", "see portico user list --help"},
		{"serve --nope", "", Wrong, "", "unknown flag"},
		{"serve --port x", "", Wrong, "", "PORT (flag)"},
		{"serve --healthcheck --port 1", "", Failed, "", "does not answer"},
		{"config check", "", OK, "is right", ""},
		{"config check --json", "", OK, `"ok": true`, ""},
		{"config check --config no/such/file", "", Wrong, "", "cannot be read"},
		{"config show --json --port 1", "", Wrong, "", "unknown flag"},
		{"openapi", "", OK, `"openapi"`, ""},
		{"user add ana@example.com --role admin", "", Wrong, "", "use --password-stdin"},
		{"user add ana@example.com --role admin --password-stdin", "short", Failed, "", "too short"},
		{"user add ana@example.com --role king --password-stdin", "s3cret-Pass!", Failed, "", "role"},
		{"user add ana@example.com --role admin --password-stdin", "s3cret-Pass!\n", OK, "Added ana@example.com as admin", ""},
		{"user add bia@example.com --password-stdin --json", "s3cret-Pass!\n", OK, `"role": "user"`, ""},
		{"user add bia@example.com --password-stdin --json", "s3cret-Pass!\n", Failed, "", `{"error":`},
		{"user list", "", OK, "bia@example.com", ""},
		{"user list --json", "", OK, `"email": "ana@example.com"`, ""},
		{"user role bia@example.com king", "", Wrong, "", "admin, user or pending"},
		{"user role bia@example.com pending --json", "", OK, `"role": "pending"`, ""},
		{"user passwd bia@example.com --password-stdin", "another-Pass-1\n", OK, "is set", ""},
		{"user delete bia@example.com", "y\n", Wrong, "", "use --yes"},
		{"user delete bia@example.com --yes --json", "", OK, `"ok": true`, ""},
		{"user delete bia@example.com --yes", "", Failed, "", "portico: "},
		{"key create nobody@example.com", "", Failed, "", "portico: "},
		{"key create ana@example.com --name laptop", "", OK, "sk-", ""},
		{"key list ana@example.com", "", OK, "laptop", ""},
		{"key list ana@example.com --json", "", OK, `"name": "laptop"`, ""},
		{"key revoke ana@example.com laptop --json", "", OK, `"ok": true`, ""},
		{"key revoke ana@example.com laptop", "", Failed, "", "portico: "},
		{"extract", "", Wrong, "", "name a file"},
		{"extract no/such/file", "", Failed, "", "no such file"},
		{"extract --worker", "", Failed, "", "started by the server"},
		{"doctor --json", "", OK, `"check": "database"`, ""},
	} {
		code, stdout, stderr := run(t, dir, c.stdin, nil, strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
			t.Errorf("portico %s: code %d, want %d; stdout %q; stderr %q", c.args, code, c.code, stdout, stderr)
		}
		if asJSON := strings.Contains(c.args, "--json"); asJSON && code == OK && !json.Valid([]byte(stdout)) {
			t.Errorf("portico %s: not JSON: %s", c.args, stdout)
		} else if asJSON && code == Failed && !json.Valid([]byte(stderr)) {
			t.Errorf("portico %s: the error is not JSON: %s", c.args, stderr)
		}
		if code == OK != (stderr == "") || code != OK && c.code == Failed && strings.Count(stderr, "\n") != 1 {
			t.Errorf("portico %s: code %d with stderr %q", c.args, code, stderr)
		}
		for _, secret := range []string{"s3cret", "another-Pass"} {
			if strings.Contains(stdout+stderr, secret) {
				t.Errorf("portico %s prints a password", c.args)
			}
		}
	}
}

// TestHelp: every command says in one line what it does, and shows how.
func TestHelp(t *testing.T) {
	t.Parallel()
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, "..") || len(c.Short) > 100 {
			t.Errorf("%s: short help %q", c.CommandPath(), c.Short)
		}
		if !c.HasSubCommands() && !strings.Contains(c.Example, c.CommandPath()) {
			t.Errorf("%s: no example", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(&Env{}))
}

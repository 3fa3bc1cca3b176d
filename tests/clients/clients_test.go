// Package clients runs the client libraries that people use against the real
// binary: in Python, JavaScript, at the command line, and in Go. Those in Go
// have a module of their own in go/, so that the server does not depend on
// them; what runs there is started from here.
package clients

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"portico/tests/stage"
)

func TestClients(t *testing.T) {
	binary, err := stage.Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	openai, ollama := stage.OpenAI(), stage.Ollama()
	t.Cleanup(openai.Close)
	t.Cleanup(ollama.Close)
	server := stage.Must(t, binary, "ENABLE_OLLAMA_API=true", "OLLAMA_BASE_URL="+ollama.URL,
		"OPENAI_API_BASE_URL="+openai.URL+"/v1", "OPENAI_API_KEY=x")
	_, key, err := server.Admin()
	if err != nil {
		t.Fatal(err)
	}
	here := filepath.Join(stage.Root(), "tests", "clients")
	run := func(t *testing.T, dir, name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "B="+server.URL, "K="+key, "NO_PROXY=127.0.0.1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	python := stage.Tool(t, "py/bin/python")
	t.Run("python", func(t *testing.T) { run(t, here, python, "py/clients.py") })
	t.Run("javascript", func(t *testing.T) {
		// Node looks for packages beside the file, so that it runs from there.
		modules := filepath.Dir(stage.Tool(t, "node/package.json"))
		dir := t.TempDir()
		if err := os.Symlink(filepath.Join(modules, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(here, "js", "clients.mjs"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "clients.mjs"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, dir, stage.Tool(t, "node/node"), "--preserve-symlinks", "clients.mjs")
	})
	t.Run("go", func(t *testing.T) { run(t, filepath.Join(here, "go"), "go", "test", "-count=1", "./...") })
	t.Run("llm", func(t *testing.T) {
		dir := t.TempDir()
		models := "- {model_id: m, model_name: gpt-4-turbo, api_base: " + server.URL + "/api, api_key_name: portico}\n"
		if err := os.WriteFile(filepath.Join(dir, "extra-openai-models.yaml"), []byte(models), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("LLM_USER_PATH", dir)
		llm := stage.Tool(t, "py/bin/llm")
		run(t, dir, llm, "keys", "set", "portico", "--value", key)
		for _, args := range [][]string{{"-m", "m", "hi"}, {"-m", "m", "--no-stream", "hi"}} {
			if out := run(t, dir, llm, args...); !strings.Contains(out, "word63") {
				t.Errorf("llm %v: %q", args, out)
			}
		}
	})
}

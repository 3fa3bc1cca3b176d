package providertest_test

import (
	"testing"

	"portico/internal/hop"
	"portico/internal/provider"
	"portico/internal/provider/ollama"
	"portico/internal/provider/providertest"
)

// TestOllama holds the other dialect to the same suite.
func TestOllama(t *testing.T) {
	t.Parallel()
	end := `{"model":"a","created_at":"2026-01-02T03:04:05Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":5,"eval_count":2,"total_duration":9,"load_duration":1,"prompt_eval_duration":1,"eval_duration":1}` + "\n"
	part := func(text string) string {
		return `{"model":"a","created_at":"2026-01-02T03:04:05Z","message":{"role":"assistant","content":"` + text + `"},"done":false}` + "\n"
	}
	providertest.Dialect{
		Open: func(_ *testing.T, c *provider.Connection, up *hop.Upstream) provider.Provider {
			return ollama.New(c, up, ollama.Options{})
		},
		Kind:        provider.Ollama,
		Models:      `{"models":[{"name":"a","model":"a"},{"name":"b","model":"b"}]}`,
		Whole:       `{"model":"a","created_at":"2026-01-02T03:04:05Z","message":{"role":"assistant","content":"Hello!"},"done":true,"done_reason":"stop","prompt_eval_count":5,"eval_count":2,"total_duration":9,"load_duration":1,"prompt_eval_duration":1,"eval_duration":1}`,
		Events:      []string{part("Hel"), part("lo!"), end},
		ContentType: "application/x-ndjson",
	}.Run(t)
}

package ollama

import (
	"testing"

	"portico/internal/hop"
	"portico/internal/provider"
	"portico/internal/provider/providertest"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	const last = `,"done":true,"done_reason":"stop","prompt_eval_count":5,"eval_count":2}`
	providertest.Dialect{
		Open: func(_ *testing.T, c *provider.Connection, up *hop.Upstream) provider.Provider {
			return New(c, up, Options{})
		},
		Kind:   provider.Ollama,
		Models: `{"models":[{"name":"a","model":"a"},{"name":"b","model":"b"}]}`,
		Whole:  `{"model":"a","message":{"role":"assistant","content":"Hello!"}` + last,
		Events: []string{
			`{"model":"a","message":{"role":"assistant","content":"Hel"},"done":false}` + "\n",
			`{"model":"a","message":{"role":"assistant","content":"lo!"},"done":false}` + "\n",
			`{"model":"a","message":{"role":"assistant","content":""}` + last + "\n",
		},
		ContentType: "application/x-ndjson",
	}.Run(t)
}

package script

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"portico/tests/stage"
)

// TestMetrics: off unless asked for, never on the server's own address, and
// telling what an operator must know without telling a secret.
func TestMetrics(t *testing.T) {
	t.Parallel()
	upstream := stage.OpenAI()
	defer upstream.Close()
	s, key := beginOn(t, upstream, "METRICS_ADDR=127.0.0.1:0")
	if s.Metrics == "" {
		t.Fatal("no address of the metrics")
	}
	chat := func(model string, stream bool) error {
		return s.Post("/api/chat/completions", key, map[string]any{"model": model, "stream": stream,
			"messages": []any{map[string]string{"role": "user", "content": "x"}}}, nil)
	}
	if err := chat("mock-0", false); err != nil {
		t.Fatal(err)
	}
	// 6 s, of which all but the first is parked.
	if _, err := io.ReadAll(open(t, s, key)); err != nil {
		t.Fatal(err)
	}
	if err := s.Post("/api/v1/auths/signin", "", map[string]string{"email": "nobody@example.com", "password": "wrong-Pass-1"}, nil); err == nil {
		t.Error("nobody signed in")
	}
	upstream.Close()
	if err := chat("mock-0", false); err == nil {
		t.Error("an upstream that is gone answered")
	}
	got := scrape(t, s)
	const route = `{method="POST",route="/api/chat/completions"`
	for _, want := range []string{
		"portico_requests_total" + route + `,status="200"} 2`,
		"portico_request_seconds_bucket" + route + `,le="5"} 2`, // the parked one took longer
		"portico_request_seconds_count" + route + `} 3`,
		"portico_first_byte_seconds_bucket" + route + `,le="5"} 2`,
		"portico_first_byte_seconds_count" + route + `} 2`,
		`portico_upstream_failures_total{kind="openai",index="0"} 1`,
		`portico_upstream_calls_open{kind="openai",index="0"} 0`,
		`portico_key_lookups_total{found="memory"} 2`,
		`portico_key_lookups_total{found="database"} 1`,
		`portico_logins_total{result="refused"} 1`,
		"portico_streams_open 0", "portico_streams_parked 0", "portico_requests_open 0",
		`portico_tokens_total{kind="prompt"}`, "portico_model_calls_total", "portico_ready 1",
		"portico_db_statements_total", "portico_goroutines", "process_resident_memory_bytes",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
	for _, secret := range []string{key, upstream.URL, "example.com", "mock-"} {
		if strings.Contains(got, secret) {
			t.Errorf("the metrics tell %q", secret)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	// The line of the parked stream tells its whole length and time.
	if lines := s.Log(); !strings.Contains(lines, `"status":200,"ms":6`) && !strings.Contains(lines, `"status":200,"ms":7`) {
		t.Errorf("no line tells of 6 s: %s", lines)
	}
}

func scrape(t *testing.T, s *stage.Server) string {
	t.Helper()
	resp, err := http.Get(s.Metrics)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

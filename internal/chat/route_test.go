package chat_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"portico/internal/config"
)

// TestNoStatements: a chat that is warm asks the database nothing, streamed or
// not.
func TestNoStatements(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	s.say(func(c *conn, r *request) {
		if strings.Contains(string(r.Body), `"stream":true`) {
			c.Stream("text/event-stream")
			c.Chunk(delta("x", `"stop"`) + doneEvent)
			c.End()
			return
		}
		c.JSON(200, wholeAnswer("x"))
	})
	s.ask(question(false))
	before := s.srv.DB.Statements()
	for range 50 {
		s.ask(question(false))
		s.ask(question(true))
	}
	if n := s.srv.DB.Statements() - before; n > 2 { // what is flushed in batches may fall into this time
		t.Errorf("%d statements for 100 chats", n)
	}
}

// TestPaths: the route and its other names, with and without a slash.
func TestPaths(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *conn, r *request) {
		if strings.HasSuffix(r.Path, "/embeddings") {
			c.JSON(200, `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]}],"model":"m0","usage":{"prompt_tokens":1,"total_tokens":1}}`)
			return
		}
		c.JSON(200, wholeAnswer("x"))
	})
	for _, path := range []string{"/api/chat/completions", "/api/v1/chat/completions", "/v1/chat/completions", "/api/chat/completions/"} {
		if a := s.post(path, s.key, question(false)); a.status != 200 || a.body != wholeAnswer("x") || a.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	for _, path := range []string{"/api/embeddings", "/api/v1/embeddings", "/v1/embeddings"} {
		if a := s.post(path, s.key, `{"model":"m0","input":["a"],"encoding_format":"float"}`); a.status != 200 || !strings.Contains(a.body, "0.5") {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
		if got := string(s.up[0].Last().Body); got != `{"model":"m0","input":["a"],"encoding_format":"float"}` {
			t.Errorf("the body was changed: %s", got)
		}
	}
}

func (s *stand) post(path, key, body string) answer {
	s.t.Helper()
	r := s.request(context.Background(), body)
	r.URL.Path = path
	r.Header.Set("Authorization", "Bearer "+key)
	resp, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(b), err}
}

// TestErrors: what programs read of an error is where each kind looks for it.
func TestErrors(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *conn, _ *request) { c.JSON(200, wholeAnswer("x")) })
	for name, tt := range map[string]struct {
		key, body string
		status    int
	}{
		"bad key":       {"sk-0123456789abcdef0123456789abcdef", question(false), 401},
		"no JSON":       {s.key, `{not json`, 422},
		"unknown model": {s.key, `{"model":"x","messages":[{"role":"user","content":"hi"}]}`, 400},
		"no model":      {s.key, `{"messages":[]}`, 400},
		"no messages":   {s.key, `{"model":"m0"}`, 400},
		"too deep":      {s.key, `{"model":"m0","messages":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`, 400},
		"too many keys": {s.key, `{"model":"m0","messages":[{` + strings.Repeat(`"a":1,`, 100_001) + `"a":1}]}`, 400},
		"too large":     {s.key, `{"model":"m0","messages":["` + strings.Repeat("x", 32<<20) + `"]}`, 413},
	} {
		a := s.post("/api/chat/completions", tt.key, tt.body)
		var body struct {
			Detail any
			Error  struct{ Message, Type string }
		}
		if err := json.Unmarshal([]byte(a.body), &body); err != nil || a.status != tt.status || body.Detail == nil || body.Error.Message == "" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if list, ok := body.Detail.([]any); tt.status == 422 && (!ok || len(list) != 1) {
			t.Errorf("%s: %s", name, a.body)
		}
	}
	if a := s.post("/api/chat/completions", s.key, `{"model":"x","messages":[{}]}`); !strings.Contains(a.body, `"detail":"Model not found"`) {
		t.Errorf("%s", a.body)
	}
}

// TestHeaderLeak: nothing that a client says in its headers reaches the
// upstream, and of the upstream's headers only harmless ones come back.
func TestHeaderLeak(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *conn, _ *request) {
		c.JSON(200, wholeAnswer("x"), "Set-Cookie: a=b", "Server: secret-server", "Access-Control-Allow-Origin: http://evil", "Location: /evil",
			"Strict-Transport-Security: max-age=1", "X-Powered-By: x")
	})
	r := s.request(t.Context(), question(false))
	for _, name := range []string{"Cookie", "X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "Proxy-Authorization", "X-Api-Key", "Te", "Referer", "User-Agent",
		"Origin", "Accept-Language", "X-Real-Ip", "Openai-Organization", "Traceparent", "X-Openwebui-User-Role", "X-Request-Id"} {
		r.Header.Set(name, "canary-of-the-client")
	}
	resp, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	for name, values := range s.up[0].Last().Header {
		if strings.Contains(strings.Join(values, " "), "canary-of-the-client") || strings.Contains(strings.Join(values, " "), s.key) {
			t.Errorf("%s reached the upstream: %v", name, values)
		}
	}
	if got := s.up[0].Last().Header.Get("Authorization"); got != "Bearer "+canary {
		t.Errorf("Authorization %q", got)
	}
	for _, name := range []string{"Set-Cookie", "Location", "X-Powered-By"} {
		if v := resp.Header.Get(name); v != "" {
			t.Errorf("%s came back: %q", name, v)
		}
	}
	if v := resp.Header.Get("Server"); strings.Contains(v, "secret") {
		t.Errorf("Server: %q", v)
	}
}

// TestModelSwap: the upstream is asked for the model that was authorised, also
// when the body names two.
func TestModelSwap(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *conn, _ *request) { c.JSON(200, wholeAnswer("x")) })
	s.ask(`{"model":"secret","messages":[{"role":"user","content":"hi"}],"m\u006fdel":"m0","MODEL":"secret","chat_id":"local:c","session_id":"s"}`)
	var sent map[string]any
	if last := s.up[0].Last(); last.Method != http.MethodPost || json.Unmarshal(last.Body, &sent) != nil || sent["model"] != "m0" || len(sent) != 2 || strings.Contains(string(last.Body), "secret") {
		t.Errorf("%s", last.Body)
	}
}

// TestFallbackIsJudged: gateways take further models from the body, and those
// are judged as the first one is.
func TestFallbackIsJudged(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *conn, _ *request) { c.JSON(200, wholeAnswer("x")) })
	for _, more := range []string{`"models":["m0","secret"]`, `"Fallbacks":[{"model":"secret"}]`, `"params":{"models":["m0"]}`} {
		if a := s.ask(`{"model":"m0","messages":[{"role":"user","content":"hi"}],` + more + `}`); a.status != 400 {
			t.Errorf("%s: %d %s", more, a.status, a.body)
		}
	}
	if a := s.ask(`{"model":"m0","messages":[{"role":"user","content":"hi"}],"models":["m0"]}`); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestLargePrompt: what is large passes whole.
func TestLargePrompt(t *testing.T) {
	t.Parallel()
	s := startWith(t, func(*config.Config) {}, func(c *conn, r *request) { c.JSON(200, wholeAnswer("x")) })
	body := strings.Replace(question(false), "hi", strings.Repeat("image ", 2<<20), 1)
	if a := s.ask(body); a.status != 200 || string(s.up[0].Last().Body) != body {
		t.Errorf("%d, %d of %d bytes", a.status, len(s.up[0].Last().Body), len(body))
	}
}

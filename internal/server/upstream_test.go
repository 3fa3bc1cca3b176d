package server

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"portico/internal/provider"
	"portico/internal/rawjson"
)

// TestForwardUser: every dialect tells who asks where the operator wants it.
func TestForwardUser(t *testing.T) {
	heard := make(chan string, 1)
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		heard <- r.Header.Get("X-OpenWebUI-User-Id")
		_, _ = io.WriteString(w, `{"message":{"content":"hi"},"done":true}`)
	}))
	defer up.Close()
	var doc rawjson.Doc
	if err := doc.Parse([]byte(`{"messages":[]}`), rawjson.Limits{}); err != nil {
		t.Fatal(err)
	}
	for env, want := range map[string]string{"ENABLE_FORWARD_USER_INFO_HEADERS=true": "u1", "ENABLE_FORWARD_USER_INFO_HEADERS=false": ""} {
		cfg := load(t, env)
		s, err := New(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		upstreams := newUpstreams(cfg, s.Settings, slog.New(slog.DiscardHandler))
		for _, kind := range []provider.Kind{provider.OpenAI, provider.Ollama} {
			b, err := upstreams.connect(&provider.Connection{Kind: kind, BaseURL: up.URL})
			if err != nil {
				t.Fatal(err)
			}
			reply, err := b.Chat(t.Context(), &provider.ChatRequest{Doc: &doc, Model: "m", Caller: provider.Caller{ID: "u1"}})
			if err != nil {
				t.Fatal(err)
			}
			if reply.Release != nil {
				reply.Release()
			}
			if got := <-heard; got != want {
				t.Errorf("%s, %s: the upstream is told %q", env, kind, got)
			}
			if c, ok := b.Provider.(interface{ Close() }); ok {
				c.Close()
			}
		}
		s.Close()
	}
}

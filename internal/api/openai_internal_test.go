package api

import (
	"net/url"
	"strings"
	"testing"

	"portico/internal/provider"
)

// Models that speak are in no list of the official server.
func TestUnlisted(t *testing.T) {
	t.Parallel()
	off := false
	backend := func(index int, base string, config provider.ConnectionConfig) *provider.Backend {
		return provider.NewBackend(&provider.Connection{Kind: provider.OpenAI, Index: index, BaseURL: base, Config: config}, nil)
	}
	all := []*provider.Backend{
		backend(0, "https://api.openai.com.evil.example/v1", provider.ConnectionConfig{}),
		backend(1, "http://127.0.0.1/api.openai.com", provider.ConnectionConfig{}),
		backend(2, "https://api.openai.com/v1", provider.ConnectionConfig{Enable: &off}),
		backend(3, "https://api.openai.com/v1", provider.ConnectionConfig{ModelIDs: []string{"gpt-4o"}}),
		backend(4, "https://api.openai.com/v1", provider.ConnectionConfig{PrefixID: "o"}),
	}
	for id, want := range map[string]string{"tts-1": "tts-1", "o.gpt-4o-mini-tts": "gpt-4o-mini-tts", "gpt-4o": "", "": ""} {
		got := unlisted(all, id)
		if want == "" {
			if got != nil {
				t.Errorf("%q goes to %d", id, got.Backends[0].Index)
			}
			continue
		}
		if got == nil || got.Upstream != want || got.Backends[0].Index != 4 {
			t.Errorf("%q: %+v", id, got)
		}
	}
	if unlisted(all[:4], "tts-1") != nil {
		t.Error("there is none")
	}
}

func TestSafeType(t *testing.T) {
	t.Parallel()
	const bytes = "application/octet-stream"
	for kind, want := range map[string]string{
		"": "application/json", "application/json; charset=utf-8": "application/json", "audio/mpeg": "audio/mpeg", "image/png": "image/png",
		"text/plain; charset=utf-8": "text/plain; charset=utf-8", "text/html": bytes, "image/svg+xml": bytes, "application/javascript": bytes,
		"text/xml": bytes, "nonsense;;": bytes, "TEXT/HTML": bytes, "application/x-ndjson": "application/x-ndjson",
	} {
		if got := safeType(kind); got != want {
			t.Errorf("%q: %q", kind, got)
		}
	}
}

// What is passed through stays at its server and below its address.
func FuzzPlainSegment(f *testing.F) {
	for _, s := range []string{"files", "..", "a/b", "@evil:80", "%2e%2e", "a?b", "a#b", "...", "a b", "\\", "ft:gpt-4o:x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !plainSegment(s) {
			return
		}
		u, err := url.Parse("http://upstream/v1/" + s + "/end")
		if err != nil || u.Host != "upstream" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
			u.Path != "/v1/"+s+"/end" || u.JoinPath().Path != u.Path || strings.ContainsAny(s, "/\\%") {
			t.Errorf("%q is %v, %v", s, u, err)
		}
	})
}

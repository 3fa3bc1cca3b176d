package provider

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestHeaders(t *testing.T) {
	t.Parallel()
	ann := Caller{ID: "u1", Name: "Ann\r\nX-Evil: 1", Email: "ann@example.com", Role: "user"}
	var log bytes.Buffer
	for name, tt := range map[string]struct {
		conn    Connection
		forward bool
		who     Caller
		want    string
	}{
		"nothing":            {want: "[]"},
		"a key":              {conn: Connection{Key: "k"}, want: "[[Authorization Bearer k]]"},
		"a key, not sent":    {conn: Connection{Key: "k", Config: ConnectionConfig{AuthType: "none"}}, want: "[]"},
		"its own credential": {conn: Connection{Key: "k", Config: ConnectionConfig{Headers: map[string]string{"authorization": "Basic x"}}}, want: "[[authorization Basic x]]"},
		"an Ollama's key":    {conn: Connection{Kind: Ollama, Key: "k", Config: ConnectionConfig{Key: "o"}}, want: "[[Authorization Bearer o]]"},
		"not an Ollama":      {conn: Connection{Kind: OpenAI, Key: "k", Config: ConnectionConfig{Key: "o"}}, want: "[[Authorization Bearer k]]"},
		"in order, filled": {conn: Connection{Config: ConnectionConfig{Headers: map[string]string{"X-B": "{{USER_NAME}}", "X-A": "1\n2", "Host": "x", "a b": "x"}}},
			who: ann, want: "[[X-A 12] [X-B AnnX-Evil: 1]]"},
		"who asks": {forward: true, who: ann,
			want: "[[X-OpenWebUI-User-Name AnnX-Evil: 1] [X-OpenWebUI-User-Id u1] [X-OpenWebUI-User-Email ann@example.com] [X-OpenWebUI-User-Role user]]"},
		"nobody asks": {forward: true, want: "[]"},
	} {
		h := NewHeaders(&tt.conn, tt.forward, slog.New(slog.NewTextHandler(&log, nil)))
		if got := fmt.Sprint(h.For(tt.who)); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
	if lines := log.String(); strings.Count(lines, "left out") != 2 || !strings.Contains(lines, "header=Host") {
		t.Errorf("what is left out is said: %s", lines)
	}
}

func TestFixedHeadersAllocateNothing(t *testing.T) {
	h := NewHeaders(&Connection{Key: "k", Config: ConnectionConfig{Headers: map[string]string{"X-A": "1"}}}, false, slog.Default())
	if n := testing.AllocsPerRun(100, func() { h.For(Caller{ID: "u"}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

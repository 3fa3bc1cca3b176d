package script

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"portico/tests/stage"
)

// open begins a streamed chat with a model that takes 6 s, and returns when
// its first word is there.
func open(t *testing.T, s *stage.Server, key string) *bufio.Reader {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/api/chat/completions",
		strings.NewReader(`{"model":"mock-slow","stream":true,"messages":[{"role":"user","content":"x"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	r := bufio.NewReader(resp.Body)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("the stream ended early: %v", err)
		}
		if strings.Contains(line, "word0") {
			return r
		}
	}
}

func begin(t *testing.T, env ...string) (*stage.Server, string) {
	t.Helper()
	upstream := stage.OpenAI()
	t.Cleanup(upstream.Close)
	return beginOn(t, upstream, env...)
}

func beginOn(t *testing.T, upstream *httptest.Server, env ...string) (*stage.Server, string) {
	t.Helper()
	binary, err := stage.Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, err := stage.Start(binary, t.TempDir(), append(env, "OPENAI_API_BASE_URL="+upstream.URL+"/v1", "OPENAI_API_KEY=x")...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Signal(syscall.SIGKILL) })
	_, key, err := s.Admin()
	if err != nil {
		t.Fatal(err)
	}
	return s, key
}

func status(t *testing.T, url string) int {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

func finish(t *testing.T, s *stage.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.Wait(ctx); err != nil {
		t.Errorf("the server ended with %v\n%s", err, s.Log())
	}
}

// TestDrain: at SIGTERM the server is no longer ready and takes nothing new,
// but streams run to their end.
func TestDrain(t *testing.T) {
	t.Parallel()
	s, key := begin(t)
	streams := []*bufio.Reader{open(t, s, key), open(t, s, key)}
	if err := s.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(2 * time.Second)
	for status(t, s.URL+"/ready") != http.StatusServiceUnavailable {
		if time.Now().After(deadline) {
			t.Fatal("the server is still ready")
		}
		time.Sleep(5 * time.Millisecond)
	}
	if got := status(t, s.URL+"/api/version"); got != http.StatusServiceUnavailable {
		t.Errorf("a new request has status %d", got)
	}
	if got := status(t, s.URL+"/health"); got != http.StatusOK {
		t.Errorf("a server that drains is alive, and says %d", got)
	}
	for _, r := range streams {
		rest, err := io.ReadAll(r)
		if err != nil || !strings.Contains(string(rest), "word63") || !strings.HasSuffix(string(rest), "data: [DONE]\n\n") {
			t.Errorf("the stream ended with %v and %q", err, tail(rest))
		}
	}
	finish(t, s)
}

// TestDrainCutsOff: streams that are still open at the end of the time are
// told so in their own dialect.
func TestDrainCutsOff(t *testing.T) {
	t.Parallel()
	s, key := begin(t, "SHUTDOWN_TIMEOUT=2")
	r := open(t, s, key)
	if err := s.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(r)
	if !strings.Contains(string(rest), `"error"`) || strings.Contains(string(rest), "word63") {
		t.Errorf("the stream ended with %q", tail(rest))
	}
	finish(t, s)
}

// TestSecondSignal ends the process at once.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	s, key := begin(t)
	open(t, s, key)
	for range 20 {
		if !s.Running() {
			return
		}
		_ = s.Signal(syscall.SIGTERM)
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("the server still runs")
}

func tail(b []byte) string { return string(b[max(0, len(b)-300):]) }

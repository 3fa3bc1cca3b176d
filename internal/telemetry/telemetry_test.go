package telemetry

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRedaction(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	log := NewLogger(&b, true, slog.LevelInfo)
	log.Info("x", "password", "hunter2", "api_key", "abc", "Authorization", "Bearer z",
		"note", "key sk-0123456789abcdef and Bearer abcdefghijklmnop end",
		"err", errors.New("token eyJhbGciOiJIUzI1NiJ9.eyJpZCI6IjEifQ.c2ln"), "long", strings.Repeat("a", 3*maxField))
	out := b.String()
	for _, secret := range []string{"hunter2", `"abc"`, "0123456789abcdef", "abcdefghijklmnop", "eyJhbGci"} {
		if strings.Contains(out, secret) {
			t.Errorf("%s is in the log", secret)
		}
	}
	if len(out) > 2*maxField {
		t.Errorf("the line has %d bytes", len(out))
	}
	if Clean("risk-free task-list") != "risk-free task-list" {
		t.Error("a word was taken for a key")
	}
}

// blocked is a reader that does not read.
type blocked struct{ free chan struct{} }

func (b blocked) Write(p []byte) (int, error) { <-b.free; return len(p), nil }

func TestWriterNeverBlocks(t *testing.T) {
	t.Parallel()
	out := blocked{make(chan struct{})}
	w := NewWriter(out, 1000)
	line := bytes.Repeat([]byte("x"), 100)
	for range 1000 {
		_, _ = w.Write(line)
	}
	if n := w.Dropped(); n < 900 || n > 1000 {
		t.Errorf("%d lines dropped", n)
	}
	close(out.free)
	_ = w.Close()
}

func TestWriterKeepsOrder(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var b bytes.Buffer
	w := NewWriter(lock{&mu, &b}, 1<<20)
	var want strings.Builder
	for i := range 1000 {
		line := strings.Repeat(string(rune('a'+i%26)), i%7) + "\n"
		want.WriteString(line)
		_, _ = w.Write([]byte(line))
	}
	_ = w.Close()
	mu.Lock()
	defer mu.Unlock()
	if b.String() != want.String() {
		t.Error("lines are lost or out of order")
	}
}

type lock struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (l lock) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	m := NewMetrics()
	for range 3 {
		m.Observe(&Request{Method: "GET", Route: "/api/models", Status: 200, Took: time.Millisecond})
	}
	m.Gauge("portico_x", func() float64 { return 4 })
	chat := Request{Method: "POST", Route: "/c", Status: 200, Streams: true, First: 20 * time.Millisecond, Took: 3 * time.Second}
	m.Observe(&chat)
	refused := Request{Method: "POST", Route: "/c", Status: 429, Streams: true}
	m.Observe(&refused)
	m.Write(func(w io.Writer) { _, _ = io.WriteString(w, "portico_y{index=\"0\"} 1\n") })
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{`portico_requests_total{method="GET",route="/api/models",status="200"} 3`, "portico_x 4", `portico_y{index="0"} 1`,
		`portico_request_seconds_bucket{method="POST",route="/c",le="2.5"} 1`,
		`portico_request_seconds_bucket{method="POST",route="/c",le="5"} 2`,
		`portico_request_seconds_count{method="POST",route="/c"} 2`,
		`portico_first_byte_seconds_bucket{method="POST",route="/c",le="0.01"} 0`,
		`portico_first_byte_seconds_bucket{method="POST",route="/c",le="0.025"} 1`,
		`portico_first_byte_seconds_bucket{method="POST",route="/c",le="+Inf"} 1`,
		`portico_first_byte_seconds_sum{method="POST",route="/c"} 0.02`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s in\n%s", want, w.Body.String())
		}
	}
}

func TestProbesAreNotLogged(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	log := NewRequestLog(&b, false)
	log.Add(&Request{Route: "/health"})
	log.Add(&Request{Route: "/ready"})
	if b.Len() > 0 {
		t.Errorf("logged %s", b.String())
	}
	log.Add(&Request{Method: "GET", Route: "/api/models", Status: 200, UserID: "u1", RequestID: "r1"})
	if !strings.Contains(b.String(), "route=/api/models") || !strings.Contains(b.String(), "user=u1") {
		t.Errorf("logged %s", b.String())
	}
}

func TestObserveCount(t *testing.T) {
	if race {
		t.Log("the race detector allocates")
		return
	}
	m := NewMetrics()
	r := Request{Method: "POST", Route: "/api/chat/completions", Status: 200, Took: time.Millisecond}
	m.Observe(&r)
	log := NewRequestLog(blackHole{}, true)
	if n := testing.AllocsPerRun(100, func() { m.Observe(&r); log.Add(&r) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRequestLine(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	NewRequestLog(&b, true).Add(&Request{Method: "GET", Route: "/a", Status: 200, Took: 1500 * time.Microsecond, UserID: "u\"\n", RequestID: "r"})
	var got map[string]any
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, b.String())
	}
	if got["ms"] != 1.5 || got["user"] != "u??" || got["status"] != 200.0 || strings.Count(b.String(), "\n") != 1 {
		t.Errorf("got %v", got)
	}
}

func BenchmarkRequestLine(b *testing.B) {
	w := NewWriter(blackHole{}, 1<<20)
	defer w.Close()
	log := NewRequestLog(w, true)
	r := Request{Method: "POST", Route: "/api/chat/completions", Status: 200, Took: time.Millisecond, UserID: "3f6c", RequestID: "ABCDEFGH"}
	b.ReportAllocs()
	for b.Loop() {
		log.Add(&r)
	}
}

type blackHole struct{}

func (blackHole) Write(p []byte) (int, error) { return len(p), nil }

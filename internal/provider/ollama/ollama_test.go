package ollama

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"portico/internal/errdefs"
	"portico/internal/hop"
	"portico/internal/provider"
	"portico/internal/rawjson"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorded is one answer of a real Ollama, kept in testdata/real.
type recorded struct {
	method, path, request string
	status                int
	contentType, answer   string
}

func record(t testing.TB, name string) recorded {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "real", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitN(string(raw), "\n", 4)
	method, path, _ := strings.Cut(lines[0], " ")
	code, contentType, _ := strings.Cut(lines[2], " ")
	status, err := strconv.Atoi(code)
	if err != nil {
		t.Fatal(err)
	}
	return recorded{method, path, lines[1], status, contentType, lines[3]}
}

// serve starts a scripted Ollama and a client of it.
func serve(t testing.TB, handler http.HandlerFunc) *Client {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	return connect(t, provider.Connection{Kind: provider.Ollama, BaseURL: srv.URL})
}

func connect(t testing.TB, conn provider.Connection) *Client {
	t.Helper()
	up, err := hop.New(conn.BaseURL, hop.Options{Dialer: new(net.Dialer), Timeouts: hop.Timeouts{Idle: 2 * time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(up.Close)
	return New(&conn, up, Options{
		Now:   func() time.Time { return time.Unix(1_700_000_000, 0) },
		NewID: func() string { return "00000000-0000-4000-8000-000000000000" },
	})
}

// playing answers every call with a recorded answer, and keeps the last body.
func playing(t testing.TB, name string, got *string) *Client {
	rec := record(t, name)
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if got != nil {
			*got = string(body)
		}
		if r.Method != rec.method || r.URL.Path != rec.path {
			t.Errorf("the client called %s %s, not %s %s", r.Method, r.URL.Path, rec.method, rec.path)
		}
		w.Header().Set("Content-Type", rec.contentType)
		w.WriteHeader(rec.status)
		_, _ = io.WriteString(w, rec.answer)
	})
}

func doc(t testing.TB, body string) *rawjson.Doc {
	t.Helper()
	d := new(rawjson.Doc)
	if err := d.Parse([]byte(body), rawjson.Limits{}); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return d
}

func chat(t testing.TB, body string, stream bool) *provider.ChatRequest {
	return &provider.ChatRequest{Doc: doc(t, body), Model: "gemma:latest", Requested: "gemma", Stream: stream}
}

const hello = `{"model":"gemma","messages":[{"role":"user","content":"hi"}]}`

// readStream reads a stream to its end.
func readStream(t testing.TB, s provider.Stream) (string, error) {
	t.Helper()
	var all strings.Builder
	for {
		block, err := s.Next()
		if err != nil {
			if closing := s.Close(); closing != nil {
				t.Error(closing)
			}
			return all.String(), err
		}
		all.Write(block)
	}
}

// event is what OpenAI's clients read of a chunk.
type event struct {
	ID, Object, Model string
	Created           int64
	Choices           []struct {
		Index        int
		Logprobs     json.RawMessage
		FinishReason *string `json:"finish_reason"`
		Delta        struct {
			Role      string
			Content   *string
			Reasoning string     `json:"reasoning_content"`
			ToolCalls []toolCall `json:"tool_calls"`
		}
		Message struct {
			Role      string
			Content   *string
			Reasoning string     `json:"reasoning_content"`
			ToolCalls []toolCall `json:"tool_calls"`
		}
	}
	Usage map[string]any
}

type toolCall struct {
	Index    int
	ID, Type string
	Function struct{ Name, Arguments string }
}

func events(t testing.TB, sse string) (list []event, done bool) {
	t.Helper()
	for _, block := range strings.Split(strings.TrimSuffix(sse, "\n\n"), "\n\n") {
		data, ok := strings.CutPrefix(block, "data: ")
		if !ok || strings.Contains(data, "\n") {
			t.Fatalf("not one event: %q", block)
		}
		if data == "[DONE]" {
			done = true
			continue
		}
		var e event
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			t.Fatalf("%v in %s", err, data)
		}
		list = append(list, e)
	}
	return list, done
}

func ctx(t testing.TB) context.Context { return t.Context() }

func detail(err error) string { return errdefs.From(err).Detail }

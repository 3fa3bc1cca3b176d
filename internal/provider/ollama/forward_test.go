package ollama

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"portico/internal/errdefs"
	"portico/internal/provider"
)

func TestForwardIsUntouched(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"chat", "chat_stream", "generate", "generate_stream", "show", "tags", "ps",
		"v1_chat", "v1_chat_stream", "v1_messages", "v1_responses", "v1_models", "create", "pull_error", "copy", "unload"} {
		rec := record(t, name)
		var sent string
		reply, err := playing(t, name, &sent).Forward(ctx(t), rec.method, rec.path, []byte(rec.request), provider.Caller{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := string(reply.Body)
		if reply.Stream != nil {
			if got, err = readStream(t, reply.Stream); !errors.Is(err, io.EOF) {
				t.Errorf("%s: %v", name, err)
			}
			if strings.HasPrefix(name, "chat") && reply.Stream.Usage() != (provider.Usage{Prompt: 9, Completion: 12}) {
				t.Errorf("%s: usage %+v", name, reply.Stream.Usage())
			}
		}
		if got != rec.answer || sent != rec.request || reply.ContentType != rec.contentType && rec.contentType != "" {
			t.Errorf("%s: sent %q, got %s %q", name, sent, reply.ContentType, got)
		}
	}
}

func TestForwardRefusals(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"generate_unknown": "model 'no-such' not found", "delete_unknown": "model 'no-such' not found",
		"v1_chat_unknown": "model 'no-such' not found", "copy_unknown": `model "no-such" not found`,
		"v1_embeddings": "this model does not support embeddings", "embeddings": "this model does not support embeddings",
	} {
		rec := record(t, name)
		_, err := playing(t, name, nil).Forward(ctx(t), rec.method, rec.path, []byte(rec.request), provider.Caller{})
		if e := errdefs.From(err); e.HTTPStatus() != rec.status || e.Detail != want {
			t.Errorf("%s: %d %v", name, e.HTTPStatus(), err)
		}
	}
}

// Pieces are passed on as soon as they make a line, never half of one.
func TestForwardWholeLines(t *testing.T) {
	t.Parallel()
	all := say("one") + say("two") + end
	for cut := 1; cut < len(all); cut += 11 {
		reply, err := script(t, false, all[:cut], all[cut:]).Forward(ctx(t), "POST", "/api/chat", []byte(`{}`), provider.Caller{})
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for {
			block, err := reply.Stream.Next()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
				break
			}
			if block[len(block)-1] != '\n' {
				t.Fatalf("half a line: %q", block)
			}
			got.Write(block)
		}
		if got.String() != all {
			t.Fatalf("cut at %d: %q", cut, got.String())
		}
		_ = reply.Stream.Close()
	}
}

func TestForwardBreaksOff(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		breakOff bool
		pieces   []string
		want     string
	}{
		{true, []string{say("a"), say("b")[:20]}, "broke off"},
		{false, []string{say("a")}, "upstream_eof"},
		{false, []string{say(`"done":true`)}, "upstream_eof"},
		{false, []string{say("a"), strings.Repeat("x", 9<<20)}, "too long"},
	} {
		reply, err := script(t, tc.breakOff, tc.pieces...).Forward(ctx(t), "POST", "/api/chat", []byte(`{}`), provider.Caller{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := readStream(t, reply.Stream)
		if !errdefs.Is(err, errdefs.Upstream) || !strings.Contains(detail(err), tc.want) || got != tc.pieces[0] {
			t.Errorf("%q: %v after %q", tc.want, err, got)
		}
	}
}

func TestForwardEvents(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, p := range []string{"data: a\n", "\ndata: b\n\nda", "ta: c\n", "\n"} {
			_, _ = io.WriteString(w, p)
			_ = http.NewResponseController(w).Flush()
		}
	})
	reply, err := c.Forward(ctx(t), "POST", "/v1/chat/completions", []byte(`{}`), provider.Caller{})
	if err != nil {
		t.Fatal(err)
	}
	for {
		block, err := reply.Stream.Next()
		if err != nil {
			break
		}
		if !strings.HasSuffix(string(block), "\n\n") {
			t.Errorf("half an event: %q", block)
		}
	}
	_ = reply.Stream.Close()
}

func TestUpload(t *testing.T) {
	t.Parallel()
	var got string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = r.URL.Path + " " + string(body)
		w.WriteHeader(http.StatusCreated)
	})
	for _, n := range []int64{5, -1} {
		reply, err := c.Upload(ctx(t), "/api/blobs/sha256:00", strings.NewReader("bytes"), n)
		if err != nil || reply.Status != 201 || got != "/api/blobs/sha256:00 bytes" {
			t.Errorf("%v %q", err, got)
		}
	}
}

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
		reply, err := playing(t, name, &sent).Forward(ctx(t), &provider.ForwardRequest{Method: rec.method, Path: rec.path, Body: []byte(rec.request)})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := string(reply.Body)
		if name == "v1_chat" || name == "v1_messages" || name == "chat" {
			if reply.Usage.Prompt == 0 || reply.Usage.Completion == 0 {
				t.Errorf("%s: usage %+v", name, reply.Usage)
			}
		}
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
		_, err := playing(t, name, nil).Forward(ctx(t), &provider.ForwardRequest{Method: rec.method, Path: rec.path, Body: []byte(rec.request)})
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
		reply, err := script(t, false, all[:cut], all[cut:]).Forward(ctx(t), &provider.ForwardRequest{Method: "POST", Path: "/api/chat", Body: []byte(`{}`)})
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

// TestForwardWhiteSpace: an answer is complete however its last line is
// spaced, and its text never makes it so.
func TestForwardWhiteSpace(t *testing.T) {
	t.Parallel()
	for line, whole := range map[string]bool{
		`{"model": "m", "done": true, "eval_count": 3}`:      true,
		"{\"done\"\t:\t true}":                               true,
		`{"error" : "the runner ended"}`:                     true,
		`{"done_reason": "done", "done": true}`:              true,
		`{"done": false, "message": {"role": "done"}}`:       false,
		`{"response": "\"done\": true", "done": false}`:      false,
		`{"response": "\"error\": \"none\"", "done": false}`: false,
	} {
		reply, err := script(t, false, line+"\n").Forward(ctx(t), &provider.ForwardRequest{Method: "POST", Path: "/api/chat", Body: []byte(`{}`)})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := readStream(t, reply.Stream); got != line+"\n" || errors.Is(err, io.EOF) != whole {
			t.Errorf("%s gave %q, %v", line, got, err)
		}
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
		reply, err := script(t, tc.breakOff, tc.pieces...).Forward(ctx(t), &provider.ForwardRequest{Method: "POST", Path: "/api/chat", Body: []byte(`{}`)})
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
	reply, err := c.Forward(ctx(t), &provider.ForwardRequest{Method: "POST", Path: "/v1/chat/completions", Body: []byte(`{}`)})
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

// TestForwardEventsUsage: what a streamed answer cost is known in each of the
// shapes that Ollama has below /v1, and its bytes are as they came.
func TestForwardEventsUsage(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		events []string
		want   provider.Usage
	}{
		"chat": {[]string{
			`data: {"choices":[{"delta":{"content":"\"usage\":{\"prompt_tokens\":9}"}}],"usage":null}`,
			`data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}`, `data: [DONE]`}, provider.Usage{Prompt: 3, Completion: 4}},
		"messages": {[]string{
			"event: message_start\ndata: {\"message\":{\"usage\":{\"input_tokens\":3,\"output_tokens\":0}}}",
			"event: message_delta\ndata: {\"delta\":{},\"usage\":{\"output_tokens\":4}}"}, provider.Usage{Prompt: 3, Completion: 4}},
		"responses": {[]string{
			"event: response.completed\ndata: {\"response\":{\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}}"}, provider.Usage{Prompt: 3, Completion: 4}},
		"not told": {[]string{`data: {"choices":[{"delta":{"content":"usage"}}]}`}, provider.Usage{}},
	} {
		all := strings.Join(tt.events, "\n\n") + "\n\n"
		for _, cut := range []int{len(all), 7} {
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				for at := 0; at < len(all); at += cut {
					_, _ = io.WriteString(w, all[at:min(at+cut, len(all))])
					_ = http.NewResponseController(w).Flush()
				}
			})
			reply, err := c.Forward(ctx(t), &provider.ForwardRequest{Method: "POST", Path: "/v1/chat/completions", Body: []byte(`{}`)})
			if err != nil {
				t.Fatal(err)
			}
			got, err := readStream(t, reply.Stream)
			if got != all || err != nil && err != io.EOF || reply.Stream.Usage() != tt.want {
				t.Errorf("%s, cut every %d: %+v, %v, %q", name, cut, reply.Stream.Usage(), err, got)
			}
		}
	}
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
		reply, err := c.Forward(ctx(t), &provider.ForwardRequest{Method: "POST", Path: "/api/blobs/sha256:00", Upload: strings.NewReader("bytes"), Length: n})
		if err != nil || reply.Status != 201 || got != "/api/blobs/sha256:00 bytes" {
			t.Errorf("%v %q", err, got)
		}
	}
}

func TestImport(t *testing.T) {
	t.Parallel()
	var calls []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		calls = append(calls, r.URL.Path+" "+string(body))
		_, _ = io.WriteString(w, `{"status":"success"}`)
	})
	var sent int64
	digest, err := c.Import(ctx(t), strings.NewReader("GGUF"), "a.gguf", "a", func(n int64) { sent = n })
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/api/blobs/" + digest + " GGUF", `/api/create {"stream":false,"model":"a","files":{"a.gguf":"` + digest + `"}}`}
	if len(digest) != 71 || sent != 4 || strings.Join(calls, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s %d %q", digest, sent, calls)
	}
}

func TestPreset(t *testing.T) {
	t.Parallel()
	const params = `{"temperature":0.1,"num_ctx":8,"system":"Be {{USER_NAME}}.","keep_alive":"1m","max_tokens":3}`
	// Where parameters stand beside the model, none may be read as one.
	swap := encoding().preset(&provider.ForwardRequest{Path: "/v1/completions", Body: []byte(`{"model":"m"}`), Params: []byte(`{"Model":"forbidden","model":"forbidden"}`)})
	if string(swap) != `{"model":"m"}` {
		t.Errorf("parameters asked for another model: %s", swap)
	}
	for _, tc := range []struct{ path, body, want string }{
		{"/api/chat", `{"model":"m","messages":[{"role":"user","content":"hi"}],"options":{"num_ctx":16},"x":1}`,
			`{"model":"m","messages":[{"role":"system","content":"Be Ann."},{"role":"user","content":"hi"}],"options":{"num_ctx":16,"temperature":0.1,"num_predict":3},"x":1,"keep_alive":"1m"}`},
		{"/api/chat", `{"messages":[{"role":"system","content":"Short."}],"keep_alive":0}`,
			`{"messages":[{"role":"system","content":"Be Ann.\nShort."}],"keep_alive":0,"options":{"temperature":0.1,"num_ctx":8,"num_predict":3}}`},
		{"/api/generate", `{"prompt":"p"}`, `{"prompt":"p","options":{"temperature":0.1,"num_ctx":8,"num_predict":3},"keep_alive":"1m","system":"Be Ann."}`},
		{"/v1/chat/completions", `{"messages":[],"temperature":1,"Messages":[1]}`,
			`{"messages":[{"role":"system","content":"Be Ann."}],"temperature":1,"num_ctx":8,"keep_alive":"1m","max_tokens":3}`},
		{"/v1/responses", `{"model":"m","input":"x"}`, `{"model":"m","input":"x","instructions":"Be Ann.","temperature":0.1,"max_output_tokens":3}`},
		{"/api/embed", `{"input":"x"}`, `{"input":"x"}`},
	} {
		untouched := `{ "model": "m",  "options": {} }`
		if got := encoding().preset(&provider.ForwardRequest{Path: "/api/chat", Body: []byte(untouched), Params: []byte(`{}`)}); string(got) != untouched {
			t.Errorf("no parameters made %s", got)
		}
		got := encoding().preset(&provider.ForwardRequest{Path: tc.path, Body: []byte(tc.body), Params: []byte(params), Caller: provider.Caller{Name: "Ann"}})
		if string(got) != tc.want {
			t.Errorf("%s:\n got %s\nwant %s", tc.path, got, tc.want)
		}
	}
}

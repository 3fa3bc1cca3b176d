package ollama

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"portico/internal/errdefs"
	"portico/internal/provider"
)

func TestChatOfARealModel(t *testing.T) {
	t.Parallel()
	var sent string
	reply, err := playing(t, "chat", &sent).Chat(ctx(t), chat(t, hello, false))
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"model":"gemma:latest","stream":false,"messages":[{"role":"user","content":"hi"}]}`; sent != want {
		t.Errorf("sent %s, want %s", sent, want)
	}
	list, _ := events(t, "data: "+string(reply.Body))
	e := list[0]
	if e.Object != "chat.completion" || e.Model != "gemma" || e.ID != "gemma-00000000-0000-4000-8000-000000000000" || e.Created != 1_700_000_000 {
		t.Errorf("head: %+v", e)
	}
	c := e.Choices[0]
	if *c.FinishReason != "length" || c.Message.Role != "assistant" || !strings.HasPrefix(*c.Message.Content, "\n\nThe first time") {
		t.Errorf("choice: %+v", c)
	}
	checkUsage(t, e.Usage)
	if reply.Usage != (provider.Usage{Prompt: 9, Completion: 12}) {
		t.Errorf("usage %+v", reply.Usage)
	}
}

func checkUsage(t *testing.T, usage map[string]any) {
	t.Helper()
	for _, key := range []string{"input_tokens", "output_tokens", "total_tokens", "prompt_tokens", "completion_tokens",
		"response_token/s", "prompt_token/s", "total_duration", "load_duration", "prompt_eval_count",
		"prompt_eval_duration", "eval_count", "eval_duration"} {
		if _, ok := usage[key].(float64); !ok {
			t.Errorf("usage has no number %q: %v", key, usage[key])
		}
	}
	if s, _ := usage["approximate_total"].(string); !strings.HasPrefix(s, "0h0m") {
		t.Errorf("approximate_total %q", s)
	}
	if _, ok := usage["completion_tokens_details"].(map[string]any); !ok {
		t.Error("usage has no completion_tokens_details")
	}
}

func TestStreamOfARealModel(t *testing.T) {
	t.Parallel()
	var sent string
	reply, err := playing(t, "chat_stream", &sent).Chat(ctx(t), chat(t, hello, true))
	if err != nil {
		t.Fatal(err)
	}
	if reply.ContentType != "text/event-stream" || !strings.Contains(sent, `"stream":true`) {
		t.Errorf("%s for %s", reply.ContentType, sent)
	}
	sse, err := readStream(t, reply.Stream)
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	list, done := events(t, sse)
	if !done || len(list) != 13 {
		t.Fatalf("%d events, done %v", len(list), done)
	}
	var text strings.Builder
	for i, e := range list {
		c := e.Choices[0]
		if (c.Delta.Role == "assistant") != (i == 0) {
			t.Errorf("event %d has the role %q", i, c.Delta.Role)
		}
		if (c.FinishReason != nil) != (i == 12) || (e.Usage != nil) != (i == 12) {
			t.Errorf("event %d ends: %v %v", i, c.FinishReason, e.Usage)
		}
		if e.ID != list[0].ID || e.Object != "chat.completion.chunk" || string(c.Logprobs) != "null" {
			t.Errorf("event %d: %+v", i, e)
		}
		text.WriteString(*c.Delta.Content)
	}
	if got := text.String(); got != "\n\nThe first time I saw the engine was in the " {
		t.Errorf("text %q", got)
	}
	if *list[12].Choices[0].FinishReason != "length" {
		t.Error("finish_reason is not Ollama's done_reason")
	}
	checkUsage(t, list[12].Usage)
	if u := reply.Stream.Usage(); u != (provider.Usage{Prompt: 9, Completion: 12}) {
		t.Errorf("usage %+v", u)
	}
}

// script streams text in pieces, then breaks off if asked to.
func script(t testing.TB, breakOff bool, pieces ...string) *Client {
	return serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		for _, p := range pieces {
			_, _ = io.WriteString(w, p)
			_ = http.NewResponseController(w).Flush()
		}
		if breakOff {
			panic(http.ErrAbortHandler)
		}
	})
}

func say(text string) string {
	return fmt.Sprintf(`{"model":"gemma:latest","created_at":"2026-11-22T17:56:19Z","message":{"role":"assistant","content":%q},"done":false}`+"\n", text)
}

const end = `{"model":"gemma:latest","created_at":"2026-11-22T17:56:20Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":2}` + "\n"

func TestStreamThinkingToolsAndLogprobs(t *testing.T) {
	t.Parallel()
	c := script(t, false,
		`{"message":{"role":"assistant","content":"","thinking":"hm \"so\""},"done":false}`+"\n",
		`{"message":{"role":"assistant","content":""},"done":false}`+"\n",
		`{"message":{"role":"assistant","content":"Well","thinking":""},"done":false,"logprobs":[{"token":"Well","logprob":-0.5}]}`+"\n",
		`{"message":{"role":"assistant","content":"","tool_calls":[{"id":"call_x","function":{"index":0,"name":"f","arguments":{"a":"\"é\n\"","b":[1]}}}]},"done":false}`+"\n",
		`{"message":{"role":"assistant","tool_calls":[{"function":{"name":"g"}}]},"done":false}`+"\n",
		`{"message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","eval_duration":0}`+"\n")
	reply, err := c.Chat(ctx(t), chat(t, hello, true))
	if err != nil {
		t.Fatal(err)
	}
	sse, err := readStream(t, reply.Stream)
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	list, done := events(t, sse)
	if len(list) != 6 || !done {
		t.Fatalf("%d events: %s", len(list), sse)
	}
	if d := list[0].Choices[0].Delta; d.Reasoning != `hm "so"` || d.Content != nil || d.Role != "assistant" {
		t.Errorf("thinking: %+v", d)
	}
	if c := list[1].Choices[0]; c.FinishReason != nil || *c.Delta.Content != "" {
		t.Errorf("an empty delta in the middle is not the end: %+v", c)
	}
	if c := list[2].Choices[0]; string(c.Logprobs) != `{"content":[{"token":"Well","logprob":-0.5}]}` || *c.Delta.Content != "Well" {
		t.Errorf("logprobs: %s", c.Logprobs)
	}
	first, second := list[3].Choices[0].Delta.ToolCalls[0], list[4].Choices[0].Delta.ToolCalls[0]
	if first.ID != "call_x" || first.Index != 0 || first.Type != "function" || first.Function.Name != "f" ||
		first.Function.Arguments != `{"a":"\"é\n\"","b":[1]}` {
		t.Errorf("first call: %+v", first)
	}
	if second.ID != "call_00000000-0000-4000-8000-000000000000" || second.Index != 1 || second.Function.Arguments != "{}" {
		t.Errorf("second call: %+v", second)
	}
	last := list[5]
	if *last.Choices[0].FinishReason != "tool_calls" || last.Usage["response_token/s"] != "N/A" {
		t.Errorf("end: %+v", last)
	}
}

func TestStreamFaults(t *testing.T) {
	t.Parallel()
	long := say(strings.Repeat("x", 9<<20))
	for _, tc := range []struct {
		name     string
		breakOff bool
		pieces   []string
		given    int // whole events before the failure
		want     string
	}{
		{"an error line", false, []string{say("a"), `{"error":"the runner stopped"}` + "\n"}, 1, "the runner stopped"},
		{"an error alone", false, []string{`{"error":"no memory"}` + "\n"}, 0, "no memory"},
		{"the end without done", false, []string{say("a"), say("b")}, 2, "upstream_eof"},
		{"nothing at all", false, nil, 0, "upstream_eof"},
		{"half a line, then the end", false, []string{say("a"), `{"message":{"content":"b`}, 1, "not an answer of Ollama"},
		{"a reset", true, []string{say("a"), `{"mess`}, 1, "broke off"},
		{"not JSON", false, []string{say("a"), "hello\n", say("b"), end}, 1, "not an answer of Ollama"},
		{"HTML", false, []string{"<html>\n"}, 0, "not an answer of Ollama"},
		{"another object", false, []string{"{\"status\":\"ok\"}\n"}, 0, "not an answer of Ollama"},
		{"a line too long", false, []string{say("a"), long, end}, 1, "too long"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			reply, err := script(t, tc.breakOff, tc.pieces...).Chat(ctx(t), chat(t, hello, true))
			if err != nil {
				t.Fatal(err)
			}
			sse, err := readStream(t, reply.Stream)
			if !errdefs.Is(err, errdefs.Upstream) || !strings.Contains(detail(err), tc.want) {
				t.Errorf("the stream ended with %v, want %q", err, tc.want)
			}
			if n := strings.Count(sse, "\n\n"); n != tc.given {
				t.Errorf("%d events before the failure, want %d", n, tc.given)
			}
			if strings.Contains(sse, "[DONE]") {
				t.Error("a broken answer says that it is done")
			}
		})
	}
}

func TestStreamCutAnywhere(t *testing.T) {
	t.Parallel()
	raw := record(t, "chat_stream").answer
	whole, err := readStream(t, must(script(t, false, raw).Chat(ctx(t), chat(t, hello, true))).Stream)
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	for cut := 1; cut < len(raw); cut += 7 {
		got, err := readStream(t, must(script(t, false, raw[:cut], raw[cut:]).Chat(ctx(t), chat(t, hello, true))).Stream)
		if !errors.Is(err, io.EOF) || got != whole {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
}

func must(r *provider.Reply, err error) *provider.Reply {
	if err != nil {
		panic(err)
	}
	return r
}

func TestNothingAfterTheEnd(t *testing.T) {
	t.Parallel()
	c := script(t, false, say("a")+end+say("foreign"), say("foreign")+end)
	sse, err := readStream(t, must(c.Chat(ctx(t), chat(t, hello, true))).Stream)
	if !errors.Is(err, io.EOF) || strings.Contains(sse, "foreign") || !strings.HasSuffix(sse, "data: [DONE]\n\n") {
		t.Errorf("%v: %s", err, sse)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		status int
		want   string
	}{
		{"chat_unknown", 404, "model 'no-such' not found"},
		{"chat_tools", 400, "gemma:latest does not support tools"},
		{"chat_images", 500, "Failed to create new sequence"},
		{"chat_bad_option", 500, `option "num_predict" must be of type integer`},
	} {
		for _, stream := range []bool{false, true} {
			_, err := playing(t, tc.name, nil).Chat(ctx(t), chat(t, hello, stream))
			e := errdefs.From(err)
			if e.HTTPStatus() != tc.status || !strings.Contains(e.Detail, tc.want) || e.Verbatim != nil {
				t.Errorf("%s: %d %v", tc.name, e.HTTPStatus(), err)
			}
		}
	}
}

func TestRefusalsTellNoSecret(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]int{401: 502, 403: 502, 429: 429, 500: 500, 302: 502} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"error":"bad key sk-canary at http://%s/api/chat"}`, r.Host)
		})
		conn := *c.conn
		conn.Config.Key = "sk-canary"
		c = connect(t, conn)
		_, err := c.Chat(ctx(t), chat(t, hello, false))
		e := errdefs.From(err)
		if e.HTTPStatus() != want || strings.Contains(e.Detail, "canary") || strings.Contains(e.Detail, "127.0.0.1") {
			t.Errorf("%d became %d: %s", status, e.HTTPStatus(), e.Detail)
		}
		if status == 429 && e.RetryAfter.Seconds() != 7 {
			t.Errorf("Retry-After %v", e.RetryAfter)
		}
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	c := connect(t, provider.Connection{Kind: provider.Ollama, BaseURL: "http://127.0.0.1:1"})
	_, err := c.Chat(ctx(t), chat(t, hello, true))
	if e := errdefs.From(err); e.HTTPStatus() != 500 || !provider.MayRetry(err) {
		t.Errorf("%d %v", e.HTTPStatus(), err)
	}
}

// A model that cannot think is asked again without, when thinking was asked
// for in OpenAI's words; in Ollama's own words the refusal stands.
func TestReasoningEffort(t *testing.T) {
	t.Parallel()
	refusal := record(t, "chat_think")
	answer := record(t, "chat")
	var sent []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sent = append(sent, string(body))
		rec := answer
		if strings.Contains(string(body), `"think"`) {
			rec = refusal
		}
		w.Header().Set("Content-Type", rec.contentType)
		w.WriteHeader(rec.status)
		_, _ = io.WriteString(w, rec.answer)
	})
	body := `{"reasoning_effort":"high","messages":[{"role":"user","content":"hi"}]}`
	if _, err := c.Chat(ctx(t), chat(t, body, false)); err != nil {
		t.Fatal(err)
	}
	if len(sent) != 2 || !strings.HasSuffix(sent[0], `,"think":"high"}`) || strings.Contains(sent[1], "think") {
		t.Errorf("sent %q", sent)
	}
	body = `{"think":true,"messages":[{"role":"user","content":"hi"}]}`
	if _, err := c.Chat(ctx(t), chat(t, body, false)); !strings.Contains(detail(err), "does not support thinking") {
		t.Errorf("got %v", err)
	}
}

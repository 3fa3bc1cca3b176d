package stage

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"
)

// message is one turn of a chat, in either dialect.
type message struct {
	Role    string `json:"role"`
	Content any    `json:"content"`
}

// asked is what the scripted upstreams read of a request.
type asked struct {
	Model     string            `json:"model"`
	Messages  []message         `json:"messages"`
	Stream    *bool             `json:"stream"`
	Tools     []json.RawMessage `json:"tools"`
	MaxTokens int               `json:"max_tokens"`
	Prompt    string            `json:"prompt"`
	Input     json.RawMessage   `json:"input"`
}

func (a *asked) streams() bool { return a.Stream != nil && *a.Stream }

// inputs counts the texts to embed: a string is one.
func (a *asked) inputs() int {
	var list []json.RawMessage
	if json.Unmarshal(a.Input, &list) == nil {
		return len(list)
	}
	return 1
}

// words is what a model answers: mock-echo gives the messages it got as JSON
// text, every other one 64 words.
func (a *asked) words() []string {
	if strings.HasPrefix(a.Model, "mock-echo") {
		b, _ := json.Marshal(a.Messages)
		return []string{string(b)}
	}
	out := make([]string, 64)
	for i := range out {
		out[i] = fmt.Sprintf("word%d ", i)
	}
	return out
}

// OpenAIModels are what the scripted OpenAI upstream lists.
var openAIModels = []string{"mock-0", "mock-1", "mock-echo", "mock-slow", "mock-fail500", "mock-fail429", "gpt-4-turbo", "granite3.1-dense:8b"}

// OpenAI starts an upstream that speaks OpenAI's dialect. The caller closes
// it. Its models: mock-echo and mock-fail500, mock-fail429 do what they say,
// mock-slow sends a word every 100 ms, the others send 64 words.
func OpenAI() *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		data := []any{}
		for _, id := range openAIModels {
			data = append(data, map[string]any{"id": id, "object": "model", "created": 1700000000, "owned_by": "mock"})
		}
		reply(w, http.StatusOK, map[string]any{"object": "list", "data": data})
	})
	mux.HandleFunc("POST /v1/chat/completions", openAIChat)
	mux.HandleFunc("POST /v1/embeddings", func(w http.ResponseWriter, r *http.Request) {
		var a asked
		if !read(w, r, &a) {
			return
		}
		data := []any{}
		for i := range a.inputs() {
			data = append(data, map[string]any{"object": "embedding", "index": i, "embedding": []float64{0.25, 0.5, float64(i)}})
		}
		reply(w, http.StatusOK, map[string]any{"object": "list", "model": a.Model, "data": data,
			"usage": map[string]int{"prompt_tokens": 3, "total_tokens": 3}})
	})
	return httptest.NewServer(mux)
}

func openAIChat(w http.ResponseWriter, r *http.Request) {
	var a asked
	if !read(w, r, &a) {
		return
	}
	switch {
	case a.Model == "mock-fail500":
		reply(w, 500, map[string]any{"error": map[string]any{"message": "scripted failure", "type": "server_error"}})
		return
	case a.Model == "mock-fail429":
		w.Header().Set("Retry-After", "7")
		reply(w, 429, map[string]any{"error": map[string]any{"message": "slow down", "type": "rate_limit_error"}})
		return
	}
	head := func(object string) map[string]any {
		return map[string]any{"id": "chatcmpl-1", "object": object, "created": time.Now().Unix(), "model": a.Model, "system_fingerprint": "fp_mock"}
	}
	usage := map[string]int{"prompt_tokens": 9, "completion_tokens": len(a.words()), "total_tokens": 9 + len(a.words())}
	call := map[string]any{"index": 0, "id": "call_1", "type": "function",
		"function": map[string]any{"name": "get_weather", "arguments": `{"city":"Olinda"}`}}
	if !a.streams() {
		msg, finish := map[string]any{"role": "assistant", "content": strings.Join(a.words(), "")}, "stop"
		if len(a.Tools) > 0 {
			msg["content"], msg["tool_calls"], finish = nil, []any{call}, "tool_calls"
		}
		out := head("chat.completion")
		out["choices"] = []any{map[string]any{"index": 0, "message": msg, "finish_reason": finish, "logprobs": nil}}
		out["usage"] = usage
		reply(w, http.StatusOK, out)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	send := func(delta map[string]any, finish any) {
		out := head("chat.completion.chunk")
		out["choices"] = []any{map[string]any{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": nil}}
		event(w, out)
	}
	send(map[string]any{"role": "assistant", "content": ""}, nil)
	finish := "stop"
	if len(a.Tools) > 0 {
		send(map[string]any{"tool_calls": []any{call}}, nil)
		finish = "tool_calls"
	} else {
		for _, word := range a.words() {
			if a.Model == "mock-slow" {
				select {
				case <-r.Context().Done():
					return
				case <-time.After(100 * time.Millisecond):
				}
			}
			send(map[string]any{"content": word}, nil)
		}
	}
	send(map[string]any{}, finish)
	out := head("chat.completion.chunk")
	out["choices"], out["usage"] = []any{}, usage
	event(w, out)
	_, _ = fmt.Fprint(w, "data: [DONE]\n\n")
}

func event(w http.ResponseWriter, v any) {
	b, _ := json.Marshal(v)
	_, _ = fmt.Fprintf(w, "data: %s\n\n", b)
	_ = http.NewResponseController(w).Flush()
}

func read(w http.ResponseWriter, r *http.Request, v any) bool {
	if err := json.NewDecoder(r.Body).Decode(v); err != nil {
		reply(w, http.StatusBadRequest, map[string]any{"error": map[string]any{"message": "not JSON"}})
		return false
	}
	return true
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

package stage

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"
)

// ollamaModels are what the scripted Ollama lists.
var ollamaModels = []string{"gemma:latest", "llama3.1:latest", "llama3.2:latest"}

const ollamaTime = "2026-01-02T03:04:05.678901234Z"

// Ollama starts an upstream that speaks Ollama's dialect. The caller closes
// it. gemma:latest embeds nothing, as the real one does not.
func Ollama() *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "Ollama is running") })
	mux.HandleFunc("GET /api/version", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]string{"version": "0.17.4"})
	})
	mux.HandleFunc("GET /api/tags", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]any{"models": ollamaList(false)})
	})
	mux.HandleFunc("GET /api/ps", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]any{"models": ollamaList(true)[:1]})
	})
	mux.HandleFunc("POST /api/show", func(w http.ResponseWriter, r *http.Request) {
		if _, ok := ollamaAsked(w, r); ok {
			reply(w, http.StatusOK, map[string]any{"license": "", "modelfile": "FROM x", "parameters": "", "template": "{{ .Prompt }}",
				"details": ollamaDetails(), "model_info": map[string]any{"general.architecture": "gemma3"},
				"capabilities": []string{"completion"}, "modified_at": ollamaTime, "tensors": []any{}})
		}
	})
	mux.HandleFunc("POST /api/generate", ollamaAnswer(func(word string) map[string]any { return map[string]any{"response": word, "context": []int{1, 2}} }))
	mux.HandleFunc("POST /api/chat", ollamaAnswer(func(word string) map[string]any {
		return map[string]any{"message": map[string]any{"role": "assistant", "content": word}}
	}))
	mux.HandleFunc("POST /api/embed", ollamaEmbed)
	mux.HandleFunc("POST /api/embeddings", func(w http.ResponseWriter, r *http.Request) {
		a, ok := ollamaAsked(w, r)
		switch {
		case !ok:
		case a.Model == "gemma:latest":
			reply(w, 500, map[string]string{"error": "this model does not support embeddings"})
		default:
			reply(w, http.StatusOK, map[string]any{"embedding": []float64{0.1, 0.2}})
		}
	})
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		data := []any{}
		for _, id := range ollamaModels {
			data = append(data, map[string]any{"id": id, "object": "model", "created": 1700000000, "owned_by": "library"})
		}
		reply(w, http.StatusOK, map[string]any{"object": "list", "data": data})
	})
	mux.HandleFunc("POST /v1/chat/completions", openAIChat)
	return httptest.NewServer(mux)
}

func ollamaDetails() map[string]any {
	return map[string]any{"parent_model": "", "format": "gguf", "family": "gemma3", "families": []string{"gemma3"},
		"parameter_size": "268M", "quantization_level": "Q4_K_M"}
}

func ollamaList(loaded bool) []any {
	out := []any{}
	for _, id := range ollamaModels {
		m := map[string]any{"name": id, "model": id, "size": 253000000, "digest": strings.Repeat("ab", 32), "details": ollamaDetails()}
		if loaded {
			m["expires_at"], m["size_vram"], m["context_length"] = time.Now().Add(time.Minute).Format(time.RFC3339Nano), 0, 4096
		} else {
			m["modified_at"] = ollamaTime
		}
		out = append(out, m)
	}
	return out
}

// ollamaAsked reads a request for a model that there is.
func ollamaAsked(w http.ResponseWriter, r *http.Request) (a asked, ok bool) {
	if !read(w, r, &a) {
		return a, false
	}
	for _, id := range ollamaModels {
		if a.Model == id || a.Model+":latest" == id {
			return a, true
		}
	}
	reply(w, http.StatusNotFound, map[string]string{"error": "model '" + a.Model + "' not found"})
	return a, false
}

func ollamaEmbed(w http.ResponseWriter, r *http.Request) {
	a, ok := ollamaAsked(w, r)
	switch {
	case !ok:
	case a.Model == "gemma:latest":
		reply(w, 501, map[string]string{"error": "this model does not support embeddings"})
	default:
		vectors := [][]float64{}
		for range a.inputs() {
			vectors = append(vectors, []float64{0.1, 0.2, 0.3})
		}
		reply(w, http.StatusOK, map[string]any{"model": a.Model, "embeddings": vectors,
			"total_duration": 1000, "load_duration": 100, "prompt_eval_count": 4})
	}
}

// ollamaAnswer streams lines unless the request says not to.
func ollamaAnswer(shape func(word string) map[string]any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a, ok := ollamaAsked(w, r)
		if !ok {
			return
		}
		line := func(word string, done bool) {
			m := shape(word)
			m["model"], m["created_at"], m["done"] = a.Model, ollamaTime, done
			if msg, ok := m["message"].(map[string]any); ok && done && len(a.Tools) > 0 {
				msg["tool_calls"] = []any{map[string]any{"function": map[string]any{"name": "get_weather", "arguments": map[string]any{"city": "Olinda"}}}}
			}
			if done {
				m["done_reason"], m["total_duration"], m["load_duration"] = "stop", 2000, 100
				m["prompt_eval_count"], m["prompt_eval_duration"], m["eval_count"], m["eval_duration"] = 9, 300, 3, 400
			}
			_ = json.NewEncoder(w).Encode(m)
			_ = http.NewResponseController(w).Flush()
		}
		if a.Stream != nil && !*a.Stream {
			w.Header().Set("Content-Type", "application/json")
			line("The sky scatters blue light.", true)
			return
		}
		w.Header().Set("Content-Type", "application/x-ndjson")
		for _, word := range []string{"The sky ", "scatters ", "blue light."} {
			line(word, false)
		}
		line("", true)
	}
}

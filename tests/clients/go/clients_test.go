// Package clients runs the Go clients that people use against the server at
// $B with the API key $K. The test of the folder above starts both.
package clients

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/ollama/ollama/api"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

// TestMain ends at once without a server: alone, this module has nothing to
// talk to.
func TestMain(m *testing.M) {
	if os.Getenv("B") == "" {
		fmt.Println("no server: run the test of the folder above")
		return
	}
	os.Exit(m.Run())
}

func at() (base, key string) { return os.Getenv("B"), os.Getenv("K") }

func TestOpenAI(t *testing.T) {
	base, key := at()
	for _, path := range []string{"/api", "/api/v1", "/v1", "/openai"} {
		t.Run(path, func(t *testing.T) {
			c := openai.NewClient(option.WithBaseURL(base+path), option.WithAPIKey(key), option.WithMaxRetries(0))
			ctx := t.Context()
			list, err := c.Models.List(ctx)
			if err != nil || len(list.Data) == 0 || list.Object != "list" {
				t.Fatalf("%+v, %v", list, err)
			}
			ask := openai.ChatCompletionNewParams{Model: "gpt-4-turbo", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("x")}}
			answer, err := c.Chat.Completions.New(ctx, ask)
			if err != nil || !strings.HasPrefix(answer.Choices[0].Message.Content, "word0") || answer.Usage.TotalTokens != 73 {
				t.Fatalf("%+v, %v", answer, err)
			}
			stream := c.Chat.Completions.NewStreaming(ctx, ask)
			var sum openai.ChatCompletionAccumulator
			for stream.Next() {
				sum.AddChunk(stream.Current())
			}
			if err := stream.Err(); err != nil || !strings.HasSuffix(sum.Choices[0].Message.Content, "word63 ") {
				t.Fatalf("%+v, %v", sum, err)
			}
			vectors, err := c.Embeddings.New(ctx, openai.EmbeddingNewParams{Model: "gpt-4-turbo",
				Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"a", "b"}}})
			if err != nil || len(vectors.Data) != 2 {
				t.Fatalf("%+v, %v", vectors, err)
			}
			ask.Model = "no-such"
			if _, err := c.Chat.Completions.New(ctx, ask); err == nil {
				t.Error("an unknown model was answered")
			}
		})
	}
}

// bearer adds the key, which the Ollama client has no place for.
type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

func TestOllama(t *testing.T) {
	base, key := at()
	u, err := url.Parse(base + "/ollama")
	if err != nil {
		t.Fatal(err)
	}
	c := api.NewClient(u, &http.Client{Transport: bearer(key)})
	ctx := t.Context()
	list, err := c.List(ctx)
	if err != nil || len(list.Models) != 3 || list.Models[0].ModifiedAt.IsZero() {
		t.Fatalf("%+v, %v", list, err)
	}
	if _, err := c.Show(ctx, &api.ShowRequest{Model: "llama3.2"}); err != nil {
		t.Error(err)
	}
	if _, err := c.ListRunning(ctx); err != nil {
		t.Error(err)
	}
	if v, err := c.Version(ctx); err != nil || v == "" {
		t.Errorf("%q, %v", v, err)
	}
	var chat, generated strings.Builder
	err = c.Chat(ctx, &api.ChatRequest{Model: "llama3.2", Messages: []api.Message{{Role: "user", Content: "x"}}},
		func(r api.ChatResponse) error { chat.WriteString(r.Message.Content); return nil })
	if err != nil || chat.String() != "The sky scatters blue light." {
		t.Errorf("%q, %v", chat.String(), err)
	}
	err = c.Generate(ctx, &api.GenerateRequest{Model: "llama3.2", Prompt: "x"},
		func(r api.GenerateResponse) error { generated.WriteString(r.Response); return nil })
	if err != nil || generated.String() != chat.String() {
		t.Errorf("%q, %v", generated.String(), err)
	}
	embedded, err := c.Embed(ctx, &api.EmbedRequest{Model: "llama3.2", Input: []string{"a", "b"}})
	if err != nil || len(embedded.Embeddings) != 2 {
		t.Errorf("%+v, %v", embedded, err)
	}
	err = c.Generate(context.WithoutCancel(ctx), &api.GenerateRequest{Model: "no-such", Prompt: "x"}, func(api.GenerateResponse) error { return nil })
	if err == nil {
		t.Error("an unknown model was answered")
	}
}

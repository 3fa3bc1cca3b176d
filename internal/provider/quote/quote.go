// Package quote is a provider without a model: it answers from the passages
// that were found for a question by quoting the sentences that fit it best,
// each with where it stands. It makes nothing up and calls nobody.
package quote

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"

	"portico/internal/errdefs"
	"portico/internal/provider"
	"portico/internal/rawjson"
)

// ID is the id under which it is listed.
const ID = "portico-extract"

// Provider answers by quoting.
type Provider struct {
	now   func() time.Time
	newID func() string
}

// New makes a Provider.
func New() *Provider { return &Provider{now: time.Now, newID: uuid.NewString} }

// Backend is a Provider as a connection, which no setting lists.
func Backend() *provider.Backend {
	return provider.NewBackend(&provider.Connection{Kind: provider.Builtin, Index: -1}, New())
}

// Models lists the one model.
func (p *Provider) Models(context.Context) ([]provider.Entry, error) {
	return []provider.Entry{{ID: ID, Raw: []byte(`{"id":"` + ID + `","name":"Quotes from your documents"}`)}}, nil
}

// Embed fails: there is no encoder here.
func (p *Provider) Embed(context.Context, *provider.EmbedRequest) (*provider.Reply, error) {
	return nil, errdefs.New(errdefs.Invalid, "The model "+ID+" makes no embeddings. Name a model that does.")
}

// Chat answers at once.
func (p *Provider) Chat(_ context.Context, req *provider.ChatRequest) (*provider.Reply, error) {
	question, quotes := asked(req.Doc), []provider.Quote(nil)
	if req.Ground != nil {
		question, quotes = req.Ground.Question, req.Ground.Quotes
	}
	a := answer{ID: "chatcmpl-" + p.newID(), Created: p.now().Unix(), Model: req.Requested}
	text := compose(question, quotes, req.Ground != nil)
	if req.Stream {
		return &provider.Reply{Status: 200, ContentType: "text/event-stream", Stream: &stream{block: a.events(text)}}, nil
	}
	return &provider.Reply{Status: 200, ContentType: "application/json", Body: a.whole(text)}, nil
}

// asked is the last thing that the user said.
func asked(doc *rawjson.Doc) (said string) {
	rawjson.Elements(doc.Get("messages"), func(m []byte) {
		if text, ok := rawjson.Unquote(rawjson.Lookup(m, "content")); ok && string(rawjson.Lookup(m, "role")) == `"user"` {
			said = text
		}
	})
	return said
}

// answer is what all shapes of one answer share.
type answer struct {
	ID      string
	Created int64
	Model   string
}

func (a *answer) whole(text string) []byte {
	b, _ := json.Marshal(map[string]any{ // strings and numbers: cannot fail
		"id": a.ID, "object": "chat.completion", "created": a.Created, "model": a.Model,
		"choices": []any{map[string]any{
			"index": 0, "finish_reason": "stop", "logprobs": nil,
			"message": map[string]any{"role": "assistant", "content": text},
		}},
		"usage": map[string]int{"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
	})
	return b
}

// events is the answer as a stream, a line of it in each chunk.
func (a *answer) events(text string) []byte {
	var b strings.Builder
	chunk := func(delta map[string]string, finish any) {
		c, _ := json.Marshal(map[string]any{ // strings and numbers: cannot fail
			"id": a.ID, "object": "chat.completion.chunk", "created": a.Created, "model": a.Model,
			"choices": []any{map[string]any{"index": 0, "delta": delta, "finish_reason": finish}},
		})
		fmt.Fprintf(&b, "data: %s\n\n", c)
	}
	chunk(map[string]string{"role": "assistant", "content": ""}, nil)
	for line := range strings.SplitAfterSeq(text, "\n") {
		chunk(map[string]string{"content": line}, nil)
	}
	chunk(map[string]string{}, "stop")
	b.WriteString("data: [DONE]\n\n")
	return []byte(b.String())
}

// stream gives its one block.
type stream struct{ block []byte }

func (s *stream) Next() ([]byte, error) {
	b := s.block
	s.block = nil
	if b == nil {
		return nil, io.EOF
	}
	return b, nil
}

func (s *stream) Usage() provider.Usage { return provider.Usage{} }
func (s *stream) Close() error          { return nil }

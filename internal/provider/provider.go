// Package provider is the seam to upstreams that answer chats: what a
// connection is, what is asked of it, and the stream that comes back. Each
// dialect is a room below (openai, ollama; later anthropic, pipe) and
// translates between itself and the OpenAI shape, which is the shape in which
// the rest of the server thinks. Nothing here knows users' rights, SQL or the
// HTTP edge.
package provider

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"time"

	"portico/internal/rawjson"
)

// Kind is the dialect of a connection.
type Kind string

// The dialects.
const (
	OpenAI  Kind = "openai"
	Ollama  Kind = "ollama"
	Builtin Kind = "portico" // answers by itself, without an upstream
)

// Connection is one configured upstream. It is immutable: a change of the
// settings makes a new one.
type Connection struct {
	Kind    Kind
	Index   int    // position in its list of settings, the API's urlIdx / url_idx
	BaseURL string // without a trailing slash, e.g. "https://api.openai.com/v1" or "http://127.0.0.1:11434"
	Key     string
	Config  ConnectionConfig
}

// ConnectionConfig is one value of OPENAI_API_CONFIGS / OLLAMA_API_CONFIGS.
type ConnectionConfig struct {
	Enable         *bool             `json:"enable,omitempty"` // nil is on
	Key            string            `json:"key,omitempty"`    // Ollama only
	PrefixID       string            `json:"prefix_id,omitempty"`
	Tags           []json.RawMessage `json:"tags,omitempty"`
	ModelIDs       []string          `json:"model_ids,omitempty"` // allow-list; for OpenAI also the list itself, unasked
	ConnectionType string            `json:"connection_type,omitempty"`
	AuthType       string            `json:"auth_type,omitempty"` // "bearer" (default), "none"
	Server         string            `json:"provider,omitempty"`  // "llama.cpp" or "lmstudio", whose models can be managed
	Headers        map[string]string `json:"headers,omitempty"`   // values may hold {{USER_ID}}, {{USER_NAME}}, {{USER_EMAIL}}, {{USER_ROLE}}
}

// Enabled reports whether the connection is on.
func (c *Connection) Enabled() bool { return c.Config.Enable == nil || *c.Config.Enable }

// Caller is what an upstream may be told of the person asking, if the
// operator wants it told.
type Caller struct{ ID, Name, Email, Role string }

// ChatRequest is one chat, ready to be sent.
type ChatRequest struct {
	// Doc is the body as the client sent it. Members that are the server's own
	// (chat_id, session_id, files, params, …) are still in it: see Consumed.
	Doc *rawjson.Doc
	// Model is the id to send: prefix stripped, tag added, base model resolved.
	Model string
	// Requested is the model id as the client wrote it.
	Requested string
	Stream    bool
	Caller    Caller
	// Ground is what the answer is to rest on, for a provider that reads nothing
	// else: the messages hold it already. nil when no files were asked for.
	Ground *Ground
	// Params are per-request or per-model parameters: a JSON object, or empty.
	Params []byte
}

// Ground is a question and what was found for it.
type Ground struct {
	Question string
	Quotes   []Quote
}

// Quote is a passage of a document: its text, and where it stands.
type Quote struct {
	Text   string
	Name   string // of the document, for people
	Page   string // label, or ""
	Number int    // by which it is cited
}

// EmbedRequest is one call of an embeddings route.
type EmbedRequest struct {
	Doc    *rawjson.Doc
	Model  string
	Caller Caller
}

// Usage is what an answer cost, in tokens. Zero means not told.
type Usage struct{ Prompt, Completion int64 }

// Reply is an upstream's answer in OpenAI shape.
type Reply struct {
	Status      int
	ContentType string
	// Header holds further headers that may be passed on, such as
	// X-Request-Id and X-RateLimit-*: canonical name, value.
	Header [][2]string
	// Body is the whole answer when Stream is nil. It is valid until Release.
	Body  []byte
	Usage Usage
	// Stream is the streamed answer.
	Stream Stream
	// Release gives back what the Reply lives in; nil or callable once.
	// Nothing of the Reply may be used afterwards.
	Release func()
}

// Stream yields an answer as ready-made SSE bytes: each block is one or more
// whole events, ending in a blank line, valid until the next call.
type Stream interface {
	// Next blocks for the next block. io.EOF ends an answer that the upstream
	// finished; any other error is an *errdefs.Error that the caller of the
	// route should read. The final "data: [DONE]" is part of the last block.
	Next() ([]byte, error)
	// Usage is what is known so far.
	Usage() Usage
	// Close releases the upstream at once, whether finished or not.
	Close() error
}

// Waiter is a Stream that can wait for its next block without holding a
// buffer, which is what lets thousands of idle streams stay cheap.
type Waiter interface {
	// Wait blocks until Next would make progress, or the stream broke.
	Wait() error
}

// Provider is a dialect bound to one connection.
type Provider interface {
	// Models asks for the models. Entries are as the upstream sent them.
	Models(ctx context.Context) ([]Entry, error)
	// Chat asks for an answer. Cancelling ctx stops the upstream at once, also
	// while the returned Stream is being read. Nothing of req is kept once Chat
	// has returned: its body is used again.
	Chat(ctx context.Context, req *ChatRequest) (*Reply, error)
	// Embed answers in OpenAI's embeddings shape.
	Embed(ctx context.Context, req *EmbedRequest) (*Reply, error)
}

// Entry is one model of an upstream's list.
type Entry struct {
	ID  string // as the upstream names it
	Raw []byte // the whole JSON object
	// Loaded and ExpiresAt (seconds) come from Ollama's /api/ps.
	Loaded    bool
	ExpiresAt int64
}

// Backend is a connection in use: its provider and what is known of its health.
type Backend struct {
	*Connection
	Provider
	// Busy is the number of calls in flight.
	Busy atomic.Int64
	// downUntil is when the backend may be tried again (Unix nanoseconds).
	downUntil atomic.Int64
	failures  atomic.Int32
	// Outages counts the calls that failed for reasons of the upstream.
	Outages atomic.Int64
	now     func() time.Time
	done    func(error) // finish, bound once so that Begin allocates nothing
}

// Healthy reports whether the backend is not resting after a failure.
func (b *Backend) Healthy(now time.Time) bool { return b.downUntil.Load() <= now.UnixNano() }

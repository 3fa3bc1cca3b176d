// Package ollama speaks Ollama's own API to one connection. It turns chats
// and embeddings of OpenAI's shape into Ollama's and the answers back, line by
// line and as bytes, and passes on what is said in Ollama's shape already.
package ollama

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"

	"portico/internal/errdefs"
	"portico/internal/hop"
	"portico/internal/provider"
	"portico/internal/rawjson"
)

// Options tune a Client. Zero fields take the defaults in parentheses.
type Options struct {
	Now   func() time.Time // time.Now
	NewID func() string    // gives a random UUID
	// ForwardUser tells the upstream who asks, in headers.
	ForwardUser bool
	Log         *slog.Logger // slog.Default
	MaxLine     int          // longest line of a streamed answer in bytes (8 MiB)
	MaxBody     int64        // largest answer that is read whole, in bytes (64 MiB)
}

// Client is a connection to an Ollama. It is safe for concurrent use.
type Client struct {
	conn    *provider.Connection
	up      *hop.Upstream
	opt     Options
	headers *provider.Headers
	// secret takes the connection's key and address out of texts.
	secret *provider.Redactor
}

var _ provider.Forwarder = (*Client)(nil)

// New binds the dialect to a connection, whose calls go over up.
func New(c *provider.Connection, up *hop.Upstream, opt Options) *Client {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.NewID == nil {
		opt.NewID = uuid.NewString
	}
	if opt.MaxLine == 0 {
		opt.MaxLine = 8 << 20
	}
	if opt.MaxBody == 0 {
		opt.MaxBody = 64 << 20
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	return &Client{conn: c, up: up, opt: opt, headers: provider.NewHeaders(c, opt.ForwardUser, opt.Log), secret: provider.NewRedactor(c)}
}

// Chat asks for an answer over /api/chat.
func (c *Client) Chat(ctx context.Context, req *provider.ChatRequest) (*provider.Reply, error) {
	body, err := convertChat(req)
	if err != nil {
		return nil, err
	}
	call := c.request("POST", "/api/chat", body.raw, req.Caller)
	call.Events = req.Stream
	resp, err := c.do(ctx, call)
	if body.plain != nil && cannotThink(err) {
		call.Body = body.plain
		resp, err = c.do(ctx, call)
	}
	if err != nil {
		return nil, err
	}
	if req.Stream {
		return &provider.Reply{Status: 200, ContentType: "text/event-stream", Stream: c.newStream(resp, req.Requested)}, nil
	}
	return c.answer(resp, req.Requested)
}

// cannotThink reports whether Ollama refused a request for the "think" in it.
func cannotThink(err error) bool {
	if err == nil {
		return false
	}
	e := errdefs.From(err)
	return e.HTTPStatus() == 400 && strings.Contains(e.Detail, "think")
}

// Embed asks for embeddings over /api/embed.
func (c *Client) Embed(ctx context.Context, req *provider.EmbedRequest) (*provider.Reply, error) {
	body, err := convertEmbed(req)
	if err != nil {
		return nil, err
	}
	raw, err := c.ask(ctx, c.request("POST", "/api/embed", body, req.Caller))
	if err != nil {
		return nil, err
	}
	format, _ := req.Doc.String("encoding_format")
	return c.embeddings(raw, req.Model, format == "base64")
}

// request makes a call that carries the connection's credential and headers.
func (c *Client) request(method, path string, body []byte, who provider.Caller) *hop.Request {
	r := &hop.Request{Method: method, Path: path, Body: body, Header: c.headers.For(who)}
	if body != nil {
		r.ContentType = "application/json"
	}
	return r
}

// do makes a call and gives an answer that is not an error of Ollama's.
func (c *Client) do(ctx context.Context, req *hop.Request) (*hop.Response, error) {
	resp, err := c.up.Do(ctx, req)
	if err != nil {
		return nil, provider.CallFailed(err)
	}
	if resp.Status < 200 || resp.Status > 299 {
		return nil, c.refused(resp)
	}
	return resp, nil
}

// ask makes a call and reads its whole answer.
func (c *Client) ask(ctx context.Context, req *hop.Request) ([]byte, error) {
	resp, err := c.do(ctx, req)
	if err != nil {
		return nil, err
	}
	defer resp.Close()
	raw, err := resp.ReadAll(nil, c.opt.MaxBody)
	if err != nil {
		return nil, provider.CallFailed(err)
	}
	return raw, nil
}

// refused reads an error of Ollama's and closes the answer.
func (c *Client) refused(resp *hop.Response) *errdefs.Error {
	defer resp.Close()
	body, err := resp.ReadAll(nil, provider.MaxError)
	if err != nil {
		body = nil
	}
	e := provider.Refused(provider.Answer{
		Status: resp.Status, ContentType: resp.ContentType, RetryAfter: resp.Header("Retry-After"), Body: body,
	}, c.secret)
	if e.Verbatim == nil {
		return e
	}
	// Ollama's own words become the sentence, in whatever shape the route has.
	if text := errorText(e.Verbatim.Body); text != "" {
		e.Detail = text
	}
	e.Verbatim = nil
	return e
}

// errorText finds what went wrong in {"error":"…"} or {"error":{"message":"…"}}.
func errorText(body []byte) string {
	raw := rawjson.Lookup(body, "error")
	if rawjson.IsObject(raw) {
		raw = rawjson.Lookup(raw, "message")
	}
	text, _ := rawjson.Unquote(raw)
	return strings.TrimSpace(text)
}

// failed is an error that Ollama told in the middle of an answer.
func (c *Client) failed(raw []byte) *errdefs.Error {
	text, ok := rawjson.Unquote(raw)
	if !ok || strings.TrimSpace(text) == "" {
		text = "The model provider failed in the middle of its answer. Try again."
	}
	return errdefs.New(errdefs.Upstream, c.secret.Text(text))
}

// malformed is an answer that is not what Ollama says.
func malformed(err error) *errdefs.Error {
	return errdefs.New(errdefs.Upstream, "The model provider sent something that is not an answer of Ollama. The administrator may want to check the connection's address.").WithCause(err)
}

// Close lets go of idle connections; calls in flight run to their end.
func (c *Client) Close() { c.up.Close() }

// Package openai speaks to upstreams of OpenAI's dialect. The dialect is also
// the one in which the server thinks, so bodies pass as bytes: a request is
// changed only where the contract says so, an answer not at all.
package openai

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"portico/internal/errdefs"
	"portico/internal/hop"
	"portico/internal/provider"
	"portico/internal/rawjson"
)

// Options of a Client. Zero fields take the defaults in parentheses.
type Options struct {
	// ForwardUser tells the upstream who asks, in X-OpenWebUI-User-* headers.
	ForwardUser bool
	MaxAnswer   int64         // largest answer that is not streamed, in bytes (64 MiB)
	MaxMedia    int64         // largest answer that is neither JSON nor events (256 MiB)
	MaxModels   int64         // largest list of models (16 MiB)
	ListTimeout time.Duration // of a list of models, in all (10 s)
	Idle        time.Duration // longest silence between two events of a stream (60 s)
	Log         *slog.Logger  // (slog.Default)
}

func (o Options) or() Options {
	if o.MaxAnswer == 0 {
		o.MaxAnswer = 64 << 20
	}
	if o.MaxMedia == 0 {
		o.MaxMedia = 256 << 20
	}
	if o.MaxModels == 0 {
		o.MaxModels = 16 << 20
	}
	if o.ListTimeout == 0 {
		o.ListTimeout = 10 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

// Client is one connection. It is safe for concurrent use.
type Client struct {
	conn     *provider.Connection
	up       *hop.Upstream
	opt      Options
	headers  *provider.Headers
	official bool // api.openai.com, which knows its own newest names
	redact   *provider.Redactor
	calls    sync.Pool // of *call
}

var _ provider.Provider = (*Client)(nil)

// New makes a Client of a connection whose base URL up was made for.
func New(c *provider.Connection, up *hop.Upstream, opt Options) *Client {
	o := &Client{conn: c, up: up, opt: opt.or(), redact: provider.NewRedactor(c)}
	o.official = strings.Contains(c.BaseURL, "://api.openai.com/") || strings.HasSuffix(c.BaseURL, "://api.openai.com")
	o.headers = provider.NewHeaders(c, o.opt.ForwardUser, o.opt.Log)
	o.calls.New = func() any {
		k := &call{home: o}
		k.reply.Release = k.release
		return k
	}
	return o
}

// Close lets go of idle connections; calls in flight end by themselves.
func (c *Client) Close() { c.up.Close() }

// call is what one request needs until its answer is delivered. It is used
// again, so that a call on a warm path allocates next to nothing.
type call struct {
	home  *Client
	req   hop.Request
	reply provider.Reply
	edit  edit
	out   []byte // the request's body, when it had to be written anew
	in    []byte // the answer's
}

// keepBuffer is the largest buffer that is kept for the next call.
const keepBuffer = 1 << 20

func (c *Client) call() *call { return c.calls.Get().(*call) }

func (k *call) release() {
	release := k.reply.Release
	k.req, k.reply = hop.Request{}, provider.Reply{Release: release}
	k.out, k.in = reusable(k.out), reusable(k.in)
	k.edit.reset()
	k.home.calls.Put(k)
}

func reusable(b []byte) []byte {
	if cap(b) > keepBuffer {
		return nil
	}
	return b[:0]
}

// Chat asks for an answer.
func (c *Client) Chat(ctx context.Context, req *provider.ChatRequest) (*provider.Reply, error) {
	k := c.call()
	k.req = hop.Request{Method: http.MethodPost, Path: "/chat/completions", ContentType: "application/json",
		Header: c.headers.For(req.Caller), Body: k.chatBody(req), Events: req.Stream}
	if req.Stream {
		k.req.Accept = "text/event-stream"
		k.req.Timeouts.Idle = c.opt.Idle
	}
	resp, err := c.answer(ctx, k)
	if err != nil {
		k.release()
		return nil, err
	}
	if streamed := isEvents(resp.ContentType); streamed && req.Stream {
		return k.stream(resp), nil
	} else if streamed {
		resp.Close()
		k.release()
		return nil, errdefs.New(errdefs.Upstream, "The model provider sent a stream where a whole answer was asked for. Ask with \"stream\": true, or tell the administrator.")
	}
	return k.whole(resp)
}

// Embed passes the request on, and the answer back.
func (c *Client) Embed(ctx context.Context, req *provider.EmbedRequest) (*provider.Reply, error) {
	k := c.call()
	k.req = hop.Request{Method: http.MethodPost, Path: "/embeddings", ContentType: "application/json",
		Accept: "application/json", Header: c.headers.For(req.Caller), Body: k.embedBody(req)}
	resp, err := c.answer(ctx, k)
	if err != nil {
		k.release()
		return nil, err
	}
	return k.whole(resp)
}

// answer makes the call and gives what promises to be a good answer.
func (c *Client) answer(ctx context.Context, k *call) (*hop.Response, error) {
	resp, err := c.up.Do(ctx, &k.req)
	if err != nil {
		return nil, provider.CallFailed(err)
	}
	switch resp.Status {
	case http.StatusOK, http.StatusCreated, http.StatusAccepted:
		return resp, nil
	}
	return nil, provider.Refused(provider.ReadAnswer(resp), c.redact)
}

func isEvents(contentType string) bool {
	return len(contentType) >= 17 && strings.EqualFold(contentType[:17], "text/event-stream")
}

// limitsOfAnswer bound what an upstream says: it is trusted with more than a client is.
var limitsOfAnswer = rawjson.Limits{Depth: 512, Keys: 4 << 20}

// whole reads an answer that is not streamed.
func (k *call) whole(resp *hop.Response) (*provider.Reply, error) {
	var err error
	k.in, err = resp.ReadAll(k.in[:0], k.home.opt.MaxAnswer)
	if err != nil {
		k.release()
		return nil, provider.CallFailed(err)
	}
	d := rawjson.Get()
	defer rawjson.Put(d)
	if err := d.Parse(k.in, limitsOfAnswer); err != nil {
		k.release()
		return nil, errdefs.New(errdefs.Upstream, "The model provider's answer is not JSON. The administrator may want to check the connection's address.").WithCause(err)
	}
	k.reply.Status = resp.Status
	k.reply.ContentType = "application/json"
	k.reply.Body = k.in
	if !rawjson.IsNull(d.Get("error")) { // some say so with status 200
		k.reply.Body = k.home.redact.Bytes(k.in)
	}
	k.reply.Usage = usageOf(d.Get("usage"))
	return &k.reply, nil
}

// usageOf reads a usage object.
func usageOf(raw []byte) (u provider.Usage) {
	if rawjson.IsNull(raw) {
		return u
	}
	rawjson.Each(raw, func(key, value []byte) {
		switch string(key) {
		case "prompt_tokens":
			u.Prompt, _ = rawjson.Int(value)
		case "completion_tokens":
			u.Completion, _ = rawjson.Int(value)
		}
	})
	return u
}

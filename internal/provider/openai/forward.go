package openai

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"portico/internal/errdefs"
	"portico/internal/hop"
	"portico/internal/provider"
	"portico/internal/rawjson"
	"portico/internal/sse"
)

var (
	_ provider.Forwarder = (*Client)(nil)
	_ provider.Manager   = (*Client)(nil)
)

const responses = "/responses"

// Forward passes on a call of another part of OpenAI's API than chats. JSON
// comes whole, events come as whole events, and all else as it arrives.
func (c *Client) Forward(ctx context.Context, req *provider.ForwardRequest) (*provider.Reply, error) {
	call := hop.Request{Method: req.Method, Path: req.Path, Header: c.headers.For(req.Caller), Body: req.Body}
	if req.Upload != nil {
		return nil, errors.New("openai: uploads are not forwarded")
	}
	return c.forward(ctx, &call, req.Path == responses)
}

// forward makes a call and reads its answer. strict ones must end as answers
// of /responses do.
func (c *Client) forward(ctx context.Context, call *hop.Request, strict bool) (*provider.Reply, error) {
	if len(call.Body) > 0 {
		call.ContentType = "application/json"
	}
	resp, err := c.up.Do(ctx, call)
	if err != nil {
		return nil, provider.CallFailed(err)
	}
	if resp.Status < 200 || resp.Status > 299 {
		return nil, provider.Refused(provider.ReadAnswer(resp), c.redact)
	}
	r := &provider.Reply{Status: resp.Status, ContentType: resp.ContentType}
	switch {
	case isEvents(resp.ContentType):
		r.ContentType = "text/event-stream"
		r.Stream = &events{resp: resp, redact: c.redact, strict: strict}
		return r, nil
	case isJSON(resp.ContentType) || strict:
		return c.json(r, resp)
	}
	if n := resp.ContentLength; n >= 0 {
		r.Header = [][2]string{{"Content-Length", strconv.FormatInt(n, 10)}}
	}
	r.Stream = &media{resp: resp, left: c.opt.MaxMedia}
	return r, nil
}

// isJSON reports whether an answer is JSON, which one without a type is, too.
func isJSON(contentType string) bool {
	kind, _, _ := mime.ParseMediaType(contentType)
	return kind == "" || kind == "application/json" || strings.HasSuffix(kind, "+json")
}

// json reads an answer that is not streamed.
func (c *Client) json(r *provider.Reply, resp *hop.Response) (*provider.Reply, error) {
	body, err := resp.ReadAll(nil, c.opt.MaxAnswer)
	if err != nil {
		return nil, provider.CallFailed(err)
	}
	r.Body, r.ContentType = body, "application/json"
	if len(bytes.TrimSpace(body)) == 0 {
		r.Body, r.ContentType = nil, ""
		return r, nil
	}
	d := rawjson.Get()
	defer rawjson.Put(d)
	switch err := d.Parse(body, limitsOfAnswer); {
	case errors.Is(err, rawjson.ErrNotObject): // a list is fine, too
		return r, nil
	case err != nil:
		return nil, errdefs.New(errdefs.Upstream, "The model provider's answer is not JSON. The administrator may want to check the connection's address.").WithCause(err)
	}
	if !rawjson.IsNull(d.Get("error")) {
		r.Body = c.redact.Bytes(body)
	}
	r.Usage = spent(d.Get("usage"))
	return r, nil
}

// spent reads a usage object in the words of chats or of responses.
func spent(raw []byte) provider.Usage {
	u := usageOf(raw)
	rawjson.Each(raw, func(key, value []byte) {
		switch string(key) {
		case "input_tokens":
			u.Prompt, _ = rawjson.Int(value)
		case "output_tokens":
			u.Completion, _ = rawjson.Int(value)
		}
	})
	return u
}

// events is a streamed answer whose events are passed on as they came.
type events struct {
	resp   *hop.Response
	redact *provider.Redactor
	frame  sse.Framer
	strict bool // an end is good only behind an event that ends a response
	ended  bool // that one was seen
	usage  provider.Usage
	err    error
}

var _ provider.Waiter = (*events)(nil)

// Next gives the next whole events.
func (s *events) Next() ([]byte, error) {
	for s.err == nil {
		b, err := s.resp.Next()
		if err != nil {
			return s.finish(err)
		}
		block, err := s.frame.Feed(b)
		if err != nil {
			s.err = errdefs.New(errdefs.Upstream, "The model provider sent a line that is too long for a stream.").WithCause(err)
		}
		if len(block) > 0 {
			return s.look(block), nil
		}
	}
	return nil, s.err
}

// finish gives what is left when the upstream has ended.
func (s *events) finish(err error) ([]byte, error) {
	s.err = io.EOF
	if !errors.Is(err, io.EOF) {
		s.err = provider.CallFailed(err)
		return nil, s.err
	}
	block := s.look(s.frame.Finish())
	if s.strict && !s.ended && !s.frame.Done() && !s.frame.Failed() {
		e := errdefs.New(errdefs.Upstream, "The model provider ended the answer before it was complete. Try again.")
		e.Code = "upstream_eof"
		s.err = e
	}
	if len(block) > 0 && s.err != io.EOF {
		return block, nil
	}
	return block, s.err
}

// look takes note of what events say, and gives them without what is secret.
func (s *events) look(block []byte) []byte {
	if s.strict && !s.ended {
		s.ended = endsResponse(block)
	}
	if s.frame.Failed() || bytes.Contains(block, []byte("event: error")) {
		return s.redact.Bytes(block)
	}
	return block
}

// lastWords are the types of the events that end a response. Within JSON a
// quote in a text is escaped, so that no model can say them.
var lastWords = [...][]byte{[]byte(`"response.completed"`), []byte(`"response.incomplete"`), []byte(`"response.failed"`)}

func endsResponse(block []byte) bool {
	for _, word := range lastWords {
		if bytes.Contains(block, word) {
			return true
		}
	}
	return false
}

// Wait blocks until Next would make progress, and holds no buffer meanwhile.
func (s *events) Wait() error {
	_, err := s.WaitUntil(time.Time{})
	return err
}

// WaitUntil is Wait with a limit: it gives false when nothing came by then.
func (s *events) WaitUntil(limit time.Time) (bool, error) {
	if s.err != nil {
		return true, nil
	}
	return s.resp.WaitUntil(limit)
}

// Usage is what the upstream has told so far.
func (s *events) Usage() provider.Usage {
	if raw := s.frame.Usage(); len(raw) > 0 {
		s.usage = spent(raw)
	}
	return s.usage
}

// Close releases the upstream, whether finished or not.
func (s *events) Close() error {
	if s.err == nil {
		s.err = io.ErrClosedPipe
	}
	return s.resp.Close()
}

// media is an answer that is neither JSON nor events: sound, a picture, a file.
type media struct {
	resp *hop.Response
	left int64 // how much may still come
}

// Next gives the next bytes.
func (s *media) Next() ([]byte, error) {
	b, err := s.resp.Next()
	if s.left -= int64(len(b)); s.left < 0 {
		return nil, errdefs.New(errdefs.Upstream, "The model provider's answer is larger than this server passes on.").WithStatus(http.StatusBadGateway)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, provider.CallFailed(err)
	}
	return b, err
}

// Usage is unknown.
func (s *media) Usage() provider.Usage { return provider.Usage{} }

// Close releases the upstream, whether finished or not.
func (s *media) Close() error { return s.resp.Close() }

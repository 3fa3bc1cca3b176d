package ollama

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"portico/internal/hop"
	"portico/internal/provider"
	"portico/internal/rawjson"
	"portico/internal/sse"
)

// patient are the limits of work that an Ollama does for an administrator:
// fetching, checking and writing models of many gigabytes.
var patient = hop.Timeouts{FirstByte: time.Hour, Idle: time.Hour, Total: 24 * time.Hour}

// Forward passes on a call in a shape that Ollama itself knows, and its answer
// as it came. A streamed answer comes as whole lines (or whole events), any
// other as a body. An answer outside 2xx is an error.
func (c *Client) Forward(ctx context.Context, req *provider.ForwardRequest) (*provider.Reply, error) {
	body := req.Body
	if len(req.Params) > 0 {
		body = c.preset(req)
	}
	call := c.request(req.Method, req.Path, body, req.Caller)
	if req.Upload != nil {
		call.BodyReader, call.BodyLength = req.Upload, req.Length
		call.ContentType = "application/octet-stream"
	}
	if manages(req.Path) {
		call.Timeouts = patient
	}
	resp, err := c.do(ctx, call)
	if err != nil {
		return nil, err
	}
	return c.reply(resp, req.Path)
}

// manages reports whether a path is for managing models, and may take long.
func manages(path string) bool {
	switch path {
	case "/api/pull", "/api/push", "/api/create":
		return true
	}
	return strings.HasPrefix(path, "/api/blobs/")
}

func (c *Client) reply(resp *hop.Response, path string) (*provider.Reply, error) {
	kind := resp.ContentType
	r := &provider.Reply{Status: resp.Status, ContentType: kind}
	switch {
	case strings.HasPrefix(kind, "application/x-ndjson"):
		answers := path == "/api/chat" || path == "/api/generate"
		r.Stream = &lines{client: c, resp: resp, end: lineEnd, answers: answers}
		return r, nil
	case strings.HasPrefix(kind, "text/event-stream"):
		r.Stream = &lines{client: c, resp: resp, end: eventEnd, tap: new(sse.Framer)}
		return r, nil
	}
	defer resp.Close()
	body, err := resp.ReadAll(nil, c.opt.MaxBody)
	if err != nil {
		return nil, provider.CallFailed(err)
	}
	r.Body = body
	if len(body) > 0 && kind == "" {
		r.ContentType = "application/json"
	}
	r.Usage = usageOf(body)
	return r, nil
}

// usageOf reads the tokens of an answer, or of its last line, in the words of
// whichever dialect it is.
func usageOf(raw []byte) provider.Usage {
	doc := rawjson.Get()
	defer rawjson.Put(doc)
	if doc.Parse(raw, rawjson.Limits{}) != nil {
		return provider.Usage{}
	}
	var u provider.Usage
	count := func(key, value []byte) {
		switch string(key) {
		case "prompt_eval_count", "prompt_tokens", "input_tokens":
			u.Prompt, _ = rawjson.Int(value)
		case "eval_count", "completion_tokens", "output_tokens":
			u.Completion, _ = rawjson.Int(value)
		}
	}
	rawjson.Each(raw, count)
	rawjson.Each(doc.Get("usage"), count)
	return u
}

// lines is a streamed answer that is passed on as it is, cut only where a
// line or an event ends, so that a failure can be told in a line of its own.
type lines struct {
	client *Client
	resp   *hop.Response
	end    func([]byte) int // length of the whole lines or events
	// answers are those of /api/chat and /api/generate, whose last line says
	// "done":true, with white space or without.
	answers bool
	done    bool
	tap     *sse.Framer // looks for the usage told in events; nil for lines
	part    []byte      // what was given last from here, and the beginning of a line whose end has not come
	given   int         // how much of part was given
	usage   provider.Usage
	err     error
}

func lineEnd(b []byte) int { return bytes.LastIndexByte(b, '\n') + 1 }

// eventEnd is behind the last blank line.
func eventEnd(b []byte) int {
	end := 0
	if i := bytes.LastIndex(b, []byte("\n\n")); i >= 0 {
		end = i + 2
	}
	if i := bytes.LastIndex(b, []byte("\n\r\n")); i >= 0 {
		end = max(end, i+3)
	}
	return end
}

// Next gives the next whole lines.
func (s *lines) Next() ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	var block []byte
	for len(block) == 0 {
		data, err := s.resp.Next()
		block = s.cut(data)
		if err == nil && len(s.part)-s.given > s.client.opt.MaxLine {
			err = tooLong()
		}
		if err != nil {
			return s.finish(block, err)
		}
	}
	s.look(block)
	return block, nil
}

// cut gives the whole lines of what has come, and keeps the rest.
func (s *lines) cut(data []byte) []byte {
	if s.given > 0 {
		s.part = append(s.part[:0], s.part[s.given:]...)
		s.given = 0
	}
	if len(s.part) == 0 {
		n := s.end(data)
		s.part = append(s.part, data[n:]...)
		return data[:n]
	}
	from := max(0, len(s.part)-3) // an end may have begun there
	s.part = append(s.part, data...)
	if n := s.end(s.part[from:]); n > 0 {
		s.given = from + n
	}
	return s.part[:s.given]
}

// finish gives what is left at the end of the upstream's answer. Half a line
// of an answer that broke off is not passed on.
func (s *lines) finish(block []byte, err error) ([]byte, error) {
	if errors.Is(err, io.EOF) {
		block = slices.Concat(block, s.part[s.given:])
		s.look(block)
		s.err = io.EOF
		if s.answers && !s.done {
			s.err = cutShort(nil)
		}
	} else {
		s.err = provider.CallFailed(err)
	}
	if len(block) == 0 {
		return nil, s.err
	}
	return block, nil
}

// look finds out whether the last line of a block ends the answer. The text of
// an answer cannot be mistaken: quotes within it are escaped.
func (s *lines) look(block []byte) {
	if s.tap != nil {
		s.listen(block)
	}
	if !s.answers {
		return
	}
	last := bytes.TrimSpace(block)
	last = last[bytes.LastIndexByte(last, '\n')+1:]
	switch {
	case bytes.HasPrefix(valueOf(last, `"done"`), []byte("true")):
		s.done = true
		s.usage = usageOf(last)
	case valueOf(last, `"error"`) != nil:
		s.done = true
	}
}

// valueOf gives what follows a quoted key and its colon in a line, nil when
// the line has no such key. Not all who speak this dialect write without
// white space.
func valueOf(line []byte, key string) []byte {
	const space = " \t"
	for {
		i := bytes.Index(line, []byte(key))
		if i < 0 {
			return nil
		}
		line = bytes.TrimLeft(line[i+len(key):], space)
		if value, ok := bytes.CutPrefix(line, []byte(":")); ok {
			return bytes.TrimLeft(value, space)
		}
	}
}

// listen reads the usage that events tell, if any do. Anthropic's tell it in
// parts. What is passed on stays as it came.
func (s *lines) listen(events []byte) {
	for event := range bytes.SplitAfterSeq(events, []byte("\n\n")) {
		if !bytes.Contains(event, []byte(`usage"`)) {
			continue
		}
		_, _ = s.tap.Feed(event) // it fails on what is too long to be a usage
		told := usageOf(s.tap.Usage())
		s.usage.Prompt = max(s.usage.Prompt, told.Prompt)
		s.usage.Completion = max(s.usage.Completion, told.Completion)
	}
}

// WaitUntil blocks until Next would make progress; it gives false when that
// time came first.
func (s *lines) WaitUntil(limit time.Time) (ready bool, err error) {
	if s.err != nil {
		return true, nil
	}
	return s.resp.WaitUntil(limit)
}

// Wait is WaitUntil without a limit.
func (s *lines) Wait() error {
	_, err := s.WaitUntil(time.Time{})
	return err
}

// Usage is what the answer told so far.
func (s *lines) Usage() provider.Usage { return s.usage }

// Close releases the upstream.
func (s *lines) Close() error { return s.resp.Close() }

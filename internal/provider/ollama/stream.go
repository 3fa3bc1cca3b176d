package ollama

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"time"

	"portico/internal/errdefs"
	"portico/internal/hop"
	"portico/internal/provider"
	"portico/internal/rawjson"
)

// stream turns the lines of a streamed answer into events, as they come.
type stream struct {
	resp *hop.Response
	enc  encoder
	now  func() time.Time
	max  int      // longest line
	buf  *buffers // nil while nothing is held
	err  error    // what comes after the blocks given so far
}

// buffers are what a stream works in. A stream that waits holds none.
type buffers struct {
	in  []byte // the beginning of a line whose end has not come
	out []byte // the block given last
	doc rawjson.Doc
}

// The one thing here that outlives a call; it holds no state.
var pool = sync.Pool{New: func() any {
	return &buffers{in: make([]byte, 0, 1<<10), out: make([]byte, 0, 4<<10)}
}}

// large is how big a buffer may be that is kept for others.
const large = 64 << 10

// drainTime is how long the end of a finished answer is waited for.
const drainTime = time.Second

func (c *Client) newStream(resp *hop.Response, model string) *stream {
	return &stream{resp: resp, enc: c.newEncoder(model), now: c.opt.Now, max: c.opt.MaxLine}
}

// Next gives the events of the next lines, at least one.
func (s *stream) Next() ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	if s.enc.done {
		s.err = s.drain()
		return nil, s.err
	}
	if s.buf == nil {
		s.buf = pool.Get().(*buffers)
	}
	s.buf.out = s.buf.out[:0]
	for {
		s.err = s.step()
		if len(s.buf.out) > 0 {
			return s.buf.out, nil
		}
		if s.err != nil {
			return nil, s.err
		}
	}
}

// step converts what the upstream has.
func (s *stream) step() error {
	data, err := s.resp.Next()
	if err := s.lines(data); err != nil || s.enc.done {
		return err
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF):
		return s.last()
	}
	return provider.CallFailed(err)
}

// lines converts every whole line of data and keeps the rest.
func (s *stream) lines(data []byte) error {
	b := s.buf
	for !s.enc.done {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			break
		}
		raw := data[:end]
		if len(b.in) > 0 {
			b.in = append(b.in, raw...)
			raw = b.in
		}
		if err := s.line(raw); err != nil {
			return err
		}
		b.in = b.in[:0]
		data = data[end+1:]
	}
	if len(b.in)+len(data) > s.max {
		return tooLong()
	}
	b.in = append(b.in, data...)
	return nil
}

func (s *stream) line(raw []byte) error {
	if len(raw) > s.max {
		return tooLong()
	}
	if raw = bytes.TrimSpace(raw); len(raw) == 0 {
		return nil
	}
	var err error
	if s.buf.out, err = s.enc.chunk(s.buf.out, &s.buf.doc, raw); err != nil {
		return err
	}
	s.resp.Progress()
	if s.enc.done {
		s.buf.out = append(s.buf.out, "data: [DONE]\n\n"...)
	}
	return nil
}

// last converts a last line that has no end, and says how the answer ended.
func (s *stream) last() error {
	if err := s.line(s.buf.in); err != nil {
		return err
	}
	s.buf.in = s.buf.in[:0]
	if !s.enc.done {
		return cutShort(nil)
	}
	return io.EOF
}

// drain waits a moment for the end of the upstream's answer, so that the
// connection can be used again. What else comes is not the caller's.
func (s *stream) drain() error {
	if ready, err := s.resp.WaitUntil(s.now().Add(drainTime)); ready && err == nil {
		_, _ = s.resp.Next()
	}
	return io.EOF
}

// WaitUntil blocks until Next would make progress; it gives false when that
// time came first. Nothing is held meanwhile but the piece of a line that has
// come.
func (s *stream) WaitUntil(limit time.Time) (ready bool, err error) {
	if s.err != nil || s.enc.done {
		return true, nil
	}
	if s.buf != nil && len(s.buf.in) == 0 {
		s.release()
	}
	return s.resp.WaitUntil(limit)
}

// Wait is WaitUntil without a limit.
func (s *stream) Wait() error {
	_, err := s.WaitUntil(time.Time{})
	return err
}

// Usage is what the last line told.
func (s *stream) Usage() provider.Usage { return s.enc.usage }

// Close releases the upstream.
func (s *stream) Close() error {
	if s.err == nil {
		s.err = errdefs.New(errdefs.Upstream, "The answer was given up.")
	}
	s.release()
	return s.resp.Close()
}

func (s *stream) release() {
	b := s.buf
	if s.buf = nil; b == nil || cap(b.in) > large || cap(b.out) > large {
		return
	}
	b.in, b.out = b.in[:0], b.out[:0]
	pool.Put(b)
}

func tooLong() *errdefs.Error {
	return errdefs.New(errdefs.Upstream, "The model provider sent a line that is too long to pass on. The answer stops here.")
}

// cutShort is an answer that ended without saying that it was done.
func cutShort(err error) *errdefs.Error {
	return errdefs.New(errdefs.Upstream, "The model provider ended its answer before it was complete (upstream_eof). Try again.").WithCause(err)
}

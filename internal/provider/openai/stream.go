package openai

import (
	"bytes"
	"errors"
	"io"
	"time"

	"portico/internal/errdefs"
	"portico/internal/hop"
	"portico/internal/provider"
	"portico/internal/sse"
)

const done = "data: [DONE]\n\n"

// stream is a streamed answer: the upstream's events, whole and legal, as they
// came.
type stream struct {
	resp   *hop.Response
	redact *provider.Redactor
	frame  sse.Framer
	usage  provider.Usage
	err    error // what Next gives from now on
	last   []byte
	closed bool
}

var (
	_ provider.Stream = (*stream)(nil)
	_ provider.Waiter = (*stream)(nil)
)

// stream makes a streamed reply, which lives until it is closed. What the
// request needed is given back now: a stream may last for an hour.
func (k *call) stream(resp *hop.Response) *provider.Reply {
	defer k.release()
	return &provider.Reply{
		Status:      resp.Status,
		ContentType: "text/event-stream",
		Stream:      &stream{resp: resp, redact: k.home.redact},
	}
}

// Next gives the events that are there, or waits for one.
func (s *stream) Next() ([]byte, error) {
	for s.err == nil {
		b, err := s.resp.Next()
		if err != nil {
			return s.end(err)
		}
		block, err := s.frame.Feed(b)
		if s.frame.Done() {
			// The blank line behind [DONE] may be on its way: it is not waited for.
			if rest := s.frame.Finish(); len(rest) > 0 {
				s.last = append(append(s.last[:0], block...), rest...)
				block = s.last
			}
		}
		if s.frame.Failed() {
			block = s.redact.Bytes(block)
		}
		if s.frame.Done() {
			s.err = io.EOF
			return cut(block), io.EOF
		}
		if err != nil {
			s.err = errdefs.New(errdefs.Upstream, "The model provider sent a line that is too long for a stream.").WithCause(err)
		}
		if len(block) > 0 {
			s.resp.Progress()
			return block, nil
		}
	}
	return nil, s.err
}

// end makes the best of a stream that has ended without saying so.
func (s *stream) end(err error) ([]byte, error) {
	if !errors.Is(err, io.EOF) {
		s.err = provider.CallFailed(err)
		return nil, s.err
	}
	block := s.frame.Finish()
	if s.frame.Failed() {
		block = s.redact.Bytes(block)
	}
	switch {
	case s.frame.Done():
		s.err = io.EOF
		return cut(block), io.EOF
	case s.frame.Finished() || s.frame.Failed():
		// All was said but the last word.
		s.err = io.EOF
		s.last = append(append(s.last, block...), done...)
		return s.last, io.EOF
	}
	e := errdefs.New(errdefs.Upstream, "The model provider ended the answer before it was complete. Try again.")
	e.Code = "upstream_eof"
	s.err = e
	if len(block) > 0 {
		return block, nil
	}
	return nil, s.err
}

// cut leaves out what follows the [DONE] of a block: an upstream that goes on
// talking is not listened to.
func cut(block []byte) []byte {
	for at := 0; at < len(block); {
		line := block[at:]
		next := len(line)
		if i := bytes.IndexAny(line, "\r\n"); i >= 0 {
			next = i + 1
			if line[i] == '\r' && next < len(line) && line[next] == '\n' {
				next++
			}
			line = line[:i]
		}
		at += next
		if data, ok := bytes.CutPrefix(line, []byte("data:")); ok && string(bytes.TrimSpace(data)) == "[DONE]" {
			return blank(block, at)
		}
	}
	return block
}

// blank gives the block up to the blank line that ends the event at at.
func blank(block []byte, at int) []byte {
	for at < len(block) {
		i := bytes.IndexByte(block[at:], '\n')
		if i < 0 {
			break
		}
		line := bytes.TrimRight(block[at:at+i], "\r")
		at += i + 1
		if len(line) == 0 {
			return block[:at]
		}
	}
	return block
}

// Wait blocks until Next would make progress, and holds no buffer meanwhile.
func (s *stream) Wait() error {
	_, err := s.WaitUntil(time.Time{})
	return err
}

// WaitUntil is Wait with a limit: it gives false when nothing came by then.
// The zero time is no limit.
func (s *stream) WaitUntil(limit time.Time) (bool, error) {
	if s.err != nil {
		return true, nil
	}
	return s.resp.WaitUntil(limit)
}

// Usage is what the upstream has told so far.
func (s *stream) Usage() provider.Usage {
	if raw := s.frame.Usage(); len(raw) > 0 {
		s.usage = usageOf(raw)
	}
	return s.usage
}

// Close releases the upstream, whether finished or not.
func (s *stream) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	if s.err == nil {
		s.err = io.ErrClosedPipe
	}
	return s.resp.Close()
}

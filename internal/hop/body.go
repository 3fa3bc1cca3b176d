package hop

import (
	"bytes"
	"errors"
	"io"
	"time"
)

var (
	errChunk    = errors.New("hop: the chunked body is malformed")
	errOverhead = errors.New("hop: the chunked body is mostly framing")
)

// chunkState is where in a chunked body we are.
type chunkState uint8

const (
	chunkSize chunkState = iota
	chunkData
	chunkEnd // the CRLF behind the data
	trailers
	finished
)

const (
	maxChunkLine = 4 << 10  // a chunk's size with its extensions, or a trailer
	maxFrames    = 16 << 10 // framing that the data does not excuse
)

// next gives what is buffered of the body as it came, or reads once more.
func (r *Response) next() ([]byte, error) {
	for {
		if r.body != nil {
			return nil, r.body
		}
		b, err := r.buffered()
		switch {
		case err != nil:
			return nil, r.broke(err)
		case len(b) > 0:
			if !r.events {
				r.seen = time.Time{}
			}
			return b[:len(b):len(b)], nil
		case r.over():
			r.finish()
			return nil, io.EOF
		}
		if err := r.more(); err != nil {
			return nil, err
		}
	}
}

// more blocks until there is more in the buffer.
func (r *Response) more() error {
	err := r.readable(time.Time{})
	if err == nil {
		err = r.c.fill()
	}
	if err == nil {
		return nil
	}
	if err == io.EOF && r.h.framing == untilClose {
		r.finish()
		return nil
	}
	return r.broke(err)
}

// readable sets the deadline of the next read.
func (r *Response) readable(now time.Time) error {
	if now.IsZero() {
		now = r.u.now()
	}
	if !r.events || r.seen.IsZero() {
		r.seen = now
	}
	return r.c.readUntil(r.seen, r.limits.Idle, r.until)
}

// over reports whether the whole body was given out.
func (r *Response) over() bool {
	switch r.h.framing {
	case sized:
		return r.left == 0
	case chunked:
		return r.chunk == finished
	}
	return r.h.framing == none
}

// buffered takes what the buffer holds of the body.
func (r *Response) buffered() ([]byte, error) {
	c := r.c
	if c.buf == nil {
		return nil, nil
	}
	b := c.buf[c.r:c.w]
	switch r.h.framing {
	case none:
		return nil, nil
	case chunked:
		return r.dechunk()
	case sized:
		b = b[:min(int64(len(b)), r.left)]
		r.left -= int64(len(b))
	}
	c.r += len(b)
	return b, nil
}

// dechunk takes the data of all chunks in the buffer, moved together in place,
// so that what came at once is given at once.
func (r *Response) dechunk() ([]byte, error) {
	c := r.c
	var out []byte
	for c.r < c.w && r.chunk != finished {
		have := c.buf[c.r:c.w]
		if r.chunk == chunkData {
			have = have[:min(int64(len(have)), r.left)]
			c.r += len(have)
			r.left -= int64(len(have))
			r.frames = max(r.frames-2*int64(len(have)), 0)
			if r.left == 0 {
				r.chunk = chunkEnd
			}
			if out == nil {
				out = have
			} else {
				out = append(out, have...) // moves down over the framing between
			}
			continue
		}
		end := bytes.IndexByte(have, '\n')
		if end > maxChunkLine || (end < 0 && len(have) > maxChunkLine) {
			return nil, errChunk
		}
		if end < 0 {
			break
		}
		if end == 0 || have[end-1] != '\r' {
			return nil, errChunk
		}
		if err := r.frame(have[:end-1]); err != nil {
			return nil, err
		}
		c.r += end + 1
	}
	return out, nil
}

// frame takes one line of a chunked body, without its CRLF.
func (r *Response) frame(line []byte) error {
	if r.frames += int64(len(line)) + 2; r.frames > maxFrames {
		return errOverhead
	}
	switch r.chunk {
	case chunkEnd:
		if len(line) != 0 {
			return errChunk
		}
		r.chunk = chunkSize
	case trailers:
		if len(line) == 0 {
			r.chunk = finished
		} else if !validText(line) {
			return errChunk
		}
	case chunkSize:
		size, ok := parseChunkSize(line)
		if !ok {
			return errChunk
		}
		r.left = size
		if r.chunk = chunkData; size == 0 {
			r.chunk = trailers
		}
	}
	return nil
}

// parseChunkSize reads "1a2b;extension".
func parseChunkSize(line []byte) (n int64, ok bool) {
	size, _, _ := bytes.Cut(line, []byte{';'})
	size = bytes.TrimRight(size, " \t")
	if len(size) == 0 || len(size) > 15 || !validText(line) {
		return 0, false
	}
	for _, c := range size {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		n = n<<4 | int64(c)
	}
	return n, true
}

// read copies body into p. A large sized body goes straight from the socket.
func (r *Response) read(p []byte) (int, error) {
	if r.body == nil && r.h.framing == sized && r.c.r == r.c.w && !r.c.hasAhead && int64(len(p)) >= min(r.left, bufferSize) && r.left > 0 {
		if err := r.readable(time.Time{}); err != nil {
			return 0, r.broke(err)
		}
		r.c.release()
		n, err := r.c.nc.Read(p[:min(int64(len(p)), r.left)])
		r.left -= int64(n)
		if n == 0 && err != nil {
			return 0, r.broke(err)
		}
		return n, nil
	}
	if r.rest == nil {
		b, err := r.next()
		if err != nil {
			return 0, err
		}
		r.rest = b
	}
	n := copy(p, r.rest)
	if r.rest = r.rest[n:]; len(r.rest) == 0 {
		r.rest = nil
	}
	return n, nil
}

// settle looks whether the end of the body is already here, without waiting.
func (r *Response) settle() {
	for range 2 {
		for {
			b, err := r.buffered()
			if err != nil {
				return
			}
			if len(b) == 0 {
				break
			}
		}
		if r.over() {
			r.finish()
			return
		}
		if r.h.framing != chunked || r.left > 0 || r.c.raw == nil || r.c.quiet() || r.c.fill() != nil {
			return
		}
	}
}

// finish ends a call whose answer was read to its exact end.
func (r *Response) finish() {
	c := r.c
	r.c, r.body = nil, io.EOF
	ours := r.unhook == nil || r.unhook()
	if c.r < c.w && r.h.keep {
		r.u.distrust()
	}
	if !ours || !r.h.keep || c.r < c.w || c.hasAhead {
		c.close()
		return
	}
	c.ctx = nil
	c.release()
	r.u.keep(c)
}

// abandon ends a call whose connection is of no further use.
func (r *Response) abandon() {
	c := r.c
	r.c = nil
	if r.body == nil {
		r.body = &Error{Phase: Body, Err: errClosed}
	}
	if r.unhook != nil {
		r.unhook()
	}
	c.close()
}

// broke ends a call whose body broke off.
func (r *Response) broke(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	failed := failure(r.ctx, Body, err)
	r.body = failed
	r.abandon()
	return failed
}

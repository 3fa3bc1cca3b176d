package hop

import (
	"context"
	"errors"
	"io"
	"os"
	"time"
)

// ErrTooLarge is what ReadAll ends with when a body is longer than allowed.
var ErrTooLarge = errors.New("hop: the body is larger than allowed")

// Response is the answer to a call. Its head stays valid for ever; its body
// can be read once, by one goroutine. To stop a call from elsewhere, cancel
// its context.
type Response struct {
	Status        int
	ContentType   string // as sent; "" when not told
	ContentLength int64  // -1 when unknown

	u      *Upstream
	c      *conn // nil once the call is over
	ctx    context.Context
	unhook func() bool // takes interrupt off ctx
	limits Timeouts
	until  time.Time // the end of Total
	events bool
	seen   time.Time // the last sign of life that counts against Idle

	h      head
	head   []byte
	inline [384]byte
	left   int64 // of a sized body, or of the chunk
	chunk  chunkState
	frames int64  // bytes that were framing, less what the data excuses
	body   error  // how the body ended: io.EOF, or what broke it
	rest   []byte // of what next gave, not yet taken by read
	dec    *decoder
}

// Header gives the first value of a header, or "". Case does not matter.
func (r *Response) Header(name string) (value string) {
	eachHeader(r.head, func(k, v []byte) bool {
		if !is(k, name) {
			return true
		}
		value = string(v)
		return false
	})
	return value
}

// Headers calls fn for each header line, the name in canonical case.
func (r *Response) Headers(fn func(name, value string)) {
	eachHeader(r.head, func(k, v []byte) bool {
		fn(canonical(k), string(v))
		return true
	})
}

// Next gives the next bytes of the body, as many as are there, and blocks only
// when there are none. They are valid until the next call on r. io.EOF is the
// exact end; anything else is an *Error.
func (r *Response) Next() ([]byte, error) {
	if r.dec != nil {
		return r.dec.next()
	}
	return r.next()
}

// Read is Next for those who bring their own buffer.
func (r *Response) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if r.dec != nil {
		return r.dec.Read(p)
	}
	return r.read(p)
}

// ReadAll appends the rest of the body to buf, at most limit bytes of it, and
// closes the answer. A longer body gives its first limit bytes and an *Error
// with ErrTooLarge.
func (r *Response) ReadAll(buf []byte, limit int64) ([]byte, error) {
	defer r.Close()
	if n := r.ContentLength; n > 0 && n <= limit && int64(cap(buf)-len(buf)) < n {
		buf = append(make([]byte, 0, int64(len(buf))+n), buf...)
	}
	for {
		b, err := r.Next()
		if int64(len(b)) > limit {
			return append(buf, b[:limit]...), &Error{Phase: Body, Err: ErrTooLarge}
		}
		buf = append(buf, b...)
		limit -= int64(len(b))
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
	}
}

// Wait blocks until Next would give something, an end or an error among it,
// and holds no buffer meanwhile. What Next gave before is no longer valid.
func (r *Response) Wait() error {
	_, err := r.WaitUntil(time.Time{})
	return err
}

// WaitUntil is Wait with a limit: it gives false when there is still nothing
// at that time. The zero time is no limit.
func (r *Response) WaitUntil(limit time.Time) (ready bool, err error) {
	if r.c == nil || r.dec != nil || r.over() {
		return true, nil
	}
	if r.c.r < r.c.w || r.c.hasAhead {
		return true, nil
	}
	now := r.u.now()
	if !r.events || r.seen.IsZero() {
		r.seen = now
	}
	bounded := !limit.IsZero() && limit.Before(r.seen.Add(r.limits.Idle)) && limit.Before(r.until)
	if bounded && r.c.readBy != limit {
		err = r.c.readExactly(limit)
	} else if !bounded {
		err = r.readable(now)
	}
	if err == nil {
		err = r.c.wait()
	}
	switch {
	case err == nil:
		return true, nil
	case err == io.EOF && r.h.framing == untilClose:
		r.finish()
		return true, nil
	case bounded && r.ctx.Err() == nil && errors.Is(err, os.ErrDeadlineExceeded):
		return false, nil
	}
	return true, r.broke(err)
}

// Progress says that something worth waiting for has come: with
// Request.Events, only this puts off the end of Timeouts.Idle.
func (r *Response) Progress() {
	if r.events {
		r.seen = r.u.now()
	}
}

// Close ends the call. The connection is kept only if the body was read to its
// end, or its end is already here. Close may be called more than once.
func (r *Response) Close() error {
	if r.c == nil {
		return nil
	}
	if r.body == nil && r.dec == nil {
		r.settle()
	}
	if r.c != nil {
		r.abandon()
	}
	return nil
}

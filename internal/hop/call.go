package hop

import (
	"context"
	"errors"
	"io"
	"os"
	"time"
)

// past is a deadline that interrupts whatever waits.
var past = time.Unix(1, 0)

var errTimeout = errors.New("hop: the upstream was too slow")

// Do makes one call and gives its answer as soon as the head is there. The
// caller must Close the answer, or read it to its end. When ctx ends, the call
// ends at once, also while the body is being read. Its errors are *Error.
//
// A call on a kept connection that the upstream had closed meanwhile is made
// again, once, on a fresh connection, provided that no byte came back and the
// body is in memory.
func (u *Upstream) Do(ctx context.Context, req *Request) (*Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, failure(ctx, Dialing, err)
	}
	now := u.now()
	limits := req.Timeouts.or(u.timeouts)
	r := &Response{u: u, ctx: ctx, limits: limits, until: now.Add(limits.Total), events: req.Events}
	c := u.take()
	for {
		if c == nil {
			var err error
			if c, err = u.dial(ctx, limits.Connect); err != nil {
				return nil, failure(ctx, Dialing, err)
			}
			now = u.now()
		}
		phase, err := r.exchange(c, req, now)
		if err == nil {
			return r, nil
		}
		r.abandon()
		if phase == Sent && c.reused && req.BodyReader == nil && ctx.Err() == nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			c, r.body = nil, nil // the body of the next exchange has not ended
			continue
		}
		return nil, failure(ctx, phase, err)
	}
}

// failure makes the *Error of err, which the end of ctx may have caused.
func failure(ctx context.Context, phase Phase, err error) *Error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	timeout := errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
	if timeout && ctx.Err() == nil {
		err = errors.Join(errTimeout, err)
	}
	return &Error{Phase: phase, Timeout: timeout, Err: err}
}

// exchange sends the request over c and reads the answer's head.
func (r *Response) exchange(c *conn, req *Request, now time.Time) (Phase, error) {
	r.c, c.ctx = c, r.ctx
	if r.ctx.Done() != nil {
		r.unhook = context.AfterFunc(r.ctx, c.stop)
	}
	if err := r.u.send(c, req, now.Add(r.limits.FirstByte)); err != nil {
		var own callerError
		if errors.As(err, &own) {
			return Dialing, own.error
		}
		if c.buf == nil || r.ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) {
			return Sent, err
		}
		// It may have answered before it stopped listening, say with 413.
		if err := c.readUntil(r.u.now(), time.Second, r.until); err != nil {
			return Sent, err
		}
		if phase, early := r.readHead(req.Method); early == nil {
			r.h.keep = false
			return Head, nil
		} else if phase == Head {
			return Head, early
		}
		return Sent, err
	}
	if req.BodyReader != nil {
		now = r.u.now()
	}
	c.r, c.w = 0, 0
	c.release()
	if err := c.readUntil(now, r.limits.FirstByte, r.until); err != nil {
		return Sent, err
	}
	return r.readHead(req.Method)
}

// readHead reads heads until one is not interim.
func (r *Response) readHead(method string) (Phase, error) {
	c, phase := r.c, Sent
	c.r, c.w = 0, 0
	for interim := 0; ; interim++ {
		for from, n := 0, 0; n == 0; {
			if c.r < c.w {
				var err error
				if n, err = scanHead(c.buf[c.r:c.w], from); err != nil {
					return Head, err
				}
				from = c.w - c.r
			}
			switch {
			case n > 0:
				h, err := parseHead(c.buf[c.r:c.r+n], method)
				if err != nil {
					return Head, err
				}
				r.h = h
				c.r += n
			default:
				if err := c.fill(); err == io.EOF && phase == Head {
					return phase, io.ErrUnexpectedEOF
				} else if err != nil {
					return phase, err
				}
				phase = Head
			}
		}
		if r.h.status >= 200 {
			return Head, r.begin()
		}
		if r.h.status == 101 {
			return Head, errMalformed
		}
		if interim == maxInterim {
			return Head, errInterim
		}
	}
}

// begin makes the answer readable: what it says of itself is copied out of the
// buffer, which the body is about to use.
func (r *Response) begin() error {
	h := &r.h
	r.head = append(r.inline[:0], h.lines...)
	r.Status = h.status
	r.ContentType = contentType(h.typ)
	r.ContentLength = h.length
	switch h.framing {
	case none:
		r.ContentLength = 0
	case chunked, untilClose:
		r.ContentLength = -1
	}
	r.left = max(r.ContentLength, 0)
	encoding := h.encoding
	h.lines, h.encoding, h.typ = nil, nil, nil
	if len(encoding) == 0 || is(encoding, "identity") || h.framing == none {
		return nil
	}
	r.ContentLength = -1
	return r.decode(encoding)
}

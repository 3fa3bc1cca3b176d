package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// parked is a stream that left net/http. It owns all that it needs.
type parked struct {
	stream
	conn    *Conn
	chunked bool
	keep    bool // the connection may take another request afterwards
	by      time.Time
	watch   uint64
}

// frames are buffers for a block and what goes around it.
var frames = sync.Pool{New: func() any { return new([frameSize]byte) }}

const frameSize = 16 << 10

// parking gives the connection to park r on, or nil where that cannot be.
func (s *stream) parking(r *http.Request) *Conn {
	if s.opt.Life == nil || s.opt.ParkAfter < 0 || r.ProtoMajor != 1 || r.Method == http.MethodHead || r.TLS != nil {
		return nil
	}
	c, _ := r.Context().Value(connKey{}).(*Conn)
	return c
}

// park moves the stream to a goroutine of its own and reports whether it did.
// The handler must return then.
func (s *stream) park(out *responder, r *http.Request, c *Conn) bool {
	if r.Body != nil && r.Body != http.NoBody {
		// net/http has read and closed the body with the head, unless it is so
		// long that what is left of it would be taken for a request.
		var one [1]byte
		n, err := r.Body.Read(one[:])
		if n > 0 || !(err == io.EOF || errors.Is(err, http.ErrBodyReadAfterClose)) {
			return false
		}
	}
	h := out.w.Header()
	chunked := r.ProtoAtLeast(1, 1) && h.Get("Content-Length") == ""
	p := &parked{stream: *s, conn: c, chunked: chunked, keep: chunked && !r.Close && h.Get("Connection") == ""}
	l := c.l
	l.mu.Lock()
	w, err := l.watcher()
	if err == nil {
		l.streams[p] = struct{}{}
	}
	l.mu.Unlock()
	if err != nil {
		return false
	}
	conn, rw, err := out.rc.Hijack()
	if err != nil {
		l.leave(p)
		return false
	}
	p.left = leaving(out.w)
	life := s.opt.Life
	life.parked.Store(true)
	life.unhook()
	if n := rw.Reader.Buffered(); n > 0 {
		early, _ := rw.Reader.Peek(n)
		c.early = append([]byte(nil), early...)
	}
	if conn != net.Conn(c) {
		p.keep = false
	}
	if p.watch, err = w.add(c, forLeaving, func() { life.cancel(ErrClientGone) }); err != nil {
		life.cancel(ErrClientGone)
	}
	go p.run(w)
	return true
}

// leave takes a stream off the list.
func (l *Listener) leave(p *parked) {
	l.mu.Lock()
	delete(l.streams, p)
	l.rest()
	l.mu.Unlock()
}

// run carries the stream to its end.
func (p *parked) run(w *watcher) {
	err := p.carry()
	clean := err == nil
	switch cause := context.Cause(p.opt.Life); {
	case clean || err == ErrClientGone:
	case cause == ErrClientGone:
		err = ErrClientGone
	default:
		if cause == ErrShutdown {
			err, p.keep = ErrShutdown, false
		}
		clean = p.write(p.last(err)) == nil
	}
	if clean && p.chunked {
		clean = p.raw([]byte("0\r\n\r\n")) == nil
	}
	w.remove(p.conn, p.watch)
	p.opt.Life.parked.Store(false)
	p.close(err)
	p.opt.Life.cancel(context.Canceled)
	if clean && p.keep {
		p.conn.l.takeBack(p.conn)
	} else {
		p.conn.Close()
	}
	p.conn.l.leave(p)
}

// carry moves blocks until the source ends, well (nil) or not.
func (p *parked) carry() error {
	for {
		if p.waiter != nil {
			p.waiter.Wait() // what it could say, Next says
		}
		block, err := p.src.Next()
		if len(block) > 0 && p.write(block) != nil {
			return ErrClientGone
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// write sends one block as one chunk.
func (p *parked) write(block []byte) error {
	if len(block) == 0 {
		return nil
	}
	if err := p.frame(block); err != nil {
		return err
	}
	p.sent += int64(len(block))
	return nil
}

func (p *parked) frame(block []byte) error {
	if !p.chunked {
		return p.raw(block)
	}
	frame := frames.Get().(*[frameSize]byte)
	defer frames.Put(frame)
	b := append(strconv.AppendInt(frame[:0], int64(len(block)), 16), "\r\n"...)
	if len(b)+len(block)+2 > frameSize {
		if err := p.raw(b); err != nil {
			return err
		}
		if err := p.raw(block); err != nil {
			return err
		}
		return p.raw([]byte("\r\n"))
	}
	b = append(append(b, block...), "\r\n"...)
	return p.raw(b)
}

func (p *parked) raw(b []byte) error {
	if now := time.Now(); p.by.Sub(now) < p.opt.WriteTimeout-p.opt.WriteTimeout/deadlineSlack {
		p.by = now.Add(p.opt.WriteTimeout)
		p.conn.SetWriteDeadline(p.by)
	}
	_, err := p.conn.Write(b)
	return err
}

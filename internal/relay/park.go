package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// parked is a stream that left net/http. It owns all that it needs.
type parked struct {
	stream
	line
	keep  bool // the connection may take another request afterwards
	watch uint64
}

// parking reports whether r's stream may be parked.
func (s *stream) parking(r *http.Request) bool {
	return s.opt.Life != nil && s.opt.ParkAfter >= 0 && r.ProtoMajor == 1 && r.Method != http.MethodHead && r.TLS == nil
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
	p := &parked{stream: *s, line: out.line, keep: !r.Close && h.Get("Connection") == ""}
	if p.conn == nil { // it went through net/http so far
		p.conn, p.timeout = c, s.opt.WriteTimeout
		p.chunked = r.ProtoAtLeast(1, 1) && h.Get("Content-Length") == ""
	}
	p.keep = p.keep && p.chunked
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
	conn, rw, err := http.NewResponseController(out.w).Hijack()
	if err != nil {
		l.leave(p)
		return false
	}
	p.by = time.Time{} // Hijack took the deadline off
	if out.conn == nil {
		p.past(out.w)
	}
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
		clean = p.write(p.last(err), true) == nil
	}
	if clean && p.chunked {
		_, failed := p.conn.Write([]byte("0\r\n\r\n"))
		clean = failed == nil
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
		if p.write(block, err == io.EOF) != nil {
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

func (p *parked) write(block []byte, last bool) error {
	if len(block) == 0 {
		return nil
	}
	if err := p.line.send(block, last); err != nil {
		return err
	}
	p.sent += int64(len(block))
	return nil
}

package relay

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// ErrShutdown is what Options.Error and Done get for a stream that the server
// ended because it is going away.
var ErrShutdown = errors.New("relay: the server is shutting down")

// idleLife is how long a connection that comes back from parking may wait for
// its next request.
const idleLife = 75 * time.Second

// Listener is the listener of a server whose streams can be parked: their
// connections come back through Accept when the answer has ended. Use it as
//
//	l := relay.NewListener(tcp)
//	srv := &http.Server{Handler: h, ConnContext: l.ConnContext}
//	go srv.Serve(l)
//	…
//	srv.Shutdown(ctx) // stops accepting, waits for handlers
//	l.Drain(ctx)      // waits for parked streams
type Listener struct {
	net.Listener
	start  sync.Once
	fresh  chan accepted
	back   chan net.Conn
	closed chan struct{}

	mu       sync.Mutex
	watch    *watcher // made with the first parked stream
	streams  map[*parked]struct{}
	idle     map[*Conn]*time.Timer // came back, and nothing was asked yet
	done     bool                  // closed
	draining chan struct{}         // closed when the last stream ended; nil when nobody waits
}

type accepted struct {
	conn net.Conn
	err  error
}

// NewListener wraps a listener. It starts a goroutine with the first Accept,
// which Close ends.
func NewListener(l net.Listener) *Listener {
	return &Listener{
		Listener: l,
		fresh:    make(chan accepted),
		back:     make(chan net.Conn),
		closed:   make(chan struct{}),
		streams:  map[*parked]struct{}{},
		idle:     map[*Conn]*time.Timer{},
	}
}

// Accept gives a new connection or one that comes back.
func (l *Listener) Accept() (net.Conn, error) {
	l.start.Do(func() { go l.accept() })
	select {
	case a := <-l.fresh:
		return a.conn, a.err
	case c := <-l.back:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *Listener) accept() {
	for {
		c, err := l.Listener.Accept()
		a := accepted{err: err}
		if err == nil {
			a.conn = &Conn{Conn: c, l: l}
		}
		select {
		case l.fresh <- a:
		case <-l.closed:
			if c != nil {
				c.Close()
			}
			return
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
	}
}

// Close stops accepting and closes connections that wait for a request.
// Parked streams go on; see Drain.
func (l *Listener) Close() error {
	l.mu.Lock()
	if l.done {
		l.mu.Unlock()
		return nil
	}
	l.done = true
	close(l.closed)
	var idle []*Conn
	for c := range l.idle {
		idle = append(idle, c)
	}
	l.mu.Unlock()
	for _, c := range idle {
		if l.forget(c) {
			c.Close()
		}
	}
	l.mu.Lock()
	l.rest()
	l.mu.Unlock()
	return l.Listener.Close()
}

// rest stops the watcher when it has nothing left to do. l.mu is held.
func (l *Listener) rest() {
	if len(l.streams) > 0 {
		return
	}
	if l.draining != nil {
		close(l.draining)
		l.draining = nil
	}
	if l.done && len(l.idle) == 0 && l.watch != nil {
		l.watch.close()
		l.watch = nil
	}
}

// Parked is the number of streams that are parked now.
func (l *Listener) Parked() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.streams)
}

// Drain waits until the last parked stream has ended. When ctx ends first, the
// rest are ended with a final error event, and Drain gives ctx's error.
func (l *Listener) Drain(ctx context.Context) error {
	wait := func(ctx context.Context) error {
		l.mu.Lock()
		if len(l.streams) == 0 {
			l.mu.Unlock()
			return nil
		}
		if l.draining == nil {
			l.draining = make(chan struct{})
		}
		empty := l.draining
		l.mu.Unlock()
		select {
		case <-empty:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err := wait(ctx)
	if err == nil {
		return nil
	}
	l.mu.Lock()
	for p := range l.streams {
		p.stream.opt.Life.cancel(ErrShutdown)
	}
	l.mu.Unlock()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	wait(last) // for the last events to be written; a client that does not read them has none
	return err
}

type connKey struct{}

// ConnContext is for http.Server: it lets Send find the connection again.
func (l *Listener) ConnContext(ctx context.Context, c net.Conn) context.Context {
	if c, ok := c.(*Conn); ok && c.l == l {
		return context.WithValue(ctx, connKey{}, c)
	}
	return ctx
}

// Conn is a client's connection.
type Conn struct {
	net.Conn
	l     *Listener
	early []byte // sent by the client while its stream was parked
	watch uint64 // the watcher's number for it, while it waits

	// What waits to be sent with the next write; see line. Only the goroutine
	// that writes uses it.
	frame   *[frameSize]byte
	held    int
	holding bool // all that is written waits
}

// Read gives what was sent early first.
func (c *Conn) Read(p []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(p, c.early)
		if c.early = c.early[n:]; len(c.early) == 0 {
			c.early = nil
		}
		return n, nil
	}
	return c.Conn.Read(p)
}

// CloseWrite lets net/http close gently.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// socket gives the connection's socket, or nil.
func (c *Conn) socket() syscall.RawConn {
	if s, ok := c.Conn.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
}

// watcher gives the watcher, made when first needed. l.mu is held.
func (l *Listener) watcher() (*watcher, error) {
	if l.watch == nil {
		w, err := newWatcher()
		if err != nil {
			return nil, err
		}
		l.watch = w
	}
	return l.watch, nil
}

// takeBack holds a connection whose answer has ended until its next request
// arrives, and hands it to Accept then, so that neither a goroutine nor the
// server's own limits on the time of a request's head run meanwhile.
func (l *Listener) takeBack(c *Conn) {
	c.SetDeadline(time.Time{})
	if len(c.early) > 0 {
		l.offer(c)
		return
	}
	l.mu.Lock()
	w, err := l.watcher()
	if l.done || err != nil {
		l.mu.Unlock()
		c.Close()
		return
	}
	l.idle[c] = time.AfterFunc(idleLife, func() {
		if l.forget(c) {
			c.Close()
		}
	})
	c.watch, err = w.add(c, forRequest, func() {
		if l.forget(c) {
			go l.offer(c)
		}
	})
	l.mu.Unlock()
	if err != nil && l.forget(c) {
		c.Close()
	}
}

// forget takes a waiting connection out; true goes to exactly one caller.
func (l *Listener) forget(c *Conn) bool {
	l.mu.Lock()
	timer, ok := l.idle[c]
	if !ok {
		l.mu.Unlock()
		return false
	}
	timer.Stop()
	delete(l.idle, c)
	w := l.watch
	id := c.watch
	l.mu.Unlock()
	w.remove(c, id)
	l.mu.Lock()
	l.rest()
	l.mu.Unlock()
	return true
}

// offer gives a connection to Accept.
func (l *Listener) offer(c *Conn) {
	select {
	case l.back <- c:
	case <-l.closed:
		c.Close()
	}
}

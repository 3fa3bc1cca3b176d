package hop

import (
	"context"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// bufferSize is what one read can bring. A buffer is held only while data
// moves, so its size costs nothing per open stream.
const bufferSize = 32 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// conn is one connection to an upstream. One call owns it at a time; no
// goroutine does.
type conn struct {
	nc        net.Conn
	socket    syscall.RawConn // below TLS, for a look at what is waiting; may be nil
	raw       syscall.RawConn // to read from; nil with TLS and with what is no socket
	ctx       context.Context // of the call that owns the connection
	stop      func()          // interrupt as a value
	reused    bool
	idleSince time.Time
	readBy    time.Time // the deadline as last set
	writeBy   time.Time

	buf  *[bufferSize]byte // nil while nothing is held
	r, w int               // what of buf is not yet consumed

	// One byte that was read ahead to see that a TLS connection is readable.
	ahead    [1]byte
	hasAhead bool

	// attempt and look are tryRead and peek as values, made once so that a call
	// of them allocates nothing; the rest is what they found.
	attempt func(fd uintptr) bool
	look    func(fd uintptr)
	n       int
	err     error
	silent  bool
	spoke   bool

	pieces [2][]byte // head and body on their way out
	out    net.Buffers
}

// hold makes sure that there is a buffer.
func (c *conn) hold() {
	if c.buf == nil {
		c.buf = buffers.Get().(*[bufferSize]byte)
		c.r, c.w = 0, 0
	}
}

// release gives the buffer back if it holds nothing.
func (c *conn) release() {
	if c.buf != nil && c.r == c.w {
		buffers.Put(c.buf)
		c.buf = nil
		c.r, c.w = 0, 0
	}
}

func (c *conn) close() {
	c.r = c.w
	c.release()
	c.nc.Close()
}

// room makes sure that at least one byte can be read behind w.
func (c *conn) room() error {
	c.hold()
	switch {
	case c.r == c.w:
		c.r, c.w = 0, 0
	case c.w == bufferSize && c.r > 0:
		c.w = copy(c.buf[:], c.buf[c.r:c.w])
		c.r = 0
	case c.w == bufferSize:
		return errTooLong
	}
	return nil
}

// fill blocks until there is more in the buffer. While it waits on a plain
// socket it holds a buffer only if that has something in it.
func (c *conn) fill() error {
	if c.raw == nil {
		return c.fillPlainly()
	}
	c.n, c.err = 0, nil
	if err := c.raw.Read(c.attempt); err != nil {
		return err
	}
	if c.err != nil {
		return c.err
	}
	c.w += c.n
	if c.n == 0 {
		return io.EOF
	}
	return nil
}

func (c *conn) fillPlainly() error {
	if err := c.room(); err != nil {
		return err
	}
	if c.hasAhead {
		c.hasAhead = false
		c.buf[c.w] = c.ahead[0]
		c.w++
		return nil
	}
	n, err := c.nc.Read(c.buf[c.w:])
	c.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// wait blocks until fill would not, holding no buffer.
func (c *conn) wait() error {
	if c.r < c.w || c.hasAhead {
		return nil
	}
	c.release()
	if c.raw != nil {
		return c.fill() // its buffer comes with the data
	}
	_, err := io.ReadFull(c.nc, c.ahead[:])
	c.hasAhead = err == nil
	return err
}

// interrupt ends whatever waits on the connection. It may run at any time, so
// whoever sets a deadline looks at the context afterwards.
func (c *conn) interrupt() { c.nc.SetDeadline(past) }

// deadlineSlack is the part of a timeout by which a deadline may be stale
// before it is worth a call of the runtime's timers to move it.
const deadlineSlack = 32

// readUntil sets the deadline of reads to now+d, at most last, give or take a
// small part of d.
func (c *conn) readUntil(now time.Time, d time.Duration, last time.Time) error {
	want := now.Add(d)
	if want.After(last) {
		want = last
	}
	if off := want.Sub(c.readBy); off < 0 || off > d/deadlineSlack {
		return c.readExactly(want)
	}
	return nil
}

func (c *conn) readExactly(by time.Time) error {
	c.readBy = by
	c.nc.SetReadDeadline(by)
	return c.ctx.Err()
}

func (c *conn) writeExactly(by time.Time) error {
	c.writeBy = by
	c.nc.SetWriteDeadline(by)
	return c.ctx.Err()
}

// largeWrite is more than the kernel surely takes without waiting for the
// peer; a smaller write needs no deadline.
const largeWrite = 64 << 10

// write sends head and body, in one system call where it can.
func (c *conn) write(head, body []byte, by time.Time) error {
	if len(head)+len(body) <= largeWrite {
		by = time.Time{}
	}
	if by != c.writeBy {
		if err := c.writeExactly(by); err != nil {
			return err
		}
	}
	if len(body) == 0 {
		_, err := c.nc.Write(head)
		return err
	}
	c.pieces = [2][]byte{head, body}
	c.out = c.pieces[:]
	_, err := c.out.WriteTo(c.nc)
	c.pieces = [2][]byte{}
	return err
}

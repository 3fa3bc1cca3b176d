package relay

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// line writes the blocks of an answer straight to the client's connection, each
// as one chunk and in one system call. While net/http holds the connection it
// is used past it: net/http has written the head and will write the last,
// empty chunk, and knows of nothing in between.
type line struct {
	conn    *Conn
	chunked bool
	timeout time.Duration
	by      time.Time // the write deadline as last set
}

// frames are buffers for a block and what goes around it.
var frames = sync.Pool{New: func() any { return new([frameSize]byte) }}

// frameSize takes what one read of an upstream brings, the head and a chunk's
// own lines.
const frameSize = 36 << 10

// open lets net/http write the head, which is held back to leave with the first
// block. It reports whether the answer may be written past net/http: the
// answer must be a chunked one and net/http must write where we do.
func (o *line) open(w http.ResponseWriter, r *http.Request, c *Conn) bool {
	h := w.Header()
	if c == nil || r.TLS != nil || r.ProtoMajor != 1 || r.ProtoMinor < 1 || r.Method == http.MethodHead ||
		h["Content-Length"] != nil || h["Transfer-Encoding"] != nil {
		return false
	}
	c.holding = true
	err := http.NewResponseController(w).Flush()
	c.holding = false
	if err != nil || c.held == 0 {
		return false
	}
	o.conn, o.chunked = c, true
	return true
}

// send writes one block. The last one is held back until the end of the
// answer is written.
func (o *line) send(block []byte, last bool) error {
	if now := time.Now(); o.by.Sub(now) < o.timeout-o.timeout/deadlineSlack {
		o.by = now.Add(o.timeout)
		o.conn.SetWriteDeadline(o.by)
	}
	c := o.conn
	switch {
	case len(block) == 0 && last:
		return nil
	case len(block) == 0:
		return c.flush()
	case !o.chunked:
		_, err := c.Write(block)
		return err
	}
	b := c.hold()
	b = append(strconv.AppendInt(b, int64(len(block)), 16), "\r\n"...)
	if len(b)+len(block)+2 <= frameSize {
		c.held = len(append(append(b, block...), "\r\n"...))
		if last {
			return nil
		}
		return c.flush()
	}
	c.held = len(b)
	for _, part := range [...][]byte{block, []byte("\r\n")} { // the first write takes along what is held
		if _, err := c.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// hold gives what is held back, to be added to.
func (c *Conn) hold() []byte {
	if c.frame == nil {
		c.frame = frames.Get().(*[frameSize]byte)
	}
	return c.frame[:c.held]
}

// flush sends what is held back.
func (c *Conn) flush() error {
	if c.frame == nil {
		return nil
	}
	_, err := c.Conn.Write(c.frame[:c.held])
	frames.Put(c.frame)
	c.frame, c.held = nil, 0
	return err
}

// Write sends what is held back along with p.
func (c *Conn) Write(p []byte) (int, error) {
	if c.frame == nil && !c.holding {
		return c.Conn.Write(p)
	}
	if b := c.hold(); len(b)+len(p) <= frameSize {
		c.held += copy(c.frame[c.held:], p)
		if c.holding {
			return len(p), nil
		}
		if err := c.flush(); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	if err := c.flush(); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

//go:build unix

package hop

import "syscall"

// bind readies what is read straight from the socket.
func (c *conn) bind(socket syscall.RawConn, plain bool) {
	c.socket = socket
	c.look = c.peek
	if plain {
		c.raw = socket
		c.attempt = c.tryRead
	}
}

// tryRead reads once if that is possible at once; see syscall.RawConn.
func (c *conn) tryRead(fd uintptr) bool {
	if c.err = c.room(); c.err != nil {
		return true
	}
	for {
		n, err := syscall.Read(int(fd), c.buf[c.w:])
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			c.release()
			return false
		case err != nil:
			c.err = err
		default:
			c.n = n
		}
		return true
	}
}

// quiet reports whether an idle connection is still open and has nothing to
// say. Bytes that nobody asked for would be an answer to somebody else's
// request. What is no socket cannot be asked and is not used again.
func (c *conn) quiet() bool {
	c.silent = false
	return c.socket != nil && !c.hasAhead && c.socket.Control(c.look) == nil && c.silent
}

func (c *conn) peek(fd uintptr) {
	_, _, err := syscall.Recvfrom(int(fd), c.ahead[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	c.silent = err == syscall.EAGAIN || err == syscall.EINTR
}

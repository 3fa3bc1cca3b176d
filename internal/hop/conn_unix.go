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
	c.silent, c.spoke = false, false
	return c.socket != nil && !c.hasAhead && c.socket.Control(c.look) == nil && c.silent
}

// farewell is what some servers say before they close an idle connection.
const farewell = "HTTP/1.1 408"

func (c *conn) peek(fd uintptr) {
	var b [len(farewell)]byte
	n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	c.silent = err == syscall.EAGAIN || err == syscall.EINTR
	c.spoke = n > 0 && c.raw != nil && string(b[8:]) != farewell[8:] // below TLS anything may be said
}

//go:build !unix

package hop

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// bind does nothing: reads go through package net.
func (c *conn) bind(syscall.RawConn, bool) {}

// quiet reports whether an idle connection is still open and has nothing to
// say. Bytes that nobody asked for are an answer to somebody else's request.
func (c *conn) quiet() bool {
	c.readBy = time.Now().Add(time.Millisecond)
	c.nc.SetReadDeadline(c.readBy)
	n, err := c.nc.Read(c.ahead[:])
	return n == 0 && errors.Is(err, os.ErrDeadlineExceeded)
}

// Package hop makes one HTTP/1.1 call to an upstream over a kept connection,
// with as little between the caller and the socket as Go allows: one write for
// head and body, one buffered reader, no goroutine per connection. It is the
// only client on the hot path; lists, probes and odd jobs use it too.
//
// It speaks HTTP/1.1 only, asks for no compression, follows no redirect, sends
// no header that it was not told to send, and never re-uses a connection whose
// last answer was not read to its exact end.
package hop

import (
	"context"
	"io"
	"net"
	"time"
)

// Dialer opens connections; package egress has the only ones in the program.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Timeouts bound a call. Zero fields take the defaults in parentheses.
type Timeouts struct {
	Connect   time.Duration // TCP and, again, TLS (5 s)
	FirstByte time.Duration // from the request's last byte to the answer's head (300 s)
	Idle      time.Duration // between two reads of the body (60 s); streams count events, not bytes
	Total     time.Duration // of the whole call (3,600 s)
}

// Request is one call. Body or BodyReader or neither.
type Request struct {
	Method      string // "GET" when empty
	Path        string // put behind the base URL's path; may hold a query
	Rooted      bool   // Path is from the server's root instead
	ContentType string
	Accept      string
	Header      [][2]string
	Body        []byte
	BodyReader  io.Reader // streamed as it comes
	BodyLength  int64     // of BodyReader; negative is unknown (sent chunked)
	Timeouts    Timeouts  // zero fields take the upstream's
	// Events says that Timeouts.Idle counts what Response.Progress reports, and
	// not bytes: an upstream that dribbles a byte now and then is still idle.
	Events bool
}

// Phase says how far a failed call came.
type Phase uint8

// The phases. A call that failed at or before Sent was not answered by a
// single byte, so another backend may be asked.
const (
	Dialing Phase = iota // name, connection or TLS
	Sent                 // the request went out, no byte came back
	Head                 // the answer's head is malformed or too long
	Body                 // the answer broke off in its body
)

// Error is a failed call. Its text is for the log, not for a caller: it may
// name addresses.
type Error struct {
	Phase   Phase
	Timeout bool
	Err     error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

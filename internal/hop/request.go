package hop

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// ours are the headers that belong to the connection, not to its user.
var ours = [...]string{"Host", "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer",
	"Transfer-Encoding", "Content-Length", "Upgrade", "Expect"}

// appendHeaders writes header lines, refusing whatever could end a line early
// or change where the message ends.
func appendHeaders(b []byte, headers [][2]string) ([]byte, error) {
	for _, h := range headers {
		if !validName(h[0]) || !validValue(h[1]) {
			return b, fmt.Errorf("hop: the header %q may not be sent", h[0])
		}
		for _, name := range ours {
			if len(name) == len(h[0]) && strings.EqualFold(name, h[0]) {
				return b, fmt.Errorf("hop: the header %q is not the caller's to set", h[0])
			}
		}
		b = append(append(append(append(b, h[0]...), ": "...), h[1]...), "\r\n"...)
	}
	return b, nil
}

func validName(s string) bool {
	for i := 0; i < len(s); i++ {
		if !tokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

// tokenByte reports whether c may stand in a header's name (RFC 9110 tchar).
func tokenByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c < 0x80 && strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func validValue(s string) bool {
	for i := 0; i < len(s); i++ {
		if (s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f {
			return false
		}
	}
	return true
}

func validPath(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// appendRequest writes the head of a request.
func (u *Upstream) appendRequest(b []byte, req *Request) ([]byte, error) {
	method := req.Method
	if method == "" {
		method = "GET"
	}
	if !validName(method) || !validPath(req.Path) {
		return b, errors.New("hop: the method or the path holds a space or a control byte")
	}
	b = append(append(b, method...), ' ')
	if !req.Rooted {
		b = append(b, u.prefix...)
	}
	if !strings.HasPrefix(req.Path, "/") {
		b = append(b, '/')
	}
	b = append(append(b, req.Path...), u.head...)
	for _, h := range [...][2]string{{"Content-Type", req.ContentType}, {"Accept", req.Accept}} {
		if !validValue(h[1]) {
			return b, fmt.Errorf("hop: the header %q may not be sent", h[0])
		}
		if h[1] != "" {
			b = append(append(append(append(b, h[0]...), ": "...), h[1]...), "\r\n"...)
		}
	}
	b, err := appendHeaders(b, req.Header)
	if err != nil {
		return b, err
	}
	switch {
	case req.BodyReader != nil && req.BodyLength < 0:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	case req.BodyReader != nil:
		b = appendLength(b, req.BodyLength)
	case len(req.Body) > 0 || method == "POST" || method == "PUT" || method == "PATCH":
		b = appendLength(b, int64(len(req.Body)))
	}
	return append(b, "\r\n"...), nil
}

func appendLength(b []byte, n int64) []byte {
	return append(strconv.AppendInt(append(b, "Content-Length: "...), n, 10), "\r\n"...)
}

// send writes the request. Small ones leave in one write out of the buffer
// that will take the answer.
func (u *Upstream) send(c *conn, req *Request, by time.Time) error {
	c.hold()
	head, err := u.appendRequest(c.buf[:0], req)
	if err != nil {
		return err
	}
	if req.BodyReader != nil {
		if err := c.write(head, nil, by); err != nil {
			return err
		}
		return c.stream(req.BodyReader, req.BodyLength, by)
	}
	if len(head)+len(req.Body) <= bufferSize/2 {
		return c.write(append(head, req.Body...), nil, by)
	}
	return c.write(head, req.Body, by)
}

var errBodyLength = errors.New("hop: the request's body is not as long as announced")

// callerError is a body that could not be read from its source.
type callerError struct{ error }

// stream sends a body as it comes, chunked when its length is unknown.
func (c *conn) stream(body io.Reader, length int64, by time.Time) error {
	piece := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(piece)
	const front = 8 // hex digits and CRLF of a chunk's size
	if err := c.writeExactly(by); err != nil {
		return err
	}
	for sent := int64(0); ; {
		n, err := body.Read(piece[front : bufferSize-2])
		if sent += int64(n); length >= 0 && sent > length {
			return callerError{errBodyLength}
		}
		out := piece[front : front+n]
		if length < 0 && n > 0 {
			size := strconv.AppendInt(make([]byte, 0, front), int64(n), 16)
			size = append(size, "\r\n"...)
			start := front - copy(piece[front-len(size):front], size)
			copy(piece[front+n:], "\r\n")
			out = piece[start : front+n+2]
		}
		if len(out) > 0 {
			if _, err := c.nc.Write(out); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF && length < 0:
			_, err = c.nc.Write([]byte("0\r\n\r\n"))
			return err
		case err == io.EOF && sent < length:
			return callerError{errBodyLength}
		case err == io.EOF:
			return nil
		case err != nil:
			return callerError{err}
		}
	}
}

// Package providertest holds what tests of providers share: an upstream on a
// real socket that says what a script tells it to, byte by byte, and the suite
// that every provider passes.
package providertest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Request is one that came in.
type Request struct {
	Method, Path string
	Header       http.Header
	Body         []byte
}

// Script answers one request. The connection is kept for the next one unless
// the script closed it.
type Script func(c *Conn, r *Request)

// Upstream is a server of raw bytes.
type Upstream struct {
	// URL is its base, such as "http://127.0.0.1:4711".
	URL string
	// Connections and Requests count what came in; Cancelled counts scripts
	// that waited in Gone and saw the other side leave.
	Connections, Requests, Cancelled atomic.Int64

	listener net.Listener
	script   atomic.Pointer[Script]
	mu       sync.Mutex
	last     *Request
	conns    map[net.Conn]struct{}
	done     sync.WaitGroup
}

// New starts an upstream that ends with the test.
func New(t testing.TB, script Script) *Upstream {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &Upstream{URL: "http://" + l.Addr().String(), listener: l, conns: map[net.Conn]struct{}{}}
	u.Say(script)
	u.done.Go(u.accept)
	t.Cleanup(u.close)
	return u
}

// Say changes the script for the requests to come.
func (u *Upstream) Say(script Script) { u.script.Store(&script) }

// Last is the request that came last, or nil.
func (u *Upstream) Last() *Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.last
}

// Addr is its host and port.
func (u *Upstream) Addr() string { return u.listener.Addr().String() }

// Close stops it at once: whoever dials it afterwards is refused.
func (u *Upstream) Close() { u.close() }

func (u *Upstream) close() {
	u.listener.Close()
	u.mu.Lock()
	for c := range u.conns {
		c.Close()
	}
	u.mu.Unlock()
	u.done.Wait()
}

func (u *Upstream) accept() {
	for {
		nc, err := u.listener.Accept()
		if err != nil {
			return
		}
		u.Connections.Add(1)
		u.mu.Lock()
		u.conns[nc] = struct{}{}
		u.mu.Unlock()
		u.done.Go(func() { u.serve(nc) })
	}
}

func (u *Upstream) serve(nc net.Conn) {
	c := &Conn{Conn: nc, u: u, in: bufio.NewReader(nc)}
	defer func() {
		nc.Close()
		u.mu.Lock()
		delete(u.conns, nc)
		u.mu.Unlock()
	}()
	for !c.closed {
		r, err := readRequest(c.in)
		if err != nil {
			return
		}
		u.Requests.Add(1)
		u.mu.Lock()
		u.last = r
		u.mu.Unlock()
		(*u.script.Load())(c, r)
	}
}

func readRequest(in *bufio.Reader) (*Request, error) {
	tp := textproto.NewReader(in)
	line, err := tp.ReadLine()
	if err != nil {
		return nil, err
	}
	header, err := tp.ReadMIMEHeader()
	if err != nil {
		return nil, err
	}
	r := &Request{Header: http.Header(header)}
	r.Method, line, _ = strings.Cut(line, " ")
	r.Path, _, _ = strings.Cut(line, " ")
	n, _ := strconv.Atoi(r.Header.Get("Content-Length"))
	r.Body = make([]byte, n)
	_, err = io.ReadFull(in, r.Body)
	return r, err
}

// Conn is the upstream's end of a connection.
type Conn struct {
	net.Conn
	u      *Upstream
	in     *bufio.Reader
	closed bool
}

// Send writes bytes as they are. It reports false once the other side left.
func (c *Conn) Send(s string) bool {
	_, err := io.WriteString(c.Conn, s)
	return err == nil
}

// JSON sends a whole answer.
func (c *Conn) JSON(status int, body string, headers ...string) {
	c.Send(Head(status, append([]string{"Content-Type: application/json", "Content-Length: " + strconv.Itoa(len(body))}, headers...)...) + body)
}

// Head renders the head of an answer.
func Head(status int, headers ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}

// Stream sends the head of a chunked answer; its data follows by Chunk, its
// end by End.
func (c *Conn) Stream(contentType string) bool {
	return c.Send(Head(200, "Content-Type: "+contentType, "Transfer-Encoding: chunked"))
}

// Chunk sends one chunk.
func (c *Conn) Chunk(data string) bool {
	return c.Send(strconv.FormatInt(int64(len(data)), 16) + "\r\n" + data + "\r\n")
}

// End ends a chunked answer.
func (c *Conn) End() bool { return c.Send("0\r\n\r\n") }

// Close closes the connection in good order.
func (c *Conn) Close() error {
	c.closed = true
	return c.Conn.Close()
}

// Reset breaks the connection off: the other side sees a reset.
func (c *Conn) Reset() {
	c.closed = true
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	c.Conn.Close()
}

// Gone says nothing until the other side leaves, or for at most d, and reports
// whether it left. It ends the connection.
func (c *Conn) Gone(d time.Duration) bool {
	c.closed = true
	c.SetReadDeadline(time.Now().Add(d))
	_, err := c.in.ReadByte()
	if nerr, ok := err.(net.Error); err == nil || ok && nerr.Timeout() {
		return false
	}
	c.u.Cancelled.Add(1)
	return true
}

package api

import (
	"bytes"
	"net"
	"net/http"
	"testing"
	"time"

	"portico/internal/access"
	"portico/internal/api/route"
	"portico/internal/user"
)

// sink is a ResponseWriter that costs nothing, as net/http's own header map
// and connection are not ours to count.
type sink struct{ h http.Header }

func (s *sink) Header() http.Header         { return s.h }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
func (s *sink) WriteHeader(int)             {}

var answer = []byte(`{"ok":true}`)

func hot(tb testing.TB) (h http.Handler, w *sink, r *http.Request) {
	e := testEdge(tb, as(user.Member, access.ByKey), door(route.Verified, func(w http.ResponseWriter, _ *http.Request, _ *route.Call) error {
		_, err := w.Write(answer)
		return err
	}))
	r, err := http.NewRequest("POST", "/api/x", http.NoBody)
	if err != nil {
		tb.Fatal(err)
	}
	r.Body, r.ContentLength = nopBody{}, 100
	r.RequestURI = "/api/x"
	r.Header = http.Header{
		"Authorization": {"Bearer sk-0123456789"}, "Content-Type": {"application/json"}, "Accept": {"*/*"},
		"User-Agent": {"x/1"}, "Accept-Encoding": {"gzip"},
	}
	return e, &sink{h: http.Header{}}, r
}

type nopBody struct{}

func (nopBody) Read([]byte) (int, error) { return 0, nil }
func (nopBody) Close() error             { return nil }

// The gates cost few allocations: the request id and its header, and the
// bounded body.
func TestDispatchAllocs(t *testing.T) {
	if raceEnabled {
		return // the race detector allocates, too
	}
	h, w, r := hot(t)
	n := testing.AllocsPerRun(1000, func() {
		clear(w.h)
		r.Body = nopBody{}
		h.ServeHTTP(w, r)
	})
	if n > 6 {
		t.Errorf("%v allocations, want at most 6", n)
	}
}

func BenchmarkDispatch(b *testing.B) {
	h, w, r := hot(b)
	b.ReportAllocs()
	for b.Loop() {
		clear(w.h)
		r.Body = nopBody{}
		h.ServeHTTP(w, r)
	}
}

// BenchmarkServed is a request through net/http over a connection in memory,
// with an empty handler and with the gates before it: the difference is ours.
func BenchmarkServed(b *testing.B) {
	gated, _, _ := hot(b)
	for name, h := range map[string]http.Handler{
		"empty": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(answer) }),
		"gated": gated,
	} {
		b.Run(name, func(b *testing.B) { serveOverPipe(b, h) })
	}
}

func serveOverPipe(b *testing.B, h http.Handler) {
	client, server := net.Pipe()
	l := &oneConn{conn: make(chan net.Conn, 1)}
	l.conn <- server
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	request := []byte("POST /api/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer sk-0123456789\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
	buf := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Write(request); err != nil {
			b.Fatal(err)
		}
		if n, err := client.Read(buf); err != nil || !bytes.HasSuffix(buf[:n], answer) {
			b.Fatalf("%q %v", buf[:n], err)
		}
	}
	_ = client.Close()
	_ = srv.Close()
	<-done
}

// oneConn is a listener of one connection.
type oneConn struct{ conn chan net.Conn }

func (l *oneConn) Accept() (net.Conn, error) {
	c, ok := <-l.conn
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (l *oneConn) Close() error   { close(l.conn); return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

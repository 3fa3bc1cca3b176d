package hop

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scripted answers the requests of each connection with one of the given
// answers each and then closes it; an answer that is empty leaves it open, and
// "close" closes it at once.
func scripted(t testing.TB, answers ...string) (url string, connections *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	connections = &atomic.Int32{}
	done := make(chan struct{})
	t.Cleanup(func() { close(done); l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			go func() {
				defer c.Close()
				r := bufio.NewReader(c)
				for _, answer := range answers {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					io.Copy(io.Discard, req.Body)
					if answer == "close" {
						return
					}
					io.WriteString(c, answer)
					if answer == "" {
						<-done
					}
				}
			}()
		}
	}()
	return "http://" + l.Addr().String(), connections
}

func get(ctx context.Context, u *Upstream) (*Response, string, error) {
	r, err := u.Do(ctx, &Request{Path: "/"})
	if err != nil {
		return nil, "", err
	}
	b, err := r.ReadAll(nil, 1<<20)
	return r, string(b), err
}

func packed(deflate bool, text string) string {
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	if deflate {
		w = zlib.NewWriter(&b)
	}
	io.WriteString(w, text)
	w.Close()
	return b.String()
}

const ok = "HTTP/1.1 200 OK\r\n"

var answers = []struct {
	name, in, body string
	fail           Phase // 0 is no failure
	reuse          bool
}{
	{"sized", ok + "Content-Length: 2\r\n\r\nhi", "hi", 0, true},
	{"empty", ok + "Content-Length: 0\r\n\r\n", "", 0, true},
	{"chunked", ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1;ext=1\r\ni\r\n0\r\n\r\n", "hi", 0, true},
	{"chunked with trailer", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX: 1\r\n\r\n", "hi", 0, true},
	{"until close", ok + "\r\nhi", "hi", 0, false},
	{"close", ok + "Connection: close\r\nContent-Length: 2\r\n\r\nhi", "hi", 0, false},
	{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi", 0, false},
	{"204", "HTTP/1.1 204 No Content\r\n\r\n", "", 0, true},
	{"304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "", 0, true},
	{"interim", "HTTP/1.1 103 Early Hints\r\nX: 1\r\n\r\n" + ok + "Content-Length: 2\r\n\r\nhi", "hi", 0, true},
	{"the same length twice", ok + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi", "hi", 0, true},
	{"no reason", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", "hi", 0, true},
	{"gzip", ok + "Content-Encoding: gzip\r\n\r\n" + packed(false, "hi"), "hi", 0, false},
	{"deflate", ok + "Content-Encoding: deflate\r\n\r\n" + packed(true, "hi"), "hi", 0, false},
	{"more than its length", ok + "Content-Length: 2\r\n\r\nhi, you", "hi", 0, false},
	{"two answers", ok + "Content-Length: 2\r\n\r\nhi" + ok + "Content-Length: 2\r\n\r\nno", "hi", 0, false},

	{"brotli", ok + "Content-Encoding: br\r\nContent-Length: 2\r\n\r\nhi", "", Head, false},
	{"two lengths", ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi", "", Head, false},
	{"length list", ok + "Content-Length: 2, 2\r\n\r\nhi", "", Head, false},
	{"signed length", ok + "Content-Length: +2\r\n\r\nhi", "", Head, false},
	{"length and chunked", ok + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "", Head, false},
	{"other coding", ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "", Head, false},
	{"chunked twice", ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "", Head, false},
	{"chunked in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "", Head, false},
	{"obs-fold", ok + "X: 1\r\n 2\r\nContent-Length: 2\r\n\r\nhi", "", Head, false},
	{"bare CR", ok + "X: 1\r2\r\nContent-Length: 2\r\n\r\nhi", "", Head, false},
	{"bare LF", "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", "", Head, false},
	{"space before the colon", ok + "Content-Length : 2\r\n\r\nhi", "", Head, false},
	{"no colon", ok + "Content-Length\r\n\r\nhi", "", Head, false},
	{"bad status", "HTTP/1.1 2x0 OK\r\n\r\n", "", Head, false},
	{"status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", "", Head, false},
	{"not HTTP", "SSH-2.0-OpenSSH\r\n", "", Head, false},
	{"HTTP/2", "HTTP/2.0 200 OK\r\n\r\n", "", Head, false},
	{"switching protocols", "HTTP/1.1 101 Switching Protocols\r\n\r\n", "", Head, false},
	{"interim storm", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 20) + ok + "Content-Length: 2\r\n\r\nhi", "", Head, false},
	{"long head", ok + "X: " + strings.Repeat("x", 33<<10) + "\r\n\r\n", "", Head, false},
	{"many headers", ok + strings.Repeat("X: 1\r\n", 101) + "\r\n", "", Head, false},
	{"cut in the head", "HTTP/1.1 200 OK\r\nContent-Le", "", Head, false},
	{"nothing", "", "", Sent, false},

	{"short", ok + "Content-Length: 5\r\n\r\nhi", "hi", Body, false},
	{"chunk cut", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhi", "hi", Body, false},
	{"no last chunk", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", "hi", Body, false},
	{"bad chunk size", ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\nhi\r\n0\r\n\r\n", "", Body, false},
	{"chunk too long for its size", ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nhi\r\n0\r\n\r\n", "", Body, false},
	{"huge chunk size", ok + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nhi", "", Body, false},
	{"long extension", ok + "Transfer-Encoding: chunked\r\n\r\n2;" + strings.Repeat("x", 5000) + "\r\nhi\r\n0\r\n\r\n", "", Body, false},
	{"bare LF in chunks", ok + "Transfer-Encoding: chunked\r\n\r\n2\nhi\n0\n\n", "", Body, false},
	{"gzip cut", ok + "Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + packed(false, "hi")[:12], "*", Body, false},
	{"not gzip", ok + "Content-Encoding: gzip\r\n\r\nhi there, no gzip at all", "", Body, false},
	{"bomb", ok + "Content-Encoding: gzip\r\n\r\n" + packed(false, strings.Repeat("\x00", 4<<20)), "*", Body, false},
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, a := range answers {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			list := []string{a.in, a.in} // the connection stays open between the two
			if !a.reuse && (a.fail != 0 || !strings.Contains(a.in, "Content-Length")) {
				list = list[:1]
			}
			if a.in == "" {
				list = nil
			}
			url, connections := scripted(t, list...)
			u := upstream(t, url)
			for range 2 {
				_, body, err := get(context.Background(), u)
				var failed *Error
				switch {
				case a.fail == 0 && err != nil:
					t.Fatal(err)
				case a.fail != 0 && (!errors.As(err, &failed) || failed.Phase != a.fail):
					t.Fatalf("error %v, want phase %d", err, a.fail)
				case body != a.body && a.body != "*":
					t.Fatalf("body %q, want %q", body, a.body)
				}
			}
			if n := connections.Load(); a.in != "" && (n == 1) != a.reuse {
				t.Errorf("%d connections for two calls, want re-use to be %v", n, a.reuse)
			}
		})
	}
}

// The head is read alike wherever the network cuts it.
func TestCuts(t *testing.T) {
	t.Parallel()
	answer := ok + "Content-Type: text/x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
	for cut := 1; cut < len(answer); cut += 3 {
		near, far := net.Pipe()
		go func() {
			go io.Copy(io.Discard, far)
			for i := 0; i < len(answer); i += cut {
				io.WriteString(far, answer[i:min(i+cut, len(answer))])
			}
			far.Close()
		}()
		u, err := New("http://x", Options{Dialer: dialerFunc(func() (net.Conn, error) { return near, nil })})
		if err != nil {
			t.Fatal(err)
		}
		if r, body, err := get(context.Background(), u); err != nil || body != "hello world" || r.ContentType != "text/x" || r.Header("content-type") != "text/x" {
			t.Fatalf("cut every %d: %q %v", cut, body, err)
		}
		u.Close()
	}
}

type dialerFunc func() (net.Conn, error)

func (f dialerFunc) DialContext(context.Context, string, string) (net.Conn, error) { return f() }

// A connection that died while it was idle is replaced, without the caller
// noticing; an answer nobody asked for is nobody's.
func TestStale(t *testing.T) {
	t.Parallel()
	url, connections := scripted(t, ok+"Content-Length: 2\r\n\r\nhi")
	u := upstream(t, url)
	for i := range 20 {
		if _, body, err := get(context.Background(), u); err != nil || body != "hi" {
			t.Fatalf("call %d: %q %v", i, body, err)
		}
	}
	if connections.Load() != 20 {
		t.Errorf("%d connections", connections.Load())
	}
}

// A kept connection that the upstream closes just then is replaced too, but a
// body that cannot be sent again is not.
func TestRetry(t *testing.T) {
	t.Parallel()
	url, connections := scripted(t, ok+"Content-Length: 2\r\n\r\nhi", "close")
	u := upstream(t, url)
	for i := range 3 {
		if _, body, err := get(context.Background(), u); err != nil || body != "hi" {
			t.Fatalf("call %d: %q %v", i, body, err)
		}
	}
	if n := connections.Load(); n != 3 {
		t.Errorf("%d connections, want 3", n)
	}
	var failed *Error
	_, err := u.Do(context.Background(), &Request{Method: "POST", Path: "/", BodyReader: strings.NewReader("x"), BodyLength: 1})
	if !errors.As(err, &failed) || failed.Phase != Sent {
		t.Errorf("error %v, want phase Sent", err)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"", ok + "Content-Length: 5\r\n\r\nhi"} {
		url, _ := scripted(t, answer, "")
		u := upstream(t, url)
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(50*time.Millisecond, cancel)
		start := time.Now()
		r, err := u.Do(ctx, &Request{Path: "/"})
		if err == nil {
			_, err = r.ReadAll(nil, 100)
		}
		cancel()
		if answer == "" && !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if err == nil || time.Since(start) > 5*time.Second {
			t.Errorf("error %v after %v", err, time.Since(start))
		}
	}
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	url, _ := scripted(t, "")
	u := upstream(t, url)
	_, err := u.Do(context.Background(), &Request{Path: "/", Timeouts: Timeouts{FirstByte: 50 * time.Millisecond}})
	var failed *Error
	if !errors.As(err, &failed) || !failed.Timeout || failed.Phase != Sent {
		t.Errorf("no head: %v", err)
	}
	// A byte now and then is no sign of life where events are counted.
	s := slowServer(t, 20*time.Millisecond)
	u = upstream(t, s)
	r, err := u.Do(context.Background(), &Request{Path: "/", Events: true, Timeouts: Timeouts{Idle: 200 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if _, err = r.ReadAll(nil, 1<<20); !errors.As(err, &failed) || !failed.Timeout || failed.Phase != Body {
		t.Errorf("slow: %v", err)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("slow: ended after %v", took)
	}
}

// slowServer sends a byte at each interval, for ever.
func slowServer(t testing.TB, d time.Duration) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		for _, err = io.WriteString(c, ok+"\r\n"); err == nil; _, err = c.Write([]byte("x")) {
			time.Sleep(d)
		}
	}()
	return "http://" + l.Addr().String()
}

func TestBodyReader(t *testing.T) {
	t.Parallel()
	u := upstream(t, echoServer(t))
	large := bytes.Repeat(kib, 300)
	for _, length := range []int64{-1, int64(len(large))} {
		r, err := u.Do(context.Background(), &Request{Method: "POST", Path: "/", BodyReader: bytes.NewReader(large), BodyLength: length})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, large) {
			t.Errorf("length %d: %d bytes, %v", length, len(got), err)
		}
	}
	r, err := u.Do(context.Background(), &Request{Method: "POST", Path: "/", Body: large})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.ReadAll(nil, 1<<20); err != nil || !bytes.Equal(got, large) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := u.Do(context.Background(), &Request{Method: "POST", Path: "/", BodyReader: strings.NewReader("short"), BodyLength: 10}); err == nil {
		t.Error("a body shorter than announced was sent")
	}
}

// What could end a line early never leaves.
func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	u := upstream(t, "http://127.0.0.1:1")
	for _, req := range []Request{
		{Path: "/ HTTP/1.1\r\nX: 1"}, {Method: "GET /", Path: "/"},
		{Path: "/", Header: [][2]string{{"X", "a\r\nY: b"}}}, {Path: "/", Header: [][2]string{{"X\n", "a"}}},
		{Path: "/", Header: [][2]string{{"content-length", "1"}}}, {Path: "/", Header: [][2]string{{"Host", "y"}}},
		{Path: "/", ContentType: "a\nb"},
	} {
		if _, err := u.appendRequest(nil, &req); err == nil {
			t.Errorf("%+v was not refused", req)
		}
	}
	for _, url := range []string{"ftp://x", "http://", "http://u:p@x", "http://x?q=1", "http://x#f", "x", "http://x/a b"} {
		if _, err := New(url, Options{Dialer: &net.Dialer{}}); err == nil && url != "http://x/a b" {
			t.Errorf("%q was not refused", url)
		}
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s := newTLSServer(t)
	u, err := New(s.URL, Options{Dialer: &net.Dialer{}, TLS: s.Client().Transport.(*http.Transport).TLSClientConfig})
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	for range 3 {
		r, err := u.Do(context.Background(), &Request{Method: "POST", Path: "/", Body: kib})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Wait(); err != nil {
			t.Fatal(err)
		}
		if got, err := r.ReadAll(nil, 1<<20); err != nil || !bytes.Equal(got, kib) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}
	strange, err := New(s.URL, Options{Dialer: &net.Dialer{}})
	if err != nil {
		t.Fatal(err)
	}
	var failed *Error
	if _, _, err := get(context.Background(), strange); !errors.As(err, &failed) || failed.Phase != Dialing {
		t.Errorf("an unknown certificate: %v", err)
	}
}

func TestCallAllocs(t *testing.T) {
	if raceEnabled {
		return
	}
	u := upstream(t, rawServer(t, requestLength(t), []byte(ok+"Content-Type: application/json\r\nContent-Length: 1024\r\n\r\n"+string(kib))))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	buf := make([]byte, 0, 2048)
	if n := testing.AllocsPerRun(200, func() { post(t, ctx, u, buf) }); n > 8 {
		t.Errorf("%v allocations per call, want at most 8", n)
	}
}

// FuzzResponse holds the parser against the standard library's: it never
// panics, and where both accept an answer they read the same body.
func FuzzResponse(f *testing.F) {
	for _, a := range answers {
		f.Add([]byte(a.in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		near, far := net.Pipe()
		go func() {
			go io.Copy(io.Discard, far)
			far.Write(in)
			far.Close()
		}()
		u, err := New("http://x", Options{Dialer: dialerFunc(func() (net.Conn, error) { return near, nil })})
		if err != nil {
			t.Fatal(err)
		}
		defer u.Close()
		r, body, err := get(context.Background(), u)
		if err != nil || r.dec != nil {
			return
		}
		reader := bufio.NewReader(bytes.NewReader(in))
		want, err := http.ReadResponse(reader, nil)
		for err == nil && want.StatusCode < 200 {
			want, err = http.ReadResponse(reader, nil)
		}
		if err != nil {
			return
		}
		b, err := io.ReadAll(want.Body)
		if err == nil && (string(b) != body || want.StatusCode != r.Status) {
			t.Fatalf("%d %q, want %d %q", r.Status, body, want.StatusCode, b)
		}
	})
}

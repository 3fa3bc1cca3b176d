package hop

import (
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

func upstream(t testing.TB, url string) *Upstream {
	t.Helper()
	u, err := New(url, Options{Dialer: &net.Dialer{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Close)
	return u
}

var kib = bytes.Repeat([]byte("0123456789abcde\n"), 64)

func echoServer(t testing.TB) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.Write(b)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// rawServer answers every request on every connection with the same bytes.
func rawServer(t testing.TB, request int, answer []byte) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b := make([]byte, request)
				for {
					if _, err := io.ReadFull(c, b); err != nil {
						return
					}
					c.Write(answer)
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

func TestEcho(t *testing.T) {
	t.Parallel()
	u := upstream(t, echoServer(t)+"/v1/")
	for range 3 {
		r, err := u.Do(context.Background(), &Request{Method: "POST", Path: "/chat", ContentType: "application/json", Body: kib})
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.ReadAll(nil, 1<<20)
		if err != nil || !bytes.Equal(got, kib) || r.Status != 200 || r.ContentType != "application/json" || r.ContentLength != 1024 {
			t.Fatalf("%d %q %d bytes %v", r.Status, r.ContentType, len(got), err)
		}
	}
	if len(u.idle) != 1 {
		t.Errorf("%d idle connections, want 1", len(u.idle))
	}
}

func BenchmarkWarmPost(b *testing.B) {
	u := upstream(b, rawServer(b, requestLength(b), []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1024\r\n\r\n"+string(kib))))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	buf := make([]byte, 0, 2048)
	b.ReportAllocs()
	for b.Loop() {
		post(b, ctx, u, buf)
	}
}

func post(t testing.TB, ctx context.Context, u *Upstream, buf []byte) {
	r, err := u.Do(ctx, &Request{Method: "POST", Path: "/c", ContentType: "application/json", Body: kib})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadAll(buf, 1<<20); err != nil {
		t.Fatal(err)
	}
}

// requestLength is how many bytes post's request takes on a five-digit port.
func requestLength(t testing.TB) int {
	u := &Upstream{head: []byte(" HTTP/1.1\r\nHost: 127.0.0.1:12345\r\n")}
	head, err := u.appendRequest(nil, &Request{Method: "POST", Path: "/c", ContentType: "application/json", Body: kib})
	if err != nil {
		t.Fatal(err)
	}
	return len(head) + len(kib)
}

func newTLSServer(t testing.TB) *httptest.Server {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(s.Close)
	return s
}

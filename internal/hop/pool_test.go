package hop

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The connection that has rested longest is used next: what a bad upstream
// says unasked has had the most time to arrive on it.
func TestLongestRested(t *testing.T) {
	t.Parallel()
	u := upstream(t, echoServer(t))
	ctx := context.Background()
	const n = 3
	var open []*Response
	for range n {
		r, err := u.Do(ctx, &Request{Path: "/"})
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, r)
	}
	var order []*conn
	for _, r := range open {
		order = append(order, r.c)
		if _, err := r.ReadAll(nil, 1); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 2 * n {
		r, err := u.Do(ctx, &Request{Path: "/"})
		if err != nil {
			t.Fatal(err)
		}
		if r.c != order[i%n] {
			t.Errorf("call %d is not on the connection that rested longest", i)
		}
		r.ReadAll(nil, 1)
	}
}

// A call that was about to begin when its upstream was closed is answered, and
// leaves nothing open.
func TestDoAfterClose(t *testing.T) {
	t.Parallel()
	u := upstream(t, echoServer(t))
	flying, err := u.Do(context.Background(), &Request{Method: "POST", Path: "/", Body: kib})
	if err != nil {
		t.Fatal(err)
	}
	u.Close()
	if b, err := flying.ReadAll(nil, 1<<20); err != nil || len(b) != len(kib) {
		t.Errorf("the call in flight: %d bytes, %v", len(b), err)
	}
	for range 2 {
		r, err := u.Do(context.Background(), &Request{Method: "POST", Path: "/", Body: kib})
		if err != nil {
			t.Fatal(err)
		}
		if b, err := r.ReadAll(nil, 1<<20); err != nil || len(b) != len(kib) {
			t.Errorf("a call after Close: %d bytes, %v", len(b), err)
		}
		if len(u.idle) != 0 {
			t.Error("a closed upstream keeps a connection")
		}
	}
}

// twice answers every fourth request a second time, right behind the answer.
func twice(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var asked atomic.Int64
	serve := func(c net.Conn) {
		defer c.Close()
		for r := bufio.NewReader(c); ; {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			path := req.URL.Path
			answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(path), path)
			io.WriteString(c, answer)
			if asked.Add(1)%4 == 0 {
				io.WriteString(c, answer)
			}
		}
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return "http://" + l.Addr().String()
}

// talk makes n calls from each of 16 callers and counts the answers that were
// meant for somebody else.
func talk(t testing.TB, u *Upstream, n int) (wrong int64) {
	var mixed, failed atomic.Int64
	var all sync.WaitGroup
	for caller := range 16 {
		all.Go(func() {
			for i := range n {
				path := fmt.Sprintf("/%d/%d", caller, i)
				r, err := u.Do(context.Background(), &Request{Path: path})
				if err != nil {
					failed.Add(1)
					continue
				}
				if b, err := r.ReadAll(nil, 1<<10); err != nil {
					failed.Add(1)
				} else if string(b) != path {
					mixed.Add(1)
				}
			}
		})
	}
	all.Wait()
	if n := failed.Load(); n > 0 {
		t.Errorf("%d calls failed", n)
	}
	return mixed.Load()
}

// An upstream that answers twice is found out, and has no connection then on
// which its second answers could reach anybody. A few can go astray before:
// between the look at a connection and its next request nobody looks.
func TestCrossTalkEnds(t *testing.T) {
	t.Parallel()
	u := upstream(t, twice(t))
	early := talk(t, u, 20)
	if n := talk(t, u, 100); n > 0 {
		t.Errorf("%d answers went astray after the upstream was found out (%d before)", n, early)
	}
	if len(u.idle) != 0 {
		t.Error("an upstream that is not trusted keeps connections")
	}
	kept := 0
	for i := range 3 { // one of them may be answered twice again
		u.now = func() time.Time { return time.Now().Add(time.Duration(i+1) * badName) }
		r, err := u.Do(context.Background(), &Request{Path: "/"})
		if err != nil {
			t.Fatal(err)
		}
		r.ReadAll(nil, 1)
		kept += len(u.idle)
	}
	if kept == 0 {
		t.Error("it is never trusted again")
	}
}

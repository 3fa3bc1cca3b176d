package relay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script is a source that says what it is told to.
type script struct {
	life   *Life
	blocks chan string // closed is a good end
	fail   chan error
	closed atomic.Int32
	ended  chan struct{}
}

func newScript() *script {
	return &script{blocks: make(chan string), fail: make(chan error, 1), ended: make(chan struct{})}
}

func (s *script) Next() ([]byte, error) {
	select {
	case b, ok := <-s.blocks:
		if !ok {
			return nil, io.EOF
		}
		return []byte(b), nil
	case err := <-s.fail:
		return nil, err
	case <-s.life.Done():
		return nil, context.Cause(s.life)
	}
}

func (s *script) Close() error {
	if s.closed.Add(1) == 1 {
		close(s.ended)
	}
	return nil
}

// patient is a script that can be interrupted before its first word.
type patient struct {
	*script
	next []byte
	err  error
}

func (p *patient) WaitUntil(limit time.Time) (bool, error) {
	if p.next != nil || p.err != nil {
		return true, nil
	}
	timer := time.NewTimer(time.Until(limit))
	defer timer.Stop()
	select {
	case b, ok := <-p.blocks:
		if p.next = []byte(b); !ok {
			p.err = io.EOF
		}
	case p.err = <-p.fail:
	case <-p.life.Done():
		p.err = context.Cause(p.life)
	case <-timer.C:
		return false, nil
	}
	return true, nil
}

func (p *patient) Next() ([]byte, error) {
	if p.next == nil && p.err == nil {
		return p.script.Next()
	}
	b := p.next
	p.next = nil
	return b, p.err
}

type server struct {
	*Listener
	http    *http.Server
	sources chan *script // given to the handler
	done    chan error   // what Done was told
	asked   atomic.Int32
}

func serve(t testing.TB, opt Options, wait bool) *server {
	t.Helper()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Listener: NewListener(tcp), sources: make(chan *script, 1), done: make(chan error, 1<<12)}
	s.http = &http.Server{ConnContext: s.ConnContext, ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		if r.URL.Path == "/plain" {
			fmt.Fprint(w, "plain")
			return
		}
		io.Copy(io.Discard, r.Body)
		life, cancel := Context(r)
		defer cancel()
		src := <-s.sources
		src.life = life
		o := opt
		o.Life = life
		o.Done = func(end End) { s.done <- end.Err }
		o.Error = func(err error) []byte { return []byte("data: {\"error\":\"" + err.Error() + "\"}\n\n") }
		var source Source = src
		if wait {
			source = &patient{script: src}
		}
		if err := Send(w, r, Head{ContentType: "text/event-stream", Header: [][2]string{{"X-Test", "1"}}}, source, o); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
		}
	})}
	go s.http.Serve(s)
	t.Cleanup(func() { s.http.Close(); s.Close() })
	return s
}

type caller struct {
	net.Conn
	r *bufio.Reader
}

func (s *server) dial(t testing.TB) *caller {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &caller{c, bufio.NewReader(c)}
}

func (c *caller) ask(t testing.TB, path, extra string) {
	t.Helper()
	if _, err := fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n%s\r\nhi", path, extra); err != nil {
		t.Fatal(err)
	}
}

func (c *caller) answer(t testing.TB) *http.Response {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func body(t testing.TB, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// parked waits until n streams are parked.
func (s *server) parked(t testing.TB, n int) {
	t.Helper()
	for start := time.Now(); s.Parked() != n; time.Sleep(time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatalf("%d streams parked, want %d", s.Parked(), n)
		}
	}
}

// A stream says the same whether it stays, is parked after its first block or
// before it, and its connection answers the next request.
func TestSameBytesAndKeepAlive(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		opt  Options
		wait bool
	}{
		{"stays", Options{ParkAfter: -1}, false},
		{"parked after a block", Options{ParkAfter: time.Nanosecond}, false},
		{"parked before a word", Options{ParkAfter: time.Millisecond}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, c.opt, c.wait)
			caller := s.dial(t)
			large := strings.Repeat("x", 40<<10)
			for range 3 {
				src := newScript()
				s.sources <- src
				caller.ask(t, "/", "")
				go func() {
					if c.wait {
						s.parked(t, 1)
					}
					for _, b := range []string{"data: 1\n\n", "data: 2\n\n", "data: " + large + "\n\n", "data: [DONE]\n\n"} {
						src.blocks <- b
					}
					close(src.blocks)
				}()
				resp := caller.answer(t)
				if got := body(t, resp); got != "data: 1\n\ndata: 2\n\ndata: "+large+"\n\ndata: [DONE]\n\n" {
					t.Fatalf("got %d bytes", len(got))
				}
				if h := resp.Header; h.Get("X-Accel-Buffering") != "no" || h.Get("Cache-Control") != "no-cache" || h.Get("X-Test") != "1" || h.Get("Content-Type") != "text/event-stream; charset=utf-8" {
					t.Errorf("head %v", h)
				}
				if err := <-s.done; err != nil || src.closed.Load() != 1 {
					t.Errorf("done: %v, closed %d times", err, src.closed.Load())
				}
				caller.ask(t, "/plain", "")
				if got := body(t, caller.answer(t)); got != "plain" {
					t.Fatalf("the next answer is %q", got)
				}
			}
			if s.Parked() != 0 {
				t.Errorf("%d streams still parked", s.Parked())
			}
		})
	}
}

// What a client sends while its stream is parked is answered afterwards.
func TestPipelined(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{ParkAfter: time.Nanosecond}, false)
	src := newScript()
	s.sources <- src
	c := s.dial(t)
	c.ask(t, "/", "")
	src.blocks <- "data: 1\n\n"
	s.parked(t, 1)
	c.ask(t, "/plain", "")
	src.blocks <- "data: 2\n\n"
	close(src.blocks)
	if got := body(t, c.answer(t)); got != "data: 1\n\ndata: 2\n\n" {
		t.Errorf("got %q", got)
	}
	if got := body(t, c.answer(t)); got != "plain" {
		t.Errorf("got %q", got)
	}
}

func TestNoKeepAlive(t *testing.T) {
	t.Parallel()
	for _, request := range []string{
		"GET / HTTP/1.0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
	} {
		s := serve(t, Options{ParkAfter: time.Nanosecond}, false)
		src := newScript()
		s.sources <- src
		c := s.dial(t)
		io.WriteString(c, request)
		src.blocks <- "data: 1\n\n"
		s.parked(t, 1)
		src.blocks <- "data: 2\n\n"
		close(src.blocks)
		resp := c.answer(t)
		if got := body(t, resp); got != "data: 1\n\ndata: 2\n\n" {
			t.Errorf("%q: got %q", request, got)
		}
		if _, err := c.r.ReadByte(); err != io.EOF {
			t.Errorf("%q: the connection stays open: %v", request, err)
		}
	}
}

func TestUpstreamFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	s := serve(t, Options{ParkAfter: -1}, false)
	c := s.dial(t)
	src := newScript()
	s.sources <- src
	src.fail <- broken
	c.ask(t, "/", "")
	resp := c.answer(t)
	if body(t, resp); resp.StatusCode != http.StatusBadGateway {
		t.Errorf("before the first block: status %d", resp.StatusCode)
	}
	if err := <-s.done; err != broken {
		t.Errorf("done: %v", err)
	}
	for _, park := range []time.Duration{-1, time.Nanosecond} {
		s := serve(t, Options{ParkAfter: park}, false)
		c := s.dial(t)
		src := newScript()
		s.sources <- src
		c.ask(t, "/", "")
		src.blocks <- "data: 1\n\n"
		src.fail <- broken
		if got := body(t, c.answer(t)); got != "data: 1\n\ndata: {\"error\":\"broken\"}\n\ndata: [DONE]\n\n" {
			t.Errorf("park %v: got %q", park, got)
		}
		if err := <-s.done; err != broken {
			t.Errorf("done: %v", err)
		}
	}
}

// A client that leaves ends the upstream's call, parked or not: within 50 ms
// in 99 of 100 cases.
func TestClientLeaves(t *testing.T) {
	for _, c := range []struct {
		name string
		park time.Duration
	}{{"in net/http", -1}, {"parked", time.Nanosecond}} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, Options{ParkAfter: c.park}, false)
			var took []time.Duration
			for range 300 {
				src := newScript()
				s.sources <- src
				conn := s.dial(t)
				conn.ask(t, "/", "")
				src.blocks <- "data: 1\n\n"
				if c.park > 0 {
					s.parked(t, 1)
				} else {
					conn.answer(t)
				}
				start := time.Now()
				conn.Close()
				<-src.ended
				took = append(took, time.Since(start))
				if err := <-s.done; !errors.Is(err, ErrClientGone) {
					t.Fatalf("done: %v", err)
				}
				if c.park > 0 {
					s.parked(t, 0)
				}
			}
			slices.Sort(took)
			t.Logf("median %v, p99 %v", took[150], took[296])
			if took[296] > 50*time.Millisecond {
				t.Errorf("p99 is %v, want at most 50 ms", took[296])
			}
		})
	}
}

// A client that stops reading is let go at the write deadline.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	for _, park := range []time.Duration{-1, time.Nanosecond} {
		s := serve(t, Options{ParkAfter: park, WriteTimeout: 200 * time.Millisecond}, false)
		src := newScript()
		s.sources <- src
		c := s.dial(t)
		c.ask(t, "/", "")
		block := "data: " + strings.Repeat("x", 256<<10) + "\n\n"
	sending:
		for {
			select {
			case src.blocks <- block:
			case <-src.ended:
				break sending
			case <-time.After(20 * time.Second):
				t.Fatal("the client was not let go")
			}
		}
		if err := <-s.done; !errors.Is(err, ErrClientGone) {
			t.Errorf("done: %v", err)
		}
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{ParkAfter: time.Nanosecond}, false)
	var srcs []*script
	var callers []*caller
	for range 2 {
		src, c := newScript(), s.dial(t)
		s.sources <- src
		c.ask(t, "/", "")
		src.blocks <- "data: 1\n\n"
		srcs, callers = append(srcs, src), append(callers, c)
	}
	s.parked(t, 2)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	close(srcs[0].blocks)
	s.parked(t, 1)
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if err := s.Drain(short); err != context.DeadlineExceeded {
		t.Errorf("drain: %v", err)
	}
	if got := body(t, callers[0].answer(t)); got != "data: 1\n\n" {
		t.Errorf("the one that ended in time: %q", got)
	}
	if got := body(t, callers[1].answer(t)); !strings.Contains(got, "shutting down") || !strings.HasSuffix(got, "data: [DONE]\n\n") {
		t.Errorf("the one that was ended: %q", got)
	}
	if err := s.Drain(ctx); err != nil {
		t.Errorf("drain of nothing: %v", err)
	}
}

// Many streams, some of whose clients leave, leave nothing behind.
func TestChurn(t *testing.T) {
	s := serve(t, Options{ParkAfter: time.Nanosecond}, false)
	before := runtime.NumGoroutine()
	files := openFiles()
	const n = 1000
	var group sync.WaitGroup
	var handing sync.Mutex
	for i := range n {
		group.Go(func() {
			src := newScript()
			c, err := net.Dial("tcp", s.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			handing.Lock()
			s.sources <- src
			handing.Unlock()
			fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			// Which source goes to which connection is left to chance: each is
			// ended by its own goroutine or by the client that got it.
			for range i % 4 {
				select {
				case src.blocks <- "data: 1\n\n":
				case <-src.ended:
					return
				case <-time.After(10 * time.Second):
					t.Error("nobody takes a block")
					return
				}
			}
			if i%3 > 0 {
				close(src.blocks)
				<-src.ended
			}
		})
	}
	group.Wait()
	for range n {
		<-s.done
	}
	for start := time.Now(); s.Parked() > 0 || runtime.NumGoroutine() > before+8 || openFiles() > files+8; time.Sleep(5 * time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatalf("%d parked, %d goroutines (%d before), %d files (%d before)", s.Parked(), runtime.NumGoroutine(), before, openFiles(), files)
		}
	}
}

func openFiles() int {
	list, _ := os.ReadDir("/proc/self/fd")
	return len(list)
}

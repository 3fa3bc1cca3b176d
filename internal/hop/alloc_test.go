package hop

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
)

// Waiting for a chunk and reading it costs no allocation.
func TestChunkAllocs(t *testing.T) {
	if raceEnabled {
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	next := make(chan struct{})
	defer close(next)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
			return
		}
		io.WriteString(c, ok+"Transfer-Encoding: chunked\r\n\r\n")
		chunk := []byte("5\r\nhello\r\n")
		for range next {
			c.Write(chunk)
		}
	}()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r, err := upstream(t, "http://"+l.Addr().String()).Do(ctx, &Request{Path: "/", Events: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n := testing.AllocsPerRun(100, func() {
		next <- struct{}{}
		if err := r.Wait(); err != nil {
			t.Fatal(err)
		}
		if b, err := r.Next(); err != nil || string(b) != "hello" {
			t.Fatalf("%q %v", b, err)
		}
		r.Progress()
	}); n != 0 {
		t.Errorf("%v allocations per chunk, want 0", n)
	}
}

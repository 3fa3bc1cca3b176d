package ollama

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"portico/internal/provider"
)

// tap is an upstream whose next piece the test itself sends, so that nothing
// else allocates meanwhile.
func tap(t *testing.T) (c *Client, conn func() net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
			t.Error(err)
		}
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n")
		accepted <- conn
	}()
	t.Cleanup(func() { _ = l.Close() })
	return connect(t, provider.Connection{Kind: provider.Ollama, BaseURL: "http://" + l.Addr().String()}), func() net.Conn {
		conn := <-accepted
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
}

// A piece of an answer costs nothing between the socket and the relay.
func TestPieceAllocatesNothing(t *testing.T) {
	line := say(" the")
	piece := []byte(fmt.Sprintf("%x\r\n%s\r\n", len(line), line))
	for _, name := range []string{"converted", "passed on"} {
		c, conn := tap(t)
		var reply *provider.Reply
		var err error
		if name == "converted" {
			reply, err = c.Chat(ctx(t), chat(t, hello, true))
		} else {
			reply, err = c.Forward(ctx(t), &provider.ForwardRequest{Method: "POST", Path: "/api/chat", Body: []byte(hello)})
		}
		if err != nil {
			t.Fatal(err)
		}
		upstream := conn()
		patient := reply.Stream.(interface {
			WaitUntil(time.Time) (bool, error)
		})
		n := testing.AllocsPerRun(200, func() {
			if _, err := upstream.Write(piece); err != nil {
				t.Fatal(err)
			}
			if ready, err := patient.WaitUntil(time.Time{}); !ready || err != nil {
				t.Fatal(ready, err)
			}
			if block, err := reply.Stream.Next(); err != nil || len(block) < len(line) {
				t.Fatal(len(block), err)
			}
		})
		if n != 0 && !raceEnabled {
			t.Errorf("%s: %v allocations for a piece", name, n)
		}
		_ = reply.Stream.Close()
	}
}

package chat

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"portico/internal/hop"
	"portico/internal/provider"
	"portico/internal/provider/openai"
	"portico/internal/usage"
)

// sink is a ResponseWriter that keeps nothing.
type sink struct {
	h http.Header
	n int
}

func (s *sink) Header() http.Header         { return s.h }
func (s *sink) WriteHeader(int)             {}
func (s *sink) Flush()                      {}
func (s *sink) Write(b []byte) (int, error) { s.n += len(b); return len(b), nil }

// body is a request's body that can be read again.
type body struct{ strings.Reader }

func (*body) Close() error { return nil }

// parrot answers everything on a connection with the same bytes and allocates
// nothing for it. Requests end in a brace.
func parrot(tb testing.TB, answer string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf, out := make([]byte, 64<<10), []byte(answer)
				for got := 0; ; {
					n, err := c.Read(buf[got:])
					if err != nil {
						return
					}
					if got += n; buf[got-1] == '}' {
						got = 0
						c.Write(out)
					}
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// TestWarmPathAllocations gates the figure: everything between net/http's
// handler call and its ResponseWriter, the call upstream included.
func TestWarmPathAllocations(t *testing.T) {
	s, r, again := warm(t, `{"model":"m","messages":[{"role":"user","content":"`+strings.Repeat("x", 1000)+`"}]}`)
	w := &sink{h: http.Header{}}
	n := testing.AllocsPerRun(200, func() {
		again()
		if err := s.Complete(w, r, Call{Who: somebody}); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("%v allocations for a whole answer", n)
	if !raceEnabled && n > 12 {
		t.Errorf("%v allocations, 12 are allowed", n)
	}
}

// warm makes a service over a parrot, and a request that can be sent again.
func warm(tb testing.TB, text string) (*Service, *http.Request, func()) {
	answer := `{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"` + strings.Repeat("y", 900) + `"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`
	head := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
	url := parrot(tb, head+strconv.Itoa(len(answer))+"\r\n\r\n"+answer)
	up, err := hop.New(url, hop.Options{Dialer: &net.Dialer{}})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(up.Close)
	conn := &provider.Connection{Kind: provider.OpenAI, BaseURL: url, Key: "k"}
	s := New(models{"m": target("m", openai.New(conn, up, openai.Options{}))}, usage.New(), Config{})
	b := &body{}
	ctx, cancel := context.WithCancel(context.Background()) // as net/http's can end, so must this
	tb.Cleanup(cancel)
	r := httptest.NewRequest(http.MethodPost, "/", nil).WithContext(ctx)
	r.Body, r.ContentLength = b, int64(len(text))
	return s, r, func() { b.Reset(text) }
}

// TestChunkAllocations: what a stream costs does not grow with its chunks.
func TestChunkAllocations(t *testing.T) {
	cost := func(chunks int) float64 {
		f := streaming(chunks, io.EOF)
		s := New(models{"m": target("m", f)}, usage.New(), Config{})
		b := &body{}
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Body, r.ContentLength = b, int64(len(helloStream))
		w := &sink{h: http.Header{}}
		made := f.chat
		reply, _ := made(nil)
		stream := reply.Stream.(*script)
		f.chat = func(*provider.ChatRequest) (*provider.Reply, error) {
			stream.i = 0
			return reply, nil
		}
		return testing.AllocsPerRun(20, func() {
			b.Reset(helloStream)
			if err := s.Complete(w, r, Call{Who: somebody}); err != nil {
				t.Fatal(err)
			}
		})
	}
	few, many := cost(10), cost(1010)
	t.Logf("%v allocations for a stream", few)
	if !raceEnabled && many-few > 1 {
		t.Errorf("1,000 chunks more cost %v allocations", many-few)
	}
}

func BenchmarkComplete(b *testing.B) {
	s, r, again := warm(b, `{"model":"m","messages":[{"role":"user","content":"`+strings.Repeat("x", 1000)+`"}]}`)
	w := &sink{h: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		again()
		if err := s.Complete(w, r, Call{Who: somebody}); err != nil {
			b.Fatal(err)
		}
	}
}

package providertest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"portico/internal/errdefs"
	"portico/internal/hop"
	"portico/internal/provider"
	"portico/internal/rawjson"
)

// Canary is the key that Connection has: it must never be seen in an error.
const Canary = "sk-canary-0123456789"

// Dialect is what the suite has to know of the upstreams of a provider.
type Dialect struct {
	// Open makes the provider of a connection.
	Open func(t *testing.T, c *provider.Connection, up *hop.Upstream) provider.Provider
	Kind provider.Kind
	// Models is the body of a list that holds the models "a" and "b".
	Models string
	// Whole is the body of an answer "Hello!" that is not streamed, which cost
	// 5 tokens and 2 more.
	Whole string
	// Events are the pieces of the same answer as a stream, the last one its end.
	Events []string
	// ContentType is that of a stream.
	ContentType string
}

// Run holds a provider to what the rest of the server relies on.
func (d Dialect) Run(t *testing.T) {
	t.Run("models", d.models)
	t.Run("whole", d.whole)
	t.Run("stream", d.stream)
	t.Run("cut anywhere", d.cutAnywhere)
	t.Run("refusals", d.refusals)
	t.Run("no connection", d.noConnection)
	t.Run("no answer", d.noAnswer)
	t.Run("broken off", d.brokenOff)
	t.Run("cancelled", d.cancelled)
	t.Run("closed", d.closed)
}

// open connects the provider to an upstream.
func (d Dialect) open(t *testing.T, url string) provider.Provider {
	t.Helper()
	c := &provider.Connection{Kind: d.Kind, BaseURL: url, Key: Canary}
	up, err := hop.New(url, hop.Options{Dialer: &net.Dialer{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(up.Close)
	return d.Open(t, c, up)
}

// Chat makes a request.
func Chat(t testing.TB, body string, stream bool) *provider.ChatRequest {
	t.Helper()
	doc := new(rawjson.Doc)
	if err := doc.Parse([]byte(body), rawjson.Limits{}); err != nil {
		t.Fatal(err)
	}
	model, _ := doc.String("model")
	return &provider.ChatRequest{Doc: doc, Model: model, Requested: model, Stream: stream}
}

func hello(t testing.TB, stream bool) *provider.ChatRequest {
	body := `{"model":"a","messages":[{"role":"user","content":"hi"}]}`
	if stream {
		body = `{"model":"a","stream":true,"messages":[{"role":"user","content":"hi"}]}`
	}
	return Chat(t, body, stream)
}

// Drain reads a stream to its end.
func Drain(s provider.Stream) (string, error) {
	var b strings.Builder
	for {
		block, err := s.Next()
		b.Write(block)
		if errors.Is(err, io.EOF) {
			return b.String(), nil
		}
		if err != nil {
			return b.String(), err
		}
	}
}

// Text puts together what the events of a stream say.
func Text(t testing.TB, events string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(events) {
		data, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "data: ")
		if !ok || data == "[DONE]" {
			continue
		}
		rawjson.Elements(rawjson.Lookup([]byte(data), "choices"), func(choice []byte) {
			text, _ := rawjson.Unquote(rawjson.Lookup(rawjson.Lookup(choice, "delta"), "content"))
			b.WriteString(text)
		})
	}
	return b.String()
}

func (d Dialect) models(t *testing.T) {
	t.Parallel()
	u := New(t, func(c *Conn, r *Request) {
		if r.Method == http.MethodGet && !strings.HasSuffix(r.Path, "/api/ps") {
			c.JSON(200, d.Models)
			return
		}
		c.JSON(404, `{"error":"not found"}`)
	})
	list, err := d.open(t, u.URL).Models(t.Context())
	if err != nil || len(list) != 2 || list[0].ID != "a" || list[1].ID != "b" || !rawjson.IsObject(list[0].Raw) {
		t.Errorf("%+v, %v", list, err)
	}
	for _, body := range []string{"<html>", `{}`, ``, `{"data":`, `null`} {
		u.Say(func(c *Conn, _ *Request) { c.JSON(200, body) })
		if list, err := d.open(t, u.URL).Models(t.Context()); err == nil && len(list) > 0 {
			t.Errorf("%q gave %v", body, list)
		}
	}
}

func (d Dialect) whole(t *testing.T) {
	t.Parallel()
	u := New(t, func(c *Conn, _ *Request) { c.JSON(200, d.Whole) })
	p := d.open(t, u.URL)
	for range 3 {
		reply, err := p.Chat(t.Context(), hello(t, false))
		if err != nil {
			t.Fatal(err)
		}
		if reply.Status != 200 || reply.Stream != nil || reply.ContentType != "application/json" {
			t.Errorf("%+v", reply)
		}
		if reply.Usage != (provider.Usage{Prompt: 5, Completion: 2}) {
			t.Errorf("usage %+v", reply.Usage)
		}
		said := ""
		rawjson.Elements(rawjson.Lookup(reply.Body, "choices"), func(choice []byte) {
			said, _ = rawjson.Unquote(rawjson.Lookup(rawjson.Lookup(choice, "message"), "content"))
		})
		if said != "Hello!" {
			t.Errorf("%s", reply.Body)
		}
		if reply.Release != nil {
			reply.Release()
		}
	}
	if n := u.Connections.Load(); n != 1 {
		t.Errorf("%d connections for three calls", n)
	}
}

// play answers with a stream cut into pieces.
func (d Dialect) play(pieces []string) Script {
	return func(c *Conn, _ *Request) {
		if !c.Stream(d.ContentType) {
			return
		}
		for _, p := range pieces {
			if p != "" && !c.Chunk(p) {
				return
			}
		}
		c.End()
	}
}

func (d Dialect) stream(t *testing.T) {
	t.Parallel()
	u := New(t, d.play(d.Events))
	p := d.open(t, u.URL)
	for range 3 {
		reply, err := p.Chat(t.Context(), hello(t, true))
		if err != nil {
			t.Fatal(err)
		}
		out, err := Drain(reply.Stream)
		if err != nil || Text(t, out) != "Hello!" {
			t.Errorf("%q, %v", out, err)
		}
		if !strings.HasSuffix(out, "data: [DONE]\n\n") || strings.Count(out, "[DONE]") != 1 {
			t.Errorf("the end is missing: %q", out)
		}
		if usage := reply.Stream.Usage(); usage != (provider.Usage{Prompt: 5, Completion: 2}) {
			t.Errorf("usage %+v", usage)
		}
		reply.Stream.Close()
	}
	if n := u.Connections.Load(); n != 1 {
		t.Errorf("%d connections for three calls", n)
	}
}

func (d Dialect) cutAnywhere(t *testing.T) {
	t.Parallel()
	all := strings.Join(d.Events, "")
	u := New(t, d.play([]string{all}))
	p := d.open(t, u.URL)
	for at := range len(all) {
		u.Say(d.play([]string{all[:at], all[at:]}))
		reply, err := p.Chat(t.Context(), hello(t, true))
		if err != nil {
			t.Fatal(err)
		}
		out, err := Drain(reply.Stream)
		if err != nil || Text(t, out) != "Hello!" {
			t.Fatalf("cut at %d: %q, %v", at, out, err)
		}
		reply.Stream.Close()
	}
}

// refusals: the statuses that matter, and that nothing secret is told.
func (d Dialect) refusals(t *testing.T) {
	t.Parallel()
	u := New(t, nil)
	p := d.open(t, u.URL)
	object := `{"error":"the key ` + Canary + ` at ` + u.URL + ` is bad"}`
	for _, tt := range []struct {
		status, want int
		body         string
		header       string
	}{
		{400, 400, object, ""},
		{401, 502, object, ""},
		{403, 502, object, ""},
		{404, 404, object, ""},
		{429, 429, object, "Retry-After: 7"},
		{500, 500, object, ""},
		{500, 500, "<html>" + strings.Repeat("x", 200<<10), ""},
		{503, 503, "", "Retry-After: 99999999"},
		{302, 502, "", "Location: http://127.0.0.1:1/"},
	} {
		u.Say(func(c *Conn, _ *Request) {
			if tt.header != "" {
				c.JSON(tt.status, tt.body, tt.header)
				return
			}
			c.JSON(tt.status, tt.body)
		})
		for _, stream := range []bool{false, true} {
			_, err := p.Chat(t.Context(), hello(t, stream))
			e := errdefs.From(err)
			if e.HTTPStatus() != tt.want {
				t.Errorf("%d became %d: %v", tt.status, e.HTTPStatus(), err)
			}
			told := e.Detail
			if e.Verbatim != nil {
				told += string(e.Verbatim.Body)
			}
			if strings.Contains(told, Canary) || strings.Contains(told, u.Addr()) {
				t.Errorf("%d tells %s", tt.status, told)
			}
			if tt.status == 429 && e.RetryAfter != 7*time.Second {
				t.Errorf("429 asks to wait %v", e.RetryAfter)
			}
			if provider.MayRetry(err) {
				t.Errorf("%d was an answer: no other backend may be asked", tt.status)
			}
		}
	}
}

func (d Dialect) noConnection(t *testing.T) {
	t.Parallel()
	u := New(t, nil)
	u.Close()
	_, err := d.open(t, u.URL).Chat(t.Context(), hello(t, false))
	if e := errdefs.From(err); e.HTTPStatus() != 500 || !provider.MayRetry(err) || strings.Contains(e.Detail, u.Addr()) {
		t.Errorf("%d %v", e.HTTPStatus(), err)
	}
}

func (d Dialect) noAnswer(t *testing.T) {
	t.Parallel()
	u := New(t, func(c *Conn, _ *Request) { c.Reset() })
	_, err := d.open(t, u.URL).Chat(t.Context(), hello(t, false))
	if e := errdefs.From(err); e.HTTPStatus() != 502 || !provider.MayRetry(err) {
		t.Errorf("%d %v", e.HTTPStatus(), err)
	}
}

func (d Dialect) brokenOff(t *testing.T) {
	t.Parallel()
	u := New(t, nil)
	p := d.open(t, u.URL)
	ends := map[string]func(c *Conn){
		"reset":       func(c *Conn) { c.Reset() },
		"closed":      func(c *Conn) { c.Close() },
		"without end": func(c *Conn) { c.End() },
	}
	for name, end := range ends {
		u.Say(func(c *Conn, _ *Request) {
			c.Stream(d.ContentType)
			c.Chunk(d.Events[0])
			time.Sleep(20 * time.Millisecond) // what is sent before a reset may be lost
			end(c)
		})
		reply, err := p.Chat(t.Context(), hello(t, true))
		if err != nil {
			t.Fatal(name, err)
		}
		if out, err := Drain(reply.Stream); err == nil || errdefs.From(err).HTTPStatus() != 502 || provider.MayRetry(err) {
			t.Errorf("%s: %q, %v", name, out, err)
		}
		reply.Stream.Close()
	}
	u.Say(func(c *Conn, _ *Request) {
		c.Send(Head(200, "Content-Type: application/json", "Content-Length: 9999") + d.Whole)
		c.Close()
	})
	if _, err := p.Chat(t.Context(), hello(t, false)); errdefs.From(err).HTTPStatus() != 502 {
		t.Errorf("a whole answer that is not whole: %v", err)
	}
}

func (d Dialect) cancelled(t *testing.T) {
	t.Parallel()
	waiting := make(chan struct{}, 1)
	u := New(t, func(c *Conn, _ *Request) {
		waiting <- struct{}{}
		c.Gone(5 * time.Second)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-waiting
		cancel()
	}()
	if _, err := d.open(t, u.URL).Chat(ctx, hello(t, false)); err == nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	awaitCancelled(t, u, 1)
}

func (d Dialect) closed(t *testing.T) {
	t.Parallel()
	u := New(t, func(c *Conn, _ *Request) {
		c.Stream(d.ContentType)
		c.Chunk(d.Events[0])
		c.Gone(5 * time.Second)
	})
	reply, err := d.open(t, u.URL).Chat(t.Context(), hello(t, true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reply.Stream.Next(); err != nil {
		t.Error(err)
	}
	reply.Stream.Close()
	reply.Stream.Close() // is harmless
	awaitCancelled(t, u, 1)
}

func awaitCancelled(t *testing.T, u *Upstream, n int64) {
	t.Helper()
	for range 500 {
		if u.Cancelled.Load() >= n {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("the upstream saw %d of %d calls end", u.Cancelled.Load(), n)
}

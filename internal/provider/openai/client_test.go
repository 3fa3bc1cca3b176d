package openai

import (
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"portico/internal/errdefs"
	"portico/internal/hop"
	"portico/internal/provider"
	"portico/internal/provider/providertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func event(delta, finish string) string {
	return `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"a","choices":[{"index":0,"delta":` + delta + `,"finish_reason":` + finish + `}]}` + "\n\n"
}

var dialect = providertest.Dialect{
	Open: func(_ *testing.T, c *provider.Connection, up *hop.Upstream) provider.Provider {
		return New(c, up, Options{})
	},
	Kind:   provider.OpenAI,
	Models: `{"object":"list","data":[{"id":"a","object":"model"},{"object":"model"},{"id":""},{"id":"b"}]}`,
	Whole:  `{"id":"c1","object":"chat.completion","created":1,"model":"a","choices":[{"index":0,"message":{"role":"assistant","content":"Hello!"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}`,
	Events: []string{
		event(`{"role":"assistant","content":""}`, "null"),
		event(`{"content":"Hel"}`, "null") + event(`{"content":"lo!"}`, "null"),
		event(`{}`, `"stop"`),
		`data: {"id":"c1","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}` + "\n\n",
		"data: [DONE]\n\n",
	},
	ContentType: "text/event-stream; charset=utf-8",
}

func TestProvider(t *testing.T) {
	t.Parallel()
	dialect.Run(t)
}

// open connects a Client to an upstream.
func open(t testing.TB, c provider.Connection, opt Options, script providertest.Script) (*Client, *providertest.Upstream) {
	t.Helper()
	u := providertest.New(t, script)
	if c.BaseURL == "" {
		c.BaseURL = u.URL + "/v1"
	}
	up, err := hop.New(u.URL+"/v1", hop.Options{Dialer: &net.Dialer{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(up.Close)
	return New(&c, up, opt), u
}

func whole(c *providertest.Conn, _ *providertest.Request) { c.JSON(200, dialect.Whole) }

func TestHeaders(t *testing.T) {
	t.Parallel()
	who := provider.Caller{ID: "u1", Name: "Zoë\r\nX-Evil: 1", Email: "z@example.com", Role: "user"}
	config := provider.ConnectionConfig{Headers: map[string]string{
		"X-Who": "{{USER_ID}} {{USER_NAME}}", "X-Fixed": "a\r\nX-Evil: 2", "Bad Name": "x", "Host": "evil", "Cookie": "x", "Content-Length": "1",
	}}
	c, u := open(t, provider.Connection{Key: "k\r\nX-Evil: 3", Config: config}, Options{ForwardUser: true}, whole)
	req := providertest.Chat(t, `{"model":"a","messages":[]}`, false)
	req.Caller = who
	reply, err := c.Chat(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	reply.Release()
	got := u.Last().Header
	for name, want := range map[string]string{
		"Authorization": "Bearer kX-Evil: 3", "X-Who": "u1 Zo%C3%ABX-Evil: 1", "X-Fixed": "aX-Evil: 2", "X-Evil": "", "Cookie": "",
		"X-Openwebui-User-Name": "Zo%C3%ABX-Evil: 1", "X-Openwebui-User-Id": "u1", "X-Openwebui-User-Email": "z@example.com", "X-Openwebui-User-Role": "user",
		"Content-Type": "application/json",
	} {
		if got.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Get(name), want)
		}
	}
	if got.Get("Host") == "evil" || u.Last().Path != "/v1/chat/completions" {
		t.Errorf("%v %s", got, u.Last().Path)
	}
	for auth, want := range map[string]string{"": "Bearer k", "bearer": "Bearer k", "none": "", "session": ""} {
		c, u := open(t, provider.Connection{Key: "k", Config: provider.ConnectionConfig{AuthType: auth}}, Options{}, whole)
		reply, err := c.Chat(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		reply.Release()
		if got := u.Last().Header.Get("Authorization"); got != want {
			t.Errorf("auth_type %q: %q", auth, got)
		}
		if got := u.Last().Header.Get("X-Openwebui-User-Id"); got != "" {
			t.Errorf("nobody asked to tell who asks, yet %q", got)
		}
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	c, u := open(t, provider.Connection{}, Options{MaxAnswer: 1 << 20}, nil)
	for _, tt := range []struct {
		name   string
		stream bool
		head   string
		body   string
		status int // 0 is a plain answer
	}{
		{"json to a stream", true, "application/json", dialect.Whole, 0},
		{"json as text", false, "text/plain", dialect.Whole, 0},
		{"html", false, "text/html", "<html>hi</html>", 502},
		{"html to a stream", true, "text/html", "<html>hi</html>", 502},
		{"a stream unasked", false, "text/event-stream", "data: {}\n\n", 502},
		{"null", false, "application/json", "null", 502},
		{"nothing", false, "application/json", "", 502},
		{"nothing to a stream", true, "text/event-stream", "", 502},
		{"torn", false, "application/json", `{"choices":[`, 502},
		{"too large", false, "application/json", `{"a":"` + strings.Repeat("x", 1<<20) + `"}`, 502},
	} {
		u.Say(func(c *providertest.Conn, _ *providertest.Request) {
			c.Send(providertest.Head(200, "Content-Type: "+tt.head, "Connection: close") + tt.body)
			c.Close()
		})
		reply, err := c.Chat(t.Context(), providertest.Chat(t, `{"model":"a","messages":[]}`, tt.stream))
		if err == nil && reply.Stream != nil {
			_, err = providertest.Drain(reply.Stream)
			reply.Stream.Close()
		} else if err == nil {
			if string(reply.Body) != tt.body || reply.Usage.Prompt != 5 {
				t.Errorf("%s: %s", tt.name, reply.Body)
			}
			reply.Release()
		}
		if (err == nil) != (tt.status == 0) || err != nil && errdefs.From(err).HTTPStatus() != tt.status {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestErrorWithin200: a failure that is told as if it were an answer tells no
// secret either.
func TestErrorWithin200(t *testing.T) {
	t.Parallel()
	const key = "sk-canary-4711"
	told := `{"error":{"message":"bad key ` + key + `"}}`
	c, u := open(t, provider.Connection{Key: key}, Options{}, nil)
	u.Say(func(c *providertest.Conn, _ *providertest.Request) { c.JSON(200, told) })
	reply, err := c.Chat(t.Context(), providertest.Chat(t, `{"model":"a"}`, false))
	if err != nil || strings.Contains(string(reply.Body), key) {
		t.Errorf("%s %v", reply.Body, err)
	}
	reply.Release()
	u.Say(func(c *providertest.Conn, _ *providertest.Request) {
		c.Stream("text/event-stream")
		c.Chunk(event(`{"content":"x"}`, "null"))
		c.Chunk("data: " + told + "\n\n")
		c.End()
	})
	reply, err = c.Chat(t.Context(), providertest.Chat(t, `{"model":"a"}`, true))
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Stream.Close()
	if out, err := providertest.Drain(reply.Stream); err != nil || strings.Contains(out, key) || !strings.Contains(out, "bad key") {
		t.Errorf("%s %v", out, err)
	}
}

func TestStreamEnds(t *testing.T) {
	t.Parallel()
	c, u := open(t, provider.Connection{}, Options{}, nil)
	for _, tt := range []struct {
		name, in, out, code string
	}{
		{"finished without a last word", event(`{"content":"x"}`, `"stop"`), event(`{"content":"x"}`, `"stop"`) + done, ""},
		{"not finished", event(`{"content":"x"}`, `null`), event(`{"content":"x"}`, `null`), "upstream_eof"},
		{"nothing at all", "", "", "upstream_eof"},
		{"an error told", "data: {\"error\":{\"message\":\"x\"}}\n\n", "data: {\"error\":{\"message\":\"x\"}}\n\n" + done, ""},
		{"twice", event(`{"content":"x"}`, `null`) + done + event(`{"content":"again"}`, `null`) + done, event(`{"content":"x"}`, `null`) + done, ""},
		{"[DONE] within a text", event(`{"content":"data: [DONE]"}`, `null`) + done, event(`{"content":"data: [DONE]"}`, `null`) + done, ""},
		{"CRLF", "data: {\"a\":1}\r\n\r\ndata: [DONE]\r\n\r\ndata: x\r\n\r\n", "data: {\"a\":1}\r\n\r\ndata: [DONE]\r\n\r\n", ""},
	} {
		u.Say(func(c *providertest.Conn, _ *providertest.Request) {
			c.Send(providertest.Head(200, "Content-Type: text/event-stream") + tt.in)
			c.Close()
		})
		reply, err := c.Chat(t.Context(), providertest.Chat(t, `{"model":"a","stream":true}`, true))
		if err != nil {
			t.Fatal(err)
		}
		out, err := providertest.Drain(reply.Stream)
		reply.Stream.Close()
		code := ""
		if err != nil {
			code = errdefs.From(err).Code
		}
		if out != tt.out || code != tt.code {
			t.Errorf("%s: %q %v", tt.name, out, err)
		}
	}
}

// TestIdle: an upstream that drips bytes but no events is as silent as one
// that says nothing.
func TestIdle(t *testing.T) {
	t.Parallel()
	c, _ := open(t, provider.Connection{}, Options{Idle: 200 * time.Millisecond}, func(c *providertest.Conn, _ *providertest.Request) {
		c.Stream("text/event-stream")
		c.Chunk(event(`{"content":"x"}`, "null"))
		for c.Chunk("d") {
			time.Sleep(20 * time.Millisecond)
		}
	})
	began := time.Now()
	reply, err := c.Chat(t.Context(), providertest.Chat(t, `{"model":"a","stream":true}`, true))
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Stream.Close()
	_, err = providertest.Drain(reply.Stream)
	if e := errdefs.From(err); e.HTTPStatus() != 504 || time.Since(began) > 3*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

func TestModels(t *testing.T) {
	t.Parallel()
	many := `[` + strings.Repeat(`{"id":"x","object":"model","a":{"b":1,"c":2}},`, 40_000) + `{"id":"gpt-4o"},{"id":"text-embedding-3"},{"id":"whisper-1"},{"id":"tts-1"}]`
	for _, tt := range []struct {
		base, body string
		want       int
	}{
		{"", `{"data":` + many + `}`, 40_004},
		{"", many, 40_004},
		{"https://api.openai.com/v1", many, 40_001},
		{"", `{"models":[{"id":"a"},7,null,"x",{"id":3}]}`, 1},
	} {
		c, _ := open(t, provider.Connection{BaseURL: tt.base}, Options{}, func(c *providertest.Conn, _ *providertest.Request) { c.JSON(200, tt.body) })
		list, err := c.Models(t.Context())
		if err != nil || len(list) != tt.want {
			t.Errorf("%.40s: %d models, %v", tt.body, len(list), err)
		}
	}
	c, _ := open(t, provider.Connection{}, Options{ListTimeout: 100 * time.Millisecond}, func(c *providertest.Conn, _ *providertest.Request) { c.Gone(5 * time.Second) })
	if _, err := c.Models(t.Context()); errdefs.From(err).HTTPStatus() != 504 {
		t.Errorf("a silent list: %v", err)
	}
}

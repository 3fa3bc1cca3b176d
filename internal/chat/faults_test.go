package chat_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"portico/internal/config"
	"portico/internal/provider/providertest"
)

// The faults of upstreams and clients, numbered as in the failure model. Each
// goes through the whole server: route, key, model, pipeline, provider, socket.
//
//	 1  reset in mid-stream                   TestFault01_ResetMidStream
//	 2  end without [DONE]                    TestFault02_EndWithoutDone
//	 3  drips, or silence after the head      TestFault03_SlowLoris
//	 4  silence before the head               TestFault04_NoHeaders
//	 5  events that are none, a 10 MiB line   TestFault05_MalformedEvents
//	 6  events cut anywhere                   TestFault06_CutAnywhere
//	 7  compression nobody asked for, a bomb  TestFault07_Compressed
//	 8  HTTP that is none                     TestFault08_BadFraming, TestFault08_CrossTalk
//	 9  too many requests, Retry-After        TestFault09_TooManyRequests
//	10  401 and 403, with the key in it       TestFault10_Credential
//	11  an error page of 50 MiB               TestFault11_LargeErrorPage
//	12  refused, unknown name, slow name      TestFault12_Refused, TestFault12_DNS
//	13  a peer that is somebody else          TestFault13_TLS
//	14  one of five connections dead          TestFault14_OneOfFiveDead
//	15  the client leaves                     TestFault15_ClientLeaves
//	16  the client does not read              TestFault16_ClientDoesNotRead
//	17  clients come and go                   TestFault17_Churn
//	19  an answer after the last word         TestFault19_Twice
//	20  a tool call of broken JSON            TestFault20_BrokenToolCall
//	    204, a redirect, no JSON, nothing     TestFault_NoAnswer
//	    a kept connection that was closed     TestFault_StaleConnection
//
// What a client's body may not be is in TestErrors and TestRefused here; heads,
// keys and people in package api (TestHeadLimits, TestAuthzMatrix) and auth
// (TestKeyRefusals, TestRevocation). Fuzzed are the events (package sse), the
// looking at JSON (rawjson), and what each dialect is sent and says
// (provider/openai, provider/ollama).

type (
	conn    = providertest.Conn
	request = providertest.Request
)

// rounds is how often a fault is repeated that might show only at times.
const rounds = 100

func TestFault01_ResetMidStream(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *conn, _ *request) {
		c.Stream("text/event-stream")
		c.Chunk(delta("one", "null"))
		time.Sleep(2 * time.Millisecond) // a reset may destroy what is not yet read
		c.Reset()
	})
	for range rounds {
		a := s.ask(question(true))
		if a.status != 200 || a.err != nil || !strings.HasPrefix(a.body, delta("one", "null")) {
			t.Fatalf("%d %q %v", a.status, a.body, a.err)
		}
		rest := strings.TrimPrefix(a.body, delta("one", "null"))
		if strings.Count(rest, `data: {"error":`) != 1 || !strings.HasSuffix(rest, "\n\n"+doneEvent) {
			t.Fatalf("one error and the end must follow, not %q", rest)
		}
	}
}

func TestFault02_EndWithoutDone(t *testing.T) {
	t.Parallel()
	ended := make(chan time.Time, 1)
	for _, tt := range []struct{ in, want string }{
		{delta("one", "null"), `"code":"upstream_eof"`},
		{delta("one", `"stop"`), delta("one", `"stop"`) + doneEvent},
	} {
		s := start(t, func(c *conn, _ *request) {
			c.Send(providertest.Head(200, "Content-Type: text/event-stream") + tt.in)
			ended <- time.Now()
			c.Close()
		})
		a := s.ask(question(true))
		if !strings.HasPrefix(a.body, tt.in) || !strings.Contains(a.body, tt.want) || strings.Count(a.body, doneEvent) != 1 {
			t.Errorf("%q", a.body)
		}
		if late := time.Since(<-ended); late > 2*time.Second {
			t.Errorf("the end came %v late", late)
		}
	}
}

// TestFault03_SlowLoris: it is events that count, not bytes.
func TestFault03_SlowLoris(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]func(*conn){
		"silence": func(c *conn) { c.Gone(20 * time.Second) },
		"drips": func(c *conn) {
			for c.Chunk("x") {
				time.Sleep(30 * time.Millisecond)
			}
		},
	} {
		s := startWith(t, func(c *config.Config) { c.UpstreamIdle = 300 * time.Millisecond }, func(c *conn, _ *request) {
			c.Stream("text/event-stream")
			c.Chunk(delta("one", "null"))
			after(c)
		})
		began := time.Now()
		a := s.ask(question(true))
		if took := time.Since(began); took < 250*time.Millisecond || took > 5*time.Second {
			t.Errorf("%s: given up after %v", name, took)
		}
		if !strings.HasPrefix(a.body, delta("one", "null")) || !strings.Contains(a.body, `"error"`) || !strings.HasSuffix(a.body, doneEvent) {
			t.Errorf("%s: %q", name, a.body)
		}
	}
}

func TestFault04_NoHeaders(t *testing.T) {
	t.Parallel()
	s := startWith(t, func(c *config.Config) { c.UpstreamFirstByte = 300 * time.Millisecond }, func(c *conn, _ *request) { c.Gone(10 * time.Second) })
	for _, stream := range []bool{false, true} {
		s.failed(s.ask(question(stream)), http.StatusGatewayTimeout)
	}
}

func TestFault05_MalformedEvents(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	good := delta("good", "null")
	long := `data: {"id":"` + strings.Repeat("x", 10<<20) + `"}` + "\n\n"
	for name, tt := range map[string]struct {
		in   string
		want []string
		not  string
	}{
		"no field":      {"hello\n\n" + good + doneEvent, []string{good, doneEvent}, "hello"},
		"bad UTF-8":     {good + "data: \xff\xfe\n\n" + good + doneEvent, []string{good, doneEvent}, ""},
		"mixed ends":    {strings.ReplaceAll(good, "\n", "\r\n") + good + doneEvent, []string{"good", doneEvent}, ""},
		"a mark first":  {"\xef\xbb\xbf" + good + doneEvent, []string{"good", doneEvent}, ""},
		"NUL":           {"data: a\x00b\n\n" + good + doneEvent, []string{good, doneEvent}, ""},
		"10 MiB line":   {good + long + good + doneEvent, []string{good, `"error"`}, ""},
		"a bare object": {`{"error":{"message":"x"}}` + "\n\n" + doneEvent, []string{`"error"`, doneEvent}, ""},
	} {
		s.say(func(c *conn, _ *request) {
			c.Send(providertest.Head(200, "Content-Type: text/event-stream") + tt.in)
			c.Close()
		})
		a := s.ask(question(true))
		for _, want := range tt.want {
			if !strings.Contains(a.body, want) {
				t.Errorf("%s: %q is missing in %.300q", name, want, a.body)
			}
		}
		if a.err != nil || tt.not != "" && strings.Contains(a.body, tt.not) {
			t.Errorf("%s: %.300q %v", name, a.body, a.err)
		}
	}
}

func TestFault06_CutAnywhere(t *testing.T) {
	t.Parallel()
	all := delta("Zoë 空", "null") + ": a comment\n\n" + delta("two", `"stop"`) + doneEvent
	s := start(t, nil)
	for at := range len(all) {
		s.say(func(c *conn, _ *request) {
			c.Stream("text/event-stream")
			if at > 0 {
				c.Chunk(all[:at])
			}
			c.Chunk(all[at:])
			c.End()
		})
		if a := s.ask(question(true)); a.body != all {
			t.Fatalf("cut at %d: %q", at, a.body)
		}
	}
}

// TestFault07_Compressed runs alone, since it looks at the memory in use.
func TestFault07_Compressed(t *testing.T) {
	s := start(t, nil)
	packed := func(text string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write([]byte(text))
		z.Close()
		return b.String()
	}
	plain, bomb := packed(wholeAnswer("packed")), strings.Repeat(packed(strings.Repeat(" ", 1<<20)), 256)
	s.say(func(c *conn, _ *request) { c.JSON(200, plain, "Content-Encoding: gzip") })
	if a := s.ask(question(false)); a.status != 200 || a.body != wholeAnswer("packed") || a.header.Get("Content-Encoding") != "" {
		t.Errorf("%d %.200q", a.status, a.body)
	}
	s.say(func(c *conn, _ *request) { c.JSON(200, plain, "Content-Encoding: br") })
	s.failed(s.ask(question(false)), 502)
	s.say(func(c *conn, _ *request) { c.JSON(200, bomb, "Content-Encoding: gzip") })
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s.failed(s.ask(question(false)), 502)
	runtime.ReadMemStats(&after)
	if grown := int64(after.Sys) - int64(before.Sys); grown > 128<<20 {
		t.Errorf("a bomb of 256 MiB took %d MiB", grown>>20)
	}
}

// TestFault08_BadFraming: whatever an upstream makes of HTTP, nobody gets a byte
// that was not meant for them.
func TestFault08_BadFraming(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	good := wholeAnswer("good")
	length := "Content-Length: " + strconv.Itoa(len(good))
	for name, raw := range map[string]string{
		"length too long":   providertest.Head(200, "Content-Type: application/json", "Content-Length: 9999") + good,
		"two lengths":       providertest.Head(200, "Content-Type: application/json", "Content-Length: 3", length) + good,
		"both framings":     providertest.Head(200, "Content-Type: application/json", length, "Transfer-Encoding: chunked") + good,
		"negative":          providertest.Head(200, "Content-Type: application/json", "Content-Length: -1") + good,
		"a storm of 1xx":    strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 1000) + providertest.Head(200, length) + good,
		"no HTTP":           "hello\r\n\r\n" + good,
		"a bad chunk":       providertest.Head(200, "Transfer-Encoding: chunked") + "zz\r\n" + good,
		"no end of head":    "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20),
		"101":               providertest.Head(101, "Upgrade: x") + good,
		"a line feed alone": "HTTP/1.1 200 OK\nX: y\n\n" + good,
	} {
		s.say(func(c *conn, _ *request) { c.Send(raw); c.Close() })
		a := s.ask(question(false))
		if a.status == 200 && name == "a line feed alone" && a.body == good {
			continue // read leniently, but not wrongly
		}
		if a.status != 502 {
			t.Errorf("%s: %d %.200s", name, a.status, a.body)
		}
	}
	s.say(func(c *conn, _ *request) {
		c.Send("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + good)
		c.Close()
	})
	if a := s.ask(question(false)); a.body != good {
		t.Errorf("HTTP/1.0: %d %s", a.status, a.body)
	}
}

// TestFault08_CrossTalk: an upstream that says more than it announced must not
// have the rest taken for the next answer, whether it comes in one piece with
// the first or before the connection is used again.
func TestFault08_CrossTalk(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	foreign := answerOf(wholeAnswer("foreign")) // nobody asked
	for name, late := range map[string]bool{"in one piece": false, "a little later": true} {
		said := make(chan struct{}, 1)
		s.say(func(c *conn, r *request) {
			me := string(r.Body[bytes.Index(r.Body, []byte("id-")):])
			mine := answerOf(wholeAnswer(me[:strings.IndexByte(me, '"')]))
			if late {
				c.Send(mine)
				time.Sleep(100 * time.Microsecond)
				c.Send(foreign)
			} else {
				c.Send(mine + foreign)
			}
			said <- struct{}{}
		})
		for i := range 300 {
			id := fmt.Sprintf("id-%d", i)
			a := s.ask(`{"model":"m0","messages":[{"role":"user","content":"` + id + `"}]}`)
			if a.status != 200 || a.body != wholeAnswer(id) {
				t.Fatalf("%s, round %d: %d %s", name, i, a.status, a.body)
			}
			<-said
		}
	}
}

func answerOf(body string) string {
	return providertest.Head(200, "Content-Type: application/json", "Content-Length: "+strconv.Itoa(len(body))) + body
}

func TestFault09_TooManyRequests(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	soon := time.Now().Add(time.Minute).UTC().Format(http.TimeFormat)
	past, years := "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2065 07:28:00 GMT"
	for in, want := range map[string]string{
		"7": "7", "0.3": "1", soon: soon, // seconds, and a date
		"999999999999": "3600", "1e300": "3600", years: "3600", // absurd
		"-7": "", "NaN": "", past: "", "soon": "", "": "", // no time to wait for
	} {
		for _, status := range []int{429, 503} {
			var calls atomic.Int64
			s.say(func(c *conn, _ *request) {
				calls.Add(1)
				c.JSON(status, `{"error":{"message":"slow down"}}`, "Retry-After: "+in)
			})
			a := s.ask(question(status == 429))
			if a.status != status || a.header.Get("Retry-After") != want || a.body != `{"error":{"message":"slow down"}}` {
				t.Errorf("%d, %q: %d %q %s", status, in, a.status, a.header.Get("Retry-After"), a.body)
			}
			if n := calls.Load(); n != 1 {
				t.Errorf("%d calls for one request", n)
			}
		}
	}
}

func TestFault10_Credential(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	told := `{"error":{"message":"Incorrect API key provided: ` + canary + ` at ` + s.up[0].URL + `"}}`
	for status, want := range map[int]int{401: 502, 403: 502, 400: 400, 500: 500, 404: 404} {
		s.say(func(c *conn, _ *request) { c.JSON(status, told) })
		for _, stream := range []bool{false, true} {
			s.failed(s.ask(question(stream)), want)
		}
	}
}

func TestFault11_LargeErrorPage(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *conn, _ *request) {
		c.Send(providertest.Head(500, "Content-Type: text/html", "Content-Length: "+strconv.Itoa(50<<20)))
		for page := strings.Repeat("<p>oops</p>", 6000); c.Send(page); {
		}
		c.Close()
	})
	a := s.ask(question(false))
	s.failed(a, 500)
	if strings.Contains(a.body, "oops") || len(a.body) > 1000 {
		t.Errorf("%.300s", a.body)
	}
}

// TestFault12_Refused: the contract's 500 for an upstream that is not there.
func TestFault12_Refused(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *conn, _ *request) { c.JSON(200, wholeAnswer("x")) }, func(c *conn, _ *request) { c.JSON(200, wholeAnswer("other")) })
	s.ask(question(false))
	s.up[0].Close()
	began := time.Now()
	s.failed(s.ask(question(false)), 500)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("after %v", took)
	}
	if a := s.ask(strings.ReplaceAll(question(false), "m0", "m1")); a.status != 200 {
		t.Errorf("others are affected: %d %s", a.status, a.body)
	}
}

// TestFault14_OneOfFiveDead: no list of models waits for a connection that
// says nothing, be it silent from the start or since it was known. Its asking
// may take longer here than the test does: while that goes on, all lists must
// be answered, and it must be the only one.
func TestFault14_OneOfFiveDead(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]bool{"from the start": false, "since it was known": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &stand{t: t, log: new(journal)}
			var urls []string
			for i := range 5 {
				s.up = append(s.up, providertest.New(t, listing(i, nil)))
				urls = append(urls, s.up[i].URL+"/v1")
			}
			dead := s.up[4]
			silent := func(c *conn, _ *request) { c.Gone(time.Minute) }
			want := []string{"m0", "m1", "m2", "m3"}
			if !known {
				dead.Say(silent)
			}
			s.open(func(c *config.Config) { c.UpstreamList = time.Minute }, urls)
			if known {
				want = append(want, "m4") // the last known list is served
				s.lists(want)
				dead.Say(silent)
			}
			before := dead.Requests.Load()
			eventually(t, "the dead one is asked", func() bool {
				s.lists(want)
				return dead.Requests.Load() > before || !known && before > 0
			})
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					for range 25 {
						s.lists(want)
					}
				})
			}
			all.Wait()
			if n := dead.Cancelled.Load(); n != 0 {
				t.Errorf("a list waited until the dead connection was given up, %d times", n)
			}
			if n := dead.Requests.Load() - before; n > 1 {
				t.Errorf("the dead connection was asked %d times at once", n)
			}
		})
	}
}

// lists requires that the list of models has these.
func (s *stand) lists(ids []string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+"/api/models", nil)
	if err != nil {
		s.t.Error(err)
		return
	}
	r.Header.Set("Authorization", "Bearer "+s.key)
	resp, err := s.client.Do(r)
	if err != nil {
		s.t.Error(err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		s.t.Errorf("%d %.300s %v", resp.StatusCode, body, err)
	}
	for _, id := range ids {
		if !bytes.Contains(body, []byte(`"`+id+`"`)) {
			s.t.Errorf("%s is missing in %.300s", id, body)
		}
	}
}

// TestFault15_ClientLeaves: wherever the client leaves, the upstream sees it.
func TestFault15_ClientLeaves(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	for name, tt := range map[string]struct {
		stream bool
		script providertest.Script
		first  bool // the client waits for the first event
	}{
		"mid-stream": {true, func(c *conn, _ *request) {
			c.Stream("text/event-stream")
			c.Chunk(delta("one", "null"))
			c.Gone(10 * time.Second)
		}, true},
		"before the first byte": {true, func(c *conn, _ *request) { c.Gone(10 * time.Second) }, false},
		"not streamed":          {false, func(c *conn, _ *request) { c.Gone(10 * time.Second) }, false},
	} {
		reached := make(chan struct{}, 1)
		left := make(chan time.Time, 1)
		s.say(func(c *conn, r *request) {
			reached <- struct{}{}
			tt.script(c, r)
			left <- time.Now()
		})
		before := s.up[0].Cancelled.Load()
		var took []time.Duration
		for range rounds {
			ctx, cancel := context.WithCancel(t.Context())
			var at time.Time
			if tt.first {
				resp, err := s.client.Do(s.request(ctx, question(tt.stream)))
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Read(make([]byte, 1))
				<-reached
				at = time.Now()
				cancel()
				resp.Body.Close()
			} else {
				gone := make(chan struct{})
				go func() {
					defer close(gone)
					if resp, err := s.client.Do(s.request(ctx, question(tt.stream))); err == nil {
						resp.Body.Close()
					}
				}()
				<-reached
				at = time.Now()
				cancel()
				<-gone
			}
			took = append(took, (<-left).Sub(at))
		}
		if n := s.up[0].Cancelled.Load() - before; n != rounds {
			t.Errorf("%s: the upstream saw %d of %d leave", name, n, rounds)
		}
		slices.Sort(took)
		t.Logf("%s: seen upstream within %v (p50), %v (p99)", name, took[rounds/2], took[rounds*99/100])
	}
}

// TestFault16_ClientDoesNotRead: a client that takes nothing holds little, and
// is given up at the deadline of a write, whether its stream is still with the
// handler or was parked; then the upstream is left.
func TestFault16_ClientDoesNotRead(t *testing.T) {
	t.Parallel()
	for name, pause := range map[string]time.Duration{"at once": 0, "parked": 1500 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sent := make(chan int, 1)
			s := startWith(t, func(c *config.Config) { c.ClientWrite = 500 * time.Millisecond }, func(c *conn, _ *request) {
				c.Stream("text/event-stream")
				c.Chunk(delta("one", "null"))
				time.Sleep(pause)
				n := 0
				for event := delta(strings.Repeat("x", 16<<10), "null"); n < 256<<20 && c.Chunk(event); {
					n += len(event)
				}
				sent <- n
			})
			resp, err := s.client.Do(s.request(t.Context(), question(true)))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			select {
			case n := <-sent: // most of it lies in the sockets of this machine
				t.Logf("%d KiB were taken from the upstream", n>>10)
				if n > 32<<20 {
					t.Errorf("%d MiB were taken from the upstream for a client that does not read", n>>20)
				}
			case <-time.After(15 * time.Second):
				t.Error("the upstream was never left")
			}
		})
	}
}

// TestFault17_Churn: clients that come and go leave nothing behind; goleak looks
// after the goroutines.
func TestFault17_Churn(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *conn, _ *request) {
		c.Stream("text/event-stream")
		for range 3 {
			if !c.Chunk(delta("x", "null")) {
				return
			}
		}
		c.Chunk(doneEvent)
		c.End()
	})
	for i := range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		resp, err := s.client.Do(s.request(ctx, question(true)))
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			resp.Body.Read(make([]byte, 10))
		} else {
			new(bytes.Buffer).ReadFrom(resp.Body)
		}
		cancel()
		resp.Body.Close()
	}
	if n := s.up[0].Connections.Load(); n > 150 {
		t.Errorf("%d connections upstream for 200 chats", n)
	}
}

// TestFault19_Twice: what an upstream says after its last word is dropped.
func TestFault19_Twice(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *conn, _ *request) {
		c.Stream("text/event-stream")
		c.Chunk(delta("one", "null") + doneEvent + delta("again", "null") + doneEvent)
		c.End()
	})
	for range rounds {
		if a := s.ask(question(true)); a.body != delta("one", "null")+doneEvent {
			t.Fatalf("%q", a.body)
		}
	}
}

func TestFault20_BrokenToolCall(t *testing.T) {
	t.Parallel()
	call := `{"id":"c1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{\"a\": [1, \u0000"}}]},"finish_reason":"tool_calls"}]}`
	s := start(t, func(c *conn, _ *request) { c.JSON(200, call) })
	if a := s.ask(question(false)); a.status != 200 || a.body != call {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestFault_StaleConnection: a kept connection that the upstream closed meanwhile is
// nobody's failure; the call is made again on a fresh one.
func TestFault_StaleConnection(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	s.say(func(c *conn, _ *request) { c.JSON(200, wholeAnswer("x")); c.Close() })
	for range rounds {
		if a := s.ask(question(false)); a.status != 200 {
			t.Fatalf("%d %s %s", a.status, a.body, s.log)
		}
	}
}

// TestFault_NoAnswer holds the last bullet of the design: nothing that an
// upstream does is a success with an error in it.
func TestFault_NoAnswer(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	for name, script := range map[string]providertest.Script{
		"204":      func(c *conn, _ *request) { c.Send(providertest.Head(204)) },
		"redirect": func(c *conn, _ *request) { c.JSON(302, "", "Location: "+s.url+"/health") },
		"broken off": func(c *conn, _ *request) {
			c.Send(providertest.Head(200, "Content-Length: 999") + `{"choices"`)
			c.Close()
		},
		"empty": func(c *conn, _ *request) { c.JSON(200, "") },
		"null":  func(c *conn, _ *request) { c.JSON(200, "null") },
		"html": func(c *conn, _ *request) {
			c.Send(providertest.Head(200, "Content-Type: text/html", "Content-Length: 6") + "<html>")
		},
		"reset":        func(c *conn, _ *request) { c.Reset() },
		"empty stream": func(c *conn, _ *request) { c.Stream("text/event-stream"); c.End() },
	} {
		s.say(script)
		for _, stream := range []bool{false, true} {
			if !stream && name == "empty stream" {
				continue
			}
			if a := s.ask(question(stream)); a.status != 502 {
				t.Errorf("%s, stream %v: %d %s", name, stream, a.status, a.body)
			}
		}
	}
}

package chat_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"portico/internal/provider/providertest"
)

// call makes any request of the API and gives the answer.
func (s *stand) call(method, path, body string) answer {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.key)
	resp, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(b), err}
}

// keptMessage is what tests read of a message in a saved chat.
type keptMessage struct {
	Role, Content, Interrupted string
	ParentID                   *string
	ChildrenIDs                []string
	Done                       *bool
	Usage                      struct {
		Total int `json:"total_tokens"`
	}
	Reasoning string `json:"reasoning_content"`
	Error     *struct{ Content string }
}

type keptHistory struct {
	CurrentID string
	Messages  map[string]keptMessage
}

func (s *stand) history(id string) keptHistory {
	s.t.Helper()
	a := s.call("GET", "/api/v1/chats/"+id, "")
	var c struct {
		Chat struct{ History keptHistory }
	}
	if err := json.Unmarshal([]byte(a.body), &c); a.status != 200 || err != nil {
		s.t.Fatalf("%d %s", a.status, a.body)
	}
	return c.Chat.History
}

func (s *stand) newChat() string {
	s.t.Helper()
	a := s.call("POST", "/api/v1/chats/new", `{"chat":{"title":"T","history":{"messages":{},"currentId":null}}}`)
	var c struct{ ID string }
	if err := json.Unmarshal([]byte(a.body), &c); err != nil || c.ID == "" {
		s.t.Fatalf("%d %s", a.status, a.body)
	}
	return c.ID
}

// turnBody asks one question in a saved chat.
func turnBody(chat, answer, question, parent, text string, stream bool) string {
	return fmt.Sprintf(`{"model":"m0","stream":%v,"chat_id":%q,"id":%q,"user_message":{"id":%q,"parentId":%s,"role":"user","content":%q},"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"forged"}]}`,
		stream, chat, answer, question, parent, text)
}

// echo answers whole, and remembers what it was asked.
type echo struct {
	mu   sync.Mutex
	asks []string
}

func (e *echo) script(c *providertest.Conn, r *providertest.Request) {
	e.mu.Lock()
	e.asks = append(e.asks, string(r.Body))
	e.mu.Unlock()
	if bytes.Contains(r.Body, []byte(`"stream":true`)) {
		c.Stream("text/event-stream")
		c.Chunk(delta("Hel", "null"))
		c.Chunk(delta("lo", `"stop"`))
		c.Chunk(doneEvent)
		c.End()
		return
	}
	c.JSON(200, wholeAnswer("Hello"))
}

func (e *echo) last() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asks[len(e.asks)-1]
}

func TestSavedTurns(t *testing.T) {
	t.Parallel()
	var e echo
	s := start(t, e.script)
	id := s.newChat()
	a := s.ask(turnBody(id, "a1", "q1", "null", "First?", false))
	if a.status != 200 || !strings.Contains(a.body, "Hello") || a.header.Get("Portico-Chat-Id") != id {
		t.Fatalf("%d %s", a.status, a.body)
	}
	h := s.history(id)
	q, got := h.Messages["q1"], h.Messages["a1"]
	if h.CurrentID != "a1" || q.Content != "First?" || len(q.ChildrenIDs) != 1 || got.Content != "Hello" || got.Done == nil || !*got.Done || got.Usage.Total != 2 || *got.ParentID != "q1" || got.Interrupted != "" {
		t.Errorf("got %+v", h)
	}
	// The second question brings what was said, not what the client claims.
	a = s.ask(turnBody(id, "a2", "q2", `"a1"`, "Second?", true))
	if !strings.HasSuffix(a.body, doneEvent) || !strings.Contains(a.body, `"Hel"`) {
		t.Errorf("the stream is %q", a.body)
	}
	asked := e.last()
	for _, part := range []string{"Be brief.", "First?", "Hello", "Second?"} {
		if !strings.Contains(asked, part) {
			t.Errorf("the model does not see %q: %s", part, asked)
		}
	}
	if strings.Contains(asked, "forged") || strings.Contains(asked, "chat_id") || strings.Contains(asked, "user_message") {
		t.Errorf("the model sees too much: %s", asked)
	}
	eventually(t, "the streamed answer is kept", func() bool { return s.history(id).Messages["a2"].Content == "Hello" })
	// Asked again: a second answer beside the first.
	s.ask(turnBody(id, "a2b", "q2", `"a1"`, "Second?", false))
	if h = s.history(id); len(h.Messages["q2"].ChildrenIDs) != 2 || h.CurrentID != "a2b" {
		t.Errorf("got %+v", h)
	}
	// A chat that begins with its first question.
	a = s.ask(`{"model":"m0","parent_id":null,"messages":[{"role":"user","content":"New?"}]}`)
	if fresh := a.header.Get("Portico-Chat-Id"); fresh == "" || len(s.history(fresh).Messages) != 2 {
		t.Errorf("no chat began: %v", a.header)
	}
}

func TestSavedTurnsRefused(t *testing.T) {
	t.Parallel()
	var e echo
	s := start(t, e.script)
	id := s.newChat()
	s.ask(turnBody(id, "a1", "q1", "null", "First?", false))
	before := s.call("GET", "/api/v1/chats/"+id, "").body
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"no such chat":         {turnBody("nowhere", "a", "q", "null", "x", false), 404},
		"a channel":            {turnBody("channel:1", "a", "q", "null", "x", false), 404},
		"no ids":               {`{"model":"m0","chat_id":"` + id + `","messages":[{"role":"user","content":"x"}]}`, 409},
		"no question":          {`{"model":"m0","chat_id":"` + id + `","id":"a9","messages":[{"role":"user","content":"x"}]}`, 409},
		"the answer is there":  {turnBody(id, "a1", "q9", "null", "x", false), 409},
		"the same id":          {turnBody(id, "x", "x", "null", "x", false), 409},
		"no such parent":       {turnBody(id, "a9", "q9", `"nowhere"`, "x", false), 409},
		"question is answer":   {turnBody(id, "a9", "a1", "null", "x", false), 409},
		"an id of 129 bytes":   {turnBody(id, strings.Repeat("x", 129), "q9", "null", "x", false), 409},
		"no such model":        {strings.Replace(turnBody(id, "a9", "q9", `"a1"`, "x", false), "m0", "none", 1), 400},
		"a folder of nobody":   {`{"model":"m0","parent_id":null,"folder_id":"x","messages":[{"role":"user","content":"x"}]}`, 404},
		"a question of a text": {`{"model":"m0","chat_id":"` + id + `","id":"a9","user_message":"x"}`, 409},
	} {
		if a := s.ask(c.body); a.status != c.status {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if after := s.call("GET", "/api/v1/chats/"+id, "").body; after != before {
		t.Errorf("it changed:\n%s\n%s", before, after)
	}
	for _, other := range []string{"local:x", "temporary:y"} {
		if a := s.ask(`{"model":"m0","chat_id":"` + other + `","messages":[{"role":"user","content":"x"}]}`); a.status != 200 {
			t.Errorf("%s: %d %s", other, a.status, a.body)
		}
	}
	if n := strings.Count(s.call("GET", "/api/v1/chats/all", "").body, `"user_id"`); n != 1 {
		t.Errorf("%d chats", n)
	}
}

// TestSavedPartial: what was produced before the end is kept, and marked.
func TestSavedPartial(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{}, 8)
	s := start(t, func(c *providertest.Conn, r *providertest.Request) {
		if bytes.Contains(r.Body, []byte("break")) {
			c.Stream("text/event-stream")
			c.Chunk(delta("Par", "null"))
			c.Reset()
			return
		}
		c.Stream("text/event-stream")
		c.Chunk(delta("Par", "null"))
		c.Gone(10 * time.Second)
		gone <- struct{}{}
	})
	id := s.newChat()
	until := func(body string) *http.Response {
		resp, err := s.client.Do(s.request(t.Context(), body))
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 4096)
		if n, err := resp.Body.Read(buf); err != nil || !bytes.Contains(buf[:n], []byte("Par")) {
			t.Fatalf("%v %s", err, buf[:n])
		}
		return resp
	}
	left := until(turnBody(id, "a1", "q1", "null", "leave", true))
	left.Body.Close()
	<-gone
	eventually(t, "a client that left is marked", func() bool {
		m := s.history(id).Messages["a1"]
		return m.Content == "Par" && m.Interrupted == "client" && *m.Done
	})

	stopped := until(turnBody(id, "a2", "q2", `"a1"`, "stop me", true))
	if a := s.call("GET", "/api/tasks/chat/"+id, ""); strings.Count(a.body, "-") != 4 {
		t.Errorf("tasks: %s", a.body)
	}
	if a := s.call("POST", "/api/tasks/chat/"+id+"/stop", ""); a.status != 200 || !strings.Contains(a.body, `"status":true`) {
		t.Errorf("stop: %d %s", a.status, a.body)
	}
	<-gone
	rest, err := io.ReadAll(stopped.Body)
	stopped.Body.Close()
	if err != nil || !strings.HasSuffix(string(rest), doneEvent) || strings.Contains(string(rest), "error") {
		t.Errorf("the rest of a stopped stream: %v %q", err, rest)
	}
	eventually(t, "a stopped answer is marked", func() bool {
		m := s.history(id).Messages["a2"]
		return m.Content == "Par" && m.Interrupted == "stopped"
	})
	if a := s.call("GET", "/api/tasks", ""); a.body != `{"tasks":[]}` {
		t.Errorf("tasks: %s", a.body)
	}

	s.ask(turnBody(id, "a3", "q3", `"a2"`, "break", true))
	eventually(t, "a broken answer is marked", func() bool {
		m := s.history(id).Messages["a3"]
		return m.Content == "Par" && m.Interrupted == "error" && m.Error != nil && m.Error.Content != ""
	})
}

// TestSavedAtOnce: turns in one chat at the same time lose nothing.
func TestSavedAtOnce(t *testing.T) {
	t.Parallel()
	var e echo
	s := start(t, e.script)
	id := s.newChat()
	var work sync.WaitGroup
	for i := range 12 {
		work.Go(func() {
			if a := s.ask(turnBody(id, fmt.Sprint("a", i), fmt.Sprint("q", i), "null", "Hi", i%2 == 0)); a.status != 200 {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	work.Wait()
	eventually(t, "all answers are kept", func() bool {
		done := 0
		for _, m := range s.history(id).Messages {
			if m.Content == "Hello" {
				done++
			}
		}
		return done == 12
	})
}

package chat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"portico/internal/access"
	"portico/internal/errdefs"
	"portico/internal/hop"
	"portico/internal/model"
	"portico/internal/provider"
	"portico/internal/rawjson"
	"portico/internal/relay"
	"portico/internal/usage"
)

// fake is a provider that does as it is told.
type fake struct {
	chat  func(*provider.ChatRequest) (*provider.Reply, error)
	asked int
	last  provider.ChatRequest
	doc   string
}

func (f *fake) Models(context.Context) ([]provider.Entry, error) { return nil, nil }

func (f *fake) Chat(_ context.Context, req *provider.ChatRequest) (*provider.Reply, error) {
	f.asked++
	f.last, f.doc = *req, string(req.Doc.Raw)
	return f.chat(req)
}

func (f *fake) Embed(_ context.Context, req *provider.EmbedRequest) (*provider.Reply, error) {
	return f.chat(&provider.ChatRequest{Doc: req.Doc, Model: req.Model})
}

// answering says the same to everybody.
func answering(body string) *fake {
	return &fake{chat: func(*provider.ChatRequest) (*provider.Reply, error) {
		return &provider.Reply{Status: 200, ContentType: "application/json", Body: []byte(body), Usage: provider.Usage{Prompt: 3, Completion: 4}}, nil
	}}
}

// models resolves by a map.
type models map[string]*model.Target

func (m models) Resolve(_ context.Context, _ *access.Principal, id string) (*model.Target, error) {
	if t := m[id]; t != nil {
		return t, nil
	}
	return nil, errdefs.New(errdefs.NotFound, "Model not found")
}

func target(id string, providers ...provider.Provider) *model.Target {
	t := &model.Target{ID: id, Upstream: id}
	for i, p := range providers {
		t.Backends = append(t.Backends, provider.NewBackend(&provider.Connection{Index: i}, p))
	}
	return t
}

var somebody = &access.Principal{UserID: "u1", Name: "Zoë", Email: "z@example.com", Role: "user", KeyID: "k1"}

func ask(s *Service, body string) (*httptest.ResponseRecorder, error) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/api/chat/completions", strings.NewReader(body))
	return w, s.Complete(w, r, Call{Who: somebody})
}

const hello = `{"model":"m","messages":[{"role":"user","content":"hi"}]}`

func TestComplete(t *testing.T) {
	t.Parallel()
	f, rec := answering(`{"a":1}`), usage.New()
	s := New(models{"m": target("m", f)}, rec, Config{})
	w, err := ask(s, hello)
	if err != nil || w.Code != 200 || w.Body.String() != `{"a":1}` || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Content-Length") != "7" {
		t.Errorf("%v %d %v %s", err, w.Code, w.Header(), w.Body)
	}
	if f.last.Model != "m" || f.last.Requested != "m" || f.last.Stream || f.last.Caller != (provider.Caller{ID: "u1", Name: "Zoë", Email: "z@example.com", Role: "user"}) || f.doc != hello {
		t.Errorf("%+v %s", f.last, f.doc)
	}
	if got := rec.Snapshot()[usage.Key{UserID: "u1", KeyID: "k1", Model: "m"}]; got != (usage.Count{Requests: 1, Prompt: 3, Completion: 4}) {
		t.Errorf("%+v", got)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 64) + strings.Repeat("]", 64)
	list := func(n int, item string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + "]"
	}
	s := New(models{"m": target("m", answering("{}"))}, usage.New(), Config{MaxBody: 1 << 20})
	for name, tt := range map[string]struct {
		body   string
		status int
	}{
		"no JSON":           {`{not json`, 422},
		"nothing":           {``, 422},
		"no object":         {`[1]`, 422},
		"no model":          {`{"messages":[{"role":"user","content":"hi"}]}`, 400},
		"no model, nothing": {`{"messages":[]}`, 400},
		"model is a number": {`{"model":1,"messages":[{}]}`, 400},
		"unknown model":     {`{"model":"x","messages":[{}]}`, 400},
		"no messages":       {`{"model":"m"}`, 400},
		"empty messages":    {`{"model":"m","messages":[ ]}`, 400},
		"messages no list":  {`{"model":"m","messages":{}}`, 400},
		"too deep":          {`{"model":"m","messages":` + deep + `}`, 400},
		"too many keys":     {`{"model":"m","messages":[{}],"x":{` + strings.TrimSuffix(strings.Repeat(`"a":1,`, 100_001), ",") + `}}`, 400},
		"2000 messages":     {`{"model":"m","messages":` + list(2000, "{}") + `}`, 200},
		"2001 messages":     {`{"model":"m","messages":` + list(2001, "{}") + `}`, 400},
		"256 parts":         {`{"model":"m","messages":[{"content":` + list(256, "{}") + `}]}`, 200},
		"257 parts":         {`{"model":"m","messages":[{"content":` + list(257, "{}") + `}]}`, 400},
		"128 tools":         {`{"model":"m","messages":[{}],"tools":` + list(128, "{}") + `}`, 200},
		"129 tools":         {`{"model":"m","messages":[{}],"tools":` + list(129, "{}") + `}`, 400},
		"too large":         {`{"model":"m","messages":["` + strings.Repeat("x", 1<<20) + `"]}`, 413},
	} {
		w, err := ask(s, tt.body)
		status := w.Code
		if err != nil {
			status = errdefs.From(err).HTTPStatus()
		}
		if status != tt.status || err != nil && w.Body.Len() > 0 {
			t.Errorf("%s: %d, want %d (%v)", name, status, tt.status, err)
		}
	}
	_, err := ask(s, `{"a":tru}`)
	e := errdefs.From(err)
	if len(e.Fields) != 1 || fmt.Sprint(e.Fields[0].Loc) != "[body 8]" || e.Fields[0].Type != "json_invalid" {
		t.Errorf("%+v", e.Fields)
	}
}

func TestBodyOfUnknownLength(t *testing.T) {
	t.Parallel()
	f := answering("{}")
	s := New(models{"m": target("m", f)}, usage.New(), Config{MaxBody: 64 << 10})
	for _, n := range []int{10, 5000, 60_000, 70_000} {
		body := strings.Replace(hello, "hi", strings.Repeat("x", n), 1)
		r := httptest.NewRequest(http.MethodPost, "/", io.MultiReader(strings.NewReader(body)))
		r.ContentLength = -1
		err := s.Complete(httptest.NewRecorder(), r, Call{Who: somebody})
		if n < 64<<10 && (err != nil || f.doc != body) || n > 64<<10 && !errdefs.Is(err, errdefs.TooLarge) {
			t.Errorf("%d: %v", n, err)
		}
	}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(hello))
	r.ContentLength += 10
	if err := s.Complete(httptest.NewRecorder(), r, Call{Who: somebody}); !errdefs.Is(err, errdefs.Invalid) {
		t.Errorf("a body that breaks off: %v", err)
	}
}

// The mark that some editors begin a text with does not reach the upstream.
func TestBodyWithAMark(t *testing.T) {
	t.Parallel()
	f := answering("{}")
	s := New(models{"m": target("m", f)}, usage.New(), Config{})
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("\ufeff"+hello))
	if err := s.Complete(httptest.NewRecorder(), r, Call{Who: somebody}); err != nil || f.doc != hello {
		t.Errorf("%q, %v", f.doc, err)
	}
}

func TestRefuseOfTheRoute(t *testing.T) {
	t.Parallel()
	s := New(models{}, usage.New(), Config{})
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(hello))
	err := s.Complete(httptest.NewRecorder(), r, Call{Refuse: func(id string, err error) error {
		return errdefs.Newf(errdefs.NotFound, "Model '%s' was not found", id)
	}})
	if e := errdefs.From(err); e.HTTPStatus() != 404 || e.Detail != "Model 'm' was not found" {
		t.Error(err)
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	failing := func(phase hop.Phase, timeout bool) *fake {
		return &fake{chat: func(*provider.ChatRequest) (*provider.Reply, error) {
			return nil, provider.CallFailed(&hop.Error{Phase: phase, Timeout: timeout, Err: errors.New("x")})
		}}
	}
	for name, tt := range map[string]struct {
		first  *fake
		second int // calls of the second backend
	}{
		"no connection": {failing(hop.Dialing, false), 1},
		"no byte":       {failing(hop.Sent, false), 1},
		"too slow":      {failing(hop.Sent, true), 0},
		"bad head":      {failing(hop.Head, false), 0},
		"broken off":    {failing(hop.Body, false), 0},
	} {
		second := answering("{}")
		s := New(models{"m": target("m", tt.first, second)}, usage.New(), Config{})
		_, err := ask(s, hello)
		if second.asked != tt.second || (err == nil) != (tt.second == 1) {
			t.Errorf("%s: %d calls of the second, %v", name, second.asked, err)
		}
		// Which one failed is known now.
		tt.first.asked = 0
		if _, err := ask(s, hello); tt.second == 1 && (err != nil || tt.first.asked != 0) {
			t.Errorf("%s: the one that failed was asked again: %v", name, err)
		}
	}
	three := []*fake{failing(hop.Dialing, false), failing(hop.Dialing, false), answering("{}")}
	s := New(models{"m": target("m", three[0], three[1], three[2])}, usage.New(), Config{})
	if _, err := ask(s, hello); err == nil || three[2].asked != 0 {
		t.Errorf("more than one further backend was asked: %v", err)
	}
	if _, err := ask(New(models{"m": target("m")}, usage.New(), Config{}), hello); !errdefs.Is(err, errdefs.Unavailable) {
		t.Errorf("no backend: %v", err)
	}
}

func TestPreset(t *testing.T) {
	t.Parallel()
	f := answering("{}")
	m := target("m", f)
	m.Upstream = "base"
	m.Row = &model.Row{Params: []byte(`{"temperature":0.1,"top_p":0.2,"system":"Hello {{USER_NAME}}, it is {{CURRENT_DATE}}.","custom_params":{"x":"1"}}`)}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := New(models{"m": m}, usage.New(), Config{Now: func() time.Time { return now }})
	for _, tt := range []struct{ in, messages, params string }{
		{`{"model":"m","messages":[{"role":"user","content":"hi"}],"params":{"top_p":0.9}}`,
			`[{"role":"system","content":"Hello Zoë, it is 2026-01-02."},{"role":"user","content":"hi"}]`,
			`{"temperature":0.1,"top_p":0.9,"system":"Hello {{USER_NAME}}, it is {{CURRENT_DATE}}.","custom_params":{"x":"1"}}`},
		{`{"model":"m","messages":[{"role":"system","content":"Be \"short\"."},{"role":"user","content":"hi"}]}`,
			`[{"role":"system","content":"Hello Zoë, it is 2026-01-02.\nBe \"short\"."},{"role":"user","content":"hi"}]`,
			string(m.Row.Params)},
	} {
		if _, err := ask(s, tt.in); err != nil {
			t.Fatal(err)
		}
		if got := string(rawjson.Lookup([]byte(f.doc), "messages")); got != tt.messages {
			t.Errorf("messages %s", got)
		}
		if string(f.last.Params) != tt.params || f.last.Model != "base" || f.last.Requested != "m" {
			t.Errorf("%s %s %s", f.last.Params, f.last.Model, f.last.Requested)
		}
	}
}

func TestUsageOfStreams(t *testing.T) {
	t.Parallel()
	f := streaming(1, io.EOF)
	m := target("m", f)
	m.Kind = provider.OpenAI
	m.Row = &model.Row{Meta: []byte(`{"capabilities":{"vision":true,"usage":true}}`)}
	s := New(models{"m": m}, usage.New(), Config{})
	for body, want := range map[string]string{
		helloStream: `{"stream_options":{"include_usage":true}}`,
		hello:       ``,
		`{"model":"m","stream":true,"messages":[{}],"params":{"top_p":1}}`: `{"stream_options":{"include_usage":true},"top_p":1}`,
	} {
		if _, err := ask(s, body); err != nil {
			t.Fatal(err)
		}
		if got := string(f.last.Params); got != want {
			t.Errorf("%s: %s", body, got)
		}
	}
}

func TestEmbed(t *testing.T) {
	t.Parallel()
	s := New(models{"m": target("m", answering(`{"data":[]}`))}, usage.New(), Config{})
	for body, status := range map[string]int{
		`{"model":"m","input":"a"}`:   200,
		`{"model":"m","input":["a"]}`: 200,
		`{"model":"m"}`:               400,
		`{"model":"x","input":"a"}`:   400,
		`{`:                           422,
	} {
		w := httptest.NewRecorder()
		err := s.Embed(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)), Call{Who: somebody})
		got := w.Code
		if err != nil {
			got = errdefs.From(err).HTTPStatus()
		}
		if got != status {
			t.Errorf("%s: %d %v", body, got, err)
		}
	}
}

// script is a stream of ready-made blocks.
type script struct {
	blocks [][]byte
	i      int
	end    error
}

func (s *script) Next() ([]byte, error) {
	if s.i == len(s.blocks) {
		return nil, s.end
	}
	s.i++
	return s.blocks[s.i-1], nil
}

func (s *script) Usage() provider.Usage { return provider.Usage{Prompt: 1, Completion: int64(s.i)} }
func (s *script) Close() error          { return nil }

func streaming(n int, end error) *fake {
	blocks := make([][]byte, n)
	for i := range blocks {
		blocks[i] = []byte("data: {}\n\n")
	}
	return &fake{chat: func(*provider.ChatRequest) (*provider.Reply, error) {
		return &provider.Reply{Status: 200, ContentType: "text/event-stream", Stream: &script{blocks: blocks, end: end}}, nil
	}}
}

const helloStream = `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`

func TestStream(t *testing.T) {
	t.Parallel()
	key := usage.Key{UserID: "u1", KeyID: "k1", Model: "m"}
	broke := errdefs.New(errdefs.Upstream, "broke off")
	for _, tt := range []struct {
		blocks int
		end    error
		status int
		count  usage.Count
	}{
		{3, io.EOF, 200, usage.Count{Requests: 1, Prompt: 1, Completion: 3}},
		{3, broke, 200, usage.Count{Requests: 1, Errors: 1, Prompt: 1, Completion: 3}},
		{0, broke, 502, usage.Count{Requests: 1, Errors: 1, Prompt: 1}},
	} {
		rec := usage.New()
		m := target("m", streaming(tt.blocks, tt.end))
		s := New(models{"m": m}, rec, Config{})
		w, err := ask(s, helloStream)
		status := w.Code
		if err != nil {
			status = errdefs.From(err).HTTPStatus()
		}
		if status != tt.status || strings.Count(w.Body.String(), "data: {}") != tt.blocks {
			t.Errorf("%+v: %d %v %s", tt, status, err, w.Body)
		}
		if got := rec.Snapshot()[key]; got != tt.count {
			t.Errorf("%+v: %+v", tt, got)
		}
		if s.Streams() != 0 || m.Backends[0].Busy.Load() != 0 {
			t.Errorf("%+v: %d streams, %d calls are still open", tt, s.Streams(), m.Backends[0].Busy.Load())
		}
	}
}

func TestStreamError(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]string{
		provider.CallFailed(&hop.Error{Phase: hop.Body, Err: relay.ErrShutdown}): errShutdown.Detail,
		provider.CallFailed(&hop.Error{Phase: hop.Body, Err: io.EOF}):            "The model provider's answer broke off. Try again.",
	} {
		s := New(models{"m": target("m", streaming(1, err))}, usage.New(), Config{})
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(helloStream))
		render := func(err error) []byte { return []byte("error: " + errdefs.From(err).Detail + "\n\n") }
		if err := s.Complete(w, r, Call{Who: somebody, StreamError: render}); err != nil || !strings.Contains(w.Body.String(), "error: "+want) {
			t.Errorf("%v %s, want %s", err, w.Body, want)
		}
	}
}

func TestStreamLimit(t *testing.T) {
	t.Parallel()
	inside, leave := make(chan struct{}), make(chan struct{})
	f := &fake{}
	f.chat = func(*provider.ChatRequest) (*provider.Reply, error) {
		inside <- struct{}{}
		<-leave
		return nil, errdefs.New(errdefs.Upstream, "x")
	}
	s := New(models{"m": target("m", f)}, usage.New(), Config{Streams: 1})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ask(s, helloStream)
	}()
	<-inside
	_, err := ask(s, helloStream)
	if e := errdefs.From(err); e.HTTPStatus() != 429 || e.RetryAfter <= 0 {
		t.Errorf("%v", err)
	}
	close(leave)
	<-ended
	if s.Streams() != 0 {
		t.Errorf("%d streams are still open", s.Streams())
	}
}

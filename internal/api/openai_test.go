package api_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"portico/internal/access"
	"portico/internal/api"
	"portico/internal/api/apitest"
	"portico/internal/auth"
	"portico/internal/model"
)

// vendor is an OpenAI-compatible upstream that answers by path.
type vendor struct {
	URL string

	mu    sync.Mutex
	calls []string // method, target, body and unexpected headers of what was asked beyond lists
}

// newVendor starts one with the models given. answers are by method and path;
// what has none is answered with "nothing here".
func newVendor(t testing.TB, models []string, answers map[string]http.HandlerFunc) *vendor {
	t.Helper()
	v := &vendor{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := r.Method + " " + r.URL.Path
		if at == "GET /v1/models" {
			var list []string
			for _, id := range models {
				list = append(list, fmt.Sprintf(`{"id":%q,"object":"model"}`, id))
			}
			say(200, "application/json", `{"data":[`+strings.Join(list, ",")+`]}`)(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		var extra []string
		for name := range r.Header {
			if name != "Authorization" && name != "Content-Type" && name != "Content-Length" && name != "Accept" {
				extra = append(extra, name)
			}
		}
		v.mu.Lock()
		v.calls = append(v.calls, strings.TrimSpace(r.Method+" "+r.RequestURI+" "+string(body)+" "+strings.Join(extra, ",")))
		v.mu.Unlock()
		h := answers[at]
		if h == nil {
			h = say(404, "application/json", `{"error":{"message":"nothing here"}}`)
		}
		h(w, r)
	}))
	t.Cleanup(srv.Close)
	v.URL = srv.URL
	return v
}

// asked is what was asked since the last time.
func (v *vendor) asked() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := strings.Join(v.calls, "\n")
	v.calls = nil
	return all
}

func say(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

const (
	response = `{"id":"resp_1","object":"response","output":[],"usage":{"input_tokens":5,"output_tokens":2}}`
	opening  = "event: response.created\ndata: {\"type\":\"response.created\"}\n\n"
	closing  = "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":" + response + "}\n\n"
)

// preset makes a workspace model on another one, for one person.
func preset(t *testing.T, s *apitest.Server, id, base, userID, params string) {
	t.Helper()
	err := s.DB.CreateModel(context.Background(), &model.Row{
		ID: id, BaseModelID: base, UserID: s.Admin.ID, Name: id, Params: json.RawMessage(params), Meta: json.RawMessage(`{}`), IsActive: true,
	}, []access.Grant{{ID: "g-" + id, ResourceType: access.Model, ResourceID: id, PrincipalType: "user", PrincipalID: userID, Permission: "read"}})
	if err != nil {
		t.Fatal(err)
	}
}

func TestResponses(t *testing.T) {
	t.Parallel()
	v := newVendor(t, []string{"big", "secret"}, map[string]http.HandlerFunc{
		"POST /v1/responses": func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+apitest.ProviderKey {
				w.WriteHeader(http.StatusTeapot)
			}
			say(200, "application/json", response)(w, r)
		},
	})
	o := newUpstream(t)
	s := apitest.New(t, apitest.Options{Env: map[string]string{
		"OPENAI_API_BASE_URLS": v.URL + "/v1", "OPENAI_API_CONFIGS": `{"0":{"prefix_id":"v"}}`, "OLLAMA_BASE_URLS": o.URL,
	}})
	share(t, s, "v.big", s.User.ID)
	share(t, s, "gemma:latest", s.User.ID)
	preset(t, s, "tutor", "v.big", s.User.ID, `{"system":"Teach.","temperature":0.5}`)

	for _, path := range []string{"/openai/responses", "/v1/responses", "/api/v1/responses"} {
		missing, unknown := 403, 404
		if path != "/openai/responses" {
			missing, unknown = 400, 400
		}
		for _, c := range []struct {
			who          *apitest.Person
			body         string
			status       int
			asked, ollam string
		}{
			{s.User, `{"model":"v.big","input":"hi","metadata":{"a":"b"}}`, 200, `POST /v1/responses {"model":"big","input":"hi","metadata":{"a":"b"}}`, ""},
			{s.User, `{"model":"v.big","Model":"secret","input":"hi"}`, 200, `POST /v1/responses {"model":"big","input":"hi"}`, ""},
			{s.User, `{"model":"tutor","input":"hi"}`, 200, `POST /v1/responses {"model":"big","input":"hi","instructions":"Teach.","temperature":0.5}`, ""},
			{s.User, `{"model":"gemma","input":"hi"}`, 200, "", `POST /v1/responses {"model":"gemma:latest","input":"hi"}`},
			{s.User, `{"model":"v.secret","input":"hi"}`, missing, "", ""},
			{s.Other, `{"model":"v.big","input":"hi"}`, missing, "", ""},
			{s.User, `{"model":"big","input":"hi"}`, missing, "", ""},
			{s.Admin, `{"model":"big","input":"hi"}`, unknown, "", ""},
			{s.Admin, `{"input":"hi"}`, 422, "", ""},
			{s.Admin, `{"model":7}`, 422, "", ""},
			{s.Admin, `[]`, 422, "", ""},
		} {
			before := o.last()
			a := s.Do(t, c.who.Key, "POST", path, c.body)
			if asked := v.asked(); a.Status != c.status || asked != c.asked {
				t.Errorf("%s %s %s: %d %s, asked %q", path, c.who.Name, c.body, a.Status, a.Body, asked)
			}
			if c.asked != "" && a.Body != response {
				t.Errorf("%s %s: %s", path, c.body, a.Body)
			}
			if last := o.last(); c.ollam != "" && last != c.ollam || c.ollam == "" && last != before {
				t.Errorf("%s %s: Ollama was asked %q", path, c.body, last)
			}
		}
	}
	spent := s.API.Doors.Usage.Snapshot()
	var prompt int64
	for key, count := range spent {
		if key.Model == "v.big" && key.UserID == s.User.ID {
			prompt += count.Prompt
		}
	}
	if prompt != 6*5 {
		t.Errorf("counted %d tokens: %v", prompt, spent)
	}
}

func TestResponsesStream(t *testing.T) {
	t.Parallel()
	v := newVendor(t, []string{"good", "cut", "full"}, map[string]http.HandlerFunc{
		"POST /v1/responses": func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			switch {
			case strings.Contains(string(body), "full"):
				w.Header().Set("Retry-After", "7")
				say(429, "application/json", `{"error":{"message":"slow down"}}`)(w, r)
			case strings.Contains(string(body), "cut"):
				begin(w, "text/event-stream", opening)
				time.Sleep(20 * time.Millisecond) // what is sent before a reset may be lost
				panic(http.ErrAbortHandler)
			default:
				say(200, "text/event-stream; charset=utf-8", opening+closing)(w, r)
			}
		},
	})
	s := apitest.New(t, apitest.Options{Env: map[string]string{"OPENAI_API_BASE_URLS": v.URL + "/v1"}})
	for name, c := range map[string]struct {
		status     int
		kind, want string
	}{
		"good": {200, "text/event-stream; charset=utf-8", opening + closing},
		"cut":  {200, "text/event-stream; charset=utf-8", opening + `data: {"error":{"message":"`},
		"full": {429, "application/json", `{"error":{"message":"slow down"}}`},
	} {
		a := s.Do(t, s.Admin.Key, "POST", "/openai/responses", `{"model":"`+name+`","stream":true}`)
		if a.Status != c.status || a.Header.Get("Content-Type") != c.kind || !strings.HasPrefix(a.Body, c.want) || name != "cut" && a.Body != c.want {
			t.Errorf("%s: %d %v %s", name, a.Status, a.Header, a.Body)
		}
		if name == "full" && a.Header.Get("Retry-After") != "7" {
			t.Errorf("%v", a.Header)
		}
	}
}

func TestSpeech(t *testing.T) {
	t.Parallel()
	const sound = "ID3\x04\x00\xff\xfb\x90"
	v := newVendor(t, []string{"voice", "chat"}, map[string]http.HandlerFunc{
		"POST /v1/audio/speech": func(w http.ResponseWriter, r *http.Request) { say(200, "audio/mpeg", sound)(w, r) },
	})
	o := newUpstream(t)
	s := apitest.New(t, apitest.Options{Env: map[string]string{
		"OPENAI_API_BASE_URLS": v.URL + "/v1", "OPENAI_API_CONFIGS": `{"0":{"prefix_id":"v"}}`, "OLLAMA_BASE_URLS": o.URL,
	}})
	share(t, s, "v.voice", s.User.ID)
	const path = "/openai/audio/speech"
	a := s.Do(t, s.User.Key, "POST", path, `{"model":"v.voice","input":"hi","voice":"alloy"}`)
	if asked := v.asked(); a.Status != 200 || a.Body != sound || a.Header.Get("Content-Type") != "audio/mpeg" || asked != `POST /v1/audio/speech {"model":"voice","input":"hi","voice":"alloy"}` {
		t.Errorf("%d %q %v, asked %q", a.Status, a.Body, a.Header, asked)
	}
	for _, c := range []struct {
		who    *apitest.Person
		body   string
		status int
	}{
		{s.Other, `{"model":"v.voice","input":"hi"}`, 403},
		{s.User, `{"model":"tts-1","input":"hi"}`, 403},
		{s.Admin, `{"model":"tts-1","input":"hi"}`, 404},
		{s.Admin, `{"model":"gemma:latest","input":"hi"}`, 400},
		{s.Admin, `{"input":"hi"}`, 422},
	} {
		if a := s.Do(t, c.who.Key, "POST", path, c.body); a.Status != c.status || v.asked() != "" {
			t.Errorf("%s %s: %d %s", c.who.Name, c.body, a.Status, a.Body)
		}
	}
	err := s.Settings.Set(t.Context(), map[string]any{"user.permissions": map[string]any{"chat": map[string]any{"tts": false}, "features": map[string]any{"api_keys": true}}})
	if err != nil {
		t.Fatal(err)
	}
	if a := s.Do(t, s.User.Key, "POST", path, `{"model":"v.voice","input":"hi"}`); a.Status != 403 || !strings.Contains(a.Body, "chat.tts") {
		t.Errorf("without the permission: %d %s", a.Status, a.Body)
	}
	if a := s.Do(t, s.Admin.Key, "POST", path, `{"model":"v.voice","input":"hi"}`); a.Status != 200 {
		t.Errorf("an administrator: %d %s", a.Status, a.Body)
	}
}

// Sound that breaks off does not look whole.
func TestSpeechBreaksOff(t *testing.T) {
	t.Parallel()
	for _, announced := range []bool{false, true} {
		v := newVendor(t, []string{"voice"}, map[string]http.HandlerFunc{
			"POST /v1/audio/speech": func(w http.ResponseWriter, _ *http.Request) {
				if announced {
					w.Header().Set("Content-Length", "1000")
				}
				begin(w, "audio/mpeg", "some")
				panic(http.ErrAbortHandler)
			},
		})
		s := apitest.New(t, apitest.Options{Env: map[string]string{"OPENAI_API_BASE_URLS": v.URL + "/v1"}})
		r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/openai/audio/speech", strings.NewReader(`{"model":"voice"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+s.Admin.Key)
		client := &http.Client{Transport: &http.Transport{}}
		res, err := client.Do(r)
		if err != nil {
			continue // nothing came before the end: that is plain, too
		}
		if body, err := io.ReadAll(bufio.NewReader(res.Body)); err == nil {
			t.Errorf("announced %v: %d, %q looks whole", announced, res.StatusCode, body)
		}
		_ = res.Body.Close()
		client.CloseIdleConnections()
	}
}

func TestManagedModels(t *testing.T) {
	t.Parallel()
	const done = `{"success":true}`
	fine := say(200, "application/json", done)
	v := newVendor(t, []string{"m"}, map[string]http.HandlerFunc{
		"GET /models": say(200, "application/json", `{"data":[{"id":"m","status":{"value":"unloaded"}}]}`), "POST /models": fine,
		"POST /models/load": say(200, "text/plain", "OK"), "POST /models/unload": say(400, "application/json", `{"error":{"message":"not loaded"}}`),
		"DELETE /models": fine, "GET /models/sse": say(200, "text/event-stream", "data: {\"event\":\"loaded\"}\n\n"),
		"GET /api/v1/models/download/status/job-1": say(200, "application/json", `{"status":"completed"}`),
		"POST /api/v1/models/unload":               fine,
	})
	s := apitest.New(t, apitest.Options{Env: map[string]string{
		"OPENAI_API_BASE_URLS": strings.Repeat(v.URL+"/v1;", 3) + v.URL + "/v1",
		"OPENAI_API_CONFIGS":   `{"0":{"provider":"llama.cpp","prefix_id":"p"},"1":{"provider":"lmstudio","prefix_id":"q"},"2":{"prefix_id":"r"},"3":{"provider":"llama.cpp","enable":false}}`,
	}})
	const named = `{"model":"p.m","n":1}`
	for _, c := range []struct {
		method, path, body string
		status             int
		want, asked        string
	}{
		{"GET", "/0/catalog", "", 200, `"unloaded"`, "GET /models"},
		{"POST", "/0/download", named, 200, done, `POST /models {"model":"m","n":1}`},
		{"POST", "/0/load", named, 200, done, `POST /models/load {"model":"m","n":1}`},
		{"POST", "/0/unload", named, 400, "not loaded", `POST /models/unload {"model":"m","n":1}`},
		{"DELETE", "/0?model=p.m%2Fx", "", 200, done, "DELETE /models?model=m%2Fx"},
		{"DELETE", "/0", "", 422, "Field required", ""},
		{"GET", "/0/sse", "", 200, "data: {\"event\":\"loaded\"}\n\n", "GET /models/sse"},
		{"GET", "/0/download/status/job-1", "", 400, "llama.cpp", ""},
		{"GET", "/1/download/status/job-1", "", 200, "completed", "GET /api/v1/models/download/status/job-1"},
		{"GET", "/1/download/status/a%20b", "", 400, "letters", ""},
		{"POST", "/1/unload", `{"model":"q.m"}`, 200, done, `POST /api/v1/models/unload {"instance_id":"m"}`},
		{"GET", "/1/sse", "", 400, "lmstudio", ""},
		{"GET", "/2/catalog", "", 400, "cannot be managed", ""},
		{"GET", "/3/catalog", "", 404, "switched off", ""},
		{"GET", "/9/catalog", "", 404, "no OpenAI-compatible connection 9", ""},
		{"GET", "/x/catalog", "", 422, "int_parsing", ""},
		{"POST", "/0/load", `{}`, 422, "Field required", ""},
	} {
		var body any
		if c.body != "" {
			body = c.body
		}
		a := s.Do(t, s.Admin.Key, c.method, "/openai/models"+c.path, body)
		if asked := v.asked(); a.Status != c.status || !strings.Contains(a.Body, c.want) || asked != c.asked {
			t.Errorf("%s %s: %d %s, asked %q", c.method, c.path, a.Status, a.Body, asked)
		}
		if a := s.Do(t, s.User.Key, c.method, "/openai/models"+c.path, body); a.Status != 401 || v.asked() != "" {
			t.Errorf("%s %s by a user: %d %s", c.method, c.path, a.Status, a.Body)
		}
	}
}

func TestPassthrough(t *testing.T) {
	t.Parallel()
	first := newVendor(t, []string{"one"}, map[string]http.HandlerFunc{
		"GET /v1/files":         say(200, "application/json", `{"data":[]}`),
		"DELETE /v1/files/f-1":  say(204, "application/json", ""),
		"GET /v1/page":          say(200, "text/html", "<script>alert(1)</script>"),
		"GET /v1/elsewhere":     http.RedirectHandler("http://127.0.0.1:1/", http.StatusFound).ServeHTTP,
		"POST /v1/moderations":  say(200, "application/json", `{"results":[]}`),
		"POST /v1/models/load":  say(200, "application/json", `{}`),
		"GET /v1/models/sse":    say(200, "text/event-stream", "data: x\n\n"),
		"POST /v1/unauthorised": say(401, "application/json", `{"error":"bad key"}`),
	})
	second := newVendor(t, []string{"two", "secret"}, map[string]http.HandlerFunc{
		"POST /v1/completions": say(200, "text/event-stream", "data: {\"choices\":[]}\n\ndata: [DONE]\n\n"),
		"POST /v1/rerank":      say(200, "application/json", `{"results":[]}`),
	})
	s := apitest.New(t, apitest.Options{Config: api.Config{OpenAIPassthrough: true}, Env: map[string]string{
		"OPENAI_API_BASE_URLS": first.URL + "/v1;" + second.URL + "/v1", "OPENAI_API_CONFIGS": `{"1":{"prefix_id":"s"}}`,
	}})
	share(t, s, "s.two", s.User.ID)
	scoped := s.Key(t, s.User, auth.KeySpec{Name: "scoped", Models: []string{"s.two"}})
	for _, c := range []struct {
		credential, method, path, body string
		status                         int
		want, first, second            string
	}{
		{s.User.Key, "GET", "/files?purpose=a&after=b", "", 200, `{"data":[]}`, "GET /v1/files?after=b&purpose=a", ""},
		{s.User.Key, "DELETE", "/files/f-1", "", 204, "", "DELETE /v1/files/f-1", ""},
		{s.User.Key, "DELETE", "/files/f-1?x=y", "", 400, "query", "", ""},
		{s.User.Key, "POST", "/moderations", `{"input":"x","MODEL":"omni"}`, 200, `{"results":[]}`, `POST /v1/moderations {"input":"x"}`, ""},
		{s.User.Key, "POST", "/completions", `{"model":"s.two","prompt":"x","stream":true}`, 200, "data: [DONE]\n\n", "", `POST /v1/completions {"model":"two","prompt":"x","stream":true}`},
		{s.User.Key, "POST", "/rerank", `{"model":"s.secret"}`, 403, "Model not found", "", ""},
		{s.User.Key, "POST", "/rerank", `{"model":"omni"}`, 403, "Model not found", "", ""},
		{s.Admin.Key, "POST", "/rerank", `{"model":"omni"}`, 404, "omni", "", ""},
		{s.Admin.Key, "POST", "/rerank", `{"model":["s.two"]}`, 422, "valid string", "", ""},
		{s.Admin.Key, "POST", "/rerank", `{"model":"tiny:latest"}`, 400, "/ollama/v1", "", ""},
		{scoped, "POST", "/rerank", `{"model":"s.two"}`, 200, `{"results":[]}`, "", `POST /v1/rerank {"model":"two"}`},
		{scoped, "GET", "/files", "", 403, "certain models", "", ""},
		{s.User.Key, "POST", "/models/load", `{"model":"s.two"}`, 403, "administrator", "", ""},
		{s.User.Key, "POST", "/Models/load", `{"model":"s.two"}`, 403, "administrator", "", ""},
		{s.Admin.Key, "POST", "/models/load", `{}`, 200, `{}`, `POST /v1/models/load {}`, ""},
		{s.Admin.Key, "POST", "/unauthorised", `{}`, 502, "credential", `POST /v1/unauthorised {}`, ""},
		{s.Admin.Key, "GET", "/nothing", "", 404, "nothing here", "GET /v1/nothing", ""},
		{s.Admin.Key, "GET", "/elsewhere", "", 502, "no usable answer", "GET /v1/elsewhere", ""},
		{s.Admin.Key, "GET", "/a/../b", "", 400, "plain path", "", ""},
		{s.Admin.Key, "GET", "/a%2fb", "", 400, "plain path", "", ""},
		{s.Admin.Key, "GET", "/a%20b", "", 400, "letters", "", ""},
		{s.Admin.Key, "GET", "/.../x", "", 400, "letters", "", ""},
		{s.Admin.Key, "GET", "/@evil:80%3fx", "", 400, "letters", "", ""},
		{s.Admin.Key, "POST", "/moderations", `{"input":`, 422, "JSON", "", ""},
		{s.Pending.Token, "GET", "/files", "", 401, "", "", ""},
	} {
		var body any
		if c.body != "" {
			body = c.body
		}
		a := s.Do(t, c.credential, c.method, "/openai"+c.path, body, "X-Extra", "1", "Cookie", "a=b", "OpenAI-Organization", "org")
		if one, two := first.asked(), second.asked(); a.Status != c.status || !strings.Contains(a.Body, c.want) || one != c.first || two != c.second {
			t.Errorf("%s %s %s: %d %s; asked %q and %q", c.method, c.path, c.body, a.Status, a.Body, one, two)
		}
	}
	if a := s.Do(t, s.Admin.Key, "POST", "/openai/audio/transcriptions", form, "Content-Type", "multipart/form-data; boundary=x"); a.Status != 415 {
		t.Errorf("a form: %d %s", a.Status, a.Body)
	}
	if a := s.Do(t, s.Admin.Key, "GET", "/openai/page", nil); a.Header.Get("Content-Type") != "application/octet-stream" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("a page: %d %v", a.Status, a.Header)
	}
	if err := s.Settings.Set(t.Context(), map[string]any{"openai.enable": false}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/openai/files", "/openai/models/0/catalog"} {
		if a := s.Do(t, s.Admin.Key, "GET", path, nil); a.Status != 503 {
			t.Errorf("%s while switched off: %d %s", path, a.Status, a.Body)
		}
	}
}

// A client that leaves in the middle of a sound stops the upstream.
func TestSpeechClientLeaves(t *testing.T) {
	t.Parallel()
	stopped := make(chan struct{})
	v := newVendor(t, []string{"voice"}, map[string]http.HandlerFunc{
		"POST /v1/audio/speech": func(w http.ResponseWriter, r *http.Request) {
			begin(w, "audio/mpeg", "some")
			<-r.Context().Done()
			close(stopped)
		},
	})
	s := apitest.New(t, apitest.Options{Env: map[string]string{"OPENAI_API_BASE_URLS": v.URL + "/v1"}})
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	r, err := http.NewRequestWithContext(ctx, "POST", s.URL+"/openai/audio/speech", strings.NewReader(`{"model":"voice"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.Admin.Key)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.ReadFull(res.Body, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	leave()
	select {
	case <-stopped:
	case <-time.After(5 * time.Second):
		t.Error("the upstream goes on")
	}
}

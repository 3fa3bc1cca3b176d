package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"portico/internal/access"
	"portico/internal/api"
	"portico/internal/api/apitest"
	"portico/internal/model"
)

// recorded is one answer of a real Ollama.
type recorded struct {
	status            int
	contentType, body string
}

func ollamaRecord(t testing.TB, name string) recorded {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "provider", "ollama", "testdata", "real", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitN(string(raw), "\n", 4)
	code, kind, _ := strings.Cut(lines[2], " ")
	status, err := strconv.Atoi(code)
	if err != nil {
		t.Fatal(err)
	}
	return recorded{status, kind, lines[3]}
}

// upstream plays the recorded answers of a real Ollama.
type upstream struct {
	URL string

	mu    sync.Mutex
	calls []string // method, path and body of what was asked beyond lists
}

func newUpstream(t testing.TB) *upstream {
	u := &upstream{}
	plays := map[string]string{
		"GET /api/tags": "tags", "GET /api/ps": "ps", "GET /api/version": "version", "GET /v1/models": "v1_models",
		"POST /api/chat": "chat", "POST /api/generate": "generate", "POST /api/embed": "embed", "POST /api/embeddings": "embeddings",
		"POST /api/show": "show", "POST /api/pull": "pull_error", "POST /api/push": "push_error", "POST /api/create": "create",
		"POST /api/copy": "copy", "DELETE /api/delete": "delete",
		"POST /v1/chat/completions": "v1_chat", "POST /v1/completions": "v1_completions", "POST /v1/embeddings": "v1_embeddings",
		"POST /v1/messages": "v1_messages", "POST /v1/responses": "v1_responses",
	}
	records := map[string]recorded{}
	for at, name := range plays {
		records[at] = ollamaRecord(t, name)
		for _, variant := range []string{"_stream"} {
			if _, err := os.Stat(filepath.Join("..", "provider", "ollama", "testdata", "real", name+variant+".txt")); err == nil {
				records[at+variant] = ollamaRecord(t, name+variant)
			}
		}
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		at := r.Method + " " + r.URL.Path
		if r.Method != "GET" {
			u.mu.Lock()
			u.calls = append(u.calls, at+" "+string(body))
			u.mu.Unlock()
		}
		streamed := strings.HasPrefix(r.URL.Path, "/api/") && !strings.Contains(string(body), `"stream":false`) ||
			strings.Contains(string(body), `"stream":true`)
		rec, ok := records[at+"_stream"]
		if !ok || !streamed {
			rec, ok = records[at]
		}
		switch {
		case strings.HasPrefix(r.URL.Path, "/api/blobs/") && r.Method == "POST":
			w.WriteHeader(http.StatusCreated)
			return
		case !ok:
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", rec.contentType)
		w.WriteHeader(rec.status)
		_, _ = io.WriteString(w, rec.body)
	}))
	t.Cleanup(srv.Close)
	u.URL = srv.URL
	return u
}

// last is what was asked last.
func (u *upstream) last() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.calls) == 0 {
		return ""
	}
	return u.calls[len(u.calls)-1]
}

// ollamaServer is a server in front of connections to Ollamas.
func ollamaServer(t testing.TB, configs string, urls ...string) *apitest.Server {
	t.Helper()
	env := map[string]string{"OLLAMA_BASE_URLS": strings.Join(urls, ";")}
	if configs != "" {
		env["OLLAMA_API_CONFIGS"] = configs
	}
	return apitest.New(t, apitest.Options{Env: env})
}

// share lets one person use a model.
func share(t testing.TB, s *apitest.Server, id, userID string) {
	t.Helper()
	err := s.DB.CreateModel(context.Background(), &model.Row{
		ID: id, UserID: s.Admin.ID, Name: id, Params: json.RawMessage(`{}`), Meta: json.RawMessage(`{}`), IsActive: true,
	}, []access.Grant{{ID: "g-" + id, ResourceType: access.Model, ResourceID: id, PrincipalType: "user", PrincipalID: userID, Permission: "read"}})
	if err != nil {
		t.Fatal(err)
	}
}

const (
	hi     = `{"model":"gemma:latest","messages":[{"role":"user","content":"hi"}]}`
	digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
)

// ollamaCase is one call of each route, with what an administrator gets.
type ollamaCase struct {
	method, path, body string
	status             int
	contentType, want  string // want is part of the answer
	asked              string // beginning of what the upstream got; "" is nothing that matters
	admin              bool   // the route is for administrators
	numbered           bool   // the route exists with a connection's number, too
}

var ollamaCases = []ollamaCase{
	{"GET", "/ollama", "", 200, "application/json", `{"status":true}`, "", false, false},
	{"GET", "/ollama/api/tags", "", 200, "application/json", `"connection_type":"local","urls":[0]`, "", false, false},
	{"GET", "/ollama/api/tags/0", "", 200, "application/json", `{"models":[{"name":"gemma:latest"`, "", true, false},
	{"GET", "/ollama/api/ps", "", 200, "application/json", `"context_length":4096,"urls":[0]}]}`, "", true, false},
	{"GET", "/ollama/api/ps/0", "", 200, "application/json", `"context_length":4096}]}`, "", true, false},
	{"GET", "/ollama/api/version", "", 200, "application/json", `{"version":"0.0.0"}`, "", false, false},
	{"GET", "/ollama/api/version/0", "", 200, "application/json", `{"version":"0.0.0"}`, "", true, false},
	{"GET", "/ollama/v1/models", "", 200, "application/json", `"id":"gemma:latest","object":"model"`, "", false, false},
	{"GET", "/ollama/v1/models/0", "", 200, "application/json", `"owned_by":"library"`, "", true, false},
	{"POST", "/ollama/api/generate", `{"model":"gemma:latest","prompt":"Say hi"}`, 200, "application/x-ndjson", `"done":true`, "POST /api/generate {", false, true},
	{"POST", "/ollama/api/chat", hi, 200, "application/x-ndjson", `"done":true`, "POST /api/chat " + hi, false, true},
	{"POST", "/ollama/api/embed", `{"model":"gemma","input":["a"]}`, 501, "application/json", `"detail":"this model does not support embeddings"`, `POST /api/embed {"model":"gemma","input":["a"]}`, false, true},
	{"POST", "/ollama/api/embeddings", `{"model":"gemma:latest","prompt":"x"}`, 500, "application/json", `"error":"this model does not support embeddings"`, "POST /api/embeddings", false, true},
	{"POST", "/ollama/api/show", `{"name":"gemma"}`, 200, "application/json", `"capabilities":`, `POST /api/show {"name":"gemma"}`, false, true},
	{"POST", "/ollama/v1/chat/completions", hi, 200, "application/json", `"object":"chat.completion"`, "POST /v1/chat/completions " + hi, false, true},
	{"POST", "/ollama/v1/completions", `{"model":"gemma:latest","prompt":"x"}`, 200, "application/json", `"object":"text_completion"`, "POST /v1/completions", false, true},
	{"POST", "/ollama/v1/embeddings", `{"model":"gemma:latest","input":"x"}`, 501, "application/json", `"error":{"message":"this model does not`, "POST /v1/embeddings", false, true},
	{"POST", "/ollama/v1/messages", `{"model":"gemma:latest","max_tokens":6,"messages":[]}`, 200, "application/json", `"type":"message"`, "POST /v1/messages", false, true},
	{"POST", "/ollama/v1/responses", `{"model":"gemma:latest","input":"hi"}`, 200, "application/json", `"object":"response"`, "POST /v1/responses", false, true},
	{"GET", "/ollama/config", "", 200, "application/json", `"ENABLE_OLLAMA_API":true,"OLLAMA_BASE_URLS":["`, "", true, false},
	{"POST", "/ollama/config/update", `{"OLLAMA_BASE_URLS":["@U@"],"OLLAMA_API_CONFIGS":{}}`, 200, "application/json", `"OLLAMA_API_CONFIGS":{}`, "", true, false},
	{"POST", "/ollama/verify", `{"url":"@U@"}`, 200, "application/json", `{"version":"0.0.0"}`, "", true, false},
	{"POST", "/ollama/api/unload", `{"model":"gemma"}`, 200, "application/json", `{"status":true}`, `POST /api/generate {"keep_alive":0,"stream":false,"model":"gemma:latest"}`, true, false},
	{"POST", "/ollama/api/pull", `{"model":"x"}`, 200, "application/x-ndjson", `{"status":"pulling manifest"}`, `POST /api/pull {"model":"x","insecure":true}`, true, true},
	{"DELETE", "/ollama/api/push", `{"model":"gemma:latest"}`, 200, "application/x-ndjson", `{"status":"retrieving manifest"}`, `POST /api/push {"model":"gemma:latest"}`, true, true},
	{"POST", "/ollama/api/push", `{"name":"gemma"}`, 200, "application/x-ndjson", `{"status":"retrieving manifest"}`, `POST /api/push {"name":"gemma"}`, true, true},
	{"POST", "/ollama/api/create", `{"model":"new","from":"gemma","system":"Be brief."}`, 200, "application/x-ndjson", `"status"`, `POST /api/create {"model":"new","from":"gemma","system":"Be brief."}`, true, true},
	{"POST", "/ollama/api/copy", `{"source":"gemma","destination":"two"}`, 200, "application/json", `true`, `POST /api/copy {"source":"gemma","destination":"two"}`, true, true},
	{"DELETE", "/ollama/api/delete", `{"model":"gemma:latest"}`, 200, "application/json", `true`, `DELETE /api/delete {"model":"gemma:latest"}`, true, true},
	{"GET", "/ollama/api/blobs/" + digest, "", 404, "application/json", "", "HEAD /api/blobs/" + digest, true, true},
	{"POST", "/ollama/api/blobs/" + digest, "bytes", 201, "", "", "POST /api/blobs/" + digest + " bytes", true, true},
	{"POST", "/ollama/models/download", `{"url":"https://huggingface.co/a/b/resolve/main/c.gguf"}`, 200, "text/event-stream", `"done":true,"blob":"sha256:`, "POST /api/blobs/sha256:", true, true},
	{"POST", "/ollama/models/upload", "form", 200, "text/event-stream", `"name":"c.gguf","model_created":"c"}`, `POST /api/create {"stream":false,"model":"c","files":{"c.gguf":"sha256:`, true, true},
}

const form = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../c.gguf\"\r\n\r\nGGUF\r\n--x--\r\n"

// call makes the case's request as somebody.
func (tc *ollamaCase) call(t testing.TB, s *apitest.Server, u *upstream, credential, suffix string) *apitest.Answer {
	t.Helper()
	var body any
	var headers []string
	if text := strings.ReplaceAll(tc.body, "@U@", u.URL); text == "form" {
		body, headers = form, []string{"Content-Type", "multipart/form-data; boundary=x"}
	} else if text != "" {
		body, headers = text, []string{"Content-Type", "text/plain"} // JSON is read all the same
	}
	return s.Do(t, credential, tc.method, tc.path+suffix, body, headers...)
}

func TestOllamaRoutes(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	s := ollamaServer(t, "", u.URL)
	s.API.Doors.Fetch = func(context.Context, string) (io.ReadCloser, int64, error) {
		return io.NopCloser(strings.NewReader("GGUF")), 4, nil
	}
	for _, tc := range ollamaCases {
		suffixes := []string{""}
		if tc.numbered {
			suffixes = append(suffixes, "/0")
		}
		for _, suffix := range suffixes {
			a := tc.call(t, s, u, s.Admin.Key, suffix)
			name := tc.method + " " + tc.path + suffix
			if a.Status != tc.status || !strings.Contains(a.Body, tc.want) {
				t.Errorf("%s: %d %s", name, a.Status, a.Body)
			}
			if kind := a.Header.Get("Content-Type"); kind != tc.contentType {
				t.Errorf("%s: Content-Type %q", name, kind)
			}
			if !strings.HasPrefix(u.last(), tc.asked) {
				t.Errorf("%s: the upstream was asked %s", name, u.last())
			}
		}
	}
}

// Every route of the door is in the table above.
func TestOllamaRoutesAreAllTried(t *testing.T) {
	t.Parallel()
	for _, row := range new(api.API).Routes() {
		if !strings.HasPrefix(row.Path, "/ollama") {
			continue
		}
		path := strings.NewReplacer("{url_idx}", "0", "{digest}", digest).Replace(row.Path)
		tried := false
		for _, tc := range ollamaCases {
			tried = tried || tc.method == row.Method && tc.path == path && (len(row.Also) > 0) == tc.numbered
		}
		if !tried {
			t.Errorf("%s %s is in no case", row.Method, row.Path)
		}
	}
}

func TestOllamaRights(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	s := ollamaServer(t, "", u.URL)
	s.API.Doors.Fetch = func(context.Context, string) (io.ReadCloser, int64, error) {
		return io.NopCloser(strings.NewReader("GGUF")), 4, nil
	}
	share(t, s, "gemma:latest", s.User.ID)
	for _, tc := range ollamaCases {
		if tc.path == "/ollama" {
			continue // public
		}
		name := tc.method + " " + tc.path
		before := u.last()
		for who, credential := range map[string]string{"nobody": "", "pending": s.Pending.Token} {
			if a := tc.call(t, s, u, credential, ""); a.Status != 401 || a.JSON(t)["detail"] == nil || a.JSON(t)["error"] == nil {
				t.Errorf("%s as %s: %d %s", name, who, a.Status, a.Body)
			}
		}
		granted, stranger := tc.call(t, s, u, s.User.Key, ""), tc.call(t, s, u, s.Other.Key, "")
		switch {
		case tc.admin:
			if granted.Status != 401 || stranger.Status != 401 {
				t.Errorf("%s: %d and %d for people who are no administrators", name, granted.Status, stranger.Status)
			}
			if u.last() != before {
				t.Errorf("%s reached the upstream: %s", name, u.last())
			}
		case tc.method == "POST":
			if granted.Status != tc.status || stranger.Status != 403 || !strings.Contains(stranger.Body, `"detail":"Model not found"`) {
				t.Errorf("%s: %d granted, %d %s for a stranger", name, granted.Status, stranger.Status, stranger.Body)
			}
			if a := tc.call(t, s, u, s.User.Key, "/0"); a.Status != tc.status {
				t.Errorf("%s/0: %d %s for the connection that serves the model", name, a.Status, a.Body)
			}
			if a := tc.call(t, s, u, s.User.Key, "/7"); a.Status != 403 {
				t.Errorf("%s/7: %d %s for a connection that does not", name, a.Status, a.Body)
			}
		default:
			if strings.Contains(stranger.Body, "gemma") || tc.path != "/ollama/api/version" && !strings.Contains(granted.Body, "gemma") {
				t.Errorf("%s shows %s and, to a stranger, %s", name, granted.Body, stranger.Body)
			}
		}
	}
}

func TestOllamaUnknownModel(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	s := ollamaServer(t, "", u.URL)
	for path, body := range map[string]string{
		"/ollama/api/chat": `{"model":"no-such","messages":[]}`, "/ollama/api/generate": `{"model":"no-such","prompt":"x"}`,
		"/ollama/v1/chat/completions": `{"model":"mock","messages":[]}`, // there is one, but no Ollama's
		"/ollama/api/show":            `{"model":"no-such"}`, "/ollama/api/unload": `{"model":"no-such"}`, "/ollama/api/copy": `{"source":"no-such","destination":"x"}`,
	} {
		a := s.Do(t, s.Admin.Key, "POST", path, body)
		if a.Status != 400 || !strings.Contains(a.JSON(t)["detail"].(string), "was not found") {
			t.Errorf("%s: %d %s", path, a.Status, a.Body)
		}
	}
	for body, status := range map[string]int{`{not json`: 422, `{"messages":[]}`: 400, `{"model":5}`: 400, `[]`: 422, ``: 422} {
		for _, path := range []string{"/api/chat", "/api/show", "/api/unload", "/v1/chat/completions", "/v1/embeddings"} {
			if a := s.Do(t, s.Admin.Key, "POST", "/ollama"+path, body); a.Status != status {
				t.Errorf("%s %q: %d %s", path, body, a.Status, a.Body)
			}
		}
	}
	for _, path := range []string{"/api/embed", "/api/generate", "/api/pull", "/api/create"} {
		if a := s.Do(t, s.Admin.Key, "POST", "/ollama"+path, `{}`); a.Status != 422 {
			t.Errorf("%s without a model: %d %s", path, a.Status, a.Body)
		}
	}
	// Ollama would take the last of these for the model.
	for _, body := range []string{`{"model":"gemma","MODEL":"other"}`, `{"model":"gemma","mod\u0065L":"other"}`, `{"name":"gemma","Model":"other"}`} {
		for _, path := range []string{"/ollama/api/show", "/ollama/v1/chat/completions"} {
			if a := s.Do(t, s.Admin.Key, "POST", path, body); a.Status != 400 {
				t.Errorf("%s: %d %s", body, a.Status, a.Body)
			}
		}
	}
	if u.last() != "" {
		t.Errorf("the upstream was asked %s", u.last())
	}
	// Of two equal ones we send on the one that we judged by.
	s.Do(t, s.Admin.Key, "POST", "/ollama/api/generate", `{"model":"x","model":"gemma"}`)
	if u.last() != `POST /api/generate {"model":"gemma"}` {
		t.Errorf("the upstream was asked %s", u.last())
	}
}

// What an Ollama streams arrives byte for byte.
func TestOllamaUntouched(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	s := ollamaServer(t, "", u.URL)
	for name, call := range map[string][2]string{
		"chat_stream":     {"/ollama/api/chat", `{"model":"gemma","messages":[],"x_unknown":{"a":[1]}}`},
		"chat":            {"/ollama/api/chat", `{"model":"gemma","messages":[],"stream":false}`},
		"generate_stream": {"/ollama/api/generate", `{ "model" : "gemma:latest", "think": false }`},
		"v1_chat_stream":  {"/ollama/v1/chat/completions", `{"model":"gemma","messages":[],"stream":true}`},
		"pull_error":      {"/ollama/api/pull", `{"model":"x","insecure":false}`},
	} {
		a := s.Do(t, s.Admin.Key, "POST", call[0], call[1])
		if a.Body != ollamaRecord(t, name).body {
			t.Errorf("%s: %q", name, a.Body)
		}
		if !strings.HasSuffix(u.last(), " "+call[1]) {
			t.Errorf("%s: the body became %s", name, u.last())
		}
	}
}

func TestOllamaPrefix(t *testing.T) {
	t.Parallel()
	u, v := newUpstream(t), newUpstream(t)
	s := ollamaServer(t, `{"0":{"prefix_id":"one"},"1":{"prefix_id":"two"}}`, u.URL, v.URL)
	if a := s.Do(t, s.Admin.Key, "POST", "/ollama/api/chat", `{"model":"two.gemma","messages":[]}`); a.Status != 200 ||
		v.last() != `POST /api/chat {"model":"gemma:latest","messages":[]}` || u.last() != "" {
		t.Errorf("%d %s; the first was asked %q, the second %q", a.Status, a.Body, u.last(), v.last())
	}
	ps := s.Do(t, s.Admin.Key, "GET", "/ollama/api/ps", nil).Body
	if !strings.Contains(ps, `"model":"one.gemma:latest"`) || !strings.Contains(ps, `"urls":[1]`) {
		t.Error(ps)
	}
}

// Two connections with the same model are one model; one of them may be dead.
func TestOllamaFailover(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	doomed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dying := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := ollamaRecord(t, map[string]string{"/api/tags": "tags", "/api/ps": "ps"}[r.URL.Path])
		w.Header().Set("Content-Type", rec.contentType)
		_, _ = io.WriteString(w, rec.body)
	})}
	go dying.Serve(doomed)
	s := ollamaServer(t, "", "http://"+doomed.Addr().String(), u.URL)
	tags := s.Do(t, s.Admin.Key, "GET", "/ollama/api/tags", nil).Body
	if strings.Count(tags, `"model":"gemma:latest"`) != 1 || !strings.Contains(tags, `"urls":[0,1]`) {
		t.Fatal(tags)
	}
	dying.Close()
	failed := 0
	for i := range 200 {
		path := [...]string{"/ollama/api/chat", "/ollama/api/generate", "/ollama/v1/chat/completions"}[i%3]
		if a := s.Do(t, s.Admin.Key, "POST", path, `{"model":"gemma","messages":[],"prompt":"x"}`); a.Status != 200 {
			failed++
			t.Log(a.Status, a.Body)
		}
	}
	if failed > 0 {
		t.Errorf("%d of 200 failed", failed)
	}
	if v := s.Do(t, s.Admin.Key, "GET", "/ollama/api/version", nil); v.Status != 200 {
		t.Errorf("version: %d %s", v.Status, v.Body)
	}
}

func TestOllamaOff(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	s := apitest.New(t, apitest.Options{Env: map[string]string{"OLLAMA_BASE_URLS": u.URL, "ENABLE_OLLAMA_API": "false"}})
	for _, tc := range ollamaCases {
		a := tc.call(t, s, u, s.Admin.Key, "")
		want := 503
		switch tc.path {
		case "/ollama", "/ollama/config", "/ollama/config/update", "/ollama/verify":
			want = 200
		case "/ollama/api/ps", "/ollama/api/version":
			want = 200
			if a.Body != `{"models":[]}` && a.Body != `{"version":false}` {
				t.Errorf("%s: %s", tc.path, a.Body)
			}
		}
		if a.Status != want {
			t.Errorf("%s %s: %d %s", tc.method, tc.path, a.Status, a.Body)
		}
	}
}

func TestOllamaPreset(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	s := ollamaServer(t, "", u.URL)
	err := s.DB.CreateModel(context.Background(), &model.Row{
		ID: "helper", UserID: s.Admin.ID, BaseModelID: "gemma:latest", Name: "Helper", IsActive: true,
		Params: json.RawMessage(`{"system":"Be kind.","temperature":0.1}`), Meta: json.RawMessage(`{}`),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Do(t, s.Admin.Key, "POST", "/ollama/api/chat", `{"model":"helper","messages":[{"role":"user","content":"hi"}]}`)
	want := `POST /api/chat {"model":"gemma:latest","messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"hi"}],"options":{"temperature":0.1}}`
	if u.last() != want {
		t.Errorf("the upstream was asked %s", u.last())
	}
}

func TestOllamaConfigMasksKeys(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	s := ollamaServer(t, "", u.URL)
	const key, header = "sk-canary-0123456789", "Bearer canary-abcdefgh"
	update := func(configs string) *apitest.Answer {
		return s.Do(t, s.Admin.Key, "POST", "/ollama/config/update", fmt.Sprintf(`{"ENABLE_OLLAMA_API":true,"OLLAMA_BASE_URLS":[%q],"OLLAMA_API_CONFIGS":%s}`, u.URL, configs))
	}
	a := update(`{"0":{"enable":true,"key":"` + key + `","headers":{"X-A":"` + header + `"},"tags":["t"]},"3":{}}`)
	if a.Status != 200 || strings.Contains(a.Body, "canary") || strings.Contains(a.Body, `"3"`) || !strings.Contains(a.Body, `"key":"********6789"`) {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	var got struct {
		Configs json.RawMessage `json:"OLLAMA_API_CONFIGS"`
	}
	read := s.Do(t, s.Admin.Key, "GET", "/ollama/config", nil)
	if err := json.Unmarshal([]byte(read.Body), &got); err != nil || read.Body != a.Body {
		t.Fatal(err, read.Body)
	}
	if a := update(string(got.Configs)); a.Status != 200 {
		t.Errorf("what was returned is not accepted: %d %s", a.Status, a.Body)
	}
	backend := s.API.Models.Backends("ollama")[0]
	if backend.Config.Key != key || backend.Config.Headers["X-A"] != header {
		t.Errorf("a masked key did not stay: %+v", backend.Config)
	}
	if a := update(`{"0":{"key":"********zzzz"}}`); a.Status != 400 {
		t.Errorf("a mask of nothing: %d %s", a.Status, a.Body)
	}
	if a := s.Do(t, s.Admin.Key, "POST", "/ollama/config/update", `{"OLLAMA_BASE_URLS":["http://other:1"],"OLLAMA_API_CONFIGS":{}}`); a.Status != 409 || !strings.Contains(a.Body, "OLLAMA_BASE_URLS") {
		t.Errorf("a pinned address: %d %s", a.Status, a.Body)
	}
	// The stored key goes to its own address only.
	other := newUpstream(t)
	if a := s.Do(t, s.Admin.Key, "POST", "/ollama/verify", fmt.Sprintf(`{"url":%q,"key":"********6789"}`, other.URL)); a.Status != 400 {
		t.Errorf("a masked key to another address: %d %s", a.Status, a.Body)
	}
	if a := s.Do(t, s.Admin.Key, "POST", "/ollama/verify", fmt.Sprintf(`{"url":%q,"key":"********6789"}`, u.URL)); a.Status != 200 {
		t.Errorf("a masked key to its own address: %d %s", a.Status, a.Body)
	}
	for _, url := range []string{"http://127.0.0.1:1", "ftp://x", ""} {
		if a := s.Do(t, s.Admin.Key, "POST", "/ollama/verify", fmt.Sprintf(`{"url":%q}`, url)); a.Status < 400 {
			t.Errorf("verify %q: %d %s", url, a.Status, a.Body)
		}
	}
}

func TestOllamaDownloadFromElsewhere(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	s := ollamaServer(t, "", u.URL)
	s.API.Doors.Fetch = func(context.Context, string) (io.ReadCloser, int64, error) {
		t.Error("fetched")
		return nil, 0, io.EOF
	}
	for _, url := range []string{"https://example.com/a", "http://huggingface.co/a", "https://huggingface.co.evil.example/a", "https://huggingface.co@127.0.0.1/a", "file:///etc/passwd", ""} {
		if a := s.Do(t, s.Admin.Key, "POST", "/ollama/models/download", map[string]string{"url": url}); a.Status != 400 {
			t.Errorf("%q: %d %s", url, a.Status, a.Body)
		}
	}
}

package chat_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"portico/internal/auth"
	"portico/internal/config"
	"portico/internal/provider/providertest"
	"portico/internal/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// canary is the key of every connection: nobody but its upstream may see it.
const canary = "sk-upstream-canary-4711"

// stand is a whole server in this process, in front of scripted upstreams.
type stand struct {
	t      testing.TB
	url    string
	key    string
	log    *journal
	client *http.Client
	srv    *server.Server
	up     []*providertest.Upstream
}

// journal collects the server's log.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

// start starts a server over one upstream per script, each of which has the
// model "m0", "m1", … of its number.
func start(t testing.TB, scripts ...providertest.Script) *stand {
	t.Helper()
	return startWith(t, func(*config.Config) {}, scripts...)
}

func startWith(t testing.TB, change func(*config.Config), scripts ...providertest.Script) *stand {
	t.Helper()
	s := &stand{t: t, log: new(journal)}
	var urls []string
	for i, script := range scripts {
		u := providertest.New(t, listing(i, script))
		s.up = append(s.up, u)
		urls = append(urls, u.URL+"/v1")
	}
	s.open(change, urls)
	return s
}

// open starts the server over upstreams that are there.
func (s *stand) open(change func(*config.Config), urls []string) {
	t := s.t
	t.Helper()
	keys := strings.TrimSuffix(strings.Repeat(canary+";", len(urls)), ";")
	cfg, err := config.Load(config.Source{Environ: []string{
		"HOST=127.0.0.1", "PORT=0", "DATA_DIR=" + t.TempDir(), "LOG_FORMAT=json", "GLOBAL_LOG_LEVEL=debug", "ENABLE_OLLAMA_API=false",
		"WEBUI_ADMIN_EMAIL=admin@example.com", "WEBUI_ADMIN_PASSWORD=correct horse battery", "WEBUI_SECRET_KEY=0123456789abcdef0123456789abcdef",
		"OPENAI_API_BASE_URLS=" + strings.Join(urls, ";"), "OPENAI_API_KEYS=" + keys,
	}})
	if err != nil {
		t.Fatal(err)
	}
	cfg.LogTo = s.log
	cfg.ShutdownTimeout = 2 * time.Second
	change(cfg)
	srv, err := server.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.url = "http://" + srv.Addr().String()
	s.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx) }()
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if strings.Contains(s.log.String(), canary) {
			t.Error("the log holds the key of a connection")
		}
	})
	s.key, s.srv = apiKey(t, srv), srv
}

func apiKey(t testing.TB, srv *server.Server) string {
	t.Helper()
	admin, err := srv.DB.UserByEmail(t.Context(), "admin@example.com")
	if err != nil {
		t.Fatal(err)
	}
	_, secret, err := srv.Auth.CreateKey(t.Context(), admin.ID, auth.KeySpec{Name: "test"}, false)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// listing answers lists of models by itself, and the rest by script.
func listing(i int, script providertest.Script) providertest.Script {
	return func(c *providertest.Conn, r *providertest.Request) {
		if r.Method == http.MethodGet {
			c.JSON(200, fmt.Sprintf(`{"object":"list","data":[{"id":"m%d","object":"model"},{"id":"shared","object":"model"}]}`, i))
			return
		}
		script(c, r)
	}
}

// say changes what the first upstream answers to chats.
func (s *stand) say(script providertest.Script) { s.up[0].Say(listing(0, script)) }

func question(stream bool) string {
	return fmt.Sprintf(`{"model":"m0","stream":%v,"messages":[{"role":"user","content":"hi"}]}`, stream)
}

// request makes a request of the chat route.
func (s *stand) request(ctx context.Context, body string) *http.Request {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/api/chat/completions", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.key)
	r.Header.Set("Content-Type", "application/json")
	return r
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
	err    error // the body broke off
}

// ask sends a chat and reads the whole answer, in which there may be nothing
// that is secret.
func (s *stand) ask(body string) answer {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	resp, err := s.client.Do(s.request(ctx, body))
	if err != nil {
		s.t.Error(err)
		return answer{err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	a := answer{resp.StatusCode, resp.Header, string(b), err}
	if strings.Contains(a.body, canary) || strings.Contains(fmt.Sprint(a.header), canary) {
		s.t.Errorf("the answer holds the key of the connection: %s", a.body)
	}
	if a.status >= 400 && len(s.up) > 0 && strings.Contains(a.body, s.up[0].Addr()) {
		s.t.Errorf("the answer holds the address of the upstream: %s", a.body)
	}
	return a
}

// failed requires a JSON error of that status.
func (s *stand) failed(a answer, status int) {
	s.t.Helper()
	if a.status != status || a.header.Get("Content-Type") != "application/json" || !strings.HasPrefix(a.body, "{") {
		s.t.Errorf("got %d %s %.300s, want a JSON error of status %d", a.status, a.header.Get("Content-Type"), a.body, status)
	}
}

func delta(text, finish string) string {
	return `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m0","choices":[{"index":0,"delta":{"content":"` + text + `"},"finish_reason":` + finish + `}]}` + "\n\n"
}

const doneEvent = "data: [DONE]\n\n"

func wholeAnswer(text string) string {
	return `{"id":"c1","object":"chat.completion","created":1,"model":"m0","choices":[{"index":0,"message":{"role":"assistant","content":"` + text + `"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("it did not come to this: %s", what)
}

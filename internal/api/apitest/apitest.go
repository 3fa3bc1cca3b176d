// Package apitest starts the whole API in the process of a test: every room is
// the real one, over a database in memory, with one scripted provider behind
// it and one person of each role in front.
package apitest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"portico/internal/access"
	"portico/internal/api"
	"portico/internal/auth"
	"portico/internal/chat"
	"portico/internal/conversation"
	"portico/internal/egress"
	"portico/internal/event"
	"portico/internal/hop"
	"portico/internal/model"
	"portico/internal/provider"
	"portico/internal/provider/ollama"
	"portico/internal/provider/openai"
	"portico/internal/relay"
	"portico/internal/retrieval"
	"portico/internal/setting"
	"portico/internal/store"
	"portico/internal/usage"
	"portico/internal/user"
)

// Secret signs the sessions of every Server.
const Secret = "a secret for tests, long enough to be one"

// Password opens every account.
const Password = "s3cret-Pass!"

// ProviderKey is the key of the connection to the scripted provider. It may
// appear in no answer.
const ProviderKey = "sk-provider-canary-0123456789"

// Options of New; the zero value is usable.
type Options struct {
	Env    map[string]string // pins settings, as the environment does
	Config api.Config        // AnonymousRate 0 becomes "no limit"
	Policy *access.Policy    // nil is the default: administrators see everything
	NoAuth bool
	// Fetch reads web pages; nil reads none.
	Fetch retrieval.Fetcher
	Empty bool // nobody has an account: Admin, User, Other and Pending are nil
}

// Person is an account with ways to prove it.
type Person struct {
	*user.User
	Token string // of a session
	Key   string // an API key
}

// Server is a running API.
type Server struct {
	URL      string // without a trailing slash
	API      *api.API
	DB       *store.DB
	Bus      *event.Bus
	Settings *setting.Settings
	Auth     *auth.Service
	Provider *Provider
	*Documents

	Admin, User, Other, Pending *Person

	client *http.Client
}

// New starts a Server that ends with the test.
func New(t testing.TB, opt Options) *Server {
	t.Helper()
	ctx := context.Background()
	if opt.Policy == nil {
		opt.Policy = &access.Policy{AdminSeesAll: true}
	}
	s := &Server{Bus: new(event.Bus), Provider: newProvider(t), client: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(s.client.CloseIdleConnections)
	var err error
	s.DB, err = store.Open(ctx, "sqlite://:memory:", store.Options{Bus: s.Bus})
	must(t, err)
	t.Cleanup(func() { _ = s.DB.Close() })
	s.Settings = s.settings(t, opt.Env)
	s.Auth = s.NewAuth(t, Secret, nil, opt)
	if !opt.Empty {
		s.people(t)
	}

	models, err := model.New(ctx, model.Config{
		Settings: s.Settings, Rows: s.DB, Grants: s.DB, Bus: s.Bus, Policy: *opt.Policy, Connect: connect,
	})
	must(t, err)
	t.Cleanup(models.Close)
	if opt.Config.AnonymousRate == 0 {
		opt.Config.AnonymousRate = -1
	}
	opt.Config.NoAuth = opt.NoAuth
	counts := usage.New()
	s.Documents = s.documents(t, opt)
	conversations := conversation.New(conversation.Config{
		Store: s.DB, Grants: s.DB, NewID: uuid.NewString,
		AdminsRead: func() bool { return setting.Get(s.Settings, setting.EnableAdminChatAccess) },
	})
	s.API = &api.API{
		Auth: s.Auth, Users: s.DB, Settings: s.Settings, Models: models, ModelRows: s.DB, Grants: s.DB,
		Chat: chat.New(models, counts, chat.Config{Gatherer: s.Retrieval, Keeper: conversations}), Doors: api.Doors{Usage: counts, Connect: connect, TempDir: t.TempDir()},
		Conversations: conversations,
		Files:         s.Files, Knowledge: s.Knowledge, Retrieval: s.Retrieval,
		Config: opt.Config, Ping: s.DB.Ping,
	}
	s.serve(t)
	return s
}

// connect puts a connection to use as the server does.
func connect(c *provider.Connection) (*provider.Backend, error) {
	up, err := hop.New(c.BaseURL, hop.Options{Dialer: egress.NewAdmin(egress.Config{})})
	if err != nil {
		return nil, err
	}
	if c.Kind == provider.Ollama {
		return provider.NewBackend(c, ollama.New(c, up, ollama.Options{})), nil
	}
	return provider.NewBackend(c, openai.New(c, up, openai.Options{})), nil
}

// settings pins the connections to the scripted provider, and what env says.
func (s *Server) settings(t testing.TB, env map[string]string) *setting.Settings {
	t.Helper()
	all := map[string]string{
		"OPENAI_API_BASE_URLS": s.Provider.URL + "/v1", "OPENAI_API_KEYS": ProviderKey, "OLLAMA_BASE_URLS": s.Provider.URL,
		"USER_PERMISSIONS_FEATURES_API_KEYS": "true",
	}
	for name, value := range env {
		all[name] = value
	}
	pins, errs := setting.ParsePins(func(name string) (string, bool) { v, ok := all[name]; return v, ok }, nil)
	for _, err := range errs {
		t.Fatal(err)
	}
	settings, err := setting.New(context.Background(), s.DB, pins, s.Bus)
	must(t, err)
	t.Cleanup(settings.Close)
	return settings
}

// NewAuth makes a further room of accounts over the same database: with
// another secret or another clock (nil is time.Now) it makes credentials that
// the server must refuse.
func (s *Server) NewAuth(t testing.TB, secret string, now func() time.Time, opt Options) *auth.Service {
	t.Helper()
	var policy access.Policy
	if opt.Policy != nil {
		policy = *opt.Policy
	}
	a, err := auth.New(auth.Config{
		Secret: []byte(secret), Off: opt.NoAuth, Policy: policy, Now: now, FlushEvery: time.Hour,
		Hashing: auth.Hashing{Algorithm: "bcrypt", Cost: 4},
	}, s.DB, s.DB, s.Settings, s.Bus)
	must(t, err)
	t.Cleanup(func() { _ = a.Close() })
	return a
}

// people makes one account of each kind.
func (s *Server) people(t testing.TB) {
	t.Helper()
	s.Admin = s.Person(t, "admin", user.Admin)
	s.User = s.Person(t, "user", user.Member)
	s.Other = s.Person(t, "other", user.Member)
	s.Pending = s.Person(t, "pending", user.Pending)
}

// Person makes an account with a session and, past "pending", a key.
func (s *Server) Person(t testing.TB, name string, role user.Role) *Person {
	t.Helper()
	session, err := s.Auth.Add(context.Background(), auth.NewUser{Name: name, Email: name + "@example.com", Password: Password, Role: role})
	must(t, err)
	p := &Person{User: session.User, Token: session.Token}
	if role != user.Pending {
		p.Key = s.Key(t, p, auth.KeySpec{Name: "default"})
	}
	return p
}

// Key makes an API key.
func (s *Server) Key(t testing.TB, p *Person, spec auth.KeySpec) string {
	t.Helper()
	_, secret, err := s.Auth.CreateKey(context.Background(), p.ID, spec, false)
	must(t, err)
	return secret
}

// serve listens as the server does, so that streams can be parked.
func (s *Server) serve(t testing.TB) {
	t.Helper()
	srv := httptest.NewUnstartedServer(s.API.Handler())
	listener := relay.NewListener(srv.Listener)
	srv.Listener, srv.Config.ConnContext = listener, listener.ConnContext
	srv.Config.DisableGeneralOptionsHandler = true
	srv.Start()
	t.Cleanup(srv.Close)
	s.URL = srv.URL
}

// Answer is a whole answer.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// JSON decodes the body.
func (a *Answer) JSON(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(a.Body), &v); err != nil {
		t.Fatalf("%d %q: %v", a.Status, a.Body, err)
	}
	return v
}

// Do sends one request: with a credential in Authorization unless it is empty,
// and a body that is nil, raw bytes as a string, or a value to be sent as JSON.
// headers are names and values in turn.
func (s *Server) Do(t testing.TB, credential, method, path string, body any, headers ...string) *Answer {
	t.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		must(t, err)
		in = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(context.Background(), method, s.URL+path, in)
	must(t, err)
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if credential != "" {
		r.Header.Set("Authorization", "Bearer "+credential)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := s.client.Do(r)
	must(t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	must(t, err)
	return &Answer{res.StatusCode, res.Header, string(raw)}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Provider is both an OpenAI-compatible upstream and an Ollama. Its one model
// is "mock".
type Provider struct {
	URL string
	// Calls counts what was asked beyond lists of models.
	Calls atomic.Int64
}

func newProvider(t testing.TB) *Provider {
	p := &Provider{}
	answer := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, body)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /v1/models", answer(`{"object":"list","data":[{"id":"mock","object":"model","created":1,"owned_by":"x"}]}`))
	mux.Handle("GET /api/tags", answer(`{"models":[{"name":"tiny:latest","model":"tiny:latest","modified_at":"2026-01-01T00:00:00Z","size":1,"digest":"d","details":{}}]}`))
	mux.Handle("GET /api/ps", answer(`{"models":[]}`))
	mux.Handle("GET /api/version", answer(`{"version":"0.17.4"}`))
	mux.HandleFunc("POST /v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		p.Calls.Add(1)
		answer(`{"id":"c","object":"chat.completion","created":1,"model":"mock","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}`)(w, r)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		p.Calls.Add(1)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"error":"no such thing"}`)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	p.URL = srv.URL
	return p
}

// Cost is how many SQL statements fn costs. Work in the background asks the
// database, too, so the least of some tries counts.
func (s *Server) Cost(fn func()) uint64 {
	least := ^uint64(0)
	for range 5 {
		before := s.DB.Statements()
		fn()
		least = min(least, s.DB.Statements()-before)
	}
	return least
}

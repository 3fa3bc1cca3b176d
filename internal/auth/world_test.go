package auth_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"portico/internal/auth"
	"portico/internal/errdefs"
	"portico/internal/event"
	"portico/internal/setting"
	"portico/internal/store"
	"portico/internal/user"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	secret   = "0123456789abcdef0123456789abcdef"
	password = "s3cret-Pass!"
	epoch    = 1_800_000_000
)

var home = netip.MustParseAddr("192.0.2.1")

// world is a Service over a database in memory, with a clock that stands still.
type world struct {
	*auth.Service
	t        testing.TB
	db       *store.DB
	settings *setting.Settings
	bus      *event.Bus
	clock    atomic.Int64 // nanoseconds since 1970
	log      *safeBuffer
}

// cheap makes hashing quick.
var cheap = auth.Hashing{MemoryKiB: 64, Passes: 1, Cost: 4}

func newWorld(t testing.TB, change ...func(*auth.Config)) *world {
	return newWorldOn(t, "sqlite://:memory:", change...)
}

func newWorldOn(t testing.TB, url string, change ...func(*auth.Config)) *world {
	t.Helper()
	w := &world{t: t, bus: new(event.Bus), log: &safeBuffer{}}
	w.clock.Store(epoch * int64(time.Second))
	var err error
	if w.db, err = store.Open(t.Context(), url, store.Options{Bus: w.bus, Now: w.now}); err != nil {
		t.Fatal(err)
	}
	if w.settings, err = setting.New(t.Context(), w.db, nil, w.bus); err != nil {
		t.Fatal(err)
	}
	cfg := auth.Config{Secret: []byte(secret), Hashing: cheap, Now: w.now, Log: slog.New(slog.NewTextHandler(w.log, nil))}
	cfg.Policy.AdminSeesAll = true
	for _, fn := range change {
		fn(&cfg)
	}
	if w.Service, err = auth.New(cfg, w.db, w.db, w.settings, w.bus); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		w.settings.Close()
		if err := w.db.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) now() time.Time          { return time.Unix(0, w.clock.Load()) }
func (w *world) advance(d time.Duration) { w.clock.Add(int64(d)) }

func (w *world) set(name string, v any) {
	w.t.Helper()
	if err := w.settings.Set(w.t.Context(), map[string]any{name: v}); err != nil {
		w.t.Fatal(err)
	}
}

// admin signs up the first person.
func (w *world) admin() *auth.Session {
	w.t.Helper()
	return w.must(w.SignUp(w.t.Context(), auth.NewUser{Name: "Ana", Email: "ana@example.com", Password: password}, home))
}

// member adds somebody of role user.
func (w *world) member(email string) *auth.Session {
	w.t.Helper()
	return w.must(w.Add(w.t.Context(), auth.NewUser{Name: "Bia", Email: email, Password: password, Role: user.Member}))
}

func (w *world) must(s *auth.Session, err error) *auth.Session {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// key makes an API key.
func (w *world) key(userID string, spec auth.KeySpec) (*auth.Key, string) {
	w.t.Helper()
	if spec.Name == "" {
		spec.Name = "test"
	}
	k, secret, err := w.CreateKey(w.t.Context(), userID, spec, true)
	if err != nil {
		w.t.Fatal(err)
	}
	return k, secret
}

// request has a header for each pair.
func request(path string, pairs ...string) *http.Request {
	r := httptest.NewRequest("GET", path, nil)
	for i := 0; i < len(pairs); i += 2 {
		r.Header.Set(pairs[i], pairs[i+1])
	}
	return r
}

func bearer(token string) *http.Request {
	return request("/api/models", "Authorization", "Bearer "+token)
}

// status is what a request is answered with: 200, 0 for nobody, or the error's.
func (w *world) status(r *http.Request) int {
	id, err := w.Authenticate(r)
	switch {
	case err != nil:
		return errdefs.From(err).HTTPStatus()
	case id.Who == nil:
		return 0
	}
	return http.StatusOK
}

func statusOf(err error) int {
	if err == nil {
		return http.StatusOK
	}
	return errdefs.From(err).HTTPStatus()
}

// transports are the ways in which a credential can travel.
var transports = map[string]func(secret string) *http.Request{
	"bearer":     bearer,
	"lower case": func(s string) *http.Request { return request("/api/models", "Authorization", "bearer "+s) },
	"other":      func(s string) *http.Request { return request("/api/models", "Authorization", "Token "+s) },
	"cookie":     func(s string) *http.Request { return request("/api/models", "Cookie", "a=b; token="+s+"; c=d") },
	"key header": func(s string) *http.Request { return request("/api/models", "X-Api-Key", s) },
	"both agree": func(s string) *http.Request {
		return request("/api/models", "X-Api-Key", s, "Authorization", "Bearer "+s)
	},
	"bearer wins": func(s string) *http.Request {
		return request("/api/models", "Cookie", "token=x", "Authorization", "Bearer "+s)
	},
}

// safeBuffer is a log that may be written to from anywhere.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

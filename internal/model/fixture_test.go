package model_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"portico/internal/access"
	"portico/internal/event"
	"portico/internal/model"
	"portico/internal/provider"
	"portico/internal/setting"
	"portico/internal/store"
	"portico/internal/store/storetest"
	"portico/internal/user"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// upstream is a provider that a test scripts.
type upstream struct {
	mu      sync.Mutex
	entries []provider.Entry
	err     error
	hang    chan struct{} // while open, nobody gets an answer
	calls   atomic.Int64
	closed  atomic.Bool
}

func (u *upstream) Models(ctx context.Context) ([]provider.Entry, error) {
	u.calls.Add(1)
	u.mu.Lock()
	entries, err, hang := u.entries, u.err, u.hang
	u.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return entries, err
}

func (u *upstream) Chat(context.Context, *provider.ChatRequest) (*provider.Reply, error) {
	return nil, errors.ErrUnsupported
}

func (u *upstream) Embed(context.Context, *provider.EmbedRequest) (*provider.Reply, error) {
	return nil, errors.ErrUnsupported
}

func (u *upstream) Close() { u.closed.Store(true) }

func (u *upstream) set(kind provider.Kind, ids ...string) {
	entries := make([]provider.Entry, 0, len(ids))
	for _, id := range ids {
		e := provider.Entry{ID: id, Raw: fmt.Appendf(nil, `{"id":%q,"object":"model","created":1700000000,"owned_by":"them"}`, id)}
		if kind == provider.Ollama {
			e.Raw = fmt.Appendf(nil, `{"name":%q,"model":%q,"modified_at":"2026-01-01T00:00:00Z","size":5,"digest":"d","details":{"family":"f"}}`, id, id)
		}
		entries = append(entries, e)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.entries = entries
}

// world is a registry over a real database and scripted upstreams, which are
// known by the host of their address.
type world struct {
	testing.TB
	db        *store.DB
	bus       *event.Bus
	settings  *setting.Settings
	config    model.Config
	reg       *model.Registry
	upstreams map[string]*upstream
}

func newWorld(t testing.TB, config model.Config, values map[string]any, hosts ...string) *world {
	t.Helper()
	w := &world{TB: t, bus: new(event.Bus), upstreams: map[string]*upstream{}}
	for _, host := range hosts {
		w.upstreams[host] = new(upstream)
	}
	w.db = storetest.Memory(t, w.bus)
	var err error
	if w.settings, err = setting.New(t.Context(), w.db, nil, w.bus); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.settings.Close)
	if values == nil {
		values = map[string]any{}
	}
	if values["ollama.base_urls"] == nil {
		values["ollama.base_urls"] = []string{}
	}
	w.change(values)
	config.Settings, config.Rows, config.Grants, config.Bus = w.settings, w.db, w.db, w.bus
	config.Policy.AdminSeesAll = true
	config.Connect = func(c *provider.Connection) (*provider.Backend, error) {
		u := w.upstreams[strings.TrimPrefix(c.BaseURL, "http://")]
		if u == nil {
			return nil, errors.New("no such host")
		}
		return provider.NewBackend(c, u), nil
	}
	w.config = config
	return w
}

// start makes the registry; the upstreams are scripted before.
func (w *world) start() *world {
	w.Helper()
	var err error
	if w.reg, err = model.New(w.Context(), w.config); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(w.reg.Close)
	return w
}

func (w *world) change(values map[string]any) {
	w.Helper()
	if err := w.settings.Set(w.Context(), values); err != nil {
		w.Fatal(err)
	}
}

func (w *world) row(id, base string, grants ...access.Grant) *model.Row {
	w.Helper()
	row := &model.Row{ID: id, UserID: "owner", BaseModelID: base, Name: "Name of " + id, IsActive: true, VersionID: "v", CreatedAt: 7, UpdatedAt: 7,
		Params: json.RawMessage(`{"system":"secret words","temperature":0.3}`), Meta: json.RawMessage(`{"profile_image_url":"data:x","description":"d","tags":["t"]}`)}
	if err := w.db.CreateModel(w.Context(), row, grants); err != nil {
		w.Fatal(err)
	}
	return row
}

func (w *world) grant(id string, grants ...access.Grant) {
	w.Helper()
	if err := w.db.SetGrants(w.Context(), access.Model, id, grants); err != nil {
		w.Fatal(err)
	}
}

func (w *world) list(who *access.Principal) []map[string]any {
	w.Helper()
	l, err := w.reg.List(w.Context(), who, false)
	if err != nil {
		w.Fatal(err)
	}
	return decode(w, l.Body)
}

func (w *world) ids(who *access.Principal) string {
	w.Helper()
	var ids []string
	for _, e := range w.list(who) {
		ids = append(ids, e["id"].(string))
	}
	return strings.Join(ids, " ")
}

func decode(t testing.TB, body []byte) []map[string]any {
	t.Helper()
	var answer struct {
		Object string           `json:"object"`
		Data   []map[string]any `json:"data"`
		Models []map[string]any `json:"models"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if answer.Models != nil {
		return answer.Models
	}
	if answer.Object != "list" || answer.Data == nil {
		t.Fatalf("no list: %s", body)
	}
	return answer.Data
}

func (w *world) resolve(who *access.Principal, id string) *model.Target {
	w.Helper()
	t, err := w.reg.Resolve(w.Context(), who, id)
	if err != nil {
		w.Fatalf("%s: %v", id, err)
	}
	return t
}

// eventually waits for what happens behind the caller's back.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatal("not within five seconds: " + what)
}

func everybody() access.Grant {
	return access.Grant{ResourceType: access.Model, PrincipalType: "user", PrincipalID: "*", Permission: "read"}
}

func group(id string) access.Grant {
	return access.Grant{ResourceType: access.Model, PrincipalType: "group", PrincipalID: id, Permission: "read"}
}

var (
	admin    = &access.Principal{UserID: "root", Role: user.Admin, SetID: "admins"}
	member   = &access.Principal{UserID: "ben", Role: user.Member, SetID: "ben"}
	stranger = &access.Principal{UserID: "eve", Role: user.Member, SetID: "eve"}
	pending  = &access.Principal{UserID: "new", Role: user.Pending, SetID: "new"}
)

func openAI(hosts ...string) []string {
	urls := make([]string, 0, len(hosts))
	for _, h := range hosts {
		urls = append(urls, "http://"+h)
	}
	return urls
}

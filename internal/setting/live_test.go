package setting_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"portico/internal/errdefs"
	"portico/internal/event"
	"portico/internal/setting"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// loud is a store that publishes its writes, as the database does.
type loud struct {
	setting.Memory
	bus  *event.Bus
	fail error
}

func (l *loud) SetSettings(ctx context.Context, values map[string][]byte) error {
	if l.fail != nil {
		return l.fail
	}
	if err := l.Memory.SetSettings(ctx, values); err != nil {
		return err
	}
	for name := range values {
		l.bus.Publish(event.Event{Topic: event.Setting, ID: name})
	}
	return nil
}

func open(t *testing.T, store setting.Store, env map[string]string, bus *event.Bus) *setting.Settings {
	t.Helper()
	pins, faults := setting.ParsePins(func(name string) (string, bool) { v, ok := env[name]; return v, ok }, nil)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	s, err := setting.New(t.Context(), store, pins, bus)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestSetIsSeenWhenItReturns(t *testing.T) {
	t.Parallel()
	s := open(t, &setting.Memory{}, nil, nil)
	var heard []string
	s.Watch(func(names []string) { heard = append(heard, names...) })
	if !setting.Get(s, setting.EnableSignup) {
		t.Fatal("sign-up is off by default")
	}
	if err := s.Set(t.Context(), map[string]any{"ui.enable_signup": false, "ui.model_order_list": []string{"b", "a"}}); err != nil {
		t.Fatal(err)
	}
	if setting.Get(s, setting.EnableSignup) || !slices.Equal(setting.Get(s, setting.ModelOrder), []string{"b", "a"}) {
		t.Fatal("the new values are not there")
	}
	if want := []string{"ui.enable_signup", "ui.model_order_list"}; !slices.Equal(heard, want) {
		t.Fatalf("watchers heard %q, want %q", heard, want)
	}
	if o, _ := s.Origin("ui.enable_signup"); o != setting.FromStore {
		t.Fatalf("origin is %q", o)
	}
	if o, _ := s.Origin("webui.name"); o != setting.FromDefault {
		t.Fatalf("origin is %q", o)
	}
}

func TestSetRefusesNonsense(t *testing.T) {
	t.Parallel()
	s := open(t, &setting.Memory{}, nil, nil)
	for name, value := range map[string]any{
		"ui.enable_signup":     "perhaps",
		"ui.default_user_role": "king",
		"auth.jwt_expiry":      "soon",
		"openai.api_base_urls": []string{"ftp://example.com"},
		"openai.api_configs":   json.RawMessage(`[]`),
		"openai.api_keys":      nil,
		"user.permissions":     json.RawMessage(`{"chat":5}`),
		"no.such.key":          true,
	} {
		if err := s.Set(t.Context(), map[string]any{name: value}); !errdefs.Is(err, errdefs.Invalid) {
			t.Errorf("%s = %v: %v", name, value, err)
		}
	}
	if len(s.Faults()) > 0 {
		t.Error(s.Faults())
	}
}

func TestPinWins(t *testing.T) {
	t.Parallel()
	store := &setting.Memory{}
	if err := store.SetSettings(t.Context(), map[string][]byte{"webui.name": []byte(`"Stored"`)}); err != nil {
		t.Fatal(err)
	}
	s := open(t, store, map[string]string{"WEBUI_NAME": "Pinned", "OLLAMA_BASE_URLS": "http://a:1/; http://b:2", "USER_PERMISSIONS_CHAT_EXPORT": "false"}, nil)
	if got := setting.Get(s, setting.WebUIName); got != "Pinned" {
		t.Fatalf("the name is %q", got)
	}
	if o, v := s.Origin("webui.name"); o != setting.FromEnv || v != "WEBUI_NAME" {
		t.Fatalf("origin is %q of %q", o, v)
	}
	if err := s.Set(t.Context(), map[string]any{"webui.name": "Pinned", "ollama.base_urls": []string{"http://a:1", "http://b:2"}}); err != nil {
		t.Fatalf("an equal value was refused: %v", err)
	}
	err := s.Set(t.Context(), map[string]any{"webui.name": "Other", "ui.enable_signup": false})
	if !errdefs.Is(err, errdefs.Conflict) || !strings.Contains(errdefs.From(err).Detail, "WEBUI_NAME") {
		t.Fatalf("a different value: %v", err)
	}
	if !setting.Get(s, setting.EnableSignup) {
		t.Fatal("half of a refused change was stored")
	}
}

func TestPermissionLeaves(t *testing.T) {
	t.Parallel()
	s := open(t, &setting.Memory{}, map[string]string{"USER_PERMISSIONS_CHAT_EXPORT": "False"}, nil)
	has := func(path string) bool {
		p, err := setting.ParsePermissions(setting.Get(s, setting.UserPermissions))
		if err != nil {
			t.Fatal(err)
		}
		return p.Has(path)
	}
	if has("chat.export") || !has("chat.import") || !has("features.api_keys") || has("workspace.models") {
		t.Fatal("the defaults are wrong")
	}
	change := json.RawMessage(`{"workspace":{"models":true},"chat":{"export":false}}`)
	if err := s.Set(t.Context(), map[string]any{"user.permissions": change}); err != nil {
		t.Fatal(err)
	}
	if !has("workspace.models") || !has("chat.import") {
		t.Fatal("a partial object must lie over the defaults")
	}
	err := s.Set(t.Context(), map[string]any{"user.permissions": json.RawMessage(`{"chat":{"export":true}}`)})
	if !errdefs.Is(err, errdefs.Conflict) || !strings.Contains(err.Error(), "USER_PERMISSIONS_CHAT_EXPORT") {
		t.Fatalf("a pinned leaf: %v", err)
	}
}

func TestStoredNonsenseIsLeftAside(t *testing.T) {
	t.Parallel()
	store := &setting.Memory{}
	if err := store.SetSettings(t.Context(), map[string][]byte{
		"auth.jwt_expiry":  []byte(`{"a":`),
		"ui.enable_signup": []byte(`null`),
		"long.gone":        []byte(`1`),
	}); err != nil {
		t.Fatal(err)
	}
	s := open(t, store, nil, nil)
	if got := setting.Get(s, setting.JWTExpiresIn); got != "4w" {
		t.Errorf("expiry is %q", got)
	}
	if f := s.Faults(); len(f) != 2 || f["auth.jwt_expiry"] == nil || f["ui.enable_signup"] == nil {
		t.Errorf("faults are %v", f)
	}
}

func TestOtherServerIsHeard(t *testing.T) {
	t.Parallel()
	bus := new(event.Bus)
	store := &loud{bus: bus}
	one, two := open(t, store, nil, bus), open(t, store, nil, bus)
	changed := make(chan []string, 8)
	two.Watch(func(names []string) { changed <- names })
	if err := one.Set(t.Context(), map[string]any{"webui.name": "New"}); err != nil {
		t.Fatal(err)
	}
	select {
	case names := <-changed:
		if !slices.Equal(names, []string{"webui.name"}) || setting.Get(two, setting.WebUIName) != "New" {
			t.Fatalf("heard %q, name is %q", names, setting.Get(two, setting.WebUIName))
		}
	case <-time.After(time.Second):
		t.Fatal("the other server did not hear within a second")
	}
}

func TestFailedWriteChangesNothing(t *testing.T) {
	t.Parallel()
	bus := new(event.Bus)
	store := &loud{bus: bus, fail: errors.New("disk full")}
	s := open(t, store, nil, bus)
	if err := s.Set(t.Context(), map[string]any{"webui.name": "New"}); !errors.Is(err, store.fail) {
		t.Fatal(err)
	}
	if got := setting.Get(s, setting.WebUIName); got != "Portico" {
		t.Fatalf("the name is %q", got)
	}
}

func BenchmarkGet(b *testing.B) {
	s, err := setting.New(b.Context(), &setting.Memory{}, nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	b.ReportAllocs()
	for b.Loop() {
		_ = setting.Get(s, setting.UserPermissions)
		_ = setting.Get(s, setting.EnableAPIKeys)
	}
}

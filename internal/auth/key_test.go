package auth_test

import (
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"testing"
	"time"

	"portico/internal/access"
	"portico/internal/auth"
	"portico/internal/errdefs"
	"portico/internal/setting"
	"portico/internal/user"
)

func TestKeyLooksAndOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ana := w.admin()
	k, secret := w.key(ana.User.ID, auth.KeySpec{Models: []string{"m"}, Routes: []string{"/api"}})
	if !regexp.MustCompile(`^sk-[0-9a-f]{32}$`).MatchString(secret) {
		t.Errorf("a key looks like %q", secret)
	}
	if k.Prefix != secret[:7] || k.Last4 != secret[31:] {
		t.Errorf("recognised by %q…%q", k.Prefix, k.Last4)
	}
	for name, by := range transports {
		id, err := w.Authenticate(by(secret))
		if err != nil {
			t.Fatal(name, err)
		}
		who := id.Who
		if who.UserID != ana.User.ID || who.Method != access.ByKey || who.KeyID != k.ID || !who.IsAdmin() ||
			len(who.Models) != 1 || len(who.Routes) != 1 || who.SetID == "" {
			t.Errorf("%s: %+v", name, who)
		}
		if id.Ambient != (name == "cookie") {
			t.Errorf("%s: Ambient is %v", name, id.Ambient)
		}
	}
	if got := w.status(request("/")); got != 0 {
		t.Errorf("without a credential: %d", got)
	}
}

// However many keys are asked for at once, nobody gets more than there may be.
func TestKeyLimitHoldsInARace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ana := w.admin().User.ID
	var wg sync.WaitGroup
	for i := range 150 {
		wg.Go(func() {
			_, _, err := w.CreateKey(t.Context(), ana, auth.KeySpec{Name: fmt.Sprint(i)}, false)
			if err != nil && !errdefs.Is(err, errdefs.Conflict) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if keys, err := w.Keys(t.Context(), ana); err != nil || len(keys) != 100 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
}

// A proxy in front may have read the other one of two.
func TestCredentialTwiceIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, ana := w.key(w.admin().User.ID, auth.KeySpec{})
	_, bia := w.key(w.member("bia@example.com").User.ID, auth.KeySpec{})
	for _, header := range []string{"Authorization", "X-Api-Key"} {
		for _, pair := range [][2]string{{ana, bia}, {bia, ana}, {ana, ana}} {
			r := request("/")
			r.Header[header] = []string{"Bearer " + pair[0], "Bearer " + pair[1]}
			if got := w.status(r); got != 401 {
				t.Errorf("two %s: %d", header, got)
			}
		}
	}
}

func TestKeyRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.admin()
	bia := w.member("bia@example.com").User.ID
	_, good := w.key(bia, auth.KeySpec{Name: "good"})
	_, short := w.key(bia, auth.KeySpec{Name: "short", ExpiresAt: epoch + 60})
	_, narrow := w.key(bia, auth.KeySpec{Name: "narrow", Routes: []string{"/api/chat"}})
	perms := func(on bool) func() {
		return func() {
			w.set(setting.UserPermissions.Name, setting.Permissions{"features": {"api_keys": on}})
		}
	}
	restrict := func(on bool, list string) func() {
		return func() {
			w.set(setting.APIKeysRestricted.Name, on)
			w.set(setting.APIKeysAllowedEndpoints.Name, list)
		}
	}
	for _, step := range []struct {
		name, key, path string
		before          func()
		want            int
	}{
		{"works", good, "/api/models", nil, 200},
		{"unknown", "sk-00000000000000000000000000000000", "/api/models", nil, 401},
		{"short", "sk-", "/api/models", nil, 401},
		{"huge", "sk-" + string(make([]byte, 4096)), "/api/models", nil, 401},
		{"in its scope", narrow, "/api/chat/completions", nil, 200},
		{"its scope itself", narrow, "/api/chat", nil, 200},
		{"like its scope", narrow, "/api/chats", nil, 403},
		{"out of its scope", narrow, "/api/models", nil, 403},
		{"not yet expired", short, "/api/models", nil, 200},
		{"expired", short, "/api/models", func() { w.advance(time.Minute) }, 401},
		{"all off", good, "/api/models", func() { w.set(setting.EnableAPIKeys.Name, false) }, 403},
		{"all on", good, "/api/models", func() { w.set(setting.EnableAPIKeys.Name, true) }, 200},
		{"not permitted", good, "/api/models", perms(false), 403},
		{"permitted", good, "/api/models", perms(true), 200},
		{"not an allowed path", good, "/api/v1/files", restrict(true, "/api/models, /api/chat"), 403},
		{"an allowed path", good, "/api/models", nil, 200},
		{"below an allowed path", good, "/api/chat/completions", nil, 200},
		{"like an allowed path", good, "/api/chatter", nil, 403},
		{"nothing allowed", good, "/api/models", restrict(true, " , /"), 403},
		{"no restriction", good, "/api/v1/files", restrict(false, ""), 200},
	} {
		if step.before != nil {
			step.before()
		}
		r := request(step.path)
		r.Header.Set("Authorization", "Bearer "+step.key)
		if got := w.status(r); got != step.want {
			t.Errorf("%s: %d, want %d", step.name, got, step.want)
		}
		r = request(step.path)
		r.Header.Set("X-Api-Key", step.key)
		if got := w.status(r); got != step.want {
			t.Errorf("%s as x-api-key: %d, want %d", step.name, got, step.want)
		}
	}
}

// A group of theirs lets people use keys where the default does not.
func TestKeyByGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.admin()
	bia := w.member("bia@example.com").User.ID
	_, key := w.key(bia, auth.KeySpec{})
	w.set(setting.UserPermissions.Name, setting.Permissions{"features": {"api_keys": false}})
	if got := w.status(bearer(key)); got != 403 {
		t.Fatalf("without the permission: %d", got)
	}
	g := &user.Group{ID: "g1", Name: "Staff", Permissions: `{"features":{"api_keys":true}}`, CreatedAt: epoch, UpdatedAt: epoch}
	if err := w.db.CreateGroup(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	if err := w.db.AddMembers(t.Context(), g.ID, []string{bia}); err != nil {
		t.Fatal(err)
	}
	if got := w.status(bearer(key)); got != 200 {
		t.Errorf("as a member: %d", got)
	}
	may, err := w.Permissions(t.Context(), bia)
	if err != nil || !may.Has("features.api_keys") {
		t.Errorf("permissions: %v, %v", may["features"], err)
	}
	if err := w.db.DeleteGroup(t.Context(), g.ID); err != nil {
		t.Fatal(err)
	}
	if got := w.status(bearer(key)); got != 403 {
		t.Errorf("after the group: %d", got)
	}
}

// Whatever ends a key or a person ends it for the next request, on every
// transport.
func TestRevocation(t *testing.T) {
	t.Parallel()
	ends := map[string]func(w *world, k *auth.Key) error{
		"deleted":     func(w *world, k *auth.Key) error { return w.DeleteKey(t.Context(), k.UserID, k.ID) },
		"by store":    func(w *world, k *auth.Key) error { return w.db.DeleteKey(t.Context(), k.UserID, k.ID) },
		"person gone": func(w *world, k *auth.Key) error { return w.Delete(t.Context(), k.UserID) },
		"rotated": func(w *world, k *auth.Key) error {
			_, _, err := w.CreateKey(t.Context(), k.UserID, auth.KeySpec{Name: k.Name}, true)
			return err
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.admin()
			bia := w.member("bia@example.com")
			k, secret := w.key(bia.User.ID, auth.KeySpec{})
			for _, by := range transports {
				if got := w.status(by(secret)); got != 200 {
					t.Fatal("before:", got)
				}
			}
			if err := end(w, k); err != nil {
				t.Fatal(err)
			}
			for name, by := range transports {
				if got := w.status(by(secret)); got != 401 {
					t.Errorf("%s: %d", name, got)
				}
			}
		})
	}
}

func TestKeyManagement(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.admin()
	bia, caio := w.member("bia@example.com").User.ID, w.member("caio@example.com").User.ID
	k, secret := w.key(bia, auth.KeySpec{Name: "one"})
	w.key(bia, auth.KeySpec{Name: "two"})
	if _, _, err := w.CreateKey(t.Context(), bia, auth.KeySpec{Name: "one"}, false); statusOf(err) != 409 {
		t.Error("a second key of the same name:", err)
	}
	for name, spec := range map[string]auth.KeySpec{
		"no name":  {},
		"past":     {Name: "x", ExpiresAt: epoch - 1},
		"negative": {Name: "x", ExpiresAt: -1},
		"no path":  {Name: "x", Routes: []string{"api"}},
		"root":     {Name: "x", Routes: []string{"/"}},
		"no model": {Name: "x", Models: []string{""}},
	} {
		if _, _, err := w.CreateKey(t.Context(), bia, spec, false); statusOf(err) != 400 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if w.status(bearer(secret)) != 200 {
		t.Fatal("the key does not work")
	}
	rename := func(s auth.KeySpec) auth.KeySpec { s.Name = "two"; return s }
	if _, err := w.UpdateKey(t.Context(), bia, k.ID, rename); statusOf(err) != 409 {
		t.Error("renamed onto another:", err)
	}
	narrow := func(s auth.KeySpec) auth.KeySpec {
		s.Name, s.Routes = "narrow", []string{"/api/chat"}
		return s
	}
	if _, err := w.UpdateKey(t.Context(), caio, k.ID, narrow); statusOf(err) != 404 {
		t.Error("somebody else's key was changed:", err)
	}
	if _, err := w.UpdateKey(t.Context(), bia, k.ID, narrow); err != nil {
		t.Fatal(err)
	}
	if got := w.status(bearer(secret)); got != 403 {
		t.Errorf("the scope counts at once: %d", got)
	}
	if err := w.DeleteKey(t.Context(), caio, k.ID); statusOf(err) != 404 {
		t.Error("somebody else's key was deleted:", err)
	}
	keys, err := w.Keys(t.Context(), bia)
	if err != nil || len(keys) != 2 || keys[0].Name == keys[1].Name {
		t.Errorf("%d keys, %v", len(keys), err)
	}
}

// One unknown key is asked for once, and those who try many of them do not lock
// out the others who come from the same address.
func TestUnknownKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *auth.Config) { c.Limits.UnknownKeys = auth.Limit{N: 10, Per: time.Minute} })
	ana := w.admin()
	_, good := w.key(ana.User.ID, auth.KeySpec{})
	if w.status(bearer(good)) != 200 {
		t.Fatal("the key does not work")
	}
	before := w.db.Statements()
	for range 100 {
		if got := w.status(bearer("sk-same")); got != 401 {
			t.Fatal(got)
		}
	}
	if n := w.db.Statements() - before; n != 1 {
		t.Errorf("one unknown key cost %d statements", n)
	}
	for i := range 100 {
		if got := w.status(bearer(fmt.Sprint("sk-", i))); got != 401 {
			t.Fatal(got)
		}
	}
	if got := w.status(bearer(good)); got != 200 {
		t.Errorf("a key that was in use: %d", got)
	}
	if _, fresh := w.key(ana.User.ID, auth.KeySpec{Name: "fresh"}); w.status(bearer(fresh)) != 200 {
		t.Error("a key that nobody used yet is shut out")
	}
}

func TestLastUseIsWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *auth.Config) { c.FlushEvery = time.Hour })
	ana := w.admin()
	k, secret := w.key(ana.User.ID, auth.KeySpec{})
	w.advance(time.Minute)
	for range 10 {
		w.status(bearer(secret))
	}
	w.advance(time.Minute)
	w.status(bearer(secret))
	if err := w.Service.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := w.Service.Key(t.Context(), ana.User.ID, k.ID)
	if err != nil || got.LastUsed != epoch+120 {
		t.Errorf("last used %d, %v", got.LastUsed, err)
	}
	u, err := w.db.UserByID(t.Context(), ana.User.ID)
	if err != nil || u.LastActiveAt != epoch+120 {
		t.Errorf("last active %d, %v", u.LastActiveAt, err)
	}
}

func TestSetID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ana := w.admin()
	eva := w.must(w.Add(t.Context(), auth.NewUser{Name: "Eva", Email: "eva@example.com", Password: password, Role: user.Admin}))
	bia, caio := w.member("bia@example.com"), w.member("caio@example.com")
	_, scoped := w.key(ana.User.ID, auth.KeySpec{Models: []string{"m"}})
	set := func(r *http.Request) string {
		id, err := w.Authenticate(r)
		if err != nil {
			t.Fatal(err)
		}
		return id.Who.SetID
	}
	a, e, b, c, k := set(bearer(ana.Token)), set(bearer(eva.Token)), set(bearer(bia.Token)), set(bearer(caio.Token)), set(bearer(scoped))
	if a != e {
		t.Error("administrators see different sets")
	}
	if a == b || b == c || a == k {
		t.Error("sets that differ are the same:", a, b, c, k)
	}
}

func TestAuthenticateIsCheap(t *testing.T) {
	if raceEnabled {
		return // the race detector allocates
	}
	w := newWorld(t)
	ana := w.admin()
	_, secret := w.key(ana.User.ID, auth.KeySpec{Routes: []string{"/api"}})
	w.set(setting.APIKeysRestricted.Name, true)
	w.set(setting.APIKeysAllowedEndpoints.Name, "/x, /api/models")
	r := bearer(secret)
	if w.status(r) != 200 {
		t.Fatal("the key does not work")
	}
	before := w.db.Statements()
	n := testing.AllocsPerRun(1000, func() {
		w.advance(time.Second)
		if id, err := w.Authenticate(r); err != nil || id.Who == nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("a warm key costs %v allocations", n)
	}
	if n := w.db.Statements() - before; n != 0 {
		t.Errorf("a warm key cost %d statements", n)
	}
	tr := request("/", "Cookie", "theme=dark; token="+ana.Token)
	w.status(tr)
	before = w.db.Statements()
	n = testing.AllocsPerRun(1000, func() {
		if id, err := w.Authenticate(tr); err != nil || id.Who == nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("a warm token costs %v allocations", n)
	}
	if n := w.db.Statements() - before; n != 0 {
		t.Errorf("a warm token cost %d statements", n)
	}
}

func BenchmarkAuthenticateKey(b *testing.B) {
	w := newWorld(b)
	ana := w.admin()
	_, secret := w.key(ana.User.ID, auth.KeySpec{})
	r := bearer(secret)
	b.ReportAllocs()
	for b.Loop() {
		if id, err := w.Authenticate(r); err != nil || id.Who == nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuthenticateJWT(b *testing.B) {
	w := newWorld(b)
	r := bearer(w.admin().Token)
	b.ReportAllocs()
	for b.Loop() {
		if id, err := w.Authenticate(r); err != nil || id.Who == nil {
			b.Fatal(err)
		}
	}
}

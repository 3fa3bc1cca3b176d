package auth_test

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"testing"

	"portico/internal/access"
	"portico/internal/auth"
	"portico/internal/user"
)

func cancelled(t testing.TB) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func behindProxy(c *auth.Config) {
	c.Proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	c.Trusted = auth.TrustedHeaders{Email: "X-Email", Name: "X-Name", Groups: "x-groups", Role: "X-Role"}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, behindProxy)
	for _, c := range []struct {
		peer string
		xff  []string
		want string
	}{
		{"192.0.2.1:99", nil, "192.0.2.1"},
		{"192.0.2.1:99", []string{"203.0.113.9"}, "192.0.2.1"}, // not a proxy of ours
		{"10.0.0.1:99", nil, "10.0.0.1"},
		{"10.0.0.1:99", []string{"203.0.113.9"}, "203.0.113.9"},
		{"10.0.0.1:99", []string{"1.1.1.1, 203.0.113.9"}, "203.0.113.9"}, // the client made up the first
		{"10.0.0.1:99", []string{"1.1.1.1", "203.0.113.9, 10.1.1.1"}, "203.0.113.9"},
		{"10.0.0.1:99", []string{"10.2.2.2"}, "10.2.2.2"},
		{"10.0.0.1:99", []string{"203.0.113.9, rubbish"}, "10.0.0.1"},
		{"[::ffff:10.0.0.1]:99", []string{"203.0.113.9"}, "203.0.113.9"},
		{"[::1]:99", []string{"2001:db8::1"}, "2001:db8::1"},
		{"@", nil, "invalid IP"},
	} {
		r := request("/")
		r.RemoteAddr = c.peer
		r.Header["X-Forwarded-For"] = c.xff
		if got := w.Address(r).String(); got != c.want {
			t.Errorf("%s %q: %s, want %s", c.peer, c.xff, got, c.want)
		}
	}
}

func vouch(peer string, pairs ...string) *http.Request {
	r := request("/api/models", pairs...)
	r.RemoteAddr = peer + ":99"
	return r
}

func TestTrustedHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, behindProxy)
	if got := w.status(vouch("192.0.2.1", "X-Email", "eve@example.com", "X-Role", "admin")); got != 0 {
		t.Fatalf("anybody can be anybody: %d", got)
	}
	who := func(pairs ...string) *access.Principal {
		t.Helper()
		id, err := w.Authenticate(vouch("10.0.0.1", pairs...))
		if err != nil {
			t.Fatal(err)
		}
		if !id.Ambient {
			t.Error("not ambient")
		}
		return id.Who
	}
	first := who("X-Email", "Ana@example.com", "X-Name", "Ana")
	if first.Role != user.Admin || first.Name != "Ana" || first.Method != access.ByHeader {
		t.Errorf("the first: %+v", first)
	}
	g := &user.Group{ID: "g1", Name: "Staff", CreatedAt: epoch, UpdatedAt: epoch}
	if err := w.db.CreateGroup(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	if bia := who("X-Email", "bia@example.com"); bia.Role != user.Pending || bia.Name != "bia@example.com" {
		t.Errorf("the second: %+v", bia)
	}
	if bia := who("X-Email", "bia@example.com", "X-Role", "user", "X-Groups", "Nobody, Staff"); bia.Role != user.Member || !slices.Equal(bia.Groups, []string{"g1"}) {
		t.Errorf("with role and groups: %+v", bia)
	}
	before := w.db.Statements()
	if bia := who("X-Email", "bia@example.com", "X-Role", "user", "X-Groups", "Nobody, Staff"); bia.Role != user.Member {
		t.Errorf("again: %+v", bia)
	}
	if n := w.db.Statements() - before; n > 1 {
		t.Errorf("the second visit cost %d statements", n)
	}
	if bia := who("X-Email", "bia@example.com", "X-Role", "user", "X-Groups", "Nobody"); len(bia.Groups) != 0 {
		t.Errorf("without groups: %+v", bia)
	}
	if ana := who("X-Email", "ana@example.com", "X-Role", "user"); ana.Role != user.Admin {
		t.Error("the last administrator is none any more")
	}
	if got := w.status(vouch("10.0.0.1", "X-Email", "rubbish")); got != 400 {
		t.Errorf("no address: %d", got)
	}

	s := w.must(w.SignIn(vouch("10.0.0.1", "X-Email", "bia@example.com"), "x", "x"))
	if s.User.Email != "bia@example.com" {
		t.Errorf("signed in %+v", s.User)
	}
	if _, err := w.SignIn(vouch("10.0.0.1"), "x", "x"); statusOf(err) != 400 {
		t.Error("without the header:", err)
	}
	auth := "Bearer " + s.Token
	if got := w.status(vouch("10.0.0.1", "X-Email", "bia@example.com", "Authorization", auth)); got != 200 {
		t.Errorf("their own session: %d", got)
	}
	if got := w.status(vouch("10.0.0.1", "X-Email", "ana@example.com", "Authorization", auth)); got != 401 {
		t.Errorf("the session of somebody else: %d", got)
	}
}

func TestWithoutSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *auth.Config) { c.Off = true })
	id, err := w.Authenticate(request("/"))
	if err != nil || id.Who.Email != "admin@localhost" || !id.Who.IsAdmin() || id.Who.Method != access.BySystem || !id.Ambient {
		t.Fatalf("%+v, %v", id, err)
	}
	s := w.must(w.SignIn(request("/"), "", ""))
	if s.User.ID != id.Who.UserID || w.status(bearer(s.Token)) != 200 {
		t.Errorf("signed in %+v", s.User)
	}
	before := w.db.Statements()
	w.status(request("/"))
	if n := w.db.Statements() - before; n != 0 {
		t.Errorf("another request cost %d statements", n)
	}
	if _, err := w.SignUp(t.Context(), auth.NewUser{Name: "X", Email: "x@example.com", Password: password}, home); statusOf(err) != 403 {
		t.Error("signed up:", err)
	}
	if got := w.status(bearer("rubbish")); got != 401 {
		t.Errorf("a bad token: %d", got)
	}
}

func TestWithoutSignInButWithPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.admin()
	off, err := auth.New(auth.Config{Secret: []byte(secret), Off: true}, w.db, w.db, w.settings, w.bus)
	if err != nil {
		t.Fatal(err)
	}
	defer off.Close()
	if _, err := off.Authenticate(request("/")); statusOf(err) != 400 {
		t.Error("let in:", err)
	}
	if _, err := off.SignIn(request("/"), "", ""); statusOf(err) != 400 {
		t.Error("signed in:", err)
	}
}

func TestLastAdministrator(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ana := w.admin()
	if _, err := w.Change(t.Context(), ana.User.ID, roleChange("user")); statusOf(err) != 409 {
		t.Error("demoted:", err)
	}
	if err := w.Delete(t.Context(), ana.User.ID); statusOf(err) != 409 {
		t.Error("deleted:", err)
	}
	if _, err := w.Change(t.Context(), ana.User.ID, roleChange("king")); statusOf(err) != 400 {
		t.Error("promoted:", err)
	}
}

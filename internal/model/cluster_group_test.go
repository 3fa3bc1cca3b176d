package model_test

import (
	"testing"
	"time"

	"portico/internal/access"
	"portico/internal/auth"
	"portico/internal/errdefs"
	"portico/internal/user"
)

// A model that is a group's, on two servers of one database: who is put into
// the group on one can use the model on the other within a second, and cannot
// once they are out of it.
func TestGroupOnTwoServers(t *testing.T) {
	t.Parallel()
	one, two := twoServers(t)
	people := func(w *world) *auth.Service {
		t.Helper()
		s, err := auth.New(auth.Config{
			Secret: []byte("a secret for tests, long enough to be one"), Hashing: auth.Hashing{Algorithm: "bcrypt", Cost: 4},
		}, w.db, w.db, w.settings, w.bus)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	first, second := people(one), people(two)
	// Whoever comes first is the administrator.
	if _, err := first.Add(t.Context(), auth.NewUser{Name: "Ana", Email: "ana@example.com", Password: "s3cret-Pass!", Role: user.Admin}); err != nil {
		t.Fatal(err)
	}
	session, err := first.Add(t.Context(), auth.NewUser{Name: "Bia", Email: "bia@example.com", Password: "s3cret-Pass!", Role: user.Member})
	if err != nil {
		t.Fatal(err)
	}
	g, err := first.CreateGroup(t.Context(), "ana", auth.GroupDraft{Name: "Band"})
	if err != nil {
		t.Fatal(err)
	}
	one.change(map[string]any{"openai.api_base_urls": openAI("a"), "ollama.base_urls": []string{}})
	eventually(t, "the connection", func() bool { return two.ids(admin) == "m" })
	one.row("m", "", access.Grant{PrincipalType: "group", PrincipalID: g.ID, Permission: "read"})
	can := func() bool {
		t.Helper()
		who, err := second.Principal(t.Context(), session.User.ID)
		if err != nil {
			t.Fatal(err)
		}
		_, err = two.reg.Resolve(t.Context(), who, "m")
		if err != nil && !errdefs.Is(err, errdefs.NotFound) {
			t.Fatal(err)
		}
		return err == nil
	}
	if can() {
		t.Fatal("who is not in the group can use its model")
	}
	for _, step := range []struct {
		what string
		do   func() error
		want bool
	}{
		{"put in", func() error { return first.AddMembers(t.Context(), g.ID, []string{session.User.ID}) }, true},
		{"put out", func() error { return one.db.RemoveMembers(t.Context(), g.ID, []string{session.User.ID}) }, false},
		{"set", func() error { return one.db.SetMembers(t.Context(), g.ID, []string{session.User.ID}) }, true},
		{"deleted", func() error { return one.db.DeleteGroup(t.Context(), g.ID) }, false},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		eventually(t, step.what, func() bool { return can() == step.want })
		if took := time.Since(begun); took > time.Second {
			t.Errorf("%s: after %v", step.what, took)
		}
	}
}

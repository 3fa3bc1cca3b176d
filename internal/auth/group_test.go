package auth_test

import (
	"testing"

	"portico/internal/auth"
	"portico/internal/errdefs"
)

// A change of one group is read again for its members, and for nobody else.
func TestGroupChangeIsLocal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin, in, out := w.admin(), w.member("in@example.com"), w.member("out@example.com")
	people := []string{in.User.ID}
	g, err := w.CreateGroup(t.Context(), admin.User.ID, auth.GroupDraft{Name: "Band", Members: &people})
	if err != nil {
		t.Fatal(err)
	}
	cost := func(id string) uint64 {
		t.Helper()
		before := w.db.Statements()
		if _, err := w.Permissions(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		return w.db.Statements() - before
	}
	cost(in.User.ID)
	cost(out.User.ID)
	if _, err := w.UpdateGroup(t.Context(), g.ID, auth.GroupDraft{Name: "Band", Permissions: []byte(`{"chat":{"x":true}}`)}); err != nil {
		t.Fatal(err)
	}
	if a, b := cost(in.User.ID), cost(out.User.ID); a != 4 || b != 0 {
		t.Errorf("%d statements for a member, %d for somebody else; want 4 and 0", a, b)
	}
	nobody := []string{"nobody"}
	if _, err := w.CreateGroup(t.Context(), admin.User.ID, auth.GroupDraft{Name: "x", Members: &nobody}); !errdefs.Is(err, errdefs.Invalid) {
		t.Errorf("a group of nobody: %v", err)
	}
}

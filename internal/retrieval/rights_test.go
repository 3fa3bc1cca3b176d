package retrieval_test

import (
	"context"
	"testing"

	"portico/internal/access"
	"portico/internal/errdefs"
	"portico/internal/retrieval"
)

// TestPassOn holds that a file which is only shared with somebody cannot be
// put into a collection of theirs by processing it.
func TestPassOn(t *testing.T) {
	t.Parallel()
	s := newStand(t, "sqlite://:memory:", nil)
	ctx := context.Background()
	f := s.completed(s.ann, "a.txt", "The ferry leaves at nine.")
	shared, own := s.collection(s.ann, "shared", f), s.collection(s.bob, "own")
	read := access.Grant{PrincipalType: "user", PrincipalID: s.bob.UserID, Permission: "read"}
	must(t, s.db.SetGrants(ctx, access.Knowledge, shared.ID, []access.Grant{read}))
	if got := s.found(s.bob, "ferry", shared.ID); len(got) != 1 {
		t.Fatalf("found %q", got)
	}
	if _, err := s.ProcessFile(ctx, s.bob, f.ID, "", own.ID); errdefs.From(err).HTTPStatus() != 403 {
		t.Errorf("got %v", err)
	}
	// What is no longer shared is not found at once, by nobody's scope.
	must(t, s.db.SetGrants(ctx, access.Knowledge, shared.ID, nil))
	for _, name := range []string{shared.ID, "file-" + f.ID} {
		if _, err := s.Find(ctx, s.bob, []string{name}, retrieval.Question{Text: "ferry"}); !errdefs.Is(err, errdefs.Forbidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := s.found(s.bob, "ferry", own.ID); len(got) != 0 {
		t.Errorf("found %q", got)
	}
}

package storetest

import (
	"testing"

	"portico/internal/errdefs"
	"portico/internal/user"
)

func testUpdateKey(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	addPerson(t, f, "a", user.Admin)
	addPerson(t, f, "b", user.Member)
	one, two := newKey("1", "a", "one"), newKey("2", "a", "two")
	must(t, db.CreateKey(ctx, one, false))
	must(t, db.CreateKey(ctx, two, false))
	f.told(t)

	changed := *one
	changed.Name, changed.Models, changed.Routes, changed.ExpiresAt = "new", nil, []string{"/x", "/é"}, 99
	must(t, db.UpdateKey(ctx, &changed))
	f.told(t, keyEvent(one))
	got, err := db.KeyByHash(ctx, one.Hash)
	must(t, err)
	equal(t, got, &changed)

	clash, foreign := changed, changed
	clash.Name, foreign.UserID = "two", "b"
	fails(t, db.UpdateKey(ctx, &clash), errdefs.Conflict)
	fails(t, db.UpdateKey(ctx, &foreign), errdefs.NotFound)
	f.told(t)
	got, err = db.KeyByHash(ctx, two.Hash)
	must(t, err)
	equal(t, got, two)
}

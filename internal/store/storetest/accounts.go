package storetest

import (
	"fmt"
	"testing"
	"time"

	"portico/internal/auth"
	"portico/internal/errdefs"
	"portico/internal/event"
	"portico/internal/user"
)

func testCredentials(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	addPerson(t, f, "a", user.Admin)
	check := func(hash, stamp string) {
		t.Helper()
		got, err := db.Credential(ctx, "a")
		must(t, err)
		equal(t, got, &auth.Credential{UserID: "a", PasswordHash: hash, Stamp: stamp})
	}
	check("hash a", "stamp a")
	must(t, db.SetPassword(ctx, "a", "h2", "s2"))
	f.told(t, event.Event{Topic: event.User, ID: "a"})
	check("h2", "s2")
	must(t, db.SetStamp(ctx, "a", "s3"))
	f.told(t, event.Event{Topic: event.User, ID: "a"})
	check("h2", "s3")
	must(t, db.UpgradeHash(ctx, "a", "other", "h4"))
	check("h2", "s3")
	must(t, db.UpgradeHash(ctx, "a", "h2", "h4"))
	f.told(t)
	check("h4", "s3")
	fails(t, db.SetPassword(ctx, "z", "h", "s"), errdefs.NotFound)
	fails(t, db.SetStamp(ctx, "z", "s"), errdefs.NotFound)
	_, err := db.Credential(ctx, "z")
	fails(t, err, errdefs.NotFound)
	f.told(t)
}

func testRevokedTokens(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	addPerson(t, f, "a", user.Admin)
	addPerson(t, f, "b", user.Member)
	now := time.Now().Unix()
	must(t, db.RevokeToken(ctx, "short", "a", now+100))
	f.told(t, event.Event{Topic: event.User, ID: "a"})
	must(t, db.RevokeToken(ctx, "for ever", "a", 0))
	must(t, db.RevokeToken(ctx, "for ever", "a", 0)) // signing out twice is fine
	must(t, db.RevokeToken(ctx, "other", "b", now+100))
	got, err := db.RevokedTokens(ctx, "a", now)
	must(t, err)
	equal(t, got, []string{"for ever", "short"})
	got, err = db.RevokedTokens(ctx, "a", now+100)
	must(t, err)
	equal(t, got, []string{"for ever"})
	// What expired is forgotten when something else is remembered.
	must(t, db.RevokeToken(ctx, "expired", "a", now-100))
	must(t, db.RevokeToken(ctx, "last", "a", now+100))
	got, err = db.RevokedTokens(ctx, "a", now-1000)
	must(t, err)
	equal(t, got, []string{"for ever", "last", "short"})
	fails(t, db.RevokeToken(ctx, "x", "nobody", now+100), errdefs.NotFound)
}

func newKey(id, owner, name string) *auth.Key {
	k := &auth.Key{ID: id, UserID: owner, Name: name, Prefix: "sk-12", Last4: "abcd",
		Models: []string{"llama3:latest", `quo"te`}, Routes: []string{"/api/"}, ExpiresAt: 5, LastUsed: 6, CreatedAt: 7}
	for i := range k.Hash {
		k.Hash[i] = byte(i * 9) // every kind of byte, NUL among them
	}
	copy(k.Hash[1:], id)
	return k
}

func keyEvent(k *auth.Key) event.Event {
	return event.Event{Topic: event.Key, ID: fmt.Sprintf("%x", k.Hash)}
}

func testKeys(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	addPerson(t, f, "a", user.Admin)
	addPerson(t, f, "b", user.Member)
	one, two, foreign := newKey("1", "a", "one"), newKey("2", "a", "two"), newKey("3", "b", "one")
	two.Models, two.Routes, two.ExpiresAt, two.LastUsed, two.CreatedAt = nil, nil, 0, 0, 8
	for _, k := range []*auth.Key{two, one, foreign} {
		must(t, db.CreateKey(ctx, k, false))
	}
	f.told(t)
	for _, k := range []*auth.Key{one, two, foreign} {
		got, err := db.KeyByHash(ctx, k.Hash)
		must(t, err)
		equal(t, got, k)
	}
	_, err := db.KeyByHash(ctx, [32]byte{})
	fails(t, err, errdefs.NotFound)
	keys, err := db.KeysOf(ctx, "a")
	must(t, err)
	equal(t, keys, []*auth.Key{one, two})

	fails(t, db.CreateKey(ctx, newKey("4", "a", "one"), false), errdefs.Conflict)
	sameHash := newKey("1", "a", "three")
	sameHash.ID = "5"
	fails(t, db.CreateKey(ctx, sameHash, false), errdefs.Conflict)
	fails(t, db.CreateKey(ctx, newKey("6", "nobody", "x"), false), errdefs.NotFound)
	fails(t, db.DeleteKey(ctx, "a", "3"), errdefs.NotFound) // somebody else's
	fails(t, db.DeleteKey(ctx, "a", "9"), errdefs.NotFound)
	f.told(t)
	must(t, db.DeleteKey(ctx, "a", "1"))
	f.told(t, keyEvent(one))
	_, err = db.KeyByHash(ctx, one.Hash)
	fails(t, err, errdefs.NotFound)
}

func testReplaceKey(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	addPerson(t, f, "a", user.Admin)
	one, two := newKey("1", "a", "default"), newKey("2", "a", "default")
	must(t, db.CreateKey(ctx, one, true))
	must(t, db.CreateKey(ctx, newKey("3", "a", "kept"), true))
	f.told(t)
	must(t, db.CreateKey(ctx, two, true))
	f.told(t, keyEvent(one))
	keys, err := db.KeysOf(ctx, "a")
	must(t, err)
	equal(t, []string{keys[0].ID, keys[1].ID}, []string{"2", "3"})
	// A replacement that fails ends nothing.
	clash := newKey("3", "a", "default")
	fails(t, db.CreateKey(ctx, clash, true), errdefs.Conflict)
	f.told(t)
	_, err = db.KeyByHash(ctx, two.Hash)
	must(t, err)
}

func testUpdateKey(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	addPerson(t, f, "a", user.Admin)
	addPerson(t, f, "b", user.Member)
	one, two := newKey("1", "a", "one"), newKey("2", "a", "two")
	must(t, db.CreateKey(ctx, one, false))
	must(t, db.CreateKey(ctx, two, false))
	one.Name, one.Models, one.Routes, one.ExpiresAt = "näme", nil, []string{"/v1/"}, 0
	must(t, db.UpdateKey(ctx, one))
	f.told(t, keyEvent(one))
	got, err := db.KeyByHash(ctx, one.Hash)
	must(t, err)
	equal(t, got, one)
	taken, foreign := *one, *one
	taken.Name, foreign.UserID = "two", "b"
	fails(t, db.UpdateKey(ctx, &taken), errdefs.Conflict)
	fails(t, db.UpdateKey(ctx, &foreign), errdefs.NotFound)
	f.told(t)
}

func testTouchKeys(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	addPerson(t, f, "a", user.Admin)
	for _, id := range []string{"1", "2"} {
		must(t, db.CreateKey(ctx, newKey(id, "a", id), false))
	}
	must(t, db.TouchKeys(ctx, map[string]int64{"1": 100, "2": 1, "gone": 5}))
	f.told(t)
	keys, err := db.KeysOf(ctx, "a")
	must(t, err)
	equal(t, []int64{keys[0].LastUsed, keys[1].LastUsed}, []int64{100, 6})
}

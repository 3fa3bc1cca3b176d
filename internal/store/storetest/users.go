package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"portico/internal/access"
	"portico/internal/auth"
	"portico/internal/conversation"
	"portico/internal/errdefs"
	"portico/internal/event"
	"portico/internal/store"
	"portico/internal/user"
)

func person(id string, role user.Role) *user.User {
	return &user.User{ID: id, Email: id + "@example.org", Name: "Name " + id, Role: role, ProfileImageURL: user.DefaultImage,
		Timezone: "Europe/Zürich", Settings: `{"ui":{}}`, Info: `{}`, Bio: "b\nö", Gender: "x", DateOfBirth: "1990-12-31",
		StatusEmoji: "🪑", StatusMessage: "away", StatusExpiresAt: 1 << 40, LastActiveAt: 30, CreatedAt: 10, UpdatedAt: 20}
}

func addPerson(t *testing.T, f *Fixture, id string, role user.Role) *user.User {
	t.Helper()
	u := person(id, role)
	must(t, f.DB.CreateUser(t.Context(), u, "hash "+id, "stamp "+id, false))
	f.told(t, event.Event{Topic: event.User, ID: id})
	return u
}

func testUsers(t *testing.T, f *Fixture) {
	u := addPerson(t, f, "a", user.Admin)
	got, err := f.DB.UserByID(t.Context(), "a")
	must(t, err)
	equal(t, got, u)
	got, err = f.DB.UserByEmail(t.Context(), "A@Example.ORG")
	must(t, err)
	equal(t, got, u)
	_, err = f.DB.UserByID(t.Context(), "b")
	fails(t, err, errdefs.NotFound)
	_, err = f.DB.UserByEmail(t.Context(), "b@example.org")
	fails(t, err, errdefs.NotFound)

	again := person("b", user.Member)
	again.Email = "A@example.org"
	fails(t, f.DB.CreateUser(t.Context(), again, "", "", false), errdefs.Conflict)
	again = person("a", user.Member)
	again.Email = "other@example.org"
	fails(t, f.DB.CreateUser(t.Context(), again, "", "", false), errdefs.Conflict)
	f.told(t)
	n, err := f.DB.CountUsers(t.Context())
	must(t, err)
	equal(t, n, 1)
}

func testFirstUser(t *testing.T, f *Fixture) {
	var wg sync.WaitGroup
	var won atomic.Int32
	for i := range 200 {
		wg.Go(func() {
			err := f.DB.CreateUser(t.Context(), person(fmt.Sprint(i), user.Admin), "h", "s", true)
			if err == nil {
				won.Add(1)
			} else {
				fails(t, err, errdefs.Conflict)
			}
		})
	}
	wg.Wait()
	n, err := f.DB.CountUsers(t.Context())
	must(t, err)
	equal(t, n, 1)
	equal(t, won.Load(), 1)
}

// testUserPages reads many people at once, and in every order in pages.
func testUserPages(t *testing.T, f *Fixture) {
	const all = many
	AddPeople(t, f.DB, all)
	read := func(filter user.Filter) []*user.User {
		t.Helper()
		page, total, err := f.DB.Users(t.Context(), filter)
		must(t, err)
		equal(t, total, all)
		return page
	}
	seen := make(map[string]bool, all)
	for i, u := range read(user.Filter{Limit: all}) {
		seen[u.ID] = true
		equal(t, u.CreatedAt, int64(i))
	}
	equal(t, len(seen), all)
	for _, order := range []string{"name", "email", "role", "created_at", "last_active_at"} {
		up := read(user.Filter{OrderBy: order, Offset: all - 100, Limit: 200})
		down := read(user.Filter{OrderBy: order, Descending: true, Limit: 40})
		down = append(down, read(user.Filter{OrderBy: order, Descending: true, Offset: 40, Limit: 60})...)
		slices.Reverse(down)
		equal(t, up, down)
	}
	equal(t, len(read(user.Filter{Offset: all})), 0)
	equal(t, len(read(user.Filter{OrderBy: "id; DROP TABLE users"})), 30)
}

// AddPeople inserts n people in one transaction; each was made at a second of
// its own.
func AddPeople(t testing.TB, db *store.DB, n int) {
	t.Helper()
	err := db.Tx(t.Context(), func(ctx context.Context) error {
		for i := range n {
			u := person(fmt.Sprintf("p%06d", (i*7919)%n), user.Member)
			u.CreatedAt = int64(i)
			if err := db.CreateUser(ctx, u, "h", "s", false); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func testUserSearch(t *testing.T, f *Fixture) {
	for id, name := range map[string]string{"a": "Ärzte über Öl", "b": "100%_sure", "c": `back\slash`, "d": "zoe", "e": "Alice"} {
		u := person(id, user.Member)
		u.Name = name
		must(t, f.DB.CreateUser(t.Context(), u, "", "", false))
	}
	for query, want := range map[string]string{
		"ÄRZTE ÜBER": "a", "%_": "b", `K\s`: "c", "D@EXAMPLE": "d", "nobody": "", "_": "b", "%": "b",
	} {
		page, total, err := f.DB.Users(t.Context(), user.Filter{Query: query})
		must(t, err)
		got := ""
		for _, u := range page {
			got += u.ID
		}
		if got != want || total != len(want) {
			t.Errorf("%q: found %q of %d, want %q", query, got, total, want)
		}
	}
	page, _, err := f.DB.Users(t.Context(), user.Filter{OrderBy: "name"})
	must(t, err)
	got := ""
	for _, u := range page {
		got += u.ID
	}
	equal(t, got, "becda")
}

func testUpdateUser(t *testing.T, f *Fixture) {
	u := addPerson(t, f, "a", user.Admin)
	addPerson(t, f, "b", user.Pending)
	name, email, role, image, empty, never := "New Näme", "NEW@example.org", user.Member, "/x.png", "", int64(0)
	got, err := f.DB.UpdateUser(t.Context(), "b", user.Change{Name: &name, Email: &email, Role: &role, ProfileImageURL: &image,
		Timezone: &empty, Settings: &empty, Info: &empty,
		Bio: &empty, Gender: &empty, DateOfBirth: &empty, StatusEmoji: &empty, StatusMessage: &empty, StatusExpiresAt: &never}, 99)
	must(t, err)
	f.told(t, event.Event{Topic: event.User, ID: "b"})
	equal(t, got, &user.User{ID: "b", Email: "new@example.org", Name: name, Role: role, ProfileImageURL: image,
		LastActiveAt: 30, CreatedAt: 10, UpdatedAt: 99})
	found, _, err := f.DB.Users(t.Context(), user.Filter{Query: "näme\nnew"})
	must(t, err)
	equal(t, found, []*user.User{got})

	got, err = f.DB.UpdateUser(t.Context(), "a", user.Change{}, 98)
	must(t, err)
	u.UpdatedAt = 98
	equal(t, got, u)
	f.told(t, event.Event{Topic: event.User, ID: "a"})
	_, err = f.DB.UpdateUser(t.Context(), "a", user.Change{Email: &email}, 99)
	fails(t, err, errdefs.Conflict)
	_, err = f.DB.UpdateUser(t.Context(), "z", user.Change{Name: &name}, 99)
	fails(t, err, errdefs.NotFound)
	_, err = f.DB.UpdateUser(t.Context(), "z", user.Change{Role: &role}, 99)
	fails(t, err, errdefs.NotFound)
	f.told(t)
}

func testLastAdmin(t *testing.T, f *Fixture) {
	addPerson(t, f, "a", user.Admin)
	addPerson(t, f, "b", user.Member)
	for _, role := range []user.Role{user.Member, user.Pending} {
		_, err := f.DB.UpdateUser(t.Context(), "a", user.Change{Role: &role}, 1)
		fails(t, err, errdefs.Conflict)
	}
	fails(t, f.DB.DeleteUser(t.Context(), "a"), errdefs.Conflict)
	admin, member := user.Admin, user.Member
	_, err := f.DB.UpdateUser(t.Context(), "a", user.Change{Role: &admin}, 1)
	must(t, err)
	_, err = f.DB.UpdateUser(t.Context(), "b", user.Change{Role: &admin}, 1)
	must(t, err)
	_, err = f.DB.UpdateUser(t.Context(), "a", user.Change{Role: &member}, 1)
	must(t, err)
	must(t, f.DB.DeleteUser(t.Context(), "a"))
	fails(t, f.DB.DeleteUser(t.Context(), "b"), errdefs.Conflict)
}

// testLastAdminRace lets administrators demote and delete each other at once.
func testLastAdminRace(t *testing.T, f *Fixture) {
	const admins = 20
	for i := range admins {
		addPerson(t, f, fmt.Sprint(i), user.Admin)
	}
	var wg sync.WaitGroup
	for i := range admins {
		wg.Go(func() {
			var err error
			if role := user.Member; i%2 == 0 {
				_, err = f.DB.UpdateUser(t.Context(), fmt.Sprint(i), user.Change{Role: &role}, 1)
			} else {
				err = f.DB.DeleteUser(t.Context(), fmt.Sprint(i))
			}
			if err != nil {
				fails(t, err, errdefs.Conflict)
			}
		})
	}
	wg.Wait()
	left := 0
	page, _, err := f.DB.Users(t.Context(), user.Filter{Limit: admins})
	must(t, err)
	for _, u := range page {
		if u.Role == user.Admin {
			left++
		}
	}
	equal(t, left, 1)
}

func testDeleteUser(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	addPerson(t, f, "a", user.Admin)
	addPerson(t, f, "b", user.Member)
	key := &auth.Key{ID: "k", UserID: "b", Name: "default", Hash: [32]byte{0xab}}
	must(t, db.CreateKey(ctx, key, false))
	must(t, db.CreateGroup(ctx, &user.Group{ID: "g", Name: "g"}))
	must(t, db.AddMembers(ctx, "g", []string{"b"}))
	must(t, db.CreateChats(ctx, &conversation.Chat{ID: "c", UserID: "b"}))
	must(t, db.SetGrants(ctx, access.Chat, "c", []access.Grant{{PrincipalType: "user", PrincipalID: "a", Permission: "read"}}))
	must(t, db.SetGrants(ctx, access.Model, "m", []access.Grant{{PrincipalType: "user", PrincipalID: "b", Permission: "read"},
		{PrincipalType: "user", PrincipalID: "a", Permission: "read"}}))
	must(t, db.RevokeToken(ctx, "jti", "b", 0))
	f.events = nil

	must(t, db.DeleteUser(ctx, "b"))
	f.told(t, event.Event{Topic: event.User, ID: "b"}, event.Event{Topic: event.Key, ID: fmt.Sprintf("%x", key.Hash)},
		event.Event{Topic: event.Chat, ID: "c"}, event.Event{Topic: event.Grant, ID: "chat/c"}, event.Event{Topic: event.Grant, ID: "model/m"})
	_, err := db.Credential(ctx, "b")
	fails(t, err, errdefs.NotFound)
	_, err = db.KeyByHash(ctx, key.Hash)
	fails(t, err, errdefs.NotFound)
	_, err = db.ChatByID(ctx, "c")
	fails(t, err, errdefs.NotFound)
	members, err := db.Members(ctx, "g")
	must(t, err)
	equal(t, len(members), 0)
	tokens, err := db.RevokedTokens(ctx, "b", 0)
	must(t, err)
	equal(t, len(tokens), 0)
	grants, err := db.GrantsOf(ctx, access.Model, "m")
	must(t, err)
	equal(t, len(grants), 1)
	grants, err = db.GrantsOf(ctx, access.Chat, "c")
	must(t, err)
	equal(t, len(grants), 0)
	fails(t, db.DeleteUser(ctx, "b"), errdefs.NotFound)
	f.told(t)
}

func testTouchUsers(t *testing.T, f *Fixture) {
	addPerson(t, f, "a", user.Admin)
	addPerson(t, f, "b", user.Member)
	must(t, f.DB.TouchUsers(t.Context(), map[string]int64{"a": 50, "b": 7, "gone": 60}))
	must(t, f.DB.TouchUsers(t.Context(), nil))
	f.told(t)
	for id, want := range map[string]int64{"a": 50, "b": 30} { // 7 is earlier than what is known
		u, err := f.DB.UserByID(t.Context(), id)
		must(t, err)
		equal(t, u.LastActiveAt, want)
	}
}

package storetest

import (
	"testing"

	"portico/internal/access"
	"portico/internal/errdefs"
	"portico/internal/event"
	"portico/internal/user"
)

func testGroups(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	g := &user.Group{ID: "g", UserID: "a", Name: "Grüße", Description: "d", Permissions: `{"chat":{}}`, Data: `{"config":{"share":false}}`, Meta: `{}`, CreatedAt: 2, UpdatedAt: 3}
	first := &user.Group{ID: "h", Name: "Grüße", CreatedAt: 1}
	must(t, db.CreateGroup(ctx, g))
	must(t, db.CreateGroup(ctx, first)) // names need not differ
	f.told(t, event.Event{Topic: event.Group, ID: "g"}, event.Event{Topic: event.Group, ID: "h"})
	fails(t, db.CreateGroup(ctx, g), errdefs.Conflict)
	got, err := db.GroupByID(ctx, "g")
	must(t, err)
	equal(t, got, g)
	all, err := db.Groups(ctx)
	must(t, err)
	equal(t, all, []*user.Group{first, g})

	g.Name, g.Description, g.Permissions, g.Data, g.Meta, g.UpdatedAt = "n", "", "", "", `{"a":1}`, 9
	must(t, db.UpdateGroup(ctx, g))
	f.told(t, event.Event{Topic: event.Group, ID: "g"})
	got, err = db.GroupByID(ctx, "g")
	must(t, err)
	equal(t, got, g)
	must(t, db.DeleteGroup(ctx, "h"))
	f.told(t, event.Event{Topic: event.Group, ID: "h"})
	_, err = db.GroupByID(ctx, "h")
	fails(t, err, errdefs.NotFound)
	fails(t, db.DeleteGroup(ctx, "h"), errdefs.NotFound)
	fails(t, db.UpdateGroup(ctx, first), errdefs.NotFound)
	f.told(t)
}

func testMembers(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	for _, id := range []string{"a", "b", "c"} {
		addPerson(t, f, id, user.Admin)
	}
	must(t, db.CreateGroup(ctx, &user.Group{ID: "g"}))
	must(t, db.CreateGroup(ctx, &user.Group{ID: "h"}))
	f.events = nil
	must(t, db.AddMembers(ctx, "g", []string{"c", "a", "a"}))
	f.told(t, event.Event{Topic: event.Group, ID: "g"}, event.Event{Topic: event.User, ID: "a"}, event.Event{Topic: event.User, ID: "c"})
	must(t, db.AddMembers(ctx, "h", []string{"a"}))
	must(t, db.AddMembers(ctx, "g", []string{"a", "b"}))
	f.events = nil
	members, err := db.Members(ctx, "g")
	must(t, err)
	equal(t, members, []string{"a", "b", "c"})
	groups, err := db.GroupsOf(ctx, "a")
	must(t, err)
	equal(t, groups, []string{"g", "h"})
	with, err := db.GroupsWith(ctx, "a")
	must(t, err)
	equal(t, with, []*user.Group{{ID: "g"}, {ID: "h"}})
	people, err := db.PeopleIn(ctx, "g", 2)
	must(t, err)
	equal(t, []string{people[0].ID, people[1].ID}, []string{"a", "b"})
	counts, err := db.CountMembers(ctx)
	must(t, err)
	equal(t, counts, map[string]int{"g": 3, "h": 1})
	absent, err := db.Absent(ctx, []string{"a", "x"}, []string{"g", "y"})
	must(t, err)
	equal(t, absent, []string{"x", "y"})
	byID, err := db.UsersByID(ctx, []string{"b", "x"})
	must(t, err)
	equal(t, len(byID), 1)
	equal(t, byID["b"].Name, "Name b")
	before := db.Statements()
	each, err := db.GroupsOfEach(ctx, []string{"c", "nobody", `"`, "a"})
	must(t, err)
	equal(t, each, map[string][]string{"a": {"g", "h"}, "c": {"g"}})
	equal(t, db.Statements()-before, 1)
	each, err = db.GroupsOfEach(ctx, nil)
	must(t, err)
	equal(t, len(each), 0)

	fails(t, db.AddMembers(ctx, "g", []string{"nobody"}), errdefs.NotFound)
	fails(t, db.AddMembers(ctx, "none", []string{"a"}), errdefs.NotFound)
	fails(t, db.RemoveMembers(ctx, "none", []string{"a"}), errdefs.NotFound)
	f.told(t)
	must(t, db.RemoveMembers(ctx, "g", []string{"b", "nobody"}))
	f.told(t, event.Event{Topic: event.Group, ID: "g"}, event.Event{Topic: event.User, ID: "b"}, event.Event{Topic: event.User, ID: "nobody"})

	fails(t, db.SetMembers(ctx, "g", []string{"b", "nobody"}), errdefs.NotFound)
	f.told(t)
	must(t, db.SetMembers(ctx, "g", []string{"b", "c"}))
	f.told(t, event.Event{Topic: event.Group, ID: "g"}, event.Event{Topic: event.User, ID: "a"}, event.Event{Topic: event.User, ID: "b"})
	must(t, db.SetMembers(ctx, "g", []string{"a", "c"}))

	must(t, db.SetGrants(ctx, access.Model, "m", []access.Grant{{PrincipalType: "group", PrincipalID: "g", Permission: "read"}}))
	f.events = nil
	must(t, db.DeleteGroup(ctx, "g"))
	f.told(t, event.Event{Topic: event.Group, ID: "g"}, event.Event{Topic: event.User, ID: "a"},
		event.Event{Topic: event.User, ID: "c"}, event.Event{Topic: event.Grant, ID: "model/m"})
	groups, err = db.GroupsOf(ctx, "a")
	must(t, err)
	equal(t, groups, []string{"h"})
	grants, err := db.GrantsOf(ctx, access.Model, "m")
	must(t, err)
	equal(t, len(grants), 0)
}

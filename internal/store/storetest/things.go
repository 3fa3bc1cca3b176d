package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"portico/internal/access"
	"portico/internal/errdefs"
	"portico/internal/event"
	"portico/internal/model"
	"portico/internal/store"
)

func testGrants(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	grant := func(id, kind, principal, permission string) access.Grant {
		return access.Grant{ID: id, ResourceType: access.Model, ResourceID: "m/1:x", PrincipalType: kind, PrincipalID: principal, Permission: permission, CreatedAt: 4}
	}
	want := []access.Grant{grant("1", "group", "g", "write"), grant("2", "user", "*", "read"), grant("3", "user", "a", "read")}
	given := []access.Grant{want[2], want[0], want[1], grant("4", "user", "a", "read")} // the last says what the first does
	must(t, db.SetGrants(ctx, access.Model, "m/1:x", given))
	f.told(t, event.Event{Topic: event.Grant, ID: "model/m/1:x"})
	got, err := db.GrantsOf(ctx, access.Model, "m/1:x")
	must(t, err)
	equal(t, got, want)
	got, err = db.GrantsOf(ctx, access.Chat, "m/1:x")
	must(t, err)
	equal(t, len(got), 0)

	// Id and time are made, and the thing is that of the call.
	must(t, db.SetGrants(ctx, access.Model, "n", []access.Grant{{ResourceType: access.Chat, ResourceID: "other", PrincipalType: "anyone", PrincipalID: "*", Permission: "read"}}))
	f.told(t, event.Event{Topic: event.Grant, ID: "model/n"})
	all, err := db.AllGrants(ctx, access.Model)
	must(t, err)
	equal(t, all["m/1:x"], want)
	if n := all["n"]; len(all) != 2 || len(n) != 1 || n[0].ID == "" || n[0].CreatedAt == 0 || n[0].ResourceType != access.Model || n[0].ResourceID != "n" {
		t.Errorf("got %+v", all)
	}
	// A copy of a thing comes with the grants of the original.
	must(t, db.SetGrants(ctx, access.Model, "copy", want))
	copied, err := db.GrantsOf(ctx, access.Model, "copy")
	must(t, err)
	if len(copied) != 3 || copied[0].ID == want[0].ID || copied[0].PrincipalID != "g" || copied[0].ResourceID != "copy" {
		t.Errorf("got %+v", copied)
	}
	must(t, db.SetGrants(ctx, access.Model, "copy", nil))
	must(t, db.SetGrants(ctx, access.Model, "m/1:x", want[:1]))
	must(t, db.SetGrants(ctx, access.Model, "n", nil))
	all, err = db.AllGrants(ctx, access.Model)
	must(t, err)
	equal(t, all, map[string][]access.Grant{"m/1:x": want[:1]})
}

func testManyGrants(t *testing.T, f *Fixture) {
	AddGrants(t, f.DB, many)
	all, err := f.DB.AllGrants(t.Context(), access.Model)
	must(t, err)
	n := 0
	for id, grants := range all {
		n += len(grants)
		for _, g := range grants {
			if g.ResourceID != id {
				t.Fatalf("%+v is below %s", g, id)
			}
		}
	}
	equal(t, []int{len(all), n}, []int{many / 10, many})
}

// AddGrants grants n rights on models, ten on each.
func AddGrants(t testing.TB, db *store.DB, n int) {
	t.Helper()
	err := db.Tx(t.Context(), func(ctx context.Context) error {
		for m := range n / 10 {
			var grants []access.Grant
			for u := range 10 {
				grants = append(grants, access.Grant{PrincipalType: "user", PrincipalID: fmt.Sprintf("u%d", u), Permission: "read"})
			}
			if err := db.SetGrants(ctx, access.Model, fmt.Sprintf("model-%d", m), grants); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func testModels(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	m := &model.Row{ID: "my/model:1", UserID: "a", BaseModelID: "llama3:latest", Name: "Mein Möbel 🪑",
		Params: json.RawMessage(`{"system":"ü\u0000","n":1.50}`), Meta: json.RawMessage(`{"a":[1, 2]}`),
		IsActive: true, VersionID: "v", UpdatedAt: 3, CreatedAt: 2}
	overlay := &model.Row{ID: "base", Name: "b", CreatedAt: 1}
	must(t, db.CreateModel(ctx, m, []access.Grant{{PrincipalType: "user", PrincipalID: "*", Permission: "read"}}))
	f.told(t, event.Event{Topic: event.Model, ID: m.ID}, event.Event{Topic: event.Grant, ID: "model/" + m.ID})
	must(t, db.CreateModel(ctx, overlay, nil))
	f.told(t, event.Event{Topic: event.Model, ID: "base"})
	overlay.Params, overlay.Meta = json.RawMessage(`{}`), json.RawMessage(`{}`) // absent is an empty object
	all, err := db.Models(ctx)
	must(t, err)
	equal(t, all, []*model.Row{overlay, m})
	fails(t, db.CreateModel(ctx, m, nil), errdefs.Conflict)

	was := string(m.AppendJSON(nil, nil, true))
	changed := *m
	changed.IsActive, changed.BaseModelID, changed.Params, changed.UserID, changed.VersionID, changed.UpdatedAt = false, "", json.RawMessage(`{}`), "b", "w", 9
	m = &changed
	none := []access.Grant{}
	must(t, db.SaveModels(ctx, []model.Change{{Row: m, By: "b"}}, nil))
	f.told(t, event.Event{Topic: event.Model, ID: m.ID})
	versions, err := db.Versions(ctx, m.ID)
	must(t, err)
	equal(t, versions, []model.Version{{ID: "v", ModelID: m.ID, UserID: "b", Snapshot: json.RawMessage(was), CreatedAt: 3}})
	// All or nothing, grants too.
	fails(t, db.SaveModels(ctx, []model.Change{{Row: m, Grants: &none, By: "b"}, {Row: overlay, New: true}}, nil), errdefs.Conflict)
	fails(t, db.SaveModels(ctx, []model.Change{{Row: m, Grants: &none}}, []string{"base", "nope"}), errdefs.NotFound)
	f.told(t)
	kept, err := db.GrantsOf(ctx, access.Model, m.ID)
	must(t, err)
	equal(t, len(kept), 1)
	for i := range 25 {
		m.VersionID, m.UpdatedAt = fmt.Sprintf("v%02d", i), int64(10+i)
		must(t, db.SaveModels(ctx, []model.Change{{Row: m}}, nil))
	}
	versions, err = db.Versions(ctx, m.ID)
	must(t, err)
	equal(t, []any{len(versions), versions[0].ID, versions[19].ID}, []any{20, "v23", "v04"})
	f.events = nil
	got, err := db.ModelByID(ctx, m.ID)
	must(t, err)
	equal(t, got, m)
	must(t, db.DeleteModel(ctx, m.ID))
	f.told(t, event.Event{Topic: event.Model, ID: m.ID}, event.Event{Topic: event.Grant, ID: "model/" + m.ID})
	grants, err := db.AllGrants(ctx, access.Model)
	must(t, err)
	equal(t, len(grants), 0)
	_, err = db.ModelByID(ctx, m.ID)
	fails(t, err, errdefs.NotFound)
	fails(t, db.SaveModels(ctx, []model.Change{{Row: m}}, nil), errdefs.NotFound)
	versions, err = db.Versions(ctx, m.ID)
	must(t, err)
	equal(t, len(versions), 0)
	fails(t, db.DeleteModel(ctx, m.ID), errdefs.NotFound)
	f.told(t)
}

func testSettings(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	must(t, db.SetSettings(ctx, map[string][]byte{"ui.a": []byte(`"ü"`), "ui.b": []byte(`true`), "c": []byte(`{"x": [1,  2]}`)}))
	f.told(t, event.Event{Topic: event.Setting, ID: "ui.a"}, event.Event{Topic: event.Setting, ID: "ui.b"}, event.Event{Topic: event.Setting, ID: "c"})
	must(t, db.SetSettings(ctx, map[string][]byte{"ui.b": []byte(`false`), "d": []byte(`null`)}))
	f.events = nil
	must(t, db.DeleteSettings(ctx, "ui.a", "absent"))
	f.told(t, event.Event{Topic: event.Setting, ID: "ui.a"}, event.Event{Topic: event.Setting, ID: "absent"})
	got, err := db.Settings(ctx)
	must(t, err)
	equal(t, got, map[string][]byte{"ui.b": []byte(`false`), "c": []byte(`{"x": [1,  2]}`), "d": []byte(`null`)})
	// All or nothing.
	fails(t, db.SetSettings(ctx, map[string][]byte{"a": []byte(`1`), "z\x00": []byte(`1`)}), errdefs.Invalid)
	f.told(t)
	again, err := db.Settings(ctx)
	must(t, err)
	equal(t, again, got)
}

package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"

	"portico/internal/access"
	"portico/internal/errdefs"
	"portico/internal/event"
	"portico/internal/file"
	"portico/internal/knowledge"
	"portico/internal/model"
	"portico/internal/user"
)

func told(id string) event.Event { return event.Event{Topic: event.Knowledge, ID: id} }

func addKnowledge(t *testing.T, f *Fixture, id, owner string, at int64, grants ...access.Grant) *knowledge.Knowledge {
	t.Helper()
	k := &knowledge.Knowledge{ID: id, UserID: owner, Kind: knowledge.Collection, Name: "Name of " + id, Description: "d", CreatedAt: at, UpdatedAt: at}
	must(t, f.DB.CreateKnowledge(t.Context(), k, grants))
	f.events = nil
	return k
}

// addText makes a file that was read, with a text that has this hash.
func addText(t *testing.T, f *Fixture, id, owner, hash string) *file.File {
	t.Helper()
	row := &file.File{ID: id, UserID: owner, Kind: file.Upload, Filename: id + ".txt", ContentType: "text/plain", Size: 1, Blob: "b" + id,
		Metadata: json.RawMessage(`{}`), Status: file.Completed, TextHash: hash, CreatedAt: 1, UpdatedAt: 1}
	must(t, f.DB.CreateFile(t.Context(), row, false))
	f.events = nil
	return row
}

func entry(k, owner string, f *file.File, path string) *knowledge.Entry {
	return &knowledge.Entry{File: f, KnowledgeID: k, UserID: owner, Path: path, CreatedAt: 5, UpdatedAt: 5, Twice: path != ""}
}

func testKnowledge(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	size, yes := 300, true
	k := &knowledge.Knowledge{ID: "k", UserID: "a", Kind: knowledge.Collection, Name: "Möbel 🪑", Description: "ü", Meta: json.RawMessage(`{"x":1}`),
		Settings: knowledge.Settings{ChunkSize: 500, MinSize: &size, Hybrid: &yes, Model: "m"}, CreatedAt: 2, UpdatedAt: 3}
	must(t, db.CreateKnowledge(ctx, k, []access.Grant{{PrincipalType: "user", PrincipalID: "*", Permission: "read"}}))
	f.told(t, told("k"), event.Event{Topic: event.Grant, ID: "knowledge/k"})
	fails(t, db.CreateKnowledge(ctx, k, nil), errdefs.Conflict)
	got, err := db.KnowledgeByID(ctx, "k")
	must(t, err)
	equal(t, got, k)
	text := &knowledge.Knowledge{ID: "t", UserID: "a", Kind: knowledge.Text, Name: "Möbel 🪑", CreatedAt: 1}
	must(t, db.CreateKnowledge(ctx, text, nil))
	got, err = db.KnowledgeByName(ctx, "a", knowledge.Text, "Möbel 🪑")
	must(t, err)
	equal(t, got, text)
	_, err = db.KnowledgeByName(ctx, "b", knowledge.Text, "Möbel 🪑")
	fails(t, err, errdefs.NotFound)

	f.events = nil
	k.Name, k.Description, k.Meta, k.Settings, k.UpdatedAt = "n", "", nil, knowledge.Settings{}, 9
	must(t, db.UpdateKnowledge(ctx, k))
	must(t, db.SetProfiles(ctx, "k", "p", "q", 10))
	f.told(t, told("k"), told("k"))
	k.Profile, k.Next, k.UpdatedAt = "p", "q", 10
	got, err = db.KnowledgeByID(ctx, "k")
	must(t, err)
	equal(t, got, k)
	fails(t, db.UpdateKnowledge(ctx, &knowledge.Knowledge{ID: "none"}), errdefs.NotFound)
	fails(t, db.SetProfiles(ctx, "none", "", "", 1), errdefs.NotFound)
	f.told(t)
}

func testDeleteKnowledge(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	addKnowledge(t, f, "k", "a", 1, access.Grant{PrincipalType: "group", PrincipalID: "g", Permission: "write"})
	addKnowledge(t, f, "other", "a", 1)
	one := addText(t, f, "f", "a", "h")
	_, _, err := db.LinkFile(ctx, entry("k", "a", one, ""))
	must(t, err)
	_, _, err = db.LinkFile(ctx, entry("other", "a", one, ""))
	must(t, err)
	must(t, db.CreateDirectory(ctx, &knowledge.Directory{ID: "d", KnowledgeID: "k", UserID: "a", Name: "d"}))
	for id, meta := range map[string]string{
		"uses":  `{"description":"k","knowledge":[{"id":"k","name":"x"},{"id":"other"},"k"]}`,
		"names": `{"description":"k"}`,
		"other": `{"knowledge":[{"id":"other","name":"k"}]}`,
		"odd":   `{"knowledge":"k"}`,
	} {
		must(t, db.CreateModel(ctx, &model.Row{ID: id, Meta: json.RawMessage(meta)}, nil))
	}
	f.events = nil
	must(t, db.DeleteKnowledge(ctx, "k"))
	f.told(t, told("k"), event.Event{Topic: event.Grant, ID: "knowledge/k"}, event.Event{Topic: event.Model, ID: "uses"})
	_, err = db.KnowledgeByID(ctx, "k")
	fails(t, err, errdefs.NotFound)
	m, err := db.ModelByID(ctx, "uses")
	must(t, err)
	equal(t, string(m.Meta), `{"description":"k","knowledge":[{"id":"other"}]}`)
	dirs, err := db.Directories(ctx, "k")
	must(t, err)
	equal(t, len(dirs), 0)
	_, err = db.FileByID(ctx, "f")
	must(t, err) // files stay
	_, err = db.Entry(ctx, "other", "f")
	must(t, err)
	fails(t, db.DeleteKnowledge(ctx, "k"), errdefs.NotFound)
}

func testLinkFile(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	addKnowledge(t, f, "k", "a", 1)
	addKnowledge(t, f, "l", "a", 1)
	one, same, old := addText(t, f, "one", "a", "h"), addText(t, f, "same", "a", "h"), addText(t, f, "old", "b", "o")
	added, replaced, err := db.LinkFile(ctx, entry("k", "a", one, ""))
	must(t, err)
	f.told(t, told("k"))
	equal(t, []any{added, len(replaced)}, []any{true, 0})
	added, _, err = db.LinkFile(ctx, entry("k", "b", one, ""))
	must(t, err)
	equal(t, added, false)
	_, _, err = db.LinkFile(ctx, entry("k", "a", same, ""))
	fails(t, err, errdefs.Conflict)
	_, _, err = db.LinkFile(ctx, entry("l", "a", same, "")) // another collection
	must(t, err)
	_, _, err = db.LinkFile(ctx, entry("none", "a", one, ""))
	fails(t, err, errdefs.NotFound)
	_, _, err = db.LinkFile(ctx, entry("k", "a", &file.File{ID: "none"}, ""))
	fails(t, err, errdefs.NotFound)

	// A path has one file: the later takes its place.
	_, _, err = db.LinkFile(ctx, entry("k", "b", old, "a/b.txt"))
	must(t, err)
	added, replaced, err = db.LinkFile(ctx, entry("k", "a", same, "a/b.txt"))
	must(t, err)
	equal(t, []any{added, replaced}, []any{true, []string{"old"}})
	e, err := db.Entry(ctx, "k", "same")
	must(t, err)
	equal(t, e, entryAs(entry("k", "a", same, "a/b.txt")))
	_, err = db.Entry(ctx, "k", "old")
	fails(t, err, errdefs.NotFound)

	others, err := db.Elsewhere(ctx, "k", []string{"one", "same", "old"})
	must(t, err)
	equal(t, others, []string{"same"})
	own, err := db.OwnFiles(ctx, "a", []string{"bone", "bold", "x"})
	must(t, err)
	equal(t, []any{len(own), own[0].ID}, []any{1, "one"})
	f.events = nil
	must(t, db.UnlinkFiles(ctx, "k", []string{"same", "none"}))
	f.told(t, told("k"))
	fails(t, db.UnlinkFiles(ctx, "none", []string{"same"}), errdefs.NotFound)
}

// entryAs is an entry as it is read back.
func entryAs(e *knowledge.Entry) *knowledge.Entry {
	c := *e
	c.Twice = false
	return &c
}

// testLinkRace: of many callers with two files of one text, one link comes.
func testLinkRace(t *testing.T, f *Fixture) {
	addKnowledge(t, f, "k", "a", 1)
	files := []*file.File{addText(t, f, "one", "a", "h"), addText(t, f, "two", "a", "h")}
	var wg sync.WaitGroup
	var mu sync.Mutex
	links := 0
	for i := range 8 {
		wg.Go(func() {
			added, _, err := f.DB.LinkFile(t.Context(), entry("k", "a", files[i%2], ""))
			mu.Lock()
			defer mu.Unlock()
			if err != nil && !errdefs.Is(err, errdefs.Conflict) {
				t.Error(err)
			}
			if added {
				links++
			}
		})
	}
	wg.Wait()
	_, total, err := f.DB.Entries(t.Context(), "k", knowledge.FileFilter{})
	must(t, err)
	equal(t, []int{links, total}, []int{1, 1})
}

func testApply(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	addKnowledge(t, f, "k", "a", 1)
	x, y, z := addText(t, f, "x", "a", "1"), addText(t, f, "y", "a", "2"), addText(t, f, "z", "a", "2")
	for _, e := range []*knowledge.Entry{entry("k", "a", x, "x.txt"), entry("k", "a", y, "y.txt")} {
		_, _, err := db.LinkFile(ctx, e)
		must(t, err)
	}
	// x and y change places, x is renamed, z comes and nothing is lost.
	renamed := *x
	renamed.Filename = "y.txt"
	c := knowledge.Change{Link: []*knowledge.Entry{entry("k", "a", &renamed, "y.txt"), entry("k", "a", y, "x.txt"), entry("k", "a", z, "z.txt")}}
	for range 2 { // again changes nothing
		must(t, db.Apply(ctx, "k", c))
		page, total, err := db.Entries(ctx, "k", knowledge.FileFilter{OrderBy: "name", Ascending: true})
		must(t, err)
		var got []string
		for _, e := range page {
			got = append(got, e.File.ID+" "+e.File.Filename+" "+e.Path)
		}
		slices.Sort(got)
		equal(t, total, 3)
		equal(t, got, []string{"x y.txt y.txt", "y y.txt x.txt", "z z.txt z.txt"})
	}
	// All or nothing.
	fails(t, db.Apply(ctx, "k", knowledge.Change{Unlink: []string{"x"}, Link: []*knowledge.Entry{entry("k", "a", &file.File{ID: "none"}, "n")}}), errdefs.NotFound)
	_, err := db.Entry(ctx, "k", "x")
	must(t, err)
	must(t, db.Apply(ctx, "k", knowledge.Change{Unlink: []string{"x", "y"}}))
	_, total, err := db.Entries(ctx, "k", knowledge.FileFilter{})
	must(t, err)
	equal(t, total, 1)
}

func testKnowledgeRights(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	grant := func(kind, id, permission string) access.Grant {
		return access.Grant{PrincipalType: kind, PrincipalID: id, Permission: permission}
	}
	addKnowledge(t, f, "own", "u", 1)
	addKnowledge(t, f, "foreign", "x", 2)
	addKnowledge(t, f, "direct", "x", 3, grant("user", "u", "write"))
	addKnowledge(t, f, "grouped", "x", 4, grant("group", "g", "read"), grant("user", "u", "read"))
	addKnowledge(t, f, "public", "x", 5, grant("user", "*", "read"))
	addKnowledge(t, f, "open", "x", 6, grant("anyone", "", "read"))
	addKnowledge(t, f, "odd", "x", 7, grant("user", "u", "own"), grant("group", "other", "write"))
	must(t, db.SetGrants(ctx, access.Model, "foreign", []access.Grant{grant("user", "u", "read")})) // of another kind
	must(t, db.CreateKnowledge(ctx, &knowledge.Knowledge{ID: "text", UserID: "u", Kind: knowledge.Text, Name: "Name of text"}, nil))
	member := &access.Principal{UserID: "u", Role: user.Member, Groups: []string{"f", "g"}}
	alone := &access.Principal{UserID: "w", Role: user.Member}
	for _, c := range []struct {
		name string
		f    knowledge.Filter
		want []string
	}{
		{"member", knowledge.Filter{Who: member}, []string{"open", "public", "grouped", "direct", "own"}},
		{"alone", knowledge.Filter{Who: alone}, []string{"open", "public"}},
		{"all", knowledge.Filter{Who: member, All: true}, []string{"odd", "open", "public", "grouped", "direct", "foreign", "own"}},
		{"mine", knowledge.Filter{Who: member, Mine: true}, []string{"own"}},
		{"shared", knowledge.Filter{Who: member, Shared: true}, []string{"open", "public", "grouped", "direct"}},
		{"query", knowledge.Filter{Who: member, Query: "NAME OF P"}, []string{"public"}},
		{"not a pattern", knowledge.Filter{Who: member, Query: "%"}, nil},
		{"name", knowledge.Filter{Who: member, OrderBy: "name", Ascending: true}, []string{"direct", "grouped", "open", "own", "public"}},
		{"page", knowledge.Filter{Who: member, OrderBy: "created_at", Offset: 1, Limit: 2}, []string{"public", "grouped"}},
		{"behind", knowledge.Filter{Who: member, Offset: 99}, nil},
	} {
		page, total, err := db.KnowledgeList(ctx, c.f)
		must(t, err)
		var got []string
		for _, l := range page {
			got = append(got, l.ID)
			grants, err := db.GrantsOf(ctx, access.Knowledge, l.ID)
			must(t, err)
			equal(t, l.Grants, grants)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if c.f.Limit == 0 && c.f.Offset == 0 && total != len(c.want) {
			t.Errorf("%s: total %d", c.name, total)
		}
	}
	one := addText(t, f, "fi", "x", "h")
	for _, k := range []string{"public", "foreign", "own"} {
		_, _, err := db.LinkFile(ctx, entry(k, "x", one, ""))
		must(t, err)
	}
	page, total, err := db.FindEntries(ctx, knowledge.Filter{Who: member}, knowledge.FileFilter{Query: "FI.T"})
	must(t, err)
	equal(t, total, 2)
	for _, e := range page {
		if e.KnowledgeID == "foreign" {
			t.Error("a file of a foreign collection was found")
		}
	}
}

func testEntries(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	addKnowledge(t, f, "k", "a", 1)
	must(t, db.CreateDirectory(ctx, &knowledge.Directory{ID: "d", KnowledgeID: "k", UserID: "a", Name: "d"}))
	for i := range 5 {
		e := entry("k", "a", addText(t, f, fmt.Sprint("f", i), []string{"a", "b"}[i%2], fmt.Sprint(i)), "")
		e.CreatedAt, e.UpdatedAt = int64(i), int64(10-i)
		_, _, err := db.LinkFile(ctx, e)
		must(t, err)
	}
	must(t, db.MoveFile(ctx, "k", "f1", "d", 6))
	fails(t, db.MoveFile(ctx, "k", "none", "d", 6), errdefs.NotFound)
	fails(t, db.MoveFile(ctx, "k", "f1", "none", 6), errdefs.NotFound)
	top, in := "", "d"
	for _, c := range []struct {
		f     knowledge.FileFilter
		want  []string
		total int
	}{
		{knowledge.FileFilter{}, []string{"f0", "f2", "f3", "f4", "f1"}, 5},
		{knowledge.FileFilter{OrderBy: "created_at", Ascending: true, Offset: 1, Limit: 2}, []string{"f1", "f2"}, 5},
		{knowledge.FileFilter{OrderBy: "name"}, []string{"f4", "f3", "f2", "f1", "f0"}, 5},
		{knowledge.FileFilter{DirectoryID: &top, OrderBy: "name", Ascending: true}, []string{"f0", "f2", "f3", "f4"}, 4},
		{knowledge.FileFilter{DirectoryID: &in}, []string{"f1"}, 1},
		{knowledge.FileFilter{Query: "F3.TXT"}, []string{"f3"}, 1},
		{knowledge.FileFilter{Mine: "b", OrderBy: "name", Ascending: true}, []string{"f1", "f3"}, 2},
		{knowledge.FileFilter{Shared: "b", OrderBy: "name", Ascending: true}, []string{"f0", "f2", "f4"}, 3},
		{knowledge.FileFilter{Offset: 5}, nil, 5},
	} {
		page, total, err := db.Entries(ctx, "k", c.f)
		must(t, err)
		var got []string
		for _, e := range page {
			got = append(got, e.File.ID)
		}
		equal(t, got, c.want)
		equal(t, total, c.total)
	}
	p, err := db.IndexProgress(ctx, "k", "p")
	must(t, err)
	equal(t, p, knowledge.Progress{Done: 0, Total: 5})

	work := &file.File{ID: "w", UserID: "a", Kind: file.Upload, Filename: "w", Status: file.Pending, Metadata: json.RawMessage(`{}`),
		Target: file.Target{KnowledgeID: "k"}, CreatedAt: 1, UpdatedAt: 1}
	must(t, db.CreateFile(ctx, work, true))
	pending, err := db.Unfinished(ctx, "k", "a")
	must(t, err)
	equal(t, len(pending), 1)
	pending, err = db.Unfinished(ctx, "k", "b") // not theirs, and not in it
	must(t, err)
	equal(t, len(pending), 0)
}

func testDirectories(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	addKnowledge(t, f, "k", "a", 1)
	addKnowledge(t, f, "l", "a", 1)
	d := func(id, parent string) *knowledge.Directory {
		return &knowledge.Directory{ID: id, KnowledgeID: "k", ParentID: parent, UserID: "a", Name: "n" + id, Meta: json.RawMessage(`{}`), CreatedAt: 1, UpdatedAt: 1}
	}
	for _, dir := range []*knowledge.Directory{d("1", ""), d("2", "1"), d("3", "2")} {
		must(t, db.CreateDirectory(ctx, dir))
	}
	f.told(t, told("k"), told("k"), told("k"))
	fails(t, db.CreateDirectory(ctx, d("4", "none")), errdefs.NotFound)
	foreign := d("4", "1")
	foreign.KnowledgeID = "l"
	fails(t, db.CreateDirectory(ctx, foreign), errdefs.NotFound)
	fails(t, db.UpdateDirectory(ctx, d("1", "3")), errdefs.Invalid) // below itself
	fails(t, db.UpdateDirectory(ctx, d("1", "1")), errdefs.Invalid)
	foreign.ID, foreign.ParentID = "1", ""
	fails(t, db.UpdateDirectory(ctx, foreign), errdefs.NotFound)
	moved := d("3", "1")
	moved.Name = "other"
	must(t, db.UpdateDirectory(ctx, moved))
	all, err := db.Directories(ctx, "k")
	must(t, err)
	equal(t, all, []*knowledge.Directory{d("1", ""), d("2", "1"), moved})

	one := addText(t, f, "f", "a", "h")
	e := entry("k", "a", one, "")
	e.DirectoryID = "3"
	_, _, err = db.LinkFile(ctx, e)
	must(t, err)
	must(t, db.DeleteDirectories(ctx, "l", []string{"1"})) // of another collection
	must(t, db.DeleteDirectories(ctx, "k", []string{"1"}))
	all, err = db.Directories(ctx, "k")
	must(t, err)
	equal(t, len(all), 0)
	e, err = db.Entry(ctx, "k", "f")
	must(t, err)
	equal(t, e.DirectoryID, "")
}

// testManyKnowledge: a page is three statements, whatever there is.
func testManyKnowledge(t *testing.T, f *Fixture) {
	const all = 2000
	must(t, f.DB.Tx(t.Context(), func(ctx context.Context) error {
		for i := range all {
			k := &knowledge.Knowledge{ID: fmt.Sprintf("k%05d", i), UserID: fmt.Sprint("u", i%2), Kind: knowledge.Collection, Name: fmt.Sprint("n", i), UpdatedAt: int64(i)}
			if err := f.DB.CreateKnowledge(ctx, k, nil); err != nil {
				return err
			}
		}
		return nil
	}))
	for _, everything := range []bool{true, false} {
		before := f.DB.Statements()
		page, total, err := f.DB.KnowledgeList(t.Context(), knowledge.Filter{Who: &access.Principal{UserID: "u1", Role: user.Member}, All: everything, Offset: 600, Limit: 30})
		must(t, err)
		if want := map[bool]int{true: all, false: all / 2}[everything]; total != want || len(page) != 30 {
			t.Errorf("%d of %d", len(page), total)
		}
		equal(t, f.DB.Statements()-before, 3)
	}
}

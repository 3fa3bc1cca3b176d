package knowledge_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"portico/internal/access"
	"portico/internal/errdefs"
	"portico/internal/file"
	"portico/internal/knowledge"
)

func TestAddFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, access.Policy{AdminSeesAll: true})
	k := w.create(ana, "k")
	w.file("one", "ana")
	w.file("same", "ana", func(f *file.File) { f.TextHash = "text of one" })
	w.file("stored", "ana", func(f *file.File) { f.Status, f.TextHash = file.Stored, "" })
	w.file("failed", "ana", func(f *file.File) { f.Status, f.Error, f.TextHash = file.Failed, "The PDF is encrypted.", "" })
	w.file("video", "ana", func(f *file.File) { f.TextHash = "" })
	w.file("foreign", "bea")
	for _, c := range []struct {
		file, directory string
		kind            errdefs.Kind
		code, says      string
	}{
		{"stored", "", errdefs.Invalid, "", "process=true"},
		{"failed", "", errdefs.Invalid, knowledge.EmptyContent, "The PDF is encrypted."},
		{"video", "", errdefs.Invalid, knowledge.EmptyContent, "no text"},
		{"none", "", errdefs.NotFound, "", "file"},
		{"foreign", "", errdefs.NotFound, "", "file"},
		{"one", "none", errdefs.NotFound, "", "directory"},
	} {
		_, err := w.AddFile(t.Context(), ana, k, knowledge.Addition{FileID: c.file, DirectoryID: c.directory})
		if e := errdefs.From(err); err == nil || e.Kind != c.kind || e.Code != c.code || !strings.Contains(e.Detail, c.says) {
			t.Errorf("%s: %v", c.file, err)
		}
	}
	if in := w.inside(k); len(in) != 0 {
		t.Errorf("failures left %v", in)
	}
	for range 2 {
		_, err := w.AddFile(t.Context(), ana, k, knowledge.Addition{FileID: "one"})
		w.must(err)
	}
	_, err := w.AddFile(t.Context(), ana, k, knowledge.Addition{FileID: "same"})
	if errdefs.From(err).Code != knowledge.DuplicateContent {
		t.Errorf("the same text: %v", err)
	}
	for _, id := range []string{"failed", "same"} { // a failed add does nothing to the file
		f, err := w.db.FileByID(t.Context(), id)
		w.must(err)
		if (f.Status == file.Failed) != (id == "failed") {
			t.Errorf("%s is %s now", id, f.Status)
		}
	}
	w.reason = fmt.Errorf("waiting: %w", context.DeadlineExceeded)
	if _, err := w.AddFile(t.Context(), admin, k, knowledge.Addition{FileID: "foreign"}); errdefs.From(err).HTTPStatus() != 400 {
		t.Errorf("a wait that took too long: %v", err)
	}
	w.reason = errors.New("no embedder")
	if _, err := w.AddFile(t.Context(), admin, k, knowledge.Addition{FileID: "foreign"}); err == nil {
		t.Error("a file that cannot be made ready was added")
	}
	if in := w.inside(k); len(in) != 1 {
		t.Errorf("inside are %v", in)
	}
}

// TestPassOn holds that what is shared with somebody does not leave by a
// collection of theirs.
func TestPassOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, access.Policy{AdminSeesAll: true})
	shared := w.create(bea, "shared", access.Grant{PrincipalType: "group", PrincipalID: "readers", Permission: "write"})
	own := w.create(ana, "own")
	w.file("f", "bea")
	_, err := w.AddFile(t.Context(), bea, shared, knowledge.Addition{FileID: "f"})
	w.must(err)
	_, err = w.AddFile(t.Context(), ana, shared, knowledge.Addition{FileID: "f"}) // it is there already
	w.must(err)
	_, err = w.AddFile(t.Context(), ana, own, knowledge.Addition{FileID: "f"})
	if errdefs.From(err).HTTPStatus() != 403 {
		t.Errorf("got %v", err)
	}
	if err := w.LinkFile(t.Context(), ana, "f", own, ""); err == nil || len(w.inside(own)) != 0 {
		t.Errorf("linked: %v, inside are %v", err, w.inside(own))
	}
	_, err = w.AddFile(t.Context(), admin, own, knowledge.Addition{FileID: "f"})
	w.must(err)
}

// TestNarrowKey holds that an administrator's key for one model sees only what
// is theirs.
func TestNarrowKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, access.Policy{AdminSeesAll: true})
	k := w.create(ana, "k")
	narrow := *admin
	narrow.Models = []string{"m"}
	for _, verb := range []access.Verb{access.Read, access.Write} {
		_, err := w.Load(t.Context(), &narrow, verb, k)
		w.fails(err, errdefs.Forbidden)
	}
	if list, total, err := w.List(t.Context(), &narrow, knowledge.Filter{Limit: 9}); len(list)+total != 0 || err != nil {
		t.Errorf("%v %d %v", list, total, err)
	}
}

// TestAddFileCost holds what an add of a file that is ready costs: it embeds
// nothing, and asks the database a fixed number of times.
func TestAddFileCost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, access.Policy{})
	k := w.create(ana, "k")
	w.file("one", "ana")
	for i, most := range []int{8, 7} { // the first, and once more
		before := w.db.Statements()
		_, err := w.AddFile(t.Context(), ana, k, knowledge.Addition{FileID: "one"})
		w.must(err)
		if n := w.db.Statements() - before; n > uint64(most) {
			t.Errorf("add %d ran %d statements, more than %d", i, n, most)
		}
	}
}

// TestAddPending: a file in work is waited for, and many callers make one link.
func TestAddPending(t *testing.T) {
	t.Parallel()
	w := newWorld(t, access.Policy{})
	k := w.create(ana, "k")
	w.file("late", "ana", func(f *file.File) { f.Status, f.TextHash = file.Pending, "" })
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := w.AddFile(t.Context(), ana, k, knowledge.Addition{FileID: "late"}); err != nil {
				t.Error(err)
			}
		})
	}
	w.must(w.db.SetOutcome(t.Context(), "late", file.Outcome{Status: file.Completed, TextHash: "x"}, 2))
	close(w.reader.read)
	wg.Wait()
	if in := w.inside(k); len(in) != 1 {
		t.Errorf("inside are %v", in)
	}
	// A client that leaves ends the wait.
	w.reader.read = make(chan struct{})
	w.file("never", "ana", func(f *file.File) { f.Status, f.TextHash = file.Processing, "" })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.AddFile(ctx, ana, k, knowledge.Addition{FileID: "never"}); err == nil {
		t.Error("a file in work was added")
	}
}

func TestAddFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, access.Policy{})
	k := w.create(ana, "k")
	w.file("one", "ana")
	w.file("two", "ana")
	w.file("foreign", "bea")
	_, failed, err := w.AddFiles(t.Context(), ana, k, []knowledge.Addition{{FileID: "one"}, {FileID: "foreign"}, {FileID: "two"}, {FileID: "one"}})
	w.must(err)
	if len(failed) != 1 || failed[0].FileID != "foreign" || len(w.inside(k)) != 2 {
		t.Errorf("%+v %v", failed, w.inside(k))
	}
}

// TestRights tries every way to a collection with every sort of caller.
func TestRights(t *testing.T) {
	t.Parallel()
	w := newWorld(t, access.Policy{})
	k := w.create(bea, "k", access.Grant{PrincipalType: "group", PrincipalID: "readers", Permission: "read"})
	own := w.create(ana, "own")
	w.file("f", "bea")
	w.file("mine", "ana")
	_, err := w.AddFile(t.Context(), bea, k, knowledge.Addition{FileID: "f"})
	w.must(err)
	d, err := w.CreateDirectory(t.Context(), bea, k, "d", "")
	w.must(err)
	ctx := t.Context()
	name := "n"
	writes := map[string]func(p *access.Principal, k string) error{
		"update": func(p *access.Principal, k string) error {
			_, err := w.Update(ctx, author(p), k, knowledge.Draft{Name: "x"})
			return err
		},
		"share":  func(p *access.Principal, k string) error { _, err := w.SetAccess(ctx, author(p), k, nil); return err },
		"reset":  func(p *access.Principal, k string) error { _, err := w.Reset(ctx, p, k, true); return err },
		"delete": func(p *access.Principal, k string) error { return w.Delete(ctx, p, k) },
		"add": func(p *access.Principal, k string) error {
			_, err := w.AddFile(ctx, p, k, knowledge.Addition{FileID: "mine"})
			return err
		},
		"batch":  func(p *access.Principal, k string) error { _, _, err := w.AddFiles(ctx, p, k, nil); return err },
		"again":  func(p *access.Principal, k string) error { _, err := w.UpdateFile(ctx, p, k, "f"); return err },
		"remove": func(p *access.Principal, k string) error { _, err := w.RemoveFile(ctx, p, k, "f", true); return err },
		"link":   func(p *access.Principal, k string) error { return w.LinkFile(ctx, p, "mine", k, "") },
		"manifest": func(p *access.Principal, k string) error {
			_, err := w.Manifest(ctx, p, k, nil, true, true)
			return err
		},
		"diff": func(p *access.Principal, k string) error { _, err := w.Diff(ctx, p, k, nil); return err },
		"cleanup": func(p *access.Principal, k string) error {
			_, _, err := w.Cleanup(ctx, p, k, []string{"f"}, nil)
			return err
		},
		"mkdir": func(p *access.Principal, k string) error { _, err := w.CreateDirectory(ctx, p, k, "x", ""); return err },
		"redir": func(p *access.Principal, k string) error {
			_, err := w.UpdateDirectory(ctx, p, k, d.ID, knowledge.DirectoryChange{Name: &name})
			return err
		},
		"rmdir": func(p *access.Principal, k string) error { return w.DeleteDirectory(ctx, p, k, d.ID) },
		"move":  func(p *access.Principal, k string) error { return w.MoveFile(ctx, p, k, "f", d.ID) },
	}
	reads := map[string]func(p *access.Principal, k string) error{
		"get": func(p *access.Principal, k string) error { _, err := w.Get(ctx, p, k); return err },
		"files": func(p *access.Principal, k string) error {
			_, _, err := w.Entries(ctx, p, k, knowledge.FileFilter{})
			return err
		},
		"dirs":    func(p *access.Principal, k string) error { _, err := w.Directories(ctx, p, k); return err },
		"pending": func(p *access.Principal, k string) error { _, err := w.Unfinished(ctx, p, k); return err },
	}
	stranger := &access.Principal{UserID: "eve", Role: ana.Role}
	for name, try := range writes {
		for _, p := range []*access.Principal{ana, stranger, admin} { // a reader, nobody, an admin without bypass
			if err := try(p, k); !errdefs.Is(err, errdefs.Forbidden) {
				t.Errorf("%s as %s: %v", name, p.UserID, err)
			}
		}
		if err := try(ana, "none"); !errdefs.Is(err, errdefs.NotFound) {
			t.Errorf("%s of nothing: %v", name, err)
		}
	}
	for name, try := range reads {
		w.must(try(ana, k))
		w.must(try(bea, k))
		for _, p := range []*access.Principal{stranger, admin} {
			if err := try(p, k); !errdefs.Is(err, errdefs.Forbidden) {
				t.Errorf("%s as %s: %v", name, p.UserID, err)
			}
		}
	}
	// What is of another collection is not there.
	for _, name := range []string{"again", "remove", "redir", "rmdir", "move"} {
		if err := writes[name](ana, own); !errdefs.Is(err, errdefs.NotFound) {
			t.Errorf("%s by way of an own collection: %v", name, err)
		}
	}
	if in := w.inside(k); !maps.Equal(in, map[string]string{"f": ""}) || !w.exists("f") {
		t.Errorf("inside are %v", in)
	}
}

func TestCreateNeedsPermission(t *testing.T) {
	t.Parallel()
	w := newWorld(t, access.Policy{})
	_, err := w.Create(t.Context(), author(ana), knowledge.Draft{Name: "k"})
	if errdefs.From(err).HTTPStatus() != 401 {
		t.Error(err)
	}
	// Grants that are not theirs to give are left out, or refused.
	public := []access.Grant{{PrincipalType: "user", PrincipalID: "*", Permission: "read"}}
	s, err := w.Create(t.Context(), author(ana, "workspace.knowledge"), knowledge.Draft{Name: "k", Grants: &public})
	w.must(err)
	if len(s.Grants) != 0 {
		t.Errorf("shared by %+v", s.Grants)
	}
	if _, err = w.SetAccess(t.Context(), author(ana, "sharing.knowledge"), s.ID, public); errdefs.From(err).HTTPStatus() != 403 {
		t.Error(err)
	}
	s, err = w.SetAccess(t.Context(), author(ana, "sharing.public_knowledge"), s.ID, public)
	w.must(err)
	if len(s.Grants) != 1 || !s.Writable {
		t.Errorf("%+v", s)
	}
	for _, name := range []string{"", " ", "a\nb", strings.Repeat("x", 257)} {
		_, err := w.Update(t.Context(), author(ana), s.ID, knowledge.Draft{Name: name})
		w.fails(err, errdefs.Invalid)
	}
}

// TestDiscard: a file leaves with its collection only where nobody else loses it.
func TestDiscard(t *testing.T) {
	t.Parallel()
	w := newWorld(t, access.Policy{AdminSeesAll: true})
	writer := access.Grant{PrincipalType: "user", PrincipalID: "ana", Permission: "write"}
	k, other := w.create(bea, "k", writer), w.create(bea, "other")
	for _, id := range []string{"beas", "beas2", "both", "kept"} {
		w.file(id, "bea")
		_, err := w.AddFile(t.Context(), bea, k, knowledge.Addition{FileID: id})
		w.must(err)
	}
	w.file("anas", "ana")
	_, err := w.AddFile(t.Context(), ana, k, knowledge.Addition{FileID: "anas"})
	w.must(err)
	_, err = w.AddFile(t.Context(), bea, other, knowledge.Addition{FileID: "both"})
	w.must(err)
	for _, c := range []struct {
		who     *access.Principal
		id      string
		discard bool
		there   bool
	}{
		{ana, "beas", true, true}, // a writer of the collection, not the file's owner
		{ana, "anas", true, false},
		{bea, "both", true, true}, // another collection has it
		{bea, "kept", false, true},
		{admin, "beas2", true, false},
	} {
		_, err := w.RemoveFile(t.Context(), c.who, k, c.id, c.discard)
		w.must(err)
		if w.exists(c.id) != c.there {
			t.Errorf("%s is there: %v", c.id, w.exists(c.id))
		}
	}
	if in := w.inside(k); len(in) != 0 {
		t.Errorf("inside are %v", in)
	}
	w.retain = true
	_, err = w.AddFile(t.Context(), bea, k, knowledge.Addition{FileID: "kept"})
	w.must(err)
	_, err = w.Reset(t.Context(), bea, k, true)
	w.must(err)
	if !w.exists("kept") || len(w.inside(k)) != 0 {
		t.Error("a reset with retention deleted a file, or left it in")
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, access.Policy{})
	k := w.create(ana, "k")
	big, neg, over := 900, -1, 1.5
	for _, s := range []knowledge.Settings{
		{ChunkSize: 9000}, {ChunkSize: 500, Overlap: &big}, {MinSize: &neg}, {Splitter: "words"}, {Engine: "x"}, {TopK: 101}, {Weight: &over}, {Threshold: &over},
	} {
		_, err := w.Update(t.Context(), author(ana), k, knowledge.Draft{Name: "k", Settings: &s})
		w.fails(err, errdefs.Invalid)
	}
	good := knowledge.Settings{ChunkSize: 500, TopK: 5}
	for range 2 { // the same settings again build nothing
		_, err := w.Update(t.Context(), author(ana), k, knowledge.Draft{Name: "k", Settings: &good})
		w.must(err)
	}
	if len(w.profiled) != 1 || w.profiled[0].ChunkSize != 500 {
		t.Errorf("built %+v", w.profiled)
	}
	got, err := w.Get(t.Context(), ana, k)
	w.must(err)
	if got.Settings.TopK != 5 {
		t.Errorf("%+v", got.Settings)
	}
}

func TestDirectoryLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, access.Policy{})
	k := w.create(ana, "k")
	parent := ""
	var ids []string
	for range 64 {
		d, err := w.CreateDirectory(t.Context(), ana, k, "d", parent)
		w.must(err)
		ids, parent = append(ids, d.ID), d.ID
	}
	_, err := w.CreateDirectory(t.Context(), ana, k, "d", parent)
	w.fails(err, errdefs.Invalid)
	again, err := w.CreateDirectory(t.Context(), ana, k, "d", "")
	w.must(err)
	if again.ID != ids[0] {
		t.Error("the same directory was made twice")
	}
	for _, name := range []string{"", "..", ".", "a/b", `a\b`, strings.Repeat("x", 257), "\n"} {
		_, err := w.CreateDirectory(t.Context(), ana, k, name, "")
		w.fails(err, errdefs.Invalid)
	}
	_, err = w.UpdateDirectory(t.Context(), ana, k, ids[0], knowledge.DirectoryChange{Parent: &ids[5]})
	w.fails(err, errdefs.Invalid)
	top, err := w.CreateDirectory(t.Context(), ana, k, "top", "")
	w.must(err)
	_, err = w.UpdateDirectory(t.Context(), ana, k, ids[0], knowledge.DirectoryChange{Parent: &top.ID}) // 65 deep
	w.fails(err, errdefs.Invalid)
	_, err = w.UpdateDirectory(t.Context(), ana, k, ids[1], knowledge.DirectoryChange{Parent: &top.ID})
	w.must(err)
	tree, err := w.Directories(t.Context(), ana, k)
	w.must(err)
	if got := tree.Path(ids[2]); got != "top/d/d" {
		t.Error(got)
	}
}

// TestLinkFile: an upload that names a collection lands there once.
func TestLinkFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, access.Policy{})
	k := w.create(ana, "k")
	meta := func(path string) func(*file.File) {
		return func(f *file.File) { f.Metadata = json.RawMessage(`{"knowledge_id":"` + k + `","path":"` + path + `"}`) }
	}
	w.file("old", "ana", meta("a/b.txt"))
	w.file("new", "ana", meta("a/b.txt"), func(f *file.File) { f.TextHash = "text of old" })
	w.file("bad", "ana", meta("../b.txt"))
	for range 2 {
		w.must(w.LinkFile(t.Context(), ana, "old", k, ""))
	}
	w.must(w.LinkFile(t.Context(), ana, "new", k, ""))
	w.fails(w.LinkFile(t.Context(), ana, "bad", k, ""), errdefs.Invalid)
	if in := w.inside(k); !maps.Equal(in, map[string]string{"new": "a/b.txt"}) {
		t.Errorf("inside are %v", in)
	}
	if w.exists("old") {
		t.Error("what was replaced is still there")
	}
}

func paths(list []knowledge.Placed) (all []string) {
	for _, p := range list {
		all = append(all, p.Path)
	}
	slices.Sort(all)
	return all
}

func TestManifest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, access.Policy{})
	k := w.create(ana, "k")
	ctx := t.Context()
	link := func(id, path string) {
		w.file(id, "ana")
		w.must(w.db.Apply(ctx, k, knowledge.Change{Link: []*knowledge.Entry{{File: &file.File{ID: id, Filename: id + ".txt"}, KnowledgeID: k, UserID: "ana", Path: path, Twice: true}}}))
	}
	link("same", "same.txt")
	link("moved", "old/moved.txt")
	link("gone", "gone.txt")
	link("byhand", "")
	link("changed", "changed.txt")
	target := func(path, hash string) func(*file.File) {
		return func(f *file.File) {
			f.Metadata, f.Blob = json.RawMessage(`{"knowledge_id":"`+k+`","path":"`+path+`"}`), hashOf(hash)
		}
	}
	w.file("work", "ana", target("work.txt", "work"), func(f *file.File) { f.Status, f.TextHash = file.Processing, "" })
	w.file("bad", "ana", target("bad.txt", "bad"), func(f *file.File) { f.Status, f.Error, f.TextHash = file.Failed, "no", "" })
	w.file("lost", "ana", target("lost.txt", "lost")) // read, and its link never came
	w.file("beas", "bea", target("secret.txt", "secret"))
	list := []knowledge.Listing{
		{Path: "same.txt", Hash: hashOf("same")}, {Path: "new/name.txt", Hash: hashOf("moved")}, {Path: "changed.txt", Hash: hashOf("changed2")},
		{Path: "copy.txt", Hash: strings.ToUpper(hashOf("same"))}, {Path: "work.txt", Hash: hashOf("work")}, {Path: "bad.txt", Hash: hashOf("bad")},
		{Path: "lost.txt", Hash: hashOf("lost")}, {Path: "secret.txt", Hash: hashOf("secret")},
	}
	check := func(p *knowledge.Plan, present, moved, removed []string) {
		t.Helper()
		missing := []string{}
		for _, l := range p.Missing {
			missing = append(missing, l.Path)
		}
		slices.Sort(missing)
		for name, c := range map[string][2][]string{
			"missing": {missing, {"changed.txt", "secret.txt"}}, "present": {paths(p.Present), present}, "moved": {paths(p.Moved), moved},
			"pending": {paths(p.Pending), {"work.txt"}}, "failed": {paths(p.Failed), {"bad.txt"}}, "same": {paths(p.Same), {"copy.txt"}}, "removed": {paths(p.Removed), removed},
		} {
			if !slices.Equal(c[0], c[1]) {
				t.Errorf("%s: %v, want %v", name, c[0], c[1])
			}
		}
	}
	before := w.inside(k)
	p, err := w.Manifest(ctx, ana, k, list, false, false)
	w.must(err)
	check(p, []string{"same.txt"}, []string{"lost.txt", "new/name.txt"}, []string{"gone.txt"})
	if !maps.Equal(before, w.inside(k)) {
		t.Error("a question changed the collection")
	}
	p, err = w.Manifest(ctx, ana, k, list, true, true)
	w.must(err)
	check(p, []string{"same.txt"}, []string{"lost.txt", "new/name.txt"}, []string{"gone.txt"})
	want := map[string]string{"same": "same.txt", "moved": "new/name.txt", "byhand": "", "changed": "changed.txt", "lost": "lost.txt"}
	if in := w.inside(k); !maps.Equal(in, want) {
		t.Errorf("inside are %v", in)
	}
	if w.exists("gone") {
		t.Error("what the folder has no more is still there")
	}
	f, err := w.db.FileByID(ctx, "moved")
	w.must(err)
	if f.Filename != "name.txt" {
		t.Errorf("the moved file is still called %s", f.Filename)
	}
	p, err = w.Manifest(ctx, ana, k, list, true, true) // again: nothing
	w.must(err)
	check(p, []string{"lost.txt", "new/name.txt", "same.txt"}, nil, nil)

	for _, bad := range [][]knowledge.Listing{
		{{Path: "a", Hash: "x"}}, {{Path: "", Hash: hashOf("a")}}, {{Path: "../a", Hash: hashOf("a")}}, {{Path: "/a", Hash: hashOf("a")}},
		{{Path: "a//b", Hash: hashOf("a")}}, {{Path: "a", Hash: hashOf("a")}, {Path: "a", Hash: hashOf("b")}}, make([]knowledge.Listing, 100_001),
	} {
		_, err := w.Manifest(ctx, ana, k, bad, true, true)
		w.fails(err, errdefs.Invalid)
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, access.Policy{})
	k := w.create(ana, "k")
	ctx := t.Context()
	docs, err := w.CreateDirectory(ctx, ana, k, "docs", "")
	w.must(err)
	empty, err := w.CreateDirectory(ctx, ana, k, "empty", "")
	w.must(err)
	for id, dir := range map[string]string{"a": "", "b": docs.ID, "c": docs.ID} {
		w.file(id, "ana", func(f *file.File) { f.Metadata = json.RawMessage(`{"file_hash":"sum-` + id + `"}`) })
		w.must(w.LinkFile(ctx, ana, id, k, dir))
	}
	w.file("p", "ana", func(f *file.File) { f.Metadata = json.RawMessage(`{"path":"x/p.txt"}`) })
	w.must(w.LinkFile(ctx, ana, "p", k, ""))
	d, err := w.Diff(ctx, ana, k, []knowledge.DiffEntry{
		{Path: "x", Filename: "p.txt", Checksum: hashOf("p")}, // kept in sync by its path
		{Filename: "a.txt", Checksum: "sum-a"}, {Path: "docs", Filename: "b.txt", Checksum: "other"}, {Path: "x/y", Filename: "n.txt", Checksum: "n"},
	})
	w.must(err)
	if d.Unmodified != 2 || len(d.Added) != 1 || len(d.Modified) != 1 || d.Modified[0].StaleFileID != "b" || len(d.Deleted) != 1 || d.Deleted[0].FileID != "c" ||
		!slices.Equal(d.Mkdir, []string{"x", "x/y"}) || !slices.Equal(d.Rmdir, []string{empty.ID}) || d.Map["docs"] != docs.ID {
		t.Errorf("%+v", d)
	}
	files, dirs, err := w.Cleanup(ctx, ana, k, []string{"c", "none"}, []string{empty.ID, "none"})
	w.must(err)
	if files != 1 || dirs != 1 || w.exists("c") || len(w.inside(k)) != 3 {
		t.Error(files, dirs, w.inside(k))
	}
}

// TestPaths holds which paths a folder in sync may have: a file is called by
// the last name of its path.
func TestPaths(t *testing.T) {
	t.Parallel()
	w := newWorld(t, access.Policy{})
	k := w.create(ana, "k")
	for path, ok := range map[string]bool{
		"a.txt": true, "d/é 1.txt": true, strings.Repeat("d/", 200) + "a": true, strings.Repeat("a", 255): true,
		"": false, "/a": false, "../a": false, "a/../b": false, "a\\b": false, "a\nb": false, "a\x1b[2Jb": false, "a\x00": false, "\xff": false, strings.Repeat("a", 256): false,
	} {
		_, err := w.Manifest(t.Context(), ana, k, []knowledge.Listing{{Path: path, Hash: hashOf("x")}}, false, false)
		if (err == nil) != ok {
			t.Errorf("%.20q: %v", path, err)
		}
	}
}

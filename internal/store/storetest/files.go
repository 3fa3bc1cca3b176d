package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"portico/internal/access"
	"portico/internal/errdefs"
	"portico/internal/event"
	"portico/internal/file"
	"portico/internal/knowledge"
	"portico/internal/retrieval"
	"portico/internal/store"
	"portico/internal/user"
)

func fileEvent(id string) event.Event { return event.Event{Topic: event.File, ID: id} }

func testFiles(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	want := &file.File{ID: "f", UserID: "a", Kind: file.Upload, Filename: `../Ünï "c".txt`, ContentType: "text/plain", Size: 1 << 33, Blob: "b1",
		Metadata: json.RawMessage(`{"x":[1,  2]}`), Status: file.Pending, Warnings: []string{"w"}, CreatedAt: 5, UpdatedAt: 6,
		Target: file.Target{KnowledgeID: "k", DirectoryID: "d"}}
	must(t, db.CreateFile(ctx, want, true))
	f.told(t, fileEvent("f"))
	got, err := db.FileByID(ctx, "f")
	must(t, err)
	equal(t, got, want)
	if n, err := db.CountJobs(ctx); n != 1 || err != nil {
		t.Errorf("%d jobs, %v", n, err)
	}
	fails(t, db.CreateFile(ctx, want, true), errdefs.Conflict)

	must(t, db.RenameFile(ctx, "f", "new.md", 7))
	must(t, db.SetOutcome(ctx, "f", file.Outcome{Status: file.Completed, Document: "d1", TextHash: "h", Warnings: []string{}}, 8))
	f.told(t, fileEvent("f"), fileEvent("f"))
	want.Filename, want.Status, want.Document, want.TextHash, want.Warnings, want.UpdatedAt = "new.md", file.Completed, "d1", "h", nil, 8
	got, err = db.FileByID(ctx, "f")
	must(t, err)
	equal(t, got, want)
	// What is not said stays.
	must(t, db.SetOutcome(ctx, "f", file.Outcome{Status: file.Failed, Error: "e", Warnings: []string{"1", "2"}}, 9))
	must(t, db.SetOutcome(ctx, "f", file.Outcome{Status: file.Failed, Error: "e"}, 9))
	want.Status, want.Error, want.Warnings, want.UpdatedAt = file.Failed, "e", []string{"1", "2"}, 9
	waiting, err := db.FilesWithTarget(ctx)
	must(t, err)
	equal(t, waiting, []*file.File{want})
	must(t, db.DropTarget(ctx, "f"))
	waiting, err = db.FilesWithTarget(ctx)
	must(t, err)
	equal(t, len(waiting), 0)

	for _, id := range []string{"absent", ""} {
		_, err = db.FileByID(ctx, id)
		fails(t, err, errdefs.NotFound)
		fails(t, db.RenameFile(ctx, id, "x", 1), errdefs.NotFound)
		fails(t, db.SetOutcome(ctx, id, file.Outcome{}, 1), errdefs.NotFound)
		fails(t, db.DropTarget(ctx, id), errdefs.NotFound)
		_, err = db.DeleteFile(ctx, id)
		fails(t, err, errdefs.NotFound)
	}
	must(t, db.CreateFile(ctx, &file.File{ID: "g", UserID: "b", Kind: file.Text, Size: 3, Blob: "b2"}, false))
	list, err := db.FilesByID(ctx, []string{"g", "absent", "f"})
	must(t, err)
	equal(t, []string{list[0].ID, list[1].ID}, []string{"g", "f"})
	for userID, want := range map[string][2]int64{"a": {1, 1 << 33}, "b": {1, 3}, "c": {0, 0}, "": {2, 1<<33 + 3}} {
		n, bytes, err := db.CountFiles(ctx, userID)
		must(t, err)
		equal(t, [2]int64{int64(n), bytes}, want)
	}
}

func testRequeue(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	for id, status := range map[string]file.Status{"done": file.Completed, "lost": file.Processing, "stuck": file.Pending, "kept": file.Stored} {
		must(t, db.CreateFile(ctx, &file.File{ID: id, UserID: "u", Kind: file.Upload, Blob: "b", Status: status, Error: "e"}, false))
	}
	must(t, db.CreateFile(ctx, &file.File{ID: "waits", UserID: "u", Kind: file.Upload, Blob: "b", Status: file.Pending}, true))
	idle, err := db.FilesWithoutWork(ctx)
	must(t, err)
	equal(t, idle, []string{"lost", "stuck"})
	f.forget()
	must(t, db.Requeue(ctx, "lost", 7))
	f.told(t, fileEvent("lost"))
	must(t, db.Requeue(ctx, "stuck", 7))
	must(t, db.Requeue(ctx, "waits", 7))
	fails(t, db.Requeue(ctx, "absent", 7), errdefs.NotFound)
	idle, err = db.FilesWithoutWork(ctx)
	must(t, err)
	equal(t, len(idle), 0)
	got, err := db.FileByID(ctx, "lost")
	must(t, err)
	if got.Status != file.Pending || got.Error != "" || got.UpdatedAt != 7 {
		t.Errorf("got %+v", got)
	}
	if n, err := db.CountJobs(ctx); n != 3 || err != nil {
		t.Errorf("%d jobs, %v", n, err)
	}
}

// testFilePages lists many files, page by page, at a cost that is counted.
func testFilePages(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	const all = 1001
	must(t, db.Tx(ctx, func(ctx context.Context) error {
		for i := range all {
			for _, userID := range []string{"a", "b"} {
				kind := file.Upload
				if i%10 == 9 {
					kind = file.Web
				}
				if err := db.CreateFile(ctx, &file.File{ID: fmt.Sprintf("%s%04d", userID, i), UserID: userID, Kind: kind, Blob: "x",
					Filename: fmt.Sprintf("Ärger %d_%%.TXT", i), CreatedAt: int64(i / 3)}, false); err != nil {
					return err
				}
			}
		}
		return nil
	}))
	var want []string
	for i := all - 1; i >= 0; i-- {
		if i%10 != 9 {
			want = append(want, fmt.Sprintf("a%04d", i))
		}
	}
	for _, size := range []int{50, 333} {
		var got []string
		for offset := 0; offset < len(want)+size; offset += size {
			before := db.Statements()
			page, total, err := db.Files(ctx, file.Filter{UserID: "a", Offset: offset, Limit: size})
			must(t, err)
			equal(t, total, len(want))
			if n := db.Statements() - before; n > 2 {
				t.Errorf("a page takes %d statements", n)
			}
			got = append(got, names(page)...)
		}
		equal(t, got, want)
	}
	everybody, total, err := db.Files(ctx, file.Filter{Limit: 4})
	must(t, err)
	equal(t, total, 2*len(want))
	equal(t, names(everybody), []string{"b1000", "a1000", "b0998", "b0997"})
	_, total, err = db.Files(ctx, file.Filter{UserID: "a"})
	must(t, err)
	equal(t, total, len(want))

	for glob, n := range map[string]int{"*": len(want), "ärger 1?_%.txt": 9, "ÄRGER 7_%.*": 1, "*_%.tx": 0, "Ärger 7__.txt": 0, "*99%*": 0, "*.txt": len(want), "": len(want), "\\": 0} {
		page, total, err := db.Files(ctx, file.Filter{UserID: "a", Glob: glob, Limit: 7})
		must(t, err)
		if total != n || len(page) != min(n, 7) {
			t.Errorf("%q finds %d of %d, want %d", glob, len(page), total, n)
		}
	}
	page, _, err := db.Files(ctx, file.Filter{UserID: "a", Glob: "*1?_%.txt", Offset: 9, Limit: 3})
	must(t, err)
	equal(t, len(page), 3)
}

func names(files []*file.File) (ids []string) {
	for _, f := range files {
		ids = append(ids, f.ID)
	}
	return ids
}

// addCollection makes a collection with some files in it, linked by its owner.
func addCollection(t *testing.T, db *store.DB, id, owner string, grants []access.Grant, files ...string) {
	t.Helper()
	must(t, db.CreateKnowledge(t.Context(), &knowledge.Knowledge{ID: id, UserID: owner, Kind: knowledge.Collection, Name: id}, grants))
	for _, f := range files {
		_, _, err := db.LinkFile(t.Context(), &knowledge.Entry{File: &file.File{ID: f}, KnowledgeID: id, UserID: owner})
		must(t, err)
	}
}

func testDeleteFile(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	add := func(id, blob, document string) {
		must(t, db.CreateFile(ctx, &file.File{ID: id, UserID: "a", Kind: file.Upload, Filename: id + ".txt", Blob: blob, Document: document}, true))
	}
	add("f", "b1", "d1")
	add("g", "b1", "d2")
	add("h", "b2", "b2")
	set := addSet(t, db, "f", "p", 10)
	must(t, db.AddVectors(ctx, set.ID, 0, 2, make([]float32, 20)))
	addCollection(t, db, "k", "o", nil, "f", "g")
	links, err := db.LinkedKnowledge(ctx, "f")
	must(t, err)
	equal(t, links, []file.Link{{KnowledgeID: "k", KnowledgeOwner: "o", UserID: "o"}})
	parts, err := db.PartsOf(ctx, []string{"f", "g", "absent"})
	must(t, err)
	equal(t, parts, map[string]file.Parts{"f": {Text: true, Space: true}})
	_, err = db.FinishVectors(ctx, set.ID)
	must(t, err)
	parts, err = db.PartsOf(ctx, []string{"f"})
	must(t, err)
	equal(t, parts, map[string]file.Parts{"f": {Text: true, Vectors: true, Space: true}})
	used, err := db.UsedBlobs(ctx, []string{"b1", "d1", "b2", "x", ""})
	must(t, err)
	equal(t, used, map[string]bool{"b1": true, "d1": true, "b2": true})
	seen := map[string]string{}
	must(t, db.BlobsInUse(ctx, func(id, blob, document string) error { seen[id] = blob + document; return nil }))
	equal(t, seen, map[string]string{"f": "b1d1", "g": "b1d2", "h": "b2b2"})

	f.forget()
	orphans, err := db.DeleteFile(ctx, "f")
	must(t, err)
	f.told(t, fileEvent("f"), event.Event{Topic: event.Knowledge, ID: "k"}, setEvent(set.ID))
	equal(t, orphans, []string{"d1"}) // another file has the same bytes
	_, err = db.FileByID(ctx, "f")
	fails(t, err, errdefs.NotFound)
	_, err = db.SetOf(ctx, "f", "p")
	fails(t, err, errdefs.NotFound)
	rows, err := db.Chunks(ctx, set.ID, 0, 100)
	must(t, err)
	equal(t, len(rows), 0)
	if n, err := db.CountJobs(ctx); n != 2 || err != nil {
		t.Errorf("%d jobs, %v", n, err)
	}
	// Work on it that is not over cannot bring it back.
	fails(t, db.ReplaceSet(ctx, &retrieval.Set{FileID: "f", Profile: "p"}, rows), errdefs.NotFound)
	fails(t, db.SetOutcome(ctx, "f", file.Outcome{Status: file.Completed}, 1), errdefs.NotFound)
	fails(t, db.AddJob(ctx, &retrieval.Job{Kind: retrieval.ReadFile, FileID: "f", UserID: "a"}, 1), errdefs.NotFound)
	for hash, want := range map[string]bool{"b1": true, "d1": false, "d2": true, "b2": true} {
		got, err := db.BlobUsed(ctx, hash)
		must(t, err)
		equal(t, got, want)
	}
	n, orphans, err := db.DeleteFiles(ctx, file.Filter{UserID: "a", Glob: "H.*"})
	must(t, err)
	equal(t, n, 1)
	equal(t, orphans, []string{"b2"})
	for i := range 230 {
		add(fmt.Sprintf("m%d", i), fmt.Sprint(i%100), "")
	}
	for _, filter := range []file.Filter{{UserID: "nobody"}, {Glob: "nothing"}} {
		n, orphans, err = db.DeleteFiles(ctx, filter)
		must(t, err)
		equal(t, n+len(orphans), 0)
	}
	n, orphans, err = db.DeleteFiles(ctx, file.Filter{})
	must(t, err)
	slices.Sort(orphans)
	equal(t, n, 231)
	equal(t, len(slices.Compact(orphans)), 102) // their hundred, and two of g
	if n, err := db.CountJobs(ctx); n != 0 || err != nil {
		t.Errorf("%d jobs, %v", n, err)
	}
}

// testDeleteOwner deletes a person whose files are in several hands.
func testDeleteOwner(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	addPerson(t, f, "admin", user.Admin)
	addPerson(t, f, "a", user.Member)
	addPerson(t, f, "b", user.Member)
	for _, id := range []string{"loose", "private", "shared", "with b"} {
		must(t, db.CreateFile(ctx, &file.File{ID: id, UserID: "a", Kind: file.Upload, Blob: "x " + id}, true))
	}
	must(t, db.CreateFile(ctx, &file.File{ID: "of b", UserID: "b", Kind: file.Upload, Blob: "y"}, true))
	set := addSet(t, db, "loose", "p", 3)
	addCollection(t, db, "own", "a", nil, "private", "of b")
	addCollection(t, db, "given", "a", []access.Grant{{PrincipalType: "user", PrincipalID: "b", Permission: "read"}}, "shared")
	addCollection(t, db, "self", "a", []access.Grant{{PrincipalType: "user", PrincipalID: "a", Permission: "read"}}, "private")
	addCollection(t, db, "b's", "b", nil, "with b")
	f.forget()
	must(t, db.DeleteUser(ctx, "a"))
	told := f.events
	for _, want := range []event.Event{fileEvent("loose"), fileEvent("private"), setEvent(set.ID), {Topic: event.Knowledge, ID: "own"}, {Topic: event.User, ID: "a"}} {
		if !slices.Contains(told, want) {
			t.Errorf("%v was not told", want)
		}
	}
	left, err := db.FilesByID(ctx, []string{"loose", "private", "shared", "with b", "of b"})
	must(t, err)
	equal(t, names(left), []string{"shared", "with b", "of b"})
	for id, stays := range map[string]bool{"own": false, "self": false, "given": true, "b's": true} {
		_, err := db.KnowledgeByID(ctx, id)
		if stays != (err == nil) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if n, err := db.CountJobs(ctx); n != 3 || err != nil {
		t.Errorf("%d jobs, %v", n, err)
	}
	// What nobody can reach any more is found later, too.
	must(t, db.DeleteKnowledge(ctx, "given"))
	n, orphans, err := db.DeleteStray(ctx)
	must(t, err)
	equal(t, n, 1)
	equal(t, orphans, []string{"x shared"})
	n, _, err = db.DeleteStray(ctx)
	must(t, err)
	equal(t, n, 0)
}

// testDeleteAtWork deletes files while they are being cut: nothing of them
// stays, whoever comes first.
func testDeleteAtWork(t *testing.T, f *Fixture) {
	db := f.DB
	for i := range 20 {
		id := fmt.Sprint("f", i)
		must(t, db.CreateFile(t.Context(), &file.File{ID: id, UserID: "a", Kind: file.Upload, Blob: "x"}, true))
		done := make(chan error, 1)
		go func() {
			for {
				set := &retrieval.Set{FileID: id, Profile: "p", Space: "s"}
				if err := db.ReplaceSet(t.Context(), set, rows(5)); err != nil {
					done <- err
					return
				}
			}
		}()
		_, err := db.DeleteFile(t.Context(), id)
		must(t, err)
		fails(t, <-done, errdefs.NotFound)
		_, err = db.SetOf(t.Context(), id, "p")
		fails(t, err, errdefs.NotFound)
	}
	if n, err := db.CountJobs(t.Context()); n != 0 || err != nil {
		t.Errorf("%d jobs, %v", n, err)
	}
}

package file_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"portico/internal/access"
	"portico/internal/blob"
	"portico/internal/errdefs"
	"portico/internal/file"
	"portico/internal/knowledge"
	"portico/internal/user"
)

func TestUpload(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a := w.person(t, "a", user.Member)
	f := w.upload(t, a, "notes.txt", "hello")
	if f.Status != file.Completed || f.TextHash != "hash" || f.Size != 5 || f.UserID != "a" || f.Kind != file.Upload || string(f.Metadata) != "{}" || w.reader.woken != 1 {
		t.Errorf("got %+v", f)
	}
	again := w.upload(t, a, "same.txt", "hello")
	if again.Blob != f.Blob || again.ID == f.ID || len(w.onDisk(t)) != 1 {
		t.Errorf("equal bytes are kept as %v", w.onDisk(t))
	}
	c, err := w.Open(t.Context(), f)
	must(t, err)
	defer c.Close()
	if b, err := io.ReadAll(c); string(b) != "hello" || err != nil {
		t.Errorf("%q %v", b, err)
	}
	stored, err := w.Upload(t.Context(), a, file.UploadInput{Filename: "x.bin", Body: strings.NewReader("x"), Metadata: json.RawMessage(`{"knowledge_id":"k"}`)})
	if err != nil || stored.Status != file.Stored || stored.Target != (file.Target{}) {
		t.Errorf("%+v %v", stored, err)
	}
	if n, err := w.db.CountJobs(t.Context()); n != 2 || err != nil {
		t.Errorf("%d jobs, %v", n, err)
	}
}

// TestHold: only small texts are waited for, unless the client asks.
func TestHold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		wait, held bool
	}{
		{"a.txt", "x", false, true},
		{"a", "x", false, true},
		{"a.md", strings.Repeat("x", 256<<10), false, true},
		{"a.md", strings.Repeat("x", 256<<10+1), false, false},
		{"a.pdf", "x", false, false},
		{"a.txt", "%PDF-1.7", false, false},
		{"A.DOCX", "x", false, false},
		{"a.txt", "PK\x03\x04", false, false},
		{"a.png", "x", false, false},
		{"a.pdf", "x", true, true},
	} {
		w := newWorld(t, nil)
		f, err := w.Upload(t.Context(), w.person(t, "a", user.Member), file.UploadInput{Filename: c.name, Body: strings.NewReader(c.text), Process: true, Wait: c.wait})
		must(t, err)
		if held := f.Status == file.Completed; held != c.held || len(w.reader.asked) > 0 != c.held {
			t.Errorf("%s of %d bytes: %s, asked %v", c.name, len(c.text), f.Status, w.reader.asked)
		}
	}
	// One that takes long is pending, and the upload is safe though the client left.
	w := newWorld(t, nil)
	w.reader.outcome = nil
	ctx, cancel := context.WithCancel(t.Context())
	w.reader.entered = cancel
	f, err := w.Upload(ctx, w.person(t, "a", user.Member), file.UploadInput{Filename: "a", Body: strings.NewReader("x"), Process: true})
	if err != nil || f.Status != file.Pending {
		t.Errorf("%+v %v", f, err)
	}
}

// TestRefused: what is refused leaves neither row nor bytes.
func TestRefused(t *testing.T) {
	t.Parallel()
	broken := errdefs.New(errdefs.Invalid, "broken")
	for name, c := range map[string]struct {
		change func(in *file.UploadInput)
		env    []string
		quota  file.Quota
		status int
	}{
		"empty":              {change: func(in *file.UploadInput) { in.Body = strings.NewReader("") }, status: 400},
		"no name":            {change: func(in *file.UploadInput) { in.Filename = " \x00\n" }, status: 400},
		"long name":          {change: func(in *file.UploadInput) { in.Filename = strings.Repeat("é", 128) }, status: 400},
		"broken body":        {change: func(in *file.UploadInput) { in.Body = io.MultiReader(in.Body, iotest.ErrReader(broken)) }, status: 400},
		"metadata no JSON":   {change: func(in *file.UploadInput) { in.Metadata = json.RawMessage("{") }, status: 400},
		"metadata no object": {change: func(in *file.UploadInput) { in.Metadata = json.RawMessage("[1]") }, status: 400},
		"metadata not UTF-8": {change: func(in *file.UploadInput) { in.Metadata = json.RawMessage("{\"a\":\"\xff\"}") }, status: 400},
		"metadata large": {change: func(in *file.UploadInput) {
			in.Metadata = json.RawMessage(`{"a":"` + strings.Repeat("x", 64<<10) + `"}`)
		}, status: 400},
		"what follows":         {change: func(in *file.UploadInput) { in.Finish = func(*file.UploadInput) error { return broken } }, status: 400},
		"extension":            {env: []string{"RAG_ALLOWED_FILE_EXTENSIONS", "md, PDF"}, status: 400},
		"too large":            {env: []string{"RAG_FILE_MAX_SIZE", "1"}, change: func(in *file.UploadInput) { in.Body = strings.NewReader(strings.Repeat("x", 1<<20+1)) }, status: 413},
		"too many":             {quota: file.Quota{Files: 1}, status: 507},
		"over the quota":       {quota: file.Quota{Bytes: 8}, status: 507},
		"nothing of the quota": {quota: file.Quota{Bytes: 4}, status: 507},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c1 *file.Config) { c1.Quota = c.quota }, c.env...)
			a := w.person(t, "a", user.Member)
			must(t, w.db.CreateFile(t.Context(), &file.File{ID: "old", UserID: "a", Kind: file.Upload, Blob: "x", Size: 4}, false))
			in := file.UploadInput{Filename: "a.txt", Body: strings.NewReader("12345"), Process: true}
			if c.change != nil {
				c.change(&in)
			}
			_, err := w.Upload(t.Context(), a, in)
			fails(t, err, c.status)
			if n, err := w.Count(t.Context(), a, true); n != 1 || err != nil {
				t.Errorf("%d files, %v", n, err)
			}
			w.clock.add(time.Hour)
			must(t, w.Walk(t.Context()))
			if left := w.onDisk(t); len(left) > 0 {
				t.Errorf("left %v", left)
			}
		})
	}
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *file.Config) { c.Quota = file.Quota{Files: 2, Bytes: 10} }, "RAG_ALLOWED_FILE_EXTENSIONS", "md,.Txt", "RAG_FILE_MAX_SIZE", "1")
	a := w.person(t, "a", user.Member)
	w.upload(t, a, "A.MD", "12345")
	w.upload(t, a, "b.txt", "12345") // exactly the quota
	b := w.person(t, "b", user.Member)
	// What is only kept may have any name.
	_, err := w.Upload(t.Context(), b, file.UploadInput{Filename: "c.exe", Body: strings.NewReader("x")})
	must(t, err)
}

func TestCleanName(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"a.txt": "a.txt", "../../etc/passwd": "../../etc/passwd", `C:\x\..\a`: `C:\x\..\a`, "a\r\nb\x00\x1b[31m": "ab[31m", "\xff.txt": "\ufffd.txt",
		"  x ": "x", "Ünï 日本.pdf": "Ünï 日本.pdf", "": "", "\t": "", "con": "con", "a\u0085b": "ab",
	} {
		got, err := file.CleanName(given)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q becomes %q, %v", given, got, err)
		}
	}
}

// TestHeld brings one small file more than the service lets wait: that one is
// answered at once, unless its client asked to wait.
func TestHeldOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a := w.person(t, "a", user.Member)
	entered := make(chan struct{}, 8)
	w.reader.outcome, w.reader.entered = nil, func() { entered <- struct{}{} }
	ctx, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	bring := func(name string, asked bool) {
		_, err := w.Upload(ctx, a, file.UploadInput{Filename: name, Body: strings.NewReader(name), Process: true, Wait: asked})
		if err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	}
	for i := range 4 {
		waiting.Go(func() { bring(fmt.Sprintf("%d.txt", i), false) })
	}
	for range 4 {
		<-entered
	}
	bring("more.txt", false) // or this would not return
	waiting.Go(func() { bring("asked.txt", true) })
	<-entered
	cancel()
	waiting.Wait()
}

// TestLoad is the access matrix of files.
func TestLoad(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a, b := w.person(t, "a", user.Member), w.person(t, "b", user.Member)
	reads, writes := w.person(t, "reads", user.Member, "g"), w.person(t, "writes", user.Member, "h")
	admin, pending := w.person(t, "admin", user.Admin), w.person(t, "pending", user.Pending)
	narrow := &access.Principal{UserID: "admin", Role: user.Admin, Method: access.ByKey, Models: []string{"m"}}
	grants := []access.Grant{{PrincipalType: "group", PrincipalID: "g", Permission: "read"}, {PrincipalType: "group", PrincipalID: "h", Permission: "write"}}
	own := w.upload(t, a, "own", "1")
	shared := w.upload(t, a, "shared", "2")
	w.collection(t, "k", "a", grants, shared.ID, "a")
	// b put a file of a's into a collection of their own, and shares that.
	forged := w.upload(t, a, "forged", "3")
	w.collection(t, "forge", "b", grants, forged.ID, "b")
	// An administrator, who sees everything, put one into a shared one.
	given := w.upload(t, a, "given", "4")
	w.collection(t, "give", "admin", grants, given.ID, "admin")

	for _, c := range []struct {
		who         *access.Principal
		name        string
		read, write []*file.File
	}{
		{a, "owner", []*file.File{own, shared, forged, given}, []*file.File{own, shared, forged, given}},
		{b, "stranger", nil, nil},
		{reads, "reader of the collection", []*file.File{shared, given}, nil},
		{writes, "writer of the collection", []*file.File{shared, given}, nil},
		{admin, "admin", []*file.File{own, shared, forged, given}, []*file.File{own, shared, forged, given}},
		{narrow, "admin's key for one model", []*file.File{given}, nil},
		{pending, "pending", nil, nil},
		{nil, "nobody", nil, nil},
	} {
		for _, f := range []*file.File{own, shared, forged, given} {
			for verb, list := range map[access.Verb][]*file.File{access.Read: c.read, access.Write: c.write} {
				_, err := w.Load(t.Context(), c.who, verb, f.ID)
				if may := err == nil; may != slices.Contains(list, f) {
					t.Errorf("%s, %d, %s: %v", c.name, verb, f.Filename, err)
				}
				if err != nil {
					fails(t, err, 404)
				}
			}
		}
	}
	_, absent := w.Load(t.Context(), b, access.Read, "no such")
	_, foreign := w.Load(t.Context(), b, access.Read, own.ID)
	_, odd := w.Load(t.Context(), b, access.Read, "\xff\x00")
	if absent.Error() != foreign.Error() || odd.Error() != absent.Error() {
		t.Errorf("%v, %v and %v differ", absent, foreign, odd)
	}
	// When who linked it is gone, so is the right.
	must(t, w.db.CreateUser(t.Context(), &user.User{ID: "admin2", Email: "2@x", Role: user.Admin}, "", "", false))
	must(t, w.db.DeleteUser(t.Context(), "admin"))
	if _, err := w.Load(t.Context(), reads, access.Read, given.ID); !errdefs.Is(err, errdefs.NotFound) {
		t.Errorf("got %v", err)
	}
}

func TestWithoutBypass(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *file.Config) { c.Policy = access.Policy{} })
	a, admin := w.person(t, "a", user.Member), w.person(t, "admin", user.Admin)
	f := w.upload(t, a, "a.txt", "x")
	mine := w.upload(t, admin, "b.txt", "x")
	if _, err := w.Load(t.Context(), admin, access.Read, f.ID); !errdefs.Is(err, errdefs.NotFound) {
		t.Errorf("got %v", err)
	}
	list, total, err := w.List(t.Context(), admin, false, file.Filter{Limit: 9})
	if total != 1 || err != nil || list[0].ID != mine.ID {
		t.Errorf("%v %d %v", list, total, err)
	}
}

func TestChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a, b := w.person(t, "a", user.Member), w.person(t, "b", user.Member)
	f := w.upload(t, a, "a.txt", "x")
	same := w.upload(t, b, "b.txt", "x")
	_, err := w.Rename(t.Context(), b, f.ID, "c")
	fails(t, err, 404)
	_, err = w.Rename(t.Context(), a, f.ID, "\n")
	fails(t, err, 400)
	got, err := w.Rename(t.Context(), a, f.ID, "../c.md")
	if err != nil || got.Filename != "../c.md" {
		t.Errorf("%+v %v", got, err)
	}
	_, err = w.Replace(t.Context(), b, f.ID, "text")
	fails(t, err, 404)
	_, err = w.Replace(t.Context(), a, f.ID, " \n")
	fails(t, err, 400)
	_, err = w.Replace(t.Context(), a, f.ID, "text")
	must(t, err)
	if text, err := w.Text(t.Context(), f); text != "text" || err != nil {
		t.Errorf("%q %v", text, err)
	}
	fails(t, w.Delete(t.Context(), b, f.ID), 404)
	w.clock.add(time.Minute)
	must(t, w.Delete(t.Context(), a, f.ID))
	fails(t, w.Delete(t.Context(), a, f.ID), 404)
	if len(w.onDisk(t)) != 1 {
		t.Error("bytes that another file has were removed")
	}
	must(t, w.Delete(t.Context(), b, same.ID))
	if left := w.onDisk(t); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

// TestGrace: bytes that are put again while their last file is deleted stay.
func TestGrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a := w.person(t, "a", user.Member)
	f := w.upload(t, a, "a.txt", "x")
	w.clock.add(time.Hour) // for the service alone; what is put now is of now
	var left []string
	_, err := w.Upload(t.Context(), a, file.UploadInput{Filename: "b", Body: strings.NewReader("y"), Finish: func(*file.UploadInput) error {
		// As another upload does in the middle of this one.
		return w.Delete(t.Context(), a, f.ID)
	}})
	must(t, err)
	if left = w.onDisk(t); len(left) != 1 {
		t.Errorf("left %v", left)
	}
	w.clock.add(-time.Hour)
	young := w.upload(t, a, "c", "z")
	must(t, w.Delete(t.Context(), a, young.ID))
	if len(w.onDisk(t)) != 2 {
		t.Error("bytes that were put a moment ago were removed: another upload may be about to use them")
	}
	w.clock.add(blob.Grace + time.Second)
	must(t, w.Walk(t.Context()))
	if len(w.onDisk(t)) != 1 {
		t.Error("they stay for ever")
	}
}

// TestGone: an account that is deleted during an upload ends it.
func TestGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.person(t, "admin", user.Admin)
	a := w.person(t, "a", user.Member)
	body := func(then func()) io.Reader {
		return io.MultiReader(strings.NewReader("x"), readerFunc(func([]byte) (int, error) { then(); return 0, io.EOF }), strings.NewReader("y"))
	}
	_, err := w.Upload(t.Context(), a, file.UploadInput{Filename: "a", Body: body(func() { must(t, w.db.SetStamp(t.Context(), "a", "s")) })})
	must(t, err) // only changed
	_, err = w.Upload(t.Context(), a, file.UploadInput{Filename: "a", Body: body(func() { must(t, w.db.DeleteUser(t.Context(), "a")) })})
	fails(t, err, 401)
	n, _, err := w.db.CountFiles(t.Context(), "")
	if n != 0 || err != nil {
		t.Errorf("%d files, %v", n, err)
	}
	// Also when it is deleted at the very end.
	b := w.person(t, "b", user.Member)
	_, err = w.Upload(t.Context(), b, file.UploadInput{Filename: "a", Body: strings.NewReader("x"), Finish: func(*file.UploadInput) error { return w.db.DeleteUser(t.Context(), "b") }})
	fails(t, err, 401)
	if n, _, err = w.db.CountFiles(t.Context(), ""); n != 0 || err != nil {
		t.Errorf("%d files, %v", n, err)
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestTarget: a file goes to its collection when it is read, once.
func TestTarget(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a := w.person(t, "a", user.Member)
	up := func(name string) *file.File {
		f, err := w.Upload(t.Context(), a, file.UploadInput{Filename: name, Body: strings.NewReader(name), Process: true,
			Metadata: json.RawMessage(`{"knowledge_id":"k","directory_id":null,"x":{"y":1}}`)})
		must(t, err)
		return f
	}
	f := up("a.txt")
	if got := w.links.list(); !slices.Equal(got, []string{"a " + f.ID + " k "}) || f.Target.KnowledgeID != "" || string(f.Metadata) != `{"knowledge_id":"k","directory_id":null,"x":{"y":1}}` {
		t.Errorf("linked %v, %+v", got, f)
	}
	// A refusal is told in the file; a fault of ours is tried again.
	w.links.err = errdefs.New(errdefs.Forbidden, "You may not write there.")
	if f := up("b.txt"); len(f.Warnings) != 1 || !strings.Contains(f.Warnings[0], "You may not write there.") || f.Status != file.Completed {
		t.Errorf("%+v", f)
	}
	w.links.err = errdefs.New(errdefs.Unavailable, "busy")
	late := up("c.txt")
	waiting, err := w.db.FilesWithTarget(t.Context())
	must(t, err)
	if len(waiting) != 1 || waiting[0].ID != late.ID {
		t.Errorf("waiting: %v", waiting)
	}
	w.links.err = nil
	slow := up("d.pdf")
	// Run takes up what waits, and hears of what is read.
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx) }()
	linked := func(id string) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); !slices.Contains(w.links.list(), "a "+id+" k "); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("linked %v, not %s", w.links.list(), id)
			}
		}
	}
	linked(late.ID)
	must(t, w.db.SetOutcome(t.Context(), slow.ID, file.Outcome{Status: file.Completed}, 1))
	linked(slow.ID)
	failed := up("e.pdf")
	must(t, w.db.SetOutcome(t.Context(), failed.ID, file.Outcome{Status: file.Failed, Error: "e"}, 1))
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if waiting, err = w.db.FilesWithTarget(t.Context()); len(waiting) == 0 || time.Now().After(deadline) {
			break
		}
	}
	cancel()
	<-done
	if err != nil || len(waiting) > 0 || slices.Contains(w.links.list(), "a "+failed.ID+" k ") {
		t.Errorf("waiting %v, linked %v, %v", waiting, w.links.list(), err)
	}
}

// TestCrash is a process that dies between the bytes and the row, at each
// point in turn: the janitor leaves nothing, and takes nothing in use.
func TestCrash(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a := w.person(t, "a", user.Member)
	kept := w.upload(t, a, "kept", "kept")
	_, err := w.blobs.Put(t.Context(), strings.NewReader("no row"), 100)
	must(t, err)
	must(t, w.Walk(t.Context()))
	if len(w.onDisk(t)) != 2 {
		t.Error("an upload in flight was removed")
	}
	w.clock.add(blob.Grace + time.Second)
	must(t, w.Walk(t.Context()))
	if left := w.onDisk(t); len(left) != 1 || !strings.Contains(left[0], kept.Blob) {
		t.Errorf("left %v", left)
	}
	// A stray row goes, too, as when the process died in a deletion.
	must(t, w.db.CreateFile(t.Context(), &file.File{ID: "stray", UserID: "gone", Kind: file.Upload, Blob: "x"}, true))
	must(t, w.db.CreateFile(t.Context(), &file.File{ID: "linked", UserID: "gone", Kind: file.Upload, Blob: "x"}, true))
	must(t, w.db.CreateKnowledge(t.Context(), &knowledge.Knowledge{ID: "k", UserID: "a", Kind: knowledge.Collection}, nil))
	_, _, err = w.db.LinkFile(t.Context(), &knowledge.Entry{File: &file.File{ID: "linked"}, KnowledgeID: "k", UserID: "gone"})
	must(t, err)
	must(t, w.Walk(t.Context()))
	for id, want := range map[string]bool{"stray": false, "linked": true, kept.ID: true} {
		if _, err := w.db.FileByID(t.Context(), id); (err == nil) != want {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// TestIndexes says what can be searched.
func TestIndexes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a := w.person(t, "a", user.Member)
	f := w.upload(t, a, "a.pdf", "x")
	stored, err := w.Upload(t.Context(), a, file.UploadInput{Filename: "x", Body: strings.NewReader("x")})
	must(t, err)
	for status, want := range map[file.Status]file.Index{
		file.Pending: {Text: "pending", Vectors: "pending"}, file.Processing: {Text: "pending", Vectors: "pending"},
		file.Failed: {Text: "failed", Vectors: "failed"}, file.Completed: {Text: "none", Vectors: "none"},
	} {
		f.Status = status
		before := w.db.Statements()
		got, err := w.Indexes(t.Context(), f, stored)
		if err != nil || got[f.ID] != want || len(got) != 1 || w.db.Statements()-before != 1 {
			t.Errorf("%s: %v, %v", status, got, err)
		}
	}
}

// TestListCost: a page of many files takes as many statements as one of few.
func TestListCost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a := w.person(t, "a", user.Member)
	must(t, w.db.Tx(t.Context(), func(ctx context.Context) error {
		for i := range 3_000 {
			if err := w.db.CreateFile(ctx, &file.File{ID: fmt.Sprint(i), UserID: "a", Kind: file.Upload, Filename: "x", Blob: "x", Status: file.Completed}, false); err != nil {
				return err
			}
		}
		return nil
	}))
	before := w.db.Statements()
	files, total, err := w.List(t.Context(), a, false, file.Filter{Offset: 1500, Limit: 50})
	must(t, err)
	_, err = w.Indexes(t.Context(), files...)
	if n := w.db.Statements() - before; err != nil || total != 3_000 || len(files) != 50 || n != 3 {
		t.Errorf("%d of %d files, %d statements, %v", len(files), total, n, err)
	}
}

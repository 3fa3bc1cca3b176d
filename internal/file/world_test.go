package file_test

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"portico/internal/access"
	"portico/internal/blob"
	"portico/internal/errdefs"
	"portico/internal/event"
	"portico/internal/file"
	"portico/internal/knowledge"
	"portico/internal/setting"
	"portico/internal/store"
	"portico/internal/store/storetest"
	"portico/internal/user"
)

// world is the room over a database in memory and a folder, with a reader that
// does what a test says.
type world struct {
	*file.Service
	db     *store.DB
	bus    *event.Bus
	blobs  *blob.Dir
	dir    string
	reader *reader
	links  *links
	clock  *clock
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// reader is a fake of retrieval.
type reader struct {
	db    *store.DB
	mu    sync.Mutex
	woken int
	asked []string
	// outcome is what becomes of a file that somebody waits for; nil waits for
	// the end of the context.
	outcome func(f *file.File) *file.Outcome
	entered func() // if set, somebody waits
	texts   map[string]string
}

func (r *reader) Wake() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.woken++
}

func (r *reader) Wait(ctx context.Context, id string) (*file.File, error) {
	r.mu.Lock()
	r.asked = append(r.asked, id)
	outcome := r.outcome
	r.mu.Unlock()
	f, err := r.db.FileByID(ctx, id)
	if err != nil {
		return nil, err
	}
	if outcome == nil {
		if r.entered != nil {
			r.entered()
		}
		<-ctx.Done()
		return f, nil
	}
	if err := r.db.SetOutcome(ctx, id, *outcome(f), 9); err != nil {
		return nil, err
	}
	return r.db.FileByID(ctx, id)
}

func (r *reader) Progress(string) (file.Progress, bool) { return file.Progress{}, false }

func (r *reader) Text(_ context.Context, f *file.File) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.texts[f.ID], nil
}

func (r *reader) Replace(_ context.Context, f *file.File, text string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.texts[f.ID] = text
	return nil
}

// links is a fake of knowledge: it notes what is put where, or fails.
type links struct {
	mu   sync.Mutex
	made []string
	err  error
}

func (l *links) LinkFile(_ context.Context, who *access.Principal, fileID, knowledgeID, directoryID string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made = append(l.made, strings.Join([]string{who.UserID, fileID, knowledgeID, directoryID}, " "))
	return l.err
}

func (l *links) list() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.made)
}

func newWorld(t testing.TB, change func(*file.Config), env ...string) *world {
	t.Helper()
	w := &world{bus: new(event.Bus), dir: filepath.Join(t.TempDir(), "blobs"), links: &links{}, clock: &clock{now: time.Now()}}
	w.db = storetest.Memory(t, w.bus)
	w.reader = &reader{db: w.db, texts: map[string]string{}, outcome: func(*file.File) *file.Outcome {
		return &file.Outcome{Status: file.Completed, Document: "doc", TextHash: "hash"}
	}}
	var err error
	if w.blobs, err = blob.OpenDir(w.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.blobs.Close() })
	pins, errs := setting.ParsePins(func(name string) (string, bool) {
		for i := 0; i < len(env); i += 2 {
			if env[i] == name {
				return env[i+1], true
			}
		}
		return "", false
	}, nil)
	for _, err := range errs {
		t.Fatal(err)
	}
	settings, err := setting.New(t.Context(), w.db, pins, w.bus)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(settings.Close)
	n := 0
	cfg := file.Config{
		Store: w.db, Blobs: w.blobs, Reader: w.reader, Grants: w.db, Policy: access.Policy{AdminSeesAll: true}, Settings: settings, Bus: w.bus,
		Now: w.clock.Now, NewID: func() string { n++; return fmt.Sprintf("f%d", n) },
		Person: func(ctx context.Context, id string) (*access.Principal, error) {
			u, err := w.db.UserByID(ctx, id)
			if err != nil {
				return nil, err
			}
			return &access.Principal{UserID: u.ID, Role: u.Role}, nil
		},
	}
	if change != nil {
		change(&cfg)
	}
	w.Service = file.New(cfg)
	w.Attach(w.links)
	return w
}

// person makes somebody with an account.
func (w *world) person(t testing.TB, id string, role user.Role, groups ...string) *access.Principal {
	t.Helper()
	if err := w.db.CreateUser(t.Context(), &user.User{ID: id, Email: id + "@example.com", Name: id, Role: role}, "", "", false); err != nil {
		t.Fatal(err)
	}
	return &access.Principal{UserID: id, Role: role, Groups: groups}
}

// upload keeps a text.
func (w *world) upload(t testing.TB, who *access.Principal, name, text string) *file.File {
	t.Helper()
	f, err := w.Upload(t.Context(), who, file.UploadInput{Filename: name, ContentType: "text/plain", Body: strings.NewReader(text), Process: true})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// collection makes one with a file in it that somebody put there.
func (w *world) collection(t testing.TB, id, owner string, grants []access.Grant, fileID, by string) {
	t.Helper()
	err := w.db.CreateKnowledge(t.Context(), &knowledge.Knowledge{ID: id, UserID: owner, Kind: knowledge.Collection, Name: id}, grants)
	if err == nil {
		_, _, err = w.db.LinkFile(t.Context(), &knowledge.Entry{File: &file.File{ID: fileID}, KnowledgeID: id, UserID: by})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// onDisk lists the files below the folder of blobs.
func (w *world) onDisk(t testing.TB) (files []string) {
	t.Helper()
	err := filepath.WalkDir(w.dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			files = append(files, strings.TrimPrefix(path, w.dir))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fails checks the status of an error, and that it says something.
func fails(t testing.TB, err error, status int) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want %d", status)
		return
	}
	if e := errdefs.From(err); e.HTTPStatus() != status || e.Detail == "" {
		t.Errorf("got %d %v, want %d", e.HTTPStatus(), err, status)
	}
}

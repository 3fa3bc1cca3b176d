package knowledge_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
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

// world is the room over a database in memory, the real room of files, and a
// reader that reads when a test says so.
type world struct {
	*knowledge.Service
	t      *testing.T
	db     *store.DB
	reader *reader
	indexer
	retain bool
	clock  atomic.Int64
}

// The people of the tests.
var (
	ana   = &access.Principal{UserID: "ana", Role: user.Member, Groups: []string{"readers", "writers"}}
	bea   = &access.Principal{UserID: "bea", Role: user.Member}
	admin = &access.Principal{UserID: "root", Role: user.Admin}
)

func author(p *access.Principal, may ...string) access.Author {
	return access.Author{Principal: p, May: func(permission string) bool {
		for _, m := range may {
			if m == permission {
				return true
			}
		}
		return false
	}}
}

func newWorld(t *testing.T, policy access.Policy) *world {
	t.Helper()
	bus := new(event.Bus)
	w := &world{t: t, db: storetest.Memory(t, bus)}
	w.reader = &reader{db: w.db, read: make(chan struct{})}
	settings, err := setting.New(t.Context(), w.db, nil, bus)
	w.must(err)
	t.Cleanup(settings.Close)
	blobs, err := blob.OpenDir(t.TempDir())
	w.must(err)
	files := file.New(file.Config{Store: w.db, Blobs: blobs, Reader: w.reader, Grants: w.db, Policy: policy, Settings: settings, Bus: bus,
		Person: func(_ context.Context, id string) (*access.Principal, error) {
			for _, p := range []*access.Principal{ana, bea, admin} {
				if p.UserID == id {
					return p, nil
				}
			}
			return nil, errdefs.New(errdefs.NotFound, "There is no such person.")
		}})
	n := 0
	w.Service = knowledge.New(knowledge.Config{
		Store: w.db, Files: files, Grants: w.db, Policy: policy, Indexer: &w.indexer, Reader: w.reader, Patience: 5 * time.Second,
		Retain: func() bool { return w.retain },
		Now:    func() time.Time { return time.Unix(w.clock.Add(1), 0) },
		NewID:  func() string { n++; return fmt.Sprint("id", n) },
	})
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// fails checks kind and status of an error.
func (w *world) fails(err error, kind errdefs.Kind) {
	w.t.Helper()
	if !errdefs.Is(err, kind) {
		w.t.Errorf("got %v, want kind %d", err, kind)
	}
}

func (w *world) create(p *access.Principal, name string, grants ...access.Grant) string {
	w.t.Helper()
	s, err := w.Create(w.t.Context(), author(p, "workspace.knowledge", "sharing.knowledge", "sharing.public_knowledge", "access_grants.allow_users", "access_grants.allow_groups"),
		knowledge.Draft{Name: name, Grants: &grants})
	w.must(err)
	return s.ID
}

// file makes a row, as if it had been uploaded.
func (w *world) file(id, owner string, change ...func(f *file.File)) *file.File {
	w.t.Helper()
	f := &file.File{ID: id, UserID: owner, Kind: file.Upload, Filename: id + ".txt", Size: 3, Blob: hashOf(id), Metadata: json.RawMessage(`{}`),
		Status: file.Completed, TextHash: "text of " + id, CreatedAt: 1, UpdatedAt: 1}
	for _, fn := range change {
		fn(f)
	}
	w.must(w.db.CreateFile(w.t.Context(), f, false))
	return f
}

func hashOf(text string) string { return fmt.Sprintf("%064x", []byte(text)) }

func (w *world) inside(id string) map[string]string {
	w.t.Helper()
	all, _, err := w.db.Entries(w.t.Context(), id, knowledge.FileFilter{Limit: 1000})
	w.must(err)
	paths := map[string]string{}
	for _, e := range all {
		paths[e.File.ID] = e.Path
	}
	return paths
}

func (w *world) exists(fileID string) bool {
	_, err := w.db.FileByID(w.t.Context(), fileID)
	return err == nil
}

// indexer notes what it is asked for.
type indexer struct {
	mu       sync.Mutex
	ready    int
	reason   error
	profiled []knowledge.Settings
}

func (x *indexer) Ready(context.Context, string, *knowledge.Knowledge) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ready++
	return x.reason
}

func (x *indexer) Reprofile(_ context.Context, k *knowledge.Knowledge) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.profiled = append(x.profiled, k.Settings)
	return nil
}

// reader finishes files when read is closed.
type reader struct {
	db   *store.DB
	read chan struct{}
}

func (r *reader) Wait(ctx context.Context, id string) (*file.File, error) {
	select {
	case <-r.read:
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil, ctx.Err()
		}
	}
	return r.db.FileByID(context.WithoutCancel(ctx), id)
}

func (r *reader) Wake()                                             {}
func (r *reader) Progress(string) (file.Progress, bool)             { return file.Progress{}, false }
func (r *reader) Text(context.Context, *file.File) (string, error)  { return "text", nil }
func (r *reader) Replace(context.Context, *file.File, string) error { return nil }

package retrieval_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"portico/internal/access"
	"portico/internal/blob"
	"portico/internal/event"
	"portico/internal/file"
	"portico/internal/knowledge"
	"portico/internal/retrieval"
	"portico/internal/retrieval/retrievaltest"
	"portico/internal/setting"
	"portico/internal/store"
	"portico/internal/store/storetest"
	"portico/internal/user"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// stand is the room between the real rooms of files, collections and the
// database, over stand-ins for what is heavy.
type stand struct {
	*retrieval.Service
	t         testing.TB
	db        *store.DB
	blobs     *blob.Dir
	bus       *event.Bus
	settings  *setting.Settings
	files     *file.Service
	knowledge *knowledge.Service
	extract   *retrievaltest.Extractor
	embedder  *retrievaltest.Embedder
	embedders *retrievaltest.Embedders
	lexical   *retrievaltest.Lexical
	vectors   *retrievaltest.Vectors
	ann, bob  *access.Principal
	admin     *access.Principal

	stop func() // ends the workers and waits for them
	ids  atomic.Int64
}

// engines runs a test on both databases.
func engines(t *testing.T, fn func(t *testing.T, url string)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		fn(t, "sqlite://:memory:")
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		fn(t, storetest.Postgres(t))
	})
}

// newStand makes a stand; change may adapt the configuration of the room. Its
// workers run until the test ends or stop is called.
func newStand(t testing.TB, url string, change func(*stand, *retrieval.Config)) *stand {
	t.Helper()
	ctx := context.Background()
	s := &stand{t: t, bus: new(event.Bus), extract: new(retrievaltest.Extractor), embedder: &retrievaltest.Embedder{Model: "one"},
		lexical: new(retrievaltest.Lexical), vectors: new(retrievaltest.Vectors)}
	s.embedders = retrievaltest.NewEmbedders(s.embedder, &retrievaltest.Embedder{Model: "two"})
	var err error
	s.db, err = store.Open(ctx, url, store.Options{Bus: s.bus})
	must(t, err)
	t.Cleanup(func() { _ = s.db.Close() })
	s.settings, err = setting.New(ctx, s.db, nil, s.bus)
	must(t, err)
	t.Cleanup(s.settings.Close)
	s.blobs, err = blob.OpenDir(t.TempDir())
	must(t, err)
	t.Cleanup(func() { _ = s.blobs.Close() })
	s.ann, s.bob = s.person("ann", user.Member), s.person("bob", user.Member)
	s.admin = s.person("root", user.Admin)
	s.begin(change)
	return s
}

// begin makes the room and starts its workers: again, after stop.
func (s *stand) begin(change func(*stand, *retrieval.Config)) {
	s.t.Helper()
	policy := access.Policy{AdminSeesAll: true}
	cfg := retrieval.Config{
		Store: s.db, Files: s.db, Knowledge: s.db, Blobs: s.blobs, Extract: s.extract, Embed: s.embedders,
		Lexical: s.lexical, Vectors: s.vectors, Settings: s.settings, Bus: s.bus, Pause: time.Millisecond,
	}
	if change != nil {
		change(s, &cfg)
	}
	s.Service = retrieval.New(cfg)
	s.files = file.New(file.Config{
		Store: s.db, Blobs: s.blobs, Reader: s.Service, Grants: s.db, Policy: policy, Settings: s.settings, Bus: s.bus,
		Person: s.who,
	})
	s.knowledge = knowledge.New(knowledge.Config{
		Store: s.db, Files: s.files, Grants: s.db, Policy: policy, Indexer: s.Service, Reader: s.Service,
		NewID: func() string { return fmt.Sprintf("k%d", s.ids.Add(1)) },
	})
	s.Attach(s.files, s.knowledge)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	s.stop = func() {
		cancel()
		<-done
	}
	s.t.Cleanup(s.stop)
}

func (s *stand) who(ctx context.Context, id string) (*access.Principal, error) {
	u, err := s.db.UserByID(ctx, id)
	if err != nil {
		return nil, err
	}
	return &access.Principal{UserID: u.ID, Name: u.Name, Role: u.Role}, nil
}

func (s *stand) person(name string, role user.Role) *access.Principal {
	s.t.Helper()
	must(s.t, s.db.CreateUser(context.Background(), &user.User{ID: name, Name: name, Email: name + "@example.com", Role: role}, "hash", "stamp", false))
	return &access.Principal{UserID: name, Name: name, Role: role}
}

// upload keeps a file that is to be read.
func (s *stand) upload(who *access.Principal, name, text string) *file.File {
	s.t.Helper()
	f, err := s.files.Upload(context.Background(), who, file.UploadInput{Filename: name, ContentType: "text/plain", Body: strings.NewReader(text), Process: true})
	must(s.t, err)
	return f
}

// ended waits until a file is at its end.
func (s *stand) ended(id string) *file.File {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	f, err := s.Wait(ctx, id)
	must(s.t, err)
	if !f.Status.Done() {
		s.t.Fatalf("%s is still %s", f.Filename, f.Status)
	}
	return f
}

// completed uploads a file and waits until it is found.
func (s *stand) completed(who *access.Principal, name, text string) *file.File {
	s.t.Helper()
	f := s.ended(s.upload(who, name, text).ID)
	if f.Status != file.Completed {
		s.t.Fatalf("%s is %s: %s", name, f.Status, f.Error)
	}
	return f
}

func (s *stand) collection(who *access.Principal, name string, files ...*file.File) *knowledge.Knowledge {
	s.t.Helper()
	ctx := context.Background()
	k, err := s.knowledge.Create(ctx, access.Author{Principal: who, May: func(string) bool { return true }}, knowledge.Draft{Name: name})
	must(s.t, err)
	for _, f := range files {
		_, err := s.knowledge.AddFile(ctx, who, k.ID, knowledge.Addition{FileID: f.ID})
		must(s.t, err)
	}
	return k.Knowledge
}

// found gives the texts that a question finds.
func (s *stand) found(who *access.Principal, question string, names ...string) []string {
	s.t.Helper()
	passages, err := s.Search(context.Background(), who, names, retrieval.Question{Text: question})
	must(s.t, err)
	var texts []string
	for _, p := range passages {
		texts = append(texts, p.Text)
	}
	return texts
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits for what another goroutine brings about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

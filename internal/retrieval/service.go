package retrieval

import (
	"context"
	"crypto/rand"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"portico/internal/access"
	"portico/internal/blob"
	"portico/internal/event"
	"portico/internal/file"
	"portico/internal/knowledge"
	"portico/internal/retrieval/extract"
	"portico/internal/setting"
)

// Config is what the room needs of the others. All fields without a default
// are required.
type Config struct {
	Store     Store
	Files     file.Store
	Knowledge knowledge.Store
	Blobs     blob.Store
	Extract   extract.Extractor
	Embed     Embedders
	Lexical   Lexical
	Vectors   Vectors
	Settings  *setting.Settings
	Bus       *event.Bus

	Rerank Reranker // nil never reranks
	Fetch  Fetcher  // nil reads no pages

	Readers int // files read at once; 0 is the number of cores
	Fillers int // files embedded at once; 0 is 2
	// Pause is the first pause after a fault; each further one is four times
	// as long. 0 is 2 s.
	Pause time.Duration
	// Compact is how long what was deleted stays in the files of the indexes; 0
	// is ten minutes.
	Compact time.Duration
	Now     func() time.Time // nil is time.Now
	NewID   func() string    // nil is random
	Log     *slog.Logger     // nil discards
}

// FileRoom judges rights on files and keeps them: *file.Service.
type FileRoom interface {
	Load(ctx context.Context, who *access.Principal, verb access.Verb, id string) (*file.File, error)
	Upload(ctx context.Context, who *access.Principal, in file.UploadInput) (*file.File, error)
	Delete(ctx context.Context, who *access.Principal, id string) error
}

// KnowledgeRoom judges rights on collections: *knowledge.Service.
type KnowledgeRoom interface {
	Load(ctx context.Context, who *access.Principal, verb access.Verb, id string) (*knowledge.Knowledge, error)
	// MayAdd refuses files that the caller may read and not pass on.
	MayAdd(ctx context.Context, who *access.Principal, k *knowledge.Knowledge, f *file.File) error
}

// Service makes files searchable and finds passages in them. It is safe for
// concurrent use.
type Service struct {
	cfg       Config
	owner     string // of the work that this process holds
	files     FileRoom
	knowledge KnowledgeRoom

	bells    map[string]chan struct{} // by kind of work
	settling chan struct{}            // the settings may ask for another profile
	deleted  chan struct{}            // sets may be gone
	settled  sync.Mutex               // held while profiles are settled
	again    time.Time                // when faults of the next profile are forgotten
	waiting  waiting
	bench    bench
	text     *follower
	vectors  *follower
	scopes   scopes
	profiles profiles
}

// New makes a Service. Attach must be called before anything but Run, and Run
// before anything is read.
func New(cfg Config) *Service {
	if cfg.Readers <= 0 {
		cfg.Readers = runtime.NumCPU()
	}
	if cfg.Fillers <= 0 {
		cfg.Fillers = 2
	}
	if cfg.Pause <= 0 {
		cfg.Pause = 2 * time.Second
	}
	if cfg.Compact <= 0 {
		cfg.Compact = 10 * time.Minute
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.NewID == nil {
		cfg.NewID = rand.Text
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{
		cfg:      cfg,
		owner:    rand.Text(),
		bells:    map[string]chan struct{}{ReadFile: make(chan struct{}, 1), FillSet: make(chan struct{}, 1)},
		settling: make(chan struct{}, 1),
		deleted:  make(chan struct{}, 1),
	}
	s.text = newFollower("text", cfg.Lexical.Seq, cfg.Store.TextAfter, func(set Set) int64 { return set.TextSeq }, s.addText)
	s.vectors = newFollower("vectors", cfg.Vectors.Seq, cfg.Store.VectorsAfter, func(set Set) int64 { return set.VectorSeq }, s.addVectors)
	return s
}

// Attach gives the rooms that judge rights. They are made with the Service, so
// it cannot be made with them.
func (s *Service) Attach(files FileRoom, collections KnowledgeRoom) {
	s.files, s.knowledge = files, collections
}

// Run reads files and keeps the indexes current until ctx ends. What it was at
// is given back, for whoever comes next.
func (s *Service) Run(ctx context.Context) {
	defer s.cfg.Bus.Subscribe(s.heard)()
	defer s.cfg.Settings.Watch(s.changed)()
	if err := s.cfg.Store.ReleaseJobs(ctx); err != nil && ctx.Err() == nil {
		s.cfg.Log.Warn("work that was left is taken up when its leases end", "err", err)
	}
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { s.text.run(ctx, s.cfg.Log) })
	all.Go(func() { s.vectors.run(ctx, s.cfg.Log) })
	all.Go(func() { s.renew(ctx) })
	all.Go(func() { s.settle(ctx) })
	all.Go(func() { s.compact(ctx) })
	all.Go(func() { s.bench.watch(ctx, s.exists) })
	for range s.cfg.Readers {
		all.Go(func() { s.labour(ctx, ReadFile, s.read) })
	}
	for range s.cfg.Fillers {
		all.Go(func() { s.labour(ctx, FillSet, s.fill) })
	}
}

// heard is told of every change, here and on other servers.
func (s *Service) heard(e event.Event) {
	switch e.Topic {
	case event.File:
		s.scopes.drop()
		s.waiting.tell(e.ID)
		s.bench.suspect(e.ID)
		s.Wake()
	case event.Set:
		s.scopes.drop()
		s.text.nudge()
		s.vectors.nudge()
		s.ring(FillSet)
		signal(s.deleted)
	case event.Knowledge:
		s.scopes.drop()
		s.profiles.forget()
	case event.Reset:
		s.scopes.drop()
		s.profiles.forget()
		s.waiting.tellAll()
		s.text.nudge()
		s.vectors.nudge()
		signal(s.deleted)
		s.Wake()
	}
}

// Wake implements file.Reader.
func (s *Service) Wake() {
	s.ring(ReadFile)
	s.ring(FillSet)
}

func (s *Service) ring(kind string) { signal(s.bells[kind]) }

// signal puts a token into a channel of room for one, if there is none.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (s *Service) now() int64 { return s.cfg.Now().Unix() }

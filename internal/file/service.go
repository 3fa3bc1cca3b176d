package file

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"portico/internal/access"
	"portico/internal/blob"
	"portico/internal/errdefs"
	"portico/internal/event"
	"portico/internal/setting"
)

// Config is what the room needs of the others. All fields without a default
// are required.
type Config struct {
	Store    Store
	Blobs    blob.Store
	Reader   Reader
	Grants   access.Store
	Policy   access.Policy
	Settings *setting.Settings
	Bus      *event.Bus
	// Person gives somebody as a caller, errdefs.NotFound when they are gone.
	Person func(ctx context.Context, userID string) (*access.Principal, error)

	Quota Quota
	Now   func() time.Time // nil is time.Now
	NewID func() string    // nil is a random UUID
	Log   *slog.Logger     // nil discards
}

// Quota bounds what one person may keep; 0 is no limit.
type Quota struct {
	Files int
	Bytes int64
}

// Service is the one way to files. It is safe for concurrent use.
type Service struct {
	cfg    Config
	linker Linker

	mu sync.Mutex
	// unwanted are blobs that nobody may refer to any more, by when that was
	// noticed; the janitor takes them when they are old enough.
	unwanted map[string]time.Time
	// bound are ids of files that wait to be put into a collection.
	bound  map[string]bool
	read   chan string // such files that changed
	people chan string // who changed
	held   chan struct{}
}

// New makes a Service. Attach must be called before use where files may be put
// into collections by their upload.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.NewID == nil {
		cfg.NewID = uuid.NewString
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{
		cfg: cfg, unwanted: map[string]time.Time{}, bound: map[string]bool{},
		read: make(chan string, 64), people: make(chan string, 64),
		held: make(chan struct{}, maxHeld),
	}
}

// Attach gives the room of collections, which is made with this one.
func (s *Service) Attach(l Linker) { s.linker = l }

// errAbsent is told of what is not there and of what is not the caller's alike.
var errAbsent = errdefs.New(errdefs.NotFound, "There is no such file, or it is not yours to use.")

// Load is the only way from an id to a file: the caller's own, or, to read,
// one in a collection that the caller may read. Everything else is
// errdefs.NotFound.
func (s *Service) Load(ctx context.Context, who *access.Principal, verb access.Verb, id string) (*File, error) {
	f, err := s.cfg.Store.FileByID(ctx, id)
	if errdefs.Is(err, errdefs.NotFound) || errdefs.Is(err, errdefs.Invalid) { // no id holds what a text may not
		return nil, errAbsent
	}
	if err != nil {
		return nil, err
	}
	ok, err := s.may(ctx, who, verb, f)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errAbsent
	}
	return f, nil
}

// may weighs the caller against the file, then, to read, against the
// collections that it is in. Such a right is worth what that of who put the
// file there is: nobody shares what is not theirs.
func (s *Service) may(ctx context.Context, who *access.Principal, verb access.Verb, f *File) (bool, error) {
	policy := s.policy(who)
	if policy.Can(who, verb, access.File, f.UserID, f.ID, nil) {
		return true, nil
	}
	if verb != access.Read || !who.Verified() {
		return false, nil
	}
	links, err := s.cfg.Store.LinkedKnowledge(ctx, f.ID)
	if err != nil {
		return false, err
	}
	for _, l := range links {
		if ok, err := s.vouches(ctx, l.UserID, f); err != nil || !ok {
			if err != nil {
				return false, err
			}
			continue
		}
		grants, err := s.cfg.Grants.GrantsOf(ctx, access.Knowledge, l.KnowledgeID)
		if err != nil {
			return false, err
		}
		if policy.Can(who, access.Read, access.Knowledge, l.KnowledgeOwner, l.KnowledgeID, grants) {
			return true, nil
		}
	}
	return false, nil
}

// vouches reports whether somebody who put a file into a collection could read
// it otherwise: its owner, or an administrator who sees everything.
func (s *Service) vouches(ctx context.Context, userID string, f *File) (bool, error) {
	if userID == f.UserID {
		return true, nil
	}
	p, err := s.cfg.Person(ctx, userID)
	if errdefs.Is(err, errdefs.NotFound) {
		return false, nil
	}
	return err == nil && s.cfg.Policy.Can(p, access.Read, access.File, f.UserID, f.ID, nil), err
}

// policy is the instance's, without the rights of administrators for a key
// that is made for certain models only.
func (s *Service) policy(who *access.Principal) access.Policy {
	p := s.cfg.Policy
	if who != nil && len(who.Models) > 0 {
		p.AdminSeesAll = false
	}
	return p
}

// seesAll reports whether the caller's lists hold everybody's files.
func (s *Service) seesAll(who *access.Principal) bool {
	return who.IsAdmin() && s.policy(who).AdminSeesAll
}

// List gives uploaded files, newest first: the caller's own, or everybody's
// for an administrator who sees everything, unless own is set.
func (s *Service) List(ctx context.Context, who *access.Principal, own bool, f Filter) ([]*File, int, error) {
	f.UserID = who.UserID
	if !own && s.seesAll(who) {
		f.UserID = ""
	}
	return s.cfg.Store.Files(ctx, f)
}

// Count counts what List gives in all.
func (s *Service) Count(ctx context.Context, who *access.Principal, own bool) (int, error) {
	_, total, err := s.List(ctx, who, own, Filter{})
	return total, err
}

// Indexes tells how far files can be searched.
func (s *Service) Indexes(ctx context.Context, files ...*File) (map[string]Index, error) {
	ids := make([]string, 0, len(files))
	for _, f := range files {
		if f.Status != Stored {
			ids = append(ids, f.ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	parts, err := s.cfg.Store.PartsOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	all := make(map[string]Index, len(ids))
	for _, f := range files {
		if f.Status != Stored {
			all[f.ID] = indexOf(f.Status, parts[f.ID])
		}
	}
	return all, nil
}

func indexOf(status Status, p Parts) Index {
	missing := "pending"
	switch status {
	case Failed:
		missing = "failed"
	case Completed:
		missing = "none"
	}
	x := Index{Text: missing, Vectors: missing}
	if p.Text {
		x.Text = "ready"
	}
	switch {
	case p.Vectors:
		x.Vectors = "ready"
	case p.Space && p.Error != "":
		x.Vectors = "failed"
	case p.Space && status == Completed:
		x.Vectors = "pending" // under another profile than it was
	}
	return x
}

// Text gives what was read of a file; "" when nothing was.
func (s *Service) Text(ctx context.Context, f *File) (string, error) {
	return s.cfg.Reader.Text(ctx, f)
}

// Open opens the bytes as they were uploaded.
func (s *Service) Open(ctx context.Context, f *File) (blob.Content, error) {
	return s.cfg.Blobs.Open(ctx, f.Blob)
}

// Progress tells of a file in work on this server.
func (s *Service) Progress(id string) (Progress, bool) { return s.cfg.Reader.Progress(id) }

// Watch gives a channel that has something to receive when the file changed
// since the last time, here or on another server, until stop is called.
func (s *Service) Watch(id string) (changed <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	stop = s.cfg.Bus.Subscribe(func(e event.Event) {
		if e.Topic == event.Reset || e.Topic == event.File && e.ID == id {
			select {
			case ch <- struct{}{}:
			default:
			}
		}
	})
	return ch, stop
}

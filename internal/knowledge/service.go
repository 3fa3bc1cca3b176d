package knowledge

import (
	"context"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"portico/internal/access"
	"portico/internal/errdefs"
	"portico/internal/file"
)

// Files are uploads and the rights on them; *file.Service is one. Absent and
// foreign files alike are errdefs.NotFound.
type Files interface {
	Load(ctx context.Context, who *access.Principal, verb access.Verb, id string) (*file.File, error)
	Delete(ctx context.Context, who *access.Principal, id string) error
}

// Config is what a Service needs.
type Config struct {
	Store   Store
	Files   Files
	Grants  access.Store
	Policy  access.Policy
	Indexer Indexer
	Reader  file.Reader // waits for files in work, and gives their text
	// Retain reports whether files stay when they leave their last collection
	// (ENABLE_KNOWLEDGE_FILE_RETENTION); nil is no.
	Retain func() bool
	// Patience is how long adding a file waits until it is read; 0 is a minute.
	Patience time.Duration
	Now      func() time.Time // nil is time.Now
	NewID    func() string    // nil is a random UUID
}

// Service is the room.
type Service struct {
	cfg Config
}

// New makes a Service.
func New(cfg Config) *Service {
	if cfg.Patience == 0 {
		cfg.Patience = time.Minute
	}
	if cfg.Retain == nil {
		cfg.Retain = func() bool { return false }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.NewID == nil {
		cfg.NewID = uuid.NewString
	}
	return &Service{cfg: cfg}
}

func (s *Service) now() int64 { return s.cfg.Now().Unix() }

// Sheet is a collection as a caller may see it.
type Sheet struct {
	*Knowledge
	Grants   []access.Grant
	Writable bool
	Files    int // how many are in it, where that was counted
}

// Load is the only way from an id to a collection: errdefs.NotFound when there
// is none, errdefs.Forbidden when it is not the caller's to use in this way.
func (s *Service) Load(ctx context.Context, who *access.Principal, verb access.Verb, id string) (*Knowledge, error) {
	k, err := s.cfg.Store.KnowledgeByID(ctx, id)
	if err != nil {
		return nil, err
	}
	// The owner needs no grants, so they are not read for them.
	if s.cfg.Policy.Can(who, verb, access.Knowledge, k.UserID, id, nil) {
		return k, nil
	}
	grants, err := s.cfg.Grants.GrantsOf(ctx, access.Knowledge, id)
	if err != nil {
		return nil, err
	}
	if !s.cfg.Policy.Can(who, verb, access.Knowledge, k.UserID, id, grants) {
		return nil, errdefs.New(errdefs.Forbidden, "You may not use this collection in this way. Its owner can share it with you.")
	}
	return k, nil
}

// collection is Load for the collections that people see.
func (s *Service) collection(ctx context.Context, who *access.Principal, verb access.Verb, id string) (*Knowledge, error) {
	k, err := s.Load(ctx, who, verb, id)
	if err == nil && k.Kind != Collection {
		return nil, errdefs.New(errdefs.NotFound, "There is no such collection.")
	}
	return k, err
}

// Get gives a collection to whoever may read it.
func (s *Service) Get(ctx context.Context, who *access.Principal, id string) (*Sheet, error) {
	k, err := s.collection(ctx, who, access.Read, id)
	if err != nil {
		return nil, err
	}
	return s.sheet(ctx, who, k)
}

func (s *Service) sheet(ctx context.Context, who *access.Principal, k *Knowledge) (*Sheet, error) {
	grants, err := s.cfg.Grants.GrantsOf(ctx, access.Knowledge, k.ID)
	if err != nil {
		return nil, err
	}
	return &Sheet{Knowledge: k, Grants: grants, Writable: s.writable(who, k, grants)}, nil
}

func (s *Service) writable(who *access.Principal, k *Knowledge, grants []access.Grant) bool {
	return s.cfg.Policy.Can(who, access.Write, access.Knowledge, k.UserID, k.ID, grants)
}

// seesAll reports whether a caller needs no grants.
func (s *Service) seesAll(who *access.Principal) bool {
	return s.cfg.Policy.SeesAll(who)
}

// List gives a page of the collections that a caller may read.
func (s *Service) List(ctx context.Context, who *access.Principal, f Filter) ([]*Sheet, int, error) {
	f.Who, f.All = who, s.seesAll(who)
	page, total, err := s.cfg.Store.KnowledgeList(ctx, f)
	if err != nil {
		return nil, 0, err
	}
	sheets := make([]*Sheet, len(page))
	for i, l := range page {
		sheets[i] = &Sheet{Knowledge: l.Knowledge, Grants: l.Grants, Files: l.Files, Writable: s.writable(who, l.Knowledge, l.Grants)}
	}
	return sheets, total, nil
}

// Building is how far the index of a collection is that is being built beside
// the one in use; false when there is none.
func (s *Service) Building(ctx context.Context, k *Knowledge) (Progress, bool, error) {
	if k.Next == "" {
		return Progress{}, false, nil
	}
	p, err := s.cfg.Store.IndexProgress(ctx, k.ID, k.Next)
	return p, true, err
}

// The longest texts of a collection, in bytes.
const (
	maxName        = 256
	maxDescription = 16 << 10
)

// checkName refuses names that are empty, long, or could mislead a reader of a
// list; what is the thing that has it.
func checkName(what, name string) error {
	if strings.TrimSpace(name) == "" || len(name) > maxName || strings.ContainsFunc(name, unicode.IsControl) {
		return errdefs.Newf(errdefs.Invalid, "The name of a %s has 1 to %d bytes and no line breaks.", what, maxName)
	}
	return nil
}

package retrieval

import (
	"context"
	"slices"
	"strings"
	"sync"

	"portico/internal/access"
	"portico/internal/errdefs"
	"portico/internal/file"
	"portico/internal/knowledge"
	"portico/internal/retrieval/index"
)

// The limits of what is asked for.
const (
	maxNames    = 64
	maxQuestion = 32 << 10 // bytes
	maxK        = 100
	maxWordings = 8
)

// FilePrefix is in front of a file's id where a name of a collection is
// wanted: the file is then the collection.
const FilePrefix = "file-"

// errDenied is told alike of what is not there and of what is not the
// caller's.
var errDenied = errdefs.New(errdefs.Forbidden, "At least one of these collections is not there, or you may not read it.")

// target is one thing that may be searched by a caller.
type target struct {
	file      *file.File           // or
	knowledge *knowledge.Knowledge // or neither: a name that an administrator made up
	profile   *Profile
	scope     index.Scope
}

// resolve turns names into what may be searched. It is the only place where
// that is decided: a name that is unknown is denied, as one of somebody else
// is. Administrators are told of unknown ones by an empty target.
func (s *Service) resolve(ctx context.Context, who *access.Principal, names []string) ([]target, error) {
	if len(names) > maxNames {
		return nil, errdefs.Newf(errdefs.Invalid, "At most %d collections can be searched at once.", maxNames)
	}
	var all []target
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			continue
		}
		t, err := s.resolveOne(ctx, who, name)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

func (s *Service) resolveOne(ctx context.Context, who *access.Principal, name string) (target, error) {
	f, k, err := s.find(ctx, who, access.Read, name)
	switch {
	case err == nil && f != nil:
		return s.fileTarget(ctx, f)
	case err == nil:
		return s.knowledgeTarget(ctx, k)
	case errdefs.Is(err, errdefs.NotFound) && who.IsAdmin():
		return target{}, nil
	case isDenied(err):
		return target{}, errDenied
	}
	return target{}, err
}

func isDenied(err error) bool {
	return errdefs.Is(err, errdefs.NotFound) || errdefs.Is(err, errdefs.Forbidden) || errdefs.Is(err, errdefs.Unauthenticated)
}

// find is what a name means to a caller: a file, or a collection by its id, or
// a text of the caller's own by the name they gave it. Names are compared byte
// by byte.
func (s *Service) find(ctx context.Context, who *access.Principal, verb access.Verb, name string) (*file.File, *knowledge.Knowledge, error) {
	if id, ok := strings.CutPrefix(name, FilePrefix); ok {
		f, err := s.files.Load(ctx, who, verb, id)
		return f, nil, err
	}
	k, err := s.knowledge.Load(ctx, who, verb, name)
	if errdefs.Is(err, errdefs.NotFound) {
		k, err = s.cfg.Knowledge.KnowledgeByName(ctx, who.UserID, knowledge.Text, name)
	}
	return nil, k, err
}

func (s *Service) fileTarget(ctx context.Context, f *file.File) (target, error) {
	inst, err := s.instance(ctx)
	if err != nil {
		return target{}, err
	}
	scope, err := s.cfg.Store.ScopeOfFiles(ctx, []string{f.ID}, inst.current.ID)
	return target{file: f, profile: inst.current, scope: scope}, err
}

func (s *Service) knowledgeTarget(ctx context.Context, k *knowledge.Knowledge) (target, error) {
	p, err := s.profileOf(ctx, k)
	if err != nil {
		return target{}, err
	}
	key := k.ID + " " + p.ID
	scope, turn, ok := s.scopes.get(key)
	if !ok {
		if scope, err = s.cfg.Store.ScopeOfKnowledge(ctx, k.ID, p.ID); err != nil {
			return target{}, err
		}
		s.scopes.put(key, turn, scope)
	}
	return target{knowledge: k, profile: p, scope: scope}, nil
}

// scopes are those of collections, until anything changes.
type scopes struct {
	mu   sync.Mutex
	turn int // counts what was dropped: what was asked for before is not kept
	by   map[string]index.Scope
}

func (c *scopes) get(key string) (scope index.Scope, turn int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	scope, ok = c.by[key]
	return scope, c.turn, ok
}

func (c *scopes) put(key string, turn int, scope index.Scope) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if turn != c.turn {
		return
	}
	if c.by == nil || len(c.by) >= 1024 {
		c.by = map[string]index.Scope{}
	}
	c.by[key] = scope
}

func (c *scopes) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	c.by = nil
}

// union joins scopes.
func union(a, b index.Scope) index.Scope {
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	return slices.Compact(all)
}

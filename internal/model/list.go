package model

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"sync"

	"portico/internal/access"
	"portico/internal/provider"
	"portico/internal/rawjson"
)

// form is one of the shapes in which the list is given.
type form uint8

const (
	everything  form = iota // GET /api/models
	plain                   // GET /v1/models: what the OpenAI API says of a model, and no more
	openAIOnly              // GET /openai/models
	ollamaOnly              // GET /ollama/api/tags
	ollamaPlain             // GET /ollama/v1/models
	bases                   // GET /api/models/base
	forms
)

// List is GET /api/models: every model that who may use. It answers at once
// with what is known, and asks connections again behind the answer when that
// is older than Config.TTL. It waits, at most for Config.Patience, only for a
// connection that has not answered yet or not for long. With refresh all
// connections are asked now, and those that are alive are waited for.
func (g *Registry) List(ctx context.Context, who *access.Principal, refresh bool) (*Listing, error) {
	return g.list(ctx, who, everything, refresh)
}

// ListPlain is List in the shape of the OpenAI API.
func (g *Registry) ListPlain(ctx context.Context, who *access.Principal) (*Listing, error) {
	return g.list(ctx, who, plain, false)
}

// ListOpenAI is GET /openai/models: the models of OpenAI connections.
func (g *Registry) ListOpenAI(ctx context.Context, who *access.Principal) (*Listing, error) {
	return g.list(ctx, who, openAIOnly, false)
}

// ListOllama is GET /ollama/api/tags: the models of all Ollama connections,
// those of the same name as one.
func (g *Registry) ListOllama(ctx context.Context, who *access.Principal) (*Listing, error) {
	return g.list(ctx, who, ollamaOnly, false)
}

// ListOllamaPlain is GET /ollama/v1/models.
func (g *Registry) ListOllamaPlain(ctx context.Context, who *access.Principal) (*Listing, error) {
	return g.list(ctx, who, ollamaPlain, false)
}

// ListBase is GET /api/models/base: base models without what rows say of
// them, inactive ones included. It is for administrators.
func (g *Registry) ListBase(ctx context.Context, who *access.Principal) (*Listing, error) {
	return g.list(ctx, who, bases, false)
}

func (g *Registry) list(ctx context.Context, who *access.Principal, f form, refresh bool) (*Listing, error) {
	if _, err := g.current(ctx); err != nil { // connections may have changed
		return nil, err
	}
	now := g.cfg.Now()
	if refresh {
		g.wait(ctx, g.refreshAll(now), never)
	} else if wishes := g.refreshDue(now); wishes != nil {
		g.wait(ctx, wishes, never)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := g.current(ctx)
	if err != nil {
		return nil, err
	}
	return s.list(&g.cfg.Policy, who, f), nil
}

// View is one model as a caller may see it.
type View struct {
	ID       string
	Name     string
	Target   *Target
	Upstream []byte // the upstream's entry with our additions (urls, connection_type, …); empty for a workspace model
}

// OllamaModels are the models of Ollama connections that who may use, merged
// by name, in the order of the list.
func (g *Registry) OllamaModels(ctx context.Context, who *access.Principal) ([]View, error) {
	s, err := g.current(ctx)
	if err != nil {
		return nil, err
	}
	var views []View
	for _, e := range s.entries {
		if s.shows(&g.cfg.Policy, who, e, ollamaOnly) {
			views = append(views, View{ID: e.ID, Name: e.name, Target: &e.Target, Upstream: e.base.raw})
		}
	}
	return views, nil
}

// Lists are kept for the callers of one snapshot: by the set that a caller
// says to belong to, and by what is really in it, so that equal lists exist
// once.
type lists struct {
	mu    sync.Mutex
	bySet map[setKey]*Listing
	byIDs map[[sha256.Size]byte]*Listing
	bytes int
}

type setKey struct {
	form form
	set  string
}

const (
	maxSets      = 4096
	maxListBytes = 64 << 20
)

// list gives the bytes of one form for one caller.
func (s *Snapshot) list(pol *access.Policy, who *access.Principal, f form) *Listing {
	key := setKey{form: f}
	if who != nil && who.SetID != "" {
		key.set = who.SetID
		s.lists.mu.Lock()
		l := s.lists.bySet[key]
		s.lists.mu.Unlock()
		if l != nil {
			return l
		}
	}
	shown := make([]byte, 1+(len(s.entries)+7)/8)
	shown[0] = byte(f)
	for i, e := range s.entries {
		if s.shows(pol, who, e, f) {
			shown[1+i/8] |= 1 << (i % 8)
		}
	}
	l := s.intern(shown, f)
	if key.set != "" {
		s.lists.mu.Lock()
		if s.lists.bySet == nil || len(s.lists.bySet) >= maxSets {
			s.lists.bySet = map[setKey]*Listing{}
		}
		s.lists.bySet[key] = l
		s.lists.mu.Unlock()
	}
	return l
}

// intern gives the list with exactly the entries whose bits are set.
func (s *Snapshot) intern(shown []byte, f form) *Listing {
	id := sha256.Sum256(shown)
	s.lists.mu.Lock()
	l := s.lists.byIDs[id]
	s.lists.mu.Unlock()
	if l != nil {
		return l
	}
	body := s.join(shown[1:], f)
	sum := sha256.Sum256(body)
	l = &Listing{Body: body, ETag: `"` + hex.EncodeToString(sum[:16]) + `"`}
	s.lists.mu.Lock()
	defer s.lists.mu.Unlock()
	if s.lists.byIDs == nil || s.lists.bytes+len(body) > maxListBytes {
		s.lists.byIDs, s.lists.bySet, s.lists.bytes = map[[sha256.Size]byte]*Listing{}, nil, 0
	}
	s.lists.byIDs[id] = l
	s.lists.bytes += len(body)
	return l
}

// shows reports whether an entry is in a form of the list for who.
func (s *Snapshot) shows(pol *access.Policy, who *access.Principal, e *Entry, f form) bool {
	own := e.over == nil && e.base != nil // a base model
	switch f {
	case bases:
		return own && who.IsAdmin()
	case openAIOnly:
		if !own || e.base.kind != provider.OpenAI {
			return false
		}
	case ollamaOnly, ollamaPlain:
		if !own || e.base.kind != provider.Ollama {
			return false
		}
	}
	return e.listed && e.visible(pol, who)
}

// join writes the list.
func (s *Snapshot) join(shown []byte, f form) []byte {
	open, shut := `{"object":"list","data":[`, "]}"
	if f == ollamaOnly {
		open = `{"models":[`
	}
	size := len(open) + len(shut)
	for i, e := range s.entries {
		if shown[i/8]&(1<<(i%8)) != 0 {
			size += len(e.body) + 1
		}
	}
	b := append(make([]byte, 0, size), open...)
	for i, e := range s.entries {
		if shown[i/8]&(1<<(i%8)) == 0 {
			continue
		}
		if len(b) > len(open) {
			b = append(b, ',')
		}
		b = e.appendForm(b, f)
	}
	return append(b, shut...)
}

func (e *Entry) appendForm(b []byte, f form) []byte {
	switch f {
	case everything:
		return append(b, e.body...)
	case ollamaOnly:
		return append(b, e.base.raw...)
	case plain, ollamaPlain:
		return e.appendPlain(b, f)
	}
	b = append(b, `{"id":`...)
	b = rawjson.AppendString(b, e.ID)
	b = append(b, `,"name":`...)
	b = rawjson.AppendString(b, e.base.name)
	b = append(b, e.base.rest...)
	b = append(b, `,"actions":[],"filters":[],"tags":`...)
	b = appendTags(b, e.base.tags)
	return append(b, '}')
}

// appendPlain writes a model as the OpenAI API does.
func (e *Entry) appendPlain(b []byte, f form) []byte {
	created, owner := int64(0), "openai"
	switch {
	case e.Row != nil && e.Row.BaseModelID != "":
		created = e.Row.CreatedAt
	case e.base != nil:
		created = e.base.created
	}
	if e.base != nil && f == plain {
		owner = e.base.ownedBy()
	}
	b = append(b, `{"id":`...)
	b = rawjson.AppendString(b, e.ID)
	b = append(b, `,"object":"model","created":`...)
	b = strconv.AppendInt(b, created, 10)
	b = append(b, `,"owned_by":`...)
	b = rawjson.AppendString(b, owner)
	return append(b, '}')
}

// One is GET /v1/models/{id}: a model as the OpenAI API describes it.
func (g *Registry) One(ctx context.Context, who *access.Principal, id string) ([]byte, error) {
	t, err := g.Resolve(ctx, who, id)
	if err != nil {
		return nil, err
	}
	if e := g.snap.Load().byID[t.ID]; e != nil {
		return e.appendPlain(nil, plain), nil
	}
	return nil, notFound() // gone this instant
}

package retrieval

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"portico/internal/errdefs"
	"portico/internal/knowledge"
	"portico/internal/retrieval/chunk"
	"portico/internal/retrieval/embed"
	"portico/internal/setting"
)

// instance is the profiles of whatever has none of its own.
type instance struct {
	current *Profile // what searches use
	next    *Profile // being built in its place, or nil
}

// profiles are those in use, in memory. A profile never changes.
type profiles struct {
	mu    sync.Mutex
	byID  map[string]*Profile
	inst  *instance // nil is unknown
	stale int       // counts what was forgotten
}

func (p *profiles) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inst = nil
	p.stale++
}

// profile is one by its id.
func (s *Service) profile(ctx context.Context, id string) (*Profile, error) {
	s.profiles.mu.Lock()
	p := s.profiles.byID[id]
	s.profiles.mu.Unlock()
	if p != nil {
		return p, nil
	}
	p, err := s.cfg.Store.ProfileByID(ctx, id)
	if err != nil {
		return nil, err
	}
	s.profiles.mu.Lock()
	defer s.profiles.mu.Unlock()
	if s.profiles.byID == nil {
		s.profiles.byID = map[string]*Profile{}
	}
	s.profiles.byID[id] = p
	return p, nil
}

// instance gives the instance's profiles. The first one is what the settings
// ask for when somebody first needs it: only then an embedder is opened.
func (s *Service) instance(ctx context.Context) (*instance, error) {
	s.profiles.mu.Lock()
	known, stale := s.profiles.inst, s.profiles.stale
	s.profiles.mu.Unlock()
	if known != nil {
		return known, nil
	}
	currentID, nextID, err := s.cfg.Store.InstanceProfiles(ctx)
	if err != nil {
		return nil, err
	}
	found := new(instance)
	if currentID == "" {
		if found.current, err = s.wanted(ctx, knowledge.Settings{}); err != nil {
			return nil, err
		}
		if err := s.cfg.Store.SetInstanceProfiles(ctx, found.current.ID, ""); err != nil {
			return nil, err
		}
		return found, nil
	}
	if found.current, err = s.profile(ctx, currentID); err != nil {
		return nil, err
	}
	if nextID != "" {
		if found.next, err = s.profile(ctx, nextID); err != nil {
			return nil, err
		}
	}
	s.profiles.mu.Lock()
	defer s.profiles.mu.Unlock()
	if s.profiles.stale == stale {
		s.profiles.inst = found
	}
	return found, nil
}

// wanted is the profile that the settings ask for, with those of a collection
// over them. It is kept, so that it can be found by its id.
func (s *Service) wanted(ctx context.Context, own knowledge.Settings) (*Profile, error) {
	set := s.cfg.Settings
	p := &Profile{Chunk: chunk.Settings{
		Splitter: cmp.Or(own.Splitter, setting.Get(set, setting.TextSplitter)),
		Size:     cmp.Or(own.ChunkSize, setting.Get(set, setting.ChunkSize)),
		Overlap:  *cmp.Or(own.Overlap, new(setting.Get(set, setting.ChunkOverlap))),
		MinSize:  *cmp.Or(own.MinSize, new(setting.Get(set, setting.ChunkMinSize))),
		Headings: *cmp.Or(own.Headings, new(setting.Get(set, setting.MarkdownHeaders))),
	}}
	if p.Chunk.Splitter == "character" {
		p.Chunk.Splitter = "" // the same, by its other name
	}
	p.Chunk.Overlap = min(p.Chunk.Overlap, p.Chunk.Size/2)
	if e := s.chosen(own); e != nil {
		space := e.Space()
		p.Space, p.Engine, p.Model = space.ID, space.Engine, space.Model
		p.Chunk.MaxTokens = e.MaxTokens()
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(raw)
	p.ID = hex.EncodeToString(sum[:12])
	return p, s.cfg.Store.SaveProfile(ctx, p, s.now())
}

// chosen is the embedder that settings ask for; nil is none.
func (s *Service) chosen(own knowledge.Settings) embed.Embedder {
	if own.Engine == "" && own.Model == "" {
		return s.cfg.Embed.Current()
	}
	engine := own.Engine
	if engine == "" {
		engine = setting.Get(s.cfg.Settings, setting.EmbeddingEngine)
	}
	return s.cfg.Embed.Of(cmp.Or(engine, "local"), cmp.Or(own.Model, setting.Get(s.cfg.Settings, setting.EmbeddingModel)))
}

// embedder is the one of a profile's space, or nil when there is none now.
func (s *Service) embedder(p *Profile) embed.Embedder {
	if p.Space == "" {
		return nil
	}
	if e := s.cfg.Embed.Current(); e != nil && e.Space().ID == p.Space {
		return e
	}
	if e := s.cfg.Embed.Of(p.Engine, p.Model); e != nil && e.Space().ID == p.Space {
		return e
	}
	return nil
}

func (s *Service) canEmbed(p *Profile) bool { return s.embedder(p) != nil }

// profilesOf gives every profile under which a file must be searchable.
func (s *Service) profilesOf(ctx context.Context, fileID string, inst *instance) ([]*Profile, error) {
	all := []*Profile{inst.current}
	if inst.next != nil {
		all = append(all, inst.next)
	}
	ids, err := s.cfg.Store.ProfilesOfFile(ctx, fileID)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if slices.ContainsFunc(all, func(p *Profile) bool { return p.ID == id }) {
			continue
		}
		p, err := s.profile(ctx, id)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// profileOf is what a collection is searched with.
func (s *Service) profileOf(ctx context.Context, k *knowledge.Knowledge) (*Profile, error) {
	if k.Profile != "" {
		return s.profile(ctx, k.Profile)
	}
	inst, err := s.instance(ctx)
	if err != nil {
		return nil, err
	}
	return inst.current, nil
}

// own reports whether a collection wants to be cut or embedded in its own way.
func own(k knowledge.Settings) bool {
	return k.Splitter != "" || k.ChunkSize != 0 || k.Overlap != nil || k.MinSize != nil || k.Headings != nil || k.Engine != "" || k.Model != ""
}

// changed is told which settings have another value.
func (s *Service) changed(names []string) {
	for _, name := range names {
		if strings.HasPrefix(name, "rag.") || strings.HasPrefix(name, "openai.") || strings.HasPrefix(name, "ollama.") {
			signal(s.settling)
			return
		}
	}
}

// errUnread is told when a file is wanted that was not read.
var errUnread = errdefs.New(errdefs.Invalid, "The file was not processed: it has no text. Process it first, or upload it with process=true.")

package model

import (
	"cmp"
	"slices"
	"strings"

	"portico/internal/access"
	"portico/internal/provider"
)

// Entry is one model of a snapshot: a base model with or without an overlay,
// or a workspace model.
type Entry struct {
	Target

	name   string
	base   *base // what answers in the end; nil when it is gone
	over   *Entry
	active bool // itself and all that it stands on
	owner  string
	grants []access.Grant

	listed bool   // in lists of all models
	body   []byte // its entry in GET /api/models
}

// Snapshot is what there is at one moment. It is never changed.
type Snapshot struct {
	seen           uint64 // changes of rows, grants and settings that are in it
	openai, ollama []*provider.Backend
	byID           map[string]*Entry // base and workspace models, also without ":latest"
	entries        []*Entry          // in the order of the list
	lists          lists
}

// maxChain is how many models may stand on each other.
const maxChain = 8

// rebuild makes a snapshot of connections, rows, grants and order. What has not
// changed since the last one is not encoded again. Registry.mu is held.
func (g *Registry) rebuild(seen uint64) {
	old := g.snap.Load()
	ids, sources := gather(g.conns)
	listed := len(ids)
	if listed == 0 && g.spare != nil && g.young.Load() == 0 {
		ids, sources = gather([]*conn{g.spare})
	}
	s := &Snapshot{seen: seen, byID: make(map[string]*Entry, 2*len(ids)+len(g.rows))}
	for _, c := range g.conns {
		if c.backend.Kind == provider.Ollama {
			s.ollama = append(s.ollama, c.backend)
		} else {
			s.openai = append(s.openai, c.backend)
		}
	}
	for _, id := range ids {
		last := old.byID[id]
		var b *base
		if last != nil && last.ID == id && last.over == nil && last.base.madeOf(sources[id]) {
			b = last.base
		} else {
			b = newBase(id, sources[id])
		}
		s.add(g.baseEntry(b, last))
	}
	for _, row := range g.workspace() {
		if s.byID[row.ID] == nil { // a base model of that id comes first
			e := &Entry{Target: Target{ID: row.ID, Row: row}, name: row.Name, owner: row.UserID, grants: g.grants[row.ID]}
			e.active, e.listed = row.IsActive, row.IsActive && listed > 0
			s.add(e)
		}
	}
	for _, e := range s.entries {
		if e.base == nil {
			s.resolve(e, 0)
		}
	}
	for _, e := range s.entries {
		e.encode(old.byID[e.ID])
	}
	s.alias()
	g.sort(s)
	g.snap.Store(s)
}

func (s *Snapshot) add(e *Entry) {
	s.byID[e.ID] = e
	s.entries = append(s.entries, e)
}

// baseEntry lays the overlay of a base model, if there is one, over it.
func (g *Registry) baseEntry(b *base, last *Entry) *Entry {
	e := &Entry{
		Target: Target{ID: b.id, Upstream: b.upstream, Kind: b.kind, Backends: b.backends},
		name:   b.name, base: b, active: true, listed: true,
	}
	row := g.rows[b.id]
	if row == nil || row.BaseModelID != "" {
		if b.kind == provider.Builtin {
			e.grants = []access.Grant{{PrincipalType: "user", PrincipalID: "*", Permission: "read"}}
		}
		return e
	}
	e.Row, e.owner, e.grants = row, row.UserID, g.grants[b.id]
	e.active, e.listed = row.IsActive, row.IsActive
	if row.Name != "" {
		e.name = row.Name
	}
	return e
}

// workspace gives the rows that are models of their own, oldest first.
func (g *Registry) workspace() []*Row {
	var rows []*Row
	for _, row := range g.rows {
		if row.BaseModelID != "" {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b *Row) int {
		return cmp.Or(cmp.Compare(a.CreatedAt, b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return rows
}

// resolve finds what a workspace model stands on. It fails, leaving base nil,
// where that is gone, goes in a circle, or is too deep.
func (s *Snapshot) resolve(e *Entry, depth int) {
	if depth >= maxChain {
		return
	}
	over := s.find(e.Row.BaseModelID)
	if over == nil || over == e {
		return
	}
	if over.base == nil {
		s.resolve(over, depth+1)
	}
	if over.base == nil || over.height() >= maxChain {
		return
	}
	e.over, e.base = over, over.base
	e.active = e.active && over.active
	e.Upstream, e.Kind, e.Backends = over.Upstream, over.Kind, over.Backends
}

func (e *Entry) height() (n int) {
	for ; e != nil; e = e.over {
		n++
	}
	return n
}

// find looks up a base model: exactly, as ":latest", or as the only part of an
// Ollama model's name that was given.
func (s *Snapshot) find(id string) *Entry {
	if e := s.byID[id]; e != nil {
		return e
	}
	if e := s.byID[id+":latest"]; e != nil {
		return e
	}
	for _, e := range s.entries {
		if e.Kind != provider.Ollama || e.over != nil {
			continue
		}
		if name, _, _ := strings.Cut(e.ID, ":"); name == id {
			return e
		}
	}
	return nil
}

// alias makes names without a tag mean ":latest".
func (s *Snapshot) alias() {
	for _, e := range s.entries {
		if short, ok := strings.CutSuffix(e.ID, ":latest"); ok && s.byID[short] == nil {
			s.byID[short] = e
		}
	}
}

// sort applies the administrator's order: what is in it, then the rest by name.
func (g *Registry) sort(s *Snapshot) {
	if len(g.order) == 0 {
		return
	}
	place := func(e *Entry) int {
		if i, ok := g.order[e.ID]; ok {
			return i
		}
		return len(g.order)
	}
	slices.SortStableFunc(s.entries, func(a, b *Entry) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a.name, b.name))
	})
}

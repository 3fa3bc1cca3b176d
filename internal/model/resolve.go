package model

import (
	"context"

	"portico/internal/access"
	"portico/internal/errdefs"
)

// maxID bounds the ids that are looked up at all.
const maxID = 512

// Resolve finds the model that who means by id, an id without a tag meaning
// ":latest". A model that is unknown and one that who may not use are the same
// errdefs.NotFound. A hit costs no allocation and no statement; for a miss the
// connections are asked again, together with all others who miss, and at most
// once a second in the long run.
func (g *Registry) Resolve(ctx context.Context, who *access.Principal, id string) (*Target, error) {
	s, err := g.current(ctx)
	if err != nil {
		return nil, err
	}
	now := g.cfg.Now()
	if now.UnixNano() > g.due.Load()+int64(resolveAge) {
		g.refreshDue(now)
	}
	e := s.byID[id]
	if e == nil || e.base == nil {
		if e, err = g.seek(ctx, id, s.missing(id)); err != nil {
			return nil, err
		}
	}
	if e == nil || !e.usable(&g.cfg.Policy, who) {
		return nil, notFound()
	}
	return &e.Target, nil
}

// Knows reports whether there is a model of that id, whoever may use it.
func (g *Registry) Knows(id string) bool { return g.snap.Load().byID[id] != nil }

func notFound() error { return errdefs.New(errdefs.NotFound, "Model not found") }

// missing is the id that keeps another one from being usable: itself when it
// is unknown, else what it stands on in the end; "" when asking cannot help.
func (s *Snapshot) missing(id string) string {
	for range maxChain {
		e := s.byID[id]
		if e == nil {
			e = s.find(id)
		}
		if e == nil {
			return id
		}
		if e.base != nil || !e.active {
			return ""
		}
		id = e.Row.BaseModelID
	}
	return ""
}

// seek asks the connections for a model that is not known, and gives the entry
// of id after that.
func (g *Registry) seek(ctx context.Context, id, missing string) (*Entry, error) {
	find := func() *Entry { return g.snap.Load().byID[id] }
	if missing == "" || len(missing) > maxID {
		return find(), nil
	}
	found := func() bool { e := find(); return e != nil && e.base != nil }
	for range 3 { // an asking that was under way may have missed the model
		now := g.cfg.Now()
		g.mu.Lock()
		may := g.misses.take(now)
		g.mu.Unlock()
		wishes := g.running(now)
		if may {
			wishes = g.refreshAll(now)
		}
		g.wait(ctx, wishes, found)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if found() || !g.again(wishes, may) {
			break
		}
	}
	return find(), nil
}

// again reports whether it makes sense to ask once more: an asking may have
// begun before the model was there, or the settings changed meanwhile.
func (g *Registry) again(wishes []wish, may bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, w := range wishes {
		if w.c.gone || w.joined && may {
			return true
		}
	}
	return false
}

// usable walks the chain of base models: whoever uses a model must be allowed
// to use each of them.
func (e *Entry) usable(pol *access.Policy, who *access.Principal) bool {
	if e.base == nil || !e.active {
		return false // its base model is gone, or it is switched off
	}
	return e.visible(pol, who)
}

// visible is usable without regard to whether there is anything to use.
func (e *Entry) visible(pol *access.Policy, who *access.Principal) bool {
	if !pol.Can(who, access.Read, access.Model, e.owner, e.ID, e.grants) {
		return false
	}
	if e.over == nil {
		return true
	}
	// The scope of a key names what may be asked for, not what that stands on.
	unscoped := *who
	unscoped.Models = nil
	for b := e.over; b != nil; b = b.over {
		if !pol.Can(&unscoped, access.Read, access.Model, b.owner, b.ID, b.grants) {
			return false
		}
	}
	return true
}

package model

import (
	"context"
	"encoding/json"

	"portico/internal/access"
	"portico/internal/errdefs"
	"portico/internal/rawjson"
)

// Import stores drafts that come from elsewhere, all of them or none: it
// changes the rows that are there, which the author must be allowed to do, and
// makes the others, which become the author's. Grants to people and groups that
// are not here are left out.
func (g *Registry) Import(ctx context.Context, who Author, drafts []Draft) error {
	changes, err := g.changes(ctx, who, drafts)
	if err != nil {
		return err
	}
	return g.saveAll(ctx, changes, nil)
}

// Sync is Import for an administrator who gives all rows that there shall be:
// the others are removed.
func (g *Registry) Sync(ctx context.Context, who Author, drafts []Draft) error {
	changes, err := g.changes(ctx, who, drafts)
	if err != nil {
		return err
	}
	keep := make(map[string]bool, len(changes))
	for i := range changes {
		keep[changes[i].Row.ID] = true
	}
	rows, _ := g.known()
	var drop []string
	for id := range rows {
		if !keep[id] {
			drop = append(drop, id)
		}
	}
	return g.saveAll(ctx, changes, drop)
}

// DeleteAll removes every row with its grants. Base models stay, without them.
func (g *Registry) DeleteAll(ctx context.Context) error {
	if _, err := g.current(ctx); err != nil {
		return err
	}
	rows, _ := g.known()
	var drop []string
	for id := range rows {
		drop = append(drop, id)
	}
	return g.saveAll(ctx, nil, drop)
}

func (g *Registry) saveAll(ctx context.Context, changes []Change, drop []string) error {
	err := g.cfg.Rows.SaveModels(ctx, changes, drop)
	if errdefs.Is(err, errdefs.Conflict) {
		return taken()
	}
	return err
}

// known gives rows and grants, which are replaced and never changed.
func (g *Registry) known() (map[string]*Row, map[string][]access.Grant) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.rows, g.grants
}

// changes checks drafts and makes rows of them. Drafts may stand on each other.
func (g *Registry) changes(ctx context.Context, who Author, drafts []Draft) ([]Change, error) {
	if _, err := g.current(ctx); err != nil {
		return nil, err
	}
	rows, grants := g.known()
	after := make(map[string]*Row, len(rows)+len(drafts))
	for id, row := range rows {
		after[id] = row
	}
	var changes []Change
	together := map[string]bool{}
	for i := range drafts {
		together[drafts[i].ID] = true
	}
	if len(together) < len(drafts) {
		return nil, errdefs.New(errdefs.Invalid, "The list has a model twice.")
	}
	for i := range drafts {
		c, err := g.change(ctx, who, &drafts[i], rows[drafts[i].ID], grants[drafts[i].ID], together)
		if err != nil {
			return nil, err
		}
		after[c.Row.ID] = c.Row
		changes = append(changes, c)
	}
	for i := range changes {
		if err := checkChain(after, changes[i].Row.ID, changes[i].Row.BaseModelID); err != nil {
			return nil, err
		}
	}
	return changes, nil
}

// change makes one row of a draft; have is the row that is there, or nil.
func (g *Registry) change(ctx context.Context, who Author, d *Draft, have *Row, grants []access.Grant, together map[string]bool) (Change, error) {
	if have != nil && !g.writable(who.Principal, have, grants) {
		return Change{}, notWritable()
	}
	if err := d.check(); err != nil {
		return Change{}, err
	}
	if !together[d.BaseModelID] && (have == nil || have.BaseModelID != d.BaseModelID) {
		if err := g.checkBase(ctx, who, d); err != nil {
			return Change{}, err
		}
	}
	if err := attach(who, d.Meta, have, who.IsAdmin()); err != nil {
		return Change{}, err
	}
	now := g.cfg.Now().Unix()
	c := Change{New: have == nil, By: who.UserID}
	row := Row{ID: d.ID, UserID: who.UserID, CreatedAt: now, IsActive: true}
	if have != nil {
		row = *have
	}
	row.Name, row.BaseModelID, row.UpdatedAt, row.VersionID = d.Name, d.BaseModelID, now, g.cfg.NewID()
	row.Params, row.Meta = object(d.Params), completeMeta(d.Meta)
	if d.Active != nil {
		row.IsActive = *d.Active
	}
	c.Row = &row
	if d.Grants != nil {
		given, err := who.Brings("models", *d.Grants)
		if err != nil {
			return Change{}, err
		}
		c.Grants = &given
	}
	return c, nil
}

// checkChain refuses a base that leads back to the model itself, or is too far
// down.
func checkChain(rows map[string]*Row, id, base string) error {
	for depth := 1; base != ""; depth++ {
		row := rows[base]
		if base == id || row == nil && base+":latest" == id {
			return errdefs.New(errdefs.Invalid, "The base models go in a circle: this model would stand on itself. Choose another base model.")
		}
		if row == nil {
			return nil
		}
		if depth >= maxChain {
			return errdefs.Newf(errdefs.Invalid, "At most %d models may stand on each other. Choose a base model further down.", maxChain)
		}
		base = row.BaseModelID
	}
	return nil
}

// ref is a collection or a file that a model brings into chats.
type ref struct {
	kind access.Kind
	id   string
}

// attach refuses what the author newly attaches and may not read: else a model
// of theirs would read it to others. Lenient lets through what does not exist.
func attach(who Author, meta json.RawMessage, have *Row, lenient bool) error {
	if who.Reads == nil {
		return nil
	}
	before := map[ref]bool{}
	if have != nil {
		for _, r := range attached(have.Meta) {
			before[r] = true
		}
	}
	for _, r := range attached(meta) {
		if before[r] {
			continue
		}
		err := who.Reads(r.kind, r.id)
		switch {
		case err == nil, lenient && errdefs.Is(err, errdefs.NotFound):
		case errdefs.Is(err, errdefs.NotFound), errdefs.Is(err, errdefs.Forbidden):
			return errdefs.Newf(errdefs.Invalid, "The model names a %s that does not exist or that you may not read: %.80q.", r.kind, r.id)
		default:
			return err
		}
	}
	return nil
}

// attached lists the collections and files of a meta's "knowledge", in the
// forms that clients have sent over time.
func attached(meta json.RawMessage) (refs []ref) {
	named := func(raw []byte) {
		if name, ok := rawjson.Unquote(raw); ok && name != "" {
			refs = append(refs, refOf(name))
		}
	}
	rawjson.Elements(rawjson.Lookup(meta, "knowledge"), func(item []byte) {
		named(item)
		id, _ := rawjson.Unquote(rawjson.Lookup(item, "id"))
		kind, _ := rawjson.Unquote(rawjson.Lookup(item, "type"))
		switch {
		case id == "":
		case kind == "file":
			refs = append(refs, ref{access.File, id})
		case kind == "collection" || kind == "":
			refs = append(refs, ref{access.Knowledge, id})
		}
		named(rawjson.Lookup(item, "collection_name"))
		rawjson.Elements(rawjson.Lookup(item, "collection_names"), named)
	})
	return refs
}

// refOf reads the name of a collection: "file-" and an id is that of one file.
func refOf(name string) ref {
	const prefix = "file-"
	if len(name) > len(prefix) && name[:len(prefix)] == prefix {
		return ref{access.File, name[len(prefix):]}
	}
	return ref{access.Knowledge, name}
}

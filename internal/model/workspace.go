package model

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"portico/internal/access"
	"portico/internal/errdefs"
	"portico/internal/rawjson"
)

// Author is who changes models.
type Author = access.Author

// Draft is what an author gives of a model. Nil fields of an update stay as
// they are.
type Draft struct {
	ID          string
	BaseModelID string
	Name        string
	Params      json.RawMessage
	Meta        json.RawMessage
	Grants      *[]access.Grant
	Active      *bool
}

// Sheet is a row as a caller may see it.
type Sheet struct {
	*Row
	Grants   []access.Grant
	Writable bool
}

// MarshalJSON writes the row in the API's shape. Whoever may not change it does
// not see its parameters, among which is the system prompt.
func (s Sheet) MarshalJSON() ([]byte, error) {
	return s.AppendJSON(nil, s.Grants, s.Writable), nil
}

// The longest id and name, in bytes.
const (
	maxRowID = 256
	maxName  = 1024
)

// Create makes a workspace model or, without a base, an overlay on a base
// model, which is for administrators. Grants that the author may not give are
// left out.
func (g *Registry) Create(ctx context.Context, who Author, d Draft) (*Sheet, error) {
	if !who.Has("workspace.models") {
		return nil, unauthorized()
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	if err := g.checkBase(ctx, who, &d); err != nil {
		return nil, err
	}
	if err := attach(who, d.Meta, nil, false); err != nil {
		return nil, err
	}
	var grants []access.Grant
	if d.Grants != nil {
		var err error
		if grants, err = who.Gives("models", *d.Grants); err != nil {
			return nil, err
		}
	}
	now := g.cfg.Now().Unix()
	row := &Row{
		ID: d.ID, UserID: who.UserID, BaseModelID: d.BaseModelID, Name: d.Name, Params: object(d.Params), Meta: completeMeta(d.Meta),
		IsActive: d.Active == nil || *d.Active, VersionID: g.cfg.NewID(), CreatedAt: now, UpdatedAt: now,
	}
	return g.create(ctx, row, grants)
}

func (g *Registry) create(ctx context.Context, row *Row, grants []access.Grant) (*Sheet, error) {
	err := g.cfg.Rows.CreateModel(ctx, row, grants)
	if errdefs.Is(err, errdefs.Conflict) {
		return nil, taken()
	}
	if err != nil {
		return nil, err
	}
	return g.sheet(ctx, row)
}

// taken is 401 because the documented route says so.
func taken() error {
	return errdefs.New(errdefs.Conflict, "There is already a model with this id. Choose another one.").WithStatus(http.StatusUnauthorized)
}

func unauthorized() error {
	return errdefs.New(errdefs.Forbidden, "You may not make or change models. Ask an administrator for the permission.").WithStatus(http.StatusUnauthorized)
}

// sheet reads back what was stored, for its author.
func (g *Registry) sheet(ctx context.Context, row *Row) (*Sheet, error) {
	grants, err := g.cfg.Grants.GrantsOf(ctx, access.Model, row.ID)
	if err != nil {
		return nil, err
	}
	return &Sheet{Row: row, Grants: grants, Writable: true}, nil
}

// unseen reports whether two ids could differ in r and look alike, or r could
// command the terminal of whoever reads a log.
func unseen(r rune) bool { return r == ' ' || r == utf8.RuneError || !unicode.IsPrint(r) }

func (d *Draft) check() error {
	switch {
	case d.ID == "" || len(d.ID) > maxRowID || strings.ContainsFunc(d.ID, unseen):
		return errdefs.Newf(errdefs.Invalid, "The id of a model has 1 to %d characters, no spaces, and nothing that cannot be seen.", maxRowID)
	case d.Name == "" || len(d.Name) > maxName || strings.ContainsFunc(d.Name, unicode.IsControl):
		return errdefs.Newf(errdefs.Invalid, "The name of a model has 1 to %d characters and no line breaks.", maxName)
	case d.BaseModelID == d.ID:
		return errdefs.New(errdefs.Invalid, "A model cannot stand on itself. Choose another base model.")
	}
	return nil
}

// checkBase sees to it that nobody reaches, through a model of their own, one
// that they may not use.
func (g *Registry) checkBase(ctx context.Context, who Author, d *Draft) error {
	if d.BaseModelID == "" {
		if who.IsAdmin() {
			return nil
		}
		return errdefs.New(errdefs.Invalid, "Choose a base model: only administrators may change what a base model itself is.")
	}
	if !who.IsAdmin() {
		if _, err := g.Resolve(ctx, who.Principal, d.BaseModelID); err != nil {
			return err
		}
	}
	// Connections that are yet to say what they have may have this id.
	g.wait(ctx, g.refreshDue(g.cfg.Now()), never)
	s, err := g.current(ctx)
	if err != nil {
		return err
	}
	rows, _ := g.known()
	if err := checkChain(rows, d.ID, d.BaseModelID); err != nil {
		return err
	}
	if e := s.byID[d.ID]; e != nil && e.ID == d.ID && e.base != nil && e.over == nil {
		return taken() // a base model of that id would hide it
	}
	return nil
}

// Get gives a row to whoever may use the model.
func (g *Registry) Get(ctx context.Context, who *access.Principal, id string) (*Sheet, error) {
	row, grants, err := g.row(ctx, id)
	if err != nil {
		return nil, err
	}
	if row == nil || !g.cfg.Policy.Can(who, access.Read, access.Model, row.UserID, id, grants) {
		return nil, notFound()
	}
	return &Sheet{Row: row, Grants: grants, Writable: g.writable(who, row, grants)}, nil
}

func (g *Registry) writable(who *access.Principal, row *Row, grants []access.Grant) bool {
	return g.cfg.Policy.Can(who, access.Write, access.Model, row.UserID, row.ID, grants)
}

// row gives a row and its grants from memory; nil when there is none.
func (g *Registry) row(ctx context.Context, id string) (*Row, []access.Grant, error) {
	if _, err := g.current(ctx); err != nil {
		return nil, nil, err
	}
	rows, grants := g.known()
	return rows[id], grants[id], nil
}

// Sheets gives every row that who may use, in no order.
func (g *Registry) Sheets(ctx context.Context, who *access.Principal) ([]Sheet, error) {
	if _, err := g.current(ctx); err != nil {
		return nil, err
	}
	rows, grants := g.known()
	sheets := make([]Sheet, 0, len(rows))
	for id, row := range rows {
		if g.cfg.Policy.Can(who, access.Read, access.Model, row.UserID, id, grants[id]) {
			sheets = append(sheets, Sheet{Row: row, Grants: grants[id], Writable: g.writable(who, row, grants[id])})
		}
	}
	return sheets, nil
}

// editable gives a copy of a row that the author may change. For an
// administrator a base model without a row gets one when it is stored.
func (g *Registry) editable(ctx context.Context, who Author, id string) (row Row, fresh bool, err error) {
	if !who.Has("workspace.models") {
		return Row{}, false, unauthorized()
	}
	have, grants, err := g.row(ctx, id)
	if err != nil {
		return Row{}, false, err
	}
	if have != nil {
		if !g.writable(who.Principal, have, grants) {
			return Row{}, false, notWritable()
		}
		return *have, false, nil
	}
	if !who.IsAdmin() {
		return Row{}, false, notFound()
	}
	// An inactive model has a row, so what has none can be resolved.
	t, err := g.Resolve(ctx, who.Principal, id)
	if err != nil {
		return Row{}, false, err
	}
	name := t.ID
	if e := g.snap.Load().byID[t.ID]; e != nil {
		name = e.name
	}
	now := g.cfg.Now().Unix()
	return Row{ID: t.ID, UserID: who.UserID, Name: name, Params: json.RawMessage("{}"), Meta: completeMeta(nil), IsActive: true, CreatedAt: now, UpdatedAt: now}, true, nil
}

func notWritable() error {
	return errdefs.New(errdefs.Forbidden, "You may not change this model. Its owner or an administrator can.").WithStatus(http.StatusUnauthorized)
}

// store keeps a changed row and, when they are given, its grants.
func (g *Registry) store(ctx context.Context, who Author, row *Row, fresh bool, grants *[]access.Grant) (*Sheet, error) {
	row.VersionID = g.cfg.NewID()
	if !fresh {
		row.UpdatedAt = g.cfg.Now().Unix()
	}
	if err := g.saveAll(ctx, []Change{{Row: row, Grants: grants, New: fresh, By: who.UserID}}, nil); err != nil {
		return nil, err
	}
	return g.sheet(ctx, row)
}

// Update replaces what a draft gives. An administrator may so lay a row over a
// base model that had none.
func (g *Registry) Update(ctx context.Context, who Author, d Draft) (*Sheet, error) {
	row, fresh, err := g.editable(ctx, who, d.ID)
	if err != nil {
		return nil, err
	}
	d.ID = row.ID
	if d.Name == "" {
		d.Name = row.Name
	}
	if d.BaseModelID == "" && !fresh {
		d.BaseModelID = row.BaseModelID
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	if d.BaseModelID != row.BaseModelID {
		if err := g.checkBase(ctx, who, &d); err != nil {
			return nil, err
		}
	}
	if d.Grants != nil {
		if err := g.checkGrants(ctx, who, row.ID, *d.Grants); err != nil {
			return nil, err
		}
	}
	if err := attach(who, d.Meta, &row, false); err != nil {
		return nil, err
	}
	row.Name, row.BaseModelID = d.Name, d.BaseModelID
	if d.Params != nil {
		row.Params = object(d.Params)
	}
	if d.Meta != nil {
		row.Meta = completeMeta(d.Meta)
	}
	if d.Active != nil {
		row.IsActive = *d.Active
	}
	return g.store(ctx, who, &row, fresh, d.Grants)
}

// History gives what a model was before, the latest first, to whoever may
// change it.
func (g *Registry) History(ctx context.Context, who *access.Principal, id string) ([]Version, error) {
	row, grants, err := g.row(ctx, id)
	if err != nil {
		return nil, err
	}
	if row == nil || !g.cfg.Policy.Can(who, access.Read, access.Model, row.UserID, id, grants) {
		return nil, notFound()
	}
	if !g.writable(who, row, grants) {
		return nil, notWritable() // prompts are in it
	}
	return g.cfg.Rows.Versions(ctx, id)
}

// Toggle switches a model on or off.
func (g *Registry) Toggle(ctx context.Context, who Author, id string) (*Sheet, error) {
	row, fresh, err := g.editable(ctx, who, id)
	if err != nil {
		return nil, err
	}
	row.IsActive = !row.IsActive
	return g.store(ctx, who, &row, fresh, nil)
}

// SetAccess replaces the grants of a model. It is the one switch that shares a
// base model, too.
func (g *Registry) SetAccess(ctx context.Context, who Author, id string, grants []access.Grant) (*Sheet, error) {
	row, fresh, err := g.editable(ctx, who, id)
	if err != nil {
		return nil, err
	}
	if err := g.checkGrants(ctx, who, row.ID, grants); err != nil {
		return nil, err
	}
	if fresh {
		return g.store(ctx, who, &row, true, &grants)
	}
	if err := g.cfg.Grants.SetGrants(ctx, access.Model, row.ID, grants); err != nil {
		return nil, err
	}
	return g.sheet(ctx, &row)
}

// Delete removes a row with its grants. A base model stays, without them.
func (g *Registry) Delete(ctx context.Context, who Author, id string) error {
	row, fresh, err := g.editable(ctx, who, id)
	if err != nil {
		return err
	}
	if fresh {
		return notFound()
	}
	return g.cfg.Rows.DeleteModel(ctx, row.ID)
}

// checkGrants refuses the first grant that makes no sense or is not theirs to
// give. Those that are there already may stay.
func (g *Registry) checkGrants(ctx context.Context, who Author, id string, grants []access.Grant) error {
	_, have, err := g.row(ctx, id)
	if err != nil {
		return err
	}
	return who.MayGive("models", have, grants)
}

// metaKeys are always there, null when nobody set them.
var metaKeys = [...]string{"profile_image_url", "background_image_url", "description", "i18n", "capabilities", "knowledge", "voice", "voice_avatar"}

func completeMeta(raw json.RawMessage) json.RawMessage {
	doc := rawjson.Get()
	defer rawjson.Put(doc)
	if len(raw) == 0 || doc.Parse(raw, rawjson.Limits{}) != nil {
		_ = doc.Parse([]byte("{}"), rawjson.Limits{}) // is an object
	}
	var set []rawjson.Set
	for _, key := range metaKeys {
		if doc.Get(key) == nil {
			set = append(set, rawjson.Set{Key: key, Value: []byte("null")})
		}
	}
	return doc.Append(nil, nil, set)
}

// Active gives the workspace and base models that who may use now, by name, and
// counts all that there are.
func (g *Registry) Active(ctx context.Context, who *access.Principal) (usable []Sheet, all int, err error) {
	s, err := g.current(ctx)
	if err != nil {
		return nil, 0, err
	}
	for _, e := range s.entries {
		if !e.active || e.base == nil {
			continue
		}
		all++
		if e.usable(&g.cfg.Policy, who) {
			usable = append(usable, Sheet{Row: &Row{ID: e.ID, Name: e.name}})
		}
	}
	slices.SortFunc(usable, func(a, b Sheet) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return usable, all, nil
}

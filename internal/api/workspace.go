package api

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"portico/internal/access"
	"portico/internal/api/route"
	"portico/internal/errdefs"
	"portico/internal/model"
	"portico/internal/user"
)

// maxModelBody leaves room for a picture within a model's description.
const maxModelBody = 4 << 20

// workspaceRoutes make and change models: workspace models, and what is laid
// over base models.
func (a *API) workspaceRoutes() []route.Route {
	const base = "/api/v1/models"
	id := []route.Param{{Name: "id", In: "query", Doc: "Id of the model.", Required: true}}
	return append(a.modelImportRoutes(), []route.Route{
		{
			Method: "GET", Path: base + "/list", Op: "workspace_models", Tag: "models", Who: route.Verified,
			Summary: "List workspace models, page by page", Answer: workspaceList{}, Handler: a.workspaceModels,
			Params: []route.Param{
				{Name: "query", In: "query", Doc: "Part of the id or the name."},
				{Name: "view_option", In: "query", Doc: "created (by the caller) or shared (by others)."},
				{Name: "tag", In: "query", Doc: "A tag that the models have."},
				{Name: "order_by", In: "query", Doc: "name, created_at or updated_at (default)."},
				{Name: "direction", In: "query", Doc: "asc or desc (default)."},
				{Name: "page", In: "query", Doc: "From 1, with 30 models each.", Type: 0},
			},
		},
		{
			Method: "GET", Path: base + "/all", Op: "all_model_rows", Tag: "models", Who: route.Admin,
			Summary: "List workspace models and what is laid over base models", Answer: []modelRow{},
			Handler: route.NoBody(func(ctx context.Context, c *route.Call) ([]model.Sheet, error) {
				return a.sheets(ctx, c, func(model.Sheet) bool { return true })
			}),
		},
		{
			Method: "GET", Path: base + "/base", Op: "base_model_rows", Tag: "models", Who: route.Admin,
			Summary: "List what is laid over base models", Answer: []modelRow{}, Handler: route.NoBody(a.baseRows),
		},
		{
			Method: "GET", Path: base + "/tags", Op: "model_tags", Tag: "models", Who: route.Verified,
			Summary: "List the tags of workspace models", Answer: []string{}, Handler: route.NoBody(a.modelTags),
		},
		{
			Method: "GET", Path: base + "/export", Op: "export_models", Tag: "models", Who: route.Verified,
			Summary: "All workspace models that the caller may change", Answer: []modelRow{}, Errors: []int{401}, Handler: route.NoBody(a.exportModels),
		},
		{
			Method: "POST", Path: base + "/create", Op: "create_model", Tag: "models", Who: route.Verified, MaxBody: maxModelBody,
			Summary: "Make a workspace model", Body: modelForm{}, Answer: modelRow{}, Errors: []int{400, 401, 404}, Handler: route.JSON(a.createModel),
			Doc: "Needs the permission workspace.models, and a base model that the caller may use. Grants that the caller may not give are left out.",
		},
		{
			Method: "GET", Path: base + "/model", Op: "model", Tag: "models", Who: route.Verified, Params: id,
			Summary: "One model", Answer: modelSheet{}, Errors: []int{404}, Handler: a.oneModel,
			Doc: "Parameters, among them the system prompt, are shown to whoever may change the model.",
		},
		{
			Method: "POST", Path: base + "/model/update", Op: "update_model", Tag: "models", Who: route.Verified, MaxBody: maxModelBody, Params: optional(id),
			Summary: "Change a model", Body: modelForm{}, Answer: modelRow{}, Errors: []int{400, 401, 403, 404}, Handler: a.updateModel,
		},
		{
			Method: "POST", Path: base + "/model/access/update", Op: "share_model", Tag: "models", Who: route.Verified,
			Summary: "Say who may use a model", Body: accessForm{}, Answer: modelRow{}, Errors: []int{400, 401, 403, 404}, Handler: route.JSON(a.shareModel),
			Doc: "Works on base models too, for administrators: `{\"id\":\"…\",\"access_grants\":[{\"principal_type\":\"user\",\"principal_id\":\"*\",\"permission\":\"read\"}]}` shares one with everybody.",
		},
		{
			Method: "POST", Path: base + "/model/toggle", Op: "toggle_model", Tag: "models", Who: route.Verified, Params: id,
			Summary: "Switch a model on or off", Answer: modelRow{}, Errors: []int{401, 404}, Handler: a.toggleModel,
		},
		{
			Method: "POST", Path: base + "/model/delete", Op: "delete_model", Tag: "models", Who: route.Verified,
			Summary: "Delete a model's row and grants", Body: idForm{}, Answer: true, Errors: []int{401, 404}, Handler: route.JSON(a.deleteModel),
		},
	}...)
}

func optional(params []route.Param) []route.Param {
	params = slices.Clone(params)
	for i := range params {
		params[i].Required = false
	}
	return params
}

// modelRow describes a row. base_model_id is null for what is laid over a base model.
type modelRow struct {
	VersionID   string          `json:"version_id"`
	ID          string          `json:"id"`
	UserID      string          `json:"user_id"`
	BaseModelID *string         `json:"base_model_id"`
	Name        string          `json:"name"`
	Params      json.RawMessage `json:"params"`
	Meta        json.RawMessage `json:"meta"`
	Grants      []access.Grant  `json:"access_grants"`
	IsActive    bool            `json:"is_active"`
	UpdatedAt   int64           `json:"updated_at"`
	CreatedAt   int64           `json:"created_at"`
}

// modelSheet describes a row with what the caller may do with it.
type modelSheet struct {
	modelRow
	User     *personAnswer `json:"user"`
	Writable bool          `json:"write_access"`
}

type workspaceList struct {
	Items []modelSheet `json:"items"`
	Total int          `json:"total"`
}

type modelForm struct {
	ID          string          `json:"id" require:"true"`
	BaseModelID *string         `json:"base_model_id"`
	Name        string          `json:"name" require:"true"`
	Meta        json.RawMessage `json:"meta" require:"true"`
	Params      json.RawMessage `json:"params" require:"true"`
	Grants      *[]access.Grant `json:"access_grants"`
	IsActive    *bool           `json:"is_active"`
}

type accessForm struct {
	ID     string         `json:"id" require:"true"`
	Name   string         `json:"name"`
	Grants []access.Grant `json:"access_grants" require:"true"`
}

type idForm struct {
	ID string `json:"id" require:"true"`
}

func (f *modelForm) draft() (model.Draft, error) {
	d := model.Draft{ID: f.ID, Name: f.Name, Params: f.Params, Meta: f.Meta, Grants: f.Grants, Active: f.IsActive}
	if f.BaseModelID != nil {
		d.BaseModelID = *f.BaseModelID
	}
	if f.ID == "" || strings.ContainsFunc(f.ID, unicode.IsSpace) {
		return d, route.Fault("string_pattern_mismatch", []any{"body", "id"}, `String should match pattern '^\S+$'`, nil)
	}
	for name, raw := range map[string]json.RawMessage{"meta": f.Meta, "params": f.Params} {
		if len(raw) == 0 || raw[0] != '{' {
			return d, route.Fault("dict_type", []any{"body", name}, "Input should be a valid dictionary", nil)
		}
	}
	return d, nil
}

// author is the caller with their permissions, and with what is asked of the
// other rooms about what they give.
func (a *API) author(ctx context.Context, c *route.Call) (model.Author, error) {
	who := model.Author{
		Principal: c.Who,
		Absent: func(userIDs, groupIDs []string) ([]string, error) {
			return a.Users.Absent(ctx, userIDs, groupIDs)
		},
		Reads: func(kind access.Kind, id string) (err error) {
			switch kind {
			case access.File:
				_, err = a.Files.Load(ctx, c.Who, access.Read, id)
			case access.Knowledge:
				_, err = a.Knowledge.Load(ctx, c.Who, access.Read, id)
			}
			return err
		},
	}
	if c.Who.IsAdmin() {
		return who, nil
	}
	p, err := a.Auth.Permissions(ctx, c.Who.UserID)
	who.May = p.Has
	return who, err
}

func (a *API) createModel(ctx context.Context, c *route.Call, in modelForm) (*model.Sheet, error) {
	who, err := a.author(ctx, c)
	if err != nil {
		return nil, err
	}
	d, err := in.draft()
	if err != nil {
		return nil, err
	}
	return a.Models.Create(ctx, who, d)
}

func (a *API) updateModel(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	var in modelForm
	if err := route.Decode(w, r, c, &in); err != nil {
		return err
	}
	// Older clients name the model in the query as well; it must be the same one.
	if id := route.ArgsOf(r).String("id", in.ID); id != in.ID {
		return errdefs.New(errdefs.Invalid, "The id in the query is not the one in the body.")
	}
	who, err := a.author(r.Context(), c)
	if err != nil {
		return err
	}
	d, err := in.draft()
	if err != nil {
		return err
	}
	sheet, err := a.Models.Update(r.Context(), who, d)
	if err != nil {
		return err
	}
	return route.WriteJSON(w, http.StatusOK, sheet)
}

func (a *API) shareModel(ctx context.Context, c *route.Call, in accessForm) (*model.Sheet, error) {
	who, err := a.author(ctx, c)
	if err != nil {
		return nil, err
	}
	return a.Models.SetAccess(ctx, who, in.ID, in.Grants)
}

func (a *API) deleteModel(ctx context.Context, c *route.Call, in idForm) (bool, error) {
	who, err := a.author(ctx, c)
	if err != nil {
		return false, err
	}
	err = a.Models.Delete(ctx, who, in.ID)
	return err == nil, err
}

func (a *API) toggleModel(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	args := route.ArgsOf(r)
	id := args.Required("id")
	if err := args.Err(); err != nil {
		return err
	}
	who, err := a.author(r.Context(), c)
	if err != nil {
		return err
	}
	sheet, err := a.Models.Toggle(r.Context(), who, id)
	if err != nil {
		return err
	}
	return route.WriteJSON(w, http.StatusOK, sheet)
}

func (a *API) oneModel(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	args := route.ArgsOf(r)
	id := args.Required("id")
	if err := args.Err(); err != nil {
		return err
	}
	sheet, err := a.Models.Get(r.Context(), c.Who, id)
	if err != nil {
		return err
	}
	return route.WriteBody(w, http.StatusOK, appendSheet(nil, *sheet, []byte("null")))
}

// appendSheet writes a row with its owner and whether the caller may change it.
func appendSheet(dst []byte, s model.Sheet, owner []byte) []byte {
	dst = s.AppendJSON(dst, s.Grants, s.Writable)
	dst = append(dst[:len(dst)-1], `,"user":`...)
	dst = append(dst, owner...)
	if s.Writable {
		return append(dst, `,"write_access":true}`...)
	}
	return append(dst, `,"write_access":false}`...)
}

// workspacePage is how many models one page lists.
const workspacePage = 30

func (a *API) workspaceModels(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	args := route.ArgsOf(r)
	page := args.Page()
	view, query, tag := args.String("view_option", ""), strings.ToLower(args.String("query", "")), args.String("tag", "")
	if err := args.Err(); err != nil {
		return err
	}
	sheets, err := a.Models.Sheets(r.Context(), c.Who)
	if err != nil {
		return err
	}
	sheets = slices.DeleteFunc(sheets, func(s model.Sheet) bool {
		mine := s.UserID == c.Who.UserID
		return s.BaseModelID == "" || view == "created" && !mine || view == "shared" && mine ||
			!strings.Contains(strings.ToLower(s.Name), query) && !strings.Contains(strings.ToLower(s.ID), query) ||
			tag != "" && !slices.Contains(s.Tags(), tag)
	})
	sortSheets(sheets, args.String("order_by", ""), args.String("direction", "") == "asc")
	total := len(sheets)
	from := min((page-1)*workspacePage, total)
	sheets = sheets[from:min(from+workspacePage, total)]
	ids := make([]string, len(sheets))
	for i, s := range sheets {
		ids[i] = s.UserID
	}
	owners, err := a.Users.UsersByID(r.Context(), ids)
	if err != nil {
		return err
	}
	body := []byte(`{"items":[`)
	for i, s := range sheets {
		if i > 0 {
			body = append(body, ',')
		}
		owner, err := ownerOf(owners[s.UserID], c.Who.IsAdmin())
		if err != nil {
			return err
		}
		body = appendSheet(body, s, owner)
	}
	body = append(body, `],"total":`...)
	n, err := route.Marshal(total)
	if err != nil {
		return err
	}
	return route.WriteBody(w, http.StatusOK, append(append(body, n...), '}'))
}

func sortSheets(sheets []model.Sheet, by string, ascending bool) {
	slices.SortFunc(sheets, func(x, y model.Sheet) int {
		n := 0
		switch by {
		case "name":
			n = cmp.Compare(strings.ToLower(x.Name), strings.ToLower(y.Name))
		case "created_at":
			n = cmp.Compare(x.CreatedAt, y.CreatedAt)
		default:
			n = cmp.Compare(x.UpdatedAt, y.UpdatedAt)
		}
		if !ascending {
			n = -n
		}
		return cmp.Or(n, cmp.Compare(x.ID, y.ID))
	})
}

// owner describes whose model it is, null when they are gone. Like the search
// for people it shows addresses to administrators only.
func (a *API) owner(ctx context.Context, id string, emails bool) ([]byte, error) {
	u, err := a.Users.UserByID(ctx, id)
	if errdefs.Is(err, errdefs.NotFound) {
		return []byte("null"), nil
	}
	if err != nil {
		return nil, err
	}
	return ownerOf(u, emails)
}

// ownerOf is owner for somebody who was read already; nil is nobody.
func ownerOf(u *user.User, emails bool) ([]byte, error) {
	if u == nil {
		return []byte("null"), nil
	}
	p := personOf(u)
	p.Image = imageOf(u)
	if !emails {
		p.Email = ""
	}
	return route.Marshal(p)
}

func (a *API) baseRows(ctx context.Context, c *route.Call) ([]model.Sheet, error) {
	return a.sheets(ctx, c, func(s model.Sheet) bool { return s.BaseModelID == "" })
}

func (a *API) exportModels(ctx context.Context, c *route.Call) ([]model.Sheet, error) {
	who, err := a.author(ctx, c)
	if err != nil {
		return nil, err
	}
	if !who.IsAdmin() && !who.May("workspace.models_export") {
		return nil, errdefs.New(errdefs.Forbidden, "You may not export models. Ask an administrator for the permission.").WithStatus(http.StatusUnauthorized)
	}
	return a.sheets(ctx, c, func(s model.Sheet) bool { return s.BaseModelID != "" && s.Writable })
}

func (a *API) sheets(ctx context.Context, c *route.Call, keep func(model.Sheet) bool) ([]model.Sheet, error) {
	sheets, err := a.Models.Sheets(ctx, c.Who)
	if err != nil {
		return nil, err
	}
	sheets = slices.DeleteFunc(sheets, func(s model.Sheet) bool { return !keep(s) })
	sortSheets(sheets, "created_at", true)
	return sheets, nil
}

func (a *API) modelTags(ctx context.Context, c *route.Call) ([]string, error) {
	sheets, err := a.Models.Sheets(ctx, c.Who)
	if err != nil {
		return nil, err
	}
	return sheetTags(sheets, func(s model.Sheet) bool { return s.BaseModelID != "" }), nil
}

// sheetTags gives each tag of some models once, sorted.
func sheetTags(sheets []model.Sheet, of func(model.Sheet) bool) []string {
	tags := []string{}
	for _, s := range sheets {
		if of(s) {
			tags = append(tags, s.Tags()...)
		}
	}
	slices.Sort(tags)
	return slices.Compact(tags)
}

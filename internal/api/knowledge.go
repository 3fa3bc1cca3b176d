package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"portico/internal/access"
	"portico/internal/api/route"
	"portico/internal/errdefs"
	"portico/internal/knowledge"
)

const knowledgeBase = "/api/v1/knowledge"

// knowledgeRoutes make, fill and share collections of files.
func (a *API) knowledgeRoutes() []route.Route {
	rows := []route.Route{
		{
			Method: "GET", Path: knowledgeBase, Op: "knowledge_list", Summary: "List collections, page by page",
			Answer: knowledgeList{}, Handler: a.listKnowledge, Params: []route.Param{pageOf("30")},
		},
		{
			Method: "GET", Path: knowledgeBase + "/list", Op: "knowledge_writable", Summary: "List the collections that the caller may change",
			Answer: []knowledgeItem{}, Handler: a.writableKnowledge, Doc: "As older clients ask for it: one list, without pages, of up to 1,000.",
		},
		{
			Method: "GET", Path: knowledgeBase + "/search", Op: "search_knowledge", Summary: "Search collections by name and description",
			Answer: knowledgeList{}, Handler: a.listKnowledge,
			Params: append([]route.Param{
				{Name: "query", In: "query", Doc: "Part of the name or the description."},
				{Name: "view_option", In: "query", Doc: "created (by the caller) or shared (by others)."},
				{Name: "source", In: "query", Doc: "local, or external, of which there are none."},
			}, orderedPage...),
		},
		{
			Method: "GET", Path: knowledgeBase + "/search/files", Op: "search_knowledge_files", Summary: "Search the files of all collections by name",
			Answer: knowledgeFiles{}, Handler: a.searchKnowledgeFiles, Params: append([]route.Param{fileQuery, withContent}, orderedPage...),
		},
		{
			Method: "POST", Path: knowledgeBase + "/create", Op: "create_knowledge", Summary: "Make a collection",
			Body: knowledgeForm{}, Answer: knowledgeSheet{}, Errors: []int{400, 401}, Handler: route.JSON(a.createKnowledge),
			Doc: "Needs the permission workspace.knowledge. Grants that the caller may not give are left out. `settings` override the instance's for this collection.",
		},
		{
			Method: "GET", Path: knowledgeBase + "/{id}", Op: "knowledge", Summary: "One collection",
			Answer: knowledgeSheet{}, Errors: []int{401, 404}, Handler: a.oneKnowledge,
			Doc: "`files` is null: list them by /files. `index` tells of a rebuild: `{\"state\":\"building\",\"done\":3,\"total\":9}`, else `{\"state\":\"ready\"}`.",
		},
		{
			Method: "POST", Path: knowledgeBase + "/{id}/update", Op: "update_knowledge", Summary: "Change a collection",
			Body: knowledgeForm{}, Answer: knowledgeSheet{}, Errors: []int{400, 403}, Handler: onKnowledge(a.updateKnowledge),
			Doc: "Changed `settings` are built beside the index in use, which is switched when the new one is whole.",
		},
		{
			Method: "POST", Path: knowledgeBase + "/{id}/access/update", Op: "share_knowledge", Summary: "Say who may read or change a collection",
			Body: grantsForm{}, Answer: knowledgeSheet{}, Errors: []int{400, 403, 404}, Handler: errorsAs(sharing, onTree(a.shareKnowledge)),
		},
		{
			Method: "POST", Path: knowledgeBase + "/{id}/reset", Op: "reset_knowledge", Summary: "Empty a collection",
			Answer: knowledgeSheet{}, Errors: []int{400}, Handler: a.resetKnowledge,
			Params: []route.Param{{Name: "include_directories", In: "query", Doc: "Remove the directories, too (default true).", Type: true}},
			Doc:    "Files that are the caller's to delete and in no other collection are deleted, unless ENABLE_KNOWLEDGE_FILE_RETENTION is set.",
		},
		{
			Method: "DELETE", Path: knowledgeBase + "/{id}/delete", Op: "delete_knowledge", Summary: "Delete a collection",
			Answer: true, Errors: []int{400}, Handler: a.deleteKnowledge, Doc: "Its files stay. Models that used it no longer do.",
		},
		{
			Method: "POST", Path: knowledgeBase + "/reindex", Op: "reindex_knowledge", Who: route.Admin, Summary: "Build anew what changed settings ask for",
			Answer: true, Handler: route.NoBody(func(ctx context.Context, _ *route.Call) (bool, error) {
				_, err := a.Knowledge.Reindex(ctx)
				return err == nil, err
			}),
		},
		{
			Method: "POST", Path: knowledgeBase + "/metadata/reindex", Op: "reindex_knowledge_metadata", Who: route.Admin, Summary: "The same, with a count of collections",
			Answer: reindexed{}, Handler: route.NoBody(func(ctx context.Context, _ *route.Call) (reindexed, error) {
				n, err := a.Knowledge.Reindex(ctx)
				return reindexed{n, n}, err
			}),
		},
	}
	rows = append(append(rows, a.knowledgeFileRoutes()...), a.knowledgeSyncRoutes()...)
	for i := range rows {
		rows[i].Tag = "knowledge"
		if rows[i].Who == route.Nobody {
			rows[i].Who = route.Verified
		}
	}
	return rows
}

func pageOf(n string) route.Param {
	return route.Param{Name: "page", In: "query", Doc: "From 1, with " + n + " each.", Type: 0}
}

var (
	orderedPage = []route.Param{
		{Name: "order_by", In: "query", Doc: "name, created_at or updated_at (default)."},
		{Name: "direction", In: "query", Doc: "asc or desc (default)."},
		pageOf("30"),
	}
	fileQuery   = route.Param{Name: "query", In: "query", Doc: "Part of the file name."}
	withContent = route.Param{Name: "include_content", In: "query", Doc: "Give the text of each file, too.", Type: true}
)

type knowledgeForm struct {
	Name        string              `json:"name" require:"true"`
	Description string              `json:"description" require:"true"`
	Meta        json.RawMessage     `json:"meta"`
	Grants      *[]access.Grant     `json:"access_grants"`
	Settings    *knowledge.Settings `json:"settings"`
}

func (f *knowledgeForm) draft() (knowledge.Draft, error) {
	if len(f.Meta) > 0 && f.Meta[0] != '{' && string(f.Meta) != "null" {
		return knowledge.Draft{}, route.Fault("dict_type", []any{"body", "meta"}, "Input should be a valid dictionary", nil)
	}
	d := knowledge.Draft{Name: f.Name, Description: f.Description, Grants: f.Grants, Settings: f.Settings}
	if len(f.Meta) > 0 && f.Meta[0] == '{' {
		d.Meta = f.Meta
	}
	return d, nil
}

type grantsForm struct {
	Grants []access.Grant `json:"access_grants" require:"true"`
}

type reindexed struct {
	Total   int `json:"total"`
	Success int `json:"success"`
}

// reading gives a failure to read the status that the contract says: 401 for
// what is not shared with the caller.
func reading(err error) error {
	var e *errdefs.Error
	if errors.As(err, &e) && e.Kind == errdefs.Forbidden && e.Status == 0 {
		return e.WithStatus(http.StatusUnauthorized)
	}
	return err
}

// writing does so for changes: 400 for what is not there or not the caller's,
// and a prefix on what clients tell by its text.
func writing(err error) error {
	var e *errdefs.Error
	if !errors.As(err, &e) {
		return err
	}
	if (e.Kind == errdefs.Forbidden || e.Kind == errdefs.NotFound) && e.Status == 0 {
		return e.WithStatus(http.StatusBadRequest)
	}
	if e.Code == knowledge.EmptyContent || e.Code == knowledge.DuplicateContent {
		prefixed := *e
		prefixed.Detail = "400: " + e.Detail
		return &prefixed
	}
	return err
}

// sharing is writing, but for a collection that is not there: that is 404.
func sharing(err error) error {
	if errdefs.Is(err, errdefs.NotFound) {
		return err
	}
	return writing(err)
}

// onKnowledge is route.JSON for changes of the collection in the path, with
// the statuses of writing.
func onKnowledge[In, Out any](fn func(ctx context.Context, c *route.Call, id string, in In) (Out, error)) route.Handler {
	return errorsAs(writing, onTree(fn))
}

// onTree is onKnowledge for changes of its directories: there, what is not
// there is 404 and what is not the caller's 403.
func onTree[In, Out any](fn func(ctx context.Context, c *route.Call, id string, in In) (Out, error)) route.Handler {
	return func(w http.ResponseWriter, r *http.Request, c *route.Call) error {
		var in In
		if err := route.Decode(w, r, c, &in); err != nil {
			return err
		}
		out, err := fn(r.Context(), c, r.PathValue("id"), in)
		if err != nil {
			return err
		}
		return route.WriteJSON(w, http.StatusOK, out)
	}
}

// errorsAs gives the errors of a handler other statuses.
func errorsAs(as func(error) error, h route.Handler) route.Handler {
	return func(w http.ResponseWriter, r *http.Request, c *route.Call) error {
		if err := h(w, r, c); err != nil {
			return as(err)
		}
		return nil
	}
}

func (a *API) createKnowledge(ctx context.Context, c *route.Call, in knowledgeForm) (*knowledgeSheet, error) {
	who, err := a.author(ctx, c)
	if err != nil {
		return nil, err
	}
	d, err := in.draft()
	if err != nil {
		return nil, err
	}
	s, err := a.Knowledge.Create(ctx, who, d)
	if err != nil {
		return nil, err
	}
	return sheetOf(s), nil
}

func (a *API) updateKnowledge(ctx context.Context, c *route.Call, id string, in knowledgeForm) (*knowledgeSheet, error) {
	who, err := a.author(ctx, c)
	if err != nil {
		return nil, err
	}
	d, err := in.draft()
	if err != nil {
		return nil, err
	}
	s, err := a.Knowledge.Update(ctx, who, id, d)
	return a.withFiles(ctx, s, err)
}

func (a *API) shareKnowledge(ctx context.Context, c *route.Call, id string, in grantsForm) (*knowledgeSheet, error) {
	who, err := a.author(ctx, c)
	if err != nil {
		return nil, err
	}
	s, err := a.Knowledge.SetAccess(ctx, who, id, in.Grants)
	return a.withFiles(ctx, s, err)
}

func (a *API) oneKnowledge(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	s, err := a.Knowledge.Get(r.Context(), c.Who, r.PathValue("id"))
	if err != nil {
		return reading(err)
	}
	answer := sheetOf(s)
	p, building, err := a.Knowledge.Building(r.Context(), s.Knowledge)
	if err != nil {
		return err
	}
	answer.Index = &knowledgeIndex{State: "ready"}
	if building {
		answer.Index = &knowledgeIndex{State: "building", Done: &p.Done, Total: &p.Total}
	}
	return route.WriteJSON(w, http.StatusOK, answer)
}

func (a *API) resetKnowledge(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	args := route.ArgsOf(r)
	directories := args.Bool("include_directories", true)
	if err := args.Err(); err != nil {
		return err
	}
	s, err := a.Knowledge.Reset(r.Context(), c.Who, r.PathValue("id"), directories)
	if err != nil {
		return writing(err)
	}
	return route.WriteJSON(w, http.StatusOK, sheetOf(s))
}

func (a *API) deleteKnowledge(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	if err := a.Knowledge.Delete(r.Context(), c.Who, r.PathValue("id")); err != nil {
		return writing(err)
	}
	return route.WriteJSON(w, http.StatusOK, true)
}

// listKnowledge lists and searches.
func (a *API) listKnowledge(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	args := route.ArgsOf(r)
	view := args.String("view_option", "")
	f := knowledge.Filter{
		Query: args.String("query", ""), Mine: view == "created", Shared: view == "shared",
		OrderBy: args.String("order_by", ""), Ascending: args.String("direction", "") == "asc",
		Offset: (args.Page() - 1) * 30, Limit: 30,
	}
	if err := args.Err(); err != nil {
		return err
	}
	if args.String("source", "") == "external" {
		return route.WriteJSON(w, http.StatusOK, knowledgeList{Items: []knowledgeItem{}})
	}
	sheets, total, err := a.Knowledge.List(r.Context(), c.Who, f)
	if err != nil {
		return err
	}
	items, err := a.knowledgeItems(r.Context(), c, sheets)
	if err != nil {
		return err
	}
	return route.WriteJSON(w, http.StatusOK, knowledgeList{items, total})
}

func (a *API) writableKnowledge(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	sheets, _, err := a.Knowledge.List(r.Context(), c.Who, knowledge.Filter{Limit: 1000})
	if err != nil {
		return err
	}
	writable := sheets[:0]
	for _, s := range sheets {
		if s.Writable {
			writable = append(writable, s)
		}
	}
	items, err := a.knowledgeItems(r.Context(), c, writable)
	if err != nil {
		return err
	}
	return route.WriteJSON(w, http.StatusOK, items)
}

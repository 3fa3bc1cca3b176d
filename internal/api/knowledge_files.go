package api

import (
	"context"
	"net/http"

	"portico/internal/api/route"
	"portico/internal/errdefs"
	"portico/internal/knowledge"
)

// knowledgeFileRoutes are about the files in a collection.
func (a *API) knowledgeFileRoutes() []route.Route {
	const one = knowledgeBase + "/{id}"
	return []route.Route{
		{
			Method: "GET", Path: one + "/files", Op: "knowledge_files", Summary: "List the files of a collection, page by page",
			Answer: knowledgeFiles{}, Errors: []int{400, 404}, Handler: a.listKnowledgeFiles,
			Params: append([]route.Param{
				fileQuery, withContent,
				{Name: "view_option", In: "query", Doc: "created (uploaded by the caller) or shared (by others)."},
				{Name: "directory_id", In: "query", Doc: "Only files of this directory; `root` is the top. Without it, all."},
				{Name: "limit", In: "query", Doc: "Files on a page, up to 1,000, for administrators.", Type: 0},
			}, orderedPage...),
		},
		{
			Method: "GET", Path: one + "/files/pending", Op: "knowledge_pending", Summary: "The files of a collection that are still being read",
			Answer: []fileAnswer{}, Errors: []int{400, 404}, Handler: a.pendingKnowledge, Produces: "application/json, text/event-stream",
			Params: []route.Param{{Name: "stream", In: "query", Doc: "As events, every 3 seconds, until there are none.", Type: true}},
		},
		{
			Method: "POST", Path: one + "/file/add", Op: "add_knowledge_file", Summary: "Put a file into a collection",
			Body: linkForm{}, Answer: knowledgeSheet{}, Errors: []int{400, 404}, Handler: onKnowledge(a.addKnowledgeFile),
			Doc: "A file that is still being read is waited for, up to a minute. Adding a file again changes nothing. What fails leaves nothing.",
		},
		{
			Method: "POST", Path: one + "/file/update", Op: "update_knowledge_file", Summary: "Have a file searched as it is now",
			Body: linkForm{}, Answer: knowledgeSheet{}, Errors: []int{400}, Handler: onKnowledge(a.updateKnowledgeFile),
		},
		{
			Method: "POST", Path: one + "/file/remove", Op: "remove_knowledge_file", Summary: "Take a file out of a collection",
			Body: linkForm{}, Answer: knowledgeSheet{}, Errors: []int{400}, Handler: a.removeKnowledgeFile,
			Params: []route.Param{{Name: "delete_file", In: "query", Doc: "Delete the file itself, too, where it is the caller's to delete and in no other collection (default true).", Type: true}},
		},
		{
			Method: "POST", Path: one + "/files/batch/add", Op: "add_knowledge_files", Summary: "Put files into a collection",
			Body: []linkForm{}, Answer: knowledgeSheet{}, Errors: []int{400}, Handler: onKnowledge(a.addKnowledgeFiles),
			Doc: "Each for itself: `warnings` names those that could not be added, and why. When none could, the answer is an error.",
		},
		{
			Method: "POST", Path: one + "/file/move", Op: "move_knowledge_file", Summary: "Move a file to another directory of its collection",
			Body: linkForm{}, Answer: statusAnswer{}, Errors: []int{400, 403, 404}, Handler: onTree(func(ctx context.Context, c *route.Call, id string, in linkForm) (statusAnswer, error) {
				err := a.Knowledge.MoveFile(ctx, c.Who, id, in.FileID, in.DirectoryID)
				return statusAnswer{err == nil}, err
			}),
		},
		{
			Method: "GET", Path: one + "/export", Op: "export_knowledge", Who: route.Admin, Summary: "A zip of the texts of a collection",
			Produces: "application/zip", Errors: []int{401, 404}, Handler: a.exportKnowledge,
		},
	}
}

// linkForm names a file. directory_id absent or null is the top.
type linkForm struct {
	FileID      string `json:"file_id" require:"true"`
	DirectoryID string `json:"directory_id"`
}

func (a *API) addKnowledgeFile(ctx context.Context, c *route.Call, id string, in linkForm) (*knowledgeSheet, error) {
	s, err := a.Knowledge.AddFile(ctx, c.Who, id, knowledge.Addition{FileID: in.FileID, DirectoryID: in.DirectoryID})
	return a.withFiles(ctx, s, err)
}

func (a *API) updateKnowledgeFile(ctx context.Context, c *route.Call, id string, in linkForm) (*knowledgeSheet, error) {
	s, err := a.Knowledge.UpdateFile(ctx, c.Who, id, in.FileID)
	return a.withFiles(ctx, s, err)
}

func (a *API) removeKnowledgeFile(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	args := route.ArgsOf(r)
	discard := args.Bool("delete_file", true)
	if err := args.Err(); err != nil {
		return err
	}
	return onKnowledge(func(ctx context.Context, c *route.Call, id string, in linkForm) (*knowledgeSheet, error) {
		s, err := a.Knowledge.RemoveFile(ctx, c.Who, id, in.FileID, discard)
		return a.withFiles(ctx, s, err)
	})(w, r, c)
}

// maxBatch is how many files one request may add.
const maxBatch = 5000

func (a *API) addKnowledgeFiles(ctx context.Context, c *route.Call, id string, in []linkForm) (*knowledgeSheet, error) {
	if len(in) > maxBatch {
		return nil, errdefs.Newf(errdefs.Invalid, "One request adds at most %d files.", maxBatch)
	}
	adds := make([]knowledge.Addition, len(in))
	for i, f := range in {
		if f.FileID == "" {
			return nil, route.Fault("missing", []any{"body", i, "file_id"}, "Field required", nil)
		}
		adds[i] = knowledge.Addition{FileID: f.FileID, DirectoryID: f.DirectoryID}
	}
	s, failed, err := a.Knowledge.AddFiles(ctx, c.Who, id, adds)
	if err == nil && len(failed) > 0 && len(failed) == len(adds) {
		return nil, failed[0].Err
	}
	answer, err := a.withFiles(ctx, s, err)
	if err != nil || len(failed) == 0 {
		return answer, err
	}
	answer.Warnings = &knowledgeWarnings{Message: "Some files could not be added."}
	for _, f := range failed {
		answer.Warnings.Errors = append(answer.Warnings.Errors, knowledgeFailure{f.FileID, errdefs.From(f.Err).Detail})
	}
	return answer, nil
}

// entryFilter reads what lists of files are asked for.
func entryFilter(args *route.Args, c *route.Call) (f knowledge.FileFilter, content bool) {
	f = knowledge.FileFilter{Query: args.String("query", ""), OrderBy: args.String("order_by", ""), Ascending: args.String("direction", "") == "asc", Limit: 30}
	switch args.String("view_option", "") {
	case "created":
		f.Mine = c.Who.UserID
	case "shared":
		f.Shared = c.Who.UserID
	}
	if n := args.Int("limit", f.Limit); c.Who.IsAdmin() {
		f.Limit = min(max(n, 1), 1000)
	}
	f.Offset = (args.Page() - 1) * f.Limit
	return f, args.Bool("include_content", false)
}

func (a *API) listKnowledgeFiles(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	args, id := route.ArgsOf(r), r.PathValue("id")
	f, content := entryFilter(args, c)
	directory := args.String("directory_id", "")
	if err := args.Err(); err != nil {
		return err
	}
	tree, err := a.Knowledge.Directories(r.Context(), c.Who, id)
	if err != nil {
		return writing(err)
	}
	if directory != "" {
		if directory == "root" {
			directory = ""
		} else if !tree.Has(directory) {
			return errdefs.New(errdefs.NotFound, "There is no such directory in this collection.")
		}
		f.DirectoryID = &directory
	}
	entries, total, err := a.Knowledge.Entries(r.Context(), c.Who, id, f)
	if err != nil {
		return writing(err)
	}
	items, err := a.knowledgeEntries(r.Context(), c, entries, tree.Of, content)
	if err != nil {
		return err
	}
	return a.sendEntries(w, r, knowledgeFiles{items, directoriesOf(tree.In(directory)), directoriesOf(tree.Trail(directory)), total}, entries, content)
}

func (a *API) searchKnowledgeFiles(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	args := route.ArgsOf(r)
	f, content := entryFilter(args, c)
	if err := args.Err(); err != nil {
		return err
	}
	entries, total, err := a.Knowledge.FindFiles(r.Context(), c.Who, f)
	if err != nil {
		return err
	}
	items, err := a.knowledgeEntries(r.Context(), c, entries, func(*knowledge.Entry) string { return "" }, content)
	if err == nil {
		err = a.collectionsOf(r.Context(), c, items)
	}
	if err != nil {
		return err
	}
	return a.sendEntries(w, r, knowledgeFiles{items, []directoryRow{}, []directoryRow{}, total}, entries, content)
}

package api

import (
	"context"
	"encoding/json"
	"net/http"

	"portico/internal/api/route"
	"portico/internal/knowledge"
)

// maxManifestBody leaves room for 100,000 files.
const maxManifestBody = 32 << 20

// knowledgeSyncRoutes keep a collection like a folder: by a manifest, or by
// directories.
func (a *API) knowledgeSyncRoutes() []route.Route {
	const one = knowledgeBase + "/{id}"
	return []route.Route{
		{
			Method: "PUT", Path: one + "/manifest", Op: "knowledge_manifest", Summary: "Compare a folder with a collection, and keep it so",
			Body: []knowledge.Listing{}, Answer: knowledge.Plan{}, Errors: []int{400}, MaxBody: maxManifestBody, Handler: a.knowledgeManifest,
			Params: []route.Param{
				{Name: "apply", In: "query", Doc: "Give files that are there already their new paths, without an upload.", Type: true},
				{Name: "delete", In: "query", Doc: "Also take out what the folder has no more, and delete it where it is the caller's own and in no other collection. Files without a path are left alone.", Type: true},
			},
			Doc: "The body lists every file of the folder. Upload each of `missing` to /api/v1/files/ with the metadata `{\"knowledge_id\":\"…\",\"path\":\"…\"}`: once it is read it is in the collection, in place of what had its path. The same manifest twice changes nothing.",
		},
		{
			Method: "POST", Path: one + "/sync/diff", Op: "knowledge_sync_diff", Summary: "Compare the directories of a folder with those of a collection",
			Body: diffForm{}, Answer: knowledge.Diff{}, Errors: []int{400, 403, 404}, MaxBody: maxManifestBody, Handler: onTree(func(ctx context.Context, c *route.Call, id string, in diffForm) (*knowledge.Diff, error) {
				return a.Knowledge.Diff(ctx, c.Who, id, in.Manifest)
			}),
		},
		{
			Method: "POST", Path: one + "/sync/cleanup", Op: "knowledge_sync_cleanup", Summary: "Take files and directories out of a collection",
			Body: cleanupForm{}, Answer: cleanedUp{}, Errors: []int{400, 403, 404}, MaxBody: maxManifestBody, Handler: onTree(func(ctx context.Context, c *route.Call, id string, in cleanupForm) (cleanedUp, error) {
				files, directories, err := a.Knowledge.Cleanup(ctx, c.Who, id, in.FileIDs, in.DirIDs)
				return cleanedUp{err == nil, files, directories}, err
			}),
		},
		{
			Method: "POST", Path: one + "/dirs/create", Op: "create_knowledge_directory", Summary: "Make a directory in a collection",
			Body: directoryForm{}, Answer: directoryRow{}, Errors: []int{400, 403, 404}, Handler: onTree(func(ctx context.Context, c *route.Call, id string, in directoryForm) (directoryRow, error) {
				d, err := a.Knowledge.CreateDirectory(ctx, c.Who, id, in.Name, in.ParentID)
				if err != nil {
					return directoryRow{}, err
				}
				return directoryOf(d), nil
			}),
			Doc: "One of that name that is there already is given instead.",
		},
		{
			Method: "POST", Path: one + "/dirs/{dir}/update", Op: "update_knowledge_directory", Summary: "Rename or move a directory",
			Body: directoryUpdate{}, Answer: directoryRow{}, Errors: []int{400, 403, 404}, Handler: a.updateDirectory,
		},
		{
			Method: "DELETE", Path: one + "/dirs/{dir}/delete", Op: "delete_knowledge_directory", Summary: "Remove a directory and those in it",
			Answer: statusAnswer{}, Errors: []int{400, 403, 404}, Handler: a.deleteDirectory, Doc: "Files in them stay in the collection, at its top.",
		},
	}
}

type diffForm struct {
	Manifest []knowledge.DiffEntry `json:"manifest" require:"true"`
}

type cleanupForm struct {
	FileIDs []string `json:"file_ids" require:"true"`
	DirIDs  []string `json:"dir_ids"`
}

type cleanedUp struct {
	Status      bool `json:"status"`
	Files       int  `json:"files_removed"`
	Directories int  `json:"dirs_removed"`
}

type directoryForm struct {
	Name     string `json:"name" require:"true"`
	ParentID string `json:"parent_id"`
}

// directoryUpdate changes what it names; parent_id null is the top.
type directoryUpdate struct {
	Name     *string         `json:"name"`
	ParentID json.RawMessage `json:"parent_id"`
	Meta     json.RawMessage `json:"meta"`
}

func (f *directoryUpdate) change() (knowledge.DirectoryChange, error) {
	c := knowledge.DirectoryChange{Name: f.Name}
	if len(f.ParentID) > 0 {
		parent := ""
		if err := json.Unmarshal(f.ParentID, &parent); err != nil {
			return c, route.Fault("string_type", []any{"body", "parent_id"}, "Input should be a valid string", nil)
		}
		c.Parent = &parent
	}
	if len(f.Meta) > 0 && string(f.Meta) != "null" {
		if f.Meta[0] != '{' {
			return c, route.Fault("dict_type", []any{"body", "meta"}, "Input should be a valid dictionary", nil)
		}
		c.Meta = f.Meta
	}
	return c, nil
}

func (a *API) knowledgeManifest(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	args := route.ArgsOf(r)
	apply, remove := args.Bool("apply", false), args.Bool("delete", false)
	if err := args.Err(); err != nil {
		return err
	}
	return onKnowledge(func(ctx context.Context, c *route.Call, id string, in []knowledge.Listing) (*knowledge.Plan, error) {
		return a.Knowledge.Manifest(ctx, c.Who, id, in, apply, remove)
	})(w, r, c)
}

func (a *API) updateDirectory(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	dir := r.PathValue("dir")
	return onTree(func(ctx context.Context, c *route.Call, id string, in directoryUpdate) (directoryRow, error) {
		change, err := in.change()
		if err != nil {
			return directoryRow{}, err
		}
		d, err := a.Knowledge.UpdateDirectory(ctx, c.Who, id, dir, change)
		if err != nil {
			return directoryRow{}, err
		}
		return directoryOf(d), nil
	})(w, r, c)
}

func (a *API) deleteDirectory(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	if err := a.Knowledge.DeleteDirectory(r.Context(), c.Who, r.PathValue("id"), r.PathValue("dir")); err != nil {
		return err
	}
	return route.WriteJSON(w, http.StatusOK, statusAnswer{true})
}

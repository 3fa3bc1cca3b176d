package api

import (
	"context"
	"encoding/json"
	"net/http"

	"portico/internal/api/route"
	"portico/internal/conversation"
)

// folderRoutes are places for chats.
func (a *API) folderRoutes() []route.Route {
	const base = "/api/v1/folders"
	rows := []route.Route{
		{
			Method: "GET", Path: base, Op: "folders", Summary: "List the caller's folders", Answer: []folderItem{},
			Handler: route.NoBody(func(ctx context.Context, c *route.Call) ([]folderItem, error) {
				all, err := a.Conversations.Folders(ctx, c.Who)
				items := make([]folderItem, len(all))
				for i, f := range all {
					items[i] = folderItem{ID: f.ID, Name: f.Name, Meta: rawOrNull(string(f.Meta)), ParentID: textOrNull(f.ParentID), Expanded: f.Expanded, CreatedAt: f.CreatedAt, UpdatedAt: f.UpdatedAt}
				}
				return items, err
			}),
		},
		{
			Method: "POST", Path: base, Also: []string{base + "/create"}, Op: "create_folder", Summary: "Make a folder", Body: folderForm{}, Answer: folderAnswer{}, Errors: []int{400, 404},
			Doc: "Names are unique within a folder; folders can be 64 deep within each other.",
			Handler: route.JSON(func(ctx context.Context, c *route.Call, in folderForm) (*folderAnswer, error) {
				return folderOf(a.Conversations.CreateFolder(ctx, c.Who, conversation.FolderChange{Name: &in.Name, ParentID: in.ParentID, Meta: in.Meta, Data: in.Data}))
			}),
		},
		{
			Method: "GET", Path: base + "/{id}", Op: "folder", Summary: "One folder", Answer: folderAnswer{}, Errors: []int{404},
			Handler: withID(func(ctx context.Context, c *route.Call, id string) (*folderAnswer, error) {
				return folderOf(a.Conversations.Folder(ctx, c.Who, id))
			}),
		},
		{
			Method: "POST", Path: base + "/{id}/update", Op: "update_folder", Summary: "Rename a folder, or change what is kept with it", Body: folderUpdate{}, Answer: folderAnswer{}, Errors: []int{400, 404},
			Handler: withChat(func(ctx context.Context, c *route.Call, id string, in folderUpdate) (*folderAnswer, error) {
				return folderOf(a.Conversations.UpdateFolder(ctx, c.Who, id, conversation.FolderChange{Name: in.Name, Meta: in.Meta, Data: in.Data}))
			}),
		},
		{
			Method: "POST", Path: base + "/{id}/update/parent", Op: "move_folder", Summary: "Move a folder below another, or to the top", Body: folderParent{}, Answer: folderAnswer{}, Errors: []int{400, 404},
			Handler: withChat(func(ctx context.Context, c *route.Call, id string, in folderParent) (*folderAnswer, error) {
				return folderOf(a.Conversations.UpdateFolder(ctx, c.Who, id, conversation.FolderChange{ParentID: &in.ParentID}))
			}),
		},
		{
			Method: "POST", Path: base + "/{id}/update/expanded", Op: "expand_folder", Summary: "Say whether a folder is shown open", Body: folderExpanded{}, Answer: folderAnswer{}, Errors: []int{404},
			Handler: withChat(func(ctx context.Context, c *route.Call, id string, in folderExpanded) (*folderAnswer, error) {
				return folderOf(a.Conversations.UpdateFolder(ctx, c.Who, id, conversation.FolderChange{Expanded: &in.Expanded}))
			}),
		},
		{
			Method: "POST", Path: base + "/{id}/read", Op: "read_folder", Summary: "Mark the chats in a folder as read", Answer: statusAnswer{}, Errors: []int{404},
			Handler: withID(func(ctx context.Context, c *route.Call, id string) (statusAnswer, error) {
				return statusAnswer{true}, a.Conversations.MarkAllRead(ctx, c.Who, id)
			}),
		},
		{
			Method: "DELETE", Path: base + "/{id}", Op: "delete_folder", Summary: "Delete a folder and those below it", Answer: true, Errors: []int{404},
			Params:  []route.Param{{Name: "delete_contents", In: "query", Doc: "Delete the chats in it (default), too; else they are left outside.", Type: true}},
			Handler: a.deleteFolder,
		},
	}
	for i := range rows {
		rows[i].Tag, rows[i].Who = "folders", route.Verified
	}
	return rows
}

type folderForm struct {
	Name     string          `json:"name" require:"true"`
	ParentID *string         `json:"parent_id"`
	Meta     json.RawMessage `json:"meta"`
	Data     json.RawMessage `json:"data"`
}

type folderUpdate struct {
	Name *string         `json:"name"`
	Meta json.RawMessage `json:"meta"`
	Data json.RawMessage `json:"data"`
}

type folderParent struct {
	ParentID string `json:"parent_id"`
}

type folderExpanded struct {
	Expanded bool `json:"is_expanded" require:"true"`
}

// folderItem is a folder in the list.
type folderItem struct {
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Meta      json.RawMessage `json:"meta"`
	ParentID  *string         `json:"parent_id"`
	Expanded  bool            `json:"is_expanded"`
	Unread    int             `json:"unread_count"`
	CreatedAt int64           `json:"created_at"`
	UpdatedAt int64           `json:"updated_at"`
}

// folderAnswer is one folder. What is not kept here is empty or null.
type folderAnswer struct {
	ID        string          `json:"id"`
	ParentID  *string         `json:"parent_id"`
	UserID    string          `json:"user_id"`
	Name      string          `json:"name"`
	Items     json.RawMessage `json:"items"`
	Meta      json.RawMessage `json:"meta"`
	Data      json.RawMessage `json:"data"`
	Expanded  bool            `json:"is_expanded"`
	CreatedAt int64           `json:"created_at"`
	UpdatedAt int64           `json:"updated_at"`
	Grants    []any           `json:"access_grants"` // folders are not shared
}

func folderOf(f *conversation.Folder, err error) (*folderAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &folderAnswer{ID: f.ID, ParentID: textOrNull(f.ParentID), UserID: f.UserID, Name: f.Name, Items: rawOrNull(""), Meta: rawOrNull(string(f.Meta)),
		Data: rawOrNull(string(f.Data)), Expanded: f.Expanded, CreatedAt: f.CreatedAt, UpdatedAt: f.UpdatedAt, Grants: []any{}}, nil
}

func (a *API) deleteFolder(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	args := route.ArgsOf(r)
	contents := args.Bool("delete_contents", true)
	if err := args.Err(); err != nil {
		return err
	}
	if err := a.Conversations.DeleteFolder(r.Context(), c.Who, r.PathValue("id"), contents); err != nil {
		return err
	}
	return route.WriteJSON(w, http.StatusOK, true)
}

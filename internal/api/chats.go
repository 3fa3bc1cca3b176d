package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"portico/internal/access"
	"portico/internal/api/route"
	"portico/internal/conversation"
	"portico/internal/errdefs"
)

const (
	chatsBase = "/api/v1/chats"
	// maxChat bounds the body that brings one chat, and the import of many.
	maxChat       = 32<<20 + 4096
	maxChatImport = 64 << 20
)

// chatRoutes are saved chats. What is not there and what is somebody else's is
// told alike: 401, as clients know it.
func (a *API) chatRoutes() []route.Route {
	rows := []route.Route{
		{
			Method: "POST", Path: chatsBase + "/new", Op: "new_chat", Summary: "Save a new chat", MaxBody: maxChat,
			Doc:  "`chat` is kept as it is, up to 32 MiB; its `title` is that of the chat. `folder_id` is one of the caller's.",
			Body: chatForm{}, Answer: chatAnswer{}, Errors: []int{400, 404}, Handler: route.JSON(a.newChat),
		},
		{
			Method: "POST", Path: chatsBase + "/import", Op: "import_chats", Summary: "Save chats that were exported", MaxBody: maxChatImport,
			Doc:  "All of them or none. Ids are made anew.",
			Body: chatImports{}, Answer: []*chatAnswer{}, Errors: []int{400, 404}, Handler: route.JSON(a.importChats),
		},
		{
			Method: "GET", Path: chatsBase + "/{id}", Op: "chat", Summary: "One chat", Answer: chatAnswer{},
			Doc: "Administrators may read the chats of others while ENABLE_ADMIN_CHAT_ACCESS is on.", Handler: a.onChat(a.Conversations.Get),
		},
		{
			Method: "POST", Path: chatsBase + "/{id}", Op: "update_chat", Summary: "Change a chat", MaxBody: maxChat,
			Doc:  "The members of `chat` are laid over those that are kept.",
			Body: chatForm{}, Answer: chatAnswer{}, Errors: []int{400}, Handler: withChat(a.updateChat),
		},
		{
			Method: "DELETE", Path: chatsBase + "/{id}", Op: "delete_chat", Summary: "Delete a chat", Answer: true,
			Handler: withID(func(ctx context.Context, c *route.Call, id string) (bool, error) {
				return true, a.Conversations.Delete(ctx, c.Who, id)
			}),
		},
		{
			Method: "DELETE", Path: chatsBase, Op: "delete_chats", Summary: "Delete all chats of the caller", Answer: true,
			Handler: route.NoBody(func(ctx context.Context, c *route.Call) (bool, error) {
				return true, a.Conversations.DeleteAll(ctx, c.Who)
			}),
		},
		{
			Method: "POST", Path: chatsBase + "/{id}/pin", Op: "pin_chat", Summary: "Pin a chat, or no longer", Answer: chatAnswer{},
			Handler: a.onChat(a.Conversations.Pin),
		},
		{
			Method: "GET", Path: chatsBase + "/{id}/pinned", Op: "chat_pinned", Summary: "Whether a chat is pinned", Answer: true,
			Handler: withID(func(ctx context.Context, c *route.Call, id string) (bool, error) {
				chat, err := a.Conversations.Own(ctx, c.Who, id)
				return err == nil && chat.Pinned, err
			}),
		},
		{
			Method: "POST", Path: chatsBase + "/{id}/archive", Op: "archive_chat", Summary: "Archive a chat, or bring it back", Answer: chatAnswer{},
			Handler: a.onChat(a.Conversations.Archive),
		},
		{
			Method: "POST", Path: chatsBase + "/archive/all", Op: "archive_chats", Summary: "Archive all chats of the caller", Answer: true,
			Handler: route.NoBody(func(ctx context.Context, c *route.Call) (bool, error) {
				return true, a.Conversations.ArchiveAll(ctx, c.Who, true)
			}),
		},
		{
			Method: "POST", Path: chatsBase + "/unarchive/all", Op: "unarchive_chats", Summary: "Bring all archived chats back", Answer: true,
			Handler: route.NoBody(func(ctx context.Context, c *route.Call) (bool, error) {
				return true, a.Conversations.ArchiveAll(ctx, c.Who, false)
			}),
		},
		{
			Method: "POST", Path: chatsBase + "/{id}/clone", Op: "clone_chat", Summary: "Copy a chat", Answer: chatAnswer{}, Body: cloneForm{},
			Handler: withChat(func(ctx context.Context, c *route.Call, id string, in cloneForm) (*chatAnswer, error) {
				return answered(a.Conversations.Clone(ctx, c.Who, id, in.Title, ""))
			}),
		},
		{
			Method: "POST", Path: chatsBase + "/{id}/fork", Op: "fork_chat", Summary: "Copy a chat up to one of its messages", Answer: chatAnswer{}, Body: forkForm{},
			Handler: withChat(func(ctx context.Context, c *route.Call, id string, in forkForm) (*chatAnswer, error) {
				return answered(a.Conversations.Clone(ctx, c.Who, id, "", in.MessageID))
			}),
		},
		{
			Method: "POST", Path: chatsBase + "/{id}/folder", Op: "move_chat", Summary: "Put a chat into a folder, or out of all", Answer: chatAnswer{}, Body: folderIDForm{},
			Handler: withChat(func(ctx context.Context, c *route.Call, id string, in folderIDForm) (*chatAnswer, error) {
				return answered(a.Conversations.Move(ctx, c.Who, id, in.FolderID))
			}),
		},
		{
			Method: "POST", Path: chatsBase + "/read", Op: "read_chats", Summary: "Mark all chats as read", Answer: statusAnswer{},
			Handler: route.NoBody(func(ctx context.Context, c *route.Call) (statusAnswer, error) {
				return statusAnswer{true}, a.Conversations.MarkAllRead(ctx, c.Who, "")
			}),
		},
		{
			Method: "POST", Path: chatsBase + "/{id}/read", Op: "read_chat", Summary: "Mark a chat as read", Answer: statusAnswer{}, Handler: a.markChat(true),
		},
		{
			Method: "POST", Path: chatsBase + "/{id}/unread", Op: "unread_chat", Summary: "Mark a chat as not read", Answer: statusAnswer{}, Handler: a.markChat(false),
		},
		{
			Method: "POST", Path: chatsBase + "/{id}/messages/{message}", Op: "update_message", Summary: "Replace what a message says", Answer: chatAnswer{},
			Body: messageForm{}, MaxBody: maxChat, Errors: []int{404}, Handler: a.updateMessage,
		},
		{
			Method: "POST", Path: chatsBase + "/{id}/messages/{message}/event", Op: "message_event", Summary: "Tell of something that happened to a message",
			Doc:  "`message` adds `data.content` to what it says, `replace` replaces it, `status` is kept in its statusHistory.",
			Body: eventForm{}, Answer: true, MaxBody: maxChat, Errors: []int{404}, Handler: a.messageEvent,
		},
	}
	rows = append(append(rows, a.chatListRoutes()...), a.chatShareRoutes()...)
	for i := range rows {
		rows[i].Tag = "chats"
		if rows[i].Who == route.Nobody {
			rows[i].Who = route.Verified
		}
	}
	return rows
}

type chatForm struct {
	Chat     json.RawMessage `json:"chat" require:"true"`
	FolderID string          `json:"folder_id"`
}

type chatImports struct {
	Chats []chatImport `json:"chats" require:"true"`
}

type chatImport struct {
	Chat      json.RawMessage `json:"chat"`
	Meta      json.RawMessage `json:"meta"`
	Pinned    bool            `json:"pinned"`
	FolderID  string          `json:"folder_id"`
	CreatedAt float64         `json:"created_at"`
	UpdatedAt float64         `json:"updated_at"`
}

type cloneForm struct {
	Title string `json:"title"`
}

type forkForm struct {
	MessageID string `json:"message_id"`
}

type folderIDForm struct {
	FolderID string `json:"folder_id"`
}

type messageForm struct {
	Content string `json:"content" require:"true"`
}

type eventForm struct {
	Type string          `json:"type" require:"true"`
	Data json.RawMessage `json:"data" require:"true"`
}

// missing gives a chat that is not there, or not theirs, the status that the
// contract says: 401. What is named in a body (a folder) stays 404.
func missing(err error) error {
	var e *errdefs.Error
	if errors.As(err, &e) && e.Kind == errdefs.NotFound && e.Code == conversation.NoChat && e.Status == 0 {
		return e.WithStatus(http.StatusUnauthorized)
	}
	return err
}

// answered makes the answer of a chat.
func answered(c *conversation.Chat, err error) (*chatAnswer, error) {
	if err != nil {
		return nil, missing(err)
	}
	return chatOf(c)
}

// withID is route.NoBody for the chat in the path.
func withID[Out any](fn func(ctx context.Context, c *route.Call, id string) (Out, error)) route.Handler {
	return func(w http.ResponseWriter, r *http.Request, c *route.Call) error {
		out, err := fn(r.Context(), c, r.PathValue("id"))
		if err != nil {
			return missing(err)
		}
		return route.WriteJSON(w, http.StatusOK, out)
	}
}

// withChat is route.JSON for the chat in the path. A body that is left out has
// no members.
func withChat[In, Out any](fn func(ctx context.Context, c *route.Call, id string, in In) (Out, error)) route.Handler {
	return func(w http.ResponseWriter, r *http.Request, c *route.Call) error {
		var in In
		body, err := route.ReadBody(r, c)
		if err != nil {
			return err
		}
		if len(body) == 0 || string(body) == "null" {
			body = []byte("{}")
		}
		if err := route.Unmarshal(body, &in); err != nil {
			return err
		}
		out, err := fn(r.Context(), c, r.PathValue("id"), in)
		if err != nil {
			return missing(err)
		}
		return route.WriteJSON(w, http.StatusOK, out)
	}
}

// onChat makes a handler of what the room does with one chat.
func (a *API) onChat(do func(ctx context.Context, who *access.Principal, id string) (*conversation.Chat, error)) route.Handler {
	return withID(func(ctx context.Context, c *route.Call, id string) (*chatAnswer, error) {
		return answered(do(ctx, c.Who, id))
	})
}

func (a *API) newChat(ctx context.Context, c *route.Call, in chatForm) (*chatAnswer, error) {
	made, err := a.Conversations.Create(ctx, c.Who, conversation.Draft{Body: in.Chat, FolderID: in.FolderID})
	if err != nil {
		return nil, err
	}
	return chatOf(made[0])
}

func (a *API) importChats(ctx context.Context, c *route.Call, in chatImports) ([]*chatAnswer, error) {
	drafts := make([]conversation.Draft, len(in.Chats))
	for i, one := range in.Chats {
		drafts[i] = conversation.Draft{Body: one.Chat, Meta: one.Meta, Pinned: one.Pinned, FolderID: one.FolderID,
			CreatedAt: int64(one.CreatedAt), UpdatedAt: int64(one.UpdatedAt)}
	}
	made, err := a.Conversations.Create(ctx, c.Who, drafts...)
	if err != nil {
		return nil, err
	}
	return chatsOf(made)
}

func (a *API) updateChat(ctx context.Context, c *route.Call, id string, in chatForm) (*chatAnswer, error) {
	return answered(a.Conversations.Update(ctx, c.Who, id, in.Chat))
}

func (a *API) markChat(read bool) route.Handler {
	return withID(func(ctx context.Context, c *route.Call, id string) (statusAnswer, error) {
		_, err := a.Conversations.MarkRead(ctx, c.Who, id, read)
		return statusAnswer{true}, err
	})
}

func (a *API) updateMessage(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	return withChat(func(ctx context.Context, c *route.Call, id string, in messageForm) (*chatAnswer, error) {
		return answered(a.Conversations.SetMessage(ctx, c.Who, id, r.PathValue("message"), in.Content))
	})(w, r, c)
}

func (a *API) messageEvent(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	return withChat(func(ctx context.Context, c *route.Call, id string, in eventForm) (bool, error) {
		return true, a.Conversations.Happen(ctx, c.Who, id, r.PathValue("message"), in.Type, in.Data)
	})(w, r, c)
}

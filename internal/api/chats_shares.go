package api

import (
	"context"

	"portico/internal/access"
	"portico/internal/api/route"
	"portico/internal/conversation"
)

// chatShareRoutes share copies of chats, and put tags on them.
func (a *API) chatShareRoutes() []route.Route {
	return []route.Route{
		{
			Method: "POST", Path: chatsBase + "/{id}/share", Op: "share_chat", Summary: "Share a copy of a chat, or renew it", Answer: chatAnswer{}, Errors: []int{401},
			Doc: "Others read what was said until then, under the `share_id` of the answer. Everybody who is signed in may, if the caller may share with everybody; " +
				"else those who are granted it by /chats/shared/{id}/access/update.",
			Handler: withID(func(ctx context.Context, c *route.Call, id string) (*chatAnswer, error) {
				who, err := a.author(ctx, c)
				if err != nil {
					return nil, err
				}
				return answered(a.Conversations.Share(ctx, who, id))
			}),
		},
		{
			Method: "DELETE", Path: chatsBase + "/{id}/share", Op: "unshare_chat", Summary: "Share a chat no longer", Answer: true,
			Handler: withID(func(ctx context.Context, c *route.Call, id string) (bool, error) {
				return a.Conversations.Unshare(ctx, c.Who, id)
			}),
		},
		{
			Method: "DELETE", Path: chatsBase + "/share/all", Op: "unshare_chats", Summary: "Share no chat any longer", Answer: true,
			Handler: route.NoBody(func(ctx context.Context, c *route.Call) (bool, error) {
				return true, a.Conversations.UnshareAll(ctx, c.Who)
			}),
		},
		{
			Method: "GET", Path: chatsBase + "/share/{id}", Op: "shared_chat", Summary: "Read a shared chat", Answer: chatAnswer{},
			Handler: withID(func(ctx context.Context, c *route.Call, id string) (*chatAnswer, error) {
				sh, err := a.Conversations.Shared(ctx, c.Who, id)
				if err != nil {
					return nil, err
				}
				// The copy's own id, not that of the chat it was made of.
				return chatOf(&conversation.Chat{ID: sh.ID, UserID: sh.UserID, Title: sh.Title, Body: sh.Body, ShareID: sh.ID, CreatedAt: sh.CreatedAt, UpdatedAt: sh.UpdatedAt})
			}),
		},
		{
			Method: "GET", Path: chatsBase + "/shared/{id}/access", Op: "shared_chat_access", Summary: "Who may read the copy of a chat", Answer: []access.Grant{},
			Handler: withID(func(ctx context.Context, c *route.Call, id string) ([]access.Grant, error) {
				grants, err := a.Conversations.Grants(ctx, c.Who, id)
				return notNil(grants), err
			}),
		},
		{
			Method: "POST", Path: chatsBase + "/shared/{id}/access/update", Op: "set_shared_chat_access", Summary: "Say who may read the copy of a chat",
			Body: grantsForm{}, Answer: chatAnswer{}, Errors: []int{400, 403},
			Handler: withChat(func(ctx context.Context, c *route.Call, id string, in grantsForm) (*chatAnswer, error) {
				who, err := a.author(ctx, c)
				if err != nil {
					return nil, err
				}
				return answered(a.Conversations.SetGrants(ctx, who, id, in.Grants))
			}),
		},
		{
			Method: "POST", Path: chatsBase + "/{id}/clone/shared", Op: "clone_shared_chat", Summary: "Copy what somebody shared", Answer: chatAnswer{},
			Handler: a.onChat(a.Conversations.CloneShared),
		},
		{
			Method: "GET", Path: chatsBase + "/{id}/tags", Op: "tags_of_chat", Summary: "The tags of a chat", Answer: []tagAnswer{},
			Handler: withID(func(ctx context.Context, c *route.Call, id string) ([]tagAnswer, error) {
				chat, err := a.Conversations.Own(ctx, c.Who, id)
				if err != nil {
					return nil, err
				}
				return chatTagsOf(chat.Tags, c.Who.UserID), nil
			}),
		},
		{
			Method: "POST", Path: chatsBase + "/{id}/tags", Op: "tag_chat", Summary: "Put a tag on a chat", Body: tagForm{}, Answer: []tagAnswer{}, Errors: []int{400},
			Handler: withChat(func(ctx context.Context, c *route.Call, id string, in tagForm) ([]tagAnswer, error) {
				tags, err := a.Conversations.AddTag(ctx, c.Who, id, in.Name)
				return chatTagsOf(tags, c.Who.UserID), err
			}),
		},
		{
			Method: "DELETE", Path: chatsBase + "/{id}/tags", Op: "untag_chat", Summary: "Take a tag off a chat", Body: tagForm{}, Answer: []tagAnswer{},
			Handler: withChat(func(ctx context.Context, c *route.Call, id string, in tagForm) ([]tagAnswer, error) {
				tags, err := a.Conversations.DropTag(ctx, c.Who, id, in.Name)
				return chatTagsOf(tags, c.Who.UserID), err
			}),
		},
		{
			Method: "DELETE", Path: chatsBase + "/{id}/tags/all", Op: "untag_chat_wholly", Summary: "Take all tags off a chat", Answer: true,
			Handler: withID(func(ctx context.Context, c *route.Call, id string) (bool, error) {
				_, err := a.Conversations.DropTag(ctx, c.Who, id, "")
				return err == nil, err
			}),
		},
	}
}

type tagForm struct {
	Name string `json:"name" require:"true"`
}

package api

import (
	"context"
	"net/http"

	"portico/internal/api/route"
	"portico/internal/conversation"
	"portico/internal/errdefs"
	"portico/internal/setting"
)

// chatListRoutes find chats and export them.
func (a *API) chatListRoutes() []route.Route {
	page := pageOf("60")
	sorted := []route.Param{
		{Name: "query", In: "query", Doc: "Part of the title."},
		{Name: "order_by", In: "query", Doc: "title, created_at or updated_at (default)."},
		{Name: "direction", In: "query", Doc: "asc or desc (default)."},
		page,
	}
	return []route.Route{
		{
			Method: "GET", Path: chatsBase, Also: []string{chatsBase + "/list"}, Op: "chats", Summary: "List the caller's chats by title, latest first", Answer: []chatTitle{},
			Params: []route.Param{
				{Name: "page", In: "query", Doc: "From 1, with 60 each; without it all are listed.", Type: 0},
				{Name: "include_pinned", In: "query", Doc: "List pinned ones, too.", Type: false},
				{Name: "include_folders", In: "query", Doc: "List those in folders, too.", Type: false},
			},
			Handler: a.listChats,
		},
		{
			Method: "GET", Path: chatsBase + "/search", Op: "search_chats", Summary: "Search titles and messages", Answer: []chatTitle{},
			Doc:    "`text` may hold tag:name, tag:none, folder:name, pinned:true, archived:true and shared:true.",
			Params: []route.Param{{Name: "text", In: "query", Required: true}, page}, Handler: a.searchChats,
		},
		{
			Method: "GET", Path: chatsBase + "/pinned", Op: "pinned_chats", Summary: "List pinned chats", Answer: []chatTitle{},
			Handler: a.titles(func(f *conversation.Filter) { f.Pinned, f.Archived = ptrTo(true), ptrTo(false) }),
		},
		{
			Method: "GET", Path: chatsBase + "/archived", Op: "archived_chats", Summary: "List archived chats, page by page", Answer: []chatTitle{},
			Params: sorted, Handler: a.sortedChats(func(f *conversation.Filter) { f.Archived = ptrTo(true) }),
		},
		{
			Method: "GET", Path: chatsBase + "/archived/count", Op: "count_archived_chats", Summary: "Count archived chats", Answer: 0,
			Handler: route.NoBody(func(ctx context.Context, c *route.Call) (int, error) {
				return a.Conversations.Count(ctx, c.Who, conversation.Filter{Archived: ptrTo(true)})
			}),
		},
		{
			Method: "GET", Path: chatsBase + "/shared", Op: "shared_chats", Summary: "List the chats that the caller shares, page by page", Answer: []chatTitle{},
			Params: sorted, Handler: a.sortedChats(func(f *conversation.Filter) { f.Shared = ptrTo(true) }),
		},
		{
			Method: "GET", Path: chatsBase + "/list/user/{id}", Op: "chats_of_user", Summary: "List somebody's chats, page by page", Who: route.Admin, Answer: []chatTitle{},
			Doc: "While ENABLE_ADMIN_CHAT_ACCESS is on.", Params: sorted, Handler: a.chatsOfUser,
		},
		{
			Method: "GET", Path: chatsBase + "/folder/{id}", Op: "folder_chats", Summary: "The chats in a folder and below it, whole", Answer: []*chatAnswer{}, Errors: []int{404},
			Handler: a.folderChats,
		},
		{
			Method: "GET", Path: chatsBase + "/folder/{id}/list", Op: "folder_chat_titles", Summary: "List the chats in a folder, page by page", Answer: []chatTitle{}, Errors: []int{404},
			Params: []route.Param{page}, Handler: a.folderTitles,
		},
		{
			Method: "POST", Path: chatsBase + "/tags", Op: "chats_by_tag", Summary: "List the chats with a tag", Body: tagFilter{}, Answer: []chatTitle{},
			Handler: route.JSON(a.taggedChats),
		},
		{
			Method: "GET", Path: chatsBase + "/all", Op: "export_chats", Summary: "Export all chats of the caller", Answer: []*chatAnswer{},
			Handler: a.exportChats(nil),
		},
		{
			Method: "GET", Path: chatsBase + "/all/archived", Op: "export_archived_chats", Summary: "Export all archived chats of the caller", Answer: []*chatAnswer{},
			Handler: a.exportChats(ptrTo(true)),
		},
		{
			Method: "GET", Path: chatsBase + "/all/db", Op: "export_everybody", Summary: "Export everybody's chats", Who: route.Admin, Answer: []*chatAnswer{}, Errors: []int{401},
			Doc: "While ENABLE_ADMIN_EXPORT is on.", Handler: a.exportEverybody,
		},
		{
			Method: "GET", Path: chatsBase + "/all/tags", Op: "chat_tags_in_use", Summary: "The tags of the caller's chats", Answer: []tagAnswer{},
			Handler: route.NoBody(func(ctx context.Context, c *route.Call) ([]tagAnswer, error) {
				tags, err := a.Conversations.AllTags(ctx, c.Who)
				return chatTagsOf(tags, c.Who.UserID), err
			}),
		},
		{
			Method: "GET", Path: chatsBase + "/stats/usage", Op: "chat_stats", Summary: "How much was said in each chat", Answer: chatStatsPage{},
			Params: []route.Param{{Name: "items_per_page", In: "query", Doc: "Up to 60 (default 50).", Type: 0}, {Name: "page", In: "query", Type: 0}}, Handler: a.chatStats,
		},
	}
}

func ptrTo[T any](v T) *T { return &v }

type tagFilter struct {
	Name  string `json:"name" require:"true"`
	Skip  int    `json:"skip"`
	Limit int    `json:"limit"`
}

func (a *API) listChats(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	args := route.ArgsOf(r)
	f := conversation.Filter{Archived: ptrTo(false)}
	if !args.Bool("include_pinned", false) {
		f.Pinned = ptrTo(false)
	}
	if !args.Bool("include_folders", false) {
		f.Folders = []string{""}
	}
	if args.String("page", "") != "" {
		f.Offset, f.Limit = (args.Page()-1)*conversation.PageSize, conversation.PageSize
	}
	if err := args.Err(); err != nil {
		return err
	}
	return a.writeTitles(w, r, c, f)
}

func (a *API) writeTitles(w http.ResponseWriter, r *http.Request, c *route.Call, f conversation.Filter) error {
	list, err := a.Conversations.List(r.Context(), c.Who, f)
	if err != nil {
		return err
	}
	return route.WriteJSON(w, http.StatusOK, a.titlesOf(list))
}

func (a *API) titles(choose func(*conversation.Filter)) route.Handler {
	return func(w http.ResponseWriter, r *http.Request, c *route.Call) error {
		var f conversation.Filter
		choose(&f)
		return a.writeTitles(w, r, c, f)
	}
}

func (a *API) sortedChats(choose func(*conversation.Filter)) route.Handler {
	return func(w http.ResponseWriter, r *http.Request, c *route.Call) error {
		f, err := sortedFilter(r)
		if err != nil {
			return err
		}
		choose(&f)
		return a.writeTitles(w, r, c, f)
	}
}

func sortedFilter(r *http.Request) (conversation.Filter, error) {
	args := route.ArgsOf(r)
	f := conversation.Filter{
		Query: args.String("query", ""), InTitle: true, OrderBy: args.String("order_by", ""), Ascending: args.String("direction", "") == "asc",
		Offset: (args.Page() - 1) * conversation.PageSize, Limit: conversation.PageSize,
	}
	return f, args.Err()
}

func (a *API) searchChats(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	args := route.ArgsOf(r)
	text, page := args.Required("text"), args.Page()
	if err := args.Err(); err != nil {
		return err
	}
	list, err := a.Conversations.Search(r.Context(), c.Who, text, page)
	if err != nil {
		return err
	}
	return route.WriteJSON(w, http.StatusOK, a.titlesOf(list))
}

func (a *API) chatsOfUser(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	f, err := sortedFilter(r)
	if err != nil {
		return err
	}
	f.UserID, f.Archived = r.PathValue("id"), ptrTo(false)
	list, err := a.Conversations.ListOf(r.Context(), c.Who, f)
	if err != nil {
		return err
	}
	return route.WriteJSON(w, http.StatusOK, a.titlesOf(list))
}

func (a *API) taggedChats(ctx context.Context, c *route.Call, in tagFilter) ([]chatTitle, error) {
	if in.Limit <= 0 || in.Limit > 1000 {
		in.Limit = 50
	}
	list, err := a.Conversations.List(ctx, c.Who, conversation.Filter{Tags: []string{conversation.TagID(in.Name)}, Offset: in.Skip, Limit: in.Limit})
	return a.titlesOf(list), err
}

func (a *API) folderTitles(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	args := route.ArgsOf(r)
	f := conversation.Filter{Folders: []string{r.PathValue("id")}, Archived: ptrTo(false), Offset: (args.Page() - 1) * conversation.PageSize, Limit: conversation.PageSize}
	if err := args.Err(); err != nil {
		return err
	}
	if _, err := a.Conversations.Folder(r.Context(), c.Who, r.PathValue("id")); err != nil {
		return err
	}
	return a.writeTitles(w, r, c, f)
}

func (a *API) folderChats(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	below, err := a.Conversations.Below(r.Context(), c.Who, r.PathValue("id"))
	if err != nil {
		return err
	}
	return a.writeChats(w, r, c, conversation.Filter{Folders: below, Archived: ptrTo(false)})
}

// exportChats writes whole chats, one after the other: a person's chats may be
// more than fits into memory.
func (a *API) exportChats(archived *bool) route.Handler {
	return func(w http.ResponseWriter, r *http.Request, c *route.Call) error {
		return a.writeChats(w, r, c, conversation.Filter{Archived: archived})
	}
}

func (a *API) writeChats(w http.ResponseWriter, r *http.Request, c *route.Call, f conversation.Filter) error {
	list, err := a.Conversations.List(r.Context(), c.Who, f)
	if err != nil {
		return err
	}
	out := &chatArray{w: w}
	for _, one := range list {
		if err := out.add(a.Conversations.Get(r.Context(), c.Who, one.ID)); err != nil {
			return err
		}
	}
	return out.end()
}

func (a *API) exportEverybody(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	if !setting.Get(a.Settings, setting.EnableAdminExport) {
		return errdefs.New(errdefs.Forbidden, "Exports of everybody's chats are switched off: ENABLE_ADMIN_EXPORT.").WithStatus(http.StatusUnauthorized)
	}
	out := &chatArray{w: w}
	err := a.Conversations.EachOf(r.Context(), c.Who, func(chat *conversation.Chat) error { return out.add(chat, nil) })
	if err != nil {
		return err
	}
	return out.end()
}

// chatArray is a JSON array on its way to the client. Nothing is written before
// the first chat is there, so that an error until then is one.
type chatArray struct {
	w     http.ResponseWriter
	begun bool
}

// add writes a chat; one that was deleted meanwhile is left out.
func (o *chatArray) add(c *conversation.Chat, err error) error {
	if errdefs.Is(err, errdefs.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	answer, err := chatOf(c)
	if err != nil {
		return err
	}
	body, err := route.Marshal(answer)
	if err != nil {
		return err
	}
	before := ","
	if !o.begun {
		o.begun, before = true, "["
		o.w.Header().Set("Content-Type", "application/json")
	}
	if _, err := o.w.Write([]byte(before)); err != nil {
		return err
	}
	_, err = o.w.Write(body)
	return err
}

func (o *chatArray) end() error {
	if !o.begun {
		return route.WriteBody(o.w, http.StatusOK, []byte("[]"))
	}
	_, err := o.w.Write([]byte("]"))
	return err
}

func (a *API) chatStats(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	args := route.ArgsOf(r)
	size := min(max(args.Int("items_per_page", 50), 1), conversation.PageSize)
	f := conversation.Filter{Offset: (args.Page() - 1) * size, Limit: size}
	if err := args.Err(); err != nil {
		return err
	}
	total, err := a.Conversations.Count(r.Context(), c.Who, conversation.Filter{})
	if err != nil {
		return err
	}
	list, err := a.Conversations.List(r.Context(), c.Who, f)
	if err != nil {
		return err
	}
	out := chatStatsPage{Items: make([]chatStats, 0, len(list)), Total: total}
	for _, one := range list {
		chat, err := a.Conversations.Get(r.Context(), c.Who, one.ID)
		if errdefs.Is(err, errdefs.NotFound) {
			continue
		}
		if err != nil {
			return err
		}
		out.Items = append(out.Items, statsOf(chat))
	}
	return route.WriteJSON(w, http.StatusOK, out)
}

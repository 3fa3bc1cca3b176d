package api

import (
	"context"
	"encoding/json"
	"net/http"

	"portico/internal/api/route"
	"portico/internal/auth"
	"portico/internal/user"
)

const groupBase = "/api/v1/groups"

// groupRoutes are groups of people: what grants can name, and what gives their
// members permissions.
func (a *API) groupRoutes() []route.Route {
	one := groupBase + "/id/{id}"
	rows := []route.Route{
		{
			Method: "GET", Path: groupBase, Op: "groups", Who: route.Verified, Summary: "List groups", Answer: []groupSheet{}, Handler: a.listGroups,
			Doc:    "Administrators see all, others those that they are in.",
			Params: []route.Param{{Name: "share", In: "query", Doc: "Only those that things may (not) be shared with: `data.config.share`, true unless set.", Type: false}},
		},
		{
			Method: "GET", Path: groupBase + "/all", Op: "all_groups", Who: route.Admin, Summary: "List all groups", Answer: []groupSheet{},
			Doc: "As older clients ask for it.", Handler: a.listGroups,
		},
		{
			Method: "POST", Path: groupBase + "/create", Op: "create_group", Who: route.Admin, Summary: "Make a group",
			Body: groupForm{}, Answer: groupSheet{}, Errors: []int{400}, Handler: route.JSON(a.createGroup),
			Doc: "Members may be given at once, as `user_ids`.",
		},
		{
			Method: "GET", Path: one, Op: "group", Who: route.Admin, Summary: "One group", Answer: groupSheet{}, Errors: []int{404},
			Handler: byID(a.oneGroup),
		},
		{
			Method: "GET", Path: one + "/info", Op: "group_info", Who: route.Verified, Summary: "Name and size of a group", Answer: groupInfo{}, Errors: []int{404},
			Handler: byID(a.groupInfo),
		},
		{
			Method: "GET", Path: one + "/export", Op: "export_group", Who: route.Admin, Summary: "A group with the ids of its members",
			Answer: groupExport{}, Errors: []int{404}, Handler: byID(a.exportGroup),
			Doc: "POST /api/v1/groups/create takes it back.",
		},
		{
			Method: "GET", Path: one + "/preview", Op: "preview_group", Who: route.Admin, Summary: "What a group was given",
			Answer: groupPreview{}, Errors: []int{404}, Handler: byID(a.previewGroup),
		},
		{
			Method: "POST", Path: one + "/users", Op: "group_users", Who: route.Admin, Summary: "The members of a group, by name",
			Answer: []foundAnswer{}, Errors: []int{404}, Handler: byID(a.groupUsers),
		},
		{
			Method: "POST", Path: one + "/update", Op: "update_group", Who: route.Admin, Summary: "Change a group",
			Body: groupForm{}, Answer: groupSheet{}, Errors: []int{400, 404}, Handler: a.updateGroup,
			Doc: "`permissions`, `data` and `meta` stay as they are when they are not given; so do the members, without `user_ids`.",
		},
		{
			Method: "POST", Path: one + "/users/add", Op: "add_group_users", Who: route.Admin, Summary: "Bring people into a group",
			Body: membersForm{}, Answer: groupSheet{}, Errors: []int{400, 404}, Handler: a.changeMembers(a.addMembers),
			Doc: "Of people who do not exist none are brought in, nor any others of the same request.",
		},
		{
			Method: "POST", Path: one + "/users/remove", Op: "remove_group_users", Who: route.Admin, Summary: "Put people out of a group",
			Body: membersForm{}, Answer: groupSheet{}, Errors: []int{404}, Handler: a.changeMembers(a.removeMembers),
			Doc: "What they could use through it alone they cannot use any more, at once.",
		},
		{
			Method: "DELETE", Path: one + "/delete", Op: "delete_group", Who: route.Admin, Summary: "Delete a group, with what was granted to it",
			Answer: true, Errors: []int{404}, Handler: a.deleteGroup,
		},
	}
	for i := range rows {
		rows[i].Tag = "groups"
	}
	return rows
}

// groupInfo is what everybody may know of a group.
type groupInfo struct {
	ID          string `json:"id"`
	UserID      string `json:"user_id"` // who made it
	Name        string `json:"name"`
	Description string `json:"description"`
	Members     int    `json:"member_count"`
	CreatedAt   int64  `json:"created_at"`
	UpdatedAt   int64  `json:"updated_at"`
}

// groupSheet is a group as a list has it. What was not set is null.
type groupSheet struct {
	groupInfo
	Data        json.RawMessage `json:"data"`
	Meta        json.RawMessage `json:"meta"`
	Permissions json.RawMessage `json:"permissions"`
}

type groupExport struct {
	groupSheet
	UserIDs []string `json:"user_ids"`
}

type groupForm struct {
	Name        string          `json:"name" require:"true"`
	Description string          `json:"description" require:"true"`
	Permissions json.RawMessage `json:"permissions"`
	Data        json.RawMessage `json:"data"`
	Meta        json.RawMessage `json:"meta"`
	UserIDs     *[]string       `json:"user_ids"`
}

type membersForm struct {
	UserIDs []string `json:"user_ids"`
}

func (f *groupForm) draft() (auth.GroupDraft, error) {
	d := auth.GroupDraft{Name: f.Name, Description: f.Description, Members: f.UserIDs}
	for _, part := range []struct {
		name string
		raw  json.RawMessage
		into *json.RawMessage
	}{{"permissions", f.Permissions, &d.Permissions}, {"data", f.Data, &d.Data}, {"meta", f.Meta, &d.Meta}} {
		switch {
		case len(part.raw) == 0 || string(part.raw) == "null":
		case part.raw[0] == '{':
			*part.into = part.raw
		default:
			return d, route.Fault("dict_type", []any{"body", part.name}, "Input should be a valid dictionary", nil)
		}
	}
	return d, nil
}

func infoOf(g *user.Group, members int) groupInfo {
	return groupInfo{ID: g.ID, UserID: g.UserID, Name: g.Name, Description: g.Description, Members: members, CreatedAt: g.CreatedAt, UpdatedAt: g.UpdatedAt}
}

func groupOf(g *user.Group, members int) groupSheet {
	return groupSheet{infoOf(g, members), rawOrNull(g.Data), rawOrNull(g.Meta), rawOrNull(g.Permissions)}
}

// groupNow counts the members, too.
func (a *API) groupNow(ctx context.Context, g *user.Group) (groupSheet, error) {
	members, err := a.Users.Members(ctx, g.ID)
	return groupOf(g, len(members)), err
}

// byID makes a handler of what is done with the thing that the path names.
func byID[Out any](fn func(ctx context.Context, id string) (Out, error)) route.Handler {
	return func(w http.ResponseWriter, r *http.Request, _ *route.Call) error {
		out, err := fn(r.Context(), r.PathValue("id"))
		if err != nil {
			return err
		}
		return route.WriteJSON(w, http.StatusOK, out)
	}
}

func (a *API) listGroups(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	args := route.ArgsOf(r)
	share, asked := args.Bool("share", false), args.String("share", "") != ""
	if err := args.Err(); err != nil {
		return err
	}
	var groups []*user.Group
	var err error
	if c.Who.IsAdmin() {
		groups, err = a.Users.Groups(r.Context())
	} else {
		groups, err = a.Users.GroupsWith(r.Context(), c.Who.UserID)
	}
	if err != nil {
		return err
	}
	counts, err := a.Users.CountMembers(r.Context())
	if err != nil {
		return err
	}
	out := make([]groupSheet, 0, len(groups))
	for _, g := range groups {
		if !asked || shareable(g) == share {
			out = append(out, groupOf(g, counts[g.ID]))
		}
	}
	return route.WriteJSON(w, http.StatusOK, out)
}

// shareable reports whether things may be shared with a group, as its data
// says: data.config.share is a switch or a word, and absent means yes.
func shareable(g *user.Group) bool {
	var data struct {
		Config struct {
			Share json.RawMessage `json:"share"`
		} `json:"config"`
	}
	return json.Unmarshal([]byte(g.Data), &data) != nil || string(data.Config.Share) != "false"
}

func (a *API) createGroup(ctx context.Context, c *route.Call, in groupForm) (groupSheet, error) {
	d, err := in.draft()
	if err != nil {
		return groupSheet{}, err
	}
	g, err := a.Auth.CreateGroup(ctx, c.Who.UserID, d)
	if err != nil {
		return groupSheet{}, err
	}
	return a.groupNow(ctx, g)
}

func (a *API) oneGroup(ctx context.Context, id string) (groupSheet, error) {
	g, err := a.Users.GroupByID(ctx, id)
	if err != nil {
		return groupSheet{}, err
	}
	return a.groupNow(ctx, g)
}

func (a *API) groupInfo(ctx context.Context, id string) (groupInfo, error) {
	g, err := a.oneGroup(ctx, id)
	return g.groupInfo, err
}

func (a *API) exportGroup(ctx context.Context, id string) (groupExport, error) {
	g, err := a.Users.GroupByID(ctx, id)
	if err != nil {
		return groupExport{}, err
	}
	members, err := a.Users.Members(ctx, id)
	return groupExport{groupOf(g, len(members)), notNil(members)}, err
}

func (a *API) groupUsers(ctx context.Context, id string) ([]foundAnswer, error) {
	if _, err := a.Users.GroupByID(ctx, id); err != nil {
		return nil, err
	}
	found, err := a.Users.PeopleIn(ctx, id, manyUsers)
	if err != nil {
		return nil, err
	}
	return a.found(ctx, found, true)
}

func (a *API) updateGroup(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	var in groupForm
	if err := route.Decode(w, r, c, &in); err != nil {
		return err
	}
	d, err := in.draft()
	if err != nil {
		return err
	}
	g, err := a.Auth.UpdateGroup(r.Context(), r.PathValue("id"), d)
	if err != nil {
		return err
	}
	out, err := a.groupNow(r.Context(), g)
	if err != nil {
		return err
	}
	return route.WriteJSON(w, http.StatusOK, out)
}

func (a *API) addMembers(ctx context.Context, groupID string, userIDs []string) error {
	return a.Auth.AddMembers(ctx, groupID, userIDs)
}

func (a *API) removeMembers(ctx context.Context, groupID string, userIDs []string) error {
	return a.Users.RemoveMembers(ctx, groupID, userIDs)
}

// changeMembers makes the handler of a change of who is in a group.
func (a *API) changeMembers(change func(ctx context.Context, groupID string, userIDs []string) error) route.Handler {
	return func(w http.ResponseWriter, r *http.Request, c *route.Call) error {
		var in membersForm
		if err := route.Decode(w, r, c, &in); err != nil {
			return err
		}
		if err := change(r.Context(), r.PathValue("id"), in.UserIDs); err != nil {
			return err
		}
		out, err := a.oneGroup(r.Context(), r.PathValue("id"))
		if err != nil {
			return err
		}
		return route.WriteJSON(w, http.StatusOK, out)
	}
}

func (a *API) deleteGroup(w http.ResponseWriter, r *http.Request, _ *route.Call) error {
	if err := a.Users.DeleteGroup(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	return route.WriteJSON(w, http.StatusOK, true)
}

package api

import (
	"context"
	"encoding/json"
	"net/http"

	"portico/internal/access"
	"portico/internal/api/route"
	"portico/internal/errdefs"
	"portico/internal/setting"
	"portico/internal/user"
)

// usersPage is how many people one page lists.
const usersPage = 30

// userRoutes are people: for administrators, and what each keeps of their own.
func (a *API) userRoutes() []route.Route {
	const base = "/api/v1/users"
	return []route.Route{
		{
			Method: "GET", Path: base, Op: "users", Tag: "users", Who: route.Admin,
			Summary: "List people, page by page", Answer: usersAnswer{},
			Params: []route.Param{
				{Name: "query", In: "query", Doc: "Part of a name or an e-mail address."},
				{Name: "order_by", In: "query", Doc: "name, email, role, created_at or last_active_at."},
				{Name: "direction", In: "query", Doc: "asc or desc."},
				{Name: "page", In: "query", Doc: "From 1, with 30 people each.", Type: 0},
			},
			Handler: a.listUsers,
		},
		{
			Method: "GET", Path: base + "/all", Op: "all_users", Tag: "users", Who: route.Admin,
			Summary: "List everybody", Answer: peopleAnswer{}, Handler: route.NoBody(a.allUsers),
		},
		{
			Method: "GET", Path: base + "/search", Op: "search_users", Tag: "users", Who: route.Verified,
			Summary: "Find people to share with", Answer: peopleAnswer{},
			Params:  []route.Param{{Name: "query", In: "query", Doc: "Part of a name or an e-mail address."}},
			Handler: a.searchUsers,
		},
		{
			Method: "GET", Path: base + "/default/permissions", Op: "default_permissions", Tag: "users", Who: route.Admin,
			Summary: "What everybody may do", Answer: setting.Permissions{}, Handler: route.NoBody(a.defaultPermissions),
		},
		{
			Method: "GET", Path: base + "/default/permissions/defaults", Op: "initial_permissions", Tag: "users", Who: route.Admin,
			Summary: "What everybody may do while nobody changes it", Answer: setting.Permissions{},
			Handler: route.NoBody(func(context.Context, *route.Call) (setting.Permissions, error) {
				return setting.DefaultPermissions(), nil
			}),
		},
		{
			Method: "POST", Path: base + "/default/permissions", Op: "set_default_permissions", Tag: "users", Who: route.Admin,
			Summary: "Change what everybody may do", Body: setting.Permissions{}, Answer: setting.Permissions{}, Errors: []int{400, 409},
			Handler: route.JSON(a.setDefaultPermissions),
		},
		{
			Method: "GET", Path: base + "/{id}", Op: "user", Tag: "users", Who: route.Admin,
			Summary: "One person", Answer: oneUserAnswer{}, Errors: []int{404}, Handler: a.oneUser,
		},
		{
			Method: "GET", Path: base + "/{id}/groups", Op: "user_groups", Tag: "users", Who: route.Admin,
			Summary: "The groups that somebody is in", Answer: []groupSheet{}, Errors: []int{404}, Handler: byID(a.groupsWith),
		},
		{
			Method: "GET", Path: base + "/{id}/preview", Op: "preview_user", Tag: "users", Who: route.Admin,
			Summary: "What somebody may use", Answer: userPreview{}, Errors: []int{404}, Handler: a.previewUser,
		},
		{
			Method: "GET", Path: base + "/{id}/active", Op: "user_active", Tag: "users", Who: route.Verified,
			Summary: "Whether somebody did something within the last minutes", Answer: activeAnswer{}, Errors: []int{404},
			Handler: byID(a.userActive),
		},
		{
			Method: "POST", Path: base + "/{id}/update", Also: []string{base + "/{id}/update/role"}, Op: "update_user", Tag: "users", Who: route.Admin,
			Summary: "Change role, name, e-mail, picture or password of somebody", Body: userForm{}, Answer: oneUserAnswer{},
			Doc:     "What is not given stays as it is. A new password ends all sessions. The last administrator stays one, and the first one's account is changed by its owner alone.",
			MaxBody: 2 << 20, Errors: []int{400, 403, 404, 409}, Handler: a.updateUser,
		},
		{
			Method: "POST", Path: base + "/{id}/sessions/revoke", Op: "revoke_sessions", Tag: "users", Who: route.Admin,
			Summary: "End all sessions of somebody", Answer: true, Errors: []int{403, 404}, Handler: a.revokeSessions,
		},
		{
			Method: "DELETE", Path: base + "/{id}", Op: "delete_user", Tag: "users", Who: route.Admin,
			Summary: "Delete somebody with all that is theirs", Answer: true, Errors: []int{403, 404, 409}, Handler: a.deleteUser,
		},
		{
			Method: "GET", Path: base + "/{id}/profile/image", Op: "profile_image", Tag: "users", Who: route.Verified,
			Summary: "Somebody's picture", Produces: "image/png, image/jpeg, image/gif, image/webp", Errors: []int{404}, Handler: a.profileImage,
		},
		{
			Method: "GET", Path: user.DefaultImage, Op: "default_image", Tag: "users", Who: route.Public, Blind: true,
			Summary: "The picture of who set none", Produces: "image/png",
			Handler: func(w http.ResponseWriter, _ *http.Request, _ *route.Call) error {
				return writePicture(w, "image/png", silhouette())
			},
		},
	}
}

type usersAnswer struct {
	Users []userAnswer `json:"users"`
	Total int          `json:"total"`
}

// userAnswer is all of a person. What is not kept here is null.
type userAnswer struct {
	ID          string    `json:"id"`
	Email       string    `json:"email"`
	Username    *string   `json:"username"`
	Role        user.Role `json:"role"`
	Name        string    `json:"name"`
	Image       string    `json:"profile_image_url"`
	Banner      *string   `json:"profile_banner_image_url"`
	Bio         *string   `json:"bio"`
	Gender      *string   `json:"gender"`
	DateOfBirth *string   `json:"date_of_birth"`
	Timezone    *string   `json:"timezone"`
	Presence    *string   `json:"presence_state"`
	ownStatus
	Info         json.RawMessage `json:"info"`
	Settings     json.RawMessage `json:"settings"`
	OAuth        *string         `json:"oauth"`
	SCIM         *string         `json:"scim"`
	LastActiveAt int64           `json:"last_active_at"`
	UpdatedAt    int64           `json:"updated_at"`
	CreatedAt    int64           `json:"created_at"`
	GroupIDs     []string        `json:"group_ids"`
}

type peopleAnswer struct {
	Users []foundAnswer `json:"users"`
	Total int           `json:"total"`
}

// foundAnswer is somebody in a list. What is not kept here is null.
type foundAnswer struct {
	personAnswer
	ownStatus
	Bio          *string       `json:"bio"`
	Timezone     *string       `json:"timezone"`
	LastActiveAt int64         `json:"last_active_at"`
	IsActive     bool          `json:"is_active"` // within the last minutes
	Groups       []groupAnswer `json:"groups"`
}

// groupAnswer names a group.
type groupAnswer struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// oneUserAnswer is all of a person, with the names of their groups.
type oneUserAnswer struct {
	userAnswer
	IsActive bool          `json:"is_active"`
	Groups   []groupAnswer `json:"groups"`
}

type userForm struct {
	Role     *user.Role `json:"role"`
	Name     *string    `json:"name"`
	Email    *string    `json:"email"`
	Image    *string    `json:"profile_image_url"`
	Password *string    `json:"password"`
}

func (a *API) userOf(u *user.User, groups []string) userAnswer {
	out := userAnswer{
		ID: u.ID, Email: u.Email, Role: u.Role, Name: u.Name, Image: imageOf(u),
		Info: rawOrNull(u.Info), Settings: rawOrNull(u.Settings),
		LastActiveAt: u.LastActiveAt, UpdatedAt: u.UpdatedAt, CreatedAt: u.CreatedAt, GroupIDs: notNil(groups),
		Timezone: orNull(u.Timezone), Bio: orNull(u.Bio), Gender: orNull(u.Gender), DateOfBirth: orNull(u.DateOfBirth),
		ownStatus: a.statusOf(u),
	}
	return out
}

func rawOrNull(text string) json.RawMessage {
	if text == "" {
		return json.RawMessage("null")
	}
	return json.RawMessage(text)
}

func (a *API) listUsers(w http.ResponseWriter, r *http.Request, _ *route.Call) error {
	args := route.ArgsOf(r)
	page := args.Page()
	if err := args.Err(); err != nil {
		return err
	}
	f := user.Filter{
		Query: args.String("query", ""), OrderBy: args.String("order_by", ""),
		Offset: (page - 1) * usersPage, Limit: usersPage,
	}
	// Without a wish the newest come first.
	f.Descending = args.String("direction", "") == "desc" || f.OrderBy == "" && args.String("direction", "") == ""
	found, total, err := a.Users.Users(r.Context(), f)
	if err != nil {
		return err
	}
	ids := make([]string, len(found))
	for i, u := range found {
		ids[i] = u.ID
	}
	groups, err := a.Users.GroupsOfEach(r.Context(), ids)
	if err != nil {
		return err
	}
	out := usersAnswer{Users: make([]userAnswer, 0, len(found)), Total: total}
	for _, u := range found {
		out.Users = append(out.Users, a.userOf(u, groups[u.ID]))
	}
	return route.WriteJSON(w, http.StatusOK, out)
}

// manyUsers bounds the lists that have no pages.
const manyUsers = 10_000

func (a *API) allUsers(ctx context.Context, _ *route.Call) (peopleAnswer, error) {
	return a.people(ctx, user.Filter{OrderBy: "name", Limit: manyUsers}, true)
}

// searchUsers shows e-mail addresses to administrators only: a name is enough
// to share with somebody.
func (a *API) searchUsers(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	f := user.Filter{Query: route.ArgsOf(r).String("query", ""), OrderBy: "name", Limit: usersPage}
	out, err := a.people(r.Context(), f, c.Who.IsAdmin())
	if err != nil {
		return err
	}
	return route.WriteJSON(w, http.StatusOK, out)
}

// people lists those whom f selects; whole is with what only administrators
// see of others.
func (a *API) people(ctx context.Context, f user.Filter, whole bool) (peopleAnswer, error) {
	found, total, err := a.Users.Users(ctx, f)
	if err != nil {
		return peopleAnswer{}, err
	}
	out, err := a.found(ctx, found, whole)
	return peopleAnswer{out, total}, err
}

// found describes people; see people.
func (a *API) found(ctx context.Context, people []*user.User, whole bool) ([]foundAnswer, error) {
	var groups map[string][]groupAnswer
	if whole {
		var err error
		if groups, err = a.groupsOf(ctx, people); err != nil {
			return nil, err
		}
	}
	out := make([]foundAnswer, 0, len(people))
	for _, u := range people {
		p := foundAnswer{
			personAnswer: personOf(u), ownStatus: a.statusOf(u), Bio: orNull(u.Bio),
			LastActiveAt: u.LastActiveAt, IsActive: a.active(u), Groups: notNil(groups[u.ID]),
		}
		p.Image = imageOf(u)
		if whole {
			p.Timezone = orNull(u.Timezone)
		} else {
			p.Email = ""
		}
		out = append(out, p)
	}
	return out, nil
}

// active reports whether somebody did something within the last minutes.
func (a *API) active(u *user.User) bool {
	return a.now().Unix()-u.LastActiveAt < 3*60
}

// groupsOf gives the groups of each of many people.
func (a *API) groupsOf(ctx context.Context, people []*user.User) (map[string][]groupAnswer, error) {
	ids := make([]string, len(people))
	for i, u := range people {
		ids[i] = u.ID
	}
	each, err := a.Users.GroupsOfEach(ctx, ids)
	if err != nil || len(each) == 0 {
		return nil, err
	}
	all, err := a.Users.Groups(ctx)
	if err != nil {
		return nil, err
	}
	names := make(map[string]string, len(all))
	for _, g := range all {
		names[g.ID] = g.Name
	}
	out := make(map[string][]groupAnswer, len(each))
	for id, groups := range each {
		for _, g := range groups {
			out[id] = append(out[id], groupAnswer{ID: g, Name: names[g]})
		}
	}
	return out, nil
}

func (a *API) oneUser(w http.ResponseWriter, r *http.Request, _ *route.Call) error {
	u, err := a.Users.UserByID(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return a.writeUser(w, r, u)
}

func (a *API) writeUser(w http.ResponseWriter, r *http.Request, u *user.User) error {
	groups, err := a.groupsOf(r.Context(), []*user.User{u})
	if err != nil {
		return err
	}
	out := oneUserAnswer{IsActive: a.active(u), Groups: notNil(groups[u.ID])}
	ids := make([]string, len(out.Groups))
	for i, g := range out.Groups {
		ids[i] = g.ID
	}
	out.userAnswer = a.userOf(u, ids)
	return route.WriteJSON(w, http.StatusOK, out)
}

// keepFounder fails when another administrator would change the one who came
// first: who set a server up cannot be put out of it.
func (a *API) keepFounder(ctx context.Context, who *access.Principal, id string) error {
	founder, err := a.founder(ctx)
	if err == nil && id == founder && who.UserID != id {
		err = errdefs.New(errdefs.Forbidden, "The first administrator's account is changed by its owner alone.")
	}
	return err
}

// keepFounding fails when the first administrator would stop being one, also by
// their own hand.
func (a *API) keepFounding(ctx context.Context, id string) error {
	founder, err := a.founder(ctx)
	if err == nil && id == founder {
		err = errdefs.New(errdefs.Forbidden, "The first administrator stays an administrator.")
	}
	return err
}

// founder is the id of the first account, while that is an administrator's.
func (a *API) founder(ctx context.Context) (string, error) {
	oldest, _, err := a.Users.Users(ctx, user.Filter{OrderBy: "created_at", Limit: usersPage})
	if err != nil {
		return "", err
	}
	for _, u := range oldest { // times are in seconds: several may be equal
		if u.Role == user.Admin && u.CreatedAt == oldest[0].CreatedAt {
			return u.ID, nil
		}
	}
	return "", nil
}

func (a *API) updateUser(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	var in userForm
	if err := route.Decode(w, r, c, &in); err != nil {
		return err
	}
	id := r.PathValue("id")
	if err := a.keepFounder(r.Context(), c.Who, id); err != nil {
		return err
	}
	if in.Role != nil && in.Role.Valid() && *in.Role != user.Admin {
		if err := a.keepFounding(r.Context(), id); err != nil {
			return err
		}
	}
	if in.Password != nil && *in.Password != "" { // forms send it empty
		if err := a.Auth.CheckPassword(*in.Password); err != nil {
			return err
		}
	}
	// Clients send back the address that lists show in place of a large picture.
	if in.Image != nil && *in.Image == imagePath(id) {
		in.Image = nil
	}
	u, err := a.Auth.Change(r.Context(), id, user.Change{Role: in.Role, Name: in.Name, Email: in.Email, ProfileImageURL: in.Image})
	if err != nil {
		return err
	}
	if in.Password != nil && *in.Password != "" {
		if err := a.Auth.SetPassword(r.Context(), id, *in.Password); err != nil {
			return err
		}
	}
	return a.writeUser(w, r, u)
}

func (a *API) revokeSessions(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	if err := a.keepFounder(r.Context(), c.Who, r.PathValue("id")); err != nil {
		return err
	}
	if err := a.Auth.EndSessions(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	return route.WriteJSON(w, http.StatusOK, true)
}

func (a *API) deleteUser(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	if r.PathValue("id") == c.Who.UserID {
		return errdefs.New(errdefs.Forbidden, "You cannot delete your own account. Another administrator can.")
	}
	if err := a.keepFounder(r.Context(), c.Who, r.PathValue("id")); err != nil {
		return err
	}
	if err := a.Auth.Delete(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	return route.WriteJSON(w, http.StatusOK, true)
}

func (a *API) defaultPermissions(context.Context, *route.Call) (setting.Permissions, error) {
	return setting.ParsePermissions(setting.Get(a.Settings, setting.UserPermissions))
}

func (a *API) setDefaultPermissions(ctx context.Context, c *route.Call, in setting.Permissions) (setting.Permissions, error) {
	if err := a.Settings.Set(ctx, map[string]any{setting.UserPermissions.Name: in}); err != nil {
		return nil, err
	}
	return a.defaultPermissions(ctx, c)
}

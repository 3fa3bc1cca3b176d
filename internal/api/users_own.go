package api

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"

	"portico/internal/api/route"
	"portico/internal/errdefs"
	"portico/internal/setting"
	"portico/internal/user"
)

// ownRoutes are what each keeps of their own, and what they may do.
func (a *API) ownRoutes() []route.Route {
	const base = "/api/v1/users"
	return []route.Route{
		{
			Method: "GET", Path: base + "/permissions", Op: "own_permissions", Tag: "users", Who: route.Verified,
			Summary: "What the caller may do", Answer: setting.Permissions{},
			Handler: route.NoBody(func(ctx context.Context, c *route.Call) (setting.Permissions, error) {
				return a.Auth.Permissions(ctx, c.Who.UserID)
			}),
		},
		{
			Method: "GET", Path: base + "/user/settings", Op: "user_settings", Tag: "users", Who: route.Verified,
			Summary: "What the caller's client keeps here", Answer: map[string]any{}, Handler: route.NoBody(a.userSettings),
		},
		{
			Method: "POST", Path: base + "/user/settings/update", Op: "set_user_settings", Tag: "users", Who: route.Verified,
			Summary: "Add to the JSON object that is kept for the caller's client", Body: map[string]any{}, Answer: map[string]any{}, Handler: a.setUserSettings,
		},
		{
			Method: "GET", Path: base + "/user/info", Op: "user_info", Tag: "users", Who: route.Verified,
			Summary: "What the caller told about themselves", Answer: map[string]any{}, Handler: route.NoBody(a.userInfo),
		},
		{
			Method: "POST", Path: base + "/user/info/update", Op: "set_user_info", Tag: "users", Who: route.Verified,
			Summary: "Add to what the caller told about themselves", Body: map[string]any{}, Answer: map[string]any{}, Handler: a.setUserInfo,
		},
		{
			Method: "GET", Path: base + "/groups", Op: "own_groups", Tag: "users", Who: route.Verified,
			Summary: "The groups that the caller is in", Answer: []groupSheet{},
			Handler: route.NoBody(func(ctx context.Context, c *route.Call) ([]groupSheet, error) { return a.groupsWith(ctx, c.Who.UserID) }),
		},
		{
			Method: "GET", Path: base + "/user/status", Op: "user_status", Tag: "users", Who: route.Verified,
			Summary: "The caller, with their status", Answer: userAnswer{}, Handler: route.NoBody(a.userStatus),
		},
		{
			Method: "POST", Path: base + "/user/status/update", Op: "set_user_status", Tag: "users", Who: route.Verified,
			Summary: "Change the caller's status", Body: statusForm{}, Answer: userAnswer{}, Errors: []int{400}, Handler: route.JSON(a.setUserStatus),
			Doc: "What is not given stays; an empty text clears it.",
		},
	}
}

// ownStatus is what somebody says that they are doing. What is not said,
// or is over, is null.
type ownStatus struct {
	StatusEmoji     *string `json:"status_emoji"`
	StatusMessage   *string `json:"status_message"`
	StatusExpiresAt *int64  `json:"status_expires_at"`
}

func (a *API) statusOf(u *user.User) ownStatus {
	if u.StatusExpiresAt != 0 && u.StatusExpiresAt <= a.now().Unix() {
		return ownStatus{}
	}
	s := ownStatus{StatusEmoji: orNull(u.StatusEmoji), StatusMessage: orNull(u.StatusMessage)}
	if u.StatusExpiresAt != 0 {
		s.StatusExpiresAt = &u.StatusExpiresAt
	}
	return s
}

type statusForm struct {
	Emoji     *string `json:"status_emoji"`
	Message   *string `json:"status_message"`
	ExpiresAt *int64  `json:"status_expires_at"`
}

type activeAnswer struct {
	Active bool `json:"active"`
}

func (a *API) userStatus(ctx context.Context, c *route.Call) (userAnswer, error) {
	u, err := a.Users.UserByID(ctx, c.Who.UserID)
	if err != nil {
		return userAnswer{}, err
	}
	return a.userOf(u, c.Who.Groups), nil
}

func (a *API) setUserStatus(ctx context.Context, c *route.Call, in statusForm) (userAnswer, error) {
	u, err := a.Auth.Change(ctx, c.Who.UserID, user.Change{StatusEmoji: in.Emoji, StatusMessage: in.Message, StatusExpiresAt: in.ExpiresAt})
	if err != nil {
		return userAnswer{}, err
	}
	return a.userOf(u, c.Who.Groups), nil
}

func (a *API) userActive(ctx context.Context, id string) (activeAnswer, error) {
	u, err := a.Users.UserByID(ctx, id)
	if err != nil {
		return activeAnswer{}, err
	}
	return activeAnswer{a.active(u)}, nil
}

// groupsWith gives the groups of one person.
func (a *API) groupsWith(ctx context.Context, id string) ([]groupSheet, error) {
	if _, err := a.Users.UserByID(ctx, id); err != nil {
		return nil, err
	}
	groups, err := a.Users.GroupsWith(ctx, id)
	if err != nil {
		return nil, err
	}
	counts, err := a.Users.CountMembers(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]groupSheet, 0, len(groups))
	for _, g := range groups {
		out = append(out, groupOf(g, counts[g.ID]))
	}
	return out, nil
}

func (a *API) userSettings(ctx context.Context, c *route.Call) (json.RawMessage, error) {
	u, err := a.Users.UserByID(ctx, c.Who.UserID)
	if err != nil {
		return nil, err
	}
	return rawOrNull(u.Settings), nil
}

// setUserSettings lays the members that are given over those that are kept.
func (a *API) setUserSettings(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	var in map[string]json.RawMessage
	if err := route.Decode(w, r, c, &in); err != nil {
		return err
	}
	if ui := in["ui"]; len(ui) > 0 && ui[0] != '{' && string(ui) != "null" {
		return route.Fault("dict_type", []any{"body", "ui"}, "Input should be a valid dictionary", nil)
	}
	u, err := a.Users.UserByID(r.Context(), c.Who.UserID)
	if err != nil {
		return err
	}
	body, err := laidOver(u.Settings, in)
	if err != nil {
		return err
	}
	text := string(body)
	if _, err := a.Auth.Change(r.Context(), c.Who.UserID, user.Change{Settings: &text}); err != nil {
		return err
	}
	return route.WriteBody(w, http.StatusOK, body)
}

// laidOver gives a kept JSON object with members added or replaced.
func laidOver(kept string, in map[string]json.RawMessage) ([]byte, error) {
	all := map[string]json.RawMessage{}
	if kept != "" {
		if err := json.Unmarshal([]byte(kept), &all); err != nil {
			return nil, err
		}
	}
	maps.Copy(all, in)
	body, err := route.Marshal(all)
	if err != nil {
		return nil, err
	}
	if len(body) > 1<<20 {
		return nil, errdefs.New(errdefs.TooLarge, "All that is kept of you would be larger than 1 MiB.")
	}
	return body, nil
}

func (a *API) userInfo(ctx context.Context, c *route.Call) (json.RawMessage, error) {
	u, err := a.Users.UserByID(ctx, c.Who.UserID)
	if err != nil {
		return nil, err
	}
	return rawOrNull(u.Info), nil
}

func (a *API) setUserInfo(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	var in map[string]json.RawMessage
	if err := route.Decode(w, r, c, &in); err != nil {
		return err
	}
	u, err := a.Users.UserByID(r.Context(), c.Who.UserID)
	if err != nil {
		return err
	}
	body, err := laidOver(u.Info, in)
	if err != nil {
		return err
	}
	text := string(body)
	if _, err := a.Auth.Change(r.Context(), c.Who.UserID, user.Change{Info: &text}); err != nil {
		return err
	}
	return route.WriteBody(w, http.StatusOK, body)
}

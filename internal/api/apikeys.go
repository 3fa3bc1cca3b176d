package api

import (
	"context"
	"net/http"

	"portico/internal/api/route"
	"portico/internal/auth"
)

// keyRoutes are the caller's API keys: the one named "default", which older
// clients know as the only one, and any number of others.
func (a *API) keyRoutes() []route.Route {
	const one, many = "/api/v1/auths/api_key", "/api/v1/auths/api_keys"
	return ofAccounts([]route.Route{
		{
			Method: "POST", Path: one, Op: "rotate_api_key", Tag: "api keys", Who: route.Current,
			Summary: "Make the API key named default anew", Answer: oneKeyAnswer{}, Errors: []int{403, 409},
			Doc:     "The answer is the only place where the key is shown. The earlier key of that name ends at once.",
			Handler: route.NoBody(a.rotateKey),
		},
		{
			Method: "GET", Path: one, Op: "api_key", Tag: "api keys", Who: route.Current,
			Summary: "Recognise the API key named default", Answer: oneKeyAnswer{}, Errors: []int{404},
			Doc:     "Shows the first and last characters, since the key itself is not kept.",
			Handler: route.NoBody(a.showKey),
		},
		{
			Method: "DELETE", Path: one, Op: "delete_default_api_key", Tag: "api keys", Who: route.Current,
			Summary: "End the API key named default", Answer: true, Errors: []int{403},
			Handler: route.NoBody(a.deleteDefaultKey),
		},
		{
			Method: "GET", Path: many, Op: "api_keys", Tag: "api keys", Who: route.Human,
			Summary: "List the caller's API keys", Answer: []keyAnswer{},
			Handler: route.NoBody(a.listKeys),
		},
		{
			Method: "POST", Path: many, Op: "create_api_key", Tag: "api keys", Who: route.Human,
			Summary: "Make an API key", Body: keyForm{}, Answer: newKeyAnswer{}, Errors: []int{400, 403, 409},
			Doc:     "The answer is the only place where the key is shown. `models` and `routes` narrow what the key may do; `expires_at` ends it.",
			Handler: route.JSON(a.createKey),
		},
		{
			Method: "GET", Path: many + "/{id}", Op: "api_key_by_id", Tag: "api keys", Who: route.Human,
			Summary: "One of the caller's API keys", Answer: keyAnswer{}, Errors: []int{404},
			Handler: a.oneKey,
		},
		{
			Method: "POST", Path: many + "/{id}", Also: []string{many + "/{id}/update"}, Op: "update_api_key", Tag: "api keys", Who: route.Human,
			Summary: "Change name, scopes and end of an API key", Body: keyForm{}, Answer: keyAnswer{}, Errors: []int{400, 404, 409},
			Doc:     "What is not given stays as it is.",
			Handler: a.updateKey,
		},
		{
			Method: "DELETE", Path: many + "/{id}", Op: "delete_api_key", Tag: "api keys", Who: route.Human,
			Summary: "End an API key at once", Answer: true, Errors: []int{404},
			Handler: a.deleteKey,
		},
	})
}

type oneKeyAnswer struct {
	Key string `json:"api_key"`
}

type keyForm struct {
	Name      *string   `json:"name"`
	Models    *[]string `json:"models"`
	Routes    *[]string `json:"routes"`
	ExpiresAt *int64    `json:"expires_at"` // seconds since 1970; 0 is never
}

// over lays what was given over what was.
func (f keyForm) over(s auth.KeySpec) auth.KeySpec {
	set(&s.Name, f.Name)
	set(&s.Models, f.Models)
	set(&s.Routes, f.Routes)
	set(&s.ExpiresAt, f.ExpiresAt)
	return s
}

func set[T any](dst, src *T) {
	if src != nil {
		*dst = *src
	}
}

// keyAnswer is a key as its owner sees it. Times are seconds since 1970; null
// is never.
type keyAnswer struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Shown     string   `json:"api_key"` // first and last characters
	Models    []string `json:"models"`
	Routes    []string `json:"routes"`
	ExpiresAt *int64   `json:"expires_at"`
	LastUsed  *int64   `json:"last_used_at"`
	CreatedAt int64    `json:"created_at"`
}

type newKeyAnswer struct {
	keyAnswer
	Key string `json:"key"` // the whole key, once
}

func keyOf(k *auth.Key) keyAnswer {
	return keyAnswer{
		ID: k.ID, Name: k.Name, Shown: shown(k), Models: notNil(k.Models), Routes: notNil(k.Routes),
		ExpiresAt: unlessZero(k.ExpiresAt), LastUsed: unlessZero(k.LastUsed), CreatedAt: k.CreatedAt,
	}
}

func shown(k *auth.Key) string { return k.Prefix + "…" + k.Last4 }

func unlessZero(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}

func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (a *API) rotateKey(ctx context.Context, c *route.Call) (oneKeyAnswer, error) {
	if err := a.unbounded(ctx, c.Who); err != nil {
		return oneKeyAnswer{}, err
	}
	_, secret, err := a.Auth.CreateKey(ctx, c.Who.UserID, auth.KeySpec{Name: auth.DefaultKey}, true)
	return oneKeyAnswer{secret}, err
}

func (a *API) showKey(ctx context.Context, c *route.Call) (oneKeyAnswer, error) {
	k, err := a.Auth.KeyNamed(ctx, c.Who.UserID, auth.DefaultKey)
	if err != nil {
		return oneKeyAnswer{}, err
	}
	return oneKeyAnswer{shown(k)}, nil
}

func (a *API) deleteDefaultKey(ctx context.Context, c *route.Call) (bool, error) {
	if err := a.unbounded(ctx, c.Who); err != nil {
		return false, err
	}
	err := a.Auth.DeleteKeyNamed(ctx, c.Who.UserID, auth.DefaultKey)
	return err == nil, err
}

func (a *API) listKeys(ctx context.Context, c *route.Call) ([]keyAnswer, error) {
	keys, err := a.Auth.Keys(ctx, c.Who.UserID)
	if err != nil {
		return nil, err
	}
	out := make([]keyAnswer, 0, len(keys))
	for _, k := range keys {
		out = append(out, keyOf(k))
	}
	return out, nil
}

func (a *API) createKey(ctx context.Context, c *route.Call, in keyForm) (newKeyAnswer, error) {
	k, secret, err := a.Auth.CreateKey(ctx, c.Who.UserID, in.over(auth.KeySpec{}), false)
	if err != nil {
		return newKeyAnswer{}, err
	}
	return newKeyAnswer{keyAnswer: keyOf(k), Key: secret}, nil
}

func (a *API) oneKey(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	k, err := a.Auth.Key(r.Context(), c.Who.UserID, r.PathValue("id"))
	if err != nil {
		return err
	}
	return route.WriteJSON(w, http.StatusOK, keyOf(k))
}

func (a *API) updateKey(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	var in keyForm
	if err := route.Decode(w, r, c, &in); err != nil {
		return err
	}
	k, err := a.Auth.UpdateKey(r.Context(), c.Who.UserID, r.PathValue("id"), in.over)
	if err != nil {
		return err
	}
	return route.WriteJSON(w, http.StatusOK, keyOf(k))
}

func (a *API) deleteKey(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	if err := a.Auth.DeleteKey(r.Context(), c.Who.UserID, r.PathValue("id")); err != nil {
		return err
	}
	return route.WriteJSON(w, http.StatusOK, true)
}

package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"portico/internal/access"
	"portico/internal/api/route"
	"portico/internal/knowledge"
	"portico/internal/user"
)

// thing is something that can be granted.
type thing struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// things are those that somebody may use, of all that there are.
type things struct {
	Items []thing `json:"items"`
	Total int     `json:"total"`
}

// reach is what somebody may use.
type reach struct {
	Models    things `json:"models"` // those that are switched on
	Knowledge things `json:"knowledge"`
	Tools     things `json:"tools"`
}

type groupPreview struct {
	Group thing `json:"group"`
	reach
	Permissions json.RawMessage `json:"permissions"`
}

type userPreview struct {
	User   thing   `json:"user"`
	Groups []thing `json:"groups"`
	reach
}

// mostPreviewed bounds each list of a preview.
const mostPreviewed = 1000

// reach finds what somebody may use. It asks the rooms as they would be asked
// by that person, so that it shows what holds and not what should.
func (a *API) reach(ctx context.Context, who *access.Principal) (reach, error) {
	out := reach{things{Items: []thing{}}, things{Items: []thing{}}, things{Items: []thing{}}}
	mine, all, err := a.Models.Active(ctx, who)
	if err != nil {
		return out, err
	}
	out.Models.Total = all
	for _, s := range mine[:min(len(mine), mostPreviewed)] {
		out.Models.Items = append(out.Models.Items, thing{s.ID, s.Name})
	}
	collections, _, err := a.Knowledge.List(ctx, who, knowledge.Filter{OrderBy: "name", Ascending: true, Limit: mostPreviewed})
	if err != nil {
		return out, err
	}
	for _, k := range collections {
		out.Knowledge.Items = append(out.Knowledge.Items, thing{k.ID, k.Name})
	}
	everything := &access.Principal{Role: user.Admin}
	_, out.Knowledge.Total, err = a.Knowledge.List(ctx, everything, knowledge.Filter{Limit: 1})
	return out, err
}

func (a *API) previewGroup(ctx context.Context, id string) (groupPreview, error) {
	g, err := a.Users.GroupByID(ctx, id)
	if err != nil {
		return groupPreview{}, err
	}
	// Somebody who is in this group and is nothing else.
	member := &access.Principal{Role: user.Member, Groups: []string{id}, SetID: "preview of group " + id}
	can, err := a.reach(ctx, member)
	out := groupPreview{thing{g.ID, g.Name}, can, json.RawMessage("{}")}
	if strings.HasPrefix(g.Permissions, "{") {
		out.Permissions = json.RawMessage(g.Permissions)
	}
	return out, err
}

func (a *API) previewUser(w http.ResponseWriter, r *http.Request, _ *route.Call) error {
	ctx, id := r.Context(), r.PathValue("id")
	who, err := a.Auth.Principal(ctx, id)
	if err != nil {
		return err
	}
	groups, err := a.Users.GroupsWith(ctx, id)
	if err != nil {
		return err
	}
	out := userPreview{User: thing{who.UserID, who.Name}, Groups: []thing{}}
	for _, g := range groups {
		out.Groups = append(out.Groups, thing{g.ID, g.Name})
	}
	if out.reach, err = a.reach(ctx, who); err != nil {
		return err
	}
	return route.WriteJSON(w, http.StatusOK, out)
}

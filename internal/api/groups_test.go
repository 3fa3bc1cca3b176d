package api_test

import (
	"strings"
	"testing"

	"portico/internal/access"
	"portico/internal/api/apitest"
)

// group makes a group of some people and gives its id.
func group(t *testing.T, s *apitest.Server, form map[string]any, members ...*apitest.Person) string {
	t.Helper()
	ids := []string{}
	for _, p := range members {
		ids = append(ids, p.ID)
	}
	form["name"], form["description"], form["user_ids"] = "Band", "plays", ids
	a := s.Do(t, s.Admin.Token, "POST", "/api/v1/groups/create", form)
	if a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	return a.JSON(t)["id"].(string)
}

func TestGroups(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	id := group(t, s, map[string]any{"data": map[string]any{"config": map[string]any{"share": false}}}, s.User)
	for _, c := range []struct {
		as           *apitest.Person
		method, path string
		body         any
		status       int
		has          string
	}{
		{s.Admin, "GET", "/", nil, 200, `"name":"Band","description":"plays","member_count":1`},
		{s.Admin, "GET", "/?share=true", nil, 200, `[]`},
		{s.Admin, "GET", "/?share=false", nil, 200, id},
		{s.Admin, "GET", "/?share=perhaps", nil, 422, ``},
		{s.Admin, "GET", "/all", nil, 200, id},
		{s.User, "GET", "/", nil, 200, id},
		{s.Other, "GET", "/", nil, 200, `[]`},
		{s.Admin, "GET", "/id/" + id, nil, 200, `"data":{"config":{"share":false}},"meta":null,"permissions":null`},
		{s.Admin, "GET", "/id/nope", nil, 404, `There is no such group`},
		{s.Other, "GET", "/id/" + id + "/info", nil, 200, `"member_count":1`},
		{s.Admin, "GET", "/id/" + id + "/export", nil, 200, `"user_ids":["` + s.User.ID + `"]`},
		{s.Admin, "POST", "/id/" + id + "/users", nil, 200, s.User.Email},
		{s.Admin, "POST", "/id/nope/users", nil, 404, ``},
		{s.Admin, "POST", "/id/" + id + "/users/add", map[string]any{"user_ids": []string{s.Other.ID, "nobody"}}, 400, `nobody`},
		{s.Admin, "POST", "/id/" + id + "/users/add", map[string]any{"user_ids": "x"}, 422, ``},
		{s.Admin, "GET", "/id/" + id, nil, 200, `"member_count":1`},
		{s.Admin, "POST", "/id/" + id + "/users/add", map[string]any{"user_ids": []string{s.Other.ID, s.User.ID}}, 200, `"member_count":2`},
		{s.Admin, "POST", "/id/" + id + "/users/remove", map[string]any{"user_ids": []string{s.Other.ID}}, 200, `"member_count":1`},
		{s.Admin, "POST", "/id/nope/users/add", map[string]any{}, 404, ``},
		{s.Admin, "POST", "/id/" + id + "/update", map[string]any{"name": "Choir", "description": ""}, 200, `"share":false`},
		{s.Admin, "POST", "/id/" + id + "/update", map[string]any{"name": "Choir", "description": "", "user_ids": []string{}}, 200, `"member_count":0`},
		{s.Admin, "POST", "/id/" + id + "/update", map[string]any{"name": "Choir", "description": "", "user_ids": []string{"nobody"}}, 400, `nobody`},
		{s.Admin, "POST", "/id/nope/update", map[string]any{"name": "x", "description": ""}, 404, ``},
		{s.Admin, "POST", "/create", map[string]any{"name": "x"}, 422, `description`},
		{s.Admin, "POST", "/create", map[string]any{"name": 7, "description": ""}, 422, ``},
		{s.Admin, "POST", "/create", map[string]any{"name": " ", "description": ""}, 400, ``},
		{s.Admin, "POST", "/create", map[string]any{"name": strings.Repeat("x", 5000), "description": ""}, 400, `too long`},
		{s.Admin, "POST", "/create", map[string]any{"name": "x", "description": "", "permissions": []string{}}, 422, `permissions`},
		{s.Admin, "POST", "/create", map[string]any{"name": "x", "description": "", "permissions": map[string]any{"chat": "yes"}}, 400, `switches`},
		{s.Admin, "GET", "/id/" + id + "/preview", nil, 200, `"models":{"items":[],"total":`},
		{s.Admin, "DELETE", "/id/" + id + "/delete", nil, 200, `true`},
		{s.Admin, "DELETE", "/id/" + id + "/delete", nil, 404, ``},
	} {
		if a := s.Do(t, c.as.Token, c.method, "/api/v1/groups"+c.path, c.body); a.Status != c.status || !strings.Contains(a.Body, c.has) {
			t.Errorf("%s %s %s: %d %s, want %d %s", c.as.Name, c.method, c.path, a.Status, a.Body, c.status, c.has)
		}
	}
	if groups, err := s.DB.Groups(t.Context()); err != nil || len(groups) != 0 {
		t.Errorf("left: %v %v", groups, err)
	}
}

// What any group lets somebody do they may do, and only while they are in it.
func TestGroupPermissions(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	may := func(p *apitest.Person) bool {
		t.Helper()
		a := s.Do(t, p.Token, "GET", "/api/v1/users/permissions", nil)
		return a.JSON(t)["workspace"].(map[string]any)["models"].(bool)
	}
	id := group(t, s, map[string]any{"permissions": map[string]any{"workspace": map[string]any{"models": true}, "chat": map[string]any{"delete": false}}}, s.User)
	if !may(s.User) || may(s.Other) {
		t.Errorf("member %v, stranger %v", may(s.User), may(s.Other))
	}
	// A group takes nothing away.
	if a := s.Do(t, s.User.Token, "GET", "/api/v1/users/permissions", nil); !strings.Contains(a.Body, `"delete":true`) {
		t.Error(a.Body)
	}
	if n := s.Cost(func() { may(s.User) }); n != 0 {
		t.Errorf("permissions cost %d statements", n)
	}
	if a := s.Do(t, s.Admin.Token, "POST", "/api/v1/groups/id/"+id+"/update", map[string]any{"name": "n", "description": "", "permissions": map[string]any{}}); a.Status != 200 {
		t.Fatal(a.Body)
	}
	if may(s.User) {
		t.Error("the group does not let them any more")
	}
}

// What was granted to a group is there for its members, at once and no longer.
func TestGroupGrants(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	id := group(t, s, map[string]any{}, s.User)
	grants := []map[string]any{{"principal_type": "group", "principal_id": id, "permission": "read"}}
	if a := s.Do(t, s.Admin.Token, "POST", "/api/v1/models/model/access/update", map[string]any{"id": "mock", "access_grants": grants}); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	sees := func(p *apitest.Person) bool {
		t.Helper()
		return strings.Contains(s.Do(t, p.Token, "GET", "/api/models", nil).Body, `"id":"mock"`)
	}
	if !sees(s.User) || sees(s.Other) {
		t.Errorf("member %v, stranger %v", sees(s.User), sees(s.Other))
	}
	preview := func(path string) string {
		t.Helper()
		return s.Do(t, s.Admin.Token, "GET", path+"/preview", nil).Body
	}
	for path, has := range map[string]bool{"/api/v1/groups/id/" + id: true, "/api/v1/users/" + s.User.ID: true, "/api/v1/users/" + s.Other.ID: false} {
		if got := preview(path); strings.Contains(got, `"models":{"items":[{"id":"mock`) != has {
			t.Errorf("%s: %s", path, got)
		}
	}
	s.Do(t, s.Admin.Token, "POST", "/api/v1/groups/id/"+id+"/users/remove", map[string]any{"user_ids": []string{s.User.ID}})
	if sees(s.User) {
		t.Error("somebody who was put out sees the model")
	}
}

func TestGrantsToNobody(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	k := s.Do(t, s.Admin.Token, "POST", "/api/v1/knowledge/create", map[string]any{"name": "k", "description": ""}).JSON(t)["id"].(string)
	for name, c := range map[string]struct {
		grant  any
		status int
	}{
		"no such person":   {map[string]any{"principal_type": "user", "principal_id": "nobody", "permission": "read"}, 400},
		"no such group":    {map[string]any{"principal_type": "group", "principal_id": "none", "permission": "read"}, 400},
		"no such kind":     {map[string]any{"principal_type": "planet", "principal_id": "x", "permission": "read"}, 400},
		"no such right":    {map[string]any{"principal_type": "user", "principal_id": s.User.ID, "permission": "own"}, 400},
		"an oversize name": {map[string]any{"principal_type": "user", "principal_id": strings.Repeat("x", 5000), "permission": "read"}, 400},
		"a wrong type":     {map[string]any{"principal_type": "user", "principal_id": 7, "permission": "read"}, 422},
		"no object":        {"everybody", 422},
	} {
		good := map[string]any{"principal_type": "user", "principal_id": s.User.ID, "permission": "read"}
		list := []any{good, c.grant}
		for _, door := range []struct {
			path string
			form map[string]any
		}{
			{"/api/v1/models/model/access/update", map[string]any{"id": "mock", "access_grants": list}},
			{"/api/v1/models/create", map[string]any{"id": "m", "name": "m", "base_model_id": "mock", "meta": map[string]any{}, "params": map[string]any{}, "access_grants": list}},
			{"/api/v1/knowledge/" + k + "/access/update", map[string]any{"access_grants": list}},
			{"/api/v1/knowledge/create", map[string]any{"name": "k2", "description": "", "access_grants": list}},
		} {
			if a := s.Do(t, s.Admin.Token, "POST", door.path, door.form); a.Status != c.status {
				t.Errorf("%s: %s: %d %s", name, door.path, a.Status, a.Body)
			}
		}
	}
	for _, kind := range []string{"model", "knowledge"} {
		if all, err := s.DB.AllGrants(t.Context(), access.Kind(kind)); err != nil || len(all) != 0 {
			t.Errorf("%s: left %v %v", kind, all, err)
		}
	}
}

func TestAbout(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	update := func(form map[string]any) int {
		t.Helper()
		return s.Do(t, s.User.Token, "POST", "/api/v1/auths/update/profile", form).Status
	}
	if n := update(map[string]any{"name": "user", "bio": "Plays.", "gender": "none", "date_of_birth": "1990-12-31"}); n != 200 {
		t.Fatal(n)
	}
	if n := update(map[string]any{"date_of_birth": "yesterday"}); n != 422 {
		t.Errorf("a wrong date: %d", n)
	}
	if n := update(map[string]any{"bio": strings.Repeat("x", 1<<15)}); n != 400 {
		t.Errorf("a long bio: %d", n)
	}
	const about = `"bio":"Plays.","gender":"none","date_of_birth":"1990-12-31"`
	for who, path := range map[*apitest.Person]string{s.User: "/api/v1/auths/", s.Admin: "/api/v1/users/" + s.User.ID} {
		if a := s.Do(t, who.Token, "GET", path, nil); !strings.Contains(a.Body, about) {
			t.Errorf("%s: %s", path, a.Body)
		}
	}
	a := s.Do(t, s.User.Token, "POST", "/api/v1/users/user/status/update", map[string]any{"status_emoji": "🪑", "status_message": "away"})
	if a.Status != 200 || !strings.Contains(a.Body, `"status_emoji":"🪑","status_message":"away","status_expires_at":null`) {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	s.Do(t, s.User.Token, "POST", "/api/v1/users/user/status/update", map[string]any{"status_expires_at": 1})
	if a := s.Do(t, s.User.Token, "GET", "/api/v1/users/user/status", nil); !strings.Contains(a.Body, `"status_message":null`) {
		t.Errorf("a status that is over: %s", a.Body)
	}
	if a := s.Do(t, s.User.Token, "GET", "/api/v1/users/"+s.Admin.ID+"/active", nil); a.Status != 200 || !strings.Contains(a.Body, `"active":`) {
		t.Errorf("active: %d %s", a.Status, a.Body)
	}
	for _, path := range []string{"/groups", "/" + s.User.ID + "/groups", "/default/permissions/defaults"} {
		if a := s.Do(t, s.Admin.Token, "GET", "/api/v1/users"+path, nil); a.Status != 200 {
			t.Errorf("%s: %d %s", path, a.Status, a.Body)
		}
	}
	if a := s.Do(t, s.Admin.Token, "GET", "/api/v1/users/"+s.User.ID+"/oauth/sessions", nil); a.Status != 404 || !strings.Contains(a.Body, `"detail"`) {
		t.Errorf("sessions elsewhere: %d %s", a.Status, a.Body)
	}
}

package api_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"portico/internal/api/apitest"
)

func draft(id, base string, more map[string]any) map[string]any {
	m := map[string]any{"id": id, "name": id, "base_model_id": base, "meta": map[string]any{}, "params": map[string]any{}}
	for k, v := range more {
		m[k] = v
	}
	return m
}

// Import, sync and deletion of all are done whole or not at all, and change
// nothing of others.
func TestModelImport(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Env: map[string]string{
		"USER_PERMISSIONS_WORKSPACE_MODELS_IMPORT": "true", "USER_PERMISSIONS_WORKSPACE_MODELS_EXPORT": "true", "USER_PERMISSIONS_WORKSPACE_MODELS_ACCESS": "true",
	}})
	post := func(p *apitest.Person, path string, models ...any) *apitest.Answer {
		t.Helper()
		return s.Do(t, p.Token, "POST", "/api/v1/models/"+path, map[string]any{"models": models})
	}
	ids := func() string {
		t.Helper()
		var out []string
		for _, part := range strings.Split(s.Do(t, s.Admin.Token, "GET", "/api/v1/models/export", nil).Body, `"id":"`)[1:] {
			if id, _, _ := strings.Cut(part, `"`); !strings.Contains(id, "-") { // not a grant's
				out = append(out, id)
			}
		}
		return strings.Join(out, " ")
	}
	secret := map[string]any{"params": map[string]any{"system": "secret"}}
	somebody := map[string]any{"access_grants": []any{
		map[string]any{"principal_type": "user", "principal_id": "of another server", "permission": "read"},
		map[string]any{"principal_type": "user", "principal_id": s.User.ID, "permission": "read"},
	}}
	if a := post(s.Admin, "import", draft("a", "mock", secret), draft("b", "a", somebody)); a.Status != 200 || a.Body != "true" {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	for name, c := range map[string]struct {
		as     *apitest.Person
		models []any
		status int
	}{
		"a circle":           {s.Admin, []any{draft("c", "d", nil), draft("d", "c", nil)}, 400},
		"a circle with rows": {s.Admin, []any{draft("a", "b", nil)}, 400},
		"the same twice":     {s.Admin, []any{draft("c", "mock", nil), draft("c", "mock", nil)}, 400},
		"a model of others":  {s.User, []any{draft("a", "mock", nil)}, 401},
		"one of the server":  {s.User, []any{draft("c", "mock", nil)}, 404},
		"an id with spaces":  {s.Admin, []any{draft("c", "mock", nil), draft("d d", "mock", nil)}, 422},
		"a word":             {s.Admin, []any{"c"}, 422},
	} {
		if a := post(c.as, "import", c.models...); a.Status != c.status {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	if got := ids(); got != "a b" {
		t.Errorf("there are %q", got)
	}
	if a := s.Do(t, s.Admin.Token, "GET", "/api/v1/models/model?id=b", nil); strings.Contains(a.Body, "of another server") || !strings.Contains(a.Body, s.User.ID) {
		t.Error(a.Body)
	}
	if a := s.Do(t, s.Admin.Token, "POST", "/api/v1/models/model/update", draft("a", "b", nil)); a.Status != 400 || !strings.Contains(a.Body, "circle") {
		t.Errorf("an update in a circle: %d %s", a.Status, a.Body)
	}
	if a := post(s.Admin, "sync", draft("b", "mock", nil), draft("e", "b", nil)); a.Status != 200 || ids() != "b e" {
		t.Errorf("sync: %d %s, %q", a.Status, a.Body, ids())
	}
	if a := s.Do(t, s.Admin.Token, "DELETE", "/api/v1/models/delete/all", nil); a.Status != 200 || ids() != "" {
		t.Errorf("all: %d %s, %q", a.Status, a.Body, ids())
	}
}

// TestModelHistory: prompts of old stay with whoever may change the model.
func TestModelHistory(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	first := draft("m", "mock", map[string]any{"params": map[string]any{"system": "secret"}, "access_grants": []any{
		map[string]any{"principal_type": "user", "principal_id": s.User.ID, "permission": "read"}}})
	picture := "data:image/png;base64," + base64.StdEncoding.EncodeToString([]byte("\x89PNG\r\n\x1a\n0000"))
	for path, form := range map[string]any{"create": first} {
		if a := s.Do(t, s.Admin.Token, "POST", "/api/v1/models/"+path, form); a.Status != 200 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	for range 2 {
		if a := s.Do(t, s.Admin.Token, "POST", "/api/v1/models/model/update", draft("m", "mock", map[string]any{"meta": map[string]any{"profile_image_url": picture}})); a.Status != 200 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	const history = "/api/v1/models/model/history?id="
	if a := s.Do(t, s.Admin.Token, "GET", history+"m", nil); a.Status != 200 || strings.Count(a.Body, `"snapshot"`) != 2 || !strings.Contains(a.Body, "secret") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	for who, want := range map[*apitest.Person]int{s.User: 401, s.Other: 404} {
		if a := s.Do(t, who.Token, "GET", history+"m", nil); a.Status != want || strings.Contains(a.Body, "secret") {
			t.Errorf("%s: %d %s", who.Name, a.Status, a.Body)
		}
	}
	if a := s.Do(t, s.Admin.Token, "GET", "/api/v1/models/model/history", nil); a.Status != 422 {
		t.Errorf("without id: %d", a.Status)
	}
	shown := s.Do(t, s.User.Token, "GET", "/api/v1/models/model/profile/image?id=m", nil)
	hidden := s.Do(t, s.Other.Token, "GET", "/api/v1/models/model/profile/image?id=m", nil)
	absent := s.Do(t, s.Other.Token, "GET", "/api/v1/models/model/profile/image?id=nope", nil)
	if shown.Status != 200 || shown.Header.Get("Content-Type") != "image/png" || hidden.Status != 200 || hidden.Body != absent.Body {
		t.Errorf("%d %d, equal %v", shown.Status, hidden.Status, hidden.Body == absent.Body)
	}
}

// TestModelKnowledge: nobody reads a collection to others that they may not
// read themselves.
func TestModelKnowledge(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Env: map[string]string{"USER_PERMISSIONS_WORKSPACE_MODELS_ACCESS": "true"}})
	k := s.Do(t, s.Admin.Token, "POST", "/api/v1/knowledge/create", map[string]any{"name": "k", "description": ""}).JSON(t)["id"].(string)
	s.Do(t, s.Admin.Token, "POST", "/api/v1/models/model/access/update", everyone("mock"))
	create := func(p *apitest.Person, id string, items ...any) *apitest.Answer {
		t.Helper()
		return s.Do(t, p.Token, "POST", "/api/v1/models/create", draft(id, "mock", map[string]any{"meta": map[string]any{"knowledge": items, "toolIds": []string{"t"}, "filterIds": []string{"f"}}}))
	}
	forms := map[string]any{
		"collection": map[string]any{"type": "collection", "id": k}, "no type": map[string]any{"id": k}, "id": k,
		"name": map[string]any{"collection_name": k}, "names": map[string]any{"collection_names": []string{k}, "legacy": true},
	}
	for name, item := range forms {
		if a := create(s.User, "u", item); a.Status != 400 || !strings.Contains(a.Body, "may not read") {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	for name, item := range map[string]any{"file": map[string]any{"type": "file", "id": "nope"}, "file by name": "file-nope", "nothing": "nope"} {
		if a := create(s.Admin, "u", item); a.Status != 400 {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	if a := create(s.Admin, "a", forms["collection"]); a.Status != 200 || !strings.Contains(a.Body, k) || !strings.Contains(a.Body, `"toolIds":["t"],"filterIds":["f"]`) && !strings.Contains(a.Body, `"filterIds":["f"]`) {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// A page of models costs one statement, whoever made them.
func TestModelPageCostsOneStatement(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	var all []any
	for _, id := range strings.Fields("a b c d e f g h") {
		all = append(all, draft(id, "mock", nil))
	}
	if a := s.Do(t, s.Admin.Token, "POST", "/api/v1/models/import", map[string]any{"models": all}); a.Status != 200 {
		t.Fatal(a.Body)
	}
	s.Do(t, s.Admin.Key, "GET", "/api/v1/models/list", nil)
	var a *apitest.Answer
	n := s.Cost(func() { a = s.Do(t, s.Admin.Key, "GET", "/api/v1/models/list?order_by=name", nil) })
	if n != 1 || !strings.Contains(a.Body, `"total":8`) {
		t.Errorf("%d statements: %s", n, a.Body)
	}
}

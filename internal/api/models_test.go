package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"portico/internal/api/apitest"
)

// everyone is the body that shares a model with everybody.
func everyone(id string) map[string]any {
	return map[string]any{"id": id, "access_grants": []any{map[string]any{"principal_type": "user", "principal_id": "*", "permission": "read"}}}
}

// listed gives the ids of a list, in order.
func listed(t *testing.T, a *apitest.Answer) string {
	t.Helper()
	if a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	var ids []string
	for _, e := range a.JSON(t)["data"].([]any) {
		ids = append(ids, e.(map[string]any)["id"].(string))
	}
	return strings.Join(ids, " ")
}

func TestSharingIsOneSwitch(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	if got := listed(t, s.Do(t, s.Admin.Key, "GET", "/api/models", nil)); got != "mock tiny:latest" {
		t.Fatalf("the administrator sees %q", got)
	}
	if got := listed(t, s.Do(t, s.User.Key, "GET", "/api/v1/models/", nil)); got != "" {
		t.Fatalf("before sharing, a user sees %q", got)
	}
	ask := map[string]any{"model": "mock", "messages": []any{map[string]string{"role": "user", "content": "hi"}}}
	for path, status := range map[string]int{"/api/chat/completions": 400, "/openai/chat/completions": 403} {
		if a := s.Do(t, s.User.Key, "POST", path, ask); a.Status != status || !strings.Contains(a.Body, "Model not found") {
			t.Errorf("%s before sharing: %d %s", path, a.Status, a.Body)
		}
	}
	a := s.Do(t, s.Admin.Key, "POST", "/api/v1/models/model/access/update", everyone("mock"))
	if row := a.JSON(t); a.Status != 200 || row["base_model_id"] != nil || row["name"] != "mock" || len(row["access_grants"].([]any)) != 1 {
		t.Fatalf("sharing: %d %s", a.Status, a.Body)
	}
	for _, path := range []string{"/api/models", "/api/v1/models", "/v1/models", "/openai/models"} {
		if got := listed(t, s.Do(t, s.User.Key, "GET", path, nil)); got != "mock" {
			t.Errorf("after sharing, %s is %q", path, got)
		}
	}
	for _, path := range []string{"/api/chat/completions", "/openai/chat/completions"} {
		if a := s.Do(t, s.User.Key, "POST", path, ask); a.Status != 200 {
			t.Errorf("%s after sharing: %d %s", path, a.Status, a.Body)
		}
	}
	if a := s.Do(t, s.User.Key, "GET", "/v1/models/mock", nil); a.Status != 200 || a.JSON(t)["object"] != "model" {
		t.Errorf("one model: %d %s", a.Status, a.Body)
	}
	for _, id := range []string{"a/b", "a%2Fb"} { // unknown, in the words of the route
		if a := s.Do(t, s.User.Key, "GET", "/v1/models/"+id, nil); a.Status != 404 || !strings.Contains(string(a.Body), "Model not found") {
			t.Errorf("%s: %d %s", id, a.Status, a.Body)
		}
	}
	s.Do(t, s.Admin.Key, "POST", "/api/v1/models/model/toggle?id=mock", nil)
	if a := s.Do(t, s.User.Key, "POST", "/api/chat/completions", ask); a.Status != 400 {
		t.Errorf("switched off: %d %s", a.Status, a.Body)
	}
	if got := listed(t, s.Do(t, s.Admin.Key, "GET", "/api/models", nil)); got != "tiny:latest" {
		t.Errorf("switched off, the administrator's list is %q", got)
	}
	if got := listed(t, s.Do(t, s.Admin.Key, "GET", "/api/models/base", nil)); got != "mock tiny:latest" {
		t.Errorf("base models are %q", got)
	}
}

func TestModelsAnswer304(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	a := s.Do(t, s.Admin.Key, "GET", "/api/models", nil)
	tag := a.Header.Get("ETag")
	for _, header := range []string{tag, `"other", W/` + tag, "*"} {
		if b := s.Do(t, s.Admin.Key, "GET", "/api/models", nil, "If-None-Match", header); b.Status != 304 || b.Body != "" || b.Header.Get("ETag") != tag {
			t.Errorf("If-None-Match: %s: %d %s", header, b.Status, b.Body)
		}
	}
	s.Do(t, s.Admin.Key, "POST", "/api/v1/models/model/access/update", everyone("mock"))
	if b := s.Do(t, s.Admin.Key, "GET", "/api/models?refresh=true", nil, "If-None-Match", tag); b.Status != 200 || b.Header.Get("ETag") == tag {
		t.Errorf("after a change: %d %s", b.Status, b.Header.Get("ETag"))
	}
	if b := s.Do(t, s.Admin.Key, "GET", "/api/models?refresh=maybe", nil); b.Status != 422 {
		t.Errorf("refresh=maybe: %d", b.Status)
	}
}

func TestModelsRunNoStatement(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	people := []*apitest.Person{s.Admin, s.User}
	for _, p := range people { // warm
		s.Do(t, p.Key, "GET", "/api/models", nil)
	}
	n := s.Cost(func() {
		for _, p := range people {
			s.Do(t, p.Key, "GET", "/api/models", nil)
		}
	})
	if n != 0 {
		t.Errorf("two lists ran %d statements", n)
	}
}

const pirate = `{"id":"pirate","name":"Pirate","base_model_id":"mock","meta":{"description":"arr","knowledge":[],"tags":[{"name":"sea"}]},` +
	`"params":{"system":"You are a pirate.","temperature":0.3},"access_grants":[]}`

func TestWorkspaceModels(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	const base = "/api/v1/models"
	a := s.Do(t, s.Admin.Key, "POST", base+"/create", pirate)
	row := a.JSON(t)
	if a.Status != 200 || row["params"].(map[string]any)["system"] == nil || row["is_active"] != true || row["version_id"] == "" {
		t.Fatalf("create: %d %s", a.Status, a.Body)
	}
	if voice, there := row["meta"].(map[string]any)["voice_avatar"]; !there || voice != nil {
		t.Errorf("meta is %v", row["meta"])
	}
	for _, c := range []struct {
		name, credential, method, path, body string
		status                               int
	}{
		{"twice", s.Admin.Key, "POST", "/create", pirate, 401},
		{"the id of a base model", s.Admin.Key, "POST", "/create", strings.Replace(pirate, `"pirate"`, `"tiny:latest"`, 1), 401},
		{"on itself", s.Admin.Key, "POST", "/create", `{"id":"x","name":"X","base_model_id":"x","meta":{},"params":{}}`, 400},
		{"an id with spaces", s.Admin.Key, "POST", "/create", `{"id":"x y","name":"X","base_model_id":"mock","meta":{},"params":{}}`, 422},
		{"no meta", s.Admin.Key, "POST", "/create", `{"id":"x","name":"X"}`, 422},
		{"meta of another type", s.Admin.Key, "POST", "/create", `{"id":"x","name":"X","meta":[],"params":{}}`, 422},
		{"without the permission", s.User.Key, "POST", "/create", `{"id":"p2","name":"P2","base_model_id":"mock","meta":{},"params":{}}`, 401},
		{"somebody else's", s.User.Key, "POST", "/model/toggle?id=pirate", "", 401},
		{"deleting somebody else's", s.User.Key, "POST", "/model/delete", `{"id":"pirate"}`, 401},
		{"sharing somebody else's", s.User.Key, "POST", "/model/access/update", `{"id":"pirate","access_grants":[]}`, 401},
		{"a grant of no known kind", s.Admin.Key, "POST", "/model/access/update", `{"id":"pirate","access_grants":[{"principal_type":"cat","principal_id":"x","permission":"read"}]}`, 400},
		{"reading without a grant", s.User.Key, "GET", "/model?id=pirate", "", 404},
		{"reading what is not there", s.Admin.Key, "GET", "/model?id=nope", "", 404},
		{"reading nothing", s.Admin.Key, "GET", "/model", "", 422},
		{"toggling what is not there", s.Admin.Key, "POST", "/model/toggle?id=nope", "", 404},
		{"exporting", s.User.Key, "GET", "/export", "", 401},
		{"rows of base models", s.User.Key, "GET", "/base", "", 401},
	} {
		var body any
		if c.body != "" {
			body = c.body
		}
		if a := s.Do(t, c.credential, c.method, base+c.path, body); a.Status != c.status {
			t.Errorf("%s: %d %s, want %d", c.name, a.Status, a.Body, c.status)
		}
	}
	if got := listed(t, s.Do(t, s.Admin.Key, "GET", "/api/models", nil)); got != "mock tiny:latest pirate" {
		t.Errorf("the list is %q", got)
	}

	s.Do(t, s.Admin.Key, "POST", base+"/model/access/update", everyone("pirate"))
	if got := listed(t, s.Do(t, s.User.Key, "GET", "/api/models", nil)); got != "" {
		t.Errorf("a model on a base that is not shared is listed: %q", got)
	}
	s.Do(t, s.Admin.Key, "POST", base+"/model/access/update", everyone("mock"))
	a = s.Do(t, s.User.Key, "GET", "/api/models", nil)
	if got := listed(t, a); got != "mock pirate" || strings.Contains(a.Body, "You are a pirate") {
		t.Errorf("a user's list is %s", a.Body)
	}
	one := s.Do(t, s.User.Key, "GET", base+"/model?id=pirate", nil).JSON(t)
	if len(one["params"].(map[string]any)) != 0 || one["write_access"] != false {
		t.Errorf("a user sees %v", one)
	}
	if one = s.Do(t, s.Admin.Key, "GET", base+"/model?id=pirate", nil).JSON(t); one["params"].(map[string]any)["system"] == nil || one["write_access"] != true {
		t.Errorf("the administrator sees %v", one)
	}
	page := s.Do(t, s.User.Key, "GET", base+"/list?query=PIR&tag=sea&view_option=shared", nil).JSON(t)
	if items := page["items"].([]any); page["total"] != 1.0 || len(items) != 1 || items[0].(map[string]any)["user"].(map[string]any)["name"] != "admin" {
		t.Errorf("the page is %v", page)
	}
	if page = s.Do(t, s.User.Key, "GET", base+"/list?view_option=created", nil).JSON(t); page["total"] != 0.0 {
		t.Errorf("the page is %v", page)
	}
	if a := s.Do(t, s.User.Key, "GET", base+"/tags", nil); a.Body != `["sea"]` {
		t.Errorf("tags are %s", a.Body)
	}
	changed := strings.NewReplacer(`"Pirate"`, `"Captain"`, `,"access_grants":[]`, "").Replace(pirate)
	if a := s.Do(t, s.Admin.Key, "POST", base+"/model/update", changed); a.Status != 200 || a.JSON(t)["name"] != "Captain" || len(a.JSON(t)["access_grants"].([]any)) != 1 {
		t.Errorf("update: %d %s", a.Status, a.Body)
	}
	if a := s.Do(t, s.Admin.Key, "POST", base+"/model/delete", `{"id":"pirate"}`); a.Status != 200 || a.Body != "true" {
		t.Errorf("delete: %d %s", a.Status, a.Body)
	}
	if got := listed(t, s.Do(t, s.User.Key, "GET", "/api/models", nil)); got != "mock" {
		t.Errorf("after deleting, the list is %q", got)
	}
}

// With the permission to make models nobody gets at a base model that is not
// theirs, nor gives what is not theirs to give.
func TestAuthorsStayWithinTheirRights(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Env: map[string]string{"USER_PERMISSIONS_WORKSPACE_MODELS_ACCESS": "true"}})
	create := func(base string) *apitest.Answer {
		return s.Do(t, s.User.Key, "POST", "/api/v1/models/create", map[string]any{"id": "mine", "name": "Mine", "base_model_id": base,
			"meta": map[string]any{}, "params": map[string]any{}, "access_grants": everyone("")["access_grants"]})
	}
	if a := create("mock"); a.Status != 404 {
		t.Fatalf("on a foreign base: %d %s", a.Status, a.Body)
	}
	if a := s.Do(t, s.User.Key, "POST", "/api/v1/models/create", `{"id":"mock","name":"M","base_model_id":null,"meta":{},"params":{}}`); a.Status != 400 {
		t.Fatalf("over a base model: %d %s", a.Status, a.Body)
	}
	s.Do(t, s.Admin.Key, "POST", "/api/v1/models/model/access/update", everyone("mock"))
	if a := create("mock"); a.Status != 200 || len(a.JSON(t)["access_grants"].([]any)) != 0 {
		t.Fatalf("on a shared base: %d %s", a.Status, a.Body)
	}
	if a := s.Do(t, s.User.Key, "POST", "/api/v1/models/model/access/update", everyone("mine")); a.Status != 403 {
		t.Errorf("sharing without the permission: %d %s", a.Status, a.Body)
	}
	move := `{"id":"mine","name":"Mine","base_model_id":"tiny:latest","meta":{},"params":{}}`
	if a := s.Do(t, s.User.Key, "POST", "/api/v1/models/model/update", move); a.Status != 404 {
		t.Errorf("moving to a foreign base: %d %s", a.Status, a.Body)
	}
	if a := s.Do(t, s.Other.Key, "POST", "/api/v1/models/model/toggle?id=mine", nil); a.Status != 401 {
		t.Errorf("toggling a foreign model: %d %s", a.Status, a.Body)
	}
}

func TestOpenAIConfig(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Env: map[string]string{"OPENAI_API_BASE_URLS": "", "OPENAI_API_KEYS": ""}})
	up := s.Provider.URL + "/v1"
	set := func(in map[string]any) *apitest.Answer {
		return s.Do(t, s.Admin.Key, "POST", "/openai/config/update", in)
	}
	a := set(map[string]any{"ENABLE_OPENAI_API": true, "OPENAI_API_BASE_URLS": []string{up + "/", up}, "OPENAI_API_KEYS": []string{apitest.ProviderKey},
		"OPENAI_API_CONFIGS": map[string]any{"0": map[string]any{"headers": map[string]string{"X-Team": "a-secret-of-the-team"}}, "1": map[string]any{"prefix_id": "p"}, "7": map[string]any{}}})
	if a.Status != 200 || strings.Contains(a.Body, "canary") || strings.Contains(a.Body, "a-secret") {
		t.Fatalf("update: %d %s", a.Status, a.Body)
	}
	form := a.JSON(t)
	keys := form["OPENAI_API_KEYS"].([]any)
	if len(keys) != 2 || keys[0] == "" || keys[1] != "" || form["OPENAI_API_CONFIGS"].(map[string]any)["7"] != nil {
		t.Fatalf("update: %s", a.Body)
	}
	if got := listed(t, s.Do(t, s.Admin.Key, "GET", "/openai/models", nil)); got != "mock p.mock" {
		t.Errorf("models are %q", got)
	}
	if a := set(form); a.Status != 200 || listed(t, s.Do(t, s.Admin.Key, "GET", "/openai/models", nil)) != "mock p.mock" {
		t.Errorf("sent back as it came: %d %s", a.Status, a.Body)
	}
	if kept := stored(t, s, "openai.api_keys"); !strings.Contains(kept, apitest.ProviderKey) {
		t.Errorf("a masked key was stored: %s", kept)
	}
	if kept := stored(t, s, "openai.api_configs"); !strings.Contains(kept, "a-secret-of-the-team") {
		t.Errorf("a masked header was stored: %s", kept)
	}
	if a := s.Do(t, s.Admin.Key, "POST", "/openai/verify", map[string]any{"url": up, "key": keys[0]}); a.Status != 200 || listed(t, a) != "mock" {
		t.Errorf("verify: %d %s", a.Status, a.Body)
	}
	for _, elsewhere := range []string{"http://127.0.0.1:9/v1", "https://attacker.example/v1"} {
		if a := s.Do(t, s.Admin.Key, "POST", "/openai/verify", map[string]any{"url": elsewhere, "key": keys[0]}); a.Status != 400 {
			t.Errorf("a stored key for %s: %d %s", elsewhere, a.Status, a.Body)
		}
		if a := set(map[string]any{"OPENAI_API_BASE_URLS": []string{elsewhere}, "OPENAI_API_KEYS": keys}); a.Status != 400 {
			t.Errorf("a stored key moved to %s: %d %s", elsewhere, a.Status, a.Body)
		}
	}
	if a := s.Do(t, s.Admin.Key, "POST", "/openai/verify", map[string]any{"url": "not an address"}); a.Status != 400 {
		t.Errorf("no address: %d %s", a.Status, a.Body)
	}
	if a := s.Do(t, s.Admin.Key, "GET", "/openai/models/1", nil); a.Status != 200 || listed(t, a) != "mock" {
		t.Errorf("one connection: %d %s", a.Status, a.Body)
	}
	if a := s.Do(t, s.Admin.Key, "GET", "/openai/models/2", nil); a.Status != 404 {
		t.Errorf("no such connection: %d", a.Status)
	}
	if a := set(map[string]any{"ENABLE_OPENAI_API": false, "OPENAI_API_BASE_URLS": []string{up}}); a.Status != 200 {
		t.Errorf("switching off: %d %s", a.Status, a.Body)
	}
	for _, path := range []string{"/openai/models", "/openai/models/0"} {
		if a := s.Do(t, s.Admin.Key, "GET", path, nil); a.Status != 503 {
			t.Errorf("%s while switched off: %d %s", path, a.Status, a.Body)
		}
	}
}

func TestPinnedOpenAIConfig(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{}) // the connection is pinned
	a := s.Do(t, s.Admin.Key, "GET", "/openai/config", nil)
	form := a.JSON(t)
	if a.Status != 200 || strings.Contains(a.Body, "canary") {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if a := s.Do(t, s.Admin.Key, "POST", "/openai/config/update", form); a.Status != 200 {
		t.Errorf("the same: %d %s", a.Status, a.Body)
	}
	form["OPENAI_API_BASE_URLS"] = []string{"http://127.0.0.1:9/v1"}
	form["OPENAI_API_KEYS"] = []string{"sk-new"}
	if a := s.Do(t, s.Admin.Key, "POST", "/openai/config/update", form); a.Status != 409 || !strings.Contains(a.Body, "OPENAI_API_") {
		t.Errorf("another one: %d %s", a.Status, a.Body)
	}
}

func TestOpenAIDoor(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	ask := map[string]any{"model": "nope", "messages": []any{map[string]string{"role": "user", "content": "hi"}}}
	for _, c := range []struct {
		credential, method, path string
		status                   int
	}{
		{s.Admin.Key, "POST", "/openai/chat/completions", 404},
		{s.User.Key, "POST", "/openai/chat/completions", 403},
		{s.User.Key, "POST", "/openai/responses", 403},
		{s.Admin.Key, "POST", "/openai/audio/speech", 404},
		{s.User.Key, "POST", "/openai/audio/speech", 403},
		{s.Admin.Key, "POST", "/openai/responses", 404},
		{s.User.Key, "POST", "/v1/responses", 400},
		{s.User.Key, "GET", "/openai/files/a/b", 403},
		{s.User.Key, "DELETE", "/openai/anything", 403},
		{"", "GET", "/openai/anything", 401},
		{s.User.Key, "GET", "/openai/config", 401},
	} {
		if a := s.Do(t, c.credential, c.method, c.path, ask); a.Status != c.status {
			t.Errorf("%s %s: %d %s, want %d", c.method, c.path, a.Status, a.Body, c.status)
		}
	}
	if n := s.Provider.Calls.Load(); n != 0 {
		t.Errorf("%d calls reached the provider", n)
	}
}

func stored(t *testing.T, s *apitest.Server, name string) string {
	t.Helper()
	values, err := s.DB.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(values[name]) {
		t.Fatalf("%s is %s", name, values[name])
	}
	return string(values[name])
}

package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"portico/internal/api/apitest"
	"portico/internal/auth"
)

// types says what the members of an object are, as "name:type" in order.
func types(v map[string]any) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(v)) {
		kind := "object"
		switch v[name].(type) {
		case nil:
			kind = "null"
		case string:
			kind = "string"
		case bool:
			kind = "bool"
		case float64:
			kind = "number"
		case []any:
			kind = "list"
		}
		out = append(out, name+":"+kind)
	}
	return strings.Join(out, " ")
}

const (
	personShape  = "email:string id:string name:string profile_image_url:string role:string"
	sessionShape = "email:string expires_at:number id:string name:string permissions:object profile_image_url:string role:string token:string token_type:string"
	ownShape     = "bio:null date_of_birth:null email:string expires_at:number gender:null id:string name:string permissions:object profile_image_url:string role:string " +
		"status_emoji:null status_expires_at:null status_message:null token:string token_type:string"
)

// The life of an installation from its first account, as it was recorded.
func TestFirstAccounts(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Empty: true})
	const base = "/api/v1/auths"
	ask := func(as, method, path string, body any, status int, shape string) map[string]any {
		t.Helper()
		a := s.Do(t, as, method, path, body)
		if a.Status != status {
			t.Fatalf("%s %s: %d %s, want %d", method, path, a.Status, a.Body, status)
		}
		if a.Body == "true" {
			return nil
		}
		v := a.JSON(t)
		if got := types(v); got != shape {
			t.Errorf("%s %s:\n got %s\nwant %s", method, path, got, shape)
		}
		return v
	}
	ana := map[string]any{"name": "Ana", "email": "ana@example.com", "password": apitest.Password}
	bia := map[string]any{"name": "Bia", "email": "bia@example.com", "password": apitest.Password, "role": "pending"}
	caio := map[string]any{"name": "Caio", "email": "caio@example.com", "password": apitest.Password, "role": "user"}
	const detail = "detail:string"
	ask("", "POST", base+"/signup", map[string]any{"name": "x", "email": "nope", "password": "pw"}, 400, detail)
	ask("", "POST", base+"/signup", map[string]any{"name": "x"}, 422, detail)
	first := ask("", "POST", base+"/signup", ana, 200, sessionShape)
	if first["role"] != "admin" || first["token_type"] != "Bearer" || first["profile_image_url"] != fmt.Sprintf("/api/v1/users/%s/profile/image", first["id"]) {
		t.Errorf("the first account: %v", first)
	}
	ask("", "POST", base+"/signup", bia, 403, detail)
	ask("", "POST", base+"/signin", map[string]any{"email": "ana@example.com", "password": "wrong"}, 400, detail)
	jwt, _ := ask("", "POST", base+"/signin", ana, 200, sessionShape)["token"].(string)
	own := ask(jwt, "GET", base+"/", nil, 200, ownShape)
	if own["token"] != jwt || own["profile_image_url"] != "/user.png" {
		t.Errorf("the session: %v", own)
	}
	ask("", "GET", base+"/", nil, 401, detail)
	ask(jwt, "GET", base+"/api_key", nil, 404, detail)
	key, _ := ask(jwt, "POST", base+"/api_key", nil, 200, "api_key:string")["api_key"].(string)
	if shown := ask(jwt, "GET", base+"/api_key", nil, 200, "api_key:string")["api_key"]; shown == key || !strings.HasPrefix(shown.(string), key[:7]) {
		t.Errorf("the key is shown as %v", shown)
	}
	added := ask(jwt, "POST", base+"/add", caio, 200, personShape+" token:string token_type:string")
	ask(jwt, "POST", base+"/add", caio, 400, detail)
	ask(jwt, "POST", base+"/add", bia, 200, personShape+" token:string token_type:string")
	user, _ := added["token"].(string)
	ask(user, "POST", base+"/add", bia, 401, detail)
	ask(user, "GET", "/api/v1/users/", nil, 401, detail)
	list := ask(key, "GET", "/api/v1/users/", nil, 200, "total:number users:list")
	one, _ := list["users"].([]any)[0].(map[string]any)
	if got, want := types(one), "bio:null created_at:number date_of_birth:null email:string gender:null group_ids:list id:string info:null "+
		"last_active_at:number name:string oauth:null presence_state:null profile_banner_image_url:null profile_image_url:string role:string scim:null settings:null "+
		"status_emoji:null status_expires_at:null status_message:null timezone:null updated_at:number username:null"; got != want {
		t.Errorf("a person in the list:\n got %s\nwant %s", got, want)
	}
	ask(jwt, "DELETE", base+"/api_key", nil, 200, "")
	ask(key, "GET", "/api/v1/users/", nil, 401, detail)
	ask(jwt, "POST", base+"/signout", nil, 200, "status:bool")
	ask(jwt, "GET", base+"/", nil, 401, detail)
	ask(jwt, "POST", base+"/signout", nil, 200, "status:bool")
}

// Whatever a public route cannot do yet, it says so with the documented status.
func TestNotEnabled(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	for _, c := range []struct {
		as, method, path string
		want             int
	}{
		{"", "POST", "/ldap", 400},
		{"", "POST", "/oauth/google/token/exchange", 403},
		{s.User.Token, "DELETE", "/oauth/sessions/google", 404},
		{s.Admin.Token, "GET", "/admin/config/ldap", 200},
		{s.User.Token, "GET", "/admin/config", 401},
	} {
		if a := s.Do(t, c.as, c.method, "/api/v1/auths"+c.path, nil); a.Status != c.want {
			t.Errorf("%s %s: %d %s", c.method, c.path, a.Status, a.Body)
		}
	}
}

func TestSessionCookie(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	in := s.Do(t, "", "POST", "/api/v1/auths/signin", map[string]string{"email": s.User.Email, "password": apitest.Password})
	c, err := http.ParseSetCookie(in.Header.Get("Set-Cookie"))
	if err != nil || c.Name != "token" || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.MaxAge < 28*24*3600-5 || c.Path != "/" {
		t.Fatalf("the cookie: %v, %v", c, err)
	}
	cookie := "token=" + c.Value
	const settings = "/api/v1/users/user/settings/update"
	for name, try := range map[string]struct {
		headers []string
		want    int
	}{
		"own page":       {[]string{"Sec-Fetch-Site", "same-origin"}, 200},
		"a script":       {nil, 200},
		"other site":     {[]string{"Sec-Fetch-Site", "cross-site"}, 403},
		"other origin":   {[]string{"Origin", "https://evil.example"}, 403},
		"a form of text": {[]string{"Content-Type", "text/plain"}, 415},
	} {
		a := s.Do(t, "", "POST", settings, "{}", append([]string{"Cookie", cookie}, try.headers...)...)
		if a.Status != try.want {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	if a := s.Do(t, c.Value, "POST", settings, "{}", "Origin", "https://app.example", "Content-Type", "text/plain"); a.Status != 200 {
		t.Errorf("a token of its own: %d %s", a.Status, a.Body)
	}
	if a := s.Do(t, "", "POST", "/api/v1/auths/signout", nil, "Cookie", cookie, "Sec-Fetch-Site", "cross-site"); a.Status != 403 {
		t.Errorf("signed out by another site: %d", a.Status)
	}
	if a := s.Do(t, "", "GET", "/api/v1/auths/signout", nil, "Cookie", cookie); a.Status != 405 {
		t.Errorf("signed out by an image of another site: %d", a.Status)
	}
	a := s.Do(t, "", "POST", "/api/v1/auths/signout", nil, "Cookie", cookie)
	if a.Status != 200 || !strings.Contains(strings.Join(a.Header.Values("Set-Cookie"), ";"), "Max-Age=0") {
		t.Errorf("signed out: %d %v", a.Status, a.Header)
	}
	a = s.Do(t, "", "GET", "/api/v1/auths/", nil, "Cookie", cookie)
	if a.Status != 401 || !strings.Contains(a.Header.Get("Set-Cookie"), "token=;") {
		t.Errorf("afterwards: %d %v", a.Status, a.Header)
	}
}

func TestManyKeys(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	const base = "/api/v1/auths/api_keys"
	if a := s.Do(t, s.User.Key, "GET", base, nil); a.Status != 403 {
		t.Errorf("listed by a key: %d", a.Status)
	}
	a := s.Do(t, s.User.Token, "POST", base, map[string]any{"name": "ci", "routes": []string{"/api/v1/users"}, "models": []string{"m"}})
	made := a.JSON(t)
	secret, _ := made["key"].(string)
	if a.Status != 200 || !strings.HasPrefix(secret, "sk-") || made["expires_at"] != nil || made["last_used_at"] != nil {
		t.Fatalf("made: %d %s", a.Status, a.Body)
	}
	if a := s.Do(t, secret, "GET", "/api/v1/users/permissions", nil); a.Status != 200 {
		t.Errorf("used in its scope: %d", a.Status)
	}
	if a := s.Do(t, secret, "GET", "/api/v1/auths/api_key", nil); a.Status != 403 {
		t.Errorf("used out of its scope: %d", a.Status)
	}
	path := fmt.Sprint(base, "/", made["id"])
	if a := s.Do(t, s.Other.Token, "GET", path, nil); a.Status != 404 {
		t.Errorf("seen by somebody else: %d", a.Status)
	}
	a = s.Do(t, s.User.Token, "POST", path+"/update", map[string]any{"routes": []string{}, "expires_at": 4_000_000_000})
	if v := a.JSON(t); a.Status != 200 || v["name"] != "ci" || len(v["routes"].([]any)) != 0 || len(v["models"].([]any)) != 1 || v["expires_at"] != 4e9 {
		t.Errorf("updated: %d %s", a.Status, a.Body)
	}
	if a := s.Do(t, secret, "POST", "/api/v1/auths/api_key", nil); a.Status != 403 {
		t.Errorf("a key with a scope made one without: %d", a.Status)
	}
	a = s.Do(t, s.User.Token, "GET", base, nil)
	var list []map[string]any
	if err := json.Unmarshal([]byte(a.Body), &list); err != nil || len(list) != 2 || strings.Contains(a.Body, secret) {
		t.Errorf("list: %s", a.Body)
	}
	if a := s.Do(t, s.Other.Token, "DELETE", path, nil); a.Status != 404 {
		t.Errorf("deleted by somebody else: %d", a.Status)
	}
	if a := s.Do(t, s.User.Token, "DELETE", path, nil); a.Status != 200 || a.Body != "true" {
		t.Errorf("deleted: %d %s", a.Status, a.Body)
	}
	if a := s.Do(t, secret, "GET", "/api/v1/users/permissions", nil); a.Status != 401 {
		t.Errorf("used afterwards: %d", a.Status)
	}
	if a := s.Do(t, s.Pending.Token, "POST", "/api/v1/auths/api_key", nil); a.Status != 403 {
		t.Errorf("made by who waits for approval: %d", a.Status)
	}
}

func TestOwnAccount(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	const base = "/api/v1/auths"
	do := func(as, path string, body any) *apitest.Answer { return s.Do(t, as, "POST", base+path, body) }
	if a := do(s.User.Token, "/update/profile", map[string]any{"name": "Neu", "profile_image_url": "/user.png"}); a.Status != 200 || a.JSON(t)["name"] != "Neu" {
		t.Errorf("profile: %d %s", a.Status, a.Body)
	}
	if a := do(s.User.Token, "/update/profile", map[string]any{"profile_image_url": "data:image/svg+xml;base64,PHN2Zz4="}); a.Status != 422 {
		t.Errorf("SVG as a picture: %d", a.Status)
	}
	if a := do(s.Pending.Token, "/update/profile", map[string]any{"name": "x"}); a.Status != 401 {
		t.Errorf("profile of who waits: %d", a.Status)
	}
	if a := do(s.Pending.Token, "/update/timezone", map[string]any{"timezone": "America/Recife"}); a.Status != 200 {
		t.Errorf("timezone: %d %s", a.Status, a.Body)
	}
	if a := do(s.User.Token, "/update/password", map[string]any{"password": "wrong", "new_password": "an0ther-Pass!"}); a.Status != 400 {
		t.Errorf("wrong password: %d", a.Status)
	}
	if a := do(s.User.Token, "/update/password", map[string]any{"password": apitest.Password, "new_password": "short"}); a.Status != 400 {
		t.Errorf("short password: %d", a.Status)
	}
	if a := do(s.User.Token, "/update/password", map[string]any{"password": apitest.Password, "new_password": "an0ther-Pass!"}); a.Status != 200 || a.Body != "true" {
		t.Errorf("password: %d %s", a.Status, a.Body)
	}
	if a := s.Do(t, s.User.Token, "GET", base+"/", nil); a.Status != 401 {
		t.Errorf("the old session: %d", a.Status)
	}
	if a := s.Do(t, s.User.Key, "GET", "/api/v1/users/permissions", nil); a.Status != 200 {
		t.Errorf("the key: %d", a.Status)
	}
	if a := s.Do(t, s.User.Key, "GET", base+"/", nil); a.Status != 403 {
		t.Errorf("session of a key: %d", a.Status)
	}
	if a := s.Do(t, s.Pending.Token, "GET", base+"/admin/details", nil); a.Status != 200 || a.JSON(t)["email"] != s.Admin.Email {
		t.Errorf("whom to ask: %d %s", a.Status, a.Body)
	}
}

// TestAccountAnswers: what is below /api/v1/auths answers a faulty body with a
// sentence, not a list, and is kept nowhere on the way.
func TestAccountAnswers(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	for path, body := range map[string]string{
		"/signup": `{}`, "/signin": `{"email":1}`, "/add": `{`, "/update/password": `{}`, "/update/timezone": `[]`, "/admin/config": `[]`, "/api_keys": `{"name":1}`,
	} {
		a := s.Do(t, s.Admin.Token, "POST", "/api/v1/auths"+path, body)
		if _, sentence := a.JSON(t)["detail"].(string); a.Status != 422 || !sentence || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s %v", path, a.Status, a.Body, a.Header)
		}
	}
	if a := s.Do(t, s.User.Token, "POST", "/api/v1/auths/update/timezone", "\ufeff{\"timezone\":\"America/Recife\"}"); a.Status != 200 {
		t.Errorf("a body that begins with a mark: %d %s", a.Status, a.Body)
	}
	if a := s.Do(t, s.Admin.Token, "GET", "/api/v1/auths", nil); a.Status != 200 || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("session: %d %v", a.Status, a.Header)
	}
}

func TestAdminConfig(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Env: map[string]string{"JWT_EXPIRES_IN": "1h"}})
	const path = "/api/v1/auths/admin/config"
	v := s.Do(t, s.Admin.Token, "GET", path, nil).JSON(t)
	if v["JWT_EXPIRES_IN"] != "1h" || v["ENABLE_API_KEYS"] != true || v["DEFAULT_USER_ROLE"] != "pending" {
		t.Errorf("config: %v", v)
	}
	if len(v) != 39 || v["ENABLE_CHANNELS"] != false || v["FOLDER_MAX_FILE_COUNT"] != "" {
		t.Errorf("%d fields of 39: %v", len(v), v)
	}
	for name, c := range map[string]struct {
		change map[string]any
		want   int
	}{
		"all of it":      {v, 200},
		"another pinned": {map[string]any{"JWT_EXPIRES_IN": "2h"}, 409},
		"no role":        {map[string]any{"DEFAULT_USER_ROLE": "king"}, 400},
		"no switch":      {map[string]any{"ENABLE_SIGNUP": "perhaps"}, 400},
		"keys off":       {map[string]any{"ENABLE_API_KEYS": false, "SHOW_ADMIN_DETAILS": false, "ENABLE_CHANNELS": true}, 200},
	} {
		if a := s.Do(t, s.Admin.Token, "POST", path, c.change); a.Status != c.want {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	for name, c := range map[string]struct {
		as, path string
		want     int
	}{
		"key":     {s.User.Key, "/api/v1/users/permissions", 403},
		"details": {s.User.Token, "/api/v1/auths/admin/details", 400},
	} {
		s.Do(t, s.Admin.Token, "POST", path, map[string]any{"ENABLE_API_KEYS": false, "SHOW_ADMIN_DETAILS": false})
		if a := s.Do(t, c.as, "GET", c.path, nil); a.Status != c.want {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
}

// The key of the one-key routes is replaced, and the earlier one ends with it.
func TestRotation(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	other := s.Key(t, s.User, auth.KeySpec{Name: "other"})
	ends := s.Key(t, s.User, auth.KeySpec{Name: "ends", ExpiresAt: 4_000_000_000})
	if a := s.Do(t, ends, "POST", "/api/v1/auths/api_key", nil); a.Status != 403 {
		t.Errorf("a key that ends made one that does not: %d", a.Status)
	}
	a := s.Do(t, s.User.Key, "POST", "/api/v1/auths/api_key", nil)
	fresh, _ := a.JSON(t)["api_key"].(string)
	for key, want := range map[string]int{s.User.Key: 401, fresh: 200, other: 200} {
		if a := s.Do(t, "", "GET", "/api/v1/users/permissions", nil, "X-Api-Key", key); a.Status != want {
			t.Errorf("%d, want %d: %s", a.Status, want, a.Body)
		}
	}
}

package api_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"portico/internal/api/apitest"
	"portico/internal/user"
)

func TestUsersList(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	names := func(query string) string {
		t.Helper()
		a := s.Do(t, s.Admin.Token, "GET", "/api/v1/users/"+query, nil)
		if a.Status != 200 {
			return a.Body
		}
		var out []string
		for _, u := range a.JSON(t)["users"].([]any) {
			out = append(out, u.(map[string]any)["name"].(string))
		}
		return strings.Join(out, " ")
	}
	for query, want := range map[string]string{
		"?order_by=name":                 "admin other pending user",
		"?order_by=name&direction=desc":  "user pending other admin",
		"?query=PEND":                    "pending",
		"?query=%25":                     "",
		"?page=2":                        "",
		"?page=0&order_by=name&query=er": "other user",
	} {
		if got := names(query); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	for _, path := range []string{"/api/v1/users/", "/api/v1/models/list"} {
		for page, none := range map[string]string{"9223372036854775807": "[]", "-9223372036854775808": ""} {
			if a := s.Do(t, s.Admin.Token, "GET", path+"?page="+page, nil); a.Status != 200 || !strings.Contains(a.Body, none) {
				t.Errorf("%s page %s: %d %s", path, page, a.Status, a.Body)
			}
		}
	}
	if a := s.Do(t, s.Admin.Token, "GET", "/api/v1/users/?page=x", nil); a.Status != 422 {
		t.Errorf("page x: %d", a.Status)
	}
	if a := s.Do(t, s.Admin.Token, "GET", "/api/v1/users/all", nil); a.JSON(t)["total"] != 4.0 {
		t.Errorf("all: %s", a.Body)
	}
	if a := s.Do(t, s.User.Token, "GET", "/api/v1/users/search?query=other", nil); a.Status != 200 || strings.Contains(a.Body, "@") {
		t.Errorf("search: %d %s", a.Status, a.Body)
	}
	if err := s.DB.CreateGroup(t.Context(), &user.Group{ID: "g", Name: "Band"}); err != nil {
		t.Fatal(err)
	}
	if err := s.DB.AddMembers(t.Context(), "g", []string{s.Other.ID}); err != nil {
		t.Fatal(err)
	}
	const band = `"groups":[{"id":"g","name":"Band"}]`
	for _, c := range []struct {
		as, path string
		shown    bool
	}{
		{s.Admin.Token, "/all", true}, {s.Admin.Token, "/search?query=other", true}, {s.User.Token, "/search?query=other", false}, {s.Admin.Token, "/" + s.Other.ID, true},
	} {
		a := s.Do(t, c.as, "GET", "/api/v1/users"+c.path, nil)
		if strings.Contains(a.Body, band) != c.shown || !strings.Contains(a.Body, `"groups":[`) || !strings.Contains(a.Body, `"is_active":`) || !strings.Contains(a.Body, `"last_active_at":`) {
			t.Errorf("%s: %d %s", c.path, a.Status, a.Body)
		}
	}
}

// TestFounder: other administrators can do nothing to the one who came first.
func TestFounder(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	first := &user.User{ID: "first", Email: "first@example.com", Name: "First", Role: user.Admin, CreatedAt: 1}
	if err := s.DB.CreateUser(t.Context(), first, "", "stamp", false); err != nil {
		t.Fatal(err)
	}
	for path, method := range map[string]string{"/update": "POST", "/sessions/revoke": "POST", "": "DELETE"} {
		if a := s.Do(t, s.Admin.Token, method, "/api/v1/users/first"+path, map[string]any{"name": "Mine"}); a.Status != 403 {
			t.Errorf("%s %s: %d %s", method, path, a.Status, a.Body)
		}
	}
	if a := s.Do(t, s.Admin.Token, "POST", "/api/v1/users/"+s.Admin.ID+"/update", map[string]any{"name": "Own"}); a.Status != 200 {
		t.Errorf("the second one's own: %d %s", a.Status, a.Body)
	}
	// Who is no administrator any more is like everybody.
	role := user.Member
	if _, err := s.DB.UpdateUser(t.Context(), "first", user.Change{Role: &role}, 2); err != nil {
		t.Fatal(err)
	}
	if a := s.Do(t, s.Admin.Token, "POST", "/api/v1/users/first/update", map[string]any{"name": "Theirs"}); a.Status != 200 {
		t.Errorf("demoted: %d %s", a.Status, a.Body)
	}
}

// A page of people costs the same statements however many are on it.
func TestUsersListCostsThreeStatements(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	if err := s.DB.CreateGroup(t.Context(), &user.Group{ID: "g", Name: "g"}); err != nil {
		t.Fatal(err)
	}
	if err := s.DB.AddMembers(t.Context(), "g", []string{s.User.ID}); err != nil {
		t.Fatal(err)
	}
	s.Do(t, s.Admin.Key, "GET", "/api/v1/users/", nil)
	var a *apitest.Answer
	n := s.Cost(func() { a = s.Do(t, s.Admin.Key, "GET", "/api/v1/users/?order_by=name", nil) })
	if n != 3 {
		t.Errorf("%d statements, want 3: how many, who, and their groups", n)
	}
	for _, u := range a.JSON(t)["users"].([]any) {
		row := u.(map[string]any)
		if got, want := len(row["group_ids"].([]any)), map[bool]int{true: 1}[row["id"] == s.User.ID]; got != want {
			t.Errorf("%s is in %d groups, want %d", row["name"], got, want)
		}
	}
}

func TestUserUpdate(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	update := func(id string, change map[string]any) *apitest.Answer {
		return s.Do(t, s.Admin.Token, "POST", "/api/v1/users/"+id+"/update", change)
	}
	for name, c := range map[string]struct {
		id     string
		change map[string]any
		want   int
	}{
		"e-mail of another": {s.User.ID, map[string]any{"email": s.Other.Email}, 400},
		"no e-mail":         {s.User.ID, map[string]any{"email": "x"}, 400},
		"no role":           {s.User.ID, map[string]any{"role": "king"}, 400},
		"short password":    {s.User.ID, map[string]any{"name": "Changed", "password": "x"}, 400},
		"nobody":            {"nobody", map[string]any{"name": "x"}, 404},
		"first admin":       {s.Admin.ID, map[string]any{"role": "user"}, 403},
	} {
		if a := update(c.id, c.change); a.Status != c.want {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	a := update(s.User.ID, map[string]any{"name": "Neu", "email": "NEU@example.com", "role": "user", "password": "", "profile_image_url": "/user.png"})
	if v := a.JSON(t); a.Status != 200 || v["name"] != "Neu" || v["email"] != "neu@example.com" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := s.Do(t, s.User.Token, "GET", "/api/v1/users/permissions", nil); a.Status != 200 {
		t.Errorf("the session of who was renamed: %d", a.Status)
	}
	if a := update(s.User.ID, map[string]any{"password": "an0ther-Pass!"}); a.Status != 200 {
		t.Errorf("password: %d %s", a.Status, a.Body)
	}
	if a := s.Do(t, s.User.Token, "GET", "/api/v1/users/permissions", nil); a.Status != 401 {
		t.Errorf("the old session: %d", a.Status)
	}
	if a := s.Do(t, s.Admin.Token, "POST", "/api/v1/users/"+s.Other.ID+"/sessions/revoke", nil); a.Status != 200 {
		t.Errorf("revoke: %d", a.Status)
	}
	if a := s.Do(t, s.Other.Token, "GET", "/api/v1/auths/", nil); a.Status != 401 {
		t.Errorf("the revoked session: %d", a.Status)
	}
	if a := s.Do(t, s.Admin.Token, "POST", "/api/v1/users/"+s.Pending.ID+"/update/role", map[string]any{"role": "user"}); a.Status != 200 {
		t.Errorf("role: %d", a.Status)
	}
	if a := s.Do(t, s.Pending.Token, "GET", "/api/v1/users/permissions", nil); a.Status != 200 {
		t.Errorf("who was let in: %d", a.Status)
	}
}

func TestUserDelete(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	for _, c := range []struct {
		id   string
		want int
	}{{s.Admin.ID, 403}, {"nobody", 404}, {s.User.ID, 200}, {s.User.ID, 404}} {
		if a := s.Do(t, s.Admin.Token, "DELETE", "/api/v1/users/"+c.id, nil); a.Status != c.want {
			t.Errorf("%s: %d %s", c.id, a.Status, a.Body)
		}
	}
	for _, credential := range []string{s.User.Token, s.User.Key} {
		if a := s.Do(t, credential, "GET", "/api/v1/users/permissions", nil); a.Status != 401 {
			t.Errorf("who is gone: %d", a.Status)
		}
	}
}

func TestUserSettings(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	const path = "/api/v1/users/user/settings"
	if a := s.Do(t, s.User.Token, "GET", path, nil); a.Status != 200 || a.Body != "null" {
		t.Errorf("none yet: %d %s", a.Status, a.Body)
	}
	for body, want := range map[string]int{`[]`: 422, `x`: 422, ``: 422, `"x"`: 422} {
		if a := s.Do(t, s.User.Token, "POST", path+"/update", body); a.Status != want {
			t.Errorf("%q: %d %s", body, a.Status, a.Body)
		}
	}
	a := s.Do(t, s.User.Token, "POST", path+"/update", `{ "ui": {"b":1, "a":"é<", "n":1e400} }`)
	const kept = `{"ui":{"b":1,"a":"é<","n":1e400}}`
	if a.Status != 200 || a.Body != kept {
		t.Errorf("set: %d %s", a.Status, a.Body)
	}
	if a := s.Do(t, s.User.Token, "GET", path, nil); a.Body != kept {
		t.Errorf("kept: %s", a.Body)
	}
	for body, want := range map[string]string{`{"zz":1}`: kept[:len(kept)-1] + `,"zz":1}`, `{}`: kept[:len(kept)-1] + `,"zz":1}`} {
		s.Do(t, s.User.Token, "POST", path+"/update", `{"zz":1}`)
		if a := s.Do(t, s.User.Token, "POST", path+"/update", body); a.Body != want {
			t.Errorf("%s laid over: %s", body, a.Body)
		}
	}
	if a := s.Do(t, s.User.Token, "POST", path+"/update", `{"ui":"x"}`); a.Status != 422 {
		t.Errorf("no object as ui: %d %s", a.Status, a.Body)
	}
	const info = "/api/v1/users/user/info"
	s.Do(t, s.User.Token, "POST", info+"/update", `{"a":1,"b":2}`)
	s.Do(t, s.User.Token, "POST", info+"/update", `{"b":3}`)
	if a := s.Do(t, s.User.Token, "GET", info, nil); a.Body != `{"a":1,"b":3}` {
		t.Errorf("info: %s", a.Body)
	}
}

func TestDefaultPermissions(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	const path = "/api/v1/users/default/permissions"
	a := s.Do(t, s.Admin.Token, "POST", path, map[string]any{"workspace": map[string]any{"tools": true}})
	if a.Status != 200 {
		t.Fatalf("set: %d %s", a.Status, a.Body)
	}
	may := s.Do(t, s.User.Token, "GET", "/api/v1/users/permissions", nil).JSON(t)
	if may["workspace"].(map[string]any)["tools"] != true || may["chat"].(map[string]any)["edit"] != true {
		t.Errorf("permissions: %v", may)
	}
	if a := s.Do(t, s.User.Token, "GET", path, nil); a.Status != 401 {
		t.Errorf("seen by a user: %d", a.Status)
	}
}

func TestProfileImage(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	gif := "GIF89a\x01\x00\x01\x00\x00\x00\x00;"
	image := func() *apitest.Answer {
		return s.Do(t, s.Other.Token, "GET", "/api/v1/users/"+s.User.ID+"/profile/image", nil)
	}
	if a := image(); a.Status != 200 || a.Header.Get("Content-Type") != "image/png" || !strings.HasPrefix(a.Body, "\x89PNG") {
		t.Errorf("the default: %d %v", a.Status, a.Header)
	}
	set := func(address string) int {
		return s.Do(t, s.User.Token, "POST", "/api/v1/auths/update/profile", map[string]any{"profile_image_url": address}).Status
	}
	encoded := base64.StdEncoding.EncodeToString([]byte(gif))
	for address, want := range map[string]int{
		"data:image/svg+xml;base64,PHN2Zz4=": 422,
		"data:image/png;base64," + encoded:   422, // not what it says
		"data:text/html;base64," + encoded:   422,
		"data:image/gif," + encoded:          422,
		"data:image/gif;base64,!!":           422,
		"data:image/gif;base64," + encoded:   200,
		"javascript:alert(1)":                422,
		"//evil.example/x.png":               422,
		"https:evil":                         422,
		"https://u:p@evil.example/x.png":     422,
		"/\\\\evil.example/x.png":            422,
		"x.png":                              422,
		strings.Repeat("x", 1<<20+1):         400,
	} {
		if got := set(address); got != want {
			t.Errorf("%.40s: %d, want %d", address, got, want)
		}
	}
	a := image()
	if a.Body != gif || a.Header.Get("Content-Type") != "image/gif" || a.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(a.Header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("the picture: %d %v", a.Status, a.Header)
	}
	if set("https://evil.example/x.svg") != 200 {
		t.Error("an address is not taken")
	}
	if a := image(); a.Status != 200 || a.Header.Get("Location") != "" || !strings.HasPrefix(a.Body, "\x89PNG") {
		t.Errorf("an address elsewhere: %d %v", a.Status, a.Header)
	}
	if a := s.Do(t, "", "GET", "/user.png", nil); a.Status != 200 {
		t.Errorf("the default in public: %d", a.Status)
	}
	if a := s.Do(t, s.User.Token, "GET", "/api/v1/users/nobody/profile/image", nil); a.Status != 404 {
		t.Errorf("of nobody: %d", a.Status)
	}
}

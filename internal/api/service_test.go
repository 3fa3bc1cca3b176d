package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"portico/internal/api"
	"portico/internal/api/apitest"
)

func TestService(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Config: api.Config{Version: "1.2.3"}, Env: map[string]string{"WEBUI_NAME": "Our <Models>"}})
	for _, tc := range []struct {
		path, media, body string // body "" is not compared
	}{
		{"/health", "application/json", `{"status":true}`},
		{"/health/", "application/json", `{"status":true}`},
		{"/health/db", "application/json", `{"status":true}`},
		{"/ready", "application/json", `{"status":true}`},
		{"/api/version", "application/json", `{"version":"0.12.4","deployment_id":"","portico_version":"1.2.3"}`},
		{"/api/changelog", "application/json", `{}`},
		{"/manifest.json", "application/json", `{"name":"Our <Models>","short_name":"Our <Models>","start_url":"/","display":"standalone","icons":[]}`},
		{"/robots.txt", "text/plain; charset=utf-8", "User-agent: *\nDisallow: /\n"},
		{"/opensearch.xml", "application/opensearchdescription+xml", ""},
		{"/", "text/html; charset=utf-8", ""},
	} {
		a := s.Do(t, "", "GET", tc.path, nil)
		if a.Status != 200 || a.Header.Get("Content-Type") != tc.media || tc.body != "" && a.Body != tc.body {
			t.Errorf("%s: %d %s %s", tc.path, a.Status, a.Header.Get("Content-Type"), a.Body)
		}
		if strings.Contains(tc.media, "xml") && !strings.Contains(a.Body, "Our &lt;Models&gt;") {
			t.Errorf("%s: the name is not escaped: %s", tc.path, a.Body)
		}
		if head := s.Do(t, "", "HEAD", tc.path, nil); head.Status != 200 || head.Body != "" {
			t.Errorf("HEAD %s: %d %q", tc.path, head.Status, head.Body)
		}
	}
	if a := s.Do(t, s.User.Token, "GET", "/api/version/updates", nil); a.Body != `{"current":"0.12.4","latest":"0.12.4"}` {
		t.Error(a.Body)
	}
}

func TestNotReady(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	s.API.NotReady = func() []string { return []string{"starting", "draining"} }
	if a := s.Do(t, "", "GET", "/ready", nil); a.Status != 503 || a.Body != `{"detail":"Not ready: starting; draining."}` {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	s.API.NotReady = nil
	s.API.Ping = func(context.Context) error { return errors.New("connect 10.1.2.3: refused") }
	for _, path := range []string{"/ready", "/health/db"} {
		if a := s.Do(t, "", "GET", path, nil); a.Status != 503 || a.Body != `{"detail":"The database does not answer."}` {
			t.Errorf("%s: %d %s", path, a.Status, a.Body)
		}
	}
	// Liveness does not depend on the database, whatever the caller sends.
	if err := s.DB.Close(); err != nil {
		t.Fatal(err)
	}
	if a := s.Do(t, "sk-never-seen", "GET", "/health", nil); a.Status != 200 {
		t.Errorf("/health: %d %s", a.Status, a.Body)
	}
}

// TestAppConfig compares who sees what with recorded shapes.
func TestAppConfig(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Env: map[string]string{"DEFAULT_MODELS": "a,b", "PENDING_USER_OVERLAY_TITLE": "Wait"}})
	raw, err := os.ReadFile("testdata/appconfig.json")
	if err != nil {
		t.Fatal(err)
	}
	var shapes struct{ Anonymous, Admin map[string]any }
	if err := json.Unmarshal(raw, &shapes); err != nil {
		t.Fatal(err)
	}
	delete(shapes.Anonymous, "onboarding") // there is somebody: see TestOnboarding
	ask := func(credential string) map[string]any { return s.Do(t, credential, "GET", "/api/config", nil).JSON(t) }
	stranger := ask("")
	if keys(stranger) != keys(shapes.Anonymous) || keys(stranger["features"]) != keys(shapes.Anonymous["features"]) {
		t.Errorf("a stranger sees %s and %s", keys(stranger), keys(stranger["features"]))
	}
	fits(t, "anonymous", shapes.Anonymous, stranger)
	for name, credential := range map[string]string{"key": s.Admin.Key, "bad token": "nonsense"} {
		if got := ask(credential); keys(got) != keys(stranger) || keys(got["features"]) != keys(stranger["features"]) {
			t.Errorf("%s: sees %s", name, keys(got))
		}
	}
	for _, p := range []*apitest.Person{s.Admin, s.User} {
		got := ask(p.Token)
		fits(t, string(p.Role), shapes.Admin, got)
		if got["default_models"] != "a,b" {
			t.Errorf("%s: default models %v", p.Role, got["default_models"])
		}
	}
	waiting := ask(s.Pending.Token)
	if keys(waiting["ui"]) != "pending_user_overlay_content pending_user_overlay_title" || waiting["permissions"] != nil ||
		waiting["ui"].(map[string]any)["pending_user_overlay_title"] != "Wait" {
		t.Errorf("somebody who waits sees %s, ui %v", keys(waiting), waiting["ui"])
	}
	if keys(waiting["features"]) != keys(shapes.Admin["features"]) {
		t.Errorf("somebody who waits sees the features %s", keys(waiting["features"]))
	}
}

func keys(v any) string {
	m, _ := v.(map[string]any)
	return strings.Join(slices.Sorted(maps.Keys(m)), " ")
}

// fits reports where got lacks what a recorded shape has. A shape names types;
// null fits anything.
func fits(t *testing.T, where string, shape, got any) {
	t.Helper()
	switch s := shape.(type) {
	case map[string]any:
		m, ok := got.(map[string]any)
		if !ok {
			t.Errorf("%s: %v is no object", where, got)
		}
		for k, v := range s {
			if _, ok := m[k]; !ok {
				t.Errorf("%s.%s is missing", where, k)
				continue
			}
			fits(t, where+"."+k, v, m[k])
		}
	case string:
		_, isText := got.(string)
		_, isBool := got.(bool)
		if s == "string" && !isText || s == "bool" && !isBool {
			t.Errorf("%s: %v is no %s", where, got, s)
		}
	}
}

// TestOnboarding shows the sign-up only until there is somebody.
func TestOnboarding(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Empty: true})
	if got := s.Do(t, "", "GET", "/api/config", nil).JSON(t); got["onboarding"] != true {
		t.Errorf("nobody there: %v", got)
	}
	if a := s.Do(t, "", "POST", "/api/v1/auths/signup", map[string]string{"name": "Ana", "email": "ana@example.com", "password": apitest.Password}); a.Status != 200 {
		t.Fatalf("sign-up: %d %s", a.Status, a.Body)
	}
	if got := s.Do(t, "", "GET", "/api/config", nil).JSON(t); got["onboarding"] != nil {
		t.Errorf("somebody there: %v", got)
	}
}

// TestNoAuth sends the guide's calls as they are written: no key, no type.
func TestNoAuth(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{NoAuth: true, Empty: true})
	a := s.Do(t, "", "POST", "/api/chat/completions", `{"model":"mock","messages":[{"role":"user","content":"x"}]}`, "Content-Type", "application/x-www-form-urlencoded")
	if a.Status != 200 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	a = s.Do(t, "", "POST", "/api/chat/completions", `{}`, "Sec-Fetch-Site", "cross-site")
	if a.Status != 403 {
		t.Errorf("a page of another site: %d %s", a.Status, a.Body)
	}
}

// Without sign-in whoever gets in is the administrator: pages of other sites
// do not, by whatever credential they bring, nor by a name that they made
// point here.
func TestNoAuthKeepsOtherSitesOut(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{NoAuth: true, Empty: true, Env: map[string]string{"WEBUI_URL": "https://chat.example.org"}})
	const admin, signin, public = "GET /openai/config", "POST /api/v1/auths/signin", "GET /api/version"
	for _, tc := range []struct {
		what, host string
		headers    []string
		want       int
	}{
		{admin, "", nil, 200},
		{admin, "portico:3000", nil, 200},
		{admin, "box.local", nil, 200},
		{admin, "[::1]:3000", nil, 200},
		{admin, "chat.example.org", nil, 200},
		{admin, "evil.example:3000", nil, 403},
		{admin, "127.0.0.1.evil.example", nil, 403},
		{admin, "localhost.evil.example", nil, 403},
		{admin, "", []string{"Origin", "https://evil.example"}, 403},
		{admin, "", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{public, "", []string{"Sec-Fetch-Site", "cross-site"}, 200},
		{public, "evil.example", nil, 403},
		{signin, "", nil, 200},
		{signin, "", []string{"Origin", "https://evil.example", "Authorization", "Bearer x"}, 403},
		{signin, "evil.example", []string{"Cookie", "token=x"}, 403},
	} {
		method, path, _ := strings.Cut(tc.what, " ")
		body := `{"email":"a@b.c","password":"x"}`
		if method == "GET" {
			body = ""
		}
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		if r.Host = tc.host; tc.host == "" {
			r.Host = "127.0.0.1:3000"
		}
		r.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(tc.headers); i += 2 {
			r.Header.Set(tc.headers[i], tc.headers[i+1])
		}
		w := httptest.NewRecorder()
		s.API.Handler().ServeHTTP(w, r)
		if w.Code != tc.want {
			t.Errorf("%s at %q with %v: %d %s", tc.what, tc.host, tc.headers, w.Code, w.Body)
		}
	}
}

// The first account, which is an administrator, is not made by a page of
// another site; later ones follow CORS.
func TestFirstAccountIsNotMadeByAnotherSite(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Empty: true})
	form := map[string]string{"name": "Ana", "email": "ana@example.com", "password": apitest.Password}
	for _, h := range [][]string{{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Origin", "null"}} {
		if a := s.Do(t, "", "POST", "/api/v1/auths/signup", form, h...); a.Status != 403 {
			t.Errorf("%v: %d %s", h, a.Status, a.Body)
		}
	}
	if a := s.Do(t, "", "POST", "/api/v1/auths/signup", form, "Sec-Fetch-Site", "same-origin"); a.Status != 200 {
		t.Errorf("by its own page: %d %s", a.Status, a.Body)
	}
}

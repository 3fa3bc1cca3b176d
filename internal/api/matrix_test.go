package api_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"portico/internal/api"
	"portico/internal/api/apitest"
	"portico/internal/api/route"
	"portico/internal/auth"
	"portico/internal/errdefs"
	"portico/internal/user"
)

// standing is what a credential is worth.
type standing int

const (
	nobody standing = iota // none at all
	bad                    // one that is not valid (any more): as nobody
	barred                 // a key that may not be used, or not here
	pending
	member
	admin
	memberKey
	adminKey
)

// want is the status that a door answers a standing with; 204 is let in.
func want(who route.Who, s standing) int {
	if who == route.Public {
		return http.StatusNoContent
	}
	switch s {
	case nobody, bad:
		return http.StatusUnauthorized
	case barred:
		return http.StatusForbidden
	}
	in := false
	switch who {
	case route.Current:
		in = true
	case route.Human:
		if s == memberKey || s == adminKey {
			return http.StatusForbidden
		}
		in = true
	case route.Verified:
		in = s != pending
	case route.Admin:
		in = s == admin || s == adminKey
	}
	if !in {
		return http.StatusUnauthorized
	}
	return http.StatusNoContent
}

// principal is somebody at the door.
type principal struct {
	name       string
	credential string
	standing   standing
}

// principals makes one credential of each sort, most of them to be refused.
func principals(t *testing.T, s *apitest.Server) []principal {
	t.Helper()
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	past := s.NewAuth(t, apitest.Secret, func() time.Time { return time.Now().Add(-365 * 24 * time.Hour) }, apitest.Options{})
	signIn := func(a *auth.Service, p *apitest.Person) string {
		t.Helper()
		r := httptest.NewRequest("POST", "/", nil)
		session, err := a.SignIn(r, p.Email, apitest.Password)
		must(err)
		return session.Token
	}
	expired := signIn(past, s.User)
	foreign := signIn(s.NewAuth(t, "another secret of another server entirely", nil, apitest.Options{}), s.User)

	signedOut := s.Person(t, "signed-out", user.Member)
	if a := s.Do(t, signedOut.Token, "POST", "/api/v1/auths/signout", nil); a.Status != 200 {
		t.Fatalf("sign-out: %d %s", a.Status, a.Body)
	}
	changed := s.Person(t, "changed", user.Member)
	must(s.Auth.SetPassword(ctx, changed.ID, "another-"+apitest.Password))
	deleted := s.Person(t, "deleted", user.Member)
	must(s.Auth.Delete(ctx, deleted.ID))
	demoted := s.Person(t, "demoted", user.Admin)
	role := user.Member
	_, err := s.Auth.Change(ctx, demoted.ID, user.Change{Role: &role})
	must(err)

	revoked := s.Key(t, s.User, auth.KeySpec{Name: "revoked"})
	k, err := s.Auth.KeyNamed(ctx, s.User.ID, "revoked")
	must(err)
	must(s.Auth.DeleteKey(ctx, s.User.ID, k.ID))
	_, stale, err := past.CreateKey(ctx, s.User.ID, auth.KeySpec{Name: "stale", ExpiresAt: time.Now().Add(-time.Hour).Unix()}, false)
	must(err)
	elsewhere := s.Key(t, s.User, auth.KeySpec{Name: "elsewhere", Routes: []string{"/elsewhere", "/api/nowhere"}})

	return []principal{
		{"nobody", "", nobody},
		{"not a token", "nonsense", bad},
		{"no such key", "sk-00000000000000000000000000000000", bad},
		{"expired token", expired, bad},
		{"signed-out token", signedOut.Token, bad},
		{"token from before a new password", changed.Token, bad},
		{"token of another secret", foreign, bad},
		{"token of a deleted person", deleted.Token, bad},
		{"key of a deleted person", deleted.Key, bad},
		{"revoked key", revoked, bad},
		{"expired key", stale, bad},
		{"key with scope elsewhere", elsewhere, barred},
		{"pending", s.Pending.Token, pending},
		{"user", s.User.Token, member},
		{"other user", s.Other.Token, member},
		{"demoted admin", demotedToken(t, s, demoted), member},
		{"key of user", s.User.Key, memberKey},
		{"key of demoted admin", demoted.Key, memberKey},
		{"admin", s.Admin.Token, admin},
		{"key of admin", s.Admin.Key, adminKey},
	}
}

// demotedToken is the token from before, or, where a change of role ended it,
// one of a new sign-in.
func demotedToken(t *testing.T, s *apitest.Server, p *apitest.Person) string {
	t.Helper()
	if s.Do(t, p.Token, "GET", "/api/v1/auths/", nil).Status == http.StatusOK {
		return p.Token
	}
	session, err := s.Auth.SignIn(httptest.NewRequest("POST", "/", nil), p.Email, apitest.Password)
	if err != nil {
		t.Fatal(err)
	}
	return session.Token
}

// transports are the ways in which a credential may come.
var transports = []struct {
	name string
	put  func(h http.Header, credential string)
}{
	{"Authorization", func(h http.Header, c string) { h.Set("Authorization", "Bearer "+c) }},
	{"Authorization of another scheme", func(h http.Header, c string) { h.Set("Authorization", "token "+c) }},
	{"cookie", func(h http.Header, c string) { h.Set("Cookie", "theme=dark; token="+c) }},
	{"x-api-key", func(h http.Header, c string) { h.Set("X-Api-Key", c) }},
}

// TestAuthzMatrix sends every principal, by every transport, to every path of
// every route, and compares who was let in with what the row says.
func TestAuthzMatrix(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	list := principals(t, s)
	ran := 0
	rows := recording(s.API.Routes(), &ran)
	handler, err := s.API.HandlerOf(rows)
	if err != nil {
		t.Fatal(err)
	}
	before := contents(t, s)
	cells := 0
	for i := range rows {
		row := &rows[i]
		for _, path := range row.Paths() {
			target := fill(path)
			for _, p := range list {
				for _, by := range transports {
					if p.credential == "" && by.name != "Authorization" {
						continue
					}
					ran = 0
					w := knock(handler, row.Method, target, p.credential, by.put)
					cells++
					status := want(row.Who, p.standing)
					if row.Dev {
						status = http.StatusNotFound
					}
					if w.Code != status || (ran == 1) != (status == http.StatusNoContent) {
						t.Errorf("%s %s as %s by %s: %d, want %d (handler ran %d times) %s", row.Method, target, p.name, by.name, w.Code, status, ran, w.Body)
					}
					if status >= 400 {
						checkError(t, row.Method+" "+target, w.Body.Bytes())
					}
				}
			}
		}
	}
	t.Logf("%d cells", cells)
	if after := contents(t, s); after != before {
		t.Errorf("the database changed:\n%s\n%s", before, after)
	}
	if n := s.Provider.Calls.Load(); n != 0 {
		t.Errorf("the provider was asked %d times", n)
	}
}

// TestKeysSwitchedOff is the matrix for keys that were made before keys were
// switched off for everybody, or for their owner.
func TestKeysSwitchedOff(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]map[string]any{
		"for everybody": {"auth.enable_api_keys": false},
		"for users":     {"user.permissions": map[string]any{"features": map[string]any{"api_keys": false}}},
	} {
		s := apitest.New(t, apitest.Options{Env: map[string]string{"USER_PERMISSIONS_FEATURES_API_KEYS": ""}})
		if err := s.Settings.Set(context.Background(), set); err != nil {
			t.Fatal(err)
		}
		ran := 0
		rows := recording(s.API.Routes(), &ran)
		handler, err := s.API.HandlerOf(rows)
		if err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			row := &rows[i]
			if row.Dev {
				continue
			}
			for _, by := range transports {
				if w := knock(handler, row.Method, fill(row.Path), s.User.Key, by.put); w.Code != want(row.Who, barred) {
					t.Errorf("off %s: %s %s by %s: %d %s", name, row.Method, row.Path, by.name, w.Code, w.Body)
				}
			}
		}
	}
}

// recording replaces all handlers by one that counts.
func recording(rows []route.Route, ran *int) []route.Route {
	rows = slices.Clone(rows)
	for i := range rows {
		rows[i].Handler = func(w http.ResponseWriter, _ *http.Request, _ *route.Call) error {
			*ran++
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
	}
	return rows
}

func knock(h http.Handler, method, target, credential string, put func(http.Header, string)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader("{}"))
	if credential != "" {
		put(r.Header, credential)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// fill puts something into the parameters of a path.
func fill(path string) string { return parameter.ReplaceAllString(path, "1") }

// contents is what the database holds, but for when people were last seen.
func contents(t *testing.T, s *apitest.Server) string {
	t.Helper()
	ctx := context.Background()
	var parts []any
	add := func(v any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, v)
	}
	people, _, err := s.DB.Users(ctx, user.Filter{Limit: 1000})
	for _, p := range people {
		p.LastActiveAt = 0
		keys, err := s.DB.KeysOf(ctx, p.ID)
		for _, k := range keys {
			k.LastUsed = 0
		}
		add(keys, err)
	}
	add(people, err)
	models, err := s.DB.Models(ctx)
	add(models, err)
	groups, err := s.DB.Groups(ctx)
	add(groups, err)
	settings, err := s.DB.Settings(ctx)
	add(settings, err)
	text, err := json.Marshal(parts)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// forbidden is what no error may say: paths and types of ours, keys, the
// database's own words.
var forbidden = regexp.MustCompile(`canary|portico/internal|internal/|\*errdefs|\*json\.|\*url\.|\*net\.|goroutine|\.go:\d|runtime error|SQLITE|sqlite|pgx|no rows|127\.0\.0\.1|/tmp/|unexpected end of JSON|cannot unmarshal`)

// checkError reads an error as its clients do.
func checkError(t *testing.T, what string, body []byte) {
	t.Helper()
	var e struct {
		Detail any
		Error  any
	}
	if err := json.Unmarshal(body, &e); err != nil {
		t.Errorf("%s: the error is not JSON: %s", what, body)
		return
	}
	if e.Detail == nil && e.Error == nil {
		t.Errorf("%s: the error has no detail: %s", what, body)
	}
	if m := forbidden.Find(body); m != nil {
		t.Errorf("%s: the error says %q: %s", what, m, body)
	}
}

var update = flag.Lookup("update")

// TestRights holds who may call what against a list that people read. A new
// route, or a change of its rights, is a change of the list. To write it anew:
// go test ./internal/api -run TestRights -update
func TestRights(t *testing.T) {
	t.Parallel()
	const file = "testdata/rights.txt"
	names := map[route.Who]string{route.Public: "public", route.Current: "current", route.Human: "human", route.Verified: "verified", route.Admin: "admin"}
	var lines []string
	for _, row := range new(api.API).Routes() {
		for _, path := range row.Paths() {
			note := ""
			if row.Dev {
				note = " (ENV=dev)"
			}
			lines = append(lines, fmt.Sprintf("%-8s  %-6s %s%s", names[row.Who], row.Method, path, note))
		}
	}
	slices.Sort(lines)
	got := strings.Join(lines, "\n") + "\n"
	if update.Value.String() == "true" {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(old) == got {
		return
	}
	before := strings.Split(string(old), "\n")
	for _, line := range lines {
		if !slices.Contains(before, line) {
			t.Errorf("new or changed: %s", line)
		}
	}
	for _, line := range before {
		if line != "" && !slices.Contains(lines, line) {
			t.Errorf("gone or changed: %s", line)
		}
	}
	t.Error("if the rights above are meant so, run this test with -update")
}

// TestRightsAreNarrow keeps what must be for administrators from being written
// into the list by mistake.
func TestRightsAreNarrow(t *testing.T) {
	t.Parallel()
	admins := regexp.MustCompile(`/config(/update)?$|/verify|/auths/(add|admin)|/configs/|/functions|/pipelines|/ollama/api/(pull|push|create|copy|delete|ps|unload)|/models/(download|upload)|/models/(sync|delete/all|base)`)
	except := map[string]bool{"GET /api/config": true, "GET /api/v1/auths/admin/details": true, "GET /api/v1/tasks/config": true}
	public := regexp.MustCompile(`^(/|/health(/db)?|/ready|/api/version|/api/changelog|/api/config|/manifest\.json|/opensearch\.xml|/robots\.txt|/docs(/\{file\})?|/openapi\.json|/ollama|/user\.png|/api/v1/auths/(signin|signup|signout|ldap|oauth/\{provider\}/token/exchange)|/api/v1/users/\{id\}/profile/image)$`)
	for _, row := range new(api.API).Routes() {
		for _, path := range row.Paths() {
			if admins.MatchString(path) && !except[row.Method+" "+path] && row.Who != route.Admin {
				t.Errorf("%s %s is for administrators", row.Method, path)
			}
			if row.Who == route.Public && !public.MatchString(path) {
				t.Errorf("%s %s is not for everybody", row.Method, path)
			}
		}
	}
}

// A route that somebody adds without saying who may call it stops the server.
func TestRouteWithoutRights(t *testing.T) {
	t.Parallel()
	a := &api.API{}
	rows := append(a.Routes(), route.Route{Method: "GET", Path: "/api/v1/new", Op: "new", Summary: "New",
		Handler: route.NoBody(func(context.Context, *route.Call) (bool, error) { return true, nil })})
	if _, err := a.HandlerOf(rows); err == nil || !strings.Contains(err.Error(), "lets nobody in") {
		t.Errorf("the error is %v", err)
	}
}

// TestErrorHasNoSecrets provokes what errors it can on every route, and reads
// them for what they should not say.
func TestErrorHasNoSecrets(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	errors := 0
	for _, row := range s.API.Routes() {
		for _, credential := range []string{"", s.Pending.Token, s.User.Key, s.Admin.Key, "sk-canary-of-the-client"} {
			for _, body := range []string{"", "{", "[]", "{}", `{"model":"no-such","messages":[{"role":"user","content":"x"}],"prompt":"x","input":"x","name":1,"id":{}}`} {
				if row.Method == "DELETE" && strings.HasSuffix(row.Path, "/api_key") {
					continue
				}
				a := s.Do(t, credential, row.Method, fill(row.Path)+"?page=x&refresh=x", body)
				if a.Status < 400 {
					continue
				}
				errors++
				checkError(t, fmt.Sprintf("%s %s (%d)", row.Method, row.Path, a.Status), []byte(a.Body))
				if a.Status == http.StatusInternalServerError && strings.Contains(a.Body, errdefs.From(nil).Detail) {
					t.Errorf("%s %s: an unforeseen error: %s", row.Method, row.Path, a.Body)
				}
			}
		}
	}
	t.Logf("%d errors", errors)
}

package route_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"portico/internal/api/route"
)

func nop(http.ResponseWriter, *http.Request, *route.Call) error { return nil }

func row(method, op, path string, also ...string) route.Route {
	return route.Route{Method: method, Path: path, Also: also, Op: op, Summary: op, Who: route.Public, Handler: nop}
}

func TestFind(t *testing.T) {
	t.Parallel()
	table, err := route.NewTable([]route.Route{
		row("GET", "root", "/"),
		row("GET", "models", "/api/models", "/api/v1/models", "/v1/models/"),
		row("POST", "create", "/api/models"),
		row("GET", "user", "/users/{id}"),
		row("GET", "me", "/users/me"),
		row("DELETE", "delete", "/users/{id}"),
		row("POST", "profile", "/users/{id}/profile"),
		row("GET", "ps", "/ollama/api/ps", "/ollama/api/ps/{idx}"),
		row("GET", "blob", "/ollama/{kind}/{digest...}"),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ method, path, op, allow string }{
		{"GET", "/", "root", ""},
		{"GET", "/api/models", "models", ""},
		{"HEAD", "/api/models/", "models", ""},
		{"POST", "/api/models/", "create", ""},
		{"GET", "/api/v1/models/", "models", ""},
		{"GET", "/v1/models", "models", ""},
		{"PUT", "/api/models", "", "GET, HEAD, OPTIONS, POST"},
		{"GET", "/users/me", "me", ""},
		{"DELETE", "/users/me", "delete", ""}, // falls back to the parameter
		{"GET", "/users/u1/", "user", ""},
		{"PATCH", "/users/u1", "", "DELETE, GET, HEAD, OPTIONS"},
		{"POST", "/users/me/profile", "profile", ""},
		{"GET", "/ollama/api/ps/3", "ps", ""},
		{"GET", "/ollama/blobs/a/b/c", "blob", ""},
		{"GET", "/users", "", ""},
		{"GET", "/users/", "", ""},
		{"GET", "/nope", "", ""},
		{"GET", "", "", ""},
		{"GET", "*", "", ""},
	} {
		m := table.Find(tc.method, tc.path)
		op := ""
		if m.Route != nil {
			op = m.Route.Op
		}
		if op != tc.op || m.Allow != tc.allow {
			t.Errorf("%s %s: %q allow %q, want %q allow %q", tc.method, tc.path, op, m.Allow, tc.op, tc.allow)
		}
	}
	r := httptest.NewRequest("GET", "/ollama/blobs/a/b", nil)
	m := table.Find("GET", r.URL.Path)
	m.SetPathValues(r)
	if got := r.PathValue("kind") + " " + r.PathValue("digest"); got != "blobs a/b" {
		t.Errorf("path values %q", got)
	}
}

func TestNewTableRefuses(t *testing.T) {
	t.Parallel()
	with := func(change func(*route.Route)) route.Route {
		r := row("GET", "b", "/b")
		change(&r)
		return r
	}
	for want, r := range map[string]route.Route{
		"lets nobody in":         with(func(r *route.Route) { r.Who = route.Nobody }),
		"no operation":           with(func(r *route.Route) { r.Op = "" }),
		"no summary":             with(func(r *route.Route) { r.Summary = "" }),
		"no handler":             with(func(r *route.Route) { r.Handler = nil }),
		"no method":              with(func(r *route.Route) { r.Method = "FETCH" }),
		"blind but not public":   with(func(r *route.Route) { r.Blind, r.Who = true, route.Verified }),
		"that is none":           with(func(r *route.Route) { r.Path = "b" }),
		"is no parameter":        with(func(r *route.Route) { r.Path = "/b/{x" }),
		"already that of":        with(func(r *route.Route) { r.Op = "a" }),
		"already those of":       with(func(r *route.Route) { r.Path = "/a/" }),
		"named differently":      with(func(r *route.Route) { r.Method, r.Path = "POST", "/p/{y}" }),
		"those of another route": with(func(r *route.Route) { r.Also = []string{"/p/{x}"} }),
	} {
		_, err := route.NewTable([]route.Route{row("GET", "a", "/a"), row("GET", "p", "/p/{x}"), r})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	table, _ := route.NewTable([]route.Route{row("POST", "a", "/api/chat/completions"), row("GET", "p", "/p/{x}")})
	b.ReportAllocs()
	for b.Loop() {
		if table.Find("POST", "/api/chat/completions").Route == nil {
			b.Fatal("not found")
		}
	}
}

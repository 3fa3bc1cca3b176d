package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"portico/internal/access"
	"portico/internal/api/route"
	"portico/internal/auth"
	"portico/internal/errdefs"
	"portico/internal/user"
)

// stub authenticates by what the test says.
type stub struct {
	id  auth.Identity
	err error
}

func (s stub) Authenticate(*http.Request) (auth.Identity, error) { return s.id, s.err }
func (stub) ClearCookie(w http.ResponseWriter)                   { w.Header().Add("Set-Cookie", "token=") }
func (stub) Address(r *http.Request) netip.Addr                  { return netip.MustParseAddrPort(r.RemoteAddr).Addr() }

func as(role user.Role, method access.Method) stub {
	return stub{id: auth.Identity{Who: &access.Principal{UserID: "u", Role: role, Method: method}}}
}

func say(text string) route.Handler {
	return func(w http.ResponseWriter, _ *http.Request, _ *route.Call) error {
		return route.WriteBody(w, 200, []byte(text))
	}
}

// door is one route to be asked for.
func door(who route.Who, h route.Handler) route.Route {
	return route.Route{Method: "POST", Path: "/api/x", Op: "x", Summary: "x", Who: who, Handler: h}
}

func testEdge(t testing.TB, a authenticator, rows ...route.Route) *edge {
	t.Helper()
	e, err := newEdge(rows, a, Config{AnonymousRate: -1})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func ask(h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body == "" {
		r.Body = http.NoBody
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestDoors(t *testing.T) {
	t.Parallel()
	nobody, bad := stub{}, stub{err: errdefs.New(errdefs.Unauthenticated, "no such key")}
	disabled := stub{err: errdefs.New(errdefs.Forbidden, "keys are off")}
	broken := stub{err: errors.New("database on fire at 10.0.0.1")}
	scoped := as(user.Member, access.ByKey)
	scoped.id.Who.Routes = []string{"/api/y"}
	fits := as(user.Member, access.ByKey)
	fits.id.Who.Routes = []string{"/v1", "/api/x/"}
	narrow := as(user.Admin, access.ByKey)
	narrow.id.Who.Models = []string{"m"}
	principals := []struct {
		name string
		stub stub
		// statuses for Public, Current, Human, Verified, Admin
		want [5]int
	}{
		{"nobody", nobody, [5]int{200, 401, 401, 401, 401}},
		{"bad credential", bad, [5]int{200, 401, 401, 401, 401}},
		{"keys off", disabled, [5]int{200, 403, 403, 403, 403}},
		{"store broken", broken, [5]int{200, 500, 500, 500, 500}},
		{"pending", as(user.Pending, access.ByToken), [5]int{200, 200, 200, 401, 401}},
		{"user", as(user.Member, access.ByToken), [5]int{200, 200, 200, 200, 401}},
		{"admin", as(user.Admin, access.ByToken), [5]int{200, 200, 200, 200, 200}},
		{"unknown role", as("root", access.ByToken), [5]int{200, 200, 200, 401, 401}},
		{"key of user", as(user.Member, access.ByKey), [5]int{200, 200, 403, 200, 401}},
		{"key of admin", as(user.Admin, access.ByKey), [5]int{200, 200, 403, 200, 200}},
		{"key with scope elsewhere", scoped, [5]int{200, 403, 403, 403, 403}},
		{"key of admin for some models", narrow, [5]int{200, 200, 403, 200, 403}},
		{"key with scope here", fits, [5]int{200, 200, 403, 200, 401}},
	}
	for _, p := range principals {
		for i, who := range []route.Who{route.Public, route.Current, route.Human, route.Verified, route.Admin} {
			ran := false
			e := testEdge(t, p.stub, door(who, func(w http.ResponseWriter, _ *http.Request, _ *route.Call) error {
				ran = true
				return route.WriteBody(w, 200, nil)
			}))
			w := ask(e, "POST", "/api/x", "{}")
			if w.Code != p.want[i] || ran != (w.Code == 200) {
				t.Errorf("%s at door %d: %d (handler ran: %v), want %d; %s", p.name, who, w.Code, ran, p.want[i], w.Body)
			}
			if w.Code == 401 && w.Header().Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s at door %d: no WWW-Authenticate", p.name, who)
			}
			if strings.Contains(w.Body.String(), "10.0.0.1") {
				t.Errorf("%s: foreign error text in %s", p.name, w.Body)
			}
		}
	}
}

func TestMissingCredentialSaysWhatToAdd(t *testing.T) {
	t.Parallel()
	w := ask(testEdge(t, stub{}, door(route.Verified, say("{}"))), "POST", "/api/x", "{}")
	if s := w.Body.String(); !strings.HasPrefix(s, `{"detail":"Not authenticated`) || !strings.Contains(s, "Settings > Account as") && !strings.Contains(s, "Authorization: Bearer") {
		t.Error(s)
	}
}

func TestBadCookieIsForgotten(t *testing.T) {
	t.Parallel()
	bad := stub{err: errdefs.New(errdefs.Unauthenticated, "expired")}
	for cookie, want := range map[string]string{"token=x": "token=", "other=x": ""} {
		w := ask(testEdge(t, bad, door(route.Verified, say("{}"))), "POST", "/api/x", "", "Cookie", cookie)
		if w.Code != 401 || w.Header().Get("Set-Cookie") != want {
			t.Errorf("%s: %d %v", cookie, w.Code, w.Header())
		}
	}
}

func TestBlindRouteAsksNobody(t *testing.T) {
	t.Parallel()
	row := door(route.Public, say("{}"))
	row.Blind = true
	asked := authFunc{fn: func(*http.Request) (auth.Identity, error) {
		t.Error("credential was read")
		return auth.Identity{}, nil
	}}
	if w := ask(testEdge(t, asked, row), "POST", "/api/x", "{}", "Authorization", "Bearer x"); w.Code != 200 {
		t.Error(w.Code)
	}
}

type authFunc struct {
	stub
	fn func(*http.Request) (auth.Identity, error)
}

func (f authFunc) Authenticate(r *http.Request) (auth.Identity, error) { return f.fn(r) }

// A body that is too large, and a caller who may not, are refused before a byte
// of the body is read.
func TestRefusedUnread(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		stub   stub
		length int64
		want   int
	}{
		"too large":     {as(user.Admin, access.ByToken), 1<<20 + 1, 413},
		"just fits":     {as(user.Admin, access.ByToken), 1 << 20, 200},
		"no credential": {stub{}, 10, 401},
	} {
		e := testEdge(t, tc.stub, door(route.Verified, say("{}")))
		r := httptest.NewRequest("POST", "/api/x", io.NopCloser(readFunc(func([]byte) (int, error) {
			t.Errorf("%s: the body was read", name)
			return 0, io.EOF
		})))
		r.ContentLength = tc.length
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if w.Code != tc.want {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if tc.want == 413 && w.Header().Get("Connection") != "close" {
			t.Errorf("%s: the connection stays open", name)
		}
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(b []byte) (int, error) { return f(b) }

func TestBodyLimits(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		limit int64
		size  int
		want  int
	}{
		{0, 1 << 20, 200}, {0, 1<<20 + 1, 413}, {100, 100, 200}, {100, 101, 413}, {-1, 3 << 20, 200},
	} {
		for _, chunked := range []bool{false, true} {
			row := door(route.Public, func(w http.ResponseWriter, r *http.Request, c *route.Call) error {
				if _, err := route.ReadBody(r, c); err != nil {
					return err
				}
				return route.WriteBody(w, 200, nil)
			})
			row.MaxBody = tc.limit
			r := httptest.NewRequest("POST", "/api/x", strings.NewReader(strings.Repeat("x", tc.size)))
			if chunked {
				r.ContentLength = -1
			}
			w := httptest.NewRecorder()
			testEdge(t, stub{}, row).ServeHTTP(w, r)
			if w.Code != tc.want {
				t.Errorf("limit %d, %d bytes, chunked %v: %d", tc.limit, tc.size, chunked, w.Code)
			}
		}
	}
}

func TestHeadLimits(t *testing.T) {
	t.Parallel()
	e := testEdge(t, stub{}, door(route.Public, say("{}")))
	for _, tc := range []struct {
		count, size, want int
	}{
		{100, 1, 200}, {101, 1, 431}, {1, maxHeaderBytes - len("/api/x") - len("X-Many: \r\n"), 200}, {1, maxHeaderBytes - len("/api/x") - len("X-Many: \r\n") + 1, 431},
	} {
		var headers []string
		for range tc.count {
			headers = append(headers, "X-Many", strings.Repeat("v", tc.size))
		}
		if w := ask(e, "POST", "/api/x", "", headers...); w.Code != tc.want {
			t.Errorf("%d headers of %d: %d, want %d", tc.count, tc.size, w.Code, tc.want)
		}
	}
}

func TestUnknownPaths(t *testing.T) {
	t.Parallel()
	dev := door(route.Public, say("{}"))
	dev.Method, dev.Path, dev.Op, dev.Dev = "GET", "/docs", "docs", true
	get := door(route.Public, say("{}"))
	get.Method, get.Op = "GET", "get"
	e := testEdge(t, stub{}, door(route.Verified, say("{}")), get, dev)
	for _, tc := range []struct {
		method, path string
		status       int
		body         string // exactly, or "html"
	}{
		{"GET", "/api/v1/nope/nope", 404, `{"detail":"Not Found"}`},
		{"GET", "/api", 404, `{"detail":"Not Found"}`},
		{"POST", "/ws/socket.io", 404, `{"detail":"Not Found"}`},
		{"GET", "/docs", 404, `{"detail":"Not Found"}`},
		{"GET", "/ollama/api/nope", 404, `{"error":"Not Found","detail":"Not Found"}`},
		{"GET", "/v1/nope", 404, `{"error":{"message":"Not Found","type":"invalid_request_error","param":null,"code":"not_found"},"detail":"Not Found"}`},
		{"PUT", "/api/x", 405, `{"detail":"Method Not Allowed"}`},
		{"DELETE", "/api/x/", 405, `{"detail":"Method Not Allowed"}`},
		{"BREW", "/api/x/", 405, `{"detail":"Method Not Allowed"}`},
		{"GET", "/nope", 404, "html"},
		{"GET", "/apiary", 404, "html"},
		{"HEAD", "/nope", 404, "html"},
		{"POST", "/nope", 404, `{"detail":"Not Found"}`},
		{"HEAD", "/api/x/", 200, `{}`},
		{"OPTIONS", "/api/x", 204, ""},
	} {
		w := ask(e, tc.method, tc.path, "")
		got := w.Body.String()
		if strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			got = "html"
			if !strings.Contains(w.Header().Get("Content-Security-Policy"), "frame-ancestors 'none'") {
				t.Errorf("%s %s: policy %q", tc.method, tc.path, w.Header().Get("Content-Security-Policy"))
			}
		}
		if w.Code != tc.status || got != tc.body {
			t.Errorf("%s %s: %d %s", tc.method, tc.path, w.Code, got)
		}
		if allow := w.Header().Get("Allow"); tc.status == 405 && allow != "GET, HEAD, OPTIONS, POST" {
			t.Errorf("%s %s: Allow %q", tc.method, tc.path, allow)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	e := testEdge(t, stub{}, door(route.Public, say("{}")))
	w := ask(e, "POST", "/api/x", "{}")
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
		"X-Process-Time": "0", "Content-Type": "application/json", "Access-Control-Allow-Origin": "",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	first, second := w.Header().Get("X-Request-Id"), ask(e, "GET", "/api/nope", "").Header().Get("X-Request-Id")
	if len(first) != 16 || first == second || !safeID(first) {
		t.Errorf("request ids %q, %q", first, second)
	}
	for sent, kept := range map[string]bool{"abc-1.2_3": true, strings.Repeat("a", 64): true, strings.Repeat("a", 65): false, "a b": false, "a\"b": false, "": false} {
		if got := ask(e, "POST", "/api/x", "", "X-Request-Id", sent).Header().Get("X-Request-Id"); (got == sent) != kept {
			t.Errorf("sent %q, got %q", sent, got)
		}
	}
}

func TestPanics(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	e := testEdge(t, stub{}, door(route.Public, func(http.ResponseWriter, *http.Request, *route.Call) error { panic("secret-canary") }))
	e.log = slog.New(slog.NewTextHandler(&log, nil))
	w := ask(e, "POST", "/api/x", "")
	if w.Code != 500 || strings.Contains(w.Body.String(), "canary") || !strings.Contains(w.Body.String(), w.Header().Get("X-Request-Id")) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "secret-canary") || !strings.Contains(log.String(), "dispatch.go") {
		t.Errorf("log %s", &log)
	}
	for name, h := range map[string]route.Handler{
		"abort": func(http.ResponseWriter, *http.Request, *route.Call) error { panic(http.ErrAbortHandler) },
		"late": func(w http.ResponseWriter, _ *http.Request, _ *route.Call) error {
			_, _ = w.Write([]byte("half"))
			panic("late")
		},
	} {
		func() {
			defer func() {
				if p := recover(); p != http.ErrAbortHandler {
					t.Errorf("%s: %v", name, p)
				}
			}()
			ask(testEdge(t, stub{}, door(route.Public, h)), "POST", "/api/x", "")
		}()
	}
}

func TestErrorAfterTheHead(t *testing.T) {
	t.Parallel()
	e := testEdge(t, stub{}, door(route.Public, func(w http.ResponseWriter, _ *http.Request, _ *route.Call) error {
		_, _ = w.Write([]byte("half"))
		return errors.New("broken off")
	}))
	if w := ask(e, "POST", "/api/x", ""); w.Code != 200 || w.Body.String() != "half" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestForeignOrigin(t *testing.T) {
	t.Parallel()
	cookie := as(user.Member, access.ByToken)
	cookie.id.Ambient = true
	header := as(user.Member, access.ByToken)
	get := door(route.Verified, say("{}"))
	get.Method, get.Op = "GET", "get"
	for _, tc := range []struct {
		name    string
		stub    stub
		method  string
		headers []string
		want    int
	}{
		{"cookie, cross-site", cookie, "POST", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"cookie, old browser", cookie, "POST", []string{"Origin", "https://evil.example"}, 403},
		{"cookie, same origin", cookie, "POST", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"cookie, same host", cookie, "POST", []string{"Origin", "http://example.com"}, 200},
		{"cookie, listed", cookie, "POST", []string{"Origin", "https://app.example", "Sec-Fetch-Site", "cross-site"}, 200},
		{"cookie, no browser", cookie, "POST", nil, 200},
		{"cookie, read", cookie, "GET", []string{"Sec-Fetch-Site", "cross-site"}, 200},
		{"header, cross-site", header, "POST", []string{"Sec-Fetch-Site", "cross-site"}, 200},
	} {
		e, err := newEdge([]route.Route{door(route.Verified, say("{}")), get}, tc.stub, Config{CORSOrigins: []string{"https://app.example"}})
		if err != nil {
			t.Fatal(err)
		}
		if w := ask(e, tc.method, "/api/x", "{}", tc.headers...); w.Code != tc.want {
			t.Errorf("%s: %d %s", tc.name, w.Code, w.Body)
		}
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		allowed             []string
		origin              string
		wantOrigin, wantCrd string
	}{
		{nil, "app://obsidian.md", "*", ""},
		{[]string{"*"}, "https://a.example", "*", ""},
		{[]string{"https://a.example", "app://obsidian.md"}, "app://obsidian.md", "app://obsidian.md", "true"},
		{[]string{"https://a.example"}, "https://b.example", "", ""},
		{nil, "", "", ""},
	} {
		e, err := newEdge([]route.Route{door(route.Public, say("{}"))}, stub{}, Config{CORSOrigins: tc.allowed})
		if err != nil {
			t.Fatal(err)
		}
		var origin []string
		if tc.origin != "" {
			origin = []string{"Origin", tc.origin}
		}
		w := ask(e, "POST", "/api/x", "{}", origin...)
		if w.Code != 200 || w.Header().Get("Access-Control-Allow-Origin") != tc.wantOrigin || w.Header().Get("Access-Control-Allow-Credentials") != tc.wantCrd {
			t.Errorf("%v %s: %d %v", tc.allowed, tc.origin, w.Code, w.Header())
		}
		w = ask(e, "OPTIONS", "/api/x", "", append(origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")...)
		if w.Code != 204 || w.Header().Get("Access-Control-Allow-Origin") != tc.wantOrigin {
			t.Errorf("preflight %v %s: %d %v", tc.allowed, tc.origin, w.Code, w.Header())
		}
		if tc.wantOrigin != "" && w.Header().Get("Access-Control-Allow-Headers") != "authorization,content-type" {
			t.Errorf("preflight %v %s: %v", tc.allowed, tc.origin, w.Header())
		}
	}
}

func TestAnonymousLimit(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	blind := door(route.Public, say("{}"))
	blind.Path, blind.Op, blind.Blind = "/health", "health", true
	e, err := newEdge([]route.Route{door(route.Public, say("{}")), blind}, stub{}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	e.now = func() time.Time { return now }
	for i := range defaultBurst {
		if w := ask(e, "POST", "/api/x", ""); w.Code != 200 {
			t.Fatalf("request %d: %d", i+1, w.Code)
		}
	}
	w := ask(e, "POST", "/api/x", "")
	if w.Code != 429 || w.Header().Get("Retry-After") != "1" {
		t.Errorf("request 21: %d %v", w.Code, w.Header())
	}
	if w := ask(e, "POST", "/health", ""); w.Code != 200 {
		t.Errorf("health: %d", w.Code)
	}
	e.auth = as(user.Member, access.ByKey)
	if w := ask(e, "POST", "/api/x", ""); w.Code != 200 {
		t.Errorf("with a key: %d", w.Code)
	}
	e.auth = stub{}
	now = now.Add(100 * time.Millisecond)
	if w := ask(e, "POST", "/api/x", ""); w.Code != 200 {
		t.Errorf("a tenth of a second later: %d", w.Code)
	}
}

func TestCrowdIsBounded(t *testing.T) {
	t.Parallel()
	c := newCrowd(Config{})
	now := time.Unix(1e9, 0)
	for i := range 3 * maxCrowd {
		if err := c.admit(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.buckets); n > maxCrowd+8 {
		t.Errorf("%d addresses", n)
	}
	// An address in IPv6 is as wide as what one caller holds.
	for i := range defaultBurst + 1 {
		if err := c.admit(netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i+1)), now); (err != nil) != (i == defaultBurst) {
			t.Errorf("IPv6 caller %d: %v", i, err)
		}
	}
}

// TestRawRequests sends what no client library would.
func TestRawRequests(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(testEdge(t, stub{}, door(route.Public, say("{}"))))
	srv.Config.DisableGeneralOptionsHandler = true
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	srv.Start()
	defer srv.Close()
	post := func(target string) string {
		return "POST " + target + " HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
	}
	for name, tc := range map[string]struct {
		raw  string
		want int
	}{
		"plain":                             {post("/api/x"), 200},
		"slash at the end":                  {post("/api/x/"), 200},
		"query":                             {post("/api/x?a=%2e%2e"), 200},
		"escaped letter":                    {post("/api/%78"), 200},
		"absolute":                          {post("http://internal/api/x"), 400},
		"opaque":                            {post("http:http://internal/api/x"), 400},
		"asterisk":                          {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"authority":                         {"CONNECT internal:80 HTTP/1.1\r\nHost: internal:80\r\n\r\n", 400},
		"no slash":                          {post("api/x"), 400},
		"two slashes":                       {post("//evil.example/api/x"), 400},
		"two slashes within":                {post("/api//x"), 400},
		"dots":                              {post("/api/../api/x"), 400},
		"dot":                               {post("/api/./x"), 400},
		"dots at the end":                   {post("/api/x/.."), 400},
		"escaped dots":                      {post("/api/%2e%2e/x"), 400},
		"escaped dots, upper":               {post("/api/%2E%2E/x"), 400},
		"escaped slash":                     {post("/api%2fx"), 400},
		"escaped slash of a model":          {post("/v1/models/a%2Fb"), 404},
		"escaped slashes of a model":        {post("/v1/models/a%2f%2fb"), 400},
		"escaped slash and dots of a model": {post("/v1/models/..%2f..%2fapi/x"), 400},
		"escaped twice for a model":         {post("/v1/models/a%252Fb"), 400},
		"escaped backslash":                 {post("/api%5cx"), 400},
		"backslash":                         {post("/api\\x"), 400},
		"escaped twice":                     {post("/api/%252e%252e/x"), 400},
		"escaped NUL":                       {post("/api/x%00"), 400},
		"escaped newline":                   {post("/api/x%0d%0aX:y"), 400},
		"broken escape":                     {post("/api/%zz"), 400},
		"two lengths":                       {"POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
		"length and chunked":                {"POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
		"folded header":                     {"POST /api/x HTTP/1.1\r\nHost: a\r\n b: c\r\n\r\n", 400},
		"no host":                           {"POST /api/x HTTP/1.1\r\n\r\n", 400},
		"space in a header":                 {"POST /api/x HTTP/1.1\r\nHost : a\r\n\r\n", 400},
		"other protocol":                    {"POST /api/x HTTP/9.9\r\nHost: a\r\n\r\n", 505},
		"not HTTP":                          {"\x16\x03\x01\x00\xa5\x01\r\n\r\n", 400},
	} {
		if got := raw(t, srv.Listener.Addr().String(), tc.raw); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}

// A caller who may not, or who announces too much, is not asked for the body.
func TestBodyIsNotAskedFor(t *testing.T) {
	t.Parallel()
	reads := route.JSON(func(context.Context, *route.Call, struct{}) (bool, error) { return true, nil })
	fails := func(http.ResponseWriter, *http.Request, *route.Call) error {
		return errdefs.New(errdefs.Unavailable, "off")
	}
	for name, tc := range map[string]struct {
		stub    stub
		handler route.Handler
		length  int
		want    int
	}{
		"nobody":       {stub{}, reads, 10, 401},
		"too large":    {as(user.Member, access.ByKey), reads, 1<<20 + 1, 413},
		"welcome":      {as(user.Member, access.ByKey), reads, 10, 100},
		"not wanted":   {as(user.Member, access.ByKey), fails, 10, 503},
		"not used":     {as(user.Member, access.ByKey), say("{}"), 10, 200},
		"as announced": {as(user.Member, access.ByKey), reads, 1 << 20, 100},
	} {
		srv := httptest.NewServer(testEdge(t, tc.stub, door(route.Verified, tc.handler)))
		got := raw(t, srv.Listener.Addr().String(), fmt.Sprintf("POST /api/x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", tc.length))
		if got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
		srv.CloseClientConnections()
		srv.Close()
	}
}

// Somebody unknown holds no connection open by sending a body that never ends.
func TestSlowBodyOfAStrangerEnds(t *testing.T) {
	t.Parallel()
	e := testEdge(t, stub{}, door(route.Public, func(w http.ResponseWriter, r *http.Request, c *route.Call) error {
		_, err := route.ReadBody(r, c)
		return err
	}))
	e.patience = 50 * time.Millisecond
	srv := httptest.NewServer(e)
	defer srv.Close()
	if got := raw(t, srv.Listener.Addr().String(), "POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n{"); got != 408 {
		t.Errorf("%d, want 408", got)
	}
}

// A known caller may send slowly, but not stop, and the answer may then take as
// long as it needs.
func TestPauseInABodyEnds(t *testing.T) {
	t.Parallel()
	const patience = 100 * time.Millisecond
	read := make(chan error, 1)
	e := testEdge(t, as(user.Member, access.ByKey), door(route.Verified, func(w http.ResponseWriter, r *http.Request, c *route.Call) error {
		if _, err := route.ReadBody(r, c); err != nil {
			return err
		}
		time.Sleep(2 * patience)
		read <- r.Context().Err()
		return route.WriteBody(w, 200, nil)
	}))
	e.stall = patience
	srv := httptest.NewServer(e)
	defer srv.Close()
	if got := raw(t, srv.Listener.Addr().String(), "POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n{"); got != 408 {
		t.Errorf("%d, want 408", got)
	}
	slow, w := io.Pipe()
	go func() {
		for range 10 {
			_, _ = w.Write(make([]byte, 1000))
			time.Sleep(patience / 4)
		}
		w.Close()
	}()
	req, err := http.NewRequestWithContext(t.Context(), "POST", srv.URL+"/api/x", slow)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if err := <-read; res.StatusCode != 200 || err != nil {
		t.Errorf("%d, %v: a caller who goes on sending was cut off", res.StatusCode, err)
	}
}

// raw sends bytes and gives the status of the answer.
func raw(t *testing.T, addr, bytes string) int {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(context.Background(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(conn, bytes)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Errorf("%q: %v", bytes, err)
		return 0
	}
	defer res.Body.Close()
	return res.StatusCode
}

func TestRequestIDsAreUnique(t *testing.T) {
	t.Parallel()
	g := newRequestIDs()
	r := httptest.NewRequest("GET", "/", nil)
	const each = 1000
	made := make(chan []string)
	for range 8 {
		go func() {
			var ids []string
			for range each {
				ids = append(ids, g.of(r)[0])
			}
			made <- ids
		}()
	}
	seen := map[string]bool{}
	for range 8 {
		for _, id := range <-made {
			if seen[id] || len(id) != 16 {
				t.Fatalf("%q is there twice or has another length", id)
			}
			seen[id] = true
		}
	}
}

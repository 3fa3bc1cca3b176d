package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"portico/internal/api/route"
	"portico/internal/errdefs"
)

func TestErrors(t *testing.T) {
	t.Parallel()
	missing := route.Fault("missing", []any{"body", "email"}, "Field required", map[string]any{})
	upstream := func(contentType, body string) error {
		return &errdefs.Error{Kind: errdefs.Upstream, Status: 429, Verbatim: &errdefs.Verbatim{Body: []byte(body), ContentType: contentType, RetryAfter: "7"}}
	}
	for _, tc := range []struct {
		name    string
		dialect route.Dialect
		err     error
		status  int
		body    string
		retry   string
	}{
		{"plain", route.Detail, errdefs.New(errdefs.NotFound, "Model not found"), 404, `{"detail":"Model not found"}`, ""},
		{"raw text", route.Detail, errdefs.New(errdefs.Invalid, `é <b> & "x"`+"\n"), 400, `{"detail":"é <b> & \"x\"\n"}`, ""},
		{"other status", route.Detail, errdefs.New(errdefs.NotFound, "x").WithStatus(401), 401, `{"detail":"x"}`, ""},
		{"wrapped", route.Detail, fmt.Errorf("chat.Complete: %w", errdefs.New(errdefs.Conflict, "taken")), 409, `{"detail":"taken"}`, ""},
		{"retry", route.Detail, errdefs.New(errdefs.RateLimited, "slow down").WithRetryAfter(1100 * time.Millisecond), 429, `{"detail":"slow down"}`, "2"},
		{"faults", route.Detail, missing, 422, `{"detail":[{"type":"missing","loc":["body","email"],"msg":"Field required","input":{}}]}`, ""},
		{"faults without a list", route.Detail, &errdefs.Error{Kind: errdefs.Unprocessable, Detail: missing.Detail}, 422, `{"detail":"email: Field required."}`, ""},
		{"foreign", route.Detail, errors.New("dial tcp 10.0.0.1: canary"), 500,
			`{"detail":"The server met an error of its own. Try again; if it stays, tell the administrator the request id.","request_id":"rid-1"}`, ""},
		{"OpenAI", route.OpenAIError, errdefs.New(errdefs.RateLimited, "slow down"), 429,
			`{"error":{"message":"slow down","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"},"detail":"slow down"}`, ""},
		{"OpenAI, faults", route.OpenAIError, missing, 422,
			`{"error":{"message":"email: Field required.","type":"invalid_request_error","param":"email","code":"invalid_body"},"detail":[{"type":"missing","loc":["body","email"],"msg":"Field required","input":{}}]}`, ""},
		{"Ollama", route.OllamaError, errdefs.New(errdefs.Timeout, "too slow"), 504, `{"error":"too slow","detail":"too slow"}`, ""},
		{"OpenAI, upstream's own", route.OpenAIError, upstream("application/json", `{"error": {"message":"no"} }`), 429, `{"error": {"message":"no"} }`, "7"},
		{"Ollama, upstream's own", route.OllamaError, upstream("application/json", `{"error":"no \u00e9"}`), 429, `{"error":"no \u00e9","detail":"no \u00e9"}`, "7"},
		{"Ollama, an object of OpenAI's", route.OllamaError, upstream("application/json", `{"error":{"message":"no"}}`), 429, `{"error":{"message":"no"}}`, "7"},
		{"Ollama, no object", route.OllamaError, upstream("text/plain", `no`), 429, `no`, "7"},
	} {
		row := door(route.Public, func(http.ResponseWriter, *http.Request, *route.Call) error { return tc.err })
		row.Dialect = tc.dialect
		w := ask(testEdge(t, stub{}, row), "POST", "/api/x", "", "X-Request-Id", "rid-1")
		if w.Code != tc.status || w.Body.String() != tc.body || w.Header().Get("Retry-After") != tc.retry {
			t.Errorf("%s: %d %s %v", tc.name, w.Code, w.Body, w.Header())
		}
		if got := w.Header().Get("Content-Length"); got != fmt.Sprint(len(tc.body)) {
			t.Errorf("%s: Content-Length %s", tc.name, got)
		}
	}
}

// Every kind has a status and the words of OpenAI's clients for it.
func TestEveryKindIsRendered(t *testing.T) {
	t.Parallel()
	if len(openAI) != int(errdefs.Timeout)+1 {
		t.Fatalf("%d kinds", len(openAI))
	}
	for kind := range errdefs.Kind(len(openAI)) {
		for _, d := range []route.Dialect{route.Detail, route.OpenAIError, route.OllamaError} {
			body := appendError(nil, d, errdefs.New(kind, "x"), "")
			if !json.Valid(body) || openAI[kind].kind == "" {
				t.Errorf("kind %d in dialect %d: %s", kind, d, body)
			}
		}
	}
}

func TestStreamErrors(t *testing.T) {
	t.Parallel()
	err := errdefs.New(errdefs.Upstream, "The provider broke off.\nIts fault.")
	if got, want := string(SSEError(err)), `data: {"error":{"message":"The provider broke off.\nIts fault.","type":"upstream_error","param":null,"code":"upstream_error"},"detail":"The provider broke off.\nIts fault."}`+"\n\n"; got != want {
		t.Errorf("SSE: %q", got)
	}
	if got, want := string(NDJSONError(err)), `{"error":"The provider broke off.\nIts fault.","detail":"The provider broke off.\nIts fault."}`+"\n"; got != want {
		t.Errorf("NDJSON: %q", got)
	}
	foreign := errors.New("read tcp 10.0.0.1:443: canary")
	for _, b := range [][]byte{SSEError(foreign), NDJSONError(foreign)} {
		if strings.Contains(string(b), "canary") || strings.Contains(string(b), "10.0") {
			t.Errorf("foreign text in %s", b)
		}
	}
}

// A cause is logged once, with the request's id, and what callers do wrong is
// not logged at all.
func TestFailuresAreLogged(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		err   error
		level string
	}{
		{errors.New("the cause"), "ERROR"},
		{errdefs.New(errdefs.Upstream, "told").WithCause(errors.New("the cause")), "WARN"},
		{errdefs.New(errdefs.NotFound, "told").WithCause(errors.New("the cause")), ""},
	} {
		var log strings.Builder
		e := testEdge(t, stub{}, door(route.Public, func(http.ResponseWriter, *http.Request, *route.Call) error { return tc.err }))
		e.log = slog.New(slog.NewTextHandler(&log, nil))
		ask(e, "POST", "/api/x", "", "X-Request-Id", "rid-1")
		lines := strings.Count(log.String(), "\n")
		if tc.level == "" {
			if lines != 0 {
				t.Errorf("%v: %s", tc.err, &log)
			}
			continue
		}
		if lines != 1 || !strings.Contains(log.String(), "level="+tc.level) || !strings.Contains(log.String(), "the cause") || !strings.Contains(log.String(), "rid-1") {
			t.Errorf("%v: %s", tc.err, &log)
		}
	}
}

// What no route caught is told as the clients of the path read it: below
// /ollama/v1 they are OpenAI's.
func TestDialectFollowsThePath(t *testing.T) {
	t.Parallel()
	e := testEdge(t, stub{})
	for path, want := range map[string]string{
		"/ollama/v1/embeddings/%01": `{"error":{"message":`,
		"/v1/embeddings/%01":        `{"error":{"message":`,
		"/openai/x/%01":             `{"error":{"message":`,
		"/ollama/api/tags/%01":      `{"error":"`,
		"/api/models/%01":           `{"detail":"`,
	} {
		if w := ask(e, "GET", path, ""); w.Code != 400 || !strings.HasPrefix(w.Body.String(), want) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

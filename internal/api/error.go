package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"portico/internal/api/route"
	"portico/internal/errdefs"
	"portico/internal/rawjson"
)

// fail ends a request that went wrong: it logs what only the operator may
// know, and tells the caller the rest unless the answer has begun.
func (e *edge) fail(x *exchange, r *http.Request, err error) {
	p := errdefs.From(err)
	e.logFailure(x, r, p, err)
	if x.begun() {
		return
	}
	x.restore(r)
	if p.Kind == errdefs.Unauthenticated && len(r.Header["Authorization"]) == 0 {
		if _, err := r.Cookie("token"); err == nil { // it is worth nothing any more
			e.auth.ClearCookie(&x.response)
		}
	}
	writeError(&x.response, dialect(x.call.Route, r), p, x.call.RequestID)
}

// logFailure writes at most one line. What callers do wrong is for debugging
// only; a client that left is nobody's fault.
func (e *edge) logFailure(x *exchange, r *http.Request, p *errdefs.Error, err error) {
	level := slog.LevelDebug
	switch {
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
	case p.Kind == errdefs.Internal:
		level = slog.LevelError
	case p.HTTPStatus() >= 500:
		level = slog.LevelWarn
	}
	if !e.log.Enabled(r.Context(), level) {
		return
	}
	var user string
	if x.call.Who != nil {
		user = x.call.Who.UserID
	}
	e.log.Log(r.Context(), level, "request failed", "request_id", x.call.RequestID, "op", op(x.call.Route),
		"status", p.HTTPStatus(), "user", user, "err", err)
}

// dialect is that of the route, or what the path's clients read.
func dialect(row *route.Route, r *http.Request) route.Dialect {
	switch {
	case row != nil:
		return row.Dialect
	case strings.HasPrefix(r.URL.Path, "/openai"), strings.HasPrefix(r.URL.Path, "/v1"), strings.HasPrefix(r.URL.Path, "/ollama/v1"):
		return route.OpenAIError
	case strings.HasPrefix(r.URL.Path, "/ollama"):
		return route.OllamaError
	}
	return route.Detail
}

// writeError is where errors become bytes.
func writeError(w http.ResponseWriter, d route.Dialect, p *errdefs.Error, requestID string) {
	h := w.Header()
	status := p.HTTPStatus()
	h.Del("Content-Encoding")
	h["Content-Type"] = []string{"application/json"}
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((p.RetryAfter+time.Second-1)/time.Second), 10))
	}
	var body []byte
	if v := p.Verbatim; v != nil {
		body = verbatim(d, v.Body)
		if v.ContentType != "" {
			h["Content-Type"] = []string{v.ContentType}
		}
		if v.RetryAfter != "" {
			h.Set("Retry-After", v.RetryAfter)
		}
	} else {
		body = appendError(nil, d, p, requestID)
	}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that left cannot be told
}

// appendError renders p in a dialect.
func appendError(dst []byte, d route.Dialect, p *errdefs.Error, requestID string) []byte {
	dst = append(dst, '{')
	switch d {
	case route.OpenAIError:
		dst = append(dst, `"error":`...)
		dst = append(appendOpenAI(dst, p), ',')
	case route.OllamaError:
		dst = append(dst, `"error":`...)
		dst = append(rawjson.AppendString(dst, p.Detail), ',')
	}
	dst = append(dst, `"detail":`...)
	dst = appendDetail(dst, p)
	if p.Kind == errdefs.Internal && requestID != "" {
		dst = append(dst, `,"request_id":`...)
		dst = rawjson.AppendString(dst, requestID)
	}
	return append(dst, '}')
}

// appendDetail is FastAPI's: a sentence, or the list of faults.
func appendDetail(dst []byte, p *errdefs.Error) []byte {
	if len(p.Fields) > 0 {
		if list, err := route.Marshal(p.Fields); err == nil {
			return append(dst, list...)
		}
	}
	return rawjson.AppendString(dst, p.Detail)
}

// openAI gives the type and the code that OpenAI's clients know, by kind; an
// empty code is null.
var openAI = [...]struct{ kind, code string }{
	errdefs.Internal:        {"server_error", "internal_error"},
	errdefs.Invalid:         {"invalid_request_error", ""},
	errdefs.Unprocessable:   {"invalid_request_error", "invalid_body"},
	errdefs.Unauthenticated: {"authentication_error", "invalid_api_key"},
	errdefs.Forbidden:       {"permission_error", "forbidden"},
	errdefs.NotFound:        {"invalid_request_error", "not_found"},
	errdefs.Conflict:        {"invalid_request_error", "conflict"},
	errdefs.TooLarge:        {"invalid_request_error", "too_large"},
	errdefs.RateLimited:     {"rate_limit_error", "rate_limit_exceeded"},
	errdefs.Upstream:        {"upstream_error", "upstream_error"},
	errdefs.Unavailable:     {"server_error", "unavailable"},
	errdefs.Timeout:         {"timeout_error", "timeout"},
}

// appendOpenAI renders the object that OpenAI's clients read.
func appendOpenAI(dst []byte, p *errdefs.Error) []byte {
	dst = append(dst, `{"message":`...)
	dst = rawjson.AppendString(dst, p.Detail)
	dst = append(dst, `,"type":"`...)
	dst = append(dst, openAI[p.Kind].kind...)
	dst = append(dst, `","param":`...)
	dst = appendParam(dst, p)
	code := openAI[p.Kind].code
	if p.Code != "" {
		code = p.Code
	}
	if code != "" {
		dst = append(dst, `,"code":"`...)
		return append(append(dst, code...), `"}`...)
	}
	return append(dst, `,"code":null}`...)
}

// appendParam names the member that is wrong, when there is one.
func appendParam(dst []byte, p *errdefs.Error) []byte {
	if len(p.Fields) > 0 && len(p.Fields[0].Loc) > 1 {
		if name, ok := p.Fields[0].Loc[1].(string); ok {
			return rawjson.AppendString(dst, name)
		}
	}
	return append(dst, "null"...)
}

// verbatim is a provider's answer in the dialect of the route. OpenAI's goes
// through as it is. Ollama's gets a detail with the same text, which is where
// clients of the documented API look.
func verbatim(d route.Dialect, body []byte) []byte {
	if d != route.OllamaError {
		return body
	}
	doc := rawjson.Get()
	defer rawjson.Put(doc)
	if doc.Parse(body, rawjson.Limits{}) != nil || doc.Get("detail") != nil {
		return body
	}
	text := doc.Get("error")
	if _, ok := rawjson.Unquote(text); !ok {
		return body
	}
	return doc.Append(nil, nil, []rawjson.Set{{Key: "detail", Value: text}})
}

// SSEError renders a failure in the middle of an OpenAI stream: one event
// whose data is an error object, which their clients raise.
func SSEError(err error) []byte {
	dst := appendStreamError([]byte("data: "), route.OpenAIError, err)
	return append(dst, "\n\n"...)
}

// NDJSONError renders a failure in the middle of an Ollama stream: one line
// with an error.
func NDJSONError(err error) []byte {
	return append(appendStreamError(nil, route.OllamaError, err), '\n')
}

func appendStreamError(dst []byte, d route.Dialect, err error) []byte {
	p := errdefs.From(err)
	return appendError(dst, d, p, "")
}

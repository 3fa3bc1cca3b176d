package api

import (
	"encoding/json"
	"net/http"
	"strings"

	"portico/internal/api/route"
	"portico/internal/errdefs"
	"portico/internal/provider"
	"portico/internal/rawjson"
)

// openAIPassRoutes take what has no route of its own.
func (a *API) openAIPassRoutes() []route.Route {
	var rows []route.Route
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		row := route.Route{
			Method: method, Path: "/openai/{path...}", Op: "openai_other_" + strings.ToLower(method), Tag: "openai",
			Who: route.Verified, Dialect: route.OpenAIError, MaxBody: maxChatBody,
			Summary: "Another call of a provider's API, where the operator allows it",
			Doc: "403 unless ENABLE_OPENAI_API_PASSTHROUGH=true. A body is JSON; the model that it names is looked up, judged and renamed as " +
				"everywhere, and decides on the connection, which without a model is the first one. Only GET takes a query. Nothing of the " +
				"caller's headers is passed on, and no redirect is followed.",
			Answer: json.RawMessage(nil), Produces: "application/json, text/event-stream, application/octet-stream",
			Errors: []int{400, 403, 404, 415, 429, 500, 502, 503, 504}, Handler: a.openAIPass,
		}
		if method != "GET" && method != "DELETE" {
			row.Body = map[string]any{}
		}
		rows = append(rows, row)
	}
	return rows
}

var (
	errNoPassthrough = errdefs.New(errdefs.Forbidden, "Requests are not passed through to providers on this server. Use the documented routes, or ask the operator to set ENABLE_OPENAI_API_PASSTHROUGH=true.")
	errPassPath      = errdefs.New(errdefs.Invalid, "A path that is passed through consists of letters, digits and the signs - _ . : = @ only.")
	errPassQuery     = errdefs.New(errdefs.Invalid, "Only GET may have a query where it is passed through.")
	errPassJSON      = errdefs.New(errdefs.Invalid, "Only bodies of JSON are passed through. Send Content-Type: application/json.").WithStatus(http.StatusUnsupportedMediaType)
	errPassModels    = errdefs.New(errdefs.Forbidden, "Only an administrator may change what models a provider has.")
	errPassScope     = errdefs.New(errdefs.Forbidden, "This API key is for certain models only. Name one of them as model in the body.")
	errPassOllama    = errdefs.New(errdefs.Invalid, "This model is served by an Ollama connection. Use the routes below /ollama/v1.")
)

// openAIPass passes on a call that has no route of its own.
func (a *API) openAIPass(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	if !a.Config.OpenAIPassthrough {
		return errNoPassthrough
	}
	if err := a.openAIOn(); err != nil {
		return err
	}
	path, err := passedPath(r, c)
	if err != nil {
		return err
	}
	doc, err := passedBody(r, c)
	if err != nil {
		return err
	}
	req := provider.ForwardRequest{Method: c.Route.Method, Path: path, Caller: callerOf(c.Who)}
	e := errand{ask: forwarding(&req), once: true}
	if err := a.passedTo(r, c, &e, &req, doc); err != nil {
		return err
	}
	return a.pass(w, r, c, &e)
}

// passedTo settles where a call goes and with which body.
func (a *API) passedTo(r *http.Request, c *route.Call, e *errand, req *provider.ForwardRequest, doc *rawjson.Doc) error {
	if doc == nil || rawjson.IsNull(doc.Get("model")) {
		if len(c.Who.Models) > 0 {
			return errPassScope
		}
		b, err := a.openAIBackend(0)
		if err != nil {
			return err
		}
		e.backends = []*provider.Backend{b}
		if doc != nil {
			req.Body = provider.NamelessBody(doc)
		}
		return nil
	}
	id, ok := doc.String("model")
	if !ok {
		return route.Fault("string_type", []any{"body", "model"}, "Input should be a valid string", nil)
	}
	target, err := a.Models.Resolve(r.Context(), c.Who, id)
	if err != nil {
		return openAIRefuse(c.Who)(id, err)
	}
	if target.Kind != provider.OpenAI {
		return errPassOllama
	}
	e.backends, e.model = target.Backends, target.ID
	req.Body = provider.NamedBody(doc, target.Upstream)
	return nil
}

// passedPath is the path at the provider, below the connection's own address.
func passedPath(r *http.Request, c *route.Call) (string, error) {
	path := r.PathValue("path")
	for segment := range strings.SplitSeq(path, "/") {
		if !plainSegment(segment) {
			return "", errPassPath
		}
	}
	get := c.Route.Method == http.MethodGet
	if first, _, _ := strings.Cut(path, "/"); strings.EqualFold(first, "models") && !get && !c.Who.IsAdmin() {
		return "", errPassModels
	}
	path = "/" + path
	if r.URL.RawQuery == "" {
		return path, nil
	}
	if !get {
		return "", errPassQuery
	}
	return path + "?" + r.URL.Query().Encode(), nil
}

// plainSegment reports whether a part of a path can mean only itself.
func plainSegment(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.:=@", c) >= 0) {
			return false
		}
	}
	return s != "" && len(s) <= 256 && strings.Trim(s, ".") != ""
}

// passedBody reads a body that must be JSON; nil is none.
func passedBody(r *http.Request, c *route.Call) (*rawjson.Doc, error) {
	if r.ContentLength == 0 || r.Body == http.NoBody {
		return nil, nil
	}
	if r.Header.Get("Content-Type") != "" && !route.SaysJSON(r) {
		return nil, errPassJSON
	}
	raw, err := route.ReadBody(r, c)
	if err != nil || len(raw) == 0 {
		return nil, err
	}
	doc := new(rawjson.Doc)
	if err := doc.Parse(raw, rawjson.Limits{}); err != nil {
		return nil, route.SyntaxError(err)
	}
	return doc, nil
}

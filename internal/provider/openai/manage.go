package openai

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"portico/internal/errdefs"
	"portico/internal/hop"
	"portico/internal/provider"
	"portico/internal/rawjson"
)

// place is where a server takes a call, from the root of its address.
type place struct{ method, path string }

// managed are the servers whose models can be managed, and how they want it.
var managed = [...]struct {
	server string
	does   map[provider.Operation]place
}{
	{"llama.cpp", map[provider.Operation]place{
		provider.ModelCatalog:  {http.MethodGet, "/models"},
		provider.DownloadModel: {http.MethodPost, "/models"},
		provider.LoadModel:     {http.MethodPost, "/models/load"},
		provider.UnloadModel:   {http.MethodPost, "/models/unload"},
		provider.DeleteModel:   {http.MethodDelete, "/models"},
		provider.ModelEvents:   {http.MethodGet, "/models/sse"},
	}},
	{"lmstudio", map[provider.Operation]place{
		provider.ModelCatalog:   {http.MethodGet, "/api/v1/models"},
		provider.DownloadModel:  {http.MethodPost, "/api/v1/models/download"},
		provider.DownloadStatus: {http.MethodGet, "/api/v1/models/download/status/"},
		provider.LoadModel:      {http.MethodPost, "/api/v1/models/load"},
		provider.UnloadModel:    {http.MethodPost, "/api/v1/models/unload"},
	}},
}

// patient are the limits of work on models, which are many gigabytes, and of
// watching it, during which nothing may happen for long.
var patient = hop.Timeouts{FirstByte: time.Hour, Idle: time.Hour, Total: 24 * time.Hour}

// Manage does what the server behind the connection can do with its models.
// Which server that is, the connection's settings tell.
func (c *Client) Manage(ctx context.Context, req *provider.ManageRequest) (*provider.Reply, error) {
	at, err := c.place(req.Operation)
	if err != nil {
		return nil, err
	}
	call := hop.Request{Method: at.method, Path: c.root() + at.path, Rooted: true, Accept: "application/json",
		Header: c.headers.For(req.Caller), Timeouts: patient}
	switch req.Operation {
	case provider.ModelCatalog:
		call.Timeouts = hop.Timeouts{FirstByte: c.opt.ListTimeout, Idle: c.opt.ListTimeout}
	case provider.DownloadStatus:
		call.Path += url.PathEscape(req.Job)
		call.Timeouts = hop.Timeouts{FirstByte: c.opt.ListTimeout, Idle: c.opt.ListTimeout}
	case provider.DeleteModel:
		call.Path += "?model=" + url.QueryEscape(req.Model)
	case provider.ModelEvents:
		call.Accept = "text/event-stream"
	case provider.UnloadModel:
		call.Body = req.Body
		if c.conn.Config.Server == "lmstudio" {
			call.Body = instanceBody(req)
		}
	default:
		call.Body = req.Body
	}
	return c.forward(ctx, &call, false)
}

// place is where the server takes an operation.
func (c *Client) place(op provider.Operation) (place, error) {
	for i := range managed {
		if managed[i].server != c.conn.Config.Server {
			continue
		}
		at, ok := managed[i].does[op]
		if !ok {
			return place{}, errdefs.Newf(errdefs.Invalid, "The server of this connection, %s, cannot do that with its models.", managed[i].server)
		}
		return at, nil
	}
	return place{}, errdefs.New(errdefs.Invalid, "The models of this connection cannot be managed from here. For a llama.cpp or an LM Studio server, set the connection's provider to llama.cpp or lmstudio.")
}

// root is the path of the base URL without the version of the API at its end:
// models are managed beside that.
func (c *Client) root() string {
	base, err := url.Parse(c.conn.BaseURL)
	if err != nil {
		return "" // the upstream was made of it, so it can be read
	}
	path := strings.TrimRight(base.EscapedPath(), "/")
	for _, version := range [...]string{"/api/v1", "/api/v0", "/v1"} {
		if rest, ok := strings.CutSuffix(path, version); ok {
			return rest
		}
	}
	return path
}

// instanceBody names what is to be unloaded as LM Studio has it: an instance,
// whose name is the model's as long as there is one.
func instanceBody(req *provider.ManageRequest) []byte {
	name := req.Model
	if given, ok := rawjson.Unquote(rawjson.Lookup(req.Body, "instance_id")); ok && given != "" {
		name = given
	}
	return append(rawjson.AppendString([]byte(`{"instance_id":`), name), '}')
}

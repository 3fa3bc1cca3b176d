package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"portico/internal/api/route"
	"portico/internal/errdefs"
	"portico/internal/provider"
)

// openAIModel names a model; what else is in the body, the server gets, too.
type openAIModel struct {
	Model string `json:"model" require:"true"`
}

// openAIManageRoutes manage the models of a llama.cpp or an LM Studio server.
func (a *API) openAIManageRoutes() []route.Route {
	number := route.Param{Name: "url_idx", In: "path", Doc: "Number of the connection, from 0.", Required: true, Type: 0}
	manage := func(method, path, op, summary string, body any, h route.Handler) route.Route {
		return route.Route{Method: method, Path: "/openai/models/{url_idx}" + path, Op: op, Tag: "openai", Who: route.Admin, Dialect: route.OpenAIError,
			Summary: summary, Body: body, Answer: json.RawMessage(nil), Params: []route.Param{number},
			Doc:    "For connections whose `provider` is `llama.cpp` or `lmstudio`. What that server cannot do is 400; the answer is its own.",
			Errors: []int{400, 404, 500, 502, 503, 504}, Handler: h}
	}
	status := manage("GET", "/download/status/{job_id}", "openai_download_status", "How far a download is", nil, a.openAIDownloadStatus)
	status.Params = append(status.Params, route.Param{Name: "job_id", In: "path", Doc: "Of the download's answer.", Required: true})
	events := manage("GET", "/sse", "openai_model_events", "What becomes of the models, as it happens", nil, a.openAILook(provider.ModelEvents))
	events.Produces = "text/event-stream"
	remove := manage("DELETE", "", "openai_delete_model", "Delete a model", nil, a.openAIDelete)
	remove.Params = append(remove.Params, route.Param{Name: "model", In: "query", Doc: "The model.", Required: true})
	return []route.Route{
		manage("GET", "/catalog", "openai_catalog", "The models that the server keeps, loaded or not", nil, a.openAILook(provider.ModelCatalog)),
		manage("POST", "/download", "openai_download", "Fetch a model", openAIModel{}, a.openAIChange(provider.DownloadModel)),
		manage("POST", "/load", "openai_load", "Load a model into memory", openAIModel{}, a.openAIChange(provider.LoadModel)),
		manage("POST", "/unload", "openai_unload", "Take a model out of memory", openAIModel{}, a.openAIChange(provider.UnloadModel)),
		status, events, remove,
	}
}

// openAIManage does one operation. after is called when it ended well.
func (a *API) openAIManage(w http.ResponseWriter, r *http.Request, c *route.Call, b *provider.Backend, req *provider.ManageRequest, after func()) error {
	req.Caller = callerOf(c.Who)
	ask := func(ctx context.Context, b *provider.Backend) (*provider.Reply, error) {
		m, ok := b.Provider.(provider.Manager)
		if !ok {
			return nil, errNotSetUp
		}
		reply, err := m.Manage(ctx, req)
		if err == nil && req.Operation != provider.ModelEvents {
			saySuccess(reply)
		}
		return reply, err
	}
	return a.pass(w, r, c, &errand{backends: []*provider.Backend{b}, ask: ask, after: after})
}

// saySuccess gives words to a server that did its work and said so without JSON.
func saySuccess(reply *provider.Reply) {
	if reply.Stream != nil {
		_ = reply.Stream.Close()
	} else if len(reply.Body) > 0 {
		return
	}
	*reply = provider.Reply{Status: http.StatusOK, ContentType: "application/json", Body: []byte(`{"success":true}`)}
}

// openAIManaged is the connection that the path names, while the door is open.
func (a *API) openAIManaged(r *http.Request) (*provider.Backend, error) {
	if err := a.openAIOn(); err != nil {
		return nil, err
	}
	return a.openAIOf(r)
}

// openAILook makes the handler of a route that changes nothing.
func (a *API) openAILook(op provider.Operation) route.Handler {
	return func(w http.ResponseWriter, r *http.Request, c *route.Call) error {
		b, err := a.openAIManaged(r)
		if err != nil {
			return err
		}
		return a.openAIManage(w, r, c, b, &provider.ManageRequest{Operation: op}, nil)
	}
}

func (a *API) openAIDownloadStatus(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	b, err := a.openAIManaged(r)
	if err != nil {
		return err
	}
	job := r.PathValue("job_id")
	if !plainSegment(job) {
		return errdefs.New(errdefs.Invalid, "A download is named by letters, digits and the signs - _ . only.")
	}
	return a.openAIManage(w, r, c, b, &provider.ManageRequest{Operation: provider.DownloadStatus, Job: job}, nil)
}

// openAIChange makes the handler of a route that changes what a server has or
// has loaded.
func (a *API) openAIChange(op provider.Operation) route.Handler {
	return func(w http.ResponseWriter, r *http.Request, c *route.Call) error {
		b, err := a.openAIManaged(r)
		if err != nil {
			return err
		}
		doc, id, err := openAIBody(r, c)
		if err != nil {
			return err
		}
		name := unprefixed(b, id)
		return a.openAIManage(w, r, c, b, &provider.ManageRequest{Operation: op, Model: name, Body: provider.NamedBody(doc, name)}, a.openAIRefresh(b))
	}
}

func (a *API) openAIDelete(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	b, err := a.openAIManaged(r)
	if err != nil {
		return err
	}
	args := route.ArgsOf(r)
	name := unprefixed(b, args.Required("model"))
	if err := args.Err(); err != nil {
		return err
	}
	return a.openAIManage(w, r, c, b, &provider.ManageRequest{Operation: provider.DeleteModel, Model: name}, a.openAIRefresh(b))
}

// openAIRefresh gives what makes the registry look again at a connection whose
// models were changed. It outlives the request.
func (a *API) openAIRefresh(b *provider.Backend) func() {
	index := b.Index
	return func() { a.Models.Refresh(context.Background(), provider.OpenAI, index) }
}

// unprefixed is the name of a model at its connection.
func unprefixed(b *provider.Backend, id string) string {
	if b.Config.PrefixID == "" {
		return id
	}
	return strings.TrimPrefix(id, b.Config.PrefixID+".")
}

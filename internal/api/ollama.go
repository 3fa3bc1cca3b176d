package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"portico/internal/access"
	"portico/internal/api/route"
	"portico/internal/errdefs"
	"portico/internal/model"
	"portico/internal/provider"
	"portico/internal/rawjson"
	"portico/internal/setting"
)

var errOllamaOff = errdefs.New(errdefs.Unavailable, "The Ollama API is switched off on this server. An administrator can switch it on.")

// ollamaOn fails while the door is closed.
func (a *API) ollamaOn() error {
	if !setting.Get(a.Settings, setting.OllamaEnable) {
		return errOllamaOff
	}
	return nil
}

// ollamaBody is a checked body and the model that it names.
type ollamaBody struct {
	doc   rawjson.Doc
	model string
	key   string // the member that names it: "model", or "name"
}

// readOllama reads a body and the model that it names by the first of keys
// that it has. With the fault of naming none it gives the body all the same.
func readOllama(r *http.Request, c *route.Call, keys ...string) (*ollamaBody, error) {
	raw, err := route.ReadBody(r, c)
	if err != nil {
		return nil, err
	}
	b := new(ollamaBody)
	if err := b.doc.Parse(raw, rawjson.Limits{}); err != nil {
		return nil, route.SyntaxError(err)
	}
	// Ollama reads keys of any case, the last one wins: what we judge by must
	// be what it goes by.
	for i := range b.doc.Members {
		switch key := string(b.doc.Members[i].Key); {
		case key == "model", key == "name":
		case strings.EqualFold(key, "model"), strings.EqualFold(key, "name"):
			return nil, errdefs.Newf(errdefs.Invalid, "The body has a member %q. Write it in small letters.", key)
		}
	}
	for _, b.key = range keys {
		if b.model, _ = b.doc.String(b.key); b.model != "" {
			return b, nil
		}
	}
	return b, route.Fault("missing", []any{"body", keys[0]}, "Field required", nil)
}

// errNameless is the fault of a body without a model on the routes that answer
// 400 to it; on the others it is a 422.
var errNameless = errdefs.New(errdefs.Invalid, "Say which model: send its name as model.")

// nameless400 tells those routes, as the documented API has them.
func nameless400(path string) bool {
	switch path {
	case "/api/show", "/api/chat", "/api/delete", "/v1/chat/completions", "/v1/completions", "/v1/embeddings":
		return true
	}
	return false
}

// named gives the body with the model under the name that its upstream knows.
// Nothing else is changed, and nothing at all where the name is the same.
func (b *ollamaBody) named(upstream string, more ...rawjson.Set) []byte {
	if len(more) == 0 && !b.doc.Duplicate && (upstream == b.model || upstream == b.model+":latest") {
		return b.doc.Raw
	}
	set := more
	if upstream != b.model && upstream != b.model+":latest" {
		set = append(set, rawjson.Set{Key: b.key, Value: rawjson.AppendString(nil, upstream)})
	}
	return b.doc.Append(make([]byte, 0, len(b.doc.Raw)+len(upstream)+32), nil, set)
}

// ollamaUse makes the handler of a route that uses one model: the body is
// passed on to path, and the answer as it comes.
func (a *API) ollamaUse(path string) route.Handler {
	return func(w http.ResponseWriter, r *http.Request, c *route.Call) error {
		if err := a.ollamaOn(); err != nil {
			return err
		}
		b, err := readOllama(r, c, ollamaNames(path)...)
		if b != nil && err != nil && nameless400(path) {
			err = errNameless.WithCause(err)
		}
		if err != nil {
			return err
		}
		target, err := a.ollamaModel(r.Context(), c.Who, b.model)
		if err != nil {
			return err
		}
		backends, err := a.ollamaPick(r, c.Who, target)
		if err != nil {
			return err
		}
		req := provider.ForwardRequest{Method: "POST", Path: path, Body: b.named(target.Upstream), Caller: callerOf(c.Who)}
		if target.Row != nil {
			req.Params = target.Row.Params
		}
		return a.ollamaSend(w, r, c, backends, &req, target.ID, nil)
	}
}

// ollamaNames are the members that may name the model.
func ollamaNames(path string) []string {
	if path == "/api/show" {
		return []string{"model", "name"}
	}
	return []string{"model"}
}

// ollamaModel finds a model that an Ollama serves. Whoever is no administrator
// cannot tell a model that is not there from one that is not theirs.
func (a *API) ollamaModel(ctx context.Context, who *access.Principal, id string) (*model.Target, error) {
	target, err := a.Models.Resolve(ctx, who, id)
	switch {
	case err == nil && target.Kind == provider.Ollama:
		return target, nil
	case err != nil && !errdefs.Is(err, errdefs.NotFound):
		return nil, err
	case !who.IsAdmin():
		return nil, errdefs.New(errdefs.Forbidden, "Model not found")
	}
	return nil, ollamaUnknown(id)
}

func ollamaUnknown(id string) error {
	return errdefs.Newf(errdefs.Invalid, "Model '%s' was not found", id)
}

// ollamaPick gives the backends to try, best first: those that serve the
// model, or the one that the path names.
func (a *API) ollamaPick(r *http.Request, who *access.Principal, target *model.Target) ([]*provider.Backend, error) {
	if r.PathValue("url_idx") == "" {
		return provider.Choose(target.Backends, a.now()), nil
	}
	index, err := ollamaIndex(r)
	if err != nil {
		return nil, err
	}
	for _, b := range target.Backends {
		if b.Index == index {
			return []*provider.Backend{b}, nil
		}
	}
	if !who.IsAdmin() {
		return nil, errdefs.New(errdefs.Forbidden, "You may not use this connection for this model. Leave its number out of the path.")
	}
	b, err := a.ollamaBackend(index)
	return []*provider.Backend{b}, err
}

func ollamaIndex(r *http.Request) (int, error) {
	args := route.ArgsOf(r)
	index := args.PathInt("url_idx")
	return index, args.Err()
}

// ollamaBackend is the connection of a number, if it is switched on.
func (a *API) ollamaBackend(index int) (*provider.Backend, error) {
	all := a.Models.Backends(provider.Ollama)
	if index < 0 || index >= len(all) || !all[index].Enabled() {
		return nil, errdefs.Newf(errdefs.Invalid, "There is no Ollama connection %d, or it is switched off.", index)
	}
	return all[index], nil
}

func (a *API) now() time.Time {
	if a.Now != nil {
		return a.Now()
	}
	return time.Now()
}

var errNoOllama = errdefs.New(errdefs.Upstream, "No Ollama connection answers. An administrator has to check the connections.").WithStatus(http.StatusInternalServerError)

// ollamaAsk asks one backend after the other, as long as none can have begun
// to answer. done is to be called when the answer is over.
func ollamaAsk(ctx context.Context, backends []*provider.Backend, req *provider.ForwardRequest) (reply *provider.Reply, done func(error), err error) {
	return ollamaErrand(backends, req).run(ctx)
}

func ollamaErrand(backends []*provider.Backend, req *provider.ForwardRequest) *errand {
	return &errand{backends: backends, ask: forwarding(req), once: req.Upload != nil, none: errNoOllama}
}

// ollamaSend passes a call on and its answer back. after, which may be nil, is
// called once the answer ended well.
func (a *API) ollamaSend(w http.ResponseWriter, r *http.Request, c *route.Call, backends []*provider.Backend, req *provider.ForwardRequest, id string, after func()) error {
	e := ollamaErrand(backends, req)
	e.model, e.after = id, after
	return a.pass(w, r, c, e)
}

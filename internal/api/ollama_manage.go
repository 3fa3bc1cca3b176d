package api

import (
	"context"
	"net/http"
	"strings"

	"portico/internal/api/route"
	"portico/internal/errdefs"
	"portico/internal/provider"
	"portico/internal/rawjson"
)

// ollamaOne is the connection that management without a model of its own goes
// to: the one that the path names, else the first.
func (a *API) ollamaOne(r *http.Request) (*provider.Backend, error) {
	if r.PathValue("url_idx") == "" {
		return a.ollamaBackend(0)
	}
	index, err := ollamaIndex(r)
	if err != nil {
		return nil, err
	}
	return a.ollamaBackend(index)
}

// ollamaRefresh gives what makes the registry look again at a connection whose
// models were changed. It outlives the request.
func (a *API) ollamaRefresh(index int) func() {
	return func() { a.Models.Refresh(context.Background(), provider.Ollama, index) }
}

// ollamaMake makes the handler of a route that brings a model to a connection
// (pull, create).
func (a *API) ollamaMake(path string) route.Handler {
	return func(w http.ResponseWriter, r *http.Request, c *route.Call) error {
		if err := a.ollamaOn(); err != nil {
			return err
		}
		b, err := readOllama(r, c, "model", "name")
		if err != nil {
			return err
		}
		backend, err := a.ollamaOne(r)
		if err != nil {
			return err
		}
		name := b.model
		if p := backend.Config.PrefixID; p != "" {
			name = strings.TrimPrefix(name, p+".")
		}
		var more []rawjson.Set
		if path == "/api/pull" && b.doc.Get("insecure") == nil {
			more = []rawjson.Set{{Key: "insecure", Value: []byte("true")}}
		}
		req := provider.ForwardRequest{Method: "POST", Path: path, Body: b.named(name, more...), Caller: callerOf(c.Who)}
		return a.ollamaSend(w, r, c, []*provider.Backend{backend}, &req, "", a.ollamaRefresh(backend.Index))
	}
}

// ollamaHolder is the connection on which a model is managed: the one that the
// path names, else the first that has it. It gives the model's name there.
func (a *API) ollamaHolder(r *http.Request, c *route.Call, id string) (*provider.Backend, string, error) {
	target, err := a.ollamaModel(r.Context(), c.Who, id)
	if err != nil {
		return nil, "", err
	}
	if r.PathValue("url_idx") == "" {
		return target.Backends[0], target.Upstream, nil
	}
	b, err := a.ollamaOne(r)
	return b, target.Upstream, err
}

// ollamaPush passes on a push, whose answer is a stream.
func (a *API) ollamaPush(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	if err := a.ollamaOn(); err != nil {
		return err
	}
	b, err := readOllama(r, c, "model", "name")
	if err != nil {
		return err
	}
	backend, name, err := a.ollamaHolder(r, c, b.model)
	if err != nil {
		return err
	}
	req := provider.ForwardRequest{Method: "POST", Path: "/api/push", Body: b.named(name), Caller: callerOf(c.Who)}
	return a.ollamaSend(w, r, c, []*provider.Backend{backend}, &req, "", nil)
}

// ollamaChange makes the handler of a route that changes what a connection has
// (copy, delete) and answers true.
func (a *API) ollamaChange(method, path string, names ...string) route.Handler {
	return func(w http.ResponseWriter, r *http.Request, c *route.Call) error {
		if err := a.ollamaOn(); err != nil {
			return err
		}
		b, err := readOllama(r, c, names...)
		if b != nil && err != nil && nameless400(path) {
			err = errNameless.WithCause(err)
		}
		if err != nil {
			return err
		}
		backend, name, err := a.ollamaHolder(r, c, b.model)
		if err != nil {
			return err
		}
		if path == "/api/copy" && rawjson.IsNull(b.doc.Get("destination")) {
			return route.Fault("missing", []any{"body", "destination"}, "Field required", nil)
		}
		req := provider.ForwardRequest{Method: method, Path: path, Body: b.named(name), Caller: callerOf(c.Who)}
		_, done, err := ollamaAsk(r.Context(), []*provider.Backend{backend}, &req)
		if err != nil {
			return err
		}
		done(nil)
		a.Models.Refresh(r.Context(), provider.Ollama, backend.Index)
		return route.WriteBody(w, http.StatusOK, []byte("true"))
	}
}

// ollamaDigest is the digest in the path of a blob.
func ollamaDigest(r *http.Request) (string, error) {
	digest := r.PathValue("digest")
	hex, ok := strings.CutPrefix(digest, "sha256:")
	if !ok || len(hex) != 64 || strings.Trim(hex, "0123456789abcdef") != "" {
		return "", errdefs.New(errdefs.Invalid, "A blob is named by sha256: and 64 hexadecimal digits.")
	}
	return digest, nil
}

// ollamaBlob tells whether a connection has a blob, or takes one to it.
func (a *API) ollamaBlob(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	if err := a.ollamaOn(); err != nil {
		return err
	}
	digest, err := ollamaDigest(r)
	if err != nil {
		return err
	}
	backend, err := a.ollamaOne(r)
	if err != nil {
		return err
	}
	req := provider.ForwardRequest{Method: "HEAD", Path: "/api/blobs/" + digest, Caller: callerOf(c.Who)}
	if r.Method == http.MethodPost {
		req.Method, req.Upload, req.Length = "POST", r.Body, r.ContentLength
	}
	reply, done, err := ollamaAsk(r.Context(), []*provider.Backend{backend}, &req)
	if err != nil {
		return err
	}
	done(nil)
	w.WriteHeader(reply.Status)
	return nil
}

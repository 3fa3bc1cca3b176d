package api

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"portico/internal/api/route"
	"portico/internal/provider"
	"portico/internal/rawjson"
	wire "portico/internal/schema/ollama"
	"portico/internal/setting"
)

// ollamaLook is how long one connection may take to say what it has.
const ollamaLook = 10 * time.Second

func (a *API) ollamaTags(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	if err := a.ollamaOn(); err != nil {
		return err
	}
	list, err := a.Models.ListOllama(r.Context(), c.Who)
	if err != nil {
		return err
	}
	return route.WriteBody(w, http.StatusOK, list.Body)
}

func (a *API) ollamaV1Models(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	if err := a.ollamaOn(); err != nil {
		return err
	}
	list, err := a.Models.ListOllamaPlain(r.Context(), c.Who)
	if err != nil {
		return err
	}
	return route.WriteBody(w, http.StatusOK, list.Body)
}

// ollamaLookAt makes the handler of a route that shows what one connection
// says about itself.
func (a *API) ollamaLookAt(path string) route.Handler {
	return func(w http.ResponseWriter, r *http.Request, c *route.Call) error {
		if err := a.ollamaOn(); err != nil {
			return err
		}
		index, err := ollamaIndex(r)
		if err != nil {
			return err
		}
		b, err := a.ollamaBackend(index)
		if err != nil {
			return err
		}
		req := provider.ForwardRequest{Method: "GET", Path: path, Caller: callerOf(c.Who)}
		return a.ollamaSend(w, r, c, []*provider.Backend{b}, &req, "", nil)
	}
}

// said is what one connection answered.
type said struct {
	index  int
	prefix string
	body   []byte
	err    error
}

// ollamaAll asks every connection that is on, all at once.
func (a *API) ollamaAll(ctx context.Context, path string) []said {
	ctx, cancel := context.WithTimeout(ctx, ollamaLook)
	defer cancel()
	var backends []*provider.Backend
	for _, b := range a.Models.Backends(provider.Ollama) {
		if b.Enabled() {
			backends = append(backends, b)
		}
	}
	answers := make([]said, len(backends))
	var all sync.WaitGroup
	for i, b := range backends {
		all.Go(func() {
			answers[i] = said{index: b.Index, prefix: b.Config.PrefixID}
			reply, done, err := ollamaAsk(ctx, []*provider.Backend{b}, &provider.ForwardRequest{Method: "GET", Path: path})
			if err != nil {
				answers[i].err = err
				return
			}
			done(nil)
			answers[i].body = reply.Body
		})
	}
	all.Wait()
	return answers
}

// ollamaPS merges what the connections have in memory, by model.
func (a *API) ollamaPS(w http.ResponseWriter, r *http.Request, _ *route.Call) error {
	out := []byte(`{"models":[`)
	if setting.Get(a.Settings, setting.OllamaEnable) {
		out = appendLoaded(out, a.ollamaAll(r.Context(), "/api/ps"))
	}
	return route.WriteBody(w, http.StatusOK, append(out, ']', '}'))
}

// appendLoaded appends the entries of several answers of /api/ps, each model
// once, with the numbers of the connections that have it.
func appendLoaded(dst []byte, answers []said) []byte {
	type loaded struct {
		doc  *rawjson.Doc
		urls []byte
	}
	var order []string
	byID := map[string]*loaded{}
	for _, s := range answers {
		rawjson.Elements(rawjson.Lookup(s.body, "models"), func(raw []byte) {
			doc := new(rawjson.Doc)
			if doc.Parse(raw, rawjson.Limits{}) != nil {
				return
			}
			id, _ := doc.String("model")
			if s.prefix != "" {
				id = s.prefix + "." + id
			}
			if l := byID[id]; l != nil {
				l.urls = strconv.AppendInt(append(l.urls, ','), int64(s.index), 10)
				return
			}
			order = append(order, id)
			byID[id] = &loaded{doc, strconv.AppendInt([]byte{'['}, int64(s.index), 10)}
		})
	}
	for i, id := range order {
		if i > 0 {
			dst = append(dst, ',')
		}
		l := byID[id]
		dst = l.doc.Append(dst, nil, []rawjson.Set{
			{Key: "model", Value: rawjson.AppendString(nil, id)}, {Key: "urls", Value: append(l.urls, ']')},
		})
	}
	return dst
}

// ollamaVersion tells the lowest version, which is what a client can rely on.
func (a *API) ollamaVersion(w http.ResponseWriter, r *http.Request, _ *route.Call) error {
	if !setting.Get(a.Settings, setting.OllamaEnable) {
		return route.WriteBody(w, http.StatusOK, []byte(`{"version":false}`))
	}
	lowest := ""
	for _, s := range a.ollamaAll(r.Context(), "/api/version") {
		v, _ := rawjson.Unquote(rawjson.Lookup(s.body, "version"))
		if v != "" && (lowest == "" || compareVersions(v, lowest) < 0) {
			lowest = v
		}
	}
	if lowest == "" {
		return errNoOllama
	}
	out := rawjson.AppendString([]byte(`{"version":`), lowest)
	return route.WriteBody(w, http.StatusOK, append(out, '}'))
}

// compareVersions compares the numbers of two versions such as "v0.17.4-rc1".
func compareVersions(a, b string) int {
	for a != "" || b != "" {
		var x, y int
		x, a = leadingNumber(a)
		y, b = leadingNumber(b)
		if c := cmp.Compare(x, y); c != 0 {
			return c
		}
	}
	return 0
}

// leadingNumber takes the first part of a version, up to a dot. What follows a
// dash says nothing of the order that a client would care for.
func leadingNumber(v string) (int, string) {
	v, _, _ = strings.Cut(strings.TrimPrefix(v, "v"), "-")
	part, rest, _ := strings.Cut(v, ".")
	n, _ := strconv.Atoi(part)
	return n, rest
}

// ollamaUnload takes a model out of the memory of every connection that has it.
func (a *API) ollamaUnload(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	if err := a.ollamaOn(); err != nil {
		return err
	}
	b, err := readOllama(r, c, "model", "name")
	if b != nil && err != nil {
		err = errNameless.WithCause(err)
	}
	if err != nil {
		return err
	}
	target, err := a.ollamaModel(r.Context(), c.Who, b.model)
	if err != nil {
		return err
	}
	body := rawjson.AppendString([]byte(`{"keep_alive":0,"stream":false,"model":`), target.Upstream)
	req := provider.ForwardRequest{Method: "POST", Path: "/api/generate", Body: append(body, '}'), Caller: callerOf(c.Who)}
	for _, backend := range target.Backends {
		reply, done, failed := ollamaAsk(r.Context(), []*provider.Backend{backend}, &req)
		if failed != nil {
			err = failed // the others are still to be told
			continue
		}
		done(nil)
		if reply.Stream != nil {
			_ = reply.Stream.Close() // its words do not matter
		}
		a.Models.Refresh(r.Context(), provider.Ollama, backend.Index)
	}
	if err != nil {
		return err
	}
	return route.WriteBody(w, http.StatusOK, []byte(`{"status":true}`))
}

// ollamaRoot says that the door is there; it asks no connection.
func ollamaRoot(context.Context, *route.Call) (wire.Status, error) {
	return wire.Status{Status: true}, nil
}

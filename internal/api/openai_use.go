package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"portico/internal/access"
	"portico/internal/api/route"
	"portico/internal/errdefs"
	"portico/internal/model"
	"portico/internal/provider"
	"portico/internal/rawjson"
	wire "portico/internal/schema/openai"
)

// openAIUseRoutes use one model in another way than to chat or embed.
func (a *API) openAIUseRoutes() []route.Route {
	const passed = "The body goes to a connection that has the model as it is, but for the model's name and what the model's preset adds; the answer comes back as it is."
	responses := route.Route{
		Method: "POST", Path: "/openai/responses", Op: "openai_responses", Tag: "openai", Who: route.Verified, Dialect: route.OpenAIError, MaxBody: maxChatBody,
		Summary: "Answer, in the shape of OpenAI's responses", Doc: passed + " The provider must know this part of OpenAI's API; Ollama does from 0.13.3 on.",
		Body: wire.ResponseRequest{}, Answer: json.RawMessage(nil), Produces: "application/json, text/event-stream",
		Errors: []int{400, 403, 404, 429, 500, 502, 503, 504}, Handler: a.openAIResponses,
	}
	alias := responses
	alias.Path, alias.Also, alias.Op, alias.Tag = "/api/v1/responses", []string{"/v1/responses"}, "responses", "chat"
	alias.Errors, alias.Handler = []int{400, 404, 429, 500, 502, 503, 504}, a.responses
	return []route.Route{responses, alias, {
		Method: "POST", Path: "/openai/audio/speech", Op: "openai_speech", Tag: "openai", Who: route.Verified, Dialect: route.OpenAIError,
		Summary: "Speak a text", Body: wire.SpeechRequest{}, Produces: "audio/mpeg, application/octet-stream, text/event-stream",
		Doc: "The sound comes as the provider makes it, in the format that was asked for. A model that is in no list is looked for at " +
			"api.openai.com, which does not list those that speak. Callers need the permission chat.tts.",
		Errors: []int{400, 403, 404, 429, 500, 502, 503, 504}, Handler: a.openAISpeech,
	}}
}

// openAIBody reads a body and the model that it names.
func openAIBody(r *http.Request, c *route.Call) (*rawjson.Doc, string, error) {
	raw, err := route.ReadBody(r, c)
	if err != nil {
		return nil, "", err
	}
	doc := new(rawjson.Doc)
	if err := doc.Parse(raw, rawjson.Limits{}); err != nil {
		return nil, "", route.SyntaxError(err)
	}
	id, ok := doc.String("model")
	switch {
	case doc.Get("model") == nil:
		return nil, "", route.Fault("missing", []any{"body", "model"}, "Field required", nil)
	case !ok:
		return nil, "", route.Fault("string_type", []any{"body", "model"}, "Input should be a valid string", nil)
	}
	return doc, id, nil
}

func (a *API) openAIResponses(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	if err := a.openAIOn(); err != nil {
		return err
	}
	return a.respond(w, r, c, openAIRefuse(c.Who))
}

// responses is the same for those who look for it beside the chats.
func (a *API) responses(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	return a.respond(w, r, c, func(_ string, err error) error {
		if errdefs.Is(err, errdefs.NotFound) {
			return errdefs.New(errdefs.Invalid, "Model not found").WithCause(err)
		}
		return err
	})
}

func (a *API) respond(w http.ResponseWriter, r *http.Request, c *route.Call, refuse func(string, error) error) error {
	doc, id, err := openAIBody(r, c)
	if err != nil {
		return err
	}
	target, err := a.Models.Resolve(r.Context(), c.Who, id)
	if err != nil {
		return refuse(id, err)
	}
	err = provider.Alternatives(doc, func(id string) error {
		_, err := a.Models.Resolve(r.Context(), c.Who, target.Beside(id))
		if err != nil {
			err = refuse(id, err)
		}
		return err
	})
	if err != nil {
		return err
	}
	var params []byte
	if target.Row != nil {
		params = target.Row.Params
	}
	caller := callerOf(c.Who)
	req := provider.ForwardRequest{Method: "POST", Path: "/responses", Caller: caller,
		Body: provider.ResponsesBody(doc, target.Upstream, params, caller, a.now())}
	if target.Kind == provider.Ollama {
		req.Path = "/v1/responses"
	}
	return a.pass(w, r, c, &errand{backends: provider.Choose(target.Backends, a.now()), ask: forwarding(&req), model: target.ID})
}

func (a *API) openAISpeech(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	if err := a.openAIOn(); err != nil {
		return err
	}
	if err := a.maySpeak(r.Context(), c.Who); err != nil {
		return err
	}
	doc, id, err := openAIBody(r, c)
	if err != nil {
		return err
	}
	target, err := a.speaker(r.Context(), c.Who, id)
	if err != nil {
		return err
	}
	req := provider.ForwardRequest{Method: "POST", Path: "/audio/speech", Body: provider.NamedBody(doc, target.Upstream), Caller: callerOf(c.Who)}
	return a.pass(w, r, c, &errand{backends: target.Backends, ask: forwarding(&req), model: target.ID})
}

func (a *API) maySpeak(ctx context.Context, who *access.Principal) error {
	if who.IsAdmin() {
		return nil
	}
	may, err := a.Auth.Permissions(ctx, who.UserID)
	if err == nil && !may.Has("chat.tts") {
		err = errdefs.New(errdefs.Forbidden, "You may not have texts spoken. An administrator can grant the permission chat.tts.")
	}
	return err
}

// speaker is where a model speaks: the connection that lists it, else
// api.openai.com, which keeps such models out of its list.
func (a *API) speaker(ctx context.Context, who *access.Principal, id string) (*model.Target, error) {
	target, err := a.Models.Resolve(ctx, who, id)
	switch {
	case err == nil && target.Kind == provider.OpenAI:
		return target, nil
	case err == nil:
		return nil, errdefs.New(errdefs.Invalid, "This model is served by an Ollama connection, which cannot speak. Choose a model of an OpenAI-compatible connection.")
	case errdefs.Is(err, errdefs.NotFound) && !a.Models.Knows(id) && (len(who.Models) == 0 || slices.Contains(who.Models, id)):
		if t := unlisted(a.Models.Backends(provider.OpenAI), id); t != nil {
			return t, nil
		}
	}
	return nil, openAIRefuse(who)(id, err)
}

// unlisted looks for the official connection that would have a model of which
// nobody tells, by its name one that speaks. A connection that is kept to some
// models has no others.
func unlisted(backends []*provider.Backend, id string) *model.Target {
	for _, b := range backends {
		name := unprefixed(b, id)
		base, err := url.Parse(b.BaseURL)
		if err != nil || base.Host != "api.openai.com" || !b.Enabled() || len(b.Config.ModelIDs) > 0 || !strings.Contains(name, "tts") {
			continue
		}
		return &model.Target{ID: id, Upstream: name, Kind: provider.OpenAI, Backends: []*provider.Backend{b}}
	}
	return nil
}

package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"portico/internal/access"
	"portico/internal/api/route"
	"portico/internal/chat"
	"portico/internal/errdefs"
	"portico/internal/model"
	"portico/internal/provider"
	"portico/internal/rawjson"
	"portico/internal/setting"
)

// openAIRoutes are the door to OpenAI-compatible connections as they are:
// their lists, their configuration, and chats without retrieval or tools.
func (a *API) openAIRoutes() []route.Route {
	const base = "/openai"
	rows := []route.Route{
		{
			Method: "GET", Path: base + "/config", Op: "openai_config", Tag: "openai", Who: route.Admin, Dialect: route.OpenAIError,
			Summary: "The OpenAI-compatible connections", Answer: openAIConfig{}, Handler: route.NoBody(a.openAIConfig),
			Doc: "Keys are masked: of a long one the last four characters are shown.",
		},
		{
			Method: "POST", Path: base + "/config/update", Op: "set_openai_config", Tag: "openai", Who: route.Admin, Dialect: route.OpenAIError,
			Summary: "Change the OpenAI-compatible connections", Body: openAIConfig{}, Answer: openAIConfig{}, Errors: []int{400, 409},
			Doc: "A masked key that is sent back means the stored one, of the same server only. There are as many keys as addresses: missing " +
				"ones count as empty, and what is too much is dropped. What the operator pinned can only be given as it is.",
			Handler: route.JSON(a.openAIConfigUpdate),
		},
		{
			Method: "POST", Path: base + "/verify", Op: "verify_openai", Tag: "openai", Who: route.Admin, Dialect: route.OpenAIError,
			Summary: "Try a connection: list its models", Body: openAITry{}, Answer: plainModels{}, Errors: []int{400, 500, 502, 504}, Handler: a.openAIVerify,
		},
		{
			Method: "GET", Path: base + "/models", Op: "openai_models", Tag: "openai", Who: route.Verified, Dialect: route.OpenAIError,
			Summary: "List the models of OpenAI-compatible connections that the caller may use", Answer: modelList{}, Answers: map[int]any{http.StatusNotModified: nil},
			Errors: []int{503}, Handler: a.listing(func(r *http.Request, who *access.Principal) (*model.Listing, error) {
				if err := a.openAIOn(); err != nil {
					return nil, err
				}
				return a.Models.ListOpenAI(r.Context(), who)
			}),
		},
		{
			Method: "GET", Path: base + "/models/{url_idx}", Op: "openai_models_of", Tag: "openai", Who: route.Admin, Dialect: route.OpenAIError,
			Summary: "List the models of one connection as it tells them", Answer: plainModels{}, Errors: []int{404, 500, 502, 503, 504}, Handler: a.openAIModelsOf,
			Params: []route.Param{{Name: "url_idx", In: "path", Doc: "Number of the connection, from 0.", Required: true, Type: 0}},
		},
		{
			Method: "POST", Path: base + "/chat/completions", Op: "openai_chat", Tag: "openai", Who: route.Verified, Dialect: route.OpenAIError, MaxBody: maxChatBody,
			Summary: "Answer a conversation", Body: openAIChat{}, Answer: json.RawMessage(nil), Produces: "application/json, text/event-stream",
			Errors: []int{400, 403, 404, 429, 500, 502, 503, 504}, Handler: a.openAIChat,
		},
		{
			Method: "POST", Path: base + "/embeddings", Op: "openai_embeddings", Tag: "openai", Who: route.Verified, Dialect: route.OpenAIError, MaxBody: maxChatBody,
			Summary: "Turn texts into vectors", Body: openAIChat{}, Answer: json.RawMessage(nil),
			Errors: []int{400, 403, 404, 429, 500, 502, 503, 504}, Handler: a.openAIEmbed,
		},
	}
	for _, more := range [][]route.Route{a.openAIUseRoutes(), a.openAIManageRoutes(), a.openAIPassRoutes()} {
		rows = append(rows, more...)
	}
	return rows
}

// openAIChat describes the one member that is looked at; all others pass.
type openAIChat struct {
	Model string `json:"model" require:"true"`
}

func (a *API) openAIOn() error {
	if !setting.Get(a.Settings, setting.OpenAIEnable) {
		return errdefs.New(errdefs.Unavailable, "OpenAI-compatible connections are switched off on this server. An administrator can switch them on.")
	}
	return nil
}

func (a *API) openAIChat(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	if err := a.openAIOn(); err != nil {
		return err
	}
	if err := chatMedia(r, c); err != nil {
		return err
	}
	return a.Chat.Complete(w, r, chat.Call{Who: c.Who, RequestID: c.RequestID, StreamError: SSEError, Refuse: openAIRefuse(c.Who)})
}

func (a *API) openAIEmbed(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	if err := a.openAIOn(); err != nil {
		return err
	}
	if err := chatMedia(r, c); err != nil {
		return err
	}
	return a.Chat.Embed(w, r, chat.Call{Who: c.Who, RequestID: c.RequestID, Refuse: openAIRefuse(c.Who)})
}

// openAIRefuse tells administrators that a model is unknown. Others cannot
// tell that from one that is not theirs.
func openAIRefuse(who *access.Principal) func(id string, err error) error {
	return func(id string, err error) error {
		switch {
		case !errdefs.Is(err, errdefs.NotFound):
			return err
		case who.IsAdmin():
			return errdefs.Newf(errdefs.NotFound, "Model '%s' was not found", id).WithCause(err)
		}
		return errdefs.New(errdefs.Forbidden, "Model not found").WithCause(err)
	}
}

func (a *API) openAIModelsOf(w http.ResponseWriter, r *http.Request, _ *route.Call) error {
	if err := a.openAIOn(); err != nil {
		return err
	}
	b, err := a.openAIOf(r)
	if err != nil {
		return err
	}
	return writeUpstreamModels(w, r, b)
}

// openAIOf is the connection that the path names.
func (a *API) openAIOf(r *http.Request) (*provider.Backend, error) {
	args := route.ArgsOf(r)
	index := args.PathInt("url_idx")
	if err := args.Err(); err != nil {
		return nil, err
	}
	return a.openAIBackend(index)
}

// openAIBackend is the connection of a number, if it is switched on.
func (a *API) openAIBackend(index int) (*provider.Backend, error) {
	all := a.Models.Backends(provider.OpenAI)
	if index < 0 || index >= len(all) || !all[index].Enabled() {
		return nil, errdefs.Newf(errdefs.NotFound, "There is no OpenAI-compatible connection %d, or it is switched off.", index)
	}
	return all[index], nil
}

// openAIWait is how long an upstream may take to list its models.
const openAIWait = 10 * time.Second

func writeUpstreamModels(w http.ResponseWriter, r *http.Request, b *provider.Backend) error {
	ctx, cancel := context.WithTimeout(r.Context(), openAIWait)
	defer cancel()
	entries, err := b.Models(ctx)
	if err != nil {
		return err
	}
	body := []byte(`{"object":"list","data":[`)
	for i, e := range entries {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, e.Raw...)
	}
	return route.WriteBody(w, http.StatusOK, append(body, "]}"...))
}

// openAIConfig is the configuration form.
type openAIConfig struct {
	Enable  *bool                                 `json:"ENABLE_OPENAI_API"`
	URLs    []string                              `json:"OPENAI_API_BASE_URLS" require:"true"`
	Keys    []string                              `json:"OPENAI_API_KEYS"`
	Configs map[string]map[string]json.RawMessage `json:"OPENAI_API_CONFIGS"`
}

// openAIStored is what is in force, in clear, with as many keys as addresses.
func (a *API) openAIStored() openAIConfig {
	on := setting.Get(a.Settings, setting.OpenAIEnable)
	c := openAIConfig{Enable: &on, URLs: setting.Get(a.Settings, setting.OpenAIBaseURLs), Configs: map[string]map[string]json.RawMessage{}}
	c.Keys = fit(setting.Get(a.Settings, setting.OpenAIKeys), len(c.URLs))
	// What is stored was checked to be an object; entries that are none count as empty.
	_ = json.Unmarshal(setting.Get(a.Settings, setting.OpenAIConfigs), &c.Configs)
	for index := range c.Configs {
		if !indexes(index, len(c.URLs)) {
			delete(c.Configs, index)
		}
	}
	return c
}

// fit pads or cuts a list of keys to n.
func fit(keys []string, n int) []string {
	out := make([]string, n)
	copy(out, keys)
	return out
}

func indexes(index string, n int) bool {
	i, err := strconv.Atoi(index)
	return err == nil && i >= 0 && i < n
}

func (a *API) openAIConfig(context.Context, *route.Call) (openAIConfig, error) {
	c := a.openAIStored()
	for i, key := range c.Keys {
		if key != "" {
			c.Keys[i] = masked(key)
		}
	}
	for _, config := range c.Configs {
		eachSecret(config, func(s string) (string, bool) { return masked(s), true })
	}
	return c, nil
}

func (a *API) openAIConfigUpdate(ctx context.Context, c *route.Call, in openAIConfig) (openAIConfig, error) {
	now := a.openAIStored()
	for i, u := range in.URLs {
		in.URLs[i] = strings.TrimRight(strings.TrimSpace(u), "/")
	}
	if in.Keys == nil {
		in.Keys = now.Keys
	}
	in.Keys = fit(in.Keys, len(in.URLs))
	for i, key := range in.Keys {
		plain, ok := now.key(key, in.URLs[i])
		if !ok {
			return openAIConfig{}, errdefs.Newf(errdefs.Invalid, "The key of connection %d is masked, and no stored key of this server looks like it. Send the key itself.", i)
		}
		in.Keys[i] = plain
	}
	configs := map[string]map[string]json.RawMessage{}
	for index, config := range in.Configs {
		if !indexes(index, len(in.URLs)) {
			continue // of a connection that is gone
		}
		if config == nil {
			config = map[string]json.RawMessage{}
		}
		i, _ := strconv.Atoi(index) // indexes has said so
		if !eachSecret(config, func(s string) (string, bool) { return now.header(s, in.URLs[i]) }) {
			return openAIConfig{}, errdefs.Newf(errdefs.Invalid, "A header of connection %s is masked, and no stored one of this server looks like it. Send the value itself.", index)
		}
		configs[index] = config
	}
	// Only what differs is stored, so that a form sent back unchanged is
	// accepted whatever is pinned.
	values := map[string]any{}
	if !reflect.DeepEqual(in.URLs, now.URLs) {
		values[setting.OpenAIBaseURLs.Name] = in.URLs
	}
	if !reflect.DeepEqual(in.Keys, now.Keys) {
		values[setting.OpenAIKeys.Name] = in.Keys
	}
	if in.Configs != nil && !sameJSON(configs, now.Configs) {
		values[setting.OpenAIConfigs.Name] = configs
	}
	if in.Enable != nil && *in.Enable != *now.Enable {
		values[setting.OpenAIEnable.Name] = *in.Enable
	}
	if err := a.Settings.Set(ctx, values); err != nil {
		return openAIConfig{}, err
	}
	return a.openAIConfig(ctx, c)
}

func sameJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	var p, q any
	return errX == nil && errY == nil && json.Unmarshal(x, &p) == nil && json.Unmarshal(y, &q) == nil && reflect.DeepEqual(p, q)
}

// key gives the key that a masked one stands for. It must be of the same
// server: a key is never sent to another one than it was given for.
func (c *openAIConfig) key(key, address string) (string, bool) {
	if !strings.HasPrefix(key, mask) {
		return key, true
	}
	for i, have := range c.Keys {
		if have != "" && masked(have) == key && sameServer(c.URLs[i], address) {
			return have, true
		}
	}
	return "", false
}

// header is key for the values of headers.
func (c *openAIConfig) header(value, address string) (plain string, ok bool) {
	if !strings.HasPrefix(value, mask) {
		return value, true
	}
	for i, u := range c.URLs {
		if !sameServer(u, address) {
			continue
		}
		var copied map[string]json.RawMessage
		raw, err := json.Marshal(c.Configs[strconv.Itoa(i)])
		if err != nil || json.Unmarshal(raw, &copied) != nil {
			continue
		}
		eachSecret(copied, func(s string) (string, bool) {
			if !ok && masked(s) == value {
				plain, ok = s, true
			}
			return s, true
		})
	}
	return plain, ok
}

func sameServer(a, b string) bool {
	x, errX := url.Parse(a)
	y, errY := url.Parse(b)
	return errX == nil && errY == nil && x.Host != "" && x.Scheme == y.Scheme && strings.EqualFold(x.Host, y.Host)
}

// openAITry is a connection that is not yet among the settings.
type openAITry struct {
	URL    string                     `json:"url" require:"true"`
	Key    string                     `json:"key"`
	Config map[string]json.RawMessage `json:"config"`
}

func (a *API) openAIVerify(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	var in openAITry
	if err := route.Decode(w, r, c, &in); err != nil {
		return err
	}
	conn := &provider.Connection{Kind: provider.OpenAI, BaseURL: strings.TrimRight(strings.TrimSpace(in.URL), "/")}
	now := a.openAIStored()
	key, fine := now.key(in.Key, conn.BaseURL)
	fine = eachSecret(in.Config, func(s string) (string, bool) { return now.header(s, conn.BaseURL) }) && fine
	if !fine {
		return errdefs.New(errdefs.Invalid, "The key is masked, and no stored key of this server looks like it. Send the key itself.")
	}
	conn.Key = key
	raw, err := json.Marshal(in.Config)
	if err == nil && !rawjson.IsNull(raw) {
		err = json.Unmarshal(raw, &conn.Config)
	}
	if err != nil {
		return route.Fault("model_attributes_type", []any{"body", "config"}, "Input should be a connection's configuration", nil)
	}
	b, err := a.Doors.Connect(conn)
	if err != nil {
		return errdefs.New(errdefs.Invalid, "This address cannot be used. Give one such as https://api.example.com/v1.").WithCause(err)
	}
	if closer, ok := b.Provider.(interface{ Close() }); ok {
		defer closer.Close()
	}
	return writeUpstreamModels(w, r, b)
}

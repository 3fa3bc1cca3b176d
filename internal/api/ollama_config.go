package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"portico/internal/api/route"
	"portico/internal/errdefs"
	"portico/internal/provider"
	wire "portico/internal/schema/ollama"
	"portico/internal/setting"
)

type ollamaConfigs = map[string]map[string]json.RawMessage

func (a *API) ollamaConfig(context.Context, *route.Call) (wire.Config, error) {
	on := setting.Get(a.Settings, setting.OllamaEnable)
	urls := setting.Get(a.Settings, setting.OllamaBaseURLs)
	if urls == nil {
		urls = []string{}
	}
	configs := a.ollamaConfigs()
	for _, config := range configs {
		eachSecret(config, func(s string) (string, bool) { return masked(s), true })
	}
	return wire.Config{Enable: &on, BaseURLs: urls, Configs: configs}, nil
}

// ollamaConfigs is a copy of the stored configuration, keys in clear.
func (a *API) ollamaConfigs() ollamaConfigs {
	configs := ollamaConfigs{}
	// What is stored was checked to be an object; entries that are none count as empty.
	_ = json.Unmarshal(setting.Get(a.Settings, setting.OllamaConfigs), &configs)
	return configs
}

// eachSecret hands the key and the values of the headers of a connection to
// fn, and puts what it gives in their place.
func eachSecret(config map[string]json.RawMessage, fn func(string) (string, bool)) bool {
	fine := true
	change := func(s string) string {
		if s == "" || strings.HasPrefix(s, "{{") && strings.HasSuffix(s, "}}") {
			return s // a variable, such as {{USER_ID}}, is no secret
		}
		out, ok := fn(s)
		fine = fine && ok
		return out
	}
	var key string
	if raw, ok := config["key"]; ok && json.Unmarshal(raw, &key) == nil {
		config["key"] = quoted(change(key))
	}
	headers := map[string]string{}
	if raw, ok := config["headers"]; ok && json.Unmarshal(raw, &headers) == nil {
		for name, value := range headers {
			headers[name] = change(value)
		}
		config["headers"], _ = json.Marshal(headers) // texts cannot fail
	}
	return fine
}

func quoted(s string) json.RawMessage {
	raw, _ := json.Marshal(s) // a text cannot fail
	return raw
}

// mask stands for the part of a secret that is not shown.
const mask = "********"

// masked shows enough of a secret to recognise it by.
func masked(secret string) string {
	if len(secret) < 12 {
		return mask
	}
	return mask + secret[len(secret)-4:]
}

func (a *API) ollamaConfigUpdate(ctx context.Context, c *route.Call, in wire.Config) (wire.Config, error) {
	for i, url := range in.BaseURLs {
		in.BaseURLs[i] = strings.TrimRight(strings.TrimSpace(url), "/")
	}
	configs := ollamaConfigs{}
	for index, config := range in.Configs {
		n, err := strconv.Atoi(index)
		if err != nil || n < 0 || n >= len(in.BaseURLs) {
			continue // of a connection that is gone
		}
		if config == nil {
			config = map[string]json.RawMessage{}
		}
		if !eachSecret(config, a.ollamaSecrets(in.BaseURLs[n])) {
			return wire.Config{}, errdefs.Newf(errdefs.Invalid, "The key of connection %s is masked, and no stored key of this server looks like it. Send the key itself.", index)
		}
		configs[index] = config
	}
	values := map[string]any{setting.OllamaBaseURLs.Name: in.BaseURLs, setting.OllamaConfigs.Name: configs}
	if in.Enable != nil {
		values[setting.OllamaEnable.Name] = *in.Enable
	}
	if err := a.Settings.Set(ctx, values); err != nil {
		return wire.Config{}, err
	}
	return a.ollamaConfig(ctx, c)
}

// ollamaSecrets gives what finds the stored secret that a masked one stands
// for. It must be of the same server: a key is never sent to another one than
// it was given for.
func (a *API) ollamaSecrets(address string) func(string) (string, bool) {
	return func(secret string) (plain string, ok bool) {
		if !strings.HasPrefix(secret, mask) {
			return secret, true
		}
		configs := a.ollamaConfigs()
		for i, u := range setting.Get(a.Settings, setting.OllamaBaseURLs) {
			if !sameServer(u, address) {
				continue
			}
			eachSecret(configs[strconv.Itoa(i)], func(s string) (string, bool) {
				if !ok && masked(s) == secret {
					plain, ok = s, true
				}
				return s, true
			})
		}
		return plain, ok
	}
}

// ollamaVerify tries a connection that is not yet among the settings.
func (a *API) ollamaVerify(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	var in wire.Verify
	if err := route.Decode(w, r, c, &in); err != nil {
		return err
	}
	conn, err := a.ollamaTried(&in)
	if err != nil {
		return err
	}
	backend, err := a.Doors.Connect(conn)
	if err != nil {
		return errdefs.New(errdefs.Invalid, "This address cannot be used. Give one such as http://127.0.0.1:11434.").WithCause(err)
	}
	ctx, cancel := context.WithTimeout(r.Context(), ollamaLook)
	defer cancel()
	if closer, ok := backend.Provider.(interface{ Close() }); ok {
		defer closer.Close()
	}
	reply, done, err := ollamaAsk(ctx, []*provider.Backend{backend}, &provider.ForwardRequest{Method: "GET", Path: "/api/version", Caller: callerOf(c.Who)})
	if err != nil {
		return err
	}
	done(nil)
	if !json.Valid(reply.Body) {
		return errdefs.New(errdefs.Upstream, "What answers at this address is no Ollama.").WithStatus(http.StatusInternalServerError)
	}
	return writeReply(w, reply)
}

// ollamaTried is the connection that a request describes.
func (a *API) ollamaTried(in *wire.Verify) (*provider.Connection, error) {
	conn := &provider.Connection{Kind: provider.Ollama, BaseURL: strings.TrimRight(strings.TrimSpace(in.URL), "/")}
	if in.Config == nil {
		in.Config = map[string]json.RawMessage{}
	}
	if in.Key != "" {
		in.Config["key"] = quoted(in.Key)
	}
	if !eachSecret(in.Config, a.ollamaSecrets(conn.BaseURL)) {
		return nil, errdefs.New(errdefs.Invalid, "The key is masked, and no stored key of this server looks like it. Send the key itself.")
	}
	raw, err := json.Marshal(in.Config)
	if err == nil {
		err = json.Unmarshal(raw, &conn.Config)
	}
	if err != nil {
		return nil, route.Fault("model_attributes_type", []any{"body", "config"}, "Input should be a connection's configuration", nil)
	}
	conn.Key = conn.Config.Key
	return conn, nil
}

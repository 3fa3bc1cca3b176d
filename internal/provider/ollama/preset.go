package ollama

import (
	"portico/internal/provider"
	"portico/internal/rawjson"
)

// preset lays the parameters of a workspace model under a body that is in a
// shape of Ollama's own, or in OpenAI's below /v1. What the body says wins.
func (c *Client) preset(req *provider.ForwardRequest) []byte {
	d := rawjson.Get()
	defer rawjson.Put(d)
	if empty(req.Params) || d.Parse(req.Body, rawjson.Limits{}) != nil {
		return req.Body
	}
	var set []rawjson.Set
	switch req.Path {
	case "/api/chat", "/api/generate":
		set = underOptions(d, req.Params)
	case "/v1/chat/completions", "/v1/completions":
		set = underTop(d, req.Params)
	case "/v1/responses":
		model, _ := d.String("model")
		return provider.ResponsesBody(d, model, req.Params, req.Caller, c.opt.Now())
	default:
		return req.Body
	}
	if prompt, _ := rawjson.Unquote(rawjson.Lookup(req.Params, "system")); prompt != "" {
		prompt = provider.FillPrompt(prompt, req.Caller, c.opt.Now())
		switch {
		case rawjson.IsArray(d.Get("messages")):
			set = append(set, rawjson.Set{Key: "messages", Value: provider.AppendSystem(nil, d.Get("messages"), prompt)})
		case req.Path == "/api/generate" && d.Get("system") == nil:
			set = append(set, rawjson.Set{Key: "system", Value: rawjson.AppendString(nil, prompt)})
		}
	}
	return d.Append(make([]byte, 0, len(d.Raw)+512), provider.Lookalike, set)
}

// empty reports whether there is nothing in an object, or no object.
func empty(raw []byte) bool {
	n := 0
	rawjson.Each(raw, func(_, _ []byte) { n++ })
	return n == 0
}

// underOptions puts params where Ollama has its own.
func underOptions(d *rawjson.Doc, params []byte) []rawjson.Set {
	s := settings{format: some(d.Get("format")), keepAlive: some(d.Get("keep_alive")), think: some(d.Get("think"))}
	rawjson.Each(d.Get("options"), s.param)
	rawjson.Each(params, s.param)
	var set []rawjson.Set
	if len(s.options) > 0 {
		set = append(set, rawjson.Set{Key: "options", Value: s.options.append(nil)})
	}
	for _, m := range [...]rawjson.Set{{Key: "format", Value: s.format}, {Key: "keep_alive", Value: s.keepAlive}, {Key: "think", Value: s.think}} {
		if m.Value != nil {
			set = append(set, m)
		}
	}
	return set
}

// underTop puts params at the top level, where OpenAI has them.
func underTop(d *rawjson.Doc, params []byte) []rawjson.Set {
	var set []rawjson.Set
	rawjson.Each(params, func(key, value []byte) {
		if !provider.ServerParam(key) && !provider.Lookalike(key) && rawjson.IsNull(d.Get(string(key))) {
			set = append(set, rawjson.Set{Key: string(key), Value: value})
		}
	})
	return set
}

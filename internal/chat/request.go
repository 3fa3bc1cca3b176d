package chat

import (
	"portico/internal/access"
	"portico/internal/provider"
	"portico/internal/rawjson"
)

// request settles what the upstream is asked for. Members of the body that are
// the server's own stay in the body: providers leave them out.
func (t *turn) request() error {
	t.req.Doc = &t.doc
	t.req.Model = t.target.Upstream
	t.req.Stream, _ = t.doc.Bool("stream")
	t.req.Caller = callerOf(t.Who)
	t.req.Params = t.doc.Get("params")
	if t.target.Row == nil {
		return nil
	}
	if err := t.preset(t.target.Row.Params); err != nil {
		return err
	}
	t.countUsage(t.target.Row.Meta)
	return nil
}

// countUsage asks for a last event with the usage of a stream, for models
// whose description says that they can.
func (t *turn) countUsage(meta []byte) {
	able := rawjson.Lookup(rawjson.Lookup(meta, "capabilities"), "usage")
	if t.req.Stream && t.target.Kind == provider.OpenAI && string(able) == "true" {
		t.req.Params = under(t.req.Params, []byte(`{"stream_options":{"include_usage":true}}`))
	}
}

func callerOf(who *access.Principal) provider.Caller {
	if who == nil {
		return provider.Caller{}
	}
	return provider.Caller{ID: who.UserID, Name: who.Name, Email: who.Email, Role: string(who.Role)}
}

// preset lays the parameters of a workspace model or an overlay under those of
// the request, which win.
func (t *turn) preset(params []byte) error {
	if !rawjson.IsObject(params) {
		return nil
	}
	if on := rawjson.Lookup(params, "stream_response"); len(on) > 0 {
		t.req.Stream = string(on) == "true"
	}
	if err := t.system(params); err != nil {
		return err
	}
	t.req.Params = under(t.req.Params, params)
	return nil
}

// under gives the members of over, and those of base that over has not.
func under(over, base []byte) []byte {
	if !rawjson.IsObject(over) {
		return base
	}
	var o, b rawjson.Doc
	if o.Parse(over, rawjson.Limits{}) != nil || b.Parse(base, rawjson.Limits{}) != nil {
		return over
	}
	set := make([]rawjson.Set, 0, len(o.Members))
	for i := range o.Members {
		if m := &o.Members[i]; !m.Shadowed {
			set = append(set, rawjson.Set{Key: string(m.Key), Value: m.Value})
		}
	}
	return b.Append(make([]byte, 0, len(over)+len(base)), nil, set)
}

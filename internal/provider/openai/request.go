package openai

import (
	"bytes"
	"strconv"
	"strings"

	"portico/internal/provider"
	"portico/internal/rawjson"
)

// chatBody gives the body to send: the client's own bytes when nothing has to
// change, else a body written anew into the call's buffer.
func (k *call) chatBody(req *provider.ChatRequest) []byte {
	e := &k.edit
	e.doc = req.Doc
	e.model(req.Model)
	e.stream(req.Stream)
	e.params(req.Params)
	e.tokens(req.Model, k.home.official)
	e.roles(req.Model)
	e.logitBias()
	return k.written()
}

// embedBody is chatBody for an embeddings route.
func (k *call) embedBody(req *provider.EmbedRequest) []byte {
	k.edit.doc = req.Doc
	k.edit.model(req.Model)
	return k.written()
}

// edit collects what differs from the client's body. It is part of a call, so
// that its lists are used again.
type edit struct {
	doc  *rawjson.Doc
	set  []rawjson.Set
	less [3]string // further members to leave out
	n    int
	name []byte // the model, when it is set

	streamed bool
}

func (e *edit) reset() {
	if cap(e.set) > 64 {
		e.set = nil
	}
	clear(e.set)
	*e = edit{set: e.set[:0], name: e.name[:0]}
}

func (e *edit) put(key string, value []byte) {
	for i := range e.set {
		if e.set[i].Key == key {
			e.set[i].Value = value
			return
		}
	}
	e.set = append(e.set, rawjson.Set{Key: key, Value: value})
}

func (e *edit) drop(key string) {
	e.less[e.n] = key
	e.n++
}

// get is a member as it would be sent so far.
func (e *edit) get(key string) []byte {
	for i := range e.set {
		if e.set[i].Key == key {
			return e.set[i].Value
		}
	}
	return e.doc.Get(key)
}

func (e *edit) model(id string) {
	raw := e.doc.Get("model")
	if plain, ok := rawjson.Plain(raw); ok && string(plain) == id {
		return
	}
	e.name = rawjson.AppendString(e.name[:0], id)
	e.put("model", e.name)
}

// stream makes the member say what was settled, and leaves out the options of
// a stream that there will not be.
func (e *edit) stream(on bool) {
	e.streamed = on
	said, ok := e.doc.Bool("stream")
	switch {
	case on && !said:
		e.put("stream", []byte("true"))
	case !on && (said || !ok && !rawjson.IsNull(e.doc.Get("stream"))):
		e.put("stream", []byte("false"))
	}
	if !on && e.doc.Get("stream_options") != nil {
		e.drop("stream_options")
	}
}

// params copies parameters to the top level where the client said nothing.
// Those of custom_params come before their neighbours.
func (e *edit) params(params []byte) {
	if !rawjson.IsObject(params) {
		return
	}
	if custom := rawjson.Lookup(params, "custom_params"); rawjson.IsObject(custom) {
		rawjson.Each(custom, func(key, value []byte) { e.param(key, parsed(value)) })
	}
	rawjson.Each(params, func(key, value []byte) {
		if !provider.ServerParam(key) {
			e.param(key, value)
		}
	})
}

func (e *edit) param(key, value []byte) {
	if bytes.IndexByte(key, '\\') >= 0 || rawjson.IsNull(value) || !e.free(key) {
		return
	}
	if name := string(key); e.get(name) == nil {
		e.put(name, value)
	}
}

// free reports whether params may set a member: not one of the server's own,
// nor what was settled before, nor the options of a stream that there will not
// be.
func (e *edit) free(key []byte) bool {
	switch string(key) {
	case "model", "messages", "stream":
		return false
	case "stream_options":
		return e.streamed
	}
	return !provider.Consumed(key) && !provider.Lookalike(key)
}

// parsed gives what a string of custom_params holds when that is JSON, as
// "0.5" or "{\"a\":1}" is, else the string.
func parsed(value []byte) []byte {
	text, ok := rawjson.Unquote(value)
	if !ok {
		return value
	}
	inner := []byte(strings.TrimSpace(text))
	if rawjson.Valid(inner) {
		return inner
	}
	return value
}

// tokens names the limit as the model wants it: reasoning models know only
// max_completion_tokens, and other servers than the official one often only
// max_tokens.
func (e *edit) tokens(model string, official bool) {
	short, long := e.get("max_tokens"), e.get("max_completion_tokens")
	switch {
	case reasons(model) && short != nil:
		e.rename("max_tokens", "max_completion_tokens", short, long == nil)
	case !reasons(model) && !official && long != nil:
		e.rename("max_completion_tokens", "max_tokens", long, true)
	}
}

func (e *edit) rename(from, to string, value []byte, carry bool) {
	for i := range e.set {
		if e.set[i].Key == from {
			e.set = append(e.set[:i], e.set[i+1:]...)
			break
		}
	}
	if e.doc.Get(from) != nil {
		e.drop(from)
	}
	if carry {
		e.put(to, value)
	}
}

// reasons reports whether a model goes by the rules of o1 and of gpt-5 and
// what follows them.
func reasons(model string) bool {
	model = strings.ToLower(model)
	if len(model) >= 2 && model[0] == 'o' && '1' <= model[1] && model[1] <= '9' {
		return len(model) == 2 || model[2] == '-'
	}
	rest, ok := strings.CutPrefix(model, "gpt-")
	if !ok {
		return false
	}
	end := 0
	for end < len(rest) && '0' <= rest[end] && rest[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(rest[:end])
	return err == nil && n >= 5
}

// roles gives a leading system message the role that a reasoning model wants.
func (e *edit) roles(model string) {
	if !reasons(model) {
		return
	}
	messages := e.doc.Get("messages")
	var first []byte
	rawjson.Elements(messages, func(value []byte) {
		if first == nil {
			first = value
		}
	})
	role := rawjson.Lookup(first, "role")
	if string(role) != `"system"` {
		return
	}
	wanted := `"developer"`
	if low := strings.ToLower(model); strings.HasPrefix(low, "o1-mini") || strings.HasPrefix(low, "o1-preview") {
		wanted = `"user"`
	}
	at := rawjson.Offset(messages, role)
	out := make([]byte, 0, len(messages)+len(wanted))
	out = append(append(out, messages[:at]...), wanted...)
	e.put("messages", append(out, messages[at+len(role):]...))
}

// logitBias turns the form "50256:-100, 11:5" into the object that it means.
func (e *edit) logitBias() {
	text, ok := rawjson.Unquote(e.get("logit_bias"))
	if !ok {
		return
	}
	if trimmed := strings.TrimSpace(text); strings.HasPrefix(trimmed, "{") && rawjson.Valid([]byte(trimmed)) {
		e.put("logit_bias", []byte(trimmed))
		return
	}
	out := []byte{'{'}
	for pair := range strings.SplitSeq(text, ",") {
		token, bias, ok := strings.Cut(pair, ":")
		n, err := strconv.Atoi(strings.TrimSpace(bias))
		if !ok || err != nil {
			return // not ours to mend: the upstream says what is wrong
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(rawjson.AppendString(out, strings.TrimSpace(token)), ':')
		out = strconv.AppendInt(out, int64(max(-100, min(100, n))), 10)
	}
	e.put("logit_bias", append(out, '}'))
}

// written gives the client's bytes when there is nothing to change.
func (k *call) written() []byte {
	e := &k.edit
	if len(e.set) == 0 && e.n == 0 && !e.doc.Duplicate && !e.anyDropped() {
		return e.doc.Raw
	}
	k.out = e.doc.Append(k.out[:0], e.dropped, e.set)
	return k.out
}

func (e *edit) anyDropped() bool {
	for i := range e.doc.Members {
		if e.dropped(e.doc.Members[i].Key) {
			return true
		}
	}
	return false
}

func (e *edit) dropped(key []byte) bool {
	for _, name := range e.less[:e.n] {
		if name == string(key) {
			return true
		}
	}
	return provider.Consumed(key) || provider.Lookalike(key)
}

package ollama

import (
	"portico/internal/errdefs"
	"portico/internal/provider"
	"portico/internal/rawjson"
)

// chatBody is a request for /api/chat.
type chatBody struct {
	raw []byte
	// plain is the same request without "think". It is set when thinking was
	// asked for in OpenAI's words (reasoning_effort), which say how much and
	// not whether: a model that cannot is asked again without.
	plain []byte
}

// convertChat turns a request in OpenAI's shape into one for /api/chat. What
// Ollama has no word for is left out.
func convertChat(req *provider.ChatRequest) (*chatBody, error) {
	d := req.Doc
	b := make([]byte, 0, len(d.Raw)+256)
	b = append(b, `{"model":`...)
	b = rawjson.AppendString(b, req.Model)
	b = append(b, `,"stream":`...)
	if req.Stream {
		b = append(b, "true"...)
	} else {
		b = append(b, "false"...)
	}
	b = append(b, `,"messages":`...)
	b, err := appendMessages(b, d.Get("messages"))
	if err != nil {
		return nil, err
	}
	if tools := d.Get("tools"); wantTools(d) {
		b = appendMember(b, "tools", tools)
	}
	if logprobs, _ := d.Bool("logprobs"); logprobs {
		b = append(b, `,"logprobs":true`...)
		if n := d.Get("top_logprobs"); !rawjson.IsNull(n) {
			b = appendMember(b, "top_logprobs", n)
		}
	}

	s := collect(d, req.Params)
	if s.format != nil {
		b = appendMember(b, "format", s.format)
	}
	if s.keepAlive != nil {
		b = appendMember(b, "keep_alive", s.keepAlive)
	}
	if len(s.options) > 0 {
		b = append(b, `,"options":`...)
		b = s.options.append(b)
	}
	out := &chatBody{}
	switch {
	case s.think != nil:
		b = appendMember(b, "think", s.think)
	case s.effort != "":
		out.plain = append(b[:len(b):len(b)], '}')
		b = append(b, `,"think":`...)
		b = append(b, s.effort...)
	}
	out.raw = append(b, '}')
	return out, nil
}

// wantTools reports whether tools are to be offered: some clients list them
// and forbid them in the same request.
func wantTools(d *rawjson.Doc) bool {
	if choice, _ := d.String("tool_choice"); choice == "none" {
		return false
	}
	some := false
	rawjson.Elements(d.Get("tools"), func([]byte) { some = true })
	return some
}

func appendMember(b []byte, key string, value []byte) []byte {
	b = append(b, ',', '"')
	b = append(b, key...)
	b = append(b, '"', ':')
	return append(b, value...)
}

// convertEmbed turns a request in OpenAI's shape into one for /api/embed.
func convertEmbed(req *provider.EmbedRequest) ([]byte, error) {
	input := req.Doc.Get("input")
	if rawjson.IsNull(input) {
		return nil, errdefs.New(errdefs.Invalid, "The request has no input. Send a text, or a list of texts, as input.")
	}
	b := make([]byte, 0, len(req.Doc.Raw)+64)
	b = append(b, `{"model":`...)
	b = rawjson.AppendString(b, req.Model)
	b = appendMember(b, "input", input)
	for _, key := range [...]string{"dimensions", "truncate", "keep_alive", "options"} {
		if v := req.Doc.Get(key); !rawjson.IsNull(v) {
			b = appendMember(b, key, v)
		}
	}
	return append(b, '}'), nil
}

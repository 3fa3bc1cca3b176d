package chat

import (
	"portico/internal/provider"
	"portico/internal/rawjson"
)

// system puts the system prompt of a preset in front of the client's.
func (t *turn) system(params []byte) error {
	prompt, ok := rawjson.Unquote(rawjson.Lookup(params, "system"))
	if !ok || prompt == "" {
		return nil
	}
	prompt = provider.FillPrompt(prompt, callerOf(t.Who), t.s.cfg.Now())
	messages := t.doc.Get("messages")
	room := len(messages) + 2*len(prompt) + 64
	out := provider.AppendSystem(make([]byte, 0, room), messages, prompt)
	body := t.doc.Append(make([]byte, 0, len(t.raw)+room), nil, []rawjson.Set{{Key: "messages", Value: out}})
	t.raw = body
	return parse(&t.doc, body)
}

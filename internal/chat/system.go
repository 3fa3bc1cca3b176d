package chat

import (
	"strings"

	"portico/internal/rawjson"
)

// system puts the system prompt of a preset in front of the client's: as a
// message of its own, or above the text of the first one when that is a system
// message.
func (t *turn) system(params []byte) error {
	prompt, ok := rawjson.Unquote(rawjson.Lookup(params, "system"))
	if !ok || prompt == "" {
		return nil
	}
	prompt = t.fill(prompt)
	messages := t.doc.Get("messages")
	var first []byte
	rawjson.Elements(messages, func(m []byte) {
		if first == nil {
			first = m
		}
	})
	out := make([]byte, 0, len(messages)+2*len(prompt)+64)
	text, isText := rawjson.Unquote(rawjson.Lookup(first, "content"))
	if string(rawjson.Lookup(first, "role")) == `"system"` && isText {
		var d rawjson.Doc
		if err := parse(&d, first); err != nil {
			return err
		}
		at := rawjson.Offset(messages, first)
		merged := rawjson.AppendString(nil, prompt+"\n"+text)
		out = d.Append(append(out, messages[:at]...), nil, []rawjson.Set{{Key: "content", Value: merged}})
		out = append(out, messages[at+len(first):]...)
	} else {
		out = append(out, `[{"role":"system","content":`...)
		out = append(rawjson.AppendString(out, prompt), `},`...)
		out = append(out, messages[1:]...)
	}
	body := t.doc.Append(make([]byte, 0, len(t.raw)+len(prompt)+64), nil, []rawjson.Set{{Key: "messages", Value: out}})
	t.raw = body
	return parse(&t.doc, body)
}

// fill replaces the variables that a preset's prompt may hold.
func (t *turn) fill(prompt string) string {
	if !strings.Contains(prompt, "{{") {
		return prompt
	}
	now := t.s.cfg.Now()
	who := callerOf(t.Who)
	return strings.NewReplacer(
		"{{USER_NAME}}", who.Name,
		"{{USER_EMAIL}}", who.Email,
		"{{USER_ID}}", who.ID,
		"{{USER_ROLE}}", who.Role,
		"{{CURRENT_DATE}}", now.Format("2006-01-02"),
		"{{CURRENT_TIME}}", now.Format("15:04:05"),
		"{{CURRENT_DATETIME}}", now.Format("2006-01-02 15:04:05"),
		"{{CURRENT_WEEKDAY}}", now.Weekday().String(),
	).Replace(prompt)
}

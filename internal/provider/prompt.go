package provider

import (
	"strings"
	"time"

	"portico/internal/rawjson"
)

// FillPrompt replaces the variables that the prompt of a preset may hold.
func FillPrompt(prompt string, who Caller, now time.Time) string {
	if !strings.Contains(prompt, "{{") {
		return prompt
	}
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

// AppendSystem writes a list of messages to dst with a system prompt in front:
// as a message of its own, or above the text of the first one when that is a
// system message. messages is a checked JSON array.
func AppendSystem(dst, messages []byte, prompt string) []byte {
	var first []byte
	rawjson.Elements(messages, func(m []byte) {
		if first == nil {
			first = m
		}
	})
	text, isText := rawjson.Unquote(rawjson.Lookup(first, "content"))
	var d rawjson.Doc
	if string(rawjson.Lookup(first, "role")) == `"system"` && isText && d.Parse(first, rawjson.Limits{}) == nil {
		at := rawjson.Offset(messages, first)
		merged := rawjson.AppendString(nil, prompt+"\n"+text)
		dst = d.Append(append(dst, messages[:at]...), nil, []rawjson.Set{{Key: "content", Value: merged}})
		return append(dst, messages[at+len(first):]...)
	}
	dst = append(dst, `[{"role":"system","content":`...)
	dst = append(rawjson.AppendString(dst, prompt), '}')
	if first != nil {
		dst = append(dst, ',')
	}
	return append(dst, messages[1:]...)
}

package chat

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"portico/internal/access"
	"portico/internal/errdefs"
	"portico/internal/provider"
	"portico/internal/rawjson"
	"portico/internal/retrieval"
)

// Gatherer finds what a chat is to be answered from; *retrieval.Service is one.
type Gatherer interface {
	Gather(ctx context.Context, who *access.Principal, items []retrieval.Item, q retrieval.Question) (*retrieval.Gathered, error)
}

// Grounding says how passages reach a model.
type Grounding struct {
	// Template is the text around the passages, with {{CONTEXT}} and, if
	// wanted, {{QUERY}}; "" is ours, in the language of the question.
	Template string
	// System puts it below the system message, else it stands in front of the
	// last question.
	System bool
	// Reword lets the model word the question of a follow-up turn.
	Reword bool
}

// maxItems is how many files and collections one chat may name.
const maxItems = 64

// context finds what the chat is to be answered from, where its body or its
// model names files, and lays it before the model. What could not be used is
// told beside the answer, never passed over.
func (t *turn) context() error {
	items, err := t.items()
	if err != nil || len(items) == 0 || t.s.cfg.Gatherer == nil {
		return err
	}
	q := t.question()
	got, err := t.s.cfg.Gatherer.Gather(t.r.Context(), t.Who, items, q)
	if err != nil {
		return err
	}
	t.cites = newCitations(got)
	t.req.Ground = &provider.Ground{Question: q.Text, Quotes: t.cites.quotes}
	if t.cites.context == "" || q.Text == "" {
		return nil
	}
	return t.ground(q.Text)
}

// items are what the body and the model name.
func (t *turn) items() ([]retrieval.Item, error) {
	var all []retrieval.Item
	take := func(raw []byte) error {
		if !rawjson.IsArray(raw) {
			return nil
		}
		var bad error
		rawjson.Elements(raw, func(one []byte) {
			var item retrieval.Item
			if err := json.Unmarshal(one, &item); err != nil && bad == nil {
				bad = errdefs.New(errdefs.Invalid, "A member of \"files\" is not an object such as {\"type\":\"file\",\"id\":\"…\"}.").WithCause(err)
			}
			item.Raw = bytes.Clone(one)
			all = append(all, item)
		})
		return bad
	}
	if err := take(t.doc.Get("files")); err != nil {
		return nil, err
	}
	if t.target.Row != nil {
		if string(rawjson.Lookup(rawjson.Lookup(t.target.Row.Meta, "capabilities"), "file_context")) == "false" {
			return nil, nil
		}
		// What a model brings was checked when it was saved, or is passed over.
		_ = take(rawjson.Lookup(t.target.Row.Meta, "knowledge"))
	}
	if len(all) > maxItems {
		return nil, errdefs.Newf(errdefs.Invalid, "The chat names %d files and collections; %d are allowed.", len(all), maxItems)
	}
	return all, nil
}

// question is the last thing that the user said. A follow-up turn often makes
// sense only with the one before: then both are searched for.
func (t *turn) question() retrieval.Question {
	var asked []string
	rawjson.Elements(t.doc.Get("messages"), func(m []byte) {
		if string(rawjson.Lookup(m, "role")) == `"user"` {
			if text := strings.TrimSpace(textOf(rawjson.Lookup(m, "content"))); text != "" {
				asked = append(asked, text)
			}
		}
	})
	if len(asked) == 0 {
		return retrieval.Question{}
	}
	q := retrieval.Question{Text: asked[len(asked)-1]}
	if n := len(asked); n > 1 {
		q.More = t.reworded(asked[n-2] + "\n" + q.Text)
	}
	return q
}

// textOf is the text of a message's content: itself, or its parts.
func textOf(content []byte) string {
	if text, ok := rawjson.Unquote(content); ok {
		return text
	}
	var parts []string
	rawjson.Elements(content, func(part []byte) {
		if text, ok := rawjson.Unquote(rawjson.Lookup(part, "text")); ok {
			parts = append(parts, text)
		}
	})
	return strings.Join(parts, "\n")
}

// ground writes the passages into the messages.
func (t *turn) ground(question string) error {
	g := t.s.grounding()
	text := prompt(g.Template, t.cites.context, question)
	messages := t.doc.Get("messages")
	if g.System {
		messages = belowSystem(messages, text)
	} else {
		messages = beforeLast(messages, text)
	}
	body := t.doc.Append(make([]byte, 0, len(t.raw)+len(messages)+64), nil, []rawjson.Set{{Key: "messages", Value: messages}})
	t.raw = body
	return parse(&t.doc, body)
}

// beforeLast puts a text in front of the last message of the user. messages is
// a checked array.
func beforeLast(messages []byte, text string) []byte {
	var last []byte
	rawjson.Elements(messages, func(m []byte) {
		if string(rawjson.Lookup(m, "role")) == `"user"` && textOf(rawjson.Lookup(m, "content")) != "" {
			last = m
		}
	})
	if last == nil {
		return messages
	}
	return replace(messages, last, func(content []byte) []byte {
		if said, ok := rawjson.Unquote(content); ok {
			return rawjson.AppendString(nil, text+"\n"+said)
		}
		return firstText(content, text)
	})
}

// firstText puts a text in front of the first part that is text.
func firstText(content []byte, text string) []byte {
	var part []byte
	rawjson.Elements(content, func(p []byte) {
		if _, ok := rawjson.Unquote(rawjson.Lookup(p, "text")); ok && part == nil {
			part = p
		}
	})
	if part == nil {
		return content
	}
	said, _ := rawjson.Unquote(rawjson.Lookup(part, "text"))
	return member(content, part, "text", rawjson.AppendString(nil, text+"\n"+said))
}

// belowSystem puts a text below the system message, or makes it one.
func belowSystem(messages []byte, text string) []byte {
	var first []byte
	rawjson.Elements(messages, func(m []byte) {
		if role := string(rawjson.Lookup(m, "role")); first == nil && (role == `"system"` || role == `"developer"`) {
			first = m
		}
	})
	if said, ok := rawjson.Unquote(rawjson.Lookup(first, "content")); ok {
		return member(messages, first, "content", rawjson.AppendString(nil, said+"\n"+text))
	}
	out := rawjson.AppendString([]byte(`[{"role":"system","content":`), text)
	return append(append(out, '}', ','), messages[1:]...) // it is not empty: decode saw to that
}

func replace(list, message []byte, change func(content []byte) []byte) []byte {
	return member(list, message, "content", change(rawjson.Lookup(message, "content")))
}

// member gives list with one member of one of its objects set.
func member(list, object []byte, key string, value []byte) []byte {
	var d rawjson.Doc
	if d.Parse(object, rawjson.Limits{}) != nil {
		return list
	}
	at := rawjson.Offset(list, object)
	out := append(make([]byte, 0, len(list)+len(value)), list[:at]...)
	out = d.Append(out, nil, []rawjson.Set{{Key: key, Value: value}})
	return append(out, list[at+len(object):]...)
}

package provider

import (
	"bytes"
	"time"

	"portico/internal/rawjson"
)

// ResponsesBody gives the body of a call of /responses as it is sent on: with
// the upstream's name of the model, and with the parameters of a workspace
// model, a JSON object or empty, laid under it. Its system prompt goes in front
// of the instructions. Where nothing differs, doc's own bytes are given.
func ResponsesBody(doc *rawjson.Doc, model string, params []byte, who Caller, now time.Time) []byte {
	set := named(doc, model)
	if prompt, _ := rawjson.Unquote(rawjson.Lookup(params, "system")); prompt != "" {
		prompt = FillPrompt(prompt, who, now)
		if own, ok := doc.String("instructions"); ok && own != "" {
			prompt += "\n" + own
		}
		set = append(set, rawjson.Set{Key: "instructions", Value: rawjson.AppendString(nil, prompt)})
	}
	for _, p := range [...]struct{ from, to string }{
		{"temperature", "temperature"}, {"top_p", "top_p"},
		{"max_completion_tokens", "max_output_tokens"}, {"max_tokens", "max_output_tokens"},
	} {
		value := rawjson.Lookup(params, p.from)
		if !rawjson.IsNull(value) && rawjson.IsNull(doc.Get(p.to)) && !has(set, p.to) {
			set = append(set, rawjson.Set{Key: p.to, Value: value})
		}
	}
	return edited(doc, responsesLookalike, set)
}

// NamedBody gives a body of any other call with the upstream's name of the
// model.
func NamedBody(doc *rawjson.Doc, model string) []byte {
	return edited(doc, Lookalike, named(doc, model))
}

// NamelessBody gives a body that names no model, without what an upstream could
// take for one.
func NamelessBody(doc *rawjson.Doc) []byte { return edited(doc, Lookalike, nil) }

func named(doc *rawjson.Doc, model string) []rawjson.Set {
	if plain, ok := rawjson.Plain(doc.Get("model")); ok && string(plain) == model {
		return nil
	}
	return []rawjson.Set{{Key: "model", Value: rawjson.AppendString(nil, model)}}
}

func edited(doc *rawjson.Doc, drop func(key []byte) bool, set []rawjson.Set) []byte {
	if len(set) == 0 && !doc.Duplicate && !anyMember(doc, drop) {
		return doc.Raw
	}
	return doc.Append(make([]byte, 0, len(doc.Raw)+512), drop, set)
}

// responsesLookalike is Lookalike for what is settled in a body of /responses.
func responsesLookalike(key []byte) bool {
	const instructions = "instructions"
	return Lookalike(key) || string(key) != instructions && bytes.EqualFold(key, []byte(instructions))
}

func anyMember(doc *rawjson.Doc, is func(key []byte) bool) bool {
	for i := range doc.Members {
		if is(doc.Members[i].Key) {
			return true
		}
	}
	return false
}

func has(set []rawjson.Set, key string) bool {
	for i := range set {
		if set[i].Key == key {
			return true
		}
	}
	return false
}

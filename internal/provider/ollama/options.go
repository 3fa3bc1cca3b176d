package ollama

import (
	"slices"

	"portico/internal/rawjson"
)

// settings are what a request and its model's parameters ask for beyond the
// messages. Raw JSON; nil is not asked for.
type settings struct {
	options                  options
	format, keepAlive, think []byte
	effort                   string // raw JSON for "think", guessed from reasoning_effort
}

// options are the members of "options". Of several sources the first wins.
type options []rawjson.Set

// topLevel are the options that a request may have at its top level, as
// OpenAI's clients send them or as Ollama names them.
var topLevel = [...]string{
	"temperature", "top_p", "top_k", "min_p", "typical_p", "seed", "stop",
	"frequency_penalty", "presence_penalty", "repeat_penalty", "repeat_last_n",
	"max_completion_tokens", "max_tokens", "num_predict",
	"num_ctx", "num_keep", "num_batch", "num_gpu", "main_gpu", "num_thread", "use_mmap",
	"mirostat", "mirostat_eta", "mirostat_tau", "tfs_z",
}

// serverSide are parameters of a model that are for the server and mean
// nothing to Ollama.
var serverSide = [...]string{
	"stream_response", "stream_delta_chunk_size", "function_calling", "reasoning_tags",
	"compact_token_threshold", "system", "note_id", "tool_approval_mode", "model_controls",
}

// collect gathers the settings of a request: its top level first, then its
// "options" as Ollama's own clients have them, then params.
func collect(d *rawjson.Doc, params []byte) settings {
	var s settings
	s.format = some(d.Get("format"))
	s.keepAlive = some(d.Get("keep_alive"))
	s.think = some(d.Get("think"))
	s.responseFormat(d.Get("response_format"))
	s.reasoning(d.Get("reasoning_effort"))
	for _, name := range topLevel {
		s.options.put(name, d.Get(name))
	}
	rawjson.Each(d.Get("options"), s.param)
	rawjson.Each(params, s.param)
	return s
}

func some(raw []byte) []byte {
	if rawjson.IsNull(raw) {
		return nil
	}
	return raw
}

// param takes one parameter of a model or of a request.
func (s *settings) param(key, value []byte) {
	if rawjson.IsNull(value) || slices.Contains(serverSide[:], string(key)) {
		return
	}
	switch string(key) {
	case "format":
		s.format = first(s.format, value)
	case "keep_alive":
		s.keepAlive = first(s.keepAlive, value)
	case "think":
		s.think = first(s.think, value)
	case "response_format":
		s.responseFormat(value)
	case "reasoning_effort":
		s.reasoning(value)
	case "custom_params":
		rawjson.Each(value, func(k, v []byte) { s.param(k, loose(v)) })
	default:
		s.options.put(string(key), value)
	}
}

func first(have, value []byte) []byte {
	if have != nil {
		return have
	}
	return value
}

// loose reads a parameter that a person typed: the text of a string counts as
// JSON where it is JSON.
func loose(value []byte) []byte {
	text, ok := rawjson.Unquote(value)
	if !ok {
		return value
	}
	// Only an object can be checked, so the text is checked as a member.
	var d rawjson.Doc
	if d.Parse([]byte(`{"v":`+text+`}`), rawjson.Limits{}) != nil || len(d.Members) != 1 {
		return value
	}
	return d.Get("v")
}

// responseFormat reads OpenAI's way of asking for JSON.
func (s *settings) responseFormat(raw []byte) {
	if s.format != nil || !rawjson.IsObject(raw) {
		return
	}
	switch kind, _ := rawjson.Unquote(rawjson.Lookup(raw, "type")); kind {
	case "json_object":
		s.format = []byte(`"json"`)
	case "json_schema":
		schema := rawjson.Lookup(rawjson.Lookup(raw, "json_schema"), "schema")
		if rawjson.IsObject(schema) {
			s.format = schema
		}
	}
}

// reasoning reads OpenAI's reasoning_effort.
func (s *settings) reasoning(raw []byte) {
	if s.effort != "" {
		return
	}
	switch effort, _ := rawjson.Unquote(raw); effort {
	case "none":
		s.effort = "false"
	case "minimal", "low":
		s.effort = `"low"`
	case "medium":
		s.effort = `"medium"`
	case "high", "xhigh":
		s.effort = `"high"`
	}
}

// put adds an option under Ollama's name for it, unless it is there already.
func (o *options) put(name string, value []byte) {
	if rawjson.IsNull(value) {
		return
	}
	switch name {
	case "max_tokens", "max_completion_tokens":
		name = "num_predict"
	case "stop":
		if value[0] == '"' { // Ollama knows only lists
			value = slices.Concat([]byte{'['}, value, []byte{']'})
		}
	}
	if !slices.ContainsFunc(*o, func(s rawjson.Set) bool { return s.Key == name }) {
		*o = append(*o, rawjson.Set{Key: name, Value: value})
	}
}

func (o options) append(b []byte) []byte {
	for i, s := range o {
		b = append(b, "{,"[min(i, 1)])
		b = rawjson.AppendString(b, s.Key)
		b = append(b, ':')
		b = append(b, s.Value...)
	}
	return append(b, '}')
}

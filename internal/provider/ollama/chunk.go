package ollama

import (
	"bytes"
	"math"
	"strconv"

	"portico/internal/provider"
	"portico/internal/rawjson"
)

// encoder writes one answer of Ollama's in OpenAI's shape.
type encoder struct {
	client *Client
	// head begins every chunk, up to the value of "logprobs". It is made once.
	head  []byte
	begun bool // the first chunk, which tells the role, was written
	done  bool // the line with "done":true was seen
	calls int  // tool calls so far
	usage provider.Usage
}

// line is what one JSON object of Ollama's says. All members are raw.
type line struct {
	role, content, thinking, toolCalls []byte
}

func (c *Client) newEncoder(model string) encoder {
	h := append(make([]byte, 0, 160), `data: {"id":"chatcmpl-`...)
	h = append(h, c.opt.NewID()...)
	h = append(h, `","created":`...)
	h = strconv.AppendInt(h, c.opt.Now().Unix(), 10)
	h = append(h, `,"model":`...)
	h = rawjson.AppendString(h, model)
	return encoder{client: c, head: append(h, `,"choices":[{"index":0,"logprobs":`...)}
}

// readLine parses one object of Ollama's into doc.
func (e *encoder) readLine(doc *rawjson.Doc, raw []byte) (line, error) {
	var l line
	if err := doc.Parse(raw, rawjson.Limits{}); err != nil {
		return l, malformed(err)
	}
	if text := doc.Get("error"); !rawjson.IsNull(text) {
		return l, e.client.failed(text)
	}
	message := doc.Get("message")
	if message == nil && doc.Get("done") == nil {
		return l, malformed(nil)
	}
	rawjson.Each(message, func(key, value []byte) {
		switch string(key) {
		case "role":
			l.role = textOf(value)
		case "content":
			l.content = textOf(value)
		case "thinking":
			l.thinking = textOf(value)
		case "tool_calls":
			if rawjson.IsArray(value) {
				l.toolCalls = value
			}
		}
	})
	e.done, _ = doc.Bool("done")
	return l, nil
}

// textOf gives a raw string that says something, or nil.
func textOf(raw []byte) []byte {
	if len(raw) > 2 && raw[0] == '"' {
		return raw
	}
	return nil
}

// chunk appends the event for one line of a streamed answer. The texts in it
// are copied as they are, escapes and all.
func (e *encoder) chunk(dst []byte, doc *rawjson.Doc, raw []byte) ([]byte, error) {
	l, err := e.readLine(doc, raw)
	if err != nil {
		return dst, err
	}
	dst = append(dst, e.head...)
	dst = appendLogprobs(dst, doc.Get("logprobs"))
	dst = append(dst, `,"delta":{`...)
	if !e.begun {
		e.begun = true
		dst = append(dst, `"role":"assistant",`...)
	}
	dst = e.texts(dst, &l)
	dst = append(dst, `},"finish_reason":`...)
	if e.done {
		dst = e.reason(dst, doc)
	} else {
		dst = append(dst, "null"...)
	}
	dst = append(dst, `}],"object":"chat.completion.chunk"`...)
	if e.done {
		dst = e.appendUsage(dst, doc)
	}
	return append(dst, "}\n\n"...), nil
}

// texts appends what a message says. An empty one says so: it keeps the
// stream alive, and is not the end.
func (e *encoder) texts(dst []byte, l *line) []byte {
	if l.content != nil || (l.thinking == nil && l.toolCalls == nil) {
		dst = append(dst, `"content":`...)
		if l.content == nil {
			dst = append(dst, '"', '"')
		}
		dst = append(dst, l.content...)
		dst = append(dst, ',')
	}
	if l.thinking != nil {
		dst = append(dst, `"reasoning_content":`...)
		dst = append(dst, l.thinking...)
		dst = append(dst, ',')
	}
	if l.toolCalls != nil {
		dst = e.toolCalls(dst, l.toolCalls)
		dst = append(dst, ',')
	}
	return dst[:len(dst)-1]
}

// toolCalls appends calls in OpenAI's shape: arguments as text, an id for each.
func (e *encoder) toolCalls(dst, raw []byte) []byte {
	dst = append(dst, `"tool_calls":[`...)
	from := len(dst)
	rawjson.Elements(raw, func(call []byte) {
		function := rawjson.Lookup(call, "function")
		name := textOf(rawjson.Lookup(function, "name"))
		if name == nil {
			return
		}
		if len(dst) > from {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"index":`...)
		dst = strconv.AppendInt(dst, int64(e.calls), 10)
		e.calls++
		dst = append(dst, `,"id":`...)
		if id := textOf(rawjson.Lookup(call, "id")); id != nil {
			dst = append(dst, id...)
		} else {
			dst = append(dst, `"call_`...)
			dst = append(dst, e.client.opt.NewID()...)
			dst = append(dst, '"')
		}
		dst = append(dst, `,"type":"function","function":{"name":`...)
		dst = append(dst, name...)
		dst = append(dst, `,"arguments":`...)
		dst = appendArguments(dst, rawjson.Lookup(function, "arguments"))
		dst = append(dst, '}', '}')
	})
	return append(dst, ']')
}

func appendArguments(dst, raw []byte) []byte {
	switch {
	case rawjson.IsNull(raw):
		return append(dst, `"{}"`...)
	case raw[0] == '"':
		return append(dst, raw...)
	}
	return rawjson.AppendString(dst, raw)
}

// appendLogprobs appends the value of a choice's "logprobs". A carriage return
// between tokens, legal in JSON, would end a line of an event.
func appendLogprobs(dst, raw []byte) []byte {
	if !rawjson.IsArray(raw) || len(raw) == 2 || bytes.IndexByte(raw, '\r') >= 0 {
		return append(dst, "null"...)
	}
	dst = append(dst, `{"content":`...)
	dst = append(dst, raw...)
	return append(dst, '}')
}

// reason appends why the answer ended.
func (e *encoder) reason(dst []byte, doc *rawjson.Doc) []byte {
	if e.calls > 0 {
		return append(dst, `"tool_calls"`...)
	}
	why := textOf(doc.Get("done_reason"))
	switch string(why) {
	case "", `"load"`, `"unload"`: // nothing was asked, so nothing is missing
		return append(dst, `"stop"`...)
	}
	return append(dst, why...)
}

// appendUsage appends the member "usage", in tokens and in Ollama's own
// figures (nanoseconds), and keeps the tokens.
func (e *encoder) appendUsage(dst []byte, doc *rawjson.Doc) []byte {
	prompt, _ := doc.Int("prompt_eval_count")
	output, _ := doc.Int("eval_count")
	promptTime, _ := doc.Int("prompt_eval_duration")
	outputTime, _ := doc.Int("eval_duration")
	total, _ := doc.Int("total_duration")
	load, _ := doc.Int("load_duration")
	prompt, output = max(prompt, 0), max(output, 0)
	e.usage = provider.Usage{Prompt: prompt, Completion: output}

	dst = append(dst, `,"usage":{`...)
	dst = appendCount(dst, `"input_tokens":`, prompt)
	dst = appendCount(dst, `,"output_tokens":`, output)
	dst = appendCount(dst, `,"total_tokens":`, prompt+output)
	dst = appendCount(dst, `,"prompt_tokens":`, prompt)
	dst = appendCount(dst, `,"completion_tokens":`, output)
	dst = appendRate(dst, `,"response_token/s":`, output, outputTime)
	dst = appendRate(dst, `,"prompt_token/s":`, prompt, promptTime)
	dst = appendCount(dst, `,"total_duration":`, total)
	dst = appendCount(dst, `,"load_duration":`, load)
	dst = appendCount(dst, `,"prompt_eval_count":`, prompt)
	dst = appendCount(dst, `,"prompt_eval_duration":`, promptTime)
	dst = appendCount(dst, `,"eval_count":`, output)
	dst = appendCount(dst, `,"eval_duration":`, outputTime)
	seconds := max(total, 0) / 1e9
	dst = appendCount(dst, `,"approximate_total":"`, seconds/3600)
	dst = appendCount(dst, "h", seconds%3600/60)
	dst = appendCount(dst, "m", seconds%60)
	return append(dst, `s","completion_tokens_details":{"reasoning_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`...)
}

func appendCount(dst []byte, key string, n int64) []byte {
	return strconv.AppendInt(append(dst, key...), n, 10)
}

// appendRate appends tokens per second with two decimals, or "N/A".
func appendRate(dst []byte, key string, tokens, nanoseconds int64) []byte {
	dst = append(dst, key...)
	if nanoseconds <= 0 {
		return append(dst, `"N/A"`...)
	}
	rate := float64(tokens) / (float64(nanoseconds) / 1e9)
	return strconv.AppendFloat(dst, math.Round(rate*100)/100, 'f', -1, 64)
}

package ollama

import (
	"bytes"

	"portico/internal/errdefs"
	"portico/internal/rawjson"
)

// message is one message of a chat in OpenAI's shape: raw members.
type message struct {
	role                            string
	content, thinking, images       []byte
	toolCalls, toolCallID, toolName []byte
}

// converter writes messages in Ollama's shape.
type converter struct {
	b   []byte
	err error
	n   int // of the message in work, from 1
	// tools names the function of each tool call so far, by its raw id: an
	// answer of a tool tells only the id, and Ollama's templates want the name.
	tools map[string][]byte
}

// appendMessages appends OpenAI's messages as a list in Ollama's shape.
func appendMessages(b, raw []byte) ([]byte, error) {
	c := converter{b: append(b, '[')}
	ok := rawjson.Elements(raw, func(value []byte) {
		if c.err != nil {
			return
		}
		if c.n++; c.n > 1 {
			c.b = append(c.b, ',')
		}
		c.message(value)
	})
	if !ok {
		return nil, errdefs.New(errdefs.Invalid, "The messages are not a list. Send messages as a list of objects, each with a role and a content.")
	}
	return append(c.b, ']'), c.err
}

// fail keeps the first fault; the message's number is put in front of it.
func (c *converter) fail(what string) {
	if c.err == nil {
		c.err = errdefs.Newf(errdefs.Invalid, "Message %d cannot be sent to this model: %s", c.n, what)
	}
}

func (c *converter) message(raw []byte) {
	var m message
	ok := rawjson.Each(raw, func(key, value []byte) {
		switch string(key) {
		case "role":
			m.role, _ = rawjson.Unquote(value)
		case "content":
			m.content = value
		case "thinking", "reasoning_content", "reasoning":
			if len(value) > 2 && value[0] == '"' {
				m.thinking = value
			}
		case "images":
			m.images = value
		case "tool_calls":
			m.toolCalls = value
		case "tool_call_id":
			m.toolCallID = value
		case "tool_name", "name":
			m.toolName = value
		}
	})
	if !ok {
		c.fail("it is not an object. Send an object with a role and a content.")
		return
	}
	switch m.role {
	case "":
		c.fail("it has no role. Set role to system, user, assistant or tool.")
		return
	case "developer":
		m.role = "system"
	case "function":
		m.role = "tool"
	}
	c.write(&m)
}

func (c *converter) write(m *message) {
	c.b = append(c.b, `{"role":`...)
	c.b = rawjson.AppendString(c.b, m.role)
	c.b = append(c.b, `,"content":`...)
	images := c.content(m.content)
	c.images(m.images, images)
	if m.thinking != nil && m.role == "assistant" {
		c.b = appendMember(c.b, "thinking", m.thinking)
	}
	if rawjson.IsArray(m.toolCalls) {
		c.toolCalls(m.toolCalls)
	}
	if m.role == "tool" {
		c.toolAnswer(m)
	}
	c.b = append(c.b, '}')
}

// content writes the text of a message and gives the parts that are images.
func (c *converter) content(raw []byte) (images [][]byte) {
	switch {
	case rawjson.IsNull(raw):
		c.b = append(c.b, '"', '"')
	case raw[0] == '"':
		c.b = append(c.b, raw...)
	case raw[0] == '[':
		c.b = append(c.b, '"')
		rawjson.Elements(raw, func(part []byte) {
			if url := c.part(part); url != nil {
				images = append(images, url)
			}
		})
		c.b = append(c.b, '"')
	default:
		c.fail("its content is neither a text nor a list of parts.")
	}
	return images
}

// part writes the text of one part, or gives the raw URL of an image.
func (c *converter) part(raw []byte) (url []byte) {
	if len(raw) > 0 && raw[0] == '"' {
		c.b = append(c.b, raw[1:len(raw)-1]...)
		return nil
	}
	var kind string
	var text, image []byte
	rawjson.Each(raw, func(key, value []byte) {
		switch string(key) {
		case "type":
			kind, _ = rawjson.Unquote(value)
		case "text", "refusal":
			text = value
		case "image_url":
			image = value
		}
	})
	switch kind {
	case "text", "input_text", "output_text", "refusal":
		if len(text) >= 2 && text[0] == '"' {
			c.b = append(c.b, text[1:len(text)-1]...)
		}
	case "image_url", "input_image":
		if rawjson.IsObject(image) {
			image = rawjson.Lookup(image, "url")
		}
		if len(image) < 2 || image[0] != '"' {
			c.fail("a part of type image_url has no url.")
			return nil
		}
		return image
	case "thinking", "redacted_thinking", "reasoning":
		// What another model thought is of no use to this one.
	default:
		c.fail("a part of its content is neither text nor image, and an Ollama model takes nothing else. Leave it out, or choose another model.")
	}
	return nil
}

// images writes the images of a message: those that it has in Ollama's own
// shape, and those of its parts.
func (c *converter) images(native []byte, urls [][]byte) {
	n := 0
	add := func(write func()) {
		if n++; n == 1 {
			c.b = append(c.b, `,"images":[`...)
		} else {
			c.b = append(c.b, ',')
		}
		write()
	}
	if rawjson.IsArray(native) {
		rawjson.Elements(native, func(value []byte) {
			add(func() { c.b = append(c.b, value...) })
		})
	}
	for _, url := range urls {
		add(func() { c.image(url) })
	}
	if n > 0 {
		c.b = append(c.b, ']')
	}
}

// image writes the base64 text of a data URI.
func (c *converter) image(raw []byte) {
	url, plain := rawjson.Plain(raw)
	if !plain {
		url, _ = rawjson.AppendUnquoted(nil, raw)
	}
	if !hasPrefixFold(url, "data:") {
		c.fail("it has an image by its address. Send the image itself, as a data: URI in base64.")
		return
	}
	head, data, _ := bytes.Cut(url, []byte{','})
	if !bytes.HasSuffix(bytes.ToLower(head), []byte(";base64")) || !isBase64(data) {
		c.fail("it has an image that is not base64. Send images as data:image/png;base64,… .")
		return
	}
	c.b = append(c.b, '"')
	c.b = append(c.b, data...)
	c.b = append(c.b, '"')
}

func hasPrefixFold(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && bytes.EqualFold(b[:len(prefix)], []byte(prefix))
}

// isBase64 looks at the alphabet and the length, which is what decoding in
// the usual alphabet needs.
func isBase64(data []byte) bool {
	trimmed := bytes.TrimRight(data, "=")
	if len(data)%4 != 0 || len(data)-len(trimmed) > 2 || len(trimmed) == 0 {
		return false
	}
	for _, c := range trimmed {
		if !alphabet[c] {
			return false
		}
	}
	return true
}

var alphabet = func() (set [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		set[c] = true
	}
	return set
}()

// toolCalls writes the calls of an assistant: the arguments are text in
// OpenAI's shape and an object in Ollama's.
func (c *converter) toolCalls(raw []byte) {
	n := 0
	rawjson.Elements(raw, func(call []byte) {
		function := rawjson.Lookup(call, "function")
		name := rawjson.Lookup(function, "name")
		if len(name) == 0 || name[0] != '"' {
			c.fail("a tool call in it has no function name.")
			return
		}
		if n++; n == 1 {
			c.b = append(c.b, `,"tool_calls":[{`...)
		} else {
			c.b = append(c.b, ',', '{')
		}
		if id := rawjson.Lookup(call, "id"); len(id) > 2 && id[0] == '"' {
			c.b = append(c.b, `"id":`...)
			c.b = append(c.b, id...)
			c.b = append(c.b, ',')
			if c.tools == nil {
				c.tools = make(map[string][]byte)
			}
			c.tools[string(id)] = name
		}
		c.b = append(c.b, `"function":{"name":`...)
		c.b = append(c.b, name...)
		c.b = append(c.b, `,"arguments":`...)
		c.arguments(rawjson.Lookup(function, "arguments"))
		c.b = append(c.b, '}', '}')
	})
	if n > 0 {
		c.b = append(c.b, ']')
	}
}

func (c *converter) arguments(raw []byte) {
	text := raw
	if len(raw) > 0 && raw[0] == '"' {
		text, _ = rawjson.AppendUnquoted(nil, raw)
	}
	if text = bytes.TrimSpace(text); rawjson.IsNull(text) {
		c.b = append(c.b, '{', '}')
		return
	}
	var d rawjson.Doc
	if d.Parse(text, rawjson.Limits{}) != nil {
		c.fail("the arguments of a tool call in it are not a JSON object.")
		return
	}
	c.b = append(c.b, text...)
}

// toolAnswer writes which call a message answers.
func (c *converter) toolAnswer(m *message) {
	name := m.toolName
	if name == nil {
		name = c.tools[string(m.toolCallID)]
	}
	if len(name) > 2 && name[0] == '"' {
		c.b = appendMember(c.b, "tool_name", name)
	}
	if len(m.toolCallID) > 2 && m.toolCallID[0] == '"' {
		c.b = appendMember(c.b, "tool_call_id", m.toolCallID)
	}
}

package ollama

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"

	"portico/internal/errdefs"
	"portico/internal/hop"
	"portico/internal/provider"
	"portico/internal/rawjson"
)

// answer turns a whole answer of /api/chat into a chat.completion.
func (c *Client) answer(resp *hop.Response, model string) (*provider.Reply, error) {
	defer resp.Close()
	raw, err := resp.ReadAll(nil, c.opt.MaxBody)
	if err != nil {
		return nil, provider.CallFailed(err)
	}
	e := encoder{client: c}
	body, err := e.completion(raw, model)
	if err != nil {
		return nil, err
	}
	return &provider.Reply{Status: 200, ContentType: "application/json", Body: body, Usage: e.usage}, nil
}

func (e *encoder) completion(raw []byte, model string) ([]byte, error) {
	doc := rawjson.Get()
	defer rawjson.Put(doc)
	l, err := e.readLine(doc, raw)
	if err != nil {
		return nil, err
	}
	if !e.done {
		return nil, cutShort(nil)
	}
	if l.content == nil {
		l.content = []byte(`""`) // a whole message has a content, be it empty
	}
	b := make([]byte, 0, len(raw)+1024)
	b = append(b, `{"id":`...)
	b = rawjson.AppendString(b, model+"-"+e.client.opt.NewID())
	b = append(b, `,"created":`...)
	b = strconv.AppendInt(b, e.client.opt.Now().Unix(), 10)
	b = append(b, `,"model":`...)
	b = rawjson.AppendString(b, model)
	b = append(b, `,"choices":[{"index":0,"logprobs":`...)
	b = appendLogprobs(b, doc.Get("logprobs"))
	b = append(b, `,"message":{"role":"assistant",`...)
	b = e.texts(b, &l)
	b = append(b, `},"finish_reason":`...)
	b = e.reason(b, doc)
	b = append(b, `}],"object":"chat.completion"`...)
	b = e.appendUsage(b, doc)
	return append(b, '}'), nil
}

// embeddings turns an answer of /api/embed into OpenAI's shape.
func (c *Client) embeddings(raw []byte, model string, packed bool) (*provider.Reply, error) {
	doc := rawjson.Get()
	defer rawjson.Put(doc)
	if err := doc.Parse(raw, rawjson.Limits{}); err != nil {
		return nil, malformed(err)
	}
	if text := doc.Get("error"); !rawjson.IsNull(text) {
		return nil, c.failed(text)
	}
	b := append(make([]byte, 0, len(raw)+256), `{"object":"list","data":[`...)
	n, bad := 0, false
	ok := rawjson.Elements(doc.Get("embeddings"), func(vector []byte) {
		if n > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"object":"embedding","embedding":`...)
		if packed {
			var valid bool
			b, valid = appendBase64(b, vector)
			bad = bad || !valid
		} else {
			b = append(b, vector...)
		}
		b = appendCount(b, `,"index":`, int64(n))
		b = append(b, '}')
		n++
	})
	if !ok || bad {
		return nil, errdefs.New(errdefs.Upstream, "The model provider sent no embeddings. The administrator may want to check that this model makes them.")
	}
	prompt, _ := doc.Int("prompt_eval_count")
	b = append(b, `],"model":`...)
	b = rawjson.AppendString(b, model)
	b = appendCount(b, `,"usage":{"prompt_tokens":`, prompt)
	b = appendCount(b, `,"total_tokens":`, prompt)
	b = append(b, '}', '}')
	return &provider.Reply{Status: 200, ContentType: "application/json", Body: b, Usage: provider.Usage{Prompt: prompt}}, nil
}

// appendBase64 appends a vector as OpenAI's clients ask for it: base64 of
// float32, little endian.
func appendBase64(dst, vector []byte) ([]byte, bool) {
	var packed []byte
	valid := true
	ok := rawjson.Elements(vector, func(value []byte) {
		f, isNumber := rawjson.Float(value)
		valid = valid && isNumber
		packed = binary.LittleEndian.AppendUint32(packed, math.Float32bits(float32(f)))
	})
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, packed)
	return append(dst, '"'), ok && valid
}

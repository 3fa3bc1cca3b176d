package ollama

import (
	"encoding/json"
	"strings"
	"testing"

	"portico/internal/errdefs"
	"portico/internal/provider"
)

func TestConvertChat(t *testing.T) {
	t.Parallel()
	const user = `"messages":[{"role":"user","content":"hi"}]`
	const head = `{"model":"gemma:latest","stream":false,"messages":[{"role":"user","content":"hi"}]`
	for _, tc := range []struct{ name, body, params, want string }{
		{"plain", `{` + user + `}`, "", head + `}`},
		{"unknown keys go", `{` + user + `,"user":"u","n":2,"chat_id":"c","metadata":{}}`, "", head + `}`},
		{"options", `{` + user + `,"temperature":0.5,"top_p":1,"seed":7,"stop":"x","max_tokens":5,"top_k":null}`, "",
			head + `,"options":{"temperature":0.5,"top_p":1,"seed":7,"stop":["x"],"num_predict":5}}`},
		{"a list of stops", `{` + user + `,"stop":["x","y"]}`, "", head + `,"options":{"stop":["x","y"]}}`},
		{"max_completion_tokens wins", `{` + user + `,"max_tokens":5,"max_completion_tokens":6}`, "", head + `,"options":{"num_predict":6}}`},
		{"the body wins over params", `{` + user + `,"temperature":0.5}`, `{"temperature":1,"num_ctx":4096,"system":"s","stream_response":true}`,
			head + `,"options":{"temperature":0.5,"num_ctx":4096}}`},
		{"Ollama's own options", `{` + user + `,"seed":1,"options":{"seed":2,"mirostat":1,"keep_alive":"5m"}}`, "",
			head + `,"keep_alive":"5m","options":{"seed":1,"mirostat":1}}`},
		{"params to the root", `{` + user + `}`, `{"format":"json","keep_alive":"1m","think":true,"max_tokens":3}`,
			head + `,"format":"json","keep_alive":"1m","options":{"num_predict":3},"think":true}`},
		{"custom params", `{` + user + `}`, `{"custom_params":{"num_ctx":"4096","stop":"[\"a\"]","x":"y z"}}`,
			head + `,"options":{"num_ctx":4096,"stop":["a"],"x":"y z"}}`},
		{"json_object", `{` + user + `,"response_format":{"type":"json_object"}}`, "", head + `,"format":"json"}`},
		{"json_schema", `{` + user + `,"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}}}`, "",
			head + `,"format":{"type":"object"}}`},
		{"text format", `{` + user + `,"response_format":{"type":"text"}}`, "", head + `}`},
		{"tools", `{` + user + `,"tools":[{"type":"function"}],"tool_choice":"auto"}`, "", head + `,"tools":[{"type":"function"}]}`},
		{"forbidden tools", `{` + user + `,"tools":[{"type":"function"}],"tool_choice":"none"}`, "", head + `}`},
		{"no tools", `{` + user + `,"tools":[]}`, "", head + `}`},
		{"logprobs", `{` + user + `,"logprobs":true,"top_logprobs":2}`, "", head + `,"logprobs":true,"top_logprobs":2}`},
		{"reasoning", `{` + user + `,"reasoning_effort":"minimal"}`, "", head + `,"think":"low"}`},
		{"no reasoning", `{` + user + `,"reasoning_effort":"none"}`, "", head + `,"think":false}`},
	} {
		req := chat(t, tc.body, false)
		req.Params = []byte(tc.params)
		got, err := convertChat(req)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if string(got.raw) != tc.want {
			t.Errorf("%s:\n got %s\nwant %s", tc.name, got.raw, tc.want)
		}
	}
}

func TestConvertMessages(t *testing.T) {
	t.Parallel()
	const image = "iVBORw0KGgo="
	for _, tc := range []struct{ name, in, want string }{
		{"parts", `[{"role":"user","content":[{"type":"text","text":"a\n"},{"type":"text","text":"é"}],"name":"n"}]`,
			`[{"role":"user","content":"a\né"}]`},
		{"an image", `[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,` + image + `","detail":"low"}},{"type":"text","text":"what?"}]}]`,
			`[{"role":"user","content":"what?","images":["` + image + `"]}]`},
		{"an image with escapes", `[{"role":"user","content":[{"type":"image_url","image_url":"DATA:image\/png;charset=x;BASE64,ab\/d"}]}]`,
			`[{"role":"user","content":"","images":["ab/d"]}]`},
		{"Ollama's own images", `[{"role":"user","content":"x","images":["` + image + `"]}]`, `[{"role":"user","content":"x","images":["` + image + `"]}]`},
		{"null content", `[{"role":"assistant","content":null}]`, `[{"role":"assistant","content":""}]`},
		{"developer", `[{"role":"developer","content":"x"}]`, `[{"role":"system","content":"x"}]`},
		{"thinking", `[{"role":"assistant","content":"x","reasoning_content":"hm"}]`, `[{"role":"assistant","content":"x","thinking":"hm"}]`},
		{"tools and their answers",
			`[{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}},{"id":"c2","function":{"name":"g","arguments":""}}]},
			  {"role":"tool","tool_call_id":"c2","content":"two"},{"role":"tool","tool_call_id":"c9","content":"none"}]`,
			`[{"role":"assistant","content":"","tool_calls":[{"id":"c1","function":{"name":"f","arguments":{"a": 1}}},{"id":"c2","function":{"name":"g","arguments":{}}}]},` +
				`{"role":"tool","content":"two","tool_name":"g","tool_call_id":"c2"},{"role":"tool","content":"none","tool_call_id":"c9"}]`},
		{"arguments that are an object", `[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]}]`,
			`[{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]}]`},
		{"none", `[]`, `[]`},
	} {
		got, err := appendMessages(nil, []byte(tc.in))
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if string(got) != tc.want {
			t.Errorf("%s:\n got %s\nwant %s", tc.name, got, tc.want)
		}
	}
}

func TestMessagesThatCannotBeSent(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ in, want string }{
		{`"hi"`, "not a list"},
		{`["hi"]`, "Message 1 cannot be sent to this model: it is not an object"},
		{`[{"role":"user","content":"a"},{"content":"b"}]`, "Message 2 cannot be sent to this model: it has no role"},
		{`[{"role":"user","content":7}]`, "neither a text nor a list"},
		{`[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}]`, "Send the image itself"},
		{`[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png,abc"}}]}]`, "not base64"},
		{`[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,a\"b="}}]}]`, "not base64"},
		{`[{"role":"user","content":[{"type":"image_url"}]}]`, "no url"},
		{`[{"role":"user","content":[{"type":"input_audio","input_audio":{}}]}]`, "neither text nor image"},
		{`[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{broken"}}]}]`, "not a JSON object"},
		{`[{"role":"assistant","tool_calls":[{"function":{}}]}]`, "no function name"},
	} {
		_, err := appendMessages(nil, []byte(tc.in))
		if e := errdefs.From(err); e.HTTPStatus() != 400 || !strings.Contains(e.Detail, tc.want) {
			t.Errorf("%s gave %v", tc.in, err)
		}
	}
}

func FuzzConvertChat(f *testing.F) {
	f.Add(hello, `{"temperature":1,"custom_params":{"a":"1"}}`)
	f.Add(`{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:;base64,abcd"}}]}],"stop":"x"}`, "")
	f.Add(`{"messages":[{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"1"}],"tools":[1]}`, "{}")
	f.Fuzz(func(t *testing.T, body, params string) {
		req := provider.ChatRequest{Model: "m"}
		req.Doc = parsed(body)
		if req.Doc == nil || params != "" && parsed(params) == nil {
			t.Skip()
		}
		req.Params = []byte(params)
		laid := encoding().preset(&provider.ForwardRequest{Path: "/api/chat", Body: []byte(body), Params: req.Params})
		if !json.Valid(laid) {
			t.Fatalf("%s", laid)
		}
		got, err := convertChat(&req)
		if err != nil {
			if !errdefs.Is(err, errdefs.Invalid) {
				t.Fatal(err)
			}
			return
		}
		if !json.Valid(got.raw) || got.plain != nil && !json.Valid(got.plain) {
			t.Fatalf("%s", got.raw)
		}
	})
}

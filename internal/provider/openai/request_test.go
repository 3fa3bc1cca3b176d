package openai

import (
	"strings"
	"testing"

	"portico/internal/provider"
	"portico/internal/provider/providertest"
)

func TestChatBody(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		model    string // "" is the one of the body
		params   string
		official bool
		want     string // "" is the very bytes of in
	}{
		{name: "untouched", in: ` { "model":"m" , "messages":[{"role":"user","content":"é\u00e9"}], "temperature":0.70, "x-unknown":{"a":[1]}, "user":"u" } `},
		{name: "stream", in: `{"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true}}`},
		{name: "prefix stripped", in: `{"model":"p.m","messages":[]}`, model: "m", want: `{"model":"m","messages":[]}`},
		{name: "escaped name", in: `{"model":"\u006d","messages":[]}`, want: `{"model":"m","messages":[]}`},
		{name: "two models", in: `{"model":"forbidden","messages":[],"model":"m"}`, want: `{"messages":[],"model":"m"}`},
		{name: "models by another spelling", in: `{"MODEL":"forbidden","model":"m","Model":"forbidden","mod\u0045l":"forbidden","messages":[]}`, want: `{"model":"m","messages":[]}`},
		{name: "only another spelling", in: `{"Model":"forbidden","messages":[]}`, model: "m", want: `{"messages":[],"model":"m"}`},
		{name: "other spellings of what is settled", in: `{"model":"m","messages":[],"Messages":[1],"me\u017f\u017fages":[2],"STREAM":true,"\u017ftream_options":{},"Tools":[],"Temperature":1}`,
			want: `{"model":"m","messages":[],"Temperature":1}`},
		{name: "params of another spelling", in: `{"model":"m","messages":[]}`, params: `{"MODEL":"forbidden","stream":true,"stream_options":{},"custom_params":{"Model":"forbidden","\u017ftream":"true","seed":"1"}}`,
			want: `{"model":"m","messages":[],"seed":1}`},
		{name: "two of something", in: `{"model":"m","n":1,"messages":[],"n":2}`, want: `{"model":"m","messages":[],"n":2}`},
		{name: "consumed", in: `{"model":"m","messages":[],"chat_id":"c","session_id":"s","id":"i","files":[],"metadata":{"a":1},"features":{},"tool_ids":[],"parent_id":null,"model_item":{},"background_tasks":{},"variables":{},"temperature":1}`,
			want: `{"model":"m","messages":[],"temperature":1}`},
		{name: "options of no stream", in: `{"model":"m","stream":false,"stream_options":{"include_usage":true}}`, want: `{"model":"m","stream":false}`},
		{name: "null is no stream", in: `{"model":"m","stream":null}`},
		{name: "stream is no text", in: `{"model":"m","stream":"yes"}`, want: `{"model":"m","stream":false}`},
		{name: "params", in: `{"model":"m","top_p":0.1,"params":{"top_p":0.9,"temperature":0.5,"function_calling":"native","system":"x","custom_params":{"top_k":"40","name":"bob","temperature":"0.7","files":"1"}}}`,
			params: `{"top_p":0.9,"temperature":0.5,"function_calling":"native","system":"x","custom_params":{"top_k":"40","name":"bob","temperature":"0.7","files":"1"}}`,
			want:   `{"model":"m","top_p":0.1,"top_k":40,"name":"bob","temperature":0.7}`},
		{name: "reasoning", in: `{"model":"o3-mini","max_tokens":5,"messages":[{"role":"system","content":"s"},{"role":"system","content":"t"}]}`,
			want: `{"model":"o3-mini","messages":[{"role":"developer","content":"s"},{"role":"system","content":"t"}],"max_completion_tokens":5}`},
		{name: "o1-mini", in: `{"model":"o1-mini","messages":[{"role":"system","content":"s"}]}`, want: `{"model":"o1-mini","messages":[{"role":"user","content":"s"}]}`},
		{name: "gpt-5 has both", in: `{"model":"gpt-5.1","max_tokens":5,"max_completion_tokens":6}`, want: `{"model":"gpt-5.1","max_completion_tokens":6}`},
		{name: "gpt-4o elsewhere", in: `{"model":"gpt-4o","max_completion_tokens":6}`, want: `{"model":"gpt-4o","max_tokens":6}`},
		{name: "gpt-4o at home", in: `{"model":"gpt-4o","max_completion_tokens":6}`, official: true},
		{name: "not reasoning", in: `{"model":"olmo-2","max_tokens":5,"messages":[{"role":"system","content":"s"}]}`},
		{name: "logit_bias", in: `{"model":"m","logit_bias":"50256:-200, 11: 5"}`, want: `{"model":"m","logit_bias":{"50256":-100,"11":5}}`},
		{name: "logit_bias as JSON", in: `{"model":"m","logit_bias":"{\"1\":2}"}`, want: `{"model":"m","logit_bias":{"1":2}}`},
		{name: "logit_bias as nonsense", in: `{"model":"m","logit_bias":"x"}`},
		{name: "limit from params", in: `{"model":"o1","params":{"max_tokens":9}}`, params: `{"max_tokens":9}`, want: `{"model":"o1","max_completion_tokens":9}`},
	}
	for _, tt := range tests {
		req := providertest.Chat(t, tt.in, strings.Contains(tt.in, `"stream":true`))
		if tt.model != "" {
			req.Model = tt.model
		}
		req.Params = []byte(tt.params)
		k := &call{home: &Client{official: tt.official}}
		got := k.chatBody(req)
		if tt.want == "" {
			if &got[0] != &req.Doc.Raw[0] {
				t.Errorf("%s: the bytes were copied: %s", tt.name, got)
			}
			continue
		}
		if string(got) != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// TestEmbedBody: the same model is asked for as was judged.
func TestEmbedBody(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"model":"m","input":"x"}`:                                     `{"model":"m","input":"x"}`,
		`{"model":"m","MODEL":"forbidden","input":"x"}`:                 `{"model":"m","input":"x"}`,
		`{"input":"x","mode\u006c":"m","Model":"forbidden","files":[]}`: `{"input":"x","mode\u006c":"m"}`,
	} {
		req := providertest.Chat(t, in, false)
		k := &call{home: &Client{}}
		if got := k.embedBody(&provider.EmbedRequest{Doc: req.Doc, Model: "m"}); string(got) != want {
			t.Errorf("%s became %s", in, got)
		}
	}
}

func TestReasons(t *testing.T) {
	t.Parallel()
	for model, want := range map[string]bool{
		"o1": true, "o1-mini": true, "O3": true, "o4-mini-high": true, "gpt-5": true, "GPT-5.1-codex": true, "gpt-10": true,
		"o": false, "olmo": false, "o1js": false, "gpt-4o": false, "gpt-oss": false, "gpt-": false, "llama": false,
	} {
		if reasons(model) != want {
			t.Errorf("%s: %v", model, !want)
		}
	}
}

// TestUntouchedBodyAllocatesNothing gates the hot path: a body that nobody
// changes is sent as it came.
func TestUntouchedBodyAllocatesNothing(t *testing.T) {
	req := providertest.Chat(t, `{"model":"m","messages":[{"role":"user","content":"hi"}],"temperature":0.5}`, false)
	k := &call{home: &Client{}}
	write := func() {
		k.edit.reset()
		k.chatBody(req)
	}
	if n := testing.AllocsPerRun(100, write); n != 0 {
		t.Errorf("%v allocations", n)
	}
	req.Model = "other"
	if n := testing.AllocsPerRun(100, write); n != 0 {
		t.Errorf("%v allocations for another model", n)
	}
}

package openai

import (
	"encoding/json"
	"testing"

	"portico/internal/provider"
	"portico/internal/rawjson"
)

// FuzzChatBody: whatever the client sends, the upstream reads the model that
// was authorised, and nothing that is the server's own.
func FuzzChatBody(f *testing.F) {
	f.Add([]byte(`{"model":"a","messages":[{"role":"system","content":"x"}],"max_tokens":1,"params":{"top_p":1,"custom_params":{"a":"{}"}},"logit_bias":"1:2"}`), "gpt-5", true)
	f.Add([]byte(`{"model":"a","mod\u0065l":"b","chat_id":1,"stream":1,"max_completion_tokens":2}`), "m", false)
	f.Add([]byte(`{"model":"a","MODEL":"b","Stream":true,"params":{"Model":"c","\u017ftream":true,"custom_params":{"mOdel":"\"d\""}}}`), "m", false)
	f.Fuzz(func(t *testing.T, body []byte, model string, stream bool) {
		var d rawjson.Doc
		if d.Parse(body, rawjson.Limits{}) != nil {
			return
		}
		model = string([]rune(model))
		k := &call{home: &Client{}}
		out := k.chatBody(&provider.ChatRequest{Doc: &d, Model: model, Stream: stream, Params: d.Get("params")})
		var sent map[string]json.RawMessage
		if err := json.Unmarshal(out, &sent); err != nil {
			t.Fatalf("%s became %s: %v", body, out, err)
		}
		var said string
		if json.Unmarshal(sent["model"], &said) != nil || said != model {
			t.Fatalf("%s asks for %s", out, sent["model"])
		}
		for key := range sent {
			if provider.Consumed([]byte(key)) {
				t.Fatalf("%s still has %s", out, key)
			}
		}
		if on := string(sent["stream"]) == "true"; on != stream {
			t.Fatalf("%s: stream is %v", out, on)
		}
		// A reader that takes keys of any case, as encoding/json is, sees the same.
		var loose struct{ Model, Stream json.RawMessage }
		if json.Unmarshal(out, &loose) != nil || string(loose.Model) != string(sent["model"]) || string(loose.Stream) != string(sent["stream"]) {
			t.Fatalf("%s is read as %s, stream %s", out, loose.Model, loose.Stream)
		}
		k = &call{home: &Client{}}
		out = k.embedBody(&provider.EmbedRequest{Doc: &d, Model: model})
		var one struct{ Model string }
		if err := json.Unmarshal(out, &one); err != nil || one.Model != model {
			t.Fatalf("%s became %s, which is read as %q (%v)", body, out, one.Model, err)
		}
	})
}

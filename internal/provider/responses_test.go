package provider

import (
	"testing"
	"time"

	"portico/internal/rawjson"
)

func TestResponsesBody(t *testing.T) {
	t.Parallel()
	const preset = `{"system":"You serve {{USER_NAME}}.","temperature":0.5,"max_tokens":7,"stop":["x"],"frequency_penalty":1}`
	for _, c := range []struct{ body, model, params, want string }{
		{`{ "model": "a", "input": "hi" }`, "a", "", `{ "model": "a", "input": "hi" }`},
		{`{"model":"p.a","input":"hi"}`, "a", "{}", `{"model":"a","input":"hi"}`},
		{`{"model":"a","Model":"b","INSTRUCTIONS":"c"}`, "a", "", `{"model":"a"}`},
		{`{"model":"b","model":"a"}`, "a", "", `{"model":"a"}`},
		{`{"model":"x","input":"hi"}`, "a", preset,
			`{"model":"a","input":"hi","instructions":"You serve Ann.","temperature":0.5,"max_output_tokens":7}`},
		{`{"model":"x","instructions":"Be brief.","temperature":1,"max_output_tokens":null}`, "a", preset,
			`{"model":"a","instructions":"You serve Ann.\nBe brief.","temperature":1,"max_output_tokens":7}`},
		{`{"model":"a","metadata":{"k":"v"},"files":[]}`, "a", "", `{"model":"a","metadata":{"k":"v"},"files":[]}`},
	} {
		var doc rawjson.Doc
		if err := doc.Parse([]byte(c.body), rawjson.Limits{}); err != nil {
			t.Fatal(err)
		}
		if got := string(ResponsesBody(&doc, c.model, []byte(c.params), Caller{Name: "Ann"}, time.Unix(0, 0))); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.body, got, c.want)
		}
	}
}

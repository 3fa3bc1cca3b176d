package provider

import (
	"testing"
	"time"
)

func TestFillPrompt(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	who := Caller{ID: "u1", Name: "{{USER_ID}}", Email: "a@example.com", Role: "admin"}
	for in, want := range map[string]string{
		"as it is": "as it is",
		"{{USER_NAME}} {{USER_EMAIL}} {{USER_ID}} {{USER_ROLE}}":                              "{{USER_ID}} a@example.com u1 admin", // filled once
		"{{CURRENT_DATE}} {{CURRENT_TIME}}, {{CURRENT_DATETIME}}, {{CURRENT_WEEKDAY}} {{XX}}": "2026-01-02 03:04:05, 2026-01-02 03:04:05, Friday {{XX}}",
	} {
		if got := FillPrompt(in, who, now); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func TestAppendSystem(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`[]`:                                   `[{"role":"system","content":"Be \"x\"."}]`,
		`[ ]`:                                  `[{"role":"system","content":"Be \"x\"."} ]`,
		`[ {"role":"user","content":"hi"}, 1]`: `[{"role":"system","content":"Be \"x\"."}, {"role":"user","content":"hi"}, 1]`,
		`[ {"role":"system","content":"Short.","name":"n"} , {"role":"user"}]`: `[ {"role":"system","content":"Be \"x\".\nShort.","name":"n"} , {"role":"user"}]`,
		`[{"role":"system","content":[{"type":"text","text":"Short."}]}]`:      `[{"role":"system","content":"Be \"x\"."},{"role":"system","content":[{"type":"text","text":"Short."}]}]`,
	} {
		if got := AppendSystem([]byte("> "), []byte(in), `Be "x".`); string(got) != "> "+want {
			t.Errorf("%s became %s", in, got)
		}
	}
}

package setting_test

import (
	"encoding/json"
	"testing"

	"portico/internal/setting"
)

func TestParsePins(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, variable, text, key, want string
	}{
		{"one address", "OPENAI_API_BASE_URL", "http://x/v1/", "openai.api_base_urls", `["http://x/v1"]`},
		{"many win", "OPENAI_API_BASE_URLS", "http://x/v1;http://y/v1", "openai.api_base_urls", `["http://x/v1","http://y/v1"]`},
		{"empty places stay", "OPENAI_API_KEYS", "a;;c", "openai.api_keys", `["a","","c"]`},
		{"a key alone", "OPENAI_API_KEY", "a", "openai.api_base_urls", `["https://api.openai.com/v1"]`},
		{"configs", "OPENAI_API_CONFIGS", `{"0":{"prefix_id":"p"}}`, "openai.api_configs", `{"0":{"prefix_id":"p"}}`},
		{"python's True", "ENABLE_SIGNUP", "True", "ui.enable_signup", `true`},
		{"a leaf", "USER_PERMISSIONS_FEATURES_API_KEYS", "false", "user.permissions.features.api_keys", `false`},
		{"names", "MODEL_ORDER_LIST", "a, b", "ui.model_order_list", `["a","b"]`},
		{"names as JSON", "MODEL_ORDER_LIST", `["a","b"]`, "ui.model_order_list", `["a","b"]`},
	} {
		pins, faults := setting.ParsePins(func(string) (string, bool) { return "", false }, setting.Found{c.variable: c.text})
		if len(faults) > 0 || string(pins[c.key].Value) != c.want || pins[c.key].Origin != setting.FromFile || pins[c.key].Variable != c.variable {
			t.Errorf("%s: %+v, %v; value %s, want %s", c.name, pins[c.key], faults, pins[c.key].Value, c.want)
		}
	}
}

func TestParsePinsReportsEveryFault(t *testing.T) {
	t.Parallel()
	env := map[string]string{"ENABLE_SIGNUP": "maybe", "OLLAMA_BASE_URL": "localhost:11434", "OPENAI_API_CONFIGS": "{", "WEBUI_NAME": "", "JWT_EXPIRES_IN": "1 day"}
	pins, faults := setting.ParsePins(func(n string) (string, bool) { v, ok := env[n]; return v, ok }, nil)
	if len(faults) != 4 || len(pins) != 0 {
		t.Fatalf("%d faults, %d pins: %v", len(faults), len(pins), faults)
	}
}

func TestEveryKeyIsWhole(t *testing.T) {
	t.Parallel()
	names, variables := map[string]bool{}, map[string]bool{}
	for _, d := range setting.All() {
		if names[d.Name] || d.Name == "" || d.Doc == "" || len(d.Env) == 0 || !json.Valid(d.Default) {
			t.Errorf("the key %q is not whole or there twice", d.Name)
		}
		names[d.Name] = true
		for _, v := range d.Env {
			if variables[v] {
				t.Errorf("the variable %s pins two keys", v)
			}
			variables[v] = true
		}
	}
}

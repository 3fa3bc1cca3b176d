package provider

import (
	"slices"
	"testing"

	"portico/internal/errdefs"
	"portico/internal/rawjson"
)

func TestAlternatives(t *testing.T) {
	t.Parallel()
	refused := errdefs.New(errdefs.Invalid, "Model not found")
	tests := []struct {
		body string
		want []string // asked for
		ok   bool
	}{
		{`{"model":"a"}`, nil, true},
		{`{"model":"a","models":null,"fallbacks":[]}`, nil, true},
		{`{"model":"a","models":["b","c"]}`, []string{"b", "c"}, true},
		{`{"model":"a","fallbacks":[{"model":"b"},"c"]}`, []string{"b", "c"}, true},
		{`{"model":"a","Models":["b"],"context_window_fallbacks":["c"]}`, []string{"b", "c"}, true},
		{`{"model":"a","models":["b","secret","c"]}`, []string{"b", "secret"}, false},
		{`{"model":"a","models":"b"}`, nil, false},
		{`{"model":"a","models":[["b"]]}`, nil, false},
		{`{"model":"a","fallbacks":[{"a":["secret"]}]}`, nil, false},
		{`{"model":"a","params":{"temperature":1}}`, nil, true},
		{`{"model":"a","params":{"models":["b"]}}`, nil, false},
		{`{"model":"a","params":{"custom_params":{"fallbacks":"[\"b\"]"}}}`, nil, false},
	}
	for _, tt := range tests {
		var doc rawjson.Doc
		if err := doc.Parse([]byte(tt.body), rawjson.Limits{}); err != nil {
			t.Fatal(err)
		}
		var asked []string
		err := Alternatives(&doc, func(id string) error {
			asked = append(asked, id)
			if id == "secret" {
				return refused
			}
			return nil
		})
		if (err == nil) != tt.ok || !slices.Equal(asked, tt.want) {
			t.Errorf("%s: asked for %q, %v", tt.body, asked, err)
		}
	}
}
